"""Sliders of a disk's parameters beside its maps, for notebooks: a change is rendered at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import PARAMETERS, DiskParameters
from clumpygan.galaxies.rendering.cube import render_cube
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.plots.cube_view import CHANNEL_MAPS, CubeView, Slit, view_of
from clumpygan.plots.panels import add_panel, flux_stretch, head, plot_flux, plot_map
from clumpygan.plots.style import (
    BRIGHTNESS_MAP,
    DISPERSION_MAP,
    LABEL,
    VELOCITY_MAP,
    new_figure,
    png_of,
    stretch,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLIDERS: dict[str, tuple[float, float]] = {
    "inclination": (0.0, 90.0),
    "position_angle": (0.0, 360.0),
    "maximum_velocity": (0.0, 350.0),
    "turnover_radius": (0.02, 1.0),
    "velocity_dispersion": (5.0, 120.0),
    "half_light_radius": (0.2, 1.5),
    "sersic_index": (0.5, 4.0),
    "scale_height": (0.0, 0.4),
}
"""Parameters that have a slider by default, and its ends."""

_STEPS = 100
_SLIDER_WIDTH = "340px"
_GRID = CubeGrid.velocities((24, 40, 40), 0.12, 40.0, line_spread=40.0)

_WIDTH, _HEIGHT = 11.6, 6.0  # inches
_MAP, _LEFT, _COLUMN, _UPPER = 2.55, 0.7, 3.8, 2.95
_CHANNEL, _LOWER, _STEP = 1.85, 0.25, 2.1


class DiskWidget:
    """Sliders of a rotating disk's parameters beside flux, velocity, dispersion and channel maps.

    In a notebook the object shows itself. A slider that is moved renders the cube without noise and
    draws it anew; so does ``widget["inclination"] = 30``, without a browser too. Where that isn't
    possible, everything stays as it was: the slider goes back, and a line below says why.

    Parameters
    ----------
    grid : CubeGrid, optional
        Voxels; by default 24 channels of 40 km/s, 40 x 40 pixels of 0.12 arcsec, a line spread of
        40 km/s.
    transfer : callable, optional
        Transfer function of the PSF, as `render_cube` takes it; without one there is none.
    sliders : sequence of str or mapping of str to (float, float)
        Parameters, of `SLIDERS` with their ends there, or with ends of your own.
    **galaxy
        Parameters and choices of the disk (`DiskParameters`) to begin with; those without a slider
        stay.

    Attributes
    ----------
    galaxy : DiskParameters
        What is shown.
    cube : ndarray (v, y, x), float32
        Its cube.
    sliders : dict of str to ipywidgets.FloatSlider
        By the names of the parameters.

    Raises
    ------
    InputError
        If ipywidgets isn't installed, a parameter is unknown, or a value is out of its range.
    """

    def __init__(
        self,
        grid: CubeGrid | None = None,
        transfer: Transfer | None = None,
        *,
        sliders: Sequence[str] | Mapping[str, tuple[float, float]] = tuple(SLIDERS),
        **galaxy: Any,
    ) -> None:
        widgets = _ipywidgets()
        self.grid = grid or _GRID
        self.galaxy = DiskParameters(**galaxy)
        self._transfer = transfer
        ends = sliders if isinstance(sliders, Mapping) else _known_ends(sliders)
        self.sliders = {name: self._slider(widgets, name, *pair) for name, pair in ends.items()}
        self._picture = widgets.Image(format="png")
        self._refusal = widgets.HTML(layout={"width": _SLIDER_WIDTH})
        left = widgets.VBox([*self.sliders.values(), self._refusal])
        self.box = widgets.HBox([left, self._picture])
        self._show(self.galaxy)

    def _slider(self, widgets: Any, name: str, low: float, high: float) -> Any:
        row = next((one for one in PARAMETERS if one.name == name), None)
        if row is None:
            raise InputError(f"`sliders`: no parameter of disks is called {name!r}")
        low, high, value = (row.check(one) for one in (low, high, getattr(self.galaxy, name)))
        slider = widgets.FloatSlider(
            value=value,
            min=min(low, value),
            max=max(high, value),
            step=(high - low) / _STEPS,
            description=f"{name} [{row.unit}]" if row.unit else name,
            tooltip=row.description,
            style={"description_width": "initial"},
            layout={"width": _SLIDER_WIDTH},
        )
        slider.observe(lambda change: self._move(name, float(change["new"])), names="value")
        return slider

    def __getitem__(self, name: str) -> float:
        """Return the value of a parameter."""
        return float(getattr(self.galaxy, name))

    def __setitem__(self, name: str, value: float) -> None:
        """Move a slider.

        Raises
        ------
        InputError
            If there is no such slider, the value is beyond its ends, or a disk of it can't be
            rendered on the grid; nothing is changed then.
        """
        if name not in self.sliders:
            raise InputError(f"no slider {name!r}: expected one of {', '.join(self.sliders)}")
        slider = self.sliders[name]
        if not slider.min <= value <= slider.max:
            raise InputError(
                f"{name} is {value:g}; expected {slider.min:g} to {slider.max:g}, where its slider "
                "is, or a widget with other ends (`sliders`)"
            )
        self._show(self._with(name, float(value)))
        slider.value = value

    def _with(self, name: str, value: float) -> DiskParameters:
        changed: dict[str, Any] = {name: value}
        return replace(self.galaxy, **changed)

    def _move(self, name: str, value: float) -> None:
        """Show what a slider is moved to, or put it back."""
        if value == self[name]:
            return
        try:
            self._show(self._with(name, value))
        except InputError as problem:
            self._refusal.value = f"{name} {value:g}: {escape(str(problem))}"
            self.sliders[name].value = self[name]

    def _show(self, galaxy: DiskParameters) -> None:
        """Render and draw a galaxy, all of it or nothing."""
        cube = render_cube(galaxy, self.grid, psf=self._transfer)
        picture = png_of(disk_figure(cube, self.grid, galaxy))
        self.galaxy, self.cube, self._picture.value = galaxy, cube, picture
        self._refusal.value = ""

    @property
    def figure(self) -> Figure:
        """The picture, for papers and for those who look without a browser."""
        return disk_figure(self.cube, self.grid, self.galaxy)

    def _repr_mimebundle_(self, **how: Any) -> Any:
        """Return what a notebook shows: the sliders and the picture."""
        shown = dict(self.box._repr_mimebundle_(**how))
        shown["text/plain"] = f"<DiskWidget with sliders of {', '.join(self.sliders)}>"
        return shown


def disk_figure(cube: np.ndarray, grid: CubeGrid, galaxy: DiskParameters) -> Figure:
    """Draw flux, velocity, dispersion and channel maps of a disk without noise.

    Parameters
    ----------
    cube : ndarray (v, y, x)
        Flux per voxel.
    grid : CubeGrid
    galaxy : DiskParameters
        Velocities count from its systemic one.
    """
    slit = Slit(galaxy.position_angle, (galaxy.offset_x, galaxy.offset_y), 3 * grid.pixel_scale)
    view = view_of(
        cube, grid.centres[0], grid.pixel_scale, slit_width=slit.width, slit=slit,
        systemic_velocity=galaxy.systemic_velocity,
    )  # fmt: skip
    figure = new_figure(_WIDTH, _HEIGHT, None)
    _draw_maps(figure, view)
    norm = stretch(np.stack([one.image for one in view.channels]), 0.0)
    for number, channel in enumerate(view.channels[:CHANNEL_MAPS]):
        axis = add_panel(figure, _LEFT + number * _STEP, _LOWER, _CHANNEL, _CHANNEL)
        plot_map(axis, view, channel.image, cmap=BRIGHTNESS_MAP, norm=norm)
        axis.set_title(f"{channel.low:+.0f} to {channel.high:+.0f} km/s", fontsize=LABEL - 2)
        axis.set_xticks([])
        axis.set_yticks([])
    return figure


def _draw_maps(figure: Figure, view: CubeView) -> None:
    panels = [
        add_panel(figure, _LEFT + number * _COLUMN, _UPPER, _MAP, _MAP) for number in range(3)
    ]
    flux = np.nan_to_num(view.maps.flux)
    plot_flux(panels[0], view, flux, flux_stretch(view.maps.flux, view.maps), "flux")
    limit, (low, high) = view.velocity_range, view.dispersion_range
    shown = (
        ("velocity", {"cmap": VELOCITY_MAP, "vmin": -limit, "vmax": limit}),
        ("dispersion", {"cmap": DISPERSION_MAP, "vmin": low, "vmax": high}),
    )
    for axis, (name, how) in zip(panels[1:], shown, strict=True):
        image = np.where(view.galaxy, getattr(view.maps, name), np.nan)
        plot_map(axis, view, image, "km/s", **how)
    for axis, name in zip(panels, ("Flux", "Velocity", "Dispersion"), strict=True):
        head(axis, name)
    panels[0].set_ylabel("arcsec", fontsize=LABEL)


def _known_ends(names: Sequence[str]) -> dict[str, tuple[float, float]]:
    unknown = [name for name in names if name not in SLIDERS]
    if unknown:
        raise InputError(
            f"`sliders`: {unknown[0]!r} has no ends here: expected some of {', '.join(SLIDERS)}, "
            "or a mapping of names to (low, high)"
        )
    return {name: SLIDERS[name] for name in names}


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError as problem:
        raise InputError(
            'sliders need ipywidgets: python -m pip install "clumpygan[notebook]"'
        ) from problem
    return ipywidgets
