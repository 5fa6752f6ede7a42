"""Numbers on matched velocity maps: how regular a galaxy rotates, and how even its light is."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from clumpygan.evaluation.cubes.kinemetry import (
    FIRST_RADIUS,
    ORDER,
    STEP,
    THICKNESS,
    amplitudes,
    harmonics,
)
from clumpygan.evaluation.cubes.velocity_fields import (
    FieldDisk,
    VelocityField,
    disk_plane,
    fit_disk,
)
from clumpygan.galaxies.geometry import apparent_axis_ratio

FloatArray = NDArray[np.float64]

UNITS: dict[str, tuple[str, str]] = {
    "k5_over_k1": (
        "log10",
        "fifth harmonic of the velocities over the first, mean over ellipses (Krajnovic et al."
        " 2006, MNRAS 366, 787)",
    ),
    "velocity_asymmetry": (
        "log10",
        "(k2 + k3 + k4 + k5) / (4 B1) of the velocities, mean over ellipses (Shapiro et al. 2008,"
        " ApJ 682, 231)",
    ),
    "dispersion_asymmetry": (
        "log10",
        "(k1 + ... + k5) of the dispersions over 5 B1 of the velocities, mean over ellipses (the"
        " same)",
    ),
    "position_angle_twist": (
        "deg",
        "largest less smallest kinematic position angle of the ellipses, from their first harmonic;"
        " of two ellipses or more",
    ),
    "residual_velocity": (
        "%",
        "rms of the velocities about a disk of one position angle, axis ratio and a curve of its"
        " own, less the noise, over their amplitude; below 0 where noise exceeds it",
    ),
    "rotation_over_dispersion": (
        "",
        "amplitude of the velocities over the light-weighted mean dispersion, neither corrected for"
        " inclination or PSF",
    ),
    "central_dispersion": (
        "",
        "mean dispersion within half of the radius over that outside",
    ),
    "clump_light": (
        "%",
        "light that stands above the median of its ellipse on scales of the PSF, over all light;"
        " with the noise of the light, which isn't matched",
    ),
}
"""Unit and definition of each statistic."""

STATISTICS: tuple[str, ...] = tuple(UNITS)
"""Names of the columns of `field_statistics`."""

_TINY = 1e-4

_GEOMETRY = 4
"""Parameters that say how a disk lies: centre, axis ratio, position angle."""

_FEWEST_TURNED = 2
"""Ellipses, of which position angles differ."""


def field_statistics(field: VelocityField) -> FloatArray:
    """Measure `STATISTICS` of a matched map (`velocity_fields.match_field`).

    Returns
    -------
    ndarray of shape (F,), float64
        NaN for what can't be measured: what needs light or dispersions, without them; the twist,
        of a map with one ellipse.
    """
    values = dict.fromkeys(STATISTICS, np.nan)
    disk = field.disk or fit_disk(field)
    velocity = harmonics(field.velocity[None], disk.ellipses)[0]
    if not len(velocity):
        return np.array([values[name] for name in STATISTICS])
    k, first = amplitudes(velocity), np.abs(velocity[:, 1, 1]).clip(_TINY)
    values["k5_over_k1"] = _log(k[:, 5] / k[:, 1].clip(_TINY))
    values["velocity_asymmetry"] = _log(k[:, 2:].sum(axis=1) / (ORDER - 1) / first)
    values["position_angle_twist"] = _twist(velocity, disk)
    values["residual_velocity"] = _residual(field, disk)
    if field.dispersion is not None:
        values |= _of_dispersions(field, disk, first)
    if field.light is not None:
        values["clump_light"] = _clump_light(field.light, disk)
    return np.array([values[name] for name in STATISTICS])


def _log(values: FloatArray) -> float:
    return float(np.log10(max(float(values.mean()), _TINY)))


def _twist(velocity: FloatArray, disk: FieldDisk) -> float:
    """Return the range of the position angles of the ellipses, degrees.

    A phase psi of the first harmonic in the plane of the disk is arctan(q tan(psi)) on the sky.
    One ellipse has no range: NaN, not 0.
    """
    if len(velocity) < _FEWEST_TURNED:
        return float("nan")
    tilt = float(disk.ellipses.inclination[0])
    ratio = apparent_axis_ratio(tilt, THICKNESS)
    phase = np.arctan2(velocity[:, 0, 1], velocity[:, 1, 1])
    turned = np.degrees(np.arctan2(ratio * np.sin(phase), np.cos(phase)))
    return float(np.ptp(turned))


def _residual(field: VelocityField, disk: FieldDisk) -> float:
    """Return the rms about a disk over the amplitude, in percent.

    The curve of the disk, linear between the radii of ellipses, and its systemic velocity are
    fitted to the pixels within the reach: so noise has as many degrees of freedom as there are
    pixels less these.
    """
    radius, azimuth = disk_plane((field.velocity.shape[0], field.velocity.shape[1]), disk)
    inside = field.known & (radius <= disk.reach)
    radii = np.concatenate([[0.0], np.arange(FIRST_RADIUS, disk.reach + 0.5 * STEP, STEP)])
    velocity, noise = field.velocity[inside], field.error[inside] ** 2
    between = [np.interp(radius[inside], radii, one) for one in np.eye(len(radii))[1:]]
    design = np.column_stack([np.ones(len(velocity)), *(between * np.cos(azimuth[inside]))])
    found, _, rank, _ = np.linalg.lstsq(design, velocity, rcond=None)
    # A disk that another map told took nothing else from the noise of this one.
    free = inside.sum() - rank - (_GEOMETRY if field.disk is None else 0)
    if free < 1:
        return float("nan")
    square = float(((velocity - design @ found) ** 2).sum() / free - noise.mean())
    return float(100 * np.copysign(np.sqrt(abs(square)), square) / field.amplitude)


def _of_dispersions(field: VelocityField, disk: FieldDisk, first: FloatArray) -> dict[str, float]:
    assert field.dispersion is not None
    dispersion = field.dispersion
    weight = np.where(np.isfinite(dispersion), 1.0, 0.0)
    if field.light is not None:
        weight = weight * np.nan_to_num(field.light).clip(0.0)
    if not weight.any():
        return {}
    known = np.nan_to_num(dispersion)
    mean = float((weight * known).sum() / weight.sum())
    found = {"rotation_over_dispersion": field.amplitude / max(mean, 1.0)}
    expanded = harmonics(dispersion[None], disk.ellipses)[0]
    both = min(len(expanded), len(first))
    if both:
        uneven = amplitudes(expanded[:both])[:, 1:].sum(axis=1) / ORDER
        found["dispersion_asymmetry"] = _log(uneven / first[:both])
    radius, _ = disk_plane((dispersion.shape[0], dispersion.shape[1]), disk)
    near = weight * (radius < 0.5 * disk.reach)
    far = weight * (radius >= 0.5 * disk.reach)
    if near.any() and far.any():
        inner, outer = ((one * known).sum() / one.sum() for one in (near, far))
        found["central_dispersion"] = float(inner / max(outer, 1.0))
    return found


def _clump_light(light: FloatArray, disk: FieldDisk) -> float:
    """Return the share of compact light above the ellipses in percent."""
    radius, _ = disk_plane((light.shape[0], light.shape[1]), disk)
    inside = np.isfinite(light) & (radius <= disk.reach)
    if inside.sum() < 10:
        return float("nan")
    ring = np.round(radius).astype(int)
    medians = {r: np.median(light[inside & (ring == r)]) for r in np.unique(ring[inside])}
    smooth = np.interp(radius, list(medians), list(medians.values()))
    rest = np.where(inside, light - smooth, 0.0)
    # Compact: without what is smooth over two PSFs.
    compact = rest - gaussian_filter(rest, 2.0) / gaussian_filter(inside * 1.0, 2.0).clip(0.1)
    return float(100 * compact[inside].clip(0.0).sum() / light[inside].sum())
