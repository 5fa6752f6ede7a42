"""The Sersic profile and its Fourier transform, tabulated for speed."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fht, fhtoffset
from scipy.special import gamma, gammainc, gammaincinv

from clumpygan.errors import InputError

MINIMUM_SERSIC_INDEX, MAXIMUM_SERSIC_INDEX = 0.3, 6.2
"""Where GalSim defines its Sersic profile; the same limits hold here."""

_SAMPLES, _LOG_STEP = 16384, 0.003
_KEPT = 6144


class SersicTransform:
    """Fourier transform of a circular Sersic profile of unit flux and unit half-light radius.

    `F(k) = 2 pi int_0^inf I(r) J_0(k r) r dr`, by the FFTLog algorithm (Hamilton 2000) on 16384
    logarithmic steps, then linear interpolation in ln k, k being in radians per half-light radius,
    from 1e-4 to 1e4 (constant beyond). The step of 0.003 in ln k keeps the error near 1e-6.

    Parameters
    ----------
    sersic_index : float
        Between 0.3 and 6.2.
    """

    def __init__(self, sersic_index: float) -> None:
        offset = fhtoffset(_LOG_STEP, mu=0.0)
        log_radius = _LOG_STEP * (np.arange(_SAMPLES) - 0.5 * (_SAMPLES - 1))
        radius = np.exp(log_radius)
        brightness = sersic_surface_brightness(radius, sersic_index)
        log_k = log_radius + offset
        transform = 2.0 * np.pi * fht(radius * brightness, _LOG_STEP, mu=0.0, offset=offset)
        kept = slice((_SAMPLES - _KEPT) // 2, (_SAMPLES + _KEPT) // 2)
        self.values = np.asarray((transform / np.exp(log_k))[kept], dtype=np.float64)
        self._first = log_k[kept][0]
        self._values = self.values.astype(np.float32)
        self._steps = np.append(np.diff(self.values), 0.0).astype(np.float32)

    def __call__(self, k_squared: NDArray[np.floating]) -> NDArray[np.float32]:
        """Transform at wave numbers whose squares are given (same shape, float32)."""
        # single precision moves the place in the table by less than 1e-3 of a step
        squared = np.asarray(k_squared, dtype=np.float32)
        position = np.log(np.maximum(squared, np.float32(1e-30)))
        position *= np.float32(0.5 / _LOG_STEP)
        position -= np.float32(self._first / _LOG_STEP)
        np.clip(position, 0.0, _KEPT - 1.0, out=position)
        index = position.astype(np.int32)
        position -= index
        transform = self._steps.take(index)
        transform *= position
        transform += self._values.take(index)
        return transform


@lru_cache(maxsize=512)
def sersic_transform(sersic_index: float) -> SersicTransform:
    """Tabulated transform of one Sersic index; made at first use, then kept.

    Raises
    ------
    InputError
        If the index is outside 0.3 to 6.2.
    """
    if not MINIMUM_SERSIC_INDEX <= sersic_index <= MAXIMUM_SERSIC_INDEX:
        raise InputError(
            f"sersic_index is {sersic_index}; expected {MINIMUM_SERSIC_INDEX} to "
            f"{MAXIMUM_SERSIC_INDEX}"
        )
    return SersicTransform(sersic_index)


@lru_cache(maxsize=512)
def sersic_b(sersic_index: float) -> float:
    """b_n for which half of the light is inside the half-light radius (Ciotti 1991, exact)."""
    return float(gammaincinv(2.0 * sersic_index, 0.5))


def sersic_surface_brightness(radius: Any, sersic_index: float) -> Any:
    """Surface brightness at a radius, of unit flux and unit half-light radius.

    `I(r) = b^(2n) / (2 pi n Gamma(2n)) exp(-b r^(1/n))` (Graham & Driver 2005, equations 1 and 2).
    """
    b, n = sersic_b(sersic_index), sersic_index
    return b ** (2 * n) / (2 * np.pi * n * gamma(2 * n)) * np.exp(-b * radius ** (1 / n))


def sersic_enclosed(radius: Any, sersic_index: float) -> Any:
    """Fraction of the light inside a radius in units of the half-light radius (ibid., eq. 2)."""
    b, n = sersic_b(sersic_index), sersic_index
    return gammainc(2 * n, b * radius ** (1 / n))


def sersic_index_of(concentration: float) -> float:
    """Return the index of the profile whose radii of 80 and 20 % of the light have this ratio.

    Between `MINIMUM_SERSIC_INDEX` and `MAXIMUM_SERSIC_INDEX`, to 1 %.
    """
    indices = np.geomspace(MINIMUM_SERSIC_INDEX, MAXIMUM_SERSIC_INDEX, 60)
    outer, inner = (gammaincinv(2.0 * indices, share) for share in (0.8, 0.2))
    ratios = indices * np.log(outer / inner)
    return float(np.exp(np.interp(np.log(concentration), ratios, np.log(indices))))
