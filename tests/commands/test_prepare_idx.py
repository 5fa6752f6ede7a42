"""prepare.py idx: what is in the files, and what its user sees of a bad line."""

import gzip
import re
import struct

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.commands.prepare import main
from clumpygan.data import IdxDataModule
from clumpygan.data.cutouts.extraction import prepare_cutouts
from clumpygan.data.cutouts.settings import CutoutSettings
from clumpygan.data.cutouts.store import open_cutouts
from clumpygan.data.idx_settings import WriteIdxSettings
from clumpygan.data.idx_writing import write_images_as_idx
from tests.data.survey import make_survey


def prepare(source, output, *words):
    main(["idx", "--input", str(source), "--output", str(output), *map(str, words)])


def plain(path):
    """Parse an IDX file of three axes with nothing of ours."""
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    magic, *shape = struct.unpack(">4I", content[:16])
    kind = {0x803: ">u1", 0xD03: ">f4"}[magic]
    return np.frombuffer(content, kind, offset=16).reshape(shape)


@pytest.fixture
def stamps():
    """Stamps (N, y, x) in nJy with noise of 0.8 nJy and a galaxy in the middle."""
    y, x = np.mgrid[:16, :24] - np.array([7.5, 11.5])[:, None, None]
    galaxy = np.exp(-np.hypot(y, x) / 1.5)
    generator = np.random.default_rng(0)
    bright = 10 ** generator.uniform(0, 3, size=(30, 1, 1))
    noise = generator.normal(0, 0.8, size=(30, 16, 24))
    return (bright * galaxy + noise).astype(np.float32)


@pytest.fixture
def array(tmp_path, stamps):
    np.save(tmp_path / "stamps.npy", stamps)
    return tmp_path / "stamps.npy"


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    """Cutouts of 20 x 20 from a tiny survey, in nJy, in one band and in two."""
    home = tmp_path_factory.mktemp("cutouts")
    survey = make_survey(home)
    prepare_cutouts(home / "one", CutoutSettings((survey.files(),), size=20))
    bands = survey.files(bands=("F160W", "F125W"))
    prepare_cutouts(home / "two", CutoutSettings((bands,), size=20))
    return home


@pytest.fixture
def refused(tmp_path, capsys):
    """Nothing may be written, and one line is said."""

    def _refused(source, output, *words):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            prepare(source, output, *words)
        said = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(tmp_path.rglob("*")) == before
        return said[0]

    return _refused


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_stretch_is_said_and_undone_to_half_a_level(tmp_path, stamps, array, ending, capsys):
    idx = tmp_path / f"stamps-images-idx3-ubyte{ending}"
    prepare(array, idx, "--noise-sigma", 0.8)
    levels = plain(idx)
    assert levels.shape == stamps.shape
    assert (levels.min(), levels.max()) == (0, 255)
    said = capsys.readouterr().out
    assert said.startswith(f"{idx}: 30 images, asinh of units of the noise, 0.8; data.stretch=[")
    low, high = map(float, re.search(r"stretch=\[(.*),(.*)\]", said).groups())
    assert (low, high) == pytest.approx((stamps.min() / 0.8, stamps.max() / 0.8), rel=1e-4)
    module = IdxDataModule(images=str(idx), stretch=(low, high), batch_size=4, size=24)
    module.setup()
    dataset = module.dataset("train")
    read = np.stack([dataset[place]["image"][0, 4:20] for place in range(len(dataset))])
    expected = stamps[dataset.rows] / 0.8
    half = (np.arcsinh(high) - np.arcsinh(low)) / 510
    allowed = half * np.cosh(np.abs(np.arcsinh(expected)) + half)
    assert (np.abs(read - expected) <= 1.01 * allowed).all()
    assert np.abs(read - expected).max() > 0


def test_floats_are_in_units_of_the_noise(tmp_path, stamps, array):
    prepare(array, tmp_path / "a-idx3-float.gz", "--noise-sigma", 0.8)
    assert np.array_equal(plain(tmp_path / "a-idx3-float.gz"), stamps / np.float32(0.8))
    prepare(tmp_path / "a-idx3-float.gz", tmp_path / "back.npy")
    assert np.array_equal(np.load(tmp_path / "back.npy"), stamps / np.float32(0.8))


def test_the_noise_is_measured_where_no_galaxy_is(tmp_path, stamps, array):
    prepare(array, tmp_path / "a-idx3-float")
    sigma = np.median(stamps / plain(tmp_path / "a-idx3-float"))
    assert sigma == pytest.approx(0.8, rel=0.1)


def test_a_range_clips(tmp_path, stamps, array):
    prepare(array, tmp_path / "a-idx3-ubyte", "--noise-sigma", 0.8, "--range", -5, 20)
    low, high = np.arcsinh([-5, 20])
    levels = (np.arcsinh(stamps.astype(float) / 0.8) - low) / (high - low) * 255
    expected = np.clip(np.rint(levels), 0, 255)
    assert np.abs(plain(tmp_path / "a-idx3-ubyte") - expected).max() <= 1


def test_levels_of_others_stay_as_they_are(tmp_path, capsys):
    levels = np.random.default_rng(0).integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
    np.save(tmp_path / "digits.npy", levels)
    prepare(tmp_path / "digits.npy", tmp_path / "d-idx3-ubyte")
    assert np.array_equal(plain(tmp_path / "d-idx3-ubyte"), levels)
    for back in ("back.npy", "back.fits"):
        prepare(tmp_path / "d-idx3-ubyte", tmp_path / back)
    assert np.load(tmp_path / "back.npy").dtype == np.uint8
    assert np.array_equal(np.load(tmp_path / "back.npy"), levels)
    assert np.array_equal(fits.getdata(tmp_path / "back.fits"), levels)
    assert "uint8 as they are" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "words", "said"),
    [
        ("a.png", [], "--output"),
        ("a.png", [], "expected a name with idx in it, such as gs-images-idx3-ubyte.gz, or"),
        ("a.npy", [], "expected an IDX file"),
        ("a.idx", ["--range", "5", "-5"], "--range is (5.0, -5.0): expected two rising"),
        ("a.idx", ["--noise-sigma", "0"], "expected a number > 0"),
        ("a.idx", ["--band", "F160W"], "no folder of cutouts, it has no bands"),
        ("a.idx", ["--bend", "F160W"], "did you mean --band?"),
        ("none/a.idx", [], "doesn't exist; make it first"),
    ],
)
def test_wrong_lines(tmp_path, array, refused, output, words, said):
    assert said in refused(array, tmp_path / output, *words)


def test_input_and_output_are_needed(capsys):
    with pytest.raises(SystemExit):
        main(["idx", "--input", "a.npy"])
    assert "--output is missing: give it" in capsys.readouterr().err


def test_wrong_images(tmp_path, stamps, refused):
    output, source = tmp_path / "a-idx3-ubyte", tmp_path / "a.npy"
    for change in (np.nan, 1e300):
        images = stamps.astype(float)
        images[7, 3, 3] = change
        np.save(source, images)
        assert "image 7 holds NaN, or values beyond float32" in refused(source, output)
    np.save(source, np.ones((4, 8, 8)))
    assert "no noise in the borders of the images; give it with --noise-sigma" in refused(
        source, output
    )
    assert "expected two rising numbers" in refused(source, output, "--noise-sigma", 1)
    assert "no such file" in refused(tmp_path / "nowhere.npy", output)
    assert "no such file" in refused(tmp_path / "nowhere", tmp_path / "a.fits")


def test_wrong_idx_files(tmp_path, array, refused):
    prepare(array, tmp_path / "a-idx3-ubyte.gz")
    broken = tmp_path / "b-idx3-ubyte.gz"
    broken.write_bytes((tmp_path / "a-idx3-ubyte.gz").read_bytes()[:-20])
    assert "broken gzip file" in refused(broken, tmp_path / "back.fits")
    (tmp_path / "labels").write_bytes(bytes.fromhex("00000801 00000002 0001"))
    assert "labels: 2 values; expected images (N, y, x)" in refused(
        tmp_path / "labels", tmp_path / "back.npy"
    )


def test_cutouts(tmp_path, cutouts, refused):
    found = open_cutouts(cutouts / "one")
    prepare(cutouts / "one", tmp_path / "gs-images-idx3-float.gz")
    sigma = np.float32(np.median(found.noise_sigma))
    pixels = plain(tmp_path / "gs-images-idx3-float.gz")
    np.testing.assert_allclose(pixels, found.images / sigma, rtol=1e-6)
    settings = WriteIdxSettings(cutouts / "two", tmp_path / "blue-idx3-float", band="f125w")
    count, words = write_images_as_idx(settings)
    blue = open_cutouts(cutouts / "two", "F125W")
    assert count == len(blue)
    assert words.startswith("float32 in units of the noise, ")
    np.testing.assert_allclose(
        plain(tmp_path / "blue-idx3-float"),
        blue.images / np.float32(np.median(blue.noise_sigma)),
        rtol=1e-6,
    )
    assert "has the bands F160W, F125W; say which one" in refused(
        cutouts / "two", tmp_path / "a.idx"
    )
    assert "holds no set of cutouts" in refused(tmp_path, tmp_path / "a.idx")
