"""The picture of `evaluate.py blends`: what is recognised, how surely, and how well measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from clumpygan.assessment.blends import EDGES
from clumpygan.evaluation.recovery.blends import MOST_FALSE_SPLITS
from clumpygan.plots.style import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clumpygan.assessment.blends import Blends

_WORDS = {"hst": "HST, no noise", "hsc": "HSC", "richardson_lucy": "Richardson-Lucy",
          "network": "mean", "sample": "one sample", "samples": "P(blend)"}  # fmt: skip
_COLOURS = dict(zip(_WORDS, ("k", "C7", "C1", "C0", "C2", "C3"), strict=True))
_AXES = {"separation": "separation [arcsec]", "magnitude": "H of the brighter one",
         "flux_ratio": "brighter / fainter"}  # fmt: skip


def blend_figure(found: Blends) -> Figure:
    """Draw unrecognised blends over false splits, separation, magnitude and flux ratio.

    Below are how often HST shows what the samples show, and the errors of the magnitudes.
    """
    figure = new_figure(13, 7.4)
    axes = figure.subplots(2, 3)
    _curves(axes[0, 0], found)
    for axis, name in zip((axes[0, 1], axes[0, 2], axes[1, 0]), EDGES, strict=True):
        _over(axis, found, name)
    _reliability(axes[1, 1], found)
    _magnitudes(axes[1, 2], found)
    return figure


def _curves(axis: Axes, found: Blends) -> None:
    for name, one in found.recognition.items():
        curve = one.curve
        axis.plot(
            [point["false_splits"] for point in curve],
            [point["unrecognised"] for point in curve],
            ".-", color=_COLOURS[name], label=_WORDS[name],
        )  # fmt: skip
    axis.axvline(MOST_FALSE_SPLITS, color="0.7", lw=0.8)
    axis.set_xscale("symlog", linthresh=MOST_FALSE_SPLITS)
    axis.set(xlim=(0, 0.5), ylim=(0, 1.02))
    axis.set(xlabel="single galaxies taken for two", ylabel="unrecognised blends")
    axis.legend(fontsize=7)


def _over(axis: Axes, found: Blends, name: str) -> None:
    edges = np.array(EDGES[name])
    middles = (edges[1:] + edges[:-1]) / 2
    values = getattr(found.outcomes, name)[found.is_pair]
    for method, one in found.recognition.items():
        shares = [part["unrecognised"] for part in one.by(values, tuple(edges)).values()]
        height = np.array(shares, np.float64)  # None is NaN
        axis.plot(middles, height, "o-", ms=4, color=_COLOURS[method])
    axis.set(ylim=(0, 1.02), xlabel=_AXES[name])
    axis.set_ylabel(f"unrecognised at {100 * MOST_FALSE_SPLITS:g} % false splits")


def _reliability(axis: Axes, found: Blends) -> None:
    table = found.reliability.reliability
    axis.plot([0, 1], [0, 1], color="0.7", lw=0.8)
    probability, true, count = (
        np.array([one[name] for one in table]) for name in ("probability", "true", "n")
    )
    error = np.sqrt(true * (1 - true) / count)
    axis.errorbar(probability, true, error, fmt="o", ms=4, color=_COLOURS["samples"])
    for x, y, number in zip(probability, true, count, strict=True):
        axis.annotate(f" {int(number)}", (x, y), fontsize=7, va="top")
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axis.set(xlabel="P(blend): share of the samples", ylabel="share of which HST shows two")


def _magnitudes(axis: Axes, found: Blends) -> None:
    pairs = found.is_pair
    ratio = found.outcomes.flux_ratio[pairs]
    for name in ("hst", "richardson_lucy", "network"):
        error = found.outcomes.seen[name].dm[pairs][:, 1]
        axis.plot(2.5 * np.log10(ratio), error, ".", ms=3, color=_COLOURS[name], label=_WORDS[name])
    axis.axhline(0, color="0.7", lw=0.8)
    axis.set(ylim=(-1, 1), xlabel="magnitudes between both")
    axis.set_ylabel("fainter one: measured - true magnitude")
    axis.legend(fontsize=7)
