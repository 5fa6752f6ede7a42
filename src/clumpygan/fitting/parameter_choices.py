"""What a user chooses about the parameters of a fit: free, fixed, tied, with which priors."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from clumpygan.errors import InputError
from clumpygan.fitting.priors import FitPrior, concentration_prior, parse_prior
from clumpygan.fitting.structure.rings import ring_name
from clumpygan.galaxies.disks.declaration import Parameter
from clumpygan.galaxies.disks.disk_model import CURVE_PARAMETERS, HEIGHT_OF_RADIUS
from clumpygan.galaxies.disks.disk_table import RING_PARAMETERS
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.grid import CubeGrid

# Free by default: always, and of each clump; `CURVE_PARAMETERS` because of the rotation curve.
_ALWAYS = (
    "flux", "offset_x", "offset_y", "systemic_velocity", "half_light_radius", "inclination",
    "position_angle", "velocity_dispersion",
)  # fmt: skip
_OF_CLUMP = ("fraction", "x", "y")

FASTEST = 1000.0
"""km/s: rotation and dispersion are below this, unless a prior says otherwise."""

FAINTEST, BRIGHTEST = 1e-3, 1e3
"""Bounds of the flux, over what the starting values say of it."""

_SMALLEST_RADIUS = 0.1
"""Least of sizes and radii, in pixels."""

RATIOS_OF_DOUBLETS = (0.3, 3.0)
"""Limits of the flux ratio of the lines of [OII] or [SII] at any density, with room to spare."""

DOUBLET = 700.0
"""km/s between two lines that are closer than those of a doublet of one ion; of [SII] 642."""

LIGHTEST = 9.0
"""Least log10 of the baryonic mass beside a free halo mass, unless a prior or bound says otherwise.
A halo that alone explains the velocities leaves any lighter disk possible: were the logarithm flat
down to its least value of 6, these disks would be most of the prior at a velocity that is known,
and intervals of f_DM hold the truth too seldom. Dwarfs need a bound of their own."""

_DEFAULT = "default:"
"""How a prior begins that is a part of the default one."""

_ANY_RATIOS = (0.01, 100.0)
"""Limits of the flux ratio of other lines."""


@dataclass(frozen=True)
class ParameterChoices:
    """Which parameters are free; all names are those of the table of parameters.

    Attributes
    ----------
    free : sequence of str
        Free besides those that are by default (see `free_names`).
    fixed : mapping of str to float
        Fixed at a value. All that is neither free, fixed nor tied has the table's default.
    tied : mapping of str to str
        `NAME` or `FACTOR*NAME` of the parameter that it follows. The scale height follows the
        half-light radius by default, for disks as thick as GalPaK3D's; of well resolved ones fits
        free it where it makes a difference (`structure.thickness`).
    priors : mapping of str to (str or FitPrior)
        See `parse_prior`; "default:LOW:HIGH" is the part of the default prior between them. A
        parameter with a prior is free.
    """

    free: Sequence[str] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
    priors: Mapping[str, str | FitPrior] = field(default_factory=dict)

    def free_names(self, model: DiskModel, lines: int) -> tuple[str, ...]:
        """Return the names of the free parameters, in the order of the table.

        By default flux, centre, systemic velocity, half-light radius, the index of a Sersic
        profile, inclination, position angle, dispersion, and what the rotation curve, a ring, arms,
        clumps, a warp, a radial flow or two lines need.

        Raises
        ------
        InputError
            If a name is unknown, or a parameter is asked to be two things at once.
        """
        self._check(model)
        wanted = {*_ALWAYS, *CURVE_PARAMETERS[model.curve]}
        wanted |= {"ring_width" if model.light == "ring" else "sersic_index"}
        if model.curve == "rings":
            count = len(model.ring_radii)
            wanted -= {"velocity_dispersion"}
            wanted |= {ring_name(k, row.name) for k in range(count) for row in RING_PARAMETERS}
        if model.arms:
            wanted |= {"arm_amplitude", "arm_phase"}
        if model.warped:
            wanted |= {"warp_inclination", "warp_position_angle"}
        if model.radial_flow:
            wanted |= {"radial_velocity"}
        if lines >= 2:
            wanted |= {"doublet_ratio", *(f"line_{k}_ratio" for k in range(3, lines + 1))}
        for number in range(1, model.clumps + 1):
            wanted |= {f"clump_{number}_{name}" for name in _OF_CLUMP}
        wanted |= {*self.free, *self.priors}
        wanted -= {*self.fixed, *self.tied}
        if not wanted:
            raise InputError("all parameters are fixed or tied; expected at least one free one")
        return tuple(name for name in model.names if name in wanted)

    def ties(self, model: DiskModel, free: Sequence[str]) -> dict[str, tuple[float, str]]:
        """Return name -> (factor, name of the parameter that it follows).

        Raises
        ------
        InputError
            If an expression isn't `NAME` or `FACTOR*NAME`, or follows what is tied itself.
        """
        tied: dict[str, tuple[float, str]] = {}
        if not {"scale_height"} & {*free, *self.fixed, *self.tied}:
            tied["scale_height"] = (
                HEIGHT_OF_RADIUS[model.vertical],
                "half_light_radius",
            )
        for name, expression in self.tied.items():
            tied[name] = _parse_tie(name, expression, model)
        for name, (_, source) in tied.items():
            if source in tied:
                raise InputError(
                    f"{name} is tied to {source}, which is tied itself; tie both to the same one"
                )
        return tied

    def without(self, names: Collection[str]) -> "ParameterChoices":
        """Return the same but for what is said about parameters of some names."""

        def kept(given: Mapping[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in given.items() if name not in names}

        return ParameterChoices(
            [name for name in self.free if name not in names],
            kept(self.fixed),
            kept(self.tied),
            kept(self.priors),
        )

    def _check(self, model: DiskModel) -> None:
        asked = {
            "free": {*self.free, *self.priors},
            "fixed": set(self.fixed),
            "tied": set(self.tied),
        }
        for names in asked.values():
            for name in names:
                model.index(name)
        for first, second in (("free", "fixed"), ("free", "tied"), ("fixed", "tied")):
            if both := sorted(asked[first] & asked[second]):
                raise InputError(f"{both[0]} is both {first} and {second}; expected one of them")
        for name, value in self.fixed.items():
            model.table[model.index(name)].check(value)


def _parse_tie(name: str, expression: str, model: DiskModel) -> tuple[float, str]:
    factor_text, star, source = str(expression).rpartition("*")
    try:
        factor = float(factor_text) if star else 1.0
    except ValueError:
        factor = math.nan
    if not math.isfinite(factor):
        raise InputError(f"{name} is tied to {expression!r}; expected NAME or FACTOR*NAME")
    source = source.strip()
    model.index(source)
    if source == name:
        raise InputError(f"{name} is tied to itself; expected another parameter")
    return factor, source


def default_prior(row: Parameter, grid: CubeGrid, flux: float) -> FitPrior:
    """Return the prior of a parameter of which a user says nothing.

    As flat as can be: uniform within the range of the table, or of the cube where that is smaller
    (centre, velocity, radii); uniform in the logarithm where the table draws it so; isotropic for
    the inclination. Shear is uniform within 0.5 of 0. Ratios of lines are log-uniform, of two lines
    that are as close as those of [OII] or [SII] from 0.3 to 3, of others from 0.01 to 100.

    Parameters
    ----------
    row : Parameter
    grid : CubeGrid
        Of the cube.
    flux : float
        A first guess of the line's flux.
    """
    low, high = row.minimum, row.maximum
    size = grid.pixel_scale * max(grid.shape[1:])
    if row.period is not None:
        return FitPrior("uniform", row.default, row.default + row.period)
    if row.name == "flux":
        return FitPrior("log_uniform", FAINTEST * flux, BRIGHTEST * flux)
    if row.name == "doublet_ratio" or (
        row.name.startswith("line_") and row.name.endswith("_ratio")
    ):
        apart = float(np.abs(grid.edges - grid.edges[0]).mean(axis=1).max())
        close = len(grid.edges) <= 2 and apart < DOUBLET
        return FitPrior("log_uniform", *(RATIOS_OF_DOUBLETS if close else _ANY_RATIOS))
    if row.name in ("offset_x", "offset_y"):
        half = 0.5 * grid.pixel_scale * grid.shape[2 if row.name == "offset_x" else 1]
        low, high = -half, half
    elif row.name == "systemic_velocity":
        low, high = float(grid.edges[0].min()), float(grid.edges[0].max())
    elif row.name in ("g1", "g2"):
        low, high = -0.5, 0.5
    elif row.unit == "arcsec":
        low, high = max(low, _SMALLEST_RADIUS * grid.pixel_scale), min(high, size)
    elif row.unit == "km/s":
        low, high = max(low, -FASTEST), min(high, FASTEST)
    kind = row.prior.kind
    if kind == "isotropic":
        return FitPrior("isotropic", low, high)
    if kind == "log_uniform" and low > 0:
        return FitPrior("log_uniform", low, high)
    return FitPrior("uniform", low, high)


def chosen_prior(
    row: Parameter, model: DiskModel, choices: ParameterChoices, grid: CubeGrid, flux: float
) -> FitPrior:
    """Return the prior of a free parameter: the user's, or the default.

    That of a concentration is what simulations give, and follows the mass of the halo, where the
    curve has one. Of curves with a free halo mass log10 of the baryonic mass is at least
    `LIGHTEST`.

    Raises
    ------
    InputError
        If the prior of a user can't be read, or isn't possible for the parameter.
    """
    given = choices.priors.get(row.name)
    if isinstance(given, FitPrior):
        prior = given
    elif given is not None and not given.startswith(_DEFAULT):
        prior = parse_prior(given, row)
    elif row.name == "concentration":
        prior = concentration_prior(min(choices.fixed.get("galaxy_redshift", 0.0), 5.0))
    else:
        prior = default_prior(row, grid, flux)
        halo = "log_halo_mass"
        if row.name == "log_baryonic_mass" and halo in CURVE_PARAMETERS[model.curve]:
            prior = prior if halo in choices.fixed else replace(prior, minimum=LIGHTEST)
    if prior.follows and prior.follows not in (*_ALWAYS, *CURVE_PARAMETERS[model.curve]):
        prior = prior.alone()
    if isinstance(given, str) and given.startswith(_DEFAULT):
        ends = parse_prior("uniform:" + given.removeprefix(_DEFAULT), row)
        if prior.kind == "log_uniform" and ends.minimum <= 0:
            return ends
        try:
            return replace(prior, minimum=ends.minimum, maximum=ends.maximum)
        except InputError as error:
            raise InputError(f"prior of {row.name}: {error}") from error
    return prior
