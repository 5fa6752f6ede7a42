"""What is looked at in sets of velocity cubes: maps, motions, clumps, statistics."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.cubes.cube_clumps import CubeClumps, clumps_of_disks
from clumpygan.evaluation.cubes.kinematics import FEATURES, kinematic_features
from clumpygan.evaluation.cubes.kinemetry import Ellipses
from clumpygan.evaluation.cubes.line_maps import CubeAxes, FloatArray, LineMaps, line_maps
from clumpygan.evaluation.cubes.map_statistics import map_statistics

CLUMP_QUANTITIES: dict[str, str] = {
    "clump_number": "clumps of a galaxy: peaks above its smooth disk of at least 1 % of its light",
    "clump_light": "share of a galaxy's light in its clumps, each taken for a point source",
    "clump_radius": "half-light radius of each clump in arcsec, without the PSF",
}
"""What is said of clumps."""


@dataclass(frozen=True, eq=False)
class CubeSet:
    """Galaxies to be compared; all cubes in units of the noise of a voxel.

    Attributes
    ----------
    name : str
    observed : numpy.ndarray, (N, v, y, x)
        With noise.
    smooth : numpy.ndarray, (N, v, y, x)
        The smooth disks of their parameters, without noise.
    conditions : dict of str to numpy.ndarray, (N,)
        Their parameters in physical units, "inclination", "position_angle", "offset_x",
        "offset_y" and "seeing" among them.
    expected : numpy.ndarray, (N, 4, y, x)
        Maps for `map_statistics`.
    clean : numpy.ndarray, (N, v, y, x), optional
        Without noise, where they are known so.
    """

    name: str
    observed: NDArray[np.floating]
    smooth: NDArray[np.floating]
    conditions: dict[str, FloatArray]
    expected: NDArray[np.floating]
    clean: NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return len(self.observed)

    @property
    def flux(self) -> FloatArray:
        """Flux maps (N, y, x) in units of their noise, were it white."""
        return flux_maps(self.observed)


@dataclass(frozen=True, eq=False)
class Looks:
    """What was measured of the galaxies of a set.

    Attributes
    ----------
    observed : LineMaps
        Of the cubes with noise.
    clean : LineMaps
        Of those without, or else the same.
    smooth : LineMaps
        Of the smooth disks of the same parameters.
    statistics : numpy.ndarray, (N, F)
        `map_statistics.STATISTICS`.
    kinematics, kinematics_observed : numpy.ndarray, (N, F)
        `kinematics.FEATURES` of the clean and of the observed cubes.
    clumps, clumps_observed : CubeClumps
        Likewise.
    """

    observed: LineMaps
    clean: LineMaps
    smooth: LineMaps
    statistics: FloatArray
    kinematics: FloatArray
    kinematics_observed: FloatArray
    clumps: CubeClumps
    clumps_observed: CubeClumps


def look_at(one: CubeSet, axes: CubeAxes, spread: float) -> Looks:
    """Measure the galaxies of a set.

    Parameters
    ----------
    one : CubeSet
    axes : CubeAxes
    spread : float
        Standard deviation of the noise in the difference of Gaussians that shows clumps
        (`cube_clumps.difference_noise`).
    """
    told, (rows, columns) = one.conditions, one.observed.shape[2:]
    ellipses = Ellipses(
        (columns - 1) / 2 + told["offset_x"] / axes.pixel_scale,
        (rows - 1) / 2 + told["offset_y"] / axes.pixel_scale,
        told["inclination"],
        told["position_angle"],
    )
    smooth = line_maps(one.smooth, axes, noisy=False, faintest=0.0)
    observed = line_maps(one.observed, axes, noisy=True)
    motions = kinematic_features(observed, smooth, ellipses)
    seeing, scale = told["seeing"], axes.pixel_scale
    clumps = clumps_of_disks(observed.flux, smooth.flux, seeing, scale, spread)
    looked = Looks(
        observed, observed, smooth, map_statistics(one.expected), motions, motions, clumps, clumps
    )
    if one.clean is None:
        return looked
    clean = line_maps(one.clean, axes, noisy=False)
    return Looks(
        observed,
        clean,
        smooth,
        looked.statistics,
        kinematic_features(clean, smooth, ellipses),
        motions,
        clumps_of_disks(clean.flux, smooth.flux, seeing, scale),
        clumps,
    )


def quantities(look: Looks) -> dict[str, FloatArray]:
    """Return the quantities that an astronomer asks for, each as an array over the galaxies.

    Those of `CLUMP_QUANTITIES` and of `kinematics.FEATURES` on cubes without noise, where they are
    known so, and on observed ones, called "observed NAME".
    """
    found: dict[str, FloatArray] = {}
    for prefix, clumps, motions in (
        ("", look.clumps, look.kinematics),
        ("observed ", look.clumps_observed, look.kinematics_observed),
    ):
        found[f"{prefix}clump_number"] = clumps.number.astype(np.float64)
        found[f"{prefix}clump_light"] = clumps.light
        found[f"{prefix}clump_radius"] = clumps.radius
        found |= {f"{prefix}{name}": motions[:, i] for i, name in enumerate(FEATURES)}
    return found


def flux_maps(cubes: NDArray[np.floating]) -> FloatArray:
    """Return the flux of cubes (N, v, y, x) in units of its noise, were that white, (N, y, x)."""
    return np.asarray(cubes.sum(axis=1, dtype=np.float64) / np.sqrt(cubes.shape[1]))
