"""Errors that are forecast, against a Fisher matrix by finite differences, and against GalSim."""

import galsim
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter
from clumpygan.fitting.forecast import expected_covariance, shear_along, shear_errors
from clumpygan.galaxies import CubeRenderer, DiskParameters
from tests.fitting.conftest import FRAME, MODEL, TRUTH

GALAXY = DiskParameters.from_dict(TRUTH, MODEL)
RATIO = 30.0
STEPS = {
    "flux": 0.01, "offset_x": 0.01, "offset_y": 0.01, "systemic_velocity": 1.0,
    "half_light_radius": 0.01, "inclination": 0.5, "position_angle": 0.5,
    "turnover_radius": 0.01, "velocity_dispersion": 1.0, "g1": 0.01,
    "g2": 0.01,
}  # fmt: skip


def test_the_covariance_is_the_inverse_of_the_fisher_matrix():
    """Of a disk whose speed is known, so that the priors don't matter."""
    wide = {"inclination": "uniform:5:90", "g1": "uniform:-0.7:0.7", "g2": "uniform:-0.7:0.7"}
    given = ("scale_height", "maximum_velocity", "sersic_index")
    fixed = {name: TRUTH[name] for name in given}
    fitter = DiskFitter(MODEL, FRAME, free=["g1", "g2"], fixed=fixed, priors=wide)
    names, covariance = expected_covariance(fitter, GALAXY, RATIO)
    assert set(names) == set(STEPS)

    renderer = CubeRenderer(FRAME.grid, MODEL, FRAME.transfer, 1e-5)

    def cube(name, step):
        vector = GALAXY.to_vector()
        vector[MODEL.index(name)] += step
        return renderer(vector[None])[0].astype(np.float64).ravel()

    sigma = cube("flux", 0.0).max() / RATIO
    slopes = [(cube(n, STEPS[n]) - cube(n, -STEPS[n])) / (2 * STEPS[n] * sigma) for n in names]
    fisher = np.array(slopes) @ np.array(slopes).T
    errors = np.sqrt(np.diag(np.linalg.inv(fisher)))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), errors, rtol=0.06)


def test_a_tully_fisher_prior_tells_the_shear_along_the_axis():
    def errors(**priors):
        fitter = DiskFitter(MODEL, FRAME, free=["g1", "g2"], priors=priors)
        return shear_errors(*expected_covariance(fitter, GALAXY, RATIO), GALAXY.position_angle)

    flat, known = errors(), errors(maximum_velocity="lognormal:190:0.03")
    assert known["along"] < 0.7 * flat["along"]
    assert known["across"] == pytest.approx(flat["across"], rel=0.02)
    assert flat["across"] < 0.5 * flat["along"]
    assert flat["mean"] ** 2 == pytest.approx((flat["along"] ** 2 + flat["across"] ** 2) / 2)


@pytest.mark.parametrize("angle", [0.0, 30.0, 130.0])
def test_along_and_across_are_those_of_galsim(angle):
    """A disk that is stretched along its major axis: beta counts from +x, the angle from +y."""
    stretch = galsim.Shear(g=0.1, beta=(90.0 + angle) * galsim.degrees)
    np.testing.assert_allclose(shear_along(angle, stretch.g1, stretch.g2), (0.1, 0), atol=1e-12)
    across = galsim.Shear(g=0.1, beta=(90.0 + angle + 45.0) * galsim.degrees)
    np.testing.assert_allclose(shear_along(angle, across.g1, across.g2), (0, 0.1), atol=1e-12)


def test_what_cant_be_forecast():
    with pytest.raises(InputError, match="give the fitter a frame"):
        expected_covariance(DiskFitter(MODEL), GALAXY, RATIO)
    with pytest.raises(InputError, match="signal_to_noise is -1; expected a number above 0"):
        expected_covariance(DiskFitter(MODEL, FRAME), GALAXY, -1.0)
