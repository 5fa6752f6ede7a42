"""The panels of the picture of a cube, each drawn on axes that are handed in."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from clumpygan.galaxies.drawing import (
    BRIGHTNESS_MAP,
    DISPERSION_MAP,
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
from clumpygan.galaxies.signal_mask import noise_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clumpygan.commands.cube_view import Channel, CubeView

_HALO = [withStroke(linewidth=2.4, foreground="white")]
_DASHES = (0, (4, 3))
_BAR_END, _UNIT_AT = 1.07, 1.22  # of the panel's width: the end of its colour bar, of the ticks
_TICKS_A_SIDE = 6  # at most, of the maps
_CONTOURS = 9  # lines of equal velocity at most
_LEVELS = 3.0 * 2.0 ** np.arange(7)  # sigma, contours of the diagram
_REACH = 0.5  # of the velocity range: shown beyond it in diagram and spectrum, on each side


def draw_flux(axis: Axes, view: CubeView, unit: str) -> None:
    """Draw the flux map."""
    known = view.maps.flux_error[np.isfinite(view.maps.flux_error)]
    norm = stretch(view.maps.flux, float(np.median(known)) if known.size else 0.0)
    norm.vmin = 0.0
    # What is left of a model far out may be a little below 0: there is no flux, not no data.
    flux = view.maps.flux if known.size else np.nan_to_num(view.maps.flux)
    _show(axis, view, flux, cmap=BRIGHTNESS_MAP, norm=norm)
    _unit(axis, brightness_bar(axis, axis.images[0], unit), _BAR_END)


def draw_velocity(axis: Axes, view: CubeView) -> None:
    """Draw the velocity map with lines of equal velocity, thick at the systemic, and the slit."""
    velocity = np.where(view.galaxy, view.maps.velocity, np.nan)
    limit = view.velocity_range
    _show(axis, view, velocity, cmap=VELOCITY_MAP, vmin=-limit, vmax=limit)
    levels = velocity_levels(view)
    error = view.maps.velocity_error[np.isfinite(view.maps.velocity_error)]
    legible = not error.size or np.median(error) < 0.5 * (levels[1] - levels[0])
    if min(velocity.shape) > 1 and legible:
        y, x = ((np.arange(count) - (count - 1) / 2) * view.pixel_scale for count in velocity.shape)
        widths = [1.6 if level == 0 else 0.6 for level in levels]
        axis.contour(x, y, velocity, levels=levels, colors="black", linewidths=widths,
                     linestyles="solid", alpha=0.7)  # fmt: skip
    _slit_mark(axis, view)
    colour_bar(axis, axis.images[0])
    _unit(axis, "km/s", _BAR_END)


def velocity_levels(view: CubeView) -> np.ndarray:
    """Return round velocities in km/s, symmetric about 0, within the range of the colours."""
    limit = view.velocity_range
    levels = MaxNLocator(_CONTOURS, symmetric=True).tick_values(-limit, limit)
    return levels[np.abs(levels) < limit]


def draw_dispersion(axis: Axes, view: CubeView) -> None:
    """Draw the dispersion map."""
    low, high = view.dispersion_range
    dispersion = np.where(view.galaxy, view.maps.dispersion, np.nan)
    _show(axis, view, dispersion, cmap=DISPERSION_MAP, vmin=low, vmax=high)
    colour_bar(axis, axis.images[0])
    _unit(axis, "km/s", _BAR_END)


def draw_diagram(axis: Axes, view: CubeView, unit: str) -> None:
    """Draw the position-velocity diagram with contours at 3, 6, 12, ... times its noise."""
    offsets, diagram = view.diagram.offsets, view.diagram.diagram
    noise = 0.0
    if view.diagram.error is not None:
        # Where voxels are correlated the negative values tell more than the variance.
        noise = max(float(np.nanmedian(view.diagram.error)), noise_level(diagram))
    half = 0.5 * float(np.median(np.diff(offsets))) if len(offsets) > 1 else 0.5
    edges = np.append(offsets - half, offsets[-1] + half)
    norm = stretch(diagram, noise)
    axis.set_facecolor(NO_DATA)
    image = axis.pcolormesh(edges, view.velocity_edges, diagram, cmap=BRIGHTNESS_MAP, norm=norm,
                            rasterized=True)  # fmt: skip
    levels = _LEVELS * noise
    if noise and min(diagram.shape) > 1:
        colours = ["white" if norm(level) < 0.6 else "black" for level in levels]
        axis.contour(offsets, view.diagram.velocities, diagram, colors=colours, levels=levels,
                     linewidths=0.9)  # fmt: skip
    axis.axhline(0, color="white", linewidth=1, linestyle=_DASHES)
    axis.axvline(0, color="white", linewidth=1, linestyle=_DASHES)
    known, reach = edges[:-1][np.isfinite(diagram).any(axis=0)], _slit_reach(view)
    axis.set_xlim(max(-reach, known[0]), min(reach, known[-1] + 2 * half))
    axis.set_ylim(*_velocity_limits(view))
    axis.set_xlabel("offset along the slit [arcsec]", fontsize=LABEL)
    axis.set_ylabel("velocity [km/s]", fontsize=LABEL, labelpad=2)
    axis.tick_params(labelsize=TICKS)
    axis.xaxis.set_major_locator(MaxNLocator(_TICKS_A_SIDE, steps=(1, 2, 5, 10)))
    _unit(axis, brightness_bar(axis, image, unit), _BAR_END)


def draw_spectrum(axis: Axes, view: CubeView, unit: str) -> None:
    """Draw the spectrum of the aperture over the colours of the velocity map."""
    line = view.spectrum
    factor, unit = scaled(float(np.nanmax(line.flux)), unit)
    for channel in view.channels:
        axis.axvspan(channel.low, channel.high, color=_colour(channel, view), alpha=0.45,
                     linewidth=0)  # fmt: skip
    if line.error is not None:
        low, high = (line.flux - line.error) / factor, (line.flux + line.error) / factor
        axis.fill_between(line.velocities, low, high, step="mid", color="0.35",
                          alpha=0.5, linewidth=0)  # fmt: skip
    axis.step(line.velocities, line.flux / factor, where="mid", color="black", linewidth=1.6)
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.axvline(0, color="0.3", linewidth=1, linestyle=_DASHES)
    axis.set_xlim(*_velocity_limits(view))
    axis.set_xlabel("velocity [km/s]", fontsize=LABEL)
    _unit(axis, unit, 1.0)
    axis.tick_params(labelsize=TICKS)


def draw_channels(axes: list[Axes], view: CubeView, unit: str) -> None:
    """Draw the channel maps on one stretch, each under a band in the colour of its velocity."""
    images = np.stack([_shown_part(view, channel.image) for channel in view.channels])
    norm = stretch(images, max(channel.noise for channel in view.channels))
    for axis, channel in zip(axes, view.channels, strict=False):  # of a few channels: fewer maps
        _show(axis, view, channel.image, cmap=BRIGHTNESS_MAP, norm=norm)
        axis.set_title(f"{channel.low:+.0f} to {channel.high:+.0f} km/s", fontsize=LABEL, pad=13)
        axis.add_patch(Rectangle((0, 1.015), 1, 0.04, transform=axis.transAxes, clip_on=False,
                                 facecolor=_colour(channel, view), edgecolor="0.3"))  # fmt: skip
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    last = axes[len(view.channels) - 1]
    unit = brightness_bar(last, last.images[0], unit)
    last.text(_UNIT_AT, 0.5, unit, transform=last.transAxes, fontsize=LABEL, rotation=90,
              ha="left", va="center")  # fmt: skip


def mark_north(axis: Axes, view: CubeView, north_angle: float, mirrored: bool) -> None:
    """Draw arrows to north and east into the lower corner where less of the galaxy is."""
    galaxy = view.galaxy[: len(view.galaxy) // 2]
    middle = galaxy.shape[1] // 2
    x = 0.2 if galaxy[:, :middle].sum() < galaxy[:, middle:].sum() else 0.84
    north = np.radians(north_angle)
    east = north + (-0.5 if mirrored else 0.5) * np.pi
    directions = [np.array([-np.sin(angle), np.cos(angle)]) for angle in (north, east)]
    # The middle of the arrows stays where it is, whichever way they point.
    start = np.array([x, 0.14]) - 0.06 * sum(directions)
    for name, step in zip("NE", directions, strict=True):
        axis.annotate("", xy=start + 0.13 * step, xytext=start, xycoords="axes fraction",
                      arrowprops={"arrowstyle": "-|>", "color": "black", "shrinkA": 0,
                                  "shrinkB": 0, "linewidth": 1.4})  # fmt: skip
        axis.text(*(start + 0.17 * step), name, transform=axis.transAxes, fontsize=TICKS,
                  ha="center", va="center", path_effects=_HALO)  # fmt: skip


def _show(axis: Axes, view: CubeView, image: np.ndarray, **how: Any) -> None:
    show_map(axis, image, view.pixel_scale, view.extent, **how)


def _shown_part(view: CubeView, image: np.ndarray) -> np.ndarray:
    """Return the image with NaN outside of what is shown."""
    left, right, bottom, top = view.extent
    y, x = ((np.arange(count) - (count - 1) / 2) * view.pixel_scale for count in image.shape)
    inside = ((y > bottom) & (y < top))[:, None] & ((x > left) & (x < right))
    return np.where(inside, image, np.nan)


def _slit_mark(axis: Axes, view: CubeView) -> None:
    """Draw the outline of the slit and its centre."""
    slit, reach = view.slit, _slit_reach(view)
    angle = np.radians(slit.position_angle)
    along = np.array([-np.sin(angle), np.cos(angle)])
    across = np.array([np.cos(angle), np.sin(angle)])
    for side in (-0.5, 0.5):
        ends = [
            np.array(slit.centre) + end * reach * along + side * slit.width * across
            for end in (-1, 1)
        ]
        axis.plot(*zip(*ends, strict=True), color="black", linewidth=1, linestyle=_DASHES)
    axis.plot(*slit.centre, marker="+", color="black", markersize=11, markeredgewidth=1.6)


def _slit_reach(view: CubeView) -> float:
    """Return the offset in arcsec at which the slit leaves what is shown."""
    left, right, bottom, top = view.extent
    x, y = view.slit.centre
    angle = np.radians(view.slit.position_angle)
    corners = itertools.product((left - x, right - x), (bottom - y, top - y))
    return float(max(abs(-dx * np.sin(angle) + dy * np.cos(angle)) for dx, dy in corners))


def _velocity_limits(view: CubeView) -> tuple[float, float]:
    """Return the velocities between which diagram and spectrum are drawn."""
    spread = view.dispersion_range[1] + float(np.median(np.diff(view.velocity_edges)))
    reach = view.velocity_range * (1 + _REACH) + 3 * spread
    return max(-reach, view.velocity_edges[0]), min(reach, view.velocity_edges[-1])


def _colour(channel: Channel, view: CubeView) -> Any:
    middle = 0.5 * (channel.low + channel.high)
    return colormaps[VELOCITY_MAP](0.5 + 0.5 * middle / view.velocity_range)


def _unit(axis: Axes, unit: str, end: float) -> None:
    axis.text(end, 1.02, unit, transform=axis.transAxes, fontsize=LABEL, ha="right", va="bottom")
