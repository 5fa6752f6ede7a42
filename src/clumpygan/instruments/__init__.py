"""What a telescope does to the sky: PSFs, noise, imaging presets and the observation operator."""

from clumpygan.instruments.observe import ObservationOperator, equivalent_fwhm, transfer_ratio
from clumpygan.instruments.psf import (
    fwhm_of,
    galsim_transfer,
    moffat_transfer,
    normalise_psf,
    pixel_psf,
)

__all__ = [
    "ObservationOperator",
    "equivalent_fwhm",
    "fwhm_of",
    "galsim_transfer",
    "moffat_transfer",
    "normalise_psf",
    "pixel_psf",
    "transfer_ratio",
]
