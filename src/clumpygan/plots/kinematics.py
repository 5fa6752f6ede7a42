"""The picture of `evaluate.py kinematics`: distributions of statistics, and matched maps."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from clumpygan.assessment.kinematics import FieldSet, KinematicsReport
from clumpygan.evaluation.cubes.field_statistics import STATISTICS, UNITS
from clumpygan.evaluation.cubes.velocity_fields import PIXELS_A_BEAM
from clumpygan.plots.style import NO_DATA, VELOCITY_MAP, as_it_is, new_figure

TITLES = {
    "k5_over_k1": "k5 / k1 of the velocities",
    "velocity_asymmetry": "asymmetry of the velocities",
    "dispersion_asymmetry": "asymmetry of the dispersions",
    "position_angle_twist": "twist of the position angle",
    "residual_velocity": "residual over amplitude",
    "rotation_over_dispersion": "rotation over dispersion",
    "central_dispersion": "inner over outer dispersion",
    "clump_light": "compact light above the ellipses",
}
"""Statistic -> heading of its panel."""

_SHOWN = 10
"""Maps in a row."""

_WIDTH, _PANELS, _ROW, _CAPTION = 15.0, 6.6, 1.55, 1.0
_LIMITS = (1.0, 99.0)


def kinematics_figure(report: KinematicsReport) -> Figure:
    """Draw the cumulative distribution of each statistic, and maps of each set.

    Observed sets are drawn as thick lines. Maps are matched: of one resolution, the velocities of
    one S/N; each is scaled by its own amplitude, red receding.
    """
    height = _PANELS + _ROW * len(report.sets) + _CAPTION
    figure = new_figure(_WIDTH, height)
    upper, lower = figure.subfigures(
        2, 1, squeeze=False, height_ratios=(_PANELS, height - _PANELS)
    )[:, 0]
    axes = upper.subplots(2, 4).ravel()
    for place, (axis, name) in enumerate(zip(axes, STATISTICS, strict=True)):
        _distributions(axis, report, place, name)
    _maps(lower, report)
    return figure


def _colour(place: int, one: FieldSet) -> str:
    return ("k", "0.55", "C8", "C9")[place % 4] if one.observed else f"C{place % 8}"


def _distributions(axis: Axes, report: KinematicsReport, place: int, name: str) -> None:
    columns = [one.statistics[:, place] for one in report.sets]
    known = np.concatenate([column[np.isfinite(column)] for column in columns])
    axis.set_title(TITLES[name], fontsize=11)
    unit = UNITS[name][0]
    axis.set_xlabel({"log10": "log10 of the ratio", "": "ratio"}.get(unit, unit))
    axis.set_ylabel("share of galaxies below")
    axis.set_ylim(0, 1)
    if not len(known):
        axis.text(0.5, 0.5, "not measured", ha="center", transform=axis.transAxes)
        return
    first = next(iter(report.distances))
    for number, (one, column) in enumerate(zip(report.sets, columns, strict=True)):
        values = np.sort(column[np.isfinite(column)])
        if not len(values):
            continue
        label = as_it_is(one.name)
        if one.name != first:
            test = report.distances[first][one.name][place]
            if np.isfinite(test.statistic):
                label += f": {test.statistic:.2f} ({test.floor:.2f})"
        axis.step(
            np.concatenate([values, values[-1:]]),
            np.concatenate([np.arange(len(values)), [len(values)]]) / len(values),
            where="post", color=_colour(number, one), lw=2.4 if one.observed else 1.4, label=label,
        )  # fmt: skip
    axis.set_xlim(*np.percentile(known, _LIMITS))
    axis.legend(fontsize=7, loc="lower right" if place != 4 else "upper left")


def _maps(figure: SubFigure, report: KinematicsReport) -> None:
    axes = figure.subplots(len(report.sets), _SHOWN, squeeze=False)
    for row, one in zip(axes, report.sets, strict=True):
        chosen = np.linspace(0, len(one) - 1, min(_SHOWN, len(one))).astype(int)
        for axis in row:
            axis.set(xticks=[], yticks=[], facecolor=NO_DATA)
        for axis, index in zip(row, chosen, strict=False):
            field = one.fields[index]
            middle = np.nanmedian(field.velocity)
            ends = 1.2 * field.amplitude
            axis.imshow(
                field.velocity - middle, origin="lower", cmap=VELOCITY_MAP, vmin=-ends, vmax=ends
            )
            axis.set_xlabel(f"{field.amplitude:.0f} km/s", fontsize=8)
        row[0].set_ylabel(f"{as_it_is(one.name)}\n{len(one)} of {one.given}", fontsize=9)
        row[0].plot([0.5, 0.5 + PIXELS_A_BEAM], [0.3, 0.3], color="k", lw=2)
    settings, reference = report.settings, next(iter(report.distances))
    figure.suptitle(
        f"Above: numbers are Kolmogorov-Smirnov distances from {reference}, and those that half of "
        "the pairs of equal sets of as many galaxies exceed.\n"
        "Below: velocities over their amplitude, which is written below, red receding; the bar is "
        "the FWHM of the PSF.\n"
        f"All: radius of {settings.resolution:g} FWHM, amplitude / error of "
        f"the velocities {settings.signal_to_noise:g}; light and dispersions have their own noise.",
        fontsize=10,
    )
