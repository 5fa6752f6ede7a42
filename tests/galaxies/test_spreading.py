import numpy as np
import pytest
import torch

from clumpygan.galaxies.rendering.spreading import (
    WIDTHS,
    kernel_polynomials,
    kernel_transform,
    kernel_width,
    spread,
)
from clumpygan.galaxies.rendering.spreading_torch import _spread_portable, spread_points


def direct_transform(places, fluxes, size):
    k = 2 * np.pi * np.fft.fftfreq(size)
    rows = np.exp(-1j * k[:, None] * places[:, 0])
    return rows @ (fluxes[:, None] * np.exp(-1j * k * places[:, 1:]))


@pytest.mark.parametrize("accuracy", [1e-2, 1e-3, 1e-4, 1e-6])
def test_spread_points_have_the_transform_of_points(accuracy):
    generator, size, width = np.random.default_rng(0), 48, kernel_width(accuracy)
    places, fluxes = generator.uniform(8, 40, (60, 2)), generator.uniform(size=60)
    grid, row, column = np.zeros((size, size, 2)), np.empty(width), np.empty(width)
    for (y, x), flux in zip(places, fluxes, strict=True):
        spread(grid, y, x, flux, np.ones(2), 1, 2, kernel_polynomials(width), row, column)
    assert not grid[..., 0].any()
    kernel = kernel_transform(width, size)
    found = np.fft.fft2(grid[..., 1]) / np.outer(kernel, kernel)
    known = np.abs(np.fft.fftfreq(size)) < 0.35
    error = np.abs(found - direct_transform(places, fluxes, size))[known][:, known]
    assert error.max() < accuracy * fluxes.sum()


def test_finer_kernels_are_wider_and_have_limits():
    widths = [kernel_width(accuracy) for accuracy in (0.03, 1e-3, 1e-5, 1e-7)]
    assert widths == sorted(set(widths))
    assert kernel_width(1.0) == WIDTHS[0]
    assert kernel_width(1e-30) == WIDTHS[-1]


def test_points_beyond_the_grid_are_left_out():
    width = 5
    grid, row, column = np.zeros((16, 16, 1)), np.empty(width), np.empty(width)
    for y, x in ((-1.0, 8.0), (8.0, 16.5), (1e9, 8.0)):
        spread(grid, y, x, 1.0, np.ones(1), 0, 1, kernel_polynomials(width), row, column)
    assert not grid.any()


def arguments(channels=7):
    generator = torch.Generator().manual_seed(0)
    shape = (2, 5, 3)
    y, x, flux = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    profile = torch.rand(2, 5, channels, generator=generator, dtype=torch.float64)
    # Lines with channels that they don't reach, beside a last channel that all light reaches.
    profile[:, ::2, :3] = 0.0
    profile[:, 1, :-1] = 0.0
    return [t.requires_grad_() for t in (18 * y, 22 * x, flux, profile)]


def test_compiled_and_portable_spreading_agree_with_their_gradients():
    inputs = arguments()
    weights = torch.rand(2, 20, 24, 7, generator=torch.Generator().manual_seed(1)).double()
    answers = []
    for answer in (spread_points(*inputs, (20, 24), 6), _spread_portable(*inputs, 20, 24, 6)):
        answers.append((answer, *torch.autograd.grad((weights * answer).sum(), inputs)))
    for compiled, portable in zip(*answers, strict=True):
        assert compiled.shape == portable.shape
    for compiled, portable in zip(answers[0][:4], answers[1][:4], strict=True):
        assert torch.allclose(compiled, portable, atol=1e-12)
    # Where a line has no light, its compiled gradient isn't looked at.
    lit = inputs[3] > 0
    assert torch.allclose(answers[0][4][lit], answers[1][4][lit], atol=1e-12)


def test_gradients_are_those_of_finite_differences():
    inputs = arguments(channels=3)
    with torch.no_grad():
        inputs[3] += 0.5
    assert torch.autograd.gradcheck(lambda *a: spread_points(*a, (20, 24), 7), inputs)


def test_threads_share_a_batch():
    inputs = arguments()
    alone = spread_points(*inputs, (20, 24), 6)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(alone, spread_points(*inputs, (20, 24), 6))
    finally:
        torch.set_num_threads(before)
