"""Cubes with more than two lines: each has a flux of its own."""

import numpy as np
import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.description import describe, galaxy_of
from clumpygan.galaxies.disks.parameters import Clump
from clumpygan.galaxies.rendering.cube_torch import TorchCubeRenderer

OFFSETS = (0.0, 670.0, -940.0)
GALAXY = DiskParameters(
    half_light_radius=0.6, inclination=50, maximum_velocity=150, doublet_ratio=2.5,
    line_ratios=(0.4,), clumps=(Clump(fraction=0.2, x=0.5),),
)  # fmt: skip
SHARES = np.array([2.5, 1.0, 0.4]) / 3.9


def grid(*offsets):
    edges = 60.0 * (np.arange(49) - 24)
    lines = edges - np.array(offsets)[:, None]
    return CubeGrid((48, 10, 10), 0.3, lines, (1.0,) * len(offsets), (30.0,) * len(offsets))


def test_the_cube_is_the_sum_of_its_lines():
    vector = GALAXY.to_vector()
    cube = CubeRenderer(grid(*OFFSETS), GALAXY.model)(vector[None])[0]
    plain = DiskParameters.from_dict(
        {name: value for name, value in GALAXY.to_dict().items() if name != "line_3_ratio"},
        DiskModel(clumps=1),
    )
    alone = [CubeRenderer(grid(o), plain.model)(plain.to_vector()[None])[0] for o in OFFSETS]
    expected = np.tensordot(SHARES, np.array(alone), 1)
    assert cube.max() > 0
    np.testing.assert_allclose(cube, expected, atol=2e-3 * cube.max())
    # Each line alone would be 39 % wrong.
    assert np.abs(np.mean(alone, axis=0) - cube).max() > 0.1 * cube.max()


def test_the_renderer_of_tensors_agrees_and_has_the_gradient():
    vector = torch.tensor(GALAXY.to_vector()[None], requires_grad=True)
    renderer = TorchCubeRenderer(grid(*OFFSETS), GALAXY.model)
    cube = renderer(vector)
    compiled = CubeRenderer(grid(*OFFSETS), GALAXY.model)(GALAXY.to_vector()[None])
    np.testing.assert_allclose(cube.detach()[:, 0], compiled, atol=1e-3 * compiled.max())
    cube[0, 0, 8:10].sum().backward()  # around the third line alone
    place = GALAXY.model.index("line_3_ratio")
    changed = GALAXY.to_vector()
    changed[place] += 1e-3
    with torch.no_grad():
        ahead = renderer(torch.tensor(changed[None]))[0, 0, 8:10].sum()
        here = renderer(vector)[0, 0, 8:10].sum()
    slope = float(vector.grad[0, place])
    assert slope > 0.01
    assert slope == pytest.approx(float(ahead - here) / 1e-3, rel=5e-3)


def test_vectors_and_descriptions_keep_them():
    assert GALAXY.model.names[-1] == "line_3_ratio"
    assert DiskParameters.from_vector(GALAXY.to_vector(), GALAXY.model) == GALAXY
    assert galaxy_of(describe(GALAXY)) == GALAXY
    drawn = GALAXY.model.draw(np.random.default_rng(0), 3)
    assert (drawn[:, -1] == 1).all()


def test_what_doesnt_fit_together():
    with pytest.raises(InputError, match="ratios of 3 lines and a grid of 2: expected as many"):
        CubeRenderer(grid(0.0, 500.0), GALAXY.model)
    with pytest.raises(InputError, match="line_3_ratio is -1; expected a number from 0 to 100"):
        DiskParameters(line_ratios=(-1.0,))
    with pytest.raises(InputError, match="`extra_lines` is 7: expected an integer from 0 to 6"):
        DiskModel(extra_lines=7)
