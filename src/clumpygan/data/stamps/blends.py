"""Galaxies that overlap and galaxies that are alone, as a survey sees them, made on the fly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor

from clumpygan.data.stamps.pair_dataset import JoinedImages, PairDataset
from clumpygan.data.stamps.pairs import PairDataModule, PairSettings
from clumpygan.data.stamps.synthetic_sample import Sample, SampleSettings, Selection, open_sample
from clumpygan.errors import InputError
from clumpygan.galaxies.images.overlaps import BLENDED_MAGNITUDES, FLUX_RATIOS, Layout
from clumpygan.settings import setting

LARGEST_OFFSET = 0.17
"""Arcsec, along each axis, of the middle of the light from that of the stamp: a pixel of HSC. It is
that of galaxies that are alone, too, so that it gives nothing away."""

LARGEST_DIMMING = 0.3
"""Magnitudes by which galaxies are made brighter or fainter at most."""

NEAREST_NEIGHBOUR = 1.7
"""Arcsec from the middle of the stamp, beyond which a neighbour is part of no blend."""

_AS_BRIGHT = 40
"""Galaxies on either side of a magnitude of which one is taken, and dimmed to it."""

KNOWN = ("blend", "separation", "flux_ratio")


@dataclass(frozen=True)
class BlendSettings(PairSettings):
    """What galaxies, overlapping or alone, are served."""

    train_size: int = setting(6000, "galaxies to train on", least=2)
    val_size: int = setting(1024, "galaxies held out, for validation", least=2)
    batch_size: int = setting(64, "stamps of a batch in each process", least=1)
    images_per_epoch: int = setting(
        16384, "stamps, over all processes, between two validations", least=1
    )
    sample: Selection = setting(
        default_factory=lambda: Selection(*BLENDED_MAGNITUDES),
        help="which synthetic galaxies, alone or the brighter ones of two",
    )
    companions: float = setting(
        0.5, "fainter galaxies that are rendered for each of them", above=0, most=10
    )
    crowded_share: float = setting(
        0.5, f'share of stamps with another galaxy, farther than {NEAREST_NEIGHBOUR}" from the'
        " middle, blended or not", least=0, most=1,
    )  # fmt: skip


class BlendDataset(PairDataset):
    """Stamps with two galaxies that overlap, or one, and everything random about their views.

    Half of them are pairs, as `Layout` draws them, of galaxies that were rendered alone: turned,
    shifted, and dimmed to the flux ratio. Item (turn, index) has galaxy `index`, alone or as the
    brighter one.

    Parameters
    ----------
    images : JoinedImages
        (N, Y, X) float32, nJy per pixel, galaxies in the middle and alone.
    magnitudes : ndarray (N,)
        AB.
    limits : tuple of float
        Magnitudes of galaxies that are alone or the brighter ones.
    count : int
        Of the first images: those galaxies. All may be fainter ones, or neighbours.
    crowded_share : float
        Of stamps with a neighbour beyond `NEAREST_NEIGHBOUR`.
    **viewed
        As of `PairDataset`.
    """

    def __init__(
        self,
        images: JoinedImages,
        magnitudes: NDArray[np.float64],
        *,
        limits: tuple[float, float],
        count: int,
        crowded_share: float,
        **viewed: Any,
    ) -> None:
        super().__init__(images, **viewed)
        self.magnitudes, self.limits = magnitudes, limits
        self.count, self.crowded_share = count, crowded_share
        self.order = np.argsort(magnitudes, kind="stable")

    def __len__(self) -> int:
        return self.count

    def sharp(self, index: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Return `target` (1, Y, X), whether it is a `blend` (1 or 0), and of those both numbers.

        That is `separation` in arcsec, NaN of one galaxy, and `flux_ratio`, of which infinite.
        """
        own, low, high = float(self.magnitudes[index]), *self.limits
        bounds = max(-LARGEST_DIMMING, low - own), min(LARGEST_DIMMING, high - own)
        magnitude = own + generator.uniform(*bounds)
        middle = generator.uniform(-LARGEST_OFFSET, LARGEST_OFFSET, 2)
        layout = Layout.draw(generator) if generator.random() < 0.5 else None
        if layout is None:
            target = self._placed(index, magnitude, middle, generator)
        else:
            first, second = middle + layout.offsets
            faint = magnitude + 2.5 * log10(layout.ratio)
            other = self._as_bright(faint, index, generator)
            target = self._placed(index, magnitude, first, generator)
            target = target + self._placed(other, faint, second, generator)
        if generator.random() < self.crowded_share:
            target = target + self._neighbour(target.shape, generator)
        known = (1.0, layout.separation, layout.ratio) if layout else (0.0, np.nan, np.inf)
        return {"target": target[None]} | {
            name: np.asarray(value, np.float32) for name, value in zip(KNOWN, known, strict=True)
        }

    def _as_bright(self, magnitude: float, but: int, generator: np.random.Generator) -> int:
        """Draw another galaxy that is about so bright."""
        place = int(np.searchsorted(self.magnitudes, magnitude, sorter=self.order))
        near = self.order[max(place - _AS_BRIGHT, 0) : place + _AS_BRIGHT]
        return int(generator.choice(near[near != but]))

    def _placed(
        self,
        index: int,
        magnitude: float,
        offset: NDArray[np.float64],
        generator: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return a galaxy (Y, X), so bright, that far in arcsec (y, x) from the middle."""
        light = 10 ** (0.4 * (self.magnitudes[index] - magnitude))
        image = self.stamp(index, generator) * np.float32(light)
        return moved(image, offset / self.grid.target_scale)

    def _neighbour(
        self, shape: Sequence[int], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return a stamp (Y, X) with a galaxy anywhere beyond `NEAREST_NEIGHBOUR`."""
        index, scale = int(generator.integers(len(self.images))), self.grid.target_scale
        reach = (np.array(shape) - 1) / 2
        place = np.zeros(2)
        while np.hypot(*place) * scale <= NEAREST_NEIGHBOUR:
            # Whole pixels: where in one it stands doesn't matter.
            place = np.rint(generator.uniform(-reach, reach))
        return moved(self.stamp(index, generator), place)


def moved(image: NDArray[np.float32], step: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return an image (Y, X) moved by so many pixels (y, x); what comes in at an edge is empty.

    By parts of a pixel in Fourier space, where the image must not be sharper than its pixels tell.
    """
    whole = np.rint(step).astype(int)
    part = step - whole
    if part.any():
        ky, kx = fft.fftfreq(image.shape[0])[:, None], fft.rfftfreq(image.shape[1])
        phase = np.exp(-2j * np.pi * (ky * part[0] + kx * part[1])).astype(np.complex64)
        image = fft.irfft2(fft.rfft2(image) * phase, s=image.shape)
    result = np.zeros(image.shape, np.float32)
    to, of = [], []
    for size, by in zip(image.shape, whole, strict=True):
        to.append(slice(max(by, 0), max(size + min(by, 0), 0)))
        of.append(slice(max(-by, 0), max(size - max(by, 0), 0)))
    result[tuple(to)] = image[tuple(of)]
    return result


class BlendDataModule(PairDataModule):
    """Serve stamps of two galaxies that overlap, and of one, as a survey observes them.

    See `BlendSettings`. Galaxies are rendered once, each alone, into `cache`; what is made of them
    is new in each pass. Views are those of `PairDataModule`, with `blend`, `separation` and
    `flux_ratio` (B,) beside.
    """

    Settings = BlendSettings

    def build(self) -> None:
        """Look up the instruments and their grids.

        Raises
        ------
        InputError
            If real galaxies are asked for, which have neighbours of their own.
        """
        for name in ("stamps", "real", "psf"):
            if getattr(self.config, name) is not None:
                raise InputError(
                    f"`data.{name}` is {getattr(self.config, name)}: blends are made of synthetic"
                    " galaxies, whose every light is known; leave it null"
                )
        super().build()

    def settings(self, split: str) -> SampleSettings:
        """Return what the sample of the brighter ones of a split depends on."""
        return replace(super().settings(split), alone=True)

    def samples(self, split: str) -> tuple[Sample, Sample]:
        """Return the brighter and the fainter galaxies of a split."""
        bright = self.settings(split)
        faint = replace(
            bright,
            size=max(1, round(self.config.companions * bright.size)),
            min_magnitude=bright.max_magnitude,
            max_magnitude=bright.max_magnitude + 2.5 * log10(FLUX_RATIOS[1]),
        )
        first, second = (open_sample(self.config.cache, one) for one in (bright, faint))
        return first, second

    def rendered(self, split: str) -> JoinedImages:
        """Return the stamps of all galaxies of a split."""
        return JoinedImages([sample.images for sample in self.samples(split)])

    def make_dataset(self, split: str) -> BlendDataset:
        """Return the stamps of a split."""
        samples = self.samples(split)
        chosen = self.config.sample
        return BlendDataset(
            JoinedImages([sample.images for sample in samples]),
            np.concatenate([np.asarray(one.table["h_magnitude"], np.float64) for one in samples]),
            limits=(chosen.min_magnitude, chosen.max_magnitude),
            count=len(samples[0].images),
            crowded_share=self.config.crowded_share,
            **self.viewed(split),
        )

    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make the views of a batch, see `PairDataModule.observe`, and keep what is known of it."""
        return super().observe(batch) | {name: batch[name] for name in KNOWN}
