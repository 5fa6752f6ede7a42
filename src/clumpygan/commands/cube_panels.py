"""The panels of the picture of a cube, each drawn on axes that are handed in.

Brightness is in inferno on an asinh stretch; velocities in RdBu, red receding, white at the
systemic velocity; dispersions in cividis. All can be told apart with any colour vision.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import FuncNorm
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from clumpygan.galaxies.signal_mask import noise_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar

    from clumpygan.commands.cube_view import Channel, CubeView

BRIGHTNESS_MAP, VELOCITY_MAP, DISPERSION_MAP, NO_DATA = "inferno", "RdBu_r", "cividis", "0.8"

LABEL, TICKS = 12, 11  # points

_OUTLINE = [withStroke(linewidth=2.4, foreground="black")]
_HALO = [withStroke(linewidth=2.4, foreground="white")]
_DASHES = (0, (4, 3))
_SIGMA = 4.0  # noise at which the stretch turns logarithmic
_SOFT = 0.05  # of the peak: where the stretch of noiseless brightness turns logarithmic
_BAR_END, _UNIT_AT = 1.07, 1.22  # of the panel's width: the end of its colour bar, of the ticks
_TICK_DISTANCE, _FEW_TICKS = 0.11, 5  # of a colour bar
_TICKS_A_SIDE = 6  # at most, of the maps
_LONG_NUMBER = 1e4  # from which on, and below 0.1, powers of ten go to the unit
_CONTOURS = 9  # lines of equal velocity at most
_LEVELS = 3.0 * 2.0 ** np.arange(7)  # sigma, contours of the diagram
_REACH = 0.5  # of the velocity range: shown beyond it in diagram and spectrum, on each side


def stretch(image: np.ndarray, noise: float) -> FuncNorm:
    """Return an asinh stretch: linear below a few times the noise, logarithmic above."""
    brightest = float(np.nanmax(image))
    soft = min(_SIGMA * noise, brightest) if noise else _SOFT * brightest
    return FuncNorm(
        (lambda x: np.arcsinh(x / soft), lambda x: soft * np.sinh(x)),
        vmin=-noise,
        vmax=brightest,
    )


def draw_flux(axis: Axes, view: CubeView, unit: str) -> None:
    """Draw the flux map."""
    known = view.maps.flux_error[np.isfinite(view.maps.flux_error)]
    norm = stretch(view.maps.flux, float(np.median(known)) if known.size else 0.0)
    norm.vmin = 0.0
    # What is left of a model far out may be a little below 0: there is no flux, not no data.
    flux = view.maps.flux if known.size else np.nan_to_num(view.maps.flux)
    _show(axis, view, flux, cmap=BRIGHTNESS_MAP, norm=norm)
    _unit(axis, _brightness_bar(axis, axis.images[0], unit), _BAR_END)


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
    _colour_bar(axis, axis.images[0])
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
    _colour_bar(axis, axis.images[0])
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
    _unit(axis, _brightness_bar(axis, image, unit), _BAR_END)


def draw_spectrum(axis: Axes, view: CubeView, unit: str) -> None:
    """Draw the spectrum of the aperture over the colours of the velocity map."""
    line = view.spectrum
    factor, unit = _scaled(float(np.nanmax(line.flux)), unit)
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
    unit = _brightness_bar(last, last.images[0], unit)
    last.text(_UNIT_AT, 0.5, unit, transform=last.transAxes, fontsize=LABEL, rotation=90,
              ha="left", va="center")  # fmt: skip


def mark_scale(axis: Axes, view: CubeView, fwhm: float | None) -> None:
    """Draw a bar of round length at the upper right, and the PSF at the lower left."""
    left, right, bottom, top = view.extent
    width, height = right - left, top - bottom
    unit = 10.0 ** np.floor(np.log10(0.35 * width))
    length = max(step * unit for step in (1, 2, 3, 5) if step * unit <= 0.35 * width)
    x, y = right - 0.06 * width, top - 0.06 * height
    axis.plot([x - length, x], [y, y], color="white", linewidth=3, path_effects=_OUTLINE)
    axis.text(x - length / 2, y - 0.02 * height, f'{length:g}"', color="white", fontsize=LABEL,
              ha="center", va="top", path_effects=_OUTLINE)  # fmt: skip
    if fwhm is not None:
        gap = 0.05 * min(width, height) + fwhm / 2
        x, y = left + gap, bottom + gap
        axis.add_patch(Circle((x, y), fwhm / 2, fill=False, color="white", linewidth=1.6,
                              path_effects=_OUTLINE))  # fmt: skip
        axis.text(x + fwhm / 2 + 0.02 * width, y, "PSF", color="white", fontsize=TICKS,
                  va="center", path_effects=_OUTLINE)  # fmt: skip


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
    """Draw an image in arcsec from the centre of the field, as far as the galaxy reaches."""
    y, x = (count * view.pixel_scale / 2 for count in image.shape)
    axis.set_facecolor(NO_DATA)
    axis.imshow(np.ma.masked_invalid(image), origin="lower", interpolation="nearest",
                extent=(-x, x, -y, y), **how)  # fmt: skip
    left, right, bottom, top = view.extent
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    axis.tick_params(labelsize=TICKS, length=3)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(_TICKS_A_SIDE, steps=(1, 2, 5, 10)))


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


def _colour_bar(axis: Axes, image: Any) -> Colorbar:
    """Draw a colour bar to the right of an image."""
    bar = axis.inset_axes((1.025, 0, 0.045, 1))
    colours = axis.figure.colorbar(image, cax=bar)
    colours.ax.tick_params(labelsize=TICKS, length=3)
    return colours


def _brightness_bar(axis: Axes, image: Any, unit: str) -> str:
    """Draw a colour bar with round numbers on an asinh stretch; return the unit that they have."""
    factor, unit = _scaled(image.norm.vmax, unit)
    colours = _colour_bar(axis, image)
    colours.ax.yaxis.set_major_locator(FixedLocator(_round_values(image.norm)))
    colours.ax.yaxis.set_minor_locator(NullLocator())
    colours.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:.3g}"))
    return unit


def _unit(axis: Axes, unit: str, end: float) -> None:
    axis.text(end, 1.02, unit, transform=axis.transAxes, fontsize=LABEL, ha="right", va="bottom")


def _scaled(largest: float, unit: str) -> tuple[float, str]:
    """Return a power of 1000 by which numbers become legible, and the unit with that factor."""
    if 0.1 <= largest < _LONG_NUMBER:
        return 1.0, unit
    power = 3 * int(np.floor(np.log10(largest) / 3))
    return 10.0**power, f"$10^{{{power}}}$ {unit}"


def _round_values(norm: FuncNorm) -> list[float]:
    """Return 0 and round values that lie well apart on the stretch, every 1, 2, 5 if few fit."""
    top = int(np.floor(np.log10(norm.vmax)))
    for steps in ((1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 8)):
        kept = [0.0]
        for value in (step * 10.0**power for power in range(top - 5, top + 1) for step in steps):
            if norm(value) - norm(kept[-1]) > _TICK_DISTANCE and value <= norm.vmax:
                kept.append(value)
        if len(kept) >= _FEW_TICKS:
            break
    return kept
