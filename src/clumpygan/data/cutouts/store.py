"""Sets of cutouts on disk: stamps of galaxies, mapped into memory, with a table and a card."""

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from clumpygan.data.array_set import CARD, check_card, mapped, read_whole
from clumpygan.errors import InputError
from clumpygan.io import read_psf, read_table

if TYPE_CHECKING:
    from clumpygan.instruments import NoiseModel

IMAGES, MASKS, TABLE = "images.npy", "masks.npy", "table.fits"

FORMAT, WHAT = 1, "set of cutouts"
_BLOCK, _CHECKED_AT_ONCE = 2**22, 256
NEEDED = {"clumpygan": str, "settings": dict, "sources": dict, "complete": bool}
_DESCRIBED = {
    "checksums": dict,
    "skipped": dict,
    "stamps": int,
    "size": int,
    "bands": list,
    "pixel_scale": float,
    "unit": str,
    "zero_points": dict,
    "noise": dict,
    "psf": dict,
}


@dataclass(frozen=True)
class CutoutSet:
    """A complete set, opened for reading, looked at in one of its bands.

    Attributes
    ----------
    folder : Path
    band : str
        To which `images`, `mask`, `noise_sigma`, `background`, `noise_model` and `psf` belong.
    card : dict
        Sources, settings, what was skipped and why, zero points, noise, checksums.
    """

    folder: Path
    band: str
    card: dict[str, Any] = field(repr=False)

    def __len__(self) -> int:
        return int(self.card["stamps"])

    @property
    def size(self) -> int:
        """Pixels per side."""
        return int(self.card["size"])

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of all bands."""
        return tuple(self.card["bands"])

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of the sky."""
        return tuple(self.card["zero_points"])

    @property
    def pixel_scale(self) -> float:
        """Width of a pixel in arcsec."""
        return float(self.card["pixel_scale"])

    @property
    def unit(self) -> str:
        """Unit of the pixels: "nJy", or "counts" where no zero point was known."""
        return str(self.card["unit"])

    @cached_property
    def all_images(self) -> np.ndarray:
        """Stamps (N, B, y, x) in all bands, float32, memory-mapped, without NaN."""
        return mapped(self.folder / IMAGES, self._shape, np.float32)

    @cached_property
    def all_masks(self) -> np.ndarray:
        """Masks (N, B, y, x) in all bands, uint8, memory-mapped; see `mask`."""
        return mapped(self.folder / MASKS, self._shape, np.uint8)

    @property
    def images(self) -> np.ndarray:
        """Stamps (N, y, x), float32, memory-mapped; masked pixels hold noise, or 0."""
        return self.all_images[:, self._index]

    @property
    def mask(self) -> np.ndarray:
        """Masks (N, y, x), uint8, memory-mapped: 1 without data, 2 neighbour, 0 good."""
        return self.all_masks[:, self._index]

    @cached_property
    def table(self) -> Table:
        """One row for each stamp, read anew from the file in each process."""
        try:
            return read_table(self.folder / TABLE)
        except InputError as problem:
            raise InputError(f"{problem}: delete {self.folder} and prepare it again") from problem

    @property
    def noise_sigma(self) -> np.ndarray:
        """Noise of a pixel of each stamp (N,), float64; NaN if none of the set has any."""
        return np.asarray(self.table[f"noise_sigma_{self.band}"], np.float64)

    @property
    def background(self) -> np.ndarray:
        """Median of the sky of each stamp (N,), float64; not subtracted unless the card says so."""
        return np.asarray(self.table[f"background_{self.band}"], np.float64)

    @property
    def identifiers(self) -> np.ndarray:
        """Names (N,) that stamps of the same galaxy share, in whatever field: split by these."""
        return np.asarray(self.table["identifier"], str)

    def in_band(self, name: str) -> "CutoutSet":
        """Return the same set, looked at in another band; its name in capitals or not."""
        for band in self.bands:
            if band.casefold() == name.casefold():
                return replace(self, band=band)
        raise InputError(f"{self.folder} has no band {name!r}; expected {' or '.join(self.bands)}")

    def noise_model(self, field: str | None = None) -> "NoiseModel":
        """Return noise like the set's: that of the source-free pixels of its emptiest stamps.

        Parameters
        ----------
        field : str, optional
            Of one field of the sky; by default the mean of all.

        Raises
        ------
        InputError
            If none could be measured.
        """
        from clumpygan.instruments import NoiseModel

        names = self.fields if field is None else (field,)
        measured = [self.card["noise"][name][self.band] for name in names]
        measured = [one for one in measured if one["measured_on"]]
        if not measured:
            raise InputError(f"{self.folder}: no stamp has a sky to measure its noise on")
        correlation = np.mean([one["correlation"] for one in measured], axis=0)
        sigma = float(np.mean([one["sigma"] for one in measured]))
        return NoiseModel(sigma, self.pixel_scale, correlation)

    def summary(self) -> str:
        """Return what is in the set, and what was skipped, in words."""
        skipped = total(self.card["skipped"].values())
        return (
            f"{len(self)} stamps of {self.size} x {self.size} in {', '.join(self.bands)}, of "
            f"{len(set(self.identifiers))} galaxies in {', '.join(self.fields)}, whole; "
            f"skipped: {told(skipped)}"
        )

    def psf(self, field: str | None = None) -> tuple[np.ndarray, float] | None:
        """Return the PSF (y, x) and its pixel scale in arcsec, or None if there was none.

        Parameters
        ----------
        field : str, optional
            By default the first.
        """
        entry = self.card["psf"][field or self.fields[0]].get(self.band)
        if entry is None:
            return None
        return read_psf(self.folder / entry["file"])[0], float(entry["pixel_scale"])

    @property
    def _shape(self) -> tuple[int, int, int, int]:
        return len(self), len(self.bands), self.size, self.size

    @property
    def _index(self) -> int:
        return self.bands.index(self.band)

    def __getstate__(self) -> dict[str, Any]:
        # A memory map would be copied into the message to another process.
        return {k: self.__dict__[k] for k in ("folder", "band", "card")}


def open_cutouts(folder: str | os.PathLike[str], band: str | None = None) -> CutoutSet:
    """Open a complete set.

    Parameters
    ----------
    folder : path-like
        As written by `clumpygan.data.cutouts.extraction.prepare_cutouts`.
    band : str, optional
        By default the only one.

    Raises
    ------
    InputError
        If there is no set, it isn't complete or not as its card says, or has no such band, or
        several and none is named.
    """
    found = open_first_band(folder)
    if band is not None:
        return found.in_band(band)
    if len(found.bands) > 1:
        raise InputError(f"{folder} has the bands {', '.join(found.bands)}; say which one")
    return found


def open_first_band(folder: str | os.PathLike[str]) -> CutoutSet:
    """Open a complete set in the first of its bands, see `open_cutouts`."""
    home = Path(folder)
    card = read_whole(home, FORMAT, NEEDED, WHAT, "prepare.py cutouts")
    check_card(home, card, _DESCRIBED)
    if not card["bands"]:
        raise InputError(f"{home / CARD}: names no band: delete {home} and prepare it again")
    found = CutoutSet(home, card["bands"][0], card)
    _ = found.all_images, found.all_masks
    if len(found.table) != len(found):
        raise InputError(
            f"{home / TABLE} has {len(found.table)} rows, expected {len(found)}: delete {home} and "
            "prepare it again"
        )
    return found


def check_cutouts(cutouts: CutoutSet) -> None:
    """Check that each file of a set is what its card says, and that every pixel is a number.

    Raises
    ------
    InputError
        If a file has changed, or a stamp holds NaN.
    """
    home = cutouts.folder
    for name, expected in cutouts.card["checksums"].items():
        if not (home / name).is_file() or checksum(home / name) != expected:
            raise InputError(
                f"{home / name} isn't what was written: it is damaged; delete {home} and prepare "
                "it again"
            )
    for first in range(0, len(cutouts), _CHECKED_AT_ONCE):
        finite = np.isfinite(cutouts.all_images[first : first + _CHECKED_AT_ONCE]).all(
            axis=(1, 2, 3)
        )
        if not finite.all():
            raise InputError(f"{home}: stamp {first + int(np.argmin(finite))} holds NaN")


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file."""
    value = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


def total(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Add up counts by reason."""
    added: dict[str, int] = {}
    for one in counts:
        for reason, count in one.items():
            added[reason] = added.get(reason, 0) + count
    return added


def told(skipped: dict[str, int]) -> str:
    """Return "12 stars, 3 outside the mosaic" of what was skipped, by the reason."""
    parts = [f"{count} {_TOLD.get(reason, reason)}" for reason, count in skipped.items() if count]
    return ", ".join(parts) or "nothing skipped"


_TOLD = {
    "no position": "without a position",
    "star": "stars",
    "flagged": "flagged as bad photometry",
    "redshift": "by redshift",
    "magnitude": "by magnitude",
    "outside": "outside the mosaic",
    "edge": "at its edge",
    "masked": "with too many pixels without data",
    "centre": "without data in the middle",
}
