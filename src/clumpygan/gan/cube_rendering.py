"""From conditions, and maps that a network has painted, to cubes."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from clumpygan.galaxies import CubeGrid, DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.cube_conditions import SEEING, check_conditions
from clumpygan.galaxies.disks.disk_maps import DiskMaps
from clumpygan.galaxies.rendering.fourier import Transfer
from clumpygan.instruments.spread import blur_beyond

ACCURACY = 3e-2
"""Asked of the renderer, over the brightest voxel; errors are a tenth of it, below any noise."""

EXTENT = 3.0
"""Half a side of the maps, in half-light radii."""


class CubeFrame(Protocol):
    """Voxels and PSF of cubes; `data.cube_frame.CubeFrame` is one."""

    @property
    def grid(self) -> CubeGrid:
        """Of the renderer."""

    @property
    def transfer(self) -> Transfer | None:
        """Optical transfer function of the PSF."""

    @property
    def psf_fwhm(self) -> float | None:
        """Arcsec."""


class ConditionRenderer:
    """Render disks of given conditions, smooth or as painted: noiseless cubes, differentiably.

    Parameters
    ----------
    names : sequence of str
        Of the conditions; parameters that aren't among them have their defaults.
    frame : CubeFrame
        Its PSF is widened to the condition "seeing", if that is there and wider.
    accuracy : float
        Of the renderer over the brightest voxel.
    """

    def __init__(self, names: Sequence[str], frame: CubeFrame, accuracy: float = ACCURACY) -> None:
        check_conditions(names)
        self.names = tuple(names)
        self.sharpest = frame.psf_fwhm or 0.0
        self.cubes = TorchCubeRenderer(frame.grid, DiskModel(), frame.transfer, accuracy)
        model = self.cubes.model
        self._base = model.defaults()
        self._columns = [i for i, name in enumerate(self.names) if name != SEEING]
        self._places = [model.index(self.names[i]) for i in self._columns]

    def __call__(self, parameters: Tensor, maps: Tensor | None = None) -> Tensor:
        """Return cubes (B, 1, v, y, x) in the unit of the condition `flux`.

        Parameters
        ----------
        parameters : Tensor (B, K)
            In physical units, in the order of `names`.
        maps : Tensor (B, 3, N, N), optional
            Of `networks.physical_cube.DiskPainter`.
        """
        base = torch.from_numpy(self._base).to(parameters)
        vectors = base.expand(len(parameters), -1).clone()
        vectors[:, self._places] = parameters[:, self._columns]
        blur = None
        if SEEING in self.names:
            seeing = parameters[:, self.names.index(SEEING)]
            blur = blur_beyond(seeing, self.sharpest)
        departures = None
        if maps is not None:
            light, velocity, dispersion = maps.unbind(1)
            departures = DiskMaps(light, velocity, dispersion, EXTENT)
        cubes: Tensor = self.cubes(vectors, maps=departures, blur=blur)
        return cubes
