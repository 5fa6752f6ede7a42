import numpy as np
import pytest

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid
from clumpygan.galaxies.rendering.grid import velocity_of, wavelength_of


def test_velocities_and_wavelengths_are_each_others_inverse():
    velocity = np.array([-5000.0, 0.0, 1e-3, 90000.0])
    wavelength = wavelength_of(velocity, 5008.24, 0.4)
    assert velocity_of(wavelength, 5008.24, 0.4) == pytest.approx(velocity, abs=1e-8)
    # To first order, and to second with special relativity: r = 1 + b + b^2 / 2.
    beta = 3000 / SPEED_OF_LIGHT
    ratio = wavelength_of(3000.0, 1.0, 0.0)
    assert ratio == pytest.approx(1 + beta + beta**2 / 2, abs=beta**3)


def test_a_grid_in_velocity_is_centred():
    grid = CubeGrid.velocities((5, 4, 3), 0.2, 10.0, centre=7.0, line_spread=30.0)
    assert grid.edges.tolist() == [[-18.0, -8.0, 2.0, 12.0, 22.0, 32.0]]
    assert grid.centres[0].tolist() == [-13.0, -3.0, 7.0, 17.0, 27.0]
    assert grid.channel_width == 10.0
    assert grid.line_spread == (30.0,)
    falling = CubeGrid.velocities((5, 4, 3), 0.2, -10.0)
    assert falling.edges[0, 0] == 25.0
    assert falling.channel_width == 10.0


def test_a_grid_in_wavelength_sees_each_line_at_its_own_velocity():
    grid = CubeGrid.wavelengths(
        (8, 4, 4), 0.2, 7115.0, 1.25, lines=(3727.09, 3729.88), redshift=0.91
    )
    assert grid.edges.shape == (2, 9)
    difference = grid.edges[0] - grid.edges[1]
    assert difference == pytest.approx(SPEED_OF_LIGHT * np.log(3729.88 / 3727.09), rel=1e-3)
    first = 7115.0 - 0.625
    assert grid.edges[0, 0] == pytest.approx(velocity_of(first, 3727.09, 0.91))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CubeGrid.velocities((5, 4), 0.2, 10.0), r"expected \(v, y, x\)"),
        (lambda: CubeGrid.velocities((5, 0, 4), 0.2, 10.0), "each at least 1"),
        (lambda: CubeGrid.velocities((5, 4, 4), -0.2, 10.0), "pixel_scale is -0.2 arcsec"),
        (lambda: CubeGrid.velocities((5, 4, 4), 0.2, 0.0), "channel_width is 0.0 km/s"),
        (lambda: CubeGrid((2, 4, 4), 0.2, np.array([0.0, 1.0])), "2 edges of 2 channels"),
        (lambda: CubeGrid((2, 4, 4), 0.2, np.array([0.0, 2.0, 1.0])), "strictly monotonic"),
        (lambda: CubeGrid((1, 4, 4), 0.2, np.array([0.0, np.inf])), "finite"),
        (
            lambda: CubeGrid((1, 4, 4), 0.2, np.array([0.0, 1.0]), line_fluxes=(1.0, 2.0)),
            "line_fluxes",
        ),
        (
            lambda: CubeGrid((1, 4, 4), 0.2, np.array([0.0, 1.0]), line_spread=(-1.0,)),
            "line_spread",
        ),
        (lambda: CubeGrid((1, 4, 4), 0.2, np.array([0.0, 1.0]), line_fluxes=(0.0,)), "above 0"),
        (lambda: CubeGrid.wavelengths((4, 4, 4), 0.2, 1.0, -1.0, lines=(1.0,)), "reach below 0"),
    ],
)
def test_bad_grids_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
