"""Gradients of cubes, batches, plans, and the two ways to spread points on tensors."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.galaxies import CubeRenderer, DiskModel, TorchCubeRenderer, render_cube
from clumpygan.galaxies.rendering.spreading_torch import _spread_portable, spread_points
from tests.galaxies.cube_cases import CASES, GRID, PSF, Case, galaxy

WITH_GRADIENTS = [
    "everything",
    "bulge in a ring",
    "clumps",
    "warp, exponential",
    "warp that bends",
    "inflow, arms, clumps",
    "dekel_zhao_mass",
    "nfw_fraction",
    "table curve",
    "rings curve, thick",
    "steep curve",
    "Courteau curve",
    "mass-following curve",
    "nfw curve",
    "all dispersions",
    "[OII], falling",
    "sampled",
    "continuum, PSF of falling channels",
    "narrow line",
]


def renderer_for(case: Case, **options: Any) -> TorchCubeRenderer:
    vector = case.parameters.to_vector()
    return TorchCubeRenderer(
        case.grid, case.parameters.model, case.transfer, like=vector, **options
    )


def gradient(renderer: TorchCubeRenderer, vector: np.ndarray, weights: torch.Tensor) -> np.ndarray:
    """Return the derivatives of a weighted sum of voxels, in the dtype of the weights."""
    parameters = torch.tensor(vector[None], dtype=weights.dtype, requires_grad=True)
    (slopes,) = torch.autograd.grad((renderer(parameters) * weights).sum(), parameters)
    return slopes[0].double().numpy()


def weights_for(case: Case, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).normal(size=case.grid.shape), dtype=dtype)


def differences(
    renderer: TorchCubeRenderer, vector: np.ndarray, weights: torch.Tensor
) -> np.ndarray:
    """Return the same from central differences, and their steps' share in the values."""
    steps = 1e-5 * np.maximum(np.abs(vector), 0.1)
    moved = vector + np.concatenate([np.diag(steps), -np.diag(steps)])
    plan = renderer.plan
    with torch.no_grad():
        # In parts: a cube takes more memory on the way than in the end.
        values = [
            (renderer(part, plan) * weights).sum((1, 2, 3, 4))
            for part in torch.tensor(moved).split(16)
        ]
    above, below = torch.cat(values).numpy().reshape(2, -1)
    return (above - below) / (2 * steps)


@pytest.mark.parametrize("name", WITH_GRADIENTS)
def test_gradients_are_finite_differences(name: str) -> None:
    case = CASES[name]
    renderer, vector, weights = renderer_for(case), case.parameters.to_vector(), weights_for(case)
    slopes = gradient(renderer, vector, weights)
    expected = differences(renderer, vector, weights)
    # What rounding leaves of differences of cubes whose voxels add up to about the flux.
    floor = 1e-9 * case.parameters.flux / (1e-5 * np.maximum(np.abs(vector), 0.1))
    np.testing.assert_array_less(np.abs(slopes - expected), 1e-5 * np.abs(expected) + floor)


def test_no_line_is_narrower_than_a_share_of_a_channel_and_cubes_come_to_it_smoothly() -> None:
    """Of a dispersion that no channel tells from none, a fit finds the end."""
    case = CASES["narrow line"]
    compiled = CubeRenderer(case.grid, case.parameters.model, case.transfer, 1e-5)
    floor = compiled.narrowest
    on_tensors, vector = renderer_for(case, accuracy=1e-5), case.parameters.to_vector()
    vectors = np.repeat(vector[None], 7, axis=0)
    dispersions = floor * np.array([0.0, 0.98, 1.0, 1.02, 1.98, 2.0, 2.02])
    vectors[:, case.parameters.model.index("velocity_dispersion")] = dispersions
    cubes = compiled(vectors)
    with torch.no_grad():
        same = on_tensors(torch.tensor(vectors)).numpy()[:, 0]
    np.testing.assert_allclose(cubes, same, atol=1e-4)
    for middle in (2, 5):
        below, above = (same[middle + k] - same[middle + k - 1] for k in (0, 1))
        assert np.abs(above).max() > 0
        np.testing.assert_allclose(above, below, atol=0.06 * np.abs(above).max())


def test_every_parameter_has_a_gradient_somewhere() -> None:
    """Else the comparisons above might compare zeros."""
    felt = set()
    for name in WITH_GRADIENTS:
        case = CASES[name]
        slopes = gradient(renderer_for(case), case.parameters.to_vector(), weights_for(case))
        felt |= {
            row.name
            for row, slope in zip(case.parameters.model.table, slopes, strict=True)
            if slope
        }
    rings = [f"ring_{k}_{name}" for k in (1, 2, 3) for name in ("velocity", "dispersion")]
    assert {*DiskModel(clumps=2).names, *rings} <= felt


def test_gradients_are_those_of_exact_cubes() -> None:
    """Of cubes from another renderer, sampled for another accuracy, and anew for each galaxy."""
    case = CASES["clumps"]
    vector, weights = case.parameters.to_vector(), weights_for(case)
    slopes = gradient(renderer_for(case, accuracy=1e-4), vector, weights)
    exact = CubeRenderer(case.grid, case.parameters.model, case.transfer, 1e-7)
    names = ["offset_x", "half_light_radius", "sersic_index", "inclination", "position_angle",
             "maximum_velocity", "turnover_radius", "velocity_dispersion", "scale_height", "g1",
             "clump_1_x", "clump_2_radius"]  # fmt: skip
    for place in map(case.parameters.model.index, names):
        step = 1e-2 * max(abs(vector[place]), 0.1)
        moved = vector + step * np.array([[-2.0], [-1.0], [1.0], [2.0]]) * (
            np.arange(vector.size) == place
        )
        values = (exact(moved).astype(float) * weights.numpy()).sum((1, 2, 3))
        slope = values @ [1, -8, 8, -1] / (12 * step)
        assert slopes[place] == pytest.approx(slope, rel=2e-3, abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"inclination": 0},
        {"inclination": 90, "vertical": "sech2"},
        {"inclination": 90, "vertical": "exponential"},
        {"position_angle": 0, "scale_height": 0.0},
        {"position_angle": 360, "scale_height": 0.0, "vertical": "sech2"},
        {"g1": 0.0, "g2": 0.0, "bulge_fraction": 0.0, "maximum_velocity": 0.0},
        {"velocity_dispersion": 0.0, "curve": "nfw", "halo_velocity": 0.0},
        {"asymmetric_drift": True, "velocity_dispersion": 200.0, "curve": "freeman"},
        {"curve": "isothermal", "maximum_velocity": 0.0, "flux": 0.0},
        {"curve": "courteau", "turnover_radius": 1e-3, "curve_sharpness": 10.0},
        {"curve": "mass_following", "sersic_index": 4.0},
        {"sersic_index": 0.3, "offset_x": 90.0},
        {"arms": 3, "arm_amplitude": 0.0, "lopsidedness": 0.0},
        {"light": "ring", "ring_width": 0.02, "curve": "exponential"},
        {"warp_inclination": 1.0, "inclination": 0, "scale_height": 0.0},
    ],
)
def test_gradients_are_finite_where_formulas_have_limits(changes: Any) -> None:
    case = Case(galaxy(**changes), GRID, PSF)
    weights = weights_for(case, torch.float32)
    slopes = gradient(renderer_for(case), case.parameters.to_vector(), weights)
    assert np.isfinite(slopes).all()
    assert slopes.any() or changes.get("offset_x")


def test_a_batch_is_many_galaxies() -> None:
    """Whatever plan is made for it; and a plan made for it is used for other galaxies."""
    model = DiskModel(clumps=2, arms=2)
    vectors = model.draw(np.random.default_rng(3), 5)
    truth = CubeRenderer(GRID, model, PSF.transfer)(vectors)
    peak = truth.max((1, 2, 3), keepdims=True)
    renderer = TorchCubeRenderer(GRID, model, PSF.transfer)
    batch = torch.tensor(vectors)
    alone = torch.cat([renderer(one[None]) for one in batch])
    together = renderer(batch)
    assert together.shape == (5, 1, *GRID.shape)
    assert np.abs((alone[:, 0].numpy() - truth) / peak).max() < 1e-4
    assert np.abs((together[:, 0].numpy() - truth) / peak).max() < 5e-4
    fixed = TorchCubeRenderer(GRID, model, PSF.transfer, like=vectors)
    torch.testing.assert_close(fixed(batch), together)
    torch.testing.assert_close(fixed(batch.flip(0)), together.flip(0))
    torch.testing.assert_close(
        fixed(batch, renderer.plan_for(vectors[:1])), together, rtol=0, atol=0.01
    )


def test_tables_of_many_galaxies() -> None:
    """Rings are between the rows of the table for all of them."""
    galaxies = [
        galaxy(curve="table", rotation_table=((0.1, 60.0), (0.3, 150.0)), half_light_radius=r)
        for r in (0.3, 0.4, 0.5)
    ]
    cubes = render_cube(galaxies, GRID, psf=PSF.transfer)
    renderer = TorchCubeRenderer(GRID, galaxies[0].model, PSF.transfer)
    batch = renderer(torch.tensor(np.stack([one.to_vector() for one in galaxies])))
    np.testing.assert_allclose(batch[:, 0].numpy(), cubes, rtol=0, atol=2e-4 * cubes.max())


@pytest.mark.parametrize("width", [3, 6, 9])
def test_both_ways_to_spread_points_agree(width: int) -> None:
    """The compiled one of the CPU, and the one for other devices; at and beyond the edges, too."""
    rng = np.random.default_rng(width)
    shapes = {"y": (2, 40, 2), "x": (2, 40, 2), "flux": (2, 40, 2), "profile": (2, 40, 5)}
    limits = {"y": (-2, 14), "x": (-2, 16), "flux": (-1, 1), "profile": (0, 1)}
    points = [
        torch.tensor(rng.uniform(*limits[name], shape), requires_grad=True)
        for name, shape in shapes.items()
    ]
    weights = torch.tensor(rng.normal(size=(2, 12, 14, 5)))
    one = spread_points(*points, (12, 14), width)
    other = _spread_portable(*points, 12, 14, width)
    assert one.any()
    torch.testing.assert_close(one, other, rtol=0, atol=1e-13)
    slopes = torch.autograd.grad((one * weights).sum(), points)
    for slope, expected in zip(
        slopes, torch.autograd.grad((other * weights).sum(), points), strict=True
    ):
        assert slope.any()
        torch.testing.assert_close(slope, expected, rtol=0, atol=1e-12)


def test_spreading_passes_torch_s_own_checks() -> None:
    points = [torch.rand(1, 6, 2, dtype=torch.float64) * 8 + 2 for _ in range(2)]
    points += [torch.rand(1, 6, 2, dtype=torch.float64), torch.rand(1, 6, 3, dtype=torch.float64)]
    inputs = [p.requires_grad_() for p in points]
    assert torch.autograd.gradcheck(lambda *p: spread_points(*p, (12, 12), 5), inputs)


def test_the_renderer_is_one_graph() -> None:
    """`torch.compile` finds no break, given a plan; values and gradients stay the same."""
    case = CASES["plain"]
    renderer, vector, weights = renderer_for(case), case.parameters.to_vector(), weights_for(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about itself
        compiled = torch.compile(renderer, fullgraph=True, backend="eager")
        slopes = gradient(compiled, vector, weights)
    np.testing.assert_allclose(slopes, gradient(renderer, vector, weights), rtol=1e-9)


def test_bad_batches() -> None:
    renderer = TorchCubeRenderer(GRID, psf=PSF.transfer)
    vectors = DiskModel().draw(np.random.default_rng(0), 2)
    with pytest.raises(InputError, match=r"of shape \(2, 5\): expected \(B, \d+\) finite numbers"):
        renderer(torch.tensor(vectors[:, :5]))
    vectors[0, 0] = np.nan
    with pytest.raises(InputError, match="finite numbers"):
        TorchCubeRenderer(GRID, like=vectors)
    with pytest.raises(InputError, match=r"accuracy is 1; expected 1e-7 to 0\.03"):
        TorchCubeRenderer(replace(GRID), accuracy=1.0)
