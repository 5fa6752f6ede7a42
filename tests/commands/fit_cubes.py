"""Tiny cubes to be fitted by the tests of `fit.py`."""

from pathlib import Path

import numpy as np

from clumpygan.galaxies import CubeGrid, DiskParameters, render_cube
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.writing import write_cube

SHAPE, PIXEL, CHANNEL, FWHM = (12, 12, 12), 0.25, 70.0, 0.6

GALAXY = DiskParameters(
    flux=100.0, half_light_radius=0.6, inclination=55, position_angle=70, maximum_velocity=180,
    turnover_radius=0.2, velocity_dispersion=40, scale_height=0.08,
)  # fmt: skip

QUICK = ("--psf-fwhm", FWHM, "--method", "laplace", "--no-picture")


def make_cube(
    path,
    galaxy=GALAXY,
    *,
    signal_to_noise=15.0,
    seed=1,
    noise=True,
    variance=True,
    unit=None,
    wavelength=None,
    redshift=None,
):
    """Write a cube; around a wavelength in Angstrom, its channels are those of the velocities."""
    edges = CHANNEL * (np.arange(SHAPE[0] + 1) - SHAPE[0] / 2)
    grid = CubeGrid(SHAPE, PIXEL, edges[None], pixel_response=False)
    transfer = GaussianPSF(FWHM).transfer
    cube = render_cube(galaxy, grid, psf=lambda ky, kx: transfer(ky, kx, 7000.0))
    sigma = float(cube.max()) / signal_to_noise
    if noise:
        cube = cube + sigma * np.random.default_rng(seed).standard_normal(SHAPE)
    axis = SpectralAxis("velocity", float(edges[0]) + CHANNEL / 2, CHANNEL, SHAPE[0])
    if wavelength is not None:
        step = wavelength * CHANNEL / 299792.458
        first = wavelength - step * (SHAPE[0] - 1) / 2
        axis = SpectralAxis("wavelength", first, step, SHAPE[0], redshift=redshift)
        cube, sigma = cube / step, sigma / step
    write_cube(
        Path(path),
        cube,
        axis=axis,
        pixel_scale=PIXEL,
        variance=np.full(SHAPE, sigma**2) if variance else None,
        centre=(150.0, 2.0),
        unit=unit,
        parameters=galaxy.to_dict(),
    )
    return Path(path)
