"""The settings of an adversarial training: its game, and its learning rates.

All lengths are numbers of images seen by the generator, over all processes.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Game:
    """The adversarial part of the training.

    Attributes
    ----------
    loss : str
        "relativistic", "non_saturating" or "hinge".
    weight : float
        Weight of the generator's adversarial loss beside its fidelity losses.
    r1, r2 : float
        Weights (gamma / 2) of the zero-centred gradient penalties on real and generated images.
    penalty_interval : int
        The penalties are computed at every so many steps of the discriminator, and count as many
        times as much there (lazy regularisation: Karras et al. 2020, StyleGAN2).
    start : int
        Images after which the discriminator joins; before, the generator trains without noise.
    ramp : int
        Images over which the generator's adversarial loss grows to its weight, so that an
        untrained discriminator doesn't spoil a trained generator.
    momentum : float
        First decay rate of the generator's Adam. Without fidelity losses momentum makes the game
        oscillate: 0, as in R3GAN.
    """

    loss: str = "relativistic"
    weight: float = 1.0
    r1: float = 1.0
    r2: float = 1.0
    penalty_interval: int = 1
    start: int = 0
    ramp: int = 0
    momentum: float = 0.9


@dataclass(frozen=True)
class Schedule:
    """Learning rates as functions of the images seen.

    Half a cosine falls from `peak` to `final` over the images before the discriminator joins
    (or over all of them when it is there from the start), after a linear warm-up; then another
    one falls from `adversarial_peak` to `final` until the end.

    Attributes
    ----------
    peak, final, adversarial_peak : float
        Learning rates of the generator.
    discriminator : float
        Learning rate of the discriminator, constant.
    warm_up : int
        Images of the linear rise at the beginning.
    """

    peak: float = 5e-4
    final: float = 1e-5
    adversarial_peak: float = 1e-4
    discriminator: float = 2e-4
    warm_up: int = 2000

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
