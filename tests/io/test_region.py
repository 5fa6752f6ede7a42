"""Parts of cubes, around a position and a line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.errors import InputError
from clumpygan.io.cubes.reading import Cube, read_cube, subcube
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.writing import write_cube
from clumpygan.io.region import Region

SHAPE = (40, 21, 31)
AXIS = SpectralAxis("wavelength", 7090.0, 1.25, 40, medium="air")
LINE = {"rest_wavelength": 3728.5, "redshift": 0.9076}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    data = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[0, 0, 0] = True
    write_cube(
        tmp_path / "cube.fits",
        data,
        axis=AXIS,
        pixel_scale=0.2,
        variance=data + 1,
        mask=mask,
        centre=(150.0, 60.0),
    )
    return tmp_path / "cube.fits"


@pytest.fixture
def cube(path: Path) -> Cube:
    return read_cube(path)


def test_a_box_around_a_position_and_a_line(cube: Cube) -> None:
    # 4 pixels east and 3 north of the middle, (15, 10).
    position = (150.0 + 0.8 / 3600 / np.cos(np.radians(60)), 60.0 + 0.6 / 3600)
    part = subcube(cube, Region(position=position, size=(1.4, 1.0), velocities=(-200, 200), **LINE))
    assert part.data.shape[1:] == (5, 7)
    v, y, x = (int(i) for i in np.argwhere(cube.data == part.data[0, 0, 0])[0])
    assert (y, x) == (13 - 2, 11 - 3)
    np.testing.assert_allclose(part.wcs.wcs_pix2world([[3.0, 2.0]], 0)[0], position, atol=1e-8)
    velocities = part.velocities()  # by the line that the region names
    assert (np.abs(velocities) <= 200).all()
    step = np.diff(velocities).mean()
    assert velocities[0] - step < -200
    assert velocities[-1] + step > 200
    assert part.axis.first == AXIS.values[v]
    assert len(part.data) == len(part.mask) == len(part.variance) == part.axis.count
    np.testing.assert_array_equal(part.variance, part.data + 1)


@pytest.mark.parametrize(
    "region",
    [
        Region(),
        Region(pixel=(3, 4), size=1.0, channels=(7100, 7110)),
        Region(size=1.3),
        Region(pixel=(30, 0), size=2.0),
        Region(velocities=(-300, 100), **LINE),
    ],
)
def test_reading_a_part_is_reading_all_and_cutting(path: Path, cube: Cube, region: Region) -> None:
    read, cut = read_cube(path, region=region), subcube(cube, region)
    for name in ("data", "mask", "variance"):
        np.testing.assert_array_equal(getattr(read, name), getattr(cut, name))
    assert read.axis == cut.axis
    assert read.wcs.wcs.compare(cut.wcs.wcs)


def test_a_part_of_a_falling_axis(path: Path, cube: Cube, tmp_path: Path) -> None:
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            hdu.data = hdu.data[::-1]
            hdu.header.update({"CRVAL3": AXIS.last, "CDELT3": -1.25})
        hdus.writeto(tmp_path / "falling.fits")
    region = Region(channels=(7095.0, 7099.0), pixel=(2, 2), size=0.6)
    part = read_cube(tmp_path / "falling.fits", region=region)
    np.testing.assert_array_equal(part.data, subcube(cube, region).data)
    np.testing.assert_allclose(part.axis.values, (7095.0, 7096.25, 7097.5, 7098.75))


def test_the_part_is_centred_to_half_a_pixel(cube: Cube) -> None:
    for width, centre, start in ((3, 10.0, 9), (4, 9.5, 8)):
        part = subcube(cube, Region(pixel=(centre, centre), size=width * 0.2))
        assert part.data[0, 0, 0] == cube.data[0, start, start]
        assert part.data.shape[1:] == (width, width)
    shifted = subcube(cube, Region(pixel=(10.4, 9.6), size=0.6))
    assert shifted.data[0, 0, 0] == cube.data[0, 9, 9]


def test_parts_are_cut_at_the_edge(cube: Cube) -> None:
    part = subcube(cube, Region(pixel=(0, 20), size=1.0, channels=(7000, 7091)))
    assert part.data.shape == (1, 3, 3)
    assert part.data[0, -1, 0] == cube.data[0, 20, 0]


def test_parts_are_copies(cube: Cube) -> None:
    part = subcube(cube, Region(pixel=(5, 5), size=1.0))
    part.data[:] = -1
    assert (cube.data >= 0).all()


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (
            Region(velocities=(-100, 100), rest_wavelength=6562.8, redshift=0.91),
            r"the line of 6562.8 Angstrom at redshift 0.91 is at 1253\d.* Angstrom; the cube has "
            r"channels from 7090 to 7138.75 Angstrom",
        ),
        (Region(channels=(6000, 6010)), "the region is at 6000 to 6010 Angstrom; the cube has"),
        (Region(channels=(7091.3, 7091.4)), "the cube has channels from"),
        (Region(velocities=(-100, 100), rest_wavelength=3728.5), "give redshift"),
        (Region(velocities=(-100, 100), redshift=0.91), "give rest_wavelength"),
        (
            Region(position=(150.1, 60.0), size=1.0),
            r"position \(150.100000, 60.000000\) deg",
        ),
        (Region(position=(330.0, -60.0), size=1.0), "position"),
        (Region(pixel=(31, 5), size=1.0), r"pixel \(31, 5\) is outside the field of 31 x 21"),
    ],
)
def test_regions_outside(cube: Cube, region: Region, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        subcube(cube, region)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"position": (1, 2), "pixel": (3, 4), "size": 1.0}, "both are given"),
        ({"channels": (1, 2), "velocities": (3, 4)}, "both are given"),
        ({"position": (0, 0)}, "needs its size"),
        ({"pixel": (0, 0)}, "needs its size"),
        ({"channels": (2, 1)}, "low, high"),
        ({"size": 0.0}, "more than 0"),
        ({"size": (1.0, np.nan)}, "more than 0"),
    ],
)
def test_regions_that_mean_nothing(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Region(**fields)


def test_positions_take_a_sky(cube: Cube) -> None:
    with pytest.raises(InputError, match="has no WCS"):
        subcube(replace(cube, wcs=None), Region(position=(150, 60), size=1.0))
