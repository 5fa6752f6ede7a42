"""Pictures of held-out galaxies while a training runs."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger

from clumpygan.gan.blend_classifier import BlendClassifierModule
from clumpygan.gan.cube import CubeGanModule
from clumpygan.gan.dcgan import DcganModule
from clumpygan.gan.super_resolution import SuperResolutionModule
from clumpygan.gan.training import Batch
from clumpygan.networks.blocks import stretch


class HeldOutPictures(pl.Callback):
    """Draw held-out galaxies after every validation, in a file and in loggers that show pictures.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    count : int
        Galaxies in a picture.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    @abstractmethod
    def draw(self, batch: Batch, module: Any) -> Figure:
        """Return the picture of a complete batch of held-out galaxies."""

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw one picture and hand it to the loggers that show pictures."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        dataset = trainer.val_dataloaders.dataset
        items = [dataset[i] for i in range(min(self.count, len(dataset)))]
        batch = {
            name: torch.as_tensor(np.stack([item[name] for item in items])).to(pl_module.device)
            for name in items[0]
        }
        figure = self.draw(trainer.datamodule.observe(batch), pl_module)
        images = pl_module.images_seen
        path = self.folder / f"images_{images:08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                logger.log_image("galaxies", [str(path)], step=images)
            elif isinstance(logger, TensorBoardLogger):
                logger.experiment.add_figure("galaxies", figure, images)


class RecoveryPictures(HeldOutPictures):
    """Draw the observed image, best estimate, one sample and the target, a row for each galaxy."""

    def draw(self, batch: Batch, module: SuperResolutionModule) -> Figure:
        """Return the picture of pairs of images."""
        noise = torch.Generator(module.device).manual_seed(0)
        best = module.best_estimate(batch, module.core.validation_samples, noise)
        sample = module.one_sample(batch, noise)
        area = module.grid.area_ratio
        unit = (batch["sigma"] / area).view(-1, 1, 1, 1)
        shown = {
            "observed": batch["observed"] / area,
            "best estimate": best,
            "one sample": sample,
            "target": batch["target"],
        }
        panels = {name: _stretched(image / unit) for name, image in shown.items()}
        rows = len(batch["target"])
        figure = Figure(figsize=(2 * len(panels), 2 * rows), layout="constrained")
        axes = figure.subplots(rows, len(panels), squeeze=False)
        for column, (title, images) in enumerate(panels.items()):
            axes[0][column].set_title(title)
            for row, image in enumerate(images):
                _show(axes[row][column], image, top=float(panels["target"][row].max()))
        return figure


class BlendPictures(HeldOutPictures):
    """Draw held-out stamps as they are observed, with what they are and the odds they are given."""

    def draw(self, batch: Batch, module: BlendClassifierModule) -> Figure:
        """Return the picture of a row of stamps."""
        odds = module.log_odds(batch).tolist()
        images = _stretched(batch["observed"] / batch["sigma"].view(-1, 1, 1, 1))
        figure = Figure(figsize=(1.6 * len(images), 2), layout="constrained")
        axes = figure.subplots(1, len(images), squeeze=False)[0]
        for axis, image, pair, said in zip(axes, images, batch["blend"], odds, strict=True):
            _show(axis, image, top=float(image.max()))
            axis.set_title(f"{'two' if pair else 'one'}: ln odds {said:.1f}", fontsize="small")
        return figure


class GalaxyGrid(HeldOutPictures):
    """Draw held-out stamps to the left, generated ones to the right."""

    def draw(self, batch: Batch, module: DcganModule) -> Figure:
        """Return the picture of as many generated stamps as there are real ones."""
        noise = torch.Generator(module.device).manual_seed(0)
        generated = module.generated(batch, noise) + batch.get("noise", 0)
        images = [_stretched(batch["image"]), _stretched(generated)]
        side = max(1, round(len(images[0]) ** 0.5))
        rows = -(-len(images[0]) // side)
        figure = Figure(figsize=(2 * side + 0.5, rows + 0.4), layout="constrained")
        halves: Any = figure.subfigures(1, 2, wspace=0.05)
        for half, title, stamps in zip(halves, ("held out", "generated"), images, strict=True):
            half.suptitle(title)
            panels = half.subplots(rows, side, squeeze=False).flat
            for axis in panels[len(stamps) :]:
                axis.set_axis_off()
            for axis, stamp in zip(panels[: len(stamps)], stamps, strict=True):
                _show(axis, stamp, top=max(float(stamp.max()), 1.0))
        return figure


class CubePictures(HeldOutPictures):
    """Draw flux, velocity and dispersion of held-out galaxies, and of generated ones beside."""

    def draw(self, batch: Batch, module: CubeGanModule) -> Figure:
        """Return the picture of noiseless galaxies, a row for each set of parameters."""
        noise = torch.Generator(module.device).manual_seed(0)
        cubes = {"held out": batch["cube"], "generated": module.generated(batch, noise)}
        rows = len(batch["cube"])
        figure = Figure(figsize=(10, 1.7 * rows + 0.4), layout="constrained")
        halves: Any = figure.subfigures(1, 2, wspace=0.05)
        for half, (title, cube) in zip(halves, cubes.items(), strict=True):
            half.suptitle(title)
            axes = half.subplots(rows, 3, squeeze=False)
            for row, (flux, velocity, width) in zip(axes, _moments(cube), strict=True):
                _show(row[0], np.sqrt(np.maximum(flux, 0)), top=float(flux.max()) ** 0.5, low=0)
                _show(row[1], velocity, top=4, low=-4, colours="RdBu_r")
                _show(row[2], width, top=4, low=0)
        return figure


def _moments(cubes: torch.Tensor) -> np.ndarray:
    """Return flux, mean and width in channels (B, 3, y, x); NaN where there is little light."""
    cube = cubes[:, 0].cpu().double().numpy()
    flux = cube.sum(1)
    safe = np.where(flux > 0.03 * flux.max((1, 2), keepdims=True), flux, np.nan)
    channel = np.arange(cube.shape[1])[:, None, None] - (cube.shape[1] - 1) / 2
    mean = (cube * channel).sum(1) / safe
    variance = (cube * channel**2).sum(1) / safe - mean**2
    return np.stack([flux, mean, np.sqrt(np.maximum(variance, 0))], 1)


def _stretched(images: torch.Tensor) -> np.ndarray:
    """Return images (B, 1, y, x) in units of the noise as arrays (B, y, x) to be shown."""
    shown: np.ndarray = stretch(images)[:, 0].cpu().numpy()
    return shown


def _show(
    axis: Any, image: np.ndarray, top: float, low: float = -1, colours: str = "viridis"
) -> None:
    axis.imshow(image, origin="lower", cmap=colours, vmin=low, vmax=top)
    axis.set_axis_off()
