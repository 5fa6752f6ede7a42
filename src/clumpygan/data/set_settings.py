"""What is chosen about a set that is prepared once, whatever is in it."""

from dataclasses import dataclass
from pathlib import Path

from clumpygan.engine.workplace import check_workplace, cluster_setting, workers_setting
from clumpygan.settings import check, seed_setting, setting

_HEADING = "the set"


@dataclass(frozen=True)
class SetSettings:
    """Where a set is, and whether it is only looked at."""

    output: Path = setting(help="where the set is, or goes", metavar="FOLDER", heading=_HEADING)
    check: bool = setting(
        False, "check a set that is there, and write nothing", heading=_HEADING, default_words=""
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class CubeSetSettings(SetSettings):
    """How many cubes are in a set, and of which galaxies."""

    n: int = setting(10_000, "number of cubes", "N", least=1, most=10**9, heading=_HEADING)
    seed: int = seed_setting(0, "of the parameters", heading=_HEADING)
    workers: int | None = workers_setting(_HEADING)
    cluster: str | None = cluster_setting(_HEADING)
    range: tuple[tuple[str, float, float], ...] = setting(
        (), "draw a parameter, such as clump_1_fraction too, uniformly from a range instead of its"
        " prior", metavar=("NAME", "LOW", "HIGH"), heading=_HEADING,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        check_workplace(self)
