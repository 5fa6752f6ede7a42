"""What a telescope does to the sky: PSFs, noise, imaging presets and the observation operator."""

from clumpygan.instruments.correlation import (
    cosmos_noise,
    drizzled_correlation,
    estimate_noise,
)
from clumpygan.instruments.cube_noise import (
    MUSE_CORRELATION,
    CubeNoise,
    draw_cube_noise,
    measure_cube_noise,
    neighbour_correlation,
)
from clumpygan.instruments.cube_operator import convolve_cube
from clumpygan.instruments.imaging import ImagingInstrument
from clumpygan.instruments.moffat import moffat_transfer
from clumpygan.instruments.noise import (
    NoiseModel,
    carried_noise_power,
    draw_noise,
    effective_depth,
    missing_noise_power,
    noise_at_depth,
    sky_sigma,
)
from clumpygan.instruments.observe import ObservationOperator, equivalent_fwhm, transfer_ratio
from clumpygan.instruments.presets import (
    HSC_WIDE_G,
    HSC_WIDE_I,
    HSC_WIDE_R,
    HSC_WIDE_Y,
    HSC_WIDE_Z,
    HST_ACS_F814W_30MAS,
    HST_ACS_F814W_60MAS,
    HST_WFC3_F160W,
    INSTRUMENTS,
    get_instrument,
)
from clumpygan.instruments.psf import (
    fwhm_of,
    galsim_transfer,
    matching_transfer,
    normalise_psf,
    pixel_psf,
)
from clumpygan.instruments.sky_lines import OPTICAL_SKY_LINES, sky_line_spectrum
from clumpygan.instruments.sky_noise import FLUX_UNIT, SkyNoise
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spectrograph_presets import (
    KMOS_H,
    KMOS_K,
    KMOS_YJ,
    MUSE_WFM,
    SINFONI_H,
    SINFONI_J,
    SINFONI_K,
    SPECTROGRAPHS,
    get_spectrograph,
)
from clumpygan.instruments.spread import (
    GaussianLSF,
    GaussianPSF,
    MeasuredLSF,
    MeasuredPSF,
    MoffatPSF,
    Transfer,
    normalise_lsf,
)

__all__ = [
    "FLUX_UNIT",
    "HSC_WIDE_G",
    "HSC_WIDE_I",
    "HSC_WIDE_R",
    "HSC_WIDE_Y",
    "HSC_WIDE_Z",
    "HST_ACS_F814W_30MAS",
    "HST_ACS_F814W_60MAS",
    "HST_WFC3_F160W",
    "INSTRUMENTS",
    "KMOS_H",
    "KMOS_K",
    "KMOS_YJ",
    "MUSE_CORRELATION",
    "MUSE_WFM",
    "OPTICAL_SKY_LINES",
    "SINFONI_H",
    "SINFONI_J",
    "SINFONI_K",
    "SPECTROGRAPHS",
    "CubeNoise",
    "GaussianLSF",
    "GaussianPSF",
    "ImagingInstrument",
    "MeasuredLSF",
    "MeasuredPSF",
    "MoffatPSF",
    "NoiseModel",
    "ObservationOperator",
    "SkyNoise",
    "Spectrograph",
    "Transfer",
    "carried_noise_power",
    "convolve_cube",
    "cosmos_noise",
    "draw_cube_noise",
    "draw_noise",
    "drizzled_correlation",
    "effective_depth",
    "equivalent_fwhm",
    "estimate_noise",
    "fwhm_of",
    "galsim_transfer",
    "get_instrument",
    "get_spectrograph",
    "matching_transfer",
    "measure_cube_noise",
    "missing_noise_power",
    "moffat_transfer",
    "neighbour_correlation",
    "noise_at_depth",
    "normalise_lsf",
    "normalise_psf",
    "pixel_psf",
    "sky_line_spectrum",
    "sky_sigma",
    "transfer_ratio",
]
