"""The mock galaxies that `fit.py` measures, in the conventions of GalPaK3D, which fits some too.

A cube of 30 x 30 x 30 voxels as MUSE would observe it around H alpha (see `cube_cases`): a thick
exponential disk with a tanh curve. The brightest voxel has a S/N of 3, 8 or 20, the inclination is
30 to 80 degrees, the half-light radius 1.5 to 4 times half the FWHM of the seeing.
"""

from dataclasses import dataclass

import numpy as np
from cube_cases import (
    CHANNEL_WIDTH,
    HEIGHT_OF_SIGMA,
    LINE_SPREAD,
    PIXEL_SCALE,
    PSF_SIGMA,
    WIDTH_OF_SIGMA,
    transfer,
)
from peers.galpak import to_galpak

from clumpygan.fitting import ObservedFrame
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import GALPAK_ASPECT

SIZE = 30
SIGNAL_TO_NOISE = (3.0, 8.0, 20.0)
SEEING = WIDTH_OF_SIGMA * PSF_SIGMA
MODEL = DiskModel(curve="tanh")
KNOWN = {"thick_dispersion": HEIGHT_OF_SIGMA, "sersic_index": 1.0}
"""What GalPaK3D takes as given, and so do we; so is the thickness, by our default."""

_ACCURACY = 1e-5


@dataclass(frozen=True)
class FitMock:
    """A galaxy, and its cube with noise.

    Attributes
    ----------
    index : int
    signal_to_noise : float
        Of the brightest voxel.
    galaxy : DiskParameters
    data : ndarray (v, y, x)
    sigma : float
        Of the noise.
    """

    index: int
    signal_to_noise: float
    galaxy: DiskParameters
    data: np.ndarray
    sigma: float

    @property
    def variance(self) -> np.ndarray:
        """Of every voxel."""
        return np.full(self.data.shape, self.sigma**2)


def mock_frame() -> ObservedFrame:
    """Return grid and PSF, both with the response of pixels and channels in the spread."""
    grid = CubeGrid.velocities(
        (SIZE,) * 3,
        PIXEL_SCALE,
        CHANNEL_WIDTH,
        line_spread=LINE_SPREAD,
        pixel_response=False,
        channel_response=False,
    )
    return ObservedFrame(grid, transfer, SEEING)


def fit_mock(seed: int, index: int) -> FitMock:
    """Return a mock, which depends on seed and index alone; three in turn have the three S/N."""
    random = np.random.default_rng((seed, index))
    radius = 0.5 * SEEING * random.uniform(1.5, 4.0)
    galaxy = DiskParameters.from_dict(
        {
            "flux": 1.0,
            "offset_x": random.uniform(-0.2, 0.2),
            "offset_y": random.uniform(-0.2, 0.2),
            "systemic_velocity": random.uniform(-50.0, 50.0),
            "half_light_radius": radius,
            "inclination": random.uniform(30.0, 80.0),
            "position_angle": random.uniform(0.0, 360.0),
            "maximum_velocity": random.uniform(100.0, 300.0),
            "turnover_radius": radius * random.uniform(0.1, 0.6),
            "velocity_dispersion": random.uniform(20.0, 80.0),
            "scale_height": radius * GALPAK_ASPECT / HEIGHT_OF_SIGMA,
            **KNOWN,
        },
        MODEL,
    )
    frame = mock_frame()
    renderer = CubeRenderer(frame.grid, MODEL, frame.transfer, _ACCURACY)
    clean = renderer(galaxy.to_vector()[None])[0]
    ratio = SIGNAL_TO_NOISE[index % len(SIGNAL_TO_NOISE)]
    sigma = float(clean.max()) / ratio
    return FitMock(index, ratio, galaxy, clean + sigma * random.standard_normal(clean.shape), sigma)


def galpak_task(mock: FitMock) -> dict[str, dict]:
    """Return the galaxy as GalPaK3D describes it: parameters and model."""
    return to_galpak(mock.galaxy, mock_frame().grid)
