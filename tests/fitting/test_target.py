"""Derivatives of residuals and densities, against exact ones on tensors."""

import numpy as np
import pytest
import torch

from clumpygan.fitting import NoiseSettings, ParameterChoices, observe
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.target import Target
from clumpygan.galaxies import CubeRenderer, TorchCubeRenderer
from tests.fitting.conftest import FRAME, GRID, MODEL


def make_target(mock, accuracy=1e-3, robust="none", **choices):
    coordinates = Coordinates.of(MODEL, ParameterChoices(**choices), GRID, 3.0).centred(mock.vector)
    likelihood = Likelihood(observe(mock.data, mock.sigma**2, FRAME), NoiseSettings(robust=robust))
    return Target(coordinates, likelihood, CubeRenderer(GRID, MODEL, FRAME.transfer, accuracy))


def test_the_density_is_likelihood_times_prior(mock):
    target = make_target(mock)
    u = target.coordinates.coordinates(mock.vector)
    likelihood = target.likelihood.log_likelihood(target.likelihood.residuals(mock.clean))
    expected = likelihood + float(target.coordinates.log_prior(u))
    assert target.log_density(u) == pytest.approx(expected, abs=0.05)
    assert target.evaluations == 1


@pytest.mark.parametrize(("central", "tolerance"), [(False, 0.01), (True, 0.003)])
def test_the_jacobian_is_that_of_the_torch_renderer(mock, central, tolerance):
    target = make_target(mock, free=["g1", "g2"])
    u = target.coordinates.coordinates(mock.vector)
    z = target.residuals(u)
    rough = target.jacobian(u, z, None, central=False)
    inverse_widths = np.sqrt((rough**2).sum(1))
    jacobian = target.jacobian(u, z, inverse_widths, central=central)
    exact = TorchCubeRenderer(GRID, MODEL, FRAME.transfer, 1e-4, like=mock.vector)
    generator = np.random.default_rng(8)
    # Where the model is: elsewhere there is nothing to compare.
    for _ in range(3):
        weight = generator.standard_normal(mock.clean.shape)
        vector = torch.tensor(mock.vector[None], requires_grad=True)
        exact(vector).backward(torch.from_numpy(weight)[None, None])
        expected = target.coordinates.gradient(u, vector.grad.numpy()[0]) / mock.sigma
        seen = jacobian.astype(float) @ weight.ravel()
        scale = np.sqrt((jacobian.astype(float) ** 2).sum(1))
        assert (scale > 1).all()
        np.testing.assert_allclose(seen / scale, expected / scale, atol=3 * tolerance)


@pytest.mark.parametrize("robust", ["none", "huber", "student"])
def test_the_curvature_has_the_gradient_of_the_density(mock, robust):
    target = make_target(mock, 1e-4, robust)
    u = target.coordinates.coordinates(mock.vector)
    z = target.residuals(u)
    inverse_widths = np.sqrt((target.jacobian(u, z, None, central=False) ** 2).sum(1))
    jacobian = target.jacobian(u, z, inverse_widths, central=True)
    gradient, hessian = target.curvature(u, z, jacobian)
    for k, step in enumerate(0.1 / inverse_widths):
        away = step * np.eye(len(u))[k]
        ahead, behind = target.log_density(u + away), target.log_density(u - away)
        slope = -(ahead - behind) / (2 * step)
        bend = -(ahead + behind - 2 * target.log_density(u)) / step**2
        assert gradient[k] == pytest.approx(slope, abs=0.03 * float(inverse_widths[k]))
        # Gauss-Newton leaves the curvature of the model out: it is right where residuals are noise.
        assert hessian[k, k] == pytest.approx(bend, rel=0.35)
