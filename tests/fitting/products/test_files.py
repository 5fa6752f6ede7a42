"""Maps, slit and profiles as files."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

from clumpygan.fitting.products.files import PRODUCTS, write_products
from tests.fitting.conftest import TRUTH


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("products")
    write_products(folder / "galaxy", result)
    return folder


def test_all_are_written(folder):
    assert {path.name for path in folder.iterdir()} == {f"galaxy_{what}" for what in PRODUCTS}


def test_maps(folder, result):
    with fits.open(folder / "galaxy_maps.fits") as hdus:
        velocity = hdus["DATA_VELOCITY"]
        np.testing.assert_allclose(velocity.data, result.maps.data.maps.velocity, rtol=1e-6)
        assert velocity.header["BUNIT"] == "km/s"
        assert WCS(velocity.header).naxis == 2
        left = hdus["DATA_FLUX"].data - hdus["MODEL_FLUX"].data
        np.testing.assert_allclose(hdus["RESIDUAL_FLUX"].data, left, atol=1e-6)
        for name in ("ERROR_DISPERSION", "DATA_FLUX_NII", "ERROR_FLUX_HALPHA"):
            assert np.isfinite(hdus[name].data).sum() > 20


def test_the_slit(folder, result):
    with fits.open(folder / "galaxy_slit.fits") as hdus:
        data, error = hdus["DATA"], hdus["ERROR"].data
        z = (hdus["RESIDUAL"].data / error)[np.isfinite(error)]
        assert np.std(z) == pytest.approx(1, abs=0.15)
        header = data.header
        assert header["SLITPA"] == pytest.approx(result.values["position_angle"] % 360)
        offsets = header["CRVAL1"] + header["CDELT1"] * np.arange(header["NAXIS1"])
        near = hdus["CHANNELS"].data["velocity"]
        line = np.abs(near) < 400
        mean = np.nansum(hdus["MODEL"].data[line] * near[line, None], axis=0)
        assert np.nansum(mean * offsets) > 0  # positive offsets recede


def test_profiles(folder):
    slit = QTable.read(folder / "galaxy_profile.ecsv")
    known = np.isfinite(slit["velocity_error"])
    assert known.sum() > 6
    pull = (slit["velocity"] - slit["velocity_model"])[known] / slit["velocity_error"][known]
    assert abs(np.median(pull)) < 1.5
    assert slit["velocity"].unit == "km / s"
    curve = QTable.read(folder / "galaxy_curve.ecsv")
    radius = curve["radius"].to_value("arcsec")
    truth = TRUTH["maximum_velocity"] * 2 / np.pi
    truth = truth * np.arctan(radius / TRUTH["turnover_radius"])
    half = 0.5 * (curve["velocity_upper"] - curve["velocity_lower"]).value
    far = radius > 0.3
    assert (np.abs(curve["velocity"].value - truth)[far] < 4 * half[far]).all()
