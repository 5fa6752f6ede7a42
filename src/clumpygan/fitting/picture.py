"""The picture of a fit: data, model and residual, slit, spectrum and the posterior, on one page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from clumpygan.fitting.corner import TRUTH, draw_corner
from clumpygan.fitting.result import FitResult
from clumpygan.fitting.views import FitViews, views_of
from clumpygan.galaxies.drawing import (
    BRIGHTNESS_MAP,
    DISPERSION_MAP,
    LABEL,
    NO_DATA,
    TICKS,
    VELOCITY_MAP,
    Extent,
    brightness_bar,
    colour_bar,
    extent_of,
    mark_scale,
    rounded_up,
    scaled,
    show_map,
    stretch,
)

FloatArray = NDArray[np.float64]

# All in inches: maps in three columns and rows, diagrams below, the corner plot to the right.
_WIDTH, _HEIGHT = 21.0, 13.0
_LEFTS, _MAP = (0.85, 4.35, 7.85), 2.55
_ROWS, _DIAGRAM = (9.35, 6.4, 3.45), (0.75, 2.1)
_CORNER = (12.3, 0.95, 8.45)
_WORDS = (14.7, 12.55)
_DOTS = 100  # per inch

_RESIDUAL_MAP, _RESIDUAL_RANGE = "PuOr_r", 5.0
_LEVELS = 3.0 * 2.0 ** np.arange(7)  # sigma, contours of the diagram
_MODEL = "#c8451b"
_REACH = 1.6  # times the largest velocity of the maps: shown of diagrams and spectrum

_ROOMY = 10
"""Parameters, up to which the corner plot has room for their units."""

_LABELS = {
    "ring_width": "width",
    "offset_x": "x",
    "offset_y": "y",
    "systemic_velocity": r"$v_{sys}$",
    "half_light_radius": r"$R_{1/2}$",
    "inclination": r"$i$",
    "position_angle": "PA",
    "maximum_velocity": r"$v_{max}$",
    "turnover_radius": r"$R_{turn}$",
    "velocity_dispersion": r"$\sigma$",
    "scale_height": r"$h_z$",
    "sersic_index": r"$n$",
    "doublet_ratio": "doublet ratio",
    "g1": r"$g_1$",
    "g2": r"$g_2$",
}


def fit_figure(
    result: FitResult, *, title: str = "", truth: Mapping[str, float] | None = None
) -> Figure:
    """Draw a fit.

    Parameters
    ----------
    result : FitResult
    title : str
    truth : mapping of str to float, optional
        Values of a mock, drawn into the corner plot.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window; `figure.savefig` writes it, notebooks show it.
    """
    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DOTS, facecolor="white")
    FigureCanvasAgg(figure)
    views = views_of(result)
    grid = result.observation.frame.grid
    shown = views.galaxy if views.galaxy.any() else np.ones_like(views.galaxy)
    extent = extent_of(shown, grid.pixel_scale)
    axes = [
        [_axes(figure, left, bottom, _MAP, _MAP) for left in _LEFTS] for bottom in _ROWS
    ]  # fmt: skip
    _flux(axes[0], views, result, extent)
    largest = _velocity(axes[1], views, grid.pixel_scale, extent)
    _dispersion(axes[2], views, grid.pixel_scale, extent)
    for row, name in zip(axes, ("Flux", "Velocity", "Dispersion"), strict=True):
        for axis, what in zip(row, ("data", "model", "residual"), strict=True):
            axis.set_title(f"{name}, {what}", fontsize=LABEL + 1, fontweight="bold", loc="left")
            axis.tick_params(labelbottom=row is axes[-1], labelleft=axis is row[0])
        row[0].set_ylabel("arcsec", fontsize=LABEL)
    lower = [_axes(figure, left, _DIAGRAM[0], _MAP, _DIAGRAM[1]) for left in _LEFTS]
    reach = _REACH * largest + 2 * result.values["velocity_dispersion"] + grid.channel_width
    # Of several lines, the others lie beside the first.
    offsets = np.mean(grid.edges[:1] - grid.edges, axis=1)
    span = float(offsets.min()) - reach, float(offsets.max()) + reach
    _diagrams(lower, views, result, span)
    _spectrum(lower[2], views, result, span)
    names = [str(name) for name in result.table["name"]]
    places = {names.index(name): value for name, value in (truth or {}).items() if name in names}
    left, bottom, side = _CORNER
    draw_corner(
        figure,
        (left / _WIDTH, bottom / _HEIGHT, side / _WIDTH, side / _HEIGHT),
        np.stack([np.asarray(result.samples[name], dtype=np.float64) for name in names], axis=1),
        [
            _label(name, str(unit), len(names) <= _ROOMY)
            for name, unit in zip(names, result.table["unit"], strict=True)
        ],
        _turned(places, result),
    )
    _words(figure, result, title, bool(places))
    return figure


def save_picture(
    result: FitResult, path: Path, *, title: str = "", truth: Mapping[str, float] | None = None
) -> None:
    """Write the figure into a file, in the format that its name ends with."""
    figure = fit_figure(result, title=title, truth=truth)
    figure.savefig(path, format=path.suffix.lstrip(".").lower())


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    return figure.add_axes((left / _WIDTH, bottom / _HEIGHT, width / _WIDTH, height / _HEIGHT))


def _flux(axes: list[Axes], views: FitViews, result: FitResult, extent: Extent) -> None:
    scale = result.observation.frame.grid.pixel_scale
    known = views.data.flux_error[np.isfinite(views.data.flux_error)]
    norm = stretch(np.fmax(views.data.flux, views.model.flux),
                   float(np.median(known)) if known.size else 0.0)  # fmt: skip
    norm.vmin = 0.0
    for axis, maps in zip(axes, (views.data, views.model), strict=False):
        flux = np.where(views.data.mask, maps.flux, np.nan)
        show_map(axis, flux, scale, extent, cmap=BRIGHTNESS_MAP, norm=norm)
    _unit(axes[1], brightness_bar(axes[1], axes[1].images[0], _flux_unit(result)))
    show_map(axes[2], views.residual, scale, extent, cmap=_RESIDUAL_MAP, vmin=-_RESIDUAL_RANGE,
             vmax=_RESIDUAL_RANGE)  # fmt: skip
    colour_bar(axes[2], axes[2].images[0])
    _unit(axes[2], "sigma")
    mark_scale(axes[0], extent, result.observation.frame.psf_fwhm)


def _velocity(axes: list[Axes], views: FitViews, scale: float, extent: Extent) -> float:
    """Draw the velocity maps, and return the largest velocity of their colours."""
    galaxy = views.galaxy
    speeds = np.abs(np.concatenate([m.velocity[galaxy] for m in (views.data, views.model)]))
    largest = rounded_up(max(float(np.percentile(speeds, 97)), 1.0)) if speeds.size else 1.0
    _trio(axes, views, [m.velocity for m in (views.data, views.model)], scale, extent,
          {"cmap": VELOCITY_MAP, "vmin": -largest, "vmax": largest})  # fmt: skip
    return largest


def _dispersion(axes: list[Axes], views: FitViews, scale: float, extent: Extent) -> None:
    images = [maps.dispersion for maps in (views.data, views.model)]
    values = np.concatenate([image[views.galaxy & np.isfinite(image)] for image in images])
    high = rounded_up(float(np.percentile(values, 97))) if values.size and values.max() > 0 else 1.0
    _trio(axes, views, images, scale, extent, {"cmap": DISPERSION_MAP, "vmin": 0, "vmax": high})


def _trio(
    axes: list[Axes],
    views: FitViews,
    images: list[FloatArray],
    scale: float,
    extent: Extent,
    how: Mapping[str, Any],
) -> None:
    """Draw data, model and residual of a map in km/s."""
    images = [np.where(views.galaxy, image, np.nan) for image in images]
    for axis, image in zip(axes, images, strict=False):
        show_map(axis, image, scale, extent, **how)
    residual = images[0] - images[1]
    known = np.abs(residual[np.isfinite(residual)])
    limit = rounded_up(max(float(np.percentile(known, 90)), 1.0)) if known.size else 1.0
    show_map(axes[2], residual, scale, extent, cmap=_RESIDUAL_MAP, vmin=-limit, vmax=limit)
    for axis in axes[1:]:
        colour_bar(axis, axis.images[0])
        _unit(axis, "km/s")


def _diagrams(
    axes: list[Axes], views: FitViews, result: FitResult, span: tuple[float, float]
) -> None:
    """Draw the diagram along the major axis with contours of the model, and what is left."""
    data, model, residual = views.diagrams
    error = np.full(data.diagram.shape, np.nan) if data.error is None else data.error
    noise = float(np.nanmedian(error))
    edges = _edges(data.offsets), _edges(data.velocities)
    known = np.isfinite(data.diagram).any(axis=0)
    images: tuple[tuple[FloatArray, str, Normalize], ...] = (
        (data.diagram, BRIGHTNESS_MAP, stretch(data.diagram, noise)),
        (residual.diagram / error, _RESIDUAL_MAP, Normalize(-_RESIDUAL_RANGE, _RESIDUAL_RANGE)),
    )
    for axis, (image, colours, norm) in zip(axes, images, strict=False):
        axis.set_facecolor(NO_DATA)
        mesh = axis.pcolormesh(*edges, image, rasterized=True, cmap=colours, norm=norm)
        axis.set_xlim(edges[0][:-1][known][0], edges[0][1:][known][-1])
        axis.set_ylim(max(span[0], edges[1][0]), min(span[1], edges[1][-1]))
        axis.set_xlabel("along the major axis [arcsec]", fontsize=LABEL)
        axis.tick_params(labelsize=TICKS)
        axis.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    if min(model.diagram.shape) > 1:
        axes[0].contour(model.offsets, model.velocities, model.diagram, levels=_LEVELS * noise,
                        colors="white", linewidths=0.9)  # fmt: skip
    colour_bar(axes[1], mesh)
    _unit(axes[1], "sigma")
    axes[1].tick_params(labelleft=False)
    axes[0].set_ylabel("velocity [km/s]", fontsize=LABEL)
    slit = f"Slit at {result.values['position_angle'] % 360:.0f}\N{DEGREE SIGN}"
    for axis, heading in zip(axes, (f"{slit}, lines: model", "Slit, residual"), strict=False):
        axis.set_title(heading, fontsize=LABEL + 1, fontweight="bold", loc="left")


def _spectrum(axis: Axes, views: FitViews, result: FitResult, span: tuple[float, float]) -> None:
    """Draw the spectrum of data and model, and their difference."""
    data, model = views.spectra
    factor, unit = scaled(float(np.nanmax(data.flux)), _flux_unit(result))
    if data.error is not None:
        below, above = (data.flux - data.error) / factor, (data.flux + data.error) / factor
        axis.fill_between(data.velocities, below, above, step="mid", color="0.6", alpha=0.6,
                          linewidth=0)  # fmt: skip
    axis.step(data.velocities, data.flux / factor, where="mid", color="black", linewidth=1.4,
              label="data")  # fmt: skip
    axis.step(model.velocities, model.flux / factor, where="mid", color=_MODEL, linewidth=1.4,
              label="model")  # fmt: skip
    axis.step(data.velocities, (data.flux - model.flux) / factor, where="mid", color="0.45",
              linewidth=1, linestyle="--", label="residual")  # fmt: skip
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set_xlim(max(span[0], views.velocities.min()), min(span[1], views.velocities.max()))
    axis.set_xlabel("velocity [km/s]", fontsize=LABEL)
    axis.set_title("Spectrum", fontsize=LABEL + 1, fontweight="bold", loc="left")
    axis.tick_params(labelsize=TICKS)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.16 * (high - low))
    axis.legend(fontsize=8.5, frameon=False, handlelength=1, columnspacing=0.8, ncol=3,
                loc="upper center", borderaxespad=0.2)  # fmt: skip
    axis.text(1.0, 1.02, unit, transform=axis.transAxes, fontsize=10, ha="right", va="bottom")


def _words(figure: Figure, result: FitResult, title: str, known: bool) -> None:
    """Write the title, and the parameters into the empty half of the corner plot."""
    figure.text(_LEFTS[0] / _WIDTH, 1 - 0.2 / _HEIGHT, title, fontsize=20, fontweight="bold",
                va="top")  # fmt: skip
    lines = [
        f"{row['name']!s:<20} {_value(row)} {row['unit']}"
        + ("  at its bound" if row["at_bound"] else "")
        for row in result.table[:16]
    ]
    lines += [f"and {len(result.table) - 16} more"] * (len(result.table) > 16)
    evidence = result.log_evidence
    lines += [
        "",
        f"chi^2 {result.chi_squared:.1f} / {result.degrees_of_freedom} = "
        f"{result.reduced_chi_squared:.3f}, S/N {result.signal_to_noise:.3g}",
        f"curve {result.coordinates.model.curve}"
        + ("" if evidence is None else f", log evidence {evidence:.1f}"),
    ]
    if result.observation.estimated:
        lines.append("noise estimated from the sides of the field")
    x, y = _WORDS[0] / _WIDTH, _WORDS[1] / _HEIGHT
    figure.text(x, y, "\n".join(lines), fontsize=11, family="monospace", va="top", linespacing=1.4)
    problems = [f"! {text}"[:64] for text in result.problems[:6]]
    problems += ["lines in the corner plot: true values"] * known
    below = y - 1.4 * 11 / 72 * (len(lines) + 0.5) / _HEIGHT
    figure.text(x, below, "\n".join(problems), fontsize=11, color=TRUTH, va="top")


def _value(row: Any) -> str:
    lower, upper = float(row["median"] - row["lower"]), float(row["upper"] - row["median"])
    error = min(lower, upper)
    digits = 3 if not 0 < error < np.inf else int(np.clip(1 - np.floor(np.log10(error)), 0, 6))
    return f"{row['median']:9.{digits}f} -{lower:.{digits}f} +{upper:.{digits}f}"


def _turned(places: Mapping[int, float], result: FitResult) -> dict[int, float]:
    """Return true values with angles on the turn on which the samples are."""
    turned = {}
    for place, value in places.items():
        period = result.coordinates.model.table[result.coordinates.places[place]].period
        if period is not None:
            value += period * round((float(result.table["median"][place]) - value) / period)
        turned[place] = value
    return turned


def _label(name: str, unit: str, units: bool) -> str:
    short = {"arcsec": "arcsec", "km/s": "km/s", "deg": "deg"}.get(unit, "")
    words = _LABELS.get(name, name.replace("_", " "))
    return f"{words} [{short}]" if short and units else words


def _flux_unit(result: FitResult) -> str:
    return result.observation.flux_unit or "flux units"


def _unit(axis: Axes, unit: str) -> None:
    axis.text(1.1, 1.02, unit, transform=axis.transAxes, fontsize=10, ha="right", va="bottom")


def _edges(centres: FloatArray) -> FloatArray:
    """Return the edges of cells with equal or slowly changing distances."""
    half = np.diff(centres) / 2 if centres.size > 1 else np.array([0.5])
    middle = centres[:-1] + half[: centres.size - 1]
    return np.concatenate([[centres[0] - half[0]], middle, [centres[-1] + half[-1]]])
