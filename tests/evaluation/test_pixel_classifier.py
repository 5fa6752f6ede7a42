import numpy as np
import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.pixel_classifier import cube_classifier, pixel_classifier


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(2, 60, 24, 24)).astype(np.float32)


def test_equal_sets_cannot_be_told_apart(noise):
    accuracy = pixel_classifier(*noise, np.random.default_rng(0), epochs=3)
    assert accuracy.value == pytest.approx(0.5, abs=0.15)
    assert accuracy.error == pytest.approx(0.046, abs=0.003)


def test_a_point_in_the_middle_gives_images_away(noise):
    noise[0, :, 12, 12] += 30.0
    accuracy = pixel_classifier(*noise, np.random.default_rng(0), epochs=20)
    assert accuracy.value > 0.8


def test_every_epoch_is_told(noise):
    told = []
    pixel_classifier(
        *noise, np.random.default_rng(0), epochs=2, progress=lambda *one: told.append(one)
    )
    assert told == [(1, 6)] * 6


def test_it_depends_on_its_seed_alone(noise):
    first = pixel_classifier(*noise, np.random.default_rng(4), epochs=2)
    torch.manual_seed(99)
    noise = noise.astype(np.float64)
    assert pixel_classifier(*noise, np.random.default_rng(4), epochs=2) == first


def test_too_few_images_are_refused(noise):
    with pytest.raises(InputError, match="5 galaxies in a set: expected 6"):
        pixel_classifier(noise[0], noise[1][:5], np.random.default_rng(0))


@pytest.fixture
def cubes() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, 48, 1, 8, 12, 12)).astype(np.float32)


def test_equal_cubes_cannot_be_told_apart(cubes):
    accuracy = cube_classifier(*cubes, np.random.default_rng(0), epochs=2)
    assert accuracy.value == pytest.approx(0.5, abs=0.16)


def test_a_line_gives_cubes_away(cubes):
    cubes[0, :, :, 3:5, 5:7, 5:7] += 3.0
    assert cube_classifier(*cubes, np.random.default_rng(0), epochs=12).value > 0.8


def test_the_rim_is_seen_if_it_is_kept(noise):
    noise[0, :, 1, 1:23] += 6.0
    seen, unseen = (
        pixel_classifier(*noise, np.random.default_rng(0), epochs=12, kept=kept).value
        for kept in (1.0, 0.75)
    )
    assert seen > 0.8
    assert unseen < 0.7
