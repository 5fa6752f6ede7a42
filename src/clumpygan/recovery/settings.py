"""The settings of a recovery: which galaxy, how it was or is observed, how it is recovered."""

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError
from clumpygan.gan.gan_settings import classifier_setting
from clumpygan.resources import resource_folder
from clumpygan.settings import check, seed_setting, setting

MAX_REDSHIFT, MAX_MAGNITUDE = 2.0, 26.0
"""Which galaxies are drawn by default."""

DEFAULT_SIZE = 6.72
"""arcsec: width of the part taken around `position`, that of the synthetic stamps."""

MOST_SAMPLES = 256
"""Upper limit of `samples`, for the memory."""

BANDS = ("u", "g", "r", "i", "z", "y")
"""Filters of surveys from the ground."""

SOURCES = ("image", "catalog", "observed", "example")
"""Where a galaxy may come from; without any of them it is synthetic."""

EXAMPLES = ("xdf", "xdf_edge_on", "xdf_chain")
"""Real galaxies of the folder `examples/`, seen by HST: NAME.fits.gz and NAME_weight.fits.gz."""

_SYNTHETIC = "synthetic"
_GIVEN, _DRAWN = ("image", "observed"), (_SYNTHETIC, "catalog")
_GOES_WITH = {
    "data_root": ("catalog",),
    "max_redshift": _DRAWN,
    "max_hmag": _DRAWN,
    "reference": ("observed",),
    "position": _GIVEN,
    "size": _GIVEN,
    "hdu": _GIVEN,
    "weight": _GIVEN,
    "mask": _GIVEN,
    "variance": _GIVEN,
    "background": ("observed",),
    "psf": _GIVEN,
    "psf_scale": _GIVEN,
    "pixel_scale": _GIVEN,
    "zero_point": _GIVEN,
    "unit": _GIVEN,
    "instrument": ("image", "catalog"),
    "depth": (_SYNTHETIC, "image", "catalog", "example"),
    "reference_hdu": ("observed",),
    "reference_psf": ("observed",),
    "reference_psf_scale": ("observed",),
    "reference_scale": ("observed",),
}
"""The sources for which a setting means something, where these aren't all."""

_OF_REFERENCE = {
    "reference_hdu": "extension",
    "reference_psf": "PSF",
    "reference_psf_scale": "pixel scale of the PSF",
    "reference_scale": "pixel scale",
}
"""What is said of `reference`, which has to be there."""

_OUT, _WHICH = "what comes out", "which galaxy"
_HOW_SEEN, _HOW_RECOVERED = "how it was or is observed", "how it is recovered"


def _hdu(text: str) -> int | str:
    return int(text) if text.isdigit() else text


@dataclass(frozen=True, eq=False)
class RecoverySettings:
    """Which galaxy is recovered, from what, and how.

    Images, PSFs and maps are FITS files, or in memory: arrays (y, x), Quantities, astropy's
    CCDData; an array has no WCS, so that its pixel scale has to be given. Of `observed`, `image`
    and `catalog` one is given at most; without any a galaxy is drawn from the population.
    """

    seed: int | None = seed_setting(
        None, "an integer >= 0 that fixes galaxy, noise and samples", heading=_OUT,
        default_words="drawn at random and printed",
    )  # fmt: skip

    image: Path | Any | None = setting(
        None, 'HST image (FITS), pixels of 0.06", finer, or up to 0.08"', "FILE", heading=_WHICH
    )
    catalog: Path | None = setting(
        None, "catalogue of HST stamps (a table; also GalSim's RealGalaxyCatalog)", "FILE",
        heading=_WHICH,
    )  # fmt: skip
    example: str | None = setting(
        None, "a real galaxy of the Hubble eXtreme Deep Field, which comes along, as `image`",
        choices=EXAMPLES, metavar="NAME", heading=_WHICH,
    )  # fmt: skip
    data_root: Path | None = setting(
        None, "where the stamps of `catalog` lie", "FOLDER", heading=_WHICH,
        default_words="beside it",
    )  # fmt: skip
    max_redshift: float | None = setting(
        None, "largest redshift to draw", "Z", above=0, heading=_WHICH,
        default_words=f"{MAX_REDSHIFT:g}",
    )  # fmt: skip
    max_hmag: float | None = setting(
        None, "faintest H magnitude to draw, AB; for `catalog` in its own band", "MAG",
        heading=_WHICH, default_words=f"{MAX_MAGNITUDE:g}",
    )  # fmt: skip
    observed: Path | Any | None = setting(
        None, 'real HSC image (FITS), pixels of 0.168", or finer down to 0.067"; may be a stack of'
        " bands", "FILE", heading=_WHICH, aliases=("--hsc",),
    )  # fmt: skip
    reference: Path | Any | None = setting(
        None, "HST image of the field of `observed`, registered to it and compared", "FILE",
        heading=_WHICH,
    )  # fmt: skip
    reference_hdu: int | str | None = setting(
        None, "number or name of the FITS extension of `reference`", "HDU", parse=_hdu,
        heading=_WHICH, default_words="the first image",
    )  # fmt: skip
    position: tuple[float, float] | None = setting(
        None, "centre of the part of `image` or `observed` to take, in pixels, the first being 1"
        " as in ds9", metavar=("X", "Y"), heading=_WHICH, default_words="the whole image",
    )  # fmt: skip
    size: float | None = setting(
        None, "width and height of that part", "ARCSEC", above=0, heading=_WHICH,
        default_words=f"{DEFAULT_SIZE:g}",
    )  # fmt: skip
    hdu: int | str | None = setting(
        None, "number or name of the FITS extension of `image` or `observed`; of HSC_Z_FLUX in a"
        " file of several bands HSC_Z_PSF, HSC_Z_RMS and the like are PSF and maps", "HDU",
        parse=_hdu, heading=_WHICH, default_words="the first image",
    )  # fmt: skip
    weight: Path | Any | None = setting(
        None, "weight map of `image` or `observed`: 0 where there are no data; the rest is taken"
        " for the inverse of the variance, up to a factor", "FILE",
        heading=_WHICH,
    )  # fmt: skip
    mask: Path | Any | None = setting(
        None, "mask of `image` or `observed`: not 0 where there are no data", "FILE",
        heading=_WHICH,
    )  # fmt: skip
    variance: Path | Any | None = setting(
        None, "variance map of `image` or `observed`, in its own unit squared, or an RMS map, if it"
        " is named so", "FILE", heading=_WHICH,
        default_words="the noise is measured in the image",
    )  # fmt: skip
    background: str | None = setting(
        None, "a sky that was left in `observed`: auto subtracts one of more than 2.5 sigma a pixel"
        " that is the same on all sides; subtract, keep", choices=("auto", "subtract", "keep"),
        heading=_WHICH, default_words="auto",
    )  # fmt: skip

    psf: Path | Any | None = setting(
        None, "PSF of `image` or `observed` as a FITS image, pixel response included", "FILE",
        heading=_HOW_SEEN, default_words="for `image` the camera's",
    )  # fmt: skip
    psf_scale: float | None = setting(
        None, "pixel scale of `psf`", "ARCSEC", above=0, heading=_HOW_SEEN,
        default_words="its header's, else the image's",
    )  # fmt: skip
    pixel_scale: float | None = setting(
        None, "pixel scale of `image` or `observed`", "ARCSEC", above=0, heading=_HOW_SEEN,
        default_words="its WCS",
    )  # fmt: skip
    zero_point: float | None = setting(
        None, "AB magnitude of one count of `image` or `observed`", "MAG", heading=_HOW_SEEN,
        default_words="the header's; else for `image` the camera's, for `observed` fluxes stay in"
        " counts",
    )  # fmt: skip
    unit: str | None = setting(
        None, "flux density of one count of `image` or `observed`, such as uJy or MJy/sr", "UNIT",
        heading=_HOW_SEEN, default_words="the header's",
    )  # fmt: skip
    instrument: str | None = setting(
        None, "HST camera of `image` or `catalog`, such as hst_wfc3_f160w or hst_acs_f814w_30mas",
        "NAME", heading=_HOW_SEEN, default_words="by the pixel scale",
    )  # fmt: skip
    band: str | None = setting(
        None, "band of the survey: of the simulated view, or the plane of a grizy stack in"
        " `observed` and `psf`", choices=BANDS, heading=_HOW_SEEN, aliases=("--hsc-plane",),
        default_words="that the network is trained on, i",
    )  # fmt: skip
    seeing: float | None = setting(
        None, "FWHM of the HSC PSF: of the simulated view, or of `observed` where it has no `psf`",
        "ARCSEC", above=0, heading=_HOW_SEEN, default_words="the band's median, 0.6 in i",
    )  # fmt: skip
    depth: float | None = setting(
        None, 'AB magnitude of 5 sigma in a 2" aperture of the simulated view', "MAG",
        heading=_HOW_SEEN, default_words="HSC-Wide's, 26.2 in i",
    )  # fmt: skip
    reference_psf: Path | Any | None = setting(
        None, "PSF of `reference`", "FILE", heading=_HOW_SEEN, default_words="the HST camera's"
    )
    reference_psf_scale: float | None = setting(
        None, "its pixel scale", "ARCSEC", above=0, heading=_HOW_SEEN,
        default_words="its header's, else that of `reference`",
    )  # fmt: skip
    reference_scale: float | None = setting(
        None, "pixel scale of `reference`", "ARCSEC", above=0, heading=_HOW_SEEN,
        default_words="its WCS",
    )  # fmt: skip

    checkpoint: str | Path = setting(
        "super_resolution", "trained network: a name in checkpoints/ or a .safetensors file",
        "NAME", heading=_HOW_RECOVERED,
    )  # fmt: skip
    classifier: str = classifier_setting(_HOW_RECOVERED)
    samples: int = setting(
        16, "samples of the posterior, in pairs; their mean is the best estimate, their spread the"
        " error map", "N", least=2, most=MOST_SAMPLES, heading=_HOW_RECOVERED,
    )  # fmt: skip
    device: str = setting("cpu", "cpu, cuda, cuda:1, ...", "NAME", heading=_HOW_RECOVERED)
    richardson_lucy: bool = setting(True, "deconvolve too, for comparison", heading=_HOW_RECOVERED)

    def __post_init__(self) -> None:
        """Check the values, and refuse those that contradict each other.

        Raises
        ------
        InputError
            Two sources at once, a setting that means nothing for the source, or one without its
            companion.
        """
        check(self)
        given = [f"`{name}`" for name in SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} name two galaxies; give one of them")
        for name, sources in _GOES_WITH.items():
            if getattr(self, name) is not None and self.source not in sources:
                meant = ("a synthetic galaxy" if s == _SYNTHETIC else f"`{s}`" for s in sources)
                raise InputError(f"`{name}` goes with {' or '.join(meant)}; leave it out")
        for name, what in _OF_REFERENCE.items():
            if getattr(self, name) is not None and self.reference is None:
                raise InputError(f"`{name}` is the {what} of `reference`; give that too")
        if self.size is not None and self.position is None:
            raise InputError("`size` is that of the part around `position`; give that too")
        if self.zero_point is not None and self.unit is not None:
            raise InputError("`zero_point` and `unit` both say what a count is; give one of them")
        if self.source == "observed" and (self.psf is None) == (self.seeing is None):
            raise InputError(
                "`observed` needs one PSF: give `psf`, or `seeing` in arcsec for a Moffat profile"
            )

    @property
    def source(self) -> str:
        """Where the galaxy comes from: "synthetic", or one of `SOURCES`."""
        return next((name for name in SOURCES if getattr(self, name) is not None), _SYNTHETIC)

    def with_example(self) -> "RecoverySettings":
        """Return the settings with the files of the example, if one is asked for, as `image`."""
        if self.example is None:
            return self
        folder = resource_folder("examples")
        image, weight = (folder / f"{self.example}{end}.fits.gz" for end in ("", "_weight"))
        return replace(self, example=None, image=image, weight=weight)

    def seeded(self) -> "RecoverySettings":
        """Return the settings with a seed: their own, or one that is drawn at random."""
        return self if self.seed is not None else replace(self, seed=secrets.randbelow(2**31))
