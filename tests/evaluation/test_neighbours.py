import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.realism.neighbours import (
    ORIENTATIONS,
    Neighbours,
    nearest_neighbours,
    novelty,
    oriented,
)

SIDE = 32


def galaxies(number: int, generator: np.random.Generator) -> np.ndarray:
    """Smooth random images without symmetry, peak about 20 sigma."""
    y, x = np.mgrid[:SIDE, :SIDE]
    images = np.zeros((number, SIDE, SIDE))
    for image in images:
        for _ in range(5):
            cy, cx = generator.normal(15.5, 4.0, 2)
            image += 20.0 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8.0)
    return images


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(1)


def test_the_eight_orientations_are_all_different():
    image = np.arange(9.0).reshape(3, 3)
    seen = {oriented(image, o).tobytes() for o in range(ORIENTATIONS)}
    assert len(seen) == 8
    assert (oriented(image, 0) == image).all()


@pytest.mark.parametrize("side", [SIDE, SIDE - 3])
def test_turned_copies_are_found(generator, side):
    training = galaxies(30, generator)[:, :side, :side]
    picks = generator.permutation(30)[:8]
    copies = np.stack([oriented(training[p], o) for o, p in enumerate(picks)])
    found = nearest_neighbours(copies, training)
    assert (found.index == picks).all()
    np.testing.assert_allclose(found.distance, 0.0, atol=0.05)
    for copy, index, orientation in zip(copies, found.index, found.orientation, strict=True):
        assert (oriented(copy, orientation) == training[index]).all()


def test_distance_is_that_of_the_binned_stretched_middle():
    training = np.zeros((1, SIDE, SIDE))
    image = np.zeros((1, SIDE, SIDE))
    image[0, 16:18, 16:18] = 2.0
    image[0, :3] = 100.0
    assert nearest_neighbours(image, training).distance == pytest.approx([np.arcsinh(1.0)])


def test_copies_are_told_from_new_images(generator):
    training, held_out, new = (galaxies(n, generator) for n in (60, 200, 200))
    copies = training[generator.integers(60, size=200)]
    noisy = [one + generator.normal(size=one.shape) for one in (held_out, new, copies)]
    real, made, copied = (nearest_neighbours(one, training) for one in noisy)
    fresh = novelty(made, real, generator)
    assert fresh.ratio == pytest.approx(1.0, abs=0.1)
    assert fresh.close_share == pytest.approx(0.01, abs=0.03)
    assert abs(fresh.ratio - 1.0) < 4 * fresh.ratio_error
    assert fresh.close_error >= np.sqrt(0.01 * 0.99 / 200)
    stale = novelty(copied, real, generator)
    assert stale.ratio < 0.6
    assert stale.close_share > 0.9


def test_chunks_do_not_matter(generator, monkeypatch):
    images, training = galaxies(9, generator), galaxies(11, generator)
    whole = nearest_neighbours(images, training)
    monkeypatch.setattr("clumpygan.evaluation.realism.neighbours._ROWS", 4)
    parts = nearest_neighbours(images, training)
    assert isinstance(whole, Neighbours)
    np.testing.assert_allclose(parts.distance, whole.distance, rtol=1e-4)
    assert (parts.index == whole.index).all()


@pytest.mark.parametrize(
    ("images", "training", "message"),
    [
        ((2, 32, 32), (3, 40, 40), "square stamps of one size"),
        ((2, 32, 40), (3, 32, 40), "square stamps of one size"),
        ((0, 32, 32), (3, 32, 32), "0 images and 3 training images"),
    ],
)
def test_what_cannot_be_compared_is_refused(images, training, message):
    with pytest.raises(InputError, match=message):
        nearest_neighbours(np.zeros(images), np.zeros(training))
