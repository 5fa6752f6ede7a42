"""Pairs of sharp stamps and their views, the views made on the fly on the training device."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.data.stamps.pair_dataset import Conditions, JoinedImages, PairDataset
from clumpygan.data.stamps.real_stamps import Stamps, read_stamps
from clumpygan.data.stamps.synthetic_sample import SampleSettings, Selection, open_sample
from clumpygan.data.stream import StreamDataModule
from clumpygan.data.stream_settings import StreamSettings
from clumpygan.errors import InputError
from clumpygan.instruments import (
    NoiseModel,
    ObservationOperator,
    SurveyPair,
    carried_noise_power,
    effective_depth,
    galsim_transfer,
    missing_noise_power,
    moffat_transfer,
    pixel_psf,
    shared_noise_power,
    transfer_ratio,
)
from clumpygan.instruments.presets import DEFAULT_SURVEY, DEFAULT_TARGET
from clumpygan.io import read_psf
from clumpygan.settings import setting

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairSettings(StreamSettings):
    """What pairs of a sharp and an observed image are served."""

    val_size: int = setting(128, "galaxies held out, for validation", least=1)
    batch_size: int = setting(16, "pairs of a batch in each process", least=1)
    images_per_epoch: int = setting(
        4096, "pairs, over all processes, between two validations", least=1
    )
    cache: Path = setting(Path("cache"), "folder of the rendered samples")
    survey: str = setting(DEFAULT_SURVEY, "imaging preset of the observed image")
    target: str = setting(DEFAULT_TARGET, "imaging preset of the sharp image")
    conditions: Conditions = setting(default_factory=Conditions, help="seeing and depth")
    sample: Selection = setting(default_factory=Selection, help="which synthetic galaxies")
    real: Path | None = setting(
        None, "recipe (YAML) of real galaxies that are shrunk and faded, among the synthetic ones"
    )
    real_share: float = setting(
        0.5, "share of real galaxies, where there is a recipe", above=0, below=1
    )
    stamps: Path | None = setting(
        None, "folder of real stamps of the target, FITS files, in place of synthetic ones"
    )
    psf: str | None = setting(
        None, "FITS file of the PSF of the real stamps; null: that of the preset"
    )


class PairDataModule(StreamDataModule):
    """Serve pairs of sharp stamps, of the target, and their views, as a survey observes them.

    See `PairSettings`. Synthetic stamps are rendered once into `cache` and memory-mapped, and so
    are those of real galaxies, shrunk and faded (`clumpygan.data.real_galaxies`), that are mixed
    with them where there is a recipe; or real stamps are read from the folder `stamps`. Where
    the pixels of target and survey have no small ratio, those of the target are changed a
    little (`GridPair.nearest`). The views are made after the transfer to the device: PSF
    matching, resampling and noise as one batched operation. What noise a real stamp carries
    through is not added again: `effective_depth` says how deep its views are.
    """

    Settings = PairSettings

    def build(self) -> None:
        """Look up the instruments and their grids."""
        config = self.config
        self.pair = SurveyPair.of(config.survey, config.target)
        self.survey, self.target, self.grid = self.pair.survey, self.pair.target, self.pair.grid
        if config.stamps is not None and self.pair.adapted:
            raise InputError(
                f"the pixels of {config.target} and {config.survey} have no small ratio: real "
                f'stamps would have to be resampled to {self.grid.target_scale:.5g}"'
            )
        if config.stamps is not None and config.real is not None:
            raise InputError(
                f"`data.stamps` {config.stamps} and `data.real` {config.real}: expected one of "
                "them; `data.real` goes with synthetic stamps"
            )
        self.conditions = config.conditions.within(self.survey)
        self.operator = ObservationOperator(grid=self.grid)
        self._parts: dict[str, Stamps] | None = None
        self._target_transfer: Tensor | None = None

    def settings(self, split: str) -> SampleSettings:
        """Return what the synthetic sample of a split depends on."""
        return SampleSettings(
            size=self.config.size_of(split) - self.real_count(split),
            split=split,
            seed=self.seed,
            instrument=self.target.name,
            stamp=self.grid.stamp,
            pixel_scale=self.target.pixel_scale if self.pair.adapted else None,
            **asdict(self.config.sample),
        )

    def real_count(self, split: str) -> int:
        """Return how many stamps of a split are shrunk real galaxies."""
        if self.config.real is None:
            return 0
        return round(float(self.config.real_share) * int(self.config.size_of(split)))

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        if self.config.stamps is None:
            for split in self.splits(self.stage):
                self.rendered(split)

    def rendered(self, split: str) -> JoinedImages:
        """Return the synthetic stamps of a split, and then the shrunk real ones.

        Raises
        ------
        InputError
            If the recipe or an image of it can't be read, or a split has no real galaxy.
        """
        parts = [open_sample(self.config.cache, self.settings(split)).images]
        if count := self.real_count(split):
            config = self.config
            camera = Camera.of(self.pair)
            real = open_real(config.cache, config.real, camera, split, count, self.seed)
            parts.append(real.images)
        return JoinedImages(parts)

    def setup(self, stage: str | None = None) -> None:
        """Open the samples, or read the real stamps and say how deep their views are.

        Raises
        ------
        InputError
            If real stamps can't be read, or are too few for the training and validation sets.
        """
        super().setup(stage)
        if self.config.stamps and (self.trainer is None or self.trainer.is_global_zero):
            depth = self.effective_depth()
            _log.info(
                "views of %s by %s: %.2f mag deep", self.config.stamps, self.survey.name, depth
            )

    def real_stamps(self, split: str) -> Stamps:
        """Return the real stamps of a split.

        Raises
        ------
        InputError
            If they can't be read, or there are none.
        """
        if self._parts is None:
            size = self.settings(split).stamp
            self._parts = read_stamps(self.config.stamps, size, self.target, self.seed)
        if not len(self._parts[split].images):
            raise InputError(
                f"{self.config.stamps}: none of its "
                f"{sum(len(part.images) for part in self._parts.values())} stamps falls into the "
                f"{split} set; give more stamps, or another seed"
            )
        return self._parts[split]

    def make_dataset(self, split: str) -> PairDataset:
        """Return the pairs of a split; only training stamps are turned and mirrored."""
        powers = None
        if self.config.stamps is None:
            images: np.ndarray | JoinedImages = self.rendered(split)
        else:
            images = self.real_stamps(split).images
            powers = self._power_of(self.real_stamps(split).noises)
        return PairDataset(images, powers=powers, **self.viewed(split))

    def viewed(self, split: str) -> dict[str, Any]:
        """Return how a dataset of a split is seen: arguments of `PairDataset`."""
        return {
            "split": split,
            "seed": self.seed,
            "conditions": self.conditions,
            "augment": split == "train",
            "margin": self.operator.margin,
            "grid": self.grid,
        }

    def effective_depth(self) -> float:
        """Return the median 5-sigma depth that views of real stamps reach.

        In the survey's aperture, at its nominal depth and median seeing; noise that a stamp
        carries can't be removed, so it may be shallower than the survey.
        """
        frequencies = self.operator.frequencies(self._coarse_shape)
        wide = galsim_transfer(self.survey.psf(), frequencies)
        transfer = transfer_ratio(wide, self._narrow(self._coarse_shape), check=False)
        wanted = torch.full(transfer.shape, self.survey.sky_sigma**2)
        scale, radius = self.grid.observed_scale, self.survey.depth_aperture_radius
        depths = []
        for power in self.dataset("train").powers:
            carried = carried_noise_power(torch.from_numpy(power), transfer, self.grid.area_ratio)
            total = carried + missing_noise_power(wanted, carried)
            depths.append(effective_depth(total, scale, radius))
        return float(np.median(depths))

    @property
    def _coarse_shape(self) -> tuple[int, int]:
        side = self.settings("train").stamp
        return self.grid.coarse_shape((side, side))

    def _power_of(self, noises: list[NoiseModel]) -> np.ndarray:
        """Return the noise power (N, Ky, Kx), averaged over the dihedral group."""
        ky, kx = self.operator.frequencies(self._coarse_shape)
        powers = []
        for noise in noises:
            straight = noise.power((ky, kx)) + noise.power((ky, -kx))
            turned = noise.power((kx.T, ky.T)) + noise.power((kx.T, -ky.T))
            powers.append(((straight + turned.T) / 4).numpy())
        return np.stack(powers)

    @torch.no_grad()
    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make the views of a batch of `PairDataset`.

        Returns
        -------
        dict of Tensor
            `target` (B, 1, Y, X) and `observed` (B, 1, y, x), nJy per pixel; `sigma` (B,), nJy per
            observed pixel, of white noise as strong in apertures, as recoveries of coadds are told;
            `transfer` (B, Ky, Kx), as the network is told. Where neighbours share noise also
            `shared_noise` (B,), by how much less than sigma a pixel scatters.
        """
        target = batch["target"]
        shape = self.operator.coarse_shape((target.shape[-2], target.shape[-1]))
        frequencies = self.operator.frequencies(shape, target.device)
        narrow = self._narrow(shape).to(target.device)
        true, told = (
            transfer_ratio(
                moffat_transfer(width, batch["beta"], frequencies, batch["g1"], batch["g2"]),
                narrow,
                check=False,
            )
            for width in (batch["fwhm"], batch["told_fwhm"])
        )
        noise, sigma = self._noise(batch, true, frequencies)
        observed = self.operator(target, true) + noise[..., : shape[0], : shape[1]]
        views = {"target": target, "observed": observed, "sigma": sigma, "transfer": told}
        shared = {"shared_noise": batch["shared_noise"]} if "shared_noise" in batch else {}
        return views | shared

    def _noise(
        self, batch: dict[str, Tensor], transfer: Tensor, frequencies: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the noise to be added, and the sigma of white noise like that in the view."""
        sigma = self.survey.sky_sigma * batch["depth"]
        if "fine_power" not in batch and "shared_noise" not in batch:
            return sigma[:, None, None, None] * batch["noise"], sigma
        excess = batch.get("shared_noise", torch.ones_like(sigma))
        wanted = shared_noise_power(sigma, excess, frequencies, self.grid.observed_scale)
        carried = torch.zeros_like(wanted)
        if "fine_power" in batch:
            carried = carried_noise_power(batch["fine_power"], transfer, self.grid.area_ratio)
        missing = missing_noise_power(wanted, carried)
        size = (batch["noise"].shape[-2], batch["noise"].shape[-1])
        shaped = torch.fft.rfft2(batch["noise"]) * missing.sqrt()[:, None]
        scatter = (carried + missing).flatten(1).mean(1).sqrt()
        return torch.fft.irfft2(shaped, s=size), excess * scatter

    def _narrow(self, shape: tuple[int, int]) -> Tensor:
        if self._target_transfer is None:
            psf = self.target.psf()
            if self.config.psf is not None:
                array, scale = read_psf(self.config.psf)
                psf = pixel_psf(array, scale or self.target.pixel_scale, name=self.config.psf)
            self._target_transfer = galsim_transfer(psf, self.operator.frequencies(shape))
        return self._target_transfer
