"""The network that draws from posteriors."""

import math

import pytest
import torch

from clumpygan.networks.posterior import PosteriorNetwork


def _network(seed: int = 0, **more) -> PosteriorNetwork:
    torch.manual_seed(seed)
    sizes = {"channels": (6, 8, 4), "features": 16, "hidden": 32, "splines": 2, "bins": 4}
    return PosteriorNetwork((6, 8, 8), 3, 2, **(sizes | more))


def _cubes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(1)
    return (
        3 * torch.randn((count, 6, 8, 8), generator=noise),
        torch.randn((count, 2), generator=noise),
    )


def test_draws_have_the_density_they_are_said_to_have():
    network = _network()
    cubes, conditions = _cubes(2)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        u, density = network.draw(cubes, conditions, 5, generator)
        assert u.shape == (2, 5, 3)
        for k in range(5):
            again = network.log_density(u[:, k], cubes, conditions)
            torch.testing.assert_close(again, density[:, k], atol=1e-4, rtol=1e-4)


def test_the_density_integrates_to_one():
    torch.manual_seed(0)
    network = PosteriorNetwork((4, 4, 4), 1, 1, (4, 4, 4), 8, 16, 2, 4)
    grid = torch.linspace(-12, 12, 6001)
    cube, condition = torch.randn(1, 4, 4, 4), torch.randn(1, 1)
    with torch.no_grad():
        flow = network.flow(network(cube, condition))
        density = flow.log_prob(grid[:, None]).exp()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1.0, abs=1e-3)


def test_draws_depend_on_the_generator_alone():
    network = _network()
    cubes, conditions = _cubes(1)
    with torch.no_grad():
        one, two, other = (
            network.draw(cubes, conditions, 4, torch.Generator().manual_seed(seed))[0]
            for seed in (7, 7, 8)
        )
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert (one != other).any()


def test_a_tiny_network_learns_a_posterior():
    """The brightness of a cube is a + noise: the posterior of a is Gaussian, as in any textbook."""
    torch.manual_seed(0)
    network = PosteriorNetwork((4, 4, 4), 1, 1, (4, 4, 4), 8, 16, 1, 4)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    noise = torch.Generator().manual_seed(3)

    def batch(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        a = torch.randn((count, 1), generator=noise)
        error = torch.randn((count, 1), generator=noise)
        cube = (a + 0.5 * error)[:, :, None, None].expand(-1, 4, 4, 4)
        return a, cube, torch.zeros(count, 1)

    for step in range(400):
        for group in optimiser.param_groups:
            group["lr"] = 5e-3 * 0.5 * (1 + math.cos(math.pi * step / 400))
        loss = -network.log_density(*batch(128)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # Precision 1 + 1 / 0.25 = 5; mean 4 / 5 of the brightness.
    cube = torch.full((1, 4, 4, 4), 1.0)
    with torch.no_grad():
        u, _ = network.draw(cube, torch.zeros(1, 1), 4000, noise)
    assert float(u.mean()) == pytest.approx(0.8, abs=0.08)
    assert float(u.std()) == pytest.approx(5**-0.5, rel=0.12)


def test_masks_stay_out_of_the_weights():
    network = _network()
    assert not any("mask" in name for name in network.state_dict())
    other = _network(seed=5)
    other.load_state_dict(network.state_dict())
    cubes, conditions = _cubes(2)
    with torch.no_grad():
        torch.testing.assert_close(
            other.log_density(torch.zeros(2, 3), cubes, conditions),
            network.log_density(torch.zeros(2, 3), cubes, conditions),
        )
