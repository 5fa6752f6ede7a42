"""The panels of pictures of cubes: maps, position-velocity diagrams, spectra.

Each is drawn on axes that are handed in; mock cubes and fits show them alike.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.wcs import WCS
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clumpygan.galaxies.measuring.moments import Moments
from clumpygan.galaxies.measuring.position_velocity import PositionVelocity
from clumpygan.galaxies.measuring.signal_mask import noise_level
from clumpygan.galaxies.measuring.spectrum import Spectrum
from clumpygan.plots.cube_view import Channel, CubeView
from clumpygan.plots.style import (
    BRIGHTNESS_MAP,
    LABEL,
    NO_DATA,
    TICKS,
    VELOCITY_MAP,
    brightness_bar,
    colour_bar,
    scaled,
    show_map,
    stretch,
)

FloatArray = NDArray[np.float64]
Span = tuple[float, float]

RESIDUAL_MAP, RESIDUAL_RANGE = "PuOr_r", 5.0
"""Colours of what a model leaves, and the largest of them in sigma."""

DASHES = (0, (4, 3))

_HALO = [withStroke(linewidth=2.4, foreground="white")]

_BAR_END = 1.07  # of a panel's width: the end of its colour bar
_TICKS_A_SIDE = 6  # at most, of a slit
_LEVELS = 3.0 * 2.0 ** np.arange(7)  # sigma, contours of diagrams
_REACH = 0.5  # of the velocity range: shown beyond it in diagrams and spectra, on each side


def add_panel(
    figure: Figure,
    left: float,
    bottom: float,
    width: float,
    height: float,
    sky: WCS | None = None,
) -> Axes:
    """Return new axes at a place in inches, of the sky where a projection is given."""
    across, up = figure.get_size_inches()
    place = (left / across, bottom / up, width / across, height / up)
    return figure.add_axes(place) if sky is None else figure.add_axes(place, projection=sky)


_UNIT, _APART = "unit", 6
"""Mark of units above panels, and their least distance from a heading in dots."""


def head(axis: Axes, text: str, size: float = LABEL + 1) -> None:
    """Write a heading over a panel, and lift its unit to a line of its own if both don't fit."""
    title = axis.set_title(text, fontsize=size, fontweight="bold", loc="left")
    canvas: Any = axis.figure.canvas
    for unit in (one for one in axis.texts if one.get_gid() == _UNIT):
        right, left = (one.get_window_extent(canvas.get_renderer()) for one in (title, unit))
        if right.x1 + _APART > left.x0:
            lift = 1.3 * size / 72 * axis.figure.dpi / axis.get_window_extent().height
            unit.set_y(unit.get_position()[1] + lift)


def plot_map(axis: Axes, view: CubeView, image: FloatArray, unit: str = "", **how: Any) -> None:
    """Draw a map of the part of the sky that is shown; with a unit, a colour bar beside it."""
    show_map(axis, image, view.pixel_scale, view.extent, **how)
    if unit:
        colour_bar(axis, axis.images[0])
        write_unit(axis, unit)


def flux_stretch(flux: FloatArray, maps: Moments) -> FuncNorm:
    """Return the stretch of flux maps, by the error of the one that was observed."""
    known = maps.flux_error[np.isfinite(maps.flux_error)]
    norm = stretch(flux, float(np.median(known)) if known.size else 0.0)
    norm.vmin = 0.0
    return norm


def plot_flux(axis: Axes, view: CubeView, flux: FloatArray, norm: FuncNorm, unit: str = "") -> None:
    """Draw a flux map; with a unit, a colour bar beside it."""
    plot_map(axis, view, flux, cmap=BRIGHTNESS_MAP, norm=norm)
    if unit:
        write_unit(axis, brightness_bar(axis, axis.images[0], unit))


def plot_diagram(
    axis: Axes,
    diagram: PositionVelocity,
    limits: Span,
    *,
    unit: str = "",
    sigma: bool = False,
    contours_of: PositionVelocity | None = None,
) -> None:
    """Draw a position-velocity diagram.

    Parameters
    ----------
    axis : Axes
    diagram : PositionVelocity
    limits : tuple of float
        Velocities between which it is drawn.
    unit : str
        Of the flux; with it, there is a colour bar.
    sigma : bool
        Whether it is what a model leaves, in units of its error.
    contours_of : PositionVelocity, optional
        Lines at 3, 6, 12, ... times the noise of `diagram`, of this one.
    """
    noise = _noise_of(diagram)
    x, y = (_edges(centres) for centres in (diagram.offsets, diagram.velocities))
    shown, colours = diagram.diagram, BRIGHTNESS_MAP
    norm: Normalize = stretch(diagram.diagram, noise)
    if sigma and diagram.error is not None:
        shown, colours = shown / diagram.error, RESIDUAL_MAP
        norm = Normalize(-RESIDUAL_RANGE, RESIDUAL_RANGE)
    axis.set_facecolor(NO_DATA)
    mesh = axis.pcolormesh(x, y, shown, cmap=colours, norm=norm, rasterized=True)
    if contours_of is not None and noise and min(shown.shape) > 1:
        levels = _LEVELS * noise
        axis.contour(contours_of.offsets, contours_of.velocities, contours_of.diagram,
                     colors=["white" if norm(level) < 0.6 else "black" for level in levels],
                     levels=levels, linewidths=0.9)  # fmt: skip
    known = np.isfinite(shown).any(axis=0)
    axis.set_xlim(x[:-1][known][0], x[1:][known][-1])
    axis.set_ylim(max(limits[0], y[0]), min(limits[1], y[-1]))
    axis.set_xlabel("along the slit [arcsec]", fontsize=LABEL)
    axis.tick_params(labelsize=TICKS)
    axis.xaxis.set_major_locator(MaxNLocator(_TICKS_A_SIDE, steps=(1, 2, 5, 10)))
    if sigma:
        colour_bar(axis, mesh)
        write_unit(axis, "sigma")
    elif unit:
        write_unit(axis, brightness_bar(axis, mesh, unit))


def plot_spectrum(
    axis: Axes, spectra: Sequence[tuple[Spectrum, dict[str, Any]]], limits: Span, unit: str
) -> None:
    """Draw spectra, the first with a band of its error, each in its own way (`Axes.step`)."""
    first = spectra[0][0]
    factor, unit = scaled(float(np.nanmax(first.flux)), unit)
    if first.error is not None:
        low, high = (first.flux - first.error) / factor, (first.flux + first.error) / factor
        axis.fill_between(first.velocities, low, high, step="mid", color="0.45", alpha=0.55,
                          linewidth=0)  # fmt: skip
    for line, how in spectra:
        axis.step(line.velocities, line.flux / factor, where="mid", **{"linewidth": 1.5, **how})
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set_xlim(max(limits[0], first.velocities[0]), min(limits[1], first.velocities[-1]))
    axis.set_xlabel("velocity [km/s]", fontsize=LABEL)
    axis.tick_params(labelsize=TICKS)
    write_unit(axis, unit, 1.0)


def plot_channels(
    axes: Sequence[Axes], view: CubeView, channels: Sequence[Channel], size: float = LABEL
) -> None:
    """Draw channel maps on one stretch, each under a band in the colour of its velocity.

    Parameters
    ----------
    axes : sequence of Axes
        One for each map; those of a cube with fewer channels stay empty.
    view : CubeView
    channels : sequence of Channel
    size : float
        Of the velocities above them, in points.
    """
    images = np.stack([_shown_part(view, channel.image) for channel in channels])
    norm = stretch(images, max(channel.noise for channel in channels))
    for axis, channel in zip(axes, channels, strict=False):
        plot_map(axis, view, channel.image, cmap=BRIGHTNESS_MAP, norm=norm)
        colour = channel_colour(channel, view)
        axis.set_title(f"{channel.low:+.0f} to {channel.high:+.0f} km/s", fontsize=size, pad=13)
        axis.add_patch(Rectangle((0, 1.015), 1, 0.04, transform=axis.transAxes, clip_on=False,
                                 facecolor=colour, edgecolor="0.3"))  # fmt: skip


def channel_colour(channel: Channel, view: CubeView) -> Any:
    """Return the colour that the middle of a channel has in the velocity map."""
    middle = 0.5 * (channel.low + channel.high)
    return colormaps[VELOCITY_MAP](0.5 + 0.5 * middle / view.velocity_range)


def mark_slit(axis: Axes, view: CubeView) -> None:
    """Draw the outline of the slit and its centre."""
    slit, reach = view.slit, slit_reach(view)
    along, across = direction(slit.position_angle), direction(slit.position_angle - 90)
    for side in (-0.5, 0.5):
        ends = [
            np.array(slit.centre) + end * reach * along + side * slit.width * across
            for end in (-1, 1)
        ]
        axis.plot(*zip(*ends, strict=True), color="black", linewidth=1, linestyle=DASHES)
    axis.plot(*slit.centre, marker="+", color="black", markersize=11, markeredgewidth=1.6)


def slit_reach(view: CubeView) -> float:
    """Return the offset in arcsec at which the slit leaves what is shown."""
    left, right, bottom, top = view.extent
    x, y = view.slit.centre
    along = direction(view.slit.position_angle)
    corners = itertools.product((left - x, right - x), (bottom - y, top - y))
    return float(max(abs(along @ np.array(corner)) for corner in corners))


def centres(count: int, view: CubeView) -> FloatArray:
    """Return where the centres of pixels are, in arcsec from the middle of the field."""
    return np.asarray((np.arange(count) - (count - 1) / 2) * view.pixel_scale)


def _shown_part(view: CubeView, image: FloatArray) -> FloatArray:
    """Return the image with NaN outside of what is shown."""
    left, right, bottom, top = view.extent
    y, x = (centres(count, view) for count in image.shape)
    inside = ((y > bottom) & (y < top))[:, None] & ((x > left) & (x < right))
    return np.where(inside, image, np.nan)


def velocity_limits(*views: CubeView) -> Span:
    """Return the velocities between which diagrams and spectra are drawn."""
    reach = max(
        view.velocity_range * (1 + _REACH) + 3 * (view.dispersion_range[1] + view.channel_width)
        for view in views
    )
    edges = views[0].cube.edges
    return max(-reach, float(edges[0])), min(reach, float(edges[-1]))


def mark_north(axis: Axes, view: CubeView, north_angle: float, mirrored: bool) -> None:
    """Draw arrows to north and east into the lower corner where less of the galaxy is."""
    galaxy = view.galaxy[: len(view.galaxy) // 2]
    middle = galaxy.shape[1] // 2
    x = 0.2 if galaxy[:, :middle].sum() < galaxy[:, middle:].sum() else 0.84
    angles = (north_angle, north_angle + (-90 if mirrored else 90))
    steps = [direction(angle) for angle in angles]
    # The middle of the arrows stays where it is, whichever way they point.
    start = np.array([x, 0.14]) - 0.06 * (steps[0] + steps[1])
    for name, step in zip("NE", steps, strict=True):
        (x0, y0), (x1, y1), (x2, y2) = start, start + 0.13 * step, start + 0.17 * step
        axis.annotate("", xy=(x1, y1), xytext=(x0, y0), xycoords="axes fraction",
                      arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0,
                                  "shrinkB": 0, "linewidth": 1.4})  # fmt: skip
        axis.text(x2, y2, name, transform=axis.transAxes, fontsize=TICKS, ha="center",
                  va="center", path_effects=_HALO)  # fmt: skip


def direction(angle: float) -> FloatArray:
    """Return the direction (x, y) of an angle in degrees from +y towards -x."""
    return np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))])


def write_unit(axis: Axes, unit: str, end: float = _BAR_END) -> None:
    """Write a unit above the right end of a panel, or of its colour bar."""
    axis.text(end, 1.02, unit, transform=axis.transAxes, fontsize=LABEL - 1, ha="right",
              va="bottom", gid=_UNIT)  # fmt: skip


def _noise_of(diagram: PositionVelocity) -> float:
    if diagram.error is None:
        return 0.0
    # Where voxels are correlated the negative values tell more than the variance.
    return max(float(np.nanmedian(diagram.error)), noise_level(diagram.diagram))


def _edges(centres: FloatArray) -> FloatArray:
    """Return the edges of cells with equal or slowly changing distances."""
    half = np.diff(centres) / 2 if centres.size > 1 else np.array([0.5])
    middle = centres[:-1] + half[: centres.size - 1]
    return np.concatenate([[centres[0] - half[0]], middle, [centres[-1] + half[-1]]])
