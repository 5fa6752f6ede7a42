"""What generators of cubes are told about a galaxy, and how it is told: about 0 +- 1."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.disk_table import PARAMETERS

SEEING = "seeing"

Kind = Literal["linear", "logarithmic", "angle"]


@dataclass(frozen=True)
class CubeCondition:
    """One number that is known of a galaxy.

    Attributes
    ----------
    name : str
        Of the table of parameters, or "seeing".
    kind : {"linear", "logarithmic", "angle"}
        An angle is told as its sine and cosine, without `centre` and `scale`.
    centre, scale : float
        About the mean and the scatter of what is told, over the galaxies of a training.
    placing : bool
        Whether it only says where and how the galaxy lies in the field.
    """

    name: str
    kind: Kind = "linear"
    centre: float = 0.0
    scale: float = 1.0
    placing: bool = False

    @property
    def unit(self) -> str:
        """Of the values."""
        return "arcsec" if self.name == SEEING else _UNITS[self.name]


_UNITS = {row.name: row.unit for row in PARAMETERS}

CUBE_CONDITIONS = {
    one.name: one
    for one in (
        CubeCondition("flux", "logarithmic", 3.2, 0.45),
        CubeCondition("half_light_radius", "logarithmic", -0.25, 0.25),
        CubeCondition("sersic_index", "linear", 1.1, 0.3),
        CubeCondition("inclination", "linear", 55.0, 21.0),
        CubeCondition("maximum_velocity", "linear", 170.0, 90.0),
        CubeCondition("turnover_radius", "logarithmic", -0.95, 0.32),
        CubeCondition("velocity_dispersion", "linear", 40.0, 17.0),
        CubeCondition("scale_height", "logarithmic", -1.2, 0.32),
        CubeCondition(SEEING, "linear", 0.65, 0.3),
        CubeCondition("position_angle", "angle", placing=True),
        CubeCondition("offset_x", "linear", 0.0, 0.1, placing=True),
        CubeCondition("offset_y", "linear", 0.0, 0.1, placing=True),
        CubeCondition("systemic_velocity", "linear", 0.0, 20.0, placing=True),
        CubeCondition("g1", "linear", 0.0, 0.05, placing=True),
        CubeCondition("g2", "linear", 0.0, 0.05, placing=True),
    )
}
"""Every condition, by its name, in the order in which networks are told."""


def check_conditions(names: Iterable[str]) -> None:
    """Raise InputError, which lists the conditions with their units, if a name isn't one."""
    for name in names:
        if name not in CUBE_CONDITIONS:
            known = ", ".join(
                f"{one.name} [{one.unit}]" if one.unit else one.name
                for one in CUBE_CONDITIONS.values()
            )
            raise InputError(f"unknown condition {name!r}: expected one of {known}")


def condition_rows(names: Sequence[str]) -> list[list[str | float | bool]]:
    """Return (name, kind, centre, scale, placing) of conditions, for a network's arguments."""
    check_conditions(names)
    chosen = (CUBE_CONDITIONS[name] for name in names)
    return [[one.name, one.kind, one.centre, one.scale, one.placing] for one in chosen]
