"""The padded grid on which a cube is observed in Fourier space.

A field of N pixels is padded to a period of L pixels, so that nothing wraps around, and sampled
with M >= L points. After the FFT of M points, the modes are multiplied with the transfer function
of PSF, pixel and thickness, and folded onto the L modes of the pixels: pixel values are point
samples, and frequencies above theirs appear as aliases, as they do on the sky.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from clumpygan.errors import InputError
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.galaxies.rendering.spreading import OVERSAMPLING, kernel_transform

FloatArray = NDArray[np.float64]

Transfer = Callable[[FloatArray, FloatArray], NDArray[Any]]
"""Maps broadcastable (ky, kx) in cycles/arcsec to the optical transfer function there, 1 at 0; of
their shape, or with one more axis in front, one for each channel."""

LARGEST_GRID = 2**22
"""Points of the oversampled grid of one channel beyond which an accuracy can't be reached."""

_SIZE = 128
"""Pixels of the image in which the response to a point is looked at."""

_SMALLEST_EDGE = 6

_STEPS = 96
_FREQUENCIES = np.geomspace(0.02, 300.0, _STEPS)


@cache
def _pixel_profile() -> FloatArray:
    """Return the response of a pixel at `_FREQUENCIES`, in rad/pixel, averaged over directions.

    Along its sides a pixel passes high frequencies that it doesn't pass in other directions.
    """
    angle = 0.25 * np.pi * (np.arange(1024) + 0.5) / 1024
    cycles = _FREQUENCIES[:, None] / (2 * np.pi)
    response = np.sinc(cycles * np.sin(angle)) * np.sinc(cycles * np.cos(angle))
    return np.asarray(np.abs(response).mean(1))


def _even_fast_length(length: float) -> int:
    return 2 * int(next_fast_len(int(np.ceil(0.5 * length))))


@dataclass(frozen=True)
class FourierGrid:
    """One padded, oversampled grid.

    Attributes
    ----------
    field : tuple of int
        (y, x) pixels of the field.
    margin : tuple of int
        Pixels of padding below the first pixel.
    period : tuple of int
        L: pixels after which everything repeats.
    points : tuple of int
        M: grid points in a period.
    """

    field: tuple[int, int]
    margin: tuple[int, int]
    period: tuple[int, int]
    points: tuple[int, int]

    @classmethod
    def of(cls, field: tuple[int, int], margin: int, frequency: float, width: int) -> "FourierGrid":
        """Choose period and points for a highest frequency in rad/pixel and a kernel width.

        Raises
        ------
        InputError
            If the grid would be too large.
        """
        density = max(1.0, frequency * OVERSAMPLING / np.pi)
        # The kernel, too, must fit into the margin.
        margin = max(margin, int(np.ceil(0.5 * width / density)) + 1)
        period = (
            _even_fast_length(field[0] + 2 * margin),
            _even_fast_length(field[1] + 2 * margin),
        )
        points = (_even_fast_length(density * period[0]), _even_fast_length(density * period[1]))
        if points[0] * points[1] > LARGEST_GRID:
            raise InputError(
                f"the light is too sharp for pixels of this size: {density:.0f} samples per pixel "
                "would be needed; give a PSF, a larger galaxy or a larger accuracy"
            )
        return cls(field, (margin, margin), period, points)

    @property
    def density(self) -> tuple[float, float]:
        """Grid points per pixel along y and x."""
        return self.points[0] / self.period[0], self.points[1] / self.period[1]

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the field (y, x), in pixels from the start of the period."""
        rows, columns = self.field
        return (rows - 1) / 2 + self.margin[0], (columns - 1) / 2 + self.margin[1]

    def frequencies(self) -> tuple[FloatArray, FloatArray]:
        """Return (ky, kx) of the modes of an rfft2 in cycles per pixel: (M, 1), (1, M / 2 + 1)."""
        rows, columns = self.points
        ky = np.fft.fftfreq(rows, 1.0 / rows) / self.period[0]
        kx = np.fft.rfftfreq(columns, 1.0 / columns) / self.period[1]
        return ky[:, None], kx[None, :]

    def deconvolution(self, width: int) -> FloatArray:
        """Return one over the transform of the spreading kernel on the modes, 0 at Nyquist."""
        rows, columns = self.points
        across = 1.0 / kernel_transform(width, rows)
        along = 1.0 / kernel_transform(width, columns)[: columns // 2 + 1]
        # These modes stand for both signs at once.
        across[rows // 2] = along[columns // 2] = 0.0
        return np.asarray(across[:, None] * along[None, :])

    def to_pixels(self) -> FloatArray:
        """Return the phases that move the first pixel of the field to the origin."""
        ky, kx = self.frequencies()
        turns = ky * self.margin[0] + kx * self.margin[1]
        return np.asarray(np.exp(2j * np.pi * turns))


class Optics:
    """What PSF and pixels do to spatial frequencies, sampled where it is needed.

    Parameters
    ----------
    grid : CubeGrid
    psf : Transfer or None
    accuracy : float
    """

    def __init__(self, grid: CubeGrid, psf: Transfer | None, accuracy: float) -> None:
        self.grid, self.psf = grid, psf
        self.accuracy = accuracy

    def response(self, ky: FloatArray, kx: FloatArray) -> NDArray[Any]:
        """Return the transfer function of PSF and pixel at (ky, kx) in cycles per pixel."""
        answer: NDArray[Any] = np.ones(np.broadcast(ky, kx).shape)
        if self.psf is not None:
            answer = self._transfer(ky, kx)
        if self.grid.pixel_response:
            answer = answer * (np.sinc(ky) * np.sinc(kx))
        return answer

    def _transfer(self, ky: FloatArray, kx: FloatArray) -> NDArray[Any]:
        assert self.psf is not None
        scale = self.grid.pixel_scale
        answer = np.asarray(self.psf(ky / scale, kx / scale))
        self._check(answer, np.broadcast(ky, kx).shape)
        return answer

    def _check(self, answer: NDArray[Any], expected: tuple[int, ...]) -> None:
        channels = (self.grid.shape[0], *expected)
        if answer.shape not in (expected, channels):
            raise InputError(
                f"the PSF's transfer function has the shape {answer.shape} on frequencies of shape "
                f"{expected}: expected that, or one for each of {self.grid.shape[0]} channels"
            )
        if not np.isfinite(answer).all():
            raise InputError("the PSF's transfer function isn't finite everywhere")

    @cached_property
    def profile(self) -> tuple[FloatArray, FloatArray]:
        """Frequencies in rad/arcsec and the modulus of the response, averaged over directions.

        Returns
        -------
        ndarray of shape (96,), float64, twice
            On logarithmic steps from 0.02 to 300 rad/pixel.
        """
        scale = self.grid.pixel_scale
        angle = np.pi * (np.arange(8) + 0.5) / 8
        cycles = _FREQUENCIES[:, None] / (2 * np.pi)
        response = np.ones(_STEPS)
        if self.psf is not None:
            passed = self._transfer(cycles * np.sin(angle), cycles * np.cos(angle))
            response = np.abs(passed).reshape(-1, _STEPS, 8).max(0).mean(1)
        if self.grid.pixel_response:
            response = response * _pixel_profile()
        return _FREQUENCIES / scale, response

    @cached_property
    def _point(self) -> tuple[FloatArray, NDArray[np.int64]]:
        """The modulus of the response to a point, the largest of the channels, and distances."""
        ky: FloatArray = np.fft.fftfreq(_SIZE)[:, None].astype(np.float64)
        kx: FloatArray = np.fft.rfftfreq(_SIZE)[None, :].astype(np.float64)
        response = self.response(ky, kx).reshape(-1, _SIZE, _SIZE // 2 + 1)
        image = np.abs(np.fft.irfft2(response, s=(_SIZE, _SIZE))).max(0)
        distance = np.arange(_SIZE)
        return image, np.minimum(distance, _SIZE - distance)

    @cached_property
    def margin(self) -> int:
        """Pixels beyond which the response to a point is below a share of its peak."""
        if self.psf is None:
            return 1
        image, distance = self._point
        significant = image > 0.5 * self.accuracy * image.max()
        return int(np.maximum(distance[:, None], distance)[significant].max())

    @cached_property
    def edge_margin(self) -> int:
        """Pixels beyond which a sea of light may end: a share of it reaches the field from there.

        Two more, as points stand for the light around them.
        """
        if self.psf is None:
            return _SMALLEST_EDGE
        image, distance = self._point
        profile = np.maximum(image.sum(0), image.sum(1))
        beyond = np.array([profile[distance > m].sum() for m in range(_SIZE // 2 + 1)])
        enough = np.argmax(beyond <= 0.6 * self.accuracy * profile.sum())
        return max(int(enough) + 2, _SMALLEST_EDGE, self.margin)

    @cached_property
    def passed(self) -> float:
        """Frequency in rad/arcsec beyond which PSF and pixel pass less than a share of the peak."""
        k, response = self.profile
        content = response * k**2
        beyond = np.cumsum(content[::-1])[::-1]
        above = np.flatnonzero(beyond > 0.5 * self.accuracy * beyond[0])
        return float(k[min(above[-1] + 1, k.size - 1)])

    def multiplier(self, fourier: FourierGrid, width: int) -> NDArray[np.complex128]:
        """Return what the modes of a spread cube are multiplied with, but for the thickness.

        Returns
        -------
        ndarray of shape (M, M / 2 + 1), or (M, M / 2 + 1, C), complex128
        """
        ky, kx = fourier.frequencies()
        response = self.response(ky, kx) * fourier.deconvolution(width) * fourier.to_pixels()
        if response.ndim == 3:
            response = np.moveaxis(response, 0, -1)
        return np.ascontiguousarray(response)
