"""The joint density of real galaxies: redshift, mass, size, Sersic index, axis ratio given H.

It was fitted to galaxies of the COSMOS field as 3D-HST and CANDELS measured them; the file
`population_density.yaml` says how, `benchmarks/population_density.py` makes it and compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

DENSITY_FILE = Path(__file__).with_name("population_density.yaml")

MINIMUM_REDSHIFT = 0.1
"""Nearer galaxies are larger than a stamp."""

SMALLEST_RADIUS, LARGEST_RADIUS = 0.02, 2.0
"""Arcsec: a third of a pixel of CANDELS, where fits of galaxies end, and a third of a stamp."""

SMALLEST_INDEX, LARGEST_INDEX = 0.3, 6.0
"""Of Sersic; what is beyond is drawn there."""

SMALLEST_AXIS_RATIO = 0.08
"""The thinnest disks seen edge-on."""

_MAGNITUDES = (19.5, 26.5)
_AXIS_RATIOS = (0.03, 1.01)
_ATTEMPTS = 50

FloatArray = NDArray[np.float64]


class Drawn(NamedTuple):
    """What is drawn for a galaxy of known magnitude; sizes in arcsec along the major axis."""

    redshift: float
    log_stellar_mass: float
    half_light_radius: float
    sersic_index: float
    axis_ratio: float


def to_coordinates(quantities: Mapping[str, Any]) -> FloatArray:
    """Return the coordinates in which the density is a mixture of Gaussians, (N, 6).

    Parameters
    ----------
    quantities : mapping
        Arrays `h_magnitude`, `redshift`, `log_stellar_mass`, `half_light_radius` (arcsec),
        `sersic_index` and `axis_ratio`.
    """
    low, high = _AXIS_RATIOS
    share = np.clip((quantities["axis_ratio"] - low) / (high - low), 1e-3, 1.0 - 1e-3)
    return np.stack(
        [
            quantities["h_magnitude"],
            np.log10(1.0 + quantities["redshift"]),
            quantities["log_stellar_mass"],
            np.log10(quantities["half_light_radius"]),
            np.log10(quantities["sersic_index"]),
            np.log(share / (1.0 - share)),
        ],
        axis=1,
    )


def to_quantities(coordinates: FloatArray) -> dict[str, FloatArray]:
    """Return the quantities of points (..., 6), by name: the inverse of `to_coordinates`."""
    magnitude, redshift, mass, radius, index, logit = np.moveaxis(coordinates, -1, 0)
    low, high = _AXIS_RATIOS
    return {
        "h_magnitude": magnitude,
        "redshift": 10**redshift - 1.0,
        "log_stellar_mass": mass,
        "half_light_radius": 10**radius,
        "sersic_index": 10**index,
        "axis_ratio": low + (high - low) / (1.0 + np.exp(-logit)),
    }


@dataclass(frozen=True)
class PopulationDensity:
    """A mixture of Gaussians in the coordinates of `to_coordinates`, used given H and redshift.

    Attributes
    ----------
    shares : ndarray of shape (K,)
    means : ndarray of shape (K, 6)
    covariances : ndarray of shape (K, 6, 6)
    redshift_magnitudes : ndarray of shape (M,)
        H at which the distribution of the redshift is tabulated.
    redshift_levels : ndarray of shape (L,)
        From 0 to 1.
    redshift_quantiles : ndarray of shape (M, L)
        Redshifts below which such shares of the galaxies lie.
    """

    shares: FloatArray
    means: FloatArray
    covariances: FloatArray
    redshift_magnitudes: FloatArray
    redshift_levels: FloatArray
    redshift_quantiles: FloatArray

    @cached_property
    def _given(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return what conditioning on (H, redshift) needs, for each component.

        Log of share over normalisation, inverse covariance of the two (2, 2), regression of the
        rest on them (4, 2), and the Cholesky factor of what scatter is left (4, 4).
        """
        known = self.covariances[:, :2, :2]
        inverse = np.linalg.inv(known)
        regression = self.covariances[:, 2:, :2] @ inverse
        left = self.covariances[:, 2:, 2:] - regression @ self.covariances[:, :2, 2:]
        weight = np.log(self.shares) - 0.5 * np.linalg.slogdet(known)[1]
        parts = (weight, inverse, regression, np.linalg.cholesky(left))
        first, second, third, fourth = (np.asarray(part, dtype=np.float64) for part in parts)
        return first, second, third, fourth

    def draw(
        self, generator: np.random.Generator, magnitude: float, *, max_redshift: float
    ) -> Drawn:
        """Draw a galaxy of a magnitude.

        Beyond the magnitudes of the catalogue (19.5 to 26.5) all but the mass, which follows the
        light, is as at the nearest of them.

        Parameters
        ----------
        generator : numpy.random.Generator
        magnitude : float
            F160W, AB.
        max_redshift : float
            More than `MINIMUM_REDSHIFT`.

        Returns
        -------
        Drawn
        """
        seen = float(np.clip(magnitude, *_MAGNITUDES))
        redshift = self._draw_redshift(generator, seen, max_redshift)
        weight, inverse, regression, factor = self._given
        off = np.array([seen, np.log10(1.0 + redshift)]) - self.means[:, :2]
        exponent = weight - 0.5 * np.einsum("ki,kij,kj->k", off, inverse, off)
        cumulative = np.cumsum(np.exp(exponent - exponent.max()))
        for _ in range(_ATTEMPTS):
            k = int(np.searchsorted(cumulative, generator.random() * cumulative[-1]))
            k = min(k, len(cumulative) - 1)
            rest = self.means[k, 2:] + regression[k] @ off[k]
            rest = rest + factor[k] @ generator.standard_normal(4)
            if np.log10(SMALLEST_RADIUS) < rest[1] < np.log10(LARGEST_RADIUS):
                break
        found = to_quantities(np.array([seen, np.log10(1.0 + redshift), *rest]))
        return Drawn(
            redshift,
            float(rest[0] - 0.4 * (magnitude - seen)),
            float(np.clip(found["half_light_radius"], SMALLEST_RADIUS, LARGEST_RADIUS)),
            float(np.clip(found["sersic_index"], SMALLEST_INDEX, LARGEST_INDEX)),
            float(np.clip(found["axis_ratio"], SMALLEST_AXIS_RATIO, 1.0)),
        )

    def _draw_redshift(
        self, generator: np.random.Generator, magnitude: float, highest: float
    ) -> float:
        """Invert the cumulative distribution, interpolated in magnitude, below a limit."""
        grid, table = self.redshift_magnitudes, self.redshift_quantiles
        place = float(np.interp(magnitude, grid, np.arange(len(grid))))
        row = min(int(place), len(grid) - 2)
        quantiles = table[row] + (place - row) * (table[row + 1] - table[row])
        below = np.interp(highest, quantiles, self.redshift_levels)
        return float(np.interp(generator.random() * below, self.redshift_levels, quantiles))


@lru_cache(maxsize=1)
def population_density() -> PopulationDensity:
    """Return the density that ships with the package."""
    numbers = yaml.safe_load(DENSITY_FILE.read_text(encoding="utf-8"))
    components = np.array(numbers["components"])
    lower = np.tril_indices(6)
    covariances = np.zeros((len(components), 6, 6))
    covariances[:, *lower] = components[:, 7:]
    covariances[:, lower[1], lower[0]] = components[:, 7:]
    return PopulationDensity(
        components[:, 0] / components[:, 0].sum(),
        components[:, 1:7],
        covariances,
        np.array(numbers["redshift_magnitudes"]),
        np.array(numbers["redshift_levels"]),
        np.array(numbers["redshift_quantiles"]),
    )
