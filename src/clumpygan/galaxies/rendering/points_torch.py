"""The points of a batch of galaxies as tensors: those of `rendering.points`, differentiably."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from clumpygan.galaxies.disks.disk_maps import DiskMaps, Knots
from clumpygan.galaxies.disks.parameters import CLUMP_PARAMETERS
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.galaxies.rendering.curve_tables import ring_splines
from clumpygan.galaxies.rendering.fourier import FourierGrid
from clumpygan.galaxies.rendering.light import annulus, modulation, sersic
from clumpygan.galaxies.rendering.points import CLUMP_SIGMA
from clumpygan.galaxies.rendering.quadrature import CLUMP_LENGTH, FIRST_CLUMP, legendre_rule
from clumpygan.galaxies.rendering.rotation import (
    radial_velocity,
    tensor_dispersion,
    tensor_rotation_velocity,
)

_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


class Constants:
    """Arrays as tensors on the device and in the dtype of others, made once for each."""

    def __init__(self) -> None:
        self._made: dict[tuple[Hashable, torch.device, torch.dtype], Tensor] = {}

    def __call__(self, key: Hashable, like: Tensor, value: ArrayLike) -> Tensor:
        """Return a constant.

        Parameters
        ----------
        key : hashable
            What it is known by: the value is looked at the first time only.
        like : Tensor
            Floating-point; complex constants get the precision of its dtype.
        value : array_like
        """
        place = (key, like.device, like.dtype)
        if place not in self._made:
            tensor = torch.as_tensor(np.asarray(value), device=like.device)
            if tensor.is_floating_point():
                tensor = tensor.to(like.dtype)
            elif tensor.is_complex():
                tensor = tensor.to(_COMPLEX[like.dtype])
            self._made[place] = tensor
        return self._made[place]


@dataclass(frozen=True, eq=False)
class Plan:
    """Where the galaxies of a batch are sampled, all of them in the same way.

    Attributes
    ----------
    fourier : FourierGrid
    radii : ndarray of shape (rings,)
        In half-light radii of the profile.
    steps : ndarray of shape (rings,)
        Weights of the radii, dR in half-light radii of the profile.
    counts : ndarray of shape (rings,), int
        Azimuths on each ring, even.
    heights : tuple of ndarray
        In scale heights, and their shares.
    clump : tuple of (row of `legendre_rule`, azimuths, reach in sigma)
    multiplier : ndarray of shape (M, M / 2 + 1, C or 1), complex
        Of the modes, channels in rising order.
    constants : Constants
        Tensors of this plan.
    """

    fourier: FourierGrid
    radii: NDArray[np.float64]
    steps: NDArray[np.float64]
    counts: NDArray[np.int64]
    heights: tuple[NDArray[np.float64], NDArray[np.float64]]
    clump: tuple[int, int, float]
    multiplier: NDArray[Any]
    constants: Constants = field(default_factory=Constants)

    @cached_property
    def on_rings(self) -> dict[str, NDArray[Any]]:
        """Arrays (G,) of the points on one side of the major axis.

        Number of the ring, cosine and sine of the azimuth, and share in the ring.
        """
        ring = np.repeat(np.arange(self.radii.size), self.counts // 2)
        count = self.counts[ring]
        first = np.cumsum(self.counts // 2) - self.counts // 2
        azimuth = 2 * np.pi * (np.arange(ring.size) - first[ring] + 0.5) / count
        return {
            "ring": ring,
            "cosine": np.cos(azimuth),
            "sine": np.sin(azimuth),
            "azimuth": azimuth,
            "share": 2 * np.pi / count,
        }

    @cached_property
    def in_clump(self) -> dict[str, NDArray[Any]]:
        """Arrays (G,) of the points of a clump: places in its sigma, and shares."""
        row, count, reach = self.clump
        nodes, weights = legendre_rule(row)
        s = np.repeat(reach * nodes, count)
        turn = np.add.outer(0.5 * (np.arange(nodes.size) % 2) + 0.25, np.arange(count)) / count
        angle = 2 * np.pi * turn.ravel()
        share = np.repeat(reach * weights, count) * s * np.exp(-0.5 * s**2)
        share /= count * (1 - math.exp(-0.5 * reach**2))
        return {"x": s * np.cos(angle), "y": s * np.sin(angle), "share": share}

    @cached_property
    def folding(self) -> dict[str, NDArray[np.int64]]:
        """Where the modes (M, M / 2 + 1) come to lie among those of pixels (L, L / 2 + 1).

        Rows, columns as they are, and columns mirrored; each with their places.
        """
        long, wide = self.fourier.period
        j = np.arange(self.fourier.points[1] // 2 + 1)
        direct = np.flatnonzero(j % wide <= wide // 2)
        mirror = np.flatnonzero((j > 0) & (-j % wide <= wide // 2))
        i = np.arange(self.fourier.points[0])
        return {
            "rows": np.where(2 * i < i.size, i, i - i.size) % long,
            "direct": direct,
            "direct to": direct % wide,
            "mirror": mirror,
            "mirror to": -mirror % wide,
        }

    def __post_init__(self) -> None:
        # Now: a compiler of graphs can't look into these.
        _ = self.on_rings, self.in_clump, self.folding


class Points(NamedTuple):
    """Points of galaxies: x, y in arcsec and flux (B, G, M), and what is (B, G).

    M heights above and below the plane share velocity and dispersion, km/s, and the radius in the
    plane, in half-light radii of the profile.
    """

    x: Tensor
    y: Tensor
    flux: Tensor
    velocity: Tensor
    dispersion: Tensor
    radius: Tensor


class GalaxyPoints:
    """The points of a batch of galaxies, from their parameters.

    Parameters
    ----------
    parameters : Tensor (B, P)
    compiled : CubeRenderer
        Of the same model.
    plan : Plan
    maps : DiskMaps, optional
        Departures from the model. Light is redistributed within the disk and the bulge, whose sum
        stays; clumps take part in the motions of the disk where they are.
    """

    def __init__(
        self,
        parameters: Tensor,
        compiled: CubeRenderer,
        plan: Plan,
        maps: DiskMaps | None = None,
    ) -> None:
        self.parameters, self.compiled, self.plan, self.maps = parameters, compiled, plan, maps
        self.model = compiled.model
        self.table = self._table()

    def _table(self) -> tuple[Tensor, ...] | None:
        """Return the table of the curve, as `curve_tables.CurveTable`, if it needs one."""
        model, constant, like = self.model, self.plan.constants, self.parameters
        if model.curve == "table":
            radii, velocities = np.array(model.rotation_table).T
            return constant("table radii", like, radii), constant("table", like, velocities)
        if model.curve != "rings":
            return None
        splines = ring_splines(model.ring_radii)
        rings = like[:, model.first_ring :].reshape(len(like), len(model.ring_radii), -1)
        outer = constant("rings", like, splines.radii[1:])
        ratios = rings[:, :, 0] / torch.atan(outer / self("turnover_radius"))
        values, bends = (
            constant(name, like, getattr(splines, name).T) for name in ("values", "bends")
        )
        ends = (one @ way for one in (ratios, rings[:, :, 1]) for way in (values, bends))
        return constant("knots", like, splines.radii), *ends

    def __call__(self, name: str) -> Tensor:
        """Return one parameter as a column (B, 1)."""
        return self[self.model.index(name)]

    def __getitem__(self, place: int) -> Tensor:
        """Return the parameter of a place in the vector as a column (B, 1)."""
        return self.parameters[:, place : place + 1]

    def total(self) -> Tensor:
        """Return the observed flux (B, 1)."""
        return self("flux") * self("magnification")

    def axes(self, radius: Tensor) -> tuple[Tensor, ...]:
        """Return the axes of the disk on the sky at radii (B, N): as `points.sky_axes`."""
        inclination, angle = self("inclination"), self("position_angle")
        if self.model.warped:
            turns = radius / self("half_light_radius")
            bend, twist = self("warp_inclination_bend"), self("warp_position_angle_bend")
            inclination = inclination + (self("warp_inclination") + bend * turns) * turns
            angle = angle + (self("warp_position_angle") + twist * turns) * turns
        elif self.maps is not None and self.maps.warp is not None:
            turns = radius / self("half_light_radius")
            inclination = inclination + self.maps.warp[:, :1] * turns
            angle = angle + self.maps.warp[:, 1:] * turns
        inclination, angle = torch.deg2rad(inclination), torch.deg2rad(angle)
        sine, cosine = angle.sin(), angle.cos()
        tilt, face = inclination.sin(), inclination.cos()
        g1, g2 = self("g1"), self("g2")
        scale = (self("magnification") / (1 - g1.square() - g2.square())).sqrt()
        xx, xy, yy = scale * (1 + g1), scale * g2, scale * (1 - g1)
        major = (-xx * sine + xy * cosine, -xy * sine + yy * cosine)
        minor = (-xx * cosine - xy * sine, -xy * cosine - yy * sine)
        return (
            *major, minor[0] * face, minor[1] * face, minor[0] * tilt, minor[1] * tilt, tilt,
        )  # fmt: skip

    def thickness(self, frequencies: tuple[Tensor, Tensor]) -> Tensor:
        """Return the Fourier transform (B, Ky, Kx) of the thickness."""
        ky, kx = frequencies
        *_, x, y, _ = self.axes(torch.zeros_like(self("half_light_radius")))
        height = self("scale_height")[..., None]
        wave = height * (ky * y[..., None] + kx * x[..., None])
        if self.model.vertical == "gaussian":
            return torch.exp(-0.5 * wave.square())
        if self.model.vertical == "exponential":
            return 1 / (1 + wave.square())
        # x / sinh(x), with a series where it is 0 / 0.
        half = 0.5 * math.pi * wave.abs().clamp(max=50.0)
        small = half < 1e-2
        safe = torch.where(small, torch.ones_like(half), half)
        return torch.where(small, 1 - half.square() / 6, safe / safe.sinh())

    def _place(self, along: Tensor, across: Tensor, axes: tuple[Tensor, ...]) -> list[Tensor]:
        """Return sky coordinates [x, y] (B, N, H) of points in the plane (B, N) at all heights."""
        z = self.plan.constants("heights", self.parameters, self.plan.heights[0])
        xx, xy, yx, yy, zx, zy, _ = axes
        places = []
        for offset, major, minor, normal in (
            (self("offset_x"), xx, yx, zx),
            (self("offset_y"), xy, yy, zy),
        ):
            plane = offset + along * major + across * minor
            height = (normal * self("scale_height"))[..., None] * z
            places.append(plane[..., None] + height)
        return places

    def disk(self) -> Points:
        """Return the points of the disk and bulge."""
        plan, constant, like = self.plan, self.plan.constants, self.parameters
        ratio = constant("radii", like, plan.radii)
        steps = constant("steps", like, plan.steps * plan.radii)
        index, cosine, sine, azimuth, share = (
            constant(name, like, plan.on_rings[name])
            for name in ("ring", "cosine", "sine", "azimuth", "share")
        )
        size = self._profile_radius()
        radius = size * ratio
        velocity = self._velocity(radius)
        sigma = tensor_dispersion(self.model.curve, radius, velocity, self, self.table)
        if self.model.light == "ring":
            light = annulus(radius, size, self("ring_width"))
        else:
            light = sersic(radius, self("sersic_index"), size)
        area = size.square() * steps * self._smooth_flux()
        disk = (area * (1 - self("bulge_fraction")) * light)[:, index] * share
        bulge = sersic(radius, self("bulge_index"), self("bulge_radius"))
        bulge = (area * self("bulge_fraction") * bulge)[:, index] * share
        radius, away = radius[:, index], ratio[index].expand(len(like), -1)
        axes = self.axes(radius)
        rotation = self("systemic_velocity") + velocity[:, index] * cosine * axes[-1]
        flow = None
        if self.model.radial_flow:
            flow = radial_velocity(radius, self) * sine * axes[-1]
        heights = constant("height shares", like, plan.heights[1])
        sides = []
        for sign in (1.0, -1.0):
            x, y = self._place(radius * cosine, sign * radius * sine, axes)
            flux = disk * modulation(radius, sign * azimuth, self, self.model.arms) + bulge
            sides.append((x, y, flux[..., None] * heights))
        if self.maps is None and flow is None:
            # Both sides share their line profiles.
            x, y, flux = (torch.cat(parts, -1) for parts in zip(*sides, strict=True))
            return Points(x, y, flux, rotation, sigma[:, index], away)
        x, y, flux = (torch.cat(parts, 1) for parts in zip(*sides, strict=True))
        sides_velocity = rotation.repeat(1, 2)
        if flow is not None:
            sides_velocity = sides_velocity + torch.cat([flow, -flow], 1)
        if self.maps is None:
            return Points(
                x, y, flux, sides_velocity, sigma[:, index].repeat(1, 2), away.repeat(1, 2)
            )
        along, across = ratio[index] * cosine, ratio[index] * sine
        light, offset, factor = self.maps.sample(
            torch.cat([along, along]).expand_as(x[..., 0]),
            torch.cat([across, -across]).expand_as(x[..., 0]),
        )
        clumpy = flux * light[..., None]
        scale = flux.sum((1, 2), keepdim=True) / clumpy.sum((1, 2), keepdim=True).clamp(min=1e-30)
        if self.maps.knots is not None:
            scale = scale * (1 - self.maps.knots.taken)[:, None, None]
        velocity, sigma = sides_velocity + offset, sigma[:, index].repeat(1, 2) * factor
        return Points(x, y, clumpy * scale, velocity, sigma, away.repeat(1, 2))

    def clump(self, number: int) -> Points:
        """Return the points of one clump."""
        plan, constant, like = self.plan, self.plan.constants, self.parameters
        fraction, x_plane, y_plane, size, sigma = (
            self(f"clump_{number + 1}_{row.name}") for row in CLUMP_PARAMETERS
        )
        unit = self("half_light_radius")
        spread = size * CLUMP_SIGMA
        along = x_plane * unit + spread * constant("clump x", like, plan.in_clump["x"])
        across = y_plane * unit + spread * constant("clump y", like, plan.in_clump["y"])
        radius = (along.square() + across.square() + (1e-6 * unit).square()).sqrt()
        axes = self.axes(radius)
        x, y = self._place(along, across, axes)
        flux = self.total() * fraction * constant("clump share", like, plan.in_clump["share"])
        heights = constant("height shares", like, plan.heights[1])
        turning = self._velocity(radius) * along
        if self.model.radial_flow:
            turning = turning + radial_velocity(radius, self) * across
        velocity = self("systemic_velocity") + turning / radius * axes[-1]
        sigma = sigma.expand_as(velocity)
        if self.maps is not None:
            unit = self._profile_radius()
            _, offset, factor = self.maps.sample(along / unit, across / unit)
            velocity, sigma = velocity + offset, sigma * factor
        away = radius / self._profile_radius()
        return Points(x, y, flux[..., None] * heights, velocity, sigma, away)

    def _profile_radius(self) -> Tensor:
        """Return the half-light radius of the profile, in whose unit maps are."""
        own = self("half_light_radius")
        return own if self.maps is None else own * self.maps.radius

    def knots(self, knots: Knots) -> Points:
        """Return points beside the disk."""
        unit = self._profile_radius()
        along, across = knots.along * unit, knots.across * unit
        radius = (along.square() + across.square() + (1e-6 * unit).square()).sqrt()
        axes = self.axes(radius)
        heights = self.plan.constants("height shares", self.parameters, self.plan.heights[1])
        x, y = self._place(along, across, axes)
        flux = (self.total() * knots.share)[..., None] * heights
        turning = self._velocity(radius) * along / radius * axes[-1]
        velocity = self("systemic_velocity") + turning + knots.velocity
        # Companions aren't in the plane: their gas is that of a half-light radius.
        beside = (knots.x != 0) | (knots.y != 0)
        away = torch.where(beside, torch.ones_like(radius), radius / unit)
        x, y = x + knots.x[..., None], y + knots.y[..., None]
        return Points(x, y, flux, velocity, knots.dispersion, away)

    def _velocity(self, radius: Tensor) -> Tensor:
        return tensor_rotation_velocity(
            self.model.curve, radius, self, self.table, self.model.asymmetric_drift
        )

    def _smooth_flux(self) -> Tensor:
        if not self.model.clumps:
            return self.total()
        fractions = self.parameters[:, FIRST_CLUMP : self.model.first_ratio : CLUMP_LENGTH]
        return self.total() * (1 - fractions.sum(1, keepdim=True))
