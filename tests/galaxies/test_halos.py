"""Halos that are given by masses: held against integrals of their densities, and astropy."""

import numpy as np
import pytest
from astropy import units
from astropy.constants import G
from astropy.cosmology import FlatLambdaCDM, Planck18
from scipy.integrate import quad
from scipy.optimize import brentq

from clumpygan.errors import InputError
from clumpygan.galaxies import DiskParameters
from clumpygan.galaxies.disks.halo_relations import (
    HUBBLE_CONSTANT,
    MATTER,
    concentration_relation,
    largest_concentration,
    least_halo_slope,
    log_stellar_mass,
    matched_halo_mass,
)
from clumpygan.galaxies.disks.parameters import CURVES
from clumpygan.galaxies.measuring.profiles import profiles_of
from clumpygan.galaxies.rendering.halos import halo_velocity, log_halo_mass

REDSHIFT, SCALE = 1.3, 8.6
RADII = np.array([0.05, 0.3, 1.0, 4.0])


def galaxy(curve, **values):
    given = {"galaxy_redshift": REDSHIFT, "angular_scale": SCALE, "concentration": 6.0, **values}
    return DiskParameters(curve=curve, **given)


def halo_of(one, radii=RADII):
    number, vector = CURVES.index(one.curve), one.to_vector()
    return np.array([halo_velocity(number, radius, vector) for radius in radii])


def virial(mass):
    """Return R_200 in kpc and V_200 in km/s of a mass, by astropy."""
    cosmology = FlatLambdaCDM(HUBBLE_CONSTANT, MATTER)
    density = 200 * cosmology.critical_density(REDSHIFT)
    radius = ((3 * mass * units.Msun / (4 * np.pi * density)) ** (1 / 3)).to("kpc")
    speed = np.sqrt(G * mass * units.Msun / radius).to("km/s")
    return radius.value, speed.value


def from_density(density, mass, radii=RADII):
    """Return the circular velocity in km/s of a density over R / R_200 of some mass within 1."""
    reach, speed = virial(mass)

    def enclosed(x):
        # In the logarithm of the radius, for cusps.
        return quad(lambda t: np.exp(3 * t) * density(np.exp(t)), -25, np.log(x), epsrel=1e-10)[0]

    ratios = radii * SCALE / reach
    return np.array([speed * np.sqrt(enclosed(x) / enclosed(1.0) / x) for x in ratios])


def test_an_nfw_halo_has_its_mass_and_concentration():
    one = galaxy("nfw_mass", log_halo_mass=11.8)
    expected = from_density(lambda x: 1 / (6 * x * (1 + 6 * x) ** 2), 10**11.8)
    np.testing.assert_allclose(halo_of(one), expected, rtol=1e-5)


def test_a_burkert_halo_has_its_mass_and_core():
    one = galaxy("burkert_mass", log_halo_mass=11.8)
    c = 6 * brentq(lambda x: x**3 - x - 2, 1.0, 2.0)
    expected = from_density(lambda x: 1 / ((1 + c * x) * (1 + (c * x) ** 2)), 10**11.8)
    np.testing.assert_allclose(halo_of(one), expected, rtol=1e-5)


@pytest.mark.parametrize("curve", ["nfw_mass", "burkert_mass", "dekel_zhao_mass"])
def test_the_density_falls_as_the_square_of_the_radius_at_the_concentration(curve):
    one = galaxy(curve, log_halo_mass=12.0, concentration=9.0)
    place = np.log(virial(1e12)[0] / 9.0 / SCALE)
    step = 0.05
    edges = np.exp(place + step * np.array([-1.5, -0.5, 0.5, 1.5]))
    masses = np.diff(halo_of(one, edges) ** 2 * edges)
    inner, middle, outer = np.log(masses / np.diff(edges**3))
    assert 0.5 * (outer - inner) / step == pytest.approx(-2.0, abs=0.01)
    assert inner > middle > outer


@pytest.mark.parametrize("slope", [0.0, 0.6, 1.5])
def test_a_dekel_zhao_halo_has_the_slopes_that_are_asked_for(slope):
    """Found by root finding from the definitions of s_1 and c_2, not by their formulas."""
    wanted = 6.0

    def log_slope(x, a):
        return (a + 3.5 * np.sqrt(x)) / (1 + np.sqrt(x))

    def own_concentration(a):
        middle = brentq(lambda x: log_slope(x, a) - 2, 1e-12, 1e6)
        return wanted * middle

    a = brentq(lambda a: log_slope(0.01 * own_concentration(a), a) - slope, -4.0, 1.99)
    c = own_concentration(a)
    expected = from_density(
        lambda x: 1 / ((c * x) ** a * (1 + np.sqrt(c * x)) ** (7 - 2 * a)), 10**12.1
    )
    one = galaxy("dekel_zhao_mass", log_halo_mass=12.1, halo_slope=slope)
    np.testing.assert_allclose(halo_of(one), expected, rtol=1e-5)


def test_slopes_that_no_halo_of_a_concentration_has_are_refused():
    words = "halo_slope is 0 at a concentration of 60; expected at least 1.95, or .* at most 11.8"
    with pytest.raises(InputError, match=words):
        galaxy("dekel_zhao_mass", halo_slope=0.0, concentration=60.0)
    least = least_halo_slope(30.0)
    assert largest_concentration(least) == pytest.approx(30.0)
    first, second = (
        galaxy("dekel_zhao_mass", halo_slope=least + more, concentration=30.0) for more in (0, 0.05)
    )
    assert halo_of(first)[0] < 0.95 * halo_of(second)[0]


@pytest.mark.parametrize("concentration", [1.0, 6.0, 60.0])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.95])
def test_the_share_of_dark_matter_is_what_is_asked_for(share, concentration):
    one = galaxy(
        "nfw_fraction", dark_matter_fraction=share, concentration=concentration,
        bulge_fraction=0.3, half_light_radius=0.5,
    )  # fmt: skip
    total = profiles_of(one, [0.5])[0][0]
    assert (halo_of(one, [0.5])[0] / total) ** 2 == pytest.approx(share, rel=1e-9)
    # And it is the halo of some mass, which is told.
    mass = log_halo_mass(one.to_vector())
    if 8 < mass < 16:
        same = galaxy("nfw_mass", log_halo_mass=mass, concentration=concentration)
        np.testing.assert_allclose(halo_of(one), halo_of(same), rtol=1e-9)


def test_disk_and_bulge_have_the_mass_that_is_given():
    one = galaxy("nfw_mass", log_baryonic_mass=10.8, log_halo_mass=8.0, bulge_fraction=0.4)
    far = np.array([30.0])
    square = profiles_of(one, far)[0] ** 2 - halo_of(one, far) ** 2
    mass = square * far * SCALE * units.Unit("km2 kpc / s2") / G
    assert np.log10(mass[0].to("Msun").value) == pytest.approx(10.8, abs=0.005)


def test_without_dark_matter_there_is_none():
    assert halo_of(galaxy("nfw_fraction", dark_matter_fraction=0.0)).max() < 0.1


def test_the_cosmology_is_planck_s():
    own = FlatLambdaCDM(HUBBLE_CONSTANT, MATTER)
    for redshift in (0.0, 1.0, 3.0):
        ratio = own.H(redshift) / Planck18.H(redshift)
        assert float(ratio) == pytest.approx(1.0, rel=4e-3)  # without radiation


def test_relations_are_those_of_the_papers():
    # Dutton & Maccio 2014: log c_200 = 0.905 - 0.101 log(M h / 1e12) today.
    median, slope = concentration_relation(0.0)
    assert np.log10(median) == pytest.approx(0.905 - 0.101 * np.log10(0.6766), abs=1e-9)
    assert slope == -0.101
    assert 3.5 < concentration_relation(2.0)[0] < 4.5
    # Moster et al. 2013: the most efficient halos have 10^11.8 and 3.5 % of their mass in stars.
    masses = np.linspace(11, 13, 201)
    shares = np.array([log_stellar_mass(m, 0.0) - m for m in masses])
    assert masses[shares.argmax()] == pytest.approx(11.8, abs=0.1)
    assert 10 ** shares.max() == pytest.approx(0.036, abs=0.003)
    mass, scatter = matched_halo_mass(10.5, 0.8)
    assert log_stellar_mass(mass, 0.8) == pytest.approx(10.5, abs=1e-6)
    assert 0.1 < scatter < 0.4


@pytest.mark.parametrize(
    ("stellar", "redshift", "message"),
    [
        (11.8, 2.0, r"abundance_matching:11.8:2: expected log10 of a stellar mass below 11.\d\d,"),
        (12.5, 0.0, "expected log10 of a stellar mass below"),
        (10.5, 4.1, "expected a redshift from 0 to 4, where the relation holds"),
    ],
)
def test_stellar_masses_that_no_halo_has_are_refused(stellar, redshift, message):
    with pytest.raises(InputError, match=message):
        matched_halo_mass(stellar, redshift)
