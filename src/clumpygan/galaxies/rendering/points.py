"""The points by which a galaxy is represented: places on the sky, fluxes, velocities, dispersions.

Points come in groups that share velocity and dispersion, and so their line profile: the two sides
of the major axis (unless gas flows radially), at all heights in a warped disk. A clump's groups
have one point.
"""

import math

import numpy as np

from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.light import line_width, modulation, surface_brightness
from clumpygan.galaxies.rendering.quadrature import (
    CLUMP_LENGTH,
    FIRST_CLUMP,
    azimuths,
    orientation,
)
from clumpygan.galaxies.rendering.rotation import (
    dispersion,
    plane_speed,
    radial_velocity,
    rotation_velocity,
)

_MODEL = DiskModel()
_FLUX = _MODEL.index("flux")
_OFFSET_X = _MODEL.index("offset_x")
_OFFSET_Y = _MODEL.index("offset_y")
_SYSTEMIC = _MODEL.index("systemic_velocity")
_RADIUS = _MODEL.index("half_light_radius")
_HEIGHT = _MODEL.index("scale_height")
_G1 = _MODEL.index("g1")
_G2 = _MODEL.index("g2")
_MAGNIFICATION = _MODEL.index("magnification")

CLUMP_SIGMA = 1.0 / math.sqrt(2.0 * math.log(2.0))
"""Standard deviation over half-light radius of a two-dimensional Gaussian."""


@njit
def sky_axes(p, radius):  # type: ignore[no-untyped-def]
    """Return what the three axes of the disk are on the sky, in arcsec (x, y) per arcsec.

    Along the major axis, along the minor axis in the plane, and normal to the plane, at a radius in
    arcsec (which matters in warped disks), sheared and magnified; and the sine of the inclination.
    """
    inclination, angle, _, _ = orientation(p, radius)
    sine, cosine = math.sin(angle), math.cos(angle)
    tilt, face = math.sin(inclination), math.cos(inclination)
    g1, g2 = p[_G1], p[_G2]
    scale = math.sqrt(p[_MAGNIFICATION] / (1.0 - g1 * g1 - g2 * g2))
    xx, xy, yy = scale * (1.0 + g1), scale * g2, scale * (1.0 - g1)
    major_x, major_y = -xx * sine + xy * cosine, -xy * sine + yy * cosine
    minor_x, minor_y = -xx * cosine - xy * sine, -xy * cosine - yy * sine
    return major_x, major_y, minor_x * face, minor_y * face, minor_x * tilt, minor_y * tilt, tilt


@njit
def ring_counts(p, choices, table, radii, frequency, digits, resolution):  # type: ignore[no-untyped-def]
    """Return how many azimuths rings need, and their velocities and dispersions in km/s.

    Parameters
    ----------
    p, choices, table, frequency, digits, resolution
        As those of `disk_points`.
    radii : ndarray of shape (rings,)
        Arcsec.
    """
    _, curve, drift, arms, warped, flows = choices
    counts = np.empty(radii.size, dtype=np.int64)
    velocities, sigmas = np.empty(radii.size), np.empty(radii.size)
    for r in range(radii.size):
        tilt = sky_axes(p, radii[r] if warped else 0.0)[6]
        velocity = rotation_velocity(curve, radii[r], p, table, drift)
        sigma = dispersion(curve, radii[r], velocity, p, table)
        speed = plane_speed(velocity, radii[r], p, flows)
        phase = frequency * radii[r] + (2.0 + 0.5 * digits) * abs(speed * tilt) / line_width(
            sigma, resolution[0], resolution[1]
        )
        counts[r] = azimuths(phase, digits) + 2 * arms
        velocities[r], sigmas[r] = velocity, sigma
    return counts, velocities, sigmas


@njit
def light_factor(along, across, sheet):  # type: ignore[no-untyped-def]
    """Interpolate a map of light: bilinearly, as `DiskMaps.sample` does.

    Parameters
    ----------
    along, across : float
        Half-light radii, along the major axis and 90 degrees further.
    sheet : tuple of ndarray (N, N), float and float
        Factors, their extent, and what doesn't matter here.
    """
    values, extent, _ = sheet
    last = values.shape[0] - 1
    x = min(max(0.5 * (along / extent + 1.0) * (last + 1) - 0.5, 0.0), float(last))
    y = min(max(0.5 * (across / extent + 1.0) * (last + 1) - 0.5, 0.0), float(last))
    i, j = min(int(y), last - 1), min(int(x), last - 1)
    y, x = y - i, x - j
    inner = (1.0 - x) * values[i, j] + x * values[i, j + 1]
    return (1.0 - y) * inner + y * ((1.0 - x) * values[i + 1, j] + x * values[i + 1, j + 1])


@njit
def profile_of(p, sheet):  # type: ignore[no-untyped-def]
    """Return parameters whose half-light radius is that of the profile below a map of light."""
    answer = p.copy()
    answer[_RADIUS] *= sheet[2]
    return answer


@njit
def disk_points(p, choices, table, rule, span, heights, sheet, frequency, digits, resolution):  # type: ignore[no-untyped-def]
    """Sample the smooth disk.

    Parameters
    ----------
    p : ndarray of shape (P,)
        Parameter vector.
    choices : tuple of (ring, curve, drift, arms, warped, flows)
        Of the model.
    table : CurveTable
    rule : tuple of ndarray
        Nodes and weights on [0, 1] over the radius.
    span : tuple of float
        Lowest and highest radius in arcsec, and the power of the mapping from t to the radius.
    heights : tuple of ndarray
        Heights in scale heights and their shares.
    sheet : tuple of ndarray (N, N), float and float
        Factors of the light, their extent, and the radius of the profile, as those of a
        `LightMap`; N is 0 without one.
    frequency : float
        Highest spatial frequency in rad per arcsec in the plane of the disk.
    digits : float
        -log10 of the accuracy.
    resolution : tuple of float
        Smallest standard deviations of the LSF and of a line in km/s.

    Returns
    -------
    x, y, flux : ndarray of shape (groups, 2 heights), or (groups, heights) with a flow, float64
        Sky coordinates in arcsec from the middle of the field.
    velocity, dispersion : ndarray of shape (groups,), float64
    """
    ring, _, _, arms, warped, flows = choices
    nodes, weights = rule
    low, high, power = span
    z, shares = heights
    radii = low + (high - low) * nodes**power
    sizes = (high - low) * power * nodes ** (power - 1.0) * weights * radii
    counts, velocities, sigmas = ring_counts(
        p, choices, table, radii, frequency, digits, resolution
    )
    # With a radial flow the two sides of the major axis differ in velocity.
    own = 2 if flows else 1
    groups = own * (counts.sum() // 2)
    members = 2 // own * z.size
    x, y, flux = (
        np.empty((groups, members)),
        np.empty((groups, members)),
        np.empty((groups, members)),
    )
    velocity_out, sigma_out = np.empty(groups), np.empty(groups)
    total = p[_FLUX] * p[_MAGNIFICATION]
    for c in range(FIRST_CLUMP, p.size, CLUMP_LENGTH):
        total -= p[_FLUX] * p[_MAGNIFICATION] * p[c]
    xx, xy, yx, yy, zx, zy, tilt = sky_axes(p, 0.0)
    g, before, after = 0, 0.0, 0.0
    shining = profile_of(p, sheet)
    unit = shining[_RADIUS]
    for r in range(radii.size):
        radius = radii[r]
        if warped:
            xx, xy, yx, yy, zx, zy, tilt = sky_axes(p, radius)
        disk, bulge = surface_brightness(radius, shining, ring)
        area = total * sizes[r] * 2.0 * math.pi / counts[r]
        flow = radial_velocity(radius, p) if flows else 0.0
        for a in range(counts[r] // 2):
            phi = 2.0 * math.pi * (a + 0.5) / counts[r]
            along, across = radius * math.cos(phi), radius * math.sin(phi)
            for side in range(2):
                sign = 1.0 - 2.0 * side
                turning = velocities[r] * math.cos(phi) + flow * sign * math.sin(phi)
                velocity_out[g] = p[_SYSTEMIC] + turning * tilt
                sigma_out[g] = sigmas[r]
                here = area * (disk * modulation(radius, sign * phi, p, arms) + bulge)
                before += here
                if sheet[0].size > 0:
                    here *= light_factor(along / unit, sign * across / unit, sheet)
                after += here
                x_plane = p[_OFFSET_X] + along * xx + sign * across * yx
                y_plane = p[_OFFSET_Y] + along * xy + sign * across * yy
                for h in range(z.size):
                    m = h if flows else side * z.size + h
                    x[g, m] = x_plane + z[h] * p[_HEIGHT] * zx
                    y[g, m] = y_plane + z[h] * p[_HEIGHT] * zy
                    flux[g, m] = here * shares[h]
                if flows or side == 1:
                    g += 1
    if after != before and after > 0.0:
        flux *= before / after
    return x, y, flux, velocity_out, sigma_out


@njit
def clump_scales(p, first, choices, table, resolution):  # type: ignore[no-untyped-def]
    """Return the sigma of a clump in arcsec, and the change of velocity across it over the line's.

    The velocity changes by about V / R times the size, and most of all where R is smallest.
    """
    sigma = p[first + 3] * CLUMP_SIGMA
    distance = p[_RADIUS] * math.sqrt(p[first + 1] ** 2 + p[first + 2] ** 2)
    near = max(distance - sigma, 0.4 * sigma)
    swing = rotation_velocity(choices[1], near, p, table, choices[2])
    swing = plane_speed(swing, near, p, choices[5])
    width = line_width(p[first + 4], resolution[0], resolution[1])
    return sigma, swing * sigma / near / width


@njit
def clump_points(p, first, choices, table, rule, count, reach, heights):  # type: ignore[no-untyped-def]
    """Sample one clump, whose parameters begin at `first`: as `disk_points`.

    Parameters
    ----------
    p, choices, table, heights
        As those of `disk_points`.
    first : int
    rule : tuple of ndarray
        Nodes and weights on [0, 1] over the radius.
    count : int
        Azimuths.
    reach : float
        Standard deviations.

    Returns
    -------
    x, y, flux : ndarray of shape (groups, heights), float64
    velocity, dispersion : ndarray of shape (groups,), float64
    """
    _, curve, drift, _, warped, flows = choices
    z, shares = heights
    centre_x, centre_y = p[first + 1] * p[_RADIUS], p[first + 2] * p[_RADIUS]
    sigma = p[first + 3] * CLUMP_SIGMA
    nodes, weights = rule
    rings = nodes.size
    groups = rings * count
    x, y, flux = (
        np.empty((groups, z.size)),
        np.empty((groups, z.size)),
        np.empty((groups, z.size)),
    )
    velocity_out, sigma_out = np.empty(groups), np.empty(groups)
    total = p[_FLUX] * p[_MAGNIFICATION] * p[first]
    xx, xy, yx, yy, zx, zy, tilt = sky_axes(p, 0.0)
    g = 0
    for r in range(rings):
        s = reach * nodes[r]
        # The last term makes up for the light beyond the reach.
        ring = reach * weights[r] * s * math.exp(-0.5 * s * s)
        ring /= 1.0 - math.exp(-0.5 * reach * reach)
        for a in range(count):
            # Half a step further at every other ring: the azimuths of rings don't line up.
            angle = 2.0 * math.pi * (a + 0.25 + 0.5 * (r % 2)) / count
            along = centre_x + sigma * s * math.cos(angle)
            across = centre_y + sigma * s * math.sin(angle)
            radius = max(math.sqrt(along * along + across * across), 1e-6 * p[_RADIUS])
            if warped:
                xx, xy, yx, yy, zx, zy, tilt = sky_axes(p, radius)
            velocity = rotation_velocity(curve, radius, p, table, drift)
            turning = velocity * along / radius
            if flows:
                turning += radial_velocity(radius, p) * across / radius
            velocity_out[g] = p[_SYSTEMIC] + turning * tilt
            sigma_out[g] = p[first + 4]
            x_plane = p[_OFFSET_X] + along * xx + across * yx
            y_plane = p[_OFFSET_Y] + along * xy + across * yy
            for h in range(z.size):
                x[g, h] = x_plane + z[h] * p[_HEIGHT] * zx
                y[g, h] = y_plane + z[h] * p[_HEIGHT] * zy
                flux[g, h] = total * ring * shares[h] / count
            g += 1
    return x, y, flux, velocity_out, sigma_out
