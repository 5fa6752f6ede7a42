"""The cubes of real telescopes, and of GalPaK3D."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.brightness import in_unit
from clumpygan.io.cubes.reading import read_cube, subcube
from clumpygan.io.cubes.units import Beam
from clumpygan.io.cubes.writing import write_cube
from clumpygan.io.region import Region
from clumpygan.io.wcs import north_angle

pytestmark = pytest.mark.real_data

MUSE_UNIT = units.Unit("1e-20 erg / (s cm2 Angstrom)")


def receding_side(data: np.ndarray, velocities: np.ndarray, least: float) -> float:
    """Return the position angle in degrees from the approaching to the receding light."""
    y, x = np.indices(data.shape[1:])
    centroids = []
    for light in (data[velocities > least].sum(0), data[velocities < -least].sum(0)):
        centroids.append(((light * x).sum() / light.sum(), (light * y).sum() / light.sum()))
    (x_away, y_away), (x_near, y_near) = centroids
    return float(np.degrees(np.arctan2(x_near - x_away, y_away - y_near)) % 360)


def test_ngc_2903_in_neutral_hydrogen(real_data: Path, tmp_path: Path) -> None:
    cube = read_cube(real_data / "cubes" / "NGC2903_WSRT_HI.fits")
    assert cube.data.shape == (113, 89, 70)
    assert cube.pixel_scale == pytest.approx(20.0, rel=1e-3)
    assert cube.unit == units.Jy / units.beam
    assert cube.beam == Beam(pytest.approx(57.42, abs=0.01), pytest.approx(48.32, abs=0.01), 0.0)
    assert (cube.axis.kind, cube.axis.frame) == ("velocity", "BARYCENT")
    # GIPSY's reference pixel is 61.0, at 574 km/s, and the channels are 4.13 km/s wide.
    np.testing.assert_allclose(cube.velocities()[60], 574.0, atol=1e-3)
    np.testing.assert_allclose(np.diff(cube.velocities()), 4.129893, atol=1e-6)
    # The tilted-ring fit that comes with it: 556.4 km/s, at B1950 142.33642, 21.722279.
    velocities = cube.velocities(redshift=cube.axis.redshift_of(556.4))
    centre = SkyCoord(142.33642, 21.722279, unit="deg", frame="fk4").icrs
    galaxy = subcube(cube, Region(position=(centre.ra.deg, centre.dec.deg), size=900.0))
    spectrum = galaxy.data.sum((1, 2))
    bright = spectrum > 0.2 * spectrum.max()
    assert abs(velocities[bright].mean()) < 15  # a horn on each side of it
    assert np.ptp(velocities[bright]) == pytest.approx(390, abs=40)  # twice 210 km/s sin 69
    assert cube.wcs is not None
    x, y = cube.wcs.wcs_world2pix([[142.33642, 21.722279]], 0)[0]
    pixel = np.unravel_index(galaxy.data.sum(0).argmax(), galaxy.data.shape[1:])
    assert np.hypot(*(np.subtract(pixel, (galaxy.data.shape[1] - 1) / 2))) < 10
    assert (x, y) == (pytest.approx(34.4, abs=1), pytest.approx(47.0, abs=1))
    clipped = np.where(cube.data > 0.015, cube.data, 0)
    assert receding_side(clipped, velocities, 100.0) == pytest.approx(202.3, abs=2)
    # And it survives our own files, with its old projection.
    write_cube(
        tmp_path / "hi.fits",
        cube.data,
        axis=cube.axis,
        pixel_scale=cube.pixel_scale,
        wcs=cube.wcs,
        unit=cube.unit,
        beam=cube.beam,
    )
    again = read_cube(tmp_path / "hi.fits")
    assert again.beam == cube.beam
    places = [[0.0, 0.0], [69.0, 0.0], [69.0, 88.0]]
    for one, other in zip(
        again.wcs.pixel_to_world(*np.transpose(places)),
        cube.wcs.pixel_to_world(*np.transpose(places)),
        strict=True,
    ):
        assert one.separation(other).arcsec < 1e-3


def test_ngc_4324_in_carbon_monoxide(real_data: Path) -> None:
    with pytest.warns(InputWarning, match="no CUNIT3; taken to be m/s, the FITS unit of VELO-LSR"):
        cube = read_cube(real_data / "cubes" / "NGC4324_CARMA_CO10.fits", definition="radio")
    assert cube.data.shape == (21, 100, 100)  # without its STOKES axis
    np.testing.assert_allclose(cube.axis.values, 1450 + 20 * np.arange(21))
    assert cube.axis.rest_wavelength == pytest.approx(2.6e7, rel=1e-3)
    # The same channels as true velocities: redder by v^2 / 2c, and wider.
    assert cube.velocities()[10] == pytest.approx(1650 + 1650**2 / 2 / 299792.458, abs=0.1)
    # The ring turns around 1665 km/s, with 175 km/s sin 65 to either side.
    lines = np.where(cube.data > 5 * np.std(cube.data[:2]), cube.data, 0).sum((1, 2))
    bright = cube.axis.values[lines > 0.1 * lines.max()]
    assert bright.mean() == pytest.approx(1665, abs=25)
    clipped = np.where(cube.data > 4 * np.std(cube.data[:2]), cube.data, 0)
    assert receding_side(clipped, cube.axis.values - 1665, 60.0) == pytest.approx(230, abs=5)
    kelvin = in_unit(cube, "K")
    beam = 2 * np.pi * cube.beam.major * cube.beam.minor / (8 * np.log(2)) * units.arcsec**2
    expected = (units.Jy / units.beam).to(
        units.K,
        equivalencies=units.brightness_temperature(cube.axis.frequencies()[3] * units.Hz, beam),
    )
    np.testing.assert_allclose(kelvin.data[3], cube.data[3] * expected, rtol=1e-5)


def test_oxygen_beside_a_quasar(real_data: Path) -> None:
    folder = real_data / "cubes"
    cube = read_cube(
        folder / "MUSE_J1422_OII_subcube.fits",
        variance=folder / "MUSE_J1422_OII_variance.fits",
        medium="air",
    )
    assert cube.data.shape == (26, 30, 30)
    assert cube.unit == MUSE_UNIT
    assert cube.pixel_scale == pytest.approx(0.2)
    np.testing.assert_allclose(cube.axis.values[[0, -1]], (7105.0, 7136.25))
    # The unit squared: the variance of the data where there is no source.
    empty = np.s_[:5, 20:, 20:]
    assert np.sqrt(np.median(cube.variance[empty])) == pytest.approx(
        cube.data[empty].std(), rel=0.25
    )
    part = subcube(cube, Region(velocities=(-400, 400), rest_wavelength=3728.48, redshift=0.9100))
    assert abs(part.velocities().mean()) < 30
    with pytest.raises(InputError, match="the cube has channels from 7105 to 7136"):
        subcube(cube, Region(velocities=(-400, 400), rest_wavelength=5006.84, redshift=0.91))


def test_the_deep_field_is_turned_by_42_degrees(real_data: Path) -> None:
    cube = read_cube(real_data / "cubes" / "MUSE_UDF_mosaic_subcube.fits")
    assert cube.data.shape == (500, 30, 30)
    assert cube.unit == MUSE_UNIT
    assert cube.axis.medium == "air"
    assert cube.axis.first == 4750
    assert north_angle(cube.wcs) == pytest.approx(-42.0)
    assert cube.pixel_scale == pytest.approx(0.2)
    # Mostly noise, and the variance knows it but for its correlation.
    pull = cube.data / np.sqrt(cube.variance)
    assert 0.6 < np.percentile(np.abs(pull), 68.3) < 1.3
    part = read_cube(
        real_data / "cubes" / "MUSE_UDF_mosaic_subcube.fits",
        region=Region(pixel=(15, 15), size=2.0, channels=(5000, 5100)),
    )
    np.testing.assert_array_equal(part.data, cube.data[200:281, 11:21, 11:21])


def test_filaments_with_a_wrong_unit_of_the_variance(real_data: Path) -> None:
    cube = read_cube(real_data / "cubes" / "MUSE_A478_Ha_crop.fits")
    assert cube.data.shape == (160, 40, 40)
    assert cube.unit == MUSE_UNIT
    assert cube.header["BUNIT"] == "10**(-20)*erg/s/cm**2/Angstrom"
    assert cube.axis.first == pytest.approx(4749.890625 + 1.25 * 1800)
    assert cube.axis.medium == "air"
    assert 1 < np.median(cube.variance) < 1000


def test_a_mock_of_galpak(real_data: Path) -> None:
    path = real_data / "cubes" / "MOCK_galpak_1101_incl60_vmax199_disp80.fits"
    with pytest.raises(InputError, match="no celestial WCS; give the pixel scale in arcsec"):
        read_cube(path, medium="vacuum")
    cube = read_cube(path, pixel_scale=0.2, medium="vacuum")
    assert cube.data.shape == (30, 30, 30)
    assert cube.variance is None
    assert cube.axis.values[14] == 6564.0
    # Fluxes of 1e-20: in a unit in which float32 can square them.
    assert cube.unit is not None
    assert 0.1 < cube.data.max() < 100
    assert 1e-21 < cube.data.max() * cube.unit.scale < 1e-16
