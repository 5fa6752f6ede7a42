"""The picture of a fit: data, model and residual, slit, spectrum and the posterior, on one page."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.wcs import WCS
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clumpygan.fitting.batch.results import result_table
from clumpygan.fitting.batch.summary import text_of
from clumpygan.fitting.products.profiles import slit_place
from clumpygan.galaxies.measuring.moments import Moments
from clumpygan.galaxies.measuring.position_velocity import PositionVelocity
from clumpygan.galaxies.measuring.spectrum import Spectrum
from clumpygan.io.wcs import mirrored, north_angle
from clumpygan.plots.corner import TRUTH, plot_corner
from clumpygan.plots.cube_view import CubeView, Slit, view_of
from clumpygan.plots.panels import (
    RESIDUAL_MAP,
    RESIDUAL_RANGE,
    Span,
    add_panel,
    flux_stretch,
    head,
    mark_north,
    plot_diagram,
    plot_flux,
    plot_map,
    plot_spectrum,
    velocity_limits,
)
from clumpygan.plots.sky_axes import label_sides, sky_projection
from clumpygan.plots.style import (
    DISPERSION_MAP,
    LABEL,
    VELOCITY_MAP,
    as_it_is,
    mark_scale,
    new_page,
    rounded_up,
)

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

FloatArray = NDArray[np.float64]

# All in inches: maps in three columns and rows, diagrams below, the corner plot to the right.
_WIDTH, _HEIGHT = 21.0, 13.0
_LEFTS, _MAP = (0.85, 4.35, 7.85), 2.55
_ROWS, _DIAGRAM = (9.35, 6.4, 3.45), (0.75, 1.95)
_CORNER = (12.3, 0.95, 8.45)
_WORDS = (14.7, 12.55)

_MODEL = "#c8451b"

_OF_LINE = 0.02
"""Share of the peak of the model's spectrum: channels above it are in the map of residuals."""

_MOST_LINES = 16
"""Parameters that are written out."""

_LETTERS, _ROOM = 11.0, 25
"""Points of these words, and lines that there is room for."""

_COLUMNS, _MOST_PROBLEMS = 62, 4
"""Width of what is written beside the corner plot, and reasons of the verdict that are."""

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
    "radial_velocity": r"$v_r$",
    "log_baryonic_mass": r"$\log M_{bar}$",
    "log_halo_mass": r"$\log M_{200}$",
    "concentration": r"$c$",
    "dark_matter_fraction": r"$f_{DM}$",
    "sersic_index": r"$n$",
    "doublet_ratio": "doublet ratio",
    "g1": r"$g_1$",
    "g2": r"$g_2$",
}


@dataclass(frozen=True, eq=False)
class FitViews:
    """All that is drawn of a fit.

    Attributes
    ----------
    data, model : CubeView
        Measured in the same voxels, spaxels and slit, relative to the systemic velocity.
    residual : ndarray (y, x)
        Data minus model, summed over the channels of the line, over its error.
    """

    data: CubeView
    model: CubeView
    residual: FloatArray

    @property
    def left_over(self) -> tuple[PositionVelocity, Spectrum]:
        """Diagram and spectrum of what the model leaves."""
        diagram, line = self.data.diagram, self.data.spectrum
        return (
            replace(diagram, diagram=diagram.diagram - self.model.diagram.diagram),
            replace(line, flux=line.flux - self.model.spectrum.flux),
        )


def fit_figure(
    result: "FitResult",
    *,
    title: str = "",
    truth: Mapping[str, float] | None = None,
    wcs: bool = False,
) -> Figure:
    """Draw a fit.

    Parameters
    ----------
    result : FitResult
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
    views, unit = views_of(result), result.observation.flux_unit or "flux units"
    _draw_maps(figure, views, unit, result, sky_of(result, wcs))
    # Of several lines, the others lie beside the first.
    offsets = result.observation.frame.grid.line_offsets
    low, high = velocity_limits(views.data, views.model)
    _draw_lines(figure, views, unit, (low + float(offsets.min()), high + float(offsets.max())))
    known = plot_posterior(figure, _CORNER, result, truth)
    write_words(figure, result, (_WORDS[0] / _WIDTH, _WORDS[1] / _HEIGHT), known)
    return figure


def plot_posterior(
    figure: Figure,
    box: tuple[float, float, float],
    result: "FitResult",
    truth: Mapping[str, float] | None,
) -> bool:
    """Draw the corner plot of a fit, and tell whether it has true values.

    Parameters
    ----------
    figure : Figure
    box : tuple of float
        Left and lower side, and width, in inches.
    result : FitResult
    truth : mapping of str to float, optional
        By default the values that are known of a mock.
    """
    names = [str(name) for name in result.table["name"]]
    known = result.observation.truth if truth is None else truth
    places = {names.index(name): value for name, value in known.items() if name in names}
    plot_corner(
        figure,
        box,
        np.stack([np.asarray(result.samples[name], dtype=np.float64) for name in names], axis=1),
        [
            _label(name, str(unit), len(names) <= _ROOMY)
            for name, unit in zip(names, result.table["unit"], strict=True)
        ],
        _turned(places, result),
    )
    return bool(places)


def views_of(result: "FitResult") -> FitViews:
    """Measure all that is drawn of a fit."""
    observation, grid = result.observation, result.observation.frame.grid
    velocities = grid.centres[0] - result.values["systemic_velocity"]
    valid = observation.valid
    cube = np.where(valid, observation.data, np.nan)
    spread = np.where(valid, observation.variance, np.nan)
    fitted = np.where(valid, result.model_cube.astype(np.float64), np.nan)
    found, systemic = result.maps, result.values["systemic_velocity"]
    maps = tuple(_relative(one.maps, systemic) for one in (found.data, found.model))
    galaxy = found.galaxy
    place = slit_place(result)
    slit = Slit(place.position_angle, place.centre, place.width)
    data, model = (
        view_of(
            one,
            velocities,
            grid.pixel_scale,
            slit=slit,
            slit_width=slit.width,
            variance=noise,
            maps=own,
            galaxy=galaxy,
            aperture=galaxy if galaxy.any() else np.asarray(valid.any(axis=0)),
        )
        for one, noise, own in zip((cube, fitted), (spread, None), maps, strict=True)
    )
    return FitViews(data, model, _residual(cube, fitted, spread))


def _relative(maps: Moments, systemic: float) -> Moments:
    return replace(maps, velocity=maps.velocity - systemic)


def _residual(cube: FloatArray, fitted: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the residual (y, x) of the channels of the line, in units of its error."""
    line = np.nansum(fitted, axis=(1, 2))
    channels = line > _OF_LINE * line.max()
    known = np.isfinite(cube[channels])
    total = np.where(known, cube[channels] - fitted[channels], 0.0).sum(axis=0)
    noise = np.sqrt(np.where(known, spread[channels], 0.0).sum(axis=0))
    blank = np.full_like(total, np.nan)
    return np.asarray(np.divide(total, noise, out=blank, where=noise > 0))


def sky_of(result: "FitResult", wanted: bool) -> WCS | None:
    """Return the projection of the maps of a fit, if they are to have world coordinates."""
    layout, grid = result.observation.layout, result.observation.frame.grid
    wcs = None if layout is None else layout.wcs
    return sky_projection(wanted, wcs, grid.shape[1:], grid.pixel_scale)


def _draw_maps(
    figure: Figure, views: FitViews, unit: str, result: "FitResult", sky: WCS | None
) -> None:
    """Draw data, model and residual of flux, velocity and dispersion."""
    data, model, galaxy = views.data, views.model, views.data.galaxy
    axes = [
        [add_panel(figure, left, bottom, _MAP, _MAP, sky) for left in _LEFTS] for bottom in _ROWS
    ]
    norm = flux_stretch(np.fmax(data.maps.flux, model.maps.flux), data.maps)
    for axis, view in zip(axes[0], (data, model), strict=False):
        flux = np.where(data.maps.mask, view.maps.flux, np.nan)
        plot_flux(axis, data, flux, norm, unit)
    limits: dict[str, Any] = {"cmap": RESIDUAL_MAP, "vmin": -RESIDUAL_RANGE, "vmax": RESIDUAL_RANGE}
    plot_map(axes[0][2], data, views.residual, "sigma", **limits)
    mark_scale(axes[0][0], data.extent, result.observation.frame.psf_fwhm)
    layout = result.observation.layout
    if layout is not None and layout.wcs is not None:
        mark_north(axes[1][0], data, north_angle(layout.wcs), mirrored(layout.wcs))
    speed = max(data.velocity_range, model.velocity_range)
    spread = max(data.dispersion_range[1], model.dispersion_range[1])
    ranges: tuple[dict[str, Any], ...] = (
        {"cmap": VELOCITY_MAP, "vmin": -speed, "vmax": speed},
        {"cmap": DISPERSION_MAP, "vmin": 0.0, "vmax": spread},
    )
    for row, name, how in zip(axes[1:], ("velocity", "dispersion"), ranges, strict=True):
        images = [np.where(galaxy, getattr(v.maps, name), np.nan) for v in (data, model)]
        plot_map(row[0], data, images[0], "km/s", **how)
        plot_map(row[1], data, images[1], "km/s", **how)
        residual = images[0] - images[1]
        known = np.abs(residual[np.isfinite(residual)])
        limit = rounded_up(max(float(np.percentile(known, 90)), 1.0)) if known.size else 1.0
        limits |= {"vmin": -limit, "vmax": limit}
        plot_map(row[2], data, residual, "km/s", **limits)
    for row, name in zip(axes, ("Flux", "Velocity", "Dispersion"), strict=True):
        for axis, what in zip(row, ("data", "model", "residual"), strict=True):
            head(axis, f"{name}, {what}")
            bottom = row is axes[-1]
            label_sides(axis, left=axis is row[0], bottom=bottom, size=LABEL)


def _draw_lines(figure: Figure, views: FitViews, unit: str, limits: Span) -> None:
    """Draw the diagram along the major axis with contours of the model, what is left, spectra."""
    data, model, (diagram, spectrum) = views.data, views.model, views.left_over
    axes = [add_panel(figure, left, _DIAGRAM[0], _MAP, _DIAGRAM[1]) for left in _LEFTS]
    plot_diagram(axes[0], data.diagram, limits, unit=unit, contours_of=model.diagram)
    plot_diagram(axes[1], diagram, limits, sigma=True)
    axes[0].set_ylabel("velocity [km/s]", fontsize=LABEL)
    axes[1].tick_params(labelleft=False)
    spectra: list[tuple[Spectrum, dict[str, Any]]] = [
        (data.spectrum, {"color": "black", "label": "data"}),
        (model.spectrum, {"color": _MODEL, "label": "model"}),
        (
            spectrum,
            {"color": "0.45", "linewidth": 1, "linestyle": "--", "label": "residual"},
        ),
    ]
    plot_spectrum(axes[2], spectra, limits, unit)
    low, high = axes[2].get_ylim()
    axes[2].set_ylim(low, high + 0.16 * (high - low))
    axes[2].legend(fontsize=8.5, frameon=False, handlelength=1, columnspacing=0.8, ncol=3,
                   loc="upper center", borderaxespad=0.2)  # fmt: skip
    slit = f"Slit, {data.slit.position_angle % 360:.0f}°"
    for axis, name in zip(axes, (slit, "Slit, residual", "Spectrum"),
                          strict=True):  # fmt: skip
        head(axis, name)


def write_words(
    figure: Figure, result: "FitResult", place: tuple[float, float], known: bool
) -> None:
    """Write parameters and verdict at a place (x, y) of a figure.

    Parameters
    ----------
    figure : Figure
    result : FitResult
    place : tuple of float
        In shares of the figure.
    known : bool
        Whether true values are drawn.
    """
    lines, count = text_of(result_table(result)).splitlines(), len(result.table)
    lines[count:] = [
        part
        for line in lines[count:]
        for part in wrap(line, _COLUMNS, initial_indent="  ", subsequent_indent="    ")
    ]
    if count > _MOST_LINES:
        lines[_MOST_LINES:count] = [f"  and {count - _MOST_LINES} more"]
    lines += [f"  curve {result.galaxy.curve}"]
    lines += ["  noise estimated from the sides of the field"] * result.observation.estimated
    x, y = place
    problems = [
        line
        for text in result.problems[:_MOST_PROBLEMS]
        for line in wrap(f"! {text}", _COLUMNS, subsequent_indent="   ")
    ]
    problems += ["lines in the corner plot: true values"] * known
    # The room above the corner plot; units of fluxes can be long.
    height, width = len(lines) + len(problems) + 1, max(map(len, lines))
    size = _LETTERS * min(1.0, _ROOM / height, _COLUMNS / width)
    figure.text(x, y, "\n".join(lines), fontsize=size, family="monospace", va="top",
                linespacing=1.4)  # fmt: skip
    below = y - 1.4 * size / 72 * (len(lines) + 0.5) / figure.get_figheight()
    figure.text(x, below, as_it_is("\n".join(problems)), fontsize=size, color=TRUTH, va="top")


def _turned(places: Mapping[int, float], result: "FitResult") -> dict[int, float]:
    """Return true values with angles on the turn on which the samples are."""
    turned = {}
    for place, value in places.items():
        period = result.coordinates.model.table[result.coordinates.places[place]].period
        if period is not None:
            value += period * round((float(result.table["median"][place]) - value) / period)
        turned[place] = value
    return turned


def _label(name: str, unit: str, units: bool) -> str:
    """Return the label of a parameter in a corner plot."""
    short = {"arcsec": "arcsec", "km/s": "km/s", "deg": "deg"}.get(unit, "")
    words = _LABELS.get(name, name.replace("_", " "))
    return f"{words} [{short}]" if short and units else words
