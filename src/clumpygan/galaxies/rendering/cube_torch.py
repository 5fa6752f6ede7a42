"""Velocity cubes of disks as differentiable tensors: for fits and for generators.

The definition is that of `clumpygan.galaxies.rendering.cube`, and so are the points, the grid and
the optics; here the parameters are a batch, and gradients flow to all of them.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.disk_maps import DiskMaps
from clumpygan.galaxies.disks.parameters import DiskModel
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.galaxies.rendering.points_torch import Constants, GalaxyPoints, Plan, Points
from clumpygan.galaxies.rendering.quadrature import (
    CLUMP_LENGTH,
    FIRST_CLUMP,
)
from clumpygan.galaxies.rendering.spreading_torch import spread_points

LineShares = Callable[[Tensor], Tensor]
"""Maps radii (B, G) in half-light radii to shares of the lines (lines, B, G), whose sum is 1."""

_MOST_KINKS = 32
"""Of the rotation curves of a batch: radii are between them. More are thinned out."""


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
        self._constants = Constants()
        self.plan = None if like is None else self.plan_for(like)

    def plan_for(self, vectors: ArrayLike, points: bool = False) -> Plan:
        """Choose a sampling that is fine enough for all of some galaxies.

        Parameters
        ----------
        vectors : array_like of shape (B, P) or (P,)
        points : bool
            Whether there are points beside the disks, as sharp as can be.
        """
        compiled, batch = self.compiled, np.atleast_2d(np.asarray(vectors, dtype=np.float64))
        if batch.shape[1] != len(self.model.names) or not np.isfinite(batch).all():
            raise InputError(
                f"parameter vectors of shape {batch.shape}: expected (B, {len(self.model.names)}) "
                "finite numbers"
            )
        sampling = compiled.sampling
        grids, frequencies = zip(*(sampling.plan(p) for p in batch), strict=True)
        fourier = max(grids, key=lambda g: g.points)
        if points:
            fourier = max(fourier, sampling.sharpest_grid, key=lambda g: g.points)
        radius = batch[:, self.model.index("half_light_radius")] * sampling.sheet[2]
        spans = np.array([sampling.span(p) for p in batch])
        spans[:, :2] /= radius[:, None]
        low, high, power = spans[:, 0].min(), spans[:, 1].max(), spans[:, 2].max()
        row = max(
            sampling.ring_row(p, (low * r, high * r, power), k)
            for p, k, r in zip(batch, frequencies, radius, strict=True)
        )
        kinks = np.unique(np.divide.outer(sampling.kinks, radius))
        kinks = kinks[:: max(math.ceil(kinks.size / _MOST_KINKS), 1)]
        nodes, weights = sampling.radial_rule(row, (low, high, power), kinks)
        radii = low + (high - low) * nodes**power
        steps = (high - low) * power * nodes ** (power - 1) * weights
        counts = np.max(
            [
                sampling.ring_counts(p, radii * r, k)
                for p, k, r in zip(batch, frequencies, radius, strict=True)
            ],
            axis=0,
        )
        clumps = [
            sampling.clump_rule(p, first, k)
            for p, k in zip(batch, frequencies, strict=True)
            for first in range(FIRST_CLUMP, self.model.first_ratio, CLUMP_LENGTH)
        ]
        finest = np.max(clumps, axis=0) if clumps else (0, 2, 1.0)
        clump = (int(finest[0]), int(finest[1]), float(finest[2]))
        tall = [sampling.heights(p, k) for p, k in zip(batch, frequencies, strict=True)]
        heights = max(tall, key=lambda rule: rule[0].size)
        multiplier = compiled.multiplier(fourier)
        return Plan(fourier, radii, steps, counts, heights, clump, multiplier)

    def forward(
        self,
        parameters: Tensor,
        plan: Plan | None = None,
        maps: DiskMaps | None = None,
        blur: Tensor | None = None,
        lines: LineShares | None = None,
    ) -> Tensor:
        """Render a batch.

        Parameters
        ----------
        parameters : Tensor (B, P)
            In the order of `model.names`; float32 or float64.
        plan : Plan, optional
            Of `plan_for`; else the one of `like`, or one for these parameters.
        maps : DiskMaps, optional
            Departures of each galaxy from the smooth disk. The sampling doesn't know of them:
            details finer than what the PSF passes are averaged over only roughly.
        blur : Tensor (B,), optional
            Standard deviation in arcsec of a Gaussian by which each galaxy is blurred beyond the
            PSF: the seeing of each may be its own.
        lines : LineShares, optional
            How the light is divided among the lines of the grid, in place of fixed shares.

        Returns
        -------
        Tensor (B, 1, v, y, x)
            Flux per voxel, of the same dtype.
        """
        knots = None if maps is None else maps.knots
        plan = plan or self.plan
        if plan is None:
            plan = self.plan_for(parameters.detach().cpu().numpy(), knots is not None)
        if self.model.light_map is not None:
            if maps is not None:
                raise InputError("a model with a map of light, and maps besides: leave one out")
            light = self._constants("light", parameters, self.model.light_map.values)
            maps = DiskMaps.of_light(light.expand(len(parameters), -1, -1), self.model.light_map)
        galaxy = GalaxyPoints(parameters, self.compiled, plan, maps)
        groups: list[Points] = [galaxy.disk(), *map(galaxy.clump, range(self.model.clumps))]
        if knots is not None:
            groups.append(galaxy.knots(knots))
        fourier = plan.fourier
        middle, scale = fourier.middle, self.grid.pixel_scale
        spreading = parameters.new_zeros(())
        for x, y, flux, velocity, sigma, radius in groups:
            shares = self._shares(parameters) if lines is None else lines(radius)
            profile = self._profile(parameters, velocity, sigma, shares)
            spreading = spreading + spread_points(
                (y / scale + middle[0]) * fourier.density[0],
                (x / scale + middle[1]) * fourier.density[1],
                flux,
                profile,
                fourier.points,
                self.compiled.sampling.width,
            )
        modes = torch.fft.rfft2(spreading, dim=(1, 2))
        # All the light, in a last channel, is the continuum's.
        modes = modes[..., :-1] + self._continuum(parameters) * modes[..., -1:]
        modes = modes * self._multiplier(plan, parameters)
        frequencies = self._frequencies(plan, parameters)
        if not self.model.warped:
            modes = modes * galaxy.thickness(frequencies)[..., None]
        if blur is not None:
            wave = blur.square()[:, None, None] * sum(k.square() for k in frequencies)
            modes = modes * torch.exp(-0.5 * wave)[..., None]
        image = torch.fft.irfft2(self._fold(modes, plan), s=fourier.period, dim=(1, 2))
        cube: Tensor = image[:, : fourier.field[0], : fourier.field[1]].permute(0, 3, 1, 2)
        return cube[:, None]

    def _shares(self, parameters: Tensor) -> Tensor:
        """Return the shares of the lines (lines, 1 or B, 1), the same all over a galaxy."""
        if self.compiled.line_fluxes.size != 2 + self.model.extra_lines:
            return self._constants("shares", parameters, self.compiled.line_fluxes[:, None, None])
        ratio = parameters[:, self.model.index("doublet_ratio")]
        fluxes = [ratio, torch.ones_like(ratio), *parameters[:, self.model.ratios].T]
        shares = torch.stack(fluxes)
        return (shares / shares.sum(0))[..., None]

    def _profile(
        self, parameters: Tensor, velocity: Tensor, sigma: Tensor, shares: Tensor
    ) -> Tensor:
        """Return the shares of the channels (B, G, C + 1), with 1 for all light at the end.

        Parameters
        ----------
        parameters : Tensor (B, P)
        velocity, sigma : Tensor (B, G)
        shares : Tensor (lines, 1 or B, 1 or G)
            Of the lines.
        """
        grid = self.grid
        edges = self._constants("edges", parameters, grid.edges)
        spreads = self._constants("spreads", parameters, self.compiled.spreads)
        narrowest = self.compiled.narrowest
        total = torch.zeros_like(velocity)[..., None]
        for line, share in enumerate(shares):
            square = sigma.square() + spreads[line].square()
            width = square.clamp(min=4 * narrowest**2).sqrt()
            narrow = narrowest + square / (4 * narrowest)
            width = torch.where(square < 4 * narrowest**2, narrow, width)[..., None]
            if grid.channel_response:
                steps = (edges[line] - velocity[..., None]) / width
                channels = torch.special.ndtr(steps).diff(dim=-1)
                channels = -channels if self.compiled.falls else channels
            else:
                centres = 0.5 * (edges[line, 1:] + edges[line, :-1])
                away = (centres - velocity[..., None]) / width
                size = edges[line].diff().abs() / math.sqrt(2 * math.pi)
                channels = size / width * torch.exp(-0.5 * away.square())
            total = total + share[..., None] * channels
        return torch.cat([total, torch.ones_like(total[..., :1])], -1)

    def _continuum(self, parameters: Tensor) -> Tensor:
        """Return the continuum (B, 1, 1, v) as shares of the line flux."""
        centres = self._constants("centres", parameters, self.grid.centres[0] / 1000)
        widths = self._constants("widths", parameters, np.abs(np.diff(self.grid.edges[0])) / 1000)
        level = parameters[:, self.model.index("continuum"), None]
        slope = parameters[:, self.model.index("continuum_slope"), None]
        return (level * (1 + slope * centres) * widths)[:, None, None]

    def _frequencies(self, plan: Plan, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return (ky, kx) of the modes in rad/arcsec."""
        ky, kx = (2 * np.pi / self.grid.pixel_scale * k for k in plan.fourier.frequencies())
        return plan.constants("ky", like, ky), plan.constants("kx", like, kx)

    def _multiplier(self, plan: Plan, like: Tensor) -> Tensor:
        """Return the multiplier of the modes, channels in the order of the grid."""
        multiplier = plan.constants("multiplier", like, plan.multiplier)
        return multiplier.flip(-1) if self.compiled.falls else multiplier

    def _fold(self, modes: Tensor, plan: Plan) -> Tensor:
        """Add the modes (B, M, M / 2 + 1, C) up on those of the pixels (B, L, L / 2 + 1, C)."""
        if plan.fourier.points == plan.fourier.period:
            return modes
        long, wide = plan.fourier.period
        batch, _, columns, channels = modes.shape
        across, direct, direct_to, mirror, mirror_to = (
            plan.constants(name, modes.real, places) for name, places in plan.folding.items()
        )
        tall = modes.new_zeros(batch, long, columns, channels).index_add(1, across, modes)
        folded = modes.new_zeros(batch, long, wide // 2 + 1, channels)
        folded = folded.index_add(2, direct_to, tall.index_select(2, direct))
        mirrored = torch.roll(tall.index_select(2, mirror).flip(1), 1, 1).conj()
        return folded.index_add(2, mirror_to, mirrored)
