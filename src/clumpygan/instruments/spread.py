"""Point and line spread functions of spectrographs: how they look at any wavelength.

Transfer functions are float64 arrays, 1 at frequency 0, with frequencies in cycles per arcsec.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from clumpygan.errors import InputError
from clumpygan.instruments.moffat import precise_moffat_transfer
from clumpygan.instruments.psf import normalise_psf

FloatArray = NDArray[np.float64]
Transfer = Callable[[ArrayLike, ArrayLike], NDArray[np.floating] | NDArray[np.complexfloating]]
"""(ky, kx) in cycles per arcsec to the optical transfer function."""

FWHM_PER_SIGMA = 2 * (2 * log(2)) ** 0.5
"""Full width at half maximum of a Gaussian in units of its standard deviation: 2.3548."""

_NEGATIVE_SHARE = 0.01


def blur_beyond(fwhm, sharpest):  # type: ignore[no-untyped-def]
    """Return the standard deviation of the Gaussian that widens a PSF, in quadrature.

    Parameters
    ----------
    fwhm : ndarray or Tensor
        Of the PSF that is wanted; where it isn't wider, the answer is 0.
    sharpest : float
        FWHM of the PSF that is there.

    Returns
    -------
    ndarray or Tensor
        In the unit of both.
    """
    return (fwhm**2 - sharpest**2).clip(min=0) ** 0.5 / FWHM_PER_SIGMA


@dataclass(frozen=True)
class MoffatPSF:
    """A round Moffat PSF whose width is linear in wavelength.

    FWHM(lambda) = fwhm + slope (lambda - reference), as MUSE's cubes give it (Bacon et al. 2017,
    A&A 608, A1, section 5.1).

    Attributes
    ----------
    fwhm : float
        arcsec, at the reference wavelength.
    beta : float
        Exponent, 1.6 to 8.
    reference : float
        Angstrom.
    slope : float
        arcsec per Angstrom.
    """

    fwhm: float
    beta: float
    reference: float = 7000.0
    slope: float = 0.0

    def __post_init__(self) -> None:
        _check_width(self.fwhm)
        precise_moffat_transfer(np.zeros(1), self.beta)

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in arcsec at wavelengths in Angstrom."""
        return _linear_width(self.fwhm, self.slope, self.reference, wavelength)

    def transfer(self, ky: ArrayLike, kx: ArrayLike, wavelength: ArrayLike) -> FloatArray:
        """Return the transfer function (..., Ky, Kx) at wavelengths (...)."""
        product = self.width(wavelength)[..., None, None] * np.hypot(ky, kx)
        return precise_moffat_transfer(product, self.beta)


@dataclass(frozen=True)
class GaussianPSF:
    """A round Gaussian PSF whose width is linear in wavelength.

    Attributes
    ----------
    fwhm : float
        arcsec, at the reference wavelength.
    reference : float
        Angstrom.
    slope : float
        arcsec per Angstrom.
    """

    fwhm: float
    reference: float = 7000.0
    slope: float = 0.0

    def __post_init__(self) -> None:
        _check_width(self.fwhm)

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in arcsec at wavelengths in Angstrom."""
        return _linear_width(self.fwhm, self.slope, self.reference, wavelength)

    def transfer(self, ky: ArrayLike, kx: ArrayLike, wavelength: ArrayLike) -> FloatArray:
        """Return the transfer function (..., Ky, Kx) at wavelengths (...)."""
        product = self.width(wavelength)[..., None, None] * np.hypot(ky, kx)
        return np.asarray(np.exp(-2 * (pi * product / FWHM_PER_SIGMA) ** 2))


@dataclass(frozen=True, eq=False)
class MeasuredPSF:
    """A PSF image, the same at all wavelengths.

    Between its pixels it is taken as band-limited: its transfer function is the Fourier transform
    of the samples below their Nyquist frequency and 0 above.

    Attributes
    ----------
    array : numpy.ndarray
        Shape (y, x); `normalise_psf` gives it unit sum and puts it on the middle.
    pixel_scale : float
        arcsec per pixel of the array, which needn't be that of the cube.
    name : str
        What messages call it, for example its file name.
    """

    array: FloatArray
    pixel_scale: float
    name: str = "PSF"

    def __post_init__(self) -> None:
        if not 0 < self.pixel_scale < np.inf:
            raise InputError(
                f"the pixel scale of {self.name} is {self.pixel_scale}, expected arcsec > 0"
            )
        object.__setattr__(self, "array", normalise_psf(self.array, name=self.name))

    def transfer(
        self, ky: ArrayLike, kx: ArrayLike, wavelength: ArrayLike
    ) -> NDArray[np.complex128]:
        """Return the transfer function (..., Ky, Kx) at wavelengths (...)."""
        rows, columns = np.broadcast_arrays(
            np.asarray(ky, dtype=np.float64), np.asarray(kx, dtype=np.float64)
        )
        # Frequencies come as grids: each distinct ky and kx is transformed once.
        ys, in_y = np.unique(rows, return_inverse=True)
        xs, in_x = np.unique(columns, return_inverse=True)
        table = self._modes(ys, 0) @ self.array @ self._modes(xs, 1).T
        value = table[in_y.reshape(rows.shape), in_x.reshape(rows.shape)]
        return np.asarray(np.broadcast_to(value, (*np.shape(wavelength), *value.shape)))

    def _modes(self, frequency: FloatArray, axis: int) -> NDArray[np.complex128]:
        side = self.array.shape[axis]
        place = self.pixel_scale * (np.arange(side) - (side - 1) / 2)
        held = np.abs(frequency) * self.pixel_scale <= 0.5 * (1 + 1e-9)
        return np.asarray(held[:, None] * np.exp(-2j * pi * frequency[:, None] * place))


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


def _check_width(fwhm: float) -> None:
    if not 0 < fwhm < np.inf:
        raise InputError(f"the PSF FWHM is {fwhm}, expected arcsec > 0")


def _linear_width(fwhm: float, slope: float, reference: float, wavelength: ArrayLike) -> FloatArray:
    width = fwhm + slope * (np.asarray(wavelength, dtype=np.float64) - reference)
    if not (width > 0).all():
        raise InputError(
            f"the PSF FWHM falls to {width.min():g} arcsec: expected > 0, choose a gentler slope "
            f"than {slope:g} arcsec per Angstrom"
        )
    return np.asarray(width)
