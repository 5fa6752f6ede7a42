"""The parameters of a disk galaxy and of its clumps, declared once: unit, range, prior, meaning."""

from __future__ import annotations

from dataclasses import dataclass

from clumpygan.galaxies.disks.declaration import Parameter, Prior, declare, rows


@dataclass(frozen=True, kw_only=True)
class Clump:
    """A Gaussian clump in the plane of the disk, which rotates with it."""

    fraction: float = declare(
        0.05, "", (0.0, 1.0), "share of the galaxy's line flux", Prior("log_uniform", 0.01, 0.15)
    )
    x: float = declare(
        1.0,
        "half-light radii",
        (-10.0, 10.0),
        "place along the major axis, positive on the receding side",
        Prior("normal", 0.0, 0.9),
    )
    y: float = declare(
        0.0,
        "half-light radii",
        (-10.0, 10.0),
        "place in the plane of the disk along the minor axis, 90 degrees further than x",
        Prior("normal", 0.0, 0.9),
    )
    radius: float = declare(
        0.08,
        "arcsec",
        (1e-3, 5.0),
        "half-light radius in the plane of the disk",
        Prior("log_uniform", 0.03, 0.2),
    )
    dispersion: float = declare(
        25.0,
        "km/s",
        (0.0, 500.0),
        "velocity dispersion, in place of the disk's",
        Prior("uniform", 10.0, 50.0),
    )


CLUMP_PARAMETERS: tuple[Parameter, ...] = rows(Clump)


@dataclass(frozen=True, kw_only=True)
class RingValues:
    """What a ring of the curve 'rings' has: its radius is a choice of the model."""

    velocity: float = declare(
        150.0,
        "km/s",
        (0.0, 2000.0),
        "rotation velocity at the radius of the ring",
        Prior("uniform", 50.0, 300.0),
    )
    dispersion: float = declare(
        40.0,
        "km/s",
        (0.0, 500.0),
        "velocity dispersion there, in place of the disk's",
        Prior("uniform", 20.0, 80.0),
    )


RING_PARAMETERS: tuple[Parameter, ...] = rows(RingValues)

LINE_RATIO = Parameter(
    "line_ratio", "", 0.0, 100.0, 1.0, Prior(), "flux of a further line over that of the second"
)
"""Of `line_3_ratio` and those after it."""


@dataclass(frozen=True, kw_only=True)
class DiskValues:
    """The numbers that describe a disk galaxy, without its clumps."""

    flux: float = declare(
        1.0, "flux units", (0.0, 1e30), "total line flux", Prior("log_uniform", 0.3, 3.0)
    )
    offset_x: float = declare(
        0.0,
        "arcsec",
        (-1e4, 1e4),
        "centre, from the middle of the field along x",
        Prior("normal", 0.0, 0.1),
    )
    offset_y: float = declare(
        0.0,
        "arcsec",
        (-1e4, 1e4),
        "centre, from the middle of the field along y",
        Prior("normal", 0.0, 0.1),
    )
    systemic_velocity: float = declare(
        0.0,
        "km/s",
        (-1e5, 1e5),
        "relative to the zero of the velocity axis",
        Prior("normal", 0.0, 20.0),
    )
    half_light_radius: float = declare(
        0.6,
        "arcsec",
        (1e-3, 1e4),
        "along the major axis, of the disk seen face-on",
        Prior("log_uniform", 0.25, 1.0),
    )
    sersic_index: float = declare(
        1.0,
        "",
        (0.3, 6.2),
        "0.5 Gaussian, 1 exponential, 4 de Vaucouleurs",
        Prior("uniform", 0.6, 1.6),
    )
    ring_width: float = declare(
        0.1, "arcsec", (1e-3, 1e4), "standard deviation of the annulus of the light 'ring'"
    )
    bulge_fraction: float = declare(
        0.0, "", (0.0, 1.0), "share of the bulge in the smooth light", Prior("uniform", 0.0, 0.3)
    )
    bulge_radius: float = declare(
        0.15,
        "arcsec",
        (1e-3, 1e4),
        "half-light radius of the bulge",
        Prior("log_uniform", 0.05, 0.2),
    )
    bulge_index: float = declare(2.5, "", (0.3, 6.2), "Sersic index of the bulge")
    inclination: float = declare(
        45.0, "deg", (0.0, 90.0), "0 face-on, 90 edge-on", Prior("isotropic", 10.0, 85.0)
    )
    position_angle: float = declare(
        0.0,
        "deg",
        (-360.0, 720.0),
        "of the receding side of the major axis, from +y (north) towards -x (east)",
        Prior("uniform", 0.0, 360.0),
        period=360.0,
    )
    maximum_velocity: float = declare(
        150.0,
        "km/s",
        (0.0, 2000.0),
        "of the rotation curve (of its disk, if it has a halo)",
        Prior("uniform", 50.0, 300.0),
    )
    turnover_radius: float = declare(
        0.2,
        "arcsec",
        (1e-3, 1e4),
        "where the rotation curve turns over",
        Prior("log_uniform", 0.05, 0.4),
    )
    curve_slope: float = declare(
        0.0, "", (-1.0, 1.0), "beta of the curve 'courteau': rise (< 0) or fall (> 0) far out"
    )
    curve_sharpness: float = declare(
        2.0, "", (0.5, 10.0), "gamma of the curve 'courteau': how sharply it turns over"
    )
    halo_velocity: float = declare(
        120.0,
        "km/s",
        (0.0, 2000.0),
        "largest circular velocity of the NFW or Burkert halo, asymptotic one of the isothermal",
    )
    halo_radius: float = declare(
        2.0, "arcsec", (1e-3, 1e5), "scale radius (NFW) or core radius (others) of the halo"
    )
    log_baryonic_mass: float = declare(
        10.5, "dex(solMass)", (6.0, 13.0), "log10 of the mass of disk and bulge"
    )
    log_halo_mass: float = declare(
        12.0, "dex(solMass)", (8.0, 16.0), "log10 of the mass of the halo within R_200"
    )
    concentration: float = declare(
        7.0, "", (1.0, 60.0), "of the halo: R_200 over the radius where its density falls as R^-2"
    )
    halo_slope: float = declare(
        1.0, "", (0.0, 1.9), "of the density of the Dekel-Zhao halo at 0.01 R_200: R^-slope"
    )
    dark_matter_fraction: float = declare(
        0.4, "", (0.0, 0.99), "V_halo^2 over V_c^2 at the half-light radius"
    )
    galaxy_redshift: float = declare(
        0.0, "", (0.0, 20.0), "which the critical density is of, and so R_200"
    )
    angular_scale: float = declare(
        5.0, "kpc/arcsec", (1e-4, 20.0), "of the galaxy, for curves that are given by masses"
    )
    velocity_dispersion: float = declare(
        40.0,
        "km/s",
        (0.0, 500.0),
        "the part that is the same everywhere",
        Prior("uniform", 20.0, 80.0),
    )
    thick_dispersion: float = declare(
        0.0, "", (0.0, 3.0), "adds this times h_z V / R in quadrature; 1 for a thick disk"
    )
    central_dispersion: float = declare(
        0.0, "km/s", (0.0, 500.0), "adds this times exp(-R / dispersion_radius) in quadrature"
    )
    dispersion_radius: float = declare(
        0.5, "arcsec", (1e-3, 1e4), "radius over which the central dispersion declines"
    )
    scale_height: float = declare(
        0.08,
        "arcsec",
        (0.0, 1e4),
        "sigma of the Gaussian, h of exp(-|z|/h) or of sech^2(z/h)",
        Prior("log_uniform", 0.02, 0.2),
    )
    g1: float = declare(
        0.0, "", (-0.7, 0.7), "reduced shear as in GalSim", Prior("normal", 0.0, 0.05)
    )
    g2: float = declare(
        0.0, "", (-0.7, 0.7), "reduced shear as in GalSim", Prior("normal", 0.0, 0.05)
    )
    magnification: float = declare(1.0, "", (0.1, 100.0), "of areas on the sky, and so of the flux")
    doublet_ratio: float = declare(
        1.0, "", (0.0, 100.0), "flux of the first over that of the second of two lines"
    )
    continuum: float = declare(
        0.0,
        "per 1000 km/s",
        (-100.0, 100.0),
        "continuum flux per 1000 km/s over line flux, at 0 km/s",
    )
    continuum_slope: float = declare(
        0.0, "per 1000 km/s", (-100.0, 100.0), "change of the continuum over its value at 0 km/s"
    )
    arm_amplitude: float = declare(
        0.0,
        "",
        (0.0, 1.0),
        "relative modulation of the disk by spiral arms",
        Prior("uniform", 0.0, 0.7),
    )
    arm_pitch: float = declare(
        20.0,
        "deg",
        (5.0, 85.0),
        "pitch angle of the logarithmic, trailing arms",
        Prior("uniform", 12.0, 40.0),
    )
    arm_phase: float = declare(
        0.0,
        "deg",
        (-360.0, 720.0),
        "azimuth of an arm at the half-light radius",
        Prior("uniform", 0.0, 360.0),
        period=360.0,
    )
    lopsidedness: float = declare(
        0.0,
        "",
        (0.0, 1.0),
        "relative m = 1 modulation at large radii",
        Prior("uniform", 0.0, 0.3),
    )
    lopsidedness_phase: float = declare(
        0.0,
        "deg",
        (-360.0, 720.0),
        "azimuth of the brighter side",
        Prior("uniform", 0.0, 360.0),
        period=360.0,
    )
    warp_inclination: float = declare(
        0.0,
        "deg per half-light radius",
        (-45.0, 45.0),
        "change of the inclination with radius, from the centre",
    )
    warp_inclination_bend: float = declare(
        0.0,
        "deg per half-light radius squared",
        (-15.0, 15.0),
        "change of the inclination with the square of the radius, added to that with the radius",
    )
    warp_position_angle: float = declare(
        0.0,
        "deg per half-light radius",
        (-90.0, 90.0),
        "change of the position angle with radius, from the centre",
    )
    warp_position_angle_bend: float = declare(
        0.0,
        "deg per half-light radius squared",
        (-30.0, 30.0),
        "change of the position angle with the square of the radius, added to that with the radius",
    )
    radial_velocity: float = declare(
        0.0,
        "km/s",
        (-1000.0, 1000.0),
        "flow in the plane, outwards if the far side is 90 degrees further than the receding one",
    )


PARAMETERS: tuple[Parameter, ...] = rows(DiskValues)

WARP_PARAMETERS = tuple(row.name for row in PARAMETERS if row.name.startswith("warp_"))
"""Names of the parameters of a warp."""
