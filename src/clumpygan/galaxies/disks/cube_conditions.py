"""What generators of cubes are told about a galaxy, and how it is told: about 0 +- 1."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.declaration import Parameter, declare, rows
from clumpygan.galaxies.disks.disk_table import PARAMETERS

SEEING = "seeing"
NUCLEAR_FRACTION = "nuclear_fraction"
CHEMISTRY = ("oxygen_abundance", "abundance_gradient", "electron_density")
"""Of the gas: how the light is divided among lines."""

Kind = Literal["linear", "logarithmic", "angle"]


@dataclass(frozen=True)
class _BesideTheDisk:
    """What is known of a cube beside the parameters of its disk; defaults are typical."""

    seeing: float = declare(0.65, "arcsec", (1e-3, 100.0), "FWHM of the PSF")
    nuclear_fraction: float = declare(
        0.055,
        "",
        (0.0, 0.5),
        "share of a bulge in the light of diffuse gas and H II regions, before dust; 0: a hole",
    )
    oxygen_abundance: float = declare(
        8.4,
        "",
        (7.6, 9.0),
        "12 + log(O/H) at a half-light radius, which ratios of lines follow from 7.65 to 8.85",
    )
    abundance_gradient: float = declare(
        -0.1, "", (-1.0, 1.0), "of the oxygen, dex per half-light radius"
    )
    electron_density: float = declare(
        100.0, "cm-3", (1.0, 1e5), "which the ratios of [OII] and [SII] follow"
    )


_ROWS = {row.name: row for row in (*PARAMETERS, *rows(_BesideTheDisk))}


@dataclass(frozen=True)
class CubeCondition:
    """One number that is known of a galaxy.

    Attributes
    ----------
    name : str
        Of the table of parameters, or "seeing", or of gas.
    kind : {"linear", "logarithmic", "angle"}
        An angle is told as its sine and cosine, without `centre` and `scale`.
    centre, scale : float
        About the mean and the scatter of what is told, over the galaxies of a training.
    placing : bool
        Whether it only says where and how the galaxy lies in the field, or how its light is divided
        among lines: painters and discriminators aren't told.
    """

    name: str
    kind: Kind = "linear"
    centre: float = 0.0
    scale: float = 1.0
    placing: bool = False

    @property
    def row(self) -> Parameter:
        """What it is, and between which ends it can be."""
        return _ROWS[self.name]

    @property
    def unit(self) -> str:
        """Of the values."""
        return self.row.unit


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
"""What is known of any galaxy, by its name, in the order in which networks are told."""

GAS_CONDITIONS = CUBE_CONDITIONS | {
    one.name: one
    for one in (
        CubeCondition(NUCLEAR_FRACTION, "linear", 0.055, 0.05),
        CubeCondition("oxygen_abundance", "linear", 8.4, 0.3, placing=True),
        CubeCondition("abundance_gradient", "linear", -0.1, 0.09, placing=True),
        CubeCondition("electron_density", "logarithmic", 2.0, 0.3, placing=True),
    )
}
"""What is known of gas disks: every condition that there is."""


def condition_names(population: str) -> tuple[str, ...]:
    """Return what is known of galaxies of a population: "gas_disks", or others."""
    return tuple(GAS_CONDITIONS if population == "gas_disks" else CUBE_CONDITIONS)


def check_conditions(names: Iterable[str]) -> None:
    """Raise InputError, which lists the conditions with their units, if a name isn't one."""
    for name in names:
        if name not in GAS_CONDITIONS:
            known = ", ".join(
                f"{one.name} [{one.unit}]" if one.unit else one.name
                for one in GAS_CONDITIONS.values()
            )
            raise InputError(f"unknown condition {name!r}: expected one of {known}")


def condition_rows(names: Sequence[str]) -> list[list[str | float | bool]]:
    """Return (name, kind, centre, scale, placing) of conditions, for a network's arguments."""
    check_conditions(names)
    chosen = (GAS_CONDITIONS[name] for name in names)
    return [[one.name, one.kind, one.centre, one.scale, one.placing] for one in chosen]
