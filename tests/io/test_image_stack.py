"""Stacks of images in NumPy and FITS files."""

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.errors import InputError
from clumpygan.io.image_stack import read_stack, write_stack


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["a.npy", "a.fits"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_round_trip_in_blocks(tmp_path, images, name, kind):
    values = (50 * np.abs(images)).astype(kind)
    write_stack(tmp_path / name, [values[:2], values[2:]], values.shape, kind, "nJy")
    read = read_stack(tmp_path / name)
    assert np.array_equal(read.images, values)
    assert read.images.dtype == kind
    assert isinstance(read.images, np.memmap) is (name == "a.npy")
    assert read.unit == (None if name == "a.npy" else "nJy")
    if name == "a.npy":
        assert np.array_equal(np.load(tmp_path / name), values)
    else:
        with fits.open(tmp_path / name) as hdus:
            hdus.verify("exception")
            assert np.array_equal(hdus[0].data, values)
            assert hdus[0].header["BUNIT"] == "nJy"


def test_fits_has_no_int8(tmp_path, images):
    values = (50 * images).astype(np.int8)
    write_stack(tmp_path / "a.fits", [values], values.shape, np.int8)
    read = read_stack(tmp_path / "a.fits")
    assert read.images.dtype == np.int16
    assert np.array_equal(read.images, values)
    assert read.unit is None


def test_the_first_cube_of_several_images_is_taken(tmp_path, images):
    primary = fits.PrimaryHDU()
    hdus = [primary, fits.ImageHDU(images[0]), fits.ImageHDU(images), fits.ImageHDU(images * 2)]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits.gz")
    assert np.array_equal(read_stack(tmp_path / "a.fits.gz").images, images)


def test_one_image_is_a_stack_of_one(tmp_path, images):
    np.save(tmp_path / "a.npy", images[0])
    fits.writeto(tmp_path / "a.fits", images[0])
    assert read_stack(tmp_path / "a.npy").images.shape == (1, 4, 3)
    assert read_stack(tmp_path / "a.fits").images.shape == (1, 4, 3)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 3, 3), bool), "holds bool; expected integers or floats"),
        (np.zeros((2, 3, 3), complex), "holds complex128; expected integers or floats"),
        (np.zeros(3), r"shape \(3,\); expected images \(N, y, x\)"),
        (np.zeros((0, 3, 3)), r"shape \(0, 3, 3\); expected images"),
        (np.zeros((2, 3, 3, 1)), r"shape \(2, 3, 3, 1\); expected images"),
        (np.array([{}]), "can't be read as a NumPy array"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=words):
        read_stack(tmp_path / "a.npy")


def test_files_that_are_none(tmp_path):
    for name in ("a.npy", "a.fits"):
        with pytest.raises(InputError, match="no such file"):
            read_stack(tmp_path / name)
        (tmp_path / name).write_bytes(b"rubbish")
        with pytest.raises(InputError, match="can't be read as"):
            read_stack(tmp_path / name)
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.zeros(2))])
    table.writeto(tmp_path / "table.fits")
    with pytest.raises(InputError, match="holds no image; expected a FITS cube"):
        read_stack(tmp_path / "table.fits")


def test_other_endings_and_failures(tmp_path, images):
    with pytest.raises(InputError, match=r"expected a name that ends in \.npy or \.fits"):
        write_stack(tmp_path / "a.png", [images], images.shape, np.float32)

    def broken():
        yield images[:2]
        raise RuntimeError("power cut")

    for name in ("a.npy", "a.fits"):
        with pytest.raises(RuntimeError):
            write_stack(tmp_path / name, broken(), images.shape, np.float32)
    assert not list(tmp_path.iterdir())
