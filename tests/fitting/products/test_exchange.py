"""SpectralCube, NDData and InferenceData, in and out."""

import warnings

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty

import clumpygan
from clumpygan.errors import InputError
from clumpygan.fitting.batch.results import wanted_files
from clumpygan.fitting.settings import BatchSettings
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.writing import write_cube
from tests.fitting.conftest import GRID, make_mock

HOW = {"method": "laplace", "line": "halpha", "redshift": 0.3, "psf_fwhm": 0.7,
       "line_spread": 40.0}  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path, mock = tmp_path_factory.mktemp("cubes") / "cube.fits", make_mock(2)
    step = 6564.61 * 1.3 * 45.0 / 299792.458
    first = 6564.61 * 1.3 - 9.5 * step
    axis = SpectralAxis("wavelength", first, step, GRID.shape[0], medium="vacuum")
    write_cube(path, mock.data / step, axis=axis, pixel_scale=0.2,
               variance=np.full(mock.data.shape, (mock.sigma / step) ** 2),
               unit="1e-20 erg/s/cm2/Angstrom")  # fmt: skip
    return path


@pytest.fixture(scope="module")
def found(path):
    return clumpygan.fit(path, **HOW)


def test_nddata_there_and_back(found):
    data = found.to_nddata("data")
    assert str(data.unit) == "1e-20 erg / (Angstrom s cm2)"
    again = clumpygan.fit(data, **HOW)
    for name in ("inclination", "systemic_velocity", "flux"):
        assert again.values[name] == pytest.approx(found.values[name], rel=0.01, abs=0.5)
    errors = StdDevUncertainty(np.sqrt(data.uncertainty.array))
    mask = np.zeros(data.data.shape, bool)
    mask[:, 0] = True
    masked = NDData(data.data, errors, mask, data.wcs, unit=data.unit)
    third = clumpygan.fit(masked, **HOW)
    assert third.values["inclination"] == pytest.approx(found.values["inclination"], abs=3)
    assert not third.observation.valid[:, 0].any()
    assert found.to_nddata("model").uncertainty is None


def test_nddata_without_world_coordinates_is_refused(found):
    with pytest.raises(InputError, match="without a WCS"):
        clumpygan.fit(NDData(found.model_cube), **HOW)
    with pytest.raises(InputError, match=r"shape \(18, 18\): expected \(v, y, x\)"):
        clumpygan.fit(NDData(found.model_cube[0], wcs=found.to_nddata("model").wcs), **HOW)
    with pytest.raises(InputError, match="no cube 'moment': expected one of data, model"):
        found.to_nddata("moment")


def test_a_spectral_cube(found):
    pytest.importorskip("spectral_cube")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cube = found.to_spectral_cube("model")
        assert str(cube.unit) == "1e-20 erg / (Angstrom s cm2)"
        step = found.observation.layout.per_voxel
        np.testing.assert_allclose(
            cube.unmasked_data[:].value * step, found.model_cube, rtol=1e-5, atol=1e-9
        )


def test_a_spectrum_of_the_galaxy(found):
    pytest.importorskip("specutils")
    data, model = found.to_spectrum("data"), found.to_spectrum("model")
    # The line is where it was put, and as bright as the fit says.
    step = 6564.61 * 1.3 * 45.0 / 299792.458
    centre = np.average(model.spectral_axis.to_value("Angstrom"), weights=model.flux.value)
    speed = (centre / (6564.61 * 1.3) - 1) * 299792.458
    assert speed == pytest.approx(found.values["systemic_velocity"], abs=20)
    assert str(data.flux.unit) == "1e-20 erg / (Angstrom s cm2)"
    spaxels = found.maps.galaxy
    assert 0 < spaxels.sum() == data.meta["spaxels"] < spaxels.size
    light = found.model_cube[:, spaxels].sum() / step
    assert model.flux.value.sum() == pytest.approx(light, rel=1e-4)
    pulls = (data.flux - model.flux).value / data.uncertainty.array
    assert 0.4 < np.sqrt(np.mean(pulls**2)) < 1.6
    assert model.uncertainty is None
    with pytest.raises(InputError, match="no cube 'moment'"):
        found.to_spectrum("moment")


def test_specutils_reads_what_is_written_and_its_spectra_are_fitted(path, found):
    specutils = pytest.importorskip("specutils")
    cube = specutils.Spectrum.read(
        path, format="wcs1d-fits", uncertainty_hdu="STAT", uncertainty_type="var"
    )
    assert cube.flux.shape == found.observation.data.shape
    wave = cube.spectral_axis.to_value("Angstrom")
    np.testing.assert_allclose(wave, found.observation.layout.axis.values, rtol=1e-9)
    again = clumpygan.fit(cube, **HOW)
    for name in ("inclination", "systemic_velocity", "flux"):
        assert again.values[name] == pytest.approx(found.values[name], rel=0.01, abs=0.5)


def test_inference_data(found):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("arviz")
    data = found.to_inference_data()
    assert set(data.posterior.data_vars) == set(found.table["name"])
    assert data.posterior["inclination"].attrs["units"] == "deg"
    place = list(found.table["name"]).index("inclination")
    middle = float(data.posterior["inclination"].median())
    assert middle == pytest.approx(found.table["median"][place], abs=0.2)


def test_inference_data_is_written_and_wanted(found, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arviz = pytest.importorskip("arviz")
    found.write(tmp_path, "galaxy", picture=False, model_cubes=False, maps=False,
                inference_data=True)  # fmt: skip
    data = arviz.from_netcdf(tmp_path / "galaxy_posterior.nc", engine="h5netcdf")
    assert set(data.posterior.data_vars) == set(found.table["name"])
    assert data.posterior.attrs["verdict"] == found.verdict.word
    assert "posterior.nc" in wanted_files(BatchSettings(inference_data=True))
    assert "posterior.nc" not in wanted_files(BatchSettings())


def test_without_arviz_it_is_said_at_once(monkeypatch):
    monkeypatch.setattr("clumpygan.fitting.settings.find_spec", lambda name: None)
    with pytest.raises(InputError, match="`inference_data`: InferenceData needs arviz"):
        BatchSettings(inference_data=True)
