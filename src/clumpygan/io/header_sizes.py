"""The sizes that FITS headers state, held against the file before anybody believes them."""

import math
import os
import re
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from clumpygan.errors import InputError

_BLOCK, _CARD = 2880, 80
"""Bytes of a FITS block and of a card of its header (FITS standard 4.0, section 3)."""

_MOST_BLOCKS = 10_000
"""Header blocks of one HDU beyond which a file is taken for damaged: 360,000 cards."""

_MOST_AXES = 999
"""Largest NAXIS and TFIELDS of the standard; astropy loops over whatever the header says."""

_WORDS = {8, 16, 32, 64, -32, -64}
"""What BITPIX may be."""

_COUNTS = re.compile(
    r"(Z?BITPIX|Z?NAXIS\d*|ZTILE\d+|PCOUNT|GCOUNT|TFIELDS|GROUPS) *= *([^/ ]+)", re.ASCII
)
_CODEC = re.compile(r"(ZNAME\d+|ZVAL\d+) *= *'?([^/' ]+)", re.ASCII)

_CODEC_CHOICES = {"BLOCKSIZE": {"16", "32"}, "BYTEPIX": {"1", "2", "4", "8"}}
"""What the Rice decompression takes; with other numbers it reads memory that isn't its own."""

_TILES = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
"""Columns of a compressed image that hold its tiles, each with a count and a place."""

_SMALLEST_TILE = 4
"""Bytes of a compressed tile at least: Rice begins with the value of a pixel."""

SMALL_UNPACKED, LARGEST_RATIO = 2**28, 100
"""A compressed file may become 256 MB, or a hundred times its size where that is more."""


def check_sizes(stream: BinaryIO, name: str) -> bool:
    """Hold the sizes that the headers state against the file; leave the stream at its beginning.

    Returns
    -------
    bool
        Whether it holds compressed images.

    Raises
    ------
    InputError
        If a header never ends, states counts that no file has, or more data than the file holds.
    """
    total = stream.seek(0, os.SEEK_END)
    place, number, compressed = 0, 0, False
    while place < total:
        stream.seek(place)
        first = stream.read(_CARD)
        # What follows the last HDU, or is no FITS at all, is astropy's to complain of.
        if not first.startswith(b"SIMPLE" if number == 0 else b"XTENSION"):
            break
        stream.seek(place)
        counts, length = _counts(stream, f"{name}: HDU {number}")
        if not length and number > 0:
            break  # as is half a header at the end of a download
        if not length:
            raise InputError(
                f"{name}: can't be read as FITS, its header has no END: truncated or another format"
            )
        _check_axes(counts, total, f"{name}: HDU {number}")
        compressed |= "ZNAXIS" in counts
        size = _bytes_of(counts, "")
        if place + length + size > total:
            raise InputError(
                f"{name}: the file is truncated (HDU {number} should end at byte "
                f"{place + length + size}, the file has {total}); get it again"
            )
        place += length + -(-size // _BLOCK) * _BLOCK
        number += 1
    stream.seek(0)
    return compressed


def _counts(stream: BinaryIO, name: str) -> tuple[dict[str, int], int]:
    """Return the counts of a header that begins here, and its length in bytes; 0 without END."""
    counts: dict[str, int] = {}
    codec: dict[str, str] = {}
    for block in range(_MOST_BLOCKS):
        cards = stream.read(_BLOCK).decode("latin-1")
        for begin in range(0, len(cards), _CARD):
            card = cards[begin : begin + _CARD]
            if card.rstrip() == "END":
                _check_codec(codec, name)
                return counts, (block + 1) * _BLOCK
            if (told := _CODEC.match(card)) is not None:
                codec[told[1]] = told[2]
            found = _COUNTS.match(card)
            if found is None:
                continue
            if found[1] == "GROUPS":
                counts["GROUPS"] = int(found[2] == "T")
            elif not re.fullmatch(r"[+-]?\d+", found[2]):
                raise InputError(f"{name}: {found[1]} is {found[2]!r}; expected a whole number")
            else:
                # The first of several is the one that counts, but none may be absurd.
                _check_limit(found[1], int(found[2]), name)
                counts[found[1]] = max(int(found[2]), counts.get(found[1], int(found[2])), key=abs)
        if len(cards) < _BLOCK:
            break
    return counts, 0


def _check_limit(key: str, value: int, name: str) -> None:
    """Refuse a count that no file has, which astropy would take at its word."""
    allowed = (
        value in _WORDS
        if key.endswith("BITPIX")
        else 0 <= value <= _MOST_AXES
        if key in ("NAXIS", "ZNAXIS", "TFIELDS")
        else value >= 0
    )
    if not allowed:
        raise InputError(f"{name}: {key} is {value}; the header is damaged: get the file again")


def _check_axes(counts: dict[str, int], total: int, name: str) -> None:
    """Refuse axes without a length, tiles larger than the image, and images of gigabytes."""
    for prefix in ("", "Z"):
        axes = counts.get(f"{prefix}NAXIS", 0)
        missing = [n for n in range(1, axes + 1) if f"{prefix}NAXIS{n}" not in counts]
        if missing:
            raise InputError(
                f"{name}: {prefix}NAXIS is {axes}, but there is no {prefix}NAXIS{missing[0]}; the "
                "header is damaged: get the file again"
            )
        for n in range(1, axes + 1) if prefix else ():
            if not 0 < counts.get(f"ZTILE{n}", 1) <= max(counts[f"ZNAXIS{n}"], 1):
                raise InputError(
                    f"{name}: ZTILE{n} is {counts[f'ZTILE{n}']} of {counts[f'ZNAXIS{n}']} pixels; "
                    "the header is damaged: get the file again"
                )
    unpacked = _bytes_of(counts, "Z")
    if unpacked > max(SMALL_UNPACKED, LARGEST_RATIO * total):
        raise InputError(
            f"{name}: unpacks to {unpacked / 1e6:.0f} MB, more than {LARGEST_RATIO} times its "
            "size; unpack it yourself if it is meant to"
        )


def _check_codec(codec: dict[str, str], name: str) -> None:
    """Refuse parameters of a tile compression that its decompression would crash on."""
    for key, word in codec.items():
        value = codec.get(key.replace("ZNAME", "ZVAL"), "")
        choices = _CODEC_CHOICES.get(word) if key.startswith("ZNAME") else None
        if choices and value not in choices:
            raise InputError(
                f"{name}: {word} of its compression is {value}; the header is damaged: get the "
                "file again"
            )


def _bytes_of(counts: dict[str, int], prefix: str) -> int:
    """Return the size of the data that a header states, of the unpacked image with prefix "Z"."""
    axes = [counts[f"{prefix}NAXIS{n}"] for n in range(1, counts.get(f"{prefix}NAXIS", 0) + 1)]
    if not axes:
        return 0
    if not prefix and counts.get("GROUPS") and axes[0] == 0:
        axes = axes[1:]
    words = math.prod(axes)
    if not prefix:
        words = counts.get("GCOUNT", 1) * (counts.get("PCOUNT", 0) + words)
    return words * abs(counts.get(f"{prefix}BITPIX", 8)) // 8


def check_tiles(stream: BinaryIO, name: str) -> None:
    """Refuse compressed images whose tiles lie outside their data: decompression would crash.

    Raises
    ------
    InputError
        If a tile is missing, or where it is said to be there is nothing.
    """
    hdus = fits.open(stream, disable_image_compression=True)
    for number, hdu in enumerate(hdus):
        header = hdu.header
        if not header.get("ZIMAGE") or hdu.data is None:
            continue
        lengths = [header[f"ZNAXIS{n}"] for n in range(1, header["ZNAXIS"] + 1)]
        tiles = [header.get(f"ZTILE{n}", 1 if n > 1 else lengths[0])
                 for n in range(1, header["ZNAXIS"] + 1)]  # fmt: skip
        wanted = math.prod(-(-a // b) for a, b in zip(lengths, tiles, strict=True))
        rows = header["NAXIS1"] * header["NAXIS2"]
        heap = header["PCOUNT"] - (header.get("THEAP", rows) - rows)
        sizes = np.zeros(len(hdu.data), np.int64)
        sound = len(hdu.data) == wanted
        for column in (one for one in hdu.columns if one.name in _TILES):
            counts, offsets = np.recarray.field(hdu.data, column.name).astype(np.int64).T
            sizes += counts
            width = column.dtype.itemsize if column.name == _TILES[-1] else 1
            used = counts > 0
            sound &= bool((counts >= 0).all() and (offsets[used] >= 0).all())
            sound &= bool((offsets[used] + width * counts[used] <= heap).all())
        if not sound or (sizes < _SMALLEST_TILE).any():
            raise InputError(
                f"{name}: HDU {number}: its compressed tiles don't lie in the file; it is "
                "damaged: get it again"
            )
    hdus.close(closed=False)
    stream.seek(0)
