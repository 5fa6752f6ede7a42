"""Spectrograph presets: constants of real integral-field spectrographs, each with its source."""

from clumpygan.errors import InputError
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spread import GaussianLSF, MoffatPSF

MUSE_WFM = Spectrograph(
    name="muse_wfm",
    description="VLT MUSE, wide-field mode without adaptive optics",
    pixel_scale=0.2,
    channel_width=1.25,
    wavelength_range=(4750.0, 9350.0),
    medium="air",
    psf=MoffatPSF(fwhm=0.637, beta=2.8, reference=7000.0, slope=-3.04e-5),
    lsf=GaussianLSF((6.040, -9.187e-4, 5.866e-8)),
    source="PSF: mean of the nine fields in the header of the UDF mosaic (FSF01FWA to FSF09FWB); "
    "LSF: Bacon et al. 2017 (A&A 608, A1), equation 8",
)
"""MUSE as in the UDF mosaic. PSF and LSF were measured in cubes: they hold pixel and channel."""

SPECTROGRAPHS: dict[str, Spectrograph] = {preset.name: preset for preset in (MUSE_WFM,)}
"""All presets by name."""


def get_spectrograph(name: str) -> Spectrograph:
    """Return the preset of a name.

    Parameters
    ----------
    name : str
        A key of `SPECTROGRAPHS`, in any case.

    Returns
    -------
    Spectrograph
        The preset.

    Raises
    ------
    InputError
        If there is none; the message lists the names.
    """
    try:
        return SPECTROGRAPHS[name.lower()]
    except KeyError:
        raise InputError(
            f"no spectrograph {name!r}, expected one of: {', '.join(SPECTROGRAPHS)}"
        ) from None
