"""Whatever is done to a file, a reader returns, or says in one line what is wrong with the file."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clumpygan.errors import InputError
from clumpygan.io import read_image
from clumpygan.io.arrays import load_array
from clumpygan.io.fits import open_fits
from clumpygan.io.mosaic import open_mosaic
from tests.readers import (
    READERS,
    WORDS,
    Originals,
    ended_in_time,
    make_originals,
    mutated,
    place,
    read_or_refuse,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Originals:
    return make_originals(tmp_path_factory.mktemp("originals"))


MUTATION = st.one_of(
    st.tuples(st.just("card"), st.integers(0, 300), st.sampled_from(WORDS)),
    st.tuples(st.just("byte"), st.integers(0, 20000), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0, 20000), st.just(0)),
    st.tuples(st.just("copy"), st.integers(0, 300), st.integers(0, 300)),
    st.tuples(st.just("word"), st.integers(0, 2000), st.sampled_from(WORDS)),
    st.tuples(st.just("insert"), st.integers(0, 20000), st.binary(max_size=50)),
)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
@given(mutations=st.lists(MUTATION, min_size=1, max_size=6), zipped=st.booleans())
@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_damaged_file_is_read_or_refused(
    name: str,
    mutations: list[tuple[str, int, Any]],
    zipped: bool,
    originals: Originals,
    tmp_path: Path,
) -> None:
    content = mutated(originals[name], mutations)
    zipped &= name.endswith(".fits")
    zipped &= "/" not in name
    packed = gzip.compress(content, 1) if zipped else content
    path = place(f"{name}.gz" if zipped else name, packed, originals, tmp_path)
    for reader in READERS[name]:
        read_or_refuse(reader, path)


@pytest.mark.parametrize("name", READERS)
def test_the_undamaged_files_are_read(name: str, originals: Originals, tmp_path: Path) -> None:
    path = place(name, originals[name], originals, tmp_path)
    for reader in READERS[name]:
        reader(path)


@pytest.mark.parametrize("key", ["NAXIS", "TFIELDS", "ZNAXIS"])
@pytest.mark.parametrize("value", [2**31 - 1, 10**20, -3])
def test_absurd_counts_are_refused_at_once(
    key: str, value: int, tmp_path: Path, originals: Originals
) -> None:
    name = {"NAXIS": "image.fits", "TFIELDS": "table.fits", "ZNAXIS": "image.fits.fz"}[key]
    content = bytearray(originals[name])
    card = next(
        n for n in range(0, len(content), 80) if content[n : n + 10] == f"{key:8}= ".encode()
    )
    content[card + 10 : card + 30] = f"{value:>20}"[:20].encode()
    path = tmp_path / name
    path.write_bytes(content)
    with ended_in_time(), pytest.raises(InputError, match=f"{key} is "):
        READERS[name][0](path)


@pytest.mark.parametrize("value", [3, 10])
def test_what_is_stated_twice_is_looked_at_twice(
    value: int, tmp_path: Path, originals: Originals
) -> None:
    """Readers believe the first of several cards."""
    content = originals["image.fits"]
    words = content.index(b"BITPIX  =")
    card = f"{'BITPIX':8}= {value:>20}".ljust(80).encode()
    end = content.index(b"END" + b" " * 77)
    path = tmp_path / "image.fits"
    path.write_bytes(
        content[:words] + card + content[words:end] + content[end:].replace(b" " * 80, b"", 1)
    )
    for reader in READERS["image.fits"]:
        with pytest.raises(InputError, match=f"BITPIX is {value}"):
            reader(path)


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clumpygan.io.fits.SMALL_UNPACKED", 2**20)
    path = tmp_path / "bomb.fits.gz"
    path.write_bytes(gzip.compress(bytes(2**24), 9) * 64)  # 1 GB in a megabyte
    with ended_in_time(), pytest.raises(InputError, match="unpacks to more than"):
        read_image(path)
    with ended_in_time(), pytest.raises(InputError, match="unpacks to more than"):
        open_mosaic(path, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["bomb.fits.gz"]


def test_a_compressed_image_that_states_gigabytes_is_refused(
    tmp_path: Path, originals: Originals
) -> None:
    path = tmp_path / "image.fits.fz"
    content = originals["image.fits.fz"]
    for axis, length in ((1, 10), (2, 12)):
        before = f"ZNAXIS{axis} =".encode() + f"{length:>21}".encode()
        assert before in content
        content = content.replace(before, f"ZNAXIS{axis} =".encode() + f"{90000:>21}".encode())
    path.write_bytes(content)
    with pytest.raises(InputError, match="unpacks to 32400 MB"):
        read_image(path)


def test_arrays_of_objects_and_archives_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    (tmp_path / "many.npz").rename(tmp_path / "many.npy")
    # Objects can't be mapped in any case: what is read at once must be refused, too.
    for mode in ("r", None):
        with pytest.raises(InputError, match="can't be read as a NumPy array"):
            load_array(tmp_path / "objects.npy", mode)
    with pytest.raises(InputError, match="is an archive"):
        load_array(tmp_path / "many.npy")
    with pytest.raises(InputError, match="no such file"):
        load_array(tmp_path / "none.npy")


def test_broken_cards_are_left_out_and_the_image_is_read(
    tmp_path: Path, originals: Originals
) -> None:
    content = bytearray(originals["image.fits"])
    card = content.index(b"BUNIT   = ")
    content[card : card + 80] = b"BUNIT   = 'nJy".ljust(80)  # a string that never ends
    path = tmp_path / "image.fits"
    path.write_bytes(content)
    with open_fits(path) as hdus:
        assert "CRVAL1" in hdus[0].header
        list(hdus[0].header.values())


def test_tiles_that_do_not_lie_in_the_file_are_refused(
    tmp_path: Path, originals: Originals
) -> None:
    # astropy's decompression would read memory that isn't its own, and end the process.
    content = bytearray(originals["image.fits.fz"])
    first = content.index(b"\0", content.index(b"ZIMAGE"))
    first -= first % 2880
    content[first : first + 4] = (2**30).to_bytes(4, "big")
    path = tmp_path / "image.fits.fz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="tiles don't lie in the file"):
        read_image(path)


@pytest.mark.parametrize("codec", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"])
@pytest.mark.parametrize("kind", ["f4", "i2", "i4"])
def test_compressed_images_of_every_kind_are_read(codec: str, kind: str, tmp_path: Path) -> None:
    image = np.abs(100 * np.random.default_rng(0).normal(size=(32, 48))).astype(kind)
    path = tmp_path / "image.fits.fz"
    hdu = fits.CompImageHDU(image, compression_type=codec, tile_shape=(16, 16))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with open_fits(path) as hdus:
        assert np.abs(hdus[1].data - image).max() < (8 if kind == "f4" else 1)
