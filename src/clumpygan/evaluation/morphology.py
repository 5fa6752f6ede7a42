"""Morphology of galaxies as astronomers measure it, by statmorph, in parallel processes."""

import importlib.util
import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.errors import InputError

QUANTITIES: dict[str, tuple[str, str]] = {
    "flux": ("flux_ellip", "log10 of the flux in two elliptical Petrosian radii, in sigma"),
    "r_half": ("rhalf_ellip", "log10 of the half-light semi-major axis in pixels"),
    "ellipticity": ("ellipticity_asymmetry", "1 - b / a from the second moments"),
    "concentration": ("concentration", "5 log10(r80 / r20)"),
    "asymmetry": ("asymmetry", "about the centre where it is least, sky subtracted"),
    "smoothness": ("smoothness", "what stands above the smoothed image, sky subtracted"),
    "gini": ("gini", "Gini coefficient"),
    "m20": ("m20", "log10 second moment of the brightest 20 %"),
    "sersic_index": ("sersic_n", "log10 of the index of a Sersic fit through the PSF"),
}
"""Name -> attribute of statmorph, and what it is."""

LOGARITHMIC = ("flux", "r_half", "sersic_index")
"""Quantities of which the decimal logarithm is taken."""

BAD_FLAG = 2
"""From this flag on a source isn't measured: 2 bad, 4 nothing to measure, 5 it failed."""

NOT_DETECTED, FAILED = 4, 5

DETECTION_THRESHOLD, DETECTION_PIXELS = 1.5, 5
"""A source is so many connected pixels above so many sigma of the sky, blurred by one pixel."""

_CHUNK = 16
_MISSING = -99.0


@dataclass(frozen=True)
class Morphology:
    """What statmorph says of N stamps.

    Attributes
    ----------
    values : dict
        Name of `QUANTITIES` -> (N,) float64, NaN where it couldn't be measured.
    flags : numpy.ndarray, (N,) int
        statmorph's: 0 good, 1 suspect, 2 bad; 4 no source in the middle, 5 the measurement failed.
        Values of 2 and above are NaN.
    """

    values: dict[str, NDArray[np.float64]]
    flags: NDArray[np.int64]

    @property
    def table(self) -> NDArray[np.float64]:
        """All values (N, Q) in the order of `values`."""
        return np.stack(list(self.values.values()), axis=1)

    @property
    def measured(self) -> int:
        """How many stamps could be measured."""
        return int((self.flags < BAD_FLAG).sum())


def check_statmorph() -> None:
    """Refuse to go on without the packages that this needs.

    Raises
    ------
    InputError
        If statmorph or photutils isn't installed.
    """
    for name in ("statmorph", "photutils"):
        if importlib.util.find_spec(name) is None:
            raise InputError(f'{name} is missing for morphology: pip install "clumpygan[eval]"')


def measure_morphology(
    images: NDArray[np.floating],
    psf: NDArray[np.floating] | None = None,
    *,
    sersic: bool = True,
    workers: int = 1,
    progress: Callable[[int], object] | None = None,
) -> Morphology:
    """Measure many stamps with statmorph (Rodriguez-Gomez et al. 2019, MNRAS 483, 4140).

    About 0.12 s a stamp and process, most of it the search of the centre of least asymmetry; a
    Sersic fit adds half as much. A stamp that can't be measured is flagged, never an error.

    Parameters
    ----------
    images : numpy.ndarray, (N, y, x)
        In units of the noise per pixel, one galaxy in the middle; others are masked.
    psf : numpy.ndarray, (y, x), optional
        For the Sersic fit, with odd sides; a fit without PSF by default.
    sersic : bool
        Whether to fit a Sersic profile.
    workers : int
        Processes.
    progress : callable, optional
        Called with the number of stamps done since the last call.

    Returns
    -------
    Morphology

    Raises
    ------
    InputError
        If statmorph or photutils isn't installed.
    """
    check_statmorph()
    if psf is not None:
        psf = np.asarray(psf, dtype=np.float64) / np.sum(psf)
    measure = partial(_measure_chunk, psf=psf, sersic=sersic)
    chunks = [
        np.asarray(images[i : i + _CHUNK], dtype=np.float64) for i in range(0, len(images), _CHUNK)
    ]
    rows = []
    if min(workers, len(chunks)) > 1:
        # a forked process may hang on the threads of what was imported before
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(chunks)), context) as pool:
            for part in pool.map(measure, chunks):
                rows.append(part)
                (progress or _silent)(len(part))
    else:
        for chunk in chunks:
            rows.append(measure(chunk))
            (progress or _silent)(len(chunk))
    names = _names(sersic)
    table = np.concatenate(rows) if rows else np.empty((0, len(names) + 1))
    values = {name: table[:, i] for i, name in enumerate(names)}
    return Morphology(values, table[:, -1].astype(np.int64))


def _silent(count: int) -> None:
    """Report nothing."""


def _names(sersic: bool) -> tuple[str, ...]:
    return tuple(name for name in QUANTITIES if sersic or name != "sersic_index")


def _measure_chunk(
    images: NDArray[np.float64], *, psf: NDArray[np.float64] | None, sersic: bool
) -> NDArray[np.float64]:
    """Values and flag (n, Q + 1) of a few stamps."""
    names = _names(sersic)
    rows = np.full((len(images), len(names) + 1), np.nan)
    for row, image in zip(rows, images, strict=True):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # statmorph's flags say the same
            row[-1] = FAILED
            try:
                row[:] = _measure(image, psf, names)
            except Exception:  # whatever fails inside three libraries fails for this galaxy alone
                continue
    return rows


def _measure(
    image: NDArray[np.float64], psf: NDArray[np.float64] | None, names: tuple[str, ...]
) -> list[float]:
    segments, label = _segments(image)
    if segments is None or not label:
        return [np.nan] * len(names) + [NOT_DETECTED]
    kind = _source_morphology(tuple(QUANTITIES[name][0] for name in names))
    found = kind(image, segments, label, weightmap=np.ones_like(image), psf=psf)
    if found.flag >= BAD_FLAG:
        return [np.nan] * len(names) + [found.flag]
    values = [float(found[QUANTITIES[name][0]]) for name in names]
    bad_fit = "sersic_index" in names and found.flag_sersic > 0
    return [
        _value(name, value, bad_fit and name == "sersic_index")
        for name, value in zip(names, values, strict=True)
    ] + [found.flag]


def _value(name: str, value: float, bad: bool) -> float:
    if bad or value == _MISSING or not np.isfinite(value):
        return float("nan")
    if name in LOGARITHMIC:
        return float(np.log10(value)) if value > 0 else float("nan")
    return value


@lru_cache
def _source_morphology(attributes: tuple[str, ...]) -> Any:
    """Return statmorph's class, told to measure nothing but these: it measures 50 things."""
    from statmorph import SourceMorphology

    class Chosen(SourceMorphology):  # type: ignore[misc]
        def _calculate_morphology(self) -> None:
            for name in attributes:
                self[name]

    return Chosen


def _segments(image: NDArray[np.float64]) -> tuple[Any, int]:
    """Detect sources; return their segments and the label of the one in the middle (0: none)."""
    from photutils.segmentation import detect_sources

    smooth = gaussian_filter(image, 1.0)
    edge = min(image.shape) // 8
    border = np.concatenate([smooth[:edge].ravel(), smooth[-edge:].ravel()])
    sky = float(np.median(border))
    scatter = 1.4826 * float(np.median(np.abs(border - sky)))
    segments = detect_sources(smooth, sky + DETECTION_THRESHOLD * scatter, DETECTION_PIXELS)
    if segments is None:
        return None, 0
    rows, columns = (slice(side // 2 - 4, side // 2 + 4) for side in image.shape)
    labels = segments.data[rows, columns]
    labels = labels[labels > 0]
    return segments, int(np.bincount(labels).argmax()) if labels.size else 0
