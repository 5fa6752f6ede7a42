"""Settings of the recovery of a survey."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.gan.gan_settings import classifier_setting
from clumpygan.settings import check, seed_setting, setting

_WHICH, _SEEN = "which galaxies", "how they were observed"
_HOW, _RUNNING = "how they are recovered", "what comes out, and running"

MEAN, SAMPLES = "mean", "samples"
"""What cut-outs hold: mean and error, or these and all samples."""

AUTO, FLOAT32, BFLOAT16 = "auto", "float32", "bfloat16"
"""In which numbers the convolutions of the network multiply."""


@dataclass(frozen=True)
class SurveySettings:
    """Which galaxies of which images are recovered, and how.

    Attributes
    ----------
    image : tuple of pathlib.Path
        Patches of the survey; what lies in several is recovered in one of them.
    weight : tuple of pathlib.Path
        Weight map of each patch, of those without a plane VARIANCE.
    catalog : pathlib.Path, optional
        Of the galaxies.
    detect : bool
        Whether they are looked for in the images, in place of a catalogue.
    psf : tuple of pathlib.Path
        One image of the PSF, one for each of `image`, or a folder of them.
    psf_fwhm : float, optional
        Arcsec, in place of it.
    psf_stars : bool
        Whether it is measured of the stars of each patch, in place of both.
    max_magnitude : float, optional
        Of the catalogue; fainter ones are left out.
    stamp : int
        Pixels on a side of what is recovered around a galaxy.
    window : int
        Blocks of the network's grid (5 pixels of HSC) on a side of its middle, in which the
        network works.
    samples, seed : int
    checkpoint, classifier : str
        Networks: that which recovers, and that which tells blends.
    precision : str
        "bfloat16" or "float32", of the products in the network's convolutions; "auto" for that in
        which the survey was begun, or else what is quick on this machine.
    unit : int
        Galaxies that a worker recovers at a time.
    cutouts : str, optional
        "mean" or "samples": which recovered images of each galaxy are kept.
    output : pathlib.Path
        Folder.
    workers, cluster
        Who works, see `clumpygan.engine.Workplace`.
    """

    image: tuple[Path, ...] = setting(
        help="patches of the survey: calexp, deepCoadd, or plain images", metavar="FILE",
        heading=_WHICH,
    )  # fmt: skip
    weight: tuple[Path, ...] = setting(
        (), "weight map of each patch, of plain images: the inverse of the variance up to a factor;"
        " where it is 0 there are no data", metavar="FILE", heading=_SEEN,
    )  # fmt: skip
    catalog: Path | None = setting(
        None, "of the galaxies (FITS, Parquet, ECSV, CSV): ra and dec in degrees, or x and y in"
        " pixels from 0 (x_image and y_image: from 1)", "FILE", heading=_WHICH,
    )  # fmt: skip
    detect: bool = setting(
        False, "look for galaxies in the images, in place of a catalogue", heading=_WHICH
    )
    max_magnitude: float | None = setting(
        None, "faintest magnitude of the catalogue, or found", "MAG", heading=_WHICH,
        default_words="all",
    )  # fmt: skip
    psf: tuple[Path, ...] = setting(
        (), "image of the PSF, one for each patch, or a folder of them: by object (ID.fits), or on"
        " a grid (X and Y, pixels from 0, in their headers)", metavar="FILE", heading=_SEEN,
    )  # fmt: skip
    psf_fwhm: float | None = setting(
        None, "FWHM of the PSF, in place of that", "arcsec", above=0, heading=_SEEN
    )
    psf_stars: bool = setting(
        False, "measure the PSF of the stars of each patch, in place of both", heading=_SEEN
    )
    stamp: int = setting(
        40, "pixels on a side around a galaxy", "N", least=25, most=200, heading=_HOW
    )
    window: int = setting(
        4, "blocks of the grid (5 pixels of HSC) on a side of its middle, in which the network"
        " works; beyond there is the deconvolved base", "N", least=2, most=40, even=True,
        heading=_HOW,
    )  # fmt: skip
    samples: int = setting(16, "samples of each galaxy", "N", least=4, even=True, heading=_HOW)
    seed: int = seed_setting(0, "of the samples", heading=_HOW)
    checkpoint: str = setting(
        "super_resolution", "a shipped name or the path of a .safetensors file", "NAME",
        heading=_HOW,
    )  # fmt: skip
    classifier: str = classifier_setting(_HOW)
    precision: str = setting(
        AUTO, "of the products in the network's convolutions; `auto`: bfloat16 where the CPU has"
        " AMX or AVX-512 BF16, float32 elsewhere, and what a survey was begun in",
        choices=(AUTO, FLOAT32, BFLOAT16), metavar="WHICH", heading=_HOW,
    )  # fmt: skip
    unit: int = setting(
        64, "galaxies that a worker recovers at a time", "N", least=1, most=4096, heading=_RUNNING
    )
    cutouts: str | None = setting(
        None, "also the recovered images of each galaxy, as FITS: `mean` for mean and error,"
        " `samples` for these and all samples", choices=(MEAN, SAMPLES), metavar="WHICH",
        heading=_RUNNING, default_words="none",
    )  # fmt: skip
    output: Path = setting(
        Path("survey"), "made if it doesn't exist; gets catalogue.parquet, components.parquet,"
        " card.yaml, psf/ of what was measured of stars, and cutouts/", "FOLDER", heading=_RUNNING,
    )  # fmt: skip
    workers: int | None = workers_setting(_RUNNING)
    cluster: str | None = cluster_setting(_RUNNING)

    def __post_init__(self) -> None:
        """Check each setting, and those that go together.

        Raises
        ------
        InputError
            For no image, both or neither of a catalogue and detection, or of the ways to say the
            PSF.
        """
        check(self)
        check_workplace(self)
        if not self.image:
            raise InputError("`image` is missing: expected the patches of the survey")
        twice = [str(one) for one in self.image if self.image.count(one) > 1]
        if twice:
            raise InputError(f"`image`: {twice[0]} is given twice")
        names = [one.name for one in self.image]
        alike = next((one for one in self.image if names.count(one.name) > 1), None)
        if alike is not None:
            raise InputError(
                f"`image`: {names.count(alike.name)} patches have the name {alike.name}; rename"
                " them, as the catalogue tells patches by it"
            )
        if (self.catalog is None) != self.detect:
            raise InputError("expected `catalog`, or `detect` to find the galaxies: one of them")
        if sum((bool(self.psf), self.psf_fwhm is not None, self.psf_stars)) != 1:
            raise InputError(
                "expected `psf`, or `psf_fwhm` in arcsec, or `psf_stars` to measure it: one of them"
            )
        if len(self.weight) not in (0, len(self.image)):
            raise InputError(
                f"`weight`: {len(self.weight)} for {len(self.image)} patches; expected one for each"
            )
        if len(self.psf) not in (0, 1, len(self.image)):
            raise InputError(
                f"`psf`: {len(self.psf)} for {len(self.image)} patches; expected one, one for each,"
                " or a folder"
            )

    def weight_of(self, patch: Path) -> Path | None:
        """Return the weight map of a patch."""
        return self.weight[self.image.index(patch)] if self.weight else None
