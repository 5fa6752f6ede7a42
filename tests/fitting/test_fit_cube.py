"""`clumpygan.fit` and `fit_many`: what `fit.py` does, from Python."""

import json
import os
import shutil
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.figure import Figure

import clumpygan
from clumpygan.errors import InputError
from clumpygan.fitting import FitSettings, ObservedFrame, fit, fit_many
from clumpygan.fitting.batch.summary import report_of
from clumpygan.fitting.settings import BatchSettings
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.cubes.reading import read_cube
from tests.commands.fit_cubes import FWHM, GALAXY, make_cube
from tests.fitting.conftest import FRAME, GRID

QUICK = {"psf_fwhm": FWHM, "method": "laplace"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A tiny cube with a truth in its header."""
    return make_cube(tmp_path_factory.mktemp("cube") / "cube.fits")


@pytest.fixture(scope="module")
def found(path):
    return clumpygan.fit(path, **QUICK)


def test_a_file(found, path):
    assert found.table["name"][0] == "flux"
    assert len(found.samples) > 1000
    assert found.problems == ()
    assert found.origin["choices"] == {"method": "laplace", "psf_fwhm": FWHM}
    assert found.origin["file"] == str(path)
    assert isinstance(found.plot(), Figure)
    words = repr(found)
    for name in found.table["name"]:
        assert name in words
    assert "degrees of freedom, S/N" in words


def test_a_cube_that_was_read_and_one_of_spectral_cube(found, path):
    again = fit(read_cube(path), **QUICK)
    assert again.table["median"].tolist() == found.table["median"].tolist()
    spectral_cube = pytest.importorskip("spectral_cube")
    cube = read_cube(path)
    with np.errstate(all="ignore"):
        other = spectral_cube.SpectralCube.read(str(path), hdu=1)
    third = fit(other, variance=cube.variance, **QUICK)
    np.testing.assert_allclose(third.table["median"], found.table["median"], rtol=1e-5)


def test_an_array_with_its_grid(mock):
    chosen = {"method": "laplace", "fix": {"inclination": 55}, "bound": {"flux": (1, 1000)}}
    psf = partial(GaussianPSF(0.7).transfer, wavelength=7000.0)
    framed = fit(mock.data, mock.sigma**2, grid=ObservedFrame(GRID, psf, 0.7), **chosen)
    plain = fit(mock.data, mock.sigma**2, grid=GRID, psf_fwhm=0.7, **chosen)
    assert "inclination" not in framed.table["name"]
    assert plain.table["median"].tolist() == framed.table["median"].tolist()
    with pytest.raises(InputError, match="an array has no grid: give `grid`"):
        fit(mock.data, mock.sigma**2)


def test_what_it_writes_is_what_the_program_writes(found, tmp_path):
    table = found.write(tmp_path / "out", "disk", picture=False)
    assert table["truth"][0] == GALAXY.flux
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "disk_curve.ecsv", "disk_maps.fits", "disk_model.fits", "disk_profile.ecsv",
        "disk_quantities.ecsv", "disk_residual.fits", "disk_samples.fits", "disk_slit.fits",
        "disk_table.ecsv", "disk_table.fits",
    ]  # fmt: skip
    stored = Table.read(tmp_path / "out" / "disk_table.ecsv")
    assert stored["median"].tolist() == found.table["median"].tolist()
    assert stored.meta["choices"] == found.origin["choices"]
    model = read_cube(tmp_path / "out" / "disk_model.fits")
    np.testing.assert_allclose(model.data, found.model_cube, rtol=1e-6)


def test_arrays_are_written_on_their_grid(mock, tmp_path):
    result = fit(mock.data, mock.sigma**2, grid=FRAME, method="laplace")
    result.write(tmp_path, picture=False)
    model = read_cube(tmp_path / "cube_model.fits")
    np.testing.assert_allclose(model.velocities(), GRID.centres[0])
    assert model.pixel_scale == pytest.approx(GRID.pixel_scale)


def test_curves_are_compared(path):
    result = fit(path, curve="freeman,arctan", **QUICK)
    assert sorted(result.comparison["model"]) == ["arctan", "freeman"]
    assert result.galaxy.curve == result.comparison["model"][0]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"psf_fwmh": 0.7}, "`psf_fwmh`: there is no such setting .did you mean psf_fwhm"),
        ({"psf_fwhm": -1}, "`psf_fwhm` is -1: expected a number from 0.0001 to 60"),
        ({"robust": "maybe"}, "`robust` is 'maybe': expected one of none, huber, student"),
        ({"fix": {"boz": 1}}, "`fix`: no parameter 'boz'"),
        ({"curve": "boz"}, "`curve` is 'boz': expected one of arctan"),
        ({"pixel": (3, 3)}, "`position` and `pixel` need `size`"),
        ({"grid": GRID}, "`grid` is that of an array"),
    ],
)
def test_settings_that_arent_possible(path, settings, reason):
    with pytest.raises(InputError, match=reason):
        fit(path, **QUICK | settings)


def test_many_and_again(path, tmp_path):
    for name in "ab":
        shutil.copy(path, tmp_path / f"{name}.fits")
    files, output = [tmp_path / "a.fits", str(tmp_path / "b.fits")], tmp_path / "out"
    more = QUICK | {"picture": False, "model_cubes": False, "maps": False}
    outcomes = fit_many([*files, tmp_path / "missing.fits"], output, **more)
    assert [one.status for one in outcomes] == ["good", "good", "failed"]
    assert outcomes[0].table["median"].tolist() == outcomes[1].table["median"].tolist()
    assert "no such file" in outcomes[2].messages[0]
    summary = Table.read(output / "results.ecsv")
    assert summary["name"].tolist() == ["a", "b", "missing"]
    before = (output / "a_table.ecsv").stat().st_mtime_ns
    os.utime(files[1], (2e9, 2e9))
    again = fit_many(files, output, **more)
    assert (output / "a_table.ecsv").stat().st_mtime_ns == before
    assert {one.name: one.seconds > 0 for one in again} == {"a": False, "b": True}
    # What was read back is what was found, words that are empty among it.
    read, found = (report_of([one])["cubes"][0] for one in (again[0], outcomes[0]))
    assert read["parameters"] == found["parameters"]
    assert "" in [row["limit"] for row in found["parameters"]]
    # A file of it doesn't tell which way they came.
    assert json.dumps(read["meta"]) == json.dumps(found["meta"])
    with pytest.raises(InputError, match=r"a_table\.ecsv was made with other settings \(seed"):
        fit_many(files, output, seed=3, **more)


def test_every_setting_of_many_is_known(tmp_path):
    pytest.importorskip("arviz")
    settings = {one.name: getattr(BatchSettings(), one.name) for one in fields(BatchSettings)}
    settings |= {"output": tmp_path / "out", "inference_data": True, "workers": 1}
    (outcome,) = fit_many([tmp_path / "missing.fits"], **settings, **QUICK)
    assert "no such file" in outcome.messages[0]


def test_settings_know_what_was_chosen():
    settings = FitSettings.of({"free": "g1, g2", "line": "oii,6564.6", "position": [1, 2]})
    assert settings.free == ("g1", "g2")
    assert settings.lines == ("oii", 6564.6)
    assert settings.chosen() == {
        "free": ["g1", "g2"], "line": "oii,6564.6", "position": [1.0, 2.0],
    }  # fmt: skip
