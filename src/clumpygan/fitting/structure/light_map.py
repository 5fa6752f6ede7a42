"""The light of a disk from the data: a map in its plane, as smooth as its evidence asks for.

The map is a Sersic profile times 1 + a, with a value a_k for each pixel of the map: a Gaussian
process in the plane of the disk, of amplitude s and length l, whose evidence chooses both. The
cube depends on a almost linearly,

    cube(theta, a) = cube(theta, a_0) + J (a - a_0),

so that the map can be integrated out of the likelihood: with whitened residuals z_0 of the cube
at a = 0 and B = J L, S = L L' being the covariance of a,

    chi^2 = z_0' (1 + B B')^-1 z_0,  ln Z = -chi^2 / 2 - ln det(1 + B' B) / 2.

What the light of clumps, rings and arms says about the geometry counts for no more than such a
process allows, errors include that nobody knows the light, and the evidence has the price of the
map: models with a map and without compete fairly. The map that is rendered, a_0, is the most
probable one, clipped where it is negative.

Of departures that are no light of the plane at rest in it, or finer than its pixels, a map knows
nothing, and it hides them from the residuals. So what the profile without a map gets wrong widens
the errors with the map as well, as far as it isn't in directions of the map (`goodness.misfit`).

Where the map is free, the profile below it is known by little but the process, and its radius is
not one that anybody measures. The parameter `half_light_radius` is that of half of the light, map
and all, from the curve of growth; its errors are those of draws of the map, each at parameters
that were drawn: with B's singular vectors and values u_i, b_i and a = L sum_i v_i y_i,

    y_i ~ N(-b_i u_i' z_0 / (1 + b_i^2), 1 / (1 + b_i^2)).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.likelihood import Likelihood, Residuals
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.settings import NoiseSettings
from clumpygan.fitting.target import Target
from clumpygan.galaxies.disks.light_map import LightMap
from clumpygan.galaxies.disks.light_radius import half_light_radii
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.cube import CubeRenderer

FloatArray = NDArray[np.float64]

EXTENT = 3.0
"""Half a side of the map in half-light radii."""

_PIXEL = 0.6
"""Pixels of the map, over the beam."""

_FEWEST, _MOST = 6, 14
"""Pixels along a side."""

_LARGEST = 5e7
"""Numbers of a Jacobian, above which the map gets fewer pixels."""

_STEP = 0.1
"""Change of a factor by which derivatives are taken."""

_AMPLITUDES, _LENGTHS = (0.1, 0.3, 0.7, 1.5), (0.25, 0.5, 1.0)
"""Of the process that are tried; lengths in half-light radii."""

_OWN = 1e-4
"""Share of the variance that each pixel has to itself: rounding needs some."""

_WEAK = 0.02
"""Signal over noise, squared, of the directions of the map that are left out."""


@dataclass(frozen=True, eq=False)
class MappedLight:
    """A map of light, and what is needed to integrate over all that are as likely.

    Attributes
    ----------
    light_map : LightMap
        1 + a_0.
    directions : ndarray (M, N), float32
        Orthonormal directions of whitened residuals in which the map can change the cube.
    powers : ndarray (M,)
        Signal of the process over the noise in each, squared.
    pixels : ndarray (K, K)
        Changes of the K pixels of the map in each direction of the process, a column for each: of
        one standard deviation, those of `directions` first.
    offset : ndarray (N,), float32
        J a_0.
    amplitude, length : float
        Of the process; half-light radii.
    departure : float
        What the model without a map got wrong of its light, root mean square.
    """

    light_map: LightMap
    directions: NDArray[np.float32]
    powers: FloatArray
    pixels: FloatArray
    offset: Residuals
    amplitude: float
    length: float
    departure: float = 0.0


class MapLikelihood(Likelihood):
    """The likelihood of model cubes whose map of light is integrated over.

    Parameters
    ----------
    observation : Observation
    settings : NoiseSettings, optional
    mapped : MappedLight
    """

    def __init__(
        self,
        observation: Observation,
        settings: NoiseSettings | None = None,
        *,
        mapped: MappedLight,
    ) -> None:
        super().__init__(observation, settings)
        if self.settings.robust != "none":
            raise InputError(
                f"`light` map and `robust` {self.settings.robust}: the map would be fitted to "
                "outliers; expected `robust` none"
            )
        self._mapped, self.departure = mapped, mapped.departure
        self._shrinking = (1 - 1 / np.sqrt(1 + mapped.powers)).astype(np.float32)
        self._empty -= 0.5 * float(np.log1p(mapped.powers).sum())
        # As many numbers as the map takes out of the data.
        self.count -= round(float((mapped.powers / (1 + mapped.powers)).sum()))

    def residuals(self, cube: NDArray[np.floating]) -> Residuals:
        """Return residuals (N,) whose squares add up to chi^2 after integration over the map."""
        z = super().residuals(cube) - self._mapped.offset
        return np.asarray(self.left_of(z[None])[0])

    def left_of(
        self, changes: NDArray[np.float32], part: tuple[slice, ...] | None = None
    ) -> NDArray[np.float32]:
        """Return changes (n, N) of whitened residuals without what the map may make of them."""
        u = self._mapped.directions
        if part is not None:
            u = u.reshape(-1, *self.observation.data.shape)[:, *part].reshape(len(u), -1)
        return np.asarray(changes - (self._shrinking * (changes @ u.T)) @ u, dtype=np.float32)

    def completed(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a model cube (v, y, x) with the map that is most probable for its galaxy."""
        if self._amplitude is not None:
            return cube  # modes, not voxels, are known
        z, u = super().residuals(cube), self._mapped.directions
        powers = self._mapped.powers
        known = z - self._mapped.offset
        change = ((powers / (1 + powers)).astype(np.float32) * (u @ known)) @ u
        change += self._mapped.offset
        valid = self._inverse > 0
        answer = cube.copy()
        answer[valid] -= change.reshape(cube.shape)[valid] / self._inverse[valid]
        return answer

    def drawn_maps(
        self, changes: FloatArray, residuals: Residuals, generator: np.random.Generator
    ) -> FloatArray:
        """Return maps of light (S, N, N) as likely as parameters that were drawn leave them.

        Parameters
        ----------
        changes : ndarray (S, M)
            Of the residuals along `MappedLight.directions`, with the parameters.
        residuals : ndarray (N,)
            To which they are added.
        generator : numpy.random.Generator
        """
        mapped, powers = self._mapped, self._mapped.powers
        # Of the residuals before the map was integrated over.
        along = np.sqrt(1 + powers) * (changes + mapped.directions @ residuals)
        count = len(mapped.pixels)
        steps = generator.standard_normal((len(changes), count))
        steps[:, : powers.size] /= np.sqrt(1 + powers)
        steps[:, : powers.size] -= np.sqrt(powers) / (1 + powers) * along
        factors = np.maximum(1 + steps @ mapped.pixels.T, 0.0)
        return np.asarray(factors.reshape(len(changes), *mapped.light_map.values.shape))

    def along_directions(self, changes: NDArray[np.float32]) -> FloatArray:
        """Return parts (n, M) of changes (n, N) of residuals along those of the map."""
        return np.asarray(changes @ self._mapped.directions.T, dtype=np.float64)


def drawn_radii(
    target: Target, optimum: Optimum, draws: Draws, generator: np.random.Generator
) -> FloatArray | None:
    """Return the radii (S,) of half of the light, map and all, of draws; None without a map.

    Parameters
    ----------
    target : Target
    optimum : Optimum
        With its Jacobian: residuals are taken for linear between it and the draws.
    draws : Draws
    generator : numpy.random.Generator
        Of the maps.

    Returns
    -------
    ndarray (S,)
        Arcsec. None, too, of a radius that isn't free: then it is that of the profile.
    """
    likelihood, coordinates = target.likelihood, target.coordinates
    if not isinstance(likelihood, MapLikelihood) or optimum.jacobian is None:
        return None
    if "half_light_radius" not in coordinates.names:
        return None
    away = draws.coordinates - optimum.coordinates
    changes = away @ likelihood.along_directions(optimum.jacobian)
    maps = likelihood.drawn_maps(changes, optimum.residuals, generator)
    vectors, model = coordinates.vectors(draws.coordinates), coordinates.model
    light_map = model.light_map
    assert light_map is not None
    radii = half_light_radii(maps, vectors[:, model.index("sersic_index")], light_map.extent)
    return np.asarray(radii * light_map.radius * vectors[:, model.index("half_light_radius")])


def of_all_light(light_map: LightMap, index: float) -> LightMap:
    """Return a map with which `half_light_radius` is that of half of the light, map and all.

    Parameters
    ----------
    light_map : LightMap
    index : float
        Sersic index of the profile.
    """
    (radius,) = half_light_radii(light_map.values[None], [index], light_map.extent)
    return replace(light_map, radius=float(1 / radius))


def map_pixels(grid_size: int, beam: float, radius: float) -> int:
    """Return how many pixels a side of the map has.

    Parameters
    ----------
    grid_size : int
        Voxels of the cube.
    beam, radius : float
        FWHM and half-light radius, arcsec.
    """
    wanted = int(np.ceil(2 * EXTENT * radius / max(_PIXEL * beam, 1e-3 * radius)))
    most = int(np.sqrt(_LARGEST / grid_size))
    return max(min(wanted, _MOST, most), _FEWEST)


def map_light(
    likelihood: Likelihood,
    model: DiskModel,
    vector: FloatArray,
    light_map: LightMap,
    accuracy: float,
) -> MappedLight:
    """Find the most probable map for a galaxy whose parameters are known.

    Parameters
    ----------
    likelihood : Likelihood
        Of whitened residuals, without a map.
    model : DiskModel
        Of the light "map".
    vector : ndarray (P,)
    light_map : LightMap
        What is known of the map; derivatives are taken there.
    accuracy : float
        Of the cubes.
    """
    frame = likelihood.observation.frame
    own = replace(model, light_map=light_map)
    renderer = CubeRenderer(frame.grid, own, frame.transfer, accuracy)
    cube = renderer(vector[None])[0]
    jacobian = _jacobian(likelihood, renderer, vector, light_map, cube)
    known = light_map.values.ravel() - 1
    z = likelihood.residuals(cube) - known.astype(np.float32) @ jacobian
    normal = (jacobian @ jacobian.T).astype(np.float64)
    slope = (jacobian @ z).astype(np.float64)
    tried = []
    for amplitude in _AMPLITUDES:
        for length in _LENGTHS:
            root = _process(len(light_map.rows), light_map.extent, amplitude, length)
            within = np.eye(len(root)) + root.T @ normal @ root
            pull = root.T @ slope
            best = np.linalg.solve(within, pull)
            evidence = 0.5 * float(pull @ best) - 0.5 * float(np.linalg.slogdet(within)[1])
            tried.append((evidence, amplitude, length, root, -root @ best))
    _, amplitude, length, root, change = max(tried, key=lambda one: one[0])
    factors = np.maximum(1 + change, 0.0).reshape(light_map.values.shape)
    powers, axes = np.linalg.eigh(root.T @ normal @ root)
    powers, pixels = powers[::-1], root @ axes[:, ::-1]
    strong = int((powers > _WEAK).sum())
    powers = powers[:strong]
    directions = (pixels[:, :strong] / np.sqrt(powers)).T.astype(np.float32) @ jacobian
    offset = (factors.ravel() - 1).astype(np.float32) @ jacobian
    found = replace(LightMap.of(factors, light_map.extent), radius=light_map.radius)
    return MappedLight(found, directions, powers, pixels, offset, amplitude, length)


def _jacobian(
    likelihood: Likelihood,
    renderer: CubeRenderer,
    vector: FloatArray,
    light_map: LightMap,
    cube: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the derivatives (K, N) of whitened residuals with respect to the pixels of the map."""
    sheet, extent, radius = renderer.sampling.sheet
    rows = np.empty((sheet.size, cube.size), dtype=np.float32)
    for k, place in enumerate(np.ndindex(sheet.shape)):
        moved = sheet.copy()
        moved[place] += _STEP
        renderer.sampling.sheet = (moved, extent, radius)
        rows[k] = likelihood.response((renderer(vector[None])[0] - cube) / _STEP)
    renderer.sampling.sheet = (sheet, extent, radius)
    return rows


def _process(size: int, extent: float, amplitude: float, length: float) -> FloatArray:
    """Return the Cholesky factor (K, K) of the covariance of a map's pixels."""
    places = extent * ((2 * np.arange(size) + 1) / size - 1)
    along = np.exp(-0.5 * (np.subtract.outer(places, places) / length) ** 2)
    covariance = np.kron(along, along) + _OWN * np.eye(size * size)
    return np.asarray(amplitude * np.linalg.cholesky(covariance))


def flat_map(pixels: int) -> LightMap:
    """Return a map that changes nothing."""
    return LightMap.of(np.ones((pixels, pixels)), EXTENT)
