"""Maps of real galaxies against what is known of them."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from clumpygan.errors import InputWarning
from clumpygan.galaxies.measuring.continuum import without_continuum
from clumpygan.galaxies.measuring.moments import Moments, moments
from clumpygan.galaxies.measuring.position_velocity import position_velocity
from clumpygan.galaxies.measuring.signal_mask import noise_level
from clumpygan.io.cubes.reading import Cube, read_cube
from clumpygan.plots.cube_view import Slit, major_axis

pytestmark = pytest.mark.real_data


def flux_of(cube: Cube) -> np.ndarray:
    """Return the flux per voxel, NaN where unknown: Jy of cubes in Jy/beam."""
    data = np.where(cube.mask, np.nan, cube.data)
    if cube.beam is None:
        return data
    beam = np.pi / (4 * np.log(2)) * cube.beam.major * cube.beam.minor
    return data * cube.pixel_scale**2 / beam


def radio_maps(path: Path) -> tuple[Cube, np.ndarray, Moments]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        cube = read_cube(path)
    data = flux_of(cube)
    return cube, data, moments(data, cube.velocities(), variance=noise_level(data) ** 2)


def axis_of(cube: Cube, maps: Moments) -> Slit:
    return major_axis(maps, maps.mask, cube.pixel_scale, 1.0)


def test_ngc_2903(real_data: Path) -> None:
    """Of the tilted rings: PA 202, systemic velocity 556; HI flux about 240 Jy km/s."""
    cube, _, maps = radio_maps(real_data / "cubes" / "NGC2903_WSRT_HI.fits")
    assert 1200 < maps.mask.sum() < 2500
    assert axis_of(cube, maps).position_angle == pytest.approx(202, abs=10)
    middle = np.nanmean(np.nanpercentile(maps.velocity, [2, 98]))
    assert middle == pytest.approx(556, abs=15)
    channel = np.diff(cube.velocities()).mean()
    assert np.nansum(maps.flux) * channel == pytest.approx(240, rel=0.15)
    assert 5 < np.nanmedian(maps.dispersion) < 30


def test_ngc_4324(real_data: Path) -> None:
    """A ring, receding towards PA 230, of 175 km/s seen at 65 degrees."""
    cube, data, maps = radio_maps(real_data / "cubes" / "NGC4324_CARMA_CO10.fits")
    assert axis_of(cube, maps).position_angle == pytest.approx(230, abs=20)
    low, high = np.nanpercentile(maps.velocity, [1, 99])
    assert 0.5 * (high - low) == pytest.approx(175 * np.sin(np.radians(65)), abs=20)
    centre = [size // 2 for size in maps.mask.shape]
    assert not maps.mask[centre[0] - 2 : centre[0] + 3, centre[1] - 2 : centre[1] + 3].any()
    slit = position_velocity(
        data, cube.velocities(), cube.pixel_scale, position_angle=230, width=4, length=50
    )
    offset, velocity = np.meshgrid(slit.offsets, slit.velocities - 1665)
    bright = slit.diagram > 0.4 * slit.diagram.max()
    assert (np.sign(offset) == np.sign(velocity))[bright & (np.abs(velocity) > 50)].all()


def test_the_doublet_of_j1422(real_data: Path) -> None:
    """An [OII] emitter at z = 0.91 beside the residual of a quasar."""
    folder = real_data / "cubes"
    cube = read_cube(
        folder / "MUSE_J1422_OII_subcube.fits",
        variance=folder / "MUSE_J1422_OII_variance.fits",
        rest_wavelength=3726.03,
        redshift=0.91,
        medium="air",
    )
    velocities, data = cube.velocities(), flux_of(cube)
    y, x = (np.indices(data.shape[1:]) - 14.5) * cube.pixel_scale
    data[:, np.hypot(x + 1.5, y - 0.9) < 1.25] = np.nan
    data = without_continuum(data, velocities, (-320, 420), variance=cube.variance)
    maps = moments(
        data, velocities, variance=cube.variance, method="gaussian", window=(-320, 420),
        lines=((0, 1), (224.3, 1.4)), line_spread=45.0,
    )  # fmt: skip
    bright = np.nan_to_num(maps.flux) > 0.3 * np.nanmax(maps.flux)
    assert np.hypot(x[bright], y[bright]).max() < 1.2
    assert maps.velocity[bright].mean() == pytest.approx(-60, abs=40)
    assert maps.velocity_error[bright].max() < 40
    assert 20 < np.nanmedian(maps.dispersion[bright]) < 80
