"""What is chosen about a disk galaxy before anything is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.declaration import Parameter, draw
from clumpygan.galaxies.disks.disk_table import (
    CLUMP_PARAMETERS,
    LINE_RATIO,
    PARAMETERS,
    RING_PARAMETERS,
)
from clumpygan.galaxies.disks.light_map import LightMap
from clumpygan.settings import check, did_you_mean, setting

# numpy is imported where it is needed: the flags of the programs are made from this class.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Light = Literal["sersic", "ring", "map"]
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
    "burkert",
    "sersic_disk",
    "sersic_nfw",
    "sersic_burkert",
    "nfw_mass",
    "burkert_mass",
    "dekel_zhao_mass",
    "nfw_fraction",
    "table",
    "rings",
]

LIGHTS: tuple[str, ...] = get_args(Light)
VERTICALS: tuple[str, ...] = get_args(Vertical)
CURVES: tuple[str, ...] = get_args(Curve)
"""Their order is the number by which the compiled kernels know them."""

GALPAK_HEIGHT: dict[str, float] = {"gaussian": 1.17, "exponential": 0.69, "sech2": 0.88}
"""GalPaK3D's height (the aspect times the radius) in our scale heights; its "thick" disk has the
`thick_dispersion` of the same number."""

GALPAK_ASPECT = 0.15
"""Height over half-light radius of GalPaK3D's disks; by default those of fits and mocks are as
thick: of a galaxy that isn't well resolved, thickness and inclination can't be told apart."""

HEIGHT_OF_RADIUS = {name: GALPAK_ASPECT / height for name, height in GALPAK_HEIGHT.items()}
"""Scale height over half-light radius of such disks."""

HEIGHT_SCATTER = 0.15
"""Scatter of that in dex. Of 133 edge-on spirals the flattening is 0.124 with an intrinsic scatter
of 0.033, 0.12 dex (arXiv:2409.06768); disks of gas, and early ones, are no more alike."""

CURVE_PARAMETERS: dict[str, tuple[str, ...]] = {
    "arctan": ("maximum_velocity", "turnover_radius"),
    "tanh": ("maximum_velocity", "turnover_radius"),
    "exponential": ("maximum_velocity", "turnover_radius"),
    "courteau": ("maximum_velocity", "turnover_radius", "curve_slope"),
    "freeman": ("maximum_velocity",),
    "mass_following": ("maximum_velocity",),
    "nfw": ("maximum_velocity", "halo_velocity", "halo_radius"),
    "isothermal": ("maximum_velocity", "halo_velocity", "halo_radius"),
    "burkert": ("maximum_velocity", "halo_velocity", "halo_radius"),
    "sersic_disk": ("maximum_velocity",),
    "sersic_nfw": ("maximum_velocity", "halo_velocity", "halo_radius"),
    "sersic_burkert": ("maximum_velocity", "halo_velocity", "halo_radius"),
    "table": (),
    "rings": ("turnover_radius",),
    "nfw_mass": ("log_baryonic_mass", "log_halo_mass", "concentration"),
    "burkert_mass": ("log_baryonic_mass", "log_halo_mass", "concentration"),
    "dekel_zhao_mass": ("log_baryonic_mass", "log_halo_mass", "concentration", "halo_slope"),
    "nfw_fraction": ("log_baryonic_mass", "dark_matter_fraction", "concentration"),
}
"""Which parameters each rotation curve has, besides those of the light and of rings."""

MASS_CURVES = ("nfw_mass", "burkert_mass", "dekel_zhao_mass", "nfw_fraction")
"""Curves that are given by masses: they need `galaxy_redshift` and `angular_scale`."""

HALOS = ("nfw", "isothermal", "burkert", "sersic_nfw", "sersic_burkert", *MASS_CURVES)
"""Curves of a disk in a dark halo."""

MAXIMUM_CLUMPS_OF_CUBE = 16
"""As many clumps as one parameter vector may hold."""

MAXIMUM_ARMS, MAXIMUM_EXTRA_LINES = 8, 6

FEWEST_RINGS, MOST_RINGS = 2, 24
"""Of the curve 'rings'."""


@dataclass(frozen=True)
class DiskModel:
    """What is chosen before anything is measured.

    Attributes
    ----------
    light : str
        "sersic"; "ring": a Gaussian annulus of radius `half_light_radius`; "map": a Sersic
        profile times a map in the plane of the disk.
    vertical : str
        "gaussian", "exponential" or "sech2".
    curve : str
        Rotation curve, one of `CURVES` (see `clumpygan.galaxies.rendering.rotation`).
    asymmetric_drift : bool
        Whether pressure support is taken off the circular velocity.
    arms : int
        Number of spiral arms, 0 for none.
    clumps : int
        Number of clumps.
    warped : bool
        Whether inclination and position angle change with radius.
    radial_flow : bool
        Whether there is a `radial_velocity`.
    extra_lines : int
        Number of lines beyond the second, each with a ratio (`line_3_ratio`, ...); 0 leaves the
        fluxes of more than two lines to the grid.
    rotation_table : tuple of (radius in arcsec, velocity in km/s), optional
        For the curve "table"; linear in between, constant outside, and 0 at radius 0.
    ring_radii : tuple of float
        For the curve "rings": the radii in arcsec at which velocity and dispersion are parameters
        (`ring_1_velocity`, `ring_1_dispersion`, ...). Without any, fits choose them.
    light_map : LightMap, optional
        For the light "map"; without one, fits take it from the data.
    """

    light: Light = setting("sersic", "profile in the plane of the disk")
    vertical: Vertical = setting("gaussian", "profile above the plane")
    curve: Curve = setting("arctan", "rotation curve")
    asymmetric_drift: bool = setting(False, "take pressure support off the circular velocity")
    arms: int = setting(0, "spiral arms, with arm_amplitude", "N", least=0, most=MAXIMUM_ARMS)
    clumps: int = setting(
        0,
        "clumps: drawn at random, in fits free in flux and place",
        "N",
        least=0,
        most=MAXIMUM_CLUMPS_OF_CUBE,
    )
    warped: bool = setting(False, "inclination and position angle change with radius")
    radial_flow: bool = setting(False, "gas flows in or out in the plane, at radial_velocity")
    extra_lines: int = setting(
        0, "lines beyond the second, each with a ratio", "N", least=0, most=MAXIMUM_EXTRA_LINES
    )
    rotation_table: tuple[tuple[float, float], ...] = setting(
        (), "the curve 'table': rows of radius [arcsec] and velocity [km/s]"
    )
    ring_radii: tuple[float, ...] = setting(
        (),
        "the curve 'rings': radii in arcsec, separated by commas",
        "RADII",
        default_words="0.7 of a beam apart or more, as far as there is light",
    )
    light_map: LightMap | None = None

    def __post_init__(self) -> None:
        check(self)
        radii = [0.0, *(row[0] for row in self.rotation_table)]
        if self.curve == "table" and (len(radii) < 3 or any(b < a for a, b in pairwise(radii))):
            raise InputError(
                "`rotation_table`: expected at least 2 rows with increasing radii >= 0"
            )
        self._check_rings()
        if self.light_map is not None and self.light != "map":
            raise InputError(
                f"`light_map` is that of the light 'map', not {self.light}; leave one of them out"
            )

    def _check_rings(self) -> None:
        """Refuse radii that no curve of rings has, and drift, which rings have taken off."""
        if self.curve == "rings" and self.asymmetric_drift:
            raise InputError(
                "the curve 'rings' is what rotates: `asymmetric_drift` has nothing to be taken "
                "off; leave one of them out"
            )
        if not self.ring_radii:
            return
        if self.curve != "rings":
            raise InputError(
                f"`ring_radii` are those of the curve 'rings', not {self.curve}; leave one of them "
                "out"
            )
        radii = (0.0, *self.ring_radii)
        few = not FEWEST_RINGS <= len(self.ring_radii) <= MOST_RINGS
        if few or not all(a < b < math.inf for a, b in pairwise(radii)):
            told = ",".join(f"{radius:g}" for radius in self.ring_radii)
            raise InputError(
                f"`ring_radii` {told}: expected {FEWEST_RINGS} to {MOST_RINGS} radii in arcsec, "
                "above 0 and rising"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries of a parameter vector, `clump_1_x` being the first clump's x."""
        return tuple(_places(self.clumps, self.extra_lines, len(self.ring_radii)))

    @property
    def table(self) -> tuple[Parameter, ...]:
        """The rows of the entries of a parameter vector."""
        return _table(self.clumps, self.extra_lines, len(self.ring_radii))

    @property
    def first_ratio(self) -> int:
        """Where the ratios of the extra lines begin in the vector: light and motion end there."""
        return len(PARAMETERS) + self.clumps * len(CLUMP_PARAMETERS)

    @property
    def first_ring(self) -> int:
        """Where the rings begin in the vector, each with its velocity and its dispersion."""
        return self.first_ratio + self.extra_lines

    @property
    def ratios(self) -> slice:
        """Where the ratios of the extra lines are in the vector."""
        return slice(self.first_ratio, self.first_ring)

    def line_fluxes(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fluxes of the lines of a vector, over that of the second."""
        import numpy as np

        ratio = vector[self.index("doublet_ratio")]
        return np.array([ratio, 1.0, *vector[self.ratios]])

    def index(self, name: str) -> int:
        """Return the place of a parameter in the vector.

        Raises
        ------
        InputError
            If the model has no such parameter.
        """
        try:
            return _places(self.clumps, self.extra_lines, len(self.ring_radii))[name]
        except KeyError:
            raise InputError(
                f"no parameter {name!r}{did_you_mean(name, self.names)}: expected one of "
                f"{', '.join(self.names)}"
            ) from None

    def defaults(self) -> NDArray[np.float64]:
        """Return the vector of default values, float64."""
        import numpy as np

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
        import numpy as np

        vectors = np.stack([draw(row, generator, count) for row in self.table], axis=1)
        first = len(PARAMETERS)
        if self.clumps:
            fractions = vectors[:, first : self.first_ratio : len(CLUMP_PARAMETERS)]
            fractions *= np.minimum(1.0, 0.6 / fractions.sum(1, keepdims=True))
        height, radius = self.index("scale_height"), self.index("half_light_radius")
        vectors[:, height] = np.minimum(vectors[:, height], 0.4 * vectors[:, radius])
        return vectors


@cache
def _table(clumps: int, extra_lines: int, rings: int) -> tuple[Parameter, ...]:
    own, of_rings = (
        [
            replace(row, name=f"{word}_{number}_{row.name}")
            for number in range(1, count + 1)
            for row in table
        ]
        for word, count, table in (
            ("clump", clumps, CLUMP_PARAMETERS),
            ("ring", rings, RING_PARAMETERS),
        )
    )
    ratios = [replace(LINE_RATIO, name=f"line_{3 + k}_ratio") for k in range(extra_lines)]
    return (*PARAMETERS, *own, *ratios, *of_rings)


@cache
def _places(clumps: int, extra_lines: int, rings: int) -> dict[str, int]:
    return {row.name: place for place, row in enumerate(_table(clumps, extra_lines, rings))}
