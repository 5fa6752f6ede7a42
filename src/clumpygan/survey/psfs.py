"""PSFs of a survey: one for all, one for each patch, one for each galaxy, or on a grid."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import galsim
import numpy as np
import torch
from astropy.io import fits
from numpy.typing import NDArray

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import SurveyPair
from clumpygan.recovery.camera import measured_psf
from clumpygan.recovery.scene import SeenThrough
from clumpygan.survey.objects import Objects
from clumpygan.survey.settings import SurveySettings

_FITS = (".fits", ".fit", ".fits.gz", ".fits.fz")

MISSING = "no PSF"


@dataclass(frozen=True)
class PsfFiles:
    """Which PSF each galaxy is seen through.

    Attributes
    ----------
    files : tuple of path
        PSFs, empty where there is a FWHM alone.
    number : ndarray (N,)
        Which of them, of each galaxy; -1 where there is none.
    """

    files: tuple[Path, ...]
    number: NDArray[np.int64]


def assign_psfs(settings: SurveySettings, objects: Objects) -> PsfFiles:
    """Return the PSF of each galaxy.

    Raises
    ------
    InputError
        If a file or the folder doesn't exist, or the folder holds no PSF.
    """
    count = len(objects)
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
    files = sorted(one for one in folder.iterdir() if one.name.lower().endswith(_FITS))
    if not files:
        raise InputError(f"`psf` {folder}: holds no FITS file; expected images of the PSF")
    places = [_place(path) for path in files]
    if all(place is not None for place in places):
        grid = np.array(places, float)
        nearest = _nearest(grid, objects)
        return PsfFiles(tuple(files), nearest)
    named = {path.name.partition(".")[0]: i for i, path in enumerate(files)}
    number = np.array([named.get(one, -1) for one in objects.id.tolist()])
    if (number < 0).all():
        raise InputError(
            f"`psf` {folder}: has neither X and Y in the headers nor names of galaxies, as"
            f" {objects.id[0]}.fits; expected one of them"
        )
    return PsfFiles(tuple(files), number)


def _place(path: Path) -> tuple[float, float] | None:
    """Return (X, Y) of a header; None where it hasn't both."""
    header = fits.getheader(path)
    found = header.get("X"), header.get("Y")
    if all(isinstance(one, int | float) for one in found):
        return float(found[0]), float(found[1])
    return None


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
    """

    def __init__(self, seen: SeenThrough) -> None:
        self._seen = seen
        self._transfers: dict[tuple[int, int], torch.Tensor] = {}

    @cached_property
    def fwhm(self) -> float:
        """Arcsec."""
        return float(self._seen.fwhm)

    def transfer(self, frequencies: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Return the ratio of the transfer functions (Ky, Kx) on a grid of frequencies."""
        shape = len(frequencies[0]), frequencies[1].shape[-1]
        if shape not in self._transfers:
            self._transfers[shape] = self._seen(frequencies)[0]
        return self._transfers[shape]


@lru_cache(maxsize=256)
def psf_of(path: Path | None, fwhm: float | None, pair: SurveyPair) -> KeptPsf:
    """Return a PSF, kept for the galaxies that share it.

    Raises
    ------
    InputError
        If it can't be read, or is sharper than what is recovered.
    """
    psf: galsim.GSObject
    if path is None:
        psf = pair.survey.psf(fwhm=fwhm)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # normalised and centred
            psf = measured_psf(path, None, pair.grid.observed_scale)
    return KeptPsf(SeenThrough(psf, _sharp(pair)))


@lru_cache(maxsize=2)
def _sharp(pair: SurveyPair) -> galsim.GSObject:
    return pair.target.psf()
