"""Cubes in other units, against astropy's equivalencies."""

import numpy as np
import pytest
from astropy import units

from clumpygan.errors import InputError
from clumpygan.io.brightness import in_unit
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.units import Beam, parse_unit

CO = 1.15271202e11  # Hz


@pytest.fixture
def radio() -> Cube:
    axis = SpectralAxis(
        "velocity", 1e4, 500.0, 5, definition="radio", rest_wavelength=2.99792458e18 / CO
    )
    return cube_of("Jy/beam", axis, beam=Beam(4.0, 2.0, 30.0))


def cube_of(unit: str, axis: SpectralAxis, beam: Beam | None = None) -> Cube:
    data = np.random.default_rng(0).normal(size=(axis.count, 3, 4)).astype(np.float32)
    return Cube(
        data=data,
        mask=np.zeros(data.shape, bool),
        axis=axis,
        pixel_scale=1.0,
        variance=np.where(np.arange(4) == 3, np.inf, np.ones_like(data)).astype(np.float32),
        unit=parse_unit(unit),
        beam=beam,
    )


def test_kelvin_by_the_frequency_of_each_channel(radio: Cube) -> None:
    kelvin = in_unit(radio, "K")
    area = 2 * np.pi * (4.0 * 2.0 / (8 * np.log(2))) * units.arcsec**2
    frequencies = (radio.axis.values * units.km / units.s).to(
        units.Hz, units.doppler_radio(CO * units.Hz)
    )
    for channel, frequency in enumerate(frequencies):
        expected = (radio.data[channel] * units.Jy / units.beam).to(
            units.K, units.brightness_temperature(frequency, beam_area=area)
        )
        np.testing.assert_allclose(kelvin.data[channel], expected.value, rtol=1e-5)
    ratio = kelvin.data / radio.data
    assert ratio[-1, 0, 0] / ratio[0, 0, 0] > 1.005  # the channels aren't all alike
    np.testing.assert_allclose(kelvin.variance[..., :3], ratio[..., :3] ** 2, rtol=1e-5)
    assert np.isinf(kelvin.variance[..., 3]).all()
    assert kelvin.unit == units.K


@pytest.mark.parametrize("unit", ["K", "mK", "mJy/beam", "Jy/sr", "MJy/sr", "Jy/pixel", "Jy"])
def test_there_and_back(radio: Cube, unit: str) -> None:
    other = in_unit(radio, unit)
    assert not np.allclose(other.data, radio.data, rtol=1e-3)
    back = in_unit(other, "Jy/beam")
    np.testing.assert_allclose(back.data, radio.data, rtol=1e-5)
    np.testing.assert_allclose(back.variance, radio.variance, rtol=1e-5)


def test_flux_per_pixel_adds_up_to_that_of_a_point_source() -> None:
    axis = SpectralAxis("frequency", 1.15e11, -1e6, 1)
    cube = cube_of("Jy/beam", axis, beam=Beam(8.0, 6.0))
    y, x = np.mgrid[-30:31, -30:31]
    point = np.exp(-4 * np.log(2) * ((x / 8.0) ** 2 + (y / 6.0) ** 2))[None]
    cube = Cube(point, np.zeros(point.shape, bool), axis, 1.0, unit=cube.unit, beam=cube.beam)
    assert in_unit(cube, "Jy/pixel").data.sum() == pytest.approx(1, rel=1e-5)


def test_per_angstrom_and_per_channel() -> None:
    axis = SpectralAxis("wavelength", 7100.0, 1.25, 5)
    cube = cube_of("10**(-20)*erg/s/cm**2/Angstrom", axis)
    per_channel = in_unit(cube, "1e-20 erg/s/cm2")
    np.testing.assert_allclose(per_channel.data, 1.25 * cube.data, rtol=1e-6)
    np.testing.assert_allclose(in_unit(cube, "erg/s/cm2").data, 1.25e-20 * cube.data, rtol=1e-6)
    again = in_unit(per_channel, cube.unit)
    np.testing.assert_allclose(again.data, cube.data, rtol=1e-6)


@pytest.mark.parametrize(
    ("unit", "wanted", "message"),
    [
        ("Jy/beam", "parsnip", "'parsnip' isn't a unit"),
        ("Jy/beam", "erg/s/cm2", "can't become erg"),
        ("parsnip", "K", "the unit of the cube isn't known"),
        ("Jy/beam", "K", "no beam"),
        ("Jy/sr", "K", "kelvin need the frequency; the rest wavelength"),
    ],
)
def test_what_cannot_be_converted(unit: str, wanted: str, message: str) -> None:
    rest = None if unit == "Jy/sr" else 2.6e7
    cube = cube_of(unit, SpectralAxis("velocity", 0.0, 10.0, 5, rest_wavelength=rest))
    with pytest.raises(InputError, match=message):
        in_unit(cube, wanted)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("10**(-20)*erg/s/cm**2/Angstrom", "1e-20 erg / (s cm2 Angstrom)"),
        ("10**-20 Angstrom-1 cm-2 erg s-1", "1e-20 erg / (s cm2 Angstrom)"),
        ("1E-17 erg/s/cm^2/Ang/spaxel", "1e-17 erg / (s cm2 Angstrom pixel)"),
        ("erg.s**(-1).cm**(-2).angstrom**(-1)", "erg / (s cm2 Angstrom)"),
        ("1e-20 erg/s/cm2/A", "1e-20 erg / (s cm2 Angstrom)"),
        ("(10**(-20)*erg/s/cm**2/Angstrom)**2", "1e-40 erg2 / (s2 cm4 Angstrom2)"),
        ("JY/BEAM", "Jy / beam"),
        ("Jy beam-1", "Jy / beam"),
        ("KELVIN", "K"),
        ("KM/S", "km / s"),
        ("counts", "count"),
    ],
)
def test_spellings_of_units(text: str, unit: str) -> None:
    assert parse_unit(text) == units.Unit(unit)


def test_what_is_no_unit() -> None:
    assert parse_unit("parsnip") is None
    assert parse_unit("(parsnip)**2") is None
