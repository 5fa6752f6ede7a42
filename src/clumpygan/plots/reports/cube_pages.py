"""Pages of many galaxies: maps of flux, velocity and dispersion, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from clumpygan.evaluation.cubes.line_maps import FloatArray, LineMaps
from clumpygan.plots.style import (
    BRIGHTNESS_MAP,
    DISPERSION_MAP,
    NO_DATA,
    VELOCITY_MAP,
    new_figure,
    stretch,
)

_PANEL = 1.15
"""Inches of a map."""

_LARGEST_SHARE = 98.0
"""Percentile of the velocities that the colours reach."""


def galaxies_page(maps: LineMaps, systemic: ArrayLike, titles: Sequence[str]) -> Figure:
    """Draw galaxies, two beside each other on a line: flux, velocity and dispersion of each.

    Parameters
    ----------
    maps : LineMaps
    systemic : array_like (N,)
        Velocities in km/s that are white.
    titles : sequence of str
        Of the galaxies.

    Returns
    -------
    matplotlib.figure.Figure
    """
    lines = -(-len(maps) // 2)
    height = lines * (_PANEL + 0.25)
    figure = new_figure(6 * _PANEL + 0.8, height, layout=None)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.25 / height, wspace=0.06, hspace=0.25)
    axes = figure.subplots(lines, 7, squeeze=False, width_ratios=(1, 1, 1, 0.15, 1, 1, 1))
    for axis in axes.ravel():
        axis.axis("off")
    for galaxy, title in enumerate(titles):
        line, side = divmod(galaxy, 2)
        panels = list(axes[line, 4 * side : 4 * side + 3])
        draw_maps(panels, maps, galaxy, float(np.asarray(systemic)[galaxy]))
        panels[0].set_title(title, fontsize=8, loc="left", pad=2)
    return figure


def sets_page(
    sets: Mapping[str, LineMaps], systemic: Mapping[str, ArrayLike], galaxies: Sequence[int]
) -> Figure:
    """Draw galaxies of several sets: a line for each galaxy, three maps for each set.

    Colours reach as far in all sets as in the first.

    Parameters
    ----------
    sets : dict
        Name -> LineMaps; galaxy i of all of them was asked for alike.
    systemic : dict
        Name -> velocities (N,) in km/s that are white.
    galaxies : sequence of int
        Which ones.
    """
    lines, columns = len(galaxies), len(sets)
    height = lines * _PANEL + 0.4
    figure = new_figure(columns * (3 * _PANEL + 0.3), height, layout=None)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.35 / height, wspace=0.06, hspace=0.06)
    widths = [width for _ in sets for width in (1, 1, 1, 0.15)]
    axes = figure.subplots(lines, 4 * columns, squeeze=False, width_ratios=widths)
    for axis in axes.ravel():
        axis.axis("off")
    first = next(iter(sets.values()))
    for line, galaxy in enumerate(galaxies):
        for column, (name, maps) in enumerate(sets.items()):
            panels = list(axes[line, 4 * column : 4 * column + 3])
            middle = float(np.asarray(systemic[name])[galaxy])
            draw_maps(panels, maps, galaxy, middle, like=first)
            if line == 0:
                panels[0].set_title(name, fontsize=10, loc="left")
    return figure


def draw_maps(
    axes: Sequence[Axes],
    maps: LineMaps,
    galaxy: int,
    systemic: float,
    like: LineMaps | None = None,
) -> None:
    """Draw flux, velocity and dispersion of one galaxy on three axes.

    Parameters
    ----------
    axes : sequence of Axes
    maps : LineMaps
    galaxy : int
        Which one.
    systemic : float
        km/s.
    like : LineMaps, optional
        Whose values the colours reach; the same maps by default.
    """
    measure = like or maps
    flux = measure.flux[galaxy]
    norm = stretch(np.maximum(flux, 1e-6 * np.abs(flux).max()), 0.0)
    limit = _limit(np.abs(measure.velocity[galaxy] - systemic), 50.0)
    broad = _limit(measure.dispersion[galaxy], 50.0)
    velocity = maps.velocity[galaxy] - systemic
    _show(axes[0], maps.flux[galaxy], cmap=BRIGHTNESS_MAP, norm=norm)
    _show(axes[1], velocity, cmap=VELOCITY_MAP, vmin=-limit, vmax=limit)
    _show(axes[2], maps.dispersion[galaxy], cmap=DISPERSION_MAP, vmin=0.0, vmax=broad)


def _limit(values: FloatArray, otherwise: float) -> float:
    known = values[np.isfinite(values)]
    return max(float(np.percentile(known, _LARGEST_SHARE)), 1.0) if known.size else otherwise


def _show(axis: Axes, image: FloatArray, **how: Any) -> None:
    axis.axis("on")
    axis.set(xticks=[], yticks=[], facecolor=NO_DATA)
    axis.imshow(np.ma.masked_invalid(image), origin="lower", interpolation="nearest", **how)
