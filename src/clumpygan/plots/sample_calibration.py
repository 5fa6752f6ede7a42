"""The picture of `evaluate.py calibration`: ranks of the truth, and what the intervals hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from clumpygan.plots.style import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clumpygan.assessment.sample_calibration import Outcomes, SampleCalibration

_COLUMNS = 5


def calibration_figure(found: SampleCalibration) -> Figure:
    """Draw for each quantity the cumulative ranks of the truth, and the intervals that hold it.

    Ranks of samples of the true posterior follow the diagonal, within the band of two standard
    errors. A curve that is steep at both ends is of samples that scatter too little, one that lies
    above the diagonal of samples that are too high.
    """
    names = list(next(iter(found.sets.values())).rank)
    rows = -(-(len(names) + 1) // _COLUMNS)
    figure = new_figure(2.7 * _COLUMNS, 2.7 * rows)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        for label, outcomes in found.sets.items():
            _ranks(axis, outcomes, name, label)
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axis.set_title(name.replace("_", " "), fontsize=9)
    axes[0].legend(fontsize=7, loc="upper left")
    axes[0].set(xlabel="rank of the truth", ylabel="share of galaxies")
    _coverage(axes[len(names)], found)
    for axis in axes[len(names) + 1 :]:
        axis.set_axis_off()
    return figure


def _ranks(axis: Axes, outcomes: Outcomes, name: str, label: str) -> None:
    rank = np.sort(outcomes.rank[name][np.isfinite(outcomes.rank[name])])
    if not rank.size:
        return
    share = np.arange(1, rank.size + 1) / rank.size
    (line,) = axis.plot(rank, share, lw=1.2, label=f"{label} ({len(outcomes.magnitude)})")
    expected = np.linspace(0, 1, 101)
    band = 2 * np.sqrt(expected * (1 - expected) / rank.size)
    axis.fill_between(
        expected, expected - band, expected + band, color=line.get_color(), alpha=0.15, lw=0
    )


def _coverage(axis: Axes, found: SampleCalibration) -> None:
    for label, outcomes in found.sets.items():
        whole = outcomes.of_bin("all")
        said = [one for one in whole if whole[one]["coverage_68"] is not None]
        for name, marker in (("coverage_68", "o"), ("coverage_95", "s")):
            values = np.array([whole[quantity][name] for quantity in said], np.float64)
            axis.plot(values, np.arange(len(said)), marker, ms=3, label=f"{label}, {name[-2:]} %")
        axis.set_yticks(np.arange(len(said)), [one.replace("_", " ") for one in said], fontsize=6)
    for share in (0.683, 0.95):
        axis.axvline(share, color="0.6", lw=0.8)
    axis.set(xlim=(0.2, 1.02))
    axis.set_title("intervals that hold the truth", fontsize=9)
    axis.legend(fontsize=5)
