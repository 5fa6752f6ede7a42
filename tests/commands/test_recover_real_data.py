"""recover.py on real observations: CANDELS, COSMOS, the XDF, and one field seen by HSC and HST."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from clumpygan.commands.recover import main
from clumpygan.recovery import Recovery

pytestmark = [pytest.mark.real_data, pytest.mark.usefixtures("without_network", "no_picture")]


@pytest.fixture
def no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recovery, "plot", lambda recovery, wcs: Figure(figsize=(1, 1), dpi=10))


def run(folder: Path, *flags: object) -> dict:
    words = ("--output", folder / "a.png", "--metrics", folder / "a.json", "--seed", 1)
    main([str(word) for word in (*words, "--samples", 2, "--no-richardson-lucy", *flags)])
    return json.loads((folder / "a.json").read_text())


def test_every_candels_stamp_is_recovered(tmp_path: Path, real_data: Path) -> None:
    psf = real_data / "psf" / "candels_vdwel_60mas_f160w.fits"
    stamps = sorted((real_data / "candels_uds").glob("h_*.fits"))
    assert len(stamps) == 22
    reports = {path.stem: run(tmp_path, "--image", path, "--psf", psf) for path in stamps}
    assert all(report["unit"] == "nJy" for report in reports.values())
    # a mosaic edge runs through most of the stamps
    assert reports["h_5"]["masked_fraction"] > 0.4
    assert reports["h_19"]["masked_fraction"] < 0.45
    assert any("as compact as the PSF" in remark for remark in reports["h_6"]["remarks"])
    assert any("dead, hot" in warning for warning in reports["h_4"]["warnings"])
    assert any("touches the edge" in remark for remark in reports["h_5"]["remarks"])
    # CANDELS-Wide noise, seen through the seeing, is deeper than HSC's in no aperture of 2"
    # (h_9 and h_20 are saturated stars: their light hides what neighbours share of the noise)
    stars = ("h_9", "h_20")
    assert all(report["depth"] < 26.1 for name, report in reports.items() if name not in stars)
    assert all(reports[name]["depth"] < 26.21 for name in stars)


def test_a_part_of_the_xdf(tmp_path: Path, real_data: Path) -> None:
    image = real_data / "xdf_wfc3ir" / "xdf_hst_wfc3ir_60mas_f160w_sci.fits"
    psf = real_data / "psf" / "candels_vdwel_60mas_f160w.fits"
    report = run(tmp_path, "--image", image, "--psf", psf, "--position", 160, 66)
    assert report["depth"] == pytest.approx(26.2, abs=0.02)  # far deeper: all of HSC's noise added
    assert 24 < report["methods"]["network"]["magnitude"] < 26


def test_a_cosmos_galaxy_from_the_catalogue(tmp_path: Path, real_data: Path) -> None:
    catalogue = real_data / "cosmos_f814w" / "real_galaxy_catalog.fits"
    report = run(tmp_path, "--catalog", catalogue, "--max-redshift", 1, "--max-hmag", 23)
    assert 0 < report["redshift"] < 1
    assert 20 < report["magnitude"] < 23
    assert 1 < report["galaxies_in_the_selection"] < 68
    measured = report["methods"]["network"]["magnitude"]
    assert measured == pytest.approx(report["magnitude"], abs=0.8)


def test_hsc_and_hst_images_of_one_field_are_registered(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "hsc_hst_cosmos"
    report = run(
        tmp_path, "--hsc", folder / "blend_hsc_grizy.fits", "--psf", folder / "psf_hsc_grizy.fits",
        "--reference", folder / "blend_hst_f814w.fits",
        "--reference-psf", folder / "psf_hst_f814w.fits",
    )  # fmt: skip
    found = report["registration"]
    assert found["correlation"] > 0.99
    assert (found["x_arcsec"] ** 2 + found["y_arcsec"] ** 2) ** 0.5 == pytest.approx(0.08, abs=0.02)
    assert any("reference registered: their WCS differ by 0.0" in r for r in report["remarks"])
    assert report["methods"]["network"]["centroid_shift"] < 0.03


def test_a_spiral_seen_by_hsc_alone(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "hsc_hst_cosmos"
    report = run(
        tmp_path, "--hsc", folder / "spiral_hsc_grizy.fits", "--psf",
        folder / "spiral_psf_hsc_grizy.fits", "--band", "r",
    )  # fmt: skip
    assert report["shape_hsc"] == [55, 55]
    assert report["masked_fraction"] < 0.05
    # the spiral fills the field: its own scatter isn't taken for noise
    assert report["sigma"] < 0.03
    assert "neighbouring pixels" in report["noise_from"]


def test_hsc_and_euclid_images_of_one_file(tmp_path: Path, real_data: Path) -> None:
    (path,) = (real_data / "hsc_euclid").glob("*.fits")
    report = run(
        tmp_path, "--hsc", path, "--hdu", "HSC_Z_FLUX", "--band", "z", "--psf", path, "--variance",
        path, "--position", 50, 51, "--size", 5.04, "--reference", path, "--reference-hdu",
        "VIS_FLUX", "--reference-psf", path,
    )  # fmt: skip
    found = report["registration"]
    assert found["correlation"] > 0.99
    assert (found["x_arcsec"] ** 2 + found["y_arcsec"] ** 2) ** 0.5 < 0.04
    # the map is of pixels of 0.1", and knows nothing of what neighbours share
    assert "measured in the pixels without source" in report["noise_from"]
    assert report["sigma"] == pytest.approx(5.5, rel=0.03)
    assert report["magnitude"] == pytest.approx(21.0, abs=0.1)
    assert any("undersample its PSF" in remark for remark in report["remarks"])
