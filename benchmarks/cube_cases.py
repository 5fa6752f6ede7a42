"""The galaxies that `cubes.py` renders, and how far a cube is from the reference.

Lengths are in pixels of 0.2 arcsec, the grid is MUSE's around H alpha (1.25 Angstrom channels) seen
through a Gaussian PSF (FWHM 0.8 arcsec) and a Gaussian LSF (FWHM 2.6 Angstrom).
"""

from dataclasses import dataclass

import numpy as np

PIXEL_SCALE = 0.2
CHANNEL_WIDTH = 3e5 * 1.25 / 6564
"""km/s; with the rounded speed of light that GalPaK3D takes."""
WIDTH_OF_SIGMA = 2.35482
LINE_SPREAD = 2.6 / WIDTH_OF_SIGMA / 1.25 * CHANNEL_WIDTH
PSF_SIGMA = 0.8 / WIDTH_OF_SIGMA
GALPAK_B, EXACT_B = 1.6721, 1.67834699
"""Half-light radius over scale length of an exponential disk: GalPaK3D's, and the true one."""
HEIGHT_OF_SIGMA = 1.17
"""GalPaK3D's thickness h_z over the standard deviation of its Gaussian."""


@dataclass(frozen=True)
class Case:
    """An exponential disk in a cube of `size` voxels a side.

    Attributes
    ----------
    size : int
    radius, turnover : float
        GalPaK3D's half-light radius and the turnover of the tanh curve, pixels.
    thickness : float
        GalPaK3D's h_z over that radius.
    inclination : float
        Degrees.
    """

    size: int
    radius: float
    thickness: float
    inclination: float
    turnover: float

    def parameters(self, thick_dispersion: bool) -> dict[str, float]:
        """Return clumpygan's parameters of this galaxy."""
        return {
            "flux": 1.0,
            "half_light_radius": self.radius / GALPAK_B * EXACT_B * PIXEL_SCALE,
            "sersic_index": 1.0,
            "inclination": self.inclination,
            "position_angle": 130.0,
            "maximum_velocity": 200.0,
            "turnover_radius": self.turnover * PIXEL_SCALE,
            "velocity_dispersion": 40.0,
            "scale_height": self.thickness * self.radius / HEIGHT_OF_SIGMA * PIXEL_SCALE,
            "thick_dispersion": HEIGHT_OF_SIGMA if thick_dispersion else 0.0,
        }


CASES = {
    "a_thick": Case(30, 4.0, 0.15, 60.0, 1.25),
    "a_thin": Case(30, 4.0, 0.05, 60.0, 1.25),
    "a_edge": Case(30, 4.0, 0.15, 80.0, 1.25),
    "b_thick": Case(64, 8.0, 0.15, 60.0, 2.5),
}


def transfer(ky: np.ndarray, kx: np.ndarray) -> np.ndarray:
    """Optical transfer function of the PSF at frequencies in cycles/arcsec."""
    return np.exp(-2 * (np.pi * PSF_SIGMA) ** 2 * (ky**2 + kx**2))


def velocity_field(cube: np.ndarray, channel_width: float) -> np.ndarray:
    """First moment of a cube in km/s, relative to its middle."""
    velocities = channel_width * (np.arange(len(cube)) - (len(cube) - 1) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("v,vyx->yx", velocities, cube) / cube.sum(0)


def errors(cube: np.ndarray, reference: np.ndarray, channel_width: float) -> dict[str, float]:
    """Return the distance of a cube from the reference.

    `l2` is the norm of the difference over that of the reference, `velocity_rms` that of the
    velocity fields in km/s where the reference has over 5 % of its peak flux.
    """
    flux = reference.sum(0)
    seen = flux > 0.05 * flux.max()
    fields = [velocity_field(np.asarray(c, np.float64), channel_width) for c in (cube, reference)]
    distance = np.linalg.norm(cube - reference) / np.linalg.norm(reference)
    difference = (fields[0] - fields[1])[seen]
    return {"l2": float(distance), "velocity_rms": float(np.sqrt(np.mean(difference**2)))}
