"""The program `evaluate.py realism`, on tiny sets and with a network that knows nothing yet."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from clumpygan.assessment import realism_report, synthetic_sets
from clumpygan.assessment.real_sets import cutouts, shrunk
from clumpygan.assessment.settings import RealismSettings
from clumpygan.assessment.stamp_sets import read_cube_of_stamps, with_noise
from clumpygan.assessment.synthetic_sets import synthetic
from clumpygan.commands.evaluate import main
from clumpygan.data.array_set import CARD
from clumpygan.data.splits import split_of
from clumpygan.evaluation.realism.image_statistics import FEATURES
from clumpygan.evaluation.realism.realism import Realism
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.instruments import HST_WFC3_F160W
from clumpygan.plots.reports import realism as draw
from tests.data.real_disks import write_recipe

SIDE, SCALE = 32, 0.06
CONDITIONS = ["signal", "half_light_radius", "redshift"]
ARGUMENTS = {
    "size": SIDE, "conditions": CONDITIONS, "signal": [3.0, 0.6], "latent_dim": 4, "channels": 4,
    "largest": 4,
}  # fmt: skip
PICTURES = draw.realism_pictures
NOISE = {"sigma": 0.5, "pixel_scale": SCALE, "correlation": [[0, 0, 0], [0.3, 1, 0.3], [0, 0, 0]]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, small synthetic stamps, no pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(synthetic_sets, "SIZE", SIDE)
    monkeypatch.setattr(realism_report, "SIZE", SIDE)
    monkeypatch.setattr(draw, "realism_pictures", lambda report: [])
    return tmp_path


@pytest.fixture
def drawn(monkeypatch):
    """Pictures after all."""
    monkeypatch.setattr(draw, "realism_pictures", PICTURES)


def run(*words):
    quick = ("--pixel-epochs", "0", "--n", "24", "--train-size", "30")
    main(["realism", *quick, *map(str, words)])


@pytest.fixture
def refused(folder, capsys):
    """Run with bad input: exit code 2, one line, nothing written."""

    def _refused(*words):
        before = sorted(folder.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            run(*words)
        said = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(folder.rglob("*")) == before
        return said[0]

    return _refused


def stamps(number=30, side=SIDE, seed=0, sigma=2.0):
    """Round galaxies in nJy with white noise."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    flux = 10 ** generator.uniform(2.0, 3.5, (number, 1, 1))
    images = flux * np.exp(-0.5 * (x**2 + y**2) / 9.0) / 56.0
    return (images + sigma * generator.normal(size=images.shape)).astype(np.float32)


def write_cube(path, images, scale=SCALE, column=None, **cards):
    header = fits.Header(cards)
    if scale is not None:
        header["PIXSCALE"] = scale
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(images, header, name="IMAGES")]
    if column is not None:
        hdus.append(fits.BinTableHDU(Table({"noise_sigma": column}), name="GALAXIES"))
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.fixture
def generated(folder):
    return write_cube(folder / "galaxies.fits", stamps(), SIGMA=2.0)


def test_report_table_and_numbers(folder, drawn, generated, capsys):
    run("--generated", generated, "--output", "report", "--metrics", "numbers.json")
    said = capsys.readouterr().out
    assert "held-out real" in said
    assert "wrote report/index.html, report/blind.png, numbers.json" in said
    found = json.loads((folder / "numbers.json").read_text())
    names = ["held-out real", "galaxies.fits", "smooth disks", "smooth disks + neighbours"]
    assert list(found["tests"]) == names
    assert found["sizes"]["galaxies.fits"] == 24
    assert set(found["ks"]["galaxies.fits"]) == set(FEATURES)
    assert found["settings"]["training_images"] == 30
    assert found["settings"]["n"] == 24
    assert found["settings"]["generated"] == [str(generated)]
    assert found["versions"]["scikit-learn"]
    page = (folder / "report" / "index.html").read_text()
    assert page.count("data:image/png") == 4
    pictures = {path.name for path in (folder / "report").glob("*.png")}
    expected = {"stamps.png", "histograms.png", "power_spectra.png", "neighbours.png", "blind.png"}
    assert pictures == expected
    key = (folder / "report" / "blind_key.txt").read_text().splitlines()
    assert len(key) == 16
    assert {line.split(" ", 1)[1] for line in key} == {"galaxies.fits", "held-out real"}


def test_the_blind_page_shows_what_its_key_says(monkeypatch):
    made, true = np.full((70, 8, 8), 50.0), np.zeros((70, 8, 8))
    shown = []
    mosaic = draw._mosaic
    monkeypatch.setattr(
        draw, "_mosaic", lambda images, side: shown.append(images) or mosaic(images, side)
    )

    def page(seed):
        return draw.blind_page(
            SimpleNamespace(
                made=[SimpleNamespace(name="made", images=made, pixel_scale=0.06)],
                held_out=SimpleNamespace(floor=SimpleNamespace(name="real", images=true)),
                settings=SimpleNamespace(seed=seed),
            )
        )

    picture, key = page(3)
    assert picture.startswith(b"\x89PNG")
    names = [line.split()[1] for line in key.splitlines()]
    assert names.count("made") == names.count("real") == 32
    assert [name == "made" for name in names] == (shown[0].max((1, 2)) > 0).tolist()
    assert page(3)[1] == key
    assert page(4)[1] != key


def test_distances_are_told_in_units_of_that_of_smooth_disks():
    numbers = {
        name: {"frechet": {"value": value, "error": 0.1}}
        for name, value in [("floor", -0.1), ("made", 0.5), ("smooth disks", 2.0)]
    }
    shares = realism_report.shares_of_smooth(Realism(numbers=numbers))
    assert shares == {"floor": -0.05, "made": 0.25}
    del numbers["smooth disks"]
    assert realism_report.shares_of_smooth(Realism(numbers=numbers)) == {}


def test_the_same_seed_gives_the_same_numbers(folder, generated):
    for name in ("one", "two"):
        run("--generated", generated, "--output", name, "--metrics", f"{name}.json")
    one, two = (json.loads((folder / f"{name}.json").read_text()) for name in ("one", "two"))
    assert one["tests"] == two["tests"]
    assert one["ks"] == two["ks"]


def test_a_generator_makes_galaxies_on_the_spot(folder, drawn):
    torch.manual_seed(1)
    network = build_network("dcgan", ARGUMENTS)
    card = {"network": {"name": "dcgan", "arguments": ARGUMENTS}, "images": NOISE}
    save_checkpoint(folder / "stamps", network, card)
    run("--checkpoint", folder / "stamps.safetensors", "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert found["sizes"]["generated"] == 24
    assert "made by checkpoint" in found["sets"]["generated"]
    assert (folder / "realism" / "interpolation.png").is_file()


def two_checkpoints(folder, seeds=(0, 1)):
    """Networks that know nothing, with cards that say with which seed they were trained."""
    for name, seed in zip(("one", "two"), seeds, strict=True):
        torch.manual_seed(seed)
        data = {"seed": seed, "train_size": 28}
        card = {"network": {"name": "dcgan", "arguments": ARGUMENTS}, "images": NOISE, "data": data}
        save_checkpoint(folder / name, build_network("dcgan", ARGUMENTS), card)
    return [str(folder / f"{name}.safetensors") for name in ("one", "two")]


def test_two_networks_are_compared_with_what_each_learnt_from(folder, monkeypatch, capsys):
    one, two = two_checkpoints(folder)
    run("--checkpoint", one, "--other", two, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())["two_networks"]
    assert (found["galaxies"], found["training"]) == (24, 28)
    assert found["p_value"] > 0.01
    assert "24 galaxies of each of two networks" in capsys.readouterr().out
    assert "two networks" in (folder / "realism" / "index.html").read_text()

    def remember(name, like, seed, device, progress):
        sample = synthetic_sets.training_sample(28, int(name == two))
        return sample.images[:24]

    monkeypatch.setattr(realism_report, "noiseless_like", remember)
    run("--checkpoint", one, "--other", two, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())["two_networks"]
    assert found["p_value"] == 0.001
    assert found["own_share"] == 1


def test_what_a_second_network_learnt_from_can_be_a_file(folder):
    one, two = two_checkpoints(folder)
    first, second = (
        write_cube(folder / f"{name}.fits", stamps(30, seed=seed), SIGMA=2.0)
        for name, seed in (("first", 1), ("second", 2))
    )
    run("--checkpoint", one, "--other", two, "--train", first, "--other-train", second,
        "--metrics", "numbers.json")  # fmt: skip
    assert json.loads((folder / "numbers.json").read_text())["two_networks"]["training"] == 28


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--checkpoint", "none"), "expected a --checkpoint to compare it with"),
        (("--checkpoint", "{two}"), "expected a --checkpoint to compare it with, another one"),
        (("--train-size", 0), "--other needs training galaxies"),
        (("--other-training-seed", 0), "both networks would have learnt from the same galaxies"),
        (("--other-training-seed", 5), "two.safetensors was trained with the seed 1, not 5"),
        (("--train", "{two}"), "--other-train: expected what --other learnt from"),
        (("--other-train", "nowhere.fits"), "and nothing if both learnt from synthetic samples"),
    ],
)
def test_networks_that_cannot_be_compared_are_refused(folder, refused, words, message):
    one, two = two_checkpoints(folder)
    words = [str(word).format(two=two) for word in words]
    assert message in refused("--checkpoint", one, "--other", two, *words)


def test_without_generator_and_training_floor_and_disks_are_measured(folder):
    run("--checkpoint", "none", "--train-size", 0, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert "generated" not in found["tests"]
    assert "novelty_ratio" not in found["tests"]["held-out real"]


def test_the_pixel_classifier_is_asked(folder, generated):
    run("--generated", generated, "--pixel-epochs", "1", "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert found["tests"]["galaxies.fits"]["pixel_classifier"]["error"] > 0


def test_synthetic_galaxies_are_those_of_their_seed():
    first, more, other = (synthetic(n, s, 0, 3) for n, s in ((3, 5), (6, 5), (3, 6)))
    np.testing.assert_array_equal(first.reference.images, more.reference.images[:3])
    np.testing.assert_array_equal(first.floor.images, more.floor.images[:3])
    assert not np.allclose(first.reference.images, other.reference.images)
    assert not np.allclose(first.reference.images, first.floor.images)
    np.testing.assert_array_equal(first.training.images, other.training.images)
    smooth = first.opponents[0]
    assert smooth.name == "smooth disks"
    np.testing.assert_array_equal(smooth.known["flux"], first.floor.known["flux"])
    assert first.noise.sigma == HST_WFC3_F160W.noise().sigma


def test_noise_is_the_models_and_each_stamps_own():
    noise = HST_WFC3_F160W.noise()
    blank = np.zeros((40, SIDE, SIDE))
    drawn = with_noise(blank, noise, 1, "a")
    assert drawn.std() == pytest.approx(1.0, abs=0.02)
    expected = noise.correlation[
        noise.correlation.shape[0] // 2, noise.correlation.shape[1] // 2 + 1
    ]
    assert (drawn[:, :, 1:] * drawn[:, :, :-1]).mean() == pytest.approx(expected, abs=0.05)
    np.testing.assert_array_equal(drawn[:7], with_noise(blank[:7], noise, 1, "a"))
    assert not np.allclose(drawn, with_noise(blank, noise, 1, "b"))
    assert not np.allclose(drawn[0], drawn[1])
    bright = with_noise(blank + 5 * noise.sigma, noise, 1, "a")
    np.testing.assert_allclose(bright - drawn, 5.0, rtol=1e-5)


def test_stamps_are_divided_by_their_noise(folder):
    images = stamps(sigma=2.0)
    said = read_cube_of_stamps(write_cube(folder / "said.fits", images, SIGMA=4.0))
    np.testing.assert_allclose(said.images, images / 4.0, rtol=1e-6)
    assert said.pixel_scale == SCALE
    each = np.linspace(1.0, 3.0, 30)
    column = read_cube_of_stamps(write_cube(folder / "column.fits", images, column=each))
    np.testing.assert_allclose(column.images, images / each[:, None, None], rtol=1e-6)
    measured = read_cube_of_stamps(write_cube(folder / "measured.fits", stamps(side=64)))
    assert np.median(measured.sigma) == pytest.approx(2.0, rel=0.05)


def test_stamps_without_noise_are_given_some(folder):
    images = np.zeros((25, SIDE, SIDE), np.float32)
    path = write_cube(folder / "bare.fits", images, SIGMA=0.0)
    noisy = read_cube_of_stamps(path, HST_WFC3_F160W.noise(), seed=3)
    assert noisy.images.std() == pytest.approx(1.0, abs=0.03)


def test_a_cube_can_be_the_real_galaxies_and_the_training_set(folder, generated, capsys):
    real = write_cube(folder / "real.fits", stamps(50, seed=3), SIGMA=2.0)
    learnt = write_cube(folder / "learnt.fits", stamps(30, seed=4), SIGMA=2.0)
    words = ("--real", real, "--generated", generated, "--train", learnt)
    run(*words, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert found["sizes"] == {"reference": 24, "held-out real": 24, "galaxies.fits": 24}
    assert found["frechet_in_units_of_smooth_disks"] == {}
    assert "novelty_ratio" in found["tests"]["galaxies.fits"]
    assert "no smooth disks to compare with" in capsys.readouterr().err


def test_a_folder_of_fits_stamps(folder, generated):
    (folder / "real").mkdir()
    for number, image in enumerate(stamps(44, side=36, seed=5)):
        header = fits.Header({"FILTER": "F160W", "ABMAGZP": 31.4, "PIXSCALE": SCALE})
        fits.writeto(folder / "real" / f"{number}.fits", image, header)
    run("--real", folder / "real", "--generated", generated, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert found["sizes"]["reference"] == 22


class Cutouts(SimpleNamespace):
    """Stands in for a set of cutouts of 600 galaxies."""

    def noise_model(self):
        return HST_WFC3_F160W.noise()

    def psf(self):
        y, x = np.mgrid[:15, :15] - 7
        return np.exp(-0.5 * (x**2 + y**2) / 1.3**2), SCALE


@pytest.fixture
def survey(folder, monkeypatch):
    number = 600
    generator = np.random.default_rng(2)
    home = folder / "cutouts"
    home.mkdir()
    (home / CARD).touch()
    found = Cutouts(
        folder=home, band="F160W", unit="nJy", pixel_scale=SCALE, images=stamps(number, seed=6),
        noise_sigma=np.where(np.arange(number) % 50, 2.0, np.nan),
        identifiers=np.array([f"galaxy{i}" for i in range(number)]),
        table=Table({
            "h_magnitude": generator.uniform(21.0, 25.0, number),
            "half_light_radius": np.where(np.arange(number) % 9, 0.3, np.nan),
            "redshift": np.ones(number),
        }),
    )  # fmt: skip
    monkeypatch.setattr("clumpygan.data.cutouts.store.open_cutouts", lambda path, band=None: found)
    return found


def test_cutouts_are_split_as_the_training_split_them(survey):
    test = cutouts(survey, "test", seed=4)
    expected = [i for i in range(600) if i % 50 and split_of(f"galaxy{i}", 4) == "test"]
    np.testing.assert_allclose(test.images, survey.images[expected] / 2.0)
    np.testing.assert_allclose(
        test.known["flux"], 10 ** (0.4 * (31.4 - survey.table["h_magnitude"][expected]))
    )
    assert len(cutouts(survey, None, 4).images) == 588


def test_cutouts_have_smooth_disks_and_a_training_set(folder, survey, generated):
    words = ("--real", survey.folder, "--generated", generated, "--n", 30)
    run(*words, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert list(found["tests"]) == ["held-out real", "galaxies.fits", "smooth disks"]
    # those of known half-light radius: eight of nine
    assert 20 <= found["sizes"]["smooth disks"] < found["sizes"]["held-out real"]
    assert found["settings"]["training_images"] == 30


def test_cutouts_without_photometry_have_no_disks(folder, survey, generated, capsys):
    survey.unit = "counts"
    run("--real", survey.folder, "--generated", generated)
    assert "no smooth disks" in capsys.readouterr().err


@pytest.mark.real_data
def test_the_cosmos_galaxies_are_shown(folder, real_data, monkeypatch):
    catalog = real_data / "cosmos_f814w" / "real_galaxy_catalog.fits"
    if not catalog.is_file():
        pytest.skip("no COSMOS galaxies")
    run("--checkpoint", "none", "--catalog", catalog, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert found["sizes"]["real_galaxy_catalog"] == 68
    # I-band galaxies of 21.3-25.9 mag, of the same sizes
    assert 0.4 < found["medians"]["real_galaxy_catalog"]["half_light_radius"] < 0.9


BAD = {
    "other.fits": ({"images": stamps(side=40), "SIGMA": 2.0}, "40x40 pixels, .* of 32x32"),
    "coarse.fits": ({"images": stamps(), "scale": 0.1, "SIGMA": 2.0}, "pixels of 0.1 arcsec"),
    "scaleless.fits": ({"images": stamps(), "scale": None}, "no pixel scale; expected PIXSCALE"),
    "negative.fits": ({"images": stamps(), "scale": -0.06}, "PIXSCALE is -0.06; expected"),
    "few.fits": ({"images": stamps(19), "SIGMA": 2.0}, "19 few.fits stamps are too few"),
    "nan.fits": ({"images": np.full((30, 32, 32), np.nan), "SIGMA": 2.0}, "30 of 30 .* hold NaN"),
    "flat.fits": ({"images": stamps()[0], "SIGMA": 2.0}, "expected a cube .* found 32x32"),
    "empty.fits": ({"images": None, "SIGMA": 2.0}, "found no image"),
    "sign.fits": ({"images": stamps(), "SIGMA": -2.0}, "isn't a number >= 0"),
    "some.fits": ({"images": stamps(), "column": np.arange(30.0)}, "some of its stamps have"),
    "blank.fits": ({"images": np.zeros((30, 32, 32))}, "the noise can't be measured"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_cubes_are_refused_in_one_line(folder, refused, name):
    arguments, message = BAD[name]
    path = write_cube(folder / name, **arguments)
    said = refused("--generated", path)
    assert name in said
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--generated", "missing.fits"], "missing.fits: no such file"),
        (["--generated", "a/x.fits", "b/x.fits"], "x.fits is given twice"),
        (["--real", "nowhere"], "--real nowhere: no such file or folder"),
        (["--catalog", "nowhere.fits"], "--catalog nowhere.fits: no such file"),
        (["--checkpoint", "nonsense"], "no checkpoint nonsense"),
        (["--checkpoint", "none", "--output", "no/such/folder"], "doesn't exist; make it first"),
        (["--checkpoint", "none", "--metrics", "no/such.json"], "doesn't exist"),
        (["--checkpoint", "none", "--band", "F160W"], "--band goes with --real"),
        (["--n", "5"], "expected an integer from 20"),
        (["--checkpoint", "none", "--device", "tpu"], "--device tpu"),
    ],
)
def test_bad_flags_are_refused_in_one_line(refused, words, message):
    assert message in refused(*words)


def test_a_file_in_place_of_the_folder_is_refused(folder, refused, generated):
    (folder / "report").touch()
    assert "is a file; expected the name of a folder" in refused(
        "--generated", generated, "--output", "report"
    )


def test_too_few_real_galaxies_are_refused(folder, refused, generated):
    real = write_cube(folder / "real.fits", stamps(39), SIGMA=2.0)
    said = refused("--real", real, "--generated", generated)
    assert "39 held-out galaxies, expected at least 40" in said


def test_a_generator_must_be_told_of_the_galaxies(folder, capsys):
    network = build_network("dcgan", ARGUMENTS)
    card = {"network": {"name": "dcgan", "arguments": ARGUMENTS}, "images": NOISE}
    save_checkpoint(folder / "stamps", network, card)
    real = write_cube(folder / "real.fits", stamps(44), SIGMA=2.0)
    with pytest.raises(SystemExit) as stopped:
        run("--real", real, "--checkpoint", folder / "stamps.safetensors")
    assert stopped.value.code == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert "no smooth disks to compare with" in warning
    assert "generate galaxies first and give them as --generated" in error


def test_real_galaxies_of_a_recipe_are_shrunk_and_compared_with_the_population(folder):
    held_out = [f"disks/gal_{number:02}" for number in range(6)]
    recipe = write_recipe(folder, held_out=held_out)
    run("--real", recipe, "--checkpoint", "none", "--n", 40, "--metrics", "numbers.json")
    found = json.loads((folder / "numbers.json").read_text())
    assert list(found["tests"]) == ["held-out real", "population", "smooth disks"]
    assert set(found["sizes"].values()) == {40}
    held = shrunk(recipe, RealismSettings(real=recipe, n=40), SIDE)
    # The population has the magnitudes of the real ones, and light where they have.
    np.testing.assert_allclose(held.opponents[0].magnitudes, held.floor.magnitudes)
    light, expected = (one.images.sum((1, 2)) for one in (held.opponents[0], held.floor))
    assert np.corrcoef(light, expected)[0, 1] > 0.5
    assert found["by_magnitude"].keys() <= {"20-22", "22-24", "24-25", "25-26"}
    known = {path.name.split("-")[1] for path in (folder / "cache").iterdir() if path.is_dir()}
    assert known == {"test"}
