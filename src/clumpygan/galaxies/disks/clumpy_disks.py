"""A population of gas disks that aren't smooth: clumpy, lopsided, warped and turbulent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.disk_table import CLUMP_PARAMETERS
from clumpygan.galaxies.disks.light_radius import clumps_within, growth_curves
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.disks.turbulence import Turbulence
from clumpygan.settings import check, setting

DEPARTURES = (
    "arm_amplitude", "lopsidedness", "warp_inclination", "warp_position_angle",
)  # fmt: skip
"""Parameters that are 0 in a smooth disk."""


@dataclass(frozen=True)
class ClumpyDisks:
    """What is drawn of a galaxy beside the parameters of its smooth disk.

    Attributes
    ----------
    clumpless : float
        Share of galaxies without a clump. 40 % of low-mass star-forming galaxies at z > 0.5 have
        none (Guo et al. 2015, ApJ 800, 39).
    mean_clumps : float
        Mean number of clumps of the others: 1 + Poisson, `most_clumps` at most (on average 2, at
        most 8: Soto et al. 2017, ApJ 837, 6).
    most_clumps : int
    clump_fraction : (float, float)
        Of the line flux, log-uniform.
    warp_inclination, warp_position_angle : float
        Standard deviations, degrees per half-light radius.
    turbulence : Turbulence
    """

    clumpless: float = 0.35
    mean_clumps: float = 2.5
    most_clumps: int = 6
    clump_fraction: tuple[float, float] = (0.04, 0.16)
    warp_inclination: float = setting(3.0, "spread of tilts", "deg", least=0, most=90)
    warp_position_angle: float = setting(4.0, "spread of twists", "deg", least=0, most=180)
    turbulence: Turbulence = field(default_factory=Turbulence)

    def __post_init__(self) -> None:
        check(self)
        if not 0 <= self.clumpless <= 1:
            raise InputError(f"clumpless is {self.clumpless}; expected a share from 0 to 1")
        if not 1 <= self.mean_clumps <= self.most_clumps <= 16:
            raise InputError(
                f"mean_clumps {self.mean_clumps} and most_clumps {self.most_clumps}: expected at "
                "least 1, the mean no more than the most, and 16 at most"
            )
        low, high = self.clump_fraction
        if not 0 < low <= high < 1:
            raise InputError(
                f"clump_fraction from {low:g} to {high:g}; expected two rising shares of the flux"
            )

    @property
    def model(self) -> DiskModel:
        """The model of these galaxies."""
        return DiskModel(arms=2, clumps=self.most_clumps, warped=True)

    def draw(
        self,
        generator: np.random.Generator,
        ranges: Mapping[str, tuple[float, float]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Draw one galaxy.

        Parameters
        ----------
        generator : numpy.random.Generator
        ranges : mapping of str to (float, float), optional
            Parameters that aren't drawn from the priors of the table, but uniformly from these.

        Returns
        -------
        vector : ndarray of shape (P,), float64
            In the order of `model.names`.
        maps : ndarray of shape (3, N, N), float32
            Of `Turbulence.draw`.
        """
        model = self.model
        vector = model.draw(generator, 1)[0]
        for name, (low, high) in (ranges or {}).items():
            vector[model.index(name)] = generator.uniform(low, high) if low < high else low
        for name in ("warp_inclination", "warp_position_angle"):
            vector[model.index(name)] = getattr(self, name) * generator.standard_normal()
        self._draw_clumps(generator, model, vector)
        sigma = float(vector[model.index("velocity_dispersion")])
        return vector, self.turbulence.draw(generator, sigma)

    def growth_curve(
        self, vector: NDArray[np.float64], maps: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return the shares (rings,) of the light of a galaxy within `RADII`, seen face-on.

        In half-light radii of the smooth disk.

        Parameters
        ----------
        vector, maps
            As `draw` returns them. Arms and lopsidedness leave the light of a ring what it is.
        """
        model = self.model
        extent, place = self.turbulence.extent, model.index("half_light_radius")
        index, unit = vector[model.index("sersic_index")], vector[place]
        (grown,) = growth_curves(maps[:1], [index], extent)
        if self.most_clumps:
            first = model.index("clump_1_fraction")
            end = first + self.most_clumps * len(CLUMP_PARAMETERS)
            shares, x, y, size, _ = vector[first:end].reshape(self.most_clumps, -1).T
            grown = (1 - shares.sum()) * grown + shares @ clumps_within(x, y, size / unit)
        return np.asarray(grown)

    def _draw_clumps(
        self, generator: np.random.Generator, model: DiskModel, vector: NDArray[np.float64]
    ) -> None:
        """Give shares of the flux to as many clumps as there are, and none to the rest."""
        count = 0
        if generator.random() >= self.clumpless:
            count = min(1 + generator.poisson(self.mean_clumps - 1), self.most_clumps)
        first = model.index("clump_1_fraction") if self.most_clumps else 0
        low, high = (float(np.log(share)) for share in self.clump_fraction)
        shares = np.exp(generator.uniform(low, high, self.most_clumps))
        shares[count:] = 0.0
        vector[first :: len(CLUMP_PARAMETERS)] = shares * min(1.0, 0.6 / max(shares.sum(), 1e-9))


def smooth_vectors(vectors: NDArray[np.float64], model: DiskModel) -> NDArray[np.float64]:
    """Return what is left of galaxies without clumps, arms, lopsidedness and warps.

    Parameters
    ----------
    vectors : ndarray of shape (N, P)
        In the order of `model.names`.
    model : DiskModel

    Returns
    -------
    ndarray of shape (N, P'), float64
        In the order of ``DiskModel().names``; with the whole flux.
    """
    smooth = vectors[:, : len(DiskModel().names)].copy()
    for name in DEPARTURES:
        smooth[:, model.index(name)] = 0.0
    return smooth
