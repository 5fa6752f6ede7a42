"""Cut-outs of a survey: mean, error and samples of each galaxy, as FITS with world coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from clumpygan import __version__
from clumpygan.instruments import GridPair
from clumpygan.io import rescaled_wcs, write_image
from clumpygan.recovery.scene import shifted_wcs
from clumpygan.survey.store import CUTOUTS, unit_name

Images = NDArray[np.float32]


def write_cutout(
    home: Path,
    unit: int,
    row: dict[str, Any],
    images: dict[str, Images],
    wcs: WCS | None,
    grid: GridPair,
) -> str:
    """Write the recovered images of a galaxy.

    Parameters
    ----------
    home : Path
        Folder of the survey.
    unit : int
    row : dict
        Of the catalogue: of its id, patch, seeing, noise and chi2 tell cards of the header.
    images : dict
        Name of the extension -> image (Y, X), or cube (S, Y, X) of samples; nJy per pixel.
    wcs : WCS or None
        Of the first image; others have it too.
    grid : GridPair

    Returns
    -------
    str
        The file, as seen from the folder.

    Raises
    ------
    OSError
        If the disk is full; it names the file.
    """
    name = Path(CUTOUTS, unit_name(unit), f"{row['id']}.fits")
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    letters = {key: _letters(row[key]) for key in ("id", "patch")}
    header = {
        "CREATOR": (f"clumpygan {__version__}", "program"),
        "OBJECT": (letters["id"], "galaxy of the catalogue"),
        "PATCH": (letters["patch"], "image in which it was recovered"),
        "SEEING": (row["seeing"], "FWHM of the observed PSF [arcsec]"),
        "SIGMA": (row["noise"], "noise of an observed pixel [nJy]"),
        "CHI2": (row["chi2"], "per pixel, of the recovered image seen again"),
    }
    scales = dict.fromkeys(images, grid.target_scale)
    write_image(path, images, wcs=wcs, header=header, pixel_scales=scales)
    return name.as_posix()


def cutout_wcs(wcs: WCS | None, corner: tuple[int, int], grid: GridPair) -> WCS | None:
    """Return the world coordinates of recovered pixels.

    Parameters
    ----------
    wcs : WCS or None
        Of the patch.
    corner : tuple of int
        Row and column of the patch where the cut-out begins, at the edge of a block of the grid.
    grid : GridPair
    """
    if wcs is None:
        return None
    moved = shifted_wcs(wcs, (-corner[0], -corner[1]))
    return rescaled_wcs(moved, grid.coarse_block / grid.fine_block)


def _letters(words: str) -> str:
    """Return words as a header holds them: other letters than those of ASCII become ?."""
    return words.encode("ascii", "replace").decode()
