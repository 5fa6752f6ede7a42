"""The picture of a cube: its maps, a slit along the major axis, its spectrum and channel maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.moments import Moments, moments
from clumpygan.io.atomic import atomic_path, check_output_path
from clumpygan.plots.cube_view import CHANNEL_MAPS, CubeView, Slit, view_of
from clumpygan.plots.panels import (
    DASHES,
    Span,
    add_panel,
    centres,
    channel_colour,
    flux_stretch,
    head,
    mark_north,
    mark_slit,
    plot_channels,
    plot_diagram,
    plot_flux,
    plot_map,
    plot_spectrum,
    slit_reach,
    velocity_limits,
)
from clumpygan.plots.style import (
    DISPERSION_MAP,
    LABEL,
    VELOCITY_MAP,
    brightness_bar,
    mark_scale,
    new_figure,
)

if TYPE_CHECKING:
    from clumpygan.generation.mock import Mock

FloatArray = NDArray[np.float64]

# All in inches: the squares of the maps in three columns, those of the channel maps in five.
_WIDTH, _HEIGHT, _LEFT = 15.6, 12.75, 0.85
_MAP, _COLUMN, _CHANNEL = 3.75, 5.0, 2.61
_ROWS = (7.9, 3.95, 0.25)  # of the lower sides of maps, diagram and channel maps
_DIAGRAM = 3.0  # height
_DOTS = 120  # per inch

_UNIT_AT = 1.22  # of a panel's width: the unit beside the colour bar of the channel maps
_CONTOURS = 9  # lines of equal velocity at most


def cube_picture(path: str | os.PathLike[str], *cube: Any, **how: Any) -> None:
    """Draw what `cube_figure` draws, and write it to a file.

    Parameters
    ----------
    path : str or path-like
        Where the picture goes; the suffix says the format (.png, .pdf, .svg, .jpg).
    *cube, **how
        See `cube_figure`.

    Raises
    ------
    InputError
        If arrays don't fit together, no line stands out of the noise, or the file can't be
        written.
    """
    path = check_output_path(path)
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in FigureCanvasAgg(Figure()).get_supported_filetypes():
        raise InputError(f"{path}: expected a name that ends in .png, .pdf, .svg or .jpg")
    figure = cube_figure(*cube, **how)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=suffix, facecolor="white")


def cube_figure(
    cube: ArrayLike,
    velocities: ArrayLike,
    pixel_scale: float,
    *,
    variance: ArrayLike | None = None,
    maps: Moments | None = None,
    systemic_velocity: float = 0.0,
    slit: Slit | None = None,
    title: str = "",
    lines: Sequence[str] = (),
    flux_unit: str = "flux units",
    noise_correlation: float = 1.0,
    psf_fwhm: float | None = None,
    north_angle: float | None = 0.0,
    mirrored: bool = False,
) -> Figure:
    """Draw a cube of one line, all that is usually asked about it on one page.

    Parameters
    ----------
    cube : ndarray (v, y, x)
        Flux per voxel; NaN where unknown.
    velocities : ndarray (v,)
        Centres of the channels in km/s.
    pixel_scale : float
        Arcsec.
    variance : ndarray (v, y, x) or (v,), or float, optional
        Of the flux per voxel; without it the cube counts as free of noise.
    maps : Moments, optional
        Made with the same velocities; by default `moments(cube, velocities, variance=variance)`.
    systemic_velocity : float
        Velocity that counts as 0 in the picture, km/s.
    slit : Slit, optional
        Of the position-velocity diagram; by default through the centroid of the flux along the
        gradient of the velocity map, as wide as the PSF, or as three pixels.
    title : str
        Of the picture.
    lines : sequence of str
        Parameters and remarks, written beside the spectrum.
    flux_unit : str
        Unit of a voxel's flux.
    noise_correlation : float
        By how much the error of the spectrum exceeds that of independent pixels.
    psf_fwhm : float, optional
        Drawn as a circle, arcsec.
    north_angle : float, optional
        Direction of north in degrees from +y towards -x; None if unknown, as for a model.
    mirrored : bool
        Whether east is to the right of north.

    Raises
    ------
    InputError
        If arrays don't fit together, or no line stands out of the noise.
    """
    figure = new_figure(_WIDTH, _HEIGHT, None)
    figure.set_dpi(_DOTS)
    view = view_of(
        cube,
        velocities,
        pixel_scale,
        variance=variance,
        maps=maps,
        systemic_velocity=systemic_velocity,
        slit=slit,
        slit_width=psf_fwhm or 3 * pixel_scale,
        noise_correlation=noise_correlation,
    )
    flux, velocity, dispersion = (
        add_panel(figure, _LEFT + i * _COLUMN, _ROWS[0], _MAP, _MAP) for i in range(3)
    )
    diagram, spectrum, words = (
        add_panel(figure, _LEFT + i * _COLUMN, _ROWS[1], _MAP, _DIAGRAM) for i in range(3)
    )
    _draw_maps((flux, velocity, dispersion), view, flux_unit)
    mark_scale(flux, view.extent, psf_fwhm)
    if north_angle is not None:
        mark_north(velocity, view, north_angle, mirrored)
    limits = velocity_limits(view)
    _draw_diagram(diagram, view, limits, flux_unit)
    for channel in view.channels:
        spectrum.axvspan(channel.low, channel.high, color=channel_colour(channel, view), alpha=0.45,
                         linewidth=0)  # fmt: skip
    head(spectrum, "Spectrum", 15)
    plot_spectrum(spectrum, [(view.spectrum, {"color": "black"})], limits, flux_unit)
    spectrum.axvline(0, color="0.3", linewidth=1, linestyle=DASHES)
    step = (2 * _COLUMN + _MAP - _CHANNEL) / (CHANNEL_MAPS - 1)
    channels = [
        add_panel(figure, _LEFT + i * step, _ROWS[2], _CHANNEL, _CHANNEL)
        for i in range(CHANNEL_MAPS)
    ]
    _draw_channels(channels, view, flux_unit)
    _write(words, view, lines, systemic_velocity)
    figure.text(_LEFT / _WIDTH, 1 - 0.2 / _HEIGHT, title, fontsize=21, fontweight="bold", va="top")
    return figure


def mock_figure(mock: Mock) -> Figure:
    """Draw the maps, slit, spectrum and channels of the line.

    Raises
    ------
    InputError
        If no line stands out of the noise.
    """
    frame, grid = mock.frame, mock.frame.grid
    data = mock.data if mock.continuum is None else mock.data - mock.continuum
    # Moments are sums over voxels: flux, not flux density.
    width = 1.0 if frame.instrument is None else frame.axis.step
    cube, variance = data * width, None
    if mock.variance is not None:
        variance = mock.variance * width**2
    shares = _line_shares(mock)
    first = shares[0][0]
    velocities = frame.velocities - first
    maps = moments(
        cube,
        velocities,
        variance=variance,
        method="moments" if len(shares) == 1 else "gaussian",
        lines=[(offset - first, share) for offset, share in shares],
        line_spread=float(np.mean(grid.line_spread)),
        channel_response=grid.channel_response,
    )
    return cube_figure(
        cube,
        velocities,
        grid.pixel_scale,
        variance=variance,
        maps=maps,
        systemic_velocity=round(mock.galaxy.systemic_velocity, 1),
        title=_title_of(mock),
        lines=_words_of(mock),
        flux_unit="flux" if mock.unit is None else "1e-20 erg/s/cm2",
        psf_fwhm=frame.psf_fwhm,
    )


def _draw_maps(axes: tuple[Axes, Axes, Axes], view: CubeView, unit: str) -> None:
    """Draw flux, velocity with the slit and lines of equal velocity, and dispersion."""
    maps, galaxy, limit = view.maps, view.galaxy, view.velocity_range
    # What is left of a model far out may be a little below 0: there is no flux, not no data.
    noisy = np.isfinite(maps.flux_error).any()
    flux = maps.flux if noisy else np.nan_to_num(maps.flux)
    plot_flux(axes[0], view, flux, flux_stretch(maps.flux, maps), unit)
    velocity = np.where(galaxy, maps.velocity, np.nan)
    plot_map(axes[1], view, velocity, "km/s", cmap=VELOCITY_MAP, vmin=-limit, vmax=limit)
    _draw_isovelocities(axes[1], view, velocity)
    mark_slit(axes[1], view)
    low, high = view.dispersion_range
    dispersion = np.where(galaxy, maps.dispersion, np.nan)
    plot_map(axes[2], view, dispersion, "km/s", cmap=DISPERSION_MAP, vmin=low, vmax=high)
    for axis, name in zip(axes, ("Flux", "Velocity", "Dispersion"), strict=True):
        head(axis, name, 15)
        axis.set_xlabel("arcsec", fontsize=LABEL)
        axis.tick_params(labelleft=axis is axes[0])
    axes[0].set_ylabel("arcsec", fontsize=LABEL, labelpad=2)


def _draw_isovelocities(axis: Axes, view: CubeView, velocity: FloatArray) -> None:
    """Draw lines of equal velocity, thick at the systemic, where noise leaves them legible."""
    levels = _velocity_levels(view)
    error = view.maps.velocity_error[np.isfinite(view.maps.velocity_error)]
    if min(velocity.shape) < 2:
        return
    if error.size and np.median(error) >= 0.5 * (levels[1] - levels[0]):
        return
    y, x = (centres(count, view) for count in velocity.shape)
    axis.contour(x, y, velocity, levels=levels, colors="black", linestyles="solid", alpha=0.7,
                 linewidths=[1.6 if level == 0 else 0.6 for level in levels])  # fmt: skip


def _velocity_levels(view: CubeView) -> FloatArray:
    """Return round velocities in km/s, symmetric about 0, within the range of the colours."""
    limit = view.velocity_range
    levels = np.asarray(MaxNLocator(_CONTOURS, symmetric=True).tick_values(-limit, limit))
    return np.asarray(levels[np.abs(levels) < limit])


def _draw_diagram(axis: Axes, view: CubeView, limits: Span, unit: str) -> None:
    plot_diagram(axis, view.diagram, limits, unit=unit, contours_of=view.diagram)
    axis.axhline(0, color="white", linewidth=1, linestyle=DASHES)
    axis.axvline(0, color="white", linewidth=1, linestyle=DASHES)
    (low, high), reach = axis.get_xlim(), slit_reach(view)
    axis.set_xlim(max(-reach, low), min(reach, high))
    axis.set_ylabel("velocity [km/s]", fontsize=LABEL, labelpad=2)
    head(axis, f'Slit of {view.slit.width:.2g}" at {view.slit.position_angle % 360:.0f}°', 15)


def _draw_channels(axes: list[Axes], view: CubeView, unit: str) -> None:
    """Draw the channel maps on one stretch, each under a band in the colour of its velocity."""
    plot_channels(axes, view, view.channels)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    last = axes[len(view.channels) - 1]
    unit = brightness_bar(last, last.images[0], unit)
    last.text(_UNIT_AT, 0.5, unit, transform=last.transAxes, fontsize=LABEL, rotation=90,
              ha="left", va="center")  # fmt: skip


def _write(axis: Axes, view: CubeView, lines: Sequence[str], systemic_velocity: float) -> None:
    """Write beside the spectrum what is known, and how to read the panels."""
    axis.axis("off")
    # Six lines of this size fill the room above the legend.
    size = 12 * min(1.0, 6 / max(len(lines), 1))
    axis.text(0, 1, "\n".join(lines), transform=axis.transAxes, va="top", fontsize=size,
              linespacing=1.5)  # fmt: skip
    levels = _velocity_levels(view)
    legend = [
        f"Velocities relative to {systemic_velocity:g} km/s, red: receding.",
        f"Lines on the map every {levels[1] - levels[0]:g} km/s, thick at 0.",
        "Position angles from +y towards -x; offsets",
        "along the slit are positive at its angle.",
        f"Channels of {view.channel_width:.3g} km/s; {view.galaxy.sum()} spaxels with signal.",
    ]
    if view.diagram.error is not None:
        legend.insert(4, "Contours at 3, 6, 12, ... times the noise.")
    axis.text(0, 0, "\n".join(legend), transform=axis.transAxes, va="bottom", fontsize=10.5,
              color="0.3", linespacing=1.45)  # fmt: skip


def _line_shares(mock: Mock) -> tuple[tuple[float, float], ...]:
    """Return offset in km/s and relative flux of the lines that shine."""
    model, shares = mock.galaxy.model, mock.frame.grid.line_fluxes
    if len(shares) == 2 + model.extra_lines:
        shares = tuple(model.line_fluxes(mock.galaxy.to_vector()).tolist())
    pairs = zip(mock.frame.line_offsets, shares, strict=True)
    return tuple((offset, share) for offset, share in pairs if share > 0)


def _title_of(mock: Mock) -> str:
    instrument = mock.frame.instrument
    name = "A disk galaxy" if instrument is None else instrument.description.split(",")[0]
    lines = ", ".join(f"{line:.0f}" for line in mock.frame.lines)
    title = f"{name}: {lines} \N{ANGSTROM SIGN}"
    return f"{title} at z = {mock.frame.redshift:g}" if mock.frame.redshift else title


def _words_of(mock: Mock) -> list[str]:
    """Return the few lines of text that fit beside the spectrum."""
    galaxy = mock.galaxy
    words = [
        f"inclination {galaxy.inclination:.3g} deg, position angle {galaxy.position_angle:.4g} deg",
        f"velocity {galaxy.maximum_velocity:.3g} km/s ({galaxy.curve}), "
        f"dispersion {galaxy.velocity_dispersion:.3g} km/s",
        f"half-light radius {galaxy.half_light_radius:.2g} arcsec ({galaxy.light})",
        f"scale height {galaxy.scale_height:.2g} arcsec ({galaxy.vertical})",
        f"{len(galaxy.clumps)} clumps, {galaxy.arms} arms, seed {mock.seed}",
    ]
    if mock.signal_to_noise is not None:
        words.append(f"peak signal-to-noise {mock.signal_to_noise:.3g}")
    return words
