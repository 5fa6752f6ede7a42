"""Spectrograph presets: constants of real integral-field spectrographs, each with its source."""

from clumpygan.errors import InputError
from clumpygan.instruments.cube_noise import MUSE_CORRELATION
from clumpygan.instruments.line_spread import GaussianLSF
from clumpygan.instruments.sky_noise import SkyNoise
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spectrograph_names import SPECTROGRAPH_NAMES
from clumpygan.instruments.spread import GaussianPSF, MoffatPSF

# Throughput of telescope and instrument, from the table for mode WFM-NOAO-N that the exposure time
# calculator pyetc ships. Sky continuum in Rayleigh/Angstrom: airglow of ESO's sky model (see
# `OPTICAL_SKY_LINES`) + 0.45 for zodiacal light and scattered starlight at a dark site (Leinert et
# al. 1998, A&AS 127, 1). Gain: 48.5 m2 of mirror, 0.2" spaxels, 1.25 Angstrom channels, exposures
# of 1500 s as in the UDF; detector: readout noise 2.8 e-, 3 e-/h of dark current.
# Sigma: median square root of STAT at 5275-5325 Angstrom in the UDF mosaic (10 h). With no other
# free number the model follows STAT, in bins of 60 Angstrom, to 7 % (beyond 4875 Angstrom to 3 %);
# at the sky line [N I] 5200 it is 17 % low. The level that these constants themselves predict for
# voxels without resampling is 1.4 times sigma: what `MUSE_CORRELATION` says resampling takes away.
_MUSE_SKY = SkyNoise(
    sigma=1.14,
    wavelength=5300.0,
    exposure_time=36_000.0,
    throughput=(
        (4750.0, 0.214),
        (5000.0, 0.252),
        (5250.0, 0.271),
        (5500.0, 0.277),
        (6000.0, 0.302),
        (6500.0, 0.328),
        (7000.0, 0.334),
        (7250.0, 0.322),
        (7500.0, 0.301),
        (8000.0, 0.247),
        (8500.0, 0.206),
        (9000.0, 0.162),
        (9300.0, 0.126),
    ),
    continuum=(
        (4750.0, 0.85),
        (5000.0, 0.85),
        (5500.0, 0.97),
        (5750.0, 1.12),
        (6000.0, 1.11),
        (6500.0, 0.99),
        (7000.0, 1.02),
        (7500.0, 1.14),
        (8000.0, 1.31),
        (8250.0, 1.63),
        (8500.0, 1.94),
        (9000.0, 2.23),
        (9350.0, 2.38),
    ),
    gain=68.0,
    detector_variance=9.1,
)

MUSE_WFM = Spectrograph(
    name="muse_wfm",
    description="VLT MUSE, wide-field mode without adaptive optics",
    pixel_scale=0.2,
    channel_width=1.25,
    wavelength_range=(4750.0, 9350.0),
    medium="air",
    psf=MoffatPSF(fwhm=0.637, beta=2.8, reference=7000.0, slope=-3.04e-5),
    lsf=GaussianLSF((6.040, -9.187e-4, 5.866e-8)),
    sky=_MUSE_SKY,
    noise_correlation=MUSE_CORRELATION,
    source="PSF: mean of the nine fields in the header of the UDF mosaic (FSF01FWA to FSF09FWB); "
    "LSF: Bacon et al. 2017 (A&A 608, A1), equation 8",
)
"""MUSE as in the UDF mosaic, in a seeing of 0.64" at 7000 Angstrom.

The PSF was fitted as what turns an HST image, filtered to the band of 0.2" samples, into the MUSE
image, and the LSF to sky lines in a cube: both hold the response of pixel and channel.
"""

MUSE_NFM = Spectrograph(
    name="muse_nfm",
    description="VLT MUSE, narrow-field mode with laser tomography",
    pixel_scale=0.025,
    channel_width=1.25,
    wavelength_range=(4750.0, 9350.0),
    medium="air",
    psf=MoffatPSF(fwhm=0.08, beta=2.0, reference=7000.0),
    lsf=MUSE_WFM.lsf,
    # Throughput and correlation as in the wide field.
    sky=_MUSE_SKY.in_spaxels((0.025 / 0.2) ** 2),
    noise_correlation=MUSE_CORRELATION,
    source="Bacon et al. 2004 (SPIE 5492, 1145) and default of the MUSE pipeline: spaxels; PSF: "
    "the upper end of 0.055 to 0.08 arcsec, ESO's overview (quoted, not checked), as galaxies have "
    "no bright star; beta: chosen, so that much of the light is beyond the core, as what adaptive "
    "optics doesn't correct is; LSF and noise per detector pixel: as muse_wfm",
)
"""MUSE behind laser tomography; what the notch filter of the lasers takes, 5780 to 6050 Angstrom,
isn't left out."""


# Resolving powers and spaxels of KMOS and SINFONI are nominal ones, checked with ESO's overviews:
# KMOS 3600, 4000 and 4200 in YJ, H and K, of 14 x 14 spaxels in 2.8"; SINFONI 2000, 3000 and 4000
# in J, H and K, 32 slices of 64 pixels in 8", a band on 2048 pixels. Limits of the bands and vacuum
# wavelengths are those of the user manuals, checked with neither text nor header. Their noise,
# dominated by OH lines of the near infrared, isn't modelled.
def _near_infrared(
    name: str,
    description: str,
    pixel_scale: float,
    wavelength_range: tuple[float, float],
    resolving_power: float,
    source: str,
) -> Spectrograph:
    """Spectrograph with 2048 channels and a grating: one line width in Angstrom over the band."""
    low, high = wavelength_range
    return Spectrograph(
        name=name,
        description=description,
        pixel_scale=pixel_scale,
        channel_width=(high - low) / 2048,
        wavelength_range=wavelength_range,
        medium="vacuum",
        psf=GaussianPSF(fwhm=0.6, reference=(low + high) / 2),
        lsf=GaussianLSF(((low + high) / 2 / resolving_power,)),
        source=source,
        line="halpha",
    )


def _kmos(band: str, low: float, high: float, resolving_power: float) -> Spectrograph:
    return _near_infrared(
        f"kmos_{band.lower()}",
        f"VLT KMOS, band {band}",
        0.2,
        (low, high),
        resolving_power,
        "Sharples et al. 2013 (The Messenger 151, 21) and 2014 (SPIE 9147, 91470W): resolving "
        "power, spaxels; KMOS User Manual: bands; PSF: typical effective seeing of 0.6 arcsec "
        "(Wisnioski et al. 2015, ApJ 799, 209)",
    )


def _sinfoni(band: str, low: float, high: float, resolving_power: float) -> Spectrograph:
    return _near_infrared(
        f"sinfoni_{band.lower()}",
        f'VLT SINFONI, grating {band}, seeing-limited, 0.25" slices resampled to 0.125"',
        0.125,
        (low, high),
        resolving_power,
        "ESO's SINFONI overview: resolving power, spaxels; User Manual: bands; PSF: typical "
        'effective seeing of 0.6" (Foerster Schreiber et al. 2009, ApJ 706, 1364)',
    )


KMOS_YJ = _kmos("YJ", 10_250.0, 13_440.0, 3600)
KMOS_H = _kmos("H", 14_560.0, 18_460.0, 4000)
KMOS_K = _kmos("K", 19_340.0, 24_600.0, 4200)
SINFONI_J = _sinfoni("J", 11_000.0, 14_000.0, 2000)
SINFONI_H = _sinfoni("H", 14_500.0, 18_500.0, 3000)
SINFONI_K = _sinfoni("K", 19_500.0, 24_500.0, 4000)


# Width of the PSF along the slices, 0.12" + 1.9" w exp(-24.4 / w), and across, 0.09" +
# 0.2" w exp(-12.5 / w), w in micron: here at the middle of the band, with the slope there; the
# slices lie along y. In G395H a straight line is 0.01" too narrow 0.6 micron from the middle, and
# 0.04" at the red end. These are two digits of 0.125" + 1.88" w exp(-24.35 / w) and 0.094" +
# 0.20" w exp(-12.48 / w), which public code of others takes: 3 to 4 % wider. Channels of the
# pipeline are quoted, not checked with a header. The line width in Angstrom is that of a grating,
# the same over the band, with the nominal resolving power at its middle. Noise isn't modelled.
def _nirspec(
    grating: str, low: float, high: float, step: float, psf: tuple[float, float, float]
) -> Spectrograph:
    middle, (along, across, slope) = (low + high) / 2, psf
    return Spectrograph(
        name=f"jwst_nirspec_ifu_{grating.lower()}",
        description=f'JWST NIRSpec IFU, grating {grating}, drizzled to 0.05"',
        pixel_scale=0.05,
        channel_width=step,
        wavelength_range=(low, high),
        medium="vacuum",
        psf=GaussianPSF(fwhm=along, reference=middle, slope=slope, axis_ratio=across / along),
        lsf=GaussianLSF((middle / 2700,)),
        source="Boeker et al. 2022 (A&A 661, A82): gratings, nominal resolving power of 2700; "
        "channels: those of the JWST pipeline; spaxels and PSF, measured on a star: D'Eugenio et "
        "al. 2024 (Nature Astronomy 8, 1443)",
        line="halpha",
    )


NIRSPEC_G140H = _nirspec("G140H", 9_700.0, 18_900.0, 2.35, (0.120, 0.090, 0.0))
NIRSPEC_G235H = _nirspec("G235H", 16_600.0, 31_700.0, 3.96, (0.120, 0.093, 0.0))
NIRSPEC_G395H = _nirspec("G395H", 28_700.0, 52_700.0, 6.65, (0.139, 0.128, 3.3e-6))

_BANDS: dict[str, tuple[Spectrograph, ...]] = {
    "muse_wfm": (MUSE_WFM,),
    "muse_nfm": (MUSE_NFM,),
    "kmos": (KMOS_YJ, KMOS_H, KMOS_K),
    "sinfoni": (SINFONI_J, SINFONI_H, SINFONI_K),
    "jwst_nirspec_ifu": (NIRSPEC_G140H, NIRSPEC_G235H, NIRSPEC_G395H),
}

SPECTROGRAPHS: dict[str, Spectrograph] = {
    preset.name: preset for bands in _BANDS.values() for preset in bands
}
"""All presets by name: of an instrument with several bands, one a band."""

assert {*SPECTROGRAPHS, *_BANDS} == {*SPECTROGRAPH_NAMES}


def get_spectrograph(name: str, wavelength: float | None = None) -> Spectrograph:
    """Return the preset of a name.

    Parameters
    ----------
    name : str
        A key of `SPECTROGRAPHS`, or an instrument of several bands ("kmos", "sinfoni",
        "jwst_nirspec_ifu"), in any case.
    wavelength : float, optional
        Angstrom. Of an instrument of several bands that one is returned which has it furthest
        inside; without one the second, with H alpha of z = 1.5 (2.7 with JWST) in its middle.

    Returns
    -------
    Spectrograph
        The preset.

    Raises
    ------
    InputError
        If there is none; the message lists the names.
    """
    own = name.lower()
    if own in SPECTROGRAPHS:
        return SPECTROGRAPHS[own]
    if own not in _BANDS:
        raise InputError(
            f"no spectrograph {name!r}, expected one of: {', '.join(SPECTROGRAPH_NAMES)}"
        )
    bands = _BANDS[own]
    if wavelength is None:
        return bands[1]

    def inside(band: Spectrograph) -> float:
        low, high = band.wavelength_range
        return min(wavelength - low, high - wavelength)

    return max(bands, key=inside)
