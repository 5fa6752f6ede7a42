"""Fits of disks that gas flows through, and of warps that aren't linear."""

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, SamplerSettings
from clumpygan.galaxies import CubeRenderer, DiskParameters
from tests.fitting.conftest import FRAME, GRID, TRUTH


def fitted(changes, model_of=None, signal_to_noise=30, **choices):
    """Return rows and chi^2 of the fit of a galaxy by its own model, or that of another one."""
    galaxy = DiskParameters(**{**TRUTH, **changes})
    clean = CubeRenderer(GRID, galaxy.model, FRAME.transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / signal_to_noise
    noise = np.random.default_rng(5).standard_normal(clean.shape)
    model = DiskParameters(**TRUTH).model if model_of is None else galaxy.model
    fitter = DiskFitter(model, FRAME, sampler=SamplerSettings("laplace"), **choices)
    result = fitter.fit(clean + sigma * noise, sigma**2)
    return {str(row["name"]): row for row in result.table}, result


@pytest.mark.parametrize("flow", [-40.0, 25.0])
def test_a_radial_flow_is_found(flow):
    rows, result = fitted({"radial_velocity": flow}, "own")
    _, plain = fitted({"radial_velocity": flow})
    row = rows["radial_velocity"]
    half = 0.5 * (row["upper"] - row["lower"])
    assert 0 < half < 6
    assert abs(row["median"] - flow) < 3 * half
    assert result.verdict.word == "good", result.problems
    # Without it, the kinematic axes aren't at right angles.
    assert plain.chi_squared > result.chi_squared + 50


def test_a_warp_that_bends_is_found():
    warp = {
        "warp_inclination": 2.0, "warp_position_angle": 6.0, "warp_position_angle_bend": 6.0,
    }  # fmt: skip
    rows, result = fitted(warp, "own", 80, free=["warp_position_angle_bend"])
    for name in ("warp_position_angle", "warp_position_angle_bend"):
        half = 0.5 * (rows[name]["upper"] - rows[name]["lower"])
        assert 0 < half < 5
        assert abs(rows[name]["median"] - warp[name]) < 3 * half, name
    _, linear = fitted(warp, "own", 80)
    assert linear.chi_squared > result.chi_squared + 20
