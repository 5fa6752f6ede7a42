"""The tab of what networks make: images of galaxies, and velocity cubes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
from matplotlib.figure import Figure

from clumpygan.app.files import bytes_of
from clumpygan.app.widgets import CONTROLS, Download, Status, card, clicked, page_of
from clumpygan.app.work import Worker
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS
from clumpygan.generation.cubes import GeneratedCubes, generate_cubes
from clumpygan.generation.galaxies import GeneratedGalaxies, generate_galaxies

GALAXIES, CUBES = "images of galaxies", "velocity cubes"

_WIDE = CONTROLS - 20
_MOST_GALAXIES, _MOST_CUBES = 64, 8
"""As many as their pictures show."""

_OF_GALAXIES = {
    "magnitude": ("H magnitude [AB]", 20.0, 26.0, 0.1, (21.0, 24.0)),
    "redshift": ("redshift", 0.1, 2.0, 0.1, (0.1, 2.0)),
    "half_light_radius": ("half-light radius [arcsec]", 0.05, 2.0, 0.05, (0.05, 2.0)),
}
_OF_CUBES = {
    "inclination": ("inclination [deg]", 10.0, 85.0, 1.0, (40.0, 70.0)),
    "maximum_velocity": ("maximum velocity [km/s]", 50.0, 300.0, 1.0, (150.0, 250.0)),
    "velocity_dispersion": ("velocity dispersion [km/s]", 20.0, 80.0, 1.0, (20.0, 80.0)),
}
"""Ranges: label, lower and upper end, step, and where they stand at first."""

assert set(_OF_CUBES) <= set(CUBE_CONDITIONS)


class GenerateTab:
    """The tab of what networks make.

    Parameters
    ----------
    worker : Worker
    """

    def __init__(self, worker: Worker) -> None:
        self.worker, self.status = worker, Status()
        self.what = pn.widgets.RadioBoxGroup(
            label="What", options=[GALAXIES, CUBES], value=GALAXIES, width=_WIDE
        )
        self.count = {
            GALAXIES: pn.widgets.IntSlider(
                label="how many", start=1, end=_MOST_GALAXIES, value=16, width=_WIDE
            ),
            CUBES: pn.widgets.IntSlider(
                label="how many", start=1, end=_MOST_CUBES, value=4, width=_WIDE
            ),
        }
        self.ranges = {
            GALAXIES: {name: _range(*how) for name, how in _OF_GALAXIES.items()},
            CUBES: {name: _range(*how) for name, how in _OF_CUBES.items()},
        }
        self.ratio = pn.widgets.FloatSlider(
            label="signal-to-noise of the brightest voxel", start=2, end=50, step=1, value=10,
            width=_WIDE,
        )  # fmt: skip
        self.noiseless = pn.widgets.Checkbox(label="without noise", value=False, width=_WIDE)
        self.seed = pn.widgets.IntInput(label="seed", value=3, start=0, end=2**31 - 1, width=_WIDE)
        self.button = pn.widgets.Button(label="Generate", color="primary", width=_WIDE)
        self.button.on_click(clicked(self.generate))
        self.file = Download("Download them, FITS", self.status, worker)
        self.picture = pn.pane.PNG(None, sizing_mode="scale_width", max_width=1100, visible=False)
        self.caption = pn.pane.HTML("", sizing_mode="stretch_width")
        self.of = {
            name: pn.Column(self.count[name], *self.ranges[name].values())
            for name in (GALAXIES, CUBES)
        }
        self.of[CUBES].append(self.ratio)
        controls = pn.Column(
            card("What is made", self.what, *self.of.values(), self.noiseless, self.seed),
            self.button, self.file.view, width=CONTROLS + 10,
        )  # fmt: skip
        self.view = page_of(controls, self.status.view, self.caption, self.picture)
        self.what.param.watch(self._another, "value")
        self._another(None)
        self.status.say("choose, and press Generate", "note")

    async def generate(self) -> None:
        """Make what the widgets ask for."""
        what = self.what.value
        task: Callable[[], tuple[Any, bytes]]
        task = self._galaxies if what == GALAXIES else self._cubes
        self.status.say(f"generating {what}", "busy")
        self.button.disabled = True
        outcome = await self.worker.run(task)
        self.button.disabled = False
        if not self.status.tell(outcome) or outcome.value is None:
            return
        made: Any
        made, png = outcome.value
        self.picture.param.update(object=png, visible=True)
        if isinstance(made, GeneratedGalaxies):
            self.caption.object = _caption_of_galaxies(made)
            self.file.offer("galaxies.fits", made.write)
        else:
            self.caption.object = _caption_of_cubes(made)
            single = len(made.cubes) == 1
            self.file.offer(
                "cube.fits" if single else "cubes.zip",
                made.write if single else lambda folder: made.write(Path(folder) / "cubes.fits"),
            )

    def _common(self, what: str) -> dict[str, Any]:
        chosen = {name: one.value for name, one in self.ranges[what].items()}
        return chosen | {
            "n": int(self.count[what].value),
            "seed": int(self.seed.value),
            "noiseless": bool(self.noiseless.value),
        }

    def _galaxies(self) -> tuple[GeneratedGalaxies, bytes]:
        made = generate_galaxies(**self._common(GALAXIES))
        return made, _png(made.plot())

    def _cubes(self) -> tuple[GeneratedCubes, bytes]:
        chosen = self._common(CUBES)
        if not chosen["noiseless"]:
            chosen["signal_to_noise"] = float(self.ratio.value)
        made = generate_cubes(**chosen)
        return made, _png(made.plot())

    def _another(self, _: Any) -> None:
        for name, column in self.of.items():
            column.visible = name == self.what.value


def _png(figure: Figure) -> bytes:
    """Return a figure at its own resolution."""
    return bytes_of(figure.savefig, "picture.png").read()


def _caption_of_galaxies(made: GeneratedGalaxies) -> str:
    n, word = len(made.images), "galaxy" if len(made.images) == 1 else "galaxies"
    return (
        f"<b>{n} {word}, seed {made.seed}</b>: images of {made.pixel_scale:g} arcsec"
        f" a pixel, each on its own asinh stretch; the noise of a pixel is {made.sigma:.3g} nJy."
    )


def _caption_of_cubes(made: GeneratedCubes) -> str:
    (n, v, y, x), word = made.cubes.shape, "cube" if len(made.cubes) == 1 else "cubes"
    return (
        f"<b>{n} {word}, seed {made.seed}</b>: {v} channels of"
        f' {made.grid.channel_width:.3g} km/s, {y} x {x} pixels of {made.grid.pixel_scale:g}"'
    )


def _range(name: str, low: float, high: float, step: float, value: tuple[float, float]) -> Any:
    return pn.widgets.RangeSlider(
        label=name, start=low, end=high, step=step, value=value, width=_WIDE, margin=(2, 10)
    )
