"""The PSF of a patch is measured of its stars, which are told from galaxies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import clumpygan
from clumpygan.errors import InputError
from clumpygan.instruments import fwhm_of, pixel_psf
from clumpygan.survey import psfs
from clumpygan.survey.objects import find_peaks_of
from clumpygan.survey.patches import read_patch
from clumpygan.survey.star_psfs import FEWEST_STARS, find_stars, measure_psfs


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A patch of one PSF with many stars."""
    home = tmp_path_factory.mktemp("stars") / "patch"
    made = clumpygan.generate_patch(
        size=420, cells=1, n=60, stars=50, seed=3, max_magnitude=23.5, workers=1, output=home
    )
    made.write()
    return made


@pytest.fixture(scope="module")
def stars(field):
    patch = read_patch(field.settings.output / "calexp.fits", 0.168)
    return patch, find_stars(patch, *find_peaks_of(patch, 0.65 / 0.168), 0.168)


def test_stars_are_told_from_galaxies(field, stars):
    _, found = stars
    truth = field.truth
    away = np.hypot(*(np.subtract.outer(found[axis], truth[axis]) for axis in "xy"))
    nearest = truth[np.argmin(away, axis=1)]
    assert len(found) >= 12
    assert (away.min(axis=1) < 0.2).mean() > 0.9
    assert nearest["star"].mean() > 0.9


def test_the_psf_is_that_of_the_field(field, stars):
    (found,) = measure_psfs(*stars)
    true = pixel_psf(field.psf(field.cells[0]), 0.168, name="true")
    own = pixel_psf(found.image, 0.168, name="own")
    assert fwhm_of(own) == pytest.approx(fwhm_of(true), rel=0.02)
    images = [
        psf.drawImage(nx=41, ny=41, scale=0.168, method="no_pixel").array for psf in (own, true)
    ]
    assert np.abs(images[0] - images[1]).max() < 0.03 * images[1].max()
    assert found.stars >= 12
    assert 0 < found.error < 0.01
    few = stars[1][: FEWEST_STARS - 1]
    assert measure_psfs(stars[0], few) == []


def test_a_survey_measures_its_psf(field, network, tmp_path, monkeypatch):
    home = field.settings.output
    galaxies = field.truth[~field.truth["star"]][:6]
    galaxies["id", "ra", "dec"].write(tmp_path / "some.fits")
    settings = {"samples": 4, "checkpoint": network, "workers": 1}
    table = clumpygan.recover_survey(
        home / "calexp.fits", tmp_path / "some.fits", psf_stars=True, output=tmp_path / "out",
        **settings,
    )  # fmt: skip
    good = table[table["status"] == "good"]
    assert len(good) > 2
    assert good["seeing"] == pytest.approx(np.full(len(good), field.cells[0].fwhm), rel=0.02)
    assert ((good["seeing_error"] > 0) & (good["seeing_error"] < 0.01)).all()
    (path,) = (tmp_path / "out" / "psf").iterdir()
    header = fits.getheader(path)
    assert header["NSTARS"] >= 12
    assert header["PIXSCALE"] == pytest.approx(0.168)
    before = Path(tmp_path, "out", "catalogue.parquet").read_bytes()
    # It goes on with what was measured, where measuring again gives other bits.
    real, measured = psfs.measure_psfs, []

    def elsewhere(patch, stars):
        measured.append(patch.path.name)
        return [one._replace(image=one.image * np.float32(1 + 1e-6)) for one in real(patch, stars)]

    monkeypatch.setattr(psfs, "measure_psfs", elsewhere)
    clumpygan.recover_survey(  # goes on, to the same
        home / "calexp.fits", tmp_path / "some.fits", psf_stars=True, output=tmp_path / "out",
        **settings,
    )  # fmt: skip
    assert Path(tmp_path, "out", "catalogue.parquet").read_bytes() == before
    assert measured == []
    # But for what is damaged.
    whole = path.read_bytes()
    path.write_bytes(whole[:2880])
    with pytest.raises(InputError, match="holds a survey with other settings"):
        clumpygan.recover_survey(
            home / "calexp.fits", tmp_path / "some.fits", psf_stars=True, output=tmp_path / "out",
            **settings,
        )  # fmt: skip
    assert measured == ["calexp.fits"]
    path.write_bytes(whole)
    # The folder of what was measured serves again.
    again = clumpygan.recover_survey(
        home / "calexp.fits", tmp_path / "some.fits", psf=tmp_path / "out" / "psf",
        output=tmp_path / "again", **settings,
    )  # fmt: skip
    np.testing.assert_array_equal(again["flux_1"], table["flux_1"])


def test_stars_that_cant_be_fitted_make_no_psf(stars):
    patch, found = stars
    dark = replace(patch, data=0 * patch.data)
    assert measure_psfs(dark, found) == []


def test_a_patch_without_stars_is_refused(patch, network, tmp_path):
    with pytest.raises(InputError, match=r"calexp\.fits has fewer than 8 bright stars"):
        clumpygan.recover_survey(
            patch.settings.output / "calexp.fits", patch.settings.output / "truth.fits",
            psf_stars=True, output=tmp_path / "out", checkpoint=network,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_sources_that_arent_alone_are_no_stars(stars):
    patch, found = stars
    row = found[0]
    y, x = np.indices(patch.shape)
    beside = np.exp(-0.5 * ((y - row["y"]) ** 2 + (x - row["x"] - 9) ** 2) / 1.6**2)
    light = 0.3 * patch.data[round(row["y"]), round(row["x"])] * beside
    spoilt = replace(patch, data=patch.data + light)
    left = find_stars(spoilt, *find_peaks_of(spoilt, 0.65 / 0.168), 0.168)
    assert isinstance(left, Table)
    assert np.hypot(left["x"] - row["x"], left["y"] - row["y"]).min() > 5
