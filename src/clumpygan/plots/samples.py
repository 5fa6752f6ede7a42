"""Pictures of what samples are worth: their calibration, and the blends that they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from clumpygan.assessment.blends import EDGES
from clumpygan.evaluation.recovery.blends import MOST_FALSE_SPLITS
from clumpygan.evaluation.recovery.spectrum import FREQUENCIES
from clumpygan.plots.style import new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from clumpygan.assessment.blends import Blends
    from clumpygan.assessment.samples.calibration import Outcomes, SampleCalibration

_COLUMNS = 5

_WORDS = {"hst": "HST, no noise", "hsc": "HSC", "richardson_lucy": "Richardson-Lucy",
          "network": "mean", "sample": "one sample", "samples": "P(blend)",
          "centres": "two centres in the mean", "classifier": "classifier",
          "sextractor": "SExtractor", "sextractor_rl": "SExtractor of Richardson-Lucy",
          "scarlet2": "scarlet2"}  # fmt: skip
_COLOURS = dict(
    zip(_WORDS, ("k", "C7", "C1", "C0", "C2", "C3", "C4", "C9", "C5", "C6", "C8"), strict=True)
)
_AXES = {"separation": "separation [arcsec]", "magnitude": "H of the brighter one",
         "flux_ratio": "brighter / fainter"}  # fmt: skip


def calibration_figure(found: SampleCalibration) -> Figure:
    """Draw for each quantity the cumulative ranks of the truth, and the intervals that hold it.

    Ranks of samples of the true posterior follow the diagonal, within the band of two standard
    errors. A curve that is steep at both ends is of samples that scatter too little, one that lies
    above the diagonal of samples that are too high. Dashed are the ranks among samples that are
    moved and widened as the intervals are. The last panels have the power of one sample over that
    of the truth, and how many clumps are there of those shown with a probability.
    """
    names = list(next(iter(found.sets.values())).rank)
    more = (_coverage, _spectrum, _clumps)
    rows = -(-(len(names) + len(more)) // _COLUMNS)
    figure = new_figure(2.7 * _COLUMNS, 2.7 * rows)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        for label, outcomes in found.sets.items():
            _ranks(axis, outcomes, name, label)
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axis.set_title(name.replace("_", " "), fontsize=9)
    axes[0].legend(fontsize=7, loc="upper left")
    axes[0].set(xlabel="rank of the truth", ylabel="share of galaxies")
    further = axes[len(names) :]
    for axis, draw in zip(further, more, strict=False):
        draw(axis, found)
    for axis in further[len(more) :]:
        axis.set_axis_off()
    return figure


def _ranks(axis: Axes, outcomes: Outcomes, name: str, label: str) -> None:
    rank = np.sort(outcomes.rank[name][np.isfinite(outcomes.rank[name])])
    if not rank.size:
        return
    share = np.arange(1, rank.size + 1) / rank.size
    (line,) = axis.plot(rank, share, lw=1.2, label=f"{label} ({len(outcomes.magnitude)})")
    if name in outcomes.told:
        told = np.sort(outcomes.told[name][np.isfinite(outcomes.told[name])])
        axis.plot(told, share, "--", lw=0.8, color=line.get_color())
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


def _spectrum(axis: Axes, found: SampleCalibration) -> None:
    axis.axhline(0, color="0.6", lw=0.8)
    for label, outcomes in found.sets.items():
        whole = outcomes.spectrum_of_bin("all")
        middle, scatter = np.array(whole["median"]), np.array(whole["scatter"])
        (line,) = axis.plot(FREQUENCIES, middle, ".-", lw=1.2, ms=3, label=label)
        axis.fill_between(
            FREQUENCIES,
            middle - scatter,
            middle + scatter,
            color=line.get_color(),
            alpha=0.15,
            lw=0,
        )
    axis.set(ylim=(-0.6, 0.6))
    axis.set_title("power of a sample / truth [dex]", fontsize=9)
    axis.set_xlabel("cycles per arcsec")


def _clumps(axis: Axes, found: SampleCalibration) -> None:
    for number, (label, outcomes) in enumerate(found.sets.items()):
        clumps = outcomes.clumps
        name = f"{label} ({len(clumps.probability)} shown, {clumps.true} true)"
        _reliability(axis, clumps.reliability, f"C{number}", name)
    axis.set_title("clumps: share that is there", fontsize=9)
    axis.set_xlabel("said probability")
    axis.legend(fontsize=6, loc="upper left")


def blend_figure(found: Blends) -> Figure:
    """Draw unrecognised blends over false splits, separation, magnitude and flux ratio.

    Below are how often HST shows what the samples show, and the errors of the magnitudes.
    """
    figure = new_figure(13, 7.4)
    axes = figure.subplots(2, 3)
    _curves(axes[0, 0], found)
    for axis, name in zip((axes[0, 1], axes[0, 2], axes[1, 0]), EDGES, strict=True):
        _over(axis, found, name)
    _reliability(axes[1, 1], found.reliability.reliability, _COLOURS["samples"], "P(blend)")
    axes[1, 1].set(xlabel="P(blend): share of the samples", ylabel="share of which HST shows two")
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


def _reliability(axis: Axes, table: Sequence[Mapping[str, float]], colour: str, label: str) -> None:
    """Draw the share that is true over the probability that was said, with the numbers of each bin.

    Error bars are those of a share of so many.
    """
    axis.plot([0, 1], [0, 1], color="0.7", lw=0.8)
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    probability, true, count = (
        np.array([one[name] for one in table]) for name in ("probability", "true", "n")
    )
    error = np.sqrt(true * (1 - true) / count)
    axis.errorbar(probability, true, error, fmt="o", ms=4, color=colour, label=label)
    for x, y, number in zip(probability, true, count, strict=True):
        axis.annotate(f" {int(number)}", (x, y), fontsize=7, va="top")


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
