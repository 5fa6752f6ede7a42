"""Pairs of HST stamps and their HSC views, the views made on the fly on the training device."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK
from clumpygan.data.splits import StreamSampler
from clumpygan.data.store import Sample, SampleSettings, open_sample
from clumpygan.errors import InputError
from clumpygan.instruments import (
    ObservationOperator,
    galsim_transfer,
    get_instrument,
    moffat_transfer,
    transfer_ratio,
)


@dataclass(frozen=True)
class Conditions:
    """The range of observing conditions from which every view is drawn.

    Attributes
    ----------
    fwhm : tuple of float
        Seeing, arcsec; uniform.
    beta : tuple of float
        Moffat exponent; uniform.
    ellipticity : float
        Standard deviation of each component of the PSF's shear.
    depth_scatter : float
        Standard deviation of ln(sigma / the instrument's).
    psf_error : float
        Relative standard deviation of the seeing that the network is told about the true one.
    """

    fwhm: tuple[float, float] = (0.5, 0.85)
    beta: tuple[float, float] = (2.3, 5.0)
    ellipticity: float = 0.02
    depth_scatter: float = 0.3
    psf_error: float = 0.01

    def draw(self, generator: np.random.Generator) -> dict[str, np.float32]:
        """Draw the conditions of one view."""
        fwhm = generator.uniform(*self.fwhm)
        values = {
            "fwhm": fwhm,
            "told_fwhm": fwhm * (1 + self.psf_error * generator.standard_normal()),
            "beta": generator.uniform(*self.beta),
            "g1": self.ellipticity * generator.standard_normal(),
            "g2": self.ellipticity * generator.standard_normal(),
            "depth": np.exp(self.depth_scatter * generator.standard_normal()),
        }
        return {name: np.float32(value) for name, value in values.items()}


class PairDataset(Dataset[dict[str, np.ndarray]]):
    """HST stamps with everything random about their HSC views.

    Item (turn, index) depends on (seed, split, index, turn) alone; `turn` counts passes over the
    data. A plain index is turn 0.

    Parameters
    ----------
    images : numpy.ndarray
        (N, y, x) float32, nJy per pixel.
    split : str
    seed : int
    conditions : Conditions
    augment : bool
        Turn and mirror the stamps at random (the dihedral group).
    """

    def __init__(
        self, images: np.ndarray, *, split: str, seed: int, conditions: Conditions, augment: bool
    ) -> None:
        self.images = images
        self.key = [seed, zlib.crc32(split.encode())]
        self.conditions = conditions
        self.augment = augment

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, np.ndarray]:
        """Return `hst` (1, Y, X), `noise` (1, y, x) of unit variance, and the conditions."""
        turn, index = item if isinstance(item, tuple) else (0, item)
        generator = np.random.default_rng([*self.key, index, turn])
        image = np.asarray(self.images[index], dtype=np.float32)
        if self.augment:
            image = np.rot90(image, generator.integers(4))
            image = image[:, ::-1] if generator.integers(2) else image
        shape = [n // FINE_BLOCK * COARSE_BLOCK for n in image.shape]
        noise = generator.standard_normal((1, *shape), dtype=np.float32)
        views = self.conditions.draw(generator)
        return {"hst": np.array(image[None]), "noise": noise, **views}


class PairDataModule(pl.LightningDataModule):
    """Serve pairs of synthetic CANDELS stamps and their HSC views.

    The stamps are rendered once into `root` and memory-mapped. The views are made after the
    transfer to the device: PSF matching, resampling and noise as one batched operation.

    Parameters
    ----------
    root : str
        Folder of the rendered samples.
    seed : int
    train_size, val_size : int
        Galaxies in each split.
    batch_size : int
        Pairs per process and step.
    images_per_epoch : int
        Pairs, over all processes, between two validations.
    source, target : str
        Imaging presets of the sharp and of the observed image.
    conditions : dict
        Fields of `Conditions`.
    sample : dict
        Further fields of `SampleSettings`.
    num_workers : int
        Loader processes; 0 loads in the main process.
    """

    def __init__(
        self,
        root: str,
        seed: int,
        train_size: int = 20000,
        val_size: int = 128,
        batch_size: int = 16,
        images_per_epoch: int = 4096,
        source: str = "hst_wfc3_f160w",
        target: str = "hsc_wide_i",
        conditions: dict[str, Any] | None = None,
        sample: dict[str, Any] | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        self.root, self.seed = Path(root), seed
        self.sizes = {"train": train_size, "val": val_size}
        self.batch_size, self.images_per_epoch = batch_size, images_per_epoch
        self.source, self.target = get_instrument(source), get_instrument(target)
        self.conditions = dataclass_from(Conditions, conditions or {})
        self.sample_fields = sample or {}
        self.num_workers = num_workers
        self.operator = ObservationOperator()
        self._samples: dict[str, Sample] = {}
        self._source_transfer: Tensor | None = None

    def settings(self, split: str) -> SampleSettings:
        """Return what the sample of a split depends on."""
        fixed = {
            "size": self.sizes[split],
            "split": split,
            "seed": self.seed,
            "instrument": self.source.name,
        }
        return dataclass_from(SampleSettings, fixed | self.sample_fields)

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        for split in self.sizes:
            open_sample(self.root, self.settings(split))

    def setup(self, stage: str | None = None) -> None:
        """Open the samples."""
        self._samples = {s: open_sample(self.root, self.settings(s)) for s in self.sizes}

    def dataset(self, split: str) -> PairDataset:
        """Return the dataset of a split; only training stamps are turned and mirrored."""
        return PairDataset(
            self._samples[split].images,
            split=split,
            seed=self.seed,
            conditions=self.conditions,
            augment=split == "train",
        )

    def train_dataloader(self) -> DataLoader[dict[str, np.ndarray]]:
        """Return the loader of one epoch of the endless stream."""
        rank, world = (
            (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        )
        data = self.dataset("train")
        sampler = StreamSampler(len(data), self.images_per_epoch, self.seed, rank, world)
        return DataLoader(
            data,
            self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            drop_last=True,
            persistent_workers=self.num_workers > 0,
        )

    def val_dataloader(self) -> DataLoader[dict[str, np.ndarray]]:
        """Return the loader of the validation stamps, the same views every time."""
        return DataLoader(self.dataset("val"), self.batch_size)

    def on_after_batch_transfer(
        self, batch: dict[str, Tensor], dataloader_idx: int
    ) -> dict[str, Tensor]:
        """Observe the stamps on the device they are on."""
        return self.observe(batch)

    @torch.no_grad()
    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make the HSC views of a batch of `PairDataset`.

        Returns
        -------
        dict of Tensor
            `hst` (B, 1, Y, X) and `observed` (B, 1, y, x), nJy per pixel; `sigma` (B,), nJy per
            HSC pixel; `transfer` (B, Ky, Kx), as the network is told.
        """
        shape = (batch["noise"].shape[-2], batch["noise"].shape[-1])
        frequencies = self.operator.frequencies(shape, batch["hst"].device)
        source = self._source(shape).to(batch["hst"].device)
        true, told = (
            transfer_ratio(
                moffat_transfer(width, batch["beta"], frequencies, batch["g1"], batch["g2"]),
                source,
                check=False,
            )
            for width in (batch["fwhm"], batch["told_fwhm"])
        )
        sigma = self.target.sky_sigma * batch["depth"]
        noise = sigma[:, None, None, None] * batch["noise"]
        observed = self.operator(batch["hst"], true) + noise
        return {"hst": batch["hst"], "observed": observed, "sigma": sigma, "transfer": told}

    def _source(self, shape: tuple[int, int]) -> Tensor:
        if self._source_transfer is None:
            frequencies = self.operator.frequencies(shape)
            self._source_transfer = galsim_transfer(self.source.psf(), frequencies)
        return self._source_transfer


def dataclass_from(kind: Any, fields: dict[str, Any]) -> Any:
    """Build a dataclass from a configuration, naming a field that it doesn't have."""
    known = kind.__dataclass_fields__
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise InputError(
            f"unknown setting {', '.join(unknown)}: {kind.__name__} has {', '.join(known)}"
        )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
