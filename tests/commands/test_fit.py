"""The program `fit.py`: what it measures, and the files that it writes."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.fit import main
from clumpygan.galaxies.disks.parameters import PARAMETERS
from clumpygan.io.cubes.reading import read_cube
from tests.commands.fit_cubes import FWHM, GALAXY, QUICK, SHAPE, make_cube

FIT = Path(__file__).parents[2] / "fit.py"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The folder of one complete result, with everything by default."""
    home = tmp_path_factory.mktemp("fitted")
    cube = make_cube(home / "cube.fits")
    main([str(cube), "--psf-fwhm", str(FWHM), "--output", str(home / "result"),
          "--metrics", str(home / "all.json")])  # fmt: skip
    return home


def fit(*words, output="out"):
    """Run the program; return its exit code."""
    try:
        main([*map(str, words), "--output", output])
    except SystemExit as stopped:
        return stopped.code
    return 0


def table_of(name="cube", output="out"):
    table = Table.read(f"{output}/{name}_table.ecsv")
    table.add_index("name")
    return table


def test_the_truth_is_within_the_errors(fitted):
    table = table_of(output=fitted / "result")
    assert set(table["name"]) == {
        "flux", "offset_x", "offset_y", "systemic_velocity", "half_light_radius", "inclination",
        "position_angle", "maximum_velocity", "turnover_radius", "velocity_dispersion",
        "sersic_index",
    }  # fmt: skip
    truth = GALAXY.to_dict()
    for row in table:
        assert row["lower"] < row["median"] < row["upper"]
        assert abs(row["median"] - truth[row["name"]]) < 4 * (row["upper"] - row["lower"]) / 2
        assert row["truth"] == pytest.approx(truth[row["name"]])
    assert table.loc["inclination"]["unit"] == "deg"
    assert not table["at_bound"].any()
    assert (table["effective"] >= 400).all()


def test_the_table_says_how_to_repeat_it(fitted):
    meta = table_of(output=fitted / "result").meta
    assert meta["command"].startswith("fit.py ")
    assert meta["choices"] == {"psf_fwhm": FWHM}
    assert meta["source"] == {"file": str(fitted / "cube.fits")}
    assert 0.9 < meta["reduced_chi_squared"] < 1.1
    assert meta["degrees_of_freedom"] == np.prod(SHAPE) - 11
    assert meta["log_evidence"] > 100
    assert meta["converged"] is True
    assert meta["problems"] == []
    settings = meta["settings"]
    assert settings["seed"] == 0
    assert settings["psf_fwhm_arcsec"] == FWHM
    assert settings["tied"].keys() == {"scale_height"}
    assert settings["priors"]["inclination"] == "isotropic:0:90"
    assert meta["values"]["inclination"] == pytest.approx(GALAXY.inclination, abs=10)


def test_the_fits_table_holds_the_same(fitted):
    ecsv = table_of(output=fitted / "result")
    with fits.open(fitted / "result" / "cube_table.fits") as hdus:
        header, data = hdus["FIT"].header, hdus["FIT"].data
        assert data["median"].tolist() == ecsv["median"].tolist()
        assert header["CHI2"] == ecsv.meta["chi_squared"]
        assert header["CONVERGD"] is True
        assert header["COMMAND"] == ecsv.meta["command"]
        assert json.loads(header["META"])["settings"] == ecsv.meta["settings"]


def test_samples_have_names_and_units(fitted):
    samples = Table.read(fitted / "result" / "cube_samples.fits")
    ecsv = table_of(output=fitted / "result")
    assert samples.colnames == list(ecsv["name"])
    assert str(samples["inclination"].unit) == "deg"
    for name in samples.colnames:
        low, high = np.percentile(samples[name], [15.87, 84.13])
        row = ecsv.loc[name]
        width = row["upper"] - row["lower"]
        assert high - low == pytest.approx(width, rel=0.25)
        assert abs(np.median(samples[name]) - row["median"]) < 0.2 * width


def test_model_and_residual_are_on_the_grid_of_the_cube(fitted):
    cube = read_cube(fitted / "cube.fits")
    model, residual = (
        read_cube(fitted / "result" / f"cube_{what}.fits") for what in ("model", "residual")
    )
    np.testing.assert_allclose(model.data + residual.data, cube.data, atol=1e-5 * cube.data.max())
    assert model.wcs.wcs.crval == pytest.approx(cube.wcs.wcs.crval)
    assert model.axis.values == pytest.approx(cube.axis.values)
    sigma = np.sqrt(np.median(cube.variance))
    assert 0.9 < residual.data.std() / sigma < 1.1
    assert model.parameters["inclination"] == pytest.approx(55, abs=10)


def test_the_picture_is_drawn(fitted):
    picture = matplotlib.image.imread(fitted / "result" / "cube_picture.png")
    assert picture.shape[0] > 1000
    assert picture[..., :3].std() > 0.05


def test_the_summary_and_the_json_file(fitted):
    summary = Table.read(fitted / "result" / "results.ecsv")
    assert summary["name"].tolist() == ["cube"]
    assert summary["status"][0] == "good"
    ecsv = table_of(output=fitted / "result")
    assert summary["inclination_lower"][0] == ecsv.loc["inclination"]["lower"]
    assert summary["inclination_truth"][0] == 55
    assert summary["maximum_velocity"].unit == "km/s"
    report = json.loads((fitted / "all.json").read_text())
    (cube,) = report["cubes"]
    assert cube["parameters"][0]["name"] == "flux"
    assert cube["meta"]["chi_squared"] == ecsv.meta["chi_squared"]


def test_only_what_is_wanted_is_written(folder):
    make_cube("cube.fits")
    assert fit("cube.fits", *QUICK, "--no-model-cubes", "--no-maps") == 0
    names = {path.name for path in Path("out").iterdir()}
    assert names == {"cube_table.ecsv", "cube_table.fits", "cube_samples.fits", "results.ecsv"}


def test_parameters_are_fixed_tied_bounded_and_given_priors(folder, capsys):
    make_cube("cube.fits")
    words = ["--fix", "inclination=55", "--tie", "turnover-radius=0.3*half_light_radius",
             "--prior", "maximum_velocity=normal:180:5", "--bound", "half_light_radius=0.3:1.1",
             "--bound", "maximum_velocity=100:250", "--free", "g1,g2",
             "--start", "velocity_dispersion=30"]  # fmt: skip
    assert fit("cube.fits", *QUICK, *words) == 0
    table, settings = table_of(), table_of().meta["settings"]
    names = set(table["name"])
    assert not names & {"inclination", "turnover_radius"}
    assert {"g1", "g2"} <= names
    assert settings["fixed"]["inclination"] == 55
    assert settings["tied"]["turnover_radius"] == "0.3*half_light_radius"
    assert settings["priors"]["half_light_radius"] == "log_uniform:0.3:1.1"
    assert settings["priors"]["maximum_velocity"] == "normal:180:5"
    assert settings["starts"] == {"velocity_dispersion": 30}
    assert table.loc["maximum_velocity"]["deviation"] < 5
    assert "maximum_velocity" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["Ha", "H-alpha", "halpha", "6564.61"])
def test_a_line_by_any_name(folder, line):
    make_cube("cube.fits", wavelength=6564.61 * 1.36, unit="1e-20 erg/s/cm2/Angstrom")
    assert fit("cube.fits", *QUICK, "--line", line, "--redshift", 0.36) == 0
    table = table_of()
    assert table.loc["flux"]["unit"] == "1e-20 erg / (s cm2)"
    assert table.loc["flux"]["median"] == pytest.approx(100, rel=0.15)
    assert abs(table.loc["systemic_velocity"]["median"]) < 20
    model, cube = read_cube("out/cube_model.fits"), read_cube("cube.fits")
    assert model.data.max() == pytest.approx(cube.data.max(), rel=0.4)
    assert model.unit == cube.unit


def test_a_part_of_the_cube(folder):
    make_cube("cube.fits")
    assert fit("cube.fits", *QUICK, "--pixel", 5.5, 5.5, "--size", 2.5,
               "--velocity-range", -300, 300) == 0  # fmt: skip
    model = read_cube("out/cube_model.fits")
    assert model.data.shape == (8, 10, 10)
    cube = read_cube("cube.fits")
    np.testing.assert_allclose(
        model.wcs.pixel_to_world_values(0, 0), cube.wcs.pixel_to_world_values(1, 1), rtol=1e-9
    )


def test_channels_far_from_the_line_are_left_out(folder):
    cube = make_cube("cube.fits", wavelength=6564.61)
    with fits.open(cube) as hdus:
        wide = np.zeros((120, *SHAPE[1:]), np.float32)
        wide[54:66] = hdus["DATA"].data
        header = hdus["DATA"].header
        header["CRPIX3"] += 54
        fits.PrimaryHDU(wide, header).writeto("wide.fits")
        spread = np.full(wide.shape, float(hdus["STAT"].data[0, 0, 0]), np.float32)
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(spread, header, name="STAT")]).writeto(
            "wide_variance.fits"
        )
    words = ["--line", "ha", "--redshift", 0, "--variance", "{name}_variance.fits"]
    assert fit("wide.fits", *QUICK, *words) == 0
    assert len(read_cube("out/wide_model.fits").data) == 57  # within 2000 km/s


def test_a_mask_hides_a_neighbour(folder):
    make_cube("cube.fits")
    mask = np.zeros(SHAPE[1:], np.int16)
    mask[:3, :3] = 1
    with fits.open("cube.fits", mode="update") as hdus:
        hdus["DATA"].data[:, :3, :3] += hdus["DATA"].data.max()
    fits.PrimaryHDU(mask).writeto("mask_cube.fits")
    assert fit("cube.fits", *QUICK, "--mask", "mask_{name}.fits") == 0
    table = table_of()
    assert table.meta["degrees_of_freedom"] == np.prod(SHAPE) - 9 * SHAPE[0] - 11
    assert table.loc["flux"]["median"] == pytest.approx(100, rel=0.1)


def test_continuum_is_taken_off(folder):
    make_cube("cube.fits")
    with fits.open("cube.fits", mode="update") as hdus:
        level = 0.4 * hdus["DATA"].data.max()
        hdus["DATA"].data += (
            level * np.linspace(0.8, 1.2, SHAPE[0], dtype=np.float32)[:, None, None]
        )
    assert fit("cube.fits", *QUICK, "--subtract-continuum", -280, 280) == 0
    row = table_of().loc["flux"]
    assert abs(row["median"] - 100) < 4 * row["deviation"]
    residual = read_cube("out/cube_residual.fits").data
    assert abs(np.median(residual)) < 0.01 * level / 0.4


def test_without_a_variance_it_is_estimated_and_said(folder, capsys):
    make_cube("cube.fits", variance=False)
    assert fit("cube.fits", *QUICK) == 0
    said = capsys.readouterr().err
    assert "cube.fits: no variance; estimated from the sides of the field" in said
    assert table_of().meta["variance_estimated"] is True


def test_the_same_seed_gives_the_same_samples(folder):
    make_cube("cube.fits")
    for output in ("a", "b"):
        fit("cube.fits", *QUICK, output=output)
    fit("cube.fits", *QUICK, "--seed", 1, output="c")
    a, b, c = (fits.getdata(f"{name}/cube_samples.fits") for name in "abc")
    assert (a["inclination"] == b["inclination"]).all()
    assert (a["inclination"] != c["inclination"]).any()


def test_help_is_complete_and_needs_no_heavy_imports(folder):
    code = (
        "import sys; from clumpygan.commands.fit import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'matplotlib', 'torch', 'numba', 'galsim', 'scipy', 'astropy', 'nutpie'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for flag in ("--line", "--redshift", "--psf-fwhm", "--output", "--model", "--free", "--method",
                 "--workers", "--fix", "--prior", "--bound", "--tie", "--start", "--set", "--mask",
                 "--variance", "--hdu", "--robust", "--clumps", "--seed", "--samples"):  # fmt: skip
        assert f" {flag} " in told.stdout.replace("[", " ").replace(",", " "), flag
    for row in PARAMETERS:
        assert row.name in told.stdout.replace("\n", " ")


def test_the_script_runs(folder):
    make_cube("cube.fits")
    words = [sys.executable, FIT, "cube.fits", *map(str, QUICK), "--output", "out"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "inclination" in ran.stdout
    assert ran.stderr == ""


def test_settings_from_a_file(folder):
    make_cube("cube.fits")
    Path("fit.yaml").write_text(
        "psf_fwhm: 0.6\nmethod: laplace\npicture: false\nfix: {inclination: 50}\nfree: g1, g2\n"
        "curve: tanh\nvelocity_range: [-400, 400]\nseed: 5\n"
    )
    assert fit("cube.fits", "--config", "fit.yaml", "--seed", 3) == 0
    meta = table_of().meta
    assert meta["choices"] == {
        "curve": ["tanh"], "fix": {"inclination": 50}, "free": ["g1", "g2"], "method": "laplace",
        "psf_fwhm": 0.6, "seed": 3, "velocity_range": [-400.0, 400.0],
    }  # fmt: skip
