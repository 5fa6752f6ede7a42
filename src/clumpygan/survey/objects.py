"""The galaxies of a survey: from a catalogue or found in the images, each in one patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.errors import InputError
from clumpygan.io.catalog import read_catalog
from clumpygan.io.fits import open_fits
from clumpygan.io.wcs import pixels_of, read_wcs, sky_of
from clumpygan.survey.patches import SurveyPatch, read_patch
from clumpygan.survey.settings import SurveySettings

DETECTION = 5.0
"""Sigma of the smoothed image from which on a peak is a source."""

_FWHM_TO_SIGMA = 1 / 2.3548
USUAL_FWHM = 0.65
"""Arcsec, by which an image is smoothed for the detection where no FWHM is given."""

_PIXELS = (("x", "y", 0.0), ("x_image", "y_image", 1.0))
"""Columns of positions in pixels, and the number of the first pixel."""

_ALIKE = 1e-3
"""Pixels by which distances from the edges of two patches are the same: the first one has it."""

OUTSIDE = "outside of all patches"

_LONGEST_NAME = 200
"""Bytes of a galaxy's name: with an ending and what temporary files are called, one of a file."""


@dataclass(frozen=True, eq=False)
class Objects:
    """Galaxies and where they are.

    Attributes
    ----------
    id : ndarray (N,) of str
    ra, dec : ndarray (N,)
        Degrees; NaN where no patch has world coordinates.
    x, y : ndarray (N,)
        Pixels of their patch, from 0.
    patch : ndarray (N,) of int
        Number of the patch; -1 for what lies in none.
    """

    id: NDArray[np.str_]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    patch: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class Frame:
    """What is known of a patch from its header: shape and world coordinates."""

    path: Path
    shape: tuple[int, int]
    wcs: WCS | None


def find_objects(settings: SurveySettings, pixel_scale: float) -> Objects:
    """Return the galaxies that are to be recovered, patch by patch.

    Raises
    ------
    InputError
        If the catalogue can't be read, has no positions, or ids that are given twice or are paths;
        if a patch has no world coordinates, though positions are in degrees, or no galaxy lies in
        it.
    """
    frames = [_frame(path) for path in settings.image]
    if settings.catalog is None:
        found = _detected(settings, frames, pixel_scale)
    else:
        found = _of_catalog(_catalog(settings), frames, settings.catalog)
    for number, frame in enumerate(frames):
        if not (found.patch == number).any():
            where = "`detect`" if settings.catalog is None else str(settings.catalog)
            raise InputError(
                f"{where}: no galaxy lies in {frame.path}; expected some in each patch: leave it"
                " out, or give the catalogue of its field"
            )
    return found


def _frame(path: Path) -> Frame:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an image of the survey")
    with open_fits(path) as hdus:
        for hdu in hdus:
            if hdu.is_image and len(hdu.shape) == 2:
                return Frame(path, (hdu.shape[0], hdu.shape[1]), read_wcs(hdu.header))
    raise InputError(f"{path}: holds no image; expected an image of the survey")


def _catalog(settings: SurveySettings) -> Table:
    path = settings.catalog
    assert path is not None
    table = read_catalog(path)
    lower = {name.casefold(): name for name in table.colnames}
    for name in ("id", "ra", "dec", "x", "y", "x_image", "y_image"):
        if name in lower and lower[name] != name:
            table.rename_column(lower[name], name)
    names = np.array([str(one).strip() for one in table["id"]])
    table["id"] = names
    unique, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        twice = unique[counts > 1]
        raise InputError(
            f"{path}: the id {twice[0]} is given to {counts.max()} galaxies ({len(twice)} such ids)"
            "; expected each once"
        )
    check_names(names.tolist(), str(path))
    if settings.max_magnitude is not None:
        magnitude = _magnitude(table, path)
        table = table[magnitude < settings.max_magnitude]
        if not len(table):
            raise InputError(
                f"{path}: no galaxy is brighter than `max_magnitude` {settings.max_magnitude:g};"
                f" its brightest has {np.nanmin(magnitude):.2f}"
            )
    return table


def check_names(names: Sequence[str], where: str) -> None:
    """Check that names of galaxies can be those of files.

    Raises
    ------
    InputError
        For the first that can't; it says where it was given.
    """
    for one in names:
        if "/" in one or "\\" in one or one.startswith(".") or not one:
            raise InputError(f"{where}: the id '{one}' is a path or empty; expected a plain name")
        if len(one.encode()) > _LONGEST_NAME or not one.isprintable():
            raise InputError(
                f"{where}: the id {one[:40]!r} has {len(one)} letters; expected at most"
                f" {_LONGEST_NAME} that can be printed, as files are named by it"
            )


def _magnitude(table: Table, path: Path) -> NDArray[np.float64]:
    names = ("h_magnitude", "mag", "mag_auto", "i_cmodel_mag", "cmodel_mag")
    for name in (one for one in names if one in table.colnames):
        found = _numbers(table, name, path)
        if np.isfinite(found).any():
            return found
    raise InputError(
        f"{path}: has no magnitudes for `max_magnitude`; expected a column {', '.join(names)}"
    )


def _numbers(table: Table, name: str, path: Path) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where it is masked."""
    try:
        return np.asarray(np.ma.filled(np.ma.asarray(table[name]).astype(float), np.nan))
    except (TypeError, ValueError, OverflowError):  # words, or lists in each row
        raise InputError(
            f"{path}: the column {name} doesn't hold a number in each row; expected numbers"
        ) from None


def _of_catalog(table: Table, frames: Sequence[Frame], path: Path) -> Objects:
    """Give each galaxy of a catalogue to the patch whose edges are farthest from it."""
    count = len(table)
    sky = {"ra", "dec"} <= set(table.colnames)
    pixels = next((one for one in _PIXELS if {*one[:2]} <= set(table.colnames)), None)
    if sky and len(frames) == 1 and frames[0].wcs is None and pixels is not None:
        sky = False
    if not sky and pixels is None:
        raise InputError(
            f"{path}: has columns {', '.join(table.colnames[:8])}; expected ra and dec in degrees,"
            " or x and y in pixels"
        )
    if not sky and len(frames) > 1:
        raise InputError(
            f"{path}: has positions in pixels and there are {len(frames)} patches; expected ra and"
            " dec in degrees"
        )
    best = np.full(count, -np.inf)
    patch = np.full(count, -1)
    x, y = np.full(count, np.nan), np.full(count, np.nan)
    ra, dec = np.full(count, np.nan), np.full(count, np.nan)
    if sky:
        ra, dec = (_numbers(table, name, path) for name in ("ra", "dec"))
    for number, frame in enumerate(frames):
        if sky:
            if frame.wcs is None:
                raise InputError(
                    f"{frame.path}: has no world coordinates, and {path} positions in degrees;"
                    " expected a WCS, or positions x and y in pixels"
                )
            own_x, own_y = pixels_of(frame.wcs, frame.shape, ra, dec)
        else:
            assert pixels is not None
            own_x, own_y = (_numbers(table, name, path) - pixels[2] for name in pixels[:2])
        depth = _depth(own_x, own_y, frame.shape)
        nearer = (depth > best + _ALIKE) & (depth > 0)
        best[nearer], patch[nearer] = depth[nearer], number
        x[nearer], y[nearer] = own_x[nearer], own_y[nearer]
    if not sky and frames[0].wcs is not None:
        inside = patch == 0
        ra[inside], dec[inside] = sky_of(frames[0].wcs, x[inside], y[inside])
    return Objects(np.asarray(table["id"], str), ra, dec, x, y, patch)


def _detected(settings: SurveySettings, frames: Sequence[Frame], pixel_scale: float) -> Objects:
    """Find the peaks of each patch; what lies in two is of that whose edges are farther."""
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "ra", "dec", "x", "y", "patch")}
    for number, frame in enumerate(frames):
        patch = read_patch(frame.path, pixel_scale, settings.weight_of(frame.path))
        x, y = find_peaks_of(patch, (settings.psf_fwhm or USUAL_FWHM) / pixel_scale)
        if settings.max_magnitude is not None:
            bright = _aperture_magnitude(patch, x, y, pixel_scale) < settings.max_magnitude
            x, y = x[bright], y[bright]
        ra, dec = np.full(len(x), np.nan), np.full(len(x), np.nan)
        if frame.wcs is not None and len(x):
            ra, dec = sky_of(frame.wcs, x, y)
        elif len(frames) > 1:
            raise InputError(
                f"{frame.path}: has no world coordinates; expected them in each of several patches,"
                " as overlaps are recovered once"
            )
        keep = np.ones(len(x), bool)
        for other, one in enumerate(frames):
            if other != number and one.wcs is not None and frame.wcs is not None and len(x):
                there_x, there_y = pixels_of(one.wcs, one.shape, ra, dec)
                here, there = _depth(x, y, frame.shape), _depth(there_x, there_y, one.shape)
                alike = np.abs(here - there) < _ALIKE
                keep &= ~(there > 0) | np.where(alike, number < other, here > there)
        stem = frame.path.name.partition(".")[0]
        digits = len(str(len(x)))
        columns["id"] += [f"{stem}-{i + 1:0{digits}d}" for i in np.flatnonzero(keep)]
        for name, values in (("ra", ra), ("dec", dec), ("x", x), ("y", y)):
            columns[name] += values[keep].tolist()
        columns["patch"] += [number] * int(keep.sum())
    names = np.array(columns["id"], str)
    if len(np.unique(names)) < len(names):
        raise InputError(
            "`image`: two patches have the same name; rename one, as ids are made of it"
        )
    ra, dec, x, y = (np.array(columns[name], float) for name in ("ra", "dec", "x", "y"))
    return Objects(names, ra, dec, x, y, np.array(columns["patch"], int))


def _depth(x: Any, y: Any, shape: tuple[int, int]) -> Any:
    """Return how far positions are from the nearest edge of a patch, in pixels."""
    return np.minimum.reduce([x + 0.5, y + 0.5, shape[1] - 0.5 - x, shape[0] - 0.5 - y])


def find_peaks_of(
    patch: SurveyPatch, fwhm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where a patch, smoothed by its PSF, has peaks above `DETECTION` sigma: x and y.

    Of a point source in white noise that is the best filter; noise that neighbours share raises the
    level. Peaks are those of photutils.
    """
    from photutils.detection import find_peaks

    width = fwhm * _FWHM_TO_SIGMA
    smooth = gaussian_filter(np.where(patch.mask, 0, patch.data), width)
    # White noise smoothed by a Gaussian of width s has sigma / (2 sqrt(pi) s).
    noise = patch.shared_noise * gaussian_filter(patch.sigma, width) / (2 * np.sqrt(np.pi) * width)
    level = DETECTION * noise
    found = find_peaks(smooth, level, box_size=max(3, round(fwhm) | 1), mask=patch.mask)
    if found is None:
        return np.zeros(0), np.zeros(0)
    return np.asarray(found["x_peak"], float), np.asarray(found["y_peak"], float)


def _aperture_magnitude(
    patch: SurveyPatch, x: NDArray[np.float64], y: NDArray[np.float64], pixel_scale: float
) -> NDArray[np.float64]:
    """Return AB magnitudes in r = 1"."""
    from photutils.aperture import CircularAperture, aperture_photometry

    if not len(x):
        return np.zeros(0)
    sums = aperture_photometry(
        np.where(patch.mask, 0, patch.data), CircularAperture(np.stack([x, y], 1), 1 / pixel_scale)
    )["aperture_sum"]
    flux = np.asarray(sums, float)
    return np.asarray(31.4 - 2.5 * np.log10(np.where(flux > 0, flux, np.nan)))
