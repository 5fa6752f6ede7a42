"""The settings of trainings: the adversarial game, learning rates, other losses.

All lengths are numbers of images seen by the generator, over all processes.
"""

import math
from dataclasses import dataclass
from typing import Any

from clumpygan.settings import LARGEST_SEED, check, setting

CLASSIFIER = "blend_classifier"
"""The classifier of blends that ships."""

LIKELY_BLENDED = 1.7
"""ln of its odds of two galaxies: one in a hundred single ones has more, see the benchmark of
blends."""

SEEN_BLEND = 1.2
"""Arcsec around the middle of a galaxy in which its data are needed to tell whether it is two."""

MOST_MISSING = 4
"""Pixels without data there, up to which that can be told: single galaxies with a masked core, or
at the edge of the data, look like two."""

LOSSES = ("relativistic", "non_saturating", "hinge")


@dataclass(frozen=True)
class AdversarialSettings:
    """The adversarial part of a training."""

    loss: str = setting("relativistic", "loss of the two networks", choices=LOSSES)
    weight: float = setting(1.0, "of the generator's adversarial loss beside the others", least=0)
    r1: float = setting(
        1.0, "weight (gamma / 2) of the zero-centred gradient penalty on real images", least=0
    )
    r2: float = setting(1.0, "the same on generated images", least=0)
    penalty_interval: int = setting(
        1,
        "steps of the discriminator from one penalty to the next, which counts as many times as "
        "much (lazy regularisation: Karras et al. 2020, StyleGAN2)",
        least=1,
    )
    start: int = setting(
        0, "images after which discriminator and noise join; fidelity alone before", least=0
    )
    ramp: int = setting(
        0,
        "images over which the generator's adversarial loss grows to its weight, so that an "
        "untrained discriminator doesn't spoil a trained generator",
        least=0,
    )
    momentum: float = setting(
        0.9,
        "first decay rate of the generator's Adam; without fidelity losses momentum makes the "
        "game oscillate: 0, as in R3GAN",
        least=0,
        below=1,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Schedule:
    """Learning rates as functions of the images seen.

    Half a cosine falls from `peak` to `final` over the images before the discriminator joins
    (or over all of them when it is there from the start), after a linear warm-up; then another
    one falls from `adversarial_peak` to `final` until the end.
    """

    peak: float = setting(5e-4, "largest learning rate of the generator", above=0)
    final: float = setting(1e-5, "its learning rate in the end", least=0)
    adversarial_peak: float = setting(1e-4, "the largest once the discriminator joined", above=0)
    discriminator: float = setting(2e-4, "learning rate of the discriminator, constant", above=0)
    warm_up: int = setting(2000, "images of the linear rise at the beginning", least=0)

    def __post_init__(self) -> None:
        check(self)

    def generator(self, images: int, start: int, total: int) -> float:
        """Return the generator's learning rate after that many of `total` images."""
        if start > 0 and images < start:
            peak, progress = self.peak, images / start
        elif start > 0:
            peak, progress = self.adversarial_peak, (images - start) / max(total - start, 1)
        else:
            peak, progress = self.peak, images / max(total, 1)
        rise = min(1.0, (images + 1) / max(self.warm_up, 1))
        fall = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return rise * (self.final + (peak - self.final) * fall)


@dataclass(frozen=True)
class SuperResolutionWeights:
    """Weights of the fidelity losses of recovered images."""

    pixel: float = setting(
        1.0,
        "of the energy score in stretched pixels (the absolute error while there is one sample)",
        least=0,
    )
    relative: float = setting(
        0.5, "of the relative root-mean-square error of the mean image, in flux", least=0
    )
    misfit: float = setting(
        0.05, "of |log chi^2| of the recovered image, observed again, against the data", least=0
    )
    blocks: float = setting(
        0.1,
        # Scores of single pixels leave open how their errors hang together, which is what the
        # error of a flux is made of.
        "of the energy scores of means over blocks of four widths, in units of their noise",
        least=0,
    )
    apertures: float = setting(
        0.05,
        "of the energy scores of fluxes in apertures around the galaxy, and in the rings between "
        "them, in units of their noise",
        least=0,
    )
    flux: float = setting(
        0.5,
        # Absolute errors of pixels favour medians, which are too faint where the noise is skewed
        # by the stretch; this term keeps the flux.
        "of the relative error of the mean image in blocks of coarse pixels",
        least=0,
    )
    flux_start: int = setting(
        0, "images after which the flux term joins, when the shapes are learnt", least=0
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class CubeWeights:
    """Weights of the losses of cubes beside the adversarial one."""

    energy: float = setting(
        0.0,
        "of the energy score of two samples against the true galaxy of the same parameters, voxel "
        "by voxel: a proper score, least for the true distribution of each voxel",
        least=0,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class CoreSettings:
    """What every training has, whatever it trains."""

    total_images: int | None = setting(
        None, "length of the training; that of the trainer's epochs by default", "images", least=1
    )
    seed: int = setting(
        0,
        "random inputs depend on it and on the images seen alone, so that resuming is exact",
        least=0,
        most=LARGEST_SEED,
    )
    ema_half_life: int = setting(
        5000, "images after which an old state counts half in the averaged network", least=0
    )
    gradient_clip: float = setting(1.0, "largest norm of a gradient", above=0)
    validation_samples: int = setting(
        1024, "held-out images, at most, that generated ones are compared with", least=1
    )
    channels_last: bool = setting(False, "store convolutions with their channels last")

    def __post_init__(self) -> None:
        check(self)


def classifier_setting(heading: str) -> Any:
    """Return the field of a settings class that names the classifier of blends."""
    return setting(
        CLASSIFIER, "classifier of blends: a shipped name or the path of a .safetensors file; the"
        " one that ships is left out where images are of another survey", "NAME", heading=heading,
    )  # fmt: skip
