"""A small domain, and networks that stand in for trained ones."""

import numpy as np
import torch

from clumpygan.fitting.posterior_domain import PosteriorDomain
from clumpygan.galaxies import DiskModel

SETTINGS = {
    "shape": [16, 16, 16],
    "pixel_scale": 0.25,
    "model": {},
    "priors": {
        "flux": "log_uniform:100:3000",
        "offset_x": "uniform:-0.5:0.5",
        "offset_y": "uniform:-0.5:0.5",
        "systemic_velocity": "uniform:-100:100",
        "half_light_radius": "log_uniform:0.3:1.0",
        "inclination": "isotropic:0:90",
        "position_angle": "uniform:0:360",
        "maximum_velocity": "uniform:50:300",
        "turnover_radius": "log_uniform:0.05:0.5",
        "velocity_dispersion": "uniform:20:100",
    },
    "channel_width": [50.0, 80.0],
    "line_spread": [0.0, 60.0],
    "psf_fwhm": [0.5, 0.9],
    "moffat_beta": [2.5, 4.0],
}

DOMAIN = PosteriorDomain.from_dict(SETTINGS)
MODEL = DiskModel()


class GaussianNetwork:
    """Draws from a Gaussian in coordinates, whatever the cube."""

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.mean = torch.as_tensor(np.asarray(mean))
        self.distribution = torch.distributions.MultivariateNormal(
            self.mean, torch.as_tensor(np.asarray(covariance))
        )
        self.root = torch.linalg.cholesky(torch.as_tensor(np.asarray(covariance)))

    def draw(self, cube, conditions, count, generator):
        size = (len(cube), count, len(self.mean))
        standard = torch.randn(size, generator=generator, dtype=torch.float64)
        u = self.mean + standard @ self.root.T
        return u, self.distribution.log_prob(u)
