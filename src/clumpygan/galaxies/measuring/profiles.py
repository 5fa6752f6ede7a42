"""Rotation curves and dispersion profiles of galaxies that are known."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.galaxies.disks.parameters import CURVES, DiskModel, DiskParameters
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.curve_tables import table_of
from clumpygan.galaxies.rendering.rotation import dispersion, rotation_velocity

FloatArray = NDArray[np.float64]


@njit(error_model="numpy")
def _along(curve, radii, p, table, drift, out):  # type: ignore[no-untyped-def]
    """Write the rotation velocities and dispersions (2, K) of a vector at radii (K,)."""
    for k in range(radii.size):
        out[0, k] = rotation_velocity(curve, radii[k], p, table, drift)
        out[1, k] = dispersion(curve, radii[k], out[0, k], p, table)


def curves_of(model: DiskModel, vectors: ArrayLike, radii: ArrayLike) -> FloatArray:
    """Return rotation velocities and dispersions (2, S, K) of galaxies at radii, km/s.

    Parameters
    ----------
    model : DiskModel
    vectors : array_like (S, P)
    radii : array_like (S, K)
        Arcsec, in the plane of the disk.
    """
    curve, drift = CURVES.index(model.curve), model.asymmetric_drift
    places = np.ascontiguousarray(radii, dtype=np.float64)
    answer = np.empty((len(places), 2, places.shape[1]))
    for p, own, out in zip(np.asarray(vectors, dtype=np.float64), places, answer, strict=True):
        _along(curve, own, np.ascontiguousarray(p), table_of(model, p), drift, out)
    return np.moveaxis(answer, 1, 0)


def profiles_of(galaxy: DiskParameters, radii: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return rotation velocities and dispersions (K,) of one galaxy at radii (K,), km/s.

    Parameters
    ----------
    galaxy : DiskParameters
    radii : array_like (K,)
        Arcsec, in the plane of the disk.
    """
    vectors, own = galaxy.to_vector()[None], np.asarray(radii, dtype=np.float64)[None]
    velocities, sigmas = curves_of(galaxy.model, vectors, own)[:, 0]
    return velocities, sigmas
