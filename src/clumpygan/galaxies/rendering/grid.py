"""The voxels of a cube: where its pixels and channels are, in arcsec and km/s."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError

FloatArray = NDArray[np.float64]


def velocity_of(wavelength: ArrayLike, rest_wavelength: float, redshift: float) -> FloatArray:
    """Return the relativistic line-of-sight velocity, relative to the redshift, in km/s.

    `v = c (r^2 - 1) / (r^2 + 1)` with r the wavelength over that of the line at the redshift.

    Parameters
    ----------
    wavelength : array_like
        Observed, in vacuum, in the unit of the rest wavelength.
    rest_wavelength, redshift : float
    """
    squared = (np.asarray(wavelength, dtype=np.float64) / (rest_wavelength * (1 + redshift))) ** 2
    return np.asarray(SPEED_OF_LIGHT * (squared - 1) / (squared + 1))


def wavelength_of(velocity: ArrayLike, rest_wavelength: float, redshift: float) -> FloatArray:
    """Return the observed wavelength of a velocity in km/s: the inverse of `velocity_of`."""
    beta = np.asarray(velocity, dtype=np.float64) / SPEED_OF_LIGHT
    return np.asarray(rest_wavelength * (1 + redshift) * np.sqrt((1 + beta) / (1 - beta)))


@dataclass(frozen=True, eq=False)
class CubeGrid:
    """The grid on which a cube is rendered.

    Attributes
    ----------
    shape : tuple of int
        (v, y, x).
    pixel_scale : float
        Arcsec.
    edges : ndarray of shape (lines, v + 1), float64
        Edges of the channels in km/s relative to the systemic velocity 0 of each line, rising or
        falling.
    line_fluxes : tuple of float
        Relative fluxes of the lines. Those of exactly two lines are set by the parameter
        `doublet_ratio` instead.
    line_spread : tuple of float
        Standard deviation of the Gaussian line spread function at each line, km/s.
    pixel_response, channel_response : bool
        Whether flux is integrated over pixels and channels on top of the PSF and the LSF. False
        where those already contain it, as measured ones do: then the cube holds the values at the
        centres of the voxels times their size.
    """

    shape: tuple[int, int, int]
    pixel_scale: float
    edges: FloatArray
    line_fluxes: tuple[float, ...] = (1.0,)
    line_spread: tuple[float, ...] = (0.0,)
    pixel_response: bool = True
    channel_response: bool = True

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"a grid of shape {self.shape}: expected (v, y, x), each at least 1")
        if not 0 < self.pixel_scale < np.inf:
            raise InputError(f"pixel_scale is {self.pixel_scale} arcsec; expected a number above 0")
        edges = np.ascontiguousarray(np.atleast_2d(self.edges), dtype=np.float64)
        object.__setattr__(self, "edges", edges)
        if edges.shape[1] != self.shape[0] + 1:
            raise InputError(
                f"{edges.shape[1]} edges of {self.shape[0]} channels: expected one more"
            )
        steps = np.diff(edges, axis=1)
        if not np.isfinite(edges).all() or not ((steps > 0).all() or (steps < 0).all()):
            raise InputError(
                "edges of the channels: expected finite, strictly monotonic velocities"
            )
        for name in ("line_fluxes", "line_spread"):
            values = tuple(float(value) for value in getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != len(edges) or not min(values) >= 0:
                raise InputError(f"{name} is {values}: expected {len(edges)} numbers, none below 0")
        if not 0 < sum(self.line_fluxes) < np.inf:
            raise InputError(f"line_fluxes is {self.line_fluxes}: expected at least one above 0")

    @classmethod
    def velocities(
        cls,
        shape: tuple[int, int, int],
        pixel_scale: float,
        channel_width: float,
        *,
        centre: float = 0.0,
        line_spread: float = 0.0,
        **responses: Any,
    ) -> "CubeGrid":
        """Return a grid of one line and equal channels in velocity.

        Parameters
        ----------
        shape : tuple of int
            (v, y, x).
        pixel_scale : float
            Arcsec.
        channel_width : float
            km/s; below 0 for an axis that falls.
        centre : float
            Velocity of the middle of the axis, km/s.
        line_spread : float
            Standard deviation of the LSF, km/s.
        **responses
            `pixel_response`, `channel_response`.
        """
        if not (np.isfinite(channel_width) and channel_width != 0):
            raise InputError(
                f"channel_width is {channel_width} km/s; expected a number other than 0"
            )
        edges: FloatArray = np.asarray(
            centre + channel_width * (np.arange(shape[0] + 1) - shape[0] / 2), dtype=np.float64
        )
        return cls(shape, pixel_scale, edges[None], line_spread=(line_spread,), **responses)

    @classmethod
    def wavelengths(
        cls,
        shape: tuple[int, int, int],
        pixel_scale: float,
        first: float,
        step: float,
        *,
        lines: Sequence[float],
        redshift: float = 0.0,
        line_fluxes: Sequence[float] | None = None,
        line_spread: Sequence[float] | None = None,
        **responses: Any,
    ) -> "CubeGrid":
        """Return a grid of equal channels in wavelength, which sees one or more lines.

        Parameters
        ----------
        shape : tuple of int
            (v, y, x).
        pixel_scale : float
            Arcsec.
        first, step : float
            Vacuum wavelength of the centre of the first channel, and width of the channels, in
            Angstrom. (The index of air differs between rest and observed wavelength: edges of
            channels in air come from `clumpygan.io.SpectralAxis.velocity_edges`.)
        lines : sequence of float
            Rest wavelengths in vacuum, Angstrom.
        redshift : float
            Of the systemic velocity 0.
        line_fluxes, line_spread : sequence of float, optional
            As the attributes; equal fluxes and no LSF by default.
        **responses
            `pixel_response`, `channel_response`.
        """
        limits = first + step * (np.arange(shape[0] + 1) - 0.5)
        if not (limits > 0).all():
            raise InputError(f"channels from {first} in steps of {step} Angstrom reach below 0")
        edges = np.stack([velocity_of(limits, line, redshift) for line in lines])
        count = len(lines)
        return cls(
            shape,
            pixel_scale,
            edges,
            line_fluxes=tuple(line_fluxes or [1.0] * count),
            line_spread=tuple(line_spread or [0.0] * count),
            **responses,
        )

    @property
    def line_offsets(self) -> FloatArray:
        """Velocities (lines,) of the lines relative to the first, km/s."""
        return np.asarray(np.mean(self.edges[:1] - self.edges, axis=1))

    @property
    def centres(self) -> FloatArray:
        """Centres of the channels (lines, v) in km/s."""
        return np.asarray(0.5 * (self.edges[:, 1:] + self.edges[:, :-1]))

    @property
    def channel_width(self) -> float:
        """Median width of the first line's channels in km/s, positive."""
        return float(np.median(np.abs(np.diff(self.edges[0]))))
