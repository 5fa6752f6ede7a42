"""The program `generate.py cube`: its files hold the truth, and bad input leaves none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.generate import main
from clumpygan.galaxies import CubeGrid, DiskParameters, render_cube
from clumpygan.galaxies.disks.description import describe, galaxy_of
from clumpygan.galaxies.disks.parameters import PARAMETERS
from clumpygan.instruments.spectrograph_presets import MUSE_WFM
from clumpygan.io.cubes.reading import read_cube

GENERATE = Path(__file__).parents[2] / "generate.py"

TINY = ["--shape", "12", "10", "10", "--channel-width", "80", "--seeing", "0.6"]
MUSE = ["--instrument", "muse_wfm", "--shape", "16", "10", "10"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generate(*words, seed=1, output="cube.fits"):
    """Run the program and read its cube."""
    main(["cube", *map(str, words), "--seed", str(seed), "--output", output])
    return read_cube(output)


@pytest.fixture
def refused(folder, capsys):
    """Run with bad input: exit code 2, one line, nothing written."""

    def _refused(*words):
        before = sorted(folder.iterdir())
        with pytest.raises(SystemExit) as stopped:
            main(["cube", *map(str, words)])
        said = [line for line in capsys.readouterr().err.splitlines() if "warning: " not in line]
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(folder.iterdir()) == before
        return said[0]

    return _refused


def test_the_command_of_the_readme(folder, capsys):
    cube = generate("--inclination", 60, "--position-angle", 130, "--maximum-velocity", 200,
                    "--clumps", 6, "--instrument", "muse_wfm", "--picture", "disk.png",
                    "--metrics", "disk.json", output="disk.fits")  # fmt: skip
    assert cube.data.shape == (32, 32, 32)
    assert cube.pixel_scale == pytest.approx(0.2)
    assert (cube.axis.kind, cube.axis.medium, cube.axis.step) == ("wavelength", "air", 1.25)
    assert cube.unit.to_string() == "1e-20 erg / (Angstrom s cm2)"
    assert cube.seed == 1
    galaxy = galaxy_of(cube.parameters)
    assert (galaxy.inclination, galaxy.position_angle, len(galaxy.clumps)) == (60, 130, 6)
    report = json.loads(Path("disk.json").read_text())
    assert galaxy_of(report["parameters"]) == galaxy
    assert report["seed"] == 1
    assert report["peak_signal_to_noise"] == pytest.approx(10)
    assert report["light_inside"] > 0.98
    assert report["seconds"] > 0
    assert report["program"].startswith("clumpygan ")
    assert cube.velocities()[[15, 16]].mean() == pytest.approx(0, abs=1)
    picture = matplotlib.image.imread("disk.png")
    assert picture.shape[1] > 1000
    assert picture[..., :3].std() > 0.05
    said = capsys.readouterr().out
    assert "seed 1\n" in said
    assert "peak signal-to-noise 10, as after" in said
    assert "wrote disk.fits, disk.png, disk.json" in said
    assert len(list(folder.iterdir())) == 3


def test_a_noiseless_cube_is_that_of_the_galaxy_in_its_header():
    cube = generate(*TINY, "--clumps", 3, "--arms", 2, "--arm-amplitude", 0.5, "--g1", 0.1,
                    "--vertical", "sech2", "--curve", "tanh")  # fmt: skip
    assert cube.variance is None
    galaxy = galaxy_of(cube.parameters)
    assert (galaxy.vertical, galaxy.curve, galaxy.arms) == ("sech2", "tanh", 2)
    grid = CubeGrid.velocities((12, 10, 10), 0.2, 80.0)
    sigma = 0.6 / 2.354820045

    def transfer(ky, kx):
        return np.exp(-2 * (np.pi * sigma) ** 2 * (ky**2 + kx**2))

    again = render_cube(galaxy, grid, psf=transfer)
    assert np.abs(again - cube.data).max() < 1e-6 * again.max()
    assert cube.data.sum() == pytest.approx(1, abs=0.2)


def test_the_receding_side_is_at_the_position_angle():
    for angle, (y, x) in {0: (1, 0), 90: (0, -1), 180: (-1, 0), 270: (0, 1)}.items():
        cube = generate(*TINY, "--position-angle", angle)
        velocity = np.tensordot(cube.velocities(), cube.data, 1) / cube.data.sum(0)
        rows, columns = np.indices(velocity.shape) - 4.5
        weight = cube.data.sum(0)
        gradient = [(weight * velocity * place).sum() for place in (rows, columns)]
        assert np.dot(gradient, (y, x)) > 100 * abs(np.dot(gradient, (x, y)))


def test_noise_is_that_of_stat_and_rises_at_sky_lines():
    # [O I] 6300.3 is the brightest sky line of this range.
    cube = generate(*MUSE, "--line", "oiii", "--redshift", 0.258, "--signal-to-noise", 8)
    clean = generate(*MUSE, "--line", "oiii", "--redshift", 0.258, "--noiseless")
    assert clean.variance is None
    sigma = np.sqrt(cube.variance)
    assert (clean.data / sigma).max() == pytest.approx(8, rel=1e-4)
    pulls = (cube.data - clean.data) / sigma
    assert pulls.std() == pytest.approx(1, abs=0.06)
    shared = (pulls[..., 1:] * pulls[..., :-1]).mean()
    assert shared == pytest.approx(0.12, abs=0.06)
    level = sigma[:, 0, 0]
    brightest = cube.axis.values[level.argmax()]
    assert abs(brightest - 6300.3) < 1.5
    assert level.max() > 2 * level.min()
    assert np.ptp(sigma, axis=(1, 2)).max() == 0


def test_noise_of_an_exposure_time_is_the_instruments():
    cube = generate(*MUSE, "--exposure-time", 3600)
    expected = MUSE_WFM.noise_sigma(cube.axis.values, 3600)
    assert np.allclose(np.sqrt(cube.variance[:, 0, 0]), expected, rtol=1e-5)


def test_noise_of_a_given_sigma_is_white_without_an_instrument():
    cube = generate(*TINY, "--noise", 0.01)
    assert np.allclose(cube.variance, 1e-4)
    residual = cube.data - generate(*TINY).data
    assert residual.std() == pytest.approx(0.01, rel=0.06)
    assert abs((residual[..., 1:] * residual[..., :-1]).mean()) < 1e-5


def test_flux_is_per_angstrom_with_an_instrument():
    wide = ["--instrument", "muse_wfm", "--shape", 24, 60, 60, "--half-light-radius", 0.2]
    cube = generate(*wide, "--noiseless", "--flux", 700)
    assert cube.data.sum() * 1.25 == pytest.approx(700, rel=0.02)
    assert generate(*MUSE, "--noiseless").parameters["flux"] == 2000


def test_the_same_seed_gives_the_same_cube():
    first, again, other = (
        generate(*TINY, "--clumps", 2, "--noise", 0.01, seed=seed).data for seed in (4, 4, 5)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_noise_does_not_depend_on_what_is_drawn_of_the_galaxy():
    plain = generate(*TINY, "--noise", 0.01).data - generate(*TINY).data
    clumpy = (
        generate(*TINY, "--clumps", 2, "--noise", 0.01).data - generate(*TINY, "--clumps", 2).data
    )
    assert np.allclose(plain, clumpy, atol=1e-6)


def test_a_seed_that_is_not_given_is_drawn_and_told(capsys):
    main(["cube", *TINY, "--clumps", "2"])
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("seed ")
    assert first.endswith(", drawn at random")
    seed = read_cube("cube.fits").seed
    assert f"seed {seed}," in first
    before = read_cube("cube.fits").data
    assert np.array_equal(generate(*TINY, "--clumps", 2, seed=seed).data, before)


def test_a_random_galaxy_keeps_what_is_given():
    galaxies = [
        galaxy_of(generate(*TINY, "--random", "--inclination", 30, seed=seed).parameters)
        for seed in (1, 2)
    ]
    assert [galaxy.inclination for galaxy in galaxies] == [30, 30]
    assert galaxies[0].maximum_velocity != galaxies[1].maximum_velocity
    assert galaxies[0].halo_velocity == galaxies[1].halo_velocity


def test_a_doublet_has_its_ratio():
    near = ["--velocity-range", 1400, "--channel-width", 20, "--size", 3, "--seeing", 0.6,
            "--inclination", 0, "--line", "oii", "--doublet-ratio", 0.5]  # fmt: skip
    cube = generate(*near, "--picture", "oii.png")
    spectrum, velocities = cube.data.sum((1, 2)), cube.velocities()
    blue, red = (spectrum[abs(velocities - v) < 100].sum() for v in (0.0, 223.8))
    assert blue / red == pytest.approx(0.5, abs=0.02)
    assert (
        spectrum[velocities > 100].argmax() == np.abs(velocities[velocities > 100] - 224).argmin()
    )
    assert Path("oii.png").stat().st_size > 10_000


def test_the_picture_of_a_line_on_a_continuum():
    generate(*MUSE, "--continuum", 0.5, "--picture", "continuum.png")
    assert Path("continuum.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["curve.txt", "curve.csv", "curve.ecsv", "curve.fits"])
def test_a_rotation_curve_from_a_file(name):
    table = Table({"velocity": [100.0, 180.0, 190.0], "radius": [0.0, 0.4, 1.5]})
    if name == "curve.txt":
        Path(name).write_text("# arcsec km/s\n0.0 100\n0.4 180\n1.5 190\n")
    else:
        table.write(name)
    galaxy = galaxy_of(generate(*TINY, "--rotation-table", name).parameters)
    assert galaxy.curve == "table"
    assert galaxy.rotation_table == ((0.0, 100.0), (0.4, 180.0), (1.5, 190.0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 1\n", "expected at least 2 rows with rising radii"),
        ("0 1\n1 2\n1 3\n", "expected at least 2 rows with rising radii"),
        ("0 1\n1 nan\n", "values that aren't finite"),
        ("1\n2\n", "can't be read as a table of radius"),
        ("0 a\n1 b\n", "can't be read as a table of radius"),
        ("", "can't be read as a table of radius"),
    ],
)
def test_rotation_curves_that_are_none(text, words, refused):
    Path("curve.txt").write_text(text)
    said = refused(*TINY, "--rotation-table", "curve.txt")
    assert said.startswith("generate.py: error: curve.txt: ")
    assert words in said


def test_a_description_loses_nothing():
    galaxy = DiskParameters(
        inclination=1 / 3, light="ring", vertical="exponential", curve="table", arms=3,
        asymmetric_drift=True, warp_inclination=5.0, rotation_table=((0.0, 1.0), (1.0, 1 / 7)),
        clumps=(),
    )  # fmt: skip
    assert galaxy_of(describe(galaxy) | {"redshift": 2.0, "instrument": "none"}) == galaxy


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--inclination", 95], "inclination is 95 deg; expected a number from 0 to 90 deg"),
        (["--half-light-radius", -1], "half_light_radius is -1 arcsec; expected a number from"),
        (["--maximum-velocity", "fast"], "maximum_velocity is 'fast'; expected a number from 0"),
        (["--velocity-dispersion", "nan"], "velocity_dispersion is nan km/s; expected"),
        (["--channel-width", 500, "--velocity-range", 300],
         "a channel of 500 km/s is wider than the cube's range of 300 km/s"),
        (["--channel-width", 100, "--instrument", "muse_wfm"], "is wider than the cube's range"),
        (["--pixel-scale", 9], "a pixel of 9 arcsec is wider than the field of 6.4 arcsec"),
        (["--line", "oii", "--redshift", 5, "--instrument", "muse_wfm"],
         "the line oii at redshift 5 is observed at 22365 Angstrom, outside the range of muse_wfm"),
        (["--instrument", "muze"], "no spectrograph 'muze', expected one of: muse_wfm"),
        (["--line", "oi"], "no line 'oi'; expected one of lya, oii"),
        (["--line", ""], "expected a text"),
        (["--line", "oii", "--rest-wavelength", 5000], "give one of them"),
        (["--rest-wavelength", "a"],
         "invalid value: 'a' (expected values, each a number from 1 to 1e+11)"),
        (["--shape", 8, 8, 8, "--size", 3], "--shape and --size both say how large"),
        (["--channels", 8, "--velocity-range", 900], "both say how many"),
        (["--shape", 8, 8, 0], "expected an integer from 1 to 10000"),
        (["--size", 9e4, "--pixel-scale", 0.1], "more than 268435456 voxels"),
        (["--velocity-range", 4e5, "--instrument", "muse_wfm"], "reach beyond the range of muse"),
        (["--line-spread", 20, "--instrument", "muse_wfm"], "muse_wfm has its own: leave"),
        (["--exposure-time", 100], "--exposure-time needs an instrument"),
        (["--exposure-time", 100, "--instrument", "kmos_h", "--line", "halpha"],
         "the noise of kmos_h isn't known; give --signal-to-noise or --noise"),
        (["--noise", 1, "--noiseless"], "--noise and --noiseless both say how noisy"),
        (["--signal-to-noise", 0], "expected a number from 1e-06"),
        (["--noise", 1e-25, *TINY], "float32 can't hold its variance"),
        (["--accuracy", 1], "invalid value: '1' (expected a number from 1e-07 to 0.03)"),
        (["--clumps", 17], "expected an integer from 0 to 16"),
        (["--flux", 0], "flux is 0 flux units: there is nothing to see"),
        (["--offset-x", 50, *TINY], "0.0% of the line's flux is inside the cube"),
        (["--systemic-velocity", 9000, *TINY], "0.0% of the line's flux is inside the cube"),
        (["--curve", "table"], "--curve table needs --rotation-table FILE"),
        (["--curve", "nfw", "--rotation-table", "a"], "that of --curve table, not nfw"),
        (["--rotation-table", "a.txt"], "a.txt: no such file"),
        (["--curve", "spiral"], "invalid choice: 'spiral'"),
        (["--seed", -1], "expected an integer from 0 to"),
        (["--output", "a.txt"], "--output a.txt: expected a name ending in .fits, .fits.gz"),
        (["--picture", "a.fits"], "--picture a.fits: expected a name ending in .png"),
        (["--output", "no/a.fits"], "the folder no doesn't exist"),
        (["--output", "a.fits", "--metrics", "a.fits"], "a.fits is named twice"),
        (["--picture", "a.png", "--shape", 1, 8, 8], "expected at least 2 channels and 3 x 3"),
        (["--picture", "a.png", "--metrics", "a.json", *MUSE, "--signal-to-noise", 0.01],
         "--picture: no line stands out of the noise; nothing to draw; leave it out, or"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(words, said, refused):
    assert said in refused(*words)


def test_a_failure_keeps_the_files_that_were_there(refused):
    Path("cube.fits").write_text("precious")
    refused(*MUSE, "--signal-to-noise", 0.01, "--picture", "a.png")
    assert Path("cube.fits").read_text() == "precious"


def test_light_outside_the_cube_is_a_warning(capsys):
    generate(*TINY, "--half-light-radius", 3)
    assert "of the line's flux is inside the cube; --size and --velo" in capsys.readouterr().err


def test_help_names_every_parameter_with_its_unit_range_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "2000")
    with pytest.raises(SystemExit) as stopped:
        main(["cube", "--help"])
    assert stopped.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for row in PARAMETERS:
        unit = f" [{row.unit}]" if row.unit else ""
        span = f"{row.minimum:g} to {row.maximum:g} (default: {row.default:g})"
        flag = f"--{row.name.replace('_', '-')} VALUE"
        assert f"{flag} {row.description}{unit}, {span}" in told


def test_the_header_says_units():
    generate(*TINY)
    header = fits.getheader("cube.fits", 0)
    assert header["CLUMPYGAN inclination"] == 45
    assert header.comments["CLUMPYGAN inclination"] == "deg"


def test_the_program_at_the_top(folder):
    done = subprocess.run(
        [sys.executable, str(GENERATE), "cube", *TINY, "--seed", "0"],
        capture_output=True, text=True, check=False, cwd=folder, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "wrote cube.fits in " in done.stdout
    assert read_cube(folder / "cube.fits").seed == 0
