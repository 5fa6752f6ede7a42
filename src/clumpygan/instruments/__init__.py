"""What a telescope does to the sky: PSFs, noise, imaging presets and the observation operator."""

from clumpygan.instruments.correlation import (
    cosmos_noise,
    drizzled_correlation,
    estimate_noise,
)
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

__all__ = [
    "HSC_WIDE_G",
    "HSC_WIDE_I",
    "HSC_WIDE_R",
    "HSC_WIDE_Y",
    "HSC_WIDE_Z",
    "HST_ACS_F814W_30MAS",
    "HST_ACS_F814W_60MAS",
    "HST_WFC3_F160W",
    "INSTRUMENTS",
    "ImagingInstrument",
    "NoiseModel",
    "ObservationOperator",
    "carried_noise_power",
    "cosmos_noise",
    "draw_noise",
    "drizzled_correlation",
    "effective_depth",
    "equivalent_fwhm",
    "estimate_noise",
    "fwhm_of",
    "galsim_transfer",
    "get_instrument",
    "matching_transfer",
    "missing_noise_power",
    "moffat_transfer",
    "noise_at_depth",
    "normalise_psf",
    "pixel_psf",
    "sky_sigma",
    "transfer_ratio",
]
