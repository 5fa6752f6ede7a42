"""What a wrong PSF would do to a fit: how far parameters move if it is wider than was said.

Galaxies that are hardly larger than the PSF are seen through it: the rounder it makes them, the
more inclined a disk of the same image has to be. To first order the optimum moves by
-H^-1 J (z' - z), with the Jacobian J of the residuals, the Hessian H, and the residuals z and z'
with the PSF and with a wider one.
"""

from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.target import Target
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.galaxies.rendering.fourier import Transfer

FloatArray = NDArray[np.float64]

WIDER = 0.1
"""By this share is the PSF wider that is tried: seeing is seldom known better."""

_SHARE = 0.02
"""Share of a value, beyond which a change is told of."""

_TOLD = ("inclination", "half_light_radius", "maximum_velocity", "velocity_dispersion")
"""Parameters that are looked at."""


def widened(psf: Transfer, factor: float) -> Transfer:
    """Return the transfer function of the PSF that is wider by a factor."""

    def function(
        ky: ArrayLike, kx: ArrayLike
    ) -> NDArray[np.floating] | NDArray[np.complexfloating]:
        return psf(factor * np.asarray(ky, np.float64), factor * np.asarray(kx, np.float64))

    return function


def shifts_of(target: Target, optimum: Optimum) -> dict[str, float]:
    """Return by how much each free parameter moves if the PSF is wider by `WIDER`.

    Empty without a PSF, or where the optimum came without its Jacobian.
    """
    renderer = target.renderer
    if not isinstance(renderer, CubeRenderer) or optimum.jacobian is None:
        return {}
    psf = target.likelihood.observation.frame.transfer
    if psf is None:
        return {}
    wider = CubeRenderer(renderer.grid, renderer.model, widened(psf, 1 + WIDER), renderer.accuracy)
    vector = target.coordinates.vectors(optimum.coordinates)
    z = target.likelihood.residuals(wider(vector[None])[0])
    moved = optimum.covariance @ (optimum.jacobian @ (z - optimum.residuals)).astype(np.float64)
    # Where it would move far, it is only the direction that counts.
    moved = moved / max(1.0, float(np.abs(moved).max()))
    before = target.coordinates.values(optimum.coordinates)
    after = target.coordinates.values(optimum.coordinates - moved)
    return dict(zip(target.coordinates.names, (after - before).tolist(), strict=True))


def told_of_psf(shifts: Mapping[str, float], table: Table) -> list[str]:
    """Return a remark on what a wider PSF changes by more than the errors.

    Parameters
    ----------
    shifts : mapping of str to float
        As `shifts_of` returns them.
    table : Table
        As `tabulate` returns it.
    """
    words = [
        f"{row['name']} by {shifts[str(row['name'])]:+.2g} {row['unit']}"
        for row in table
        if row["name"] in _TOLD
        and abs(shifts.get(str(row["name"]), 0.0))
        > max(float(row["deviation"]), _SHARE * abs(float(row["median"])))
    ]
    if not words:
        return []
    return [
        f"a PSF {100 * WIDER:.0f} % wider would change {', '.join(words)}, more than the errors: "
        "it has to be known well"
    ]
