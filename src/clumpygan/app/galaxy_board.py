"""What the page shows of a recovered galaxy: images on one stretch, samples, residual, sources."""

from html import escape
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, HoverTool
from numpy.typing import NDArray

from clumpygan.app.galaxy import told_of
from clumpygan.app.panels import (
    MODEL,
    Extent,
    ImagePanel,
    Scale,
    field_of,
    linear_scale,
    square,
)
from clumpygan.plots.recovery import (
    BRIGHTNESS_MAP,
    RESIDUAL_MAP,
    RESIDUAL_RANGE,
    brightness_stretch,
    round_values,
    shown_field,
)
from clumpygan.recovery.catalogue import LIKELY, SMALLEST_CIRCLE, source_table
from clumpygan.recovery.result import Recovery

_SIZE = 212  # pixels of the screen
_INTERVAL = 350  # ms that each sample is shown

_NO_SOURCES: dict[str, list[Any]] = {
    "x": [], "y": [], "radius": [], "dash": [], "probability": [], "flux": [],
}  # fmt: skip


class GalaxyBoard:
    """Panels of a recovery."""

    def __init__(self) -> None:
        self.recovery: Recovery | None = None
        self.sharp = ImagePanel("Sharp image", BRIGHTNESS_MAP, _SIZE)
        self.observed = ImagePanel("Observed", BRIGHTNESS_MAP, _SIZE)
        self.best = ImagePanel("Recovered", BRIGHTNESS_MAP, _SIZE)
        self.error = ImagePanel("Error, 1 sigma", BRIGHTNESS_MAP, _SIZE)
        self.sample = ImagePanel("Sample", BRIGHTNESS_MAP, _SIZE)
        self.residual = ImagePanel("Residual", RESIDUAL_MAP, _SIZE)
        self.panels = (
            self.sharp, self.observed, self.best, self.error, self.sample, self.residual,
        )  # fmt: skip
        self.sources = ColumnDataSource(_NO_SOURCES)
        circles = self.best.figure.circle(
            "x", "y", radius="radius", source=self.sources, fill_alpha=0.0, line_color="white",
            line_width=1.5, line_dash="dash",
        )  # fmt: skip
        tips = [("probability", "@probability{0.00}"), ("flux", "@flux{0.000 a}")]
        self.best.figure.add_tools(HoverTool(renderers=[circles], tooltips=tips))
        self.chosen = ColumnDataSource({"x": [], "y": []})
        for panel in self.panels:
            panel.figure.scatter(
                "x", "y", source=self.chosen, marker="cross", size=18, line_color=MODEL,
                line_width=2.5,
            )  # fmt: skip
            panel.figure.on_event("tap", self._tapped)
        self.player = pn.widgets.Player(
            label="samples", start=0, end=1, value=0, interval=_INTERVAL, loop_policy="loop",
            show_loop_controls=False, width=_SIZE + 60, height=60,
        )  # fmt: skip
        self.player.param.watch(lambda event: self.show_sample(event.new), "value")
        self.words = pn.pane.HTML("", sizing_mode="stretch_width")
        self.place = pn.pane.HTML("", width=430, css_classes=["place"])
        self.numbers = pn.pane.HTML("", width=430)
        self.view = pn.Column(
            self.words,
            pn.FlexBox(
                *(pn.pane.Bokeh(panel.figure) for panel in self.panels[:4]),
                pn.Column(pn.pane.Bokeh(self.sample.figure), self.player),
                pn.pane.Bokeh(self.residual.figure),
                pn.Column(self.place, self.numbers), gap="6px",
            ),
            sizing_mode="stretch_width", visible=False,
        )  # fmt: skip

    def show(self, recovery: Recovery) -> None:
        """Show another recovery."""
        self.recovery = recovery
        scene = recovery.scene
        field = shown_field(scene)
        self._view = square((field.left, field.right, field.bottom, field.top))
        norm = brightness_stretch(recovery)
        self._scale = Scale(norm, tuple(round_values(norm)), 1.0, f"{recovery.unit}/arcsec²")
        fine, coarse = scene.grid.target_scale, scene.grid.observed_scale
        self.sharp.figure.visible = scene.reference is not None
        if scene.reference is not None:
            self._image(self.sharp, scene.reference, scene.reference_mask, fine,
                        scene.reference_name)  # fmt: skip
        self._image(self.observed, scene.observed, scene.observed_mask, coarse,
                    scene.observed_name)  # fmt: skip
        self._image(self.best, recovery.best, recovery.mask, fine,
                    f"Recovered, mean of {len(recovery.samples)}")  # fmt: skip
        self._image(self.error, recovery.error, recovery.mask, fine, None)
        self._image(self.residual, recovery.residual, scene.observed_mask, coarse, None,
                    linear_scale(-RESIDUAL_RANGE, RESIDUAL_RANGE, "sigma"), 1.0)  # fmt: skip
        self._sources(recovery)
        self.player.param.update(start=0, end=len(recovery.samples) - 1, value=0)
        self.show_sample(0)
        self.player.direction = 1
        self.words.object = _words(recovery)
        self.numbers.object = f"<pre>{escape(recovery.table())}</pre>"
        y, x = (
            (p - (n - 1) / 2) * fine
            for p, n in zip(recovery.nucleus, recovery.best.shape, strict=True)
        )
        self.choose(x, y)
        self.view.visible = True

    def show_sample(self, number: int) -> None:
        """Show one of the samples."""
        if self.recovery is None or number >= len(self.recovery.samples):
            return
        title = f"Sample {number + 1} of {len(self.recovery.samples)}"
        scale = self.recovery.scene.grid.target_scale
        image = self.recovery.samples[number]
        self._image(self.sample, image, self.recovery.mask, scale, title)

    def choose(self, x: float, y: float) -> None:
        """Say what is at a place, in arcsec from the middle, and mark it."""
        if self.recovery is None:
            return
        rows, source = told_of(self.recovery, x, y)
        if source is not None:
            row = source_table(self.recovery)[source]
            x, y = float(row["dx"]), float(row["dy"])
        self.chosen.data = {"x": [x], "y": [y]}
        cells = "".join(
            f"<tr><td style='padding-right:12px;color:#555'>{escape(name)}</td>"
            f"<td>{escape(value)}</td></tr>"
            for name, value in rows
        )
        self.place.object = f"<b>At the cross</b> (click into an image)<table>{cells}</table>"

    def _tapped(self, event: Any) -> None:
        self.choose(float(event.x), float(event.y))

    def _sources(self, recovery: Recovery) -> None:
        table = source_table(recovery)
        columns = dict(_NO_SOURCES)
        if len(table):
            sizes = np.nan_to_num(np.asarray(table["half_light_radius"], dtype=float))
            columns = {
                "x": list(table["dx"]), "y": list(table["dy"]),
                "radius": list(np.maximum(sizes, SMALLEST_CIRCLE)),
                "dash": ["solid" if p >= LIKELY else "dashed" for p in table["probability"]],
                "probability": list(table["probability"]), "flux": list(table["flux"]),
            }  # fmt: skip
        self.sources.data = columns

    def _image(
        self, panel: ImagePanel, image: NDArray[np.floating], mask: NDArray[np.bool_],
        pixel_scale: float, title: str | None, scale: Scale | None = None,
        area: float | None = None,
    ) -> None:  # fmt: skip
        """Show an image, of surface brightness unless it has a scale of its own."""
        place: Extent = field_of(image.shape, pixel_scale)
        shown = np.where(mask, np.nan, image / (area or pixel_scale**2))
        panel.show(shown, scale or self._scale, place, self._view, title)


def _words(recovery: Recovery) -> str:
    """Return the title, what is known of the galaxy, and what to know before trusting it."""
    notes = "".join(f"<li>{escape(one)}</li>" for one in recovery.remarks)
    said = f"<b style='font-size:16px'>{escape(recovery.headline)}</b> "
    seen = escape(recovery.scene.subtitle)
    said += f"<span style='color:#555'>{seen}</span>"
    said += "<div>Circles are sources and clumps, dashed where less than half of the samples"
    said += (
        " have them; x and y count in arcsec from the middle. All images but the residual share one"
    )
    said += f" stretch. Seeing {recovery.scene.seeing:.2f} arcsec.</div>"
    return said + (f"<ul style='margin:2px'>{notes}</ul>" if notes else "")
