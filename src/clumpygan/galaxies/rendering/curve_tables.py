"""Rotation curves that are given by numbers: linear through a table, or splines through rings.

Splines are cubic, linear in the values at the rings, and even functions of the radius, without a
cusp in the centre. They have no curvature at the last ring, and are constant beyond. Knots are the
centre and the rings; between two, with t from 0 to 1 over the width w,

    (1 - t) S_0 + t S_1 - w^2 / 6 t (1 - t) [(2 - t) S_0'' + (1 + t) S_1''].

The dispersion is such a spline. The rotation velocity is arctan(R / R_t) times one that makes it
what each ring has: inside of the innermost ring, where there may be much light, no spline would
rise as steeply as galaxies do, and `turnover_radius` says how steep.
"""

# Formulas take numbers or tensors.
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.galaxies.rendering.arithmetic import on_numbers, shared

FloatArray = NDArray[np.float64]

_TURNOVER_RADIUS = DiskModel().index("turnover_radius")

CurveTable = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""Of the curve "rings": radii in arcsec of the knots; values and second derivatives there of the
velocity over arctan(R / R_t); those of the dispersion. Of "table" radii and velocities, and three
that are empty."""


@dataclass(frozen=True, eq=False)
class RingSplines:
    """What makes the splines of values (K,) at K rings, with K + 1 knots.

    Attributes
    ----------
    radii : ndarray (K + 1,)
        Of the knots: 0, and the rings.
    values, bends : ndarray (K + 1, K)
        Values and second derivatives at the knots, of values at the rings.
    """

    radii: FloatArray
    values: FloatArray
    bends: FloatArray

    def table(self, rings: FloatArray, turnover: float) -> CurveTable:
        """Return the table of rings (K, 2), each with velocity and dispersion.

        Parameters
        ----------
        rings : ndarray (K, 2)
        turnover : float
            The `turnover_radius` in arcsec.
        """
        velocities, dispersions = np.ascontiguousarray(rings.T)
        ratios = velocities / np.arctan(self.radii[1:] / turnover)
        return (
            self.radii,
            self.values @ ratios,
            self.bends @ ratios,
            self.values @ dispersions,
            self.bends @ dispersions,
        )


@cache
def ring_splines(radii: tuple[float, ...]) -> RingSplines:
    """Return the splines of rings at rising radii in arcsec."""
    outer, unit = np.array(radii), np.eye(len(radii))
    even = CubicSpline(
        np.concatenate([-outer[::-1], outer]), np.concatenate([unit[::-1], unit]), bc_type="natural"
    )
    knots = np.concatenate([[0.0], outer])
    return RingSplines(knots, even(knots), even(knots, 2))


def table_of(model: DiskModel, vector: FloatArray) -> CurveTable:
    """Return what the curve of a vector (P,) is interpolated in, if it is "table" or "rings".

    Raises
    ------
    InputError
        If there are no rings.
    """
    none = np.empty(0)
    if model.curve != "rings":
        rows = np.array(model.rotation_table or [(0.0, 0.0), (1.0, 0.0)], dtype=np.float64)
        radii, velocities = np.ascontiguousarray(rows.T)
        return radii, velocities, none, none, none
    if not model.ring_radii:
        raise InputError("the curve 'rings' has no rings: expected `ring_radii`")
    rings = vector[model.first_ring :].reshape(len(model.ring_radii), -1)
    return ring_splines(model.ring_radii).table(rings, float(vector[_TURNOVER_RADIUS]))


def _interpolate_numbers(radius, radii, velocities):
    last = radii.size - 1
    if radius >= radii[last]:
        return velocities[last]
    inner_radius, inner_velocity = 0.0, 0.0
    for k in range(last + 1):
        if radius < radii[k]:
            share = (radius - inner_radius) / (radii[k] - inner_radius)
            return inner_velocity + share * (velocities[k] - inner_velocity)
        inner_radius, inner_velocity = radii[k], velocities[k]
    return math.nan  # the radius isn't a number


@on_numbers(_interpolate_numbers)
def interpolated(radius, radii, velocities):
    """Return the curve "table" at a radius: linear from (0, 0) on, constant beyond the last row."""
    import torch

    radii = torch.cat([radii.new_zeros(1), radii])
    velocities = torch.cat([velocities.new_zeros(1), velocities])
    upper = torch.searchsorted(radii, radius.detach().contiguous(), right=True)
    upper = upper.clamp(1, len(radii) - 1)
    inner, width = radii[upper - 1], (radii[upper] - radii[upper - 1]).clamp(min=1e-12)
    share = (radius - inner) / width
    between = velocities[upper - 1] + share * (velocities[upper] - velocities[upper - 1])
    return torch.where(radius < radii[-1], between, velocities[-1])


@shared
def _cubic(share, width, values, bends):
    inner, outer = values
    inner_bend, outer_bend = bends
    rest = 1.0 - share
    bend = (1.0 + rest) * inner_bend + (1.0 + share) * outer_bend
    return rest * inner + share * outer - width * width / 6.0 * share * rest * bend


def _spline_of_numbers(radius, radii, values, bends):
    last = radii.size - 1
    if not radius < radii[last]:
        return values[last] + 0.0 * radius
    k = np.searchsorted(radii, radius, side="right")
    width = radii[k] - radii[k - 1]
    share = (radius - radii[k - 1]) / width
    return _cubic(share, width, (values[k - 1], values[k]), (bends[k - 1], bends[k]))


@on_numbers(_spline_of_numbers)
def spline(radius, radii, values, bends):
    """Return a spline of values and second derivatives at knots, constant beyond the last.

    Of tensors at radii (B, N), of values and second derivatives (B, K + 1).
    """
    import torch

    upper = torch.searchsorted(radii, radius.detach().contiguous(), right=True)
    upper = upper.clamp(1, len(radii) - 1)
    width = radii[upper] - radii[upper - 1]
    share = (radius - radii[upper - 1]) / width
    ends = [(one.gather(1, upper - 1), one.gather(1, upper)) for one in (values, bends)]
    return torch.where(radius < radii[-1], _cubic(share, width, *ends), values[:, -1:])
