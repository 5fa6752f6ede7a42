"""What a training tells its user while it runs."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure

from clumpygan.constants import PIXEL_AREA_RATIO
from clumpygan.gan.super_resolution import SuperResolutionModule
from clumpygan.networks.blocks import stretch


class ProgressLine(pl.Callback):
    """Print a line after every epoch: images seen, speed, time left, metrics if just measured.

    The seconds of training, validation included, are summed in the module, over resumed runs too.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._images = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._last = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Note where a resumed run begins."""
        self._images = int(pl_module.images_seen)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Stop the clock of this epoch and print the line."""
        now = time.monotonic()
        elapsed, self._last = now - self._last, now
        images = int(pl_module.images_seen)
        seen, self._images = images - self._images, images
        pl_module.seconds += elapsed
        if not trainer.is_global_zero:
            return
        speed = seen / max(elapsed, 1e-9)
        left = (pl_module.total_images - images) / max(speed, 1e-9) / 3600
        metrics = {
            name.removeprefix("val/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
            and (trainer.current_epoch + 1) % trainer.check_val_every_n_epoch == 0
        }
        shown = "".join(f"  {name} {value:.4g}" for name, value in metrics.items())
        print(
            f"{images:>9} of {pl_module.total_images} images  {speed:.1f} images/s"
            f"  {left:.2f} h left{shown}",
            flush=True,
        )


class RecoveryPictures(pl.Callback):
    """Draw held-out galaxies after every validation: HSC, best estimate, one sample, HST.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    count : int
        Galaxies in a picture.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw one picture and hand it to the loggers that show pictures."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        if not isinstance(pl_module, SuperResolutionModule):
            raise TypeError("RecoveryPictures draws the recoveries of a SuperResolutionModule")
        path = self.folder / f"images_{int(pl_module.images_seen):08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _draw(self._panels(trainer, pl_module), path)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                logger.log_image("recoveries", [str(path)])

    @torch.no_grad()
    def _panels(self, trainer: pl.Trainer, module: SuperResolutionModule) -> list[np.ndarray]:
        loader = trainer.val_dataloaders
        items = [loader.dataset[i] for i in range(min(self.count, len(loader.dataset)))]
        batch = {
            name: torch.as_tensor(np.stack([item[name] for item in items])).to(module.device)
            for name in items[0]
        }
        batch = trainer.datamodule.observe(batch)
        noise = torch.Generator(module.device).manual_seed(0)
        best = module.best_estimate(batch, module.validation_samples, noise)
        sample = module.one_sample(batch, noise)
        shown = [batch["observed"] / PIXEL_AREA_RATIO, best, sample, batch["hst"]]
        unit = (batch["sigma"] / PIXEL_AREA_RATIO).view(-1, 1, 1, 1)
        return [stretch(image / unit)[:, 0].cpu().numpy() for image in shown]


def _draw(panels: list[np.ndarray], path: Path) -> None:
    rows, columns = len(panels[0]), len(panels)
    figure = Figure(figsize=(2 * columns, 2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        top = float(panels[-1][row].max())
        for column, title in enumerate(("HSC", "best estimate", "one sample", "HST")):
            axis = axes[row][column]
            axis.imshow(panels[column][row], origin="lower", cmap="viridis", vmin=-1, vmax=top)
            axis.set_axis_off()
            if row == 0:
                axis.set_title(title)
    figure.savefig(path, dpi=100)
