"""What a training tells its user while it runs: a line after every epoch, and a live bar."""

import time
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

SHOWN = ("loss", "discriminator", "adversarial", "pixel", "score_gap")
"""Losses beside the bar, those that the training has."""


class ProgressLine(pl.Callback):
    """Print a line after every epoch: images seen, speed, time left, metrics if just measured.

    The seconds of training, validation included, are summed in the module, over resumed runs too.

    Parameters
    ----------
    bar : bool
        Draw a bar on standard error too: images seen, time left, images/s, and losses.
    """

    def __init__(self, bar: bool = False) -> None:
        self._wanted = bar
        self._bar: Any = None
        self._last = time.monotonic()
        self._images = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._last = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note where a resumed run begins."""
        self._images = pl_module.images_seen
        if self._wanted and trainer.is_global_zero:
            self._bar = tqdm(
                total=pl_module.total_images,
                initial=self._images,
                unit=" images",
                dynamic_ncols=True,
                smoothing=0.05,
            )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            losses = {name: pl_module.losses[name] for name in SHOWN if name in pl_module.losses}
            self._bar.set_postfix(losses, refresh=False)
            self._bar.update(pl_module.images_seen - self._bar.n)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Stop the clock of this epoch and print the line."""
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        images = pl_module.images_seen
        seen, self._images = images - self._images, images
        pl_module.seconds += elapsed
        if not trainer.is_global_zero:
            return
        speed = seen / max(elapsed, 1e-9)
        left = (pl_module.total_images - images) / max(speed, 1e-9) / 3600
        measured = pl_module.curve[-1] if pl_module.curve else {}
        shown = "".join(
            f"  {name} {value:.4g}"
            for name, value in measured.items()
            if name != "images" and measured["images"] == images
        )
        self._write(
            f"{images:>9} of {pl_module.total_images} images  {speed:.1f} images/s"
            f"  {left:.2f} h left{shown}"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Leave the bar as it is."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        """Leave the bar, so that what is wrong has a line of its own."""
        self._close()

    def _write(self, line: str) -> None:
        if self._bar is None:
            print(line, flush=True)
        else:
            self._bar.write(line)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
