"""Generators and discriminators of stamps: the published DCGAN, and a modern residual one.

All generators have one signature, ``generator(z, conditions, noise)``, and give images in units of
the noise; all discriminators map stretched images and conditions to scores.
"""

from collections.abc import Sequence

from torch import nn

from clumpygan.networks.published_dcgan import PublishedDiscriminator, PublishedGenerator
from clumpygan.networks.residual_dcgan import ResidualDiscriminator, ResidualGenerator


def build_generator(
    size: int,
    conditions: Sequence[str] = (),
    variant: str = "residual",
    latent_dim: int = 64,
    channels: int = 16,
    largest: int = 128,
    amplitude: float = 10.0,
    signal: Sequence[float] | None = None,
    offset: float = 0.0,
) -> nn.Module:
    """Build a generator of stamps.

    Parameters
    ----------
    size : int
        Pixels per side, a multiple of 8.
    conditions : sequence of str
        Names of what it is told. With "signal" among them, the logarithm of the flux, the residual
        variant gives the flux that is asked for.
    variant : str
        "residual" or "published".
    latent_dim, channels, largest : int
        As for `ResidualGenerator`.
    amplitude : float
        Of the published variant.
    signal : sequence of two float, optional
        Centre and scale of log10 of the flux that the condition "signal" stands for; needed with
        it.
    offset : float
        Of galaxies from the middle of the stamp, see `ResidualGenerator`.

    Raises
    ------
    ValueError
        If the variant is unknown, a size can't be made, or `signal` is missing.
    """
    names = list(conditions)
    if variant == "published":
        return PublishedGenerator(size, latent_dim, channels, largest, len(names), amplitude)
    _check_variant(variant)
    head = None
    if "signal" in names:
        if signal is None:
            raise ValueError("the condition signal needs its centre and scale")
        centre, scale = signal
        head = (names.index("signal"), centre, scale)
    return ResidualGenerator(size, latent_dim, channels, largest, len(names), head, offset)


def build_discriminator(
    size: int,
    conditions: Sequence[str] = (),
    variant: str = "residual",
    channels: int = 16,
    largest: int = 128,
) -> nn.Module:
    """Build the opponent of a generator of stamps; parameters as for `build_generator`."""
    if variant == "published":
        return PublishedDiscriminator(size, channels, largest, len(conditions))
    _check_variant(variant)
    return ResidualDiscriminator(size, channels, largest, len(conditions))


def _check_variant(variant: str) -> None:
    if variant != "residual":
        raise ValueError(f"unknown variant {variant!r}: expected residual or published")
