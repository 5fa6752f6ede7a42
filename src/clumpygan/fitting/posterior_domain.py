"""What a trained posterior knows: cubes, instruments and parameters like those of its training."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.choices import ParameterChoices
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.observation import Frame, ObservedFrame
from clumpygan.fitting.orientation import CANONICAL_ANGLE
from clumpygan.galaxies.fourier import Transfer
from clumpygan.galaxies.grid import CubeGrid
from clumpygan.galaxies.parameters import DiskModel
from clumpygan.instruments.cube_noise import MUSE_CORRELATION
from clumpygan.instruments.spread import FWHM_PER_SIGMA, GaussianPSF, MoffatPSF

FloatArray = NDArray[np.float64]
Range = tuple[float, float]

CONDITIONS = ("channel_width", "line_spread", "psf_wide", "psf_narrow", "noise_inflation")
"""What the network is told beside the cube."""

_FREQUENCIES = (0.35, 0.8)
"""Cycles per arcsec at which the width of the PSF is measured: wings and core."""

_ANY_WAVELENGTH = 7000.0
_MOFFAT_SHARE = 0.5
"""Of the simulated PSFs; the others are Gaussian."""

_SLACK = 0.01
"""Relative, by which what is observed may be outside a range."""

_SAME_INFLATION = 0.03


@dataclass(frozen=True)
class PosteriorDomain:
    """The cubes that a posterior is trained on, and so those that it can tell something about.

    Attributes
    ----------
    shape : tuple of int
        (v, y, x), of which y and x are equal.
    pixel_scale : float
        Arcsec.
    priors : tuple of (name, text)
        Of all free parameters, as `parse_prior` takes them. The flux is in units of the noise of a
        voxel; centre and systemic velocity are relative to the middle of the cube.
    model : DiskModel
    channel_width : (float, float)
        km/s.
    line_spread : (float, float)
        Standard deviation of the LSF, km/s, on top of which channels integrate.
    psf_fwhm : (float, float)
        Arcsec, on top of which pixels integrate.
    moffat_beta : tuple of float
        Exponents of Moffat PSFs; half of all are Moffat ones, half Gaussian.
    accuracy : float
        Of the rendered cubes, over their peak.
    brightest : (float, float), optional
        S/N of the brightest voxel of the middle 98 % of the simulated cubes.

    Raises
    ------
    InputError
        If a value is out of range, or priors aren't the same in all orientations of a cube.
    """

    shape: tuple[int, int, int]
    pixel_scale: float
    priors: tuple[tuple[str, str], ...]
    model: DiskModel
    channel_width: Range
    line_spread: Range
    psf_fwhm: Range
    moffat_beta: tuple[float, ...] = (2.2, 2.8, 3.5, 5.0)
    accuracy: float = 3e-3
    brightest: Range | None = None

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or self.shape[1] != self.shape[2] or min(self.shape) < 4:
            raise InputError(f"shape is {self.shape}; expected (v, y, x), y as large as x")
        for name in ("channel_width", "line_spread", "psf_fwhm"):
            low, high = getattr(self, name)
            if not (0 if name == "line_spread" else 1e-6) <= low < high < np.inf:
                raise InputError(
                    f"{name} from {low:g} to {high:g}; expected rising numbers above 0"
                )
        self._check_symmetry()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PosteriorDomain":
        """Build from plain numbers and words: `to_dict` inverted.

        Raises
        ------
        InputError
            If a name is unknown or missing.
        """
        given = {name: _tuples(value) for name, value in values.items()}
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InputError(f"unknown setting {unknown[0]}: expected {', '.join(sorted(known))}")
        try:
            given["model"] = DiskModel(**{k: _tuples(v) for k, v in values["model"].items()})
            given["priors"] = tuple(values["priors"].items())
            return cls(**given)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"what a posterior is trained on: {error} is wrong or missing") from (
                error
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, words, lists and dicts."""
        plain: dict[str, Any] = _lists(asdict(self))
        return plain | {"priors": dict(self.priors)}

    @cached_property
    def coordinates(self) -> Coordinates:
        """The free parameters, the position angle around that of the canonical orientation."""
        choices = ParameterChoices(priors=dict(self.priors))
        grid = CubeGrid.velocities(self.shape, self.pixel_scale, self.channel_width[0])
        coordinates = Coordinates.of(self.model, choices, grid, 1.0)
        if missing := sorted(set(coordinates.names) - set(dict(self.priors))):
            raise InputError(f"no prior of {missing[0]}, which is free; expected one of every")
        middle = coordinates.base.copy()
        middle[self.model.index("position_angle")] = CANONICAL_ANGLE
        return coordinates.centred(middle)

    def _check_symmetry(self) -> None:
        """Refuse priors that an orientation would change."""
        priors = dict(zip(self.coordinates.names, self.coordinates.priors, strict=True))
        for name in ("offset_x", "offset_y", "systemic_velocity", "position_angle"):
            if name not in priors:
                raise InputError(f"no prior of {name}; expected one")
        if priors["offset_x"] != priors["offset_y"]:
            raise InputError("offset_x and offset_y have different priors; expected the same")
        for name in ("offset_x", "systemic_velocity"):
            prior = priors[name]
            if prior.minimum != -prior.maximum or prior.kind != "uniform":
                raise InputError(f"prior {prior} of {name}; expected uniform:-HALF:HALF")
        angle = priors["position_angle"]
        if angle.kind != "uniform" or angle.maximum - angle.minimum != 360.0:
            raise InputError(f"prior {angle} of position_angle; expected uniform:0:360")

    def draw_frame(self, generator: np.random.Generator) -> ObservedFrame:
        """Draw with what a cube is observed."""
        grid = CubeGrid.velocities(
            self.shape,
            self.pixel_scale,
            generator.uniform(*self.channel_width),
            line_spread=generator.uniform(*self.line_spread),
        )
        fwhm = generator.uniform(*self.psf_fwhm)
        moffat, correlated = generator.random(2) < (_MOFFAT_SHARE, 0.5)
        beta = float(generator.choice(self.moffat_beta))
        return ObservedFrame(
            grid,
            _transfer(fwhm, beta if moffat else None),
            fwhm,
            MUSE_CORRELATION if correlated else None,
        )

    def conditions(self, frame: Frame) -> FloatArray:
        """Return what the network is told (`CONDITIONS`), about -1 to 1 over the training."""
        ranges = np.array(list(self.ranges.values()))
        return np.asarray(2 * (self.measured(frame) - ranges[:, 0]) / np.ptp(ranges, axis=1) - 1)

    def measured(self, frame: Frame) -> FloatArray:
        """Return the conditions of a frame in km/s and arcsec.

        Widths are those with the response of channels and pixels, whether the instrument's PSF and
        LSF include it or it comes on top.
        """
        grid = frame.grid
        width = float(np.abs(np.diff(grid.edges[0])).mean())
        spread = grid.line_spread[0] ** 2 + grid.channel_response * width**2 / 12
        pixel = grid.pixel_response * (grid.pixel_scale * FWHM_PER_SIGMA) ** 2 / 12
        psf = [
            math.sqrt(_equivalent_width(frame.transfer, frequency) ** 2 + pixel)
            for frequency in _FREQUENCIES
        ]
        correlation = frame.correlation
        inflation = 1.0 if correlation is None else math.sqrt(correlation.sum())
        return np.array([width, math.sqrt(spread), *psf, inflation])

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """The range of each condition over the training."""
        rows = []
        for width, spread, fwhm, beta in product(
            self.channel_width, self.line_spread, self.psf_fwhm, (None, *self.moffat_beta)
        ):
            grid = CubeGrid.velocities(self.shape, self.pixel_scale, width, line_spread=spread)
            for correlation in (None, MUSE_CORRELATION):
                rows.append(
                    self.measured(ObservedFrame(grid, _transfer(fwhm, beta), fwhm, correlation))
                )
        table = np.array(rows)
        return {
            name: (float(low), float(high))
            for name, low, high in zip(CONDITIONS, table.min(0), table.max(0), strict=True)
        }

    def check_frame(self, frame: Frame) -> None:
        """Refuse a frame unlike those of the training.

        Raises
        ------
        InputError
            With what is different, in one line.
        """
        grid = frame.grid
        if len(grid.edges) != 1:
            raise InputError(f"{len(grid.edges)} lines; {_KNOWS} one line")
        if any(n < m for n, m in zip(grid.shape, self.shape, strict=True)):
            raise InputError(f"a cube of {_size(grid.shape)} voxels (v, y, x); {_KNOWS} "
                             f"{_size(self.shape)} and larger")  # fmt: skip
        if not abs(grid.pixel_scale / self.pixel_scale - 1) < _SLACK:
            raise InputError(
                f"pixels of {grid.pixel_scale:.4g} arcsec; {_KNOWS} {self.pixel_scale:g}"
            )
        values = dict(zip(CONDITIONS, self.measured(frame), strict=True))
        words = {"channel_width": ("channels", "km/s"),
                 "line_spread": ("a line spread function, with that of the channel,", "km/s"),
                 "psf_wide": ("a PSF (its FWHM, in the wings, with that of the pixel)", "arcsec"),
                 "psf_narrow": ("a PSF (its FWHM, in the core, with that of the pixel)", "arcsec"),
                 }  # fmt: skip
        for name, (what, unit) in words.items():
            low, high = self.ranges[name]
            if not low * (1 - _SLACK) <= values[name] <= high * (1 + _SLACK):
                raise InputError(
                    f"{what} of {values[name]:.3g} {unit}; {_KNOWS} {low:.3g} to {high:.3g}"
                )
        inflation, known = values["noise_inflation"], self.ranges["noise_inflation"]
        if min(abs(inflation - one) for one in known) > _SAME_INFLATION:
            raise InputError(
                f"noise that sums of voxels have {inflation:.3g} times more of; {_KNOWS} "
                f"{' or '.join(f'{one:.3g}' for one in known)} times"
            )


_KNOWS = "the trained posterior knows"


def _transfer(fwhm: float, beta: float | None) -> Transfer:
    psf = GaussianPSF(fwhm) if beta is None else MoffatPSF(fwhm, beta)
    return partial(psf.transfer, wavelength=_ANY_WAVELENGTH)


def _equivalent_width(transfer: Transfer | None, frequency: float) -> float:
    """Return the FWHM of the Gaussian with the same transfer at a frequency, in arcsec."""
    if transfer is None:
        return 0.0
    ky, kx = np.array([[0.0], [frequency]]), np.array([[0.0, frequency]])
    table = np.abs(transfer(ky, kx)).reshape(-1, 2, 2)[0]
    mean = float(np.clip(0.5 * (table[0, 1] + table[1, 0]), 1e-12, 1.0))
    return float(math.sqrt(-0.5 * math.log(mean)) * FWHM_PER_SIGMA / (math.pi * frequency))


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(one) for key, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, list | tuple) else value
