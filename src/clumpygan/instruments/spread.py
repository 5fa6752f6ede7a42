"""Point spread functions of spectrographs: how they look at any wavelength.

Transfer functions are float64 arrays, 1 at frequency 0, with frequencies in cycles per arcsec.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments.moffat import precise_moffat_transfer
from clumpygan.instruments.psf import normalise_psf

FloatArray = NDArray[np.float64]
Transfer = Callable[[ArrayLike, ArrayLike], NDArray[np.floating] | NDArray[np.complexfloating]]
"""(ky, kx) in cycles per arcsec to the optical transfer function."""


FWHM_PER_SIGMA = 2 * (2 * log(2)) ** 0.5
"""Full width at half maximum of a Gaussian in units of its standard deviation: 2.3548."""

_FINER = 8
"""Times finer than its pixels is a PSF image measured."""


def blur_beyond(fwhm: Any, sharpest: float) -> Any:
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
    """A Moffat PSF, round or elliptical, whose width is linear in wavelength.

    FWHM(lambda) = fwhm + slope (lambda - reference), as MUSE's cubes give it (Bacon et al. 2017,
    A&A 608, A1, section 5.1).

    Attributes
    ----------
    fwhm : float
        arcsec, at the reference wavelength; along the major axis.
    beta : float
        Exponent, 1.6 to 8.
    reference : float
        Angstrom.
    slope : float
        arcsec per Angstrom.
    axis_ratio : float
        Of the minor over the major axis.
    angle : float
        Of the major axis in degrees, from +y towards -x.
    """

    fwhm: float
    beta: float
    reference: float = 7000.0
    slope: float = 0.0
    axis_ratio: float = 1.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        _check_width(self.fwhm, self.axis_ratio)
        precise_moffat_transfer(np.zeros(1), self.beta)

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM along the major axis in arcsec at wavelengths in Angstrom."""
        return _linear_width(self.fwhm, self.slope, self.reference, wavelength)

    def transfer(self, ky: ArrayLike, kx: ArrayLike, wavelength: ArrayLike) -> FloatArray:
        """Return the transfer function (..., Ky, Kx) at wavelengths (...)."""
        product = self.width(wavelength)[..., None, None] * _along_major(self, ky, kx)
        return precise_moffat_transfer(product, self.beta)


@dataclass(frozen=True)
class GaussianPSF:
    """A Gaussian PSF, round or elliptical, whose width is linear in wavelength.

    Attributes
    ----------
    fwhm : float
        arcsec, at the reference wavelength; along the major axis.
    reference : float
        Angstrom.
    slope : float
        arcsec per Angstrom.
    axis_ratio : float
        Of the minor over the major axis.
    angle : float
        Of the major axis in degrees, from +y towards -x.
    """

    fwhm: float
    reference: float = 7000.0
    slope: float = 0.0
    axis_ratio: float = 1.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        _check_width(self.fwhm, self.axis_ratio)

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM along the major axis in arcsec at wavelengths in Angstrom."""
        return _linear_width(self.fwhm, self.slope, self.reference, wavelength)

    def transfer(self, ky: ArrayLike, kx: ArrayLike, wavelength: ArrayLike) -> FloatArray:
        """Return the transfer function (..., Ky, Kx) at wavelengths (...)."""
        product = self.width(wavelength)[..., None, None] * _along_major(self, ky, kx)
        return np.asarray(np.exp(-2 * (pi * product / FWHM_PER_SIGMA) ** 2))


@dataclass(frozen=True, eq=False)
class MeasuredPSF:
    """A PSF image, the same at all wavelengths, or one for each of some.

    Between its pixels it is taken as band-limited: its transfer function is the Fourier transform
    of the samples below their Nyquist frequency and 0 above. So it goes with pixels of any size.

    Attributes
    ----------
    array : numpy.ndarray
        Shape (y, x), or (n, y, x); `normalise_psf` gives each unit sum and puts it on the middle.
    pixel_scale : float
        arcsec per pixel of the array, which needn't be that of the cube.
    name : str
        What messages call it, for example its file name.
    wavelengths : numpy.ndarray, optional
        Shape (n,), Angstrom, rising: those of the planes, between which it is linear.
    """

    array: FloatArray
    pixel_scale: float
    name: str = "PSF"
    wavelengths: FloatArray | None = None

    def __post_init__(self) -> None:
        if not 0 < self.pixel_scale < np.inf:
            raise InputError(
                f"the pixel scale of {self.name} is {self.pixel_scale}, expected arcsec > 0"
            )
        if self.wavelengths is None:
            object.__setattr__(self, "array", normalise_psf(self.array, name=self.name))
            return
        waves = np.asarray(self.wavelengths, dtype=np.float64)
        if np.ndim(self.array) != 3 or len(self.array) != len(waves) or not len(waves):
            raise InputError(
                f"{self.name} has shape {np.shape(self.array)} for {len(waves)} wavelengths, "
                "expected (wavelengths, y, x)"
            )
        if not (np.isfinite(waves).all() and (np.diff(waves) > 0).all()):
            raise InputError(f"{self.name}: expected rising wavelengths")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # that it holds of each plane
            planes = [
                normalise_psf(plane, name=f"{self.name} at {wave:.6g} Angstrom")
                for plane, wave in zip(self.array, waves, strict=True)
            ]
        object.__setattr__(self, "array", np.stack(planes))
        object.__setattr__(self, "wavelengths", waves)

    def width(self, wavelength: ArrayLike) -> FloatArray:
        """Return the FWHM in arcsec at wavelengths in Angstrom.

        That of the circle which has the area where the PSF is above half of its maximum.
        """
        waves = np.asarray(wavelength, dtype=np.float64)
        widths = [self._width_of(self._plane(float(wave))) for wave in waves.flat]
        return np.array(widths).reshape(waves.shape)

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
        left, right = self._modes(ys, 0), self._modes(xs, 1).T
        places = in_y.reshape(rows.shape), in_x.reshape(rows.shape)
        waves = np.asarray(wavelength, dtype=np.float64)
        if self.wavelengths is None:
            value = (left @ self.array @ right)[places]
            return np.asarray(np.broadcast_to(value, (*waves.shape, *value.shape)))
        values = [(left @ self._plane(float(wave)) @ right)[places] for wave in waves.flat]
        return np.asarray(np.stack(values).reshape(*waves.shape, *rows.shape))

    def _plane(self, wavelength: float) -> FloatArray:
        """Return the image (y, x) at a wavelength; beyond the outermost one it is theirs."""
        if self.wavelengths is None:
            return self.array
        place = float(np.interp(wavelength, self.wavelengths, np.arange(len(self.wavelengths))))
        low = min(int(place), len(self.wavelengths) - 1)
        high = min(low + 1, len(self.wavelengths) - 1)
        return np.asarray(self.array[low] + (place - low) * (self.array[high] - self.array[low]))

    def _width_of(self, plane: FloatArray) -> float:
        finer = ndimage.zoom(plane, _FINER, order=3)
        step = self.pixel_scale * (np.array(plane.shape) - 1) / (np.array(finer.shape) - 1)
        area = float((finer > 0.5 * finer.max()).sum() * step[0] * step[1])
        return float(2 * (area / pi) ** 0.5)

    def _modes(self, frequency: FloatArray, axis: int) -> NDArray[np.complex128]:
        side = self.array.shape[axis - 2]
        place = self.pixel_scale * (np.arange(side) - (side - 1) / 2)
        held = np.abs(frequency) * self.pixel_scale <= 0.5 * (1 + 1e-9)
        return np.asarray(held[:, None] * np.exp(-2j * pi * frequency[:, None] * place))


PSF: TypeAlias = MoffatPSF | GaussianPSF | MeasuredPSF


def _check_width(fwhm: float, axis_ratio: float) -> None:
    if not 0 < fwhm < np.inf:
        raise InputError(f"the PSF FWHM is {fwhm}, expected arcsec > 0")
    if not 0 < axis_ratio <= 1:
        raise InputError(f"the axis ratio of the PSF is {axis_ratio}, expected above 0, up to 1")


def _along_major(psf: MoffatPSF | GaussianPSF, ky: ArrayLike, kx: ArrayLike) -> FloatArray:
    """Return the frequencies at which a round PSF of the major axis' width has the same value."""
    sine, cosine = np.sin(np.radians(psf.angle)), np.cos(np.radians(psf.angle))
    ky, kx = np.asarray(ky, dtype=np.float64), np.asarray(kx, dtype=np.float64)
    along, across = cosine * ky - sine * kx, sine * ky + cosine * kx
    return np.asarray(np.hypot(along, psf.axis_ratio * across))


def _linear_width(fwhm: float, slope: float, reference: float, wavelength: ArrayLike) -> FloatArray:
    width = fwhm + slope * (np.asarray(wavelength, dtype=np.float64) - reference)
    if not (width > 0).all():
        raise InputError(
            f"the PSF FWHM falls to {width.min():g} arcsec: expected > 0, choose a gentler slope "
            f"than {slope:g} arcsec per Angstrom"
        )
    return np.asarray(width)
