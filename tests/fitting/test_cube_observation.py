"""Cubes of files: their lines, velocities, units, PSF and LSF."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units
from astropy.io.fits import Header

from clumpygan.data.cubes.frame import make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.errors import InputError
from clumpygan.fitting import observe_cube
from clumpygan.galaxies.rendering.grid import velocity_of, wavelength_of
from clumpygan.instruments import MUSE_WFM
from clumpygan.instruments.spread import GaussianPSF, MeasuredPSF
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis, air_of, vacuum_of
from clumpygan.io.cubes.units import Beam
from tests.fitting.conftest import GRID


def data(seed=1):
    return np.random.default_rng(seed).standard_normal(GRID.shape)


def muse_cube(**changes):
    """An [OII] cube at z = 0.91, as MUSE has it."""
    values = {
        "data": data().astype(np.float32),
        "mask": np.zeros(GRID.shape, dtype=bool),
        "axis": SpectralAxis(
            "wavelength", 7108.0, 1.25, GRID.shape[0], medium="air", redshift=0.91
        ),
        "pixel_scale": 0.2,
        "variance": np.ones(GRID.shape, dtype=np.float32),
        "unit": units.Unit("1e-20 erg/(s cm2 Angstrom)"),
    }
    return Cube(**{**values, **changes})


def velocity_cube(**changes):
    axis = SpectralAxis("velocity", -300.0, 30.0, GRID.shape[0])
    return muse_cube(**{"axis": axis, "unit": units.Jy / units.beam, **changes})


def test_a_muse_cube():
    observation = observe_cube(muse_cube(), MUSE_WFM, lines=["oii"])
    grid = observation.frame.grid
    waves = vacuum_of(7108.0 + 1.25 * (np.arange(21) - 0.5))
    for edges, line in zip(grid.edges, (3727.092, 3729.875), strict=True):
        np.testing.assert_allclose(edges, velocity_of(waves, line, 0.91), atol=0.1)
    assert not grid.pixel_response
    assert not grid.channel_response
    observed = air_of(3729.875 * 1.91)
    assert grid.line_spread[1] == pytest.approx(float(MUSE_WFM.line_spread(observed)))
    assert observation.frame.psf_fwhm == pytest.approx(
        float(MUSE_WFM.psf.width(observed)), rel=1e-3
    )
    np.testing.assert_array_equal(observation.frame.correlation, MUSE_WFM.noise_correlation)
    # Flux per voxel: flux density times the channel.
    np.testing.assert_allclose(observation.data, 1.25 * data(), rtol=1e-6)
    np.testing.assert_allclose(observation.variance, 1.25**2)
    assert observation.flux_unit == "1e-20 erg / (s cm2)"


def test_wide_channels_are_integrated_over():
    axis = SpectralAxis("wavelength", 7078.0, 5.0, GRID.shape[0], medium="air", redshift=0.91)
    grid = observe_cube(muse_cube(axis=axis), MUSE_WFM, lines=["oii"]).frame.grid
    assert grid.channel_response
    settings = FrameSettings(
        GRID.shape, ("oii",), instrument="muse_wfm", redshift=0.91, channel_width=5.0
    )
    assert grid.line_spread == pytest.approx(make_frame(settings).grid.line_spread)
    assert grid.line_spread[0] < MUSE_WFM.line_spread(air_of(3727.092 * 1.91))


def test_what_is_given_comes_before_the_instrument():
    observation = observe_cube(muse_cube(), MUSE_WFM, lines=["oii"], psf_fwhm=0.9, line_spread=33.0)
    assert observation.frame.psf_fwhm == pytest.approx(0.9)
    assert observation.frame.grid.line_spread == (33.0, 33.0)
    half = observation.frame.transfer(np.array([[0.5]]), np.array([[0.0]]))
    assert half < MUSE_WFM.transfer(7123.0)(np.array([[0.5]]), np.array([[0.0]]))


def test_the_masks_of_file_and_user_add_up():
    of_file, own = np.zeros(GRID.shape, dtype=bool), np.zeros(GRID.shape[1:], dtype=bool)
    of_file[0, 0, 0] = own[5, 5] = True
    observation = observe_cube(muse_cube(mask=of_file), MUSE_WFM, lines=["oii"], mask=own)
    assert (~observation.valid).sum() == 1 + GRID.shape[0]


def test_a_radio_cube_has_its_beam():
    beam = Beam(0.9, 0.5, 30.0)
    observation = observe_cube(velocity_cube(beam=beam))
    assert observation.frame.psf_fwhm == pytest.approx(np.sqrt(0.45))
    assert observation.flux_unit == "Jy / beam voxel"
    angle = np.radians(30.0)
    for fwhm, (y, x) in (
        (0.9, (np.cos(angle), -np.sin(angle))),
        (0.5, (np.sin(angle), np.cos(angle))),
    ):
        expected = GaussianPSF(fwhm).transfer(np.array([[0.7]]), np.array([[0.0]]), 7000.0)
        seen = observation.frame.transfer(np.array([[0.7 * y]]), np.array([[0.7 * x]]))
        np.testing.assert_allclose(seen, expected)
    np.testing.assert_allclose(
        observation.frame.grid.centres[0], velocity_cube().velocities(), atol=1e-9
    )


def test_noise_of_a_radio_cube_is_correlated_like_its_beam():
    beam = Beam(1.0, 0.7, 60.0)
    correlation = observe_cube(velocity_cube(beam=beam)).frame.correlation
    # Independent pixels, seen by a beam of unit volume.
    kernel = np.zeros((41, 41))
    kernel[20, 20] = 1.0
    ky, kx = np.fft.fftfreq(41, 0.2)[:, None], np.fft.fftfreq(41, 0.2)[None]
    seen = observe_cube(velocity_cube(beam=beam)).frame.transfer(ky, kx)
    expected = np.fft.fftshift(np.fft.ifft2(seen**2).real)
    expected /= expected.max()
    reach = correlation.shape[1] // 2
    middle = np.s_[20 - reach : 21 + reach, 20 - reach : 21 + reach]
    assert correlation.shape == (1, 2 * reach + 1, 2 * reach + 1)
    np.testing.assert_allclose(correlation[0], expected[middle], atol=1e-4)
    # The sum is that of all lags, twice the beam's area in pixels.
    assert correlation.sum() == pytest.approx(2 * beam.area / 0.04, rel=0.01)


def test_a_plain_cube_has_a_gaussian_psf():
    observation = observe_cube(velocity_cube(unit=None), psf_fwhm=0.8, line_spread=20.0)
    assert observation.frame.grid.line_spread == (20.0,)
    assert observation.frame.grid.channel_response
    assert observation.flux_unit == ""


def test_two_lines_on_a_velocity_axis():
    observation = observe_cube(velocity_cube(), psf_fwhm=0.8, lines=["oii"])
    edges = observation.frame.grid.edges
    stretch = wavelength_of(edges[0], 1.0, 0.0)
    np.testing.assert_allclose(edges[1], velocity_of(stretch, 3729.875 / 3727.092, 0.0))


def test_the_psf_of_manga_is_that_of_its_header():
    cube = muse_cube()
    bands = {"RFWHM": 2.6, "IFWHM": 2.4, "ZFWHM": 2.3, "GFWHM": 2.8}
    manga = replace(cube, header=Header({**bands, "PLATEIFU": "7443-12703"}))
    observed = observe_cube(manga, lines=["oii"], line_spread=60.0).frame
    wave = 3728.5 * (1 + cube.axis.redshift)
    expected = np.interp(wave, [4770, 6231, 7625, 9134], [2.8, 2.6, 2.4, 2.3])
    assert observed.psf_fwhm == pytest.approx(expected, rel=1e-3)
    given = observe_cube(manga, lines=["oii"], line_spread=60.0, psf_fwhm=1.0)
    assert given.frame.psf_fwhm == 1.0
    with pytest.raises(InputError, match="give the PSF's FWHM"):
        observe_cube(replace(cube, header=Header(bands)), lines=["oii"], line_spread=60.0)


def test_the_fwhm_of_a_measured_psf_is_measured():
    image = np.exp(-0.5 * ((np.arange(21) - 10) ** 2)[:, None] - 0.5 * (np.arange(21) - 10) ** 2)
    instrument = replace(MUSE_WFM, psf=MeasuredPSF(image / image.sum(), 0.2))
    width = observe_cube(muse_cube(), instrument, lines=["oii"]).frame.psf_fwhm
    assert width == pytest.approx(2.3548 * 0.2, rel=0.01)
    with pytest.raises(InputError, match="its seeing can't be changed"):
        observe_cube(muse_cube(), instrument, lines=["oii"], psf_fwhm=0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lines": ["hbeta"]}, "at redshift 0.91 the line is at velocities outside the cube"),
        ({"lines": ["oii"], "redshift": 0.5}, "at redshift 0.5 the line is at velocities outside"),
        ({"lines": ["ohno"]}, "no line 'ohno'; expected one of lya"),
        ({}, "the rest wavelength of the line isn't known"),
        ({"lines": ["oii"], "psf_fwhm": -1.0}, "psf_fwhm is -1 arcsec; expected"),
        ({"lines": ["oii"], "line_spread": -1.0}, "line_spread is -1 km/s; expected 0 or more"),
    ],
)
def test_a_cube_without_the_line_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        observe_cube(muse_cube(), MUSE_WFM, **options)


def test_without_instrument_and_beam_a_psf_is_asked_for():
    with pytest.raises(InputError, match="no instrument and no beam; give the PSF's FWHM"):
        observe_cube(velocity_cube())
