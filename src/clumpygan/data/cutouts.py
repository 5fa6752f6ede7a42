"""CANDELS stamps in batches: synthetic ones, or cutouts of real mosaics."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from clumpygan.data.cutout_store import CutoutSet, open_cutouts
from clumpygan.data.splits import split_of
from clumpygan.data.store import SampleSettings, open_sample
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.galaxies.stamp_conditions import signal_of, standardised_conditions
from clumpygan.instruments import NoiseModel, get_instrument


class StampDataset(Dataset[dict[str, np.ndarray]]):
    """Stamps with everything random about them, drawn from (seed, split, index, turn).

    Parameters
    ----------
    images : numpy.ndarray
        (N, y, x) float32, nJy per pixel.
    rows : numpy.ndarray
        Which of them make up the split.
    sigma : numpy.ndarray
        (N,) nJy per pixel.
    conditions : numpy.ndarray
        (N, K) float32, standardised.
    noisy : bool
        Whether the images have their noise already.
    split : str
    seed : int
    augment : bool
        Turn and mirror the stamps at random (the dihedral group).
    """

    def __init__(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        sigma: np.ndarray,
        conditions: np.ndarray,
        *,
        noisy: bool,
        split: str,
        seed: int,
        augment: bool,
    ) -> None:
        self.images, self.rows, self.sigma, self.values = images, rows, sigma, conditions
        self.noisy, self.augment = noisy, augment
        self.key = [seed, zlib.crc32(split.encode())]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, np.ndarray]:
        """Return `image` (1, N, N) in units of its noise, `white` noise for it, `conditions`."""
        turn, place = item if isinstance(item, tuple) else (0, item)
        row = int(self.rows[place])
        generator = np.random.default_rng([*self.key, row, turn])
        image = np.asarray(self.images[row], dtype=np.float32) / np.float32(self.sigma[row])
        if self.augment:
            image = np.rot90(image, generator.integers(4))
            image = image[:, ::-1] if generator.integers(2) else image
        # One realisation for a generated image, and one for an image that has no noise yet.
        planes = 1 if self.noisy else 2
        white = generator.standard_normal((planes, *image.shape), dtype=np.float32)
        result = {"image": np.ascontiguousarray(image[None]), "white": white}
        return result | ({"conditions": self.values[row]} if self.values.shape[1] else {})


class CandelsDataModule(StreamDataModule):
    """Serve CANDELS stamps in units of their noise.

    Without `root`, synthetic galaxies (`clumpygan.galaxies.draw_population`) are rendered once
    into `cache`, and noise as the instrument's is added when they are served. With it, the cutouts
    that ``prepare.py cutouts`` wrote into that folder are served as they are.

    Batches: `image` (B, 1, N, N) and `noise` (B, 1, N, N), another realisation of the noise of
    such an image, both in units of its standard deviation in a pixel; `conditions` (B, K) if there
    are any, see `clumpygan.galaxies.stamp_conditions`.

    Parameters
    ----------
    cache : str
        Folder of the rendered samples.
    seed : int
    root : str, optional
        Folder of a set of cutouts.
    band : str, optional
        Of the cutouts; needed where the set has several.
    size : int
        Pixels per side of synthetic stamps, a multiple of 8.
    conditions : sequence of str
        What is told of each galaxy: "signal", "half_light_radius", "redshift".
    train_size, val_size : int
        Galaxies in each split; of cutouts at most so many.
    batch_size, images_per_epoch, num_workers : int
        As for `StreamDataModule`.
    source : str
        Imaging preset of the synthetic stamps.
    sample : dict
        Further fields of `SampleSettings`.

    Raises
    ------
    InputError
        If the cutouts aren't a complete set.
    """

    def __init__(
        self,
        cache: str,
        seed: int,
        root: str | None = None,
        band: str | None = None,
        size: int = 64,
        conditions: Sequence[str] = (),
        train_size: int = 20000,
        val_size: int = 1024,
        batch_size: int = 32,
        images_per_epoch: int = 8192,
        source: str = "hst_wfc3_f160w",
        sample: dict[str, Any] | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            seed=seed,
            batch_size=batch_size,
            images_per_epoch=images_per_epoch,
            num_workers=num_workers,
        )
        self.cache = Path(cache)
        self._set = open_cutouts(root, band) if root is not None else None
        self.size = size if self._set is None else self._set.size
        self.condition_names = tuple(conditions)
        self.sizes = {"train": train_size, "val": val_size}
        self.instrument = get_instrument(source)
        self.sample_fields = sample or {}
        self._datasets: dict[str, StampDataset] = {}
        self._amplitude: Tensor | None = None

    def settings(self, split: str) -> SampleSettings:
        """Return what the synthetic sample of a split depends on."""
        fixed = {
            "size": self.sizes[split],
            "split": split,
            "seed": self.seed,
            "instrument": self.instrument.name,
            "stamp": self.size,
        }
        return SampleSettings(**(fixed | self.sample_fields))

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        if self._set is None:
            for split in self.sizes:
                open_sample(self.cache, self.settings(split))

    def setup(self, stage: str | None = None) -> None:
        """Open the samples or the cutouts.

        Raises
        ------
        InputError
            If no cutout has what the networks are to be told, or a split has less than a batch.
        """
        noise = self._noise()
        self._amplitude = _amplitude(noise, self.size)
        self._datasets = self._synthetic(noise) if self._set is None else self._real(self._set)
        for split, dataset in self._datasets.items():
            if len(dataset) < self.batch_size:
                raise InputError(
                    f"{self._set.folder if self._set else self.cache}: {len(dataset)} galaxies in "
                    f"the {split} set are fewer than a batch of {self.batch_size}; lower "
                    "data.batch_size"
                )

    def _synthetic(self, noise: NoiseModel) -> dict[str, StampDataset]:
        datasets = {}
        for split in self.sizes:
            sample = open_sample(self.cache, self.settings(split))
            sigma = np.full(len(sample.images), noise.sigma)
            known = {
                "signal": np.asarray(sample.table["flux"]) / sigma,
                "half_light_radius": sample.table["half_light_radius"],
                "redshift": sample.table["redshift"],
            }
            datasets[split] = StampDataset(
                sample.images,
                np.arange(len(sigma)),
                sigma,
                standardised_conditions(self.condition_names, known),
                noisy=False,
                split=split,
                seed=self.seed,
                augment=split == "train",
            )
        return datasets

    def _real(self, found: CutoutSet) -> dict[str, StampDataset]:
        sigma = found.noise_sigma
        known = {
            "signal": signal_of(found.table["h_magnitude"], sigma),
            "half_light_radius": np.asarray(found.table["half_light_radius"], np.float64),
            "redshift": np.asarray(found.table["redshift"], np.float64),
        }
        usable = sigma > 0
        for name in set(self.condition_names) & set(known):
            usable &= np.isfinite(known[name]) & (known[name] > 0)
        if not usable.any():
            told = ", ".join(self.condition_names) or "noise"
            raise InputError(
                f"{found.folder}: none of its {len(found)} stamps has a known {told}; prepare it "
                "from a catalogue with them, or say data.conditions=[]"
            )
        conditions = np.zeros((len(found), len(self.condition_names)), np.float32)
        conditions[usable] = standardised_conditions(
            self.condition_names, {name: column[usable] for name, column in known.items()}
        )
        # By the galaxy, not by the stamp: fields overlap.
        parts = np.array([split_of(name, self.seed) for name in found.identifiers])
        return {
            split: StampDataset(
                found.images,
                np.flatnonzero(usable & (parts == split))[: self.sizes[split]],
                sigma,
                conditions,
                noisy=True,
                split=split,
                seed=self.seed,
                augment=split == "train",
            )
            for split in self.sizes
        }

    def describe(self) -> dict[str, Any]:
        """Return magnitudes (AB; if known), pixel scale (arcsec), noise (nJy) and correlation."""
        noise, magnitudes = self._noise(), self._magnitudes()
        return {
            **({"magnitudes": magnitudes} if magnitudes else {}),
            "pixel_scale": noise.pixel_scale,
            "sigma": round(float(noise.sigma), 6),
            "correlation": np.round(noise.correlation, 6).tolist(),
            "instrument": self.instrument.name if self._set is None else None,
        }

    def _magnitudes(self) -> list[float]:
        """Return the range of AB magnitudes of the galaxies, nothing if none is known."""
        if self._set is None:
            settings = self.settings("train")
            return [settings.min_magnitude, settings.max_magnitude]
        known = np.asarray(self._set.table["h_magnitude"], np.float64)
        known = known[np.isfinite(known)]
        return [round(float(limit(known)), 2) for limit in (np.min, np.max) if known.size]

    def _noise(self) -> NoiseModel:
        return self.instrument.noise() if self._set is None else self._set.noise_model()

    def dataset(self, split: str) -> StampDataset:
        """Return the dataset of a split; only training stamps are turned and mirrored."""
        return self._datasets[split]

    @torch.no_grad()
    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the noise of a batch of `StampDataset` its correlation, and add what is missing."""
        if self._amplitude is None:
            raise RuntimeError("setup comes first")
        white = batch["white"]
        shaped = torch.fft.irfft2(
            torch.fft.rfft2(white) * self._amplitude.to(white.device), s=white.shape[-2:]
        )
        image = batch["image"]
        if shaped.shape[1] == 2:
            image = image + shaped[:, 1:]
        told = {"conditions": batch["conditions"]} if "conditions" in batch else {}
        return {"image": image, "noise": shaped[:, :1], **told}


def _amplitude(noise: NoiseModel, size: int) -> Tensor:
    """Return what turns the transform of white noise into that of such noise with sigma 1."""
    ky = torch.fft.fftfreq(size, noise.pixel_scale)
    kx = torch.fft.rfftfreq(size, noise.pixel_scale)
    return noise.power((ky[:, None], kx[None, :])).sqrt() / noise.sigma
