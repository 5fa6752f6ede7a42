"""Mock cubes: a galaxy of known parameters, its light in a frame, and noise."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clumpygan import __version__
from clumpygan.data.cubes.frame import CubeFrame, frame_of, make_frame
from clumpygan.data.cubes.frame_settings import FieldSettings, FrameSettings
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies import DiskModel, DiskParameters, render_cube
from clumpygan.galaxies.disks.description import describe
from clumpygan.galaxies.disks.parameters import PARAMETERS
from clumpygan.generation.settings import (
    TYPICAL_FLUX,
    TYPICAL_SIGNAL_TO_NOISE,
    MockSettings,
    names_of,
    sort_choices,
)
from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.io import atomic_path
from clumpygan.io.cubes.writing import write_cube

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REFERENCE_TIME = 36_000.0
_TOO_LITTLE_LIGHT, _NO_LIGHT = 0.8, 1e-3


@dataclass(frozen=True, eq=False)
class Mock:
    """A mock cube and all that is known about it.

    Attributes
    ----------
    galaxy : DiskParameters
        The truth.
    frame : CubeFrame
        Where it was observed.
    data : ndarray (v, y, x)
        With noise, in `unit`.
    continuum : ndarray (v, y, x) or None
        The part of the data, without noise, that isn't the line.
    sigma : ndarray (v,) or None
        Standard deviation of the noise in each channel.
    signal_to_noise : float or None
        Of the brightest voxel relative to its noise.
    exposure_time : float or None
        Seconds after which the instrument has this noise, where that is known.
    light : float
        Share of the line's flux that is inside the cube.
    seed : int
        Of galaxy and noise.
    accuracy : float
        With which the cube was rendered.
    """

    galaxy: DiskParameters
    frame: CubeFrame
    data: np.ndarray
    continuum: np.ndarray | None
    sigma: np.ndarray | None
    signal_to_noise: float | None
    exposure_time: float | None
    light: float
    seed: int
    accuracy: float

    @property
    def unit(self) -> str | None:
        """Unit of the data as FITS writes it; None for flux units per voxel."""
        return None if self.frame.instrument is None else "1e-20 erg/s/cm2/Angstrom"

    @property
    def variance(self) -> np.ndarray | None:
        """Variance of the noise (v, y, x), float32."""
        if self.sigma is None:
            return None
        return np.broadcast_to(
            np.square(self.sigma, dtype=np.float64).astype(np.float32)[:, None, None],
            self.data.shape,
        )

    def headline(self) -> str:
        """Return what was made in one line."""
        v, y, x = self.data.shape
        grid, axis = self.frame.grid, self.frame.axis
        width = f"{grid.channel_width:.3g} km/s"
        if axis.kind == "wavelength":
            width = f"{axis.step:.4g} Angstrom ({width})"
        words = [f"{v} channels of {width}, {y} x {x} pixels of {grid.pixel_scale:g} arcsec"]
        words += [f"redshift {self.frame.redshift:g}", f"{self.light:.1%} of the flux inside"]
        if self.signal_to_noise is not None:
            words.append(f"peak signal-to-noise {self.signal_to_noise:.3g}")
        if self.exposure_time is not None:
            words.append(f"as after {self.exposure_time / 3600:.3g} h")
        return ", ".join(words)

    def plot(self) -> Figure:
        """Return a figure of the line: maps, a slit, spectrum and channels.

        Raises
        ------
        InputError
            If no line stands out of the noise.
        """
        from clumpygan.plots.cube import mock_figure

        return mock_figure(self)

    def write(self, path: str | Path) -> None:
        """Write the cube to a FITS file, with all parameters in its header."""
        settings: dict[str, float | str] = {
            "instrument": "none" if self.frame.instrument is None else self.frame.instrument.name,
            "redshift": self.frame.redshift,
            "accuracy": self.accuracy,
        }
        settings |= {f"rest_wavelength_{n}": line for n, line in enumerate(self.frame.lines, 1)}
        if self.frame.psf_fwhm is not None:
            settings["psf_fwhm"] = self.frame.psf_fwhm
        if self.frame.instrument is None:
            settings["line_spread"] = self.frame.grid.line_spread[0]
        settings["pixel_response"] = float(self.frame.grid.pixel_response)
        units = {row.name: row.unit for row in self.galaxy.model.table if row.unit}
        with atomic_path(path) as temporary:
            write_cube(
                temporary,
                self.data,
                axis=self.frame.axis,
                pixel_scale=self.frame.grid.pixel_scale,
                variance=self.variance,
                unit=self.unit,
                parameters=describe(self.galaxy) | settings,
                comments=units | {"psf_fwhm": "arcsec", "line_spread": "km/s"},
                seed=self.seed,
            )

    def report(self) -> dict[str, Any]:
        """Return everything for a JSON file."""
        frame, grid = self.frame, self.frame.grid
        return {
            "program": f"clumpygan {__version__}",
            "seed": self.seed,
            "parameters": describe(self.galaxy),
            "shape": list(self.data.shape),
            "pixel_scale_arcsec": grid.pixel_scale,
            "channel_width_km_s": grid.channel_width,
            "axis": {
                "kind": frame.axis.kind,
                "medium": frame.axis.medium,
                "first": frame.axis.first,
                "step": frame.axis.step,
            },
            "instrument": None if frame.instrument is None else frame.instrument.name,
            "rest_wavelengths_vacuum_angstrom": list(frame.lines),
            "redshift": frame.redshift,
            "psf_fwhm_arcsec": frame.psf_fwhm,
            "line_spread_km_s": list(grid.line_spread),
            "unit": self.unit,
            "accuracy": self.accuracy,
            "light_inside": self.light,
            "peak_signal_to_noise": self.signal_to_noise,
            "median_sigma": None if self.sigma is None else float(np.median(self.sigma)),
            "equivalent_exposure_time_s": self.exposure_time,
        }


def generate_cube(**choices: Any) -> Mock:
    """Make the velocity cube of a thick, rotating, clumpy disk, and observe it.

    Parameters
    ----------
    **choices
        Parameters of the galaxy (`inclination`, `maximum_velocity`, ...), and fields of `DiskModel`
        (`clumps`, `curve`, ...), `FieldSettings` (`instrument`, `line`, ...) and `MockSettings`
        (`seed`, `signal_to_noise`, ...).

    Returns
    -------
    Mock

    Raises
    ------
    InputError
        For an unknown name, a value out of range, or choices that contradict each other.

    Examples
    --------
    >>> generate_cube(inclination=60, shape=(12, 10, 10), seeing=0.6, seed=1).data.shape
    (12, 10, 10)
    """
    own, field, model, parameters = sort_choices(
        choices,
        names_of(MockSettings),
        names_of(FieldSettings),
        names_of(DiskModel),
        [row.name for row in PARAMETERS],
    )
    return make_mock(
        frame_of(FieldSettings(**field)), DiskModel(**model), parameters, MockSettings(**own)
    )


def make_mock(
    frame: FrameSettings,
    model: DiskModel | None = None,
    parameters: Mapping[str, float] | None = None,
    settings: MockSettings | None = None,
) -> Mock:
    """Make the mock of one galaxy.

    Parameters
    ----------
    frame : FrameSettings
    model : DiskModel, optional
    parameters : mapping, optional
        Those that are given; the others have their defaults, or are drawn.
    settings : MockSettings, optional

    Raises
    ------
    InputError
        If a parameter is out of range, the galaxy is outside the cube, or the noise isn't defined.
    """
    model, settings = model or DiskModel(), settings or MockSettings()
    seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
    made = make_frame(frame)
    for_galaxy, for_noise = np.random.default_rng(seed).spawn(2)
    galaxy = _galaxy(settings.random, parameters or {}, model, made, for_galaxy)
    cube = _rendered(galaxy, made, settings.accuracy)
    line, continuum = cube, None
    if galaxy.continuum:
        line = _rendered(replace(galaxy, continuum=0.0), made, settings.accuracy)
        continuum = cube - line
    light = _light_inside(line, galaxy, made)
    sigma, exposure_time = _noise(settings, made, cube)
    data, peak = cube, None
    if sigma is not None:
        _check_float32(sigma)
        noise = draw_cube_noise(for_noise, cube.shape, sigma, made.correlation)
        data = (cube + noise).astype(np.float32)
        peak = float((cube / sigma[:, None, None]).max())
    return Mock(
        galaxy, made, data, continuum, sigma, peak, exposure_time, light, seed, settings.accuracy
    )


def _galaxy(
    random: bool,
    given: Mapping[str, float],
    model: DiskModel,
    frame: CubeFrame,
    generator: np.random.Generator,
) -> DiskParameters:
    """Return the galaxy: drawn, by default, or as given."""
    values = dict(zip(model.names, model.draw(generator, 1)[0].tolist(), strict=True))
    # Shear is no property of a galaxy: without being asked for, there is none.
    values |= dict.fromkeys(("g1", "g2"), 0.0)
    if not random:
        values |= {row.name: row.default for row in PARAMETERS}
    if frame.instrument is not None:
        values["flux"] *= TYPICAL_FLUX
    return DiskParameters.from_dict({**values, **given}, model)


def _rendered(galaxy: DiskParameters, frame: CubeFrame, accuracy: float) -> np.ndarray:
    """Return the noiseless cube: flux per voxel, per Angstrom if it is observed."""
    cube = render_cube(galaxy, frame.grid, psf=frame.transfer, accuracy=accuracy)
    return cube if frame.instrument is None else cube / np.float32(frame.axis.step)


def _light_inside(line: np.ndarray, galaxy: DiskParameters, frame: CubeFrame) -> float:
    """Return the share of the line's flux in the cube, and warn if it is small.

    Raises
    ------
    InputError
        If there is next to none.
    """
    total = galaxy.flux * galaxy.magnification
    if not total:
        raise InputError("flux is 0 flux units: there is nothing to see; expected more")
    width = 1.0 if frame.instrument is None else frame.axis.step
    light = float(line.sum(dtype=np.float64)) * width / total
    if light < _NO_LIGHT:
        raise InputError(
            f"{max(light, 0.0):.1%} of the line's flux is inside the cube: bring the galaxy to its "
            "middle by offset_x, offset_y and systemic_velocity, or enlarge the cube"
        )
    if light < _TOO_LITTLE_LIGHT:
        warnings.warn(
            f"only {light:.0%} of the line's flux is inside the cube; `size` and `velocity_range` "
            "make it larger",
            InputWarning,
            stacklevel=2,
        )
    return light


def _check_float32(sigma: np.ndarray) -> None:
    """Refuse noise whose variance float32 can't hold."""
    span = np.finfo(np.float32)
    if not (sigma.min() ** 2 >= span.tiny and sigma.max() ** 2 <= span.max):
        raise InputError(
            f"noise of {np.median(sigma):.3g} per voxel: float32 can't hold its variance; expected "
            "1e-19 to 1e19, choose another flux or noise"
        )


def _noise(
    settings: MockSettings, frame: CubeFrame, cube: np.ndarray
) -> tuple[np.ndarray | None, float | None]:
    """Return sigma of the channels (v,), and after which exposure time the instrument has it."""
    instrument, ratio = frame.instrument, settings.signal_to_noise
    if settings.noise is not None:
        return np.full(len(cube), settings.noise), None
    if settings.exposure_time is not None:
        if instrument is None:
            raise InputError("`exposure_time` needs an instrument: give `instrument` NAME")
        if instrument.sky is None:
            raise InputError(
                f"`exposure_time`: the noise of {instrument.name} isn't known; give "
                "`signal_to_noise` or `noise` instead"
            )
        seconds = settings.exposure_time
        return instrument.noise_sigma(frame.axis.values, seconds), seconds
    if settings.noiseless or (ratio is None and instrument is None):
        return None, None
    ratio = ratio or TYPICAL_SIGNAL_TO_NOISE
    if instrument is None or instrument.sky is None:
        return np.full(len(cube), float(cube.max()) / ratio), None
    reference = instrument.noise_sigma(frame.axis.values, _REFERENCE_TIME)
    scale = float((cube / reference[:, None, None]).max()) / ratio
    return scale * reference, _REFERENCE_TIME / scale**2
