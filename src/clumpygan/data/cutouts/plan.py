"""Which stamps are to be cut from which mosaics: all that is known before a pixel is read."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.data.cutouts.selection import select_galaxies
from clumpygan.data.cutouts.settings import CutoutSettings, FieldFiles
from clumpygan.data.cutouts.store import told, total
from clumpygan.errors import InputError, InputWarning
from clumpygan.io import read_psf
from clumpygan.io.mosaic import Mosaic, open_mosaic
from clumpygan.io.photometry import filter_of, nanojansky_per_count, zero_point_of

_SCALE_TOLERANCE = 0.01
_FILTER_IN_NAME = re.compile(r"(?:^|[_.\-])(f\d{3,4}(?:w|m|n|lp|x)\d?)(?=[_.\-]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class FieldPlan:
    """One field, opened.

    Attributes
    ----------
    files : FieldFiles
    mosaics : list of Mosaic
        B of them.
    weights : list of Mosaic
        B or none.
    segmentation : Mosaic or None
    zero_points : list
        AB magnitude of one count in each band; None: unknown, its fluxes stay in counts.
    table : astropy.table.Table
        The n galaxies, in the order of their rows in the first mosaic, with `x_offset` and
        `y_offset`, from the middle of the stamp in the first band to the position [pixel].
    corners : numpy.ndarray
        Shape (B, n, 2), int: first row and column of each stamp.
    skipped : dict of int
        How many rows of the catalogue were left out, by the reason.
    """

    files: FieldFiles
    mosaics: list[Mosaic]
    weights: list[Mosaic]
    segmentation: Mosaic | None
    zero_points: list[float | None]
    table: Table
    corners: np.ndarray
    skipped: dict[str, int]

    @property
    def factors(self) -> list[float]:
        """Flux of one count in each band, nJy; 1 where it isn't known."""
        return [1.0 if one is None else nanojansky_per_count(one) for one in self.zero_points]


@dataclass(frozen=True)
class CutoutPlan:
    """All fields of a set.

    Attributes
    ----------
    fields : list of FieldPlan
    bands : tuple of str
    pixel_scale : float
        arcsec.
    unit : str
        "nJy", or "counts".
    """

    fields: list[FieldPlan]
    bands: tuple[str, ...]
    pixel_scale: float
    unit: str

    @property
    def count(self) -> int:
        """Number of stamps to be cut."""
        return sum(len(one.table) for one in self.fields)


def plan_cutouts(settings: CutoutSettings, scratch: Path) -> CutoutPlan:
    """Open all files, apply the cuts, and find the galaxies on the mosaics.

    Parameters
    ----------
    settings : CutoutSettings
    scratch : Path
        Folder for what must be unpacked.

    Raises
    ------
    InputError
        If a file can't be used, files don't fit each other, or no galaxy is left.
    """
    mosaics = [[open_mosaic(name, scratch) for name in one.mosaics] for one in settings.fields]
    bands = settings.bands or _bands(mosaics[0], settings.fields[0])
    if len(set(bands)) < len(bands):
        raise InputError(f"two bands are called alike ({', '.join(bands)}); name them by `bands`")
    scale = mosaics[0][0].pixel_scale
    fields = []
    for files, images in zip(settings.fields, mosaics, strict=True):
        named = settings.bands or _bands(images, files)
        if named != bands:
            raise InputError(
                f"field {files.name} has the bands {', '.join(named)}, and field "
                f"{settings.fields[0].name} {', '.join(bands)}; expected the same, or name them by "
                "`bands`"
            )
        fields.append(_plan_field(files, images, bands, scale, settings, scratch))
    known = {value is not None for one in fields for value in one.zero_points}
    if len(known) > 1:
        raise InputError(
            "some mosaics say their zero point and some don't; give it by `zero_points`"
        )
    plan = CutoutPlan(fields, bands, scale, "nJy" if known == {True} else "counts")
    if plan.unit == "counts":
        warnings.warn(
            f"{settings.fields[0].mosaics[0]}: no zero point known (no BUNIT in Jy, no AB zero "
            "point, no known filter); fluxes stay in counts; give it by `zero_points` to have nJy",
            InputWarning,
            stacklevel=2,
        )
    if plan.count == 0:
        raise InputError(f"no galaxy is left: {told(total(one.skipped for one in fields))}")
    return plan


def _plan_field(
    files: FieldFiles,
    mosaics: list[Mosaic],
    bands: tuple[str, ...],
    scale: float,
    settings: CutoutSettings,
    scratch: Path,
) -> FieldPlan:
    for one in mosaics:
        if abs(one.pixel_scale - scale) > _SCALE_TOLERANCE * scale:
            raise InputError(
                f"{one.name}: the pixel scale is {one.pixel_scale:.4g} arcsec; expected "
                f"{scale:.4g} arcsec, as the first mosaic"
            )
    weights = [open_mosaic(name, scratch) for name in files.weights]
    for one, mosaic in zip(weights, mosaics, strict=False):
        _check_shape(one, mosaic, "weight map")
    segmentation = None if files.segmentation is None else open_mosaic(files.segmentation, scratch)
    if segmentation is not None:
        for mosaic in mosaics:
            _check_shape(segmentation, mosaic, "segmentation map")
    for name in files.psfs:
        read_psf(name)
    zero_points = settings.zero_points or [
        zero_point_of(one.header, one.other_headers, one.pixel_scale, band)
        for one, band in zip(mosaics, bands, strict=True)
    ]
    table, skipped = select_galaxies(files, settings, scale)
    if settings.edge == "skip" and settings.size > min(mosaics[0].shape):
        raise InputError(
            f"{mosaics[0].name}: {mosaics[0].shape[1]} x {mosaics[0].shape[0]} pixels are fewer "
            f"than a stamp of {settings.size}"
        )
    table, corners, lost = _placed(table, mosaics, settings)
    return FieldPlan(
        files, mosaics, weights, segmentation, list(zero_points), table, corners, skipped | lost
    )  # fmt: skip


def _placed(
    table: Table, mosaics: list[Mosaic], settings: CutoutSettings
) -> tuple[Table, np.ndarray, dict[str, int]]:
    """Return the galaxies whose stamps can be cut, sorted by row, and the corners of the stamps."""
    inside, whole = np.ones(len(table), bool), np.ones(len(table), bool)
    corners, offsets = [], np.zeros((2, len(table)))
    for band, mosaic in enumerate(mosaics):
        height, width = mosaic.shape
        x, y = mosaic.positions(table["ra"], table["dec"])
        inside &= (np.abs(x - (width - 1) / 2) <= width / 2) & (
            np.abs(y - (height - 1) / 2) <= height / 2
        )
        # As astropy's Cutout2D: the middle of the stamp is within half a pixel of the position.
        first = np.ceil(np.nan_to_num([y, x]) - settings.size / 2).astype(int)
        if band == 0:
            offsets = np.array([y, x]) - first - (settings.size - 1) / 2
        last = first + settings.size
        whole &= (first >= 0).all(axis=0) & (last[0] <= height) & (last[1] <= width)
        corners.append(first.T)
    lost = {"outside": int((~inside).sum()), "edge": 0}
    if settings.edge == "skip":
        lost["edge"] = int((inside & ~whole).sum())
        inside &= whole
    places = np.stack(corners)
    order = np.flatnonzero(inside)
    order = order[np.lexsort((places[0, order, 1], places[0, order, 0]))]
    kept = table[order]
    kept["x_offset"], kept["y_offset"] = offsets[1][order], offsets[0][order]
    return kept, places[:, order], lost


def _bands(mosaics: list[Mosaic], files: FieldFiles) -> tuple[str, ...]:
    """Return the names of the bands by the headers, or by the names of the files."""
    names = []
    for mosaic, name in zip(mosaics, files.mosaics, strict=True):
        headers = (mosaic.header, *mosaic.other_headers)
        band = next(filter(None, map(filter_of, headers)), None)
        if band is None:
            found = _FILTER_IN_NAME.search(Path(name).name)
            band = found[1].upper() if found else None
        if band is None and len(mosaics) > 1:
            raise InputError(f"{name}: the header names no filter; name all bands by `bands`")
        names.append(band or "image")
    return tuple(names)


def _check_shape(map_: Mosaic, mosaic: Mosaic, what: str) -> None:
    if map_.shape != mosaic.shape:
        raise InputError(
            f"{map_.name}: the {what} is {map_.shape[1]} x {map_.shape[0]} pixels; expected "
            f"{mosaic.shape[1]} x {mosaic.shape[0]}, as {mosaic.name}"
        )
