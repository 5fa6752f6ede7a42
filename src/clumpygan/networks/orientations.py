"""The eight ways to turn and mirror an image, and what becomes of a PSF's transfer function.

Where on its stamp a galaxy is, and which way round, can be drawn, too: known symmetries need not be
learnt.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


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


def draw_placements(count: int, offset: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw an element of the dihedral group and a shift for each image.

    Parameters
    ----------
    count : int
    offset : float
        Largest shift along each axis, in pixels; uniform.
    generator : torch.Generator
        On whose device the result is.

    Returns
    -------
    turns : Tensor (count, 3)
        Each 0 or 1: mirrored in x, mirrored in y, axes exchanged.
    shifts : Tensor (count, 2)
        In x and y, pixels.
    """
    device = generator.device
    turns = torch.randint(0, 2, (count, 3), generator=generator, device=device)
    shifts = torch.rand((count, 2), generator=generator, device=device) * 2 - 1
    return turns, offset * shifts


def place(images: Tensor, turns: Tensor, shifts: Tensor) -> Tensor:
    """Turn and shift images; what comes in at an edge continues the edge.

    Parameters
    ----------
    images : Tensor (B, C, N, N)
        Best stretched: bicubic interpolation of steep peaks overshoots.
    turns : Tensor (B, 3)
    shifts : Tensor (B, 2)
        As of `draw_placements`.

    Returns
    -------
    Tensor (B, C, N, N)
    """
    along_x, along_y, exchanged = turns.bool()[:, :, None, None, None].unbind(1)
    images = torch.where(along_x, images.flip(-1), images)
    images = torch.where(along_y, images.flip(-2), images)
    images = torch.where(exchanged, images.transpose(-1, -2), images)
    # A shift to the right looks up what is to the left; coordinates are in half sides.
    scale = 2.0 / images.shape[-1]
    affine = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
    affine[:, :, 2] = -scale * shifts
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, grid, mode="bicubic", padding_mode="border", align_corners=False
    )
