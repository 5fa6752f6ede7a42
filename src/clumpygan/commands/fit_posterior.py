"""The trained posterior that `fit.py --method amortised` draws from."""

from __future__ import annotations

from argparse import Namespace
from functools import lru_cache

from clumpygan.commands.fit_flags import DEFAULT_POSTERIOR
from clumpygan.errors import InputError
from clumpygan.fitting import AmortisedPosterior
from clumpygan.gan.checkpoint import load_checkpoint

KIND = "disk_posterior"


def posterior_of(options: Namespace) -> AmortisedPosterior | None:
    """Return what the flags ask for, None for other methods.

    Raises
    ------
    InputError
        If there is no such checkpoint, or a flag goes with another method.
    """
    if options.method != "amortised":
        for name, given in (("--posterior", options.posterior), ("--no-correct", options.correct)):
            if given not in (None, True):
                raise InputError(f"{name} goes with --method amortised; leave it out")
        return None
    return load_posterior(options.posterior or DEFAULT_POSTERIOR)


@lru_cache(maxsize=2)
def load_posterior(name: str) -> AmortisedPosterior:
    """Return a trained posterior, loaded once in each process.

    Parameters
    ----------
    name : str
        Of one that ships, or a path.
    """
    network, card = load_checkpoint(name, (KIND,))
    return AmortisedPosterior.of(network, card, name)
