"""What papers quote, against the truth and by hand."""

import numpy as np
import pytest
from astropy.cosmology import Planck18
from scipy.special import i0, i1, k0, k1

from clumpygan.fitting import DiskFitter, SamplerSettings
from clumpygan.fitting.products.quantities import scale_of
from clumpygan.galaxies import CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.measuring.profiles import curves_of
from clumpygan.galaxies.rendering.thick_sersic import squared_velocity
from tests.fitting.conftest import FRAME, GRID, TRUTH
from tests.fitting.products.conftest import RATIO, REDSHIFT


def rows_of(result):
    return {str(row["name"]): row for row in result.quantities}


def arctan(radius):
    turnover, speed = TRUTH["turnover_radius"], TRUTH["maximum_velocity"]
    return speed * 2 / np.pi * np.arctan(radius / turnover)


def test_curves_are_those_of_the_model():
    vector = DiskParameters(**TRUTH, thick_dispersion=0.5).to_vector()
    radii = np.array([[0.1, 0.5, 2.0]])
    velocity, dispersion = curves_of(DiskModel(), vector[None], radii)
    np.testing.assert_allclose(velocity, arctan(radii))
    shear = 0.5 * TRUTH["scale_height"] * velocity / radii
    np.testing.assert_allclose(dispersion, np.hypot(TRUTH["velocity_dispersion"], shear))
    table = DiskModel(curve="table", rotation_table=((1.0, 100.0), (2.0, 50.0)))
    np.testing.assert_allclose(curves_of(table, vector[None], radii)[0], [[10.0, 50.0, 50.0]])


def test_intervals_hold_the_truth(result):
    rows, size = rows_of(result), TRUTH["half_light_radius"]
    at_22, sine = arctan(2.2 * size / 1.67835), np.sin(np.radians(TRUTH["inclination"]))
    truth = {
        "velocity_re": arctan(size),
        "velocity_1.38re": arctan(1.38 * size),
        "velocity_2.2rd": at_22,
        "velocity_over_dispersion": at_22 / TRUTH["velocity_dispersion"],
        "velocity_sin_inclination": at_22 * sine,
        "flux_Ha6563": TRUTH["flux"] * RATIO / (RATIO + 1 + 1 / 3.05),
        "flux_[NII]6583": TRUTH["flux"] / (RATIO + 1 + 1 / 3.05),
    }
    for name, value in truth.items():
        half = 0.5 * (rows[name]["upper"] - rows[name]["lower"])
        assert 0 < half < 0.2 * value
        assert abs(rows[name]["median"] - value) < 3.5 * half, name
    faint, strong = rows["flux_[NII]6548"], rows["flux_[NII]6583"]
    assert strong["median"] / faint["median"] == pytest.approx(3.05)


def test_the_last_radius_is_where_the_lines_are_seen(result):
    rows = rows_of(result)
    assert 1.0 < rows["radius_last"]["median"] < 2.0
    assert rows["velocity_last"]["median"] > rows["velocity_re"]["median"]


def test_the_mass_is_that_of_its_formula(result):
    rows = rows_of(result)
    kpc = rows["radius_re"]["median"]
    own = (1 + REDSHIFT) * (1 + result.values["systemic_velocity"] / 299792.458) - 1
    scale = Planck18.kpc_proper_per_arcmin(own).value / 60
    size = result.table["median"][list(result.table["name"]).index("half_light_radius")]
    assert kpc == pytest.approx(scale * size, rel=0.01)
    sigma = result.table["median"][list(result.table["name"]).index("velocity_dispersion")]
    mass = kpc * (rows["velocity_re"]["median"] ** 2 + 3.357 * sigma**2) / 4.30091e-6
    assert rows["dynamical_mass_re"]["median"] == pytest.approx(mass, rel=0.03)


def test_a_distance_counts_before_the_redshift(result):
    from dataclasses import replace

    near = replace(result, settings={**result.settings, "distance_mpc": 10.0})
    assert scale_of(near) == pytest.approx(0.04848, rel=1e-3)
    unknown = replace(result, settings={**result.settings, "redshift": None})
    assert scale_of(unknown) is None
    assert "dynamical_mass_re" not in unknown.quantities["name"]


@pytest.mark.parametrize("curve", ["nfw", "sersic_nfw"])
def test_the_share_of_dark_matter_is_that_of_its_halo(curve):
    truth = TRUTH | {"maximum_velocity": 150.0, "halo_velocity": 180.0, "halo_radius": 1.0}
    galaxy = DiskParameters(**truth, curve=curve)
    clean = CubeRenderer(GRID, galaxy.model, FRAME.transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / 40
    noise = np.random.default_rng(7).standard_normal(clean.shape)
    known = ("sersic_index", "inclination", "half_light_radius", "halo_radius", "turnover_radius")
    fitter = DiskFitter(
        galaxy.model,
        FRAME,
        fixed={name: truth[name] for name in known},
        sampler=SamplerSettings("laplace"),
        distance=100.0,
    )
    rows = rows_of(fitter.fit(clean + sigma * noise, sigma**2))
    # By the closed formulas of both, at R_e = 0.7 arcsec: a disk at 1.678 scale lengths.
    x, y = 0.7 / 1.0, 0.5 * 1.678347
    halo = 180**2 * (np.log1p(x) - x / (1 + x)) / x / 0.216217
    disk = 150**2 * 2 * y**2 * (i0(y) * k0(y) - i1(y) * k1(y)) / 0.387045
    if curve == "sersic_nfw":
        largest = squared_velocity(np.geomspace(0.5, 3, 500), 1.0, 0.2).max()
        disk = 150**2 * squared_velocity(np.array([1.0]), 1.0, 0.2)[0] / largest
    share = rows["dark_matter_fraction_re"]
    width = 0.5 * (share["upper"] - share["lower"])
    assert abs(share["median"] - halo / (halo + disk)) < 3.5 * width
    assert 0 < width < 0.2
    assert share["unit"] == ""
    # Of an exponential disk: M = V_max^2 R_d / (0.387 G), R_d in kpc at 100 Mpc.
    scale_length = 0.7 / 1.678347 * 100e3 * np.pi / 648000
    mass = 150**2 * scale_length / 0.387045 / 4.30091e-6
    if curve == "sersic_nfw":
        mass = 150**2 * 1.678347 * scale_length / largest / 4.30091e-6
    assert rows["disk_mass"]["median"] == pytest.approx(mass, rel=0.25)
    assert rows["disk_mass"]["unit"] == "solMass"
