"""Maps of moments and of fitted lines, against analytic lines and Monte Carlo."""

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from clumpygan.errors import InputError
from clumpygan.galaxies.measuring.measured_cube import MeasuredCube
from clumpygan.galaxies.measuring.moments import moments
from clumpygan.galaxies.measuring.signal_mask import signal_mask

VELOCITIES = np.linspace(-600.0, 600.0, 41)
EVERYWHERE = np.ones((30, 30), dtype=bool)


def line(
    velocities: np.ndarray, flux: float, velocity: float, dispersion: float, shape: tuple = (30, 30)
) -> np.ndarray:
    """Return a Gaussian integrated over channels, the same at every position."""
    middle = 0.5 * (velocities[1:] + velocities[:-1])
    edges = np.concatenate(
        [[2 * velocities[0] - middle[0]], middle, [2 * velocities[-1] - middle[-1]]]
    )
    spectrum = flux * np.abs(np.diff(ndtr((edges - velocity) / dispersion)))
    return np.broadcast_to(spectrum[:, None, None], (len(velocities), *shape))


@pytest.mark.parametrize("method", ["moments", "gaussian"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_noiseless_line_is_measured_exactly(method: str, order: int) -> None:
    velocities = VELOCITIES[::order]
    cube = line(velocities, 7.0, 41.0, 70.0, (2, 3))
    maps = moments(cube, velocities, method=method, line_spread=40.0)
    assert maps.flux.shape == (2, 3)
    assert maps.flux.dtype == np.float64
    assert maps.mask.all()
    np.testing.assert_allclose(maps.flux, 7.0, rtol=1e-6)
    np.testing.assert_allclose(maps.velocity, 41.0, atol=1e-4)
    np.testing.assert_allclose(maps.dispersion, np.sqrt(70.0**2 - 40.0**2), atol=1e-4)
    assert np.isnan(maps.flux_error).all()


@pytest.mark.parametrize("method", ["moments", "gaussian"])
def test_channels_may_be_of_different_widths(method: str) -> None:
    velocities = 600.0 * np.sinh(np.linspace(-1.2, 1.2, 61)) / np.sinh(1.2)
    maps = moments(line(velocities, 7.0, 41.0, 70.0, (1, 1)), velocities, method=method)
    assert maps.flux.item() == pytest.approx(7.0, rel=1e-6)
    assert maps.velocity.item() == pytest.approx(41.0, abs=0.1)
    assert maps.dispersion.item() == pytest.approx(70.0, abs=0.1)


@pytest.mark.parametrize("method", ["moments", "gaussian"])
def test_a_line_spread_that_holds_the_channel_response_is_taken_off_alone(method: str) -> None:
    width = VELOCITIES[1] - VELOCITIES[0]
    sampled = width * np.exp(-0.5 * (VELOCITIES / 70.0) ** 2) / np.sqrt(2 * np.pi) / 70.0
    cube = np.broadcast_to(sampled[:, None, None], (41, 1, 1))
    maps = moments(cube, VELOCITIES, method=method, line_spread=42.0, channel_response=False)
    assert maps.flux.item() == pytest.approx(1.0, rel=1e-6)
    assert maps.dispersion.item() == pytest.approx(56.0, abs=1e-3)


def test_a_line_narrower_than_the_line_spread_has_no_dispersion() -> None:
    maps = moments(line(VELOCITIES, 7.0, 41.0, 50.0, (1, 1)), VELOCITIES, line_spread=51.0)
    assert maps.mask.all()
    assert maps.velocity.item() == pytest.approx(41.0, abs=1e-3)
    assert np.isnan(maps.dispersion).all()


@pytest.mark.parametrize(
    "options",
    [
        {"method": "moments", "voxels": EVERYWHERE, "window": (-200.0, 260.0)},
        {"method": "gaussian"},
    ],
)
def test_errors_are_the_scatter(options: dict[str, Any]) -> None:
    """At peak S/N 40; a 2.4 % Monte Carlo error of the scatter of 900 spaxels."""
    rng = np.random.default_rng(1)
    sigma = 0.005 * (1 + 0.5 * np.sin(np.arange(41)))
    cube = line(VELOCITIES, 1.0, 30.0, 60.0) + rng.normal(size=(41, 30, 30)) * sigma[:, None, None]
    maps = moments(cube, VELOCITIES, variance=sigma**2, line_spread=20.0, **options)
    assert maps.mask.all()
    for name, truth in (("flux", 1.0), ("velocity", 30.0), ("dispersion", np.sqrt(3200))):
        values, errors = getattr(maps, name), getattr(maps, f"{name}_error")
        assert values.std() == pytest.approx(errors.mean(), rel=0.09)
        assert values.mean() == pytest.approx(truth, abs=0.15 * errors.mean())


def test_the_gaussian_is_more_precise_than_sums() -> None:
    rng = np.random.default_rng(2)
    cube = line(VELOCITIES, 1.0, 30.0, 60.0) + rng.normal(0, 0.02, (41, 30, 30))
    scatter = {
        method: moments(cube, VELOCITIES, variance=4e-4, method=method).velocity.std()
        for method in ("moments", "gaussian")
    }
    assert scatter["gaussian"] < 0.75 * scatter["moments"]


def test_masks_clip_wings_and_fits_do_not() -> None:
    rng = np.random.default_rng(8)
    cube = line(VELOCITIES, 1.0, 0.0, 75.0)
    cube = cube + rng.normal(0, cube.max() / 5, cube.shape)
    dispersion = {
        method: moments(cube, VELOCITIES, variance=(0.159 / 5) ** 2, method=method).dispersion
        for method in ("moments", "gaussian")
    }
    assert 0.90 < np.nanmean(dispersion["moments"]) / 75 < 0.98
    assert np.nanmean(dispersion["gaussian"]) / 75 == pytest.approx(1.0, abs=0.02)


def faint_disk(noise: float) -> np.ndarray:
    """Return a disk in 51 x 51 pixels whose rim drowns in noise."""
    y, x = np.mgrid[-25:26, -25:26]
    cube = line(VELOCITIES, 1.0, 0.0, 75.0, (51, 51)) * np.exp(-np.hypot(x, y) / 8)
    return cube + np.random.default_rng(9).normal(0, noise, cube.shape)


def test_fits_stay_near_the_signal() -> None:
    """At the rim of a faint disk, the best of all Gaussians would often be a far one."""
    maps = moments(faint_disk(0.03), VELOCITIES, variance=9e-4, method="gaussian")
    assert maps.mask.sum() > 250
    assert np.nanmax(np.abs(maps.velocity)) < 150.0


def test_noise_alone_gives_nothing() -> None:
    noise = np.random.default_rng(3).normal(size=(41, 40, 40))
    for method in ("moments", "gaussian"):
        maps = moments(noise, VELOCITIES, variance=1.0, method=method)
        assert not maps.mask.any()
        assert np.isnan(maps.velocity).all()


def test_noise_that_is_correlated_beyond_its_variance_gives_nothing() -> None:
    noise = np.random.default_rng(4).normal(size=(41, 60, 60))
    noise = noise + np.roll(noise, 1, axis=1) + np.roll(noise, 1, axis=2)
    maps = moments(noise / np.sqrt(3), VELOCITIES, variance=1.0)
    assert not maps.mask.any()


def test_cosmic_rays_give_nothing_unless_voxels_are_chosen_by_hand() -> None:
    cube = np.random.default_rng(10).normal(size=(41, 20, 20))
    cube[20, 5, 5:7] += 100.0
    assert not moments(cube, VELOCITIES, variance=1.0).mask.any()
    chosen = np.zeros(cube.shape, dtype=bool)
    chosen[20, 5, 5:7] = True
    by_hand = moments(cube, VELOCITIES, variance=1.0, voxels=chosen)
    assert np.argwhere(by_hand.mask).tolist() == [[5, 5], [5, 6]]


def test_signal_of_a_single_channel_is_dropped() -> None:
    mask = signal_mask(MeasuredCube.of(faint_disk(0.03), VELOCITIES, 9e-4))
    assert mask.any()
    joined = np.zeros_like(mask)
    joined[1:] |= mask[:-1]
    joined[:-1] |= mask[1:]
    assert not (mask & ~joined).any()


def test_the_mask_finds_the_line_where_it_is() -> None:
    """A rotating source in a field of noise 16 times as large."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[-20:21, -20:21]
    inside = np.hypot(x, y) < 5
    velocity = np.where(inside, 25.0 * x, 0.0)
    edges = np.append(VELOCITIES - 15, VELOCITIES[-1] + 15)[:, None, None]
    cube = inside * np.diff(ndtr((edges - velocity) / 40.0), axis=0)
    maps = moments(cube + rng.normal(0, 0.04, cube.shape), VELOCITIES, variance=0.04**2)
    assert maps.mask[inside].mean() > 0.95
    assert maps.mask[np.hypot(x, y) > 9].sum() == 0
    seen = inside & maps.mask
    assert np.abs(maps.velocity - velocity)[seen].mean() < 12.0


def test_signal_to_noise_decides_what_is_kept() -> None:
    rng = np.random.default_rng(6)
    fluxes = np.linspace(0, 2, 30)
    cube = line(VELOCITIES, 1.0, 0.0, 60.0) * fluxes + rng.normal(0, 0.05, (41, 30, 30))
    kept = [
        moments(cube, VELOCITIES, variance=0.05**2, method="gaussian", signal_to_noise=limit)
        for limit in (3.0, 8.0)
    ]
    for maps, limit in zip(kept, (3.0, 8.0), strict=True):
        assert (maps.flux[maps.mask] >= limit * maps.flux_error[maps.mask]).all()
    assert kept[1].mask.sum() < 0.7 * kept[0].mask.sum()


def test_a_doublet_is_fitted_as_one() -> None:
    doublet = line(VELOCITIES, 3.0, 20.0, 50.0) + line(VELOCITIES, 4.2, 244.0, 50.0)
    rng = np.random.default_rng(7)
    cube = doublet + rng.normal(0, 0.05, doublet.shape)
    maps = moments(
        cube, VELOCITIES, variance=0.05**2, method="gaussian", lines=((0, 1), (224, 1.4))
    )
    assert maps.flux.mean() == pytest.approx(7.2, rel=0.002)
    assert maps.velocity.mean() == pytest.approx(20.0, abs=0.1)
    assert maps.dispersion.mean() == pytest.approx(50.0, abs=0.2)
    assert maps.velocity.std() == pytest.approx(maps.velocity_error.mean(), rel=0.09)


def test_noiseless_lines_much_narrower_than_a_channel_are_fitted() -> None:
    """Their width can't be told from their place: nothing there may be divided by."""
    edges = 60.0 * (np.arange(21) - 10)
    velocities = 0.5 * (edges[1:] + edges[:-1])
    for place in (4.0, 8.0, 12.0, 16.0):
        lines = [(0.0, 1.0), (220.0, 0.7)]
        spectrum = sum(f * np.diff(ndtr((edges - place - o) / 1e-3)) for o, f in lines)
        cube = np.tile(spectrum[:, None, None], (1, 2, 2)) * [[1.0, 2.0], [3.0, 4.0]]
        voxels = cube > 0.01 * cube.max(0)
        maps = moments(cube, velocities, method="gaussian", voxels=voxels, lines=lines)
        assert np.isfinite(maps.flux[maps.mask]).all()


def test_a_doublet_whose_first_line_is_lost_in_noise_is_fitted_by_the_other() -> None:
    cube = line(VELOCITIES, 0.05, 20.0, 50.0) + line(VELOCITIES, 1.0, 244.0, 50.0)
    cube = cube + np.random.default_rng(12).normal(0, 0.02, cube.shape)
    for lines, velocity in ((((0, 0.05), (224, 1)), 20.0), (((0, 1), (-224, 0.05)), 244.0)):
        maps = moments(cube, VELOCITIES, variance=4e-4, method="gaussian", lines=lines)
        assert maps.mask.all()
        assert maps.velocity.mean() == pytest.approx(velocity, abs=1.0)


@pytest.mark.parametrize("method", ["moments", "gaussian"])
def test_order_of_channels_and_window_go_for_the_variance_too(method: str) -> None:
    variance = np.geomspace(1e-4, 1e-2, 41)
    cube = line(VELOCITIES, 7.0, -90.0, 60.0, (6, 6))
    expected = moments(cube[8:30], VELOCITIES[8:30], variance=variance[8:30], method=method)
    window = (VELOCITIES[8], VELOCITIES[29])
    maps = moments(
        cube[::-1], VELOCITIES[::-1], variance=variance[::-1], method=method, window=window
    )
    assert maps.mask.all()
    np.testing.assert_allclose(maps.velocity_error, expected.velocity_error, rtol=1e-6)


@pytest.mark.parametrize("method", ["moments", "gaussian"])
def test_unknown_voxels_are_ignored_and_unknown_spaxels_stay_unknown(method: str) -> None:
    cube = np.array(line(VELOCITIES, 7.0, 0.0, 60.0, (8, 8)))
    cube[:, 2, 3] = np.nan
    cube[40, 4, 4] = np.nan  # far from the line
    variance = np.full(cube.shape, 1e-4)
    variance[39, 5, 5] = np.nan
    maps = moments(cube, VELOCITIES, variance=variance, method=method)
    assert not maps.mask[2, 3]
    for name in ("flux", "velocity", "dispersion", "flux_error"):
        values = getattr(maps, name)
        assert np.isnan(values[2, 3])
        assert np.isfinite(values).sum() == 63
    assert maps.flux[4, 4] == pytest.approx(maps.flux[0, 0])
    assert maps.velocity[5, 5] == pytest.approx(0.0, abs=1e-3)


def test_nothing_known_at_all() -> None:
    empty = np.full((41, 3, 3), np.nan)
    for method in ("moments", "gaussian"):
        assert not moments(empty, VELOCITIES, method=method).mask.any()
        assert not moments(empty, VELOCITIES, variance=1.0, method=method).mask.any()


def test_the_gaussian_fills_gaps_within_the_line() -> None:
    cube = np.array(line(VELOCITIES, 7.0, 10.0, 60.0, (8, 8)))
    cube[19:21, 3, 3] = np.nan
    maps = moments(cube, VELOCITIES, variance=1e-4, method="gaussian")
    assert maps.flux[3, 3] == pytest.approx(7.0, rel=1e-3)
    assert maps.velocity[3, 3] == pytest.approx(10.0, abs=0.1)


def test_a_window_keeps_other_lines_out() -> None:
    cube = line(VELOCITIES, 7.0, -200.0, 50.0) + line(VELOCITIES, 5.0, 400.0, 50.0)
    maps = moments(cube, VELOCITIES, window=(-500.0, 100.0))
    assert maps.velocity[0, 0] == pytest.approx(-200.0, abs=0.1)
    assert maps.flux[0, 0] == pytest.approx(7.0, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cube": np.ones((41, 3))}, r"cube of shape \(41, 3\): expected \(v, y, x\)"),
        ({"velocities": VELOCITIES[1:]}, r"velocities of shape \(40,\) for 41 channels"),
        ({"velocities": np.zeros(41)}, "strictly rising or falling"),
        ({"variance": np.ones((41, 3))}, r"variance of shape \(41, 3\) for a cube"),
        ({"variance": 0.0}, r"variance is 0 at \(v, y, x\) = \(0, 0, 0\).*set it to NaN"),
        ({"variance": -np.ones(41)}, "variance is -1"),
        ({"window": (700.0, 800.0)}, "no channel lies there.*-600 to 600 km/s"),
        ({"method": "median"}, "method is 'median': expected one of moments, gaussian"),
        ({"line_spread": -1.0}, "line_spread is -1.0 km/s"),
        ({"voxels": np.ones((3, 3), bool)}, r"voxels of shape \(3, 3\)"),
        ({"lines": ((0, 1), (224, 1.4))}, "2 lines.*method='gaussian'"),
        ({"lines": ((0, -1),), "method": "gaussian"}, "lines is"),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"cube": line(VELOCITIES, 1.0, 0.0, 60.0, (4, 5))}
    good |= {"velocities": VELOCITIES, **arguments}
    cube, velocities = good.pop("cube"), good.pop("velocities")
    with pytest.raises(InputError, match=message) as caught:
        moments(cube, velocities, **good)
    assert "\n" not in str(caught.value)
