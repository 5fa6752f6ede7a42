import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.fits import Header
from astropy.wcs import WCS, Sip

from clumpygan.errors import InputError, InputWarning
from clumpygan.io import mirrored, north_angle, pixel_scale_of, rescaled_wcs
from clumpygan.io.wcs import pixels_of, read_wcs, sky_of
from clumpygan.recovery.scene import shifted_wcs


def with_cd(wcs: WCS, angle: float = 0.0) -> WCS:
    """The same WCS by a CD matrix, turned: north `angle` degrees from +y towards -x."""
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    turned = WCS(naxis=2)
    turned.wcs.ctype, turned.wcs.crval = wcs.wcs.ctype, wcs.wcs.crval
    turned.wcs.crpix = wcs.wcs.crpix
    turned.wcs.cd = 0.06 / 3600 * np.array([[-cosine, -sine], [-sine, cosine]])
    return turned


@pytest.mark.parametrize("angle", [None, 0.0, 37.0])
def test_coarse_and_fine_pixels_see_the_same_sky(hst_wcs: WCS, angle: float | None) -> None:
    wcs = hst_wcs if angle is None else with_cd(hst_wcs, angle)
    coarse = rescaled_wcs(wcs, 14 / 5)
    assert pixel_scale_of(coarse) == pytest.approx(0.168)
    # The centre of 112 x 84 HST pixels is that of 40 x 30 HSC pixels.
    fine_centre = wcs.pixel_to_world(55.5, 41.5)
    coarse_centre = coarse.pixel_to_world(19.5, 14.5)
    assert fine_centre.separation(coarse_centre).arcsec < 1e-6
    # And so are the outer corners of the first pixels.
    corner = wcs.pixel_to_world(-0.5, -0.5)
    assert corner.separation(coarse.pixel_to_world(-0.5, -0.5)).arcsec < 1e-6
    back = rescaled_wcs(coarse, 5 / 14)
    np.testing.assert_allclose(back.wcs.crpix, wcs.wcs.crpix)


def test_distortions_are_carried_along(hst_wcs: WCS) -> None:
    a = np.zeros((3, 3))
    a[2, 0], a[1, 1] = 1e-5, -2e-5
    wcs = with_cd(hst_wcs)
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    wcs.sip = Sip(a, -a, None, None, wcs.wcs.crpix)
    coarse = rescaled_wcs(wcs, 2.8)
    x, y = 400.0, -300.0
    expected = wcs.all_pix2world(x, y, 0)
    got = coarse.all_pix2world((x + 0.5) / 2.8 - 0.5, (y + 0.5) / 2.8 - 0.5, 0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)
    assert np.abs(np.subtract(expected, wcs.wcs_pix2world(x, y, 0))).max() > 1e-6


def test_orientation(hst_wcs: WCS) -> None:
    assert north_angle(hst_wcs) == pytest.approx(0.0)
    assert not mirrored(hst_wcs)
    turned = with_cd(hst_wcs, 30.0)
    assert north_angle(turned) == pytest.approx(30.0)
    # A step towards north in the image is a step towards larger declination, and none in RA.
    x, y = -np.sin(np.radians(30)), np.cos(np.radians(30))
    start = np.array(turned.pixel_to_world_values(70.0, 33.0))
    end = np.array(turned.pixel_to_world_values(70.0 + 10 * x, 33.0 + 10 * y))
    np.testing.assert_allclose(end - start, [0, 0.6 / 3600], atol=1e-9)
    hst_wcs.wcs.cdelt = [0.06 / 3600, 0.06 / 3600]
    assert mirrored(hst_wcs)


def test_oblong_pixels_are_refused(hst_wcs: WCS) -> None:
    hst_wcs.wcs.cdelt = [-0.06 / 3600, 0.08 / 3600]
    with pytest.raises(InputError, match=r"a\.fits: pixels are 0\.0600 x 0\.0800 arcsec"):
        pixel_scale_of(hst_wcs, "a.fits")


def test_no_wcs() -> None:
    assert read_wcs(Header()) is None
    assert read_wcs(Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"})) is None


def test_a_cube_has_the_wcs_of_its_sky_axes(hst_wcs: WCS) -> None:
    header = hst_wcs.to_header()
    header.update({"WCSAXES": 3, "CTYPE3": "WAVE", "CRVAL3": 1.0, "CRPIX3": 1.0, "CDELT3": 1.0})
    wcs = read_wcs(header)
    assert wcs is not None
    assert wcs.naxis == 2


def test_distortions_left_over_from_before_drizzling_do_not_apply(hst_wcs: WCS) -> None:
    header = hst_wcs.to_header()
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-3, "B_2_0": 1e-3})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wcs = read_wcs(header)
    assert wcs is not None
    assert wcs.sip is None
    assert "A_ORDER" in header


def test_distortions_that_do_apply_are_read(hst_wcs: WCS) -> None:
    hst_wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    a = np.zeros((3, 3))
    a[2, 0] = 1e-5
    hst_wcs.sip = Sip(a, a, None, None, hst_wcs.wcs.crpix)
    wcs = read_wcs(hst_wcs.to_header(relax=True))
    assert wcs is not None
    np.testing.assert_allclose(
        wcs.all_pix2world(300.0, 40.0, 0), hst_wcs.all_pix2world(300.0, 40.0, 0), rtol=1e-13
    )


def test_cd_and_pc_at_once_are_one_wcs(hst_wcs: WCS) -> None:
    # What header.update(cutout.wcs.to_header()) leaves.
    plain = with_cd(hst_wcs, 37.0)
    header = Header()
    for i in (1, 2):
        for j in (1, 2):
            header[f"CD{i}_{j}"] = plain.wcs.cd[i - 1, j - 1]
    header.update(plain.to_header())
    assert "CD1_1" in header
    assert "PC1_1" in header
    both = read_wcs(header)
    assert both is not None
    for wcs in (both, rescaled_wcs(both, 14 / 5)):
        assert pixel_scale_of(wcs) == pytest.approx(0.06 if wcs is both else 0.168)
    expected = rescaled_wcs(plain, 14 / 5).pixel_to_world(7, 3)
    assert rescaled_wcs(both, 14 / 5).pixel_to_world(7, 3).separation(expected).arcsec < 1e-6


def test_a_pc_matrix_without_its_off_diagonals(hst_wcs: WCS) -> None:
    header = hst_wcs.to_header()
    header["CDELT1"], header["CDELT2"] = 0.02 / 3600, 0.02 / 3600
    header["PC1_1"], header["PC2_2"] = -0.645, 0.645
    with pytest.warns(InputWarning, match="rotation by 50 degrees.*orientation isn't known"):
        wcs = read_wcs(header)
    assert wcs is not None
    assert header["PC1_1"] == -0.645  # the file's header stays as it is
    assert pixel_scale_of(wcs) == pytest.approx(0.02)
    assert mirrored(wcs) == mirrored(hst_wcs)
    # A matrix with its off-diagonals, or one that only mirrors, is left as it is.
    header["PC1_2"], header["PC2_1"] = 0.764, 0.764
    whole = read_wcs(header)
    assert whole is not None
    assert pixel_scale_of(whole) == pytest.approx(0.02, rel=1e-3)


@pytest.mark.parametrize("system", ["ICRS", "galactic", "FK4", "unknown", "latitude first", "SIP"])
def test_positions_are_icrs_whatever_the_system(hst_wcs: WCS, system: str) -> None:
    """There and back, as astropy has it; far away there is nothing."""
    wcs = hst_wcs.deepcopy()
    if system == "galactic":
        wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    elif system == "FK4":
        wcs.wcs.radesys, wcs.wcs.equinox = "FK4", 1950.0
    elif system == "unknown":
        wcs.wcs.radesys = "J2000"
    elif system == "latitude first":
        wcs = wcs.swapaxes(0, 1)
    elif system == "SIP":
        wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
        bent = np.zeros((3, 3))
        bent[2, 0] = 1e-4
        wcs.sip = Sip(bent, bent, None, None, wcs.wcs.crpix)
    wcs.wcs.set()
    x, y = np.array([3.0, 40.0, 90.0]), np.array([7.0, 60.0, 20.0])
    ra, dec = sky_of(wcs, x, y)
    if system == "unknown":
        sky = SkyCoord(*wcs.pixel_to_world_values(x, y), unit="deg")
    else:
        sky = wcs.pixel_to_world(x, y).icrs
    assert SkyCoord(ra, dec, unit="deg").separation(sky).arcsec.max() < 1e-6
    if system == "SIP":
        assert np.abs(ra - sky_of(hst_wcs, x, y)[0]).max() * 3600 > 0.01
    found = pixels_of(wcs, (100, 120), ra, dec)
    np.testing.assert_allclose(found, (x, y), atol=1e-4)
    away = pixels_of(wcs, (100, 120), [*ra, ra[0] + 180], [*dec, -dec[0]])
    assert np.isnan(away).tolist() == [[False] * 3 + [True]] * 2
    # A part of the image has the same sky.
    part = shifted_wcs(wcs, (-7, -3))
    np.testing.assert_allclose(sky_of(part, x - 3, y - 7), (ra, dec), rtol=0, atol=1e-9)
