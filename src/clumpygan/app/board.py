"""What the page shows of a cube: maps, channel maps, slit and spectrum of data and model."""

from typing import Any

import numpy as np
import panel as pn
from numpy.typing import NDArray

from clumpygan.app.disk import Shown
from clumpygan.app.panels import (
    Extent,
    ImagePanel,
    Scale,
    SpectrumPanel,
    brightness_scale,
    field_of,
    linear_scale,
    square,
)
from clumpygan.plots.cube_view import CHANNEL_MAPS, CubeView, same_channels
from clumpygan.plots.panels import RESIDUAL_MAP, RESIDUAL_RANGE, flux_stretch, velocity_limits
from clumpygan.plots.style import BRIGHTNESS_MAP, DISPERSION_MAP, VELOCITY_MAP, stretch

FloatArray = NDArray[np.float64]

KINDS = ("data", "model", "residual")
"""What the images show; over data, lines are those of the model."""

_MAP, _CHANNEL, _SLIT = 215, 150, (215, 215)  # pixels of the screen
_LINES = (0.1, 0.3, 0.6)  # of the peak: contours of brightness
_VELOCITIES = (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75)  # of the range: lines of equal velocity
_NARROWEST = 5.0  # km/s, of the colours of differences


class CubeBoard:
    """Panels of a cube."""

    def __init__(self) -> None:
        offset = ("arcsec", "arcsec")
        along = ("along the slit [arcsec]", "velocity [km/s]")
        self.flux = ImagePanel("Flux", BRIGHTNESS_MAP, _MAP, labels=offset)
        self.velocity = ImagePanel("Velocity", VELOCITY_MAP, _MAP, labels=offset)
        self.dispersion = ImagePanel("Dispersion", DISPERSION_MAP, _MAP, labels=offset)
        self.slit = ImagePanel("Slit", BRIGHTNESS_MAP, _MAP, labels=along)
        self.channels = [
            ImagePanel("", BRIGHTNESS_MAP, _CHANNEL, bar=False, labels=("", ""))
            for _ in range(CHANNEL_MAPS)
        ]
        self.spectrum = SpectrumPanel("Spectrum", 320, _MAP)
        self.caption = pn.pane.HTML("", sizing_mode="stretch_width")
        rows = (
            (self.flux, self.velocity, self.dispersion),
            tuple(self.channels),
            (self.slit, self.spectrum),
        )
        self.view = pn.Column(
            self.caption,
            *(pn.FlexBox(*(pn.pane.Bokeh(one.figure) for one in row), gap="6px") for row in rows),
            sizing_mode="stretch_width",
        )

    def show(self, shown: Shown, kind: str = "data") -> None:
        """Show other cubes.

        Parameters
        ----------
        shown : Shown
        kind : str
            One of `KINDS`; without data the model is shown.
        """
        if shown.data is None:
            kind = "model"
        front = shown.model if kind == "model" or shown.data is None else shown.data
        over = shown.model if kind == "data" else None
        place = field_of(front.maps.flux.shape, front.pixel_scale)
        view = square(front.extent)
        self._maps(shown, kind, front, over, place, view)
        self._channels(shown, kind, front, over, place, view)
        self._slit(shown, kind, front, over)
        data = shown.data
        self.spectrum.show(
            front.spectrum.velocities,
            velocity_limits(front),
            shown.unit,
            data=None if data is None else data.spectrum.flux,
            error=None if data is None else data.spectrum.error,
            model=shown.model.spectrum.flux,
        )
        self.caption.object = _caption(shown, kind)

    def _maps(
        self, shown: Shown, kind: str, front: CubeView, over: CubeView | None,
        place: Extent, view: Extent,
    ) -> None:  # fmt: skip
        """Show flux, velocity and dispersion, or what the model leaves of them."""
        if kind == "residual" and shown.data is not None:
            first, second = shown.data.maps, shown.model.maps
            off = (first.flux - second.flux) / first.flux_error
            self._show(self.flux, off, _sigma(), place, view, colours=RESIDUAL_MAP)
            for panel, name in ((self.velocity, "velocity"), (self.dispersion, "dispersion")):
                off = getattr(first, name) - getattr(second, name)
                self._show(panel, off, _differences(off), place, view, colours=RESIDUAL_MAP)
            return
        maps, limit = front.maps, front.velocity_range
        noisy = np.isfinite(maps.flux_error).any()
        flux = maps.flux if noisy else np.nan_to_num(maps.flux)
        scale = brightness_scale(flux_stretch(maps.flux, maps), shown.unit)
        self._show(self.flux, flux, scale, place, view, colours=BRIGHTNESS_MAP)
        velocity = np.where(front.galaxy, maps.velocity, np.nan)
        self._show(
            self.velocity, velocity, linear_scale(-limit, limit, "km/s"), place, view,
            colours=VELOCITY_MAP,
        )  # fmt: skip
        low, high = front.dispersion_range
        dispersion = np.where(front.galaxy, maps.dispersion, np.nan)
        scale = linear_scale(low, max(high, low + 1e-6), "km/s")
        self._show(self.dispersion, dispersion, scale, place, view, colours=DISPERSION_MAP)
        if over is not None:
            peak = float(np.nanmax(over.maps.flux))
            self.flux.contours(over.maps.flux, [share * peak for share in _LINES], place)
            levels = [share * limit for share in _VELOCITIES]
            self.velocity.contours(over.maps.velocity, levels, place)

    def _channels(
        self, shown: Shown, kind: str, front: CubeView, over: CubeView | None,
        place: Extent, view: Extent,
    ) -> None:  # fmt: skip
        """Show the channel maps on one scale, or what the model leaves of them in sigma."""
        ours = (shown.data or shown.model).channels
        theirs = same_channels(shown.model.cube, ours)
        images = [one.image for one in (theirs if kind == "model" else ours)]
        noise = max(one.noise for one in ours)
        scale = brightness_scale(stretch(np.stack(images), noise), "")._replace(unit="")
        colours = BRIGHTNESS_MAP
        if kind == "residual" and noise:
            images = [(a.image - b.image) / a.noise for a, b in zip(ours, theirs, strict=True)]
            scale, colours = _sigma()._replace(unit=""), RESIDUAL_MAP
        peak = max(float(np.nanmax(one.image)) for one in theirs)
        for panel in self.channels:
            panel.figure.visible = False
        for panel, one, image, model in zip(self.channels, ours, images, theirs, strict=False):
            panel.figure.visible = True
            title = f"{round(one.low):+d} to {round(one.high):+d} km/s"
            self._show(panel, image, scale, place, view, colours=colours, title=title)
            if over is not None:
                panel.contours(model.image, [share * peak for share in _LINES], place)

    def _slit(self, shown: Shown, kind: str, front: CubeView, over: CubeView | None) -> None:
        """Show the position-velocity diagram, or what the model leaves of it."""
        diagram, limits = front.diagram, velocity_limits(front)
        step = float(np.diff(diagram.offsets).mean()) if diagram.offsets.size > 1 else 1.0
        edges = front.cube.edges
        place = (
            float(diagram.offsets[0]) - step / 2, float(diagram.offsets[-1]) + step / 2,
            float(edges[0]), float(edges[-1]),
        )  # fmt: skip
        left, right, bottom, top = front.extent
        reach = max(right - left, top - bottom) / 2
        view = (max(place[0], -reach), min(place[1], reach), *limits)
        noise = 0.0 if diagram.error is None else float(np.nanmedian(diagram.error))
        title = f"Slit, {front.slit.position_angle % 360:.0f} deg"
        image, scale = (
            diagram.diagram,
            brightness_scale(stretch(diagram.diagram, noise), shown.unit),
        )
        colours = BRIGHTNESS_MAP
        if kind == "residual" and diagram.error is not None:
            image = (image - shown.model.diagram.diagram) / diagram.error
            scale, colours = _sigma(), RESIDUAL_MAP
        self._show(self.slit, image, scale, place, view, colours=colours, title=title)
        if over is not None:
            peak = float(np.nanmax(over.diagram.diagram))
            self.slit.contours(over.diagram.diagram, [share * peak for share in _LINES], place)

    def _show(
        self, panel: ImagePanel, image: FloatArray, scale: Scale, place: Extent, view: Extent,
        *, colours: str, **more: Any,
    ) -> None:  # fmt: skip
        panel.colour(colours)
        panel.contours(None, (), place)
        panel.show(image, scale, place, view, **more)


def _sigma() -> Scale:
    return linear_scale(-RESIDUAL_RANGE, RESIDUAL_RANGE, "sigma")


def _differences(off: FloatArray) -> Scale:
    known = np.abs(off[np.isfinite(off)])
    limit = max(float(np.percentile(known, 90)), _NARROWEST) if known.size else _NARROWEST
    return linear_scale(-limit, limit, "km/s")


def _caption(shown: Shown, kind: str) -> str:
    """Return how to read the panels."""
    words = {
        "model": "The model.",
        "data": "The data; blue lines are the model: of brightness at 10, 30 and 60 % of its peak.",
        "residual": "What the model leaves: data minus model, in units of the noise or in km/s.",
    }[kind]
    words += " Velocities are relative to the zero of the cube's axis, red receding;"
    words += " x and y count from the middle of the field."
    if shown.misfit is not None:
        words += f" <b>chi&sup2; per voxel: {shown.misfit:.3f}</b>"
    return words
