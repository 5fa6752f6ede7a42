"""How the gas of a disk moves beside its rotation: along bars and arms; and how turbulent it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.gas.structure import Structure

FloatArray = NDArray[np.float64]

BAR_FLOWS = (0.1, 0.3)
"""Of the rotation: amplitude of the flows in bars. In NGC 2976 they are 0.2 to 0.4 of it (Spekkens
& Sellwood 2007, ApJ 664, 204); weaker bars are more common."""

ARM_FLOWS = (0.02, 0.08)
"""Of the rotation: amplitude of the flows along arms, 4 to 16 km/s of 200, as density waves have
(Lin, Yuan & Shu 1969, ApJ 155, 721)."""

EPICYCLE = 0.71
"""kappa / (2 Omega) where the rotation curve is flat: 1 / sqrt(2)."""

CENTRAL_DISPERSION = (0.0, 1.5)
"""Of the disk's dispersion: what is added in quadrature in the centre, in half a half-light radius
by a factor e less."""

_DECLINE = 0.5


@dataclass(frozen=True)
class Motions:
    """Amplitudes of what is added to the rotation.

    Attributes
    ----------
    bar_flow, arm_flow : float
        Shares of the rotation velocity.
    central_dispersion : float
        In units of the dispersion of the disk.
    """

    bar_flow: float = 0.0
    arm_flow: float = 0.0
    central_dispersion: float = 0.0

    def flows(
        self, structure: Structure, rotation: FloatArray, radius: FloatArray, azimuth: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        r"""Return the velocities in the plane, tangential and radial (outwards), km/s.

        In a bar that lies at phi_b, of ellipse-like orbits (Spekkens & Sellwood 2007, ApJ 664, 204,
        equation 5, with equal amplitudes of both components),

        .. math:: V_t = V - V_2 \cos 2 (\phi - \phi_b), \quad V_r = - V_2 \sin 2 (\phi - \phi_b)

        V_2 being a share of V that falls off like the light of the bar. Along arms, of phase chi, 0
        on their crest, a tightly wound density wave inside of corotation (Lin, Yuan & Shu 1969):
        gas moves inwards on the crest, and lags behind before it,

        .. math:: V_r = - A \cos \chi, \quad V_t = V + 0.71 A \sin \chi

        Parameters
        ----------
        structure : Structure
        rotation, radius, azimuth : ndarray (N,)
            km/s, half-light radii, radians.
        """
        tangential, radial = rotation.copy(), np.zeros_like(rotation)
        if structure.bar_fraction and self.bar_flow:
            fade = np.exp(-0.5 * (radius / structure.bar_radius) ** 2)
            turn = 2 * (azimuth - np.radians(structure.bar_angle))
            tangential -= self.bar_flow * rotation * fade * np.cos(turn)
            radial -= self.bar_flow * rotation * fade * np.sin(turn)
        if structure.arms and self.arm_flow:
            phase = structure.arm_angle(radius, azimuth)
            radial -= self.arm_flow * rotation * np.cos(phase)
            tangential += EPICYCLE * self.arm_flow * rotation * np.sin(phase)
        return tangential, radial

    def dispersion(self, outer: float, radius: FloatArray) -> FloatArray:
        """Return the dispersion in km/s, which rises inwards from that of the outer disk."""
        inner = self.central_dispersion * outer * np.exp(-radius / _DECLINE)
        return np.asarray(np.hypot(outer, inner))


def draw_motions(generator: np.random.Generator) -> Motions:
    """Draw the amplitudes, uniformly in their ranges."""
    return Motions(
        generator.uniform(*BAR_FLOWS),
        generator.uniform(*ARM_FLOWS),
        generator.uniform(*CENTRAL_DISPERSION),
    )
