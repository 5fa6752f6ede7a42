"""Where on its stamp a galaxy is, and which way round: known symmetries need not be learnt."""

import torch
from torch import Tensor
from torch.nn import functional


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
