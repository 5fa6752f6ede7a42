"""Where the light of a gas disk is beside its smooth profile: arms, bar, ring, hole, dust lanes.

All lengths are in half-light radii, all angles in the plane of the disk in degrees from its
receding major axis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e

from clumpygan.galaxies.images.details import EDGE_ON, LOPSIDEDNESS, draw_bar, draw_ring
from clumpygan.galaxies.images.structure import draw_arms
from clumpygan.galaxies.images.texture import lane_transmission
from clumpygan.galaxies.rendering.light import ARM_CORE

FloatArray = NDArray[np.float64]

ARM_SHARE = 0.45
"""Of the diffuse light of disks with arms, that is in them; H II regions are there with `CROWDED`
of theirs. Set so that arms stand out as in nearby galaxies."""

CROWDED = 0.8

_SHARPNESS = 4.0
"""kappa of the von Mises profile across arms: half of their width at half maximum is 34 degrees
of their phase."""

MOST_BULGE = 0.15
"""Share of the light of the line that a centre without a hole may have beside the disk: nuclear
star formation, or gas that old stars ionise."""

HOLE_MASS = 10.3
"""log10 of the stellar mass above which centres begin to run out of star formation (Tacchella et
al. 2015, Science 348, 314, find it above 10^11 at z = 2, most nearby massive spirals have it)."""

LANE_VELOCITY = 120.0
"""km/s: faster disks have a lane of dust where they are seen edge-on, slower ones have none
(Dalcanton, Yoachim & Bernstein 2004, ApJ 608, 189)."""

LANE_DEPTHS, LANE_OFFSETS, LANE_WIDTHS = (0.5, 2.5), (0.1, 0.6), (0.15, 0.4)
"""Optical depth of lanes along the major axis, how far they are from it, and their sigma, in
half-light radii: as in images."""

ARM_DEPTHS = (0.2, 1.2)
"""Optical depth of dust on the inner edge of arms at H alpha. Of blue light behind arms 0.3 mag
are lost on average (Domingue, Keel & White 2000, ApJ 545, 171), more than 2 in places (White, Keel
& Conselice 2000, ApJ 542, 761); of H alpha, 0.6 times as many magnitudes."""

_SHOCK, _SHOCK_WIDTH = np.radians(-45.0), np.radians(25.0)
"""Phase of the arms at which their dust is, before the crest: gas overtakes arms inside of
corotation, and is compressed before stars form in it (Roberts 1969, ApJ 158, 123)."""


@dataclass(frozen=True)
class Structure:
    """Departures from a smooth disk.

    Attributes
    ----------
    arms : int
        0 for none.
    arm_pitch, arm_phase : float
        Degrees; trailing arms, and the azimuth of one at a half-light radius.
    bar_fraction, bar_radius, bar_axis_ratio, bar_angle : float
        Share of the light, Gaussian sigma along the bar, axis ratio, degrees.
    bulge_fraction, bulge_radius : float
        Share of the light, Gaussian sigma.
    ring_fraction, ring_radius, ring_width : float
        Share of the light, radius, Gaussian sigma.
    hole_depth, hole_radius : float
        Share of the light that is missing in the centre, and Gaussian sigma.
    lopsidedness, lopsided_angle : float
        Amplitude far out.
    lane_depth, lane_offset, lane_width : float
        Of a lane of dust along the major axis: optical depth, distance from it (to the near side,
        of either sign), Gaussian sigma.
    arm_dust : float
        Optical depth of the dust on the inner edge of the arms.
    """

    arms: int = 0
    arm_pitch: float = 20.0
    arm_phase: float = 0.0
    bar_fraction: float = 0.0
    bar_radius: float = 0.4
    bar_axis_ratio: float = 0.3
    bar_angle: float = 0.0
    bulge_fraction: float = 0.0
    bulge_radius: float = 0.2
    ring_fraction: float = 0.0
    ring_radius: float = 1.0
    ring_width: float = 0.15
    hole_depth: float = 0.0
    hole_radius: float = 0.4
    lopsidedness: float = 0.0
    lopsided_angle: float = 0.0
    lane_depth: float = 0.0
    lane_offset: float = 0.0
    lane_width: float = 0.3
    arm_dust: float = 0.0

    def light(
        self, base: FloatArray, radius: FloatArray, azimuth: FloatArray, arm_share: float
    ) -> FloatArray:
        """Return the light of points (N,) of a disk.

        Parameters
        ----------
        base : ndarray (N,)
            Of the smooth disk at the points: their shares of its flux.
        radius, azimuth : ndarray (N,)
            Half-light radii, and radians.
        arm_share : float
            Of the light, that is in the arms if there are any.

        Returns
        -------
        ndarray of shape (N,)
            With the same sum as `base`.
        """
        total = base.sum()
        disk = base * (1 - self.hole_depth * np.exp(-0.5 * (radius / self.hole_radius) ** 2))
        if self.arms:
            disk = disk * (1 - arm_share + arm_share * self.crest(radius, azimuth))
        if self.lopsidedness:
            rise = radius**2 / (radius**2 + 1)
            side = np.cos(azimuth - np.radians(self.lopsided_angle))
            disk = disk * (1 + self.lopsidedness * rise * side)
        rest = 1 - self.bar_fraction - self.bulge_fraction - self.ring_fraction
        light = rest * total * disk / disk.sum()
        for share, shape in (
            (self.bar_fraction, self._bar),
            (self.bulge_fraction, self._bulge),
            (self.ring_fraction, self._ring),
        ):
            if share:
                part = base * shape(radius, azimuth)
                light = light + share * total * part / part.sum()
        return np.asarray(light)

    def transmission(self, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        """Return the share of the light of points (N,) that passes the lanes of dust.

        Dust along the arms begins, as these do, outside of 0.3 half-light radii.
        """
        passed = np.ones_like(radius)
        if self.lane_depth:
            u, v = radius * np.cos(azimuth), radius * np.sin(azimuth)
            lane = lane_transmission(u, v, self.lane_depth, self.lane_offset, self.lane_width)
            passed = passed * lane
        if self.arms and self.arm_dust:
            away = self.arm_angle(radius, azimuth) - _SHOCK
            away = (away + np.pi) % (2 * np.pi) - np.pi
            fade = radius**2 / (radius**2 + ARM_CORE**2)
            passed = passed * np.exp(
                -self.arm_dust * fade * np.exp(-0.5 * (away / _SHOCK_WIDTH) ** 2)
            )
        return np.asarray(passed)

    def crest(self, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        """Return the profile across the arms, a von Mises distribution: 1 on average in azimuth."""
        phase = self.arm_angle(radius, azimuth)
        ring = np.exp(_SHARPNESS * (np.cos(phase) - 1)) / i0e(_SHARPNESS)
        fade = radius**2 / (radius**2 + ARM_CORE**2)
        return np.asarray(1 + fade * (ring - 1))

    def arm_angle(self, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        """Return the phase of the arms, 0 on their crests, in radians."""
        winding = np.log(np.maximum(radius, 1e-3)) / np.tan(np.radians(self.arm_pitch))
        return np.asarray(self.arms * (azimuth - np.radians(self.arm_phase) + winding))

    def _bar(self, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        turned = azimuth - np.radians(self.bar_angle)
        along, across = radius * np.cos(turned), radius * np.sin(turned) / self.bar_axis_ratio
        return np.asarray(np.exp(-0.5 * (along**2 + across**2) / self.bar_radius**2))

    def _bulge(self, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-0.5 * (radius / self.bulge_radius) ** 2))

    def _ring(self, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-0.5 * ((radius - self.ring_radius) / self.ring_width) ** 2))


def draw_structure(
    generator: np.random.Generator,
    log_stellar_mass: float,
    rotation_velocity: float,
    inclination: float,
    bulges: tuple[float, float] = (0.0, MOST_BULGE),
) -> Structure:
    """Draw the structure of a disk: how often there are arms, bars and rings is as in images.

    Half of the galaxies above 2 x 10^10 solar masses have a central hole, fewer below. Disks above
    `LANE_VELOCITY` have a lane of dust along their major axis if their axis ratio is below
    `EDGE_ON`; arms have dust before them.

    Parameters
    ----------
    generator : numpy.random.Generator
    log_stellar_mass : float
        log10, solar masses.
    rotation_velocity : float
        km/s.
    inclination : float
        Degrees.
    bulges : (float, float)
        Between which shares of bulges are uniform. Some centres have a hole in place of one if it
        begins with 0, all have if it ends there.
    """
    arms = draw_arms(generator, log_stellar_mass, smooth=False)
    bar, ring = draw_bar(generator, log_stellar_mass, 1.0), draw_ring(generator)
    chance = float(np.interp(log_stellar_mass, [9.5, HOLE_MASS], [0.05, 0.5]))
    hollow = generator.random() < chance
    if min(bulges) > 0 or max(bulges) == 0:
        hollow = max(bulges) == 0
    depth, radius = generator.uniform(0.3, 0.9), generator.uniform(0.2, 0.5)
    lane = rotation_velocity > LANE_VELOCITY and np.cos(np.radians(inclination)) < EDGE_ON
    return Structure(
        arms=int(arms["arm_count"]),
        arm_pitch=abs(arms["arm_pitch_angle"]),
        arm_phase=arms["arm_phase"],
        bar_fraction=bar["bar_fraction"],
        bar_radius=bar["bar_half_light_radius"],
        bar_axis_ratio=bar["bar_axis_ratio"],
        bar_angle=bar["bar_angle"],
        bulge_fraction=0.0 if hollow else generator.uniform(*bulges),
        bulge_radius=generator.uniform(0.1, 0.3),
        ring_fraction=ring["ring_fraction"],
        ring_radius=ring["ring_radius"],
        hole_depth=depth if hollow else 0.0,
        hole_radius=radius,
        lopsidedness=min(float(generator.rayleigh(LOPSIDEDNESS)), 0.6),
        lopsided_angle=generator.uniform(0.0, 360.0),
        lane_depth=generator.uniform(*LANE_DEPTHS) if lane else 0.0,
        lane_offset=generator.uniform(*LANE_OFFSETS) * generator.choice([-1.0, 1.0]),
        lane_width=generator.uniform(*LANE_WIDTHS),
        arm_dust=generator.uniform(*ARM_DEPTHS),
    )
