"""What users publish of a recovered image: each quantity is declared once, in `QUANTITIES`.

They are measured alike on the truth and on every sample, around the same nucleus, which is found
without the truth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.realism.image_statistics import gini_and_m20
from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.clumps import (
    NUCLEUS_RADIUS,
    POINT_SOURCE_SHARE,
    find_peaks,
    sharpened,
)

RADII = (0.18, 0.3, 0.6, 1.0, 1.5)
"""Arcsec, of the apertures."""

WHOLE_FLUX = f"flux_{RADII[-1]:g}"
"""The quantity that says how bright the galaxy is."""

_SHAPE_WEIGHT = 0.5
"""Arcsec (sigma) of the Gaussian weight of the moments: beyond it noise would rule."""

_M20_RADIUS = 1.0
"""Arcsec."""


@dataclass(frozen=True)
class Measured:
    """One image to be measured.

    Attributes
    ----------
    image : ndarray (Y, X)
        nJy per pixel.
    nucleus : tuple of float
        (y, x) in pixels.
    sigma : float
        Depth of the observation, nJy per pixel of the image.
    pixel_scale : float
        Arcsec.
    """

    image: NDArray[np.floating]
    nucleus: fidelity.Position
    sigma: float
    pixel_scale: float

    @cached_property
    def peaks(self) -> NDArray[np.float64]:
        """(N, 2), what stands out by its sharpness, brightest first."""
        return find_peaks(self.image, self.sigma)

    @cached_property
    def distance(self) -> NDArray[np.float64]:
        """(Y, X), of each pixel from the nucleus, in arcsec."""
        rows, columns = np.indices(self.image.shape)
        away = np.hypot(rows - self.nucleus[0], columns - self.nucleus[1])
        return np.asarray(away * self.pixel_scale)

    @cached_property
    def light_radii(self) -> list[float]:
        """Radii in arcsec that hold 20, 50 and 80 % of the light within 1.5"."""
        return fidelity.radii_of_light(self.image, self.nucleus, (0.2, 0.5, 0.8), self.pixel_scale)


@dataclass(frozen=True)
class Quantity:
    """A quantity of an image.

    Attributes
    ----------
    name, unit, definition : str
    measure : callable
        From `Measured` to a number, NaN where it isn't defined.
    counted : bool
        Whether it comes in steps, or is often 0: medians say nothing of a bias then.
    moved : bool
        Whether its values are moved where samples of synthetic galaxies are wrong on average. Those
        of ellipticity aren't: it took 96 real galaxies farther from the truth, whose mean rank fell
        from 0.47 to 0.42.
    """

    name: str
    unit: str
    definition: str
    measure: Callable[[Measured], float]
    counted: bool = False
    moved: bool = True


def _flux(radius: float, one: Measured) -> float:
    return float(fidelity.aperture_flux(one.image, one.nucleus, radius, one.pixel_scale))


def _concentration(one: Measured) -> float:
    inner, _, outer = one.light_radii
    return float(5 * np.log10(outer / inner)) if inner > 0 else float("nan")


def _ellipticity(one: Measured) -> float:
    rows, columns = np.indices(one.image.shape)
    y, x = rows - one.nucleus[0], columns - one.nucleus[1]
    weight = one.image * np.exp(-0.5 * np.square(one.distance / _SHAPE_WEIGHT))
    yy, xx, xy = (float((weight * moment).sum()) for moment in (y * y, x * x, x * y))
    trace = yy + xx
    return float(np.hypot(xx - yy, 2 * xy) / trace) if trace > 0 else float("nan")


def _m20(one: Measured) -> float:
    inside = (one.distance < _M20_RADIUS)[None]
    image, distance = (plane[None].astype(np.float32) for plane in (one.image, one.distance))
    _, value = gini_and_m20(image, distance, inside)
    return float(value[0])


def _off_nucleus(one: Measured) -> NDArray[np.float64]:
    away = np.hypot(*(one.peaks - np.asarray(one.nucleus)).T) * one.pixel_scale
    return np.asarray(one.peaks[away > NUCLEUS_RADIUS])


def _clump_flux(one: Measured) -> float:
    sharp = sharpened(one.image)
    rows, columns = _off_nucleus(one).astype(int).T
    return float(sharp[rows, columns].sum() / POINT_SOURCE_SHARE)


def _sources(one: Measured) -> float:
    return float(len(one.peaks))


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        *(
            Quantity(f"flux_{radius:g}", "nJy", f'flux in r = {radius:g}"', partial(_flux, radius))
            for radius in RADII
        ),
        Quantity(
            "half_light_radius",
            "arcsec",
            'of the light within 1.5"',
            lambda one: one.light_radii[1],
        ),
        Quantity(
            "concentration", "", "5 log10(r80 / r20) (Conselice 2003, eq. 10)", _concentration
        ),
        Quantity(
            "ellipticity",
            "",
            'of the moments weighted by a Gaussian of 0.5"',
            _ellipticity,
            moved=False,
        ),
        Quantity("m20", "", 'of the light within 1" (Lotz et al. 2004, eq. 8)', _m20),
        Quantity(
            "clump_flux",
            "nJy",
            "of the peaks outside the nucleus, as point sources",
            _clump_flux,
            counted=True,
        ),
        Quantity("sources", "", "number of peaks, the nucleus among them", _sources, counted=True),
    )
}
"""Name -> quantity."""
