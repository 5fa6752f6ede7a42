"""Light, rotation curves and dispersions over the radius and the height, by SciPy and textbooks."""

import math

import numpy as np
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, minimize_scalar
from scipy.special import gamma, gammainc, gammaincinv, i0e, i1e, k0e, k1e

from clumpygan.galaxies.rendering.thick_sersic import squared_velocity


def sersic(radius, n, half_light_radius):
    b = gammaincinv(2 * n, 0.5)
    norm = b ** (2 * n) / (2 * np.pi * n * gamma(2 * n) * half_light_radius**2)
    return norm * np.exp(-b * (radius / half_light_radius) ** (1 / n))


def annulus(radius, centre, width):
    nodes, weights = leggauss(200)
    low, high = max(centre - 12 * width, 0.0), centre + 12 * width
    r = low + (high - low) * 0.5 * (nodes + 1)
    norm = (
        0.5 * (high - low) * weights @ (2 * np.pi * r * np.exp(-0.5 * ((r - centre) / width) ** 2))
    )
    return np.exp(-0.5 * ((radius - centre) / width) ** 2) / norm


def _peak(square, low, high):
    best = minimize_scalar(lambda x: -square(math.exp(x)), bounds=(math.log(low), math.log(high)))
    return -best.fun


def through_rings(radius, p, name):
    """Return SciPy's spline through rings and their mirror images, constant beyond the last."""
    radii = np.array([ring.radius for ring in p.rings])
    values = np.array([getattr(ring, name) for ring in p.rings])
    rise = np.arctan if name == "velocity" else np.ones_like
    values = values / rise(radii / p.turnover_radius)
    spline = CubicSpline([*-radii[::-1], *radii], [*values[::-1], *values], bc_type="natural")
    return spline(np.minimum(radius, radii[-1])) * rise(radius / p.turnover_radius)


def spheroid(radius, n, axis_ratio):
    """Return V^2 R_e / (G M), by the quadrature that `test_rotation` holds against SciPy's."""
    nodes = np.geomspace(3e-3, 30.0, 400)
    square = np.exp(np.interp(np.log(radius), np.log(nodes),
                              np.log(squared_velocity(nodes, n, axis_ratio))))  # fmt: skip
    return square * np.minimum(radius / nodes[0], 1) ** 2 / np.maximum(radius / nodes[-1], 1)


def baryons(radius, p):
    """Return V^2 of disk and bulge of a mass, (km/s)^2."""
    own = (constants.G * 10**p.log_baryonic_mass * units.Msun).to("kpc km2 / s2").value
    size = p.half_light_radius * p.angular_scale
    disk = spheroid(radius / p.half_light_radius, p.sersic_index, 0.2) / size
    bulge = spheroid(radius / p.bulge_radius, p.bulge_index, 1.0)
    bulge = bulge / (p.bulge_radius * p.angular_scale)
    return own * ((1 - p.bulge_fraction) * disk + p.bulge_fraction * bulge)


def halo_square(radius, p):
    """Return V^2 of the halo of a mass, or of a share of dark matter found by trial."""
    critical = FlatLambdaCDM(67.66, 0.30966).critical_density(p.galaxy_redshift)
    c = p.concentration
    core = brentq(lambda x: x**3 - x - 2, 1.0, 2.0)  # where a Burkert halo falls as r^-2
    reduced = core * c if p.curve == "burkert_mass" else c

    def enclosed(x):
        if p.curve == "burkert_mass":
            return 0.5 * np.log1p(x * x) + np.log1p(x) - np.arctan(x)
        return np.log1p(x) - x / (1 + x)

    def square(r, log_mass):
        mass = 10**log_mass * units.Msun
        reach = ((mass / (800 / 3 * np.pi * critical)) ** (1 / 3)).to("kpc").value
        x = r * p.angular_scale / reach
        speed = (constants.G * mass / (reach * units.kpc)).to("km2 / s2").value
        if p.curve != "dekel_zhao_mass":
            return speed * enclosed(reduced * x) / enclosed(reduced) / x

        def slope(y, a):
            return (a + 3.5 * np.sqrt(y)) / (1 + np.sqrt(y))

        def own(a):
            return c * brentq(lambda y: slope(y, a) - 2, 1e-12, 1e6)

        a = brentq(lambda a: slope(0.01 * own(a), a) - p.halo_slope, -6.0, 1.99)
        chi, end = (np.sqrt(own(a) * y) / (1 + np.sqrt(own(a) * y)) for y in (x, 1.0))
        return speed * (chi / end) ** (6 - 2 * a) / x

    log_mass = p.log_halo_mass
    if p.curve == "nfw_fraction":
        half, share = p.half_light_radius, p.dark_matter_fraction
        wanted = share / (1 - share) * baryons(np.array([half]), p)[0]
        log_mass = brentq(lambda m: square(half, m) - wanted, 4.0, 20.0)
    return square(radius, log_mass)


def circular_velocity(radius, p):
    """Return the curves of `clumpygan.galaxies.rendering.rotation` by their closed formulas."""
    x, halo = radius / p.turnover_radius, radius / p.halo_radius

    def freeman(y):
        return y**2 * (i0e(y) * k0e(y) - i1e(y) * k1e(y))

    def nfw(r):
        return (np.log1p(r) - r / (1 + r)) / r

    def enclosed(r):
        u = gammaincinv(2 * p.sersic_index, 0.5) * r ** (1 / p.sersic_index)
        return gammainc(2 * p.sersic_index, u) / r

    y = 0.5 * gammaincinv(2, 0.5) * radius / p.half_light_radius
    disk = p.maximum_velocity**2 * freeman(y) / _peak(freeman, 0.3, 4)
    if p.curve == "rings":
        return through_rings(radius, p, "velocity")
    if p.curve == "table":
        return np.interp(radius, *np.array([(0.0, 0.0), *p.rotation_table]).T)
    if p.curve == "mass_following":
        square = enclosed(radius / p.half_light_radius) / _peak(enclosed, 1e-2, 1e2)
        return p.maximum_velocity * np.sqrt(square)
    if p.curve == "courteau":
        bend = (1 + x**-p.curve_sharpness) ** (1 / p.curve_sharpness)
        return p.maximum_velocity * (1 + 1 / x) ** p.curve_slope / bend

    def burkert(r):
        return (0.5 * np.log1p(r * r) + np.log1p(r) - np.arctan(r)) / r

    if p.curve == "sersic_nfw":
        share = p.bulge_fraction / (1 - p.bulge_fraction) * p.half_light_radius / p.bulge_radius
        square = spheroid(radius / p.half_light_radius, p.sersic_index, 0.2)
        square = square + share * spheroid(radius / p.bulge_radius, p.bulge_index, 1.0)
        largest = spheroid(np.geomspace(0.3, 5.0, 4000), p.sersic_index, 0.2).max()
        square = p.maximum_velocity**2 * square / largest
        return np.sqrt(square + p.halo_velocity**2 * nfw(halo) / _peak(nfw, 0.1, 20))
    if p.curve.endswith(("_mass", "_fraction")):
        return np.sqrt(baryons(radius, p) + halo_square(radius, p))
    if p.curve in ("freeman", "nfw", "isothermal", "burkert"):
        shape = {
            "freeman": 0.0,
            "nfw": nfw(halo) / _peak(nfw, 0.1, 20),
            "burkert": burkert(halo) / _peak(burkert, 0.3, 30),
            "isothermal": 1 - np.arctan(halo) / halo,
        }[p.curve]
        return np.sqrt(disk + p.halo_velocity**2 * shape)
    rise = {"arctan": 2 / np.pi * np.arctan(x), "tanh": np.tanh(x), "exponential": 1 - np.exp(-x)}
    return p.maximum_velocity * rise[p.curve]


def rotation_velocity(radius, p):
    velocity = circular_velocity(radius, p)
    if not p.asymmetric_drift:
        return velocity
    scale = p.half_light_radius / gammaincinv(2, 0.5)
    taken = 2 * p.velocity_dispersion**2 * radius / scale
    left = np.maximum(1 - taken / np.maximum(velocity**2, 1e-300), 0)
    rounded = math.sqrt(0.02) * (left / 0.02) ** 2 * (2.5 - 1.5 * left / 0.02)
    return velocity * np.where(left < 0.02, rounded, np.sqrt(left))


def dispersion(radius, velocity, p):
    thick = p.thick_dispersion * p.scale_height * velocity / radius
    central = p.central_dispersion * np.exp(-radius / p.dispersion_radius)
    rings = p.curve == "rings"
    level = through_rings(radius, p, "dispersion") if rings else p.velocity_dispersion
    return np.sqrt(level**2 + thick**2 + central**2)


def vertical(z, p, height):
    if p.vertical == "gaussian":
        return np.exp(-0.5 * (z / height) ** 2) / (height * math.sqrt(2 * math.pi))
    if p.vertical == "exponential":
        return np.exp(-np.abs(z) / height) / (2 * height)
    return 1 / (2 * height * np.cosh(np.minimum(np.abs(z) / height, 300)) ** 2)
