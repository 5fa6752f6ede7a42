"""What is chosen about a disk galaxy before anything is measured."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.disk_table import CLUMP_PARAMETERS, LINE_RATIO, PARAMETERS
from clumpygan.galaxies.parameter import Parameter, draw

Light = Literal["sersic", "ring"]
Vertical = Literal["gaussian", "exponential", "sech2"]
Curve = Literal[
    "arctan",
    "tanh",
    "exponential",
    "courteau",
    "freeman",
    "mass_following",
    "nfw",
    "isothermal",
    "table",
]

LIGHTS: tuple[str, ...] = get_args(Light)
VERTICALS: tuple[str, ...] = get_args(Vertical)
CURVES: tuple[str, ...] = get_args(Curve)
"""Their order is the number by which the compiled kernels know them."""

MAXIMUM_CLUMPS_OF_CUBE = 16
"""As many clumps as one parameter vector may hold."""

MAXIMUM_EXTRA_LINES = 6


@dataclass(frozen=True)
class DiskModel:
    """What is chosen before anything is measured.

    Attributes
    ----------
    light : str
        "sersic", or "ring": a Gaussian annulus of radius `half_light_radius`.
    vertical : str
        "gaussian", "exponential" or "sech2".
    curve : str
        Rotation curve, one of `CURVES` (see `clumpygan.galaxies.rotation`).
    asymmetric_drift : bool
        Whether pressure support is taken off the circular velocity.
    arms : int
        Number of spiral arms, 0 for none.
    clumps : int
        Number of clumps.
    warped : bool
        Whether inclination and position angle change with radius.
    extra_lines : int
        Number of lines beyond the second, each with a ratio (`line_3_ratio`, ...); 0 leaves the
        fluxes of more than two lines to the grid.
    rotation_table : tuple of (radius in arcsec, velocity in km/s), optional
        For the curve "table"; linear in between, constant outside, and 0 at radius 0.
    """

    light: Light = "sersic"
    vertical: Vertical = "gaussian"
    curve: Curve = "arctan"
    asymmetric_drift: bool = False
    arms: int = 0
    clumps: int = 0
    warped: bool = False
    extra_lines: int = 0
    rotation_table: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for name, known in (("light", LIGHTS), ("vertical", VERTICALS), ("curve", CURVES)):
            if getattr(self, name) not in known:
                given = getattr(self, name)
                raise InputError(f"{name} is {given!r}; expected one of {', '.join(known)}")
        if not 0 <= self.arms <= 8:
            raise InputError(f"arms is {self.arms}; expected 0 to 8 spiral arms")
        if not 0 <= self.clumps <= MAXIMUM_CLUMPS_OF_CUBE:
            raise InputError(f"clumps is {self.clumps}; expected 0 to {MAXIMUM_CLUMPS_OF_CUBE}")
        if not 0 <= self.extra_lines <= MAXIMUM_EXTRA_LINES:
            raise InputError(
                f"extra_lines is {self.extra_lines}; expected 0 to {MAXIMUM_EXTRA_LINES}"
            )
        radii = np.array([row[0] for row in self.rotation_table], dtype=float)
        if self.curve == "table" and (len(radii) < 2 or (np.diff(radii, prepend=0.0) < 0).any()):
            raise InputError("rotation_table: expected at least 2 rows with increasing radii >= 0")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries of a parameter vector, `clump_1_x` being the first clump's x."""
        return tuple(row.name for row in self.table)

    @property
    def table(self) -> tuple[Parameter, ...]:
        """The rows of the entries of a parameter vector."""
        return _table(self.clumps, self.extra_lines)

    @property
    def first_ratio(self) -> int:
        """Where the ratios of the extra lines begin in the vector: light and motion end there."""
        return len(PARAMETERS) + self.clumps * len(CLUMP_PARAMETERS)

    def line_fluxes(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fluxes of the lines of a vector, over that of the second."""
        ratio = vector[self.index("doublet_ratio")]
        return np.array([ratio, 1.0, *vector[self.first_ratio :]])

    def index(self, name: str) -> int:
        """Return the place of a parameter in the vector.

        Raises
        ------
        InputError
            If the model has no such parameter.
        """
        try:
            return _places(self.clumps, self.extra_lines)[name]
        except KeyError:
            raise InputError(
                f"no parameter {name!r}: expected one of {', '.join(self.names)}"
            ) from None

    def defaults(self) -> NDArray[np.float64]:
        """Return the vector of default values, float64."""
        return np.array([row.default for row in self.table])

    def draw(self, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Draw parameter vectors from the priors of the table.

        Clumps share at most 60 % of the light; the scale height stays below 0.4 half-light radii.

        Parameters
        ----------
        generator : numpy.random.Generator
        count : int

        Returns
        -------
        ndarray of shape (count, P), float64
        """
        vectors = np.stack([draw(row, generator, count) for row in self.table], axis=1)
        first = len(PARAMETERS)
        if self.clumps:
            fractions = vectors[:, first : self.first_ratio : len(CLUMP_PARAMETERS)]
            fractions *= np.minimum(1.0, 0.6 / fractions.sum(1, keepdims=True))
        height, radius = self.index("scale_height"), self.index("half_light_radius")
        vectors[:, height] = np.minimum(vectors[:, height], 0.4 * vectors[:, radius])
        return vectors


@cache
def _table(clumps: int, extra_lines: int) -> tuple[Parameter, ...]:
    own = [
        replace(row, name=f"clump_{number}_{row.name}")
        for number in range(1, clumps + 1)
        for row in CLUMP_PARAMETERS
    ]
    ratios = [replace(LINE_RATIO, name=f"line_{3 + k}_ratio") for k in range(extra_lines)]
    return (*PARAMETERS, *own, *ratios)


@cache
def _places(clumps: int, extra_lines: int) -> dict[str, int]:
    return {row.name: place for place, row in enumerate(_table(clumps, extra_lines))}
