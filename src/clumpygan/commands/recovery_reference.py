"""The HST image of the field of a real HSC image: brought onto its grid, registered, rescaled."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation

from clumpygan.commands.recovery_camera import (
    assumed_psf,
    camera_of,
    check_hst_scale,
    noise_of,
    psf_from_file,
    without_blemishes,
)
from clumpygan.commands.recovery_grid import HstStamp, placed
from clumpygan.commands.recovery_psf import SeenThrough
from clumpygan.commands.recovery_registration import Registration, register
from clumpygan.commands.recovery_scene import coarse_mask, fine_shape
from clumpygan.constants import HST_PIXEL_SCALE, PIXEL_AREA_RATIO
from clumpygan.errors import InputError
from clumpygan.instruments import ObservationOperator
from clumpygan.io import Image, mirrored, north_angle, read_image

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Scene

_LEAST_CORRELATION = 0.5
_SAME_DIRECTION = 1.0  # degrees
_EDGE = 4  # HSC pixels beside the edge of the data, which the PSF mixes with what lies outside


def add_reference(scene: Scene, options: Namespace, seed: int) -> None:
    """Read `--reference`, register it to the scene and put it there.

    Raises
    ------
    InputError
        If its pixels are too coarse, it is turned against the HSC image, lies elsewhere on the
        sky, or doesn't look like it.
    """
    image = read_image(options.reference, pixel_scale=options.reference_scale, zero_point=31.4)
    check_hst_scale(image.pixel_scale, options.reference, "--reference-scale")
    camera = camera_of(None, image.pixel_scale)
    if options.reference_psf is None:
        psf = assumed_psf(camera, str(options.reference))
    else:
        psf = psf_from_file(options.reference_psf, options.reference_psf_scale, image.pixel_scale)
    noise = noise_of(image, camera)
    image = without_blemishes(image, psf, noise)
    shape = fine_shape(scene.observed.shape)
    start = _offset(scene, image)
    first = placed(image, psf, shape, start)
    if first.mask.all():
        raise InputError(
            f"{options.reference}: lies outside {options.hsc} by their WCS; expected one field"
        )
    found = register(scene.observed, *_as_seen(scene, first))
    if found.correlation < _LEAST_CORRELATION or found.factor <= 0:
        raise InputError(
            f"{options.reference}: doesn't look like {options.hsc}, their correlation is"
            f" {found.correlation:.2f}; expected an image of the same field"
        )
    stamp = placed(image, psf, shape, (start[0] + found.x, start[1] + found.y))
    stamp.noise = noise
    _put(scene, stamp, found, torch.Generator().manual_seed(seed))
    scene.reference_name = f"HST {options.reference.stem}"
    scene.remarks += _remarks(found, with_wcs=None not in (image.wcs, scene.reference_wcs))


def _offset(scene: Scene, image: Image) -> tuple[float, float]:
    """Return where the centre of `image` lies, (x, y) in arcsec from that of the scene, by WCS."""
    if image.wcs is None or scene.reference_wcs is None:
        return 0.0, 0.0
    turn = north_angle(image.wcs) - north_angle(scene.reference_wcs)
    turn = (turn + 180) % 360 - 180
    if abs(turn) > _SAME_DIRECTION or mirrored(image.wcs) != mirrored(scene.reference_wcs):
        raise InputError(
            f"{image.path}: is turned by {turn:.1f} degrees or mirrored against the HSC image;"
            " expected the same orientation"
        )
    rows, columns = image.data.shape
    sky = image.wcs.pixel_to_world_values((columns - 1) / 2, (rows - 1) / 2)
    x, y = scene.reference_wcs.world_to_pixel_values(*sky)
    height, width = scene.reference_mask.shape
    return (
        float(x - (width - 1) / 2) * HST_PIXEL_SCALE,
        float(y - (height - 1) / 2) * HST_PIXEL_SCALE,
    )


def _as_seen(scene: Scene, stamp: HstStamp) -> tuple[np.ndarray, np.ndarray]:
    """Return the reference as HSC sees it, and the pixels in which the two can't be compared."""
    operator = ObservationOperator()
    psf = SeenThrough(scene.psf.blurred, stamp.psf)
    transfer = psf(operator.frequencies(scene.observed.shape))
    seen = operator(torch.from_numpy(stamp.data)[None, None], transfer)[0, 0].numpy()
    missing = scene.observed_mask | coarse_mask(stamp.mask)
    border = np.pad(missing, 1, constant_values=True)
    return seen, binary_dilation(border, iterations=_EDGE)[1:-1, 1:-1]


def _put(scene: Scene, stamp: HstStamp, found: Registration, generator: torch.Generator) -> None:
    """Give the scene its reference, in the unit and at the sky level of the HSC image."""
    _, sigma = stamp.filled(generator)
    level = found.pedestal / PIXEL_AREA_RATIO
    scene.reference = np.where(stamp.mask, 0, found.factor * stamp.data + level).astype(np.float32)
    scene.reference_mask = stamp.mask
    scene.reference_sigma = found.factor * sigma
    scene.facts["registration"] = {
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
        f"its fluxes multiplied by {found.factor:.4g}, fitted to the HSC image: flux errors are"
        " relative to that",
    ]
