"""prepare.py cutouts: what its user types, is told, and what happens to bad input."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.prepare import main
from clumpygan.data.cutouts.store import open_cutouts, open_first_band
from tests.data.survey import make_survey

SLOW = """
import time, sys, signal
from clumpygan.commands.prepare import main
from clumpygan.data.cutouts import extraction as cutout_extraction
cutout_extraction.CHUNK_STAMPS = (3, 3)
original = cutout_extraction._cut
def slowly(*arguments):
    time.sleep(0.15)
    return original(*arguments)
cutout_extraction._cut = slowly
# A parent in the background leaves its children deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
main(sys.argv[1:])
"""


def prepare(*words):
    main(["cutouts", *map(str, words)])


@pytest.fixture
def survey(tmp_path):
    return make_survey(tmp_path)


@pytest.fixture
def typed(survey):
    """The flags that name the survey's files."""

    def _typed(bands=("F160W",), **others):
        files = survey.files(bands, **others)
        words = ["--mosaic", *files.mosaics, "--catalog", files.catalog, "--size", "20"]
        return [*words, *(("--weight", *files.weights) if files.weights else ())]

    return _typed


@pytest.fixture
def refused(tmp_path, capsys):
    """Nothing may be written, and one line is said."""

    def _refused(*words):
        home = tmp_path / "set"
        with pytest.raises(SystemExit) as stopped:
            prepare(*words, "--output", home)
        # The bar isn't a complaint.
        lines = capsys.readouterr().err.splitlines()
        said = [line for line in lines if line and "stamp/s" not in line]
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert not home.exists()
        return said[0].removeprefix("prepare.py: error: ")

    return _refused


def test_a_set_is_written_checked_and_told(tmp_path, typed, capsys):
    home = tmp_path / "set"
    prepare(*typed(), "--max-redshift", 1.5, "--max-hmag", 25, "--min-hmag", 22, "--field", "gs",
            "--output", home)  # fmt: skip
    made = open_cutouts(home)
    assert made.table["redshift"].max() < 1.5
    assert 22 <= made.table["h_magnitude"].min() < made.table["h_magnitude"].max() < 25
    assert made.card["commit"]
    captured = capsys.readouterr()
    assert f"{len(made)} stamps of 20 x 20 in F160W, of " in captured.out
    assert " by redshift, " in captured.out
    assert " at its edge" in captured.out
    assert captured.out.count("\n") == 1
    assert "stamp/s" in captured.err
    stamp = {path: path.stat().st_mtime_ns for path in home.iterdir()}
    prepare("--output", home, "--check")
    assert stamp == {path: path.stat().st_mtime_ns for path in home.iterdir()}
    assert capsys.readouterr().out.split(" (")[0] == captured.out.split(" (")[0]


def test_two_fields_two_bands_and_all_flags(tmp_path, capsys):
    bands = ("F160W", "F125W")
    one, two = make_survey(tmp_path, "gs"), make_survey(tmp_path, "uds", centre=(34.4, -5.2))
    psf = np.exp(-np.hypot(*np.mgrid[-4:5, -4:5])).astype(np.float32)
    fits.writeto(tmp_path / "psf_h.fits", psf)
    fits.writeto(tmp_path / "psf_j.fits", psf**2)
    files = [one.files(bands), two.files(bands)]
    prepare(
        *("--mosaic", *files[0].mosaics, *files[1].mosaics),
        *("--weight", *files[0].weights, *files[1].weights),
        *("--catalog", files[0].catalog, files[1].catalog, "--field", "gs", "uds"),
        *("--band", "H", "J", "--psf", tmp_path / "psf_h.fits", tmp_path / "psf_j.fits"),
        *("--zero-point", 31.4, 31.4, "--where", "FLUX_RADIUS", 2, 5, "--edge", "pad"),
        *("--max-masked", 0.5, "--mask-neighbours", "--fill", "zero", "--subtract-background"),
        *("--seed", 3, "--keep-stars", "--size", 24, "--output", tmp_path / "set"),
    )
    made = open_first_band(tmp_path / "set")
    assert (made.bands, made.fields, made.size) == (("H", "J"), ("gs", "uds"), 24)
    assert made.table["half_light_radius"].max() <= 5 * 0.06
    np.testing.assert_array_equal(made.in_band("J").psf("uds")[0], psf**2)
    assert np.median(made.noise_sigma) == pytest.approx(1, rel=0.15)
    assert "in H, J, of " in capsys.readouterr().out


def test_columns_and_redshifts_of_other_files(tmp_path, survey, typed):
    survey.table.rename_columns(["RA", "z_best"], ["right_ascension", "z_mine"])
    Table({"id": survey.table["ID"][::-1], "z": survey.table["z_mine"][::-1]}).write(
        tmp_path / "z.fits"
    )
    words = [*typed(), "--column", "ra=right_ascension", "--max-redshift", 1]
    prepare(*words, "--column", "redshift=z_mine", "--output", tmp_path / "a")
    prepare(*words, "--redshifts", tmp_path / "z.fits", "--output", tmp_path / "b")
    one, two = open_cutouts(tmp_path / "a"), open_cutouts(tmp_path / "b")
    assert 0 < len(one) == len(two)
    assert np.array_equal(one.images, two.images)


@pytest.mark.parametrize(
    ("column", "values", "kept"),
    [
        ("CLASS_STAR", np.where(np.arange(40) < 30, 0.98, 0.5), False),
        ("star_flag", np.where(np.arange(40) < 30, 1, 2), False),
        ("TYPE", np.where(np.arange(40) < 30, "STAR", "GALAXY"), False),
        ("use_phot", np.where(np.arange(40) < 30, 0, 1), False),
        ("CLASS_STAR", np.full(40, np.nan), True),
    ],
)
def test_stars_are_removed(tmp_path, survey, typed, column, values, kept):
    survey.table[column] = values
    prepare(*typed(), "--output", tmp_path / "set")
    made = open_cutouts(tmp_path / "set")
    assert (made.table["id"].astype(int).min() < 130) == kept
    prepare(*typed(), "--keep-stars", "--output", tmp_path / "all")
    assert open_cutouts(tmp_path / "all").table["id"].astype(int).min() < 130


@pytest.mark.parametrize(
    ("kind", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_stopped_in_the_middle_it_goes_on(kind, code, tmp_path, typed):
    words, home = typed(), tmp_path / "set"
    command = [sys.executable, "-c", SLOW, "cutouts", *words, "--output", str(home)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        notes, give_up = home / "done.txt", time.monotonic() + 120
        while not (notes.exists() and notes.read_text().count("\n") >= 2):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        running.send_signal(kind)
        out, err = running.communicate(timeout=60)
    assert running.returncode == code
    if kind == signal.SIGINT:
        assert "the same command goes on from here" in out
        assert err.splitlines()[-1] == "prepare.py: interrupted: stopped by Ctrl-C"
        assert "Traceback" not in err
    assert 2 <= notes.read_text().count("\n") < 12
    with pytest.raises(SystemExit):
        prepare("--output", home, "--check")
    prepare(*words, "--output", home)
    prepare(*words, "--output", tmp_path / "whole")
    assert np.array_equal(open_cutouts(home).images, open_cutouts(tmp_path / "whole").images)


def test_check_finds_damage(tmp_path, typed, capsys):
    prepare(*typed(), "--output", tmp_path / "set")
    images = np.load(tmp_path / "set" / "images.npy", mmap_mode="r+")
    images[3, 0, 4, 5] += 1
    images.flush()
    with pytest.raises(SystemExit) as stopped:
        prepare("--output", tmp_path / "set", "--check")
    assert stopped.value.code == 2
    assert "images.npy isn't what was written: it is damaged" in capsys.readouterr().err


def test_catalogues_without_the_columns(survey, typed, refused):
    catalog = survey.write_table("bad.fits", RA=None, DEC=None)
    assert refused(*typed(catalog=catalog)) == (
        f"{catalog}: no column for ra and dec; its columns are ID, z_best, Hmag, FLUX_RADIUS; say "
        "which it is by --column ra=NAME"
    )
    catalog = survey.write_table("bad.fits", z_best=None)
    said = refused(*typed(catalog=catalog), "--max-redshift", 2)
    assert "no column with a redshift, which the cut needs; its columns are ID, RA, DEC" in said
    catalog = survey.write_table("bad.fits", Hmag=None)
    said = refused(*typed(catalog=catalog), "--max-hmag", 26)
    assert "no column with a H magnitude, which the cut needs" in said
    assert "no column nix for ra; it has ID, RA" in refused(*typed(), "--column", "ra=nix")
    assert "no column nix with numbers; its columns are ID" in refused(
        *typed(), "--where", "nix", 0, 1
    )


def test_positions_that_are_nowhere(survey, typed, refused):
    survey.table["DEC"] += 3
    said = refused(*typed())
    assert said == "no galaxy is left: 40 outside the mosaic"
    survey.table["DEC"] = np.nan
    assert refused(*typed()) == "no galaxy is left: 40 without a position"


def test_an_empty_selection(typed, refused):
    said = refused(*typed(), "--max-hmag", 10)
    assert said == "no galaxy is left: 40 by magnitude"


def test_maps_of_another_shape(survey, typed, refused):
    survey.weight = survey.weight[:-1]
    assert "wht.fits: the weight map is 300 x 239 pixels; expected 300 x 240, as" in (
        refused(*typed())
    )
    segmentation = survey.write("seg", np.zeros((9, 9), np.int32))
    assert "the segmentation map is 9 x 9 pixels; expected 300 x 240" in refused(
        *typed(weights=False), "--segmentation", segmentation
    )


def test_mosaics_that_cannot_be_used(survey, typed, refused, tmp_path):
    path = survey.write("plain", survey.data["F160W"], wcs=False)
    assert f"{path}: no celestial WCS in the header" in refused(*typed(mosaics=(path,)))
    path = survey.write("whole", survey.data["F160W"])
    (tmp_path / "half.fits").write_bytes((tmp_path / "gs_whole.fits").read_bytes()[:100_000])
    said = refused(*typed(mosaics=(str(tmp_path / "half.fits"),)))
    assert "half.fits: the file is truncated" in said
    path = survey.write("nan", survey.data["F160W"] * np.nan)
    said = refused(*typed(mosaics=(path,)))
    assert said.startswith("no stamp is left: 34 with too many pixels without data, 6 at its edge")
    path = survey.write("cube", np.zeros((3, 40, 40), np.float32))
    assert "cube.fits: HDU 0 is 40 x 40 x 3; expected a 2-D image" in refused(
        *typed(mosaics=(path,), weights=False)
    )
    said = refused(*typed(mosaics=(str(tmp_path / "nix.fits"),)))
    assert "nix.fits: no such file" in said
    path = survey.write("coarse", survey.data["F160W"], CDELT1=2.0, CDELT2=2.0)
    said = refused("--mosaic", survey.write("a", survey.data["F160W"]), path, "--catalog",
                   survey.write_table(), "--band", "a", "b")  # fmt: skip
    assert "coarse.fits: the pixel scale is 0.12 arcsec; expected 0.06 arcsec" in said


def test_a_catalogue_in_the_folder_of_the_set_stays(survey, tmp_path, capsys):
    files = survey.files()
    (tmp_path / "set").mkdir()
    for name, source in (("table.fits", files.catalog), ("images.npy", files.mosaics[0])):
        inside = tmp_path / "set" / name
        inside.write_bytes(before := Path(source).read_bytes())
        with pytest.raises(SystemExit) as stop:
            prepare("--mosaic", files.mosaics[0], "--catalog", inside, "--size", 20,
                    "--output", tmp_path / "set")  # fmt: skip
        assert stop.value.code == 2
        assert f"holds {name} and no set of cutouts" in capsys.readouterr().err
        assert inside.read_bytes() == before
        inside.unlink()


def test_bands_of_one_name(survey, typed, refused):
    one, two = (survey.write(name, survey.data["F160W"]) for name in "ab")
    words = ["--mosaic", one, two, "--catalog", survey.write_table()]
    assert "two bands are called alike (F160W, F160W); name them by --band" in refused(*words)


def test_mosaics_without_a_zero_point_stay_in_counts(survey, tmp_path, typed, capsys):
    path = survey.write("counts", survey.data["F160W"], band="", ABMAGZP=0)
    prepare(*typed(mosaics=(path,)), "--output", tmp_path / "set")
    said = capsys.readouterr().err
    assert "prepare.py: warning: " in said
    assert "fluxes stay in counts; give it by --zero-point to have nJy" in said
    made = open_cutouts(tmp_path / "set")
    assert (made.unit, made.band) == ("counts", "image")
    assert np.median(made.noise_sigma) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected --mosaic and --catalog, or --check for a set that is there"),
        (["--mosaic", "a", "b", "c", "--catalog", "a", "b"], "3 mosaics for 2 catalogues"),
        (["--mosaic", "a", "--catalog", "a", "--weight", "a", "b"], "--weight: 2 given for 1 mos"),
        (["--mosaic", "a", "--catalog", "a", "--size", "7"], "expected an integer from 8 to 4096"),
        (["--mosaic", "a", "--catalog", "a", "--edge", "cut"], "invalid choice: 'cut'"),
        (["--mosaic", "a", "--catalog", "a", "--column", "x=y"], "expected NAME=COLUMN, NAME one"),
        (["--mosaic", "a", "--catalog", "a", "--max-masked", "2"], "expected a number from 0 to 1"),
        (["--mosaic", "a", "--catalog", "a", "--min-hmag", "2", "--max-hmag", "1"], "isn't below"),
        (
            ["--mosaic", "a", "--catalog", "a", "--where", "x", "a", "1"],
            "--where x: invalid value",
        ),
        (["--mosaic", "a", "--catalog", "a", "--field", "a/b"], "name 'a/b': expected letters"),
        (["--mosaic", "a", "b", "--catalog", "a", "b"], "a: no such file"),
        (["--mosaic", "a", "b", "--catalog", "a", "a"], "two fields are called 'a'"),
        (["--check"], "holds no set of cutouts"),
    ],
)
def test_wrong_lines(refused, words, said):
    assert said in refused(*words)


@pytest.mark.real_data
def test_galaxies_of_the_uds(tmp_path, real_data, capsys):
    """A GALFIT block is a mosaic too: the image of a CANDELS galaxy, at the mosaic's edge."""
    block = real_data / "candels_uds" / "h_17.fits"
    with fits.open(block) as hdus:
        image, header = hdus[1].data, hdus[1].header
        from clumpygan.io.wcs import read_wcs

        shape, wcs = image.shape, read_wcs(header)
    ra, dec = wcs.wcs_pix2world([[shape[1] / 2, shape[0] / 2]], 0)[0]
    Table({"id": [17], "ra": [ra], "dec": [dec]}).write(tmp_path / "cat.fits")
    prepare("--mosaic", f"{block}[1]", "--catalog", tmp_path / "cat.fits", "--size", 48,
            "--max-masked", 0.9, "--output", tmp_path / "set")  # fmt: skip
    made = open_cutouts(tmp_path / "set")
    assert (made.band, made.unit, len(made)) == ("F160W", "nJy", 1)
    zero_point = made.card["zero_points"]["cat"]["F160W"]
    assert zero_point == pytest.approx(25.946, abs=0.01)
    y, x = (np.ceil(n / 2 - 24).astype(int) for n in shape)
    good = made.mask[0] == 0
    expected = image[y : y + 48, x : x + 48] * 10 ** (0.4 * (31.4 - zero_point))
    np.testing.assert_allclose(made.images[0][good], expected[good], rtol=1e-5)


@pytest.mark.real_data
def test_a_real_catalogue_of_goods_south(tmp_path, real_data, refused):
    catalog = real_data / "catalogs" / "goodss_3dhst_example_403.fits"
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 53.13,
                          "CRVAL2": -27.84, "CRPIX1": 600, "CRPIX2": 650, "FILTER": "F160W",
                          "CDELT1": -0.06 / 3600, "CDELT2": 0.06 / 3600})  # fmt: skip
    noise = np.random.default_rng(0).normal(size=(1300, 1200)).astype(np.float32)
    fits.writeto(tmp_path / "gs_f160w.fits", noise, header)
    words = [
        "--mosaic",
        tmp_path / "gs_f160w.fits",
        "--catalog",
        catalog,
        "--flux-zero-point",
        31.4,
    ]
    said = refused(*words, "--max-redshift", 2)
    assert (
        "no column with a redshift, which the cut needs; its columns are id, source_index" in said
    )
    prepare(*words, "--size", 32, "--output", tmp_path / "set")
    made = open_cutouts(tmp_path / "set")
    skipped = made.card["skipped"]["goodss_3dhst_example_403"]
    assert 350 < len(made) == 403 - skipped["edge"] - skipped["outside"]
    assert 0.05 < np.median(made.table["half_light_radius"]) < 1
