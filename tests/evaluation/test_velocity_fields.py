"""Velocity maps of one resolution and S/N, and what is measured of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from clumpygan.evaluation.cubes.field_statistics import STATISTICS, field_statistics
from clumpygan.evaluation.cubes.velocity_fields import (
    PIXELS_A_BEAM,
    FieldDisk,
    VelocityField,
    disk_plane,
    fit_disk,
    match_field,
)

SIDE = 61
LIES = FieldDisk(30.4, 29.2, 0.6, 130.0, 0.0, 0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def field(k5=0.0, error=1.0, twist=0.0, light=True, lies=LIES) -> VelocityField:
    """A map V = V(R) [cos psi + k5 cos 5 psi] + 20 km/s, whose phase goes with the radius."""
    radius, psi = disk_plane((SIDE, SIDE), lies)
    phase = psi - np.radians(twist) * np.clip(radius / 24, 0, 1)
    curve = 150 * 2 / np.pi * np.arctan(radius / 4)
    velocity = curve * (np.cos(phase) + k5 * np.cos(5 * phase)) + 20
    known = radius < 25
    return VelocityField(
        "one",
        np.where(known, velocity, np.nan),
        np.where(known, error, np.nan),
        2.5,
        np.where(known, np.exp(-radius / 8), np.nan) if light else None,
        np.where(known, 40 + 20 * np.exp(-radius / 5), np.nan) if light else None,
    )


def measured(one: VelocityField) -> dict[str, float]:
    return dict(zip(STATISTICS, field_statistics(one).tolist(), strict=True))


@pytest.mark.parametrize("angle", [10.0, 130.0, 250.0])
def test_a_disk_is_found(angle):
    found = fit_disk(field(lies=LIES._replace(position_angle=angle)))
    assert (found.x, found.y) == pytest.approx((30.4, 29.2), abs=0.02)
    assert found.axis_ratio == pytest.approx(0.6, abs=0.005)
    assert found.position_angle == pytest.approx(angle, abs=0.2)
    assert found.systemic == pytest.approx(20, abs=0.2)
    assert 22 <= found.reach <= 25
    with pytest.raises(ValueError, match="0 known"):
        fit_disk(VelocityField("none", np.full((9, 9), np.nan), np.ones((9, 9)), 2.0))


def test_a_pure_disk_departs_from_none():
    found = measured(field())
    assert found["k5_over_k1"] < -3
    assert found["velocity_asymmetry"] < -3
    assert found["position_angle_twist"] < 0.3
    assert abs(found["residual_velocity"]) < 1
    assert found["rotation_over_dispersion"] == pytest.approx(122 / 43, rel=0.05)
    assert found["central_dispersion"] > 1.1
    assert found["clump_light"] < 2


def test_departures_are_as_large_as_they_were_made():
    found = measured(field(k5=0.1))
    assert 10 ** found["k5_over_k1"] == pytest.approx(0.1, rel=0.1)
    # Of cos(5 psi) over its sine and all azimuths: 0.1 / sqrt(2) of the curve.
    assert found["residual_velocity"] == pytest.approx(7, abs=1.5)
    twisted = measured(field(twist=30.0))
    # 30 degrees of the phase in a plane seen under an axis ratio of 0.6: 19 on the sky.
    assert twisted["position_angle_twist"] == pytest.approx(19, abs=3)


def test_compact_light_stands_out():
    one = field()
    y, x = np.indices((SIDE, SIDE))
    spot = 0.8 * np.exp(-0.5 * ((x - 38) ** 2 + (y - 30) ** 2) / 1.2**2)
    assert one.light is not None
    clumpy = replace(one, light=one.light + spot)
    share = 100 * spot.sum() / np.nansum(clumpy.light)
    gained = measured(clumpy)["clump_light"] - measured(one)["clump_light"]
    # Of the spot, the part that is narrower than two PSFs.
    assert 0.3 * share < gained < share


def test_maps_are_matched_in_resolution_and_noise():
    errors = []
    for seed, own in enumerate((0.5, 4.0)):
        noisy = field(error=own)
        noisy = replace(noisy, velocity=noisy.velocity + own * rng(seed).standard_normal((61, 61)))
        one = match_field(noisy, 2.0, 10.0, rng(5))
        clean = match_field(field(error=1e-3), 2.0, 1e4, rng(5))
        assert one is not None
        assert clean is not None
        assert one.fwhm == PIXELS_A_BEAM
        assert one.disk is not None
        assert one.disk.reach / PIXELS_A_BEAM == pytest.approx(2.0)
        assert one.disk.axis_ratio == pytest.approx(0.6, abs=0.02)
        inside = one.known & clean.known
        errors.append(np.std((one.velocity - clean.velocity)[inside]))
        assert np.median(one.error[inside]) == pytest.approx(one.amplitude / 10, rel=0.1)
    assert errors[0] == pytest.approx(errors[1], rel=0.25)
    assert errors[0] == pytest.approx(clean.amplitude / 10, rel=0.25)


def test_smoothing_turns_gradients_into_dispersion():
    sharp, blurred = (match_field(field(error=1e-3), r, 1e3, rng()) for r in (8.0, 1.5))
    assert sharp is not None
    assert blurred is not None
    middle = [one.dispersion[one.dispersion.shape[0] // 2][one.dispersion.shape[1] // 2]
              for one in (sharp, blurred) if one.dispersion is not None]  # fmt: skip
    assert middle[1] > 1.3 * middle[0]


def test_what_is_too_coarse_or_too_noisy_is_left_out():
    assert match_field(field(), 12.0, 5.0, rng()) is None
    assert match_field(field(error=60.0), 2.0, 30.0, rng()) is None
    assert match_field(field(error=60.0), 2.0, 3.0, rng()) is not None
    correlated = replace(field(error=20.0), noise_width=4.0)
    assert match_field(field(error=20.0), 2.0, 20.0, rng()) is not None
    assert match_field(correlated, 2.0, 20.0, rng()) is None


def test_noise_has_a_floor():
    """White noise of a tenth of the amplitude: what the statistics of a pure disk then are."""
    found = [
        measured(one)
        for seed in range(6)
        if (one := match_field(field(), 2.0, 10.0, rng(seed))) is not None
    ]
    floor = {name: np.mean([one[name] for one in found]) for name in STATISTICS}
    assert -2.0 < floor["k5_over_k1"] < -1.4
    assert abs(floor["residual_velocity"]) < 4


@pytest.mark.parametrize(("resolution", "ratio"), [(1.5, 0.4), (1.5, 0.9), (2.5, 0.6)])
def test_noise_leaves_no_residual(resolution, ratio):
    """Of a disk told by a better map, noise takes only its curve and systemic velocity."""
    lies = LIES._replace(axis_ratio=ratio)
    clean = match_field(field(error=1e-3, lies=lies), resolution, 1e4, rng())
    assert clean is not None
    generator, error = rng(3), 0.1 * clean.amplitude
    squares = []
    for _ in range(300):
        velocity = clean.velocity + error * generator.standard_normal(clean.velocity.shape)
        noisy = replace(clean, velocity=velocity, error=np.where(clean.known, error, np.nan))
        rms = measured(noisy)["residual_velocity"] * noisy.amplitude / clean.amplitude
        squares.append(rms * abs(rms))
    # In percent of the amplitude, where the square of the noise is 100.
    expected = measured(clean)["residual_velocity"] ** 2
    deviation = np.std(squares) / np.sqrt(len(squares))
    assert np.mean(squares) == pytest.approx(expected, abs=3 * deviation)
    assert 3 * deviation < 10


def test_one_ellipse_has_no_twist_and_none_is_no_map():
    one = match_field(field(), 1.5, 10.0, rng())
    assert one is not None
    assert one.disk is not None
    small = replace(one, velocity=np.where(disk_plane(one.velocity.shape, one.disk)[0] < 3,
                                           one.velocity, np.nan))  # fmt: skip
    found = measured(small)
    assert np.isnan(found["position_angle_twist"])
    assert np.isfinite(found["k5_over_k1"])
    assert match_field(field(lies=LIES._replace(axis_ratio=0.3)), 1.5, 10.0, rng()) is None
    assert match_field(field(lies=LIES._replace(axis_ratio=0.3)), 2.5, 10.0, rng()) is not None


@pytest.mark.parametrize("width", [0.28, 1.5])
def test_noise_of_velocities_is_no_dispersion(width):
    """What velocities scatter by their errors within the Gaussian that smooths them."""
    clean = match_field(replace(field(error=0.1), noise_width=width), 1.5, 3.0, rng())
    assert clean is not None
    assert clean.dispersion is not None
    squares = []
    for seed in range(4):
        noise = rng(seed).standard_normal((SIDE, SIDE))
        if width > 1:
            noise = gaussian_filter(noise, width, mode="wrap")
        # Of a noise and its negative, what goes with the velocities themselves cancels.
        for sign in (-30, 30):
            one = replace(field(error=30.0), noise_width=width)
            one = replace(one, velocity=one.velocity + sign * noise / noise.std())
            matched = match_field(one, 1.5, 3.0, rng())
            assert matched is not None
            assert matched.dispersion is not None
            squares.append(np.nanmean(matched.dispersion**2))
    assert np.mean(squares) == pytest.approx(np.nanmean(clean.dispersion**2), abs=0.15 * 30**2)


def test_what_needs_light_is_unknown_without():
    found = measured(field(light=False))
    assert np.isnan([found[name] for name in ("clump_light", "rotation_over_dispersion")]).all()
    assert np.isfinite(found["k5_over_k1"])
