"""Settings of the assessment of galaxies that are unlike those of the training."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.settings import check, seed_setting, setting


@dataclass(frozen=True)
class OutlierSettings:
    """Of how many galaxies is measured what is usual, and how many of each kind are tried."""

    n: int = setting(
        4000, "galaxies of the population, of which is measured what is usual", "N", least=500,
        most=10**6,
    )  # fmt: skip
    tried: int = setting(200, "images of each kind that are tried", "N", least=10, most=10**5)
    anew: bool = setting(
        False, "measure what is usual, also where the network's card says it already"
    )
    seed: int = seed_setting(201, "of galaxies, seeing and noise")
    real: Path | None = setting(
        None, "recipe (YAML) of real galaxies, of which those of the test split are tried too",
        "FILE", default_words="none",
    )  # fmt: skip
    cache: Path = setting(Path("cache"), "where the shrunk galaxies are kept", "FOLDER")
    checkpoint: str = setting(
        "super_resolution", "a shipped name or the path of a .safetensors file", "NAME"
    )

    def __post_init__(self) -> None:
        """Check each setting."""
        check(self)
