"""The smooth bodies of a galaxy as they lie on the sky."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from astropy.table import Row

from clumpygan.errors import InputError
from clumpygan.galaxies.geometry import Matrix, disk_to_sky

Galaxy: TypeAlias = Mapping[str, Any] | Row
"""A dictionary or table row with the columns of `clumpygan.galaxies.COLUMNS`."""


class SersicBody(NamedTuple):
    """One elliptical Sersic body on the sky: nJy, index, and arcsec after shear."""

    flux: float
    sersic_index: float
    half_light_radius: float
    matrix: Matrix
    x: float
    y: float


def sersic_bodies(galaxy: Galaxy, shear: Matrix) -> list[SersicBody]:
    """Place main body, bulge and companion on the sky; those without light are left out.

    Parameters
    ----------
    galaxy : mapping
        The columns of `clumpygan.galaxies.COLUMNS`.
    shear : ndarray of shape (2, 2)
        From `geometry.shear_matrix`.

    Returns
    -------
    list of SersicBody

    Raises
    ------
    InputError
        If the flux isn't positive, or bulge, arms and clumps have more than all the light.
    """
    if not 0.0 < galaxy["flux"] < np.inf:
        raise InputError(f"flux is {galaxy['flux']}; expected a positive number of nJy")
    rest = 1.0 - galaxy["bulge_fraction"] - galaxy["clump_fraction"] - galaxy["arm_fraction"]
    if rest < -1e-9:
        raise InputError(
            "bulge_fraction + arm_fraction + clump_fraction is "
            f"{1.0 - rest:.3f}; expected at most 1"
        )
    x, y = galaxy["offset_x"], galaxy["offset_y"]
    companion = shear @ np.array([galaxy["companion_x"], galaxy["companion_y"]])
    parts = [
        ("", rest * galaxy["flux"], galaxy["position_angle"], x, y),
        ("bulge_", galaxy["bulge_fraction"] * galaxy["flux"], galaxy["position_angle"], x, y),
        (
            "companion_",
            galaxy["companion_flux"],
            galaxy["companion_position_angle"],
            x + companion[0],
            y + companion[1],
        ),
    ]
    return [
        SersicBody(
            flux,
            galaxy[f"{name}sersic_index"],
            galaxy[f"{name}half_light_radius"],
            shear @ disk_to_sky(angle, galaxy[f"{name}axis_ratio"]),
            px,
            py,
        )
        for name, flux, angle, px, py in parts
        if flux > 0.0
    ]


def as_mapping(galaxy: Galaxy) -> Mapping[str, Any]:
    """Turn a table row into a dictionary, many times faster to look up."""
    if isinstance(galaxy, Row):
        return dict(zip(galaxy.colnames, galaxy, strict=True))
    return galaxy
