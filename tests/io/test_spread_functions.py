"""PSFs and line spread functions from files, on pixels and in units of their own."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments.spread import FWHM_PER_SIGMA, GaussianPSF
from clumpygan.io.spread_functions import read_line_spread, read_measured_psf

KY, KX = np.fft.fftfreq(24, 0.2)[:, None], np.fft.rfftfreq(30, 0.2)[None, :]


def gaussian(scale: float, fwhm: float, ratio: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """Return an elliptical Gaussian (y, x) of peak 1, its major axis from +y towards -x."""
    y, x = (np.mgrid[:61, :61] - 30.0) * scale
    turn = np.radians(angle)
    along, across = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
    sigma = fwhm / FWHM_PER_SIGMA
    return np.asarray(np.exp(-0.5 * (along**2 + (across / ratio) ** 2) / sigma**2))


def write_psf(path: Path, data: np.ndarray, scale: float | None, **cards: object) -> Path:
    header = fits.Header()
    if scale is not None:
        header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 31.0, "CRPIX2": 31.0,
                       "CRVAL1": 53.0, "CRVAL2": -27.0, "CDELT1": -scale / 3600,
                       "CDELT2": scale / 3600})  # fmt: skip
    header.update(cards)
    fits.writeto(path, data.astype(np.float32), header)
    return path


@pytest.mark.parametrize("scale", [0.2, 0.07])
def test_an_image_of_any_pixels_is_the_ellipse_that_it_shows(scale: float, tmp_path: Path) -> None:
    image = gaussian(scale, 0.8, 0.6, 30.0)
    path = write_psf(tmp_path / "psf.fits", image, scale)
    with pytest.warns(InputWarning, match=r"sums to .* instead of 1: normalised"):
        psf = read_measured_psf(path)
    assert psf.pixel_scale == pytest.approx(scale)
    expected = GaussianPSF(0.8, axis_ratio=0.6, angle=30.0)
    found = psf.transfer(KY, KX, 7000.0)
    np.testing.assert_allclose(found, expected.transfer(KY, KX, 7000.0), atol=5e-3)
    # The mirror image is another one: the angle counts from +y towards -x.
    mirrored = GaussianPSF(0.8, axis_ratio=0.6, angle=-30.0).transfer(KY, KX, 7000.0)
    assert np.abs(found - mirrored).max() > 0.1
    assert float(psf.width(7000.0)) == pytest.approx(0.8 * 0.6**0.5, rel=0.02)


def test_what_a_psf_does_not_say_is_the_cubes(tmp_path: Path) -> None:
    image = gaussian(0.2, 0.8)
    path = write_psf(tmp_path / "psf.fits", image / image.sum(), None)
    with pytest.warns(InputWarning, match="doesn't say its pixel scale; taken to be"):
        assert read_measured_psf(path, default_scale=0.2).pixel_scale == 0.2
    assert read_measured_psf(path, 0.1, 0.2).pixel_scale == 0.1
    with pytest.raises(InputError, match=r"psf.fits: the PSF doesn't say its pixel scale"):
        read_measured_psf(path)


def test_a_cube_has_a_psf_for_each_wavelength(tmp_path: Path) -> None:
    planes = np.stack([gaussian(0.2, fwhm) for fwhm in (0.9, 0.8, 0.7)])
    axis = {"CTYPE3": "WAVE", "CUNIT3": "Angstrom", "CRVAL3": 5000.0, "CRPIX3": 1.0,
            "CDELT3": 1000.0}  # fmt: skip
    psf = read_measured_psf(write_psf(tmp_path / "psf.fits", planes, 0.2, **axis))
    for wave, fwhm in ((5000.0, 0.9), (6000.0, 0.8), (6500.0, 0.75), (9000.0, 0.7)):
        assert float(psf.width(wave)) == pytest.approx(fwhm, rel=0.02)
        expected = GaussianPSF(fwhm).transfer(KY, KX, wave)
        np.testing.assert_allclose(psf.transfer(KY, KX, wave), expected, atol=5e-3)
    assert psf.transfer(KY, KX, np.array([5000.0, 6500.0])).shape == (2, 24, 16)
    velocity = {"CTYPE3": "VRAD", "CUNIT3": "km/s", "CRVAL3": 0.0, "CRPIX3": 1.0, "CDELT3": 10.0}
    path = write_psf(tmp_path / "v.fits", planes, 0.2, **velocity)
    with pytest.raises(InputError, match="expected a cube of wavelengths or frequencies"):
        read_measured_psf(path)


def test_files_that_are_no_psf(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.fits: no such file; expected a PSF"):
        read_measured_psf(tmp_path / "none.fits")
    zero = write_psf(tmp_path / "zero.fits", np.zeros((9, 9)), 0.2)
    with pytest.raises(InputError, match="sums to 0, expected a positive sum"):
        read_measured_psf(zero)
    hole = gaussian(0.2, 0.8)
    hole[3, 3] = np.nan
    with pytest.raises(InputError, match=r"hole.fits: the PSF holds NaN"):
        read_measured_psf(write_psf(tmp_path / "hole.fits", hole, 0.2))


@pytest.mark.parametrize(
    ("columns", "unit"),
    [
        ({"wavelength": [9000.0, 5000.0], "fwhm": [2.5, 3.0]}, None),
        ({"Wave": [0.5, 0.9], "sigma": np.array([3.0, 2.5]) / FWHM_PER_SIGMA * 1e-4}, "um"),
        ({"lambda": [500.0, 900.0], "R": [5000 / 3.0, 3600.0]}, "nm"),
        ({"WAVELENGTH": [5000.0, 9000.0], "LSF_FWHM": [3.0, 2.5]}, "Angstrom"),
    ],
)
@pytest.mark.parametrize("ending", ["ecsv", "fits"])
def test_tables_of_line_spread(
    columns: dict[str, list[float]], unit: str | None, ending: str, tmp_path: Path
) -> None:
    table = Table(columns)
    if unit is not None:
        table.columns[0].unit = unit
        if table.colnames[1] in ("sigma", "LSF_FWHM"):
            table.columns[1].unit = unit
    path = tmp_path / f"lsf.{ending}"
    table.write(path)
    lsf = read_line_spread(path)
    np.testing.assert_allclose(lsf.width([5000.0, 7000.0, 9000.0]), [3.0, 2.75, 2.5])
    with pytest.raises(InputError, match=r"is known from 5000 to 9000 Angstrom; expected the line"):
        lsf.width(9500.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wavelength width\n5000 3\n", "expected wavelength and one of fwhm, sigma or R"),
        ("wavelength fwhm R\n5000 3 1700\n", "expected wavelength and one of"),
        ("wavelength fwhm\n5000 broad\n", "the column fwhm holds words"),
        ("wavelength fwhm\n5000 nan\n", "fwhm has values that aren't finite"),
        ("wavelength fwhm\n5000 3\n6000 -1\n", "the FWHM at 6000 Angstrom is -1"),
        ("wavelength R\n5000 0\n", "the FWHM at 5000 Angstrom is inf"),
        ("wavelength fwhm\n5000 3\n5000 3\n", "expected rising wavelengths"),
    ],
)
def test_bad_tables_of_line_spread(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "lsf.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_line_spread(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
