"""The parameters of a disk galaxy, declared once: units, ranges, priors and meanings.

Renderers, conditioning vectors, fits, tables, FITS headers and `--help` read `PARAMETERS` and
`CLUMP_PARAMETERS`. What is chosen rather than measured (which light profile, which rotation curve)
is a `DiskModel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError

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


@dataclass(frozen=True)
class Prior:
    """How a parameter is drawn.

    Attributes
    ----------
    kind : str
        "fixed" (stays at its default), "uniform" or "log_uniform" between `low` and `high`,
        "normal" with mean `low` and standard deviation `high` (redrawn outside the range), or
        "isotropic": an angle whose cosine is uniform between those of `low` and `high` degrees.
    low, high : float
    """

    kind: Literal["fixed", "uniform", "log_uniform", "normal", "isotropic"] = "fixed"
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes
    ----------
    name, unit, description : str
    minimum, maximum : float
        Range, ends included.
    default : float
    prior : Prior
    period : float or None
        The value is the same after so many units.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    default: float
    prior: Prior
    description: str
    period: float | None = None

    def check(self, value: float) -> float:
        """Return the value as a float if it is in the range.

        Raises
        ------
        InputError
            If it isn't a number, isn't finite, or lies outside.
        """
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.name} is {value!r}; {self._expected()}") from error
        if not self.minimum <= number <= self.maximum or not np.isfinite(number):
            raise InputError(f"{self.name} is {number:g}{self._unit()}; {self._expected()}")
        return number

    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _expected(self) -> str:
        return f"expected a number from {self.minimum:g} to {self.maximum:g}{self._unit()}"


def _parameter(
    default: float,
    unit: str,
    span: tuple[float, float],
    description: str,
    prior: Prior | None = None,
    period: float | None = None,
) -> Any:
    """Declare a field of `DiskParameters` or `Clump` together with its row of the table."""
    row = (unit, *span, default, prior or Prior(), description, period)
    return field(default=default, metadata={"row": row})


def _rows(kind: type) -> tuple[Parameter, ...]:
    return tuple(Parameter(f.name, *f.metadata["row"]) for f in fields(kind) if f.metadata)


@dataclass(frozen=True, kw_only=True)
class Clump:
    """A Gaussian clump in the plane of the disk, which rotates with it."""

    fraction: float = _parameter(
        0.05, "", (0.0, 1.0), "share of the galaxy's line flux", Prior("log_uniform", 0.01, 0.15)
    )
    x: float = _parameter(
        1.0,
        "half-light radii",
        (-10.0, 10.0),
        "place along the major axis, positive on the receding side",
        Prior("normal", 0.0, 0.9),
    )
    y: float = _parameter(
        0.0,
        "half-light radii",
        (-10.0, 10.0),
        "place in the plane of the disk along the minor axis, 90 degrees further than x",
        Prior("normal", 0.0, 0.9),
    )
    radius: float = _parameter(
        0.08,
        "arcsec",
        (1e-3, 5.0),
        "half-light radius in the plane of the disk",
        Prior("log_uniform", 0.03, 0.2),
    )
    dispersion: float = _parameter(
        25.0,
        "km/s",
        (0.0, 500.0),
        "velocity dispersion, in place of the disk's",
        Prior("uniform", 10.0, 50.0),
    )


CLUMP_PARAMETERS: tuple[Parameter, ...] = _rows(Clump)


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
        return _table(self.clumps)

    def index(self, name: str) -> int:
        """Return the place of a parameter in the vector.

        Raises
        ------
        InputError
            If the model has no such parameter.
        """
        try:
            return _places(self.clumps)[name]
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
        vectors = np.stack([_draw(row, generator, count) for row in self.table], axis=1)
        first = len(PARAMETERS)
        if self.clumps:
            fractions = vectors[:, first :: len(CLUMP_PARAMETERS)]
            fractions *= np.minimum(1.0, 0.6 / fractions.sum(1, keepdims=True))
        height, radius = self.index("scale_height"), self.index("half_light_radius")
        vectors[:, height] = np.minimum(vectors[:, height], 0.4 * vectors[:, radius])
        return vectors


def _draw(row: Parameter, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    prior = row.prior
    if prior.kind == "fixed":
        return np.full(count, row.default)
    if prior.kind == "uniform":
        return generator.uniform(prior.low, prior.high, count)
    if prior.kind == "log_uniform":
        return np.exp(generator.uniform(np.log(prior.low), np.log(prior.high), count))
    if prior.kind == "isotropic":
        ends = np.cos(np.radians([prior.high, prior.low]))
        return np.degrees(np.arccos(generator.uniform(ends[0], ends[1], count)))
    values = generator.normal(prior.low, prior.high, count)
    while (outside := (values < row.minimum) | (values > row.maximum)).any():
        values[outside] = generator.normal(prior.low, prior.high, int(outside.sum()))
    return values


@dataclass(frozen=True, kw_only=True)
class DiskParameters:
    """A disk galaxy: the values of the table, its clumps and the choices of its model.

    Raises
    ------
    InputError
        If a value is out of its range; the message names the parameter, the range and the unit.

    Examples
    --------
    >>> DiskParameters(inclination=60, maximum_velocity=200).to_vector().shape
    (36,)
    """

    flux: float = _parameter(
        1.0, "flux units", (0.0, 1e30), "total line flux", Prior("log_uniform", 0.3, 3.0)
    )
    offset_x: float = _parameter(
        0.0,
        "arcsec",
        (-100.0, 100.0),
        "centre, from the middle of the field along x",
        Prior("normal", 0.0, 0.1),
    )
    offset_y: float = _parameter(
        0.0,
        "arcsec",
        (-100.0, 100.0),
        "centre, from the middle of the field along y",
        Prior("normal", 0.0, 0.1),
    )
    systemic_velocity: float = _parameter(
        0.0,
        "km/s",
        (-1e5, 1e5),
        "relative to the zero of the velocity axis",
        Prior("normal", 0.0, 20.0),
    )
    half_light_radius: float = _parameter(
        0.6,
        "arcsec",
        (1e-3, 100.0),
        "along the major axis, of the disk seen face-on",
        Prior("log_uniform", 0.25, 1.0),
    )
    sersic_index: float = _parameter(
        1.0,
        "",
        (0.3, 6.2),
        "0.5 Gaussian, 1 exponential, 4 de Vaucouleurs",
        Prior("uniform", 0.6, 1.6),
    )
    ring_width: float = _parameter(
        0.1, "arcsec", (1e-3, 100.0), "standard deviation of the annulus of the light 'ring'"
    )
    bulge_fraction: float = _parameter(
        0.0, "", (0.0, 1.0), "share of the bulge in the smooth light", Prior("uniform", 0.0, 0.3)
    )
    bulge_radius: float = _parameter(
        0.15,
        "arcsec",
        (1e-3, 100.0),
        "half-light radius of the bulge",
        Prior("log_uniform", 0.05, 0.2),
    )
    bulge_index: float = _parameter(2.5, "", (0.3, 6.2), "Sersic index of the bulge")
    inclination: float = _parameter(
        45.0, "deg", (0.0, 90.0), "0 face-on, 90 edge-on", Prior("isotropic", 10.0, 85.0)
    )
    position_angle: float = _parameter(
        0.0,
        "deg",
        (-360.0, 720.0),
        "of the receding side of the major axis, from +y (north) towards -x (east)",
        Prior("uniform", 0.0, 360.0),
        period=360.0,
    )
    maximum_velocity: float = _parameter(
        150.0,
        "km/s",
        (0.0, 2000.0),
        "of the rotation curve (of its disk, if it has a halo)",
        Prior("uniform", 50.0, 300.0),
    )
    turnover_radius: float = _parameter(
        0.2,
        "arcsec",
        (1e-3, 100.0),
        "where the rotation curve turns over",
        Prior("log_uniform", 0.05, 0.4),
    )
    curve_slope: float = _parameter(
        0.0, "", (-1.0, 1.0), "beta of the curve 'courteau': rise (< 0) or fall (> 0) far out"
    )
    curve_sharpness: float = _parameter(
        2.0, "", (0.5, 10.0), "gamma of the curve 'courteau': how sharply it turns over"
    )
    halo_velocity: float = _parameter(
        120.0,
        "km/s",
        (0.0, 2000.0),
        "largest circular velocity of the NFW halo, or asymptotic one of the isothermal halo",
    )
    halo_radius: float = _parameter(
        2.0, "arcsec", (1e-3, 1000.0), "scale radius (NFW) or core radius (isothermal) of the halo"
    )
    velocity_dispersion: float = _parameter(
        40.0,
        "km/s",
        (0.0, 500.0),
        "the part that is the same everywhere",
        Prior("uniform", 20.0, 80.0),
    )
    thick_dispersion: float = _parameter(
        0.0, "", (0.0, 3.0), "adds this times h_z V / R in quadrature; 1 for a thick disk"
    )
    central_dispersion: float = _parameter(
        0.0, "km/s", (0.0, 500.0), "adds this times exp(-R / dispersion_radius) in quadrature"
    )
    dispersion_radius: float = _parameter(
        0.5, "arcsec", (1e-3, 100.0), "radius over which the central dispersion declines"
    )
    scale_height: float = _parameter(
        0.08,
        "arcsec",
        (0.0, 100.0),
        "sigma of the Gaussian, h of exp(-|z|/h) or of sech^2(z/h)",
        Prior("log_uniform", 0.02, 0.2),
    )
    g1: float = _parameter(
        0.0, "", (-0.7, 0.7), "reduced shear as in GalSim", Prior("normal", 0.0, 0.05)
    )
    g2: float = _parameter(
        0.0, "", (-0.7, 0.7), "reduced shear as in GalSim", Prior("normal", 0.0, 0.05)
    )
    magnification: float = _parameter(
        1.0, "", (0.1, 100.0), "of areas on the sky, and so of the flux"
    )
    doublet_ratio: float = _parameter(
        1.0, "", (0.0, 100.0), "flux of the first over that of the second of two lines"
    )
    continuum: float = _parameter(
        0.0,
        "per 1000 km/s",
        (-100.0, 100.0),
        "continuum flux per 1000 km/s over line flux, at 0 km/s",
    )
    continuum_slope: float = _parameter(
        0.0, "per 1000 km/s", (-100.0, 100.0), "change of the continuum over its value at 0 km/s"
    )
    arm_amplitude: float = _parameter(
        0.0,
        "",
        (0.0, 1.0),
        "relative modulation of the disk by spiral arms",
        Prior("uniform", 0.0, 0.7),
    )
    arm_pitch: float = _parameter(
        20.0,
        "deg",
        (5.0, 85.0),
        "pitch angle of the logarithmic, trailing arms",
        Prior("uniform", 12.0, 40.0),
    )
    arm_phase: float = _parameter(
        0.0,
        "deg",
        (-360.0, 720.0),
        "azimuth of an arm at the half-light radius",
        Prior("uniform", 0.0, 360.0),
        period=360.0,
    )
    lopsidedness: float = _parameter(
        0.0,
        "",
        (0.0, 1.0),
        "relative m = 1 modulation at large radii",
        Prior("uniform", 0.0, 0.3),
    )
    lopsidedness_phase: float = _parameter(
        0.0,
        "deg",
        (-360.0, 720.0),
        "azimuth of the brighter side",
        Prior("uniform", 0.0, 360.0),
        period=360.0,
    )
    warp_inclination: float = _parameter(
        0.0,
        "deg per half-light radius",
        (-45.0, 45.0),
        "change of the inclination with radius, from the centre",
    )
    warp_position_angle: float = _parameter(
        0.0,
        "deg per half-light radius",
        (-90.0, 90.0),
        "change of the position angle with radius, from the centre",
    )

    clumps: tuple[Clump, ...] = ()
    light: Light = "sersic"
    vertical: Vertical = "gaussian"
    curve: Curve = "arctan"
    asymmetric_drift: bool = False
    arms: int = 0
    rotation_table: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        for row in PARAMETERS:
            object.__setattr__(self, row.name, row.check(getattr(self, row.name)))
        for number, clump in enumerate(self.clumps, 1):
            for row in CLUMP_PARAMETERS:
                name = f"clump_{number}_{row.name}"
                replace(row, name=name).check(getattr(clump, row.name))
        share = sum(clump.fraction for clump in self.clumps)
        if share > 1.0 + 1e-12:
            raise InputError(f"the clumps share {share:g} of the light; expected at most 1")
        _ = self.model

    @property
    def model(self) -> DiskModel:
        """The choices; warped if one of the warp's parameters isn't 0."""
        return DiskModel(
            light=self.light,
            vertical=self.vertical,
            curve=self.curve,
            asymmetric_drift=self.asymmetric_drift,
            arms=self.arms,
            clumps=len(self.clumps),
            warped=bool(self.warp_inclination or self.warp_position_angle),
            rotation_table=self.rotation_table,
        )

    def to_dict(self) -> dict[str, float]:
        """Return name -> value of every entry of the vector."""
        return dict(zip(self.model.names, self.to_vector().tolist(), strict=True))

    def to_vector(self) -> NDArray[np.float64]:
        """Return the values in the order of `model.names`, float64."""
        values = [getattr(self, row.name) for row in PARAMETERS]
        values += [getattr(c, row.name) for c in self.clumps for row in CLUMP_PARAMETERS]
        return np.array(values, dtype=np.float64)

    @classmethod
    def from_vector(cls, values: ArrayLike, model: DiskModel | None = None) -> "DiskParameters":
        """Build from a vector in the order of `model.names`.

        Raises
        ------
        InputError
            If its length is wrong or a value out of range.
        """
        model = model or DiskModel()
        vector = np.asarray(values, dtype=np.float64)
        if vector.shape != (len(model.names),):
            raise InputError(
                f"a parameter vector of shape {vector.shape}; expected ({len(model.names)},)"
            )
        return cls.from_dict(dict(zip(model.names, vector.tolist(), strict=True)), model)

    @classmethod
    def from_dict(
        cls, values: Mapping[str, float], model: DiskModel | None = None
    ) -> "DiskParameters":
        """Build from name -> value; what is left out has its default.

        Raises
        ------
        InputError
            If a name is unknown to the model or a value out of range.
        """
        model = model or DiskModel()
        for name in values:
            model.index(name)
        own = {row.name: values[row.name] for row in PARAMETERS if row.name in values}
        clumps = tuple(
            Clump(
                **{
                    row.name: values[name]
                    for row in CLUMP_PARAMETERS
                    if (name := f"clump_{number}_{row.name}") in values
                }
            )
            for number in range(1, model.clumps + 1)
        )
        return cls(
            **own,
            clumps=clumps,
            light=model.light,
            vertical=model.vertical,
            curve=model.curve,
            asymmetric_drift=model.asymmetric_drift,
            arms=model.arms,
            rotation_table=model.rotation_table,
        )


PARAMETERS: tuple[Parameter, ...] = _rows(DiskParameters)


@cache
def _table(clumps: int) -> tuple[Parameter, ...]:
    own = [
        replace(row, name=f"clump_{number}_{row.name}")
        for number in range(1, clumps + 1)
        for row in CLUMP_PARAMETERS
    ]
    return (*PARAMETERS, *own)


@cache
def _places(clumps: int) -> dict[str, int]:
    return {row.name: place for place, row in enumerate(_table(clumps))}


def stack(galaxies: Sequence[DiskParameters]) -> NDArray[np.float64]:
    """Return the vectors (B, P) of galaxies of one model.

    Raises
    ------
    InputError
        If there are none, or their models differ.
    """
    if not galaxies:
        raise InputError("no galaxies: expected at least one")
    if len({galaxy.model for galaxy in galaxies}) > 1:
        raise InputError("galaxies of different models can't share a batch: render them apart")
    return np.stack([galaxy.to_vector() for galaxy in galaxies])
