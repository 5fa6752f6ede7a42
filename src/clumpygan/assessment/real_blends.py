"""Real blends: what is found of the sources that a survey's or a telescope's catalogue lists."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.blend_settings import BlendSettings
from clumpygan.engine import open_engine
from clumpygan.errors import InputError, InputWarning
from clumpygan.evaluation.recovery.clumps import count_matches, find_peaks
from clumpygan.evaluation.recovery.sources import find_sources
from clumpygan.recovery.pipeline import recover_with
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.recovery.settings import BANDS, RecoverySettings

REACH = 0.5
"""Arcsec within which a peak is that of a listed source: three pixels of HSC."""

NEIGHBOURHOOD = 1.5
"""Arcsec along both axes within which a peak has at least 3 % of the highest: fields hold several
galaxies, and bright ones mustn't hide faint ones."""

LIKELY = 0.5
"""Share of the samples from which on a source of theirs counts."""

METHODS = ("survey", "richardson_lucy", "network", "sample", "samples")
"""The survey's own image, the classical deconvolution, mean of the samples, one of them, and the
sources that at least half of them have."""

ENDING = ".npz"

_NEEDED = ("images", "psfs", "peaks")

_STACK = BANDS[1:]
"""Order of the bands of a stack: grizy."""

_SHARE_BINS = ((0.1, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.01))

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RealBlend:
    """A blend, as a file holds it.

    Attributes
    ----------
    name : str
    image : ndarray (y, x)
        In counts.
    mask : ndarray (y, x) of bool
        Where there are no data.
    variance : ndarray (y, x) or None
        In counts squared, where it is known.
    psf : ndarray
    psf_scale : float or None
        Arcsec, if its pixels aren't those of the image.
    zero_point : float or None
        AB magnitude of a count, where it is known.
    peaks : ndarray (N, 2)
        (y, x) in pixels, of the sources of a catalogue.
    """

    name: str
    image: FloatArray
    mask: NDArray[np.bool_]
    variance: FloatArray | None
    psf: FloatArray
    psf_scale: float | None
    zero_point: float | None
    peaks: FloatArray


@dataclass(frozen=True)
class SeenBlend:
    """What was found of a blend.

    Attributes
    ----------
    name : str
    peaks : ndarray (N, 2)
        (y, x) in pixels of the survey, of the sources that are listed, where there are data.
    found, further : dict of str to int
        Method -> listed sources that it shows, and peaks that are nobody's.
    sources : ndarray (S, 4)
        y, x in pixels of the survey, share of the samples, and whether one listed is within reach.
    chi2 : float
        Per pixel, of the recovered image observed again.
    images : dict
        Method -> image (y, x), in the unit of the observed one per pixel of each.
    sigma : float
        Noise of a pixel of the survey.
    """

    name: str
    peaks: FloatArray
    found: dict[str, int]
    further: dict[str, int]
    sources: FloatArray
    chi2: float
    images: dict[str, NDArray[np.float32]]
    sigma: float


@dataclass(frozen=True)
class RealBlends:
    """What was found of real blends.

    Attributes
    ----------
    settings : BlendSettings
    blends : tuple of SeenBlend
    left_out : tuple of str
        Files without a PSF.
    """

    settings: BlendSettings
    blends: tuple[SeenBlend, ...]
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return methods -> numbers, shares of samples -> numbers, and each blend."""
        listed = sum(len(one.peaks) for one in self.blends)
        methods = {
            method: {
                "found": sum(one.found[method] for one in self.blends),
                "share": sum(one.found[method] for one in self.blends) / listed,
                "further": sum(one.further[method] for one in self.blends),
            }
            for method in METHODS
        }
        shares = []
        every = np.concatenate([one.sources for one in self.blends])
        for low, high in _SHARE_BINS:
            rows = (every[:, 2] >= low) & (every[:, 2] < high)
            near = float(every[rows, 3].mean()) if rows.any() else None
            shares.append({"share": [low, min(high, 1.0)], "sources": int(rows.sum()),
                           "listed": near})  # fmt: skip
        return {
            "sources": listed,
            "methods": methods,
            "shares": shares,
            "blends": [
                {"name": one.name, "sources": len(one.peaks), "found": one.found,
                 "further": one.further, "chi2": one.chi2}
                for one in self.blends
            ],
            "left_out": list(self.left_out),
            "definitions": DEFINITIONS,
            "settings": {
                "observed": str(self.settings.observed), "band": self.settings.band,
                "seed": self.settings.seed, "samples": self.settings.samples,
                "checkpoint": self.settings.checkpoint,
            },
        }  # fmt: skip

    def __str__(self) -> str:
        """Return a table of the methods, and a line on the shares."""
        told = self.to_dict()
        lines = [
            f"{len(self.blends)} real blends, {told['sources']} sources are listed",
            f"  {'':16}{'found':>8}{'share':>8}{'further':>9}",
        ]
        lines += [
            f"  {name:16}{one['found']:>8}{one['share']:>8.2f}{one['further']:>9}"
            for name, one in told["methods"].items()
        ]
        said = ", ".join(
            f"{one['share'][0]:g}-{one['share'][1]:g}: {one['listed']:.2f} of {one['sources']}"
            for one in told["shares"]
            if one["sources"]
        )
        if said:
            lines.append(f"  by the share of the samples that have a source it is listed: {said}")
        if self.left_out:
            lines.append(f"  {len(self.left_out)} files have no PSF, and were left out")
        return "\n".join(lines)


DEFINITIONS = {
    "found": f'listed sources with a peak of their own within {REACH}"; a peak is one of the'
    " difference of Gaussians of 1 and 4 pixels, above 5 sigma of the observation and 3 % of the"
    f' highest within {NEIGHBOURHOOD}"',
    "further": "peaks that are those of no listed source: knots, neighbours below the limit of the"
    " list, or wrong",
    "samples": f"sources that a share of {LIKELY} of the samples or more have",
    "shares": "of the sources with such shares of the samples, the part with a listed one within"
    f' {REACH}"',
}


def measure_real_blends(
    settings: BlendSettings | None = None,
    *,
    progress: Callable[[int, int], object] = lambda done, of: None,
    **given: Any,
) -> RealBlends:
    """Recover real blends, and see which of the sources that their files list are found.

    Parameters
    ----------
    settings : BlendSettings, optional
        With `observed`.
    progress : callable, optional
        Called with the blends measured since the last call, and all of them.
    **given
        Settings by their names, in place of `settings`.

    Raises
    ------
    InputError
        If a file can't be used, or none has a PSF.
    """
    settings = settings or BlendSettings(**given)
    paths = _files(settings.observed)
    # What is wrong with the input is said before all starts.
    blends = {path: read_blend(path, settings.band) for path in paths}
    SuperResolver.from_checkpoint(settings.checkpoint)
    usable = [path for path, blend in blends.items() if blend is not None]
    if not usable:
        raise InputError(f"`observed` {settings.observed}: no file has a PSF, `psfs`; expected one")
    seen = []
    with open_engine(len(usable), settings.workers, settings.cluster) as engine:
        for one in engine.map(partial(measure_blend, settings), usable):
            seen.append(one)
            progress(1, len(usable))
    left = tuple(path.name for path, blend in blends.items() if blend is None)
    return RealBlends(settings, tuple(seen), left)


def read_blend(path: Path, band: str) -> RealBlend | None:
    """Read a blend; return None if the file has no PSF.

    Parameters
    ----------
    path : pathlib.Path
        Arrays of NumPy: `images` (y, x), or (5, y, x) in grizy, pixels of the survey; `psfs`;
        `peaks` (N, 2), x and y in pixels from 0. Where they are known also `weights`, inverse
        variances, without which the noise is measured in the image, `zero_point`, AB, and
        `psf_scale`, arcsec.
    band : str
        Which of a stack is taken.

    Raises
    ------
    InputError
        If it can't be read, an array is missing or has another shape than it should.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, KeyError) as problem:
        raise InputError(f"{path}: can't be read as arrays of NumPy; expected a blend") from problem
    if "psfs" not in arrays:
        return None
    missing = next((name for name in _NEEDED if name not in arrays), None)
    if missing is not None:
        raise InputError(f"{path}: has no `{missing}`; expected {', '.join(_NEEDED)}")
    image, psf = (_plane(path, name, arrays[name], band) for name in _NEEDED[:2])
    peaks = np.asarray(arrays["peaks"], np.float64)
    if peaks.ndim != 2 or peaks.shape[1] != 2 or not np.isfinite(peaks).all():
        raise InputError(f"{path}: `peaks` has shape {peaks.shape}; expected (N, 2), x and y")
    known, variance = np.isfinite(image), None
    if "weights" in arrays:
        weight = _plane(path, "weights", arrays["weights"], band)
        if weight.shape != image.shape:
            raise InputError(f"{path}: `weights` has shape {weight.shape}; expected {image.shape}")
        known &= np.isfinite(weight) & (weight > 0)
        if not known.any():
            raise InputError(f"{path}: no weight is positive; expected inverse variances")
        variance = np.where(known, 1 / np.where(known, weight, 1), 0)
        variance[~known] = np.median(variance[known])
    given = {name: float(arrays[name]) for name in ("psf_scale", "zero_point") if name in arrays}
    return RealBlend(
        path.stem, np.where(known, image, 0), ~known, variance, psf, given.get("psf_scale"),
        given.get("zero_point"), peaks[:, ::-1],
    )  # fmt: skip


def measure_blend(settings: BlendSettings, path: Path) -> SeenBlend:
    """Recover a blend, and compare what is found with what is listed."""
    blend = read_blend(path, settings.band)
    assert blend is not None
    resolver = SuperResolver.from_checkpoint(settings.checkpoint)
    grid = resolver.grid
    known = ~blend.mask
    asked = RecoverySettings(
        observed=blend.image, variance=blend.variance, mask=blend.mask, psf=blend.psf,
        psf_scale=blend.psf_scale, pixel_scale=grid.observed_scale, background="keep",
        zero_point=blend.zero_point, samples=settings.samples, seed=settings.seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        # Of places nothing is changed by counts of unknown flux, or by pixels that were mended.
        warnings.simplefilter("ignore", InputWarning)
        recovery = recover_with(asked, resolver)
    scene = recovery.scene
    assert recovery.richardson_lucy is not None
    images = {
        "survey": scene.observed, "richardson_lucy": recovery.richardson_lucy,
        "network": recovery.best, "sample": recovery.samples[0],
    }  # fmt: skip
    listed = blend.peaks[_inside(blend.peaks, known)]
    depth = float(scene.sigma) / grid.area_ratio
    ratio = grid.target_scale / grid.observed_scale
    places = {
        name: find_peaks(
            np.where(scene.observed_mask, 0, image),
            scene.sigma,
            round(NEIGHBOURHOOD / grid.observed_scale),
        )
        if name == "survey"
        else (find_peaks(image, depth, round(NEIGHBOURHOOD / grid.target_scale)) + 0.5) * ratio
        - 0.5
        for name, image in images.items()
    }
    shown = find_sources(
        np.where(scene.recovered_mask, 0, recovery.samples), depth, recovery.nucleus,
        grid.target_scale, neighbourhood=round(NEIGHBOURHOOD / grid.target_scale),
    )  # fmt: skip
    sources = np.array([(one.y[1], one.x[1], one.probability) for one in shown])
    sources = sources.reshape(-1, 3)
    sources[:, :2] = (sources[:, :2] + 0.5) * ratio - 0.5
    places["samples"] = sources[sources[:, 2] >= LIKELY, :2]
    places = {name: one[_inside(one, known)] for name, one in places.items()}
    reach = REACH / grid.observed_scale
    found = {name: count_matches(listed, places[name], reach) for name in METHODS}
    near = np.linalg.norm(sources[:, None, :2] - listed[None], axis=2) <= reach
    chi2 = recovery.metrics["network"]["chi2"]
    return SeenBlend(
        blend.name,
        listed,
        found,
        {name: len(places[name]) - found[name] for name in METHODS},
        np.column_stack([sources, near.any(1)]),
        float("nan") if chi2 is None else float(chi2),
        {name: np.asarray(image, np.float32) for name, image in images.items()},
        float(scene.sigma),
    )


def _files(observed: Path | None) -> list[Path]:
    if observed is None or not observed.exists():
        raise InputError(f"`observed` {observed}: no such file or folder; expected real blends")
    paths = sorted(observed.glob(f"*{ENDING}")) if observed.is_dir() else [observed]
    if not paths:
        raise InputError(f"`observed` {observed}: holds no {ENDING} file; expected real blends")
    return paths


def _plane(path: Path, name: str, array: NDArray[Any], band: str) -> FloatArray:
    """Return an image, or the plane of a band of a stack."""
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3):
        raise InputError(f"{path}: `{name}` has shape {array.shape}; expected an image, or a stack")
    if array.ndim == 3 and len(array) != len(_STACK):
        raise InputError(
            f"{path}: `{name}` has {len(array)} bands; expected {len(_STACK)}, {''.join(_STACK)}"
        )
    plane = array if array.ndim == 2 else array[_STACK.index(band)]
    return np.asarray(plane, np.float64)


def _inside(places: FloatArray, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which places (N, 2) lie on pixels with data."""
    rows, columns = np.rint(places).astype(int).reshape(-1, 2).T
    inside = (rows >= 0) & (rows < known.shape[0]) & (columns >= 0) & (columns < known.shape[1])
    found = known[rows.clip(0, known.shape[0] - 1), columns.clip(0, known.shape[1] - 1)]
    return np.asarray(inside & found)
