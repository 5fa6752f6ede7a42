"""Clumps are looked for where a smooth disk leaves light."""

import numpy as np
import pytest

from clumpygan.fitting import observe
from clumpygan.fitting.structure.clump_positions import clump_positions
from clumpygan.galaxies import Clump, CubeRenderer, DiskModel, DiskParameters
from tests.fitting.conftest import FRAME, GRID, TRUTH

CLUMPS = (Clump(fraction=0.2, x=1.3, y=0.6), Clump(fraction=0.1, x=-0.9, y=-1.0))


@pytest.mark.parametrize("shear", [0.0, 0.1])
def test_places_and_fluxes_are_found(shear):
    galaxy = DiskParameters(**TRUTH, g1=shear, clumps=CLUMPS)
    smooth = DiskParameters(**TRUTH | {"flux": 0.7 * TRUTH["flux"], "g1": shear})
    cubes = [
        CubeRenderer(GRID, one.model, FRAME.transfer)(one.to_vector()[None])[0]
        for one in (galaxy, smooth)
    ]
    observation = observe(cubes[0], (cubes[0].max() / 50) ** 2, FRAME)
    found = clump_positions(observation, cubes[1], smooth.to_vector(), smooth.model, 2)
    for number, clump in enumerate(CLUMPS, 1):
        assert found[f"clump_{number}_x"] == pytest.approx(clump.x, abs=0.35)
        assert found[f"clump_{number}_y"] == pytest.approx(clump.y, abs=0.35)
        # Of the flux of the smooth disk, which is 0.7 of all.
        assert found[f"clump_{number}_fraction"] == pytest.approx(clump.fraction / 0.7, rel=0.35)


def test_nothing_is_found_far_outside_or_as_nan_edge_on():
    galaxy = DiskParameters(**TRUTH | {"inclination": 90.0, "half_light_radius": 0.3})
    clean = CubeRenderer(GRID, galaxy.model, FRAME.transfer)(galaxy.to_vector()[None])[0]
    data = clean.copy()
    data[:, 1, 1] += clean.max()  # a neighbour
    found = clump_positions(observe(data, 1.0, FRAME), clean, galaxy.to_vector(), DiskModel(), 1)
    assert np.isfinite(list(found.values())).all()
    assert np.hypot(found["clump_1_x"], found["clump_1_y"]) < 3.01
