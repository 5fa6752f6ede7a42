"""What `fit.py` says about bad input: one line, exit code 2, nothing written."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.commands.fit import main
from clumpygan.galaxies.disks.parameters import PARAMETERS
from tests.commands.fit_cubes import QUICK, SHAPE, make_cube


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with a cube."""
    monkeypatch.chdir(tmp_path)
    make_cube("cube.fits", noise=False)
    return tmp_path


@pytest.fixture
def refused(folder, capsys):
    """Run with bad input: exit code 2, one line, nothing written."""

    def _refused(*words):
        before = sorted(folder.iterdir())
        with pytest.raises(SystemExit) as stopped:
            main([*map(str, words), "--output", "out"])
        said = [line for line in capsys.readouterr().err.splitlines() if "warning: " not in line]
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(folder.iterdir()) == before
        return said[0]

    return _refused


def change(values, name="DATA"):
    with fits.open("cube.fits", mode="update") as hdus:
        hdus[name].data[...] = values


def test_a_cube_of_zeros(refused):
    change(0)
    assert "cube.fits: all voxels are 0; nothing to fit" in refused("cube.fits", *QUICK)


def test_a_cube_of_nans(refused):
    change(np.nan)
    assert "cube.fits: all voxels are NaN" in refused("cube.fits", *QUICK)


def test_a_variance_of_zeros(refused):
    change(0, "STAT")
    assert "the variance is zero or negative wherever" in refused("cube.fits", *QUICK)


def test_a_line_outside_the_range(refused):
    make_cube("cube.fits", wavelength=6564.61 * 1.36)
    said = refused("cube.fits", *QUICK, "--line", "oiii", "--redshift", 0.36)
    assert "cube.fits: at redshift 0.36 the line is at velocities outside the cube" in said
    assert "expected 0 among them: give the right line and redshift" in said


def test_a_redshift_that_misses_the_line(refused):
    make_cube("cube.fits", wavelength=6564.61 * 1.36)
    said = refused("cube.fits", *QUICK, "--line", "Ha", "--redshift", 0.38)
    assert "cube.fits: at redshift 0.38 the line is at velocities outside the cube" in said
    said = refused("cube.fits", *QUICK, "--line", "Ha", "--redshift", 0.38,
                   "--velocity-range", -100, 100)  # fmt: skip
    assert "the line of 6564.61 Angstrom at redshift 0.38 is at" in said


def test_no_redshift_and_no_line(refused):
    make_cube("cube.fits", wavelength=6564.61 * 1.36)
    assert "cube.fits" in (said := refused("cube.fits", *QUICK, "--line", "Ha"))
    assert "redshift" in said
    assert "rest wavelength" in refused("cube.fits", *QUICK, "--redshift", 0.36)


def test_a_psf_wider_than_the_field(refused):
    said = refused("cube.fits", "--psf-fwhm", 5)
    assert "cube.fits: the PSF is 5 arcsec wide, the field 3 arcsec" in said


def test_no_psf_at_all(refused):
    assert "give the PSF's FWHM in arcsec" in refused("cube.fits")


def test_an_unknown_parameter(refused):
    said = refused("cube.fits", *QUICK, "--fix", "inclinatoin=60")
    assert "--fix: no parameter 'inclinatoin' (did you mean inclination?)" in said
    for row in PARAMETERS:
        assert row.name in said
    assert "raise --clumps" in refused("cube.fits", *QUICK, "--free", "clump_1_x")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["--fix", "inclination=60", "--prior", "inclination=normal:60:3"],
            "--fix inclination=60 and --prior inclination=normal:60:3 contradict each other",
        ),
        (["--no-picture", "--wcs"], "--wcs is about the picture, which isn't drawn"),
        (["--fix", "g1=0", "--free", "g1"], "--fix g1=0 and --free g1 contradict each other"),
        (
            ["--fix", "flux=1", "--tie", "flux=2*g1"],
            "--fix flux=1 and --tie flux=2*g1 contradict each other",
        ),
        (
            ["--tie", "g1=g2", "--start", "g1=0.1"],
            "--tie g1=g2 and --start g1=0.1 contradict each other",
        ),
        (["--fix", "g1=0", "--fix", "g1=1"], "argument --fix: g1 is given twice, 0 and 1"),
        (
            ["--prior", "g1=uniform:0:0.5", "--bound", "g1=0:0.5"],
            "both say from where to where; give one of them",
        ),
        (["--bound", "inclination=60:20"], "--bound inclination=60:20: expected LOW:HIGH, rising"),
        (["--bound", "inclination=60"], "--bound inclination=60: expected LOW:HIGH, rising"),
        (["--fix", "inclination=north"], "--fix inclination=north: expected a number"),
        (["--fix", "inclination"], "argument --fix: invalid value: 'inclination'"),
        (["--fix", "inclination=95"], "inclination is 95 deg; expected a number from 0 to 90"),
        (["--start", "inclination=95"], "inclination is 95 deg; expected a number from 0 to 90"),
        (["--free", "g1,,g2"], "argument --free: invalid value: 'g1,,g2'"),
        (["--prior", "inclination=boz:1:2"], "prior of inclination is 'boz:1:2'; expected e.g."),
        (["--tie", "g1=boz*g2"], "g1 is tied to 'boz*g2'; expected NAME or FACTOR*NAME"),
        (["--line", "boz", "--redshift", "1"], "no line 'boz'; expected one of lya, oii"),
        (["--pixel", "3", "3"], "--position and --pixel need --size ARCSEC"),
        (["--velocity-range", "100", "-100"], "--velocity-range 100 -100: expected LOW HIGH"),
        (["--subtract-continuum", "9", "-9"], "--subtract-continuum 9 -9: expected LOW HIGH"),
        (["--subtract-continuum", "-999", "999"], "0 channels beside the line at -999 to 999"),
        (["--instrument", "boz"], "no spectrograph 'boz'"),
        (["--hdu", "BOZ"], "cube.fits: has no HDU 'BOZ'"),
        (["--mask", "cube.fits", "--variance", "boz.fits"], "boz.fits: no such file"),
        (["--curve", "table"], "--curve table needs --rotation-table FILE"),
        (["--signal-to-noise", "3"], "--signal-to-noise goes with --set FOLDER"),
        (["--robust", "huber", "--correlated", "covariance"], "robust noise with a covariance"),
        (["--metrics", "nowhere/a.json"], "the folder nowhere doesn't exist; make it first"),
    ],
)
def test_flags_that_are_wrong(refused, words, reason):
    assert reason in refused("cube.fits", *QUICK, *words)


def test_a_mask_of_another_shape(refused):
    fits.PrimaryHDU(np.zeros((5, 5))).writeto("mask.fits")
    said = refused("cube.fits", *QUICK, "--mask", "mask.fits")
    assert f"mask.fits: the mask has shape (5, 5); expected {SHAPE} or {SHAPE[1:]}" in said


def test_a_mask_of_everything(refused):
    fits.PrimaryHDU(np.ones(SHAPE)).writeto("mask.fits")
    assert "all voxels are flagged or NaN" in refused("cube.fits", *QUICK, "--mask", "mask.fits")


def test_a_sampler_that_isnt_installed(refused, monkeypatch):
    monkeypatch.setattr("clumpygan.fitting.sampling.nuts.find_spec", lambda name: None)
    said = refused("cube.fits", "--psf-fwhm", 0.6, "--method", "nuts")
    assert "method 'nuts' needs nutpie: install the extra" in said


def test_no_cube(refused):
    assert "expected cubes, or --set FOLDER" in refused()


def test_outputs_that_cant_be(folder, capsys):
    Path("file").touch()
    for output, reason in (
        ("file", "--output file is a file; expected the name of a folder"),
        ("no/where", "--output no/where: the folder no doesn't exist; make it first"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["cube.fits", *map(str, QUICK), "--output", output])
        assert stopped.value.code == 2
        assert reason in capsys.readouterr().err


def test_results_of_other_settings_or_files_are_refused(folder, capsys):
    make_cube("cube.fits")
    words = ["cube.fits", *map(str, QUICK), "--output", "out"]
    main(words)
    Path("other").mkdir()
    make_cube("other/cube.fits")
    changed = [*words, "--fix", "inclination=60"]
    elsewhere = ["other/cube.fits", *words[1:]]
    for again, reason in (
        (changed, "out/cube_table.ecsv was made with other settings (fix left out, now"),
        (elsewhere, "out/cube_table.ecsv is of cube.fits, not other/cube.fits"),
    ):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(again)
        assert stopped.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert reason in line
        assert "choose another --output, or give --overwrite" in line
    main([*changed, "--overwrite"])
    Path("out/cube_table.ecsv").write_text("boz")
    with pytest.raises(SystemExit):
        main(words)
    assert "cube_table.ecsv: isn't a table of fit.py" in capsys.readouterr().err
    Path("twin").mkdir()
    Path("twin/other").mkdir()
    with pytest.raises(SystemExit):
        main(["other/cube.fits", "twin/other/cube.fits", *words[1:]])
    assert "would both become other_cube; rename one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cube_model.fits", ["cube_model.fits"]),
        ("cube_maps.fits", ["--psf", "cube_maps.fits"]),
        ("cube_residual.fits", ["--mask", "{name}_residual.fits"]),
        ("cube_models.ecsv", ["--lsf", "{name}_models.ecsv"]),
        ("results.ecsv", ["--catalog", "results.ecsv"]),
    ],
)
def test_no_result_replaces_what_is_read(folder, name, words, capsys):
    (folder / name).write_bytes(before := (folder / "cube.fits").read_bytes())
    if name == "results.ecsv":
        before = b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: name, datatype: string}\n"
        before += b"# - {name: psf_fwhm, datatype: float64}\n# schema: astropy-2.0\n"
        (folder / name).write_bytes(before := before + b"name psf_fwhm\ncube 0.6\n")
    with pytest.raises(SystemExit) as stopped:
        main(["cube.fits", *words, "--method", "laplace", "--no-picture", "--output", "."])
    assert stopped.value.code == 2
    assert f"fit.py: error: {name} is an input, " in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["cube.fits", name]
    assert (folder / name).read_bytes() == before


def test_the_numbers_replace_none_of_the_results(refused):
    for name in ("out/results.ecsv", "out/cube_table.ecsv"):
        Path("out").mkdir(exist_ok=True)
        assert f"--metrics {name} is one of the fits' own files" in refused(
            "cube.fits", *QUICK, "--metrics", name
        )
