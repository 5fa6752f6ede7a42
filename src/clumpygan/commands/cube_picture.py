"""The picture of a cube: its maps, a slit along the major axis, its spectrum and channel maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clumpygan.commands import cube_panels as panels
from clumpygan.commands.cube_view import CHANNEL_MAPS, Slit, view_of
from clumpygan.errors import InputError
from clumpygan.galaxies.drawing import LABEL, mark_scale
from clumpygan.io import atomic_path, check_output_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clumpygan.commands.cube_view import CubeView
    from clumpygan.galaxies.moments import Moments

# All in inches: the squares of the maps in three columns, those of the channel maps in five.
_WIDTH, _HEIGHT, _LEFT = 15.6, 12.75, 0.85
_MAP, _COLUMN, _CHANNEL = 3.75, 5.0, 2.61
_ROWS = (7.9, 3.95, 0.25)  # of the lower sides of maps, diagram and channel maps
_DIAGRAM = 3.0  # height
_DOTS = 120  # per inch


def cube_picture(
    path: str | os.PathLike[str],
    cube: np.ndarray,
    velocities: np.ndarray,
    pixel_scale: float,
    *,
    variance: np.ndarray | float | None = None,
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
) -> None:
    """Draw a cube of one line, all that is usually asked about it on one page.

    Parameters
    ----------
    path : str or path-like
        Where the picture goes; the suffix says the format (.png, .pdf, .svg, .jpg).
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
        If arrays don't fit together, no line stands out of the noise, or the file can't be
        written.
    """
    path = check_output_path(path)
    figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DOTS)
    formats = FigureCanvasAgg(figure).get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in formats:
        raise InputError(f"{path}: expected a name that ends in .png, .pdf, .svg or .jpg")
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
    axes = _axes(figure)
    panels.draw_flux(axes["flux"], view, flux_unit)
    mark_scale(axes["flux"], view.extent, psf_fwhm)
    panels.draw_velocity(axes["velocity"], view)
    if north_angle is not None:
        panels.mark_north(axes["velocity"], view, north_angle, mirrored)
    panels.draw_dispersion(axes["dispersion"], view)
    panels.draw_diagram(axes["diagram"], view, flux_unit)
    panels.draw_spectrum(axes["spectrum"], view, flux_unit)
    panels.draw_channels([axes[str(i)] for i in range(CHANNEL_MAPS)], view, flux_unit)
    _headings(axes, view)
    _words(figure, axes["words"], view, title, lines, systemic_velocity)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip(".").lower(), facecolor="white")


def _axes(figure: Figure) -> dict[str, Axes]:
    """Return the panels: maps above, then diagram, spectrum and words, channel maps below."""
    maps, middle, channels = _ROWS
    boxes = {
        name: (_LEFT + i * _COLUMN, maps, _MAP, _MAP)
        for i, name in enumerate(("flux", "velocity", "dispersion"))
    }
    boxes |= {
        name: (_LEFT + i * _COLUMN, middle, _MAP, _DIAGRAM)
        for i, name in enumerate(("diagram", "spectrum", "words"))
    }
    step = (2 * _COLUMN + _MAP - _CHANNEL) / (CHANNEL_MAPS - 1)
    boxes |= {str(i): (_LEFT + i * step, channels, _CHANNEL, _CHANNEL) for i in range(CHANNEL_MAPS)}
    return {
        name: figure.add_axes((x / _WIDTH, y / _HEIGHT, width / _WIDTH, height / _HEIGHT))
        for name, (x, y, width, height) in boxes.items()
    }


def _headings(axes: dict[str, Axes], view: CubeView) -> None:
    """Write names over the panels and below the maps."""
    headings = {
        "flux": "Flux",
        "velocity": "Velocity",
        "dispersion": "Dispersion",
        "diagram": f'Slit of {view.slit.width:.2g}" at {view.slit.position_angle % 360:.0f}°',
        "spectrum": "Spectrum",
    }
    for name, heading in headings.items():
        axes[name].set_title(heading, fontsize=15, fontweight="bold", loc="left")
    for name in ("flux", "velocity", "dispersion"):
        axes[name].set_xlabel("arcsec", fontsize=LABEL)
        axes[name].tick_params(labelleft=name == "flux")
    axes["flux"].set_ylabel("arcsec", fontsize=LABEL, labelpad=2)


def _words(
    figure: Figure,
    axis: Axes,
    view: CubeView,
    title: str,
    lines: Sequence[str],
    systemic_velocity: float,
) -> None:
    """Write the title, and beside the spectrum what is known and how to read the panels."""
    figure.text(_LEFT / _WIDTH, 1 - 0.2 / _HEIGHT, title, fontsize=21, fontweight="bold", va="top")
    axis.axis("off")
    # Six lines of this size fill the room above the legend.
    size = 12 * min(1.0, 6 / max(len(lines), 1))
    axis.text(0, 1, "\n".join(lines), transform=axis.transAxes, va="top", fontsize=size,
              linespacing=1.5)  # fmt: skip
    levels = panels.velocity_levels(view)
    width = float(np.median(np.diff(view.velocity_edges)))
    legend = [
        f"Velocities relative to {systemic_velocity:g} km/s, red: receding.",
        f"Lines on the map every {levels[1] - levels[0]:g} km/s, thick at 0.",
        "Position angles from +y towards -x; offsets",
        "along the slit are positive at its angle.",
        f"Channels of {width:.3g} km/s; {view.galaxy.sum()} spaxels with signal.",
    ]
    if view.diagram.error is not None:
        legend.insert(4, "Contours at 3, 6, 12, ... times the noise.")
    axis.text(0, 0, "\n".join(legend), transform=axis.transAxes, va="bottom", fontsize=10.5,
              color="0.3", linespacing=1.45)  # fmt: skip
