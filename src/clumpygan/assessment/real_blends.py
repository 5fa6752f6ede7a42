"""Real blends: what is found of the sources that a survey's or a telescope's catalogue lists."""

from __future__ import annotations

import warnings
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
from clumpygan.evaluation.recovery.clumps import find_peaks, matches
from clumpygan.evaluation.recovery.sources import find_sources
from clumpygan.io.listed_blends import has_data, read_blend
from clumpygan.recovery.pipeline import recover_with
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.recovery.scene import embedding_corner
from clumpygan.recovery.settings import RecoverySettings

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

_SHARE_BINS = ((0.1, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.01))

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SeenBlend:
    """What was found of a blend.

    Attributes
    ----------
    name : str
    peaks : ndarray (N, 2)
        (y, x) in pixels of the file, of the sources that are listed, where there are data.
    shifted : int
        Sources of all shifted lists, where there are data.
    found, further, chance : dict of str to int
        Method -> listed sources that it shows, peaks that are nobody's, and sources of the shifted
        lists that it shows.
    sources : ndarray (S, 5)
        y, x in pixels of the file, share of the samples, whether it is one of those listed, and the
        part of the shifted lists that have it.
    chi2 : float or None
        Per pixel, of the recovered image observed again; None without pixels to measure it in.
    images : dict
        Method -> image (y, x), in the unit of the observed one per pixel of each.
    extent : tuple of float
        Left, right, lower and upper end of all images, in pixels of the file: they are wider than
        the file's, which becomes blocks of the network.
    sigma : float
        Noise of a pixel of the survey.
    """

    name: str
    peaks: FloatArray
    shifted: int
    found: dict[str, int]
    further: dict[str, int]
    chance: dict[str, int]
    sources: FloatArray
    chi2: float | None
    images: dict[str, NDArray[np.float32]]
    extent: tuple[float, float, float, float]
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
        shifted = sum(one.shifted for one in self.blends)
        methods = {
            method: {
                "found": sum(one.found[method] for one in self.blends),
                "share": sum(one.found[method] for one in self.blends) / listed,
                "chance": sum(one.chance[method] for one in self.blends) / shifted
                if shifted
                else None,
                "further": sum(one.further[method] for one in self.blends),
            }
            for method in METHODS
        }
        shares = []
        every = np.concatenate([one.sources for one in self.blends])
        for low, high in _SHARE_BINS:
            rows = (every[:, 2] >= low) & (every[:, 2] < high)
            near, chance = every[rows, 3:].mean(0).tolist() if rows.any() else (None, None)
            shares.append({"share": [low, min(high, 1.0)], "sources": int(rows.sum()),
                           "listed": near, "chance": chance})  # fmt: skip
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
            f"  {'':16}{'found':>8}{'share':>8}{'chance':>8}{'further':>9}",
        ]
        lines += [
            f"  {name:16}{one['found']:>8}{one['share']:>8.2f}"
            f"{'' if one['chance'] is None else format(one['chance'], '.2f'):>8}"
            f"{one['further']:>9}"
            for name, one in told["methods"].items()
        ]
        said = ", ".join(
            f"{one['share'][0]:g}-{one['share'][1]:g}: {one['listed']:.2f} of {one['sources']}"
            f" (chance {one['chance']:.2f})"
            for one in told["shares"]
            if one["sources"]
        )
        if said:
            lines.append(f"  by the share of the samples that have a source it is listed: {said}")
        if self.left_out:
            lines.append(f"  {len(self.left_out)} files have no PSF, and were left out")
        return "\n".join(lines)


DEFINITIONS = {
    "found": f'listed sources with a peak of their own within {REACH}", paired one to one; a peak'
    " is one of the difference of Gaussians of 1 and 4 pixels of the image in question, above 5"
    f' sigma of the observation and 3 % of the highest within {NEIGHBOURHOOD}", not in its 4'
    " outermost pixels",
    "survey": "peaks in pixels of the survey, above 5 sigma of one: Gaussians and borders are wider"
    " than those of the other methods, which have pixels of the recovered image and the sigma that"
    " one of those has, so that its numbers and theirs aren't of the same depth",
    "chance": "of the sources of lists that are shifted by one or two thirds of the image along one"
    " or both axes, and around its ends, the part that is found in the same way: methods with more"
    " peaks find more of them",
    "further": "peaks that are those of no listed source: knots, neighbours below the limit of the"
    " list, or wrong",
    "samples": f"sources that a share of {LIKELY} of the samples or more have",
    "shares": "of the sources with such shares of the samples, the part that is a listed one within"
    f' {REACH}", paired one to one, and the part that is one of a shifted list',
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
        If a file can't be used, none has a PSF, or no source is listed where there are data.
    """
    settings = settings or BlendSettings(**given)
    paths = _files(settings.observed)
    # What is wrong with the input is said before all starts; a process reads its own blend then.
    usable, left, listed = [], [], 0
    for path in paths:
        blend = read_blend(path, settings.band)
        if blend is None:
            left.append(path.name)
        else:
            usable.append(path)
            listed += len(blend.peaks)
    SuperResolver.from_checkpoint(settings.checkpoint)
    if not usable:
        raise InputError(f"`observed` {settings.observed}: no file has a PSF, `psfs`; expected one")
    if not listed:
        raise InputError(
            f"`observed` {settings.observed}: no source is listed where there are data; expected"
            " `peaks` (N, 2), x and y in pixels from 0"
        )
    seen = []
    with open_engine(len(usable), settings.workers, settings.cluster) as engine:
        for one in engine.map(partial(measure_blend, settings), usable):
            seen.append(one)
            progress(1, len(usable))
    return RealBlends(settings, tuple(seen), tuple(left))


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
    # Places are those of the file, and images those of the scene, which is wider.
    corner = np.asarray(embedding_corner(blend.image.shape, scene.observed.shape))
    depth = float(scene.sigma) / grid.area_ratio
    reach = round(NEIGHBOURHOOD / grid.target_scale)
    places = {
        name: grid.observed_place(find_peaks(image, depth, reach)) - corner
        for name, image in images.items()
        if name != "survey"
    }
    survey = np.where(scene.observed_mask, 0, scene.observed)
    reach_survey = round(NEIGHBOURHOOD / grid.observed_scale)
    places["survey"] = find_peaks(survey, scene.sigma, reach_survey) - corner
    shown = find_sources(
        np.where(scene.recovered_mask, 0, recovery.samples), depth, recovery.nucleus,
        grid.target_scale, neighbourhood=reach,
    )  # fmt: skip
    sources = np.array([(one.y[1], one.x[1], one.share) for one in shown]).reshape(-1, 3)
    sources[:, :2] = grid.observed_place(sources[:, :2]) - corner
    places["samples"] = sources[sources[:, 2] >= LIKELY, :2]
    places = {name: one[has_data(one, known)] for name, one in places.items()}
    near = REACH / grid.observed_scale
    found = {name: len(matches(blend.peaks, places[name], near)) for name in METHODS}
    shifted = _shifted(blend.peaks, known)
    chance = {
        name: sum(len(matches(one, places[name], near)) for one in shifted) for name in METHODS
    }
    listed = np.zeros((1 + len(shifted), len(sources)))
    for row, one in zip(listed, (blend.peaks, *shifted), strict=True):
        row[matches(one, sources[:, :2], near)[:, 1]] = 1
    chi2 = recovery.metrics["network"]["chi2"]
    (top, left), (height, width) = -corner - 0.5, scene.observed.shape
    return SeenBlend(
        blend.name,
        blend.peaks,
        sum(len(one) for one in shifted),
        found,
        {name: len(places[name]) - found[name] for name in METHODS},
        chance,
        np.column_stack([sources, listed[0], listed[1:].mean(0)]),
        float(chi2) if chi2 is not None and np.isfinite(chi2) else None,
        {name: np.asarray(image, np.float32) for name, image in images.items()},
        (left, left + width, top, top + height),
        float(scene.sigma),
    )


def _shifted(peaks: FloatArray, known: NDArray[np.bool_]) -> list[FloatArray]:
    """Return lists of places that are shifted by thirds of an image, where it has data."""
    size = np.asarray(known.shape, np.float64)
    steps = [np.array(divmod(number, 3)) / 3 for number in range(1, 9)]
    # From the outer ends of pixels, so that what leaves at one end comes back at the other.
    lists = [(peaks + 0.5 + step * size) % size - 0.5 for step in steps]
    return [one[has_data(one, known)] for one in lists]


def _files(observed: Path | None) -> list[Path]:
    if observed is None or not observed.exists():
        raise InputError(f"`observed` {observed}: no such file or folder; expected real blends")
    paths = sorted(observed.glob(f"*{ENDING}")) if observed.is_dir() else [observed]
    if not paths:
        raise InputError(f"`observed` {observed}: holds no {ENDING} file; expected real blends")
    return paths
