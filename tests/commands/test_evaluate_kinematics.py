"""`evaluate.py kinematics`: observed velocity maps beside those of populations."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import clumpygan
from clumpygan.assessment.kinematics import compare_kinematics, equal_distance
from clumpygan.assessment.real_fields import read_fields
from clumpygan.commands.evaluate import main
from clumpygan.evaluation.cubes.field_statistics import STATISTICS
from clumpygan.evaluation.cubes.velocity_fields import FieldDisk, disk_plane
from clumpygan.evaluation.realism.two_sample import ks_distances

EASY = ("--checkpoint", "none", "--n", "16", "--resolution", "1.2", "--signal-to-noise", "4")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a table of six observed maps, to work in."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(6):
        lies = FieldDisk(19.0, 20.0, 0.6 + 0.06 * number, 50.0 * number, 0.0, 0.0)
        radius, psi = disk_plane((40, 40), lies)
        velocity = 120 * 2 / np.pi * np.arctan(radius / 4) * np.cos(psi) + 1000
        velocity += 3 * np.random.default_rng(number).standard_normal(velocity.shape)
        for name, values in (("v", velocity), ("e", 3.0), ("f", np.exp(-radius / 6)), ("s", 40.0)):
            plane = np.where(radius < 16, values, np.nan).astype(np.float32)
            fits.writeto(tmp_path / f"{name}{number}.fits", plane)
        row = {"name": f"g{number}", "set": "real", "velocity": f"v{number}.fits",
               "errors": f"e{number}.fits", "light": f"f{number}.fits",
               "dispersion": f"s{number}.fits", "pixel_scale": 0.5, "psf_fwhm": 2.0}  # fmt: skip
        rows.append(row)
    Table(rows).write(tmp_path / "real.csv")
    return tmp_path


def test_table_picture_and_numbers(folder, capsys):
    cubes = clumpygan.generate_cubes(
        6, population="gas_disks", seed=2, signal_to_noise=40, half_light_radius=0.9
    )
    cubes.write(folder / "own.fits")
    main(["kinematics", "--real", "real.csv", *EASY, "--cubes", "own", "--metrics", "k.json",
          "--picture", "k.png"])  # fmt: skip
    said = capsys.readouterr().out
    assert "real: 6 of 6 galaxies" in said
    assert "Kolmogorov-Smirnov distance from real" in said
    report = json.loads(Path("k.json").read_text())
    assert set(report["sets"]) == {"real", "clumpy_disks", "gas_disks", "cubes of own"}
    assert report["sets"]["cubes of own"]["galaxies"] == 6
    distances = report["ks_distances"]["real"]
    assert {"real", *distances} == set(report["sets"])
    assert set(report["definitions"]) == set(STATISTICS)
    for found in distances.values():
        assert 0 <= found["k5_over_k1"]["statistic"] <= 1
        assert 0 <= found["clump_light"]["p_value"] <= 1
    for name, one in report["sets"].items():
        assert one["measured"]["k5_over_k1"] == one["matched"]
        if name != "real":
            assert distances[name]["k5_over_k1"]["galaxies"] == one["matched"]
            assert distances[name]["k5_over_k1"]["of_reference"] == 6
    correlations = report["sets"]["gas_disks"]["correlations"]
    assert correlations["half_light_radius, maximum_velocity"] > 0.3
    assert matplotlib.image.imread("k.png").shape[0] > 500


def test_made_galaxies_are_seen_as_the_observed_ones(capsys):
    main(["kinematics", "--real", "real.csv", "--seen-as", "real", *EASY, "--metrics", "k.json"])
    assert "made galaxies are seen as real" in capsys.readouterr().out
    sets = json.loads(Path("k.json").read_text())["sets"]
    for name in ("clumpy_disks", "gas_disks"):
        # Light is sampled, dispersions aren't: no error of theirs is known.
        assert sets[name]["measured"]["clump_light"] == sets[name]["matched"] >= 8
        assert sets[name]["measured"]["dispersion_asymmetry"] == 0


def test_without_observed_galaxies_populations_are_compared():
    found = compare_kinematics(checkpoint="none", n=16, resolution=1.2, signal_to_noise=4.0)
    assert list(found.distances) == ["gas_disks"]
    assert set(found.distances["gas_disks"]) == {"clumpy_disks"}
    assert "Kolmogorov-Smirnov distance from gas_disks" in str(found)


@pytest.mark.parametrize(("a", "b"), [(136, 4), (68, 51)])
def test_half_of_equal_sets_are_farther_than_the_floor(a, b):
    generator = np.random.default_rng(5)
    found = [
        ks_distances(generator.normal(size=(a, 1)), generator.normal(size=(b, 1)))[0].statistic
        for _ in range(400)
    ]
    assert equal_distance(a, b) == pytest.approx(np.median(found), rel=0.06)
    assert np.isnan(equal_distance(a, 0))


@pytest.fixture
def refused(folder, capsys):
    def _refused(*words):
        before = sorted(folder.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            main(["kinematics", *words, "--metrics", "out.json"])
        said = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(folder.rglob("*")) == before
        return said[0]

    return _refused


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("speed", 1.0, "column 'speed' isn't known; expected some of name, set, velocity"),
        ("cube", "c.fits", "row 1 has to name one file, in column velocity or cube"),
        ("line", "oiii", "row 1 has a line, which doesn't go with its file; expected some of"),
        ("psf_fwhm", "wide", "column psf_fwhm has 'wide'; expected a number"),
        ("psf_fwhm", "", "v0.fits: expected the FWHM of its PSF in arcsec, in column psf_fwhm"),
        ("dispersion", "none.fits", "none.fits"),
        ("velocity", "none.fits", "none.fits"),
        ("velocity", 5.0, "5.0: no such file"),
        ("light", 5.0, "5.0: no such file"),
        ("dispersion", 40.0, "40.0: no such file"),
        ("noise_fwhm", -30.0, "column noise_fwhm has -30; expected arcsec, 0 or more"),
        ("pixel_scale", -0.5, "column pixel_scale has -0.5; expected arcsec, above 0"),
        ("set", "gas_disks", "a set is named gas_disks, as another set is; expected a name that"),
    ],
)
def test_a_bad_table_is_refused(refused, folder, column, values, message):
    table = Table.read("real.csv")
    table[column] = [values] * len(table)
    table.write("bad.csv")
    assert message in refused("--real", "bad.csv", *EASY)


def test_a_number_is_no_cube(refused):
    Table({"cube": [5.0]}).write("bad.csv")
    assert "5.0: no such file" in refused("--real", "bad.csv", *EASY)


def test_sets_have_names_of_their_own(refused):
    easy = EASY[2:]
    message = refused("--real", "real.csv", "--checkpoint", "x/gas_disks.ckpt", *easy)
    assert "checkpoint x/gas_disks.ckpt is named gas_disks, as another set is" in message


def test_bad_input_is_one_line(refused, folder):
    assert "none.csv: no such file; expected a table" in refused("--real", "none.csv", *EASY)
    message = refused("--real", "real.csv", "--resolution", "15")
    assert "maps can be matched, expected 4 or more; lower --resolution (15) or" in message
    message = refused("--real", "real.csv", "--seen-as", "MaNGA", *EASY)
    assert "--seen-as is MaNGA; expected one of the sets of --real, real" in message
    message = refused("--seen-as", "MaNGA", *EASY)
    assert (
        "--seen-as is MaNGA; expected one of the sets of --real, of which there are non" in message
    )
    (folder / "empty").mkdir()
    assert "empty: holds no FITS file" in refused("--cubes", "empty", *EASY)
    assert "expected an integer from 4" in refused("--n", "2")


@pytest.mark.real_data
def test_observed_maps_and_cubes(real_data):
    """[OII] of MUSE and its published maps, CO of a ring."""
    udf = real_data / "cubes" / "muse_udf_oii" / "udf10_c042_e031_37_o2_Z_0.981254"
    maps = {"velocity": "vel", "errors": "evel", "dispersion": "disp"}
    files = {name: f"{udf}_ssmooth_{word}_common_clean5.0.fits.gz" for name, word in maps.items()}
    files["light"] = f"{udf}_ssmooth_flux_common_OII3729_clean5.0.fits.gz"
    cube = real_data / "cubes" / "NGC2903_WSRT_HI.fits"
    blank = dict.fromkeys((*files, "psf_fwhm"), "")
    rows = [
        {"set": "gas", **files, "psf_fwhm": "0.76", "cube": ""},
        {"set": "gas", **blank, "cube": str(cube)},
    ]
    Table(rows).write("gas.csv")
    published, measured = read_fields(Path("gas.csv"))["gas"]
    assert published.amplitude == pytest.approx(47, abs=3)
    assert published.fwhm == pytest.approx(3.8, abs=0.1)
    assert 1200 < measured.known.sum() < 2500
    assert measured.amplitude == pytest.approx(166, abs=10)
