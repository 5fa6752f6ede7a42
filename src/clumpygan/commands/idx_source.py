"""Images that go into an IDX file: where they come from, their noise and their range."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.data.cutout_store import open_cutouts
from clumpygan.errors import InputError
from clumpygan.io.image_stack import read_stack

_BLOCK_BYTES = 2**24
_NOISE_IMAGES = 1000
_BORDER = 8


@dataclass(frozen=True)
class Source:
    """Images of one size.

    Attributes
    ----------
    path : Path
        Where they are.
    images : numpy.ndarray
        (N, y, x), integers or floats; possibly memory-mapped.
    unit : str
        Of a pixel.
    sigma : numpy.ndarray or None
        (N,) noise of a pixel, where it is known.
    table : astropy.table.Table or None
        A row for each image, where there is a catalogue.
    """

    path: Path
    images: np.ndarray
    unit: str
    sigma: np.ndarray | None = None
    table: Table | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the images in blocks (n, y, x) of about 16 MB.

        Raises
        ------
        InputError
            If a pixel isn't finite as float32.
        """
        length = max(1, _BLOCK_BYTES // self.images[0].nbytes)
        for first in range(0, len(self.images), length):
            block = self.images[first : first + length]
            with np.errstate(over="ignore"):
                finite = np.isfinite(block.astype(np.float32)).all((1, 2))
            if not finite.all():
                raise InputError(
                    f"{self.path}: image {first + int(np.argmin(finite))} holds NaN, or values "
                    "beyond float32; leave it out, or fill it"
                )
            yield block

    def levels(self, block: np.ndarray) -> np.ndarray:
        """Return a block as uint8, which it must be already in all but type.

        Raises
        ------
        InputError
            If it isn't.
        """
        levels = np.clip(block, 0, 255).astype(np.uint8)
        if not np.array_equal(levels, block):
            raise InputError(
                f"{self.path}: holds more than integers from 0 to 255; expected --stretch asinh or "
                "linear"
            )
        return levels

    def extremes(self) -> tuple[float, float]:
        """Return the darkest and the brightest pixel."""
        ends = np.array([(block.min(), block.max()) for block in self.blocks()])
        return float(ends[:, 0].min()), float(ends[:, 1].max())

    def count_outside(self, low: float, high: float) -> int:
        """Return how many pixels are beyond the ends of a range."""
        return sum(int(((block < low) | (block > high)).sum()) for block in self.blocks())

    def noise_sigma(self) -> float:
        """Return the median noise of a pixel.

        Where it isn't known it is measured in the border of the images, an eighth of their width:
        1.4826 times the median distance from the median.

        Raises
        ------
        InputError
            If there is none.
        """
        if self.sigma is not None:
            return float(np.median(self.sigma))
        chosen = np.linspace(0, len(self.images) - 1, min(_NOISE_IMAGES, len(self.images)))
        sample = self.images[np.unique(chosen.astype(int))].astype(np.float64)
        inner = np.zeros(sample.shape[1:], bool)
        margins = [max(1, length // _BORDER) for length in inner.shape]
        inner[margins[0] : -margins[0], margins[1] : -margins[1]] = True
        border = sample[:, ~inner]
        distance = np.abs(border - np.median(border, axis=1, keepdims=True))
        sigma = 1.4826 * float(np.median(np.median(distance, axis=1)))
        if not sigma > 0:
            raise InputError(
                f"{self.path}: no noise in the borders of the images; give it with --noise-sigma"
            )
        return sigma


def open_source(path: Path, band: str | None = None) -> Source:
    """Open a folder of cutouts, a .npy array or a FITS cube (N, y, x).

    Parameters
    ----------
    path : Path
    band : str, optional
        Of the cutouts; needed where they have several.

    Raises
    ------
    InputError
        If it can't be read, or doesn't hold images.
    """
    if path.is_dir():
        found = open_cutouts(path, band)
        sigma = found.noise_sigma
        known = sigma if np.isfinite(sigma).all() else None
        return Source(path, found.images, found.unit, known, found.table)
    if band is not None:
        raise InputError(f"--band {band}: {path} is no folder of cutouts, it has no bands")
    stack = read_stack(path)
    return Source(path, stack.images, stack.unit or "nJy")
