"""The tab of cubes: sliders that move a disk, and a fit of the disk to a cube."""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import numpy as np
import panel as pn

from clumpygan.app.board import KINDS, CubeBoard
from clumpygan.app.disk import (
    Data,
    Shown,
    Wanted,
    fit_data,
    observe_mock,
    read_data,
    show_mock,
    show_over,
    start_of,
    way,
)
from clumpygan.app.files import Files
from clumpygan.app.widgets import CONTROLS, Download, Drop, Status, card, clicked, on_page, page_of
from clumpygan.app.work import Latest, Outcome, Worker
from clumpygan.data.cubes.frame_settings import NO_INSTRUMENT, FieldSettings
from clumpygan.fitting.result import FitResult
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.disks.disk_model import CURVES, MASS_CURVES, DiskModel
from clumpygan.galaxies.disks.disk_table import PARAMETERS
from clumpygan.galaxies.emission_lines import LINES
from clumpygan.instruments.spectrograph_names import SPECTROGRAPH_NAMES
from clumpygan.plots.disk_widget import SLIDERS as DISK_SLIDERS

SLIDERS: dict[str, tuple[float, float]] = {
    **DISK_SLIDERS,
    "arm_amplitude": (0.0, 1.0),
    "offset_x": (-1.5, 1.5),
    "offset_y": (-1.5, 1.5),
    "systemic_velocity": (-300.0, 300.0),
    "flux": (0.0, 2.0),
}
"""Ends of the sliders of parameters."""

START = {"inclination": 55.0, "position_angle": 60.0, "arm_amplitude": 0.4}
"""Where sliders stand at first, in place of the parameters' defaults."""

PLAIN_CURVES = tuple(c for c in CURVES if c not in (*MASS_CURVES, "table", "rings"))
"""Rotation curves that need nothing beside the parameters."""

_STEPS = 12
"""Pictures in which the model moves to where a fit has found it."""

_WIDE = CONTROLS - 20
_AS_FILE = "as the file says"
_RENDERING = "rendering"


class CubesTab:
    """The tab of cubes.

    Parameters
    ----------
    worker : Worker
    files : Files
    """

    def __init__(self, worker: Worker, files: Files) -> None:
        self.worker, self.files = worker, files
        self.data: Data | None = None
        self.result: FitResult | None = None
        self.status, self.board = Status(), CubeBoard()
        self.shown: Shown | None = None
        self._latest: Latest[Shown] = Latest(worker, _call, partial(on_page, self._show))
        self._quiet = False
        rows = {row.name: row for row in PARAMETERS}
        self.values = {name: START.get(name, rows[name].default) for name in SLIDERS}
        self.sliders = {name: _slider(name, self.values[name]) for name in SLIDERS}
        self.sliders["flux"].visible = self.sliders["arm_amplitude"].visible = False
        self._choices()
        self._fitting(worker)
        self.kind = pn.widgets.RadioButtonGroup(
            label="Shown", options=list(KINDS), value="data", visible=False
        )
        self.table = pn.pane.HTML("", sizing_mode="stretch_width")
        self.view = page_of(self._controls(), self.status.view, self.kind, self.board.view,
                            self.table)  # fmt: skip
        for name, slider in self.sliders.items():
            slider.param.watch(partial(self._moved, name), "value")
        for one in (*self.model.values(), *self.field.values(), self.noise, self.seed):
            one.param.watch(self._chosen, "value")
        self.kind.param.watch(self._another_kind, "value")

    def _choices(self) -> None:
        """Make the widgets of the model and of the observation."""
        self.model = {
            "curve": pn.widgets.Select(
                label="rotation curve", options=list(PLAIN_CURVES), width=_WIDE
            ),
            "clumps": pn.widgets.IntSlider(label="clumps", start=0, end=12, value=0, width=_WIDE),
            "arms": pn.widgets.IntSlider(label="spiral arms", start=0, end=4, value=0, width=_WIDE),
        }
        self.field = {
            "instrument": pn.widgets.Select(
                label="spectrograph", options=[NO_INSTRUMENT, *SPECTROGRAPH_NAMES], width=_WIDE
            ),
            "line": pn.widgets.Select(
                label="emission line", options=list(LINES), value="oiii", width=_WIDE
            ),
            "seeing": pn.widgets.FloatSlider(
                label="PSF, FWHM [arcsec]", start=0.1, end=2.0, step=0.05, value=0.6, width=_WIDE
            ),
        }
        self.noise = pn.widgets.FloatSlider(
            label="signal-to-noise of the brightest voxel", start=2, end=50, step=1, value=12,
            width=_WIDE,
        )  # fmt: skip
        self.seed = pn.widgets.IntInput(
            label="seed of clumps and noise", value=1, start=0, end=2**31 - 1, width=_WIDE
        )

    def _fitting(self, worker: Worker) -> None:
        """Make the widgets of data and fit."""
        self.drop = Drop("Drop a FITS cube here", self.files, self.read)
        self.about = {
            "line": pn.widgets.Select(
                label="line of the cube", options=[_AS_FILE, *LINES], width=_WIDE
            ),
            "redshift": pn.widgets.FloatInput(
                label="redshift", value=None, placeholder=_AS_FILE, width=_WIDE
            ),
            "psf_fwhm": pn.widgets.FloatInput(
                label="PSF, FWHM [arcsec]", value=None, placeholder=_AS_FILE, width=_WIDE
            ),
            "instrument": pn.widgets.Select(
                label="spectrograph of the cube", options=[_AS_FILE, *SPECTROGRAPH_NAMES],
                width=_WIDE,
            ),
            "pixel_scale": pn.widgets.FloatInput(
                label="pixel scale [arcsec]", value=None, placeholder=_AS_FILE, width=_WIDE
            ),
        }  # fmt: skip
        self.buttons = {
            name: pn.widgets.Button(label=label, color=kind, width=_WIDE)
            for name, label, kind in (
                ("observe", "Add noise, and take the disk for data", "default"),
                ("read", "Read the cube again", "default"),
                ("fit", "Fit the disk to the data", "primary"),
                ("forget", "Without data", "default"),
            )
        }
        for name in ("read", "fit", "forget"):
            self.buttons[name].visible = False
        tasks: dict[str, Callable[[], Any]] = {
            "observe": self.observe, "read": self.read, "fit": self.fit, "forget": self.forget,
        }  # fmt: skip
        for name, button in self.buttons.items():
            button.on_click(clicked(tasks[name]))
        self.cube_file = Download("Download the disk, a FITS cube", self.status, worker)
        self.fit_files = Download(
            "Download the fit: tables, FITS cubes, picture", self.status, worker
        )
        self.fit_files.view.visible = False

    def _controls(self) -> pn.Column:
        sliders, button = self.sliders, self.buttons
        return pn.Column(
            button["fit"], button["forget"], self.fit_files.view,
            card("The disk", *sliders.values(), *self.model.values()),
            card("How it is observed", *self.field.values(), self.noise, self.seed,
                 button["observe"], self.cube_file.view),
            card("A cube to fit", self.drop.view, *self.about.values(), button["read"]),
            width=CONTROLS + 10,
        )  # fmt: skip

    # ---- what happens

    async def start(self) -> None:
        """Show the disk for the first time."""
        await self.render()

    def wanted(self) -> Wanted:
        """Return the disk that the widgets ask for."""
        instrument = self.field["instrument"].value
        chosen = {name: one.value for name, one in self.field.items()}
        if instrument == NO_INSTRUMENT:
            chosen["instrument"] = None
        values = dict(self.values)
        if not self.model["arms"].value:
            values["arm_amplitude"] = 0.0
        return Wanted(
            values,
            DiskModel(**{name: one.value for name, one in self.model.items()}),
            FieldSettings(**chosen),
            float(self.noise.value),
            int(self.seed.value),
        )

    async def render(self) -> None:
        """Render the disk that the widgets ask for, over the data if there are any."""
        if self.data is None:
            await self._latest.ask(lambda: show_mock(self.wanted()))
        else:
            data, values = self.data, dict(self.values)
            await self._latest.ask(lambda: show_over(data, start_of(data, values)))

    async def observe(self) -> None:
        """Take the disk, with noise, for data."""
        self.drop.clear()
        await self._take(await self.worker.run(lambda: observe_mock(self.wanted())))

    async def read(self) -> None:
        """Read the cube that was dropped or chosen."""
        if not self.drop.given:
            return
        self.buttons["read"].visible = True
        self.status.say("reading the cube", "busy")
        settings = {name: one.value for name, one in self.about.items()}
        told = {n: v for n, v in settings.items() if v is not None and v != _AS_FILE}

        def task() -> Data:
            path = self.drop.path()
            assert path is not None
            return read_data(path, FitSettings.of({**told, "curve": self.model["curve"].value}))

        await self._take(await self.worker.run(task))

    async def fit(self) -> None:
        """Fit the disk to the data, and let it move to where the fit has found it."""
        if self.data is None:
            return
        self.status.say("fitting the disk to the data", "busy")
        self.buttons["fit"].disabled = True
        data, before = self.data, dict(self.values)
        outcome = await self.worker.run(fit_data, data)
        self.buttons["fit"].disabled = False
        # Meanwhile there may be other data, or none.
        if data is not self.data or not self.status.tell(outcome) or outcome.value is None:
            return
        result = outcome.value
        for values in way(before, result.values, _STEPS):
            await self._latest.ask(partial(show_over, data, start_of(data, values)))
            if data is not self.data:
                return
        self._fitted(result)

    async def forget(self) -> None:
        """Go back to a disk without data."""
        self._no_data()
        await self.render()

    async def _take(self, outcome: Outcome[Data]) -> None:
        """Take what was read or observed for the data."""
        if not self.status.tell(outcome) or outcome.value is None:
            return
        self._no_data()
        self.cube_file.offer("disk.fits", None)  # what is moved now is a model of the data
        self.data = outcome.value
        for name in ("fit", "forget"):
            self.buttons[name].visible = True
        self.kind.visible = True
        self.kind.value = "data"
        self.sliders["flux"].visible = True
        self.sliders["flux"].label = f"flux [{self.data.unit}]"
        self._set({"flux": self.data.flux}, top=2 * self.data.flux)
        good = f"{self.data.name}: move the disk over the data by hand, or fit it"
        self.status.tell(outcome, good)
        await self.render()

    def _no_data(self) -> None:
        self.data = self.result = None
        for name in ("fit", "forget"):
            self.buttons[name].visible = False
        self.kind.visible = self.sliders["flux"].visible = False
        self.fit_files.view.visible = False
        self.table.object = ""
        self.status.say("")
        self.values = {name: self.sliders[name].value for name in SLIDERS}

    def _fitted(self, result: FitResult) -> None:
        """Show the numbers of a fit."""
        self.result = result
        self._set(result.values)
        self.table.object = (
            "Medians and 68 % intervals; the sliders stand at the most probable values."
            f"<pre style='white-space:pre-wrap;margin-top:2px'>{escape(repr(result))}</pre>"
        )
        said = f"fitted in {sum(result.seconds.values()):.1f} CPU seconds: {result.verdict.word}"
        self.status.say(said, "note" if result.problems else "good")
        self.fit_files.offer("fit.zip", lambda folder: result.write(folder, "fit"))
        self.fit_files.view.visible = True

    def _set(self, values: Any, top: float | None = None) -> None:
        """Move sliders, within ranges that hold the values, without rendering."""
        self._quiet = True
        try:
            self.values = {**self.values, **values}
            for name, value in values.items():
                if name not in self.sliders:
                    continue
                slider = self.sliders[name]
                low, high = SLIDERS[name]
                if name == "flux":
                    low, high = 0.0, top or max(float(slider.end), 2 * value)
                    slider.step = _step(low, high)
                slider.param.update(start=min(low, value), end=max(high, value), value=float(value))
        finally:
            self._quiet = False

    def _show(self, outcome: Outcome[Shown]) -> None:
        """Show what was rendered."""
        if outcome.value is None or outcome.remarks:
            self.status.tell(outcome, about=_RENDERING)
        else:
            self.status.forget(_RENDERING)
        if outcome.value is None:
            return
        self.shown = outcome.value
        self.board.show(outcome.value, self.kind.value)
        if self.data is None:
            wanted = self.wanted()
            self.cube_file.offer("disk.fits", lambda path: wanted.mock.write(path))

    # ---- what widgets call

    def _moved(self, name: str, event: Any) -> None:
        # Not a coroutine: it would look whether it is meant when that is over.
        if not self._quiet:
            self.values[name] = float(event.new)
            pn.state.execute(self.render)

    def _chosen(self, event: Any) -> None:
        self.sliders["arm_amplitude"].visible = bool(self.model["arms"].value)
        pn.state.execute(self.render)

    def _another_kind(self, event: Any) -> None:
        if self.shown is not None:
            on_page(self.board.show, self.shown, event.new)


def _slider(name: str, value: float) -> pn.widgets.FloatSlider:
    row = next(row for row in PARAMETERS if row.name == name)
    low, high = SLIDERS[name]
    words = name.replace("_", " ")
    return pn.widgets.FloatSlider(
        label=f"{words} [{row.unit}]" if row.unit else words,
        start=low, end=high, step=_step(low, high), value=value, width=_WIDE, margin=(2, 10),
    )  # fmt: skip


def _step(low: float, high: float) -> float:
    """Return a step of 1, 0.1, 0.01, ... of which there are 50 to 500 in a range."""
    return float(10.0 ** np.floor(np.log10((high - low) / 50)))


def _call(task: Callable[[], Shown]) -> Shown:
    return task()
