"""An integral-field spectrograph: sourced constants and what they mean at any wavelength."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError
from clumpygan.instruments.line_spread import LSF, line_width
from clumpygan.instruments.sky_noise import SkyNoise
from clumpygan.instruments.spread import (
    PSF,
    MeasuredPSF,
    Transfer,
)

_WIDER = 1.001
"""Of the own channels: those of a cube beyond are wider ones, and no rounding of a header."""


@dataclass(frozen=True, eq=False)
class Spectrograph:
    """An integral-field spectrograph in one of its modes.

    Attributes
    ----------
    name : str
        Key in `clumpygan.instruments.SPECTROGRAPHS`.
    description : str
        Telescope, instrument, mode.
    pixel_scale : float
        arcsec per spaxel of the cubes.
    channel_width : float
        Angstrom.
    wavelength_range : tuple of float
        First and last wavelength, Angstrom.
    medium : {"air", "vacuum"}
        In which wavelengths are given.
    psf : MoffatPSF, GaussianPSF or MeasuredPSF
        Point spread function.
    lsf : GaussianLSF, ResolvingPower, TabulatedLSF or MeasuredLSF
        Line spread function.
    psf_includes_pixel, lsf_includes_channel : bool
        Whether PSF and LSF contain the response of pixel and channel, as those measured in a cube
        do. Where they don't, a cube integrates over pixels and channels besides: the
        `pixel_response` and `channel_response` of its grid are the opposite of these two.
    sky : SkyNoise, optional
        Level of the noise; None where it isn't known.
    noise_correlation : numpy.ndarray, optional
        Correlation of neighbouring voxels, as `draw_cube_noise` takes it.
    line : str
        The line that mocks have where none is asked for: one that galaxies with the lines in the
        middle of the range are observed in.
    source : str
        Where the numbers come from.
    """

    name: str
    description: str
    pixel_scale: float
    channel_width: float
    wavelength_range: tuple[float, float]
    medium: Literal["air", "vacuum"]
    psf: PSF
    lsf: LSF
    source: str
    psf_includes_pixel: bool = True
    lsf_includes_channel: bool = True
    sky: SkyNoise | None = None
    noise_correlation: NDArray[np.float64] | None = None
    line: str = "oiii"

    def transfer(self, wavelength: ArrayLike) -> Transfer:
        """Transfer function of the PSF.

        Parameters
        ----------
        wavelength : float or array_like
            Angstrom: one, or those of the C channels of a cube.

        Returns
        -------
        callable
            Of frequencies (ky, kx) in cycles per arcsec that broadcast to (Ky, Kx); gives an array
            of shape (Ky, Kx) for one wavelength, (C, Ky, Kx) for C of them.

        Raises
        ------
        InputError
            If a wavelength is outside the range of the instrument.
        """
        waves = self._checked(wavelength)

        def function(
            ky: ArrayLike, kx: ArrayLike
        ) -> NDArray[np.floating] | NDArray[np.complexfloating]:
            return self.psf.transfer(ky, kx, waves)

        return function

    def line_spread(self, wavelength: ArrayLike) -> NDArray[np.float64]:
        """Width of the LSF in velocity.

        Parameters
        ----------
        wavelength : float or array_like
            Angstrom.

        Returns
        -------
        numpy.ndarray
            Standard deviation in km/s, c sigma / lambda, of the Gaussian that the LSF is or that
            fits it best; shape of `wavelength`.

        Raises
        ------
        InputError
            If a wavelength is outside the range of the instrument.
        """
        return line_width(self.lsf, self._checked(wavelength))

    def channel_spread(
        self, wavelength: ArrayLike, channel_width: float
    ) -> tuple[NDArray[np.float64], bool]:
        """Width of the LSF in velocity as a cube of some channels needs it.

        A line spread function that includes the response of the instrument's own channels doesn't
        know of wider ones: values at their centres are up to half of the flux of a narrow line off
        in channels of four times the width. The own response, a box of variance w^2 / 12, is taken
        out, and the cube integrates over its channels.

        Parameters
        ----------
        wavelength : float or array_like
            Angstrom.
        channel_width : float
            Of the cube, Angstrom.

        Returns
        -------
        spread : numpy.ndarray
            Standard deviation in km/s; shape of `wavelength`.
        integrates : bool
            Whether the cube integrates over its channels on top: `channel_response` of its grid.

        Raises
        ------
        InputError
            If a wavelength is outside the range of the instrument.
        """
        waves = self._checked(wavelength)
        spread = line_width(self.lsf, waves)
        if not self.lsf_includes_channel:
            return spread, True
        if channel_width <= _WIDER * self.channel_width:
            return spread, False
        own = SPEED_OF_LIGHT * self.channel_width / waves / np.sqrt(12.0)
        return np.sqrt(np.maximum(spread**2 - own**2, 0.0)), True

    def noise_sigma(self, wavelength: ArrayLike, exposure_time: float) -> NDArray[np.float64]:
        """Noise per voxel, which rises at the lines of the night sky.

        Parameters
        ----------
        wavelength : array_like
            Shape (v,): centres of the channels, Angstrom.
        exposure_time : float
            Seconds in total.

        Returns
        -------
        numpy.ndarray
            Shape (v,): standard deviation in 1e-20 erg s-1 cm-2 Angstrom-1 (`FLUX_UNIT`); times
            the channel width for the flux of a voxel.

        Raises
        ------
        InputError
            If a wavelength is outside the range of the instrument, the exposure time isn't
            positive, or the instrument has no noise model.
        """
        if self.sky is None:
            raise InputError(
                f"{self.name} has no model of its noise: give the noise per voxel itself"
            )
        waves = np.atleast_1d(self._checked(wavelength))
        return self.sky.level(waves, self.lsf.width(waves), exposure_time)

    def with_seeing(self, fwhm: float) -> "Spectrograph":
        """Return the instrument in another seeing.

        Parameters
        ----------
        fwhm : float
            FWHM of the PSF in arcsec at the reference wavelength of its model; shape and slope
            stay.

        Raises
        ------
        InputError
            If the FWHM isn't positive, or the PSF is an image.
        """
        if isinstance(self.psf, MeasuredPSF):
            raise InputError(
                f"the PSF of {self.name} is an image: its seeing can't be changed, give another PSF"
            )
        return replace(self, psf=replace(self.psf, fwhm=float(fwhm)))

    def _checked(self, wavelength: ArrayLike) -> NDArray[np.float64]:
        waves = np.asarray(wavelength, dtype=np.float64)
        low, high = self.wavelength_range
        outside = ~((waves >= low) & (waves <= high))
        if outside.any():
            raise InputError(
                f"{waves[outside].flat[0]:g} Angstrom is outside the range of {self.name}, "
                f"{low:g} to {high:g} Angstrom ({self.medium}): choose another line, redshift or "
                "instrument"
            )
        return waves
