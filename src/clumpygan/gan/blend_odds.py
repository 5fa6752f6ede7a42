"""Whether two galaxies that overlap are seen, or one: a trained classifier, ready to be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.gan.gan_settings import CLASSIFIER
from clumpygan.instruments import SurveyPair


class BlendOdds:
    """A trained classifier of blends.

    Parameters
    ----------
    network : nn.Module
        With the methods of `BlendClassifier`.
    card : mapping
        Its card.
    """

    def __init__(self, network: Any, card: Mapping[str, Any]) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.pair = SurveyPair.from_card(card.get("network", {}).get("observation"))

    @classmethod
    def from_checkpoint(cls, name: str = CLASSIFIER) -> BlendOdds:
        """Load a checkpoint by its name or path.

        Raises
        ------
        InputError
            If it is missing, truncated, or of a network that doesn't classify blends.
        """
        return cls(*load_checkpoint(name, ("blend_classifier",)))

    def refusal(self, pair: SurveyPair) -> str | None:
        """Return why images of a survey aren't for it, in words; None if they are.

        Parameters
        ----------
        pair : SurveyPair
            The survey, and the target to whose PSF that of the survey is told.
        """
        own = (self.pair.survey_name, self.pair.target_name, self.pair.grid)
        if own == (pair.survey_name, pair.target_name, pair.grid):
            return None
        return (
            f"the classifier of blends is for {self.pair}, not for {pair}: train one,"
            " train.py model=blend_classifier survey=NAME target=NAME"
        )

    @torch.no_grad()
    def of(
        self, observed: Tensor, sigma: Tensor, transfer: Callable[[tuple[Tensor, Tensor]], Tensor]
    ) -> Tensor:
        """Return the ln of the Bayes factor of two galaxies against one, (B,) float32.

        Two are 0.2-1.2" apart, with flux ratios of 1-10. Of a share p of blends the probability of
        one is 1 / (1 + exp(-ln odds) (1 - p) / p).

        Parameters
        ----------
        observed : Tensor (B, 1, y, x)
            nJy per pixel, or in any unit, the middle of the light in the middle; finite.
        sigma : Tensor (B,)
            Noise per pixel, in the same unit, of white noise as strong in apertures.
        transfer : callable
            Gives the ratio of the transfer functions on a frequency grid.
        """
        shape = (observed.shape[-2], observed.shape[-1])
        response = transfer(self.network.observation.frequencies(shape))
        response = response.expand(len(observed), *response.shape[-2:])
        odds: Tensor = self.network.log_odds(observed.float(), sigma.float(), response)
        return odds


@lru_cache(maxsize=1)
def blend_odds_of(checkpoint: str, pair: SurveyPair) -> BlendOdds | None:
    """Load a classifier once; None if images of the survey aren't for it.

    Raises
    ------
    InputError
        If there is none of that name, or, of one that doesn't ship, if it is for other images.
    """
    odds = BlendOdds.from_checkpoint(checkpoint)
    refusal = odds.refusal(pair)
    if refusal is None:
        return odds
    if checkpoint != CLASSIFIER:
        raise InputError(f"`classifier` is {checkpoint}: {refusal}")
    return None
