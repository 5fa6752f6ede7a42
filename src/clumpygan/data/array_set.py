"""Sets of arrays on disk: a folder of its own, a card, arrays that are written once and resumed.

Rows are made in chunks; a chunk is noted as soon as it is on the disk, and whatever interrupts the
making, the next call goes on with what is missing. A whole set is mapped into memory.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml
from numpy.typing import DTypeLike, NDArray
from tqdm import tqdm

from clumpygan.engine import open_engine
from clumpygan.errors import InputError
from clumpygan.io import atomic_path
from clumpygan.io.arrays import allocate_array, load_array
from clumpygan.io.atomic import keep, naming, only_one
from clumpygan.settings.documents import read_yaml

CARD, NOTES, LOCK = "card.yaml", "done.txt", "lock"

_KINDS: Mapping[type, str] = {
    str: "a word", int: "a whole number", float: "a number", bool: "true or false",
    list: "a list", dict: "a section",
}  # fmt: skip

Arrays = dict[str, NDArray[Any]]

Layout = Mapping[str, tuple[tuple[int, ...], DTypeLike]]
"""Name -> shape of one row, and dtype."""


def cached_arrays(
    home: Path,
    layout: Layout,
    count: int,
    make: Callable[[int, int], Arrays],
    *,
    chunk: int,
    label: str,
    card: Mapping[str, Any],
    workers: int | None = None,
    finish: Callable[[], object] | None = None,
) -> Arrays:
    """Open the arrays NAME.npy of a folder, after making what is missing of them.

    Until all rows are there the files are called NAME.partial.npy. Other processes wait.

    Parameters
    ----------
    home : Path
        Made if it doesn't exist.
    layout : mapping
    count : int
        Rows.
    make, chunk, label, workers
        See `fill_arrays`.
    card : mapping
        Written as card.json, when all is there.
    finish : callable, optional
        Writes what else is to be there.

    Raises
    ------
    InputError
        If a finished array has been damaged.
    """
    whole, done = {name: home / f"{name}.npy" for name in layout}, home / "card.json"
    if not done.exists():
        home.mkdir(parents=True, exist_ok=True)
        with only_one(home):
            if not all(path.exists() for path in whole.values()):
                partial = {name: home / f"{name}.partial.npy" for name in layout}
                fill_arrays(
                    partial, layout, count, make, notes=home / NOTES, chunk=chunk, label=label,
                    workers=workers,
                )  # fmt: skip
                for name, path in partial.items():
                    path.rename(whole[name])
                (home / NOTES).unlink()
            if not done.exists():
                if finish is not None:
                    finish()
                with atomic_path(done) as temporary:
                    temporary.write_text(json.dumps(card, indent=1))
    return {name: mapped(whole[name], (count, *row), kind) for name, (row, kind) in layout.items()}


def fill_arrays(
    paths: Mapping[str, Path],
    layout: Layout,
    count: int,
    make: Callable[[int, int], Arrays],
    *,
    notes: Path,
    chunk: int,
    label: str,
    unit: str = "galaxy",
    workers: int | None = None,
    cluster: str | None = None,
) -> None:
    """Make the rows of arrays that aren't there yet.

    Parameters
    ----------
    paths : mapping of str to Path
        Where the array of each name of the layout is, or goes.
    layout : mapping
    count : int
        Rows.
    make : callable
        ``make(first, last)`` returns rows first .. last - 1 of each array. Pickled, where others
        than this process work.
    notes : Path
        A line for each chunk that is on the disk: its first row, and the last + 1.
    chunk : int
        Rows of a chunk, at most.
    label, unit : str
        Of the progress bar.
    workers, cluster
        Who makes them, see `clumpygan.engine.Workplace`.
    """
    if not (notes.exists() and all(path.exists() for path in paths.values())):
        allocate(paths, layout, count)
        notes.write_text("")
    arrays = {
        name: cast("np.memmap[Any, Any]", load_array(path, "r+")) for name, path in paths.items()
    }
    done = _read_notes(notes, count, chunk)
    spans = list(_missing(done, chunk))
    with (
        open_engine(len(spans), workers, cluster) as engine,
        tqdm(total=count, initial=int(done.sum()), desc=label, unit=unit) as bar,
    ):
        for number, rows in engine.run(partial(_made, make), spans):
            first, last = spans[number]
            for name, array in arrays.items():
                array[first:last] = rows[name]
                array.flush()
            with naming(notes), notes.open("a", encoding="ascii") as handle:
                handle.write(f"{first} {last}\n")
            bar.update(last - first)


def allocate(paths: Mapping[str, Path], layout: Layout, count: int) -> None:
    """Make arrays of zeros and take their room on the disk; none is left if there is too little."""
    try:
        for name, (row, kind) in layout.items():
            allocate_array(paths[name], kind, (count, *row))
    except OSError:
        for path in paths.values():
            path.unlink(missing_ok=True)
        raise


def spans_of(count: int, chunk: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of chunks of so many rows."""
    return pairwise([*range(0, count, chunk), count])


def mapped(path: Path, shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
    """Map an array of a set into memory, for reading.

    Raises
    ------
    InputError
        If it can't be read, or isn't of this shape and dtype.
    """
    again = f"delete {path.parent} and make it again"
    try:
        array: NDArray[Any] = load_array(path)
    except InputError as error:
        raise InputError(f"{error}: {again}") from error
    if array.shape != shape or array.dtype != kind:
        raise InputError(
            f"{path} holds {array.shape} {array.dtype}, expected {shape} {np.dtype(kind)}: {again}"
        )
    return array


def check_home(home: Path, own: Collection[str], what: str) -> None:
    """Raise InputError if a folder holds anything but a set.

    Parameters
    ----------
    home : Path
        The folder; it needn't exist.
    own : collection of str
        Names that a set that isn't whole may have, besides the card, the notes and the lock.
    what : str
        What the set is, as "set of cubes".
    """
    if home.exists() and not home.is_dir():
        raise InputError(f"{home} is a file; expected the name of a folder")
    if home.is_dir() and not (home / CARD).exists():
        known = {CARD, NOTES, LOCK, *own}
        foreign = sorted(one.name for one in home.iterdir() if one.name not in known)
        if foreign:
            raise InputError(
                f"{home} holds {foreign[0]} and no {what}; expected a new or empty folder"
            )


def read_card(home: Path, version: int, needed: Mapping[str, type], what: str) -> dict[str, Any]:
    """Read the card of a set, whole or not.

    Parameters
    ----------
    home : Path
    version : int
        The `format` that it must have.
    needed : mapping of str to type
        Its other keys, and what their values are.
    what : str
        What the set is.

    Raises
    ------
    InputError
        If it can't be read or is another kind of card.
    """
    card = read_yaml(home / CARD, f"delete the folder {home}")
    if not (
        isinstance(card, dict) and {"format", *needed} <= set(card) and card["format"] == version
    ):
        raise InputError(f"{home / CARD} is no card of a {what}: choose another folder")
    check_card(home, card, needed)
    return card


def check_card(home: Path, card: Mapping[str, Any], needed: Mapping[str, type]) -> None:
    """Check that values of a card are there, and what they have to be.

    Raises
    ------
    InputError
        If one isn't.
    """
    for name, kind in needed.items():
        if name not in card or not isinstance(card[name], kind):
            raise InputError(
                f"{home / CARD}: `{name}` is {card.get(name)!r:.60}, expected {_KINDS[kind]}:"
                f" delete {home} and prepare it again"
            )


def read_whole(
    home: Path, version: int, needed: Mapping[str, type], what: str, command: str
) -> dict[str, Any]:
    """Read the card of a set that must be whole, see `read_card`.

    Parameters
    ----------
    home, version, needed, what
    command : str
        That makes such sets.

    Raises
    ------
    InputError
        If there is none, too, or it isn't complete.
    """
    if not (home / CARD).is_file():
        raise InputError(f"{home} holds no {what} (no {CARD}): make one with {command}")
    card = read_card(home, version, needed, what)
    if not card["complete"]:
        raise InputError(
            f"{home} isn't complete: run the command that began it again, it goes on from there"
        )
    for path in home.iterdir():
        keep(path)
    return card


def write_card(home: Path, card: dict[str, Any]) -> None:
    """Write the card of a set, or replace it."""
    with atomic_path(home / CARD) as temporary:
        temporary.write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")


def check_same(
    home: Path, before: dict[str, Any], after: dict[str, Any], keys: Sequence[str]
) -> None:
    """Raise InputError if two cards differ in these keys."""
    differing = [
        difference for key in keys for difference in _differences(before[key], after[key], key)
    ]
    if differing:
        raise InputError(
            f"{home} holds another set ({'; '.join(differing[:3])}): choose another folder, or "
            "delete it"
        )


def _read_notes(notes: Path, count: int, chunk: int) -> NDArray[np.bool_]:
    """Return which rows are done (n,), and drop a line that was only half written."""
    done = np.zeros(count, dtype=bool)
    try:
        lines = notes.read_text(encoding="ascii").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        for line in whole:
            first, *more = map(int, line.split())
            # Notes of old are the first row of a chunk alone.
            (last,) = more or [min(first + chunk, count)]
            if not 0 <= first < last <= count:
                raise ValueError(f"rows {first} to {last} of {count}")
            done[first:last] = True
    except ValueError as problem:
        raise InputError(
            f"{notes} doesn't say which rows are done: delete the folder {notes.parent}"
        ) from problem
    with atomic_path(notes) as temporary:
        temporary.write_text("".join(whole), encoding="ascii")
    return done


def _missing(done: NDArray[np.bool_], chunk: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last + 1) of the runs of rows that aren't done, cut into chunks."""
    edges = np.flatnonzero(np.diff(np.r_[True, done, True].astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        for first, last in spans_of(stop - start, chunk):
            yield start + first, start + last


def _made(make: Callable[[int, int], Arrays], span: tuple[int, int]) -> Arrays:
    return make(*span)


def _differences(before: Any, after: Any, name: str) -> list[str]:
    """Return what differs, as "settings.frame.shape: [8, 8, 8], not [16, 8, 8]"."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            difference
            for key in sorted(set(before) | set(after))
            for difference in _differences(before.get(key), after.get(key), f"{name}.{key}")
        ]
    if _sections(before) and _sections(after) and len(before) == len(after):
        return _differences(dict(enumerate(before)), dict(enumerate(after)), name)
    return [] if before == after else [f"{name}: {before}, not {after}"]


def _sections(value: Any) -> bool:
    """Tell a list of sections from a list of numbers or names."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)
