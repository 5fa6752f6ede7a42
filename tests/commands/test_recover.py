"""recover.py from flags to files, with a Wiener filter in the place of the network."""

import json
from collections.abc import Callable
from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from matplotlib.figure import Figure

from clumpygan.commands.recover import main
from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    effective_depth,
    matching_transfer,
)
from clumpygan.recovery import Recovery, recover
from tests.recovery.examples import galaxy

pytestmark = pytest.mark.usefixtures("without_network", "quick_picture")

METHODS = {"network", "sample", "richardson_lucy"}
PNG = b"\x89PNG"
Save = Callable[..., Path]


@pytest.fixture
def quick_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing, which tests/plots/test_recovery.py tests and which takes a second."""

    def plot(recovery: Recovery, *, wcs: bool) -> Figure:
        figure = Figure(figsize=(1, 1), dpi=10)
        figure.text(0, 0, "sky" if wcs else "arcsec")
        return figure

    monkeypatch.setattr(Recovery, "plot", plot)


def run(folder: Path, *flags: object) -> dict:
    """Run recover and return its metrics; everything is written into `folder`."""
    outputs = [f"--{kind}" for kind in ("output", "fits", "metrics")]
    paths = [folder / name for name in ("out.png", "out.fits", "out.json")]
    files = [word for pair in zip(outputs, paths, strict=True) for word in pair]
    main([str(word) for word in (*files, "--seed", 3, *flags)])
    assert paths[0].read_bytes().startswith(PNG)
    return json.loads(paths[2].read_text())


def test_a_synthetic_galaxy_is_drawn_observed_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(tmp_path, "--max-redshift", 1, "--max-hmag", 22, "--samples", 4)
    said = capsys.readouterr().out
    assert "seed 3\n" in said
    assert report["source"] == "synthetic"
    assert 0 < report["redshift"] < 1
    assert 20 <= report["magnitude"] < 22
    assert set(report["methods"]) == METHODS
    assert report["depth"] == pytest.approx(26.2, abs=0.02)
    lucy = report["methods"]["richardson_lucy"]
    assert lucy["psnr"] > 30
    assert abs(lucy["flux_error_percent"]) < 10
    assert report["methods"]["network"]["chi2"] == pytest.approx(1, abs=0.5)
    assert f"z = {report['redshift']:.2f}" in said


def test_the_fits_file_holds_every_image_with_its_unit(tmp_path: Path) -> None:
    run(tmp_path, "--samples", 2, "--no-richardson-lucy", "--max-hmag", 21)
    with fits.open(tmp_path / "out.fits") as hdus:
        assert [hdu.name for hdu in hdus[1:]] == [
            "HST", "HSC", "RECOVERED", "ERROR", "SAMPLE", "RESIDUAL", "SOURCES",
        ]  # fmt: skip
        assert hdus[0].header["SEED"] == 3
        assert hdus["HST"].data.shape == hdus["RECOVERED"].data.shape == (112, 112)
        assert hdus["HSC"].data.shape == (40, 40)
        assert hdus["HSC"].header["BUNIT"] == "nJy"
        true, found = (hdus[name].data.sum() for name in ("HST", "RECOVERED"))
        assert true > 0
        assert found == pytest.approx(true, rel=0.1)
        sources = Table.read(hdus["SOURCES"])
    assert sources["probability"][0] == 1.0
    assert sources["flux"].unit == "nJy"
    assert np.hypot(sources["dx"][0], sources["dy"][0]) < 1.0


def test_the_same_seed_makes_the_same_galaxy_and_another_seed_another(tmp_path: Path) -> None:
    flags = ("--no-richardson-lucy", "--samples", 2)
    first, again = run(tmp_path, *flags), run(tmp_path, *flags)
    other = run(tmp_path, *flags, "--seed", 0)
    assert first["methods"] == again["methods"]
    assert first["redshift"] != other["redshift"]
    assert other["seed"] == 0


def test_without_a_seed_one_is_drawn_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--no-richardson-lucy", "--samples", "2", "--metrics", str(tmp_path / "a.json")]
    main([*flags, "--output", str(tmp_path / "a.png")])
    seed = json.loads((tmp_path / "a.json").read_text())["seed"]
    assert f"seed {seed}, drawn at random" in capsys.readouterr().out


def test_a_rectangular_hst_image_with_a_blank_edge_keeps_its_place_on_the_sky(
    tmp_path: Path, save: Save
) -> None:
    data = galaxy((97, 120), 0.06, HST_WFC3_F160W.psf(), 500, 0.02)
    data[:15] = 0
    data[60, 20] = np.nan
    path = save("hst.fits", data, 0.06)
    report = run(tmp_path, "--image", path, "--samples", 2, "--no-richardson-lucy")
    assert any("no PSF given; that of hst_wfc3_f160w" in w for w in report["warnings"])
    assert report["shape_hst"] == [98, 126]
    assert report["shape_hsc"] == [35, 45]
    assert report["masked_fraction"] == pytest.approx(1 - 82 * 120 / (98 * 126), abs=1e-3)
    with fits.open(tmp_path / "out.fits") as hdus:
        image = hdus["HST"].data
        middle = [(size + 1) / 2 for size in (120, 97)]
        sky = WCS(fits.getheader(path)).pixel_to_world_values(middle[0] - 1, middle[1] - 1)
        for name, size in (("RECOVERED", 0.06), ("HSC", 0.168)):
            x, y = WCS(hdus[name].header).world_to_pixel_values(*sky)
            rows, columns = hdus[name].data.shape
            # embedding 97 x 120 in 98 x 126 puts the centre half a row below that of the field
            assert (x - (columns - 1) / 2) * size == pytest.approx(0, abs=1e-3)
            assert (y - (rows - 1) / 2) * size == pytest.approx(-0.03, abs=1e-3)
    assert np.isnan(image[:15]).all()
    assert np.nansum(image) == pytest.approx(data[15:][np.isfinite(data[15:])].sum(), rel=1e-3)


def test_the_noise_of_the_hst_image_isnt_added_twice(tmp_path: Path, save: Save) -> None:
    shallow = galaxy((112, 112), 0.06, HST_WFC3_F160W.psf(), 3000, 1.6)
    path = save("hst.fits", shallow, 0.06)
    report = run(tmp_path, "--image", path, "--samples", 2, "--no-richardson-lucy")
    # a power of 1.6^2 nJy^2 per HST pixel is carried through the seeing; only where that is below
    # HSC's own 2.28^2 per HSC pixel is noise missing
    sharp, operator = HST_WFC3_F160W.psf(), ObservationOperator()
    transfer = matching_transfer(HSC_WIDE_I.psf(), sharp, operator.frequencies((40, 40)))
    carried = 7.84 * 1.6**2 * transfer.abs() ** 2
    total = carried.clamp_min(HSC_WIDE_I.sky_sigma**2)
    assert report["sigma"] == pytest.approx(float(total.mean()) ** 0.5, rel=0.03)
    assert report["depth"] == pytest.approx(effective_depth(total, 0.168), abs=0.2)
    assert report["depth"] < 26.2 - 0.4
    assert any("only what is missing was added" in remark for remark in report["remarks"])
    sky = fits.getdata(tmp_path / "out.fits", "HSC")[:12]
    assert sky.std() == pytest.approx(report["sigma"], rel=0.15)


def test_a_small_sharp_image_is_matched_and_surrounded_by_sky(tmp_path: Path, save: Save) -> None:
    psf = galsim.Gaussian(fwhm=0.11)
    path = save("acs.fits", galaxy((90, 80), 0.03, psf, 500, 0.02), 0.03)
    kernel = psf.drawImage(nx=41, ny=41, scale=0.03, method="no_pixel", dtype=float).array
    report = run(
        tmp_path, "--image", path, "--psf", save("psf.fits", kernel, None), "--samples", 2,
        "--no-richardson-lucy",
    )  # fmt: skip
    assert report["shape_hsc"] == [25, 25]
    assert any("PSF widened from 0.11" in remark for remark in report["remarks"])
    assert any('2.4" x 2.7" was surrounded by empty' in remark for remark in report["remarks"])
    assert report["masked_fraction"] == 0
    image = fits.getdata(tmp_path / "out.fits", "HST")
    assert np.nansum(image) == pytest.approx(500, rel=0.12)


def test_dead_and_hot_pixels_are_masked(tmp_path: Path, save: Save) -> None:
    data = galaxy((98, 98), 0.06, HST_WFC3_F160W.psf(), 500, 0.02)
    data[20, 30], data[70, 80] = -5.0, 8.0
    path = save("hst.fits", data, 0.06)
    report = run(tmp_path, "--image", path, "--samples", 2, "--no-richardson-lucy")
    assert any("2 pixels are dead, hot" in warning for warning in report["warnings"])
    image = fits.getdata(tmp_path / "out.fits", "HST")
    assert np.argwhere(np.isnan(image)).tolist() == [[20, 30], [70, 80]]


def test_a_part_of_a_large_image_can_be_taken(tmp_path: Path, save: Save) -> None:
    data = np.random.default_rng(1).normal(scale=0.02, size=(240, 300))
    data[99:211, 149:261] += galaxy((112, 112), 0.06, HST_WFC3_F160W.psf(), 500, 0.0)
    path = save("hst.fits", data, 0.06)
    report = run(
        tmp_path, "--image", path, "--position", 205.3, 155.3, "--samples", 2,
        "--no-richardson-lucy",
    )  # fmt: skip
    assert report["shape_hst"] == [112, 112]
    image = fits.getdata(tmp_path / "out.fits", "HST")
    assert image == pytest.approx(data[99:211, 149:261], abs=1e-5)


def test_an_empty_stamp_and_a_star_get_a_word(tmp_path: Path, save: Save) -> None:
    flags = ("--samples", 2, "--no-richardson-lucy")
    empty = np.random.default_rng(1).normal(scale=0.02, size=(84, 84))
    star = HST_WFC3_F160W.psf().drawImage(
        nx=84, ny=84, scale=0.06, method="no_pixel", dtype=float
    ).array * 1000 + empty  # fmt: skip
    for name, data, words in (("e", empty, "nothing stands out"), ("s", star, "as compact as")):
        path = save(f"{name}.fits", data, 0.06)
        remarks = run(tmp_path, "--image", path, *flags)["remarks"]
        assert any(words in remark for remark in remarks), remarks


def test_a_real_hsc_image_is_recovered_and_its_reference_registered(
    tmp_path: Path, save: Save
) -> None:
    seeing, sharp = HSC_WIDE_I.psf(fwhm=0.6), galsim.Gaussian(fwhm=0.11)
    observed = galaxy((41, 47), 0.168, seeing, 2000, 0.5)
    hsc = save("hsc.fits", np.stack([observed * 0, observed, observed, observed, observed]), 0.168,
               BUNIT=None)  # fmt: skip
    moved = galaxy((220, 240), 0.03, sharp, 2000 / 7.0, 0.002, shift=(0.08, -0.05))
    hst = save("hst.fits", moved, 0.03)
    kernels = {
        name: save(f"{name}.fits", psf.drawImage(nx=41, ny=41, scale=scale, method="no_pixel",
                                                 dtype=float).array, None)
        for name, psf, scale in (("wide", seeing, 0.168), ("narrow", sharp, 0.03))
    }  # fmt: skip
    report = run(
        tmp_path, "--hsc", hsc, "--psf", kernels["wide"], "--reference", hst,
        "--reference-psf", kernels["narrow"], "--samples", 2, "--no-richardson-lucy",
    )  # fmt: skip
    assert any("no zero point known" in warning for warning in report["warnings"])
    found = report["registration"]
    assert found["x_arcsec"] == pytest.approx(-0.08, abs=0.01)
    assert found["y_arcsec"] == pytest.approx(0.05, abs=0.01)
    assert found["flux_factor"] == pytest.approx(7.0, rel=0.02)
    assert report["shape_hsc"] == [45, 50]
    assert report["unit"] == "counts"
    assert report["sigma"] == pytest.approx(0.5, rel=0.2)
    assert report["methods"]["network"]["centroid_shift"] < 0.03
    assert any("reference registered: their WCS differ by 0.09" in r for r in report["remarks"])


def test_a_variance_map_gives_the_noise_and_no_reference_is_needed(
    tmp_path: Path, save: Save
) -> None:
    data = galaxy((40, 40), 0.168, HSC_WIDE_I.psf(fwhm=0.7), 2000, 0.5)
    hsc = save("hsc.fits", data, 0.168)
    variance = save("var.fits", np.full(data.shape, 0.36), 0.168)
    report = run(
        tmp_path, "--hsc", hsc, "--seeing", 0.7, "--variance", variance, "--samples", 2,
        "--no-richardson-lucy",
    )  # fmt: skip
    assert report["sigma"] == pytest.approx(0.6)
    assert "psnr" not in report["methods"]["network"]
    assert report["methods"]["network"]["magnitude"] == pytest.approx(23.4, abs=0.2)


def test_when_one_file_fails_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def written_before(recovery: Recovery, path: Path) -> None:
        path.write_bytes(b"half")
        # the picture and this, both under other names
        assert [file.name[0] for file in tmp_path.iterdir()] == [".", "."]
        full_disk()

    monkeypatch.setattr(Recovery, "write", written_before)
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, "--samples", 2, "--no-richardson-lucy")
    assert stopped.value.code == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_picture_may_be_in_world_coordinates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = []
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda figure, path, **how: (words.append(figure.texts[0].get_text()),
                                     Path(path).write_bytes(PNG)),
    )  # fmt: skip
    for flags in ((), ("--wcs",)):
        run(tmp_path, "--samples", 2, "--no-richardson-lucy", *flags)
    assert words == ["arcsec", "sky"]


def test_settings_may_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("samples: 2\nmax-hmag: 21\nrichardson_lucy: false\nseed: 4\n")
    report = run(tmp_path, "--config", settings, "--max-hmag", 22)
    assert report["seed"] == 3  # the command line's
    assert report["samples"] == 2
    assert set(report["methods"]) == {"network", "sample"}
    settings.write_text("sample: 2\n")
    with pytest.raises(SystemExit):
        run(tmp_path, "--config", settings)
    assert "there is no setting 'sample' (did you mean samples?)" in capsys.readouterr().err


def test_the_program_writes_what_the_library_returns(tmp_path: Path) -> None:
    run(tmp_path, "--samples", 2, "--no-richardson-lucy", "--max-hmag", 21)
    recovery = recover(seed=3, samples=2, richardson_lucy=False, max_hmag=21)
    recovery.write(tmp_path / "library.fits")
    ours, theirs = (fits.open(tmp_path / name) for name in ("library.fits", "out.fits"))
    with ours, theirs:
        assert [hdu.name for hdu in ours] == [hdu.name for hdu in theirs]
        for mine, its in zip(ours, theirs, strict=True):
            checked = {"CHECKSUM", "DATASUM"}
            cards = ({k: v for k, v in hdu.header.items() if k not in checked}
                     for hdu in (mine, its))  # fmt: skip
            assert next(cards) == next(cards)
            if mine.is_image:
                assert mine.data is None or np.array_equal(mine.data, its.data, equal_nan=True)
            else:
                assert np.array_equal(mine.data, its.data)
