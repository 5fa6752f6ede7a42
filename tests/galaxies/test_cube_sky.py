"""Compiled cubes against what is known: fluxes, places, velocities, and GalSim's disks."""

import galsim
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters, render_cube

GRID = CubeGrid.velocities((9, 20, 24), 0.2, 80.0)


def seeing(ky, kx):
    return np.exp(-2 * np.pi**2 * 0.25**2 * (ky**2 + kx**2))


def centroid(image):
    y, x = np.indices(image.shape)
    return (image * y).sum() / image.sum(), (image * x).sum() / image.sum()


def test_flux_is_kept_and_magnified():
    galaxy = DiskParameters(flux=3.0, half_light_radius=0.3, maximum_velocity=80.0)
    wide = CubeGrid.velocities((15, 40, 40), 0.2, 80.0)
    assert render_cube(galaxy, wide, psf=seeing).sum() == pytest.approx(3.0, rel=1e-3)
    larger = DiskParameters(**(vars(galaxy) | {"magnification": 2.0}))
    assert render_cube(larger, wide, psf=seeing).sum() == pytest.approx(6.0, rel=1e-3)


def test_the_centre_and_the_systemic_velocity_are_where_they_should_be():
    galaxy = DiskParameters(
        offset_x=0.4, offset_y=-0.3, systemic_velocity=40.0, half_light_radius=0.2
    )
    cube = render_cube(galaxy, GRID, psf=seeing).astype(float)
    y, x = centroid(cube.sum(0))
    assert y == pytest.approx(9.5 - 1.5, abs=0.01)
    assert x == pytest.approx(11.5 + 2.0, abs=0.01)
    spectrum = cube.sum((1, 2))
    assert (spectrum * GRID.centres[0]).sum() / spectrum.sum() == pytest.approx(40.0, abs=0.5)


@pytest.mark.parametrize(("angle", "y", "x"), [(0, 1, 0), (90, 0, -1), (180, -1, 0), (250, 0, 1)])
def test_the_receding_side_is_at_the_position_angle(angle, y, x):
    cube = render_cube(DiskParameters(position_angle=angle), GRID, psf=seeing)
    receding = np.subtract(centroid(cube[6:].sum(0)), centroid(cube[:3].sum(0)))
    assert receding @ np.array([y, x]) > 0.7 * np.hypot(*receding)


def test_a_falling_axis_is_the_rising_one_upside_down():
    galaxy = DiskParameters(continuum=0.2, continuum_slope=0.5)
    rising = render_cube(galaxy, GRID, psf=seeing)
    falling = CubeGrid((9, 20, 24), 0.2, GRID.edges[:, ::-1])
    assert np.allclose(render_cube(galaxy, falling, psf=seeing), rising[::-1], atol=1e-7)


@pytest.mark.parametrize("inclination", [0.0, 45.0, 80.0])
@pytest.mark.parametrize("height", [0.02, 0.15])
def test_light_is_that_of_galsims_inclined_sheared_disk(inclination, height):
    radius, angle, g1, g2 = 0.6, 40.0, 0.06, -0.04
    galaxy = DiskParameters(
        half_light_radius=radius,
        inclination=inclination,
        position_angle=angle,
        scale_height=height,
        vertical="sech2",
        g1=g1,
        g2=g2,
        maximum_velocity=100.0,
    )
    grid = CubeGrid.velocities((3, 32, 32), 0.2, 2000.0)
    cube = render_cube(galaxy, grid, psf=seeing, accuracy=1e-4)
    disk = galsim.InclinedExponential(
        inclination * galsim.degrees, half_light_radius=radius, scale_height=height
    )
    disk = disk.rotate((90 + angle) * galsim.degrees).shear(g1=g1, g2=g2)
    image = galsim.Convolve(disk, galsim.Gaussian(sigma=0.25)).drawImage(nx=32, ny=32, scale=0.2)
    assert np.abs(cube.sum(0) - image.array).max() < 1e-3 * image.array.max()


def test_nothing_wraps_around():
    galaxy = DiskParameters(offset_x=-2.3, half_light_radius=0.15)
    cube = render_cube(galaxy, GRID, psf=seeing)
    assert np.abs(cube[:, :, -6:]).max() < 1e-4 * cube.max()


def test_batches_threads_and_single_galaxies_agree():
    model = DiskModel(clumps=2)
    vectors = model.draw(np.random.default_rng(0), 5)
    alone = CubeRenderer(GRID, model, seeing)
    cubes = alone(vectors)
    assert cubes.shape == (5, 9, 20, 24)
    assert cubes.dtype == np.float32
    assert np.array_equal(cubes, CubeRenderer(GRID, model, seeing, threads=2)(vectors))
    assert np.array_equal(cubes[3:4], alone(vectors[3]))
    galaxies = [DiskParameters.from_vector(vector, model) for vector in vectors]
    assert np.array_equal(cubes, render_cube(galaxies, GRID, psf=seeing))


def test_smaller_accuracies_converge():
    galaxy = DiskParameters(inclination=75, bulge_fraction=0.3, bulge_index=4.0, curve="freeman")
    finest = render_cube(galaxy, GRID, psf=seeing, accuracy=1e-6)
    errors = [
        np.abs(render_cube(galaxy, GRID, psf=seeing, accuracy=a) - finest).max() / finest.max()
        for a in (1e-2, 1e-3, 1e-4)
    ]
    assert errors[0] < 1e-2
    assert errors[1] < 1e-3
    assert errors[2] < 1e-4


def test_bad_input_is_named():
    galaxy = DiskParameters()
    for accuracy in (0.0, 0.5, 1e-9):
        with pytest.raises(InputError, match=r"accuracy is .*; expected 1e-7 to 0\.03"):
            render_cube(galaxy, GRID, accuracy=accuracy)
    with pytest.raises(InputError, match="length 3: expected 46"):
        CubeRenderer(GRID)([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="aren't finite"):
        CubeRenderer(GRID)(np.full(46, np.nan))
    with pytest.raises(InputError, match="different models"):
        render_cube([galaxy, DiskParameters(curve="tanh")], GRID)
    with pytest.raises(InputError, match="transfer function has the shape"):
        render_cube(galaxy, GRID, psf=lambda ky, kx: np.ones(3))
    with pytest.raises(InputError, match="isn't finite"):
        render_cube(galaxy, GRID, psf=lambda ky, kx: np.full(np.broadcast(ky, kx).shape, np.nan))
