"""A galaxy ready to be recovered: what a Subaru HSC image shows of it, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK

MINIMUM_HSC_PIXELS = 25
"""The smallest side of an HSC stamp that is recovered; smaller stamps are surrounded by sky."""


@dataclass
class Scene:
    """One galaxy on the two grids, HSC's (y, x) and HST's (Y, X) = 14/5 (y, x), of one centre.

    Attributes
    ----------
    title, subtitle : str
        Which galaxy this is, and how it was or is observed, one line each.
    observed : numpy.ndarray
        The HSC image (y, x), float32, `unit` per HSC pixel.
    sigma : float
        Noise of one HSC pixel, `unit`.
    psf : Any
        What `SuperResolver.recover` wants to know of the HSC PSF (an `ObservedPsf`).
    seeing : float
        FWHM of the HSC PSF in arcsec.
    observed_mask : numpy.ndarray
        (y, x) bool, True where the HSC pixel has no data.
    reference_mask : numpy.ndarray
        (Y, X) bool, True where the HST pixel has no data.
    reference : numpy.ndarray or None
        The HST image (Y, X), float32, `unit` per HST pixel; None where there is none.
    reference_sigma : float
        Noise of one HST pixel, `unit`; 0 for a noise-free model.
    reference_name : str
        What the HST image is, in three words, for the picture.
    observed_name : str
        What the HSC image is.
    reference_fwhm : float
        FWHM of the PSF of the HST image and of the recovered one, in arcsec.
    redshift, magnitude : float or None
        Redshift and AB magnitude, where they are known.
    magnitude_name : str
        The band of the magnitude, such as "H".
    unit : str
        "nJy", or "counts" where the zero point is unknown.
    observed_wcs, reference_wcs : astropy.wcs.WCS or None
        World coordinates of the two grids.
    facts : dict
        What else is known (depths, registration, files), for the JSON file.
    remarks : list of str
        What a user should know, in sentences, for the terminal and the JSON file.
    """

    title: str
    observed: np.ndarray
    sigma: float
    psf: Any
    seeing: float
    observed_mask: np.ndarray
    reference_mask: np.ndarray
    subtitle: str = ""
    reference: np.ndarray | None = None
    reference_sigma: float = 0.0
    reference_name: str = "HST"
    observed_name: str = "HSC"
    reference_fwhm: float = 0.0
    redshift: float | None = None
    magnitude: float | None = None
    magnitude_name: str = "H"
    unit: str = "nJy"
    observed_wcs: Any = None
    reference_wcs: Any = None
    facts: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def recovered_mask(self) -> np.ndarray:
        """(Y, X) bool, True where nothing is recovered because HSC has no data."""
        return fine_mask(self.observed_mask)


@dataclass
class Recovery:
    """The images made of one scene, and their measurements.

    Attributes
    ----------
    best, error, sample : numpy.ndarray
        (Y, X) float32, unit of the scene per HST pixel: mean of the samples, their spread, and
        the first of them.
    richardson_lucy : numpy.ndarray or None
        (Y, X), None if it wasn't wanted.
    residual : numpy.ndarray
        (y, x): the HSC image minus the recovered one seen by HSC, in units of the noise.
    count : int
        Number of samples.
    nucleus : tuple of float
        (y, x) in HST pixels: the galaxy that was measured.
    metrics : dict
        method ("network", "sample", "richardson_lucy") -> metric -> value.
    """

    best: np.ndarray
    error: np.ndarray
    sample: np.ndarray
    richardson_lucy: np.ndarray | None
    residual: np.ndarray
    count: int
    nucleus: tuple[float, float]
    metrics: dict[str, dict[str, float | None]]


def blocks(size: int, block: int, minimum_blocks: int) -> int:
    """Return the smallest multiple of `block` that holds `size` pixels and `minimum_blocks`.

    >>> blocks(54, 5, 5)
    55
    """
    return block * max(-(-size // block), minimum_blocks)


def padded_shape(shape: tuple[int, int], block: int) -> tuple[int, int]:
    """Return `shape` enlarged to whole blocks of 14 HST or 5 HSC pixels, and to 25 HSC pixels."""
    minimum = MINIMUM_HSC_PIXELS // COARSE_BLOCK
    rows, columns = (blocks(size, block, minimum) for size in shape)
    return rows, columns


def coarse_shape(fine_shape: tuple[int, int]) -> tuple[int, int]:
    """Return the HSC shape (y, x) of an HST stamp of whole blocks (Y, X)."""
    rows, columns = (size * COARSE_BLOCK // FINE_BLOCK for size in fine_shape)
    return rows, columns


def fine_shape(coarse: tuple[int, int]) -> tuple[int, int]:
    """Return the HST shape (Y, X) of an HSC stamp of whole blocks (y, x)."""
    rows, columns = (size * FINE_BLOCK // COARSE_BLOCK for size in coarse)
    return rows, columns


def shown_part(mask: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of the HSC stamp to be shown.

    The smallest rectangle with all data, widened to 25 pixels where the stamp is that large.
    """
    parts = []
    for axis in (1, 0):
        size = mask.shape[1 - axis]
        used = np.flatnonzero(~mask.all(axis=axis))
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, size)
        wanted = min(max(last - first, MINIMUM_HSC_PIXELS), size)
        first = int(np.clip((first + last - wanted) // 2, 0, size - wanted))
        parts.append(slice(first, first + wanted))
    return parts[0], parts[1]


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
    moved.wcs.crpix = moved.wcs.crpix + np.array([corner[1], corner[0]])
    return moved


def coarse_mask(fine_mask: np.ndarray) -> np.ndarray:
    """Return the HSC pixels (y, x) of which the HST mask (Y, X) hides more than half.

    The coverage of an HSC pixel is the area of unmasked HST pixels in it: 14 HST pixels are cut
    into five equal parts each, of which 14 in turn make one HSC pixel.
    """
    rows, columns = coarse_shape(fine_mask.shape)
    hidden = np.repeat(fine_mask, COARSE_BLOCK, axis=0).reshape(rows, FINE_BLOCK, -1).mean(axis=1)
    hidden = np.repeat(hidden, COARSE_BLOCK, axis=1).reshape(rows, columns, FINE_BLOCK)
    return np.asarray(hidden.mean(axis=2) > 0.5)


def fine_mask(mask: np.ndarray) -> np.ndarray:
    """Return the HST pixels (Y, X) whose centres lie in masked HSC pixels (y, x)."""
    rows, columns = (
        np.floor((np.arange(size) + 0.5) * COARSE_BLOCK / FINE_BLOCK).astype(int)
        for size in fine_shape(mask.shape)
    )
    return np.asarray(mask[np.ix_(rows, columns)])
