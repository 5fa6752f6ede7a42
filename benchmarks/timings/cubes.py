"""Velocity cubes: rendering, its gradient, maps, and fits."""

import numpy as np
import torch

import clumpygan
from clumpygan.data.cubes.frame import FrameSettings, make_frame
from clumpygan.fitting import DiskFitter, SamplerSettings
from clumpygan.galaxies import (
    CubeRenderer,
    DiskModel,
    DiskParameters,
    TorchCubeRenderer,
    moments,
    position_velocity,
)

_GALAXY = DiskParameters(
    inclination=55, position_angle=130, maximum_velocity=190, half_light_radius=0.7
)


class Rendering:
    """One cube of a thick disk through MUSE's PSF, 30 and 64 voxels on a side."""

    params = (30, 64)
    param_names = ("side",)

    def setup(self, side: int) -> None:
        frame = make_frame(
            FrameSettings((side, side, side), instrument="muse_wfm", lines=("oiii",), redshift=0.4)
        )
        self.vector = _GALAXY.to_vector()[None]
        self.renderer = CubeRenderer(frame.grid, DiskModel(), frame.transfer)
        self.torch_renderer = TorchCubeRenderer(frame.grid, DiskModel(), frame.transfer)
        self.parameters = torch.from_numpy(self.vector).requires_grad_()
        self.time_render(side)  # the first cube waits for the compiler

    def time_render(self, side: int) -> None:
        self.renderer(self.vector)

    def time_render_with_gradient(self, side: int) -> None:
        self.parameters.grad = None
        self.torch_renderer(self.parameters).square().sum().backward()


class Measuring:
    """Maps and a slit of a cube with noise."""

    def setup(self) -> None:
        mock = clumpygan.generate_cube(
            inclination=60, instrument="muse_wfm", signal_to_noise=20, shape=(30, 40, 40), seed=1
        )
        self.cube, self.variance = mock.data, np.array(mock.variance)
        self.velocities = mock.frame.velocities

    def time_moments(self) -> None:
        moments(self.cube, self.velocities, variance=self.variance)

    def time_position_velocity(self) -> None:
        position_velocity(
            self.cube, self.velocities, 0.2, position_angle=130, width=0.6, variance=self.variance
        )


class Fitting:
    """A fit of a mock of 30 channels and 30 x 30 pixels, to its optimum and Laplace's errors."""

    def setup(self) -> None:
        frame = make_frame(
            FrameSettings((30, 30, 30), instrument="muse_wfm", lines=("oiii",), redshift=0.4)
        )
        clean = CubeRenderer(frame.grid, DiskModel(), frame.transfer)(_GALAXY.to_vector()[None])[0]
        sigma = float(clean.max()) / 15
        noise = np.random.default_rng(1).standard_normal(clean.shape)
        self.data, self.variance = clean + sigma * noise, sigma**2
        self.fitter = DiskFitter(DiskModel(), frame, sampler=SamplerSettings("laplace"))

    def time_fit(self) -> None:
        self.fitter.fit(self.data, self.variance, seed=0)
