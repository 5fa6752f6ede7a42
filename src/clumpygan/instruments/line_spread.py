"""Line spread functions of spectrographs: how wide lines are at any wavelength."""

from dataclasses import dataclass
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError
from clumpygan.instruments.spread import FWHM_PER_SIGMA

FloatArray = NDArray[np.float64]

_NEGATIVE_SHARE = 0.01


@dataclass(frozen=True)
class GaussianLSF:
    """A Gaussian LSF whose width is a polynomial in wavelength.

    Attributes
    ----------
    coefficients : tuple of float
        FWHM(lambda) = c0 + c1 lambda + c2 lambda^2 + ..., both in Angstrom.
    """

    coefficients: tuple[float, ...]

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in Angstrom at wavelengths in Angstrom."""
        waves = np.asarray(wavelength, dtype=np.float64)
        fwhm = np.asarray(
            np.polynomial.polynomial.polyval(waves, self.coefficients), dtype=np.float64
        )
        if not (fwhm > 0).all():
            raise InputError(
                f"the LSF FWHM falls to {fwhm.min():g} Angstrom between {waves.min():g} and "
                f"{waves.max():g} Angstrom: expected > 0, check its coefficients"
            )
        return fwhm


@dataclass(frozen=True)
class ResolvingPower:
    """A Gaussian LSF whose resolving power is a polynomial in wavelength.

    Attributes
    ----------
    coefficients : tuple of float
        R(lambda) = lambda / FWHM = c0 + c1 lambda + c2 lambda^2 + ..., lambda in Angstrom.
    """

    coefficients: tuple[float, ...]

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in Angstrom at wavelengths in Angstrom."""
        waves = np.asarray(wavelength, dtype=np.float64)
        power = np.asarray(np.polynomial.polynomial.polyval(waves, self.coefficients))
        if not ((power > 1) & (power < np.inf)).all():
            raise InputError(
                f"the resolving power is {power.min():g} at {waves.min():g} to {waves.max():g} "
                "Angstrom: expected > 1, check its coefficients"
            )
        return np.asarray(waves / power)


@dataclass(frozen=True, eq=False)
class TabulatedLSF:
    """A Gaussian LSF whose width is known at some wavelengths, and linear in between.

    Attributes
    ----------
    wavelengths : numpy.ndarray
        Shape (n,), Angstrom, rising.
    fwhm : numpy.ndarray
        Shape (n,), Angstrom.
    name : str
        What messages call it.
    """

    wavelengths: FloatArray
    fwhm: FloatArray
    name: str = "LSF"

    def __post_init__(self) -> None:
        waves, fwhm = (np.asarray(one, dtype=np.float64) for one in (self.wavelengths, self.fwhm))
        if waves.ndim != 1 or waves.shape != fwhm.shape or not len(waves):
            raise InputError(
                f"{self.name} has {waves.shape} wavelengths and {fwhm.shape} widths; expected as "
                "many of both"
            )
        if not (np.isfinite(waves).all() and (waves > 0).all() and (np.diff(waves) > 0).all()):
            raise InputError(f"{self.name}: expected rising wavelengths above 0, in Angstrom")
        if not ((fwhm > 0) & (fwhm < waves)).all():
            worst = int(np.argmin(np.where((fwhm > 0) & (fwhm < waves), 1, 0)))
            raise InputError(
                f"{self.name}: the FWHM at {waves[worst]:g} Angstrom is {fwhm[worst]:g}; expected "
                "Angstrom above 0 and below the wavelength"
            )
        object.__setattr__(self, "wavelengths", waves)
        object.__setattr__(self, "fwhm", fwhm)

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in Angstrom at wavelengths in Angstrom; one alone holds everywhere."""
        waves = np.asarray(wavelength, dtype=np.float64)
        low, high = self.wavelengths[[0, -1]]
        # Units may have been converted, with rounding.
        near = 1e-9 * high
        if len(self.wavelengths) > 1 and not ((waves >= low - near) & (waves <= high + near)).all():
            raise InputError(
                f"{self.name} is known from {low:g} to {high:g} Angstrom; expected the line in "
                f"there, it is at {float(waves.flat[0]):g}"
            )
        return np.asarray(np.interp(waves, self.wavelengths, self.fwhm))


@dataclass(frozen=True, eq=False)
class MeasuredLSF:
    """A sampled LSF, the same at all wavelengths.

    Attributes
    ----------
    array : numpy.ndarray
        Shape (v,), at least 3 samples; given unit sum.
    step : float
        Angstrom per sample.
    name : str
        What messages call it.
    """

    array: FloatArray
    step: float
    name: str = "LSF"

    def __post_init__(self) -> None:
        samples = np.asarray(self.array, dtype=np.float64)
        if not 0 < self.step < np.inf:
            raise InputError(f"the step of {self.name} is {self.step}, expected Angstrom > 0")
        object.__setattr__(self, "array", normalise_lsf(samples, name=self.name))

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in Angstrom of the Gaussian that fits best, at each wavelength."""
        place = self.step * np.arange(len(self.array))
        middle = float((place * self.array).sum())

        def misfit(log_sigma: float) -> float:
            model = np.exp(-0.5 * ((place - middle) / np.exp(log_sigma)) ** 2)
            height = float(model @ self.array / (model @ model))
            return float(((self.array - height * model) ** 2).sum())

        limits = (log(0.1 * self.step), log(self.step * len(self.array)))
        best = minimize_scalar(misfit, bounds=limits, method="bounded", options={"xatol": 1e-8})
        return np.full(np.shape(wavelength), FWHM_PER_SIGMA * float(np.exp(best.x)))


def normalise_lsf(array: ArrayLike, *, name: str = "LSF") -> FloatArray:
    """Give a sampled line spread function unit sum.

    Parameters
    ----------
    array : array_like
        Shape (v,).
    name : str
        What messages call it.

    Returns
    -------
    numpy.ndarray
        Shape (v,), float64, sum 1.

    Raises
    ------
    InputError
        If it isn't 1-D with at least 3 samples, isn't finite, has no positive sum, or falls below
        -1 % of its peak.
    """
    samples = np.asarray(array, dtype=np.float64)
    if samples.ndim != 1 or len(samples) < 3:
        raise InputError(
            f"{name} has shape {samples.shape}, expected a 1-D array of at least 3 samples"
        )
    if not np.isfinite(samples).all():
        raise InputError(f"{name} has values that aren't finite: expected an LSF without NaN")
    total = float(samples.sum())
    if total <= 0:
        raise InputError(f"{name} sums to {total:.3g}, expected a positive sum: is it an LSF?")
    if samples.min() < -_NEGATIVE_SHARE * samples.max():
        raise InputError(
            f"{name} falls to {samples.min() / samples.max():.2g} of its peak, expected no values "
            "below 0: subtract the continuum beneath the line"
        )
    return np.asarray(samples / total)


LSF: TypeAlias = GaussianLSF | ResolvingPower | TabulatedLSF | MeasuredLSF


def line_width(lsf: LSF, wavelength: ArrayLike) -> FloatArray:
    """Return the standard deviation of an LSF in km/s, c sigma / lambda, at wavelengths."""
    waves = np.asarray(wavelength, dtype=np.float64)
    return np.asarray(SPEED_OF_LIGHT * lsf.width(waves) / FWHM_PER_SIGMA / waves)
