"""A small mock that the tests of the package share."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from clumpygan.fitting import ObservedFrame
from clumpygan.galaxies import GALPAK_HEIGHT, CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import GALPAK_ASPECT
from clumpygan.instruments.spread import MoffatPSF

MODEL = DiskModel()
GRID = CubeGrid.velocities(
    (20, 18, 18), 0.2, 45.0, line_spread=40.0, pixel_response=False, channel_response=False
)
PSF_FWHM = 0.7
FRAME = ObservedFrame(
    GRID, partial(MoffatPSF(PSF_FWHM, 2.8, 7000.0, 0.0).transfer, wavelength=7000.0), PSF_FWHM
)
TRUTH = {
    "flux": 3.0,
    "offset_x": 0.08,
    "offset_y": -0.05,
    "systemic_velocity": 12.0,
    "half_light_radius": 0.7,
    "sersic_index": 1.0,
    "inclination": 55.0,
    "position_angle": 130.0,
    "maximum_velocity": 190.0,
    "turnover_radius": 0.25,
    "velocity_dispersion": 45.0,
    "scale_height": 0.7 * GALPAK_ASPECT / GALPAK_HEIGHT["gaussian"],
}


@dataclass(frozen=True)
class Mock:
    """A galaxy, its cube with noise, and the noise's sigma."""

    galaxy: DiskParameters
    clean: np.ndarray
    data: np.ndarray
    sigma: float

    @property
    def vector(self) -> np.ndarray:
        return self.galaxy.to_vector()


def make_mock(seed: int, signal_to_noise: float = 10.0, frame=FRAME, **changes: float) -> Mock:
    """Return a mock with a peak S/N; `changes` are parameters."""
    galaxy = DiskParameters.from_dict(TRUTH | changes, MODEL)
    clean = CubeRenderer(frame.grid, MODEL, frame.transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / signal_to_noise
    noise = np.random.default_rng(seed).standard_normal(clean.shape)
    return Mock(galaxy, clean, clean + sigma * noise, sigma)


@pytest.fixture(scope="session")
def mock() -> Mock:
    return make_mock(seed=3)
