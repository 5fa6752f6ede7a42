"""Real blends: the sources that a file lists are looked for in what the survey saw of them."""

import json
import os
import re
import zipfile

import galsim
import numpy as np
import pytest

from benchmarks import real_blends as benchmark
from clumpygan.assessment import real_blends
from clumpygan.assessment.blend_settings import BlendSettings
from clumpygan.assessment.real_blends import METHODS, RealBlends, SeenBlend, measure_real_blends
from clumpygan.commands.evaluate import main
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.sources import Source
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.io.listed_blends import read_blend
from clumpygan.plots.real_blends import real_blend_figure
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


def stars(shape, places, flux=40.0):
    """One image without gaps, and what is listed."""
    height, width = shape
    image = 0.02 * np.random.default_rng(2).standard_normal(shape)
    for x, y in places:
        star = galsim.Convolve(PSF, galsim.DeltaFunction(flux=flux)).shift(
            (x - (width - 1) / 2) * SCALE, (y - (height - 1) / 2) * SCALE
        )
        image += star.drawImage(nx=width, ny=height, scale=SCALE).array
    psf = PSF.drawImage(nx=41, ny=41, scale=SCALE).array
    return {"images": image, "psfs": psf, "peaks": np.array(places, float)}


@pytest.mark.parametrize(("shape", "place"), [((38, 43), (18, 13)), ((18, 18), (8, 10))])
def test_places_are_those_of_the_file_whatever_its_shape(
    tmp_path, network, monkeypatch, shape, place
):
    """Whose image becomes whole blocks of pixels, at least five of them, around it."""
    monkeypatch.setattr(pipeline, "RICHARDSON_LUCY_ITERATIONS", 20)
    np.savez(tmp_path / "one.npz", **stars(shape, [place]))
    found = measure_real_blends(
        observed=tmp_path / "one.npz", checkpoint=network, samples=4, workers=1
    )
    (one,) = found.blends
    assert all(one.found[method] == 1 for method in METHODS), one.found
    (listed,) = one.sources[one.sources[:, 3] == 1]
    assert tuple(listed[1::-1]) == pytest.approx(place, abs=0.6)
    assert tuple(one.peaks[0, ::-1]) == place
    # In the picture too the cross is on the brightest pixel of each image.
    axes = real_blend_figure(found).axes
    for axis in axes:
        (image,) = axis.images
        left, right, low, high = image.get_extent()
        pixels = np.asarray(image.get_array())
        y, x = np.unravel_index(pixels.argmax(), pixels.shape)
        at = (left + (x + 0.5) * (right - left) / pixels.shape[1],
              low + (y + 0.5) * (high - low) / pixels.shape[0])  # fmt: skip
        assert at == pytest.approx(place, abs=0.8)
        assert axis.lines[0].get_xydata()[0].tolist() == list(place)


def test_what_chance_finds_is_told_beside(tmp_path, network, monkeypatch):
    """A grid of stars is found on lists that are shifted by its own step as often as on its own."""
    monkeypatch.setattr(pipeline, "RICHARDSON_LUCY_ITERATIONS", 5)
    grid = [(x, y) for x in (8, 23, 38) for y in (8, 23, 38)]
    for name, places in (("grid", grid), ("one", [(20, 20)])):
        np.savez(tmp_path / f"{name}.npz", **stars((45, 45), places))
    chances = {}
    for name in ("grid", "one"):
        table = measure_real_blends(
            observed=tmp_path / f"{name}.npz", checkpoint=network, samples=4, workers=1
        )
        methods = table.to_dict()["methods"]
        chances[name] = [methods[method]["chance"] for method in ("survey", "samples")]
        assert "chance" in str(table)
        assert methods["survey"]["share"] == 1
    assert chances["grid"] == [1, 1]
    assert chances["one"] == [0, 0]


def test_a_listed_source_makes_one_found_source_a_listed_one(tmp_path, network, monkeypatch):
    """Two stars within its reach are two sources, of which the list has one."""
    monkeypatch.setattr(pipeline, "RICHARDSON_LUCY_ITERATIONS", 5)
    sources = [
        Source(
            *((one, one, one) for one in (y, x, 1.0, 0.1)),
            share=share,
            probability=share,
            nucleus=False,
        )
        for y, x, share in ((62.5, 62.5, 1.0), (62.5, 66.0, 0.9))
    ]
    monkeypatch.setattr(real_blends, "find_sources", lambda *given, **more: sources)
    np.savez(tmp_path / "one.npz", **stars((45, 45), [(22, 22)]))
    (one,) = measure_real_blends(
        observed=tmp_path / "one.npz", checkpoint=network, samples=4, workers=1
    ).blends
    assert one.sources[:, 3].tolist() == [1, 0]
    assert one.found["samples"] == 1


def test_an_unknown_misfit_is_none(tmp_path, network, monkeypatch):
    monkeypatch.setattr(pipeline, "RICHARDSON_LUCY_ITERATIONS", 5)
    measure = pipeline.measure
    monkeypatch.setattr(pipeline, "measure", lambda *given: measure(*given) | {"chi2": None})
    np.savez(tmp_path / "one.npz", **stars((25, 25), [(12, 12)]))
    found = measure_real_blends(
        observed=tmp_path / "one.npz", checkpoint=network, samples=4, workers=1
    )
    assert found.to_dict()["blends"][0]["chi2"] is None
    json.dumps(found.to_dict(), allow_nan=False)
    assert "chi2" not in real_blend_figure(found).axes[0].get_ylabel()


def test_panels_share_a_brightness_whatever_the_grid():
    """An image of twice as fine pixels looks like the survey's own, if it is as bright."""
    survey = np.random.default_rng(3).random((6, 7)).astype(np.float32)
    fine = survey.repeat(2, 0).repeat(2, 1) / 4
    counts = dict.fromkeys(METHODS, 1)
    seen = SeenBlend(
        "one", np.ones((1, 2)), 0, counts, counts, counts, np.zeros((0, 5)), 1.0,
        {name: survey if name == "survey" else fine for name in METHODS}, (-0.5, 6.5, -0.5, 5.5),
        0.1,
    )  # fmt: skip
    first, *others = real_blend_figure(RealBlends(BlendSettings(), (seen,), ())).axes
    for axis in others:
        shown = np.asarray(axis.images[0].get_array())[::2, ::2]
        assert shown == pytest.approx(np.asarray(first.images[0].get_array()), rel=1e-5)


def test_settings_of_other_galaxies_are_refused(tmp_path):
    for more in ({"n": 20}, {"cache": tmp_path}):
        with pytest.raises(InputError, match="is of galaxies that are made"):
            BlendSettings(observed=tmp_path, **more)
    with pytest.raises(InputError, match="`band` goes with `observed`"):
        BlendSettings(band="g")


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
        ({"images": np.zeros((0, 45))}, "`images` has shape (0, 45); expected an image"),
        ({"psfs": None}, "no file has a PSF"),
        ({"peaks": np.zeros((0, 2))}, "no source is listed where there are data"),
        ({"peaks": np.array([(42.0, 10)])}, "no source is listed where there are data"),
        ({"peaks": np.array([("a", "b")])}, "two.npz: `peaks` aren't all numbers"),
        ({"psf_scale": np.ones(2)}, "`psf_scale` is of shape (2,); expected a number > 0"),
        ({"psf_scale": -0.1}, "`psf_scale` is -0.1; expected a number > 0"),
        ({"zero_point": "AB"}, "`zero_point` is 'AB'; expected a number"),
        ({"zero_point": np.nan}, "`zero_point` is nan; expected a number"),
    ],
)
def test_bad_files(tmp_path, network, change, words):
    kept = {name: one for name, one in (arrays() | change).items() if one is not None}
    np.savez(tmp_path / "two.npz", **kept)
    with pytest.raises(InputError, match=re.escape(words)):
        measure_real_blends(observed=tmp_path / "two.npz", checkpoint=network, workers=1)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a.npz: no such file; expected a blend"):
        read_blend(tmp_path / "a.npz", "i")


def test_no_such_files(tmp_path):
    with pytest.raises(InputError, match=r"holds no \.npz file"):
        measure_real_blends(observed=tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        measure_real_blends(observed=tmp_path / "none")
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(InputError, match="can't be read as arrays"):
        read_blend(tmp_path / "text.npz", "i")
    (tmp_path / "nothing.npz").touch()
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros((40, 45)))
    # Headers of arrays are read as Python; archives may be of a kind that isn't known, or a bomb.
    for name, content in (
        ("header", b"\x93NUMPY\x01\x00\x10\x00{'descr': ('<f8' \n"),
        ("bomb", bytes(2**28 + 1)),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", content)
    for name in ("nothing", "single", "header", "bomb"):
        with pytest.raises(InputError, match="can't be read as arrays"):
            read_blend(tmp_path / f"{name}.npz", "i")
    with pytest.raises(InputError, match="not both"):
        measure_real_blends(observed=tmp_path, real=tmp_path / "real.yaml")


@pytest.mark.real_data
def test_sources_of_a_blend_that_hsc_has_seen(real_data):
    """The peaks of the survey's own pipeline are found."""
    path = real_data / "hsc_cosmos_blends" / "43158172147384603.npz"
    found = measure_real_blends(observed=path, samples=4, workers=1)
    assert found.to_dict()["sources"] == 3
    (one,) = found.blends
    assert one.found["network"] >= 2
    assert 0.5 < one.chi2 < 1.6


def test_the_benchmark_wants_to_be_told_where_the_data_are(monkeypatch, tmp_path, capsys):
    """It looks nowhere else."""
    monkeypatch.delenv("CLUMPYGAN_REAL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["real_blends.py"])
    with pytest.raises(SystemExit) as refused:
        benchmark.main()
    assert refused.value.code == 2
    assert "set CLUMPYGAN_REAL_DATA" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
