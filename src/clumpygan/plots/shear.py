"""The picture of `evaluate.py shear`: forecasts of the error, and the fits of mocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from clumpygan.assessment.shear import PUBLISHED, ShearReport
from clumpygan.plots.style import new_figure

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes


def shear_figure(report: ShearReport) -> Figure:
    """Draw the error over inclination, S/N and size, and the shear of mocks over their truth."""
    sensitivity, mocks = report.sensitivity, report.mocks
    figure = new_figure(13, 3.9 if not mocks else 7.6)
    axes = figure.subplots(1 if not mocks else 2, 3, squeeze=False)
    _over_inclination(axes[0, 0], sensitivity)
    _over(axes[0, 1], sensitivity, "signal_to_noise", "size", "S/N of the brightest voxel")
    _over(axes[0, 2], sensitivity, "size", "signal_to_noise", "half-light radius / (PSF FWHM / 2)")
    if mocks:
        _estimates(axes[1, 0], mocks)
        _away(axes[1, 1], mocks, "along", "along the major axis")
        _away(axes[1, 2], mocks, "across", "at 45 degrees to it")
    return figure


def _middle(table: Table, name: str) -> float:
    """Return the value of a column in the middle of those that it has."""
    values = np.unique(table[name])
    return float(values[len(values) // 2])


def _scale(axis: Axes, label: str) -> None:
    axis.set_yscale("log")
    axis.axhspan(*PUBLISHED, color="0.9", zorder=0, label="published")
    axis.set_xlabel(label)
    axis.set_ylabel("error of the shear of one disk")
    axis.legend(fontsize=7, ncols=2)


def _over_inclination(axis: Axes, table: Table) -> None:
    ratio, size = _middle(table, "signal_to_noise"), _middle(table, "size")
    part = table[(table["signal_to_noise"] == ratio) & (table["size"] == size)]
    for prior, line in ((True, "-"), (False, "--")):
        rows = part[part["tully_fisher"] == prior]
        rows.sort("inclination")
        words = "" if prior else ", no Tully-Fisher prior"
        for name, colour in (("along", "C3"), ("across", "C0"), ("mean", "k")):
            if name == "across" and not prior:
                continue  # the prior changes nothing there
            axis.plot(rows["inclination"], rows[name], line, color=colour, label=name + words)
    axis.set_title(f"S/N {ratio:g}, size {size:g}", fontsize=9)
    _scale(axis, "inclination [deg]")


def _over(axis: Axes, table: Table, name: str, other: str, label: str) -> None:
    tilt = _middle(table, "inclination")
    part = table[table["tully_fisher"] & (table["inclination"] == tilt)]
    for number, value in enumerate(np.unique(part[other])):
        rows = part[part[other] == value]
        rows.sort(name)
        word = "size" if other == "size" else "S/N"
        axis.plot(rows[name], rows["mean"], "o-", color=f"C{number}", label=f"{word} {value:g}")
    axis.set_title(f"rms of both components, inclination {tilt:g}", fontsize=9)
    if name == "signal_to_noise":
        axis.set_xscale("log")
        values = np.unique(part[name])
        axis.set_xticks(values, labels=[f"{value:g}" for value in values])
        axis.minorticks_off()
    _scale(axis, label)


def _estimates(axis: Axes, mocks: Sequence[dict[str, float]]) -> None:
    for name, colour in (("g1", "C0"), ("g2", "C1")):
        truth = [mock[name] for mock in mocks]
        means = [mock[f"{name}_mean"] for mock in mocks]
        errors = [mock[f"{name}_deviation"] for mock in mocks]
        axis.errorbar(truth, means, errors, fmt=".", color=colour, lw=0.6, alpha=0.7, label=name)
    ends = np.array(axis.get_xlim())
    axis.plot(ends, ends, "k-", lw=0.8)
    axis.set_xlabel("true shear")
    axis.set_ylabel("measured")
    axis.legend(fontsize=8)


def _away(axis: Axes, mocks: Sequence[dict[str, float]], name: str, words: str) -> None:
    tilt = [mock["inclination"] for mock in mocks]
    away = [mock[f"{name}_bias"] for mock in mocks]
    errors = [mock[f"{name}_deviation"] for mock in mocks]
    axis.errorbar(tilt, away, errors, fmt=".", color="k", lw=0.6)
    axis.axhline(0.0, color="C3", lw=0.8)
    axis.axhline(float(np.mean(away)), color="C3", ls=":", lw=1, label="mean")
    axis.set_title(f"shear {words}", fontsize=9)
    axis.set_xlabel("inclination [deg]")
    axis.set_ylabel("measured - true")
    axis.legend(fontsize=8)
