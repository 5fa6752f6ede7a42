"""The picture of a fit of a velocity map: data, model, residual, rotation curve, posterior."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from astropy.wcs import WCS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clumpygan.plots.fit import plot_posterior, sky_of, write_words
from clumpygan.plots.panels import RESIDUAL_MAP, add_panel, head, write_unit
from clumpygan.plots.sky_axes import label_sides
from clumpygan.plots.style import (
    LABEL,
    VELOCITY_MAP,
    colour_bar,
    extent_of,
    mark_scale,
    new_page,
    rounded_up,
    show_map,
)

if TYPE_CHECKING:
    from clumpygan.fitting.maps.result import MapFitResult

FloatArray = NDArray[np.float64]

# All in inches: three maps in a row, the curve below, the corner plot to the right.
_WIDTH, _HEIGHT = 21.0, 10.5
_LEFTS, _MAP, _MAPS = (0.85, 4.35, 7.85), 2.75, 6.3
_CURVE = (0.85, 0.9, 9.6, 4.2)
_CORNER = (12.6, 0.95, 7.9)
_WORDS = (14.7, 10.1)

_MODEL = "#c8451b"
_WEDGE = 30.0
"""Degrees from the major axis, in the plane of the disk, within which velocities are a curve."""

_SHOWN = 95.0
"""Percentile of velocities that sets the colours."""


def map_figure(
    result: "MapFitResult",
    *,
    title: str = "",
    truth: Mapping[str, float] | None = None,
    wcs: bool = False,
) -> Figure:
    """Draw a fit of a velocity map.

    Parameters
    ----------
    result : MapFitResult
    title : str
    truth : mapping of str to float, optional
        Values of a mock, drawn into the corner plot; by default those that are known.
    wcs : bool
        Whether the axes of maps are in right ascension and declination, in place of arcsec.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window; `figure.savefig` writes it, notebooks show it.
    """
    figure = new_page(_WIDTH, _HEIGHT, title, _LEFTS[0])
    _draw_maps(figure, result, sky_of(result, wcs))
    _draw_curve(add_panel(figure, *_CURVE), result)
    known = plot_posterior(figure, _CORNER, result, truth)
    write_words(figure, result, (_WORDS[0] / _WIDTH, _WORDS[1] / _HEIGHT), known)
    return figure


def _draw_maps(figure: Figure, result: "MapFitResult", sky: WCS | None) -> None:
    """Draw data, model and residual."""
    known, scale = result.observation.valid[0], result.observation.frame.grid.pixel_scale
    systemic, extent = result.values["systemic_velocity"], extent_of(known, scale)
    images = [
        np.where(known, one, np.nan)
        for one in (
            result.observation.data[0] - systemic,
            result.velocity_field - systemic,
            result.residual_map,
        )
    ]
    speed = rounded_up(max(float(np.nanpercentile(np.abs(images[0]), _SHOWN)), 1.0))
    rest = rounded_up(max(float(np.nanpercentile(np.abs(images[2]), _SHOWN)), 1.0))
    for number, (image, words) in enumerate(
        zip(images, ("Velocity, data", "Velocity, model", "Velocity, residual"), strict=True)
    ):
        axis = add_panel(figure, _LEFTS[number], _MAPS, _MAP, _MAP, sky)
        limit, colours = (rest, RESIDUAL_MAP) if number == 2 else (speed, VELOCITY_MAP)
        show_map(axis, image, scale, extent, cmap=colours, vmin=-limit, vmax=limit)
        if number:
            colour_bar(axis, axis.images[0])
            write_unit(axis, "km/s")
        else:
            mark_scale(axis, extent, result.observation.frame.psf_fwhm)
        label_sides(axis, left=number == 0, bottom=True, size=LABEL)
        head(axis, words)


def _draw_curve(axis: Axes, result: "MapFitResult") -> None:
    """Draw the rotation curve, and the velocities near the major axis as if there were no PSF."""
    curve = result.rotation_curve()
    along, across = result.places()
    radius, azimuth = np.hypot(along, across), np.arctan2(across, np.abs(along))
    near = (np.abs(np.degrees(azimuth)) < _WEDGE) & (radius > 0)
    known = result.observation.valid[0]
    velocity = result.observation.data[0][known] - result.values["systemic_velocity"]
    error = np.sqrt(result.observation.variance[0][known])
    tilt = np.sin(np.radians(result.values["inclination"])) * np.cos(azimuth) * np.sign(along)
    for side, colour, words in ((1, "#b2182b", "receding"), (-1, "#2166ac", "approaching")):
        part = near & (np.sign(along) == side)
        axis.errorbar(
            radius[part], velocity[part] / tilt[part], error[part] / np.abs(tilt[part]), fmt=".",
            color=colour, alpha=0.35, markersize=4, elinewidth=0.6, label=words,
        )  # fmt: skip
    axis.fill_between(
        curve["radius"], curve["velocity_lower"], curve["velocity_upper"], color=_MODEL, alpha=0.3
    )
    axis.plot(curve["radius"], curve["velocity"], color=_MODEL, linewidth=2, label="model")
    top = max(float(np.nanmax(curve["velocity_upper"])), 1.0)
    axis.set_xlim(0, float(curve["radius"][-1]))
    axis.set_ylim(min(0.0, -0.3 * top), 1.6 * top)
    axis.set_xlabel("radius in the plane of the disk [arcsec]", fontsize=LABEL)
    axis.set_ylabel("rotation velocity [km/s]", fontsize=LABEL)
    axis.legend(frameon=False, fontsize=LABEL, loc="lower right", ncol=3)
    words = (
        f"Rotation curve, and data within {_WEDGE:.0f}° of the major axis as the PSF smears them"
    )
    head(axis, words)
