"""Cubes per second of batches on two threads, and how the time grows with the number of voxels."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from cube_cases import CHANNEL_WIDTH, LINE_SPREAD, PIXEL_SCALE, Case, transfer

from clumpygan.galaxies import (
    CubeGrid,
    CubeRenderer,
    DiskModel,
    DiskParameters,
    TorchCubeRenderer,
)

BATCHES = {16: 256, 32: 64, 64: 16, 128: 4}
"""Voxels along a side -> cubes in a batch."""
MODEL = DiskModel(curve="tanh")


def galaxies(size: int, count: int) -> np.ndarray:
    """Draw disks that fill cubes of a size as case a does, at any inclination and angle."""
    case = Case(size, size * 4 / 30, 0.15, 60.0, size * 1.25 / 30)
    vector = DiskParameters.from_dict(case.parameters(thick_dispersion=False), MODEL).to_vector()
    vectors = np.repeat(vector[None], count, axis=0)
    generator = np.random.default_rng(0)
    cosines = generator.uniform(*np.cos(np.radians([85.0, 10.0])), count)
    vectors[:, MODEL.index("inclination")] = np.degrees(np.arccos(cosines))
    vectors[:, MODEL.index("position_angle")] = generator.uniform(0, 360, count)
    return vectors


def rate(draw: Callable[[], object], count: int, rounds: int) -> float:
    """Return the median rate of several rounds, cubes per second by the clock."""
    draw()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        draw()
        seconds.append(time.perf_counter() - start)
    return count / median(seconds)


def throughput(threads: int, rounds: int, accuracy: float) -> dict[str, dict[str, float]]:
    """Return the cubes per second: "16^3" -> {"numba", "numba_1_thread", "torch"}."""
    torch.set_num_threads(threads)
    found = {}
    for size, count in BATCHES.items():
        grid = CubeGrid.velocities((size,) * 3, PIXEL_SCALE, CHANNEL_WIDTH, line_spread=LINE_SPREAD)
        vectors = galaxies(size, count)
        tensor = torch.from_numpy(vectors).float()
        both, one = (CubeRenderer(grid, MODEL, transfer, accuracy, n) for n in (threads, 1))
        differentiable = TorchCubeRenderer(grid, MODEL, transfer, accuracy, like=vectors)
        with torch.no_grad():
            found[f"{size}^3"] = {
                "numba": rate(lambda draw=both, v=vectors: draw(v), count, rounds),
                "numba_1_thread": rate(lambda draw=one, v=vectors: draw(v), count, rounds),
                "torch": rate(lambda draw=differentiable, v=tensor: draw(v), count, rounds),
            }
    return found
