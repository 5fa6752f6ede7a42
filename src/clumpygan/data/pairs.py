"""Pairs of HST stamps and their HSC views, the views made on the fly on the training device."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK
from clumpygan.data.stamps import read_stamps
from clumpygan.data.store import SampleSettings, open_sample
from clumpygan.data.stream import StreamDataModule
from clumpygan.data.views import Conditions, PairDataset
from clumpygan.errors import InputError
from clumpygan.instruments import (
    NoiseModel,
    ObservationOperator,
    carried_noise_power,
    effective_depth,
    galsim_transfer,
    get_instrument,
    missing_noise_power,
    moffat_transfer,
    pixel_psf,
    transfer_ratio,
)
from clumpygan.io import read_psf


class PairDataModule(StreamDataModule):
    """Serve pairs of HST stamps and their HSC views.

    Synthetic CANDELS stamps are rendered once into `cache` and memory-mapped; or real stamps are
    read from the folder `stamps`. The views are made after the transfer to the device: PSF
    matching, resampling and noise as one batched operation. What noise a real stamp carries
    through is not added again: `effective_depth` says how deep its views are.

    Parameters
    ----------
    cache : str
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
    conditions : Conditions, optional
    sample : dict
        Further fields of `SampleSettings`.
    num_workers : int
        Loader processes; 0 loads in the main process.
    stamps : str, optional
        Folder of real HST stamps to serve instead of synthetic ones.
    psf : str, optional
        FITS file with the PSF of the real stamps; the preset's by default.
    """

    def __init__(
        self,
        cache: str,
        seed: int,
        train_size: int = 20000,
        val_size: int = 128,
        batch_size: int = 16,
        images_per_epoch: int = 4096,
        source: str = "hst_wfc3_f160w",
        target: str = "hsc_wide_i",
        conditions: Conditions | None = None,
        sample: dict[str, Any] | None = None,
        num_workers: int = 0,
        stamps: str | None = None,
        psf: str | None = None,
    ) -> None:
        super().__init__(
            seed=seed,
            batch_size=batch_size,
            images_per_epoch=images_per_epoch,
            num_workers=num_workers,
        )
        self.stamps, self.psf = stamps, psf
        self.cache = Path(cache)
        self.sizes = {"train": train_size, "val": val_size}
        self.source, self.target = get_instrument(source), get_instrument(target)
        self.conditions = conditions or Conditions()
        self.sample_fields = sample or {}
        self.operator = ObservationOperator()
        self._images: dict[str, np.ndarray] = {}
        self._powers: dict[str, np.ndarray] = {}
        self._source_transfer: Tensor | None = None

    def settings(self, split: str) -> SampleSettings:
        """Return what the sample of a split depends on."""
        fixed = {
            "size": self.sizes[split],
            "split": split,
            "seed": self.seed,
            "instrument": self.source.name,
        }
        return SampleSettings(**(fixed | self.sample_fields))

    def prepare_data(self) -> None:
        """Render what is missing, in one process of each machine."""
        if self.stamps is None:
            for split in self.sizes:
                open_sample(self.cache, self.settings(split))

    def setup(self, stage: str | None = None) -> None:
        """Open the samples, or read the real stamps and say how deep their views are.

        Raises
        ------
        InputError
            If real stamps can't be read, or are too few for the training and validation sets.
        """
        if self.stamps is None:
            self._images = {
                split: open_sample(self.cache, self.settings(split)).images for split in self.sizes
            }
            return
        parts = read_stamps(Path(self.stamps), self.settings("train").stamp, self.source, self.seed)
        for split in self.sizes:
            if not len(parts[split].images):
                raise InputError(
                    f"{self.stamps}: none of its {sum(len(p.images) for p in parts.values())} "
                    f"stamps falls into the {split} set; give more stamps, or another seed"
                )
        self._images = {split: parts[split].images for split in self.sizes}
        self._powers = {split: self._power_of(parts[split].noises) for split in self.sizes}
        if self.trainer is None or self.trainer.is_global_zero:
            depth = self.effective_depth()
            print(f"HSC views of {self.stamps}: {depth:.2f} mag deep", flush=True)

    def effective_depth(self) -> float:
        """Return the median 5-sigma depth in a 2" aperture that views of real stamps reach.

        At the survey's nominal depth and median seeing; noise that a stamp carries can't be
        removed, so it may be shallower than the survey.
        """
        frequencies = self.operator.frequencies(self._coarse_shape)
        target = galsim_transfer(self.target.psf(), frequencies)
        transfer = transfer_ratio(target, self._source(self._coarse_shape), check=False)
        wanted = torch.full(transfer.shape, self.target.sky_sigma**2)
        depths = []
        for power in self._powers["train"]:
            carried = carried_noise_power(torch.from_numpy(power), transfer)
            depths.append(effective_depth(carried + missing_noise_power(wanted, carried)))
        return float(np.median(depths))

    @property
    def _coarse_shape(self) -> tuple[int, int]:
        side = self.settings("train").stamp // FINE_BLOCK * COARSE_BLOCK
        return side, side

    def _power_of(self, noises: list[NoiseModel]) -> np.ndarray:
        """Return the noise power (N, Ky, Kx), averaged over the dihedral group."""
        ky, kx = self.operator.frequencies(self._coarse_shape)
        powers = []
        for noise in noises:
            straight = noise.power((ky, kx)) + noise.power((ky, -kx))
            turned = noise.power((kx.T, ky.T)) + noise.power((kx.T, -ky.T))
            powers.append(((straight + turned.T) / 4).numpy())
        return np.stack(powers)

    def dataset(self, split: str) -> PairDataset:
        """Return the dataset of a split; only training stamps are turned and mirrored."""
        return PairDataset(
            self._images[split],
            split=split,
            seed=self.seed,
            conditions=self.conditions,
            augment=split == "train",
            powers=self._powers.get(split),
            margin=self.operator.margin,
        )

    @torch.no_grad()
    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make the HSC views of a batch of `PairDataset`.

        Returns
        -------
        dict of Tensor
            `hst` (B, 1, Y, X) and `observed` (B, 1, y, x), nJy per pixel; `sigma` (B,), nJy per
            HSC pixel; `transfer` (B, Ky, Kx), as the network is told.
        """
        shape = self.operator.coarse_shape((batch["hst"].shape[-2], batch["hst"].shape[-1]))
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
        noise, sigma = self._noise(batch, true)
        observed = self.operator(batch["hst"], true) + noise[..., : shape[0], : shape[1]]
        return {"hst": batch["hst"], "observed": observed, "sigma": sigma, "transfer": told}

    def _noise(self, batch: dict[str, Tensor], transfer: Tensor) -> tuple[Tensor, Tensor]:
        """Return the noise to be added and the sigma per pixel of all noise in the view."""
        sigma = self.target.sky_sigma * batch["depth"]
        if "fine_power" not in batch:
            return sigma[:, None, None, None] * batch["noise"], sigma
        carried = carried_noise_power(batch["fine_power"], transfer)
        missing = missing_noise_power(sigma.square()[:, None, None].expand_as(carried), carried)
        size = (batch["noise"].shape[-2], batch["noise"].shape[-1])
        shaped = torch.fft.rfft2(batch["noise"]) * missing.sqrt()[:, None]
        return torch.fft.irfft2(shaped, s=size), (carried + missing).flatten(1).mean(1).sqrt()

    def _source(self, shape: tuple[int, int]) -> Tensor:
        if self._source_transfer is None:
            psf = self.source.psf()
            if self.psf is not None:
                array, scale = read_psf(self.psf)
                psf = pixel_psf(array, scale or self.source.pixel_scale, name=self.psf)
            self._source_transfer = galsim_transfer(psf, self.operator.frequencies(shape))
        return self._source_transfer
