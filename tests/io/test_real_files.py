"""The files of real observatories, each with a header of its own kind."""

from pathlib import Path

import numpy as np
import pytest

from clumpygan.io import mirrored, north_angle, read_catalog, read_image, read_psf, read_stamp
from clumpygan.io import select as select_galaxies

pytestmark = pytest.mark.real_data


def test_xdf(real_data: Path) -> None:
    folder = real_data / "xdf_wfc3ir"
    image = read_image(
        folder / "xdf_hst_wfc3ir_60mas_f160w_sci.fits",
        weight=folder / "xdf_hst_wfc3ir_60mas_f160w_rms.fits",
        expected_scale=0.06,
    )
    assert image.data.shape == (200, 200)
    assert image.zero_point == pytest.approx(25.946, abs=0.002)  # by its filter alone
    assert image.masked_fraction == 0
    assert image.wcs is not None
    assert north_angle(image.wcs) == pytest.approx(0, abs=1e-6)
    assert not mirrored(image.wcs)
    # The XDF reaches magnitude 30 in small apertures: its noise is far below 1 nJy per pixel.
    low, middle = np.percentile(image.data, [16, 50])
    assert 0 < middle - low < 1


@pytest.mark.parametrize("number", range(1, 23))
def test_candels_blocks(real_data: Path, number: int) -> None:
    path = real_data / "candels_uds" / f"h_{number}.fits"
    image, model = read_image(path, expected_scale=0.06), read_image(path, hdu=2, pixel_scale=0.06)
    assert image.zero_point == model.zero_point == pytest.approx(25.946, abs=0.001)
    assert image.data.shape == model.data.shape
    assert (image.data[image.mask] == 0).all()
    assert 0 <= image.masked_fraction < 0.5
    if number in (5, 17):  # at the edge of the mosaic
        assert image.masked_fraction > 0.4
    if number in (8, 10, 13, 16, 19):  # inside it
        assert image.masked_fraction == 0


def test_cosmos_catalogue_and_its_stamps(real_data: Path) -> None:
    folder = real_data / "cosmos_f814w"
    table = read_catalog(folder / "real_galaxy_catalog.fits")
    assert len(table) == 68
    chosen = select_galaxies(table, 2.0, 26.0)
    assert len(chosen) == 48
    for row in chosen[::12]:
        image, psf, psf_scale = read_stamp(row, folder)
        assert image.zero_point == pytest.approx(25.94, abs=0.02)
        assert image.pixel_scale == psf_scale == pytest.approx(0.03)
        assert psf is not None
        assert psf.sum() == pytest.approx(1, abs=0.05)
        magnitude = 31.4 - 2.5 * np.log10(image.data.sum())
        assert magnitude == pytest.approx(row["h_magnitude"], abs=0.4)


def test_hsc_planes_and_their_psfs(real_data: Path) -> None:
    folder = real_data / "hsc_hst_cosmos"
    # The fluxes of this file have no absolute zero point: any will do.
    planes = [
        read_image(
            folder / "blend_hsc_grizy.fits", plane=band, zero_point=27.0, expected_scale=0.168
        )
        for band in "grizy"
    ]
    assert {plane.data.shape for plane in planes} == {(50, 50)}
    assert len({float(plane.data.max()) for plane in planes}) == 5
    psf, scale = read_psf(folder / "psf_hsc_grizy.fits", plane="i")
    assert psf.shape == (31, 31)
    assert scale is None
    np.testing.assert_array_equal(psf, read_psf(folder / "psf_hsc_grizy.fits", plane=2)[0])
    hst = read_image(folder / "blend_hst_f814w.fits", zero_point=25.94, expected_scale=0.03)
    assert hst.wcs is not None
    assert planes[2].wcs is not None
    centres = [
        one.wcs.pixel_to_world((one.data.shape[1] - 1) / 2, (one.data.shape[0] - 1) / 2)
        for one in (hst, planes[2])
    ]
    assert centres[0].separation(centres[1]).arcsec < 1


def test_columns_of_published_catalogues(real_data: Path) -> None:
    fast = read_catalog(real_data / "catalogs" / "uds_3dhst.v4.2.fout.fits")
    assert np.nanmin(fast["redshift"]) >= 0  # -1 stands for a missing one
    assert np.isnan(fast["redshift"]).any()
    goods = read_catalog(
        real_data / "catalogs" / "goodss_3dhst_example_403.fits", flux_zero_point=25.0
    )
    assert len(select_galaxies(goods, None, 26.0)) > 50
