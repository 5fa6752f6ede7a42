"""Simulated patches of a survey: where things are, what is masked, and that nothing depends on who
draws."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import clumpygan
from clumpygan.commands.generate import main
from clumpygan.errors import InputError, InputWarning
from clumpygan.generation import patch as patch_module
from clumpygan.generation.patch import MASK_PLANES
from clumpygan.io import read_image

SMALL = {"size": 150, "cells": 2, "n": 12, "stars": 4, "seed": 2}


@pytest.fixture(scope="module")
def patch(tmp_path_factory):
    made = clumpygan.generate_patch(**SMALL, output=tmp_path_factory.mktemp("patch"))
    made.write()
    return made


def test_files_are_those_of_a_pipeline(patch):
    home = patch.settings.output
    with pytest.warns(InputWarning, match="pixels are .*NO_DATA in its MASK"):
        image = read_image(home / "calexp.fits")
    assert image.zero_point == pytest.approx(31.4)
    assert image.pixel_scale == pytest.approx(0.168)
    assert image.mask[:3].all()  # NO_DATA, by the bits of the mask
    with fits.open(home / "calexp.fits") as hdus:
        assert [one.name for one in hdus[1:]] == ["IMAGE", "MASK", "VARIANCE"]
        assert [hdus["MASK"].header[f"MP_{name}"] for name in MASK_PLANES] == list(range(10))
        ra, dec = WCS(hdus["IMAGE"].header).all_pix2world(patch.truth["x"], patch.truth["y"], 0)
    truth = Table.read(home / "truth.fits")
    assert len(truth) == 16
    assert truth["star"].sum() == 4
    np.testing.assert_allclose([truth["ra"], truth["dec"]], [ra, dec], rtol=0, atol=1e-9)
    psf, header = fits.getdata(home / "psf" / "psf_01_00.fits", header=True)
    assert (header["X"], header["Y"]) == (37.0, 112.0)
    assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert not np.array_equal(psf, fits.getdata(home / "psf" / "psf_00_01.fits"))


def test_everything_is_where_the_truth_says(monkeypatch):
    """Without noise, the light of each thing is around its place, all of it."""
    kept = {}
    observed = patch_module._observed
    monkeypatch.setattr(
        patch_module, "_observed", lambda *a: kept.setdefault("light", a[1].copy()) is None
        or observed(*a)
    )  # fmt: skip
    made = clumpygan.generate_patch(
        size=400, cells=1, n=3, stars=3, seed=5, min_magnitude=20, max_magnitude=21
    )
    y, x = np.indices(kept["light"].shape)
    others = made.truth
    checked = 0
    for row in made.truth:
        near = np.hypot(y - row["y"], x - row["x"]) < 12
        apart = np.hypot(others["y"] - row["y"], others["x"] - row["x"])
        if np.sort(apart)[1] < 60 or min(row["x"], row["y"]) < 20 or max(row["x"], row["y"]) > 379:
            continue
        light = kept["light"] * near
        centre = [(light * axis).sum() / light.sum() for axis in (y, x)]
        assert centre == pytest.approx([row["y"], row["x"]], abs=0.05 if row["star"] else 1.0)
        assert light.sum() == pytest.approx(row["flux"], rel=0.1)
        checked += 1
    assert checked >= 3


def test_noise_is_what_the_variance_says(patch):
    image, sigma = patch.image, np.sqrt(patch.variance)
    dark = (patch.mask == 0) & np.isfinite(image)
    pull = image[dark] / sigma[dark]
    assert np.median(np.abs(pull - np.median(pull))) * 1.4826 == pytest.approx(1, abs=0.1)
    assert np.isnan(image[:3]).all()
    assert np.isfinite(image[3:]).all()


def test_the_same_patch_whoever_draws_it(patch, monkeypatch):
    again = clumpygan.generate_patch(**SMALL, workers=2)
    for name in ("image", "variance", "mask"):
        assert getattr(again, name).tobytes() == getattr(patch, name).tobytes()
    other = clumpygan.generate_patch(**{**SMALL, "seed": 3})
    assert other.truth["x"][0] != patch.truth["x"][0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 100, "cells": 4}, "`cells` 4: of 100 pixels each is narrower than 50"),
        ({"min_magnitude": 24, "max_magnitude": 24}, "`min_magnitude` 24: expected less than"),
        ({"instrument": "hst_wfc3_f160w"}, "expected a survey from the ground"),
        ({"instrument": "boz"}, "no instrument 'boz'"),
        ({"size": 10}, "`size` is 10: expected an integer from 100"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(InputError) as refused:
        clumpygan.generate_patch(**settings)
    assert words in str(refused.value)


def test_the_program(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["patch", "--size", "120", "--cells", "1", "--n", "2", "--stars", "1"])
    assert "2 galaxies and 1 stars" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "patch").iterdir()) == [
        "calexp.fits", "psf", "truth.fits",
    ]  # fmt: skip
    for output, words in (("patch/calexp.fits", "is a file"), ("a/b", "a doesn't exist")):
        with pytest.raises(SystemExit) as stopped:
            main(["patch", "--output", output])
        assert stopped.value.code == 2
        assert words in capsys.readouterr().err
