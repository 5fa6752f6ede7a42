"""Networks of absurd sizes, which a damaged card or a mistyped number asks for, and a guard."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from clumpygan.errors import InputError

MOST_WEIGHTS, MOST_TENSORS = 10**9, 10**4
"""Of the largest network that is built: 4 GB in float32. It takes a second to count so far, where
2^31 layers would take days."""


@contextmanager
def at_most(weights: int, tensors: int, what: str, reason: str = "") -> Iterator[None]:
    """Stop the building of a network as soon as it has too many weights.

    Layers register their weights when the memory is reserved, but not yet written to: nothing of
    the size that is refused is ever filled.

    Parameters
    ----------
    weights, tensors : int
        How many are allowed, and in how many arrays.
    what : str
        What asks for the network, for the message.
    reason : str
        Where the numbers come from, for the message.

    Raises
    ------
    InputError
        From within.
    """
    found = {"weights": 0, "tensors of weights": 0}
    most = {"weights": weights, "tensors of weights": tensors}

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is None:
            return
        found["weights"] += parameter.numel()
        found["tensors of weights"] += 1
        for kind, number in found.items():
            if number > most[kind]:
                raise InputError(
                    f"{what} asks for more than {most[kind]} {kind}{reason}: check the numbers of "
                    "layers and channels"
                )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
