"""Cut-outs: what is in them, where they are on the sky, what is masked."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from clumpygan.evaluation.recovery.fidelity import nucleus_of


def test_cutouts_hold_what_was_recovered_where_it_is(recover, patch):
    """A star's light lies at its coordinates; means and errors are those of the samples."""
    with fits.open("patch/calexp.fits", mode="update") as hdus:
        # Beside a star, so that its cut-out has pixels without data.
        star = patch.truth[patch.truth["star"]][0]
        hdus["IMAGE"].data[:, round(star["x"]) + 5] = np.nan
    table = recover(cutouts="samples")
    assert (table["status"] == "good").sum() > 15
    hidden = 0
    for row in table:
        if row["status"] != "good":
            assert not row["cutout"]
            continue
        assert row["cutout"].endswith(f"/{row['id']}.fits")
        with fits.open(Path("out", row["cutout"])) as hdus:
            assert [one.name for one in hdus[1:]] == ["MEAN", "ERROR", "SAMPLES"]
            header, mean, error = hdus[0].header, hdus["MEAN"].data, hdus["ERROR"].data
            samples, wcs = hdus["SAMPLES"].data, WCS(hdus["MEAN"].header)
            assert WCS(hdus["SAMPLES"].header).celestial.naxis == 2
            assert hdus["MEAN"].header["BUNIT"] == "nJy"
        assert header["OBJECT"] == row["id"]
        assert header["PATCH"] == "calexp.fits"
        assert header["SEEING"] == pytest.approx(row["seeing"])
        assert samples.shape == (4, 56, 56)
        known = np.isfinite(mean)
        assert np.array_equal(known, np.isfinite(error))
        hidden += (~known).any()
        np.testing.assert_allclose(mean[known], samples.mean(0)[known], rtol=1e-4, atol=1e-3)
        assert np.isfinite(samples).all()
        truth = patch.truth[patch.truth["id"] == int(row["id"])][0]
        if truth["star"] and truth["h_magnitude"] > 19 and known.all():
            y, x = nucleus_of(samples.mean(0), 0.06)
            ra, dec = wcs.all_pix2world(x, y, 0)
            assert np.hypot(
                (ra - truth["ra"]) * np.cos(np.radians(dec)), dec - truth["dec"]
            ) * 3600 < 0.1  # fmt: skip
    assert 0 < hidden < 15


def test_means_alone(recover):
    table = recover(cutouts="mean", max_magnitude=22)
    good = table[table["status"] == "good"]
    with fits.open(Path("out", good["cutout"][0])) as hdus:
        assert [one.name for one in hdus[1:]] == ["MEAN", "ERROR"]
    plain = recover("plain", max_magnitude=22)
    assert not Path("plain/cutouts").exists()
    for name in ("magnitude", "chi2", "p_blend"):
        assert np.array_equal(plain[name], table[name], equal_nan=True)


def test_cutouts_of_patches_without_a_wcs(recover):
    """Positions are in pixels; the header says how wide those of the cut-out are."""
    with fits.open("patch/calexp.fits") as hdus:
        header = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.168})
        image = np.nan_to_num(hdus["IMAGE"].data)
        fits.PrimaryHDU(image, header).writeto("plain.fits")
    Path("some.csv").write_text("id,x,y\na,80,80\n")
    table = recover(image="plain.fits", catalog="some.csv", psf=None, psf_fwhm=0.6, cutouts="mean")
    with fits.open(Path("out", table["cutout"][0])) as hdus:
        assert hdus["MEAN"].header["PIXSCALE"] == pytest.approx(0.06)
        assert "CRVAL1" not in hdus["MEAN"].header
