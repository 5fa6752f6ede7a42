"""The tab of recoveries: a galaxy that is drawn or dropped, as HST would see it."""

from pathlib import Path
from typing import Any

import panel as pn

from clumpygan.app.files import Files
from clumpygan.app.galaxy import recover_galaxy
from clumpygan.app.galaxy_board import GalaxyBoard
from clumpygan.app.widgets import CONTROLS, Download, Drop, Status, card, clicked, on_page, page_of
from clumpygan.app.work import Worker
from clumpygan.recovery.result import Recovery
from clumpygan.recovery.settings import EXAMPLES, MAX_MAGNITUDE, MAX_REDSHIFT

DRAWN, EXAMPLE, OBSERVED, SHARP = (
    "a galaxy that is drawn", "a real galaxy, seen by HST", "my image from the ground",
    "my HST image",
)  # fmt: skip
"""Where the galaxy comes from."""

SEEING, DEPTH = 0.6, 26.2
"""Those of HSC-Wide in i, at which sliders stand."""

_WIDE = CONTROLS - 20
_UNKNOWN = "as the file says"


class RecoverTab:
    """The tab of recoveries.

    Parameters
    ----------
    worker : Worker
    files : Files
    """

    def __init__(self, worker: Worker, files: Files) -> None:
        self.worker = worker
        self.status, self.board = Status(), GalaxyBoard()
        self.recovery: Recovery | None = None
        self.source = pn.widgets.RadioBoxGroup(
            label="Which galaxy", options=[DRAWN, EXAMPLE, OBSERVED, SHARP], value=DRAWN,
            width=_WIDE,
        )  # fmt: skip
        self.seed = pn.widgets.IntInput(label="seed", value=7, start=0, end=2**31 - 1, width=_WIDE)
        self.drawn = {
            "max_hmag": _slider("faintest H magnitude [AB]", 20.5, MAX_MAGNITUDE, 0.1, 24.0),
            "max_redshift": _slider("largest redshift", 0.2, MAX_REDSHIFT, 0.1, MAX_REDSHIFT),
        }
        self.example = pn.widgets.Select(label="which one", options=list(EXAMPLES), width=_WIDE)
        self.image = Drop("Drop a FITS image here", files, self.recover)
        self.psf = Drop("and its PSF, if there is one", files)
        self.about = {
            "pixel_scale": _number("pixel scale [arcsec]"),
            "zero_point": _number("AB magnitude of one count"),
        }
        self.centre = (_number("x of the galaxy [pixels]"), _number("y of the galaxy [pixels]"))
        self.seen = {
            "seeing": _slider("seeing, FWHM [arcsec]", 0.4, 1.2, 0.05, SEEING),
            "depth": _slider('depth, 5 sigma in 2" [AB mag]', 24.0, 29.0, 0.1, DEPTH),
        }
        self.samples = pn.widgets.IntSlider(
            label="samples", start=2, end=64, step=2, value=16, width=_WIDE
        )
        self.lucy = pn.widgets.Checkbox(label="Richardson-Lucy too", value=False, width=_WIDE)
        self.button = pn.widgets.Button(label="Recover", color="primary", width=_WIDE)
        self.button.on_click(clicked(self.recover))
        self.fits = Download("Download all images, FITS", self.status, worker)
        self.regions = Download("Download the sources, for ds9", self.status, worker)
        self.picture = Download("Download the picture, PNG", self.status, worker)
        self.of_file = pn.Column(self.image.view, self.psf.view, *self.about.values(),
                                 *self.centre)  # fmt: skip
        self.of_drawn = pn.Column(*self.drawn.values())
        controls = pn.Column(
            card("Which galaxy", self.source, self.of_drawn, self.example, self.of_file),
            card("How it is seen from the ground", *self.seen.values()),
            card("How it is recovered", self.samples, self.seed, self.lucy),
            self.button, self.fits.view, self.regions.view, self.picture.view,
            width=CONTROLS + 10,
        )  # fmt: skip
        self.view = page_of(controls, self.status.view, self.board.view)
        self.source.param.watch(self._another_source, "value")
        self._another_source(None)
        self.status.say("choose a galaxy, and press Recover", "note")

    def chosen(self) -> dict[str, Any]:
        """Return the settings of a recovery that the widgets ask for.

        Raises
        ------
        InputError
            If a file can't be taken.
        """
        found: dict[str, Any] = {
            "seed": int(self.seed.value),
            "samples": int(self.samples.value),
            "richardson_lucy": bool(self.lucy.value),
        }
        seen = {name: float(one.value) for name, one in self.seen.items()}
        source = self.source.value
        if source == DRAWN:
            return found | seen | {name: float(one.value) for name, one in self.drawn.items()}
        if source == EXAMPLE:
            return found | seen | {"example": self.example.value}
        found |= {name: one.value for name, one in self.about.items() if one.value is not None}
        psf: Path | None = self.psf.path()
        found |= {} if psf is None else {"psf": psf}
        x, y = (one.value for one in self.centre)
        if x is not None and y is not None:
            found["position"] = (x, y)
        if source == SHARP:
            return found | seen | {"image": self.image.path()}
        if psf is None:
            found["seeing"] = seen["seeing"]
        return found | {"observed": self.image.path()}

    async def recover(self) -> None:
        """Recover the galaxy that the widgets ask for."""
        if self.source.value in (OBSERVED, SHARP) and not self.image.given:
            self.status.say("drop an image first", "note")
            return
        self.status.say("recovering", "busy")
        self.button.disabled = True
        outcome = await self.worker.run(lambda: recover_galaxy(self.chosen()))
        self.button.disabled = False
        if not self.status.tell(outcome) or outcome.value is None:
            return
        on_page(self._show, outcome.value)

    def _show(self, recovery: Recovery) -> None:
        """Show a recovery, and offer its files."""
        self.recovery = recovery
        self.board.show(recovery)
        self.fits.offer("recovered.fits", recovery.write)
        self.regions.offer("recovered.reg", recovery.write_regions)
        self.picture.offer("recovered.png", lambda path: recovery.plot().savefig(path))

    def _another_source(self, _: Any) -> None:
        """Show the widgets that mean something for where the galaxy comes from."""
        source = self.source.value
        self.of_drawn.visible = source == DRAWN
        self.example.visible = source == EXAMPLE
        self.of_file.visible = source in (OBSERVED, SHARP)
        self.seen["depth"].visible = source != OBSERVED


def _slider(name: str, low: float, high: float, step: float, value: float) -> Any:
    return pn.widgets.FloatSlider(
        label=name, start=low, end=high, step=step, value=value, width=_WIDE, margin=(2, 10)
    )


def _number(name: str) -> Any:
    return pn.widgets.FloatInput(label=name, value=None, placeholder=_UNKNOWN, width=_WIDE)
