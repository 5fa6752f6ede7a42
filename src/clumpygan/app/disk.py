"""The disk that sliders move: rendered, observed, fitted, and measured for the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.data.cubes.frame import frame_of
from clumpygan.data.cubes.frame_settings import FieldSettings
from clumpygan.fitting.fit_cube import fit_with, observed_cube
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.observation import Frame, Observation, observe
from clumpygan.fitting.result import FitResult
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.galaxies.disks.parameters import PARAMETERS, DiskParameters
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.moments import moments
from clumpygan.galaxies.measuring.signal_mask import signal_mask
from clumpygan.galaxies.rendering.cube import render_cube
from clumpygan.generation.mock import Mock, make_mock
from clumpygan.generation.settings import MockSettings
from clumpygan.plots.cube_view import CubeView, Slit, view_of

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

PERIODS = {row.name: row.period for row in PARAMETERS if row.period is not None}

_FLUX_UNIT = "flux units"


@dataclass(frozen=True)
class Wanted:
    """What is chosen on the page of a disk that is rendered.

    Attributes
    ----------
    values : mapping of str to float
        Parameters, by their names.
    model : DiskModel
    field : FieldSettings
        Of the cube without data.
    signal_to_noise : float
        Of the brightest voxel, where noise is added.
    seed : int
        Of clumps and noise.
    """

    values: Mapping[str, float]
    model: DiskModel = field(default_factory=DiskModel)
    field: FieldSettings = field(default_factory=FieldSettings)
    signal_to_noise: float = 10.0
    seed: int = 0

    @cached_property
    def mock(self) -> Mock:
        """The cube with noise."""
        return self._made(MockSettings(seed=self.seed, signal_to_noise=self.signal_to_noise))

    @cached_property
    def noiseless(self) -> Mock:
        """The cube without noise."""
        return self._made(MockSettings(seed=self.seed, noiseless=True))

    def _made(self, settings: MockSettings) -> Mock:
        # The flux is that of the instrument, as generate_cube has it.
        given = {name: value for name, value in self.values.items() if name != "flux"}
        return make_mock(frame_of(self.field), self.model, given, settings)


@dataclass(frozen=True, eq=False)
class Data:
    """A cube to be fitted, measured.

    Attributes
    ----------
    name : str
    observation : Observation
    fitter : DiskFitter
        Of the model that was chosen.
    view : CubeView
        Velocities are those of the cube's axis.
    voxels : ndarray (v, y, x) of bool
        Where the line stands out of the noise.
    """

    name: str
    observation: Observation
    fitter: DiskFitter
    view: CubeView
    voxels: BoolArray

    @property
    def unit(self) -> str:
        """Of the flux."""
        return self.observation.flux_unit or _FLUX_UNIT

    @property
    def flux(self) -> float:
        """Of the line, as far as it stands out of the noise."""
        return float(np.nansum(self.view.maps.flux))


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows of cubes.

    Attributes
    ----------
    model : CubeView
    data : CubeView, optional
    unit : str
        Of the flux.
    misfit : float, optional
        Chi^2 per voxel of the model.
    """

    model: CubeView
    data: CubeView | None
    unit: str
    misfit: float | None = None


def show_mock(wanted: Wanted) -> Shown:
    """Render a disk without noise, and measure it."""
    mock = wanted.noiseless
    width = 1.0 if mock.frame.instrument is None else mock.frame.axis.step
    unit = _FLUX_UNIT if mock.unit is None else "1e-20 erg/s/cm2"
    return Shown(_model_view(mock.data * width, mock.frame, mock.galaxy), None, unit)


def show_over(data: Data, galaxy: DiskParameters) -> Shown:
    """Render a disk as the data were observed, and measure it in the same voxels."""
    frame, seen = data.observation.frame, data.observation
    cube = render_cube(galaxy, frame.grid, psf=frame.transfer)
    valid = seen.valid
    off = (seen.data[valid] - cube[valid]) ** 2 / seen.variance[valid]
    view = _model_view(np.where(valid, cube, np.nan), frame, galaxy, data)
    return Shown(view, data.view, data.unit, float(off.mean()))


def observe_mock(wanted: Wanted) -> Data:
    """Add noise to a disk, and take it for data."""
    mock = wanted.mock
    width = 1.0 if mock.frame.instrument is None else mock.frame.axis.step
    variance = None if mock.variance is None else mock.variance.astype(np.float64) * width**2
    seen = observe(mock.data * width, variance, mock.frame, name="the disk")
    unit = "" if mock.unit is None else "1e-20 erg/s/cm2"
    seen = replace(seen, flux_unit=unit, truth=mock.galaxy.to_dict())
    fitter = DiskFitter(DiskModel(curve=wanted.model.curve), mock.frame)
    return _data("the disk with noise", seen, fitter)


def read_data(path: Path, settings: FitSettings) -> Data:
    """Read a cube that is to be fitted.

    Raises
    ------
    InputError
        If it can't be read, or settings are missing.
    """
    fitters, seen, _ = observed_cube(path, settings)
    return _data(path.name, seen, next(iter(fitters.values())))


def fit_data(data: Data) -> FitResult:
    """Fit the model to the data."""
    return fit_with({"": data.fitter}, data.observation)


def start_of(data: Data, values: Mapping[str, float]) -> DiskParameters:
    """Return the disk of the sliders, for the model that is fitted to the data."""
    return galaxy_of(values, data.fitter.model)


def galaxy_of(values: Mapping[str, float], model: DiskModel) -> DiskParameters:
    """Return a disk of those values that the model has; the others have their defaults."""
    return DiskParameters.from_dict({n: v for n, v in values.items() if n in model.names}, model)


def way(
    before: Mapping[str, float], after: Mapping[str, float], steps: int
) -> list[dict[str, float]]:
    """Return values on the way from one disk to another, the last being the other.

    Angles take the shorter way around.

    Parameters
    ----------
    before, after : mapping of str to float
        What only the second has is constant.
    steps : int
    """
    found = []
    for step in range(1, steps + 1):
        share = step / steps
        values = {}
        for name, end in after.items():
            change = end - before.get(name, end)
            if name in PERIODS:
                half = PERIODS[name] / 2
                change = (change + half) % (2 * half) - half
            values[name] = end - (1 - share) * change
        found.append(values)
    return found


def _data(name: str, seen: Observation, fitter: DiskFitter) -> Data:
    cube = np.where(seen.valid, seen.data, np.nan)
    variance = np.where(seen.valid, seen.variance, np.nan)
    velocities = seen.frame.grid.centres[0]
    voxels = signal_mask(MeasuredCube.of(cube, velocities, variance))
    falls = velocities[0] > velocities[-1]
    view = view_of(
        cube, velocities, seen.frame.grid.pixel_scale, variance=variance,
        slit_width=_slit_width(seen.frame),
        maps=moments(cube, velocities, variance=variance, **_lines(seen.frame, None)),
    )  # fmt: skip
    return Data(name, seen, fitter, view, voxels[:: -1 if falls else 1])


def _model_view(
    cube: NDArray[np.floating], frame: Frame, galaxy: DiskParameters, data: Data | None = None
) -> CubeView:
    """Measure a model: in the voxels, spaxels and slit of the data, if there are any."""
    velocities, scale = frame.grid.centres[0], frame.grid.pixel_scale
    how: dict[str, Any] = {}
    if data is None:
        where = (galaxy.offset_x, galaxy.offset_y)
        slit = Slit(galaxy.position_angle, where, _slit_width(frame))
        maps = moments(cube, velocities, **_lines(frame, galaxy))
    else:
        slit = data.view.slit
        maps = moments(cube, velocities, voxels=data.voxels, **_lines(frame, galaxy))
        how = {"galaxy": data.view.galaxy, "aperture": data.view.maps.mask}
    return view_of(cube, velocities, scale, maps=maps, slit=slit, slit_width=slit.width, **how)


def _slit_width(frame: Frame) -> float:
    return frame.psf_fwhm or 3 * frame.grid.pixel_scale


def _lines(frame: Frame, galaxy: DiskParameters | None) -> dict[str, Any]:
    """Return how the lines of a frame are measured: fitted where there are several."""
    grid = frame.grid
    spread = {
        "line_spread": float(np.mean(grid.line_spread)),
        "channel_response": grid.channel_response,
    }
    if len(grid.edges) == 1:
        return spread
    fluxes = grid.line_fluxes
    if galaxy is not None and len(fluxes) == 2 + galaxy.model.extra_lines:
        fluxes = tuple(galaxy.model.line_fluxes(galaxy.to_vector()).tolist())
    offsets = grid.line_offsets
    pairs = [(float(o), f) for o, f in zip(offsets, fluxes, strict=True) if f > 0]
    return {"method": "gaussian", "lines": pairs, **spread}
