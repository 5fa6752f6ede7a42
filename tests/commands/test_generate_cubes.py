"""The program `generate.py cubes`: files that other tools read, runs that go on, bad input."""

import json
import re
import warnings
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from safetensors.numpy import load_file, save_file

from clumpygan.commands.generate import main
from clumpygan.fitting.fitters import fitters_of
from clumpygan.fitting.input_cubes import input_cube
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies import render_cube
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, condition_rows
from clumpygan.galaxies.disks.description import galaxy_of
from clumpygan.galaxies.disks.disk_model import HEIGHT_OF_RADIUS
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.gan.cubes import CubeGenerator
from clumpygan.generation import cube_maker as generated_cubes
from clumpygan.generation.network_cubes import NetworkCubeMaker
from clumpygan.generation.settings import CubesSettings
from clumpygan.generation.true_cubes import TrueCubeMaker
from clumpygan.io import read_cube

SHAPE = [8, 16, 16]
NII = ((8.5, 8.6), (-0.836, -0.642))  # [NII] over H alpha (Curti et al. 2020, table 2), dex
RANGES = {
    "half_light_radius": [0.5, 1.1], "sersic_index": [0.6, 1.6], "inclination": [10, 85],
    "maximum_velocity": [50, 300], "turnover_radius": [0.05, 0.4],
    "velocity_dispersion": [20, 80], "scale_height": [0.01, 0.3], "seeing": [0.5, 0.8],
    "offset_x": [-0.3, 0.3], "offset_y": [-0.3, 0.3], "systemic_velocity": [-60, 60],
    "g1": [-0.1, 0.1], "g2": [-0.1, 0.1],
}  # fmt: skip
IMAGES = {
    "frame": {"shape": SHAPE, "instrument": "muse_wfm", "channel_width": 4.0, "seeing": 0.5,
              "lines": ["oiii"]},
    "condition_names": list(CUBE_CONDITIONS),
    "ranges": RANGES,
    "signal_to_noise": [5, 30],
}  # fmt: skip
DATA = {"galaxies": {"parameters": {"half_light_radius": [0.5, 1.1], "bulge_fraction": 0.0}}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with two untrained networks, to work in."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    small = {"latent_dim": 4, "channels": 4, "largest": 4}
    for kind, own in (("physical", {"side": 8}), ("conv3d", {"shape": SHAPE})):
        arguments = {**small, **own, "conditions": condition_rows(tuple(CUBE_CONDITIONS))}
        network = {"name": f"cube_{kind}", "arguments": arguments}
        card = {"network": network, "images": IMAGES, "data": DATA}
        save_checkpoint(tmp_path / kind, build_network(network["name"], arguments), card)
    return tmp_path


def generate(*words, checkpoint="physical"):
    main(["cubes", "--checkpoint", checkpoint, *map(str, words)])


@pytest.fixture
def refused(folder, capsys):
    def _refused(*words, checkpoint="physical"):
        before = sorted(folder.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            generate(*words, checkpoint=checkpoint)
        said = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(folder.rglob("*")) == before
        return said[0]

    return _refused


def test_several_cubes_a_table_a_picture_and_numbers(folder):
    generate("--n", 8, "--inclination", "40:70", "--maximum-velocity", "150:250", "--snr", 8,
             "--seed", 3, "--output", "gal.fits", "--picture", "gal.png",
             "--metrics", "gal.json")  # fmt: skip
    table = Table.read("gal.fits")
    assert len(table) == 8
    assert table["inclination"].min() >= 40
    assert table["inclination"].max() <= 70
    assert len(set(np.round(table["maximum_velocity"], 3))) == 8
    assert table["inclination"].unit == "deg"
    for row in table:
        cube = read_cube(folder / str(row["file"]).strip())
        assert cube.data.shape == tuple(SHAPE)
        for name in ("inclination", "flux", "position_angle"):
            assert cube.parameters[name] == row[name]
        assert cube.parameters["psf_fwhm"] == row["seeing"]
        assert galaxy_of(cube.parameters).inclination == row["inclination"]
        # brightest noiseless voxel over the noise; the noise moves it
        peak = cube.data.max() / np.sqrt(cube.variance.mean())
        assert peak == pytest.approx(8.0, abs=4.0)
        flux = cube.data.sum() * cube.axis.step
        assert flux == pytest.approx(row["flux"], rel=0.4)
    for name in ("gal.png", "gal_2.png"):
        assert matplotlib.image.imread(name).std() > 0.05
    told = json.loads(Path("gal.json").read_text())
    assert (told["seed"], told["n"], told["made"]) == (3, 8, 8)
    assert told["cubes_per_second"] > 0


def test_networks_are_told_the_flux_in_units_of_the_noise(monkeypatch):
    told = []
    cubes = CubeGenerator.cubes

    def recorded(self, parameters, seed, frame, *rest):
        told.append(self.smooth(parameters, frame).max(axis=(1, 2, 3)))
        return cubes(self, parameters, seed, frame, *rest)

    monkeypatch.setattr(CubeGenerator, "cubes", recorded)
    generate("--n", 3, "--snr", 7, "--flux", "100:9000", "--seed", 1, "--output", "g.fits")
    np.testing.assert_allclose(np.concatenate(told), 7.0, rtol=1e-3)


def test_other_tools_read_the_cubes():
    obj = pytest.importorskip("mpdaf.obj")
    generate("--n", 1, "--seed", 1, "--output", "one.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cube = obj.Cube("one.fits")
    assert cube.shape == tuple(SHAPE)
    assert cube.wave.get_step() == pytest.approx(4.0)
    assert cube.var is not None
    with fits.open("one.fits") as hdus:
        for name in ("DATA", "STAT"):
            header = hdus[name].header
            assert {"CTYPE1", "CTYPE2", "CTYPE3", "CUNIT1", "CUNIT3", "CRVAL3"} <= set(header)


def test_a_run_that_was_interrupted_goes_on(folder, monkeypatch, capsys):
    whole, many = ("--n", 6, "--output", "b.fits"), ("--n", 6, "--seed", 9, "--output", "a.fits")
    generate(*many)
    expected = [path.read_bytes() for path in sorted((folder / "a").glob("*.fits"))]
    written = []
    write = generated_cubes.write_cube

    def failing(path, *args, **kwargs):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, *args, **kwargs)

    monkeypatch.setattr(generated_cubes, "write_cube", failing)
    with pytest.raises(SystemExit) as stopped:
        generate(*whole, "--seed", 9)
    assert stopped.value.code == 130
    assert len(list((folder / "b").glob("*.fits"))) == 2
    assert not Path("b.fits").exists()
    monkeypatch.setattr(generated_cubes, "write_cube", write)
    capsys.readouterr()
    # the seed is that of the cubes that are there
    generate(*whole)
    assert "seed 9" in capsys.readouterr().out
    for path, before in zip(sorted((folder / "b").glob("*.fits")), expected, strict=True):
        with fits.open(path) as now, fits.HDUList.fromstring(before) as then:
            np.testing.assert_allclose(now["DATA"].data, then["DATA"].data, rtol=1e-4, atol=1e-4)


def test_a_larger_number_adds_galaxies(folder):
    generate("--n", 2, "--seed", 4, "--output", "g.fits")
    first = (folder / "g/g_000001.fits").stat().st_mtime_ns
    generate("--n", 4, "--output", "g.fits", "--metrics", "g.json")
    assert (folder / "g/g_000001.fits").stat().st_mtime_ns == first
    assert len(Table.read("g.fits")) == 4
    assert json.loads(Path("g.json").read_text())["made"] == 2


def test_smooth_disks_have_the_same_parameters_and_noise(folder):
    for flags, name in (((), "rough.fits"), (("--smooth",), "smooth.fits")):
        generate("--n", 1, "--seed", 2, "--output", name, *flags)
    rough, smooth = (read_cube(folder / name) for name in ("rough.fits", "smooth.fits"))
    assert smooth.parameters["network"] == "none"
    assert smooth.parameters["inclination"] == rough.parameters["inclination"]
    # an untrained painter paints next to nothing
    scale = smooth.data.max()
    np.testing.assert_allclose(smooth.data, rough.data, atol=0.1 * scale)
    assert not np.array_equal(smooth.data, rough.data)


TRUE = ("--shape", 16, 16, 16, "--inclination", "30:60", "--seed", 5)


@pytest.mark.parametrize("population", ["gas_disks", "clumpy_disks"])
def test_galaxies_of_a_population_need_no_network(folder, population):
    generate("--population", population, "--n", 3, *TRUE, "--output", "t.fits", checkpoint="none")
    table = Table.read("t.fits")
    assert table.meta["POPULATI"] == population
    assert 30 <= table["inclination"].min() <= table["inclination"].max() <= 60
    assert len(set(table["flux"])) == 3
    for row in table:
        cube = read_cube(folder / str(row["file"]).strip())
        assert cube.data.shape == (16, 16, 16)
        assert cube.parameters["population"] == population
        peak = cube.data.max() / np.sqrt(cube.variance.mean())
        assert peak == pytest.approx(row["signal_to_noise"], abs=4.0)
    third = read_cube(folder / "t/t_000002.fits").data
    # a galaxy depends on the seed and its number alone
    generate("--population", population, "--n", 3, *TRUE, "--output", "u.fits", "--noiseless")
    again = read_cube(folder / "u/u_000002.fits").data
    sigma = np.sqrt(read_cube(folder / "t/t_000002.fits").variance)
    assert np.std((third - again) / sigma) == pytest.approx(1.0, abs=0.1)


def test_gas_disks_have_the_flux_of_their_table_and_smooth_disks(folder):
    for flags, name in (((), "rough"), (("--smooth",), "smooth"), (("--flux", 50), "given")):
        generate("--population", "gas_disks", "--n", 1, *TRUE, "--pixel-scale", 0.4,
                 "--line", "halpha", "--half-light-radius", "0.3:0.6", "--noiseless",
                 "--output", f"{name}.fits", *flags)  # fmt: skip
    rough, smooth, given = (read_cube(f"{name}.fits") for name in ("rough", "smooth", "given"))
    assert rough.parameters["inclination"] == smooth.parameters["inclination"]
    assert smooth.parameters["population"] == "none"
    assert given.parameters["flux"] == 50
    flux = smooth.parameters["flux"]
    assert smooth.data.sum() * smooth.axis.step == pytest.approx(flux, rel=0.1)
    assert rough.data.sum() * rough.axis.step == pytest.approx(flux, rel=0.3)
    np.testing.assert_allclose(given.data, rough.data * 50 / flux, rtol=1e-4, atol=1e-6)
    assert np.abs(rough.data - smooth.data).max() > 0.05 * smooth.data.max()


def test_galaxies_that_a_population_lacks_are_refused_in_one_line(refused):
    message = refused("--population", "gas_disks", "--maximum-velocity", "1000:1500", "--seed", 1,
                      "--output", "x.fits")  # fmt: skip
    assert "none has maximum_velocity from 1000 to 1500: widen" in message
    assert "expected one of network, clumpy_disks, gas_disks" in refused("--population", "stars")


def test_lines_and_bulges_of_gas_disks_are_as_asked_for(folder, refused):
    words = ("--population", "gas_disks", "--n", 2, *TRUE)
    generate(*words, "--line", "halpha,nii", "--oxygen-abundance", "8.5:8.6",
             "--nuclear-fraction", 0.1, "--output", "g.fits")  # fmt: skip
    table = Table.read("g.fits")
    assert ((table["oxygen_abundance"] >= 8.5) & (table["oxygen_abundance"] <= 8.6)).all()
    assert (table["nuclear_fraction"] == 0.1).all()
    assert table["electron_density"].unit == "cm-3"
    cube = read_cube(folder / str(table["file"][0]).strip())
    assert cube.parameters["nuclear_fraction"] == 0.1
    maker = TrueCubeMaker.of(
        CubesSettings(line="halpha,nii", population="gas_disks", shape=(16,) * 3), {}
    )
    known = dict(zip(table.colnames, table[0], strict=True))
    (first, one), (second, other) = maker.lines(known)
    assert first == 0
    assert second == pytest.approx(943, abs=2)
    assert one == 1
    assert other == pytest.approx(10 ** np.interp(known["oxygen_abundance"], *NII), rel=0.05)
    assert [share for _, share in maker.lines({})] == [1, 1]
    message = refused("--population", "clumpy_disks", "--nuclear-fraction", 0.1, *TRUE)
    assert "--nuclear-fraction isn't known of clumpy_disks" in message
    message = refused("--nuclear-fraction", 0.1)
    assert "isn't told 'nuclear_fraction'" in message
    assert message.endswith("--checkpoint cube_gas has seen it")


def test_other_grids_and_no_noise(folder):
    generate("--n", 1, "--seed", 2, "--output", "w.fits", "--shape", 16, 20, 24,
             "--channel-width", 2.5, "--noiseless")  # fmt: skip
    cube = read_cube(folder / "w.fits")
    assert cube.data.shape == (16, 20, 24)
    assert cube.variance is None
    assert cube.axis.step == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--inclination", "70:40"), r"'70:40' (expected LOW:HIGH, rising, from 0 to 90)"),
        (("--inclination", "5:60"), "trained on inclination (10 to 85 deg); the nearest is 10:60"),
        (("--mass", "3"), "; galaxies have --flux [flux units], --half-light-radius [ar"),
        (("--snr", "0"), "invalid value: '0'"),
        (("--snr", "8:-1"), "invalid value: '8:-1'"),
        (("--checkpoint", "nothing"), "no checkpoint nothing"),
        (("--output", "gal.txt"), "expected a name ending in .fits"),
        (("--redshift", "9"), "outside the range of muse_wfm"),
        (("--line", "lyman"), "lyman"),
    ],
)
def test_bad_input_is_one_line(refused, words, message):
    assert message in refused("--n", 2, *words)


def test_convolutions_make_the_grid_of_their_training_alone(refused):
    said = refused("--n", 2, "--shape", 16, 16, 16, checkpoint="conv3d")
    assert "--shape: conv3d makes cubes of shape (8, 16, 16) on the grid of its training" in said
    assert "--channel-width" in refused("--n", 2, "--channel-width", 2, checkpoint="conv3d")


def test_a_further_page_replaces_no_other_picture(folder, refused):
    (folder / "gal_2.png").write_bytes(b"another picture")
    said = refused("--n", 7, "--picture", "gal.png")
    assert "gal_2.png: a further page of the --picture gal.png would replace it" in said


def test_cubes_of_other_settings_are_kept(refused):
    generate("--n", 2, "--seed", 1, "--output", "g.fits")
    said = refused("--n", 2, "--seed", 1, "--inclination", "40:50", "--output", "g.fits")
    assert "g holds cubes of another conditions" in said
    assert "another seed (1, now 5)" in refused("--n", 2, "--seed", 5, "--output", "g.fits")


def test_another_network_of_the_same_name_does_not_go_on(folder, refused):
    generate("--n", 2, "--seed", 1, "--output", "g.fits")
    made = read_cube(folder / "g/g_000000.fits").parameters["weights"]
    assert made == Table.read("g.fits").meta["WEIGHTS"]
    weights = load_file("physical.safetensors")
    save_file({name: 1.01 * array for name, array in weights.items()}, "physical.safetensors")
    said = refused("--n", 3, "--seed", 1, "--output", "g.fits")
    assert f"g holds cubes of another weights ({made}" in said


@pytest.mark.parametrize("content", ["[1]", "{}", "{", '{"seed": "x"}'])
def test_damaged_settings_of_a_folder_are_named(content, folder, refused):
    generate("--n", 2, "--seed", 1, "--output", "g.fits")
    (folder / "g/settings.json").write_text(content)
    assert re.search(
        r"g/settings\.json .*delete the folder g", refused("--n", 3, "--output", "g.fits")
    )


def test_foreign_folders_are_left_alone(refused, folder):
    (folder / "mine").mkdir()
    (folder / "mine/thesis.tex").write_text("x")
    assert "mine holds other files" in refused("--n", 2, "--output", "mine.fits")


def test_noise_beyond_that_of_the_training_is_said(capsys):
    generate("--n", 1, "--seed", 1, "--snr", 90, "--output", "loud.fits")
    assert "warning: --signal-to-noise 90:90: the network has seen 5:30" in capsys.readouterr().err


def test_what_nobody_asks_for_isnt_hidden_in_the_galaxies(folder):
    generate("--n", 3, "--seed", 1, "--smooth", "--noiseless", "--output", "g.fits")
    table = Table.read("g.fits")
    assert not table["g1"].any()
    assert not table["g2"].any()
    ratio = HEIGHT_OF_RADIUS["gaussian"]
    np.testing.assert_allclose(table["scale_height"], ratio * table["half_light_radius"], rtol=1e-6)
    generate("--n", 3, "--seed", 1, "--smooth", "--noiseless", "--output", "h.fits",
             "--g1", "0.04:0.06", "--scale-height", "0.2:0.25")  # fmt: skip
    asked = Table.read("h.fits")
    assert (asked["g1"] > 0.039).all()
    assert (asked["scale_height"] > 0.199).all()


def test_what_nobody_asks_of_a_network_of_gas_disks_is_drawn_as_its_training_did(folder):
    """Sizes go with velocities and are as thick; in the priors of the table they don't."""
    arguments = {"latent_dim": 4, "channels": 4, "largest": 4, "side": 8,
                 "conditions": condition_rows(tuple(CUBE_CONDITIONS))}  # fmt: skip
    galaxies = {"population": "gas_disks", "gas": {"redshift": [0.5, 0.6]}, "parameters": {}}
    card = {"network": {"name": "cube_physical", "arguments": arguments}, "images": IMAGES,
            "data": {"galaxies": galaxies}}  # fmt: skip
    save_checkpoint(folder / "gas", build_network("cube_physical", arguments), card)
    drawn = {}
    for name in ("gas", "physical"):
        maker = NetworkCubeMaker.of(CubesSettings(checkpoint=name), {"inclination": (40.0, 60.0)})
        drawn[name] = Table(maker.parameters(1, range(150))[0], names=maker.names)
        assert drawn[name]["inclination"].min() >= 40
        assert not drawn[name]["g1"].any()
    together = {
        name: np.corrcoef(np.log(table["half_light_radius"]), np.log(table["maximum_velocity"]))
        for name, table in drawn.items()
    }
    assert together["gas"][0, 1] > 0.4
    assert abs(together["physical"][0, 1]) < 0.3
    thickness = drawn["gas"]["scale_height"] / drawn["gas"]["half_light_radius"]
    assert 0.1 < np.log10(thickness).std() < 0.2


def test_a_galaxy_is_seen_with_the_psf_of_the_instrument(folder):
    """The file of a smooth disk is what the renderer of fits makes of its header."""
    generate(
        "--n", 1, "--seed", 2, "--smooth", "--noiseless", "--seeing", 0.79, "--output", "g.fits"
    )
    cube, said = input_cube("g.fits", FitSettings())
    assert (said.instrument, said.psf_fwhm) == ("muse_wfm", 0.79)
    fitter = fitters_of(said)["arctan"]
    frame = fitter.observe(cube, 1.0).frame
    galaxy = galaxy_of(cube.parameters)
    expected = render_cube(galaxy, frame.grid, psf=frame.transfer, accuracy=1e-4)
    made = cube.data * cube.axis.step
    np.testing.assert_allclose(made, expected, atol=3e-3 * expected.max())
    # Who says something else is believed.
    _, other = input_cube("g.fits", FitSettings(instrument="none", psf_fwhm=0.5))
    assert (other.instrument, other.psf_fwhm) == ("none", 0.5)
