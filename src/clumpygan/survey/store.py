"""The folder of a survey: a file for each unit that is done, in the end two tables and a card."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import yaml

from clumpygan.errors import InputError
from clumpygan.io import atomic_path
from clumpygan.io.atomic import check_output_folder, check_output_path, only_one
from clumpygan.io.tables import read_columns
from clumpygan.settings.documents import read_yaml
from clumpygan.survey.columns import COLUMNS, COMPONENTS, arrow_table, schema_of

CATALOGUE, PARTS, CARD, UNITS = "catalogue.parquet", "components.parquet", "card.yaml", "units"
PSFS = "psf"

CUTOUTS = "cutouts"
"""Folder of the recovered images, with one for each unit in it."""

GIVEN = "given"
"""Folder of what was given in memory, until the survey is done."""

MEASURED_PSF = "measured_psf_sha256"
"""Of the card: of the PSFs that were measured, empty where none were."""

_OWN = (CATALOGUE, PARTS, CARD, UNITS, PSFS, CUTOUTS, GIVEN, "lock")

_TABLES = ((CATALOGUE, COLUMNS), (PARTS, COMPONENTS))

Row = dict[str, Any]


def check_report(path: Path, home: Path) -> None:
    """Check that a page could be written, also into the folder of a survey that isn't made yet.

    Raises
    ------
    InputError
        If it is one of the survey's own files, or can't be written.
    """
    # Not `resolve`, which ends in an error of its own for a link that leads to itself.
    where, folder = Path(os.path.realpath(path)), Path(os.path.realpath(home))
    own = where.relative_to(folder).parts[:1] if where.is_relative_to(folder) else None
    if own is not None and (not own or own[0] in _OWN):
        raise InputError(f"`report` {path} is one of the survey's own files; expected another")
    # A folder that isn't there yet is made with the survey.
    if where.parent != folder or home.exists():
        check_output_path(path)


def unit_name(number: int) -> str:
    """Return what files and folders of a unit are called."""
    return f"{number:07d}"


def begun_with(home: Path, name: str) -> str:
    """Return an entry of the card in a folder, empty where there is none."""
    try:
        card = read_yaml(home / CARD, "")
    except InputError:
        return ""  # what is wrong with it says who opens the folder
    return str(card.get(name) or "") if isinstance(card, dict) else ""


class SurveyStore:
    """What is done of a survey.

    Parameters
    ----------
    home : pathlib.Path
    card : dict
        All that the results depend on.
    count : int
        Units.

    Raises
    ------
    InputError
        If the folder holds something else, or the results of other settings.
    """

    def __init__(self, home: Path, card: dict[str, Any], count: int) -> None:
        self.home, self.card, self.count = home, card, count
        check_output_folder(home)
        home.mkdir(exist_ok=True)
        self._check_card()
        if not self.complete:
            (home / UNITS).mkdir(exist_ok=True)

    @property
    def complete(self) -> bool:
        """Whether both tables are there."""
        return all((self.home / name).exists() for name, _ in _TABLES)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let nobody else write into the folder within the block.

        Raises
        ------
        InputError
            If somebody does.
        """
        with only_one(self.home, wait=False):
            yield

    def missing(self) -> list[int]:
        """Return the numbers of the units that aren't done."""
        if self.complete:
            return []
        # The second file of a unit is written last.
        return [one for one in range(self.count) if not self._path(one, PARTS).exists()]

    def write_unit(self, number: int, rows: list[Row], components: list[Row]) -> None:
        """Write what came of a unit.

        Raises
        ------
        OSError
            If the disk is full; it names the file.
        """
        for (name, columns), found in zip(_TABLES, (rows, components), strict=True):
            with atomic_path(self._path(number, name)) as temporary:
                parquet.write_table(arrow_table(found, columns), temporary)

    def finish(self) -> None:
        """Join the units to two tables, one unit at a time, and remove their files.

        Raises
        ------
        OSError
            If the disk is full; it names the file.
        """
        if self.complete:
            return
        for name, columns in _TABLES:
            with (
                atomic_path(self.home / name) as temporary,
                # A group of rows for each unit: readers take as few as they need.
                parquet.ParquetWriter(temporary, schema_of(columns)) as writer,
            ):
                for number in range(self.count):
                    part = self._path(number, name)
                    writer.write_table(read_columns(part, f"delete the folder {self.home}"))
        # What workers that were killed have left unfinished.
        for stray in self.home.glob(f"{CUTOUTS}/*/.*"):
            stray.unlink()
        shutil.rmtree(self.home / UNITS)

    def _path(self, number: int, name: str) -> Path:
        return self.home / UNITS / f"{unit_name(number)}-{name}"

    def _check_card(self) -> None:
        path = self.home / CARD
        if not path.exists():
            ours = (GIVEN, "lock")
            foreign = sorted(one.name for one in self.home.iterdir() if one.name not in ours)
            if foreign:
                raise InputError(
                    f"`output` {self.home} holds {foreign[0]} and no survey; expected a new or"
                    " empty folder"
                )
            with atomic_path(path) as temporary:
                temporary.write_text(yaml.safe_dump(self.card, sort_keys=False), encoding="utf-8")
            return
        before = read_yaml(path, f"delete the folder {self.home}")
        if not isinstance(before, dict):
            raise InputError(f"{path} is no card of a survey: choose another `output`")
        for name in (*self.card, *(set(before) - set(self.card))):
            if before.get(name) != self.card.get(name):
                raise InputError(
                    f"`output` {self.home} holds a survey with other settings (`{name}`"
                    f" {before.get(name, 'left out')}, now {self.card.get(name, 'left out')}):"
                    " choose another folder, or delete it"
                )
