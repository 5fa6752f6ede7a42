"""prepare.py idx: there and back, and what its user sees of a bad line."""

import gzip
import json
import struct

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.commands.prepare import main
from clumpygan.data.cutout_extraction import prepare_cutouts
from clumpygan.data.cutout_settings import CutoutSettings
from clumpygan.data.cutout_store import open_cutouts
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
@pytest.mark.parametrize("back", ["back.npy", "back.fits"])
def test_there_and_back_within_half_a_level(tmp_path, stamps, array, ending, back, capsys):
    idx = tmp_path / f"stamps-images-idx3-ubyte{ending}"
    prepare(array, idx, "--noise-sigma", 0.8)
    levels = plain(idx)
    assert levels.shape == stamps.shape
    assert (levels.min(), levels.max()) == (0, 255)
    prepare(idx, tmp_path / back)
    read = fits.getdata(tmp_path / back) if back.endswith("fits") else np.load(tmp_path / back)
    low, high = stamps.min() / 0.8, stamps.max() / 0.8
    half = (np.arcsinh(high) - np.arcsinh(low)) / 510
    allowed = 0.8 * half * np.cosh(np.abs(np.arcsinh(stamps / 0.8)) + half)
    assert (np.abs(read - stamps) <= 1.001 * allowed).all()
    assert np.abs(read - stamps).max() > 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{idx}: 30 images of 16 x 24, uint8, asinh rounded to 0.0")
    assert "sigma (0.8) in the sky" in said[0]
    assert "stamps-images-idx3-ubyte.json says how" in said[0]
    assert "30 images of 16 x 24, in nJy" in said[1]


def test_floats_come_back_exactly(tmp_path, stamps, array):
    prepare(array, tmp_path / "a-idx3-float.gz")
    assert np.array_equal(plain(tmp_path / "a-idx3-float.gz"), stamps)
    prepare(tmp_path / "a-idx3-float.gz", tmp_path / "back.npy")
    assert np.array_equal(np.load(tmp_path / "back.npy"), stamps)
    prepare(array, tmp_path / "b.idx", "--dtype", "float32")
    assert np.array_equal(plain(tmp_path / "b.idx"), stamps)


def test_the_noise_is_measured_where_no_galaxy_is(tmp_path, array):
    prepare(array, tmp_path / "a-idx3-ubyte")
    card = json.loads((tmp_path / "a-idx3-ubyte.json").read_text())
    assert card["noise_sigma"] == pytest.approx(0.8, rel=0.1)
    assert card["unit"] == "nJy"
    assert card["source"] == str(array)


def test_flags_set_the_stretch(tmp_path, stamps, array, capsys):
    prepare(array, tmp_path / "a-idx3-ubyte", "--noise-sigma", 0.8, "--stretch", "linear",
            "--range", -5, 20)  # fmt: skip
    expected = np.clip(np.rint((stamps / 0.8 + 5) / 25 * 255), 0, 255)
    assert np.abs(plain(tmp_path / "a-idx3-ubyte") - expected).max() <= 1
    beyond = int(((stamps < -4) | (stamps > 16)).sum())
    assert f", {beyond} pixels beyond the range clipped" in capsys.readouterr().out
    prepare(array, tmp_path / "b-idx3-ubyte", "--noise-sigma", 0.8, "--scale", 3)
    card = json.loads((tmp_path / "b-idx3-ubyte.json").read_text())
    assert card["stretch"]["scale"] == 3
    assert card["stretch"]["high"] == pytest.approx(stamps.max() / 0.8)


def test_fits_cubes_keep_their_unit(tmp_path, stamps):
    header = fits.Header({"BUNIT": "electron/s"})
    fits.writeto(tmp_path / "a.fits", stamps, header)
    prepare(tmp_path / "a.fits", tmp_path / "a-idx3-ubyte")
    prepare(tmp_path / "a-idx3-ubyte", tmp_path / "back.fits")
    assert fits.getheader(tmp_path / "back.fits")["BUNIT"] == "electron/s"


def test_levels_of_others_stay_as_they_are(tmp_path, capsys):
    levels = np.random.default_rng(0).integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
    np.save(tmp_path / "digits.npy", levels)
    (tmp_path / "d-idx3-ubyte.json").write_text("of something older")
    prepare(tmp_path / "digits.npy", tmp_path / "d-idx3-ubyte")
    assert np.array_equal(plain(tmp_path / "d-idx3-ubyte"), levels)
    assert not (tmp_path / "d-idx3-ubyte.json").exists()
    for back in ("back.npy", "back.fits"):
        prepare(tmp_path / "d-idx3-ubyte", tmp_path / back)
    assert np.load(tmp_path / "back.npy").dtype == np.uint8
    assert np.array_equal(np.load(tmp_path / "back.npy"), levels)
    assert np.array_equal(fits.getdata(tmp_path / "back.fits"), levels)
    assert "uint8 as they are, there is no card" in capsys.readouterr().out
    np.save(tmp_path / "wide.npy", levels.astype(float))
    prepare(tmp_path / "wide.npy", tmp_path / "w-idx3-ubyte", "--stretch", "none")
    assert np.array_equal(plain(tmp_path / "w-idx3-ubyte"), levels)


@pytest.mark.parametrize(
    ("output", "words", "said"),
    [
        ("a.png", [], "expected a name with idx in it, such as gs-images-idx3-ubyte.gz, or one"),
        ("a.npy", [], "expected an IDX file, since"),
        ("a-idx3-ubyte", ["--dtype", "float32"], "says ubyte, but --dtype is float32"),
        ("a-idx3-float", ["--dtype", "uint8"], "says float, but --dtype is uint8"),
        ("a-idx3-float", ["--stretch", "asinh"], "--stretch: leave it out; float32 holds the"),
        ("a.npy", ["--noise-sigma", "1"], "--noise-sigma: leave it out; "),
        ("a.idx", ["--stretch", "linear", "--scale", "2"], "--scale: leave it out; it is of asinh"),
        ("a.idx", ["--stretch", "none", "--range", "0", "1"], "--range: leave it out; levels stay"),
        ("a.idx", ["--stretch", "none"], "holds more than integers from 0 to 255"),
        ("a.idx", ["--range", "5", "-5"], "a stretch from 5 to -5 sigma; expected two rising"),
        ("a.idx", ["--noise-sigma", "0"], "expected a number > 0"),
        ("a.idx", ["--stretch", "log"], "invalid choice: 'log'"),
        ("none/a.idx", [], "doesn't exist; make it first"),
    ],
)
def test_wrong_lines(tmp_path, array, refused, output, words, said):
    assert said in refused(array, tmp_path / output, *words)


def test_wrong_images(tmp_path, stamps, refused):
    output, source = tmp_path / "a-idx3-ubyte", tmp_path / "a.npy"
    for change, said in (
        (np.nan, "image 7 holds NaN, or values beyond float32"),
        (1e300, "image 7 holds NaN, or values beyond float32"),
    ):
        images = stamps.astype(float)
        images[7, 3, 3] = change
        np.save(source, images)
        assert said in refused(source, output)
    np.save(source, np.ones((4, 8, 8)))
    assert "no noise in the borders of the images; give it with --noise-sigma" in refused(
        source, output
    )
    assert "all pixels are 1" in refused(source, output, "--noise-sigma", 1)
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
    (tmp_path / "a-idx3-ubyte.json").write_text("{}")
    assert "is no card" in refused(tmp_path / "a-idx3-ubyte.gz", tmp_path / "back.npy")


def test_cutouts_there_and_back(tmp_path, cutouts, refused):
    found = open_cutouts(cutouts / "one")
    idx = tmp_path / "gs-images-idx3-ubyte.gz"
    prepare(cutouts / "one", idx)
    card = json.loads((tmp_path / "gs-images-idx3-ubyte.json").read_text())
    assert card["noise_sigma"] == pytest.approx(np.median(found.noise_sigma))
    prepare(idx, tmp_path / "back.fits")
    back, sigma = fits.getdata(tmp_path / "back.fits"), card["noise_sigma"]
    low, high = found.images.min() / sigma, found.images.max() / sigma
    half = (np.arcsinh(high) - np.arcsinh(low)) / 510
    allowed = sigma * half * np.cosh(np.abs(np.arcsinh(found.images / sigma)) + half)
    assert (np.abs(back - found.images) <= 1.001 * allowed).all()
    prepare(cutouts / "two", tmp_path / "blue-idx3-float", "--band", "f125w")
    assert np.array_equal(
        plain(tmp_path / "blue-idx3-float"), open_cutouts(cutouts / "two", "F125W").images
    )
    assert "has the bands F160W, F125W; say which one" in refused(
        cutouts / "two", tmp_path / "a.idx"
    )
    assert "holds no set of cutouts" in refused(tmp_path, tmp_path / "a.idx")


def test_labels_are_bins_of_a_column(tmp_path, cutouts, capsys):
    prepare(
        cutouts / "one",
        tmp_path / "gs-images-idx3-ubyte.gz",
        "--labels",
        "h_magnitude",
        "--bins",
        4,
    )
    content = gzip.decompress((tmp_path / "gs-labels-idx1-ubyte.gz").read_bytes())
    values = np.asarray(open_cutouts(cutouts / "one").table["h_magnitude"])
    assert struct.unpack(">2I", content[:8]) == (0x801, len(values))
    labels = np.frombuffer(content[8:], np.uint8)
    counts = np.bincount(labels)
    assert len(counts) == 4
    assert counts.max() - counts.min() <= 1
    for label in range(3):
        assert values[labels == label].max() <= values[labels == label + 1].min()
    card = json.loads((tmp_path / "gs-images-idx3-ubyte.json").read_text())
    assert card["labels"]["file"] == "gs-labels-idx1-ubyte.gz"
    assert card["labels"]["column"] == "h_magnitude"
    assert card["labels"]["edges"] == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
    assert "gs-labels-idx1-ubyte.gz: bins of h_magnitude between" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "words", "said"),
    [
        ("a-idx3-ubyte", ["--labels", "colour"], "--labels colour: no such column; expected "),
        ("a-idx3-ubyte", ["--labels", "identifier"], "expected a column with a finite number in"),
        (
            "a-idx3-ubyte",
            ["--labels", "h_magnitude", "--bins", "200"],
            "different values don't fill 200 bins",
        ),
        ("a-idx3-ubyte", ["--bins", "4"], "--bins: leave it out; it is of --labels"),
        ("a.idx", ["--labels", "h_magnitude"], "a.idx has neither images nor idx3 in it"),
    ],
)
def test_wrong_labels(tmp_path, cutouts, refused, output, words, said):
    assert said in refused(cutouts / "one", tmp_path / output, *words)


def test_flags_of_cutouts_are_for_cutouts(tmp_path, array, refused):
    assert "has no catalogue" in refused(
        array, tmp_path / "a-idx3-ubyte", "--labels", "h_magnitude"
    )
    assert "no folder of cutouts, it has no bands" in refused(
        array, tmp_path / "a-idx3-ubyte", "--band", "F160W"
    )
