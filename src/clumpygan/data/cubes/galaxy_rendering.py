"""Galaxies of either population, drawn, and their cubes beside those of their smooth disks."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from clumpygan.data.cubes.frame import CubeFrame, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.galaxies import CubeRenderer, DiskModel, TorchCubeRenderer
from clumpygan.galaxies.disks.clumpy_disks import ClumpyDisks, smooth_vectors
from clumpygan.galaxies.disks.cube_conditions import SEEING
from clumpygan.galaxies.disks.disk_maps import DiskMaps
from clumpygan.galaxies.gas.galaxy import GasGalaxy
from clumpygan.instruments.spread import FWHM_PER_SIGMA, blur_beyond

_FINE = 1.5
"""Standard deviations of the sharpest PSF between the points of smooth gas."""

_NEAR = 0.5
"""Pixels between them, at most."""

_SMOOTH = DiskModel()
_DEPARTURES = [
    _SMOOTH.index(name) for name in ("warp_inclination", "warp_position_angle", "continuum")
]


class DrawnGalaxy(NamedTuple):
    """A galaxy, not yet rendered.

    Attributes
    ----------
    smooth : ndarray (P,)
        Of its smooth disk, in the order of ``DiskModel().names``.
    seeing : float
        FWHM of the PSF in arcsec.
    clumpy : tuple of ndarray (Q,) and ndarray (3, N, N), or None
        Vector and maps of `ClumpyDisks`.
    gas : GasGalaxy or None
    """

    smooth: np.ndarray
    seeing: float
    clumpy: tuple[np.ndarray, np.ndarray] | None = None
    gas: GasGalaxy | None = None

    @property
    def conditions(self) -> dict[str, float]:
        """What is known of it, by name: all that networks may be told, and more."""
        known = dict(zip(_SMOOTH.names, self.smooth.tolist(), strict=True)) | {SEEING: self.seeing}
        return known if self.gas is None else known | self.gas.conditions


class GalaxyRenderer:
    """Render galaxies and their smooth disks in a frame.

    Parameters
    ----------
    settings : FrameSettings
    disks : ClumpyDisks
    accuracy : float
        Over the largest voxel.
    """

    def __init__(self, settings: FrameSettings, disks: ClumpyDisks, accuracy: float) -> None:
        self.frame: CubeFrame = make_frame(settings)
        self.disks, self.accuracy = disks, accuracy
        grid, psf = self.frame.grid, self.frame.transfer
        self._clumpy, self._plain = (
            TorchCubeRenderer(grid, model, psf, accuracy) for model in (disks.model, _SMOOTH)
        )
        self._compiled = CubeRenderer(grid, _SMOOTH, psf, accuracy)
        fwhm = self.frame.psf_fwhm or 0.0
        self._step = max(_FINE * fwhm / FWHM_PER_SIGMA, _NEAR * grid.pixel_scale)

    def can_render(self, galaxy: DrawnGalaxy) -> bool:
        """Tell whether a galaxy and its smooth disk need no finer a sampling than there is."""
        if galaxy.clumpy is not None and not self._clumpy.compiled.can_render(galaxy.clumpy[0]):
            return False
        return self._compiled.can_render(galaxy.smooth)

    def __call__(self, galaxy: DrawnGalaxy) -> tuple[np.ndarray, np.ndarray]:
        """Return the cube (v, y, x) of a galaxy and that of its smooth disk, float32."""
        blur = float(blur_beyond(np.float64(galaxy.seeing), self.frame.psf_fwhm or 0.0))
        if galaxy.gas is not None:
            return self._render_gas(galaxy.gas, galaxy.smooth, blur)
        assert galaxy.clumpy is not None
        return self._render_clumpy(*galaxy.clumpy, galaxy.smooth, blur)

    def growth_curve(self, galaxy: DrawnGalaxy) -> np.ndarray:
        """Return the shares (rings,) of the light of a galaxy within `RADII`, seen face-on.

        In half-light radii of its smooth disk.
        """
        if galaxy.gas is not None:
            return galaxy.gas.growth_curve(self.frame.lines, self._step)
        assert galaxy.clumpy is not None
        return self.disks.growth_curve(*galaxy.clumpy)

    def _render_gas(
        self, gas: GasGalaxy, smooth: np.ndarray, blur: float
    ) -> tuple[np.ndarray, np.ndarray]:
        cloud = gas.cloud(self.frame.lines, self._step)
        cube = self._compiled.render_cloud(gas.vector, cloud, blur)
        shares = cloud.flux @ cloud.shares / cloud.flux.sum()
        return cube, self._compiled.render_disk(smooth, blur, shares)

    @torch.no_grad()
    def _render_clumpy(
        self, vector: np.ndarray, maps: np.ndarray, smooth: np.ndarray, blur: float
    ) -> tuple[np.ndarray, np.ndarray]:
        wider = torch.tensor([blur], dtype=torch.float32)
        light, velocity, dispersion = torch.from_numpy(maps[None]).unbind(1)
        departures = DiskMaps(light, velocity, dispersion, self.disks.turbulence.extent)
        galaxy, disk = (torch.from_numpy(one[None]).float() for one in (vector, smooth))
        cube = self._clumpy(galaxy, maps=departures, blur=wider)[0, 0].numpy()
        return cube, self._plain(disk, blur=wider)[0, 0].numpy()


@lru_cache(maxsize=4)
def galaxy_renderer(settings: FrameSettings, disks: ClumpyDisks, accuracy: float) -> GalaxyRenderer:
    """Return the renderers of a sample, made once in each process."""
    return GalaxyRenderer(settings, disks, accuracy)


def of_clumpy_disk(
    vector: np.ndarray, maps: np.ndarray, seeing: float, disks: ClumpyDisks
) -> DrawnGalaxy:
    """Return a galaxy of `ClumpyDisks`."""
    smooth = smooth_vectors(vector[None], disks.model)[0]
    return DrawnGalaxy(smooth, seeing, clumpy=(vector, maps))


def of_gas_disk(gas: GasGalaxy, seeing: float) -> DrawnGalaxy:
    """Return a galaxy of `GasDisks`."""
    smooth = gas.vector.copy()
    smooth[_DEPARTURES] = 0.0
    return DrawnGalaxy(smooth, seeing, gas=gas)
