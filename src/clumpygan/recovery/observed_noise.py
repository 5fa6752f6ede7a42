"""The noise of an observed image: of each pixel by a map that was given, or measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.instruments import (
    NoiseModel,
    effective_depth,
    estimate_noise,
    small_scale_noise,
)
from clumpygan.instruments.correlation import (
    drizzled_correlation,
    excess_of_apertures,
    separable,
)
from clumpygan.instruments.pixel_differences import LARGEST_DROP
from clumpygan.io.fits import is_file
from clumpygan.io.images import MOST_COUNTS, MOST_NANOJANSKY, read_variance, read_weight
from clumpygan.io.memory import variance_of
from clumpygan.io.photometry import nanojansky_per_count
from clumpygan.recovery.bad_pixels import quantisation_step
from clumpygan.recovery.resolver import UNEVEN
from clumpygan.recovery.scene import title_of

if TYPE_CHECKING:
    from clumpygan.io import Image
    from clumpygan.recovery.settings import RecoverySettings

IN_SKY = "measured in the pixels without source"
"""How noise is measured where there is sky."""

BY_DIFFERENCES = "measured from differences of neighbouring pixels"
"""How it is measured where light fills the image."""

ASSUMED = "assumed, as in HSC's coadds"
"""What is said of noise that neighbours share where light leaves no sky."""

OBSERVED_MAP = (
    "chi^2, bad pixels and Richardson-Lucy weigh each pixel by its own; the network, which knows"
    " the median alone, is run on what pixels of that would have shown"
)
"""What makes use of the map of an observed image."""

USUALLY_SHARED = 1.11
"""Excess of noise in apertures that is assumed where light lets none be measured.

By the variance maps of HSC's coadds. Other surveys warp their coadds too, but tell no such factor.
"""

_LARGEST_RATIO = 1e12  # of a variance or weight to the median, either way
_CROWDED = 2.0  # times as much as neighbours differ, and what scatters is light
_FARTHER = 1.5  # times the reach of noise, sigma in large apertures over that of a pixel: so too
_MOST_SHARED = 1.4  # what variance maps of HSC's coadds imply at most
_ENOUGH_TO_SEE_IT_SHARED = 1200  # pixels
_USUAL_DROP = 3 * (1 - 1 / USUALLY_SHARED)  # pixels, of `drizzled_correlation`
_DEPTH_GRID = 64  # pixels, wider than the aperture of the depth


@dataclass(frozen=True, eq=False)
class ObservedNoise:
    """Noise of the pixels of an image.

    Attributes
    ----------
    sigma : float
        That of a typical pixel: the median of the map where there is one; in the unit of the image.
    how : str
        Where it comes from.
    map : numpy.ndarray or None
        (y, x), that of each pixel, `sigma` in masked ones; None where it is the same everywhere.
    given : bool
        Whether a map of it was given: else it was measured.
    """

    sigma: float
    how: str
    map: np.ndarray | None = None
    given: bool = False

    @property
    def of_pixels(self) -> float | np.ndarray:
        """What values are divided by: the map, or the one number."""
        return self.sigma if self.map is None else self.map

    def part(self, part: tuple[slice, slice], mask: np.ndarray) -> ObservedNoise:
        """Return the noise of a part (rows, columns) of the image, which has such a mask."""
        if self.map is None:
            return self
        return of_map(np.square(self.map[part]), mask, self.how)

    def times(self, factor: float) -> ObservedNoise:
        """Return noise that is `factor` as large, which was measured after resampling."""
        each = None if self.map is None else self.map * factor
        words = f"{self.how}, resampled, times {factor:.2f} {IN_SKY}"
        return ObservedNoise(self.sigma * factor, words if factor != 1 else self.how, each, True)

    def remarks(self, mask: np.ndarray, use: str) -> tuple[str, ...]:
        """Say so, and what makes use of it, if the variance varies by more than `UNEVEN`."""
        if self.map is None or mask.all():
            return ()
        low, high = np.quantile(np.square(self.map[~mask]), [0.05, 0.95])
        if high < UNEVEN * low:
            return ()
        return (f"the variance differs by a factor of {high / low:.1f} within the image: {use}",)


class SharedNoise(NamedTuple):
    """What neighbouring pixels of an image share of its noise.

    Attributes
    ----------
    excess : float
        By how much noise in apertures exceeds that of white noise, 1.4 at most.
    correlation : numpy.ndarray
        Correlation coefficients at lags in pixels, 1 in the middle, see `NoiseModel`.
    how : str
        `IN_SKY` or `ASSUMED`.
    """

    excess: float
    correlation: NDArray[np.float64]
    how: str


def of_map(variance: np.ndarray, mask: np.ndarray, how: str) -> ObservedNoise:
    """Return the noise by a variance map (y, x), which counts where `mask` is False."""
    sigma = float(np.median(variance[~mask])) ** 0.5
    each = np.where(mask, sigma**2, variance) ** 0.5
    same = bool(np.ptp(each) < 1e-6 * sigma)
    return ObservedNoise(sigma, how, None if same else each, given=True)


def noise_of_observed(
    image: Image, settings: RecoverySettings, band: str | None
) -> tuple[Image, ObservedNoise]:
    """Return the image and its noise.

    By the variance map, if there is one; else measured (`measured_noise`), and where there is a
    weight map, taken for the inverse of the variance up to a factor, distributed like that. Pixels
    without a variance > 0 are masked.

    Parameters
    ----------
    image : Image
    settings : RecoverySettings
    band : str, optional
        Plane of a stack of maps.

    Raises
    ------
    InputError
        If a map can't be read, doesn't belong to the image, or the noise can't be measured.
    """
    image, variance, how = variance_map(image, settings, band)
    if variance is not None:
        return image, of_map(variance, image.mask, how)
    sigma, how = measured_noise(image)
    return image, _weighted(image, ObservedNoise(sigma, how), settings, band)


def variance_map(
    image: Image, settings: RecoverySettings, band: str | None
) -> tuple[Image, np.ndarray | None, str]:
    """Return the image without the pixels of no variance, the variance, and what it is called.

    Parameters
    ----------
    image : Image
    settings : RecoverySettings
    band : str, optional
        Plane of a stack of maps.

    Returns
    -------
    image : Image
    variance : numpy.ndarray or None
        (y, x), in its unit squared; None where none was given.
    how : str
        "the median of ...".

    Raises
    ------
    InputError
        If a map can't be read, or doesn't belong to the image.
    """
    variance, of = _variance(settings, band)
    if variance is None:
        return image, None, ""
    if variance.shape != image.data.shape:
        raise InputError(
            f"{of}: the variance map has shape {variance.shape}; expected"
            f" {image.data.shape}, that of {image.path}"
        )
    known = np.isfinite(variance) & (variance > 0) & ~image.mask
    if not known.any():
        middle = float(np.median(variance))
        raise InputError(f"{of}: the median variance is {middle:g}; expected a finite one > 0")
    image = replace(image, data=np.where(known, image.data, 0), mask=~known)
    middle = float(np.median(variance[known]))
    sigma = middle**0.5 * _unit_of(image)
    most, unit = (MOST_COUNTS, "counts") if image.zero_point is None else (MOST_NANOJANSKY, "nJy")
    if not sigma < most:
        raise InputError(
            f"{of}: the median noise is {sigma:.1e} {unit} a pixel; expected less than {most:.0e}"
        )
    each = _in_reach(np.where(known, variance, middle), middle)
    return image, each * _unit_of(image) ** 2, f"the median of {title_of(of)}"


def _in_reach(values: np.ndarray, middle: float) -> np.ndarray:
    """Return variances or weights with what is absurdly far from the middle brought nearer.

    What float32 can't hold would count for nothing, or for everything, and so it does still.
    """
    return np.asarray(np.clip(values, middle / _LARGEST_RATIO, middle * _LARGEST_RATIO))


def weight_map(image: Image, settings: RecoverySettings, band: str | None) -> np.ndarray | None:
    """Return the inverse (y, x) of the weight map, in the unit of the image squared; or None.

    None where there is no map, or one that says no more than which pixels are good.
    """
    if settings.weight is None:
        return None
    weight = read_weight(settings.weight, band, settings.hdu)
    good = ~image.mask & np.isfinite(weight) & (weight > 0)
    if weight.dtype.kind == "b" or not good.any() or not np.ptp(weight[good]) > 0:
        return None
    weight = weight.astype(np.float64)
    middle = float(np.median(weight[good]))
    return np.asarray(_unit_of(image) ** 2 / _in_reach(np.where(good, weight, middle), middle))


def _unit_of(image: Image) -> float:
    """Return what a count of the file is in the unit of the image."""
    return 1.0 if image.zero_point is None else nanojansky_per_count(image.zero_point)


def _weighted(
    image: Image, noise: ObservedNoise, settings: RecoverySettings, band: str | None
) -> ObservedNoise:
    """Return measured noise, distributed over the pixels as the weight map says."""
    inverse = weight_map(image, settings, band)
    if inverse is None:
        return noise
    relative = np.where(image.mask, 1.0, np.median(inverse[~image.mask]) / inverse)
    # The level is that of the image in which all pixels are as noisy.
    alike = replace(image, data=(image.data * relative**0.5).astype(np.float32))
    variance = measured_noise(alike)[0] ** 2 / relative
    return of_map(
        variance, image.mask, f"{noise.how}, distributed as {_name(settings.weight)} says"
    )


def _variance(settings: RecoverySettings, band: str | None) -> tuple[np.ndarray | None, Path]:
    """Return the variance that was given, or comes with the image, and what it is called."""
    given = settings.variance
    if given is None:
        source = settings.observed if settings.image is None else settings.image
        return variance_of(source), Path("the image's uncertainty")
    name = Path(given) if is_file(given) else Path("`variance`")
    return read_variance(given, band, str(name), settings.hdu), name


def _name(weight: object) -> str:
    return title_of(Path(str(weight))) if is_file(weight) else "weight"


def measured_noise(image: Image) -> tuple[float, str]:
    """Measure the noise of a pixel, and say how: see `noise_model`.

    Raises
    ------
    InputError
        If the pixels don't vary.
    """
    model, how = noise_model(image)
    return model.sigma, how


def noise_model(image: Image) -> tuple[NoiseModel, str]:
    """Measure the noise of a pixel and what neighbours share of it, and say how.

    In the source-free pixels; else by the differences of neighbouring pixels (`small_scale_noise`):
    where there are no such pixels, where they scatter twice as much (a galaxy fills the field), and
    where what scatters in them reaches farther than noise does (`scattered_by_light`). Of images of
    fewer than 1200 pixels, and where differences tell of none, what neighbours share is that of
    usual coadds. Without differences it is the noise of quantisation, where values have steps.

    Raises
    ------
    InputError
        If the pixels don't vary.
    """
    values = image.data[~image.mask]
    try:
        least = _noise_of_neighbours(image)
    except InputError as problem:
        step = quantisation_step(values)
        if step > 0:
            sigma = step / 12**0.5
            return NoiseModel(sigma, image.pixel_scale), "that of the quantisation alone"
        raise InputError(
            f"{image.path}: the noise can't be measured, the pixels don't vary; give `variance`"
        ) from problem
    sky = _noise_in_sky(image, least)
    return (least, BY_DIFFERENCES) if sky is None else (separable(sky), IN_SKY)


def shared_noise(image: Image) -> SharedNoise:
    """Measure what neighbouring pixels share of the noise, by which networks and depths are told.

    In the source-free pixels (`excess_of_apertures`); as in usual coadds where light leaves none,
    and nothing where pixels don't vary. Around bright galaxies their halos count as well, which is
    why the excess is 1.4 at most.
    """
    try:
        least = _noise_of_neighbours(image)
    except InputError:
        return SharedNoise(1.0, np.ones((1, 1)), ASSUMED)
    sky = _noise_in_sky(image, least)
    if sky is None:
        # What `least` tells is spoilt by light: up to 1.5 of white noise in 40 x 40 pixels. Of a
        # field of HSC it is 1.43, with which (1.4) the network errs by 0.153, by 0.151 with this.
        usual = drizzled_correlation(1.0, _USUAL_DROP, pixfrac=1.0)
        return SharedNoise(USUALLY_SHARED, usual, ASSUMED)
    excess = min(excess_of_apertures(sky), _MOST_SHARED)
    return SharedNoise(excess, separable(sky).correlation, IN_SKY)


def _noise_of_neighbours(image: Image) -> NoiseModel:
    """Return the noise by differences of neighbours; that of a usual coadd if they tell no more.

    In few pixels of a bright galaxy, its light between neighbours looks as if they shared noise:
    that of 12 x 12 pixels with a galaxy of S/N 280 came out 6.5 times too large.
    """
    known = int(np.count_nonzero(~image.mask & np.isfinite(image.data)))
    drop = LARGEST_DROP if known >= _ENOUGH_TO_SEE_IT_SHARED else None
    return small_scale_noise(image.data, image.pixel_scale, image.mask, drop, _USUAL_DROP)


def _noise_in_sky(image: Image, least: NoiseModel) -> NoiseModel | None:
    """Return the noise of pixels without source; None where none are, or light fills them."""
    try:
        sky = estimate_noise(image.data, image.pixel_scale, image.mask)
    except InputError:
        return None
    return None if sky.sigma > _CROWDED * least.sigma or scattered_by_light(sky, least) else sky


def scattered_by_light(sky: NoiseModel, fine: NoiseModel) -> bool:
    """Whether what scatters in pixels taken for sky reaches farther than the noise of neighbours.

    At the edge of a mosaic noise differs from pixel to pixel, by more than neighbours tell; but it
    is no smoother than elsewhere. Halos of galaxies of 3" in HSC images, at less than a third of
    the noise in most of these pixels, reach 1.5 to 8 times as far and make sigma up to 1.7 times
    too large; noise that neighbours share, however much, at most 1.25 times.

    Parameters
    ----------
    sky, fine : NoiseModel
        Measured in pixels without source, and by `small_scale_noise`.
    """
    reach, of_noise = (one.white_sigma / one.sigma for one in (separable(sky), fine))
    return reach > _FARTHER * of_noise


def depth_of(image: Image, noise: ObservedNoise, shared: SharedNoise) -> float | None:
    """Return the 5-sigma depth in a 2" aperture, with what neighbouring pixels share.

    AB magnitudes; None where fluxes are in counts.
    """
    if image.zero_point is None:
        return None
    scale = image.pixel_scale
    ky, kx = (torch.fft.fftfreq(_DEPTH_GRID, scale), torch.fft.rfftfreq(_DEPTH_GRID, scale))
    power = NoiseModel(noise.sigma, scale, shared.correlation).power((ky[:, None], kx[None, :]))
    return effective_depth(power, scale)
