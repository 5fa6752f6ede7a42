"""Our files in mpdaf, spectral-cube and GalPaK3D, and theirs here; skipped where not installed."""

import importlib
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from astropy import units
from astropy.io import fits

from clumpygan.io.brightness import in_unit
from clumpygan.io.cubes.reading import read_cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis, rest_wavelength_of
from clumpygan.io.cubes.units import Beam
from clumpygan.io.cubes.writing import write_cube

pytestmark = pytest.mark.filterwarnings("ignore")  # what others warn of is theirs

SHAPE = (30, 8, 9)
AIR = SpectralAxis("wavelength", 7100.0, 1.25, 30, medium="air", rest_wavelength=3728.5)
CENTRE = (150.1, 2.2)
HI = 1420405751.77  # Hz


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(0).normal(5.0, 1.0, SHAPE).astype(np.float32)


@pytest.fixture
def muse(tmp_path: Path, data: np.ndarray) -> Path:
    """A mock as MUSE sees it, with one masked voxel."""
    mask = np.zeros(SHAPE, bool)
    mask[3, 4, 5] = True
    write_cube(
        tmp_path / "muse.fits",
        data,
        axis=AIR,
        pixel_scale=0.2,
        variance=data**2,
        mask=mask,
        centre=CENTRE,
        unit="1e-20 erg/s/cm2/Angstrom",
        parameters={"inclination": 60.0},
        seed=1,
    )
    return tmp_path / "muse.fits"


@pytest.fixture
def radio(tmp_path: Path, data: np.ndarray) -> Path:
    write_cube(
        tmp_path / "radio.fits",
        data,
        axis=SpectralAxis(
            "velocity", 5000.0, 10.0, 30, definition="radio", rest_wavelength=rest_wavelength_of(HI)
        ),
        pixel_scale=5.0,
        centre=CENTRE,
        unit="Jy/beam",
        beam=Beam(20.0, 15.0, 30.0),
    )
    return tmp_path / "radio.fits"


def peer(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(name.partition(".")[0])
        return importlib.import_module(name)


def test_mpdaf_opens_our_cube(muse: Path, data: np.ndarray) -> None:
    cube = peer("mpdaf.obj").Cube(str(muse))
    assert cube.shape == SHAPE
    assert np.argwhere(cube.mask).tolist() == [[3, 4, 5]]
    np.testing.assert_array_equal(cube.data.filled(0), np.where(cube.mask, 0, data))
    np.testing.assert_allclose(cube.var.filled(0), np.where(cube.mask, 0, data**2))
    assert cube.unit == units.Unit("1e-20 erg / (s cm2 Angstrom)")
    np.testing.assert_allclose(cube.wave.coord(), AIR.values)
    assert cube.wave.unit == units.Angstrom
    np.testing.assert_allclose(cube.wcs.get_step(unit=units.arcsec), 0.2)
    middle = cube.wcs.sky2pix([CENTRE[::-1]])[0]
    np.testing.assert_allclose(middle, (3.5, 4.0), atol=1e-5)
    assert cube.wcs.get_rot() == pytest.approx(0, abs=1e-9)
    assert cube.primary_header["CLUMPYGAN inclination"] == 60


def test_mpdaf_opens_a_velocity_cube(tmp_path: Path, data: np.ndarray) -> None:
    axis = SpectralAxis("velocity", -800.0, 57.0, 30, rest_wavelength=6564.6, origin=0.9)
    write_cube(tmp_path / "v.fits", data, axis=axis, pixel_scale=0.2)
    cube = peer("mpdaf.obj").Cube(str(tmp_path / "v.fits"))
    np.testing.assert_allclose(cube.wave.coord(unit=units.km / units.s), axis.values)


def test_we_open_a_cube_of_mpdaf(muse: Path, tmp_path: Path) -> None:
    cube = peer("mpdaf.obj").Cube(str(muse))
    cube.write(str(tmp_path / "mpdaf.fits"), savemask="nan")
    ours, theirs = read_cube(muse), read_cube(tmp_path / "mpdaf.fits")
    for name in ("data", "mask", "variance"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
    assert theirs.unit == ours.unit
    np.testing.assert_allclose(theirs.axis.values, ours.axis.values)
    assert theirs.axis.medium == "air"
    assert theirs.wcs.wcs.compare(ours.wcs.wcs, tolerance=1e-9)
    cube.write(str(tmp_path / "flags.fits"), savemask="dq")
    np.testing.assert_array_equal(read_cube(tmp_path / "flags.fits").mask, ours.mask)


def test_mpdaf_cuts_the_same_part(muse: Path) -> None:
    from clumpygan.io.cubes.reading import subcube
    from clumpygan.io.region import Region

    theirs = (
        peer("mpdaf.obj")
        .Cube(str(muse))
        .subcube(CENTRE[::-1], 1.0, lbda=(7110.0, 7120.0), unit_size=units.arcsec)
    )
    ours = subcube(read_cube(muse), Region(position=CENTRE, size=1.0, channels=(7110, 7120)))
    np.testing.assert_allclose(theirs.wave.coord(), ours.axis.values)
    assert theirs.shape == ours.data.shape
    np.testing.assert_array_equal(theirs.data.filled(0), ours.data)


def test_spectral_cube_opens_our_cube(muse: Path, data: np.ndarray) -> None:
    cube = peer("spectral_cube").SpectralCube.read(str(muse), hdu=1)
    assert cube.shape == SHAPE
    np.testing.assert_array_equal(np.isnan(cube.unmasked_data[:].value).nonzero(), ([3], [4], [5]))
    np.testing.assert_allclose(cube.spectral_axis.to_value("Angstrom"), AIR.values)
    assert cube.unit == units.Unit("1e-20 erg / (s cm2 Angstrom)")
    np.testing.assert_allclose(
        cube.wcs.celestial.wcs_pix2world([[4.0, 3.5]], 0)[0], CENTRE, atol=1e-9
    )


@pytest.mark.parametrize("cube", ["muse", "radio"])
def test_the_axis_of_the_spectrum_is_named_for_jdaviz(
    cube: str, request: pytest.FixtureRequest
) -> None:
    # Its importer of cubes asks for this card, or another name than DATA.
    header = fits.getheader(request.getfixturevalue(cube), "DATA")
    assert header[f"CTYPE{header['DISPAXIS']}"] in ("AWAV", "VRAD")


def test_spectral_cube_has_our_velocities_and_temperatures(radio: Path) -> None:
    theirs, ours = peer("spectral_cube").SpectralCube.read(str(radio), hdu=1), read_cube(radio)
    true = theirs.with_spectral_unit("km/s", velocity_convention="relativistic")
    np.testing.assert_allclose(true.spectral_axis.value, ours.velocities(), atol=1e-3)
    frequencies = theirs.with_spectral_unit("Hz").spectral_axis.value
    np.testing.assert_allclose(frequencies, ours.axis.frequencies(), rtol=1e-9)
    assert theirs.beam.major.to_value("arcsec") == pytest.approx(20.0)
    kelvin = theirs.to("K").unmasked_data[:].value
    np.testing.assert_allclose(in_unit(ours, "K").data, kelvin, rtol=1e-3)


def test_we_open_a_cube_of_spectral_cube(radio: Path, tmp_path: Path) -> None:
    cube = peer("spectral_cube").SpectralCube.read(str(radio), hdu=1)
    cube.with_spectral_unit("Hz").write(str(tmp_path / "theirs.fits"))
    ours, theirs = read_cube(radio), read_cube(tmp_path / "theirs.fits")
    assert theirs.axis.kind == "frequency"
    np.testing.assert_array_equal(theirs.data, ours.data)
    np.testing.assert_allclose(theirs.velocities(), ours.velocities(), atol=0.05)
    assert theirs.beam == Beam(pytest.approx(20.0), pytest.approx(15.0), pytest.approx(30.0))


def test_galpak_opens_our_cube(muse: Path, data: np.ndarray) -> None:
    cube = peer("galpak").HyperspectralCube.from_file(str(muse))
    cube.initialize_self_cube()
    assert cube.shape == SHAPE
    assert cube.xy_step == pytest.approx(0.2)
    assert cube.z_step == 1.25
    assert cube.z_cunit == "Angstrom"
    assert cube.wavelength_of(0) == 7100.0
    np.testing.assert_array_equal(np.isnan(cube.data).nonzero(), ([3], [4], [5]))
    valid = ~np.isnan(cube.data)
    np.testing.assert_array_equal(cube.data[valid], data[valid])
    np.testing.assert_allclose(cube.var[valid], data[valid] ** 2)


def test_we_open_a_cube_of_galpak(muse: Path, tmp_path: Path) -> None:
    cube = peer("galpak").HyperspectralCube.from_file(str(muse))
    cube.write_to(str(tmp_path / "theirs.fits"))
    ours, theirs = read_cube(muse), read_cube(tmp_path / "theirs.fits")
    np.testing.assert_array_equal(theirs.data, ours.data)
    np.testing.assert_array_equal(theirs.variance, ours.variance)
    np.testing.assert_allclose(theirs.axis.values, ours.axis.values)
