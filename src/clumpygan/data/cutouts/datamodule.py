"""CANDELS stamps in batches: synthetic ones, real ones among them, or cutouts of real mosaics."""

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
from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.data.splits import split_of
from clumpygan.data.stamps.pair_dataset import JoinedImages
from clumpygan.data.stamps.synthetic_sample import SampleSettings, Selection, open_sample
from clumpygan.data.stream import StreamDataModule
from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError
from clumpygan.galaxies.images.stamp_conditions import (
    CONDITIONS,
    signal_of,
    standardised_conditions,
)
from clumpygan.instruments import NoiseModel, get_instrument, pixel_psf, radial_transfer
from clumpygan.settings import setting

TRANSFER_STEPS = 48
"""From frequency 0 to that of the corners: linear in between, the transfer function of F160W is
right to 0.002."""


class StampDataset(Dataset[dict[str, np.ndarray]]):
    """Stamps with everything random about them, drawn from (seed, split, index, turn).

    Parameters
    ----------
    images : numpy.ndarray or JoinedImages
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
        images: np.ndarray | JoinedImages,
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
    real: Path | None = setting(
        None, "recipe (YAML) of real galaxies that are shrunk and faded, among the synthetic ones"
    )
    real_share: float = setting(
        0.125, "share of real galaxies, where there is a recipe", above=0, below=1
    )


class CandelsDataModule(StreamDataModule):
    """Serve CANDELS stamps in units of their noise; see `CandelsSettings`.

    Without `root`, synthetic galaxies (`clumpygan.galaxies.draw_population`) are rendered once
    into `cache`, and so are real galaxies, shrunk and faded (`clumpygan.data.real_galaxies`), where
    there is a recipe; noise as the instrument's is added when they are served. With it, the cutouts
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
        if config.root is not None and config.real is not None:
            raise InputError(
                f"`data.root` {config.root} and `data.real` {config.real}: expected one of them; "
                "`data.real` goes with synthetic stamps"
            )

    def settings(self, split: str) -> SampleSettings:
        """Return what the synthetic sample of a split depends on."""
        return SampleSettings(
            size=self.config.size_of(split) - self.real_count(split),
            split=split,
            seed=self.seed,
            instrument=self.instrument.name,
            stamp=self.size,
            **asdict(self.config.sample),
        )

    def real_count(self, split: str) -> int:
        """Return how many stamps of a split are shrunk real galaxies."""
        if self.config.real is None:
            return 0
        return round(float(self.config.real_share) * int(self.config.size_of(split)))

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        if self._set is None:
            for split in self.splits(self.stage):
                self.rendered(split)

    def rendered(self, split: str) -> tuple[np.ndarray | JoinedImages, dict[str, np.ndarray]]:
        """Return the synthetic stamps of a split, and then the shrunk real ones.

        Returns
        -------
        images : ndarray or JoinedImages
            (N, y, x) float32, nJy per pixel, without noise.
        known : dict
            What can be told of each, an array (N,) by the name of the condition.

        Raises
        ------
        InputError
            If the recipe or an image of it can't be read, or a split has no real galaxy.
        """
        sample = open_sample(self.config.cache, self.settings(split))
        parts, tables = [sample.images], [sample.table]
        if count := self.real_count(split):
            config = self.config
            camera = Camera.of_target(self.instrument, self.size)
            real = open_real(config.cache, config.real, camera, split, count, self.seed)
            parts.append(real.images)
            tables.append(real.table)
        names = ("h_magnitude", "half_light_radius", "redshift", "sersic_index")
        known = {
            name: np.concatenate([np.asarray(table[name], np.float64) for table in tables])
            for name in names
        }
        known["signal"] = signal_of(known.pop("h_magnitude"), self._noise().sigma)
        return parts[0] if len(parts) == 1 else JoinedImages(parts), known

    def optics(self) -> dict[str, Any]:
        """Return `pixel_scale` (arcsec) and the `transfer` function of the PSF, if it is known.

        Azimuthally averaged, in `TRANSFER_STEPS` equal steps from frequency 0 to that of the
        corners, sqrt(1/2) cycles per pixel.
        """
        noise = self._noise()
        if self._set is None:
            psf = self.instrument.psf()
        elif (measured := self._set.psf()) is not None:
            psf = pixel_psf(measured[0], measured[1], name=f"PSF of {self._set.folder}")
        else:
            return {"pixel_scale": noise.pixel_scale}
        frequencies = np.linspace(0.0, 0.5**0.5, TRANSFER_STEPS + 1) / noise.pixel_scale
        transfer = radial_transfer(psf, frequencies)
        return {"pixel_scale": noise.pixel_scale, "transfer": np.round(transfer, 5).tolist()}

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
        images, known = self.rendered(split)
        sigma = np.full(len(images), self._noise().sigma)
        conditions = standardised_conditions(self.condition_names, known)
        return self._stamps(images, np.arange(len(sigma)), sigma, conditions, split)

    def _real(self, found: CutoutSet, split: str) -> StampDataset:
        sigma = found.noise_sigma
        known = {
            "signal": signal_of(found.table["h_magnitude"], sigma),
            "half_light_radius": np.asarray(found.table["half_light_radius"], np.float64),
            "redshift": np.asarray(found.table["redshift"], np.float64),
        }
        if "sersic_index" in found.table.colnames:
            known["sersic_index"] = np.asarray(found.table["sersic_index"], np.float64)
        usable = sigma > 0
        for name in set(self.condition_names) & set(CONDITIONS):
            # Sets of old have no column of the Sersic index.
            values = known.setdefault(name, np.full(len(sigma), np.nan))
            usable &= np.isfinite(values) & (values > 0)
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
        images: np.ndarray | JoinedImages,
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
