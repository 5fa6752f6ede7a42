"""The emission lines of the night sky from 4750 to 9350 Angstrom."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TABLE = """
5197.90 2.1  5200.26 3.3  5577.34 215.4  5867.50 6.2  5889.95 33.9  5895.92 19.2
6236.00 10.0  6257.96 7.9  6265.20 3.2  6287.43 6.3  6300.30 157.6  6306.87 9.1
6329.90 9.6  6363.78 50.6  6465.50 6.0  6470.00 4.6  6498.73 10.8  6504.90 3.7
6533.04 7.9  6553.62 9.0  6577.20 8.0  6828.50 12.0  6834.30 14.0  6841.95 3.7
6863.96 25.0  6871.00 4.1  6889.29 5.4  6900.83 5.9  6912.62 6.7  6923.22 13.3
6939.52 6.4  6949.00 16.3  6978.40 8.6  7011.00 4.1  7240.20 42.1  7244.91 33.4
7254.10 9.9  7276.41 55.5  7284.44 20.2  7295.80 5.9  7303.70 12.8  7316.28 40.5
7329.15 17.0  7340.89 48.0  7358.66 15.6  7369.37 41.5  7392.20 11.5  7401.86 22.8
7430.00 14.8  7439.00 12.6  7470.00 6.8  7475.00 7.5  7480.00 9.1  7485.00 9.8
7524.00 32.2  7530.00 12.0  7571.75 21.0  7585.00 7.4  7600.00 23.0  7620.00 8.3
7629.50 19.8  7711.50 17.6  7715.50 74.3  7720.00 12.1  7725.90 17.1  7750.64 72.1
7760.00 29.3  7773.00 11.5  7780.40 17.9  7794.11 56.2  7808.47 24.0  7821.50 72.9
7841.27 21.4  7850.00 12.7  7853.39 70.7  7860.66 31.3  7870.00 39.0  7880.40 29.0
7889.70 18.3  7912.25 10.9  7913.71 83.7  7919.00 40.7  7931.40 28.9  7949.20 21.3
7964.65 69.1  7970.00 7.1  7979.00 28.4  7993.33 74.3  8014.06 20.3  8025.80 56.4
8030.00 7.5  8052.02 14.3  8062.20 25.3  8095.00 6.3  8100.00 6.4  8105.00 6.6
8280.90 57.5  8285.00 17.3  8288.60 55.0  8296.00 20.2  8298.40 61.6  8310.72 22.0
8344.60 170.9  8352.80 53.0  8364.50 20.4  8382.39 41.4  8399.17 127.7  8415.23 46.2
8430.17 123.8  8452.25 41.4  8465.36 105.4  8493.39 31.1  8504.80 54.3  8538.70 45.2
8548.96 20.2  8595.00 7.9  8615.00 7.1  8620.00 14.4  8625.00 23.7  8630.00 34.5
8635.00 30.0  8640.00 11.3  8645.00 10.5  8650.00 28.1  8655.00 32.5  8660.00 34.9
8665.00 33.1  8670.00 28.1  8675.00 20.5  8680.00 14.0  8685.00 8.6  8761.30 121.2
8765.00 34.5  8767.91 98.7  8776.29 44.9  8778.33 100.2  8791.19 44.6  8810.00 6.7
8827.10 279.4  8836.00 119.3  8840.00 98.3  8849.70 31.8  8867.60 76.4  8885.85 203.3
8903.11 85.5  8919.64 222.7  8943.40 73.8  8958.10 188.7  8980.00 6.4  8988.37 61.5
9001.34 107.8  9038.10 25.8  9049.24 49.6  9090.00 7.5  9095.00 9.7  9100.00 13.8
9105.00 12.4  9150.00 10.6  9160.00 15.1  9216.50 8.8  9225.00 12.7  9305.00 106.9
9310.00 25.4  9315.00 207.0  9320.00 32.3  9325.00 174.8  9340.00 50.7
"""

OPTICAL_SKY_LINES: NDArray[np.float64] = np.array(_TABLE.split(), dtype=np.float64).reshape(-1, 2)
"""Shape (lines, 2): wavelength in air (Angstrom) and brightness (Rayleigh).

Brightness: ESO's sky model for Cerro Paranal (Noll et al. 2012, A&A 543, A92; Jones et al. 2013,
A&A 560, A91), mean of a night at 130 solar flux units, its spectrum in bins of 5 Angstrom less the
continuum, all lines and blends above 6 Rayleigh and a few fainter ones. Wavelengths: those of
Osterbrock et al. 1996 (PASP 108, 277) where a bin holds one of their lines, the centre of the bin
elsewhere (bands of O2 near 8650, of OH near 7480). The airglow varies by a factor of 2 and more.
"""


def sky_line_spectrum(
    wavelength: ArrayLike, fwhm: ArrayLike, lines: NDArray[np.float64] = OPTICAL_SKY_LINES
) -> NDArray[np.float64]:
    """Spectrum of sky lines seen with a Gaussian LSF.

    Parameters
    ----------
    wavelength, fwhm : array_like
        Shape (v,): Angstrom.
    lines : numpy.ndarray
        Shape (lines, 2): wavelength and brightness.

    Returns
    -------
    numpy.ndarray
        Shape (v,): brightness per Angstrom.
    """
    waves = np.atleast_1d(np.asarray(wavelength, dtype=np.float64))
    sigma = np.broadcast_to(np.asarray(fwhm, dtype=np.float64) / 2.354820, waves.shape)
    offset = (waves[:, None] - lines[:, 0]) / sigma[:, None]
    profile = np.exp(-0.5 * offset**2) / (np.sqrt(2 * np.pi) * sigma[:, None])
    return np.asarray(profile @ lines[:, 1])
