"""Velocity fields of thin, rotating disks: the mean velocity of what each pixel sees.

At a place of the disk with polar coordinates (R, phi) the line-of-sight velocity is

    v = v_sys + V(R) cos(phi) sin(i),

and the field that is observed is its mean, weighted with the light and the PSF,

    <v> = PSF * (I v) / PSF * I

(Begeman 1989, A&A 223, 47; for the smearing Varidel et al. 2019, MNRAS 485, 4024). The light I is
that of the model, or of a map. A map is smeared itself: it is sharpened by a few steps of
Richardson and Lucy, without which curves would come out too steep.
"""

from itertools import product

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import zoom

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.disk_model import CURVES, DiskModel
from clumpygan.galaxies.rendering.compiled import njit
from clumpygan.galaxies.rendering.curve_tables import table_of
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.light import surface_brightness
from clumpygan.galaxies.rendering.points import sky_axes
from clumpygan.galaxies.rendering.rotation import radial_velocity, rotation_velocity

FloatArray = NDArray[np.float64]

_MODEL = DiskModel()
_OFFSET_X, _OFFSET_Y = _MODEL.index("offset_x"), _MODEL.index("offset_y")
_SYSTEMIC, _INCLINATION = _MODEL.index("systemic_velocity"), _MODEL.index("inclination")

_STEEPEST = 87.0
"""Degrees: steeper disks are projected with this inclination, as if they were that thick."""

_SAMPLES = 3.0
"""Samples over the FWHM of the PSF, at least."""

_MOST, _COARSE = 2_000_000, 5
"""Samples of a field, at most; that many along a side of a pixel may be more of them."""

_BAND = 3.0
"""Cycles over the FWHM of the PSF, above which its transfer function is next to nothing."""

_MARGIN = 2.5
"""FWHM of the PSF beyond the field from which light is taken."""

_FAINT = 1e-9
"""Of the brightest light: as much is added everywhere, at least."""

_SHARPENING = 20
"""Steps of Richardson and Lucy; fewer leave light smeared, more make noise of it."""


@njit
def _fill(p, choices, table, x, y, velocity, light):  # type: ignore[no-untyped-def]
    """Fill in velocity and light at places (N,) in arcsec from the middle of the field."""
    ring, curve, drift = choices
    sine = np.sin(np.radians(p[_INCLINATION]))
    flat = p.copy()
    flat[_INCLINATION] = min(p[_INCLINATION], _STEEPEST)
    xx, xy, yx, yy, _, _, _ = sky_axes(flat, 0.0)
    determinant = xx * yy - xy * yx
    for g in range(x.size):
        dx, dy = x[g] - p[_OFFSET_X], y[g] - p[_OFFSET_Y]
        along = (dx * yy - dy * yx) / determinant
        across = (dy * xx - dx * xy) / determinant
        radius = np.hypot(along, across)
        disk, bulge = surface_brightness(radius, p, ring)
        light[g] = disk + bulge
        velocity[g] = p[_SYSTEMIC]
        if radius > 0.0:
            turning = rotation_velocity(curve, radius, p, table, drift)
            flow = radial_velocity(radius, p)
            velocity[g] += sine * (turning * along + flow * across) / radius


class VelocityFieldRenderer:
    """Render velocity fields of one grid and one model.

    Parameters
    ----------
    shape : tuple of int
        (y, x).
    pixel_scale : float
        Arcsec.
    model : DiskModel, optional
        Without warp, clumps and arms.
    psf : Transfer, optional
        Optical transfer function: maps (ky, kx) in cycles/arcsec to (Ky, Kx).
    psf_fwhm : float, optional
        Arcsec, for the sampling.
    light : array_like (y, x), optional
        Surface brightness; 0 or NaN where there is none. By default that of the model.

    Raises
    ------
    InputError
        If the light doesn't fit, is nowhere above 0, or the model has what a field hasn't.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pixel_scale: float,
        model: DiskModel | None = None,
        psf: Transfer | None = None,
        psf_fwhm: float | None = None,
        light: ArrayLike | None = None,
    ) -> None:
        self.model = model or DiskModel()
        for name in ("clumps", "arms", "warped"):
            if getattr(self.model, name):
                raise InputError(f"a velocity field of a model with {name}; expected one without")
        self.shape, self.pixel_scale, self.psf = shape, pixel_scale, psf
        self.fine, margin = 1, 0
        if psf is not None and psf_fwhm:
            margin = int(np.ceil(_MARGIN * psf_fwhm / pixel_scale))
        self._field = tuple(slice(margin, margin + n) for n in shape)
        self._size = tuple(n + 2 * margin for n in shape)
        if psf is not None and psf_fwhm:
            wanted = int(np.ceil(_SAMPLES * pixel_scale / psf_fwhm))
            affordable = int(np.sqrt(_MOST / (self._size[0] * self._size[1])))
            # Odd: pixels and samples share their centres.
            self.fine = min(
                wanted + (wanted + 1) % 2, max(affordable - (affordable + 1) % 2, _COARSE)
            )
        step = pixel_scale / self.fine
        places = [(np.arange(n * self.fine) - (n * self.fine - 1) / 2) * step for n in self._size]
        y, x = np.meshgrid(*places, indexing="ij")
        self._y, self._x = y.ravel(), x.ravel()
        self._choices = (
            self.model.light == "ring",
            CURVES.index(self.model.curve),
            self.model.asymmetric_drift,
        )
        self._multiplier, self._padded = self._optics(step, psf_fwhm)
        self._light: FloatArray | None = None
        if light is not None:
            self._light = self._sharpened(np.asarray(light, dtype=np.float64)).ravel()

    def __call__(self, vectors: ArrayLike) -> FloatArray:
        """Render a batch (B, P) of parameter vectors: velocities (B, y, x) in km/s."""
        batch = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
        return np.stack([self.render(vector)[0] for vector in batch])

    def light(self, vector: FloatArray) -> FloatArray:
        """Return the light (y, x) that the mean of the velocities is weighted with."""
        return self.render(vector)[1]

    def render(self, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return velocities (y, x) in km/s, and the light (y, x) that they are weighted with."""
        velocity, light = np.empty(self._x.size), np.empty(self._x.size)
        table = table_of(self.model, vector)
        p = vector[: self.model.first_ratio]
        _fill(p, self._choices, table, self._x, self._y, velocity, light)
        sides = tuple(n * self.fine for n in self._size)
        if self._light is not None:
            light = self._light
        light = light.reshape(sides)
        # Relative to the systemic velocity, so that nothing is lost by rounding.
        systemic = float(vector[_SYSTEMIC])
        velocity = velocity.reshape(sides) - systemic
        own = self._summed(velocity)[self._field] / self.fine**2
        seen = self._summed(self._smeared(light * velocity))[self._field]
        total = self._summed(self._smeared(light))[self._field]
        # Far outside there is nothing to divide by; a floor makes it the velocity itself. Where a
        # measured PSF is below 0, bright light takes more than that from what is faint.
        floor = max(_FAINT * float(light.max()) * self.fine**2, -2 * float(total.min()), 1e-300)
        return (seen + floor * own) / (total + floor) + systemic, total + floor

    def _summed(self, image: FloatArray) -> FloatArray:
        """Return the sums over pixels of an image of finer samples."""
        rows, columns = self._size
        return np.asarray(image.reshape(rows, self.fine, columns, self.fine).sum((1, 3)))

    def _smeared(self, image: FloatArray, turned: bool = False) -> FloatArray:
        """Return an image of finer samples behind the PSF, or behind the PSF turned around."""
        if self._multiplier is None:
            return image
        modes = scipy.fft.rfft2(image, self._padded)
        modes *= np.conj(self._multiplier) if turned else self._multiplier
        whole = scipy.fft.irfft2(modes, self._padded)
        return np.asarray(whole[: image.shape[0], : image.shape[1]])

    def _optics(
        self, step: float, psf_fwhm: float | None
    ) -> tuple[NDArray[np.complexfloating] | FloatArray | None, tuple[int, int]]:
        """Return what modes are multiplied with, and the sides (y, x) they are of.

        It is that of the PSF at the samples, which is nowhere below 0 where the PSF isn't: of its
        transfer function alone, cut where samples end, bright light would ring.
        """
        sides = [n * self.fine for n in self._size]
        if self.psf is None:
            return None, (sides[0], sides[1])
        # Padded by the margin once more, so that nothing comes around.
        extra = (self._size[0] - self.shape[0]) * self.fine // 2
        rows, columns = (scipy.fft.next_fast_len(n + extra, real=True) for n in sides)
        ky = np.asarray(np.fft.fftfreq(rows, step)[:, None], dtype=np.float64)
        kx = np.asarray(np.fft.rfftfreq(columns, step)[None, :], dtype=np.float64)
        beyond = max(int(np.ceil(_BAND * step / psf_fwhm)), 1) if psf_fwhm else 1
        orders = (np.arange(-beyond, beyond + 1) / step).tolist()
        sampled = np.asarray(self.psf(ky, kx))
        for row, column in product(orders, orders):
            if row or column:
                sampled = sampled + self.psf(ky + row, kx + column)
        return np.asarray(sampled / sampled[0, 0].real), (rows, columns)

    def _sharpened(self, light: FloatArray) -> FloatArray:
        """Return the light at the finer samples before the PSF, with a margin of none."""
        if light.shape != self.shape:
            raise InputError(f"light of shape {light.shape}; expected {self.shape}")
        known = np.where(np.isfinite(light) & (light > 0), light, 0.0)
        if not known.any():
            raise InputError("the light is nowhere above 0; expected a map of the flux")
        whole = np.zeros(self._size)
        whole[self._field] = known
        seen = np.asarray(zoom(whole, self.fine, order=0, grid_mode=True, mode="nearest"))
        if self._multiplier is None:
            return seen
        # Where nothing is known, nothing is missed.
        inside = (seen > 0).astype(np.float64)
        reached = np.maximum(self._smeared(inside, turned=True), 1e-3)
        sharp = seen.copy()
        floor = _FAINT * seen.max()
        for _ in range(_SHARPENING):
            ratio = seen / np.maximum(self._smeared(sharp), floor)
            sharp = np.maximum(sharp * self._smeared(ratio, turned=True) / reached, 0.0)
        return sharp
