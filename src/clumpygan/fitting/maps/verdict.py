"""The verdict of a fit of a velocity map."""

from collections.abc import Mapping

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.goodness.remains import chance_of
from clumpygan.fitting.goodness.verdict import (
    DOUBTFUL,
    GOOD,
    NO_DETECTION,
    Detection,
    Verdict,
    a_few_less,
    of_convergence,
    of_limits,
)
from clumpygan.fitting.maps.misfit import Correlated
from clumpygan.fitting.maps.observation import MapObservation
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.target import Target

FloatArray = NDArray[np.float64]

_LEFT = 0.25
"""Share of the velocities' scatter that a disk leaves, above which it isn't what is seen."""

_SURE = 5.0
"""Standard errors by which chi^2 is too large, for that share to count."""

_SMALL = 0.5
"""Chi^2 per degree of freedom below which errors are far too large."""

_ROTATING = 2
"""Parameters that turn a constant velocity into a rotating disk without a centre of its own: the
position angle and the maximum velocity."""

_OUTSIDE = 1.0
"""Turnover radius over the radius of the map, above which the curve rises over all of it."""


def detect_rotation(target: Target, optimum: Optimum, correlated: Correlated) -> Detection:
    """Compare what a rotating disk gains over one velocity for all with what noise would gain."""
    gain = 2 * target.likelihood.log_likelihood(optimum.residuals)
    noise = max(correlated.variance - correlated.shared, 1.0)
    noise += correlated.shared * correlated.sharing
    return Detection(gain / noise, chance_of(gain / noise, target.coordinates.count, _ROTATING))


def judge_map(
    table: Table,
    values: Mapping[str, float],
    optimum: Optimum,
    draws: Draws,
    detection: Detection,
    correlated: Correlated,
    misfit: Misfit,
    observation: MapObservation,
    field: FloatArray,
    *,
    wanted: int,
) -> Verdict:
    """Judge a fit of a velocity map.

    Parameters
    ----------
    table, values, optimum, draws, detection, correlated, misfit
        What is known of the fit.
    observation : MapObservation
    field : ndarray (y, x)
        Velocities of the model.
    wanted : int
        Effective draws.
    """
    remarks = [*of_limits(table), *a_few_less(draws, wanted)]
    if misfit.factor > 1:
        remarks.append(
            f"errors are {misfit.factor:.2g} times those of independent noise: neighbouring "
            "residuals go together, as bars, arms and warps leave them"
        )
    if correlated.variance < _SMALL:
        remarks.append(
            f"the errors of the velocities are {correlated.variance**-0.5:.2g} times what "
            "they scatter by: binned or smoothed spaxels, perhaps"
        )
    share, scatter = _left(observation, field)
    if not detection.certain:
        word = NO_DETECTION
        reasons = [
            f"one velocity for all is as good: a rotating disk gains chi^2 {detection.gain:.0f} "
            f"with {len(table)} free parameters (probability up to {detection.chance:.2g})"
        ]
    else:
        reasons = of_convergence(optimum, draws, wanted)
        count = len(observation.places()[0])
        if share > _LEFT and correlated.variance > 1 + _SURE * np.sqrt(2 / count):
            reasons.append(
                f"the disk leaves {scatter:.0f} km/s rms beyond the errors, {100 * share:.0f} % of "
                "the scatter of the velocities: another `curve`, a bar, a warp, a merger, or "
                "another galaxy in the field (`mask`)"
            )
        radius = (
            float(np.sqrt(observation.valid.sum() / np.pi)) * observation.frame.grid.pixel_scale
        )
        turns = [float(row["median"]) for row in table if row["name"] == "turnover_radius"]
        if turns and turns[0] > _OUTSIDE * radius:
            reasons.append(
                f"the curve rises over all of the map (turnover radius {turns[0]:.2g}, the map "
                f"{radius:.2g} arcsec): maximum_velocity is extrapolated; try `prior` or `fix`"
            )
        word = DOUBTFUL if reasons else GOOD
    return Verdict(
        word, tuple(reasons), tuple(remarks), detection.gain, detection.chance,
        correlated.variance, share, None, misfit.factor,
    )  # fmt: skip


def _left(observation: MapObservation, field: FloatArray) -> tuple[float, float]:
    """Return the share of the scatter that is left, and its root mean square in km/s."""
    known = observation.valid[0]
    data, variance = observation.data[0][known], observation.variance[0][known]
    left = np.mean((data - field[known]) ** 2 - variance)
    all_of_it = np.mean((data - np.mean(data)) ** 2 - variance)
    rms = float(np.sqrt(max(left, 0.0)))
    return (rms / float(np.sqrt(all_of_it)) if all_of_it > 0 else 1.0), rms
