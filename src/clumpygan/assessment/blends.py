"""Whether blends are recognised: in the images of survey and telescope, and in recovered ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.blend_bench import FloatArray, Outcomes, blend_bench, joined, measure_unit
from clumpygan.assessment.blend_settings import BlendSettings
from clumpygan.engine import open_engine
from clumpygan.evaluation.recovery import blends
from clumpygan.evaluation.recovery.blended_galaxies import KINDS
from clumpygan.evaluation.recovery.blends import Recognition, summary
from clumpygan.evaluation.recovery.clump_reliability import Clumps

BATCH_SIZE = 15

METHODS = ("hst", "hsc", "richardson_lucy", "network", "sample", "samples",
           "centres", "classifier")  # fmt: skip
"""HST's own image without noise, HSC's, the classical deconvolution, the mean of the samples, one
sample, the share of the samples that show two galaxies, two centres against one in their mean
(`find_centres`), and the classifier of HSC's image, if there is one for the survey; deblenders of
others follow if they are asked for: SExtractor in HSC's image and in the deconvolved one, and
scarlet2."""

IDEAL = "hst"
"""Of `METHODS`, what no survey has."""

EDGES = {
    "separation": (0.2, 0.4, 0.6, 0.8, 1.2),
    "magnitude": (20.5, 22.0, 23.0, 24.5),
    "flux_ratio": (1.0, 2.0, 5.0, 10.0),
}
"""Of the bins: arcsec, H of the brighter one, brighter over fainter one."""

_TIES = 1e-3
"""Share of samples that their mean contrast is worth: it only orders what is equal."""

_COMPONENTS = ("brighter", "fainter")


@dataclass(frozen=True)
class Blends:
    """How well blends are recognised and taken apart.

    Attributes
    ----------
    settings : BlendSettings
    outcomes : Outcomes
    contrast : float
        From which on a sample shows two galaxies, by the network's card.
    """

    settings: BlendSettings
    outcomes: Outcomes
    contrast: float

    @property
    def is_pair(self) -> NDArray[np.bool_]:
        """Which galaxies are two, (N,)."""
        return self._is("pair")

    def _is(self, kind: str) -> NDArray[np.bool_]:
        return np.equal(self.outcomes.kind, KINDS.index(kind))

    @cached_property
    def probability(self) -> FloatArray:
        """P(blend) of each galaxy, (N,): the share of its samples that show two galaxies."""
        return blends.blend_probability(self.outcomes.samples.contrast, self.contrast)

    def score(self, method: str) -> FloatArray:
        """Return the number of each galaxy, (N,), by which a method tells two from one.

        It is the contrast, for `samples` P(blend), and where that is equal the mean contrast.
        """
        if method != "samples":
            return self.outcomes.seen[method].contrast
        return np.asarray(self.probability + _TIES * self.outcomes.samples.contrast.mean(1))

    @cached_property
    def recognition(self) -> dict[str, Recognition]:
        """Method -> how many blends it recognises."""
        seen = self.outcomes.seen
        own = [name for name in METHODS if name in seen or name == "samples"]
        peers = [name for name in seen if name not in METHODS]
        return {
            method: Recognition(*(self.score(method)[self._is(kind)] for kind in KINDS))
            for method in (*own, *peers)
        }

    @cached_property
    def reliability(self) -> Clumps:
        """P(blend) of pairs and singles, and whether HST's own image shows two, by the same rule.

        Of no image more than HST's can be asked for.
        """
        rows = ~self._is("other")
        real = self.outcomes.seen["hst"].contrast[rows] > self.contrast
        said = self.probability[rows]
        return Clumps(said, real, int(real.sum()), said)

    @property
    def odds(self) -> Clumps | None:
        """Probabilities of the classifier, of as many pairs as singles, and which are pairs."""
        if "classifier" not in self.outcomes.seen:
            return None
        rows = ~self._is("other")
        said, real = self.score("classifier")[rows], self.is_pair[rows]
        return Clumps(said, real, int(real.sum()), said)

    @cached_property
    def found_in_catalogue(self) -> dict[str, float | None]:
        """Method -> share of the blends that HSC doesn't show which it flags, see `share_found`."""
        hsc = self.recognition["hsc"]
        lost = hsc.blends <= hsc.threshold
        return {
            name: blends.share_found(one.blends[lost], one.singles)
            for name, one in self.recognition.items()
        }

    @property
    def best_in_catalogue(self) -> str:
        """Method of those that a survey has which flags most of them."""
        shares = {name: share or 0.0 for name, share in self.found_in_catalogue.items()}
        return max((name for name in shares if name != IDEAL), key=shares.__getitem__)

    def components(self, method: str) -> dict[str, Any]:
        """Return how well brighter and fainter galaxies are measured where both are found.

        Of `samples` each galaxy has the median over the samples that show both, if at least half
        of them do.
        """
        pairs = self.is_pair
        if method == "samples":
            whole = self.outcomes.samples
            enough = np.isfinite(whole.dm[pairs]).mean(1) >= 0.5
            dm, away = (_median(one[pairs], enough) for one in (whole.dm, whole.away))
        else:
            dm, away = self.outcomes.seen[method].dm[pairs], self.outcomes.seen[method].away[pairs]
        # The classifier doesn't say where galaxies are.
        found = None if method == "classifier" else float(np.isfinite(dm[:, 0]).mean())
        return {
            "both_found": found,
            "magnitude": {name: summary(dm[:, i]) for i, name in enumerate(_COMPONENTS)},
            "centroid": {name: summary(away[:, i]) for i, name in enumerate(_COMPONENTS)},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return methods -> numbers, the reliability of P(blend), definitions and settings."""
        pairs = self.is_pair
        methods = {}
        for name, one in self.recognition.items():
            bins = {
                f"by_{value}": one.by(getattr(self.outcomes, value)[pairs], edges)
                for value, edges in EDGES.items()
            }
            methods[name] = {
                **one.at(), "threshold": one.threshold, "curve": one.curve, **bins,
                **self.components(name),
            }  # fmt: skip
        settings = self.settings
        return {
            "methods": methods,
            "p_blend": self.reliability.to_dict() | {"contrast": self.contrast},
            "blend_odds": None if self.odds is None else self.odds.to_dict(),
            "catalogue": {
                "unrecognised_by_hsc": self.recognition["hsc"].at()["unrecognised"],
                "blends": blends.BLENDED_SHARE,
                "flagged": blends.FLAGGED_SHARE,
                "found": self.found_in_catalogue[self.best_in_catalogue],
                "best": self.best_in_catalogue,
                "found_by": self.found_in_catalogue,
            },
            "definitions": DEFINITIONS,
            "settings": {
                "n": settings.n, "seed": settings.seed, "samples": settings.samples,
                "checkpoint": settings.checkpoint, "classifier": settings.classifier,
                "peers": list(settings.peers),
                "real": None if settings.real is None else str(settings.real),
            },
        }  # fmt: skip

    def __str__(self) -> str:
        """Return a table of the methods, and lines on P(blend)."""
        bins = [(value, edges) for value, edges in EDGES.items() if value != "flux_ratio"]
        head = "".join(
            f"{f'{low:g}-{high:g}':>10}"
            for _, edges in bins
            for low, high in itertools.pairwise(edges)
        )
        lines = [
            f"{int(self.is_pair.sum())} pairs and single galaxies: share of blends that are not"
            ' recognised, in all, by separation (") and magnitude of the brighter one',
            f"  {'':16}{'all':>6}{'splits':>8}{head}{'both':>7}{'dm':>7}{'dm':>7}",
        ]
        pairs = self.is_pair
        for name, one in self.recognition.items():
            said = one.at()
            parts = [
                _cell(entry["unrecognised"], 10)
                for value, edges in bins
                for entry in one.by(getattr(self.outcomes, value)[pairs], edges).values()
            ]
            found = self.components(name)
            errors = [_cell(found["magnitude"][which]["median_abs"], 7)
                      for which in _COMPONENTS]  # fmt: skip
            lines.append(
                f"  {name:16}{_cell(said['unrecognised'], 6)}{_cell(said['false_splits'], 8, 3)}"
                f"{''.join(parts)}{_cell(found['both_found'], 7)}{''.join(errors)}"
            )
        lines.append("  P(blend) against what HST shows: " + str(self.reliability))
        if self.odds is not None:
            lines.append("  odds of the classifier against what is there: " + str(self.odds))
        best = self.best_in_catalogue
        found_share = self.found_in_catalogue[best]
        if found_share is not None:
            lines.append(
                f"  of the blends that HSC doesn't show, {100 * found_share:.0f} % are flagged by"
                f" {best} in a catalogue where they are {100 * blends.BLENDED_SHARE:.0f} % of all"
                f" and {100 * blends.FLAGGED_SHARE:.0f} % are flagged"
            )
        return "\n".join(lines)


DEFINITIONS = {
    "unrecognised": "share of pairs whose score is not above the threshold",
    "false_splits": "share of single galaxies whose score is",
    "threshold": "score that at most 1 % of other single galaxies exceed",
    "score": "share of the light of the second part into which the image falls above a level, as"
    " SExtractor deblends (Bertin & Arnouts 1996); of samples the share of those whose score is"
    " above the contrast of the network's card; of centres the gain in ln likelihood per light of"
    " two Gaussians of their own centres over two of one, of the mean of the samples; of the"
    " classifier the probability of two, of as many pairs as singles; of scarlet2"
    " the share by which a second Sersic source, fitted to HSC's image, lowers chi squared, over"
    " the flux",
    "peers": "sextractor: SExtractor itself (sep) in HSC's image, sextractor_rl in the deconvolved"
    " one, by the largest DEBLEND_MINCONT that leaves two; scarlet2: one band, places are not told",
    "curve": "both shares for thresholds that other shares of the other single galaxies exceed",
    "p_blend": "share of the samples that show two; true where HST's image without noise shows two"
    " by the same contrast, that of the network's card; a threshold of `sample` found anew may take"
    " its place there (blend_contrast)",
    "both_found": "share of pairs of which each galaxy has the peak of one part, within half of"
    " their separation",
    "magnitude": "measured less true one where both are found, light shared by symmetric templates"
    ' (Lupton 2001), within 1.5"',
    "centroid": "arcsec between peak and galaxy where both are found",
    "blend_odds": "probability of the classifier, of as many pairs as singles; true of pairs",
    "catalogue": "found_by: share of the pairs unrecognised by HSC that each method flags; found:"
    " that of the best of them but for hst",
}


def _median(values: FloatArray, enough: NDArray[np.bool_]) -> FloatArray:
    """Return the median (N, 2) over the samples of (N, S, 2); NaN where too few have a value."""
    found = np.full((len(values), 2), np.nan)
    rows = enough.all(1)
    if rows.any():
        found[rows] = np.nanmedian(values[rows], axis=1)
    return found


def _cell(value: float | int | None, width: int, digits: int = 2) -> str:
    return f"{'-' if value is None else format(value, f'.{digits}f'):>{width}}"


def measure_blends(
    settings: BlendSettings | None = None,
    *,
    progress: Callable[[int, int], object] = lambda done, of: None,
    **given: Any,
) -> Blends:
    """Recover pairs of galaxies and single ones, and see which are recognised as two.

    Parameters
    ----------
    settings : BlendSettings, optional
    progress : callable, optional
        Called with the galaxies measured since the last call, and all of them.
    **given
        Settings by their names, in place of `settings`.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint or recipe.
    """
    settings = settings or BlendSettings(**given)
    bench = blend_bench(settings)  # what is wrong with the input is said before all starts
    count = len(KINDS) * settings.n
    batches = [range(i, min(i + BATCH_SIZE, count)) for i in range(0, count, BATCH_SIZE)]
    parts = []
    with open_engine(len(batches), settings.workers, settings.cluster) as engine:
        for part in engine.map(partial(measure_unit, settings), batches):
            parts.append(part)
            progress(len(part.kind), count)
    return Blends(settings, joined(parts), bench.resolver.blend_contrast)
