"""Where an HST image of the same field lies on an HSC image, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import fourier_shift
from scipy.optimize import minimize

from clumpygan.constants import HSC_PIXEL_SCALE

_REACH = 1.5  # arcsec that two world coordinate systems may differ at most
_STEP = 0.25  # HSC pixels, first step of the fine search


@dataclass(frozen=True)
class Registration:
    """How a reference has to be moved and scaled to match an HSC image.

    Attributes
    ----------
    x, y : float
        arcsec along the columns and rows of the HSC image by which the reference is to be moved.
    factor : float
        What its fluxes are to be multiplied by.
    pedestal : float
        What is then to be added to each HSC pixel: the difference of the two sky levels.
    correlation : float
        Of the two images after that; 1 for images that differ in nothing.
    """

    x: float
    y: float
    factor: float
    pedestal: float
    correlation: float

    @property
    def offset(self) -> float:
        """Length of the shift in arcsec."""
        return float(np.hypot(self.x, self.y))


def register(observed: np.ndarray, seen: np.ndarray, mask: np.ndarray) -> Registration:
    """Match a reference, as HSC would see it, to an HSC image.

    The cross-correlation gives the shift to a pixel, within 1.5"; from there the sum of squares
    of observed - (factor x shifted + pedestal) is minimised over the shift, with factor and
    pedestal solved for linearly at each step.

    Parameters
    ----------
    observed : numpy.ndarray
        (y, x), the HSC image.
    seen : numpy.ndarray
        (y, x), the reference through the observation operator, noise-free or nearly so.
    mask : numpy.ndarray
        (y, x) bool, True where either has no data.
    """
    used = ~mask
    start = _best_whole_shift(observed, seen, used)

    def misfit(shift: np.ndarray) -> float:
        return _linear_fit(observed[used], _shifted(seen, shift)[used])[2]

    simplex = np.array(start) + _STEP * np.array([[0, 0], [1, 0], [0, 1]])
    found = minimize(
        misfit, start, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-3}
    ).x
    moved = _shifted(seen, found)[used]
    factor, pedestal, _ = _linear_fit(observed[used], moved)
    return Registration(
        x=float(found[1]) * HSC_PIXEL_SCALE,
        y=float(found[0]) * HSC_PIXEL_SCALE,
        factor=factor,
        pedestal=pedestal,
        correlation=float(np.corrcoef(observed[used], moved)[0, 1]),
    )


def _best_whole_shift(observed: np.ndarray, seen: np.ndarray, used: np.ndarray) -> list[float]:
    """Return the shift (rows, columns) in whole pixels with the largest cross-correlation."""
    first = np.where(used, observed - np.median(observed[used]), 0)
    second = np.where(used, seen - np.median(seen[used]), 0)
    shape = [2 * size for size in observed.shape]
    product = np.fft.rfft2(first, shape) * np.fft.rfft2(second, shape).conj()
    correlation = np.fft.irfft2(product, shape)
    lags = [np.fft.fftfreq(size, 1 / size) for size in shape]
    distance = np.hypot(lags[0][:, None], lags[1][None, :]) * HSC_PIXEL_SCALE
    peak = int(np.argmax(np.where(distance <= _REACH, correlation, -np.inf)))
    row, column = np.unravel_index(peak, correlation.shape)
    return [float(lags[0][row]), float(lags[1][column])]


def _shifted(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return `image` moved by (rows, columns), padded so that nothing comes round."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, rows), (0, columns)), mode="edge")
    moved = np.fft.ifft2(fourier_shift(np.fft.fft2(padded), shift)).real
    return np.asarray(moved[:rows, :columns])


def _linear_fit(data: np.ndarray, model: np.ndarray) -> tuple[float, float, float]:
    """Return factor, pedestal and the mean squared residual of data = factor model + pedestal."""
    spread = float(np.var(model))
    factor = float(np.mean((model - model.mean()) * (data - data.mean()))) / max(spread, 1e-30)
    pedestal = float(data.mean() - factor * model.mean())
    return factor, pedestal, float(np.mean(np.square(data - factor * model - pedestal)))
