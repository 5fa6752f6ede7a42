"""What a generator of stamps can be told about a galaxy, and how it is told: about 0 +- 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError


@dataclass(frozen=True)
class StampCondition:
    """One number that is known of a galaxy.

    Attributes
    ----------
    name, unit, description : str
    logarithmic : bool
        Whether its decimal logarithm is told.
    centre, scale : float
        About the mean and the scatter, over galaxies with H = 20-26 at z < 2, of what is told.
    """

    name: str
    unit: str
    description: str
    logarithmic: bool
    centre: float
    scale: float

    def standardise(self, values: ArrayLike) -> NDArray[np.float32]:
        """Return what the networks are told of the values, float32."""
        told = np.asarray(values, dtype=np.float64)
        if self.logarithmic:
            if not np.all(told > 0):
                raise InputError(
                    f"{self.name} of {np.min(told):g}: expected {self.unit or 'a number'} above 0"
                )
            told = np.log10(told)
        result = ((told - self.centre) / self.scale).astype(np.float32)
        if not np.isfinite(result).all():
            raise InputError(f"{self.name} holds values that aren't finite")
        return result


CONDITIONS = {
    one.name: one
    for one in (
        # A magnitude is told as the flux in units of the noise: what is seen depends on it.
        StampCondition("signal", "sigma", "total flux over the noise of a pixel", True, 3.0, 0.6),
        StampCondition("half_light_radius", "arcsec", "along the major axis", True, -0.5, 0.3),
        StampCondition("redshift", "", "redshift", False, 1.0, 0.5),
        StampCondition("sersic_index", "", "of disk and bulge together", True, 0.15, 0.3),
    )
}
"""Every condition, by its name."""


def standardised_conditions(
    names: Sequence[str], values: Mapping[str, ArrayLike]
) -> NDArray[np.float32]:
    """Return the condition vectors (N, K) of galaxies, float32.

    Parameters
    ----------
    names : sequence of str
        Of `CONDITIONS`.
    values : mapping
        One array of length N for each name, in the units of `CONDITIONS`; others are ignored.

    Raises
    ------
    InputError
        If there is no such condition, or a value is missing or out of range.
    """
    missing = sorted(set(names) - set(CONDITIONS))
    if missing:
        raise InputError(
            f"unknown condition {', '.join(missing)}: expected {', '.join(CONDITIONS)}"
        )
    columns = [CONDITIONS[name].standardise(values[name]) for name in names]
    length = len(np.asarray(next(iter(values.values()))))
    return np.stack(columns, axis=1) if columns else np.zeros((length, 0), np.float32)


def signal_of(magnitude: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
    """Return the flux of AB magnitudes in units of the noise per pixel, `sigma` in nJy."""
    flux = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - np.asarray(magnitude, dtype=np.float64)))
    signal: NDArray[np.float64] = flux / np.asarray(sigma, dtype=np.float64)
    return signal
