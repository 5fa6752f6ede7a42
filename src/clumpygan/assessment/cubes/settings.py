"""Which generated cubes are compared with which true ones: defaults, units and ranges."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.assessment.settings import NOTHING
from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.settings import Span, check, check_spans, seed_setting, setting, span_setting

_GALAXIES, _EFFORT = "galaxies", "effort"


@dataclass(frozen=True)
class CubeRealismSettings:
    """Which generated cubes are compared with which true ones.

    Attributes
    ----------
    checkpoint, opponent : str
        Generators; `NOTHING` for no opponent.
    root : pathlib.Path, optional
        Folder of real cubes; rendered ones without it.
    table : pathlib.Path, optional
        Of their parameters.
    n : int
        Galaxies of each set.
    signal_to_noise : (float, float) or float, optional
        Of the brightest voxel.
    seed : int
    cache : pathlib.Path
        Where samples are rendered.
    train_size : int, optional
        Training galaxies searched for copies; 0 leaves it out.
    fits : int, optional
        Galaxies of each set that are fitted; 0 leaves it out.
    groups : int, optional
        Parameters of which several galaxies are made; 0 leaves it out.
    epochs : int
        Times the networks among the classifiers see the cubes; 0 leaves them out.
    workers, cluster
        Who fits, see `clumpygan.engine.Workplace`.
    device : str
        Of generators and classifiers.
    """

    checkpoint: str = setting(
        "cube_gan", "generator: a shipped name or the path of a .safetensors file", "NAME",
        heading=_GALAXIES,
    )  # fmt: skip
    opponent: str = setting(
        NOTHING, "another generator, trained on the same data", "NAME", heading=_GALAXIES
    )
    root: Path | None = setting(
        None,
        "real cubes, as the generator was trained on (data=muse): its held-out ones are compared"
        " with, as they were observed",
        "FOLDER",
        heading=_GALAXIES,
        default_words="rendered ones",
    )
    table: Path | None = setting(
        None, "of the parameters of real cubes", "FILE", heading=_GALAXIES,
        default_words="results.ecsv in the folder",
    )  # fmt: skip
    n: int = setting(
        500, "galaxies of each set, at least 20, or as many real ones as there are", "N",
        least=20, most=10**5, heading=_GALAXIES,
    )  # fmt: skip
    signal_to_noise: Span | float | None = span_setting(
        None, "brightest voxel over the noise of a voxel, log-uniform", 0.01, 1e6,
        aliases=("--snr",), heading=_GALAXIES, default_words="as in the training",
    )  # fmt: skip
    seed: int = seed_setting(11, "of generator and tests", heading=_GALAXIES)
    cache: Path = setting(
        Path("cache"), "where samples are rendered that aren't there yet", "FOLDER",
        heading=_GALAXIES,
    )  # fmt: skip
    train_size: int | None = setting(
        None, "training galaxies searched for copies; 0 leaves it out", "N",
        least=0, most=10**6, heading=_GALAXIES, default_words="4 times n, at most 2000",
    )  # fmt: skip
    fits: int | None = setting(
        None, "galaxies of each set that are fitted, a third of a second each; 0 leaves it out",
        "N", least=0, most=10**5, heading=_EFFORT, default_words="n, at most 100",
    )  # fmt: skip
    groups: int | None = setting(
        None,
        "parameters of which several galaxies are made, for their diversity; 0 leaves it out", "N",
        least=0, most=1000, heading=_EFFORT, default_words="n, at most 16",
    )  # fmt: skip
    epochs: int = setting(
        16, "times the networks among the classifiers see the cubes; 0 leaves them out", "N",
        least=0, most=1000, heading=_EFFORT,
    )  # fmt: skip
    workers: int | None = workers_setting(_EFFORT, "processes of the fits, of one thread each")
    cluster: str | None = cluster_setting(_EFFORT)
    device: str = setting(
        "cpu", "of generators and classifiers: cpu, cuda", "NAME", heading=_EFFORT
    )

    def __post_init__(self) -> None:
        """Check each setting, and those that go together.

        Raises
        ------
        InputError
            If more is fitted than there is, both generators are the same, there is a table
            without cubes, or a S/N with real ones.
        """
        check(self)
        if self.signal_to_noise is not None:
            check_spans(self, "signal_to_noise")
        if self.root is not None and self.signal_to_noise is not None:
            raise InputError("`signal_to_noise`: real cubes have their own noise; leave it out")
        check_workplace(self)
        for name, usual in (
            ("train_size", min(4 * self.n, 2000)),
            ("fits", min(self.n, 100)),
            ("groups", min(self.n, 16)),
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, usual)
        if self.opponent == self.checkpoint:
            raise InputError(f"`opponent` {self.opponent}: is `checkpoint`; expected another one")
        for name in ("fits", "groups"):
            if getattr(self, name) > self.n:
                raise InputError(
                    f"`{name}` {getattr(self, name)}: there are {self.n} galaxies; expected as "
                    "many or fewer, or a larger `n`"
                )
        if self.table is not None and self.root is None:
            raise InputError(
                "`table` goes with `root`: give the folder of the cubes or leave it out"
            )
        if 0 < (self.fits or 0) < 3:
            raise InputError(f"`fits` {self.fits}: expected 3 or more, or 0 for none")
