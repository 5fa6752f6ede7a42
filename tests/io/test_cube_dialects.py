"""Cubes as pipelines and old programs write them: flags, units, and where the axis is described."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.errors import InputError, InputWarning
from clumpygan.io import read_cube

SHAPE = (5, 6, 7)
SKY = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 53.0, "CRVAL2": -27.0, "CRPIX1": 4.0,
    "CRPIX2": 3.5, "CDELT1": -0.2 / 3600, "CDELT2": 0.2 / 3600,
}  # fmt: skip
WAVES = {"CRVAL3": 6500.0, "CRPIX3": 1.0, "CDELT3": 1.25}
OPTICAL = {"CTYPE3": "WAVE", "CUNIT3": "Angstrom", **WAVES}


def hdu(name: str | None, data: np.ndarray | None = None, **cards: Any) -> fits.ImageHDU:
    """Return an extension of ones with a sky, or of `data`."""
    made = fits.ImageHDU(np.ones(SHAPE, np.float32) if data is None else data, name=name)
    made.header.update(SKY)
    made.header.update(cards)
    return made


def write(path: Path, *hdus: Any, **primary: Any) -> Path:
    first = fits.PrimaryHDU()
    first.header.update(primary)
    fits.HDUList([first, *hdus]).writeto(path)
    return path


@pytest.mark.parametrize("unit", ["ANGSTROMS", "Angstrom", "ANG", "angstroms", "A"])
def test_angstroms_in_any_spelling(unit: str, tmp_path: Path) -> None:
    cube = read_cube(write(tmp_path / "a.fits", hdu("DATA", **{**OPTICAL, "CUNIT3": unit})))
    assert (cube.axis.first, cube.axis.step) == pytest.approx((6500, 1.25))


@pytest.mark.parametrize("unit", ["MICROMETER", "um", "micron", "MICRONS", "Micrometers"])
def test_micrometres_in_any_spelling(unit: str, tmp_path: Path) -> None:
    cards = {"CTYPE3": "WAVE", "CUNIT3": unit, "CRVAL3": 0.65, "CRPIX3": 1.0, "CDELT3": 1.25e-4}
    cube = read_cube(write(tmp_path / "a.fits", hdu("DATA", **cards)))
    assert (cube.axis.first, cube.axis.step) == pytest.approx((6500, 1.25))


def test_an_axis_that_the_primary_header_alone_describes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", hdu("DATA", **WAVES), CTYPE3="WAVE", CUNIT3="Angstrom")
    cube = read_cube(path)
    assert cube.axis.medium == "vacuum"
    assert cube.axis.first == pytest.approx(6500)
    # What the extension says itself counts.
    own = hdu("DATA", **{**OPTICAL, "CTYPE3": "AWAV"})
    assert read_cube(write(tmp_path / "b.fits", own, CTYPE3="WAVE")).axis.medium == "air"


@pytest.mark.parametrize(("step", "unit", "width"), [(50_000.0, "m/s", 50.0), (50.0, "km/s", 50.0)])
def test_old_velocities_without_a_unit(
    step: float, unit: str, width: float, tmp_path: Path
) -> None:
    cards = {"CTYPE3": "VELOCITY", "CRVAL3": 10 * step, "CRPIX3": 1.0, "CDELT3": step}
    path = write(tmp_path / "a.fits", hdu(None, **cards))
    with pytest.warns(InputWarning, match=f"no CUNIT3; taken to be {unit}"):
        cube = read_cube(path)
    assert (cube.axis.first, cube.axis.step) == pytest.approx((10 * width, width))


def test_old_velocities_whose_unit_could_be_either(tmp_path: Path) -> None:
    cards = {"CTYPE3": "VELOCITY", "CRVAL3": 0.0, "CRPIX3": 1.0, "CDELT3": 500.0}
    with pytest.raises(InputError, match="no CUNIT3"):
        read_cube(write(tmp_path / "a.fits", hdu(None, **cards)))


def test_of_jwst_only_what_is_not_to_be_used_is_masked(tmp_path: Path) -> None:
    flags = np.full(SHAPE, 4, np.int32)  # a jump that was mended
    flags[:, 0] = 512 + 1  # no science, and not to be used
    path = write(
        tmp_path / "a.fits", hdu("SCI", **OPTICAL), hdu("ERR", **OPTICAL), hdu("DQ", flags)
    )
    mask = read_cube(path).mask
    assert mask[:, 0].all()
    assert not mask[:, 1:].any()
    # Elsewhere every flag means that something is wrong.
    other = write(tmp_path / "b.fits", hdu("DATA", **OPTICAL), hdu("DQ", flags // 512))
    assert read_cube(other).mask.sum() == SHAPE[0] * SHAPE[2]


def test_of_manga_only_what_is_not_to_be_used_is_masked(tmp_path: Path) -> None:
    flags = np.full(SHAPE, 8, np.int32)  # FORESTAR by itself
    flags[:, 0] = 1024 + 3
    ivar = np.full(SHAPE, 4.0, np.float32)
    ivar[:, 0] = 0.0
    cards = {"CTYPE3": "WAVE-LOG", "CUNIT3": "Angstrom", "CRVAL3": 3621.6, "CRPIX3": 1.0,
             "CD3_3": 0.834, "BUNIT": "1E-17 erg/s/cm^2/Ang/spaxel"}  # fmt: skip
    hdus = [hdu("FLUX", **cards), hdu("IVAR", ivar), hdu("MASK", flags)]
    cube = read_cube(write(tmp_path / "a.fits", *hdus, PLATEIFU="7443-12703"))
    assert cube.axis.logarithmic
    assert cube.mask[:, 0].all()
    assert not cube.mask[:, 1:].any()
    np.testing.assert_allclose(cube.variance[:, 1:], 0.25)
    # Of others, a mask is a mask.
    other = [hdu("FLUX", **cards), hdu("IVAR", ivar), hdu("MASK", flags * (flags > 8))]
    assert read_cube(write(tmp_path / "b.fits", *other)).mask.sum() == SHAPE[0] * SHAPE[2]
    other[2].data[:, 1] = 8
    assert read_cube(write(tmp_path / "c.fits", *other)).mask.sum() == 2 * SHAPE[0] * SHAPE[2]


def test_bad_pixels_of_califa_are_masked(tmp_path: Path) -> None:
    bad = np.zeros(SHAPE, np.uint8)
    bad[2, 3, 4] = 1
    primary = fits.PrimaryHDU(np.ones(SHAPE, np.float32))
    primary.header.update({**SKY, **OPTICAL})
    path = tmp_path / "a.fits"
    fits.HDUList([primary, hdu("ERROR", **OPTICAL), hdu("BADPIX", bad)]).writeto(path)
    cube = read_cube(path)
    assert cube.mask.sum() == cube.mask[2, 3, 4] == 1
    assert cube.variance is not None


@pytest.mark.parametrize("unit", ["arcsec", "deg"])
def test_the_beams_of_casa_are_one_in_the_median(unit: str, tmp_path: Path) -> None:
    size = 1.0 if unit == "arcsec" else 1 / 3600
    columns = [
        fits.Column("BMAJ", "1E", unit=unit, array=size * np.array([0.9, 0.8, 0.7, 0.8, 5.0])),
        fits.Column("BMIN", "1E", unit=unit, array=size * np.full(5, 0.6)),
        fits.Column("BPA", "1E", unit="deg", array=np.full(5, 30.0)),
    ]
    beams = fits.BinTableHDU.from_columns(columns, name="BEAMS")
    cards = {"CTYPE3": "VRAD", "CUNIT3": "km/s", "CRVAL3": 0.0, "CRPIX3": 1.0, "CDELT3": 50.0}
    cube = read_cube(write(tmp_path / "a.fits", hdu(None, **cards), beams))
    assert cube.beam is not None
    found = (cube.beam.major, cube.beam.minor, cube.beam.angle)
    assert found == pytest.approx((0.8, 0.6, 30.0), rel=1e-5)


def test_a_variance_of_another_shape_is_said_to_be_left_out(tmp_path: Path) -> None:
    short = hdu("STAT", np.ones((4, 6, 7), np.float32), **OPTICAL)
    path = write(tmp_path / "a.fits", hdu("DATA", **OPTICAL), short)
    with pytest.warns(InputWarning, match=r"STAT has shape \(4, 6, 7\), the cube .*: left out"):
        assert read_cube(path).variance is None


def test_a_unit_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", hdu("DATA", **OPTICAL))
    with pytest.raises(InputError, match=r"`unit` is 'nonsense\(': expected a unit"):
        read_cube(path, unit="nonsense(")
    with pytest.raises(InputError, match=r"`unit`: the unit -1 can't be written to FITS"):
        read_cube(path, unit="-1")
    assert read_cube(path, unit="1e-20 erg/s/cm2/Angstrom").unit is not None
