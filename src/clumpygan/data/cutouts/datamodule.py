"""CANDELS stamps in batches: synthetic ones, or cutouts of real mosaics."""

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from clumpygan.data.augment import turned
from clumpygan.data.cutouts.store import CutoutSet, open_cutouts
from clumpygan.data.splits import split_of
from clumpygan.data.stamps.synthetic_sample import SampleSettings, Selection, open_sample
from clumpygan.data.stream import StreamDataModule
from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError
from clumpygan.galaxies.images.stamp_conditions import signal_of, standardised_conditions
from clumpygan.instruments import NoiseModel, get_instrument
from clumpygan.settings import setting


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
            image = turned(image, generator)
        # One realisation for a generated image, and one for an image that has no noise yet.
        planes = 1 if self.noisy else 2
        white = generator.standard_normal((planes, *image.shape), dtype=np.float32)
        result = {"image": np.ascontiguousarray(image[None]), "white": white}
        return result | ({"conditions": self.values[row]} if self.values.shape[1] else {})


@dataclass(frozen=True)
class CandelsSettings(StreamSettings):
    """What stamps are served."""

    root: Path | None = setting(
        None, "folder of a set of cutouts, as prepare.py cutouts writes it; null: synthetic stamps"
    )
    band: str | None = setting(None, "of the cutouts; needed where the set has several")
    cache: Path = setting(Path("cache"), "folder of the rendered samples")
    size: int = setting(64, "side of synthetic stamps, a multiple of 8", "pixels", least=8)
    conditions: tuple[str, ...] = setting(
        ("signal", "half_light_radius", "redshift"), "what the networks are told of each galaxy"
    )
    source: str = setting("hst_wfc3_f160w", "imaging preset of synthetic stamps")
    sample: Selection = setting(default_factory=Selection, help="which synthetic galaxies")


class CandelsDataModule(StreamDataModule):
    """Serve CANDELS stamps in units of their noise; see `CandelsSettings`.

    Without `root`, synthetic galaxies (`clumpygan.galaxies.draw_population`) are rendered once
    into `cache`, and noise as the instrument's is added when they are served. With it, the cutouts
    that ``prepare.py cutouts`` wrote into that folder are served as they are.

    Batches: `image` (B, 1, N, N) and `noise` (B, 1, N, N), another realisation of the noise of
    such an image, both in units of its standard deviation in a pixel; `conditions` (B, K) if there
    are any, see `clumpygan.galaxies.images.stamp_conditions`.
    """

    Settings = CandelsSettings

    def build(self) -> None:
        """Open the cutouts, if there are any."""
        config = self.config
        self._set = None if config.root is None else open_cutouts(config.root, config.band)
        self.size = config.size if self._set is None else self._set.size
        self.condition_names = config.conditions
        self.instrument = get_instrument(config.source)
        self._amplitude: Tensor | None = None

    def settings(self, split: str) -> SampleSettings:
        """Return what the synthetic sample of a split depends on."""
        return SampleSettings(
            size=self.config.size_of(split),
            split=split,
            seed=self.seed,
            instrument=self.instrument.name,
            stamp=self.size,
            **asdict(self.config.sample),
        )

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        if self._set is None:
            for split in self.splits(self.stage):
                open_sample(self.config.cache, self.settings(split))

    def make_dataset(self, split: str) -> StampDataset:
        """Return the stamps of a split; only training stamps are turned and mirrored.

        Raises
        ------
        InputError
            If no cutout has what the networks are to be told, or there are too few.
        """
        dataset = self._synthetic(split) if self._set is None else self._real(self._set, split)
        least = 1 if split == "test" else self.batch_size
        if len(dataset) < least:
            raise InputError(
                f"{self._set.folder if self._set else self.config.cache}: {len(dataset)} galaxies "
                f"in the {split} set are fewer than a batch of {self.batch_size}; lower "
                "`data.batch_size`"
            )
        return dataset

    def _synthetic(self, split: str) -> StampDataset:
        sample = open_sample(self.config.cache, self.settings(split))
        sigma = np.full(len(sample.images), self._noise().sigma)
        known = {
            "signal": np.asarray(sample.table["flux"]) / sigma,
            "half_light_radius": sample.table["half_light_radius"],
            "redshift": sample.table["redshift"],
        }
        conditions = standardised_conditions(self.condition_names, known)
        return self._stamps(sample.images, np.arange(len(sigma)), sigma, conditions, split)

    def _real(self, found: CutoutSet, split: str) -> StampDataset:
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
        rows = np.flatnonzero(usable & (parts == split))[: self.config.size_of(split)]
        return self._stamps(found.images, rows, sigma, conditions, split)

    def _stamps(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        sigma: np.ndarray,
        conditions: np.ndarray,
        split: str,
    ) -> StampDataset:
        return StampDataset(
            images,
            rows,
            sigma,
            conditions,
            noisy=self._set is not None,
            split=split,
            seed=self.seed,
            augment=split == "train",
        )

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

    @torch.no_grad()
    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the noise of a batch of `StampDataset` its correlation, and add what is missing."""
        if self._amplitude is None:
            self._amplitude = _amplitude(self._noise(), self.size)
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
