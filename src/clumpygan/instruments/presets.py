"""Imaging presets: constants of real cameras and surveys, each with its source."""

from clumpygan.constants import HSC_PIXEL_SCALE, HST_PIXEL_SCALE
from clumpygan.errors import InputError
from clumpygan.instruments.imaging import ImagingInstrument

HST_WFC3_F160W = ImagingInstrument(
    name="hst_wfc3_f160w",
    description="HST WFC3/IR, CANDELS-Wide",
    band="F160W",
    pixel_scale=HST_PIXEL_SCALE,
    zero_point=25.946,
    psf_fwhm=0.185,
    psf_fwhm_range=(0.18, 0.20),
    moffat_beta_range=None,
    depth_magnitude=27.45,
    depth_aperture_radius=0.17,
    noise_correlation="drizzled",
    source="Koekemoer et al. 2011 (ApJS 197, 36); PSF: van der Wel et al. 2012 (ApJS 203, 24); "
    "depth: Galametz et al. 2013 (ApJS 206, 10), UDS",
    wavelength=1536.9,
    detector_pixel_scale=0.128,
    halo_fraction=0.25,
    halo_radius=0.15,
)
"""CANDELS H band. One count is 1 e-/s."""

HST_ACS_F814W_30MAS = ImagingInstrument(
    name="hst_acs_f814w_30mas",
    description="HST ACS/WFC, COSMOS",
    band="F814W",
    pixel_scale=0.03,
    zero_point=25.94,
    psf_fwhm=0.107,
    psf_fwhm_range=(0.10, 0.115),
    moffat_beta_range=None,
    depth_magnitude=27.2,
    depth_aperture_radius=0.12,
    noise_correlation="cosmos",
    source="Koekemoer et al. 2007 (ApJS 172, 196); Leauthaud et al. 2007 (ApJS 172, 219); "
    "PSF width: the 68 PSFs of GalSim's COSMOS example sample",
    wavelength=804.5,
    detector_pixel_scale=0.05,
)
"""COSMOS I band on its native mosaic. One count is 1 e-/s."""

HST_ACS_F814W_60MAS = ImagingInstrument(
    name="hst_acs_f814w_60mas",
    description="HST ACS/WFC, 60 mas mosaics, one orbit",
    band="F814W",
    pixel_scale=HST_PIXEL_SCALE,
    zero_point=25.94,
    psf_fwhm=0.11,
    psf_fwhm_range=(0.10, 0.12),
    moffat_beta_range=None,
    depth_magnitude=27.2,
    depth_aperture_radius=0.12,
    noise_correlation="drizzled",
    source="Koekemoer et al. 2011 (ApJS 197, 36), 60 mas mosaics; single-orbit depth as in "
    "Koekemoer et al. 2007 (ApJS 172, 196)",
    wavelength=804.5,
    detector_pixel_scale=0.05,
)
"""I band on the 0.06" grid of the WFC3/IR mosaics. One count is 1 e-/s."""


def _hsc_wide(
    band: str, seeing: float, seeing_range: tuple[float, float], depth: float
) -> ImagingInstrument:
    return ImagingInstrument(
        name=f"hsc_wide_{band}",
        description="Subaru Hyper Suprime-Cam, HSC-SSP Wide",
        band=band,
        pixel_scale=HSC_PIXEL_SCALE,
        zero_point=27.0,
        psf_fwhm=seeing,
        psf_fwhm_range=seeing_range,
        moffat_beta_range=(2.5, 4.5),
        depth_magnitude=depth,
        depth_aperture_radius=1.0,
        noise_correlation="white",
        source="Aihara et al. 2019 (PASJ 71, 114), table 2: median seeing and 5 sigma in a "
        "2 arcsec aperture",
    )


HSC_WIDE_G = _hsc_wide("g", 0.77, (0.65, 0.95), 26.6)
HSC_WIDE_R = _hsc_wide("r", 0.76, (0.60, 0.95), 26.2)
HSC_WIDE_I = _hsc_wide("i", 0.60, (0.55, 0.75), 26.2)
HSC_WIDE_Z = _hsc_wide("z", 0.68, (0.55, 0.85), 25.3)
HSC_WIDE_Y = _hsc_wide("y", 0.68, (0.55, 0.85), 24.5)

INSTRUMENTS: dict[str, ImagingInstrument] = {
    preset.name: preset
    for preset in (
        HST_WFC3_F160W,
        HST_ACS_F814W_30MAS,
        HST_ACS_F814W_60MAS,
        HSC_WIDE_G,
        HSC_WIDE_R,
        HSC_WIDE_I,
        HSC_WIDE_Z,
        HSC_WIDE_Y,
    )
}
"""All presets by name."""


def get_instrument(name: str) -> ImagingInstrument:
    """Return the preset of a name.

    Parameters
    ----------
    name : str
        A key of `INSTRUMENTS`, in any case.

    Returns
    -------
    ImagingInstrument
        The preset.

    Raises
    ------
    InputError
        If there is none; the message lists the names.
    """
    try:
        return INSTRUMENTS[name.lower()]
    except KeyError:
        raise InputError(
            f"no instrument {name!r}, expected one of: {', '.join(INSTRUMENTS)}"
        ) from None
