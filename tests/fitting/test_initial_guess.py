"""Starting values are near enough, also where the line hardly stands out."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting import ObservedFrame, observe
from clumpygan.fitting.initial_guess import guess_parameters
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from tests.fitting.conftest import FRAME, GRID, MODEL, TRUTH, make_mock


def turn(first, second):
    """The angle between two directions in degrees."""
    return abs((first - second + 180) % 360 - 180)


@pytest.mark.parametrize("signal_to_noise", [20.0, 5.0, 2.5])
@pytest.mark.parametrize("position_angle", [10.0, 130.0, 265.0])
def test_they_are_near_the_truth(signal_to_noise, position_angle):
    mock = make_mock(11, signal_to_noise, position_angle=position_angle)
    guess = guess_parameters(observe(mock.data, mock.sigma**2, FRAME))
    assert abs(guess.x - TRUTH["offset_x"]) < 0.25
    assert abs(guess.y - TRUTH["offset_y"]) < 0.25
    assert abs(guess.velocity - TRUTH["systemic_velocity"]) < 40
    assert turn(guess.position_angle, position_angle) < 35
    assert 0.25 < guess.radius / TRUTH["half_light_radius"] < 2
    assert 0.1 < guess.flux / TRUTH["flux"] < 1.5
    assert 0.2 < guess.rotation / (TRUTH["maximum_velocity"] * np.sin(np.radians(55))) < 2
    assert 10 < guess.dispersion < 120


def test_the_maximum_velocity_goes_with_the_inclination(mock):
    guess = guess_parameters(observe(mock.data, mock.sigma**2, FRAME))
    flat, steep = guess.values(30.0), guess.values(80.0)
    assert flat["maximum_velocity"] == pytest.approx(2 * guess.rotation)
    assert steep["maximum_velocity"] == pytest.approx(guess.rotation / np.sin(np.radians(80)))


def test_a_doublet():
    grid = CubeGrid.wavelengths(
        (26, 18, 18), 0.2, 7108.0, 1.25, lines=(3727.092, 3729.875), redshift=0.91,
        line_spread=(45.0, 45.0), pixel_response=False, channel_response=False,
    )  # fmt: skip
    frame = ObservedFrame(grid, FRAME.transfer, FRAME.psf_fwhm)
    galaxy = DiskParameters.from_dict(TRUTH | {"doublet_ratio": 0.8}, MODEL).to_vector()
    clean = CubeRenderer(grid, MODEL, FRAME.transfer)(galaxy[None])[0]
    sigma = clean.max() / 10
    noise = sigma * np.random.default_rng(3).standard_normal(clean.shape)
    guess = guess_parameters(observe(clean + noise, sigma**2, frame))
    assert abs(guess.velocity - TRUTH["systemic_velocity"]) < 40
    assert turn(guess.position_angle, TRUTH["position_angle"]) < 30


def test_the_brightest_of_two_galaxies_is_taken(mock):
    faint = DiskParameters.from_dict(
        TRUTH | {"flux": 0.7, "half_light_radius": 0.25, "offset_x": -1.3, "offset_y": 1.3}, MODEL
    )
    other = CubeRenderer(GRID, MODEL, FRAME.transfer)(faint.to_vector()[None])[0]
    guess = guess_parameters(observe(mock.data + other, mock.sigma**2, FRAME))
    assert np.hypot(guess.x - TRUTH["offset_x"], guess.y - TRUTH["offset_y"]) < 0.35


def test_noise_alone_gives_starting_values_or_one_line():
    noise = np.random.default_rng(2).standard_normal(GRID.shape)
    guess = guess_parameters(observe(noise, 1.0, FRAME))
    assert np.isfinite(list(guess.values().values())).all()
    with pytest.raises(InputError, match="no line stands out of the noise: expected a galaxy"):
        guess_parameters(observe(-np.abs(noise), 1.0, FRAME))


def test_all_names_are_those_of_the_table(mock):
    guess = guess_parameters(observe(mock.data, mock.sigma**2, FRAME))
    assert set(guess.values()) <= set(DiskModel().names)
