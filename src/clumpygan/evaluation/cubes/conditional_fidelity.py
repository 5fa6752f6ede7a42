"""Does a generator do as it is told? Disks are fitted to its cubes, and to true cubes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError

PARAMETERS: dict[str, str] = {
    "inclination": "deg",
    "position_angle": "deg",
    "maximum_velocity": "%",
    "half_light_radius": "%",
    "velocity_dispersion": "%",
}
"""Parameters that are compared, and the unit of what is said of them; % is of what was asked."""

_BOOTSTRAPS = 500
_MAD_TO_SIGMA = 1.4826

FloatArray = NDArray[np.float64]


class Measured(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class ConditionalFidelity:
    """How one parameter comes back.

    Attributes
    ----------
    bias, true_bias : Measured
        Median of fitted less asked, of generated and of true cubes.
    excess_bias : Measured
        Median over the galaxies of the fit to the generated cube less that to the true one.
    scatter, true_scatter : Measured
        1.4826 times the median absolute deviation from the median.
    scatter_ratio : Measured
        That of generated cubes over that of true ones.
    """

    bias: Measured
    scatter: Measured
    true_bias: Measured
    true_scatter: Measured
    excess_bias: Measured
    scatter_ratio: Measured


def departures(
    asked: Mapping[str, FloatArray], fitted: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return fitted less asked (N,) of each of `PARAMETERS`, in its unit.

    Position angles differ by at most 180 degrees.
    """
    found = {}
    for name, unit in PARAMETERS.items():
        difference = np.asarray(fitted[name]) - np.asarray(asked[name])
        if name == "position_angle":
            difference = (difference + 180.0) % 360.0 - 180.0
        found[name] = difference / np.asarray(asked[name]) * 100.0 if unit == "%" else difference
    return found


def conditional_fidelity(
    generated: Mapping[str, FloatArray],
    true: Mapping[str, FloatArray],
    generator: np.random.Generator,
) -> dict[str, ConditionalFidelity]:
    """Compare what comes back of generated cubes with what does of true ones.

    Parameters
    ----------
    generated, true : mapping
        Of `departures`, (N,) each: of the same galaxies, asked for and true, with the same noise.
    generator : numpy.random.Generator
        For the errors, from 500 bootstraps over the galaxies.

    Returns
    -------
    dict
        Parameter -> ConditionalFidelity.

    Raises
    ------
    InputError
        If they aren't of the same number of galaxies, or of fewer than 3.
    """
    counts = {len(one) for side in (generated, true) for one in side.values()}
    if len(counts) != 1 or min(counts) < 3:
        raise InputError(
            f"fits of {', '.join(map(str, sorted(counts)))} galaxies: expected the same 3 or more"
        )
    number = counts.pop()
    draws = generator.integers(number, size=(_BOOTSTRAPS, number))
    found = {}
    for name in PARAMETERS:
        made, real = np.asarray(generated[name]), np.asarray(true[name])
        whole = _statistics(made[None], real[None])[:, 0]
        errors = _statistics(made[draws], real[draws]).std(axis=1)
        found[name] = ConditionalFidelity(
            *(Measured(float(v), float(e)) for v, e in zip(whole, errors, strict=True))
        )
    return found


def _statistics(made: FloatArray, real: FloatArray) -> FloatArray:
    """Return the fields of `ConditionalFidelity` (6, S) for samples (S, N)."""
    biases, scatters = zip(*(_median_and_scatter(one) for one in (made, real)), strict=True)
    ratio = scatters[0] / np.maximum(scatters[1], 1e-12)
    excess = np.median(made - real, axis=1)
    return np.stack([biases[0], scatters[0], biases[1], scatters[1], excess, ratio])


def _median_and_scatter(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    median = np.median(samples, axis=1)
    return median, _MAD_TO_SIGMA * np.median(np.abs(samples - median[:, None]), axis=1)
