"""From conditions, and maps that a network has painted, to cubes."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clumpygan.galaxies import CubeGrid, DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.cube_conditions import (
    CHEMISTRY,
    CUBE_CONDITIONS,
    SEEING,
    check_conditions,
)
from clumpygan.galaxies.disks.disk_maps import DiskMaps, Knots
from clumpygan.galaxies.gas.lines import line_strengths
from clumpygan.galaxies.rendering.cube_torch import LineShares
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.instruments.spread import blur_beyond
from clumpygan.networks.gas.structure import EXTENT, Painting

ACCURACY = 3e-2
"""Asked of the renderer, over the brightest voxel; errors are a tenth of it, below any noise."""

_BLURS = (0.0, 0.7, 1.4, 2.8)
"""Standard deviations of Gaussians, in units of the FWHM of the sharpest PSF: galaxies that are
blurred at least so much are rendered together."""


class CubeFrame(Protocol):
    """Voxels and PSF of cubes; `data.cube_frame.CubeFrame` is one."""

    @property
    def grid(self) -> CubeGrid:
        """Of the renderer."""

    @property
    def lines(self) -> tuple[float, ...]:
        """Rest wavelengths in vacuum, Angstrom."""

    @property
    def transfer(self) -> Transfer | None:
        """Optical transfer function of the PSF."""

    @property
    def psf_fwhm(self) -> float | None:
        """Arcsec."""


class ConditionRenderer:
    """Render disks of given conditions, smooth or as painted: noiseless cubes, differentiably.

    Galaxies are rendered together with those of about their seeing: what is blurred needs no fine
    sampling.

    Parameters
    ----------
    names : sequence of str
        Of the conditions; parameters that aren't among them have their defaults. Ratios of several
        lines follow from those of the gas, if they are there.
    frame : CubeFrame
        Its PSF is widened to the condition "seeing", if that is there and wider.
    accuracy : float
        Of the renderer over the brightest voxel.
    """

    def __init__(self, names: Sequence[str], frame: CubeFrame, accuracy: float = ACCURACY) -> None:
        check_conditions(names)
        self.names, self.frame, self.accuracy = tuple(names), frame, accuracy
        self.sharpest = frame.psf_fwhm or 0.0
        model = DiskModel()
        self._base = model.defaults()
        # What is known of the gas is painted, or a matter of the lines.
        disk = CUBE_CONDITIONS.keys() - {SEEING}
        self._columns = [i for i, name in enumerate(self.names) if name in disk]
        self._places = [model.index(self.names[i]) for i in self._columns]
        self._continuum = model.index("continuum")
        self._renderers: dict[float, TorchCubeRenderer] = {}

    def __call__(self, parameters: Tensor, painted: Tensor | Painting | None = None) -> Tensor:
        """Return cubes (B, 1, v, y, x) in the unit of the condition `flux`.

        Parameters
        ----------
        parameters : Tensor (B, K)
            In physical units, in the order of `names`.
        painted : Tensor (B, 3, N, N) or Painting, optional
            Maps of `networks.physical_cube.DiskPainter`, or what `GasCubeGenerator` paints.
        """
        if SEEING not in self.names or not self.sharpest:
            return self._render(parameters, painted, 0.0, None)
        blur = blur_beyond(parameters[:, self.names.index(SEEING)], self.sharpest)
        steps = torch.tensor(_BLURS, device=blur.device) * self.sharpest
        group = torch.bucketize(blur, steps, right=True) - 1
        kinds = sorted(set(group.tolist()))
        if len(kinds) == 1:
            return self._render(parameters, painted, _BLURS[kinds[0]], blur)
        rows = [(group == kind).nonzero()[:, 0] for kind in kinds]
        cubes = [
            self._render(parameters[own], rows_of(painted, own), _BLURS[kind], blur[own])
            for kind, own in zip(kinds, rows, strict=True)
        ]
        return torch.cat(cubes)[torch.cat(rows).argsort()]

    def _render(
        self,
        parameters: Tensor,
        painted: Tensor | Painting | None,
        step: float,
        blur: Tensor | None,
    ) -> Tensor:
        """Render galaxies that are all blurred by `step` times the sharpest PSF or more."""
        base = torch.from_numpy(self._base).to(parameters)
        vectors = base.expand(len(parameters), -1).clone()
        vectors[:, self._places] = parameters[:, self._columns]
        if blur is not None:
            blur = (blur.square() - (step * self.sharpest) ** 2).clamp_min(0).sqrt()
        departures = None
        if isinstance(painted, Painting):
            vectors[:, self._continuum] = painted.continuum.to(vectors)
            along, across, x, y, share, velocity, dispersion = painted.knots.unbind(1)
            knots = Knots(along, across, x, y, share, velocity, dispersion, painted.taken)
            light, stream, heat = painted.maps.unbind(1)
            departures = DiskMaps(light, stream, heat, EXTENT, knots=knots, warp=painted.warp)
        elif painted is not None:
            light, stream, heat = painted.unbind(1)
            departures = DiskMaps(light, stream, heat, EXTENT)
        lines = self._lines(parameters)
        cubes: Tensor = self._renderer(step)(vectors, maps=departures, blur=blur, lines=lines)
        return cubes

    def _lines(self, parameters: Tensor) -> LineShares | None:
        """Return how light is divided among several lines; None for equal shares, or as usual."""
        if not set(CHEMISTRY) <= set(self.names) or len(self.frame.lines) == 1:
            return None
        abundance, gradient, density = (
            parameters[:, self.names.index(name), None] for name in CHEMISTRY
        )

        def shares(radius: Tensor) -> Tensor:
            here = abundance + gradient * (radius - 1)
            strengths = torch.stack(line_strengths(self.frame.lines, here, density))
            return strengths / strengths.sum(0)

        return shares

    def _renderer(self, step: float) -> TorchCubeRenderer:
        """Return the renderer for a PSF that is blurred by `step` times its own width."""
        if step not in self._renderers:
            transfer = self.frame.transfer
            if step and transfer is not None:
                transfer = partial(_blurred, transfer, step * self.sharpest)
            self._renderers[step] = TorchCubeRenderer(
                self.frame.grid, DiskModel(), transfer, self.accuracy
            )
        return self._renderers[step]


def rows_of(painted: Tensor | Painting | None, rows: Tensor) -> Tensor | Painting | None:
    """Return what is painted of some galaxies."""
    if isinstance(painted, Painting):
        return Painting(*(one[rows] for one in painted))
    return None if painted is None else painted[rows]


def _blurred(
    transfer: Transfer, sigma: float, ky: NDArray[np.float64], kx: NDArray[np.float64]
) -> NDArray[Any]:
    """Return a transfer function times that of a Gaussian of `sigma` arcsec."""
    wave = (2 * np.pi * sigma) ** 2 * (ky**2 + kx**2)
    return np.asarray(transfer(ky, kx) * np.exp(-0.5 * wave))
