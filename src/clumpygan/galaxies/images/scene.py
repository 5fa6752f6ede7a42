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


FRACTIONS = (
    "bulge_fraction", "bar_fraction", "ring_fraction", "tail_fraction", "arm_fraction",
    "clump_fraction",
)  # fmt: skip
"""Columns with the shares of light that aren't the disk's."""

_NEIGHBOUR = (
    "flux", "x", "y", "half_light_radius", "sersic_index", "axis_ratio", "position_angle"
)  # fmt: skip

BAR_INDEX = 0.5
"""Sersic index of a bar: nearly flat, and ending soon."""


def disk_fraction(galaxy: Mapping[str, Any]) -> float:
    """Share of the light that is the disk's, or the spheroid's."""
    return 1.0 - float(sum(galaxy.get(name, 0.0) for name in FRACTIONS))


def bar_to_disk(galaxy: Mapping[str, Any]) -> Matrix:
    """Matrix from along and across the bar, as if it were round, to the plane of the disk."""
    angle = np.radians(galaxy["bar_angle"])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix: Matrix = turn @ np.diag([1.0, galaxy["bar_axis_ratio"]])
    return matrix


def sersic_bodies(galaxy: Galaxy, shear: Matrix) -> list[SersicBody]:
    """Place all Sersic bodies on the sky; those without light are left out.

    Disk or spheroid, bulge, bar, companion and neighbours.

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
        If the flux isn't positive, or the shares of light sum to more than 1.
    """
    if not 0.0 < galaxy["flux"] < np.inf:
        raise InputError(f"flux is {galaxy['flux']}; expected a positive number of nJy")
    rest = disk_fraction(galaxy)
    if rest < -1e-9:
        raise InputError(f"{' + '.join(FRACTIONS)} is {1.0 - rest:.3f}; expected at most 1")
    x, y = galaxy["offset_x"], galaxy["offset_y"]
    companion = shear @ np.array([galaxy["companion_x"], galaxy["companion_y"]])
    parts = [
        ("disk_", rest * galaxy["flux"], galaxy["position_angle"], x, y),
        ("bulge_", galaxy["bulge_fraction"] * galaxy["flux"], galaxy["position_angle"], x, y),
        (
            "companion_",
            galaxy["companion_flux"],
            galaxy["companion_position_angle"],
            x + companion[0],
            y + companion[1],
        ),
    ]
    bodies = [
        SersicBody(
            flux,
            galaxy[f"{name}sersic_index"],
            galaxy[f"{name}half_light_radius"],
            shear
            @ disk_to_sky(angle, galaxy["axis_ratio" if name == "disk_" else f"{name}axis_ratio"]),
            px,
            py,
        )
        for name, flux, angle, px, py in parts
        if flux > 0.0
    ]
    if galaxy.get("bar_fraction", 0.0) > 0.0:
        to_sky = shear @ disk_to_sky(galaxy["position_angle"], galaxy["axis_ratio"])
        light = galaxy["bar_fraction"] * galaxy["flux"]
        bar = to_sky @ bar_to_disk(galaxy)
        bodies.append(SersicBody(light, BAR_INDEX, galaxy["bar_half_light_radius"], bar, x, y))
    return bodies + _neighbours(galaxy, shear)


def _neighbours(galaxy: Mapping[str, Any], shear: Matrix) -> list[SersicBody]:
    """Place the sources around the galaxy."""
    bodies = []
    for i in range(int(galaxy.get("neighbour_count", 0))):
        one = {name: float(galaxy[f"neighbour_{name}"][i]) for name in _NEIGHBOUR}
        matrix = shear @ disk_to_sky(one["position_angle"], one["axis_ratio"])
        x, y = shear @ np.array([one["x"], one["y"]])
        bodies.append(
            SersicBody(
                one["flux"],
                one["sersic_index"],
                one["half_light_radius"],
                matrix,
                galaxy["offset_x"] + x,
                galaxy["offset_y"] + y,
            )
        )
    return bodies


def as_mapping(galaxy: Galaxy) -> Mapping[str, Any]:
    """Turn a table row into a dictionary, many times faster to look up.

    A galaxy whose disk isn't described is all disk: `disk_half_light_radius` and
    `disk_sersic_index` are those of the galaxy.
    """
    if isinstance(galaxy, Row):
        galaxy = dict(zip(galaxy.colnames, galaxy, strict=True))
    if "disk_half_light_radius" in galaxy:
        return galaxy
    whole = {f"disk_{name}": galaxy[name] for name in ("half_light_radius", "sersic_index")}
    return {**galaxy, **whole}
