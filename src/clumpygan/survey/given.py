"""What a survey is given in memory: kept as files while it is recovered, as workers read them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, ValuesView
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
from astropy.nddata import NDData
from astropy.table import Table
from astropy.wcs import WCS

from clumpygan.errors import InputError, reason
from clumpygan.io import atomic_path
from clumpygan.io.atomic import check_output_folder, only_one
from clumpygan.io.fits import is_file, write_fits
from clumpygan.io.memory import image_hdus
from clumpygan.io.wcs import read_wcs
from clumpygan.survey.objects import check_names
from clumpygan.survey.store import GIVEN

_NEW = "new"
"""Folder of what is being written; then its name is a digest of what it holds."""

_FLAT = "biufUS"
"""Kinds of values of which names, positions and magnitudes may be."""


@dataclass(frozen=True)
class Given:
    """Images, catalogue and PSFs of a survey, each a path or in memory.

    Attributes
    ----------
    image, catalog, weight, psf, wcs, pixel_scale, zero_point
        See `clumpygan.survey.recover_survey`.
    """

    image: Any
    catalog: Any = None
    weight: Any = ()
    psf: Any = ()
    wcs: WCS | Sequence[WCS | None] | None = None
    pixel_scale: float | None = None
    zero_point: float | None = None

    def __post_init__(self) -> None:
        # Once: iterators end.
        for name in ("image", "weight"):
            object.__setattr__(self, name, _listed(getattr(self, name)))
        if not isinstance(self.psf, Mapping):
            object.__setattr__(self, "psf", _listed(self.psf))
        for name in ("wcs", "pixel_scale", "zero_point"):
            of_files = bool(self.image) and all(is_file(one) for one in self.image)
            if getattr(self, name) is not None and of_files:
                raise InputError(f"`{name}` is of images in memory; those of files say it")

    @property
    def as_settings(self) -> dict[str, Any]:
        """The settings of those names, where all are paths."""
        return {
            "image": tuple(self.image),
            "catalog": self.catalog,
            "weight": tuple(self.weight),
            "psf": tuple(self.psf),
        }

    @property
    def in_memory(self) -> bool:
        """Whether anything isn't a path."""
        if isinstance(self.psf, Mapping):
            return True
        every = [self.catalog, *self.image, *self.weight, *self.psf]
        return not all(one is None or is_file(one) for one in every)


@contextmanager
def as_files(given: Given, home: Path) -> Iterator[dict[str, Any]]:
    """Yield the settings `image`, `catalog`, `weight` and `psf`, of which all are paths.

    What is in memory is written into the folder of the survey, and removed with the end of the
    block.

    Parameters
    ----------
    given : Given
    home : Path
        Folder of the survey.

    Raises
    ------
    InputError
        If something is no image or table, or has no pixel scale, or another process works in the
        folder. Of whatever is wrong in the block, it names what was given and no file.
    OSError
        If the disk is full; it names the file.
    """
    if not given.in_memory:
        yield given.as_settings
        return
    check_output_folder(home)
    made = not home.exists()
    folder = home / GIVEN
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, wait=False):
        try:
            shutil.rmtree(folder / _NEW, ignore_errors=True)
            written = _Written(folder / _NEW)
            settings = written.all_of(given)
            kept = folder / _digest(folder / _NEW)
            shutil.rmtree(kept, ignore_errors=True)
            (folder / _NEW).rename(kept)
            try:
                yield {name: _moved(one, folder / _NEW, kept) for name, one in settings.items()}
            except InputError as problem:
                raise InputError(written.told(str(problem), kept)) from problem
        finally:
            shutil.rmtree(folder)
            if made and not any(home.iterdir()):
                home.rmdir()


class _Written:
    """Files of what is in memory, and what messages call them.

    Parameters
    ----------
    folder : Path
        Is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._names: dict[str, str] = {}

    def all_of(self, given: Given) -> dict[str, Any]:
        """Write what is in memory; return the settings."""
        images = given.image
        frames = (
            list(given.wcs) if isinstance(given.wcs, list | tuple) else [given.wcs] * len(images)
        )
        if len(frames) != len(images):
            raise InputError(
                f"`wcs`: {len(frames)} for {len(images)} patches; expected one for each"
            )
        cards = {"PIXSCALE": given.pixel_scale, "MAGZERO": given.zero_point}
        known = {name: value for name, value in cards.items() if value is not None}
        patches = []
        for number, (one, frame) in enumerate(zip(images, frames, strict=True)):
            name = _name("image", number, images)
            file = f"image-{number + 1}.fits"
            patches.append(one if is_file(one) else self._patch(file, name, one, frame, known))
        return {
            "image": tuple(patches),
            "catalog": self._catalog(given.catalog),
            "weight": tuple(self._images("weight", given.weight)),
            "psf": (self._psfs(given.psf),)
            if isinstance(given.psf, Mapping)
            else tuple(self._images("psf", given.psf)),
        }

    def told(self, words: str, folder: Path) -> str:
        """Return a message with what was given in place of its file, which is in a folder now."""
        # Longer names first: one may begin as another does.
        for file in sorted(self._names, key=len, reverse=True):
            words = words.replace(str(folder / file), self._names[file])
        return words

    def _patch(
        self, file: str, name: str, source: Any, frame: WCS | None, cards: dict[str, float]
    ) -> Path:
        hdus = image_hdus(_framed(source, frame, name), name, cards)
        header = hdus[1].header
        if read_wcs(header) is None and "PIXSCALE" not in header:
            raise InputError(
                f"{name} has no WCS: expected a CCDData with one, or `wcs`, or `pixel_scale` in"
                " arcsec"
            )
        return self._fits(file, name, hdus)

    def _images(self, kind: str, sources: Sequence[Any]) -> Iterator[Any]:
        """Yield the path of each image, its own or one that is written."""
        for number, source in enumerate(sources):
            name = _name(kind, number, sources)
            if is_file(source):
                yield source
            else:
                yield self._fits(f"{kind}-{number + 1}.fits", name, image_hdus(source, name))

    def _psfs(self, psfs: Mapping[Any, Any]) -> Path:
        """Write a folder of the PSFs of single galaxies."""
        check_names([str(one) for one in psfs], "`psf`")
        (self.folder / "psf").mkdir()
        self._names["psf"] = "`psf`"
        for number, source in psfs.items():
            name = f"`psf` of {number}"
            self._fits(f"psf/{number}.fits", name, image_hdus(source, name))
        return self.folder / "psf"

    def _catalog(self, catalog: Any) -> Any:
        """Write the columns of a table in memory that may be of use."""
        if catalog is None or is_file(catalog):
            return catalog
        table = _table(catalog)
        columns = {}
        for name in table.colnames:
            values = table[name]
            if values.dtype.kind == "O":
                values = np.array([_word(one) for one in values])
            if values.ndim == 1 and values.dtype.kind in _FLAT:
                hidden = np.ma.getmaskarray(np.ma.asarray(values))
                kinds = {"S": str, "f": np.float64}
                plain = np.asarray(values)
                native = plain.astype(kinds.get(plain.dtype.kind, plain.dtype.newbyteorder("=")))
                columns[name] = pyarrow.array(native, mask=hidden)
        path = self.folder / "catalog.parquet"
        self._names[path.name] = "`catalog`"
        with atomic_path(path) as temporary:
            parquet.write_table(pyarrow.table(columns), temporary)
        return path

    def _fits(self, file: str, name: str, hdus: Iterable[Any]) -> Path:
        self._names[file] = name
        write_fits(self.folder / file, hdus)
        return self.folder / file


def _listed(value: Any) -> list[Any]:
    """Return several images as a list, one image or path as a list of it."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | Iterator | ValuesView) else [value]


def _name(kind: str, number: int, of: Sequence[Any]) -> str:
    return f"`{kind}`" if len(of) == 1 else f"`{kind}` number {number + 1}"


def _framed(source: Any, frame: WCS | None, name: str) -> Any:
    """Return an image with its world coordinates."""
    own = source.wcs if isinstance(source, NDData) else None
    if own is not None and not hasattr(getattr(own, "low_level_wcs", own), "to_header"):
        raise InputError(f"{name} has a WCS of {type(own).__name__}: expected one of astropy.wcs")
    if frame is None or own is not None:
        return source
    if not isinstance(frame, WCS):
        raise InputError(f"`wcs` is {type(frame).__name__}: expected astropy.wcs.WCS")
    if isinstance(source, NDData):
        return NDData(source, wcs=frame)
    return NDData(source, wcs=frame, meta={})


def _table(catalog: Any) -> Table:
    """Return a table of astropy, from one of pandas or a mapping of columns too."""
    pandas = sys.modules.get("pandas")
    try:
        if pandas is not None and isinstance(catalog, pandas.DataFrame):
            # An index without a name is only the number of the row.
            return Table.from_pandas(catalog, index=catalog.index.name is not None)
        if isinstance(catalog, Table):
            return catalog
        if isinstance(catalog, Mapping):
            return Table(dict(catalog))
    except (TypeError, ValueError) as problem:
        raise InputError(f"`catalog` is no table ({reason(problem)})") from problem
    raise InputError(
        f"`catalog` is {type(catalog).__name__}: expected a path, or a table of astropy or pandas"
    )


def _word(value: Any) -> str:
    """Return what is in a column of any objects as a word, empty where there is nothing."""
    return "" if value is None or value is np.ma.masked or value != value else str(value)


def _digest(folder: Path) -> str:
    """Return the digest of the files of a folder, and of their names."""
    found = sha256()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        found.update(f"{path.relative_to(folder)}\n".encode())
        with path.open("rb") as stream:
            while piece := stream.read(2**22):
                found.update(piece)
    return found.hexdigest()[:16]


def _moved(value: Any, before: Path, after: Path) -> Any:
    """Return paths of a folder after it was renamed; others as they are."""
    if isinstance(value, tuple):
        return tuple(_moved(one, before, after) for one in value)
    if isinstance(value, Path) and value.is_relative_to(before):
        return after / value.relative_to(before)
    return value
