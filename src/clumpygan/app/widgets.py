"""What the tabs of the page share: the line that says what happens, downloads, places to drop."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import panel as pn

from clumpygan.app.files import Files, bytes_of
from clumpygan.app.work import Outcome, Worker

CONTROLS = 310
"""Width of the column of controls, pixels."""

_NOTHING = "none"
_STYLES = {
    "busy": {"background": "#e8f1fb", "border-left": "4px solid #3b7dc4"},
    "good": {"background": "#eaf6ea", "border-left": "4px solid #3c9a3c"},
    "note": {"background": "#fdf6e0", "border-left": "4px solid #d0a020"},
    "wrong": {"background": "#fbe9e7", "border-left": "4px solid #c8321e"},
}


class Status:
    """The line that says what happens, what is wrong, and what was mended."""

    def __init__(self) -> None:
        self._about = ""
        self.view = pn.pane.HTML(
            "", sizing_mode="stretch_width", css_classes=["status"], visible=False
        )

    @property
    def text(self) -> str:
        """What it says, as HTML."""
        return str(self.view.object)

    def say(self, text: str, kind: str = "good", about: str = "") -> None:
        """Say something: "busy", "good", "note" or "wrong"; nothing with an empty text.

        `about` is what `forget` takes.
        """
        self._about = about
        self.view.styles = {**_STYLES[kind], "padding": "6px 10px", "box-sizing": "border-box"}
        self.view.object = escape(text)
        self.view.visible = bool(text)

    def forget(self, about: str) -> None:
        """Take back what was said about something, if it is what stands there."""
        if self._about == about:
            self.say("")

    def tell(self, outcome: Outcome[Any], good: str = "", about: str = "") -> bool:
        """Say what came out of a task, and return whether there is a result."""
        if outcome.problem:
            self.say(outcome.problem, "wrong", about)
        elif outcome.remarks:
            self.say(". ".join([*([good] if good else []), *outcome.remarks]), "note", about)
        else:
            self.say(good, about=about)
        return not outcome.problem


def on_page(task: Callable[..., object], *given: Any) -> None:
    """Change Bokeh's figures, which may be done under the lock of their document alone."""
    pn.state.execute(partial(task, *given), schedule=True)


class Drop:
    """Where a FITS file is dropped, or chosen of the folder that the program was given.

    Parameters
    ----------
    label : str
    files : Files
    taken : callable, optional
        Coroutine function without arguments, called where there is another file.
    """

    def __init__(
        self, label: str, files: Files, taken: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._files, self._taken, self._where = files, taken, uuid.uuid4().hex
        limit = f"{files.largest // 10**6}MB"
        self.dropper = pn.widgets.FileDropper(
            label=label, multiple=False, max_file_size=limit, max_total_file_size=limit,
            width=CONTROLS - 20, height=110, css_classes=["drop"],
        )  # fmt: skip
        self.choice = pn.widgets.Select(
            label="or a file of the folder", options=[_NOTHING, *files.choices],
            width=CONTROLS - 20, visible=bool(files.choices),
        )  # fmt: skip
        self.view = pn.Column(self.dropper, self.choice)
        self.dropper.param.watch(self._dropped, "value")
        self.choice.param.watch(self._chosen, "value")

    @property
    def given(self) -> bool:
        """Whether there is a file."""
        return bool(self.dropper.value) or self.choice.value != _NOTHING

    def path(self) -> Path | None:
        """Return the file; None if there is none.

        Raises
        ------
        InputError
            If it isn't one that is taken.
        """
        if self.dropper.value:
            ((name, content),) = list(self.dropper.value.items())[-1:]
            return self._files.keep(name, content, self._where)
        if self.choice.value != _NOTHING:
            return self._files.chosen(self.choice.value)
        return None

    def clear(self) -> None:
        """Forget the file."""
        self.dropper.value = {}
        self.choice.value = _NOTHING

    async def _dropped(self, event: Any) -> None:
        if not event.new:
            return
        self.choice.value = _NOTHING
        if self._taken is not None:
            await self._taken()

    async def _chosen(self, event: Any) -> None:
        if event.new == _NOTHING:
            return
        self.dropper.value = {}
        if self._taken is not None:
            await self._taken()


class Download:
    """A button that downloads a file, once there is one.

    Parameters
    ----------
    label : str
    status : Status
        Says what is wrong.
    worker : Worker
        Writes the file.
    """

    def __init__(self, label: str, status: Status, worker: Worker) -> None:
        self._status, self._worker = status, worker
        self._label = label
        self._write: Callable[[Path], object] | None = None
        # Icons would come from elsewhere.
        self.view = pn.widgets.FileDownload(
            callback=self._bytes, filename="nothing.fits", label=label, icon=None, auto=True,
            embed=False, disabled=True, color="default", width=CONTROLS - 20,
        )  # fmt: skip

    def offer(self, name: str, write: Callable[[Path], object] | None) -> None:
        """Offer what a function writes to a file of this name; None offers nothing."""
        self._write = write
        self.view.param.update(filename=name, label=self._label, disabled=write is None)

    async def _bytes(self) -> BytesIO:
        """Return the file, without keeping the page from going on while the worker is busy.

        Raises
        ------
        asyncio.CancelledError
            If there is none; the page says why. It ends the download in silence, where any other
            exception would end as a traceback in the terminal.
        """
        name, write = self.view.filename, self._write
        if self._worker.busy:
            self._status.say(f"{name} comes as soon as what runs is done", "busy", self._label)
        outcome = await self._worker.run(bytes_of, write, name)
        self._status.forget(self._label)
        if write is not self._write:
            # Panel would give the old content the new name.
            self._status.say(f"{name} has changed while it was written: ask again", "note")
        elif outcome.value is None:
            self._status.tell(outcome)
        else:
            return outcome.value
        raise asyncio.CancelledError


def card(title: str, *content: Any, collapsed: bool = False) -> pn.Card:
    """Return a part of the controls that can be folded."""
    return pn.Card(
        *content, title=title, collapsed=collapsed, width=CONTROLS, margin=(4, 4),
        header_background="#eef1f5",
    )  # fmt: skip


def page_of(controls: pn.Column, *content: Any) -> pn.Row:
    """Return a tab: controls to the left, what is shown to the right."""
    shown = pn.Column(*content, sizing_mode="stretch_width", margin=(0, 0, 0, 10))
    return pn.Row(controls, shown, sizing_mode="stretch_width")


def clicked(task: Callable[[], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Return a task without arguments as what buttons call."""

    async def run(_: Any) -> None:
        await task()

    return run
