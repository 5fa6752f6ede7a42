"""Velocity cubes of disks as differentiable tensors: for fits and for generators.

The definition is that of `clumpygan.galaxies.cube`, and so are the points, the grid and the optics;
here the parameters are a batch, and gradients flow to all of them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.galaxies.cube import CubeRenderer
from clumpygan.galaxies.fourier import FourierGrid, Transfer
from clumpygan.galaxies.grid import CubeGrid
from clumpygan.galaxies.light_torch import annulus, modulation, sersic
from clumpygan.galaxies.parameters import CLUMP_PARAMETERS, DiskModel
from clumpygan.galaxies.points import CLUMP_SIGMA, clump_scales, ring_counts
from clumpygan.galaxies.quadrature import (
    CLUMP_LENGTH,
    FIRST_CLUMP,
    clump_rule,
    extents,
    legendre_rules,
    radial_range,
    ring_rule,
    stretch_of,
)
from clumpygan.galaxies.rotation_torch import dispersion, rotation_velocity
from clumpygan.galaxies.spreading_torch import spread_points


@dataclass(frozen=True)
class Plan:
    """Where the galaxies of a batch are sampled, all of them in the same way.

    Attributes
    ----------
    fourier : FourierGrid
    radii : ndarray of shape (rings,)
        In half-light radii.
    steps : ndarray of shape (rings,)
        Weights of the radii, dR in half-light radii.
    counts : ndarray of shape (rings,), int
        Azimuths on each ring, even.
    clump : tuple of (row of the Legendre rules, azimuths, reach in sigma)
    """

    fourier: FourierGrid
    radii: np.ndarray
    steps: np.ndarray
    counts: np.ndarray
    clump: tuple[int, int, float]


class TorchCubeRenderer(nn.Module):
    """Render batches of cubes, differentiably.

    Parameters
    ----------
    grid : CubeGrid
    model : DiskModel
    psf : Transfer, optional
        Maps (ky, kx) in cycles/arcsec to the optical transfer function.
    accuracy : float
        Largest error over the largest voxel.
    like : array_like of shape (B, P) or (P,), optional
        Galaxies for which the sampling is chosen once and for all. Without it, it is chosen anew
        for each batch, from its values: right for any galaxy, but a wait for the GPU, and not for
        `torch.compile`.

    Raises
    ------
    InputError
        As `CubeRenderer`.

    Examples
    --------
    >>> grid = CubeGrid.velocities((16, 20, 20), 0.2, 40.0)
    >>> parameters = torch.tensor(DiskModel().defaults()[None], requires_grad=True)
    >>> TorchCubeRenderer(grid)(parameters).shape
    torch.Size([1, 1, 16, 20, 20])
    """

    def __init__(
        self,
        grid: CubeGrid,
        model: DiskModel | None = None,
        psf: Transfer | None = None,
        accuracy: float = 1e-3,
        like: ArrayLike | None = None,
    ) -> None:
        super().__init__()
        self.compiled = CubeRenderer(grid, model, psf, accuracy)
        self.grid, self.model = grid, self.compiled.model
        self._cache: dict[tuple[object, torch.device, torch.dtype], Tensor] = {}
        self.plan = None if like is None else self.plan_for(like)

    def plan_for(self, vectors: ArrayLike) -> Plan:
        """Choose a sampling that is fine enough for all of some galaxies.

        Parameters
        ----------
        vectors : array_like of shape (B, P) or (P,)
        """
        compiled, batch = self.compiled, np.atleast_2d(np.asarray(vectors, dtype=np.float64))
        if batch.shape[1] != len(self.model.names) or not np.isfinite(batch).all():
            raise InputError(
                f"parameter vectors of shape {batch.shape}: expected (B, {len(self.model.names)}) "
                "finite numbers"
            )
        grids, frequencies = zip(*(compiled.plan(p) for p in batch), strict=True)
        fourier = max(grids, key=lambda g: g.points)
        ring, arms = compiled.choices[0], compiled.choices[3]
        radius = batch[:, self.model.index("half_light_radius")]
        spans = np.array([radial_range(p, ring, extents(compiled.accuracy)) for p in batch])
        spans[:, :2] /= radius[:, None]
        low, high, power = spans[:, 0].min(), spans[:, 1].max(), spans[:, 2].max()
        in_plane = [k * stretch_of(p) for k, p in zip(frequencies, batch, strict=True)]
        row = max(
            ring_rule(p, arms, low * r, high * r, power, k, compiled.digits)
            for p, k, r in zip(batch, in_plane, radius, strict=True)
        )
        nodes, weights = (rule[row, : 4 * (row + 1)] for rule in legendre_rules())
        radii = low + (high - low) * nodes**power
        steps = (high - low) * power * nodes ** (power - 1) * weights
        narrowest = compiled.narrowest
        counts = np.max(
            [
                ring_counts(
                    p, compiled.choices, compiled.table, radii * r, k, compiled.digits, narrowest
                )[0]
                for p, k, r in zip(batch, in_plane, radius, strict=True)
            ],
            axis=0,
        )
        clumps = [
            clump_rule(
                *clump_scales(p, first, compiled.choices, compiled.table, narrowest),
                k,
                compiled.digits,
            )
            for p, k in zip(batch, in_plane, strict=True)
            for first in range(FIRST_CLUMP, p.size, CLUMP_LENGTH)
        ]
        finest = np.max(clumps, axis=0) if clumps else (0, 2, 1.0)
        clump = (int(finest[0]), int(finest[1]), float(finest[2]))
        return Plan(fourier, radii, steps, counts, clump)

    def forward(self, parameters: Tensor, plan: Plan | None = None) -> Tensor:
        """Render a batch.

        Parameters
        ----------
        parameters : Tensor (B, P)
            In the order of `model.names`; float32 or float64.
        plan : Plan, optional
            Of `plan_for`; else the one of `like`, or one for these parameters.

        Returns
        -------
        Tensor (B, 1, v, y, x)
            Flux per voxel, of the same dtype.
        """
        plan = plan or self.plan or self.plan_for(parameters.detach().cpu().numpy())
        galaxy = _Galaxy(parameters, self)
        groups = [galaxy.disk(plan)]
        groups += [galaxy.clump(plan, i) for i in range(self.model.clumps)]
        fourier = plan.fourier
        scale = self.grid.pixel_scale
        middle = [(n - 1) / 2 + m for n, m in zip(fourier.field, fourier.margin, strict=True)]
        spreading = parameters.new_zeros(())
        for x, y, flux, velocity, sigma in groups:
            profile = self._profile(parameters, velocity, sigma)
            spreading = spreading + spread_points(
                (y / scale + middle[0]) * fourier.density[0],
                (x / scale + middle[1]) * fourier.density[1],
                flux,
                profile,
                fourier.points,
                self.compiled.width,
            )
        modes = torch.fft.rfft2(spreading, dim=(1, 2))
        modes = modes * self._multiplier(fourier, parameters)
        if not self.model.warped:
            modes = modes * galaxy.thickness(self._frequencies(fourier, parameters))[..., None]
        image = torch.fft.irfft2(self._fold(modes, fourier), s=fourier.period, dim=(1, 2))
        image = image[:, : fourier.field[0], : fourier.field[1]].permute(0, 3, 1, 2)
        channels = self.grid.shape[0]
        cube: Tensor = image[:, :channels]
        # All the light, in a last channel, is the continuum's.
        cube = cube + self._continuum(parameters) * image[:, channels:]
        return cube[:, None]

    def _constant(self, key: object, like: Tensor, value: ArrayLike) -> Tensor:
        """Return a constant on the device and in the dtype of a tensor, kept for the next time."""
        place = (key, like.device, like.dtype)
        if place not in self._cache:
            tensor: Tensor = torch.as_tensor(np.asarray(value), device=like.device)
            if tensor.is_floating_point():
                tensor = tensor.to(like.dtype)
            elif tensor.is_complex():
                tensor = tensor.to(like.dtype.to_complex())
            self._cache[place] = tensor
        return self._cache[place]

    def _profile(self, parameters: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
        """Return the shares of the channels (B, G, C + 1), with 1 for all light at the end."""
        grid = self.grid
        edges = self._constant("edges", parameters, grid.edges)
        spreads = self.compiled.spreads
        if len(spreads) == 2:
            ratio = parameters[:, self.model.index("doublet_ratio")]
            shares = [ratio / (1 + ratio), 1 / (1 + ratio)]
        else:
            shares = [parameters.new_tensor(share) for share in self.compiled.line_fluxes]
        total = torch.zeros_like(velocity)[..., None]
        for line, share in enumerate(shares):
            width = (sigma.square() + float(spreads[line]) ** 2).sqrt()[..., None]
            if grid.channel_response:
                steps = (edges[line] - velocity[..., None]) / width
                channels = torch.special.ndtr(steps).diff(dim=-1)
                channels = -channels if self.compiled.falls else channels
            else:
                centres = 0.5 * (edges[line, 1:] + edges[line, :-1])
                away = (centres - velocity[..., None]) / width
                size = edges[line].diff().abs() / math.sqrt(2 * math.pi)
                channels = size / width * torch.exp(-0.5 * away.square())
            total = total + share.reshape(-1, 1, 1) * channels
        return torch.cat([total, torch.ones_like(total[..., :1])], -1)

    def _continuum(self, parameters: Tensor) -> Tensor:
        """Return the continuum (B, v, 1, 1) as shares of the line flux."""
        centres = self._constant("centres", parameters, self.grid.centres[0] / 1000)
        widths = self._constant("widths", parameters, np.abs(np.diff(self.grid.edges[0])) / 1000)
        level = parameters[:, self.model.index("continuum"), None]
        slope = parameters[:, self.model.index("continuum_slope"), None]
        return (level * (1 + slope * centres) * widths)[..., None, None]

    def _frequencies(self, fourier: FourierGrid, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return (ky, kx) of the modes in rad/arcsec."""
        ky, kx = (2 * np.pi / self.grid.pixel_scale * k for k in fourier.frequencies())
        return self._constant((fourier, "y"), like, ky), self._constant((fourier, "x"), like, kx)

    def _multiplier(self, fourier: FourierGrid, like: Tensor) -> Tensor:
        multiplier = self.compiled.multiplier(fourier, True)
        if self.compiled.falls and multiplier.shape[-1] > 1:
            multiplier = np.concatenate([multiplier[..., -2::-1], multiplier[..., -1:]], -1)
        return self._constant((fourier, "multiplier"), like, multiplier)

    def _fold(self, modes: Tensor, fourier: FourierGrid) -> Tensor:
        """Add the modes (B, M, M / 2 + 1, C) up on those of the pixels (B, L, L / 2 + 1, C)."""
        if fourier.points == fourier.period:
            return modes
        long, wide = fourier.period
        rows = np.fft.fftfreq(fourier.points[0], 1 / fourier.points[0]).astype(int)
        batch, _, columns, channels = modes.shape
        across = self._constant((fourier, "rows"), modes.real, rows % long)
        tall = modes.new_zeros(batch, long, columns, channels).index_add(1, across, modes)
        j = np.arange(columns)
        direct = np.flatnonzero(j % wide <= wide // 2)
        mirror = np.flatnonzero((j > 0) & (-j % wide <= wide // 2))
        folded = modes.new_zeros(batch, long, wide // 2 + 1, channels)
        for name, chosen, target in (
            ("direct", direct, direct % wide),
            ("mirror", mirror, -mirror % wide),
        ):
            source = self._constant((fourier, name), modes.real, chosen)
            place = self._constant((fourier, name, "to"), modes.real, target)
            part = tall.index_select(2, source)
            if name == "mirror":
                part = torch.roll(part.flip(1), 1, 1).conj()
            folded = folded.index_add(2, place, part)
        return folded


class _Galaxy:
    """A batch of galaxies: their points, from their parameters (B, P)."""

    def __init__(self, parameters: Tensor, renderer: TorchCubeRenderer) -> None:
        self.parameters, self.renderer, self.model = parameters, renderer, renderer.model
        self.table: tuple[Tensor, Tensor] | None = None
        if self.model.curve == "table":
            radii, velocities = renderer.compiled.table
            self.table = (
                renderer._constant("table radii", parameters, radii),
                renderer._constant("table velocities", parameters, velocities),
            )

    def __call__(self, name: str) -> Tensor:
        """Return one parameter as a column (B, 1)."""
        place = self.model.index(name)
        return self.parameters[:, place : place + 1]

    def total(self) -> Tensor:
        return self("flux") * self("magnification")

    def axes(self, radius: Tensor) -> tuple[Tensor, ...]:
        """Return the axes of the disk on the sky at radii (B, N): as `points.sky_axes`."""
        inclination, angle = self("inclination"), self("position_angle")
        if self.model.warped:
            turns = radius / self("half_light_radius")
            inclination = inclination + self("warp_inclination") * turns
            angle = angle + self("warp_position_angle") * turns
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
        *_, x, y, _ = self.axes(self("half_light_radius"))
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
        z = self.renderer._constant("heights", self.parameters, self.renderer.compiled.heights[0])
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

    def disk(self, plan: Plan) -> tuple[Tensor, ...]:
        """Return x, y, flux (B, G, M), velocity and dispersion (B, G) of the smooth disk."""
        constant, like = self.renderer._constant, self.parameters
        ring = np.repeat(np.arange(plan.radii.size), plan.counts // 2)
        count = plan.counts[ring]
        order = np.concatenate([np.arange(n // 2) for n in plan.counts])
        phi = 2 * np.pi * (order + 0.5) / count
        key = id(plan)
        ratio = constant((key, "radii"), like, plan.radii)
        index = constant((key, "ring"), like, ring)
        cosine = constant((key, "cosine"), like, np.cos(phi))
        sine = constant((key, "sine"), like, np.sin(phi))
        azimuth = constant((key, "phi"), like, phi)
        steps = constant((key, "steps"), like, plan.steps * plan.radii)
        share = constant((key, "share"), like, 2 * np.pi / count)

        size = self("half_light_radius")
        radius = size * ratio
        velocity = self._velocity(radius)
        sigma = dispersion(radius, velocity, self)
        if self.model.light == "ring":
            light = annulus(radius, size, self("ring_width"))
        else:
            light = sersic(radius, self("sersic_index"), size)
        area = size.square() * steps * self._smooth_flux()
        disk = (area * (1 - self("bulge_fraction")) * light)[:, index] * share
        bulge = sersic(radius, self("bulge_index"), self("bulge_radius"))
        bulge = (area * self("bulge_fraction") * bulge)[:, index] * share
        radius = radius[:, index]
        axes = self.axes(radius)
        heights = constant("height shares", like, self.renderer.compiled.heights[1])
        sides = []
        for sign in (1.0, -1.0):
            x, y = self._place(radius * cosine, sign * radius * sine, axes)
            flux = disk * modulation(radius, sign * azimuth, self, self.model.arms) + bulge
            sides.append((x, y, flux[..., None] * heights))
        x, y, flux = (torch.cat(parts, -1) for parts in zip(*sides, strict=True))
        line_of_sight = self("systemic_velocity") + velocity[:, index] * cosine * axes[-1]
        return x, y, flux, line_of_sight, sigma[:, index]

    def clump(self, plan: Plan, number: int) -> tuple[Tensor, ...]:
        """Return the same of one clump."""
        constant, like = self.renderer._constant, self.parameters
        row, count, reach = plan.clump
        nodes, weights = (rule[row, : 4 * (row + 1)] for rule in legendre_rules())
        s = np.repeat(reach * nodes, count)
        turn = np.add.outer(0.5 * (np.arange(nodes.size) % 2) + 0.25, np.arange(count)) / count
        angle = 2 * np.pi * turn.ravel()
        shares = np.repeat(reach * weights, count) * s * np.exp(-0.5 * s**2)
        shares /= count * (1 - math.exp(-0.5 * reach**2))
        key = (id(plan), "clump")
        fraction, x_plane, y_plane, size, sigma = (
            self(f"clump_{number + 1}_{row.name}") for row in CLUMP_PARAMETERS
        )
        unit = self("half_light_radius")
        spread = size * CLUMP_SIGMA
        along = x_plane * unit + spread * constant((*key, "x"), like, s * np.cos(angle))
        across = y_plane * unit + spread * constant((*key, "y"), like, s * np.sin(angle))
        radius = (along.square() + across.square() + (1e-6 * unit).square()).sqrt()
        axes = self.axes(radius)
        x, y = self._place(along, across, axes)
        flux = self.total() * fraction * constant((*key, "share"), like, shares)
        heights = constant("height shares", like, self.renderer.compiled.heights[1])
        velocity = self._velocity(radius) * along / radius * axes[-1]
        return (
            x, y, flux[..., None] * heights,
            self("systemic_velocity") + velocity, sigma.expand_as(velocity),
        )  # fmt: skip

    def _velocity(self, radius: Tensor) -> Tensor:
        return rotation_velocity(
            self.model.curve, radius, self, self.table, self.model.asymmetric_drift
        )

    def _smooth_flux(self) -> Tensor:
        if not self.model.clumps:
            return self.total()
        fractions = self.parameters[:, FIRST_CLUMP::CLUMP_LENGTH]
        return self.total() * (1 - fractions.sum(1, keepdim=True))
