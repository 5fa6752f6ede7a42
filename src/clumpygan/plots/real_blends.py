"""Pictures of real blends: the sources that are listed, and those that samples show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from clumpygan.plots.style import BRIGHTNESS_MAP, as_it_is, new_figure

if TYPE_CHECKING:
    from clumpygan.assessment.real_blends import RealBlends

_WORDS = {"survey": "survey", "richardson_lucy": "Richardson-Lucy", "network": "mean",
          "sample": "one sample"}  # fmt: skip

_ROWS = 6
"""Blends that are drawn: those with most sources."""


def real_blend_figure(found: RealBlends) -> Figure:
    """Draw blends as each method shows them, one a row.

    All panels of a row share one asinh stretch of the surface brightness. Crosses are the sources
    that are listed, circles those of the samples, the wider the more samples have them.
    """
    chosen = sorted(found.blends, key=lambda one: -len(one.peaks))[:_ROWS]
    figure = new_figure(2.6 * len(_WORDS), 2.75 * len(chosen) + 0.3)
    axes = figure.subplots(len(chosen), len(_WORDS), squeeze=False)
    for line, one in zip(axes, chosen, strict=True):
        survey = one.images["survey"]
        # Per observed pixel in all panels, in units of its noise.
        stretched = {
            name: np.arcsinh(
                one.images[name] * (one.images[name].size / survey.size) / (2 * one.sigma)
            )
            for name in _WORDS
        }
        top = max(float(np.quantile(stretched["network"], 0.999)), 1.0)
        for axis, (name, words) in zip(line, _WORDS.items(), strict=True):
            axis.imshow(stretched[name], vmin=-0.5, vmax=top, cmap=BRIGHTNESS_MAP,
                        origin="lower", extent=one.extent)  # fmt: skip
            axis.plot(one.peaks[:, 1], one.peaks[:, 0], "+", color="C1", ms=6, mew=1)
            axis.set(xticks=[], yticks=[], xlim=one.extent[:2], ylim=one.extent[2:])
            which = "samples" if name == "network" else name
            axis.set_xlabel(
                f"{one.found[which]} of {len(one.peaks)}, {one.further[which]} further", fontsize=8
            )
            if axis in axes[0]:
                axis.set_title(words, fontsize=9)
        line[2].scatter(one.sources[:, 1], one.sources[:, 0], s=60 * one.sources[:, 2] ** 2,
                        facecolors="none", edgecolors="C0", lw=0.8)  # fmt: skip
        fit = "" if one.chi2 is None else f"\nchi2 {one.chi2:.2f}"
        line[0].set_ylabel(f"{as_it_is(one.name)}{fit}", fontsize=7)
    return figure
