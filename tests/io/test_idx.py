"""IDX files against the format by hand, against plain struct and gzip, and against damage."""

import gzip
import io
import struct

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.io.idx import from_levels, read_idx, to_levels, write_idx

BY_HAND = bytes.fromhex("00000803 00000002 00000002 00000003 00010203 0405 fafbfcfdfeff")
"""Two images of 2 x 3 levels, written by hand."""

LEVELS = np.array([[[0, 1, 2], [3, 4, 5]], [[250, 251, 252], [253, 254, 255]]], np.uint8)


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(7, 4, 5)).astype(np.float32)


@pytest.fixture
def put(tmp_path):
    def _put(content, name="x-idx3-ubyte", packed=False):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    return _put


def parsed(content):
    """Parse IDX by the words of its description, with nothing of ours."""
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    assert zero == 0
    shape = struct.unpack(f">{axes}i", content[4 : 4 + 4 * axes])
    code = {8: "B", 9: "b", 11: "h", 12: "i", 13: "f", 14: "d"}[kind]
    values = struct.unpack(f">{np.prod(shape)}{code}", content[4 + 4 * axes :])
    return np.array(values).reshape(shape)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_written_by_hand(put, packed):
    path = put(BY_HAND, packed=packed)
    values = read_idx(path)
    assert values.dtype == np.uint8
    assert np.array_equal(values, LEVELS)


def test_levels_are_written_as_by_hand(tmp_path):
    write_idx(tmp_path / "x", LEVELS)
    assert (tmp_path / "x").read_bytes() == BY_HAND
    write_idx(tmp_path / "x.gz", LEVELS)
    assert gzip.decompress((tmp_path / "x.gz").read_bytes()) == BY_HAND


@pytest.mark.parametrize("name", ["x-idx3-float", "x-idx3-float.gz"])
def test_floats_are_exact(tmp_path, images, name):
    path = tmp_path / name
    write_idx(path, images)
    content = path.read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    assert content[:4] == b"\0\0\x0d\x03"
    assert np.array_equal(parsed(content).astype(np.float32), images)
    assert np.array_equal(read_idx(path), images)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_is_read(put, code, kind, packed):
    values = np.array([[1, 2, 3], [100, 0, 7]], kind) - (0 if code == 8 else 50)
    content = bytes([0, 0, code, 2]) + struct.pack(">II", 2, 3) + values.astype(kind).tobytes()
    read = read_idx(put(content, packed=packed))
    assert read.dtype == np.dtype(kind).newbyteorder("=")
    assert np.array_equal(read, values)
    assert np.array_equal(parsed(content), values)


def test_labels_are_one_axis(tmp_path):
    write_idx(tmp_path / "labels", np.arange(5, dtype=np.uint8))
    assert (tmp_path / "labels").read_bytes() == bytes.fromhex("00000801 00000005 0001020304")


def test_the_same_images_give_the_same_bytes(tmp_path, images):
    big_endian = images.astype(">f4")
    write_idx(tmp_path / "a.gz", images)
    write_idx(tmp_path / "b.gz", big_endian)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_memory_map_is_written_from_where_it_is(tmp_path, images):
    write_idx(tmp_path / "x", images)
    write_idx(tmp_path / "y.gz", read_idx(tmp_path / "x"))
    assert np.array_equal(read_idx(tmp_path / "y.gz"), images)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty; expected an IDX file"),
        (b"\0\0", "begins with 0x0000; expected an IDX file, which begins with 0x0000"),
        (b"SIMPLE  =", "begins with 0x53494d50; expected an IDX file"),
        (b"\0\0\x07\x03" + bytes(12), "unknown type of values 0x07; expected one of 0x08 uint8"),
        (b"\0\0\x08\x00", "0 axes; expected 1 to 8, images have 3"),
        (b"\0\0\x08\xff", "255 axes; expected 1 to 8"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends within its header"),
        (bytes.fromhex("00000803 00000000 0000001c 0000001c"), "no images, its shape is 0 x 28"),
    ],
)
def test_what_is_not_idx(put, content, words, packed):
    path = put(content, packed=packed)
    with pytest.raises(InputError) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_lengths_of_plain_files(put):
    with pytest.raises(InputError, match="fewer than the 12 bytes of 2 x 2 x 3 uint8"):
        read_idx(put(BY_HAND[:-1]))
    with pytest.raises(InputError, match="more than the 12 bytes of 2 x 2 x 3 uint8"):
        read_idx(put(BY_HAND + b"\0\0"))


def test_wrong_lengths_of_packed_files(put):
    with pytest.raises(InputError, match="fewer than the 12 bytes of 2 x 2 x 3 uint8"):
        read_idx(put(BY_HAND[:-1], packed=True))
    with pytest.raises(InputError, match="more than the 12 bytes"):
        read_idx(put(BY_HAND + b"\0", packed=True))
    enormous = bytes.fromhex("00000803 ffffffff 0000ffff 0000ffff")
    with pytest.raises(InputError, match=r"fewer than the \d+ bytes of 4294967295 x 65535 x 65535"):
        read_idx(put(enormous, packed=True))


def test_broken_gzip(put):
    whole = gzip.compress(BY_HAND)
    for content in (whole[:-9], whole[:-6] + b"\0" + whole[-5:], whole[:10] + b"\xff" * 20):
        with pytest.raises(InputError, match="broken gzip file"):
            read_idx(put(content))


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such file"):
        read_idx(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a folder, not an IDX file"):
        read_idx(tmp_path)


def test_what_is_not_written(tmp_path, images):
    with pytest.raises(InputError, match=r"values of float64; IDX files are written as uint8 or"):
        write_idx(tmp_path / "x", images.astype(np.float64))
    with pytest.raises(InputError, match=r"nothing to write, the array has shape \(0, 4, 5\)"):
        write_idx(tmp_path / "x", images[:0])
    with pytest.raises(InputError, match=r"the folder .* doesn't exist"):
        write_idx(tmp_path / "none" / "x", images)
    assert not list(tmp_path.iterdir())


def test_levels_are_steps_of_asinh():
    levels = np.arange(256, dtype=np.uint8)
    pixels = from_levels(levels, -5.0, 300.0)
    assert (pixels[0], pixels[-1]) == pytest.approx((-5.0, 300.0))
    np.testing.assert_allclose(np.diff(np.arcsinh(pixels.astype(float))), 0.0341, rtol=2e-3)
    assert np.array_equal(to_levels(pixels, -5.0, 300.0), levels)
    assert to_levels(np.array([-100.0, 1e6]), -5.0, 300.0).tolist() == [0, 255]


@pytest.mark.parametrize("ends", [(5.0, -5.0), (1.0, 1.0), (0.0, float("inf"))])
def test_stretches_that_do_not_rise(ends):
    with pytest.raises(InputError, match="expected two rising numbers"):
        to_levels(np.zeros(3), *ends)


def test_a_small_file_that_states_gigabytes_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.idx.gz"
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (3000, 1000, 1000))
    # All that is the same becomes a thousandth of it: 3 MB may be 3 GB.
    path.write_bytes(gzip.compress(header) + np.random.default_rng(0).bytes(3 * 10**6))
    asked, content = [], io.BytesIO(header)
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda _, size: asked.append(size) or content.read(size)
    )
    with pytest.raises(InputError, match="fewer than the 3000000000 bytes"):
        read_idx(path)
    assert max(asked) < 1000
