"""PSFs as the renderers of cubes want them, and as the reference sees points through them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import gamma, kv, ndtr


class NoPsf:
    """Pixels count the light that falls on them, or sample it."""

    reach = 0.0
    sigma = 0.0

    def on_pixels(self, y, x, pixel, integrate, channel):
        """Return the shares (Y, X, N) of pixels at distances y (Y, N) and x (X, N) of points."""
        limit = 0.5 * pixel if integrate else 1e-9 * pixel
        return ((np.abs(y) < limit)[:, None] & (np.abs(x) < limit)[None]).astype(float)


@dataclass(frozen=True)
class GaussianPsf:
    """Of a standard deviation in arcsec, or of one for each channel; moved by (y, x)."""

    sigma: float | tuple[float, ...] = 0.3
    shift: tuple[float, float] = (0.0, 0.0)

    def transfer(self, ky, kx):
        sigma = np.reshape(self.sigma, (-1, 1, 1)) if np.ndim(self.sigma) else self.sigma
        real = np.exp(-2 * np.pi**2 * sigma**2 * (ky**2 + kx**2))
        turn = np.exp(-2j * np.pi * (ky * self.shift[0] + kx * self.shift[1]))
        return real * turn if any(self.shift) else real

    @property
    def reach(self):
        return 6 * np.max(self.sigma) + max(map(abs, self.shift))

    def on_pixels(self, y, x, pixel, integrate, channel):
        sigma = self.sigma[channel] if np.ndim(self.sigma) else self.sigma

        def one(d):
            if integrate:
                return ndtr((d + 0.5 * pixel) / sigma) - ndtr((d - 0.5 * pixel) / sigma)
            return pixel * np.exp(-0.5 * (d / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))

        return one(y - self.shift[0])[:, None] * one(x - self.shift[1])[None]


@dataclass(frozen=True)
class MoffatPsf:
    """(1 + r^2 / a^2)^-beta, a in arcsec."""

    a: float = 0.45
    beta: float = 3.0
    sigma = 0.0

    def transfer(self, ky, kx):
        k = np.maximum(2 * np.pi * self.a * np.hypot(ky, kx), 1e-8)
        order = self.beta - 1
        return 2 * (k / 2) ** order * kv(order, k) / gamma(order)

    @property
    def reach(self):
        return 16 * self.a

    def on_pixels(self, y, x, pixel, integrate, channel):
        nodes, weights = leggauss(4) if integrate else (np.zeros(1), np.full(1, 2.0))
        total = 0.0
        for v, wy in zip(0.5 * pixel * nodes, weights, strict=True):
            for u, wx in zip(0.5 * pixel * nodes, weights, strict=True):
                far = (y + v)[:, None] ** 2 + (x + u)[None] ** 2
                total = total + 0.25 * wy * wx * (1 + far / self.a**2) ** -self.beta
        return pixel**2 * (self.beta - 1) / (np.pi * self.a**2) * total
