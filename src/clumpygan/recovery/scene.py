"""A galaxy ready to be recovered: what an observed image shows of it, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy.wcs import Sip

from clumpygan.errors import InputError
from clumpygan.instruments import GridPair, SurveyPair, fwhm_of, matching_transfer
from clumpygan.recovery.settings import DEFAULT_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    import galsim
    from torch import Tensor

    from clumpygan.io import Image

MINIMUM_WIDTH = 4.2
"""Smallest side of a stamp that is recovered, in arcsec: 25 pixels of HSC. Smaller ones are
surrounded by sky."""

SMALLEST_FIELD = 1.0
"""arcsec: an image narrower than that shows nothing of a galaxy seen from the ground."""

LARGEST_FIELD = 45.0
"""arcsec: width up to which a whole image is recovered in the memory of a small machine."""


@dataclass(frozen=True)
class SeenThrough:
    """One measured or modelled PSF of a survey over a sharp one, both with their pixel response.

    Attributes
    ----------
    blurred, sharp : galsim.GSObject
        PSF of the observed image, and the one that the recovered image has.
    """

    blurred: galsim.GSObject
    sharp: galsim.GSObject

    @property
    def fwhm(self) -> Tensor:
        """(1,), arcsec: width of the observed PSF."""
        return torch.tensor([fwhm_of(self.blurred)], dtype=torch.float32)

    def __call__(self, frequencies: tuple[Tensor, Tensor]) -> Tensor:
        """Return the ratio of the transfer functions (1, Ky, Kx) at (ky, kx) in cycles/arcsec.

        Raises
        ------
        InputError
            If the observed PSF is the sharper one.
        """
        return matching_transfer(self.blurred, self.sharp, frequencies)[None]


@dataclass(frozen=True, eq=False)
class Scene:
    """One galaxy on the two grids of a pair, (y, x) and (Y, X), of one centre.

    Attributes
    ----------
    pair : SurveyPair
        The survey that observed it, the target that is recovered, and their pixels.
    title, subtitle : str
        Which galaxy this is, and how it was or is observed, one line each.
    observed : numpy.ndarray
        The observed image (y, x), float32, `unit` per pixel.
    sigma : float
        Noise of one of its pixels, `unit`; the median where they differ.
    shared_noise : float
        By how much noise in apertures exceeds that of white noise. The network, which knows white
        noise alone, is told `sigma` times this. Where noise is 1.3 times as much in apertures
        pulls of fluxes in 0.6" to 1.5" are then 1.3 to 1.4 wide (rms of 80 galaxies), else 1.5 to
        1.7, and of white noise 0.9 to 1.2 (`benchmarks/shared_noise.py --n 80 --seed 4`).
    psf : SeenThrough
        The PSF of the observed image and that of the recovered one.
    seeing : float
        FWHM of the observed PSF in arcsec.
    observed_mask : numpy.ndarray
        (y, x) bool, True where the observed pixel has no data.
    reference_mask : numpy.ndarray
        (Y, X) bool, True where the reference has no data.
    sigma_map : numpy.ndarray or None
        (y, x), noise of each observed pixel, `unit`, by which chi^2 and residuals are measured and
        Richardson-Lucy weighs; None where it is `sigma` everywhere.
    reference : numpy.ndarray or None
        The sharp image (Y, X), float32, `unit` per pixel; None where there is none.
    reference_sigma : float
        Noise of one of its pixels, `unit`; 0 for a noise-free model.
    reference_apart : bool
        Whether that noise is none of the observed image's, as of another telescope.
    reference_name : str
        What the sharp image is, in three words, for the picture.
    observed_name : str
        What the observed image is.
    reference_fwhm : float
        FWHM of the PSF of the sharp image and of the recovered one, in arcsec.
    redshift, magnitude : float or None
        Redshift and AB magnitude, where they are known.
    magnitude_name : str
        The band of the magnitude, such as "H".
    unit : str
        "nJy", or "counts" where the zero point is unknown.
    observed_wcs, reference_wcs : astropy.wcs.WCS or None
        World coordinates of the two grids.
    facts : mapping
        What else is known (depths, registration, files), for the JSON file.
    remarks : tuple of str
        What a user should know, in sentences, for the terminal and the JSON file.
    """

    pair: SurveyPair
    title: str
    observed: np.ndarray
    sigma: float
    psf: SeenThrough
    seeing: float
    observed_mask: np.ndarray
    reference_mask: np.ndarray
    subtitle: str = ""
    sigma_map: np.ndarray | None = None
    shared_noise: float = 1.0
    reference: np.ndarray | None = None
    reference_sigma: float = 0.0
    reference_apart: bool = False
    reference_name: str = "HST"
    observed_name: str = "HSC"
    reference_fwhm: float = 0.0
    redshift: float | None = None
    magnitude: float | None = None
    magnitude_name: str = "H"
    unit: str = "nJy"
    observed_wcs: Any = None
    reference_wcs: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def noise(self) -> float | np.ndarray:
        """Noise of the observed pixels: the map (y, x), or the one number."""
        return self.sigma if self.sigma_map is None else self.sigma_map

    @property
    def recovered_mask(self) -> np.ndarray:
        """(Y, X) bool, True where nothing is recovered because nothing was observed."""
        return fine_mask(self.observed_mask, self.grid)

    @property
    def grid(self) -> GridPair:
        """The pixels of the observed and of the recovered image."""
        return self.pair.grid


def blocks(size: int, block: int, minimum_blocks: int) -> int:
    """Return the smallest multiple of `block` that holds `size` pixels and `minimum_blocks`.

    >>> blocks(54, 5, 5)
    55
    """
    return block * max(-(-size // block), minimum_blocks)


def padded_shape(shape: tuple[int, int], block: int, grid: GridPair) -> tuple[int, int]:
    """Return `shape` enlarged to whole blocks of the grid, and to 4.2".

    Parameters
    ----------
    shape : tuple of int
    block : int
        The fine or the coarse block of `grid`, by whose pixels `shape` counts.
    grid : GridPair
    """
    rows, columns = (blocks(size, block, grid.blocks_in(MINIMUM_WIDTH)) for size in shape)
    return rows, columns


def smallest_stamp(grid: GridPair) -> int:
    """Return the smallest side of an observed stamp that is recovered, in its pixels."""
    return grid.coarse_block * grid.blocks_in(MINIMUM_WIDTH)


def shown_part(mask: np.ndarray, grid: GridPair) -> tuple[slice, slice]:
    """Return the rows and columns of the observed stamp to be shown.

    The smallest rectangle with all data, widened to 4.2" where the stamp is that large.
    """
    parts = []
    for axis in (1, 0):
        size = mask.shape[1 - axis]
        used = np.flatnonzero(~mask.all(axis=axis))
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, size)
        wanted = min(max(last - first, smallest_stamp(grid)), size)
        first = int(np.clip((first + last - wanted) // 2, 0, size - wanted))
        parts.append(slice(first, first + wanted))
    return parts[0], parts[1]


def corner_around(y: float, x: float, size: int) -> tuple[int, int]:
    """Return the first row and column of a stamp of `size` pixels on a side around a position."""
    return round(y - (size - 1) / 2), round(x - (size - 1) / 2)


def stamp_around(
    shape: tuple[int, ...], y: float, x: float, size: int
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return where a stamp around a position is in an image, and what of it lies outside.

    Parameters
    ----------
    shape : tuple of int
        (y, x) of the image.
    y, x : float
        Position in pixels.
    size : int
        Pixels on a side.

    Returns
    -------
    tuple of numpy.ndarray
        Rows (size, 1) and columns (1, size), that index the image; beyond its edges its last ones.
    numpy.ndarray
        (size, size) bool, True outside the image.
    """
    top, left = corner_around(y, x, size)
    rows, columns = np.arange(top, top + size), np.arange(left, left + size)
    outside = ((rows < 0) | (rows >= shape[0]))[:, None] | ((columns < 0) | (columns >= shape[1]))
    inside = rows.clip(0, shape[0] - 1)[:, None], columns.clip(0, shape[1] - 1)[None]
    return inside, outside


def embed(array: np.ndarray, shape: tuple[int, int], fill: float | bool) -> np.ndarray:
    """Put a 2-D array into the middle of a larger one of `shape`, the rest being `fill`.

    The first pixel of `array` comes to lie on `embedding_corner(array.shape, shape)`.
    """
    top, left = embedding_corner(array.shape, shape)
    larger = np.full(shape, fill, dtype=array.dtype)
    larger[top : top + array.shape[0], left : left + array.shape[1]] = array
    return larger


def embedding_corner(inner: tuple[int, ...], outer: tuple[int, ...]) -> tuple[int, int]:
    """Return the row and column at which `embed` puts the first pixel."""
    return (outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2


def shifted_wcs(wcs: Any, corner: tuple[int, int]) -> Any:
    """Return the world coordinates of an image that was embedded at `corner` (row, column)."""
    if wcs is None:
        return None
    moved = wcs.deepcopy()
    shift = np.array([corner[1], corner[0]])
    moved.wcs.crpix = moved.wcs.crpix + shift
    if moved.sip is not None:
        old = moved.sip
        moved.sip = Sip(old.a, old.b, old.ap, old.bp, old.crpix + shift)
    return moved


def coarse_mask(mask: np.ndarray, grid: GridPair) -> np.ndarray:
    """Return the observed pixels (y, x) of which a mask (Y, X) of sharp ones hides more than half.

    The coverage of an observed pixel is the area of unmasked pixels in it: of HST's 14 pixels to
    HSC's 5, each is cut into five equal parts, of which 14 in turn make one of HSC.
    """
    fine, coarse = grid.fine_block, grid.coarse_block
    rows, columns = grid.coarse_shape((mask.shape[0], mask.shape[1]))
    hidden = np.repeat(mask, coarse, axis=0).reshape(rows, fine, -1).mean(axis=1)
    hidden = np.repeat(hidden, coarse, axis=1).reshape(rows, columns, fine)
    return np.asarray(hidden.mean(axis=2) > 0.5)


def fine_mask(mask: np.ndarray, grid: GridPair) -> np.ndarray:
    """Return the sharp pixels (Y, X) whose centres lie in masked observed ones (y, x)."""
    rows, columns = (
        np.floor((np.arange(size) + 0.5) * grid.coarse_block / grid.fine_block).astype(int)
        for size in grid.fine_shape((mask.shape[0], mask.shape[1]))
    )
    return np.asarray(mask[np.ix_(rows, columns)])


def title_of(path: Path) -> str:
    """Return what an image is called in titles: the name of its file, or of its setting."""
    return path.name.strip("`")


def asked_part(
    image: Image, position: tuple[float, float] | None, size: float | None = None
) -> Image:
    """Return the part of an image around a position, or all of it without one.

    Parameters
    ----------
    image : Image
    position : tuple of float, optional
        (x, y) in pixels, the first being 1.
    size : float, optional
        Width and height of the part in arcsec; the default is `DEFAULT_SIZE`.

    Raises
    ------
    InputError
        If the position lies outside, the part holds no data or nothing but one value, or the
        whole is too large or too small.
    """
    rows, columns = part_around(image, position, size)
    part = replace(
        image,
        data=image.data[rows, columns],
        mask=image.mask[rows, columns],
        wcs=shifted_wcs(image.wcs, (-rows.start, -columns.start)),
    )
    check_usable(part)
    return part


def check_usable(image: Image) -> None:
    """Refuse an image in which no galaxy can be.

    Raises
    ------
    InputError
        If it is narrower than 1", has hardly a pixel with data, or nothing but one value.
    """
    rows, columns = image.data.shape
    narrow = min(rows, columns) * image.pixel_scale
    if narrow < SMALLEST_FIELD:
        raise InputError(
            f'{image.path}: {columns} x {rows} pixels, {narrow:.2g}" at the narrowest; expected'
            f' {SMALLEST_FIELD:g}" or more'
        )
    known = image.data[~image.mask]
    if known.size * image.pixel_scale**2 < SMALLEST_FIELD**2:
        raise InputError(f"{image.path}: {known.size} pixels hold data: too few to see a galaxy")
    if known.min() == known.max():
        raise InputError(f"{image.path}: the pixels are all {known[0]:g}: there is no galaxy in it")


def part_around(
    image: Image, position: tuple[float, float] | None, size: float | None
) -> tuple[slice, slice]:
    """Return the rows and columns of `asked_part`.

    Raises
    ------
    InputError
        If the position lies outside, the part holds no data, or the whole is too large.
    """
    rows, columns = image.data.shape
    if position is None:
        width = max(rows, columns) * image.pixel_scale
        if width > LARGEST_FIELD:
            raise InputError(
                f'{image.path}: the field is {width:.0f}" wide; expected {LARGEST_FIELD:.0f}" at'
                " most: take a part with `position` X Y"
            )
        return slice(0, rows), slice(0, columns)
    x, y = (coordinate - 1 for coordinate in position)
    where = f"`position` {x + 1:g} {y + 1:g}"
    if not (-0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5):
        raise InputError(f"{where} lies outside {image.path}, which has {columns} x {rows} pixels")
    side = round(min(size or DEFAULT_SIZE, LARGEST_FIELD) / image.pixel_scale)
    first, start = round(y - (side - 1) / 2), round(x - (side - 1) / 2)
    bottom, top = max(first, 0), min(first + side, rows)
    left, right = max(start, 0), min(start + side, columns)
    part = (slice(bottom, top), slice(left, right))
    if image.mask[part].all():
        raise InputError(f"{image.path}: no valid pixel around {where}")
    return part
