"""Moment maps of noisy cubes that know where the line of a smooth disk would be."""

import torch
from torch import Tensor


def expected_moments(cube: Tensor, smooth: Tensor) -> Tensor:
    """Project each spectrum on the line that a smooth disk has there, and on its derivatives.

    With the normalised line p(v) of the smooth disk, its mean V and variance W^2, the weights are
    proportional to p, (v - V) p and ((v - V)^2 - W^2) p, each of unit length: matched filters for
    the flux, for a shift and for a broadening of the line. All three are linear in the cube, so
    that the noise of a map is that of a voxel, everywhere, however faint the galaxy is.

    Parameters
    ----------
    cube : Tensor (B, 1, v, y, x)
        In units of its noise.
    smooth : Tensor (B, 1, v, y, x)
        Noiseless cube of the smooth disk, of any positive scale.

    Returns
    -------
    Tensor (B, 3, y, x)
    """
    line = smooth[:, 0].float()
    # Where there is no light at all the line is taken as flat.
    line = line.clamp(min=0) + 1e-6 * line.amax((1, 2, 3), keepdim=True)
    line = line / line.sum(1, keepdim=True)
    channel = torch.arange(line.shape[1], device=line.device, dtype=line.dtype)[:, None, None]
    mean = (line * channel).sum(1, keepdim=True)
    away = channel - mean
    variance = (line * away.square()).sum(1, keepdim=True)
    weights = torch.stack([line, away * line, (away.square() - variance) * line], 1)
    length = weights.square().sum(2, keepdim=True).sqrt().clamp(min=1e-12)
    return (cube.float() * (weights / length)).sum(2)


def turned_to_axis(
    maps: Tensor, position_angle: Tensor, offset_x: Tensor, offset_y: Tensor
) -> Tensor:
    """Turn maps about a galaxy's centre, so that its major axis lies along x, receding side right.

    Bilinear, and differentiable as often as one likes; 0 outside the field.

    Parameters
    ----------
    maps : Tensor (B, C, N, M)
    position_angle : Tensor (B,)
        Degrees, from +y towards -x.
    offset_x, offset_y : Tensor (B,)
        Of the centre from the middle of the field, in pixels.

    Returns
    -------
    Tensor (B, C, N, M)
    """
    rows, columns = maps.shape[-2:]
    angle = torch.deg2rad(position_angle.float())
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    y, x = torch.meshgrid(
        torch.arange(rows, device=maps.device, dtype=torch.float32) - 0.5 * (rows - 1),
        torch.arange(columns, device=maps.device, dtype=torch.float32) - 0.5 * (columns - 1),
        indexing="ij",
    )
    # The major axis points to (-sin, cos) on the sky, what comes 90 degrees later to (-cos, -sin).
    place_x = -sine * x - cosine * y + (offset_x + 0.5 * (columns - 1))[:, None, None]
    place_y = cosine * x - sine * y + (offset_y + 0.5 * (rows - 1))[:, None, None]
    left, low = place_x.floor(), place_y.floor()
    flat = maps.flatten(2)
    turned = torch.zeros_like(flat)
    for step_y in (0, 1):
        for step_x in (0, 1):
            column, row = left + step_x, low + step_y
            weight = (1 - (place_x - column).abs()) * (1 - (place_y - row).abs())
            inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
            place = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
            picked = flat.gather(2, place.long().flatten(1)[:, None].expand_as(flat))
            turned = turned + picked * (weight * inside).flatten(1)[:, None].to(flat)
    return turned.view_as(maps)


def aligned_moments(
    cube: Tensor, smooth: Tensor, position_angle: Tensor, offset_x: Tensor, offset_y: Tensor
) -> Tensor:
    """Return maps (B, 4, y, x): light, shift, broadening, and the light of the smooth disk.

    `expected_moments` of the cube and of the smooth disk, turned by `turned_to_axis`; the arguments
    are theirs.
    """
    moments = expected_moments(cube, smooth)
    regular = expected_moments(smooth, smooth)[:, :1]
    return turned_to_axis(torch.cat([moments, regular], 1), position_angle, offset_x, offset_y)
