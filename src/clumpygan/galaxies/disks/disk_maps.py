"""Departures of a galaxy from a smooth disk, as maps in the plane of the disk."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from clumpygan.galaxies.disks.light_map import LightMap


@dataclass(frozen=True, eq=False)
class Knots:
    """Points that shine beside a disk, all Tensors (B, P).

    Attributes
    ----------
    along, across : Tensor
        Where they are in the plane of the disk, and rotate with it: half-light radii along the
        major axis, and 90 degrees further.
    x, y : Tensor
        How far they are from there on the sky, arcsec.
    share : Tensor
        Of the flux of the galaxy.
    velocity : Tensor
        Along the line of sight beside the rotation, km/s.
    dispersion : Tensor
        km/s.
    taken : Tensor (B,)
        Share of the flux that isn't in the disk: that of points which are part of it.
    """

    along: Tensor
    across: Tensor
    x: Tensor
    y: Tensor
    share: Tensor
    velocity: Tensor
    dispersion: Tensor
    taken: Tensor


@dataclass(frozen=True, eq=False)
class DiskMaps:
    """Maps of what a smooth, regularly rotating disk lacks.

    All are Tensors (B, N, N) over a square in the plane of the disk, of +- `extent` half-light
    radii around the centre. The last axis runs along the major axis, its end on the receding side;
    the second 90 degrees further in the direction of the azimuth. The centres of the first and of
    the last pixel lie half a pixel inside the square; beyond, the outermost pixels continue.

    Attributes
    ----------
    light : Tensor (B, N, N)
        Factor of the surface brightness, 0 or more.
    velocity : Tensor (B, N, N)
        Along the line of sight, beside the rotation, km/s.
    dispersion : Tensor (B, N, N)
        Factor of the velocity dispersion, above 0.
    extent : float
        Half a side, in half-light radii of the profile.
    radius : float
        Half-light radius of the profile over that of the parameters.
    knots : Knots, optional
        Points beside.
    warp : Tensor (B, 2), optional
        Change of inclination and position angle in degrees per half-light radius, of a disk that
        isn't told so by its parameters; it is as thick as in its centre.
    """

    light: Tensor
    velocity: Tensor
    dispersion: Tensor
    extent: float
    radius: float = 1.0
    knots: Knots | None = None
    warp: Tensor | None = None

    @classmethod
    def of_light(cls, light: Tensor, where: LightMap) -> "DiskMaps":
        """Return maps of factors of the light (B, N, N) alone, as large as another."""
        still = torch.zeros_like(light)
        return cls(light, still, torch.ones_like(light), where.extent, where.radius)

    def sample(self, along: Tensor, across: Tensor) -> tuple[Tensor, ...]:
        """Interpolate bilinearly.

        Parameters
        ----------
        along, across : Tensor (B, G)
            Places in the plane of the disk in half-light radii, along the major axis and 90
            degrees further.

        Returns
        -------
        light, velocity, dispersion : Tensor (B, G)
        """
        stacked = torch.stack([self.light, self.velocity, self.dispersion], 1)
        places = torch.stack([along, across], -1)[:, None] / self.extent
        values = functional.grid_sample(
            stacked, places.to(stacked), "bilinear", "border", align_corners=False
        )
        light, velocity, dispersion = values[:, :, 0].unbind(1)
        return light, velocity, dispersion
