"""The parameters of a disk galaxy: units, ranges, priors, and vectors of them.

Renderers, conditioning vectors, fits, tables, FITS headers and `--help` read `PARAMETERS` and
`CLUMP_PARAMETERS`. What is chosen rather than measured (which light profile, which rotation curve)
is a `DiskModel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.declaration import Parameter
from clumpygan.galaxies.disks.disk_model import (
    CURVES,
    LIGHTS,
    MAXIMUM_CLUMPS_OF_CUBE,
    VERTICALS,
    Curve,
    DiskModel,
    Light,
    Vertical,
)
from clumpygan.galaxies.disks.disk_table import (
    CLUMP_PARAMETERS,
    LINE_RATIO,
    PARAMETERS,
    RING_PARAMETERS,
    WARP_PARAMETERS,
    Clump,
    DiskValues,
    RingValues,
)
from clumpygan.galaxies.disks.halo_relations import largest_concentration, least_halo_slope
from clumpygan.galaxies.disks.light_map import LightMap

__all__ = [
    "CLUMP_PARAMETERS",
    "CURVES",
    "LIGHTS",
    "MAXIMUM_CLUMPS_OF_CUBE",
    "PARAMETERS",
    "VERTICALS",
    "Clump",
    "Curve",
    "DiskModel",
    "DiskParameters",
    "Light",
    "LightMap",
    "Parameter",
    "Ring",
    "Vertical",
    "stack",
]

_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class Ring(RingValues):
    """A radius in arcsec at which the curve 'rings' has a velocity and a dispersion."""

    radius: float


@dataclass(frozen=True, kw_only=True)
class DiskParameters(DiskValues):
    """A disk galaxy: the values of the table, its clumps and the choices of its model.

    `line_ratios` are the fluxes of the third line and those after it, over that of the second;
    `rings` those of the curve "rings".

    Raises
    ------
    InputError
        If a value is out of its range; the message names the parameter, the range and the unit.

    Examples
    --------
    >>> DiskParameters(inclination=60, maximum_velocity=200).to_vector().shape
    (46,)
    """

    clumps: tuple[Clump, ...] = ()
    light: Light = "sersic"
    vertical: Vertical = "gaussian"
    curve: Curve = "arctan"
    asymmetric_drift: bool = False
    arms: int = 0
    line_ratios: tuple[float, ...] = ()
    rotation_table: tuple[tuple[float, float], ...] = ()
    rings: tuple[Ring, ...] = ()
    light_map: LightMap | None = None

    def __post_init__(self) -> None:
        for row in PARAMETERS:
            object.__setattr__(self, row.name, row.check(getattr(self, row.name)))
        for number, clump in enumerate(self.clumps, 1):
            for row in CLUMP_PARAMETERS:
                name = f"clump_{number}_{row.name}"
                replace(row, name=name).check(getattr(clump, row.name))
        for number, ratio in enumerate(self.line_ratios, 3):
            replace(LINE_RATIO, name=f"line_{number}_ratio").check(ratio)
        for number, ring in enumerate(self.rings, 1):
            for row in RING_PARAMETERS:
                replace(row, name=f"ring_{number}_{row.name}").check(getattr(ring, row.name))
        share = sum(clump.fraction for clump in self.clumps)
        if share > 1.0 + 1e-12:
            raise InputError(f"the clumps share {share:g} of the light; expected at most 1")
        if self.curve == "dekel_zhao_mass":
            self._check_slope()
        _ = self.model

    def _check_slope(self) -> None:
        """Refuse a slope that no halo of the concentration has."""
        least = least_halo_slope(self.concentration)
        if self.halo_slope < least - _ROUNDING:
            raise InputError(
                f"halo_slope is {self.halo_slope:g} at a concentration of {self.concentration:g}; "
                f"expected at least {least:.3g}, or a concentration of at most "
                f"{largest_concentration(self.halo_slope):.3g}"
            )

    @property
    def model(self) -> DiskModel:
        """The choices; warped, or with a flow, if a parameter of it isn't 0."""
        return DiskModel(
            light=self.light,
            vertical=self.vertical,
            curve=self.curve,
            asymmetric_drift=self.asymmetric_drift,
            arms=self.arms,
            clumps=len(self.clumps),
            warped=any(getattr(self, name) for name in WARP_PARAMETERS),
            radial_flow=bool(self.radial_velocity),
            extra_lines=len(self.line_ratios),
            rotation_table=self.rotation_table,
            ring_radii=tuple(ring.radius for ring in self.rings),
            light_map=self.light_map,
        )

    def to_dict(self) -> dict[str, float]:
        """Return name -> value of every entry of the vector."""
        return dict(zip(self.model.names, self.to_vector().tolist(), strict=True))

    def to_vector(self) -> NDArray[np.float64]:
        """Return the values in the order of `model.names`, float64."""
        values = [getattr(self, row.name) for row in PARAMETERS]
        values += [getattr(c, row.name) for c in self.clumps for row in CLUMP_PARAMETERS]
        values += self.line_ratios
        values += [getattr(ring, row.name) for ring in self.rings for row in RING_PARAMETERS]
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
        rings = tuple(
            Ring(
                radius=radius,
                **{
                    row.name: values[name]
                    for row in RING_PARAMETERS
                    if (name := f"ring_{number}_{row.name}") in values
                },
            )
            for number, radius in enumerate(model.ring_radii, 1)
        )
        ratios = tuple(
            float(values.get(f"line_{3 + k}_ratio", LINE_RATIO.default))
            for k in range(model.extra_lines)
        )
        return cls(
            **own,
            clumps=clumps,
            line_ratios=ratios,
            light=model.light,
            vertical=model.vertical,
            curve=model.curve,
            asymmetric_drift=model.asymmetric_drift,
            arms=model.arms,
            rotation_table=model.rotation_table,
            rings=rings,
            light_map=model.light_map,
        )


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
