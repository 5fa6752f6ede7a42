"""PSFs of a survey: one for all, for each patch, for each galaxy, on a grid, or of its stars."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path

import galsim
import numpy as np
import torch
from astropy.io import fits
from numpy.typing import NDArray

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import SurveyPair
from clumpygan.io.atomic import keep
from clumpygan.io.fits import ENDINGS, open_fits, stem_of, write_fits
from clumpygan.recovery.camera import measured_psf
from clumpygan.recovery.scene import SeenThrough
from clumpygan.survey.objects import USUAL_FWHM, Objects, find_peaks_of
from clumpygan.survey.patches import read_patch, version_of
from clumpygan.survey.settings import SurveySettings
from clumpygan.survey.star_psfs import (
    FEWEST_STARS,
    StarPsf,
    find_stars,
    measure_psfs,
)
from clumpygan.survey.store import MEASURED_PSF, PSFS, begun_with

MISSING = "no PSF"

_ERROR = "FWHMERR"


@dataclass(frozen=True)
class PsfFiles:
    """Which PSF each galaxy is seen through.

    Attributes
    ----------
    files : tuple of path
        PSFs, empty where there is a FWHM alone.
    number : ndarray (N,)
        Which of them, of each galaxy; -1 where there is none.
    measured : tuple of StarPsf
        What is in `files`, or to be written into them, where they are measured of stars.
    pixel_scale : float
        Arcsec, of the pixels of those.
    written : bool
        Whether they are in `files` already.
    """

    files: tuple[Path, ...]
    number: NDArray[np.int64]
    measured: tuple[StarPsf, ...] = ()
    pixel_scale: float = 0.0
    written: bool = False

    @property
    def digest(self) -> str:
        """Of what was measured, empty where nothing was."""
        return _digest(self.measured)

    def write(self) -> None:
        """Write the measured ones, with X and Y, NSTARS and the relative error of their width.

        Raises
        ------
        OSError
            If the disk is full; it names the file.
        """
        if self.written:
            return
        for path, psf in zip(self.files, self.measured, strict=bool(self.measured)):
            path.parent.mkdir(exist_ok=True)
            header = fits.Header()
            header["PIXSCALE"] = (self.pixel_scale, "arcsec")
            header["X"], header["Y"] = (psf.x, "pixel of the patch, from 0"), (psf.y, "the same")
            header["NSTARS"] = (psf.stars, "of which it was measured")
            header[_ERROR] = (psf.error, "relative error of its width")
            write_fits(path, [fits.PrimaryHDU(psf.image, header)])


def assign_psfs(settings: SurveySettings, objects: Objects, pixel_scale: float) -> PsfFiles:
    """Return the PSF of each galaxy.

    Parameters
    ----------
    settings : SurveySettings
    objects : Objects
    pixel_scale : float
        Of the patches, arcsec.

    Raises
    ------
    InputError
        If a file or the folder doesn't exist, or the folder holds no PSF.
    """
    count = len(objects)
    if settings.psf_stars:
        return _of_stars(settings, objects, pixel_scale)
    if not settings.psf:
        return PsfFiles((), np.zeros(count, int))
    for path in settings.psf:
        if not path.exists():
            raise InputError(f"`psf` {path}: no such file or folder; expected images of the PSF")
    if len(settings.psf) == 1 and settings.psf[0].is_dir():
        return _of_folder(settings.psf[0], objects)
    if len(settings.psf) == 1:
        return PsfFiles(settings.psf, np.zeros(count, int))
    return PsfFiles(settings.psf, objects.patch)


def _of_folder(folder: Path, objects: Objects) -> PsfFiles:
    files = sorted(one for one in folder.iterdir() if one.name.lower().endswith(ENDINGS))
    if not files:
        raise InputError(f"`psf` {folder}: holds no FITS file; expected images of the PSF")
    for path in files:
        keep(path)
    places = [_place(path) for path in files]
    if all(place is not None for place in places):
        grid = np.array(places, float)
        nearest = _nearest(grid, objects)
        return PsfFiles(tuple(files), nearest)
    named = {stem_of(path): i for i, path in enumerate(files)}
    number = np.array([named.get(one, -1) for one in objects.id.tolist()])
    if (number < 0).all():
        raise InputError(
            f"`psf` {folder}: has neither X and Y in the headers nor names of galaxies, as"
            f" {objects.id[0]}.fits; expected one of them"
        )
    return PsfFiles(tuple(files), number)


def _digest(measured: Iterable[StarPsf]) -> str:
    images = b"".join(one.image.tobytes() for one in measured)
    return sha256(images).hexdigest() if images else ""


def _of_stars(settings: SurveySettings, objects: Objects, pixel_scale: float) -> PsfFiles:
    """Measure the PSFs of each patch; a patch with too few stars has none.

    Those of a survey that goes on are read: they needn't be the same to the last bit elsewhere.
    """
    files: list[Path] = []
    measured: list[StarPsf] = []
    number = np.full(len(objects), -1)
    before = _measured_before(settings)
    for patch_number, path in enumerate(settings.image):
        if before is not None:
            found = before[patch_number]
        else:
            patch = read_patch(path, pixel_scale, settings.weight_of(path))
            x, y = find_peaks_of(patch, USUAL_FWHM / pixel_scale)
            found = measure_psfs(patch, find_stars(patch, x, y, pixel_scale))
        rows = objects.patch == patch_number
        if found and rows.any():
            grid = np.array([(one.x, one.y) for one in found])
            number[rows] = len(files) + _nearest(grid, objects)[rows]
        stem = path.name.partition(".")[0]
        files += [
            settings.output / PSFS / f"{patch_number:04d}-{stem}-{i:02d}.fits"
            for i in range(len(found))
        ]
        measured += found
    if not measured:
        raise InputError(
            f"`psf_stars`: {settings.image[0]} has fewer than {FEWEST_STARS} bright stars that are"
            " alone, or none that can be fitted; give `psf` or `psf_fwhm`"
        )
    return PsfFiles(tuple(files), number, tuple(measured), pixel_scale, before is not None)


def _measured_before(settings: SurveySettings) -> list[list[StarPsf]] | None:
    """Return the PSFs of each patch in the folder, None unless they are those of its card."""
    folder = settings.output / PSFS
    try:
        found = [
            [_read(path) for path in sorted(folder.glob(f"{number:04d}-*.fits"))]
            for number in range(len(settings.image))
        ]
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return None  # damaged: they are measured again
    digest = _digest(one for psfs in found for one in psfs)
    return found if digest and digest == begun_with(settings.output, MEASURED_PSF) else None


def _read(path: Path) -> StarPsf:
    with open_fits(path) as hdus:
        header = hdus[0].header
        image = np.array(hdus[0].data, np.float32)
    return StarPsf(
        image, float(header["X"]), float(header["Y"]), int(header["NSTARS"]), _error_of(header)
    )


def _place(path: Path) -> tuple[float, float] | None:
    """Return (X, Y) of a header; None where it hasn't both."""
    header = _header_of(path)
    found = header.get("X"), header.get("Y")
    if all(isinstance(one, int | float) for one in found):
        return float(found[0]), float(found[1])
    return None


def _header_of(path: Path) -> fits.Header:
    """Return the first header of a file."""
    with open_fits(path) as hdus:
        header: fits.Header = hdus[0].header
        return header


def _nearest(grid: NDArray[np.float64], objects: Objects) -> NDArray[np.int64]:
    """Return the point of the grid that is nearest to each galaxy."""
    from scipy.spatial import cKDTree

    position = np.nan_to_num(np.stack([objects.x, objects.y], 1))
    return np.asarray(cKDTree(grid).query(position)[1], np.int64)


class KeptPsf:
    """A PSF over the sharp one, whose width and transfer function are computed once.

    Parameters
    ----------
    seen : SeenThrough
    error : float
        Relative error of its width; NaN where it isn't known.
    """

    def __init__(self, seen: SeenThrough, error: float = np.nan) -> None:
        self._seen = seen
        self._error = error
        self._transfers: dict[tuple[int, int], torch.Tensor] = {}

    @cached_property
    def fwhm(self) -> float:
        """Arcsec."""
        return float(self._seen.fwhm)

    @property
    def fwhm_error(self) -> float:
        """Arcsec; NaN where it isn't known."""
        return self._error * self.fwhm

    def transfer(self, frequencies: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return the ratio of the transfer functions (Ky, Kx) on a grid of frequencies."""
        shape = len(frequencies[0]), frequencies[1].shape[-1]
        if shape not in self._transfers:
            self._transfers[shape] = self._seen(frequencies)[0]
        return self._transfers[shape]


def psf_of(path: Path | None, fwhm: float | None, pair: SurveyPair) -> KeptPsf:
    """Return a PSF, kept for the galaxies that share it until its file is written again.

    Raises
    ------
    InputError
        If it can't be read, or is sharper than what is recovered.
    """
    return _kept(path, fwhm, pair, version_of(path))


@lru_cache(maxsize=256)
def _kept(path: Path | None, fwhm: float | None, pair: SurveyPair, _version: object) -> KeptPsf:
    psf: galsim.GSObject
    error = np.nan
    if path is None:
        psf = pair.survey.psf(fwhm=fwhm)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # normalised and centred
            psf = measured_psf(path, None, pair.grid.observed_scale)
        error = _error_of(_header_of(path))
    return KeptPsf(SeenThrough(psf, _sharp(pair)), error)


def _error_of(header: fits.Header) -> float:
    """Return the relative error of the width, NaN where the header has none or no number."""
    value = header.get(_ERROR)
    return float(value) if isinstance(value, int | float) and value >= 0 else np.nan


@lru_cache(maxsize=2)
def _sharp(pair: SurveyPair) -> galsim.GSObject:
    return pair.target.psf()
