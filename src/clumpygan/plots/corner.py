"""The corner plot of a posterior: every parameter, and every pair of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray
from scipy import ndimage

from clumpygan.plots.panels import add_panel

FloatArray = NDArray[np.float64]

SAMPLES, TRUTH = "#2f5d8a", "#c8451b"

_SHARES = (0.954, 0.683)
"""Shares of the samples within the contours."""

_BINS, _SMOOTHING = 28, 1.3
_REACH = 0.003
"""Share of the samples beyond each side of the panels."""


def plot_corner(
    figure: Figure,
    box: tuple[float, float, float],
    samples: FloatArray,
    labels: Sequence[str],
    truth: Mapping[int, float] | None = None,
) -> None:
    """Draw histograms on the diagonal, and contours of 68 and 95 % below it.

    Parameters
    ----------
    figure : Figure
    box : tuple of float
        Left and lower side, and width, in inches.
    samples : ndarray (S, n)
    labels : sequence of str
        Of the n parameters.
    truth : mapping of int to float, optional
        Known values, by number; drawn as lines.
    """
    count = samples.shape[1]
    (left, bottom, side), each = box, box[2] / count
    limits = [_limits(column) for column in samples.T]
    known = truth or {}
    small = 8.5 if count <= 11 else 6.0
    for row in range(count):
        for column in range(row + 1):
            axis = add_panel(figure, left + column * each, bottom + side - (row + 1) * each,
                             0.93 * each, 0.93 * each)  # fmt: skip
            if row == column:
                edges = np.linspace(*limits[row], _BINS + 1).tolist()
                axis.hist(samples[:, row], edges, histtype="stepfilled", color=SAMPLES, alpha=0.6)
                for share, style in ((15.87, ":"), (50.0, "-"), (84.13, ":")):
                    axis.axvline(float(np.percentile(samples[:, row], share)), color="black",
                                 linewidth=1, linestyle=style)  # fmt: skip
            else:
                _contours(axis, samples[:, column], samples[:, row], limits[column], limits[row])
                axis.set_ylim(*limits[row])
                if row in known:
                    axis.axhline(known[row], color=TRUTH, linewidth=1)
            if column in known:
                axis.axvline(known[column], color=TRUTH, linewidth=1)
            axis.set_xlim(*limits[column])
            _ticks(axis, row == count - 1, column == 0 and row > 0, small)
            if row == count - 1:
                axis.set_xlabel(labels[column], fontsize=small + 1)
                axis.xaxis.set_label_coords(0.5, -0.55)
            if column == 0 and row > 0:
                axis.set_ylabel(labels[row], fontsize=small + 1)
                axis.yaxis.set_label_coords(-0.62, 0.5)


def _limits(values: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(values, [_REACH, 1 - _REACH])
    room = 0.12 * (high - low) or 0.5 * abs(high) or 0.5
    return float(low - room), float(high + room)


def _contours(
    axis: Axes,
    x: FloatArray,
    y: FloatArray,
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
) -> None:
    """Draw contours of the density of points, smoothed."""
    density, x_edges, y_edges = np.histogram2d(x, y, _BINS, (x_limits, y_limits))
    density = ndimage.gaussian_filter(density, _SMOOTHING)
    ranked = np.sort(density.ravel())[::-1]
    below = np.searchsorted(np.cumsum(ranked) / ranked.sum(), _SHARES)
    levels = np.unique(ranked[np.minimum(below, ranked.size - 1)])
    middles = [0.5 * (edges[1:] + edges[:-1]) for edges in (x_edges, y_edges)]
    if levels.size < len(_SHARES) or levels[0] <= 0:
        axis.plot(x, y, ".", color=SAMPLES, markersize=1)
        return
    axis.contourf(*middles, density.T, [*levels, density.max() * 1.001],
                  colors=[(SAMPLES, 0.3), (SAMPLES, 0.7)])  # fmt: skip
    axis.contour(*middles, density.T, levels, colors=SAMPLES, linewidths=1)


def _ticks(axis: Axes, lowest: bool, leftmost: bool, size: float) -> None:
    """Draw ticks along the outer panels alone: they take most of the time."""
    axis.xaxis.set_major_locator(MaxNLocator(3, prune="both") if lowest else NullLocator())
    axis.yaxis.set_major_locator(MaxNLocator(3, prune="both") if leftmost else NullLocator())
    axis.tick_params(labelsize=size, length=2)
    for label in axis.get_xticklabels() if lowest else ():
        label.set(rotation=45, ha="right", rotation_mode="anchor")
