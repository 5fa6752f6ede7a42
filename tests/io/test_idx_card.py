"""Stretched images come back within half a level, and a card that doesn't fit is refused."""

import json
import math

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.io.idx import read_idx, write_idx
from clumpygan.io.idx_card import ImageCard, card_path, read_card, write_images
from clumpygan.io.stretch import Stretch

ASINH = Stretch("asinh", -5.0, 4000.0, 0.5)
LINEAR = Stretch("linear", -5.0, 4000.0)


@pytest.fixture
def pixels():
    """Images (N, y, x) in nJy: noise of 2.5 nJy, and bright pixels up to 10,000 nJy."""
    generator = np.random.default_rng(1)
    noise = np.clip(generator.normal(size=(20, 8, 9)), -5, 5)
    return (2.5 * (noise + 10 ** generator.uniform(-2, 3.5, size=noise.shape))).astype(np.float32)


def write(path, pixels, stretch, sigma=2.5):
    card = ImageCard("nJy", sigma, stretch, {"source": "a test"})
    write_images(path, [pixels[:7], pixels[7:]], pixels.shape, card)
    return path


@pytest.mark.parametrize("stretch", [ASINH, LINEAR])
@pytest.mark.parametrize("name", ["x-idx3-ubyte", "x-idx3-ubyte.gz"])
def test_round_trip_within_half_a_level(tmp_path, pixels, stretch, name):
    path = write(tmp_path / name, pixels, stretch)
    levels, card = read_idx(path), read_card(path)
    assert levels.dtype == np.uint8
    # The formula of the documentation, by hand.
    f = (lambda x: np.arcsinh(x / 0.5)) if stretch is ASINH else (lambda x: x)
    expected = 255 * (f(pixels / 2.5) - f(-5.0)) / (f(4000.0) - f(-5.0))
    assert np.abs(levels - expected).max() <= 0.5 + 1e-3
    assert levels.max() - levels.min() > 150
    back = card.pixels(levels)
    assert back.dtype == np.float32
    half = (f(4000.0) - f(-5.0)) / 510
    slope = np.ones_like(pixels)
    if stretch is ASINH:
        slope = 0.5 * np.cosh(np.abs(np.arcsinh(pixels / 2.5 / 0.5)) + half)
    assert (np.abs(back - pixels) <= 2.5 * half * slope * (1 + 1e-4)).all()
    assert np.array_equal(card.in_noise_units(levels) * np.float32(2.5), back)


def test_the_levels_themselves_come_back_exactly():
    levels = np.arange(256, dtype=np.uint8)
    for stretch in (ASINH, LINEAR):
        assert np.array_equal(stretch.levels(stretch.pixels(levels)), levels)
        assert np.allclose(stretch.pixels(levels[[0, 255]]), [-5.0, 4000.0])


def test_beyond_the_ends_is_clipped():
    for stretch in (ASINH, LINEAR):
        assert stretch.levels(np.array([-1e9, -5.0, 4000.0, 1e30])).tolist() == [0, 0, 255, 255]


def test_rounding_errors_are_those_that_are_told():
    x = np.linspace(-0.2, 0.2, 4001)
    for stretch in (ASINH, LINEAR):
        near, relative = stretch.rounding_error()
        found = np.abs(stretch.pixels(stretch.levels(x)) - x).max()
        if stretch is ASINH:
            assert found == pytest.approx(near, rel=0.1)
            bright = np.geomspace(100, 3900, 20001)
            found = np.abs(stretch.pixels(stretch.levels(bright)) / bright - 1).max()
            assert found == pytest.approx(relative, rel=0.02)
        else:
            assert near == pytest.approx(4005 / 510)
            assert relative == 0.0


def test_floats_are_exact_and_have_a_card_too(tmp_path, pixels):
    path = write(tmp_path / "x-idx3-float", pixels, None)
    card = read_card(path)
    assert np.array_equal(card.pixels(read_idx(path)), pixels)
    assert np.allclose(card.in_noise_units(read_idx(path)), pixels / 2.5)
    assert (card.unit, card.noise_sigma, card.stretch) == ("nJy", 2.5, None)
    assert card.notes == {"source": "a test"}


def test_the_card_is_readable(tmp_path, pixels):
    path = write(tmp_path / "x-idx3-ubyte.gz", pixels, ASINH)
    assert card_path(path) == card_path(tmp_path / "x-idx3-ubyte") == tmp_path / "x-idx3-ubyte.json"
    assert json.loads((tmp_path / "x-idx3-ubyte.json").read_text()) == {
        "format": 1,
        "shape": [20, 8, 9],
        "dtype": "uint8",
        "unit": "nJy",
        "noise_sigma": 2.5,
        "stretch": {"name": "asinh", "low": -5.0, "high": 4000.0, "scale": 0.5},
        "source": "a test",
    }


def test_files_of_others_have_no_card(tmp_path):
    write_idx(tmp_path / "x", np.zeros((2, 3, 3), np.uint8))
    assert read_card(tmp_path / "x") is None


def test_a_failure_leaves_neither_file(tmp_path, pixels):
    with pytest.raises(ValueError, match="rows in the blocks"):
        write_images(tmp_path / "x", [pixels[:3]], pixels.shape, ImageCard("nJy", 1.0, None))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (None, "can't be read, so nobody knows what the values"),
        ([], "is no card of IDX images"),
        ({"unit": ...}, "is no card of IDX images"),
        ({"shape": [19, 8, 9]}, "belongs to [19, 8, 9] uint8, but"),
        ({"dtype": "float32"}, "holds [20, 8, 9] uint8"),
        ({"format": 2}, "belongs to"),
        ({"stretch": None}, "has no stretch that fits uint8"),
        ({"noise_sigma": 0}, "the noise is 0; expected a number > 0"),
        ({"noise_sigma": "loud"}, "could not convert"),
        ({"stretch": {"name": "sqrt", "low": 0, "high": 1}}, "no stretch 'sqrt'; expected asinh"),
        ({"stretch": {"nome": "asinh"}}, "unexpected keyword"),
        ({"stretch": {"name": "asinh", "low": "a", "high": 1}}, "write it again"),
    ],
)
def test_cards_that_do_not_fit(tmp_path, pixels, change, words):
    path = write(tmp_path / "x", pixels, ASINH)
    place = card_path(path)
    if isinstance(change, dict):
        contents = json.loads(place.read_text()) | change
        contents = {name: value for name, value in contents.items() if value is not ...}
    else:
        contents = change
    place.write_text("{" if contents is None else json.dumps(contents))
    with pytest.raises(InputError) as caught:
        read_card(path)
    assert str(caught.value).startswith(f"{place}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("log", 0, 1), "no stretch 'log'; expected asinh or linear"),
        (("linear", 1, 1), "a stretch from 1 to 1 sigma; expected two rising numbers"),
        (("linear", 0, math.nan), "expected two rising numbers"),
        (("asinh", 0, 1, 0), "the scale of the stretch is 0; expected a number > 0"),
    ],
)
def test_wrong_stretches(arguments, words):
    with pytest.raises(InputError, match=words):
        Stretch(*arguments)
