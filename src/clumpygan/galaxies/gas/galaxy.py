"""One star-forming galaxy: its smooth disk, what departs from it, and the points it is made of."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import gammaincinv

from clumpygan.galaxies.disks.cube_conditions import NUCLEAR_FRACTION
from clumpygan.galaxies.disks.light_radius import points_within
from clumpygan.galaxies.disks.parameters import CURVES, DiskModel
from clumpygan.galaxies.gas.clouds import Cloud, joined, seen_from
from clumpygan.galaxies.gas.lines import line_strengths
from clumpygan.galaxies.gas.motions import Motions
from clumpygan.galaxies.gas.scaling import Scaling
from clumpygan.galaxies.gas.structure import ARM_SHARE, CROWDED, Structure
from clumpygan.galaxies.images.clumps import Clumps

FloatArray = NDArray[np.float64]

REACH = 4.5
"""Half-light radii, beyond which there is no gas: 1 % of that of an exponential disk."""

_RINGS, _AZIMUTHS = (28, 160), (72, 720)
"""Of the plane, at least and at most: arms and rotation curves need the first of them."""

_CLUMP_POINTS, _OUTFLOW_POINTS, _COMPANION_POINTS = 24, 60, 120
_FWHM_TO_SIGMA = 0.42466
_OUTFLOW_RADIUS = 0.5
"""Half-light radii: scale of the exponential disk that the outflow comes from."""

_CALM = 0.7
"""Dispersion of H II regions over that of the diffuse gas around them."""


class Outflow(NamedTuple):
    """A broad component: share of the flux, dispersion and shift of the velocity in km/s."""

    fraction: float = 0.0
    dispersion: float = 180.0
    shift: float = 0.0


class Companion(NamedTuple):
    """A small galaxy beside: its flux over that of the galaxy, and where and how it moves.

    `x`, `y` and `radius` (half of the light) in arcsec, `velocity` relative to the galaxy,
    `rotation` and `dispersion` in km/s; `angle` in radians, of its receding side.
    """

    flux: float = 0.0
    x: float = 0.0
    y: float = 0.0
    radius: float = 0.15
    velocity: float = 0.0
    rotation: float = 0.0
    dispersion: float = 30.0
    angle: float = 0.0


class Chemistry(NamedTuple):
    """12 + log(O/H) at a half-light radius, its gradient in dex per half-light radius, density."""

    oxygen_abundance: float = 8.6
    abundance_gradient: float = 0.0
    electron_density: float = 100.0


class Plane(NamedTuple):
    """Cells in the plane of a disk: radius (half-light radii), azimuth, their sides, and light."""

    radius: FloatArray
    azimuth: FloatArray
    steps: FloatArray
    turn: float
    base: FloatArray


@dataclass(frozen=True, eq=False)
class GasGalaxy:
    """All that a cube of a galaxy depends on.

    Attributes
    ----------
    vector : ndarray (P,)
        Of the smooth disk, in the order of ``DiskModel().names``.
    scaling : Scaling
    structure : Structure
    motions : Motions
    turbulence : ndarray (3, N, N)
        Factor of the light, velocity in km/s, factor of the dispersion, over +- `extent`.
    extent : float
        Half-light radii.
    diffuse : float
        Share of the diffuse gas in the flux.
    regions : ndarray (M,)
        Shares of H II regions in what all of them have; what these lack of 1 is that of fainter
        ones, and lies where the diffuse gas does.
    clumps : Clumps
        Giant ones: shares of the whole flux.
    outflow : Outflow
    companion : Companion
        On top of the flux.
    chemistry : Chemistry
    seed : int
        Of where regions and clumps are.
    mirrored : bool
        Whether the galaxy turns the other way round on the sky: as in a mirror along its major
        axis, in which arms still trail.
    """

    vector: FloatArray
    scaling: Scaling
    structure: Structure
    motions: Motions
    turbulence: NDArray[np.float32]
    extent: float
    diffuse: float
    regions: FloatArray
    clumps: Clumps
    outflow: Outflow
    companion: Companion
    chemistry: Chemistry
    seed: int
    mirrored: bool = False

    def cloud(self, rest_wavelengths: tuple[float, ...], step: float) -> Cloud:
        """Return the points that the galaxy is made of.

        Parameters
        ----------
        rest_wavelengths : tuple of float
            Of the lines, Angstrom in vacuum.
        step : float
            Arcsec between points of smooth light: 1.5 standard deviations of the PSF leave out
            1e-4 of it.
        """
        generator = np.random.default_rng(self.seed)
        plane = self._plane(step)
        clumped = float(self.clumps.flux.sum())
        smooth = max(1 - clumped - self.outflow.fraction, 0.0)
        between = smooth - min(self.diffuse, smooth)
        faint = between * max(1 - float(self.regions.sum()), 0.0)
        parts = [
            self._diffuse(plane, smooth - between + faint, rest_wavelengths),
            self._regions(plane, between, generator, rest_wavelengths),
        ]
        if clumped:
            parts.append(self._giants(generator, rest_wavelengths))
        if self.outflow.fraction:
            parts.append(self._wind(generator, rest_wavelengths))
        own = joined(parts)
        # The flux is what the dust lets pass.
        seen = own._replace(flux=own.flux * (self["flux"] / own.flux.sum()))
        if not self.companion.flux:
            return seen
        return joined([seen, self._beside(generator, rest_wavelengths)])

    def growth_curve(self, rest_wavelengths: tuple[float, ...], step: float) -> FloatArray:
        """Return the shares (rings,) of its light within `RADII`, seen face-on.

        Without its companion, in half-light radii of the smooth disk.

        Parameters
        ----------
        rest_wavelengths, step
            See `cloud`.
        """
        vector = self.vector.copy()
        vector[_ORIENTATION] = 0.0
        face_on = replace(self, vector=vector, companion=Companion())
        cloud = face_on.cloud(rest_wavelengths, step)
        return points_within(np.hypot(cloud.x, cloud.y) / self._radius, cloud.flux)

    @property
    def conditions(self) -> dict[str, float]:
        """What networks are told of its gas beside the smooth disk."""
        return {NUCLEAR_FRACTION: self.structure.bulge_fraction, **self.chemistry._asdict()}

    @property
    def _radius(self) -> float:
        return self["half_light_radius"]

    def __getitem__(self, name: str) -> float:
        """Return a parameter of the smooth disk."""
        return float(self.vector[_MODEL.index(name)])

    def _plane(self, step: float) -> Plane:
        rings = int(np.clip(np.ceil(REACH * self._radius / step), *_RINGS))
        azimuths = int(np.clip(np.ceil(4 * np.pi * self._radius / step), *_AZIMUTHS))
        # Denser in the centre, where the rotation curve bends.
        edges = REACH * np.linspace(0, 1, rings + 1) ** 1.5
        radii, steps = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
        turn = 2 * np.pi / azimuths
        radius, azimuth = (
            np.repeat(radii, azimuths),
            np.tile(turn * (np.arange(azimuths) + 0.5), rings),
        )
        area = np.repeat(radii * steps, azimuths) * turn
        base = area * self._profile(radius)
        return Plane(radius, azimuth, np.repeat(steps, azimuths), turn, base / base.sum())

    def _profile(self, radius: FloatArray) -> FloatArray:
        """Return the Sersic profile, in no unit, at radii in half-light radii."""
        index = self["sersic_index"]
        return np.asarray(np.exp(-gammaincinv(2 * index, 0.5) * radius ** (1 / index)))

    def _diffuse(self, plane: Plane, share: float, waves: tuple[float, ...]) -> Cloud:
        radius, azimuth = plane.radius, plane.azimuth
        light = self.structure.light(plane.base, radius, azimuth, ARM_SHARE)
        light = light * self._map(0, radius, azimuth)
        flux = share * self["flux"] * light / light.sum()
        return self._points(radius, azimuth, flux, waves)

    def _regions(
        self, plane: Plane, share: float, generator: np.random.Generator, waves: tuple[float, ...]
    ) -> Cloud:
        """Place H II regions where the light is, more than it in arms and where gas is dense."""
        radius, azimuth = plane.radius, plane.azimuth
        light = self.structure.light(plane.base, radius, azimuth, CROWDED)
        chance = np.cumsum(light * self._map(0, radius, azimuth) ** 2)
        draws = generator.random((3, len(self.regions)))
        cell = np.minimum(np.searchsorted(chance, draws[0] * chance[-1]), len(chance) - 1)
        radius = radius[cell] + plane.steps[cell] * (draws[1] - 0.5)
        azimuth = azimuth[cell] + plane.turn * (draws[2] - 0.5)
        flux = share * self["flux"] * self.regions
        return self._points(radius, azimuth, flux, waves, calm=_CALM)

    def _giants(self, generator: np.random.Generator, waves: tuple[float, ...]) -> Cloud:
        """Return giant clumps: Gaussians, which rotate with the disk."""
        count = len(self.clumps.flux)
        sigma = _FWHM_TO_SIGMA * self.clumps.size / self._radius
        away = generator.standard_normal((2, count, _CLUMP_POINTS)) * sigma[:, None]
        x = (self.clumps.x[:, None] + away[0]).ravel()
        y = (self.clumps.y[:, None] + away[1]).ravel()
        flux = np.repeat(self["flux"] * self.clumps.flux / _CLUMP_POINTS, _CLUMP_POINTS)
        return self._points(np.hypot(x, y), np.arctan2(y, x), flux, waves, calm=1.0)

    def _wind(self, generator: np.random.Generator, waves: tuple[float, ...]) -> Cloud:
        """Return the broad component: from the inner disk, towards us."""
        draws = generator.random((3, _OUTFLOW_POINTS))
        # Radii of an exponential disk: the sum of two exponential numbers.
        radius = -_OUTFLOW_RADIUS * (np.log(1 - draws[0]) + np.log(1 - draws[1]))
        share = self.outflow.fraction * self["flux"] / _OUTFLOW_POINTS
        flux = np.full(_OUTFLOW_POINTS, share)
        found = self._points(radius, 2 * np.pi * draws[2], flux, waves)
        return found._replace(
            velocity=found.velocity + self.outflow.shift,
            dispersion=np.full(_OUTFLOW_POINTS, self.outflow.dispersion),
        )

    def _beside(self, generator: np.random.Generator, waves: tuple[float, ...]) -> Cloud:
        """Return the companion: a small, rotating, round galaxy."""
        own = self.companion
        draws = generator.random((3, _COMPANION_POINTS))
        # Half of the light of an exponential disk is inside of 1.678 scale lengths.
        radius = -own.radius / 1.678 * (np.log(1 - draws[0]) + np.log(1 - draws[1]))
        angle = 2 * np.pi * draws[2]
        velocity = own.rotation * np.cos(angle - own.angle) * radius / (radius + own.radius)
        flux = np.full(_COMPANION_POINTS, own.flux * self["flux"] / _COMPANION_POINTS)
        abundance = np.full(_COMPANION_POINTS, self.chemistry.oxygen_abundance)
        return Cloud(
            self["offset_x"] + own.x + radius * np.cos(angle),
            self["offset_y"] + own.y + radius * np.sin(angle),
            flux,
            self["systemic_velocity"] + own.velocity + velocity,
            np.full(_COMPANION_POINTS, own.dispersion),
            _shares(waves, abundance, self.chemistry.electron_density),
        )

    def _points(
        self,
        radius: FloatArray,
        azimuth: FloatArray,
        flux: FloatArray,
        waves: tuple[float, ...],
        calm: float = 1.0,
    ) -> Cloud:
        """Return points of the disk, moving as the gas does, behind the dust where they are."""
        along, across = radius * np.cos(azimuth), radius * np.sin(azimuth)
        side = -self._radius if self.mirrored else self._radius
        seen = seen_from(self.vector, _CURVE, along * self._radius, across * side, _MODEL)
        tangential, radial = self.motions.flows(self.structure, seen.rotation, radius, azimuth)
        turning = tangential * np.cos(azimuth) + radial * np.sin(azimuth)
        dispersion = self.motions.dispersion(self["velocity_dispersion"], radius)
        chemistry = self.chemistry
        abundance = chemistry.oxygen_abundance + chemistry.abundance_gradient * (radius - 1)
        return Cloud(
            seen.x,
            seen.y,
            flux * self.structure.transmission(radius, azimuth),
            self["systemic_velocity"] + turning * seen.tilt + self._map(1, radius, azimuth),
            calm * dispersion * self._map(2, radius, azimuth),
            _shares(waves, abundance, chemistry.electron_density),
        )

    def _map(self, which: int, radius: FloatArray, azimuth: FloatArray) -> FloatArray:
        """Interpolate a map of the turbulence."""
        size = self.turbulence.shape[-1]
        places = np.stack([radius * np.sin(azimuth), radius * np.cos(azimuth)]) / self.extent
        places = 0.5 * (places + 1) * size - 0.5
        field = self.turbulence[which].astype(np.float64)
        return np.asarray(map_coordinates(field, places, order=1, mode="nearest"))


_MODEL = DiskModel()
_CURVE = CURVES.index(_MODEL.curve)
_ORIENTATION = [
    _MODEL.index(name)
    for name in (
        "inclination", "position_angle", "offset_x", "offset_y", "warp_inclination",
        "warp_position_angle", "warp_inclination_bend", "warp_position_angle_bend", "g1", "g2",
    )
]  # fmt: skip


def _shares(waves: tuple[float, ...], abundance: FloatArray, density: float) -> FloatArray:
    """Return the shares of the lines (N, lines) in their sum."""
    if len(waves) == 1:
        return np.ones((len(abundance), 1))
    strengths = np.stack(line_strengths(waves, abundance, np.array(density)), axis=-1)
    return np.asarray(strengths / strengths.sum(axis=1, keepdims=True))
