"""A PSF like WFC3/F160W's, a plain galaxy to vary, and exact GalSim images to compare with."""

from collections.abc import Callable
from typing import Any

import galsim
import numpy as np
import pytest

from clumpygan.galaxies import MAXIMUM_CLUMPS, galsim_galaxy

# the wings of the Airy disk make GalSim's FFT huge at a folding threshold much below this
ACCURATE = galsim.GSParams(folding_threshold=1e-3, maxk_threshold=1e-4, kvalue_accuracy=1e-7)


@pytest.fixture(scope="session")
def psf() -> galsim.GSObject:
    optics = galsim.Airy(lam=1540, diam=2.4, obscuration=0.33, scale_unit=galsim.arcsec)
    return galsim.Convolve(optics, galsim.Pixel(0.06), galsim.Pixel(0.09))


@pytest.fixture
def plain() -> dict[str, Any]:
    """A round exponential disk of 1000 nJy and 0.3 arcsec in the centre of the stamp."""
    return {
        "flux": 1000.0,
        "half_light_radius": 0.3,
        "sersic_index": 1.0,
        "axis_ratio": 1.0,
        "position_angle": 0.0,
        "bulge_fraction": 0.0,
        "bulge_half_light_radius": 0.1,
        "bulge_axis_ratio": 1.0,
        "bulge_sersic_index": 4.0,
        "arm_count": 0,
        "arm_fraction": 0.0,
        "arm_pitch_angle": 20.0,
        "arm_phase": 40.0,
        "clump_count": 0,
        "clump_fraction": 0.0,
        "clump_flux": np.zeros(MAXIMUM_CLUMPS),
        "clump_x": np.zeros(MAXIMUM_CLUMPS),
        "clump_y": np.zeros(MAXIMUM_CLUMPS),
        "clump_size": np.full(MAXIMUM_CLUMPS, 0.1),
        "g1": 0.0,
        "g2": 0.0,
        "offset_x": 0.0,
        "offset_y": 0.0,
        "companion_flux": 0.0,
        "companion_x": 0.0,
        "companion_y": 0.0,
        "companion_half_light_radius": 0.2,
        "companion_sersic_index": 1.0,
        "companion_axis_ratio": 0.5,
        "companion_position_angle": 0.0,
    }


@pytest.fixture(scope="session")
def exact() -> Callable[..., np.ndarray]:
    """Image of a galaxy by GalSim, at tightened accuracy."""

    def draw(galaxy: Any, psf: galsim.GSObject, size: int = 112, scale: float = 0.06) -> np.ndarray:
        scene = galsim.Convolve(galsim_galaxy(galaxy), psf).withGSParams(ACCURATE)
        return scene.drawImage(nx=size, ny=size, scale=scale, method="no_pixel").array

    return draw
