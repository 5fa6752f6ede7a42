"""Noise of a spectrograph that looks at the night sky: its level at any wavelength."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.instruments.sky_lines import OPTICAL_SKY_LINES, sky_line_spectrum

FLUX_UNIT = "1e-20 erg s-1 cm-2 Angstrom-1"
"""Unit of the flux density in a voxel, that of MUSE's cubes. (In units of 1 the variance, 1e-40,
would underflow in float32.)"""


@dataclass(frozen=True, eq=False)
class SkyNoise:
    r"""Photon noise of the sky, and the detector's.

    .. math:: \sigma(\lambda) \propto \frac{1}{\lambda T} \sqrt{g T (C + L) + D}

    with throughput T, continuum C and lines L of the sky, g T electrons per voxel and exposure for
    1 Rayleigh/Angstrom, and D electrons^2 of detector noise. One measured value sets the scale.

    Attributes
    ----------
    sigma : float
        Standard deviation per voxel, measured, in `FLUX_UNIT`.
    wavelength : float
        Where, Angstrom; between sky lines.
    exposure_time : float
        After how long, seconds in total.
    throughput : tuple of (float, float)
        (Angstrom, throughput) to interpolate linearly.
    continuum : tuple of (float, float)
        (Angstrom, Rayleigh/Angstrom) of the sky between its lines.
    gain : float
        Electrons per voxel and single exposure for 1 Rayleigh/Angstrom at throughput 1.
    detector_variance : float
        Electrons^2 per voxel and single exposure from readout and dark current.
    lines : numpy.ndarray
        Shape (lines, 2): Angstrom and Rayleigh.
    """

    sigma: float
    wavelength: float
    exposure_time: float
    throughput: tuple[tuple[float, float], ...]
    continuum: tuple[tuple[float, float], ...]
    gain: float
    detector_variance: float
    lines: NDArray[np.float64] = field(default_factory=lambda: OPTICAL_SKY_LINES)

    def level(
        self, wavelength: ArrayLike, fwhm: ArrayLike, exposure_time: float
    ) -> NDArray[np.float64]:
        """Return the standard deviation per voxel.

        Parameters
        ----------
        wavelength, fwhm : array_like
            Shape (v,): Angstrom; the width of the LSF there.
        exposure_time : float
            Seconds in total; sigma falls with its square root.

        Returns
        -------
        numpy.ndarray
            Shape (v,), in `FLUX_UNIT`.

        Raises
        ------
        InputError
            If the exposure time isn't positive.
        """
        if not 0 < exposure_time < np.inf:
            raise InputError(f"the exposure time is {exposure_time}, expected seconds > 0")
        waves = np.atleast_1d(np.asarray(wavelength, dtype=np.float64))
        lines = sky_line_spectrum(waves, fwhm, self.lines)
        reference = self._relative(np.array([self.wavelength]), np.zeros(1))
        scale = self.sigma * (self.exposure_time / exposure_time) ** 0.5
        return np.asarray(scale * self._relative(waves, lines) / reference)

    def in_spaxels(self, area: float) -> "SkyNoise":
        """Return the noise of the same telescope and detector in other spaxels.

        Smaller ones collect fewer electrons of the sky, and the detector adds as many to each.

        Parameters
        ----------
        area : float
            Of the other spaxels over that of these.
        """
        other = replace(self, gain=self.gain * area)
        where, dark = np.array([self.wavelength]), np.zeros(1)
        ratio = other._relative(where, dark) / self._relative(where, dark)
        return replace(other, sigma=self.sigma * float(ratio[0]))

    def _relative(
        self, waves: NDArray[np.float64], lines: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        throughput = np.interp(waves, *np.transpose(self.throughput))
        sky = np.interp(waves, *np.transpose(self.continuum)) + lines
        electrons = self.gain * throughput * sky + self.detector_variance
        return np.asarray(np.sqrt(electrons) / (waves * throughput))
