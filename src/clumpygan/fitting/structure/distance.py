"""How far away a galaxy is: what masses need to be known from velocities."""

import math
from dataclasses import replace

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.galaxies.disks.disk_model import MASS_CURVES, DiskModel

_ARCSEC = math.pi / 648_000

NEARBY = 200.0
"""Mpc within which H is taken as today: at this distance it is 2.3 % larger, and R_200 1.5 %
smaller."""


def own_redshift(observation: Observation, redshift: float | None, velocity: float) -> float | None:
    """Return the redshift of a galaxy; None if it isn't known.

    Parameters
    ----------
    observation : Observation
        Whose velocity axis may say it.
    redshift : float, optional
        Where velocities are 0, in place of that of the axis.
    velocity : float
        Systemic, km/s.
    """
    if redshift is None and observation.layout is not None:
        redshift = observation.layout.axis.redshift
    if redshift is None:
        return None
    own = (1 + redshift) * (1 + velocity / SPEED_OF_LIGHT) - 1
    return own if own > 0 else None


def kiloparsecs_per_arcsec(distance: float | None, redshift: float | None) -> float | None:
    """Return the scale at a galaxy; None if neither is known.

    Parameters
    ----------
    distance : float, optional
        Mpc.
    redshift : float, optional
        Of the galaxy, without a distance (Planck 2018 cosmology).
    """
    if distance is not None:
        return 1000 * distance * _ARCSEC
    if redshift is None:
        return None
    from astropy.cosmology import Planck18

    return float(Planck18.angular_diameter_distance(redshift).to_value("kpc") * _ARCSEC)


def with_scale(
    choices: ParameterChoices,
    model: DiskModel,
    observation: Observation,
    redshift: float | None,
    distance: float | None,
) -> ParameterChoices:
    """Return choices with scale and redshift of the galaxy fixed, for curves given by masses.

    Galaxies within `NEARBY` need no redshift.

    Raises
    ------
    InputError
        If the curve is one of them, and there is no distance, or no redshift of a distant galaxy.
    """
    if model.curve not in MASS_CURVES:
        return choices
    own = own_redshift(observation, redshift, 0.0)
    scale = kiloparsecs_per_arcsec(distance, own)
    known = {"angular_scale": scale, "galaxy_redshift": 0.0 if own is None else own}
    said = {*choices.free, *choices.fixed, *choices.tied, *choices.priors}
    if scale is None and "angular_scale" not in said:
        raise InputError(
            f"`curve` {model.curve} is given by masses: expected `redshift`, `distance`, or "
            "angular_scale among `fix`"
        )
    near = distance is not None and distance <= NEARBY
    if own is None and not near and "galaxy_redshift" not in said:
        raise InputError(
            f"`curve` {model.curve}: critical density and concentration of the halo go with the "
            f"redshift; expected `redshift`, galaxy_redshift among `fix`, or a `distance` of at "
            f"most {NEARBY:g} Mpc"
        )
    more = {name: value for name, value in known.items() if name not in said and value is not None}
    return replace(choices, fixed={**more, **choices.fixed})
