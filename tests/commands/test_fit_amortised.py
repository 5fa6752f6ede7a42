"""The program `fit.py` with a trained posterior."""

import json

import numpy as np
import pytest
import torch
from astropy.table import Table

from clumpygan.commands.fit import main
from clumpygan.commands.fit_posterior import load_posterior
from clumpygan.fitting.simulations import Simulator
from clumpygan.galaxies import DiskModel
from clumpygan.gan.checkpoint import build_network, find_checkpoint, save_checkpoint
from tests.commands.fit_cubes import FWHM, make_cube
from tests.fitting.amortised_toys import SETTINGS

NETWORK = {
    "name": "disk_posterior",
    "arguments": {
        "shape": [12, 12, 12], "parameters": 10, "conditions": 5, "channels": [4, 4, 4],
        "features": 8, "hidden": 8, "splines": 1, "bins": 4,
    },
}  # fmt: skip
DOMAIN = SETTINGS | {
    "shape": [12, 12, 12],
    "priors": SETTINGS["priors"] | {"flux": "log_uniform:100:9000"},
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder with an untrained posterior in it, and a cube."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = build_network(NETWORK["name"], NETWORK["arguments"])
    card = {"network": NETWORK, "images": {"domain": DOMAIN}}
    save_checkpoint(tmp_path / "tiny", network, card)
    make_cube(tmp_path / "cube.fits")
    load_posterior.cache_clear()
    return tmp_path


def fit(*words):
    """Run the program; return its exit code."""
    try:
        main([*map(str, words), "--method", "amortised", "--posterior", "tiny.safetensors"])
    except SystemExit as stopped:
        return stopped.code
    return 0


CUBE = ("cube.fits", "--psf-fwhm", FWHM, "--no-picture", "--no-model-cubes")


def test_an_untrained_posterior_answers_and_is_not_believed(folder, capsys):
    code = fit(*CUBE, "--most", 300, "--metrics", "all.json")
    assert code == 1
    assert "effective draws" in capsys.readouterr().err
    table = Table.read(folder / "fits" / "cube_table.ecsv")
    assert table["name"].tolist() == [*DOMAIN["priors"]]
    assert table.meta["settings"]["sampler"]["method"] == "amortised"
    assert json.loads((folder / "all.json").read_text())["cubes"][0]["status"] == "doubtful"


def test_without_correction_the_network_alone_answers(folder, capsys):
    code = fit(*CUBE, "--no-correct", "--seed", 4)
    # An untrained network knows no more than the prior: no draw is near this bright galaxy.
    assert code == 1
    assert "isn't like those" in capsys.readouterr().err
    table = Table.read(folder / "fits" / "cube_table.ecsv")
    assert table.meta["evaluations"] <= 2
    assert (table["effective"] == 500).all()
    low, high = table[table["name"] == "maximum_velocity"]["lower", "upper"][0]
    assert 50 < low < high < 300


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--psf-fwhm", 2.0), "a PSF"),
        (("--fix", "inclination=60"), "inclination isn't; tiny.safetensors was trained"),
        (("--free", "g1,g2"), "g1 is free"),
        (("--model", "tanh"), "a model with curve tanh"),
        (("--no-correct", "--prior", "inclination=normal:60:5"), "draws without correction"),
        (("--line-spread", 120), "a line spread function"),
    ],
)
def test_what_the_posterior_doesnt_know_is_one_line(words, message, capsys):
    cube = CUBE if words[0] != "--psf-fwhm" else ("cube.fits", *CUBE[3:])
    assert fit(*cube, *words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_flags_of_the_method_are_refused_with_others(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["cube.fits", "--psf-fwhm", "0.6", "--posterior", "tiny"])
    assert stopped.value.code == 2
    assert "--posterior goes with --method amortised" in capsys.readouterr().err


def test_another_checkpoint_is_refused(folder, capsys):
    assert main is not None
    with pytest.raises(SystemExit) as stopped:
        main(["cube.fits", "--method", "amortised", "--posterior", "dcgan"])
    assert stopped.value.code == 2
    assert "is a checkpoint of dcgan: expected one of disk_posterior" in capsys.readouterr().err


def test_the_posterior_knows_the_default_model():
    posterior = load_posterior("tiny.safetensors")
    assert posterior.domain.model == DiskModel()
    assert np.isfinite(posterior.domain.coordinates.values(np.zeros(10))).all()


def test_the_posterior_that_ships_is_right_about_cubes_it_has_never_seen():
    path = find_checkpoint("disk_posterior")
    assert path.stat().st_size < 8e6
    posterior = load_posterior("disk_posterior")
    simulator = Simulator(posterior.domain, 99)
    items = [simulator.item("test", index) for index in range(48)]
    cubes, conditions, truth = (
        torch.from_numpy(np.stack([item[name] for item in items]))
        for name in ("cube", "conditions", "coordinates")
    )
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        u, _ = posterior.network.draw(cubes, conditions, 200, noise)
    below = (u < truth[:, None]).double().mean(1)
    # Ranks of 480 numbers, of which those of a cube aren't independent.
    assert float(below.mean()) == pytest.approx(0.5, abs=0.06)
    assert float(((below - 0.5).abs() < 0.34).double().mean()) == pytest.approx(0.68, abs=0.1)
    # It has learnt more than the prior, which is 1, of everything that bright galaxies show.
    bright = cubes.amax((1, 2, 3)) > 12
    width = dict(
        zip(posterior.domain.coordinates.names, u[bright].std(1).median(0).values, strict=True)
    )
    for name in ("flux", "offset_x", "systemic_velocity", "half_light_radius"):
        assert width[name] < 0.4
    for name in ("inclination", "maximum_velocity", "velocity_dispersion"):
        assert width[name] < 0.8
