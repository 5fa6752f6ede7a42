"""The program `generate.py galaxies`: files hold what was asked for, and bad input leaves none."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.generate import main
from clumpygan.gan.checkpoint import build_network, save_checkpoint

ARGUMENTS = {
    "size": 16,
    "conditions": ["signal", "half_light_radius", "redshift"],
    "signal": [3.0, 0.6],
    "latent_dim": 8,
    "channels": 4,
    "largest": 8,
}
IMAGES = {
    "magnitudes": [20, 26],
    "sigma": 0.5,
    "pixel_scale": 0.06,
    "correlation": [[0, 0, 0], [0.3, 1, 0.3], [0, 0, 0]],
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a checkpoint, to work in."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    card = {"network": {"name": "dcgan", "arguments": ARGUMENTS}, "images": IMAGES}
    (tmp_path / "trained").mkdir()
    save_checkpoint(tmp_path / "trained/tiny", build_network("dcgan", ARGUMENTS), card)
    return tmp_path


def generate(*words, output="galaxies.fits"):
    main(["galaxies", "--checkpoint", "trained/tiny", "--output", output, *map(str, words)])
    with fits.open(output) as hdus:
        return {hdu.name: (hdu.data.copy(), hdu.header) for hdu in hdus if hdu.data is not None}


def refused(folder, capsys, *words):
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as stopped:
        main(["galaxies", *map(str, words)])
    said = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert len(said) == 1, said
    assert sorted(folder.iterdir()) == before
    return said[0]


def test_the_file_holds_galaxies_with_and_without_noise(capsys):
    found = generate("--n", 9, "--seed", 3, "--picture", "g.png", "--metrics", "g.json")
    images, header = found["IMAGES"]
    assert images.shape == (9, 16, 16)
    assert header["BUNIT"] == "nJy"
    assert header["PIXSCALE"] == 0.06
    assert header["SIGMA"] == 0.5
    bare, _ = found["NOISELESS"]
    assert (images - bare).std() == pytest.approx(0.5, rel=0.1)
    table = Table(found["GALAXIES"][0])
    np.testing.assert_allclose(bare.sum((1, 2)), table["flux"], rtol=1e-4)
    np.testing.assert_allclose(31.4 - 2.5 * np.log10(table["flux"]), table["h_magnitude"])
    assert matplotlib.image.imread("g.png").std() > 0.05
    told = json.loads(Path("g.json").read_text())
    assert (told["seed"], told["n"], told["sigma_njy"]) == (3, 9, 0.5)
    assert "seed 3" in capsys.readouterr().out
    generate("--n", 65, "--seed", 3, "--picture", "h.png")
    assert Path("h_2.png").exists()


@pytest.mark.parametrize("ending", ["png", "svg", "jpg"])
def test_further_pages_replace_only_pages(folder, capsys, monkeypatch, ending):
    monkeypatch.setattr("clumpygan.plots.galaxies.PER_PAGE", 2)
    picture, second, third = (folder / f"g{more}.{ending}" for more in ("", "_2", "_3"))
    words = ("--checkpoint", "trained/tiny", "--seed", "3", "--picture", picture)
    second.write_bytes(b"another picture")
    said = refused(folder, capsys, *words, "--n", 3)
    assert f"{second}: a further page of the --picture {picture} would replace it" in said
    said = refused(folder, capsys, *words, "--n", 3, "--metrics", second)
    assert f"{second} is named twice" in said
    generate("--n", 2, *words)
    assert second.read_bytes() == b"another picture"
    second.unlink()
    generate("--n", 6, *words)
    assert third.exists()
    other = folder / f"g_5.{ending}"
    other.write_bytes(third.read_bytes())
    capsys.readouterr()
    generate("--n", 4, *words)
    assert f"removed {third}, a page of an earlier picture" in capsys.readouterr().out
    assert not third.exists()
    assert second.exists()
    assert other.exists()  # not the next page: somebody's copy


def test_the_same_seed_gives_the_same_galaxies_whatever_their_number():
    few, many = (generate("--n", n, "--seed", 3, output=f"{n}.fits") for n in (4, 7))
    np.testing.assert_allclose(many["NOISELESS"][0][:4], few["NOISELESS"][0], rtol=1e-4)
    np.testing.assert_allclose(many["IMAGES"][0][:4], few["IMAGES"][0], rtol=1e-3, atol=1e-4)
    other = generate("--n", 4, "--seed", 4)
    assert not np.allclose(other["NOISELESS"][0], few["NOISELESS"][0], rtol=0.01)


def test_ranges_are_kept():
    words = ("--magnitude", "22:23", "--redshift", "0.5:1", "--half-light-radius", "0.3:0.6")
    table = Table(generate("--n", 30, "--seed", 1, *words)["GALAXIES"][0])
    for name, (low, high) in {
        "h_magnitude": (22, 23),
        "redshift": (0.5, 1),
        "half_light_radius": (0.3, 0.6),
    }.items():
        assert low <= table[name].min() < table[name].max() <= high
    fixed = Table(generate("--n", 3, "--seed", 1, "--magnitude", 22)["GALAXIES"][0])
    np.testing.assert_allclose(fixed["h_magnitude"], 22, atol=1e-5)


def test_magnitudes_never_seen_are_warned_of(capsys):
    generate("--n", 1, "--seed", 1, "--magnitude", 19)
    assert "--magnitude 19:19: the network has seen 20:26 only" in capsys.readouterr().err


def test_magnitudes_are_those_that_were_seen(folder, capsys):
    seen = IMAGES | {"magnitudes": [24.51, 25.02]}
    card = {"network": {"name": "dcgan", "arguments": ARGUMENTS}, "images": seen}
    save_checkpoint(folder / "trained/tiny", build_network("dcgan", ARGUMENTS), card)
    magnitudes = Table(generate("--n", 20, "--seed", 1)["GALAXIES"][0])["h_magnitude"]
    assert magnitudes.min() > 24.5
    assert magnitudes.max() < 25.03
    assert not capsys.readouterr().err


def test_without_noise_there_is_one_image():
    found = generate("--n", 2, "--seed", 1, "--noiseless")
    assert "NOISELESS" not in found
    assert (found["IMAGES"][0] > 0).all()
    assert found["IMAGES"][1]["SIGMA"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--magnitude", "23:22"),
            "--magnitude: invalid value: '23:22' (expected LOW:HIGH, rising",
        ),
        (("--redshift", "-1:2"), "--redshift"),
        (("--n", "0"), "--n: invalid value: '0' (expected an integer from 1"),
        (("--checkpoint", "nowhere"), "no checkpoint nowhere"),
        (("--checkpoint", "super_resolution"), "expected one of dcgan"),
        (("--output", "galaxies.txt"), "expected a name ending in .fits"),
        (("--output", "none/galaxies.fits"), "the folder none doesn't exist"),
        (("--device", "cuda:9"), "--device cuda:9: not available here"),
        (("--magnitude", "25:26", "--half-light-radius", "1.9:2"), "widen the ranges"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, words, message):
    start = () if "--checkpoint" in words else ("--checkpoint", "trained/tiny")
    assert message in refused(folder, capsys, "--n", 2, "--seed", 0, *start, *words)
