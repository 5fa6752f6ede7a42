"""Settings of the assessment of blends."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.settings import check, seed_setting, setting

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
    cache: Path = setting(
        Path("cache"), "where the shrunk galaxies are kept", "FOLDER", heading=_GALAXIES
    )
    checkpoint: str = setting(
        "super_resolution", "a shipped name or the path of a .safetensors file", "NAME",
        heading=_NETWORK,
    )  # fmt: skip
    samples: int = setting(16, "samples of each galaxy", "N", least=4, even=True, heading=_NETWORK)
    workers: int | None = workers_setting(_RUNNING)
    cluster: str | None = cluster_setting(_RUNNING)

    def __post_init__(self) -> None:
        """Check each setting."""
        check(self)
        check_workplace(self)
