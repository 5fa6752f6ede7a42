"""Pages of cubes, a row a galaxy: flux, velocity, dispersion, channel maps, slit and spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clumpygan.galaxies.disks.cube_conditions import SEEING
from clumpygan.galaxies.measuring.moments import Moments, moments
from clumpygan.galaxies.measuring.spectrum import circular_aperture
from clumpygan.plots.cube_view import CubeView, Slit, view_of
from clumpygan.plots.panels import (
    DASHES,
    add_panel,
    flux_stretch,
    mark_slit,
    plot_channels,
    plot_diagram,
    plot_flux,
    plot_map,
    plot_spectrum,
    velocity_limits,
)
from clumpygan.plots.style import (
    DISPERSION_MAP,
    LABEL,
    TICKS,
    VELOCITY_MAP,
    brightness_bar,
    mark_scale,
    new_figure,
)

if TYPE_CHECKING:
    from clumpygan.generation.cube_maker import CubeMaker

Drawn = tuple[NDArray[np.floating], NDArray[np.floating] | None]
"""Data and variance of a cube."""

_CHANNELS = 4

# All in inches: sides of the panels, what is between them, and the lines of text around.
_MAP, _SLIT, _SPECTRUM = 1.7, 1.9, 2.2
_LEFT, _BAR, _NARROW, _TICKS = 0.25, 0.68, 0.08, 0.72
_HEAD, _CAPTION, _FOOT, _BELOW = 0.75, 0.62, 1.2, 0.34
_DOTS = 110  # per inch

_COLUMNS = (
    _LEFT,
    *(_LEFT + i * (_MAP + _BAR) for i in (1, 2)),
    *(_LEFT + 3 * (_MAP + _BAR) + i * (_MAP + _NARROW) for i in range(_CHANNELS)),
)
"""Left sides of the maps."""

_SLIT_AT = _COLUMNS[-1] + _MAP + _BAR + _TICKS
_SPECTRUM_AT = _SLIT_AT + _SLIT + _BAR + _TICKS
_WIDTH = _SPECTRUM_AT + _SPECTRUM + 0.2

_UNIT = "F"
"""What the unit of the flux is called beside the panels; the page says what it is."""

_SMALLEST_APERTURE = 3  # pixels, of the spectrum where no line was found


@dataclass(frozen=True, eq=False)
class CubeRow:
    """A galaxy that is drawn.

    Attributes
    ----------
    cube : ndarray (v, y, x)
        Flux per voxel.
    variance : ndarray (v, y, x) or None
        None for a cube without noise.
    caption : str
        Written above its row.
    slit : Slit
        Along its major axis.
    systemic_velocity : float
        km/s.
    psf_fwhm : float or None
        Arcsec.
    lines : sequence of (float, float)
        Offset in km/s from the first line, and relative flux.
    """

    cube: NDArray[np.floating]
    variance: NDArray[np.floating] | None
    caption: str
    slit: Slit
    systemic_velocity: float
    psf_fwhm: float | None
    lines: Sequence[tuple[float, float]] = ((0.0, 1.0),)


@dataclass(frozen=True, eq=False)
class Voxels:
    """What all cubes of a page share.

    Attributes
    ----------
    velocities : ndarray (v,)
        Centres of the channels in km/s.
    pixel_scale : float
        Arcsec.
    line_spread : float
        Standard deviation of the line spread function in km/s.
    channel_response : bool
        Whether the width of the channels comes on top of it.
    unit : str
        Of the flux of a voxel.
    """

    velocities: NDArray[np.float64]
    pixel_scale: float
    line_spread: float = 0.0
    channel_response: bool = True
    unit: str = "flux units"


def cubes_page(
    maker: CubeMaker, seed: int, first: int, cubes: Sequence[Drawn], remark: str = ""
) -> Figure:
    """Draw generated cubes, a row each.

    Parameters
    ----------
    maker : CubeMaker
        Knows the parameters and the voxels.
    seed, first : int
        The first of the cubes is galaxy `first` of this seed.
    cubes : sequence of (ndarray (v, y, x), ndarray (v, y, x) or None)
        Data and variance.
    remark : str
        At the lower right.
    """
    frame, grid = maker.frame, maker.frame.grid
    indices = range(first, first + len(cubes))
    parameters, ratios = maker.parameters(seed, indices)
    known = maker.values(seed, parameters, ratios, indices)
    # Moments are sums over voxels: flux, not flux density.
    width = 1.0 if frame.instrument is None else frame.axis.step
    rows = []
    for place, (data, variance) in enumerate(cubes):
        told = {name: float(values[place]) for name, values in known.items()}
        fwhm = told.get(SEEING, frame.psf_fwhm)
        centre = told["offset_x"], told["offset_y"]
        slit = Slit(told["position_angle"], centre, fwhm or 3 * grid.pixel_scale)
        rows.append(
            CubeRow(
                np.asarray(data) * width,
                None if variance is None else np.asarray(variance) * width**2,
                _caption(first + place, told, None if variance is None else ratios[place]),
                slit,
                told["systemic_velocity"],
                fwhm,
                maker.lines(told),
            )
        )
    voxels = Voxels(
        frame.velocities,
        grid.pixel_scale,
        float(np.mean(grid.line_spread)),
        grid.channel_response,
        "flux units" if frame.instrument is None else "1e-20 erg/s/cm2",
    )
    kind = "Smooth disks" if maker.settings.smooth else "Clumpy galaxies"
    lines = ", ".join(f"{line:.0f}" for line in frame.lines)
    title = f"{kind}, {lines} \N{ANGSTROM SIGN} at z = {frame.redshift:.3g}, seed {seed}"
    return rows_page(rows, voxels, title=title, remark=remark)


def _caption(index: int, told: Mapping[str, float], ratio: float | None) -> str:
    """Return what is written above a galaxy."""
    words = [
        f"{index}: inclination {told['inclination']:.0f}°, PA {told['position_angle'] % 360:.0f}°",
        f"rotation {told['maximum_velocity']:.0f} and dispersion "
        f"{told['velocity_dispersion']:.0f} km/s",
        f'half-light radius {told["half_light_radius"]:.2f}"',
    ]
    if SEEING in told:
        words.append(f'seeing {told[SEEING]:.2f}"')
    words.append("no noise" if ratio is None else f"peak S/N {ratio:.3g}")
    return ", ".join(words)


def rows_page(
    rows: Sequence[CubeRow], voxels: Voxels, *, title: str = "", remark: str = ""
) -> Figure:
    """Draw galaxies, one below the other.

    Parameters
    ----------
    rows : sequence of CubeRow
    voxels : Voxels
    title : str
        Of the page.
    remark : str
        At its lower right, such as its number.

    Raises
    ------
    InputError
        If the arrays don't fit together.
    """
    pitch = _MAP + _CAPTION + _BELOW
    height = _HEAD + len(rows) * pitch + _FOOT - _BELOW
    figure = new_figure(_WIDTH, height, None)
    figure.set_dpi(_DOTS)
    figure.text(_LEFT / _WIDTH, 1 - 0.14 / height, title, fontsize=16, fontweight="bold", va="top")
    _head_columns(figure, height)
    for number, row in enumerate(rows):
        bottom = height - _HEAD - number * pitch - _CAPTION - _MAP
        figure.text(_LEFT / _WIDTH, (bottom + _MAP + 0.36) / height, row.caption,
                    fontsize=LABEL + 1, fontweight="bold", va="bottom")  # fmt: skip
        _draw_row(figure, row, voxels, bottom, last=number == len(rows) - 1)
    _write_legend(figure, voxels, remark, height)
    return figure


def _head_columns(figure: Figure, height: float) -> None:
    middle_of_channels = 0.5 * (_COLUMNS[3] + _COLUMNS[-1] + _MAP)
    places = [left + _MAP / 2 for left in _COLUMNS[:3]]
    places += [middle_of_channels, _SLIT_AT + _SLIT / 2, _SPECTRUM_AT + _SPECTRUM / 2]
    names = ("Flux", "Velocity", "Dispersion", "Channel maps", "Slit along the major axis",
             "Spectrum")  # fmt: skip
    for place, name in zip(places, names, strict=True):
        figure.text(place / _WIDTH, 1 - 0.58 / height, name, fontsize=14, ha="center",
                    va="center")  # fmt: skip


def _draw_row(figure: Figure, row: CubeRow, voxels: Voxels, bottom: float, *, last: bool) -> None:
    view = _view(row, voxels)
    flux, velocity, dispersion, *channels = (
        add_panel(figure, left, bottom, _MAP, _MAP) for left in _COLUMNS
    )
    slit = add_panel(figure, _SLIT_AT, bottom, _SLIT, _MAP)
    spectrum = add_panel(figure, _SPECTRUM_AT, bottom, _SPECTRUM, _MAP)
    _draw_maps(flux, velocity, dispersion, view, row)
    maps = view.channel_maps(_CHANNELS)
    plot_channels(channels, view, maps, size=TICKS - 1)
    last_map = channels[len(maps) - 1]
    unit = brightness_bar(last_map, last_map.images[0], _UNIT)
    # Beside the velocities that are written above.
    last_map.text(1.025, 1.02, unit, transform=last_map.transAxes, fontsize=LABEL - 1,
                  ha="left", va="bottom")  # fmt: skip
    for axis in (flux, velocity, dispersion, *channels):
        axis.set(xticks=[], yticks=[])
    limits = velocity_limits(view)
    plot_diagram(slit, view.diagram, limits, unit=_UNIT, contours_of=view.diagram)
    # As far as the maps reach: beyond, wide fields have noise alone.
    (x, y), (east, west, south, north) = row.slit.centre, view.extent
    reach = np.hypot(max(abs(east - x), abs(west - x)), max(abs(south - y), abs(north - y)))
    low, high = slit.get_xlim()
    slit.set_xlim(max(low, -reach), min(high, reach))
    slit.axhline(0, color="white", linewidth=1, linestyle=DASHES)
    slit.set_ylabel("km/s", fontsize=LABEL, labelpad=0)
    offsets = [offset for offset, _ in row.lines]
    edges = view.cube.edges
    whole = (
        max(limits[0] + min(offsets), float(edges[0])),
        min(limits[1] + max(offsets), float(edges[-1])),
    )
    plot_spectrum(spectrum, [(view.spectrum, {"color": "black"})], whole, _UNIT)
    for offset in offsets:
        spectrum.axvline(offset, color="0.3", linewidth=1, linestyle=DASHES)
    if not last:
        slit.set_xlabel("")
        spectrum.set_xlabel("")


def _draw_maps(flux: Axes, velocity: Axes, dispersion: Axes, view: CubeView, row: CubeRow) -> None:
    """Draw the three maps; where no line stands out, the light of all channels alone."""
    seen, maps = view.galaxy.any(), view.maps
    light = maps.flux if seen else view.cube.data.sum(axis=0)
    plot_flux(flux, view, light, flux_stretch(light, maps), _UNIT)
    mark_scale(flux, view.extent, row.psf_fwhm)
    limit = view.velocity_range
    shown = np.where(view.galaxy, maps.velocity, np.nan)
    plot_map(velocity, view, shown, "km/s", cmap=VELOCITY_MAP, vmin=-limit, vmax=limit)
    mark_slit(velocity, view)
    low, high = view.dispersion_range
    shown = np.where(view.galaxy, maps.dispersion, np.nan)
    plot_map(dispersion, view, shown, "km/s", cmap=DISPERSION_MAP, vmin=low, vmax=high)
    if not seen:
        for axis in (velocity, dispersion):
            axis.text(0.5, 0.9, "no line above the noise", transform=axis.transAxes, ha="center",
                      va="top", fontsize=TICKS - 1)  # fmt: skip


def _view(row: CubeRow, voxels: Voxels) -> CubeView:
    """Measure what is drawn of a galaxy."""
    cube = np.asarray(row.cube, dtype=np.float64)
    relative = voxels.velocities - row.systemic_velocity
    maps = moments(
        cube,
        relative,
        variance=row.variance,
        method="moments" if len(row.lines) == 1 else "gaussian",
        lines=row.lines,
        line_spread=voxels.line_spread,
        channel_response=voxels.channel_response,
    )
    nothing = not maps.mask.any()
    return view_of(
        cube,
        relative,
        voxels.pixel_scale,
        variance=row.variance,
        maps=maps,
        slit=row.slit,
        slit_width=row.slit.width,
        galaxy=maps.mask if nothing else None,
        aperture=_small_aperture(maps, row, voxels) if nothing else None,
    )


def _small_aperture(maps: Moments, row: CubeRow, voxels: Voxels) -> NDArray[np.bool_]:
    """Return a few pixels where the galaxy is said to be, or in the middle of the field."""
    shape, scale = (maps.flux.shape[0], maps.flux.shape[1]), voxels.pixel_scale
    y, x = ((side / 2 - 0.5) * scale for side in shape)
    inside = abs(row.slit.centre[0]) <= x and abs(row.slit.centre[1]) <= y
    centre = row.slit.centre if inside else (0.0, 0.0)
    return circular_aperture(shape, scale, _SMALLEST_APERTURE * scale, centre)


def _write_legend(figure: Figure, voxels: Voxels, remark: str, height: float) -> None:
    width = float(np.median(np.abs(np.diff(voxels.velocities))))
    words = (
        f"{_UNIT}: {voxels.unit}. Velocities relative to the systemic one, red recedes; channels "
        f"of {width:.3g} km/s, means over the range above each map. Bars say how large, circles "
        "are the FWHM of the PSF; north is up, east to the left.\n"
        "The slit lies between the dashed lines; contours at 3, 6, 12, ... times the noise. The "
        "spectrum is that of all spaxels with signal. Each galaxy has its own colours."
    )
    figure.text(_LEFT / _WIDTH, 0.1 / height, words, fontsize=LABEL, color="0.3", va="bottom",
                linespacing=1.4)  # fmt: skip
    figure.text(1 - 0.2 / _WIDTH, 0.1 / height, remark, fontsize=LABEL, color="0.3", ha="right",
                va="bottom")  # fmt: skip
