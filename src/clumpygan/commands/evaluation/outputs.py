"""What the subcommands of evaluate.py share: progress on a terminal, versions in JSON files."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from clumpygan import __version__
from clumpygan.commands.output_files import PICTURE_SUFFIXES
from clumpygan.errors import InputError
from clumpygan.settings import check, setting

if TYPE_CHECKING:
    from clumpygan.plots.style import Picture

_OF_REPORT = (".html", ".png", ".txt")
"""Endings of the files of a report."""


class Progress:
    """Bars on standard error, on a terminal alone; what is done, stage by stage.

    Calling it with (done, of, stage) moves the bar of that stage. Best used in a with-block, which
    leaves the last bar as it is.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: Any = None
        self._stage: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, done: int, of: int, stage: str = "measuring") -> None:
        """Say that so many more are done."""
        from tqdm import tqdm

        if stage != self._stage:
            self.close()
            # None: unless it is a terminal
            self._bar = tqdm(total=of, unit=self._unit, desc=stage, disable=None)
            self._stage = stage
        self._bar.update(done)

    def close(self) -> None:
        """End the bar of the present stage."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._stage = None, None


@dataclass(frozen=True)
class MetricsFile:
    """The numbers that are written."""

    metrics: Path | None = setting(
        None, "all numbers, their errors, definitions and settings as JSON", "FILE",
        heading="output", default_words="not written",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check the names."""
        check(self)

    def write_metrics(self, report: Mapping[str, Any]) -> list[Path]:
        """Write the numbers if they are wanted; return what was written."""
        if self.metrics is None:
            return []
        from clumpygan.io import write_json

        write_json(self.metrics, report)
        return [self.metrics]


@dataclass(frozen=True)
class PictureFile(MetricsFile):
    """The numbers and a picture."""

    picture: Path | None = setting(
        None, f"picture of what was found ({', '.join(PICTURE_SUFFIXES)})", "FILE",
        heading="output", default_words="not drawn", aliases=("--output",),
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse a picture of no known format."""
        super().__post_init__()
        if self.picture is not None and self.picture.suffix.lower() not in PICTURE_SUFFIXES:
            raise InputError(
                f"`picture` {self.picture}: expected a name ending in {', '.join(PICTURE_SUFFIXES)}"
            )

    @property
    def paths(self) -> list[Path]:
        """All files that are wanted."""
        return [path for path in (self.picture, self.metrics) if path is not None]


@dataclass(frozen=True)
class ReportFiles(MetricsFile):
    """The folder of a report, and the numbers."""

    output: Path = setting(
        Path("report"), "folder of the report; made if it doesn't exist", "FOLDER",
        heading="output",
    )  # fmt: skip

    def check_writable(self) -> None:
        """Refuse outputs that can't be written, before anything is computed.

        Raises
        ------
        InputError
            If the folder is a file, or would be in a folder that doesn't exist, or the numbers
            can't be written.
        """
        from clumpygan.io.atomic import check_output_folder, check_output_path

        if self.metrics is not None:
            check_output_path(self.metrics)
            inside = self.metrics.resolve().parent == self.output.resolve()
            if inside and self.metrics.suffix.lower() in _OF_REPORT:
                raise InputError(
                    f"`metrics` {self.metrics} may be one of the report's own files; expected"
                    " another ending, as .json"
                )
        check_output_folder(self.output)

    def write_report(self, page: str, pictures: Sequence[Picture]) -> list[Path]:
        """Write the page and its pictures; return the page's path."""
        from clumpygan.io import atomic_path

        self.output.mkdir(exist_ok=True)
        for picture in pictures:
            with atomic_path(self.output / f"{picture.name}.png") as path:
                path.write_bytes(picture.png)
        index = self.output / "index.html"
        with atomic_path(index) as path:
            path.write_text(page)
        return [index]

    def write_blind(self, page: bytes, key: str) -> list[Path]:
        """Write a page of shuffled galaxies and its key; return the page's path."""
        from clumpygan.io import atomic_path

        blind = self.output / "blind.png"
        with atomic_path(blind) as path:
            path.write_bytes(page)
        with atomic_path(self.output / "blind_key.txt") as path:
            path.write_text(key)
        return [blind]


def say(stage: str) -> None:
    """Say that a stage begins."""
    print(f"{stage} ...", flush=True)


def versions(*packages: str) -> dict[str, str | None]:
    """Return the versions of Python, of this package and of others, None for what is missing."""
    from clumpygan.training.provenance import commit

    found: dict[str, str | None] = {
        "python": platform.python_version(),
        "clumpygan": __version__,
        "commit": commit(),
    }
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def write_sections(path: Path, sections: dict[str, Any]) -> None:
    """Write sections of a network's card as YAML, whole or not at all."""
    from clumpygan.io import atomic_path

    with atomic_path(path) as unfinished:
        unfinished.write_text(
            yaml.safe_dump(sections, default_flow_style=None, sort_keys=False, width=100)
        )
