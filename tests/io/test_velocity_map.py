"""Velocity maps as pipelines write them: names, units, errors, masks, and what is blank."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.velocity_map import read_velocity_map

SHAPE = (8, 9)
SKY = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 53.0, "CRVAL2": -27.0, "CRPIX1": 5.0,
    "CRPIX2": 4.5, "CDELT1": -0.5 / 3600, "CDELT2": 0.5 / 3600,
}  # fmt: skip
VELOCITY = np.linspace(-100, 90, 72).reshape(SHAPE)


def hdu(name: str, data: np.ndarray, **cards: Any) -> fits.ImageHDU:
    made = fits.ImageHDU(np.asarray(data, np.float32), name=name)
    made.header.update({**SKY, **cards})
    return made


def write(path: Path, *hdus: fits.ImageHDU) -> Path:
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


@pytest.mark.parametrize(
    ("name", "errors", "value"),
    [
        ("VEL", "VEL_ERR", 5.0),
        ("VELOCITY", "ERR", 5.0),
        ("STELLAR_VEL", "STELLAR_VEL_IVAR", 0.04),
        ("MOM1", "STAT", 25.0),
        ("V", "V_SIGMA", 5.0),
    ],
)
def test_errors_beside_velocities(name: str, errors: str, value: float, tmp_path: Path) -> None:
    other = hdu("SIGMA", np.ones(SHAPE)) if errors != "ERR" else hdu("FLUX", np.ones(SHAPE))
    path = write(tmp_path / "a.fits", hdu(name, VELOCITY, BUNIT="km/s"),
                 hdu(errors, np.full(SHAPE, value)), other)  # fmt: skip
    found = read_velocity_map(path)
    np.testing.assert_allclose(found.velocity, VELOCITY, rtol=1e-6)
    np.testing.assert_allclose(found.error, 5.0, rtol=1e-6)
    assert found.pixel_scale == pytest.approx(0.5)
    assert found.wcs is not None
    assert (found.light is not None) == (errors == "ERR")


def test_metres_a_second(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits", hdu("MOM1", 1e3 * VELOCITY, BUNIT="m/s"),
                 hdu("ERR", np.full(SHAPE, 5e3)))  # fmt: skip
    found = read_velocity_map(path)
    np.testing.assert_allclose(found.velocity, VELOCITY, rtol=1e-6)
    np.testing.assert_allclose(found.error, 5.0, rtol=1e-6)
    np.testing.assert_allclose(read_velocity_map(path, errors=7.0).error, 7.0)


def test_what_is_not_known(tmp_path: Path) -> None:
    velocity, error = VELOCITY.copy(), np.full(SHAPE, 5.0)
    velocity[0], velocity[1, 0], error[2, 1], error[2, 2] = 0.0, np.nan, 0.0, np.inf
    flags = np.zeros(SHAPE)
    flags[3, 3] = 4
    path = write(tmp_path / "a.fits", hdu("VEL", velocity, BUNIT="km/s"), hdu("VEL_ERR", error),
                 hdu("MASK", flags))  # fmt: skip
    own = np.zeros(SHAPE)
    own[7, 7] = 1
    found = read_velocity_map(path, mask=write(tmp_path / "m.fits", hdu("", own)))
    unknown = np.zeros(SHAPE, bool)
    unknown[0] = True  # many are exactly 0
    for place in ((1, 0), (2, 1), (2, 2), (3, 3), (7, 7)):
        unknown[place] = True
    np.testing.assert_array_equal(~found.known, unknown)
    assert (found.velocity[unknown] == 0).all()


def test_only_one_bit_hides_in_maps_of_manga(tmp_path: Path) -> None:
    flags = np.zeros(SHAPE, np.int32)
    flags[0, 0], flags[1, 1] = 1 << 30, 1 << 6
    mask = fits.ImageHDU(flags, name="STELLAR_VEL_MASK")
    path = write(tmp_path / "a.fits", hdu("STELLAR_VEL", VELOCITY, BUNIT="km/s"),
                 hdu("STELLAR_VEL_IVAR", np.full(SHAPE, 0.04)), mask)  # fmt: skip
    known = read_velocity_map(path).known
    assert not known[0, 0]
    assert known[1, 1]


def test_files_of_their_own(tmp_path: Path) -> None:
    """As a set of kinematic maps has them: without units, scales and names."""
    bare = fits.ImageHDU(VELOCITY.astype(np.float32))
    path = write(tmp_path / "a.fits", bare)
    errors = write(tmp_path / "e.fits", fits.ImageHDU(np.full(SHAPE, 5.0)))
    light = write(tmp_path / "f.fits", fits.ImageHDU(np.full(SHAPE, 2.0)))
    with pytest.warns(InputWarning, match="taken to be km/s"):
        found = read_velocity_map(path, errors=errors, light=light, pixel_scale=0.5)
    np.testing.assert_allclose(found.error, 5.0)
    assert found.light is not None
    assert found.pixel_scale == 0.5
    with pytest.raises(InputError, match="no celestial WCS; give `pixel_scale`"):
        read_velocity_map(path, errors=errors, unit="km/s")
    with pytest.raises(InputError, match="holds no errors; give `errors`"):
        read_velocity_map(path, pixel_scale=0.5, unit="km/s")
    short = write(tmp_path / "s.fits", fits.ImageHDU(np.ones((4, 4))))
    with pytest.raises(InputError, match=r"the errors have shape \(4, 4\); expected \(8, 9\)"):
        read_velocity_map(path, errors=short, pixel_scale=0.5, unit="km/s")


def test_files_that_are_no_velocity_map(tmp_path: Path) -> None:
    cube = write(tmp_path / "c.fits", hdu("VEL", np.ones((3, *SHAPE))))
    with pytest.raises(InputError, match=r"VEL is 3-D \(3x8x9\); expected a velocity map"):
        read_velocity_map(cube)
    flux = write(tmp_path / "f.fits", hdu("VEL", VELOCITY, BUNIT="Jy/beam"))
    with pytest.raises(InputError, match="the unit is 'Jy/beam'; expected one of velocity"):
        read_velocity_map(flux)
    two = write(tmp_path / "t.fits", hdu("GAS", VELOCITY), hdu("STARS", VELOCITY))
    with pytest.raises(InputError, match=r"several images \(GAS, STARS\); say which one as `hdu`"):
        read_velocity_map(two)
    with pytest.raises(InputError, match="no image 'HOT'; it has GAS, STARS"):
        read_velocity_map(two, hdu="HOT")
    blank = write(tmp_path / "b.fits", hdu("VEL", np.full(SHAPE, np.nan), BUNIT="km/s"))
    with pytest.raises(InputError, match="no pixel has a velocity with an error above 0"):
        read_velocity_map(blank, errors=5.0)
