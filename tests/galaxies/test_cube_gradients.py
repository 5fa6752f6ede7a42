"""Cubes as tensors: gradients in every parameter, batches, and agreement with the compiled ones."""

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

from clumpygan.errors import InputError
from clumpygan.galaxies import Clump, CubeGrid, CubeRenderer, DiskParameters, TorchCubeRenderer

GRID = CubeGrid.velocities((8, 10, 12), 0.2, 70.0, line_spread=40.0)
LINES = CubeGrid.wavelengths(
    (10, 10, 10), 0.2, 7118.0, 1.25, lines=(3727.09, 3729.88), redshift=0.91, line_spread=(40, 40)
)


def seeing(ky, kx):
    return np.exp(-2 * np.pi**2 * 0.25**2 * (ky**2 + kx**2))


BASE = {
    "half_light_radius": 0.4,
    "inclination": 50.0,
    "position_angle": 30.0,
    "offset_x": 0.07,
    "g1": 0.03,
    "g2": -0.02,
    "systemic_velocity": 12.0,
    "thick_dispersion": 0.5,
    "central_dispersion": 20.0,
    "bulge_fraction": 0.2,
    "lopsidedness": 0.2,
    "lopsidedness_phase": 40.0,
    "continuum": 0.1,
    "continuum_slope": 0.2,
}
CASES = {
    "arctan": (GRID, {}),
    "ring": (GRID, {"light": "ring", "curve": "tanh", "vertical": "exponential"}),
    "arms and clumps": (
        GRID,
        {
            "arms": 2,
            "arm_amplitude": 0.5,
            "curve": "exponential",
            "vertical": "sech2",
            "clumps": (Clump(x=0.8, y=0.3), Clump(fraction=0.1, x=-0.5)),
        },
    ),
    "warp": (GRID, {"warp_inclination": 4.0, "warp_position_angle": 6.0, "curve": "courteau"}),
    "doublet": (LINES, {"doublet_ratio": 0.7, "curve": "freeman", "asymmetric_drift": True}),
    "halo": (GRID, {"curve": "nfw"}),
    "core": (GRID, {"curve": "isothermal"}),
    "mass": (GRID, {"curve": "mass_following"}),
    "table": (GRID, {"curve": "table", "rotation_table": ((0.2, 100.0), (0.8, 150.0))}),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    grid, changes = CASES[request.param]
    galaxy = DiskParameters(**(BASE | changes))
    vector = galaxy.to_vector()
    return grid, galaxy, TorchCubeRenderer(grid, galaxy.model, seeing, 1e-5, like=vector), vector


def test_every_gradient_is_that_of_finite_differences(case):
    _, galaxy, renderer, vector = case
    weights = torch.rand(renderer.grid.shape, generator=torch.Generator().manual_seed(0)).double()

    def total(values):
        return (renderer(values[None])[0, 0] * weights).sum()

    values = torch.tensor(vector, requires_grad=True)
    total(values).backward()
    scale = values.grad.abs().max()
    with torch.no_grad():
        for place, row in enumerate(galaxy.model.table):
            step = 1e-4 * max(abs(vector[place]), 1e-2 * min(row.maximum, 10.0))
            ends = []
            for sign in (1, -1):
                moved = torch.tensor(vector)
                moved[place] += sign * step
                ends.append(total(moved))
            slope = float(ends[0] - ends[1]) / (2 * step)
            found = float(values.grad[place])
            # Parameters that this model doesn't use have no gradient at all.
            assert found == pytest.approx(slope, rel=5e-4, abs=1e-7 * float(scale)), row.name


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_derivatives_that_are_carried_forwards_are_those_of_the_gradient(case):
    _, _, renderer, vector = case
    chance = torch.Generator().manual_seed(1)
    weights = torch.rand(renderer.grid.shape, generator=chance).double()
    direction = torch.rand(len(vector), generator=chance).double()
    values = torch.tensor(vector, requires_grad=True)
    (renderer(values[None])[0, 0] * weights).sum().backward()
    with forward_ad.dual_level():
        moving = forward_ad.make_dual(torch.tensor(vector)[None], direction[None])
        slope = forward_ad.unpack_dual(renderer(moving)).tangent[0, 0]
    expected = float(values.grad @ direction)
    assert abs(expected) > 0.01 * float((values.grad * direction).abs().max())
    assert float((slope * weights).sum()) == pytest.approx(expected, rel=1e-8)


def test_tensors_are_the_compiled_cubes(case):
    grid, galaxy, renderer, vector = case
    compiled = CubeRenderer(grid, galaxy.model, seeing, 1e-5)(vector)[0]
    for dtype in (torch.float64, torch.float32):
        cube = renderer(torch.tensor(vector[None], dtype=dtype))
        assert cube.shape == (1, 1, *grid.shape)
        assert cube.dtype == dtype
        assert np.abs(cube[0, 0].numpy() - compiled).max() < 1e-4 * compiled.max()


def test_galaxies_of_a_batch_are_those_of_their_own():
    model = DiskParameters(**BASE).model
    vectors = model.draw(np.random.default_rng(0), 4)
    renderer = TorchCubeRenderer(GRID, model, seeing)
    together = renderer(torch.tensor(vectors))
    for vector, cube in zip(vectors, together, strict=True):
        alone = renderer(torch.tensor(vector[None]))[0]
        assert (alone - cube).abs().max() < 1e-3 * cube.max()


@pytest.mark.parametrize("inclination", [0.0, 90.0])
def test_gradients_are_finite_where_things_vanish(inclination):
    galaxy = DiskParameters(
        inclination=inclination, scale_height=0.0, velocity_dispersion=0.0, maximum_velocity=0.0
    )
    values = torch.tensor(galaxy.to_vector()[None], dtype=torch.float32, requires_grad=True)
    TorchCubeRenderer(GRID, psf=seeing)(values).square().sum().backward()
    assert torch.isfinite(values.grad).all()


def test_a_batch_without_a_plan_is_sampled_for_its_own_values():
    """A galaxy ten times larger needs more points than what was chosen for a small one."""
    small, large = DiskParameters(half_light_radius=0.1), DiskParameters(half_light_radius=1.0)
    renderer = TorchCubeRenderer(GRID, psf=seeing)
    for galaxy in (small, large, small):
        cube = renderer(torch.tensor(galaxy.to_vector()[None]))[0, 0].numpy()
        compiled = CubeRenderer(GRID, psf=seeing)(galaxy.to_vector())[0]
        assert np.abs(cube - compiled).max() < 1e-4 * compiled.max()


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_compiles_with_a_plan():
    vector = DiskParameters().to_vector()[None]
    renderer = TorchCubeRenderer(GRID, psf=seeing, like=vector)
    values = torch.tensor(vector)
    compiled = torch.compile(renderer, backend="eager")
    assert torch.allclose(compiled(values), renderer(values))


def test_bad_vectors_are_named():
    with pytest.raises(InputError, match=r"shape \(1, 3\): expected \(B, 46\)"):
        TorchCubeRenderer(GRID)(torch.zeros(1, 3))
    with pytest.raises(InputError, match="finite"):
        TorchCubeRenderer(GRID)(torch.full((1, 46), torch.nan))
