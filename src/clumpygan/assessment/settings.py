"""What is assessed, with how much effort: settings with defaults, units and ranges."""

from dataclasses import dataclass, field
from pathlib import Path

from clumpygan.data.cubes.frame_settings import FieldSettings
from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.settings import check, seed_setting, setting

NOTHING = "none"
"""In place of the name of a generator: there is none."""

MUSE = {"instrument": "muse_wfm"}
"""Who observes the disks whose shear is measured, unless something else is asked for."""

_GALAXIES, _EFFORT = "galaxies", "effort"


@dataclass(frozen=True)
class RealismSettings:
    """Which stamps are compared with which real ones.

    Attributes
    ----------
    real : pathlib.Path, optional
        Held-out real stamps; synthetic ones without it.
    generated : tuple of pathlib.Path
        Files of generated stamps.
    checkpoint : str
        Generator that makes stamps if there are no files; `NOTHING` for none.
    catalog : pathlib.Path, optional
        Stamps of another survey, shown beside.
    train : pathlib.Path, optional
        What the generator learnt from.
    train_size : int, optional
        Training images searched for copies; 0 leaves it out.
    training_seed : int
        Of the training.
    other : str
        A second generator, trained alike on other galaxies; `NOTHING` for none.
    other_training_seed : int
        Of its training.
    other_train : pathlib.Path, optional
        What it learnt from.
    band : str, optional
        Of cutouts in several bands.
    cache : pathlib.Path
        Where shrunk real galaxies of a recipe are kept.
    n : int
        Most galaxies of each set.
    seed : int
    pixel_epochs : int
        Times the pixel classifier sees its images; 0 leaves it out.
    device : str
        Of generator and pixel classifier.
    """

    real: Path | None = setting(
        None,
        "held-out real stamps: a folder of prepare.py cutouts (its test split), a recipe (YAML)"
        " of real galaxies (its test split, shrunk and faded), a folder of FITS stamps, or a FITS"
        " cube", "PATH", heading=_GALAXIES, default_words="synthetic CANDELS galaxies",
    )  # fmt: skip
    generated: tuple[Path, ...] = setting(
        (),
        "FITS cubes (n, y, x) in nJy with PIXSCALE (arcsec) and SIGMA (nJy, noise per pixel), as"
        " generate.py galaxies writes them", "FILE", heading=_GALAXIES,
        default_words="made on the spot",
    )  # fmt: skip
    checkpoint: str = setting(
        "dcgan",
        "generator, where no generated stamps are given: a shipped name, the path of a"
        f" .safetensors file, or {NOTHING}", "NAME", heading=_GALAXIES,
    )  # fmt: skip
    catalog: Path | None = setting(
        None,
        "catalogue of other real HST stamps to be shown too, brought to 0.06 arcsec pixels and the"
        " PSF of F160W (GalSim's RealGalaxyCatalog included)", "FILE", heading=_GALAXIES,
    )  # fmt: skip
    train: Path | None = setting(
        None,
        "what the generator learnt from, in the form of the real stamps, to look for copies",
        "PATH", heading=_GALAXIES,
        default_words="the synthetic training sample, or the train split of the cutouts",
    )  # fmt: skip
    train_size: int | None = setting(
        None, "training images searched for copies; 0 leaves it out", "N",
        least=0, most=10**6, heading=_GALAXIES, default_words="20 times n, at most 20000",
    )  # fmt: skip
    training_seed: int = seed_setting(
        0, "seed of the training: says which galaxies it learnt from and which it held out",
        heading=_GALAXIES,
    )  # fmt: skip
    other: str = setting(
        NOTHING, "a second generator, trained alike on other galaxies: does one remember its own",
        "NAME", heading=_GALAXIES,
    )  # fmt: skip
    other_training_seed: int = seed_setting(1, "seed of its training", heading=_GALAXIES)
    other_train: Path | None = setting(
        None, "what it learnt from, if not a synthetic training sample", "PATH", heading=_GALAXIES
    )
    band: str | None = setting(None, "of cutouts in several bands", "NAME", heading=_GALAXIES)
    cache: Path = setting(
        Path("cache"), "where shrunk real galaxies are kept", "FOLDER", heading=_GALAXIES
    )
    n: int = setting(
        1000, "most galaxies of each set, at least 20", "N",
        least=20, most=10**6, heading=_GALAXIES,
    )  # fmt: skip
    seed: int = seed_setting(
        11, "of synthetic galaxies, noise, generator and tests", heading=_GALAXIES
    )
    pixel_epochs: int = setting(
        16, "times the pixel classifier sees its images; 0 leaves it out", "N",
        least=0, most=1000, heading=_EFFORT,
    )  # fmt: skip
    device: str = setting(
        "cpu", "of generator and pixel classifier: cpu, cuda", "NAME", heading=_EFFORT
    )

    def __post_init__(self) -> None:
        """Check each setting, and those that go together.

        Raises
        ------
        InputError
            For a band without real stamps, a generated file that is named twice, or a second
            generator without a first one or training galaxies of its own.
        """
        check(self)
        if self.train_size is None:
            object.__setattr__(self, "train_size", min(20 * self.n, 20_000))
        if self.band is not None and self.real is None:
            raise InputError("`band` goes with `real`: give the cutouts or leave it out")
        if self.other != NOTHING:
            self._check_other()
        names = [path.name for path in self.generated]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"`generated`: {twice[0]} is given twice; rename one of the files")

    def _check_other(self) -> None:
        if self.generated or self.checkpoint in (NOTHING, self.other):
            raise InputError(
                f"`other` {self.other}: expected a `checkpoint` to compare it with, another one,"
                " and no `generated`"
            )
        if not self.searched:
            raise InputError("`other` needs training galaxies: `train_size` above 0")
        synthetic = self.real is None and self.train is None
        if synthetic != (self.other_train is None):
            raise InputError(
                "`other_train`: expected what `other` learnt from if `checkpoint` learnt from"
                " `train` or `real`, and nothing if both learnt from synthetic samples"
            )
        if synthetic and self.other_training_seed == self.training_seed:
            raise InputError(
                f"`other_training_seed` {self.training_seed} is `training_seed`: both networks"
                " would have learnt from the same galaxies; train one with another `data.seed`"
            )

    @property
    def searched(self) -> int:
        """Training images searched for copies."""
        return self.train_size or 0


@dataclass(frozen=True)
class KinematicsSettings:
    """Whose motions are compared with those of which observed galaxies.

    Attributes
    ----------
    real : pathlib.Path, optional
        Table of observed galaxies (`clumpygan.assessment.real_fields`).
    checkpoint : str
        Generator; `NOTHING` for none.
    cubes : pathlib.Path, optional
        Folder of further cubes.
    n : int
        Galaxies made of each population, and by the generator.
    seen_as : str, optional
        Observed set in the places of whose galaxies those are put (`evaluation.cubes.seen_fields`).
    resolution : float
        Beams in the radius out to which maps are known.
    signal_to_noise : float
        Amplitude of the velocities over their error, in matched maps.
    cube_signal_to_noise : float
        Of the brightest voxel of the cubes that are made.
    seed : int
    device : str
    """

    real: Path | None = setting(
        None,
        "table of observed galaxies: a row each, with a velocity map or a cube, and what its file"
        " doesn't say",
        "FILE",
        heading=_GALAXIES,
        default_words="none, the synthetic populations are compared with each other",
    )
    checkpoint: str = setting(
        "cube_gan", f"generator of cubes: a shipped name or the path of a file; {NOTHING} for none",
        "NAME", heading=_GALAXIES,
    )  # fmt: skip
    cubes: Path | None = setting(
        None, "further cubes, as generate.py cubes writes them", "FOLDER", heading=_GALAXIES
    )
    n: int = setting(
        200, "galaxies made of each population, and by the generator", "N",
        least=4, most=10**5, heading=_GALAXIES,
    )  # fmt: skip
    seen_as: str | None = setting(
        None, "observed set, in the places of whose galaxies those are put: with its PSFs, spaxels,"
        " masks, bins and errors", "SET", heading=_GALAXIES,
        default_words="none, they have white noise",
    )  # fmt: skip
    resolution: float = setting(
        1.5, "FWHM of the PSF in the radius out to which a map is known", "BEAMS",
        least=1, most=20, heading=_EFFORT,
    )  # fmt: skip
    signal_to_noise: float = setting(
        10.0, "amplitude of the velocities over their error, in matched maps", "RATIO",
        least=3, most=1000, heading=_EFFORT,
    )  # fmt: skip
    cube_signal_to_noise: float = setting(
        30.0, "brightest voxel over the noise of a voxel, of cubes that are made", "RATIO",
        least=3, most=1000, heading=_EFFORT,
    )  # fmt: skip
    seed: int = seed_setting(11, "of galaxies and noise", heading=_EFFORT)
    device: str = setting("cpu", "of the generator: cpu, cuda", "NAME", heading=_EFFORT)

    def __post_init__(self) -> None:
        """Check each setting."""
        check(self)


@dataclass(frozen=True)
class ShearSettings:
    """Of which disks the shear is measured, and how.

    Attributes
    ----------
    n : int
        Mocks that are fitted, in pairs of opposite noise.
    signal_to_noise : float
        Of the brightest voxel of those.
    scatter : float
        Of the Tully-Fisher relation in dex.
    tully_fisher : bool
        Whether the fits have that prior.
    signals, sizes, inclinations : tuple of float
        Of the forecast: S/N, half-light radii over half the FWHM of the PSF, degrees.
    workers, cluster
        Who fits, see `clumpygan.engine.Workplace`.
    seed : int
    frame : FieldSettings
        Of the cubes.
    """

    n: int = setting(
        100, "mocks that are fitted, in pairs of opposite noise", "N", least=0, most=10**6
    )
    signal_to_noise: float = setting(20.0, "of the brightest voxel of the mocks", "S/N", above=0)
    scatter: float = setting(0.056, "scatter of the Tully-Fisher relation", "DEX", above=0)
    tully_fisher: bool = setting(True, "whether the fits have that prior")
    signals: tuple[float, ...] = setting(
        (5.0, 10.0, 20.0, 40.0), "S/N of the forecast", "A,B,...", above=0
    )
    sizes: tuple[float, ...] = setting(
        (1.5, 2.0, 3.0, 4.0), "half-light radii of the forecast, over half the FWHM of the PSF",
        "A,B,...", above=0,
    )  # fmt: skip
    inclinations: tuple[float, ...] = setting(
        (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0), "inclinations of the forecast, degrees",
        "A,B,...", above=0,
    )  # fmt: skip
    workers: int | None = workers_setting()
    cluster: str | None = cluster_setting()
    seed: int = seed_setting(0, "of mocks and noise")
    frame: FieldSettings = field(
        default_factory=lambda: FieldSettings(instrument=MUSE["instrument"])
    )

    def __post_init__(self) -> None:
        """Check each setting.

        Raises
        ------
        InputError
            For mocks that don't come in pairs, or a number that is given twice.
        """
        check(self)
        check_workplace(self)
        if self.n % 2 or self.n == 2:
            raise InputError(
                f"`n` {self.n}: mocks come in pairs; expected an even number from 4 on, or 0"
            )
        for name in ("signals", "sizes", "inclinations"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise InputError(f"`{name}` has a number twice")
