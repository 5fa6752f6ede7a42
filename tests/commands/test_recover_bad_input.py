"""Every bad input of recover.py: one line, exit code 2, nothing written."""

from collections.abc import Callable
from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.table import Table

from clumpygan.commands.recover import main
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W
from tests.recovery.examples import galaxy

Save = Callable[..., Path]
Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run recover, expect one line and exit code 2 and no new file, and return the line."""

    def _refused(*flags: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        outputs = [] if "--output" in flags else ["--output", tmp_path / "out.png"]
        outputs += ["--fits", tmp_path / "out.fits", "--metrics", tmp_path / "out.json"]
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in (*outputs, "--seed", 1, *flags)])
        complaint = [
            line for line in capsys.readouterr().err.splitlines() if "warning: " not in line
        ]
        assert stopped.value.code == 2
        assert len(complaint) == 1, complaint
        assert complaint[0].startswith("recover.py: error: ")
        assert sorted(tmp_path.rglob("*")) == before
        return complaint[0]

    return _refused


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-hmag", "abc"], "--max-hmag: invalid value: 'abc' (expected a number"),
        (["--max-redshift", "-1"], "'-1' (expected a number > 0 and <= 50)"),
        (["--depth", "nan"], "'nan' (expected a number from -30 to 100)"),
        (["--seed", "-3"], "expected an integer from 0 to"),
        (["--samples", "1"], "expected an integer from 2 to 256"),
        (["--band", "q"], "invalid choice: 'q'"),
        (["--band", "u"], "--band is 'u': expected one of g, r, i, z, y of hsc_wide"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--image", "a.fits", "--hsc", "b.fits"], "--image and --observed name two galaxies"),
        (["--image", "a.fits", "--max-hmag", "22"], "--max-hmag goes with a synthetic galaxy or"),
        (["--reference", "a.fits"], "--reference goes with --observed; leave it out"),
        (["--hsc", "a.fits", "--psf", "p.fits", "--reference-psf", "q.fits"], "give that too"),
        (["--image", "a.fits", "--size", "4"], "--size is that of the part around --position"),
        (["--hsc", "a.fits"], "--observed needs one PSF: give --psf, or --seeing in arcsec"),
        (["--output", "a.txt"], "--output a.txt: expected a name ending in .png"),
        (["--device", "warp"], "--device warp: "),
        (["--instrument", "jwst"], "--instrument goes with --image or --catalog"),
    ],
)  # fmt: skip
def test_wrong_flags(refused: Refused, flags: list[str], words: str) -> None:
    assert words in refused(*flags)


def test_folders_that_dont_exist(refused: Refused, tmp_path: Path) -> None:
    assert "doesn't exist" in refused("--output", tmp_path / "no" / "a.png")
    assert "doesn't exist" in refused("--metrics", tmp_path / "no" / "a.json")
    assert "is named twice" in refused("--fits", tmp_path / "out.png")


def test_outputs_that_would_replace_inputs(refused: Refused, save: Save) -> None:
    image = save("hst.fits", np.random.default_rng(0).normal(size=(90, 90)), 0.06)
    assert "is an input" in refused("--image", image, "--metrics", image)


def test_checkpoints_that_cant_be_used(refused: Refused, tmp_path: Path) -> None:
    assert "no checkpoint nothing" in refused("--checkpoint", "nothing")
    spoiled = tmp_path / "spoiled.safetensors"
    spoiled.write_bytes(b"\x10")
    assert "spoiled" in refused("--checkpoint", spoiled)


@pytest.mark.usefixtures("without_network")
class TestHstImages:
    def test_files_that_are_no_image(self, refused: Refused, tmp_path: Path, save: Save) -> None:
        assert "no such file" in refused("--image", tmp_path / "missing.fits")
        (tmp_path / "text.fits").write_text("not FITS")
        assert "text.fits" in refused("--image", tmp_path / "text.fits")
        whole = save("whole.fits", np.ones((99, 99)), 0.06).read_bytes()
        (tmp_path / "half.fits").write_bytes(whole[: len(whole) // 2])
        assert "truncated" in refused("--image", tmp_path / "half.fits")
        Table({"a": [1]}).write(tmp_path / "table.fits")
        assert "holds no image" in refused("--image", tmp_path / "table.fits")

    def test_images_that_show_nothing(self, refused: Refused, save: Save) -> None:
        cube = save("cube.fits", np.ones((3, 90, 90)), 0.06)
        assert "3-D (3x90x90)" in refused("--image", cube)
        blank = save("nan.fits", np.full((90, 90), np.nan), 0.06)
        assert "no valid pixel" in refused("--image", blank)

    def test_wrong_or_unknown_pixel_scale(self, refused: Refused, save: Save) -> None:
        data = np.random.default_rng(0).normal(size=(90, 90))
        coarse = refused("--image", save("coarse.fits", data, 0.168))
        assert "0.168 arcsec; expected 0.06 arcsec, or up to 0.081 arcsec to be resampled" in coarse
        unknown = save("unknown.fits", data, None)
        assert "no WCS and no pixel scale" in refused("--image", unknown)

    def test_positions_outside(self, refused: Refused, save: Save) -> None:
        path = save("hst.fits", np.random.default_rng(0).normal(size=(90, 120)), 0.06)
        assert "lies outside" in refused("--image", path, "--position", 130, 40)
        large = save("large.fits", np.random.default_rng(0).normal(size=(40, 800)), 0.06)
        assert "take a part with --position" in refused("--image", large)

    def test_psfs_that_are_none(self, refused: Refused, save: Save) -> None:
        path = save("hst.fits", np.random.default_rng(0).normal(size=(90, 90)), 0.06)
        spoiled = save("psf.fits", np.full((21, 21), np.nan), None)
        assert "NaN" in refused("--image", path, "--psf", spoiled)
        negative = save("negative.fits", -np.ones((21, 21)), None)
        assert "positive sum" in refused("--image", path, "--psf", negative)

    def test_an_hsc_psf_sharper_than_the_hst_one(self, refused: Refused, save: Save) -> None:
        path = save("hst.fits", np.random.default_rng(0).normal(size=(90, 90)), 0.06)
        line = refused("--image", path, "--seeing", 0.1)
        assert 'the PSF of the observed image (FWHM 0.100") is sharper than that of' in line
        assert "the target (FWHM 0.18" in line

    def test_weight_maps_of_another_shape(self, refused: Refused, save: Save) -> None:
        path = save("hst.fits", np.random.default_rng(0).normal(size=(90, 90)), 0.06)
        weight = save("weight.fits", np.ones((50, 90)), 0.06)
        assert "weight map is 90 x 50" in refused("--image", path, "--weight", weight)

    def test_cameras_that_are_unknown(self, refused: Refused, save: Save) -> None:
        path = save("hst.fits", np.ones((90, 90)), 0.06)
        line = refused("--image", path, "--instrument", "jwst")
        assert "no instrument 'jwst', expected one of: hst_wfc3_f160w" in line


@pytest.mark.usefixtures("without_network")
class TestCatalogues:
    def test_empty_selections(self, refused: Refused, tmp_path: Path) -> None:
        assert "--max-hmag 15: synthetic galaxies have H from 20 on" in refused("--max-hmag", 15)
        catalogue = tmp_path / "cat.fits"
        Table({"id": [1, 2], "zphot": [0.5, 1.5], "Hmag": [22.0, 23.0]}).write(catalogue)
        line = refused("--catalog", catalogue, "--max-redshift", 0.1)
        assert "the catalogue's 2 have z from 0.5 to 1.5 and H from 22 to 23" in line

    def test_stamps_that_are_missing(self, refused: Refused, tmp_path: Path) -> None:
        catalogue = tmp_path / "cat.fits"
        Table({"id": [1], "zphot": [0.5], "Hmag": [22.0], "file": ["a.fits"]}).write(catalogue)
        assert "a.fits: no such file" in refused("--catalog", catalogue)
        missing = refused("--catalog", catalogue, "--data-root", tmp_path / "no")
        assert "no such folder" in missing
        assert "no such file" in refused("--catalog", tmp_path / "none.fits")


@pytest.mark.usefixtures("without_network")
class TestHscImages:
    @pytest.fixture
    def hsc(self, save: Save) -> tuple[Path, Path]:
        seeing = HSC_WIDE_I.psf(fwhm=0.6)
        kernel = seeing.drawImage(nx=31, ny=31, scale=0.168, method="no_pixel", dtype=float).array
        return (
            save("hsc.fits", galaxy((40, 40), 0.168, seeing, 2000, 0.5), 0.168),
            save("psf.fits", kernel, None),
        )

    def test_wrong_pixel_scale(self, refused: Refused, save: Save, hsc: tuple[Path, Path]) -> None:
        path = save("hst.fits", np.ones((90, 90)), 0.06)
        line = refused("--hsc", path, "--psf", hsc[1])
        assert "pixel scale is 0.06 arcsec; expected 0.168 arcsec" in line

    def test_noise_that_cant_be_had(
        self, refused: Refused, save: Save, hsc: tuple[Path, Path]
    ) -> None:
        flags = ("--hsc", hsc[0], "--psf", hsc[1], "--variance")
        assert "variance map has shape" in refused(*flags, save("v.fits", np.ones((9, 9)), 0.168))
        none = save("none.fits", np.zeros((40, 40)), 0.168)
        assert "median variance is 0" in refused(*flags, none)
        flat = save("flat.fits", np.ones((40, 40)), 0.168)
        assert "the pixels are all 1: there is no galaxy" in refused("--hsc", flat, "--psf", hsc[1])

    def test_psfs_that_are_too_sharp(
        self, refused: Refused, save: Save, hsc: tuple[Path, Path]
    ) -> None:
        sharp = galsim.Gaussian(fwhm=0.15).drawImage(nx=31, ny=31, scale=0.05, method="no_pixel")
        line = refused(
            "--hsc", hsc[0], "--psf", save("sharp.fits", sharp.array, None), "--psf-scale", 0.05
        )
        assert "is sharper than that of the target" in line

    def test_references_of_another_field(
        self, refused: Refused, save: Save, hsc: tuple[Path, Path]
    ) -> None:
        flags = ("--hsc", hsc[0], "--psf", hsc[1], "--reference")
        sky = np.random.default_rng(5).normal(size=(112, 112))
        assert "doesn't look like" in refused(*flags, save("sky.fits", sky, 0.06))
        image = galaxy((112, 112), 0.06, HST_WFC3_F160W.psf(), 500, 0.02)
        far = save("far.fits", image, 0.06, CRVAL2=2.3)
        assert "lies outside" in refused(*flags, far)
        coarse = save("coarse.fits", image, 0.168)
        assert "--reference-scale if the header is wrong" in refused(*flags, coarse)
