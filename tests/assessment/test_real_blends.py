"""Real blends: the sources that a file lists are looked for in what the survey saw of them."""

import json
import re

import galsim
import numpy as np
import pytest

from clumpygan.assessment.real_blends import METHODS, measure_real_blends, read_blend
from clumpygan.commands.evaluate import main
from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.recovery import pipeline

SMALL = {
    "channels": 4, "blocks": [1, 1], "fine_channels": 4, "fine_blocks": 1, "noise_channels": 2,
}  # fmt: skip
SCALE = 0.168
PSF = galsim.Moffat(beta=3, fwhm=0.6)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Which, untrained, is the Wiener deconvolution."""
    path = tmp_path_factory.mktemp("network") / "small"
    arguments = {"name": "super_resolution", "arguments": SMALL}
    save_checkpoint(path, build_network("super_resolution", SMALL), {"network": arguments})
    return f"{path}.safetensors"


def arrays():
    """Two stars 10 pixels apart in the i band, and a list with a third one where no data are."""
    random = np.random.default_rng(1)
    images = 0.02 * random.standard_normal((5, 40, 45))
    for x, y, flux in ((15, 20, 40), (25, 20, 20)):
        star = galsim.Convolve(PSF, galsim.DeltaFunction(flux=flux)).shift(
            (x - 22) * SCALE, (y - 19.5) * SCALE
        )
        images[2] += star.drawImage(nx=45, ny=40, scale=SCALE).array
    weights = np.full_like(images, 1 / 0.02**2)
    weights[:, :, 38:] = 0
    images[:, :, 38:] = np.nan
    psf = PSF.drawImage(nx=41, ny=41, scale=SCALE).array
    peaks = np.array([(15, 20), (25, 20), (42, 10)], float)
    return {"images": images, "weights": weights, "psfs": np.stack([psf] * 5), "peaks": peaks}


@pytest.fixture
def blends(tmp_path):
    """A folder with a blend, and with one that has no PSF."""
    home = tmp_path / "blends"
    home.mkdir()
    np.savez(home / "two.npz", **arrays())
    np.savez(home / "no_psf.npz", **{k: v for k, v in arrays().items() if k != "psfs"})
    return home


def test_sources_that_are_listed_are_found(blends, network, monkeypatch):
    monkeypatch.setattr(pipeline, "RICHARDSON_LUCY_ITERATIONS", 20)
    found = measure_real_blends(observed=blends, checkpoint=network, samples=4, workers=1)
    table = found.to_dict()
    # The third one has no data.
    assert table["sources"] == 2
    assert tuple(table["methods"]) == METHODS
    for name in ("survey", "richardson_lucy", "network", "sample", "samples"):
        assert table["methods"][name]["found"] == 2, name
    assert table["left_out"] == ["no_psf.npz"]
    (one,) = found.blends
    listed = one.sources[one.sources[:, 3] == 1]
    # Where they are, in the survey's pixels.
    assert np.sort(listed[:, 1])[[0, -1]] == pytest.approx([15, 25], abs=0.6)
    assert listed[:, 0] == pytest.approx(20, abs=0.6)
    json.dumps(table, allow_nan=False)
    # A band without sources has none.
    empty = measure_real_blends(
        observed=blends / "two.npz", band="g", checkpoint=network, samples=4, workers=1
    )
    assert empty.to_dict()["methods"]["samples"]["found"] == 0


def test_the_program_writes_numbers_and_a_picture(blends, network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "RICHARDSON_LUCY_ITERATIONS", 5)
    numbers, picture = tmp_path / "b.json", tmp_path / "b.png"
    main(["blends", "--observed", str(blends), "--checkpoint", network, "--samples", "4",
          "--workers", "1", "--metrics", str(numbers), "--picture", str(picture)])  # fmt: skip
    assert json.loads(numbers.read_text())["methods"]["survey"]["found"] == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "1 real blends, 2 sources are listed" in printed
    assert "1 files have no PSF" in printed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"peaks": None}, "two.npz: has no `peaks`; expected images, psfs, peaks"),
        ({"peaks": np.zeros(4)}, "`peaks` has shape (4,); expected (N, 2)"),
        ({"images": np.zeros((3, 40, 45))}, "`images` has 3 bands; expected 5, grizy"),
        ({"weights": np.ones((5, 40, 44))}, "`weights` has shape (40, 44); expected (40, 45)"),
        ({"weights": np.zeros((5, 40, 45))}, "no weight is positive"),
        ({"images": np.array(["a"])}, "`images` has shape (1,); expected an image"),
        ({"psfs": None}, "no file has a PSF"),
    ],
)
def test_bad_files(tmp_path, network, change, words):
    kept = {name: one for name, one in (arrays() | change).items() if one is not None}
    np.savez(tmp_path / "two.npz", **kept)
    with pytest.raises(InputError, match=re.escape(words)):
        measure_real_blends(observed=tmp_path / "two.npz", checkpoint=network, workers=1)


def test_no_such_files(tmp_path):
    with pytest.raises(InputError, match=r"holds no \.npz file"):
        measure_real_blends(observed=tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        measure_real_blends(observed=tmp_path / "none")
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(InputError, match="can't be read as arrays"):
        read_blend(tmp_path / "text.npz", "i")
    with pytest.raises(InputError, match="not both"):
        measure_real_blends(observed=tmp_path, real=tmp_path / "real.yaml")


def test_sources_of_a_blend_that_hsc_has_seen(real_data):
    """The peaks of the survey's own pipeline are found."""
    path = real_data / "hsc_cosmos_blends" / "43158172147384603.npz"
    found = measure_real_blends(observed=path, samples=4, workers=1)
    assert found.to_dict()["sources"] == 3
    (one,) = found.blends
    assert one.found["network"] >= 2
    assert 0.5 < one.chi2 < 1.6
