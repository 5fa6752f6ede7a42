"""The part of an image that is recovered."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from clumpygan.commands.recovery_options import DEFAULT_SIZE
from clumpygan.commands.recovery_scene import shifted_wcs
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from clumpygan.io import Image

LARGEST_FIELD = 45.0
"""arcsec: width up to which a whole image is recovered in the memory of a small machine."""


def asked_part(image: Image, options: Namespace) -> Image:
    """Return the part of `image` around --position, or all of it without that.

    Raises
    ------
    InputError
        If the position lies outside, the part holds no data, or the whole is too large.
    """
    rows, columns = image.data.shape
    if options.position is None:
        width = max(rows, columns) * image.pixel_scale
        if width > LARGEST_FIELD:
            raise InputError(
                f'{image.path}: the field is {width:.0f}" wide; expected {LARGEST_FIELD:.0f}" at'
                " most: take a part with --position X Y"
            )
        return image
    x, y = (position - 1 for position in options.position)
    if not (-0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5):
        raise InputError(
            f"--position {x + 1:g} {y + 1:g} lies outside {image.path}, which has"
            f" {columns} x {rows} pixels"
        )
    side = round(min(options.size or DEFAULT_SIZE, LARGEST_FIELD) / image.pixel_scale)
    first, start = round(y - (side - 1) / 2), round(x - (side - 1) / 2)
    bottom, top = max(first, 0), min(first + side, rows)
    left, right = max(start, 0), min(start + side, columns)
    part = (slice(bottom, top), slice(left, right))
    if image.mask[part].all():
        raise InputError(f"{image.path}: no valid pixel around --position {x + 1:g} {y + 1:g}")
    return replace(
        image,
        data=image.data[part],
        mask=image.mask[part],
        wcs=shifted_wcs(image.wcs, (-bottom, -left)),
    )
