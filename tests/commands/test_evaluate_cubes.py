"""The program `evaluate.py cubes`, on tiny sets and with networks that know nothing yet."""

import json
from itertools import islice

import numpy as np
import pytest
import torch
from astropy.table import Table

from clumpygan.assessment import CubeRealismSettings, cube_realism
from clumpygan.assessment.cubes.fits import FitJob, fit, fit_all
from clumpygan.assessment.cubes.sets import training_data
from clumpygan.commands.evaluate import main
from clumpygan.commands.generate import main as generate
from clumpygan.data.cubes.frame import make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.data.cubes.galaxy_cubes import GalaxyCubeDataModule
from clumpygan.data.splits import split_of
from clumpygan.errors import InputWarning
from clumpygan.galaxies import DiskParameters, render_cube
from clumpygan.galaxies.disks.cube_conditions import condition_rows
from clumpygan.gan.checkpoint import build_network, read_card, save_checkpoint

SHAPE = [8, 24, 24]
FRAME = {"shape": SHAPE, "instrument": "muse_wfm", "channel_width": 3.5, "lines": ["oiii"]}
DATA = {
    "kind": "galaxy_cubes", "seed": 0, "train_size": 4, "val_size": 4, "test_size": 4,
    "batch_size": 2, "images_per_epoch": 4, "signal_to_noise": [15.0, 40.0],
    "galaxies": {"frame": FRAME, "seeing": [0.5, 0.7],
                 "disks": {"most_clumps": 1, "mean_clumps": 1},
                 "parameters": {"half_light_radius": [0.6, 0.9], "bulge_fraction": 0.0}},
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with two untrained networks and the cache of their data."""
    folder = tmp_path_factory.mktemp("cubes")
    settings = {key: value for key, value in DATA.items() if key != "kind"}
    data = GalaxyCubeDataModule(**settings, cache=str(folder / "cache"))
    torch.manual_seed(0)
    small = {"latent_dim": 4, "channels": 4, "largest": 4}
    for kind, own in (("physical", {"side": 8}), ("conv3d", {"shape": SHAPE})):
        arguments = {**small, **own, "conditions": condition_rows(data.condition_names)}
        network = {"name": f"cube_{kind}", "arguments": arguments}
        card = {"network": network, "images": data.describe(), "data": DATA}
        save_checkpoint(folder / kind, build_network(network["name"], arguments), card)
    return folder


@pytest.fixture(autouse=True)
def inside(home, monkeypatch):
    monkeypatch.chdir(home)


def evaluate(*words):
    quick = ("--n", "20", "--fits", "0", "--groups", "0", "--epochs", "0", "--train-size", "0")
    main(["cubes", "--checkpoint", "physical", "--workers", "1", *quick, *map(str, words)])


@pytest.fixture
def refused(home, capsys):
    def _refused(*words):
        before = sorted(home.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            evaluate(*words)
        said = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2
        assert len(said) == 1, said
        assert sorted(home.rglob("*")) == before
        return said[0]

    return _refused


def test_report_table_and_numbers(home, capsys):
    evaluate("--opponent", "conv3d", "--fits", 3, "--groups", 1, "--epochs", 1, "--train-size", 4,
             "--output", "report", "--metrics", "numbers.json")  # fmt: skip
    said = capsys.readouterr().out
    assert "wrote report/index.html, report/blind.png, numbers.json" in said
    found = json.loads((home / "numbers.json").read_text())
    names = ["held-out truth", "physical", "conv3d", "smooth disks"]
    assert list(found["tests"]) == list(found["conditional_fidelity"]) == names
    assert found["sizes"] == dict.fromkeys(("reference", *names), 20)
    assert found["settings"]["opponent"] == "conv3d"
    assert found["settings"]["fixed_in_fits"]
    assert found["tests"]["smooth disks"]["diversity_flux"]["value"] == 0.0
    # an untrained painter paints next to nothing: it is as obedient as the smooth disk
    assert found["tests"]["physical"]["ks clump_number"]["value"] == pytest.approx(
        found["tests"]["smooth disks"]["ks clump_number"]["value"]
    )
    made, smooth = (found["conditional_fidelity"][name]["inclination"] for name in names[1::2])
    assert made["bias"]["value"] == pytest.approx(smooth["bias"]["value"], abs=1.0)
    page = (home / "report" / "index.html").read_text()
    assert page.count("data:image/png") == 6
    key = (home / "report" / "blind_key.txt").read_text().splitlines()
    assert len(key) == 16
    assert sum("physical" in line for line in key) == 8


def test_the_noise_may_be_chosen(home, refused):
    cubes = training_data(CubeRealismSettings(checkpoint="physical", n=20, signal_to_noise=8.0))
    assert cubes.signal_to_noise == (8.0, 8.0)
    cubes = training_data(CubeRealismSettings(checkpoint="physical", n=20))
    assert cubes.signal_to_noise == (15.0, 40.0)
    assert "real cubes have their own noise" in refused("--root", home, "--snr", "10:30")
    assert "'30:10' (expected LOW:HIGH" in refused("--snr", "30:10")


def test_noise_beyond_that_of_the_training_is_said(home):
    quick = {"fits": 0, "groups": 0, "epochs": 0, "train_size": 0, "workers": 1}
    with pytest.warns(InputWarning, match="`signal_to_noise` 8:80: the network has seen 15:40"):
        cube_realism(checkpoint="physical", n=20, signal_to_noise=(8.0, 80.0), **quick)


def test_networks_that_know_less_of_gas_disks_are_compared_with_them(home):
    """Those that were trained before bulges and lines were told."""
    galaxies = DATA["galaxies"] | {"population": "gas_disks"}
    del galaxies["disks"]
    card = read_card(home / "physical.yaml")
    data = DATA | {"galaxies": galaxies}
    (home / "early.yaml").write_text(json.dumps(card | {"data": data}))
    (home / "early.safetensors").write_bytes((home / "physical.safetensors").read_bytes())
    quick = {"fits": 0, "groups": 1, "epochs": 0, "train_size": 0, "workers": 1}
    found = cube_realism(checkpoint="early", n=20, **quick)
    assert "nuclear_fraction" in found.compared.names
    assert found.result.sizes["early"] == 20


def test_networks_of_uneven_noise_are_compared_with_real_cubes_too(home):
    card = read_card(home / "physical.yaml")
    uneven = {"noise": "uneven", "uneven": {"depth": 0.3}}
    (home / "uneven.yaml").write_text(json.dumps(card | {"data": DATA | uneven}))
    (home / "uneven.safetensors").write_bytes((home / "physical.safetensors").read_bytes())
    for root, noise in ((home, "even"), (None, "uneven")):
        data = training_data(CubeRealismSettings(checkpoint="uneven", root=root, n=20))
        assert data.config.noise == noise


def test_real_cubes_are_compared_as_observed(home):
    root = home / "muse"
    root.mkdir()
    generate(["cubes", "--checkpoint", "physical", "--n", "41", "--seed", "8", "--snr", "20",
              "--output", str(root / "gal.fits")])  # fmt: skip
    table = Table.read(root / "gal.fits")
    names = (f"galaxy_{number}" for number in range(10_000))
    table["name"] = list(islice((n for n in names if split_of(n, 0) == "test"), len(table)))
    for row in table:
        (root / row["file"].strip()).rename(root / f"{row['name']}.fits")
    table.remove_column("file")
    frame = make_frame(FrameSettings(**{**FRAME, "shape": tuple(SHAPE)}))
    table["redshift"], table["status"] = frame.redshift, "good"
    table.rename_column("seeing", "psf_fwhm")
    table.write(root / "results.ecsv")
    quick = {"fits": 0, "groups": 0, "epochs": 0, "train_size": 0, "workers": 1}
    found = cube_realism(checkpoint="physical", root=root, n=20, **quick)
    compared, result = found.compared, found.result
    assert all(one.clean is None for one in (compared.reference, *compared.candidates))
    assert result.sizes["reference"] == 20
    # these "real" galaxies are smooth disks
    assert result.medians["reference"]["clump_number"]["value"] < 0.2
    assert result.numbers["physical"]["strongest"]["value"] < 0.85
    assert "strongest" in str(found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fits", 30), "--fits 30: there are 20 galaxies"),
        (("--fits", 2), "--fits 2: expected 3 or more"),
        (("--opponent", "physical"), "--opponent physical: is --checkpoint"),
        (("--opponent", "nothing"), "no checkpoint nothing"),
        (("--table", "t.ecsv"), "--table goes with --root"),
        (("--output", "physical.yaml"), "--output physical.yaml is a file"),
        (("--root", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line(refused, words, message):
    assert message in refused(*words)


def test_generators_of_other_data_are_not_compared(home, refused):
    card = (home / "conv3d.yaml").read_text()
    (home / "other.yaml").write_text(card.replace("channel_width: 3.5", "channel_width: 2.5"))
    (home / "other.safetensors").write_bytes((home / "conv3d.safetensors").read_bytes())
    assert "was trained on other cubes" in refused("--opponent", "other")


def test_small_runs_render_and_fit_what_they_use(home, capsys):
    main(["cubes", "--checkpoint", "physical", "--n", "20", "--epochs", "0", "--groups", "0",
          "--fits", "0", "--cache", "small", "--output", "small_report"])  # fmt: skip
    samples = sorted(path.name.rsplit("-", 2)[0] for path in (home / "small").iterdir())
    # of the four training galaxies all are searched for copies
    assert samples == ["cubes-test-40", "cubes-train-4"]
    assert CubeRealismSettings(n=40).fits == 40
    assert CubeRealismSettings().fits == 100


def test_fits_return_what_disks_were_made_of():
    settings = FrameSettings((16, 24, 24), instrument="muse_wfm", seeing=0.5)
    frame = make_frame(settings)
    truth = {
        "inclination": 60.0, "position_angle": 250.0, "maximum_velocity": 180.0,
        "half_light_radius": 0.7, "velocity_dispersion": 40.0, "sersic_index": 1.2,
        "scale_height": 0.1,
    }  # fmt: skip
    cube = render_cube(DiskParameters(**truth), frame.grid, psf=frame.transfer)
    cube = cube / cube.max() * 25.0 + np.random.default_rng(0).normal(size=cube.shape)
    job = FitJob(settings, cube, {**truth, "seeing": 0.5})
    fitted, doubtful = fit_all([job, job], lambda done: None, workers=1)
    assert doubtful in (0, 2)
    assert fitted["inclination"] == pytest.approx(60.0, abs=3.0)
    assert fitted["position_angle"] == pytest.approx(250.0, abs=3.0)
    assert fitted["maximum_velocity"] == pytest.approx(180.0, rel=0.05)
    # a wider PSF is believed to have blurred a smaller disk
    blurred, _ = fit(FitJob(settings, cube, {**truth, "seeing": 0.8}))
    assert blurred[list(fitted).index("half_light_radius")] < 0.98 * fitted["half_light_radius"][0]
