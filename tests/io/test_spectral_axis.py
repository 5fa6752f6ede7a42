"""Wavelengths, frequencies and velocities, against astropy's relations and wcslib."""

import numpy as np
import pytest
from astropy import units
from astropy.constants import c
from astropy.io.fits import Header
from astropy.wcs import WCS

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies.rendering.grid import velocity_of
from clumpygan.io.cubes.spectral_axis import (
    SpectralAxis,
    air_of,
    rest_wavelength_of,
    vacuum_of,
)
from clumpygan.io.cubes.spectral_header import axis_cards, read_axis

HI = 1420405751.77  # Hz
CONVENTIONS = {
    "optical": units.doppler_optical,
    "radio": units.doppler_radio,
    "relativistic": units.doppler_relativistic,
}


def spectral_header(**cards: object) -> Header:
    header = Header()
    header["NAXIS"], header["CRPIX3"], header["CRVAL3"], header["CDELT3"] = 3, 4.0, 1.4e9, -1e5
    header.update(cards)
    return header


def test_air_is_that_of_wcslib() -> None:
    wcs = WCS(naxis=1)
    wcs.wcs.ctype, wcs.wcs.cunit = ["AWAV"], ["Angstrom"]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = [4700.0], [50.0], [1.0]
    air = wcs.wcs_pix2world(np.arange(90)[:, None], 0)[:, 0] * 1e10
    wcs.wcs.sptr("WAVE-A2W")
    # wcslib makes an axis that is linear in air wavelengths and speaks of vacuum.
    vacuum = wcs.wcs_pix2world(np.arange(90)[:, None], 0)[:, 0] * 1e10
    assert np.abs(vacuum - air).min() > 1
    np.testing.assert_allclose(vacuum_of(air), vacuum, rtol=1e-8)  # 3 m/s
    np.testing.assert_allclose(air_of(vacuum_of(air)), air, rtol=1e-14)
    assert vacuum_of(6562.801) == pytest.approx(6564.614, abs=0.002)  # H alpha, in any table


@pytest.mark.parametrize("definition", CONVENTIONS)
def test_velocities_of_each_definition_are_those_of_astropy(definition: str) -> None:
    values = np.linspace(-3000, 30000, 12)
    axis = SpectralAxis("velocity", values[0], np.diff(values)[0], 12, definition=definition)
    observed = (values * units.km / units.s).to(units.Hz, CONVENTIONS[definition](HI * units.Hz))
    true = observed.to(units.km / units.s, units.doppler_relativistic(HI * units.Hz))
    np.testing.assert_allclose(axis.velocities(), true.value, rtol=1e-9, atol=1e-8)
    line = SpectralAxis(
        "velocity", values[0], np.diff(values)[0], 12, "vacuum", definition, rest_wavelength_of(HI)
    )
    np.testing.assert_allclose(line.frequencies(), observed.value, rtol=1e-12)


def test_a_systemic_velocity_in_the_definition_of_the_axis_becomes_zero() -> None:
    axis = SpectralAxis("velocity", 5000.0, 10.0, 21, definition="radio")
    velocities = axis.velocities(redshift=axis.redshift_of(5100.0))
    assert velocities[10] == pytest.approx(0, abs=1e-9)
    # A radio velocity near 5100 km/s counts for 1 + v/c of a true one.
    assert velocities[11] == pytest.approx(10 * (1 + 5100 / 299792.458), rel=1e-3)


def test_frequencies_and_wavelengths_give_the_same_velocities() -> None:
    redshift, rest = 0.9, 3729.875
    frequencies = np.linspace(4.22e14, 4.23e14, 9)[::-1]
    axis = SpectralAxis("frequency", frequencies[0], np.diff(frequencies)[0], 9)
    expected = velocity_of(c.value * 1e10 / frequencies, rest, redshift)
    assert np.ptp(expected) > 500
    np.testing.assert_allclose(axis.velocities(rest, redshift), expected, atol=1e-6)


def test_vacuum_wavelengths_agree_with_the_grid_of_the_renderers() -> None:
    axis = SpectralAxis("wavelength", 7100.0, 1.25, 30)
    expected = velocity_of(axis.edges, 3729.0, 0.91)
    assert len(axis.velocity_edges(3729.0, 0.91)) == 31
    np.testing.assert_allclose(axis.velocity_edges(3729.0, 0.91), expected, atol=1e-9)


def test_air_has_another_index_at_the_rest_wavelength() -> None:
    # The same light in air and in vacuum: velocities agree only if each is brought to vacuum.
    rest, redshift = 3729.875, 0.91
    vacuum = SpectralAxis("wavelength", 7110.0, 1.25, 20)
    air = SpectralAxis("wavelength", float(air_of(7110.0)), 1.25, 20, medium="air")
    in_air = air.velocities(float(air_of(rest)), redshift)
    assert in_air[0] == pytest.approx(vacuum.velocities(rest, redshift)[0], abs=1e-6)
    naive = velocity_of(air.values, float(air_of(rest)), redshift)
    assert 1 < abs(naive[0] - in_air[0]) < 5


def test_a_source_frame_counts_from_the_redshift_of_the_source() -> None:
    axis = SpectralAxis("velocity", -500.0, 50.0, 21, redshift=0.91, origin=0.91)
    np.testing.assert_allclose(axis.velocities(), np.linspace(-500, 500, 21), atol=1e-9)
    # Composed with the speed of the source by Einstein's addition.
    source = velocity_of(1.91, 1.0, 0.0) / SPEED_OF_LIGHT
    beta = axis.values / SPEED_OF_LIGHT
    expected = SPEED_OF_LIGHT * (source + beta) / (1 + source * beta)
    np.testing.assert_allclose(axis.velocities(redshift=0.0), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (("wavelength", 7100.0, -1.25, 30), "step of the spectral axis is -1.25"),
        (("frequency", 1.4e9, 1e5, 30), "below 0"),
        (("wavelength", 0.5, 1.25, 30), "reach below 0"),
        (("wavelength", np.nan, 1.25, 30), "finite"),
        (("velocity", 0.0, 10.0, 0), "at least 1 channel"),
        (("redshift", 0.0, 10.0, 5), "expected one of wavelength"),
        (("velocity", 0.0, 10.0, 5, "water"), "expected one of air, vacuum"),
        (("velocity", 0.0, 10.0, 5, "air", "radio", -1.0), "rest_wavelength is -1.0"),
        (("velocity", 0.0, 10.0, 5, "air", "radio", None, -2.0), "redshift is -2.0"),
    ],
)
def test_bad_axes(axis: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpectralAxis(*axis)


def test_what_is_missing_is_named() -> None:
    axis = SpectralAxis("wavelength", 7100.0, 1.25, 30)
    with pytest.raises(InputError, match="redshift"):
        axis.velocities(3729.0)
    with pytest.raises(InputError, match="rest_wavelength in Angstrom"):
        axis.velocities(redshift=0.9)
    with pytest.raises(InputError, match="is its unit right"):
        SpectralAxis("velocity", 1e6, 10.0, 3).velocities()


AXES = [
    SpectralAxis(
        "wavelength", 7100.0, 1.25, 30, medium="air", rest_wavelength=3728.5, redshift=0.9
    ),
    SpectralAxis(
        "wavelength", 21000.0, 2.5, 8, rest_wavelength=6564.6, redshift=2.2, frame="HELIOCEN"
    ),
    SpectralAxis(
        "velocity", 1450.3, 20.1, 21, definition="radio", rest_wavelength=2.6e7, frame="LSRK"
    ),
    SpectralAxis("velocity", -700.0, 57.13, 30, redshift=0.5, origin=0.5, frame="SOURCE"),
    SpectralAxis("velocity", -700.0, 57.13, 30, definition="optical", redshift=0.0),
    SpectralAxis("frequency", 1.42e9, -2e4, 40, rest_wavelength=2.1e9, frame="BARYCENT"),
]


@pytest.mark.parametrize("axis", AXES)
def test_places_of_velocities_are_those_of_the_channels(axis: SpectralAxis) -> None:
    rest = {"wavelength": axis.rest_wavelength, "frequency": 2.1e9}.get(axis.kind)
    for redshift in (None, 0.3):
        velocities = axis.velocities(rest, redshift)
        places = axis.values_at(velocities, rest, redshift)
        np.testing.assert_allclose(places, axis.values, rtol=1e-11)
    line = axis.values_at(0.0, rest, 0.3)
    if axis.kind == "velocity":
        assert axis.redshift_of(float(line)) == pytest.approx(0.3)


@pytest.mark.parametrize("axis", AXES)
def test_cards_come_back_and_wcslib_reads_them_alike(axis: SpectralAxis) -> None:
    cards = axis_cards(axis)
    cards["NAXIS"] = 3
    again, reverse = read_axis(cards, 3, axis.count, "cube")
    assert not reverse
    np.testing.assert_allclose(again.values, axis.values, rtol=1e-14)
    np.testing.assert_allclose(
        again.velocities(6500.0, 0.3), axis.velocities(6500.0, 0.3), rtol=0, atol=1e-6
    )
    for name in ("kind", "medium", "definition", "redshift", "origin", "frame"):
        assert getattr(again, name) == getattr(axis, name)
    if axis.rest_wavelength:
        assert again.rest_wavelength == pytest.approx(axis.rest_wavelength, rel=1e-12)
    wcs = WCS(cards).spectral
    world = wcs.wcs_pix2world(np.arange(axis.count)[:, None], 0)[:, 0]
    si = {"wavelength": 1e-10, "frequency": 1.0, "velocity": 1e3}[axis.kind]
    np.testing.assert_allclose(world, axis.values * si, rtol=1e-12)


@pytest.mark.parametrize(
    ("ctype", "value", "step", "definition"),
    [
        ("VOPT-F2W", 6e6, 2e4, "optical"),
        ("VELO-F2V", 6e6, 2e4, "relativistic"),
        ("FELO-HEL", 6e6, 2e4, "optical"),
    ],
)
def test_velocities_in_equal_steps_of_frequency(
    ctype: str, value: float, step: float, definition: str
) -> None:
    header = spectral_header(CTYPE3=ctype, CUNIT3="m/s", CRVAL3=value, CDELT3=step, RESTFRQ=HI)
    axis, reverse = read_axis(header, 3, 60, "cube")
    assert axis.kind == "frequency"
    assert not reverse
    wcs = WCS(naxis=1)
    wcs.wcs.ctype = [{"FELO-HEL": "VOPT-F2W"}.get(ctype, ctype)]
    wcs.wcs.cunit, wcs.wcs.restfrq = ["m/s"], HI
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = [value], [step], [4.0]
    values = wcs.wcs_pix2world(np.arange(60)[:, None], 0)[:, 0] / 1e3
    frequencies = (values * units.km / units.s).to(units.Hz, CONVENTIONS[definition](HI * units.Hz))
    np.testing.assert_allclose(axis.values, frequencies.value, rtol=1e-10)
    assert np.ptp(np.diff(values)) > 0.01  # the steps in velocity do differ


@pytest.mark.parametrize(
    ("velref", "definition"), [(None, "relativistic"), (2, "optical"), (258, "radio")]
)
def test_a_bare_velo_has_the_definition_of_velref(velref: int | None, definition: str) -> None:
    header = spectral_header(CTYPE3="VELO-LSR", CUNIT3="km/s", CRVAL3=500.0, CDELT3=4.0)
    if velref is not None:
        header["VELREF"] = velref
    axis, _ = read_axis(header, 3, 10, "cube")
    assert (axis.kind, axis.definition, axis.frame) == ("velocity", definition, "LSRK")
    assert axis.first == 500 - 3 * 4
    given, _ = read_axis(header, 3, 10, "cube", definition="optical")
    assert given.definition == "optical"


def test_falling_axes_are_turned() -> None:
    rising = spectral_header(CTYPE3="FREQ", CUNIT3="GHz", CRVAL3=1.4, CDELT3=1e-4)
    axis, reverse = read_axis(rising, 3, 10, "cube", rest_wavelength=rest_wavelength_of(HI))
    assert reverse
    np.testing.assert_allclose(axis.values, (1.4e9 + 1e5 * (np.arange(10) - 3))[::-1])
    assert (np.diff(axis.velocities()) > 0).all()
    falling = spectral_header(CTYPE3="WAVE", CUNIT3="um", CRVAL3=2.1, CDELT3=-1e-4)
    axis, reverse = read_axis(falling, 3, 10, "cube")
    assert reverse
    np.testing.assert_allclose(axis.values, (21000 - (np.arange(10) - 3))[::-1])


def test_steps_in_a_matrix() -> None:
    header = spectral_header(CTYPE3="AWAV", CUNIT3="nm", CRVAL3=710.0)
    header["PC3_3"], header["CDELT3"] = 0.5, 0.25
    assert read_axis(header, 3, 4, "cube")[0].step == pytest.approx(1.25)
    del header["CDELT3"]
    header["CD3_3"] = 0.125
    assert read_axis(header, 3, 4, "cube")[0].step == pytest.approx(1.25)
    header["CDELT3"] = 1.0  # left over, as in cubes of MUSE
    assert read_axis(header, 3, 4, "cube")[0].step == pytest.approx(1.25)


@pytest.mark.parametrize("unit", ["Angstrom", "ANGSTROM", "angstroms", "A", "0.1nm"])
def test_spellings_of_units(unit: str) -> None:
    header = spectral_header(CTYPE3="AWAV", CUNIT3=unit, CRVAL3=7100.0, CDELT3=1.25)
    assert read_axis(header, 3, 4, "cube")[0].step == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"CTYPE3": "FREQ-LOG", "CUNIT3": "Hz"}, "isn't linear"),
        ({"CTYPE3": "WAVE-LOG", "CUNIT3": "Angstrom", "CDELT3": 1e10}, "a logarithmic axis from"),
        ({"CTYPE3": "AWAV-TAB", "CUNIT3": "Angstrom"}, "isn't linear"),
        ({"CTYPE3": "WAVE-F2W", "CUNIT3": "Angstrom"}, "isn't linear"),
        (
            {"CTYPE3": "LINEAR", "CUNIT3": "Angstrom", "DC-FLAG": 1},
            "expected log10 of a wavelength",
        ),
        ({"CTYPE3": "AWAV"}, "no CUNIT3"),
        ({}, "no CUNIT3"),
        ({"CTYPE3": "FREQ", "CUNIT3": "m/s"}, "expected a unit of frequency"),
        ({"CTYPE3": "AWAV", "CUNIT3": "parsnip"}, "'parsnip'"),
        ({"CTYPE3": "FREQ-OHEL", "CUNIT3": "Hz"}, "isn't understood"),
        ({"CTYPE3": "FREQ", "CUNIT3": "Hz", "CDELT3": 0.0}, "step of the spectral axis is 0"),
        ({"CTYPE3": "FREQ", "CUNIT3": "Hz", "CDELT3": "wide"}, "CDELT3 of the header is 'wide'"),
        ({"CTYPE3": "FREQ", "CUNIT3": "Hz", "CRVAL3": " "}, "no CRVAL3"),
        ({"CTYPE3": "FREQ", "CUNIT3": "Hz", "CD3_3": 1e5, "CD3_1": 1e3}, "tilted"),
        ({"CTYPE3": "FREQ", "CUNIT3": "Hz", "CDELT1": 1e-4, "PC1_3": 0.1}, "tilted"),
        ({"CTYPE3": "VOPT-F2W", "CUNIT3": "m/s"}, "without a rest frequency"),
        ({"CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRVAL3": 1.0, "CDELT3": 1.0}, "below 0"),
    ],
)
def test_bad_headers(cards: dict[str, object], message: str) -> None:
    header = Header()
    header.update({"NAXIS": 3, "CRPIX3": 4.0, "CRVAL3": 1.4e9, "CDELT3": -1e5})
    header.update(cards)
    with pytest.raises(InputError, match=message) as error:
        read_axis(header, 3, 10, "cube.fits")
    assert str(error.value).startswith("cube.fits: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("step", [0.8, -0.8])
def test_logarithmic_axes(step: float) -> None:
    manga = spectral_header(
        CTYPE3="WAVE-LOG", CUNIT3="Angstrom", CRVAL3=3621.6, CD3_3=step, CRPIX3=5.0
    )
    axis, reverse = read_axis(manga, 3, 100, "cube")
    assert reverse == (step < 0)
    pixels = np.arange(1, 101) - 5.0
    # Equation 5 of Greisen et al. 2006, and what wcslib makes of the same cards.
    expected = 3621.6 * np.exp(pixels * step / 3621.6)
    np.testing.assert_allclose(axis.values, np.sort(expected), rtol=1e-13)
    wcs = WCS(naxis=1)
    wcs.wcs.ctype, wcs.wcs.cunit, wcs.wcs.crpix = ["WAVE-LOG"], ["Angstrom"], [5.0]
    wcs.wcs.crval, wcs.wcs.cdelt = [3621.6], [step]
    theirs = wcs.wcs_pix2world(np.arange(100.0), 0)[0] * 1e10
    np.testing.assert_allclose(axis.values, np.sort(theirs), rtol=1e-9)
    # Channels are equally wide in velocity, parts are the same channels, and what is written too.
    widths = np.diff(axis.velocity_edges(3700.0, 0.0))
    np.testing.assert_allclose(widths, widths[0], rtol=2e-3)
    np.testing.assert_allclose(axis.widths, axis.values * abs(step) / 3621.6, rtol=1e-6)
    np.testing.assert_allclose(axis.sliced(7, 20).values, axis.values[7:20], rtol=1e-13)
    again, _ = read_axis(axis_cards(axis.sliced(7, 20)), 3, 13, "cube")
    np.testing.assert_allclose(again.values, axis.values[7:20], rtol=1e-13)


def test_logarithms_to_base_ten() -> None:
    """As IRAF and the SDSS write them."""
    cards = {"CTYPE3": "LINEAR", "CUNIT3": "Angstrom", "DC-FLAG": 1, "CRVAL3": 3.8, "CDELT3": 1e-4}
    with pytest.warns(InputWarning, match="air is assumed"):
        axis, _ = read_axis(spectral_header(**cards), 3, 20, "cube")
    pixel = spectral_header(**cards).get("CRPIX3", 0.0)
    np.testing.assert_allclose(axis.values, 10 ** (3.8 + 1e-4 * (np.arange(1, 21) - pixel)))


def test_what_is_assumed_is_said() -> None:
    velocity = spectral_header(CTYPE3="VRAD", CRVAL3=5e5, CDELT3=4e3)
    with pytest.warns(InputWarning, match="no CUNIT3; taken to be m/s"):
        axis, _ = read_axis(velocity, 3, 10, "cube")
    assert axis.step == 4.0
    linear = spectral_header(CTYPE3="LINEAR", CUNIT3="Angstrom", CRVAL3=7000.0, CDELT3=1.25)
    with pytest.warns(InputWarning, match="air or in vacuum; air is assumed"):
        axis, _ = read_axis(linear, 3, 10, "cube")
    assert axis.medium == "air"
    assert read_axis(linear, 3, 10, "cube", medium="vacuum")[0].medium == "vacuum"
    unitless = spectral_header(CTYPE3="AWAV", CRVAL3=0.7, CDELT3=1e-4)
    assert read_axis(unitless, 3, 10, "cube", unit="um")[0].step == pytest.approx(1.0)
