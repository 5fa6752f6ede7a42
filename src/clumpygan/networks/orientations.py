"""The eight ways to turn and mirror an image, and what becomes of a PSF's transfer function."""

from typing import NamedTuple

import torch
from torch import Tensor


class Orientation(NamedTuple):
    """One of the eight ways to turn and mirror an image: flips, then a transposition."""

    flip_y: bool
    flip_x: bool
    transpose: bool

    def of(self, image: Tensor) -> Tensor:
        """Return images (..., y, x) in this orientation."""
        flipped = image.flip(
            [axis for axis, flip in ((-2, self.flip_y), (-1, self.flip_x)) if flip]
        )
        return flipped.mT if self.transpose else flipped

    def undo(self, image: Tensor) -> Tensor:
        """Return images in this orientation as they were."""
        upright = image.mT if self.transpose else image
        return upright.flip([axis for axis, flip in ((-2, self.flip_y), (-1, self.flip_x)) if flip])

    def transfer(self, transfer: Tensor, width: int) -> Tensor:
        """Return the transfer function of a PSF in this orientation.

        Parameters
        ----------
        transfer : Tensor (..., Ky, Kx)
            On the modes of an `rfft2`.
        width : int
            Length of the image along x; Kx = width // 2 + 1.
        """
        # The other half of the modes, kx < 0, holds the complex conjugates.
        half = transfer.shape[-1]
        negative = _opposite(transfer, -2).conj()[..., 1 : width - half + 1].flip(-1)
        full = torch.cat([transfer, negative], -1)
        for axis, flip in ((-2, self.flip_y), (-1, self.flip_x)):
            full = _opposite(full, axis) if flip else full
        full = full.mT if self.transpose else full
        return full[..., : full.shape[-1] // 2 + 1]


def _opposite(modes: Tensor, axis: int) -> Tensor:
    """Return the modes at the opposite frequencies along an axis."""
    return modes.flip(axis).roll(1, axis)


ORIENTATIONS = tuple(
    Orientation(y, x, t) for t in (False, True) for y in (False, True) for x in (False, True)
)
