"""The page: its tabs, for one visitor."""

from typing import Any

import panel as pn

from clumpygan.app.cubes_tab import CubesTab
from clumpygan.app.files import Files
from clumpygan.app.generate_tab import GenerateTab
from clumpygan.app.recover_tab import RecoverTab
from clumpygan.app.settings import AppSettings
from clumpygan.app.work import Worker

HEADING = """
<div style="display:flex;flex-wrap:wrap;align-items:baseline;gap:14px;padding:2px 6px">
<span style="font-size:22px;font-weight:700">clumpygan</span>
<span>Clumpy galaxies, and the disks that they are. All is computed on this machine; nothing leaves
it.</span></div>
"""


class Page:
    """The page of one visitor.

    Parameters
    ----------
    settings : AppSettings
    worker : Worker
    """

    def __init__(self, settings: AppSettings, worker: Worker) -> None:
        self.files = Files(worker.folder, settings.largest_bytes, settings.folder)
        self.cubes = CubesTab(worker, self.files)
        self.recover = RecoverTab(worker, self.files)
        self.generate = GenerateTab(worker)
        self.tabs = pn.Tabs(
            ("Recover", self.recover.view), ("Cubes", self.cubes.view),
            ("Generate", self.generate.view), dynamic=True, sizing_mode="stretch_width",
        )  # fmt: skip
        self.view = pn.Column(
            pn.pane.HTML(HEADING, sizing_mode="stretch_width"), self.tabs,
            sizing_mode="stretch_width", styles={"font-family": "system-ui, sans-serif"},
        )  # fmt: skip
        if pn.state.curdoc is not None:
            pn.state.onload(self.start)
            pn.state.on_session_destroyed(self._close)

    async def start(self) -> None:
        """Show what is there before anything is asked for."""
        await self.cubes.start()

    def _close(self, _: Any) -> None:
        self.files.close()
