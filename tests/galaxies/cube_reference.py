"""A slow reference for the renderers of velocity cubes, which has no method in common with them.

`cube` follows lines of sight: at each of many points on the sky, light is summed along the depth of
the disk by the double exponential rule, split wherever there may be a cusp (the mid-plane, the
spin axis, the crest of a ring, the middle of a clump). The points are the nodes of Gauss-Legendre
rules in square cells, which are halved until no channel changes any more. Each point is then seen
through the PSF and the pixel by their own formulas in real space: there is no Fourier transform.

`ring_cube` sums over rings, azimuths and heights, as a warp is defined ring by ring.
"""

import math

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.interpolate import RegularGridInterpolator
from scipy.special import gammaincinv, ndtr

from clumpygan.galaxies import CubeGrid, DiskParameters
from tests.galaxies.reference_profiles import (
    annulus,
    dispersion,
    rotation_velocity,
    sersic,
    vertical,
)
from tests.galaxies.reference_psfs import NoPsf


def _outermost(n, half_light_radius):
    """Return the radius outside which there is 1e-6 of the light."""
    return half_light_radius * (gammaincinv(2 * n, 1 - 1e-6) / gammaincinv(2 * n, 0.5)) ** n


class Galaxy:
    """Light, velocity and dispersion in the plane of a disk, and where the plane is."""

    def __init__(self, p: DiskParameters, grid: CubeGrid):
        self.p, self.grid = p, grid
        unit = p.half_light_radius
        below = unit * p.light_map.radius if p.light_map else unit
        self.crest = unit if p.light == "ring" else 0.0
        self.extent = unit + 6 * p.ring_width if self.crest else _outermost(p.sersic_index, below)
        if p.bulge_fraction:
            self.extent = max(self.extent, _outermost(p.bulge_index, p.bulge_radius))
        r = np.geomspace(1e-7 * unit, 2 * self.extent, 40001)
        smooth = p.flux * (1 - sum(clump.fraction for clump in p.clumps))
        disk = annulus(r, unit, p.ring_width) if self.crest else sersic(r, p.sersic_index, below)
        self.logs, self.velocity = np.log(r), rotation_velocity(r, p)
        self.dispersion = dispersion(r, self.velocity, p)
        self.disk = smooth * (1 - p.bulge_fraction) * disk
        self.bulge = smooth * p.bulge_fraction * sersic(r, p.bulge_index, p.bulge_radius)
        self.height = max(p.scale_height, 1e-5 * grid.pixel_scale)
        self.thick = self.height * {"gaussian": 6, "exponential": 16, "sech2": 9}[p.vertical]
        stretch = math.sqrt(p.magnification / (1 - p.g1**2 - p.g2**2))
        self.lens = stretch * np.array([[1 + p.g1, p.g2], [p.g2, 1 - p.g1]])
        shares = np.array(grid.line_fluxes)
        self.shares = np.array([p.doublet_ratio, 1.0]) if len(shares) == 2 else shares
        self.shares = self.shares / self.shares.sum()
        self.clumps = [
            (p.flux * c.fraction, c.x * unit, c.y * unit, c.radius / math.sqrt(2 * math.log(2)), c)
            for c in p.clumps
        ]

    def structure(self, radius, azimuth):
        p, squared = self.p, (radius / self.p.half_light_radius) ** 2
        crest = np.radians(p.arm_phase) - 0.5 * np.log(squared) / np.tan(np.radians(p.arm_pitch))
        arms = p.arm_amplitude * squared / (squared + 0.09) if p.arms else 0.0
        side = p.lopsidedness * squared / (squared + 1)
        return (1 + arms * np.cos(p.arms * (azimuth - crest))) * (
            1 + side * np.cos(azimuth - np.radians(p.lopsidedness_phase))
        )

    def in_plane(self, along, across, clump=None):
        """Return light, velocity of rotation towards us at 90 degrees, and dispersion."""
        radius = np.maximum(np.hypot(along, across), 1e-12)
        log = np.log(radius)
        velocity = np.interp(log, self.logs, self.velocity) * along / radius
        flow = self.p.radial_velocity * np.cos(np.arctan(0.2 * self.p.half_light_radius / radius))
        velocity = velocity + flow * across / radius
        if clump:
            flux, x, y, size, row = clump
            far = ((along - x) ** 2 + (across - y) ** 2) / (2 * size**2)
            light = flux / (2 * np.pi * size**2) * np.exp(-far)
            return light, velocity, np.full_like(light, row.dispersion)
        light = np.interp(log, self.logs, self.disk)
        if self.p.arms or self.p.lopsidedness:
            light = light * self.structure(radius, np.arctan2(across, along))
        light = light + np.interp(log, self.logs, self.bulge)
        return light, velocity, np.interp(log, self.logs, self.dispersion)

    def spectrum(self, velocity, sigma):
        """Return the shares of the channels (N, C) in the light of points."""
        grid, total = self.grid, 0.0
        for edges, share, spread in zip(grid.edges, self.shares, grid.line_spread, strict=True):
            width = np.maximum(np.hypot(sigma, spread), 0.1 * grid.channel_width)[:, None]
            if grid.channel_response:
                channels = np.abs(np.diff(ndtr((edges - velocity[:, None]) / width), axis=1))
            else:
                away = (0.5 * (edges[1:] + edges[:-1]) - velocity[:, None]) / width
                peak = np.abs(np.diff(edges)) / (width * math.sqrt(2 * math.pi))
                channels = peak * np.exp(-0.5 * away**2)
            total = total + share * channels
        return total

    def to_sky(self, along, across, angle):
        """Return (y, x) in the field of what is along and across the major axis, without lens."""
        u = -along * np.sin(angle) - across * np.cos(angle)
        v = along * np.cos(angle) - across * np.sin(angle)
        x, y = self.lens[0, 0] * u + self.lens[0, 1] * v, self.lens[1, 0] * u + self.lens[1, 1] * v
        return self.p.offset_y + y, self.p.offset_x + x

    def from_sky(self, y, x):
        inverse, angle = np.linalg.inv(self.lens), np.radians(self.p.position_angle)
        u, v = inverse @ np.stack([x - self.p.offset_x, y - self.p.offset_y])
        return -u * np.sin(angle) + v * np.cos(angle), -u * np.cos(angle) - v * np.sin(angle)

    # --- Lines of sight ---------------------------------------------------------------------------

    def lines_of_sight(self, y, x, rule):
        """Return the spectra (N, C) of points on the sky per square arcsec, then all light."""
        total = np.zeros((len(y), self.grid.shape[0] + 1))
        for start in range(0, len(y), 2048):
            part = slice(start, start + 2048)
            for clump in (None, *self.clumps):
                self._add(total[part], *self.from_sky(y[part], x[part]), rule, clump)
        return total

    def _add(self, total, along, across, rule, clump):
        inclination = np.radians(self.p.inclination)
        sine, cosine = math.sin(inclination), math.cos(inclination)
        _, x, y, size, _ = clump or (0, 0.0, 0.0, self.extent / 6, None)
        half = np.sqrt(np.maximum((6 * size) ** 2 - (along - x) ** 2, 0))
        # The line of sight is within the disk's thickness, and within its radius.
        ends = np.full((2, len(along)), [[-np.inf], [np.inf]])
        breaks = []
        for place, reach, slope in (
            (-across * sine, self.thick, cosine), (across * cosine - y, half, sine),
        ):  # fmt: skip
            if slope < 1e-9:
                outside = np.abs(place) > reach
                ends[1] = np.where(outside, -np.inf, ends[1])
                continue
            breaks.append(place / slope)
            ends[0] = np.maximum(ends[0], (place - reach) / slope)
            ends[1] = np.minimum(ends[1], (place + reach) / slope)
        if self.crest and sine > 1e-9 and not clump:
            crest = np.sqrt(np.maximum(self.crest**2 - along**2, 0)) / sine
            breaks += [breaks[-1] - crest, breaks[-1] + crest]
        ends[1] = np.maximum(ends[0], ends[1])
        limits = np.sort(np.clip([*breaks, *ends], *ends), axis=0)
        steps = np.diff(limits, axis=0)[..., None]
        depth = limits[:-1, :, None] + steps * rule[0]
        along, across = (np.broadcast_to(v[:, None], depth.shape) for v in (along, across))
        weight = steps * rule[1] * vertical(across * sine + depth * cosine, self.p, self.height)
        point = np.broadcast_to(np.arange(len(total))[:, None], depth.shape)
        there = weight > 1e-12 * weight.max(initial=1e-300)
        point, weight, along = point[there], weight[there], along[there]
        across = (across * cosine - depth * sine)[there]
        light, velocity, sigma = self.in_plane(along, across, clump)
        weight = weight * light
        there = weight > 1e-7 * np.bincount(point, weight, len(total))[point]
        order = np.flatnonzero(there)[np.argsort(point[there], kind="stable")]
        if not len(order):
            return
        spectra = self.spectrum(self.p.systemic_velocity + velocity[order] * sine, sigma[order])
        spectra = np.concatenate([spectra, np.ones((len(order), 1))], 1) * weight[order, None]
        owner, first = np.unique(point[order], return_index=True)
        total[owner] += np.add.reduceat(spectra, first)

    # --- Cells on the sky -------------------------------------------------------------------------

    def overlooks(self, y, x, size):
        """Tell which cells may overlook something small: a thin disk, a centre, a clump."""
        p = self.p
        cosine, sine = np.cos(np.radians(p.inclination)), np.sin(np.radians(p.inclination))
        sharpness = np.linalg.norm(np.linalg.inv(self.lens), 2)
        size = size * sharpness
        along, across = self.from_sky(y, x)
        typical = p.ring_width if self.crest else 0.3 * p.half_light_radius
        thin = math.hypot(self.height * sine, typical * cosine)
        close = (size > 3 * thin) & (np.abs(across) < size + 6 * thin)
        features = [(0.0, 0.0, 0.3 * p.bulge_radius if p.bulge_fraction else typical)]
        features += [(x, y, s) for _, x, y, s, _ in self.clumps]
        for x, y, scale in features:
            small = min(scale, math.hypot(scale * cosine, self.height * sine))
            far = np.hypot(along - x, across - y * cosine)
            close |= (size > 3 * small) & (far < size + 3 * scale)
        return close & (np.abs(along) < self.extent)

    def nodes(self, roots, size, tolerance, rule, deepest=12):
        """Return points (N, 3 + C): y, x, light in the channels, all light.

        Cells are halved until the light in no channel changes by more than the tolerance.
        """
        gauss, weights = leggauss(3)
        gy, gx = (0.5 * v.ravel() for v in np.meshgrid(gauss, gauss, indexing="ij"))
        weight = 0.25 * np.outer(weights, weights).ravel()

        def look(cells, size):
            y, x = cells[:, :1] + size * gy, cells[:, 1:] + size * gx
            light = self.lines_of_sight(y.ravel(), x.ravel(), rule).reshape(*y.shape, -1)
            light *= size**2 * weight[:, None]
            return np.concatenate([y[..., None], x[..., None], light], 2)

        found, cells, coarse = [], np.asarray(roots), look(np.asarray(roots), size)
        for level in range(deepest):
            quarters = np.array([(i, j) for i in (-1, 1) for j in (-1, 1)]) * 0.25 * size
            cells = (cells[:, None] + quarters).reshape(-1, 2)
            size = 0.5 * size
            fine = look(cells, size)
            change = fine.sum(1).reshape(-1, 4, fine.shape[2]).sum(1) - coarse.sum(1)
            going = np.abs(change[:, 2:]).max(1) > tolerance
            going |= self.overlooks(*cells.T, size).reshape(-1, 4).any(1)
            going = np.repeat(going & (level < deepest - 1), 4)
            found.append(fine[~going].reshape(-1, fine.shape[2]))
            cells, coarse = cells[going], fine[going]
            if not len(cells):
                break
        found = np.concatenate(found)
        return found[found[:, -1] > 0]


# --- Cubes ----------------------------------------------------------------------------------------


def _centres(grid):
    return [grid.pixel_scale * (np.arange(n) - (n - 1) / 2) for n in grid.shape[1:]]


def _observe(nodes, p, grid, psf):
    """Return the cube (v, y, x) that is seen of points (N, 3 + C)."""
    y, x = _centres(grid)
    total = np.zeros((grid.shape[0], len(y), len(x)))
    steps = np.abs(np.diff(grid.edges[0])) / 1000
    continuum = p.continuum * (1 + p.continuum_slope * grid.centres[0] / 1000) * steps
    spectra = nodes[:, 2:-1] + continuum * nodes[:, -1:]
    groups = [slice(c, c + 1) for c in range(len(total))] if np.ndim(psf.sigma) else [slice(None)]
    for start in range(0, len(nodes), 8192):
        part = slice(start, start + 8192)
        dy, dx = y[:, None] - nodes[part, 0], x[:, None] - nodes[part, 1]
        for group in groups:
            seen = psf.on_pixels(dy, dx, grid.pixel_scale, grid.pixel_response, group.start)
            total[group] += np.moveaxis(seen @ spectra[part, group], -1, 0)
    return total


def cube(p: DiskParameters, grid: CubeGrid, psf=None, tolerance=1e-5, depth=29) -> np.ndarray:
    """Return the cube (v, y, x), float64.

    `tolerance` is the change of a cell at which it isn't halved any more, over the flux of the
    galaxy; `depth` the number of nodes between two cusps of a line of sight.
    """
    psf, galaxy, scale = psf or NoPsf(), Galaxy(p, grid), grid.pixel_scale
    t = np.linspace(-2.8, 2.8, depth)
    weight = np.cosh(t) / np.cosh(0.5 * np.pi * np.sinh(t)) ** 2
    rule = np.stack([0.5 + 0.5 * np.tanh(0.5 * np.pi * np.sinh(t)), weight / weight.sum()])
    y, x = _centres(grid)
    if psf.reach == 0 and not grid.pixel_response:
        place = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
        light = scale**2 * galaxy.lines_of_sight(*place.T, rule)
        return _observe(np.concatenate([place, light], 1), p, grid, psf)
    more = scale * math.ceil(psf.reach / scale)
    wide = scale + np.linalg.norm(galaxy.lens, 2) * (galaxy.extent + galaxy.thick)
    size = scale if psf.reach == 0 else 2 * scale
    axes = [
        np.arange(-n * scale / 2 - more + size / 2, n * scale / 2 + more, size)
        for n in grid.shape[1:]
    ]
    axes = [v[np.abs(v - o) < wide] for v, o in zip(axes, (p.offset_y, p.offset_x), strict=True)]
    roots = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    nodes = galaxy.nodes(roots, size, tolerance * p.flux * p.magnification, rule)
    return _observe(nodes, p, grid, psf)


def on_map(light_map, radius, phi):
    """Return a map's factors by SciPy: bilinear, constant beyond the outermost centres."""
    size, extent = len(light_map.rows), light_map.extent
    centres = extent * ((2 * np.arange(size) + 1) / size - 1)
    sky = np.stack([radius * np.sin(phi), radius * np.cos(phi)], 1)
    inside = np.clip(sky, centres[0], centres[-1])
    return RegularGridInterpolator((centres, centres), np.array(light_map.rows))(inside)


def ring_cube(p: DiskParameters, grid: CubeGrid, psf, radii=100, azimuths=144, heights=28):
    """Return the cube (v, y, x) of a disk that may be warped: of rings, azimuths and heights."""
    galaxy = Galaxy(p, grid)
    power = 1.0 if galaxy.crest else 2.0
    t = (np.arange(radii) + 0.5) / radii
    radius = np.repeat(galaxy.extent * t**power, azimuths)
    area = galaxy.extent * power * np.repeat(t ** (power - 1), azimuths) / radii
    area *= radius * 2 * np.pi / azimuths * p.magnification
    phi = np.tile(2 * np.pi * (np.arange(azimuths) + 0.5) / azimuths, radii)
    turns = radius / p.half_light_radius
    tilt = np.polyval([p.warp_inclination_bend, p.warp_inclination, p.inclination], turns)
    angle = [p.warp_position_angle_bend, p.warp_position_angle, p.position_angle]
    tilt, angle = np.radians(tilt), np.radians(np.polyval(angle, turns))
    light, velocity, sigma = galaxy.in_plane(radius * np.cos(phi), radius * np.sin(phi))
    spectra = galaxy.spectrum(p.systemic_velocity + velocity * np.sin(tilt), sigma)
    if p.light_map:
        unit = p.half_light_radius * p.light_map.radius
        mapped = light * on_map(p.light_map, radius / unit, phi)
        light = mapped * (light @ area) / (mapped @ area)
    spectra = np.concatenate([spectra, np.ones((len(phi), 1))], 1) * (light * area)[:, None]
    nodes, weights = leggauss(heights // 2)
    total = 0.0
    for sign in (-1, 1):
        for node, weight in zip(nodes, weights, strict=True):
            z = 0.5 * sign * galaxy.thick * (1 + node)
            share = 0.5 * galaxy.thick * weight * vertical(z, p, galaxy.height)
            across = radius * np.sin(phi) * np.cos(tilt) + z * np.sin(tilt)
            place = np.stack(galaxy.to_sky(radius * np.cos(phi), across, angle), 1)
            total = total + _observe(np.concatenate([place, share * spectra], 1), p, grid, psf)
    return total
