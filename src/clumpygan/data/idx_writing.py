"""Images of galaxies as IDX files, in units of their noise, for any code that reads MNIST."""

import numpy as np
from numpy.typing import NDArray

from clumpygan.data.cutouts.store import open_cutouts
from clumpygan.data.idx_settings import WriteIdxSettings
from clumpygan.errors import InputError
from clumpygan.io.idx import read_idx, to_levels, write_idx
from clumpygan.io.image_stack import ENDINGS, read_stack, write_stack

_BORDER = 8


def write_images_as_idx(settings: WriteIdxSettings) -> tuple[int, str]:
    """Write images as an IDX file, or the values of an IDX file as .npy or FITS.

    float32 values are pixels in units of the noise; levels are `to_levels` of them, and integers
    from 0 to 255 stay as they are.

    Returns
    -------
    int
        Number of images.
    str
        What the values are, in words: how the levels are stretched, too.

    Raises
    ------
    InputError
        If there are no images, they aren't finite, or the file can't be written.
    """
    output = settings.output
    if output.suffix in ENDINGS:
        values = _images(read_idx(settings.input), settings)
        write_stack(output, [values], values.shape, values.dtype)
        return len(values), f"{values.dtype} as in the file"
    if "idx" not in output.name:
        raise InputError(
            f"`output` {output}: expected a name with idx in it, such as gs-images-idx3-ubyte.gz, "
            f"or to unpack one {' or '.join(ENDINGS)}"
        )
    sigma: float | None
    if settings.input.is_dir():
        found = open_cutouts(settings.input, settings.band)
        images, sigma = np.asarray(found.images), float(np.nanmedian(found.noise_sigma))
    elif settings.band is not None:
        raise InputError(f"`band`: {settings.input} is no folder of cutouts, it has no bands")
    else:
        images, sigma = _images(read_stack(settings.input).images, settings), None
    if images.dtype == np.uint8 and settings.dtype == "uint8":
        write_idx(output, images)
        return len(images), "uint8 as they are"
    sigma = settings.noise_sigma or sigma or _noise_in_borders(images, settings)
    with np.errstate(over="ignore"):
        pixels = images.astype(np.float32) / np.float32(sigma)
    finite = np.isfinite(pixels).all((1, 2))
    if not finite.all():
        raise InputError(
            f"{settings.input}: image {int(np.argmin(finite))} holds NaN, or values beyond "
            "float32; leave it out, or fill it"
        )
    if settings.dtype == "float32":
        write_idx(output, pixels)
        return len(images), f"float32 in units of the noise, {sigma:.4g}"
    low, high = settings.range or (float(pixels.min()), float(pixels.max()))
    write_idx(output, to_levels(pixels, low, high))
    told = (
        f"asinh of units of the noise, {sigma:.4g}; data.stretch=[{low:.6g},{high:.6g}] undoes it"
    )
    return len(images), told


def _images(values: NDArray[np.generic], settings: WriteIdxSettings) -> NDArray[np.generic]:
    if values.ndim != 3:
        raise InputError(
            f"{settings.input}: {' x '.join(map(str, values.shape))} values; expected images "
            "(N, y, x)"
        )
    return values


def _noise_in_borders(images: NDArray[np.generic], settings: WriteIdxSettings) -> float:
    """Return 1.4826 times the median distance from the median, in an eighth of the width."""
    inner = np.zeros(images.shape[1:], bool)
    y, x = (max(1, int(length) // _BORDER) for length in images.shape[1:])
    inner[y:-y, x:-x] = True
    border = images[:, ~inner].astype(np.float64)
    distance = np.abs(border - np.median(border, axis=1, keepdims=True))
    sigma = 1.4826 * float(np.median(np.median(distance, axis=1)))
    if not sigma > 0:
        raise InputError(
            f"{settings.input}: no noise in the borders of the images; give it with `noise_sigma`"
        )
    return sigma
