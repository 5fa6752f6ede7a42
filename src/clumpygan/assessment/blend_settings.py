"""Settings of the assessment of blends."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.errors import InputError
from clumpygan.gan.gan_settings import classifier_setting
from clumpygan.recovery.settings import BANDS
from clumpygan.settings import check, seed_setting, setting
from clumpygan.settings.declaration import default_of

PEERS = ("sextractor", "scarlet2")
"""Deblenders of others, of the extra `peers`."""

_GALAXIES, _NETWORK, _RUNNING = "galaxies", "the network", "output and running"


@dataclass(frozen=True)
class BlendSettings:
    """How many pairs and single galaxies are recovered, and with how many samples."""

    n: int = setting(
        300, "pairs, and as many single galaxies twice: to count false splits, and to set"
        " thresholds", "N", least=4, most=10**6, heading=_GALAXIES,
    )  # fmt: skip
    seed: int = seed_setting(
        11, "fixes galaxies, seeing, noise and samples; an integer >= 0", heading=_GALAXIES
    )
    real: Path | None = setting(
        None,
        "recipe (YAML) of real galaxies: those of the test split, shrunk, faded and added together"
        " in place of synthetic ones",
        "FILE",
        heading=_GALAXIES,
        default_words="synthetic galaxies",
    )
    observed: Path | None = setting(
        None,
        "real blends, in place of pairs and single galaxies: a file of NumPy arrays (.npz) with"
        " `images`, `weights`, `psfs` and the `peaks` of the sources that are known, or a folder"
        " of such files",
        "FILE",
        heading=_GALAXIES,
        default_words="pairs of galaxies that are made",
    )
    band: str = setting(
        "i", "which of the grizy images of `observed`", choices=BANDS[1:], heading=_GALAXIES
    )
    cache: Path = setting(
        Path("cache"), "where the shrunk galaxies are kept", "FOLDER", heading=_GALAXIES
    )
    checkpoint: str = setting(
        "super_resolution", "a shipped name or the path of a .safetensors file", "NAME",
        heading=_NETWORK,
    )  # fmt: skip
    classifier: str = classifier_setting(_NETWORK)
    peers: tuple[str, ...] = setting(
        (), "deblenders of others that see the same images, separated by commas: they are those of"
        " clumpygan[peers]", "LIST", choices=PEERS, heading=_NETWORK, default_words="none",
    )  # fmt: skip
    samples: int = setting(16, "samples of each galaxy", "N", least=4, even=True, heading=_NETWORK)
    workers: int | None = workers_setting(_RUNNING)
    cluster: str | None = cluster_setting(_RUNNING)

    def __post_init__(self) -> None:
        """Check each setting, and those that exclude each other.

        Raises
        ------
        InputError
            If one has a bad value, galaxies come from two sources, or a setting is of those that
            aren't asked for.
        """
        check(self)
        check_workplace(self)
        if self.real is not None and self.observed is not None:
            raise InputError("expected `real` or `observed`, not both")
        if self.observed is not None:
            for name in ("n", "cache", "peers"):
                if getattr(self, name) != default_of(BlendSettings, name):
                    raise InputError(
                        f"`{name}` is of galaxies that are made: leave it or `observed` out"
                    )
        elif self.band != default_of(BlendSettings, "band"):
            raise InputError("`band` goes with `observed`: give real blends or leave it out")
