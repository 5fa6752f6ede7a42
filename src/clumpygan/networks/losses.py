"""The losses: adversarial games, their gradient penalties, and proper scores of samples.

Every adversarial loss has one signature, `loss(real, fake)` of scores of any shape (B, ...) with
one row per image; it returns one number per image, to be averaged by the caller.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class AdversarialLoss(NamedTuple):
    """The two sides of one game; each maps scores (real, fake) of shape (B, ...) to (B,).

    Only where the game is `relative` does the generator's side depend on the real scores.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    relative: bool = False


def _per_image(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1)


def _relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return _per_image(functional.softplus(fake - real))


def _relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    return _per_image(functional.softplus(real - fake))


def _non_saturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return _per_image(functional.softplus(-real) + functional.softplus(fake))


def _non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    return _per_image(functional.softplus(-fake))


def _hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return _per_image(functional.relu(1 - real) + functional.relu(1 + fake))


def _hinge_generator(real: Tensor, fake: Tensor) -> Tensor:
    return _per_image(-fake)


ADVERSARIAL_LOSSES = {
    "relativistic": AdversarialLoss(
        _relativistic_discriminator, _relativistic_generator, relative=True
    ),
    "non_saturating": AdversarialLoss(_non_saturating_discriminator, _non_saturating_generator),
    "hinge": AdversarialLoss(_hinge_discriminator, _hinge_generator),
}
"""Relativistic pairing (Jolicoeur-Martineau 2018; Huang et al. 2024, R3GAN, eq. 2), the
non-saturating loss (Goodfellow et al. 2014) and the hinge loss (Lim & Ye 2017)."""


def adversarial_loss(name: str) -> AdversarialLoss:
    """Return the game of that name.

    Raises
    ------
    ValueError
        If there is none; the message lists them.
    """
    if name not in ADVERSARIAL_LOSSES:
        raise ValueError(
            f"unknown adversarial loss {name!r}: choose one of {', '.join(ADVERSARIAL_LOSSES)}"
        )
    return ADVERSARIAL_LOSSES[name]


def zero_centred_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """Return the squared gradient of the scores with respect to the images.

    R1 on real and R2 on generated images (Mescheder et al. 2018, eq. 9; Roth et al. 2017), both
    zero-centred as in R3GAN. The sum runs over every axis but the first, in 2-D and in 3-D.

    Parameters
    ----------
    scores : Tensor (B, ...)
        The discriminator's scores of `images`; averaged over all but the first axis.
    images : Tensor (B, C, ...)
        Leaves of the graph that require gradients.

    Returns
    -------
    Tensor (B,)
        Differentiable with respect to the discriminator's parameters.
    """
    (gradient,) = torch.autograd.grad(_per_image(scores).sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def energy_score(samples: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Return the pixelwise energy score of samples against the truth.

    With independent samples x_i of a predicted distribution, the mean of ``|x_i - t|`` less half
    the mean of ``|x_i - x_j|`` over pairs is an unbiased estimate of the continuous ranked
    probability score (Gneiting & Raftery 2007, eq. 21). Its expectation is least for the true
    posterior marginals: a generator that collapses to one answer loses, and so does one that
    spreads too far. With one sample, or one given twice, it is the absolute error.

    Parameters
    ----------
    samples : Tensors (B, C, ...)
    truth : Tensor (B, C, ...)

    Returns
    -------
    Tensor (B,)
        Mean over pixels.
    """
    error = torch.stack([(sample - truth).abs() for sample in samples]).mean(0)
    apart = [(one - other).abs() for one, other in combinations(samples, 2)]
    if apart:
        error = error - torch.stack(apart).mean(0) / 2
    return _per_image(error)


def relative_error(samples: Sequence[Tensor], truth: Tensor, floor: float) -> Tensor:
    """Return the relative root-mean-square error of the mean that samples estimate.

    For independent samples the expectation of ``(x_i - t)(x_j - t)`` is the squared error of
    their mean, whatever their spread: the spread is neither rewarded nor punished. Each image is
    weighted by the inverse of its present error, which makes the loss linear in the error, as
    the median of |x - t| / |t| that the recovery is judged by. With one sample it is exactly
    that.

    Parameters
    ----------
    samples : Tensors (B, C, ...)
    truth : Tensor (B, C, ...)
    floor : float
        Added in quadrature to the norm of the truth, so that an empty image divides by no zero.

    Returns
    -------
    Tensor (B,)
    """
    errors = [(sample - truth).flatten(1) for sample in samples]
    norm = truth.square().flatten(1).sum(1) + floor**2
    pairs = list(combinations(errors, 2)) or [(errors[0], errors[0])]
    squared = torch.stack([(one * other).sum(1) for one, other in pairs]).mean(0) / norm
    size = torch.stack([error.square().sum(1) for error in errors]).mean(0)
    return squared / size.div(norm).sqrt().detach().clamp_min(1e-6)


def aperture_sums(images: Tensor, centres: Tensor, radii: Sequence[float]) -> Tensor:
    """Return the sums of images within circles.

    Pixels at the rim count in part, by a linear ramp a pixel wide.

    Parameters
    ----------
    images : Tensor (B, 1, Y, X)
    centres : Tensor (B, 2)
        (y, x) in pixels.
    radii : sequence of float
        In pixels.

    Returns
    -------
    Tensor (B, R)
    """
    y, x = (torch.arange(n, device=images.device, dtype=images.dtype) for n in images.shape[-2:])
    rows, columns = centres.to(images.dtype).unbind(1)
    distance = torch.hypot((y - rows[:, None])[:, :, None], (x - columns[:, None])[:, None, :])
    weights = torch.stack([(radius + 0.5 - distance).clamp(0, 1) for radius in radii], 1)
    return torch.einsum("byx,bryx->br", images[:, 0], weights)


def misfit_excess(residual: Tensor, tolerance: float = 0.0) -> Tensor:
    """Return how far the mean squared residual, in units of the noise, is from 1.

    Parameters
    ----------
    residual : Tensor (B, C, ...)
        (prediction - observation) / sigma.
    tolerance : float
        Departure from 1 that costs nothing.

    Returns
    -------
    Tensor (B,)
        |log chi^2|, less the tolerance: as steep for bright galaxies as for faint ones.
    """
    misfit = residual.square().flatten(1).mean(1)
    return functional.relu(misfit.clamp_min(1e-3).log().abs() - tolerance)
