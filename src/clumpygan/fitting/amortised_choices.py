"""What may be chosen about the parameters of a fit by a trained posterior, and what may not."""

from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from clumpygan.errors import InputError
from clumpygan.fitting.amortised import AmortisedPosterior, View
from clumpygan.fitting.choices import ParameterChoices
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.likelihood import NoiseSettings
from clumpygan.fitting.posterior import SamplerSettings
from clumpygan.fitting.priors import FitPrior, parse_prior
from clumpygan.galaxies.parameters import DiskModel

_INSIDE = 0.98
"""Share of a prior that has to be within the one of the training; the rest is cut off."""


def check_settings(
    posterior: AmortisedPosterior | None,
    sampler: SamplerSettings,
    choices: ParameterChoices,
    noise: NoiseSettings,
    has_starts: bool,
) -> None:
    """Refuse settings of a fit that don't go with its method.

    Raises
    ------
    InputError
        If there is a trained posterior and another method, or the other way round, or what the
        trained network knows nothing of and no correction would make up for.
    """
    if sampler.method != "amortised":
        if posterior is not None:
            raise InputError(
                f"a trained posterior and the method {sampler.method!r}; expected 'amortised'"
            )
        return
    if posterior is None:
        raise InputError("the method 'amortised' needs a trained posterior; give one")
    if has_starts:
        raise InputError(
            "starting values, which the method 'amortised' has no use for: leave them out"
        )
    if not sampler.correct:
        for what, given in (
            ("priors of one's own", bool(choices.priors)),
            ("a robust likelihood", noise.robust != "none"),
        ):
            if given:
                raise InputError(
                    f"{what} and draws without correction: the trained network knows nothing of "
                    "it; leave it out, or let the draws be corrected"
                )


def check_choices(
    posterior: AmortisedPosterior, model: DiskModel, choices: ParameterChoices
) -> None:
    """Refuse a model, or free, fixed or tied parameters, other than those of the training.

    Raises
    ------
    InputError
        With the first that differs.
    """
    domain, trained = posterior.domain, posterior.name
    known = domain.coordinates
    for name, value in vars(model).items():
        if value != (wanted := getattr(domain.model, name)):
            raise InputError(
                f"a model with {name} {value}; {trained} was trained with {wanted}: use another "
                "method"
            )
    names = choices.free_names(model, 1)
    if names != known.names:
        extra = sorted({*names} - {*known.names})
        what = f"{extra[0]} is free" if extra else f"{sorted({*known.names} - {*names})[0]} isn't"
        raise InputError(
            f"{what}; {trained} was trained with just {', '.join(known.names)} free: use another "
            "method, or a narrow prior in place of a fixed value"
        )
    for name, value in choices.fixed.items():
        fixed = float(known.base[model.index(name)])
        if value != fixed or name in {model.names[place] for place, _, _ in known.tied}:
            raise InputError(
                f"{name} is fixed at {value:g}, which isn't what {trained} was trained with: use "
                "another method"
            )
    ties = choices.ties(model, names)
    tied = {(model.index(name), factor, model.index(s)) for name, (factor, s) in ties.items()}
    if tied != {*known.tied}:
        raise InputError(
            f"{', '.join(choices.tied)} tied, which {trained} wasn't trained with: use another "
            "method"
        )


def coordinates_of(
    posterior: AmortisedPosterior, view: View, choices: ParameterChoices
) -> Coordinates:
    """Return the coordinates of a fit: priors of the training, but for those of the user.

    Raises
    ------
    InputError
        If a user's prior reaches beyond that of the training.
    """
    known = posterior.domain.coordinates
    model = known.model
    priors = []
    for name, prior in zip(known.names, known.priors, strict=True):
        own = _placed(name, prior, view)
        given = choices.priors.get(name)
        if given is not None:
            row = model.table[model.index(name)]
            wanted = given if isinstance(given, FitPrior) else parse_prior(given, row)
            own = wanted if row.period is not None else _cut(posterior.name, name, wanted, own)
        priors.append(own)
    placed = replace(known, priors=tuple(priors))
    middle = known.values(np.zeros(known.count))
    turned = view.orientation.turn_values_back(known.names, middle)
    return placed.centred(placed.with_values(turned))


def _placed(name: str, prior: FitPrior, view: View) -> FitPrior:
    """Return a prior of the training in the units and the frame of a cube."""
    if name == "flux":
        low, high = prior.minimum * view.sigma, prior.maximum * view.sigma
        return replace(prior, minimum=low, maximum=high)
    shift = view.middle.get(name, 0.0)
    return replace(prior, minimum=prior.minimum + shift, maximum=prior.maximum + shift)


def _cut(posterior: str, name: str, wanted: FitPrior, trained: FitPrior) -> FitPrior:
    """Return a user's prior within the range of the training."""
    low, high = max(wanted.minimum, trained.minimum), min(wanted.maximum, trained.maximum)
    share = 0.0
    if low < high:
        share = float(ndtr(wanted.coordinate(high)) - ndtr(wanted.coordinate(low)))
    if share < _INSIDE:
        raise InputError(
            f"prior {wanted} of {name} reaches beyond {trained.minimum:.4g} to "
            f"{trained.maximum:.4g}, which {posterior} was trained with: use another method"
        )
    return replace(wanted, minimum=low, maximum=high)
