"""Settings of the calibration of recovered samples."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.settings import check, seed_setting, setting

_GALAXIES, _NETWORK, _RUNNING = "galaxies", "the network", "output and running"


@dataclass(frozen=True)
class CalibrationSettings:
    """Which galaxies are recovered, and how many samples of each are drawn."""

    n: int = setting(400, "galaxies of each set", "N", least=1, heading=_GALAXIES)
    seed: int = seed_setting(
        11, "fixes galaxies, seeing, noise and samples; an integer >= 0", heading=_GALAXIES
    )
    real: Path | None = setting(
        None,
        "recipe (YAML) of real galaxies, of which those of the test split are shrunk and faded",
        "FILE",
        heading=_GALAXIES,
        default_words="synthetic galaxies alone",
    )
    cache: Path = setting(
        Path("cache"), "where the shrunk galaxies are kept", "FOLDER", heading=_GALAXIES
    )
    checkpoint: str = setting(
        "super_resolution", "a shipped name or the path of a .safetensors file", "NAME",
        heading=_NETWORK,
    )  # fmt: skip
    samples: int = setting(16, "samples of each galaxy", "N", least=4, even=True, heading=_NETWORK)
    device: str = setting("cpu", "torch device: cpu, cuda, cuda:1", "NAME", heading=_RUNNING)
    workers: int | None = workers_setting(_RUNNING)
    cluster: str | None = cluster_setting(_RUNNING)

    def __post_init__(self) -> None:
        """Check each setting."""
        check(self)
        check_workplace(self)
