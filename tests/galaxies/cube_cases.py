"""Galaxies and grids on which the renderers of velocity cubes are compared with the reference."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from clumpygan.galaxies import Clump, CubeGrid, DiskParameters
from clumpygan.galaxies.disks.parameters import LightMap, Ring
from clumpygan.galaxies.rendering.grid import wavelength_of
from tests.galaxies.cube_reference import cube, ring_cube
from tests.galaxies.reference_psfs import GaussianPsf, MoffatPsf


@dataclass(frozen=True)
class Case:
    """One configuration; `rings` and `options` say which reference there is, and how fine."""

    parameters: DiskParameters
    grid: CubeGrid
    psf: Any
    rings: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def transfer(self) -> Any:
        return self.psf and self.psf.transfer


def velocities(width: float, **options: Any) -> CubeGrid:
    return CubeGrid.velocities((12, 14, 16), 0.2, width, **{"line_spread": 40.0, **options})


GRID = velocities(50.0)
FALLING = velocities(-50.0, centre=20.0)
BARE = velocities(50.0, line_spread=0.0)
SAMPLED = velocities(50.0, pixel_response=False, channel_response=False)
PSF = GaussianPsf(0.25)
CHANGING_PSF = GaussianPsf(tuple(np.linspace(0.2, 0.3, 12)))

FINE = {"tolerance": 3e-7}
DEEP = {"tolerance": 1e-6, "depth": 53}
"""Options of the reference for what it finds hard: edges and cusps, or waves along the depth."""


def galaxy(**changes: Any) -> DiskParameters:
    values: dict[str, Any] = {
        "half_light_radius": 0.4,
        "inclination": 60.0,
        "position_angle": 30.0,
        "offset_x": 0.07,
        "offset_y": -0.04,
        "systemic_velocity": 11.0,
        "scale_height": 0.06,
        "flux": 3.0,
    }
    return DiskParameters(**{**values, **changes})


def case(
    psf: Any = PSF, grid: CubeGrid = GRID, rings: bool = False, options: Any = None, **changes: Any
) -> Case:
    return Case(galaxy(**changes), grid, psf, rings, options or {})


def _oii() -> CubeGrid:
    """Return 14 channels of 1.25 Angstrom around [OII] at redshift 0.8."""
    lines, step = (3727.09, 3729.88), 1.25
    middle = float(np.mean([wavelength_of(0.0, line, 0.8) for line in lines]))
    return CubeGrid.wavelengths(
        (14, 14, 16), 0.2, middle - 6.5 * step, step, lines=lines, redshift=0.8,
        line_spread=(50.0, 45.0),
    )  # fmt: skip


OII = _oii()
CLUMPS = (
    Clump(fraction=0.12, x=1.1, y=0.6, radius=0.07, dispersion=15.0),
    Clump(fraction=0.08, x=-0.4, y=-1.2, radius=0.15, dispersion=45.0),
)
CENTRAL_CLUMP = (Clump(fraction=0.3, x=0.1, y=-0.05, radius=0.15, dispersion=10.0),)
TABLE = ((0.1, 60.0), (0.3, 150.0), (0.9, 120.0))
RINGS = (
    Ring(radius=0.15, velocity=120.0, dispersion=80.0),
    Ring(radius=0.4, velocity=190.0, dispersion=45.0),
    Ring(radius=0.9, velocity=140.0, dispersion=30.0),
)
RING: Any = {"light": "ring", "ring_width": 0.08}
MAP = LightMap(((0.2, 1.5, 0.6, 0.9), (1.0, 0.1, 2.5, 1.0), (2.0, 0.3, 1.2, 0.4),
                (1.0, 1.0, 0.5, 1.0)), 2.5)  # fmt: skip
BELOW = replace(MAP, radius=0.7)
ARMS: Any = {"arms": 2, "arm_amplitude": 0.7, "arm_phase": 40.0}
LOPSIDED: Any = {"lopsidedness": 0.6, "lopsidedness_phase": 110.0}
WARP: Any = {
    "warp_inclination": 5.0, "warp_position_angle": 8.0, "inclination": 80.0, "rings": True,
}  # fmt: skip
EVERYTHING: Any = {
    **ARMS, **LOPSIDED, "bulge_fraction": 0.2, "bulge_radius": 0.1, "vertical": "sech2",
    "curve": "isothermal", "asymmetric_drift": True, "thick_dispersion": 0.5,
    "central_dispersion": 30.0, "g1": 0.1, "g2": 0.05, "magnification": 1.4, "doublet_ratio": 1.3,
    "continuum": 0.5, "continuum_slope": -0.3, "clumps": CLUMPS, "inclination": 72.0,
    "position_angle": 250.0,
}  # fmt: skip

ORIENTATIONS: dict[str, Case] = {
    "plain": case(),
    **{f"inclination {i}": case(inclination=i) for i in (0, 5, 30, 80, 88, 90)},
    **{f"inclination {i}, no PSF": case(None, inclination=i) for i in (0, 5, 30, 60, 80, 90)},
    **{f"inclination {i}, thin": case(inclination=i, scale_height=0.002) for i in (0, 60, 88)},
    "inclination 60, thin, no PSF": case(None, scale_height=0.002),
    "inclination 88, thin, no PSF": case(None, inclination=88, scale_height=0.002),
    "edge-on, thin": case(inclination=90, scale_height=0.01),
    "edge-on, flat": case(inclination=90, scale_height=0.0, rings=True),
    "inclination 60, flat": case(scale_height=0.0),
    "thick": case(scale_height=0.2),
    "thick, edge-on": case(scale_height=0.2, inclination=90),
    **{
        f"{v}, inclination {i}": case(vertical=v, inclination=i, options=FINE)
        for v in ("exponential", "sech2")
        for i in (0, 60, 90)
    },
    "exponential, edge-on, no PSF": case(
        None, vertical="exponential", inclination=90, options=FINE
    ),
}

PLACES: dict[str, Case] = {
    "off-centre": case(offset_x=0.52, offset_y=-0.47),
    "partly outside": case(offset_x=1.5, offset_y=1.1),
    "centre outside": case(offset_x=2.1, offset_y=0.3),
    "tiny": case(half_light_radius=0.06, scale_height=0.01),
    "tiny, no PSF": case(None, half_light_radius=0.06, scale_height=0.01),
    "larger than the field": case(half_light_radius=3.0, scale_height=0.3),
    "larger than the field, no PSF": case(None, half_light_radius=3.0, scale_height=0.3),
    "larger than the field, Moffat": case(MoffatPsf(), half_light_radius=3.0, options=FINE),
    "larger than the field, face-on": case(half_light_radius=2.0, inclination=0, options=FINE),
    "Moffat PSF": case(MoffatPsf(), replace(GRID, pixel_response=False)),
    "Moffat PSF, pixels": case(MoffatPsf(0.4, 2.5)),
    "sharp PSF": case(GaussianPsf(0.06), options=FINE),
    "PSF that moves": case(GaussianPsf(0.25, shift=(0.11, -0.07))),
    "PSF of channels": case(CHANGING_PSF),
    "PSF of channels, falling": case(CHANGING_PSF, FALLING),
    "shear": case(g1=0.1, g2=-0.2),
    "shear, magnified, edge-on": case(
        g1=-0.3, g2=0.15, magnification=2.5, inclination=90, scale_height=0.03, options=FINE
    ),
    "demagnified, no PSF": case(None, g1=0.05, g2=0.1, magnification=0.5),
}

LIGHT: dict[str, Case] = {
    **{f"Sersic {n}": case(sersic_index=n) for n in (0.5, 1.5, 2.5, 4.0)},
    "Sersic 4, no PSF": case(None, sersic_index=4.0, options=FINE),
    "bulge, no PSF": case(None, bulge_fraction=0.3, bulge_index=4.0, options=FINE),
    "Sersic 0.5, no PSF": case(None, sersic_index=0.5),
    "Sersic 0.35, no PSF": case(None, sersic_index=0.35),
    "Sersic 4, face-on": case(sersic_index=4.0, inclination=0),
    "Sersic 4, edge-on": case(sersic_index=4.0, inclination=90, options=DEEP),
    "ring": case(**RING),
    "ring, edge-on": case(**RING, inclination=90),
    "ring, no PSF": case(None, **RING),
    "ring, wide": case(light="ring", ring_width=0.5),
    "bulge": case(bulge_fraction=0.4, bulge_radius=0.1),
    "bulge in a ring": case(**RING, bulge_fraction=0.4, bulge_radius=0.1, bulge_index=1.0),
    "clumps": case(clumps=CLUMPS),
    "clumps, edge-on": case(clumps=CLUMPS, inclination=90),
    "clumps, face-on, no PSF": case(None, clumps=CLUMPS, inclination=0),
    "clumps, no PSF": case(None, clumps=CLUMPS, vertical="exponential"),
    "clump across the centre": case(
        grid=velocities(50.0, line_spread=10.0), clumps=CENTRAL_CLUMP, turnover_radius=0.02,
        maximum_velocity=250.0,
    ),
    "map": case(light="map", light_map=MAP, rings=True, options={"radii": 200, "azimuths": 240}),
    "map, bulge, table, edge-on": case(
        light="map", light_map=MAP, bulge_fraction=0.2, curve="table", rotation_table=TABLE,
        inclination=85, rings=True, options={"radii": 200, "azimuths": 240},
    ),
    "arms": case(**ARMS, options=DEEP),
    "arms, tightly wound": case(**ARMS, arm_pitch=6.0, rings=True, options={"radii": 300}),
    "arms, face-on, no PSF": case(None, **ARMS, arm_pitch=12.0, inclination=0, options=FINE),
    "one arm, lopsided": case(**LOPSIDED, arms=1, arm_amplitude=0.5, arm_phase=70.0),
    "lopsided": case(**LOPSIDED),
    "lopsided, edge-on": case(**LOPSIDED, inclination=90),
    "no warp, by rings": case(rings=True),
    "warp": case(**{**WARP, "inclination": 50}),
    "warp, to the other side": case(**{**WARP, "warp_inclination": -8.0, "inclination": 90}),
    "warp that bends": case(
        **{**WARP, "inclination": 60.0, "warp_inclination_bend": 2.0},
        warp_position_angle_bend=-3.0,
    ),
    "warp, thick": case(**WARP, scale_height=0.4),
    "warp, exponential": case(**WARP, vertical="exponential", scale_height=0.1),
    "warp, thick exponential": case(
        **WARP, vertical="exponential", scale_height=0.3, options={"heights": 48}
    ),
    "warp, thick sech2": case(**WARP, vertical="sech2", scale_height=0.4),
}  # fmt: skip

KINEMATICS: dict[str, Case] = {
    **{
        f"{curve} curve": case(curve=curve)
        for curve in ("tanh", "exponential", "freeman", "nfw", "isothermal", "burkert")
    },
    "Courteau curve": case(curve="courteau", curve_slope=0.1, curve_sharpness=1.7),
    "mass-following curve": case(curve="mass_following", sersic_index=1.4),
    "rings curve": Case(galaxy(curve="rings", rings=RINGS), GRID, PSF),
    "rings curve, thick": Case(
        galaxy(
            curve="rings", rings=RINGS, inclination=82, thick_dispersion=1.0, clumps=CLUMPS,
            doublet_ratio=0.7,
        ),
        OII, PSF,
    ),
    "thick disk, bulge and halo": case(
        curve="sersic_nfw", bulge_fraction=0.3, bulge_index=2.0, sersic_index=1.3
    ),
    "inflow": case(radial_velocity=-70.0),
    "outflow, edge-on": case(radial_velocity=120.0, inclination=88.0),
    "outflow, no PSF": case(None, radial_velocity=90.0, options=FINE),
    "inflow, arms, clumps": case(**ARMS, clumps=CLUMPS, radial_velocity=-50.0, options=DEEP),
    "inflow, map on a smaller profile": case(
        light="map", light_map=BELOW, radial_velocity=-30.0, rings=True,
        options={"radii": 200, "azimuths": 240},
    ),
    "inflow, warp": case(**{**WARP, "inclination": 50.0}, radial_velocity=-60.0),
    **{
        curve: case(
            curve=curve, angular_scale=6.0, galaxy_redshift=0.7, log_baryonic_mass=10.2,
            log_halo_mass=11.6, halo_slope=0.5, dark_matter_fraction=0.6, bulge_fraction=0.2,
        )
        for curve in ("nfw_mass", "burkert_mass", "dekel_zhao_mass", "nfw_fraction")
    },
    "table curve": case(curve="table", rotation_table=TABLE),
    "steep curve": case(turnover_radius=0.005),
    "steep curve, no PSF": case(None, turnover_radius=0.005, options=FINE),
    "fast rotation": case(maximum_velocity=280.0, velocity_dispersion=20.0),
    "fast rotation, no PSF": case(None, maximum_velocity=280.0, velocity_dispersion=20.0),
    "drift": case(asymmetric_drift=True, velocity_dispersion=60.0),
    "thick dispersion": case(thick_dispersion=1.0, velocity_dispersion=20.0),
    "central dispersion": case(central_dispersion=90.0, dispersion_radius=0.3),
    "all dispersions": case(
        central_dispersion=60.0, dispersion_radius=0.3, thick_dispersion=1.0, curve="nfw",
        asymmetric_drift=True,
    ),
    "narrow line": case(grid=BARE, velocity_dispersion=10.0),
    "narrow line, no PSF": case(None, BARE, velocity_dispersion=10.0, maximum_velocity=60.0),
    "no width": case(grid=BARE, velocity_dispersion=0.0),
    "half a channel wide": case(grid=BARE, velocity_dispersion=25.0),
    "wide line": case(velocity_dispersion=200.0),
}  # fmt: skip

CHANNELS: dict[str, Case] = {
    "beyond the channels": case(systemic_velocity=310.0),
    "falling velocities": case(grid=FALLING),
    "[OII]": case(grid=OII, doublet_ratio=0.7),
    "[OII], falling": case(grid=replace(OII, edges=OII.edges[:, ::-1]), doublet_ratio=1.4),
    "one of two lines": case(grid=OII, doublet_ratio=0.0),
    "three lines": case(
        grid=replace(
            GRID, edges=GRID.edges + np.array([[0.0], [70.0], [-150.0]]),
            line_fluxes=(1.0, 0.6, 0.3), line_spread=(40.0, 30.0, 50.0),
        )
    ),
    "sampled": case(grid=SAMPLED),
    "sampled, no PSF": case(None, SAMPLED, scale_height=0.15, sersic_index=0.5),
    "sampled channels": case(grid=replace(GRID, channel_response=False)),
    "continuum": case(continuum=1.5, continuum_slope=0.4),
    "continuum, falling": case(grid=FALLING, continuum=1.5, continuum_slope=0.7),
    "continuum, no PSF": case(None, continuum=1.5, clumps=CLUMPS),
    "continuum, PSF of channels": case(CHANGING_PSF, continuum=1.5, continuum_slope=0.7),
    "continuum, PSF of falling channels": case(CHANGING_PSF, FALLING, continuum=-0.3),
    "everything": case(**EVERYTHING, grid=OII, options=DEEP),
}  # fmt: skip

CASES = {**ORIENTATIONS, **PLACES, **LIGHT, **KINEMATICS, **CHANNELS}


@cache
def reference(name: str) -> np.ndarray:
    """Return the cube of a case, float64, from the slow reference."""
    one = CASES[name]
    function = ring_cube if one.rings else cube
    answer = function(one.parameters, one.grid, one.psf, **one.options)
    answer.setflags(write=False)
    return answer
