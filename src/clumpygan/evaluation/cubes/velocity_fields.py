"""Maps of any source brought to one resolution, and velocities to one S/N, to be compared.

A map that is seen with more beams across, or with less noise, shows more of what departs from a
disk. Here the radius out to which a map is known is made so many beams, and the noise so large a
part of the rotation, for all alike; what is too coarse or too noisy for that is left out. Noise of
the light and of the dispersions, of which no error is known, stays as it was.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import least_squares

from clumpygan.evaluation.cubes.kinemetry import LEAST_KNOWN, THICKNESS, Ellipses, harmonics
from clumpygan.galaxies.geometry import inclination_of

FloatArray = NDArray[np.float64]

PIXELS_A_BEAM = 3.0
"""Pixels of a matched map per FWHM of its PSF."""

LEAST_SPAXELS = 30
"""Known spaxels, below which a map isn't looked at."""

_FWHM_TO_SIGMA = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
_CENTRE = 0.5
"""Of the FWHM: how far from the middle of the light the centre of the rotation may be, along x and
y. Where the curve still rises, the velocities don't say where it is."""

_MODEL_ERROR = 0.03
"""Of the range of velocities: how well a disk describes them, in the weights of the fit."""

_FLATTEST = 0.25
"""Apparent axis ratio that a fit doesn't go below."""

_FEWEST_MATCHED = 12
"""Known pixels of a matched map, likewise."""

_OWN_NOISE = 0.8
"""Of the error of a matched map: what its own noise, which is correlated, may have of it."""

_COVERED = 0.5
"""Share of the weight of a smoothed pixel that has to be on known ones."""


class FieldDisk(NamedTuple):
    """How a disk lies in a velocity map.

    Attributes
    ----------
    x, y : float
        Centre in pixels, the first pixel being 0.
    axis_ratio, position_angle : float
        Apparent; degrees from +y towards -x, to the receding side.
    systemic : float
        km/s.
    reach : float
        Pixels along the major axis, out to which three quarters of each ellipse are known.
    """

    x: float
    y: float
    axis_ratio: float
    position_angle: float
    systemic: float
    reach: float

    @property
    def ellipses(self) -> Ellipses:
        """As `kinemetry.harmonics` takes them, of one galaxy."""
        tilt = inclination_of(self.axis_ratio, THICKNESS)
        values = (self.x, self.y, tilt, self.position_angle)
        return Ellipses(*(np.array([value]) for value in values))


@dataclass(frozen=True, eq=False)
class VelocityField:
    """A velocity map, and what was seen beside it.

    Attributes
    ----------
    name : str
    velocity, error : ndarray (y, x), float64
        km/s; NaN where unknown.
    fwhm : float
        Of the PSF, in pixels.
    light : ndarray (y, x), optional
        Flux of each pixel; NaN where unknown.
    dispersion : ndarray (y, x), optional
        km/s; NaN where unknown.
    noise_width : float
        Standard deviation in pixels of the Gaussian that makes of white noise what is in the map;
        0.28, that of a pixel, where the noise is white.
    disk : FieldDisk, optional
        How the galaxy lies, where that was told by a better map.
    """

    name: str
    velocity: FloatArray
    error: FloatArray
    fwhm: float
    light: FloatArray | None = None
    dispersion: FloatArray | None = None
    noise_width: float = 0.28
    disk: FieldDisk | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where the velocity is known, (y, x)."""
        return np.isfinite(self.velocity) & np.isfinite(self.error)

    @property
    def amplitude(self) -> float:
        """Half of the difference of the 95th and the 5th percentile of the velocities, km/s."""
        low, high = np.percentile(self.velocity[self.known], (5, 95))
        return float(0.5 * (high - low))


@dataclass(frozen=True, eq=False)
class Smoothing:
    """Means of the quantities of a map within the Gaussian that brings it to a wider PSF.

    Attributes
    ----------
    sigma : float
        Standard deviation of the Gaussian, pixels.
    weight : ndarray (y, x)
        The light where that is known; else 1, and 0 where the velocity is unknown.
    total : ndarray (y, x)
        That weight, smoothed.
    seen : ndarray (y, x), bool
        Where half of the Gaussian or more is on known pixels.
    """

    sigma: float
    weight: FloatArray
    total: FloatArray
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, field: VelocityField, fwhm: float) -> "Smoothing":
        """Return what brings a map to a PSF of this FWHM, in its pixels."""
        sigma = float(_FWHM_TO_SIGMA * np.sqrt(fwhm**2 - field.fwhm**2))
        known = field.known
        weight = known.astype(np.float64)
        covered = gaussian_filter(weight, sigma, mode="constant")
        if field.light is not None:
            weight = np.where(known, np.nan_to_num(field.light).clip(0.0), 0.0)
        return cls(sigma, weight, gaussian_filter(weight, sigma, mode="constant"),
                   covered > _COVERED)  # fmt: skip

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the weighted means (y, x) of values, which are 0 where they are unknown."""
        values = np.where((self.weight > 0) & np.isfinite(values), values, 0.0)
        mean = gaussian_filter(self.weight * values, self.sigma, mode="constant")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(mean / self.total)


def fit_disk(field: VelocityField) -> FieldDisk:
    """Fit a thin disk with an arctan rotation curve to a velocity map.

    V = V_sys + V_a (2 / pi) arctan(R / R_t) cos(psi), psi being the azimuth in the plane of the
    disk, by least squares. The centre is within half a PSF of the middle of the light, or of the
    known pixels.

    Raises
    ------
    ValueError
        If fewer than `LEAST_SPAXELS` velocities are known.
    """
    known = field.known
    if known.sum() < LEAST_SPAXELS:
        raise ValueError(f"{known.sum()} known velocities")
    rows, columns = np.nonzero(known)
    velocity, error = field.velocity[known], field.error[known]
    weight = np.ones_like(velocity)
    if field.light is not None:
        weight = np.nan_to_num(field.light[known]).clip(0.0) + 1e-12
    middle = np.average(columns, weights=weight), np.average(rows, weights=weight)
    scale = max(np.ptp(np.percentile(velocity, (2, 98))), 1e-3)
    sigma = np.hypot(error, _MODEL_ERROR * scale)
    size = max(np.hypot(rows - middle[1], columns - middle[0]).max(), 1.0)
    plane = np.column_stack([columns - middle[0], rows - middle[1], np.ones(len(rows))])
    (slope_x, slope_y, offset), *_ = np.linalg.lstsq(
        plane / sigma[:, None], velocity / sigma, rcond=None
    )
    free = _CENTRE * field.fwhm

    def residuals(p: FloatArray) -> FloatArray:
        x, y, ratio, angle, systemic, speed, turnover = p
        radius, cosine = _in_the_disk(columns - x, rows - y, ratio, angle)
        model = systemic + speed * 2 / np.pi * np.arctan(radius / turnover) * cosine
        return np.asarray((velocity - model) / sigma)

    angle = float(np.arctan2(-slope_x, slope_y))
    low = [middle[0] - free, middle[1] - free, _FLATTEST, -np.inf, -np.inf, 0.0, 0.05 * size]
    high = [middle[0] + free, middle[1] + free, 1.0, np.inf, np.inf, np.inf, 20.0 * size]
    found = min(
        (
            least_squares(
                residuals,
                [*middle, ratio, angle, offset, 0.6 * scale, 0.4 * size],
                bounds=(low, high),
                x_scale=[1.0, 1.0, 0.2, 0.2, 0.1 * scale, 0.3 * scale, size],
                max_nfev=60,
            )
            for ratio in (0.5, 0.85)
        ),
        key=lambda one: float(one.cost),
    )
    x, y, ratio, angle, systemic, *_ = (float(value) for value in found.x)
    reach = _reach(known, x, y, ratio, angle)
    return FieldDisk(x, y, ratio, float(np.degrees(angle)) % 360.0, systemic, reach)


def _in_the_disk(
    x: FloatArray, y: FloatArray, ratio: float, angle: float
) -> tuple[FloatArray, FloatArray]:
    """Return radius and cosine of the azimuth in the plane of a disk of an angle in radians."""
    along = -x * np.sin(angle) + y * np.cos(angle)
    across = (-x * np.cos(angle) - y * np.sin(angle)) / ratio
    radius = np.maximum(np.hypot(along, across), 1e-9)
    return radius, along / radius


def disk_plane(shape: tuple[int, int], disk: FieldDisk) -> tuple[FloatArray, FloatArray]:
    """Return radius (pixels) and azimuth (radians) in the plane of a disk, maps (y, x)."""
    y, x = np.indices(shape, dtype=np.float64)
    angle = np.radians(disk.position_angle)
    dx, dy = x - disk.x, y - disk.y
    along = -dx * np.sin(angle) + dy * np.cos(angle)
    across = (-dx * np.cos(angle) - dy * np.sin(angle)) / disk.axis_ratio
    return np.hypot(along, across), np.arctan2(across, along)


def _reach(known: NDArray[np.bool_], x: float, y: float, ratio: float, angle: float) -> float:
    """Return the semi-major axis out to which ellipses are known, pixel by pixel."""
    psi = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    along, across = np.cos(psi), ratio * np.sin(psi)
    image, radius = known.astype(np.float64), 0.0
    while True:
        step = radius + 1.0
        places = [
            y + step * (np.cos(angle) * along - np.sin(angle) * across),
            x + step * (-np.sin(angle) * along - np.cos(angle) * across),
        ]
        inside = map_coordinates(image, places, order=0, cval=0.0)
        if inside.mean() < LEAST_KNOWN:
            return radius
        radius = step


def match_field(
    field: VelocityField,
    resolution: float,
    signal_to_noise: float,
    generator: np.random.Generator,
) -> VelocityField | None:
    """Bring a map to a resolution and a S/N.

    It is smoothed by a Gaussian, weighted by its light where that is known, until the radius out to
    which it is known is `resolution` times the FWHM of the PSF; sampled with `PIXELS_A_BEAM` a
    FWHM; and given white noise until the error of a velocity is the amplitude over
    `signal_to_noise`. At most 0.8 of that error may be the map's own. Dispersions get
    what smoothing makes of velocity gradients, without what it makes of the noise of the
    velocities: that scatters by the square of its error within the Gaussian, less the square of the
    error of the mean.

    Parameters
    ----------
    field : VelocityField
    resolution : float
        Beams (FWHM) in the radius.
    signal_to_noise : float
        Amplitude of the velocities over the error of a matched pixel.
    generator : numpy.random.Generator
        Of the noise.

    Returns
    -------
    VelocityField or None
        With the disk of the map before, which had more pixels; None if the map is known on
        too few pixels or no whole ellipse, is too coarse, or too noisy.
    """
    if field.known.sum() < LEAST_SPAXELS:
        return None
    disk = fit_disk(field)
    fwhm = disk.reach / resolution
    if fwhm < field.fwhm:
        return None
    smoothed = Smoothing.of(field, fwhm)
    mean = smoothed(field.velocity)
    scatter = smoothed(field.error**2)
    variance = scatter / (1 + (smoothed.sigma / field.noise_width) ** 2)
    broad = None
    if field.dispersion is not None:
        own = np.where(np.isfinite(field.dispersion), field.dispersion, 0.0)
        there = np.isfinite(field.dispersion).astype(np.float64)
        gradient = smoothed(field.velocity**2) - mean**2 - (scatter - variance)
        # Cut at 0 only at the end: where noise is larger than its mean, and where smaller.
        with np.errstate(divide="ignore", invalid="ignore"):
            broad = np.sqrt(np.maximum(smoothed(own**2) / smoothed(there) + gradient, 0.0))
    light = None if field.light is None else smoothed.total
    step = fwhm / PIXELS_A_BEAM
    half = int(np.ceil(resolution * PIXELS_A_BEAM)) + 1
    offsets = step * np.arange(-half, half + 1)
    places = np.meshgrid(disk.y + offsets, disk.x + offsets, indexing="ij")

    def sampled(values: FloatArray) -> FloatArray:
        image = np.where(smoothed.seen, values, np.nan)
        return np.asarray(map_coordinates(image, places, order=1, cval=np.nan))

    velocity, variance = sampled(mean), sampled(variance)
    inside = np.isfinite(velocity) & np.isfinite(variance)
    if inside.sum() < _FEWEST_MATCHED:
        return None
    bare = VelocityField(field.name, velocity, np.sqrt(variance), PIXELS_A_BEAM)
    wanted = bare.amplitude / signal_to_noise
    if np.median(variance[inside]) > (_OWN_NOISE * wanted) ** 2:
        return None
    missing = np.sqrt(np.maximum(wanted**2 - variance, 0.0))
    noisy = velocity + missing * generator.standard_normal(velocity.shape)
    disk = disk._replace(x=float(half), y=float(half), reach=resolution * PIXELS_A_BEAM)
    if not len(harmonics(noisy[None], disk.ellipses)[0]):
        return None
    return VelocityField(
        field.name,
        noisy,
        np.where(inside, np.maximum(wanted, np.sqrt(variance)), np.nan),
        PIXELS_A_BEAM,
        None if light is None else sampled(light),
        None if broad is None else sampled(broad),
        disk=disk,
    )
