"""The sharp image of an observed field: brought onto its grid, registered, rescaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation, fourier_shift
from scipy.optimize import minimize

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError
from clumpygan.instruments import ObservationOperator, fwhm_of
from clumpygan.io import read_image
from clumpygan.io.fits import of_band
from clumpygan.recovery.camera import (
    assumed_psf,
    camera_of,
    check_sharp_scale,
    mask_bad_pixels,
    measured_psf,
)
from clumpygan.recovery.hst_stamp import SharpStamp, placed
from clumpygan.recovery.resampling import WIDEST_COMPARED, WIDEST_PIXEL, placement_on
from clumpygan.recovery.scene import SeenThrough, coarse_mask, title_of
from clumpygan.recovery.sharp_noise import noise_of

if TYPE_CHECKING:
    from pathlib import Path

    from clumpygan.recovery.scene import Scene
    from clumpygan.recovery.settings import RecoverySettings

_LEAST_CORRELATION = 0.5  # of two images of one field
_EDGE = 4  # observed pixels beside the edge of the data, which the PSF mixes with what lies outside
_REACH = 1.5  # arcsec that two world coordinate systems may differ at most
_STEP = 0.25  # observed pixels, first step of the fine search
_UNDERSAMPLED = (
    "pixels of the reference undersample its PSF: resampled, it is off by 1 % of its peak"
)


@dataclass(frozen=True)
class Registration:
    """How a reference has to be moved and scaled to match an observed image.

    Attributes
    ----------
    x, y : float
        arcsec along columns and rows by which the reference is to be moved.
    factor : float
        What its fluxes are to be multiplied by.
    pedestal : float
        What is then to be added to each observed pixel: the difference of the two sky levels.
    correlation : float
        Of the two images after that; 1 for images that differ in nothing.
    """

    x: float
    y: float
    factor: float
    pedestal: float
    correlation: float

    @property
    def offset(self) -> float:
        """Length of the shift in arcsec."""
        return float(np.hypot(self.x, self.y))


def with_reference(scene: Scene, settings: RecoverySettings, seed: int) -> Scene:
    """Return the scene with the reference that was given, registered to it.

    One that is turned or mirrored against the observed image, or of other pixels than the target's,
    is resampled by the world coordinates of both.

    Raises
    ------
    InputError
        If its pixels are too coarse, it lies elsewhere on the sky, or doesn't look like the
        observed image.
    """
    image = read_image(
        settings.reference,
        pixel_scale=settings.reference_scale,
        zero_point=NANOJANSKY_ZERO_POINT,
        hdu=settings.reference_hdu,
        name="`reference`",
    )
    check_sharp_scale(image.pixel_scale, image.path, scene.pair, "reference_scale", WIDEST_COMPARED)
    camera = camera_of(None, image.pixel_scale, scene.pair.target)
    if settings.reference_psf is None:
        psf = assumed_psf(camera, str(image.path))
    else:
        psf = measured_psf(
            settings.reference_psf, settings.reference_psf_scale, image.pixel_scale,
            setting="reference_psf", beside=settings.reference_hdu,
        )  # fmt: skip
    noise = noise_of(image, camera)
    image = mask_bad_pixels(image, psf, noise.sigma)
    shape = scene.grid.fine_shape((scene.observed.shape[0], scene.observed.shape[1]))
    start = placement_on(image, scene.reference_wcs, shape, scene.grid.target_scale)
    first = placed(image, psf, shape, scene.pair, start, widest=WIDEST_COMPARED)
    if first.mask.all():
        raise InputError(
            f"{image.path}: lies outside {scene.title} by their WCS; expected one field"
        )
    found = register(scene.observed, *_as_seen(scene, first), scene.grid.observed_scale)
    if found.correlation < _LEAST_CORRELATION or found.factor <= 0:
        raise InputError(
            f"{image.path}: doesn't look like {scene.title}, their correlation is"
            f" {found.correlation:.2f}; expected an image of the same field"
        )
    there = start.moved(found.x, found.y)
    stamp = placed(image, psf, shape, scene.pair, there, noise, WIDEST_COMPARED)
    _, sigma = stamp.filled(torch.Generator().manual_seed(seed))
    resampled = start.words(image.pixel_scale, scene.grid.target_scale)
    undersampled = image.pixel_scale > WIDEST_PIXEL * fwhm_of(psf)
    # In the unit and at the sky level of the observed image.
    level = found.pedestal / scene.grid.area_ratio
    return replace(
        scene,
        reference=np.where(stamp.mask, 0, found.factor * stamp.data + level).astype(np.float32),
        reference_mask=stamp.mask,
        reference_sigma=found.factor * sigma,
        reference_apart=True,
        reference_name=_name(image.path, settings.reference_hdu, camera.short_name),
        facts={
            **scene.facts,
            "registration": _facts(found),
            "reference_resampled": resampled or None,
        },
        remarks=(
            *scene.remarks,
            *([f"reference resampled: {resampled}"] if resampled else []),
            *([_UNDERSAMPLED] if undersampled else []),
            *_remarks(found, with_wcs=None not in (image.wcs, scene.reference_wcs)),
        ),
    )


def _name(path: Path, hdu: int | str | None, camera: str) -> str:
    """Return what the reference is called: its band where its extension names it, or its file."""
    if isinstance(hdu, str) and (band := of_band(hdu)[0]):
        return band
    return f"{camera} {title_of(path.with_suffix(''))}"


def _as_seen(scene: Scene, stamp: SharpStamp) -> tuple[np.ndarray, np.ndarray]:
    """Return the reference as the survey sees it, and the pixels that can't be compared."""
    operator = ObservationOperator(grid=scene.grid)
    psf = SeenThrough(scene.psf.blurred, stamp.psf)
    transfer = psf(operator.frequencies(scene.observed.shape))
    seen = operator(torch.from_numpy(stamp.data)[None, None], transfer)[0, 0].numpy()
    missing = scene.observed_mask | coarse_mask(stamp.mask, scene.grid)
    border = np.pad(missing, 1, constant_values=True)
    return seen, binary_dilation(border, iterations=_EDGE)[1:-1, 1:-1]


def _facts(found: Registration) -> dict[str, float]:
    return {
        "x_arcsec": found.x,
        "y_arcsec": found.y,
        "flux_factor": found.factor,
        "pedestal_per_hsc_pixel": found.pedestal,
        "correlation": found.correlation,
    }


def _remarks(found: Registration, *, with_wcs: bool) -> list[str]:
    before = "their WCS differ" if with_wcs else "there is no WCS in both; the centres differ"
    return [
        f'reference registered: {before} by {found.offset:.3f}" ({found.x:+.3f}" in x,'
        f' {found.y:+.3f}" in y); correlation {found.correlation:.3f}',
        f"its fluxes multiplied by {found.factor:.4g}, fitted to the observed image: flux errors"
        " are relative to that",
    ]


def register(
    observed: np.ndarray, seen: np.ndarray, mask: np.ndarray, pixel_scale: float
) -> Registration:
    """Match a reference, as the survey would see it, to an observed image.

    The cross-correlation gives the shift to a pixel, within 1.5"; from there the sum of squares
    of observed - (factor x shifted + pedestal) is minimised over the shift, with factor and
    pedestal solved for linearly at each step.

    Parameters
    ----------
    observed : numpy.ndarray
        (y, x), the observed image.
    seen : numpy.ndarray
        (y, x), the reference through the observation operator, noise-free or nearly so.
    mask : numpy.ndarray
        (y, x) bool, True where either has no data.
    pixel_scale : float
        arcsec per pixel of all three.
    """
    used = ~mask
    start = _best_whole_shift(observed, seen, used, pixel_scale)

    def misfit(shift: np.ndarray) -> float:
        return _linear_fit(observed[used], _shifted(seen, shift)[used])[2]

    simplex = np.array(start) + _STEP * np.array([[0, 0], [1, 0], [0, 1]])
    found = minimize(
        misfit, start, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-3}
    ).x
    moved = _shifted(seen, found)[used]
    factor, pedestal, _ = _linear_fit(observed[used], moved)
    return Registration(
        x=float(found[1]) * pixel_scale,
        y=float(found[0]) * pixel_scale,
        factor=factor,
        pedestal=pedestal,
        correlation=float(np.corrcoef(observed[used], moved)[0, 1]),
    )


def _best_whole_shift(
    observed: np.ndarray, seen: np.ndarray, used: np.ndarray, pixel_scale: float
) -> list[float]:
    """Return the shift (rows, columns) in whole pixels with the largest cross-correlation."""
    first = np.where(used, observed - np.median(observed[used]), 0)
    second = np.where(used, seen - np.median(seen[used]), 0)
    shape = [2 * size for size in observed.shape]
    product = np.fft.rfft2(first, shape) * np.fft.rfft2(second, shape).conj()
    correlation = np.fft.irfft2(product, shape)
    lags = [np.fft.fftfreq(size, 1 / size) for size in shape]
    distance = np.hypot(lags[0][:, None], lags[1][None, :]) * pixel_scale
    peak = int(np.argmax(np.where(distance <= _REACH, correlation, -np.inf)))
    row, column = np.unravel_index(peak, correlation.shape)
    return [float(lags[0][row]), float(lags[1][column])]


def _shifted(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return `image` moved by (rows, columns), padded so that nothing comes round."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, rows), (0, columns)), mode="edge")
    moved = np.fft.ifft2(fourier_shift(np.fft.fft2(padded), shift)).real
    return np.asarray(moved[:rows, :columns])


def _linear_fit(data: np.ndarray, model: np.ndarray) -> tuple[float, float, float]:
    """Return factor, pedestal and the mean squared residual of data = factor model + pedestal."""
    spread = float(np.var(model))
    factor = float(np.mean((model - model.mean()) * (data - data.mean()))) / max(spread, 1e-30)
    pedestal = float(data.mean() - factor * model.mean())
    return factor, pedestal, float(np.mean(np.square(data - factor * model - pedestal)))
