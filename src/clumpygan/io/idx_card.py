"""What the values of an IDX file mean: a card in JSON beside it, since the format has no header.

The card of NAME or NAME.gz is NAME.json: stretch, noise and unit, and the shape and type of the
values that it belongs to. Programs that know nothing of it read the levels as they are.
"""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clumpygan.errors import InputError
from clumpygan.io.atomic import atomic_path
from clumpygan.io.idx import IdxHeader, read_idx_header, write_idx_blocks
from clumpygan.io.stretch import Stretch

_FORMAT = 1
_FIELDS = {"format", "shape", "dtype", "unit", "noise_sigma", "stretch"}


@dataclass(frozen=True)
class ImageCard:
    """What the values of an IDX file mean.

    Attributes
    ----------
    unit : str
        Of a pixel when the stretch is undone, such as nJy.
    noise_sigma : float
        In that unit: the noise of a pixel, one number for all images so that their fluxes stay
        comparable.
    stretch : Stretch or None
        Of levels (uint8); None where the values are the pixels themselves (float32).
    notes : dict
        Anything else: where the images come from.
    """

    unit: str
    noise_sigma: float
    stretch: Stretch | None
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.noise_sigma < math.inf:
            raise InputError(f"the noise is {self.noise_sigma:g}; expected a number > 0")

    def in_noise_units(self, values: np.ndarray) -> np.ndarray:
        """Return values of the file as pixels in units of the noise, float32."""
        if self.stretch is not None:
            return self.stretch.pixels(values)
        return values.astype(np.float32) / np.float32(self.noise_sigma)

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """Return values of the file as pixels in `unit`, float32."""
        if self.stretch is not None:
            return self.stretch.pixels(values) * np.float32(self.noise_sigma)
        return values.astype(np.float32)

    def values(self, pixels: np.ndarray) -> np.ndarray:
        """Return what stands in the file for pixels in `unit`: levels (uint8), or float32."""
        if self.stretch is None:
            return np.asarray(pixels, np.float32)
        return self.stretch.levels(np.asarray(pixels, np.float64) / self.noise_sigma)


def card_path(path: str | os.PathLike[str]) -> Path:
    """Return where the card of an IDX file is: NAME.json for NAME and NAME.gz."""
    path = Path(path)
    return path.with_name(f"{path.name.removesuffix('.gz')}.json")


def write_images(
    path: str | os.PathLike[str],
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    card: ImageCard,
) -> None:
    """Write images as an IDX file with its card, both complete or neither.

    Parameters
    ----------
    path : str or path-like
        The IDX file, gzipped if it ends in .gz; it and its card are replaced if they exist.
    blocks : iterable of numpy.ndarray
        (n, y, x) images in the unit of the card, one block after the other.
    shape : tuple of int
        (N, y, x) of all of them.
    card : ImageCard

    Raises
    ------
    InputError
        As for `write_idx_blocks`.
    """
    dtype = np.dtype(np.float32 if card.stretch is None else np.uint8)
    contents = {
        "format": _FORMAT,
        "shape": list(map(int, shape)),
        "dtype": str(dtype),
        "unit": card.unit,
        "noise_sigma": card.noise_sigma,
        "stretch": None if card.stretch is None else asdict(card.stretch),
        **card.notes,
    }
    with atomic_path(card_path(path)) as temporary:
        temporary.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
        write_idx_blocks(path, (card.values(block) for block in blocks), shape, dtype)


def read_card(path: str | os.PathLike[str]) -> ImageCard | None:
    """Read the card of an IDX file.

    Parameters
    ----------
    path : str or path-like
        The IDX file.

    Returns
    -------
    ImageCard or None
        None if there is none, as for files of other programs.

    Raises
    ------
    InputError
        If the card can't be read or belongs to other images, or the IDX file can't be read.
    """
    place = card_path(path)
    if not place.exists():
        return None
    header = read_idx_header(path)
    try:
        contents = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(
            f"{place}: can't be read, so nobody knows what the values of {path} mean: write both "
            "again"
        ) from problem
    if not isinstance(contents, dict) or not _FIELDS.issubset(contents):
        raise InputError(f"{place}: is no card of IDX images; move it away from beside {path}")
    _check_fit(contents, header, place, path)
    stretch = contents["stretch"]
    try:
        return ImageCard(
            unit=str(contents["unit"]),
            noise_sigma=float(contents["noise_sigma"]),
            stretch=None if stretch is None else Stretch(**stretch),
            notes={name: value for name, value in contents.items() if name not in _FIELDS},
        )
    except (TypeError, ValueError) as problem:
        raise InputError(f"{place}: {problem}; write it again with {path}") from problem


def _check_fit(
    contents: dict[str, Any], header: IdxHeader, place: Path, path: str | os.PathLike[str]
) -> None:
    """Refuse the card of another file, or of another version of it."""
    told = contents["shape"], contents["dtype"]
    found = list(header.shape), str(header.dtype)
    if contents["format"] != _FORMAT or told != found:
        raise InputError(
            f"{place}: belongs to {told[0]} {told[1]}, but {path} holds {found[0]} {found[1]}; "
            "move it away, or write both again"
        )
    if (contents["stretch"] is None) != (header.dtype != np.uint8):
        raise InputError(
            f"{place}: has no stretch that fits {found[1]}; write it again with {path}"
        )
