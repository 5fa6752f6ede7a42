"""How long a training is, and how it is made shorter in proportion."""

import copy
from typing import Any

from clumpygan.commands.settings import positive

COUNTED = (
    "total_images",
    "model.game.start",
    "model.game.ramp",
    "model.schedule.warm_up",
    "model.weights.flux_start",
    "model.ema_half_life",
)
"""Settings, of those that a model has, that count images of the training."""


def shortened(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration, made shorter in proportion if `shorten_to` says so.

    Everything that happens at some number of images then happens at the same part of the training.

    Parameters
    ----------
    plain : dict
        The whole configuration; a copy is returned.

    Raises
    ------
    InputError
        If a length isn't a whole number of at least 1.
    """
    plain = copy.deepcopy(plain)
    total = positive("total_images", plain["total_images"])
    if plain["shorten_to"] is None:
        return plain
    wanted = positive("shorten_to", plain["shorten_to"])
    for name in COUNTED:
        *sections, key = name.split(".")
        section = plain
        for part in sections:
            section = section.get(part, {})
        if key in section:
            section[key] = round(section[key] * wanted / total)
    return plain
