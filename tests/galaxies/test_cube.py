"""The renderers of velocity cubes against a slow reference, GalSim, and what must hold anyway."""

from dataclasses import replace
from typing import Any

import galsim
import numpy as np
import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.galaxies import (
    Clump,
    CubeGrid,
    CubeRenderer,
    TorchCubeRenderer,
    render_cube,
)
from tests.galaxies.cube_cases import CASES, GRID, PSF, Case, galaxy, reference

NOT_AT_1E_4 = {
    "all dispersions",  # the velocity after the drift has a kink where it reaches 0
    "everything",  # the same
    "larger than the field, no PSF",  # light ends at the edge of the padding
    "map",  # a map has kinks between its pixels
    "map, bulge, table, edge-on",  # the same
    "inflow, map on a smaller profile",  # the same
    "arms, tightly wound",  # endless windings in the centre
    "Sersic 4, no PSF",  # an InputError: the cusp would need too many rings
    "bulge, no PSF",  # the same
}


def error(cube: np.ndarray, name: str) -> float:
    """Return the largest difference from the reference over the reference's peak."""
    truth = reference(name)
    return float(np.abs(cube - truth).max() / truth.max())


def render(case: Case, accuracy: float) -> np.ndarray:
    return render_cube(case.parameters, case.grid, psf=case.transfer, accuracy=accuracy)


def on_tensors(case: Case, dtype: torch.dtype) -> np.ndarray:
    renderer = TorchCubeRenderer(case.grid, case.parameters.model, case.transfer)
    with torch.no_grad():
        cube = renderer(torch.tensor(case.parameters.to_vector()[None], dtype=dtype))
    assert cube.dtype == dtype
    return cube[0, 0].double().numpy()


@pytest.mark.parametrize("name", CASES)
def test_cubes_are_as_accurate_as_asked_for(name: str) -> None:
    for accuracy in (1e-2, 1e-3, 1e-4):
        if accuracy > 1e-4 or name not in NOT_AT_1E_4:
            assert error(render(CASES[name], accuracy), name) <= accuracy


@pytest.mark.parametrize("name", CASES)
def test_compiled_and_differentiable_cubes_agree(name: str) -> None:
    cube = render(CASES[name], 1e-3)
    for dtype in (torch.float64, torch.float32):
        np.testing.assert_allclose(
            on_tensors(CASES[name], dtype), cube, rtol=0, atol=1e-4 * cube.max()
        )


@pytest.mark.parametrize("name", ["plain", "clumps", "Sersic 4.0", "no warp, by rings"])
def test_the_highest_accuracies(name: str) -> None:
    case = CASES[name]
    best = render(case, 1e-7)
    assert np.abs(render(case, 1e-5) - best).max() < 1e-5 * best.max()
    assert np.abs(render(case, 1e-6) - best).max() < 1e-6 * best.max()


@pytest.mark.parametrize(
    "changes",
    [
        {"warp_position_angle": 90.0, "warp_position_angle_bend": 30.0},
        {"warp_position_angle_bend": -15.0, "inclination": 75.0},
        {"warp_inclination": 45.0, "warp_inclination_bend": 10.0, "inclination": 0.0},
    ],
)
def test_rings_are_as_many_as_warps_that_twist_need(changes: Any) -> None:
    one = galaxy(**changes)
    finest = CubeRenderer(GRID, one.model, PSF.transfer, 1e-5)
    # A thousand rings, whatever is asked for.
    finest.sampling.ring_row = lambda *_: 250  # type: ignore[method-assign]
    truth = finest(one.to_vector()[None])[0]
    for accuracy in (1e-2, 1e-3, 1e-4):
        cube = render_cube(one, GRID, psf=PSF.transfer, accuracy=accuracy)
        assert np.abs(cube - truth).max() < accuracy * truth.max()


# --- Flux, places, directions (more of them in test_cube_sky) -------------------------------------

WIDE = CubeGrid.velocities((24, 40, 44), 0.2, 60.0, line_spread=40.0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"magnification": 2.0, "g1": 0.2, "g2": -0.1},
        {"inclination": 90},
        {"arms": 2, "arm_amplitude": 0.8, "lopsidedness": 0.4},
        {"clumps": (Clump(fraction=0.4),), "bulge_fraction": 0.3},
        {"vertical": "exponential", "warp_inclination": 4.0},
    ],
)
def test_all_flux_is_in_the_cube(changes: Any) -> None:
    one = galaxy(**changes)
    cube = render_cube(one, WIDE, psf=PSF.transfer)
    assert cube.sum(dtype=float) == pytest.approx(one.flux * one.magnification, rel=1e-3)


def test_flux_scales_cubes() -> None:
    one = render_cube(galaxy(flux=1.0), GRID, psf=PSF.transfer)
    np.testing.assert_allclose(
        render_cube(galaxy(flux=1e-17), GRID, psf=PSF.transfer), 1e-17 * one, rtol=1e-5, atol=1e-24
    )
    assert not render_cube(galaxy(flux=0.0), GRID, psf=PSF.transfer).any()


def test_turning_by_180_degrees_mirrors_velocities() -> None:
    still = {"offset_x": 0, "offset_y": 0, "systemic_velocity": 0}
    one = render_cube(galaxy(**still), GRID, psf=PSF.transfer)
    other = render_cube(galaxy(**still, position_angle=210), GRID, psf=PSF.transfer)
    np.testing.assert_allclose(other, one[::-1], rtol=0, atol=2e-4 * one.max())


def test_face_on_disks_show_no_rotation() -> None:
    cube = render_cube(galaxy(inclination=0), GRID, psf=PSF.transfer)
    lines = cube / cube.sum(0)
    bright = cube.sum(0) > 0.05 * cube.sum(0).max()
    np.testing.assert_allclose(lines[:, bright].std(1), 0.0, atol=1e-3)


def test_what_is_elsewhere_is_not_seen() -> None:
    """A galaxy beside the field, and one at other velocities; and nothing wraps around."""
    peak = render_cube(galaxy(), GRID, psf=PSF.transfer).max()
    away = render_cube(galaxy(offset_x=40.0), GRID, psf=PSF.transfer)
    assert np.abs(away).max() < 1e-6 * peak
    fast = render_cube(galaxy(systemic_velocity=9000.0), GRID, psf=PSF.transfer)
    assert np.abs(fast).max() < 1e-6 * peak
    corner = render_cube(
        galaxy(offset_x=1.5, offset_y=-1.3, half_light_radius=0.1), GRID, psf=PSF.transfer
    )
    assert corner[:, 0, -1].max() > 0.1 * corner.max()
    assert np.abs(corner[:, :, :5]).max() < 1e-4 * corner.max()
    assert np.abs(corner[:, 7:]).max() < 1e-4 * corner.max()


@pytest.mark.parametrize("inclination", [0, 35, 70, 90])
@pytest.mark.parametrize("height", [0.004, 0.15])
def test_the_sky_is_galsim_s(inclination: float, height: float) -> None:
    """Inclination, thickness, position angle, shear, magnification and offset."""
    one = galaxy(
        inclination=inclination, scale_height=height, vertical="sech2", g1=0.12, g2=-0.07,
        magnification=1.3, position_angle=25,
    )  # fmt: skip
    cube = render_cube(one, WIDE, psf=PSF.transfer, accuracy=1e-4)
    disk = galsim.InclinedExponential(
        inclination * galsim.degrees,
        half_light_radius=one.half_light_radius,
        scale_height=height,
        flux=one.flux,
    )
    disk = disk.rotate((90 + 25) * galsim.degrees).shear(g1=0.12, g2=-0.07).magnify(1.3)
    scene = galsim.Convolve(disk.shift(one.offset_x, one.offset_y), galsim.Gaussian(sigma=0.25))
    truth = scene.withGSParams(folding_threshold=1e-4).drawImage(nx=44, ny=40, scale=0.2).array
    np.testing.assert_allclose(cube.sum(0), truth, rtol=0, atol=3e-4 * truth.max())


def test_a_field_may_have_any_shape() -> None:
    """One pixel, one channel, or a strip is a part of a larger cube."""
    whole = render_cube(galaxy(), GRID, psf=PSF.transfer)
    for shape in ((12, 1, 16), (12, 14, 1), (1, 14, 16), (2, 3, 5)):
        # An odd number of pixels has its middle half a pixel off that of an even one.
        low = [(n - m) // 2 for n, m in zip(GRID.shape, shape, strict=True)]
        shift = [
            0.2 * (first + (m - n) / 2) for first, m, n in zip(low, shape, GRID.shape, strict=True)
        ]
        moved = galaxy(offset_y=-0.04 - shift[1], offset_x=0.07 - shift[2])
        edges = GRID.edges[:, low[0] : low[0] + shape[0] + 1]
        cube = render_cube(moved, replace(GRID, shape=shape, edges=edges), psf=PSF.transfer)
        part = whole[tuple(slice(first, first + m) for first, m in zip(low, shape, strict=True))]
        np.testing.assert_allclose(cube, part, rtol=0, atol=2e-4 * whole.max())


def test_light_too_sharp_for_the_accuracy() -> None:
    flat = galaxy(inclination=90, scale_height=0.0)
    with pytest.raises(InputError, match=r"too sharp for pixels of this size.*; give a PSF"):
        render_cube(flat, GRID, accuracy=1e-7)
    with pytest.raises(InputError, match=r"rings would be needed .*; give a PSF"):
        render_cube(galaxy(sersic_index=4), GRID, accuracy=1e-5)


def table() -> None:
    """Print the errors of all cases: `python -m tests.galaxies.test_cube`."""
    print(f"{'':36}{'1e-2':>9}{'1e-3':>9}{'1e-4':>9}{'float64':>9}{'float32':>9}")
    worst: dict[int, tuple[float, str]] = {}
    for name, case in CASES.items():
        errors = [
            np.nan
            if name in NOT_AT_1E_4 and accuracy < 1e-3
            else error(render(case, accuracy), name)
            for accuracy in (1e-2, 1e-3, 1e-4)
        ]
        errors += [error(on_tensors(case, dtype), name) for dtype in (torch.float64, torch.float32)]
        print(f"{name:36}" + "".join(f"{e:9.1e}" for e in errors))
        for place, value in enumerate(errors):
            if value > worst.get(place, (0.0, ""))[0]:
                worst[place] = (value, name)
    print("worst: " + "; ".join(f"{value:.1e} ({name})" for value, name in worst.values()))


if __name__ == "__main__":
    table()
