"""Verdicts of fits: what is wrong with a cube is said, and a good fit is called good.

    python benchmarks/verdicts.py [--method laplace] [--share 1.0] [--json verdicts.json]

The mocks are those of `fit_mocks`, 30 x 30 x 30 voxels, at a S/N of 8 and 20 in the brightest. Of
each kind it prints how many got which verdict, and in how many the right reason was named:

1. noise: pure noise, nothing is to be found; negative: lines in absorption.
2. variance x 1/9, 1/3, 3, 9: the factor that is found over the true one, and how many 68 %
   intervals hold the truth.
3. continuum of 10 % of the line's peak on the galaxy, a hot voxel of 40 sigma, a second galaxy, a
   ring that is fitted by a Sersic disk, a line of which half is outside the channels.
4. good: mocks as they are.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fit_mocks import KNOWN, MODEL, FitMock, fit_mock, mock_frame

from clumpygan.fitting import DiskFitter, FitResult, ObservedFrame, SamplerSettings
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters

SEED = 21
RIGHT = {
    "continuum": "continuum is left",
    "hot voxel": "a single voxel",
    "neighbour": "another source",
    "ring": "of the light",
    "cut": "runs out of the channels",
}
"""What is to be among the reasons."""

Case = Callable[[int], tuple[np.ndarray, np.ndarray, dict[str, float], ObservedFrame]]


def bright_mock(index: int) -> FitMock:
    """Return a mock at a S/N of 8 or 20."""
    return fit_mock(SEED, 3 * (index // 2) + 1 + index % 2)


def noise(index: int) -> Any:
    frame = mock_frame()
    data = np.random.default_rng((SEED, 1, index)).standard_normal(frame.grid.shape)
    return data, np.ones(data.shape), {}, frame


def negative(index: int) -> Any:
    mock = bright_mock(index)
    clean = rendered(mock.galaxy, MODEL)
    return mock.data - 2 * clean, mock.variance, {}, mock_frame()


def scaled(factor: float) -> Case:
    def case(index: int) -> Any:
        mock = bright_mock(index)
        return mock.data, mock.variance * factor, truth_of(mock), mock_frame()

    return case


def continuum(index: int) -> Any:
    mock = bright_mock(index)
    clean = rendered(mock.galaxy, MODEL)
    flux = clean.sum(axis=0)
    level = 0.1 * clean.sum(axis=(1, 2)).max() * flux / flux.sum()
    return mock.data + level, mock.variance, truth_of(mock), mock_frame()


def hot_voxel(index: int) -> Any:
    mock = bright_mock(index)
    data = mock.data.copy()
    place = np.random.default_rng((SEED, 2, index)).integers(4, 26, 3)
    data[tuple(place)] += 40 * mock.sigma
    return data, mock.variance, truth_of(mock), mock_frame()


def neighbour(index: int) -> Any:
    mock = bright_mock(index)
    random = np.random.default_rng((SEED, 3, index))
    angle = random.uniform(0, 2 * np.pi)
    other = DiskParameters.from_dict(
        mock.galaxy.to_dict()
        | {
            "flux": 0.4,
            "offset_x": 2.2 * np.cos(angle),
            "offset_y": 2.2 * np.sin(angle),
            "systemic_velocity": random.uniform(-150, 150),
            "half_light_radius": 0.35,
            "maximum_velocity": 80.0,
        },
        MODEL,
    )
    return mock.data + rendered(other, MODEL), mock.variance, truth_of(mock), mock_frame()


def ring(index: int) -> Any:
    mock, model = bright_mock(index), DiskModel(light="ring", curve="tanh")
    radius = max(float(mock.galaxy.to_dict()["half_light_radius"]), 0.9)
    galaxy = DiskParameters.from_dict(
        mock.galaxy.to_dict()
        | {"half_light_radius": radius, "ring_width": 0.15 * radius, "inclination": 45.0},
        model,
    )
    clean = rendered(galaxy, model)
    sigma = float(clean.max()) / mock.signal_to_noise
    random = np.random.default_rng((SEED, 4, index))
    data = clean + sigma * random.standard_normal(clean.shape)
    return data, np.full(data.shape, sigma**2), {}, mock_frame()


def cut(index: int) -> Any:
    mock, frame = bright_mock(index), mock_frame()
    grid = frame.grid
    first = int(np.argmin(np.abs(grid.centres[0] - mock.galaxy.to_dict()["systemic_velocity"])))
    shape = (grid.shape[0] - first, *grid.shape[1:])
    part = CubeGrid(
        shape, grid.pixel_scale, grid.edges[:, first:], line_spread=grid.line_spread,
        pixel_response=grid.pixel_response, channel_response=grid.channel_response,
    )  # fmt: skip
    narrow = ObservedFrame(part, frame.transfer, frame.psf_fwhm)
    return mock.data[first:], mock.variance[first:], truth_of(mock), narrow


def rendered(galaxy: DiskParameters, model: DiskModel) -> np.ndarray:
    frame = mock_frame()
    return CubeRenderer(frame.grid, model, frame.transfer, 1e-4)(galaxy.to_vector()[None])[0]


def truth_of(mock: FitMock) -> dict[str, float]:
    return mock.galaxy.to_dict()


CASES: dict[str, tuple[int, Case]] = {
    "noise": (40, noise),
    "negative": (20, negative),
    "variance x 1/9": (20, scaled(1 / 9)),
    "variance x 1/3": (20, scaled(1 / 3)),
    "variance x 3": (20, scaled(3.0)),
    "variance x 9": (20, scaled(9.0)),
    "continuum": (20, continuum),
    "hot voxel": (20, hot_voxel),
    "neighbour": (20, neighbour),
    "ring": (20, ring),
    "cut": (20, cut),
    "good": (40, lambda index: scaled(1.0)(index)),
}


def held(result: FitResult, truth: dict[str, float]) -> tuple[int, int]:
    """Return how many 68 % intervals have the truth in them, and how many there are."""
    inside = 0
    for row in result.table:
        value = truth[row["name"]]
        if row["name"] == "position_angle":
            value += 360 * np.round((row["median"] - value) / 360)
        inside += bool(row["lower"] <= value <= row["upper"])
    return inside, len(result.table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", choices=("importance", "laplace"), default="laplace")
    parser.add_argument("--share", type=float, default=1.0, help="of the cubes of each kind")
    parser.add_argument("--only", nargs="*", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    report = {}
    for name in options.only:
        count, case = CASES[name]
        count = max(1, round(count * options.share))
        words, named, inside, total, factors, lines = Counter(), 0, 0, 0, [], []
        begin = time.process_time()
        for index in range(count):
            data, variance, truth, frame = case(index)
            sampler = SamplerSettings(options.method)
            result = DiskFitter(MODEL, frame, fixed=KNOWN, sampler=sampler).fit(data, variance)
            words[result.verdict.word] += 1
            named += any(RIGHT.get(name, "-") in text for text in result.problems)
            if truth:
                one, all_of_them = held(result, truth)
                inside, total = inside + one, total + all_of_them
            factors.append(result.verdict.variance_factor or np.nan)
            lines.append([index, result.verdict.word, *result.problems])
        seconds = (time.process_time() - begin) / count
        print(f"{name:15s} {dict(words)}", end="")
        print(f", named in {named}" * (name in RIGHT), end="")
        if name.startswith("variance"):
            true = 1 / (eval(name.split("x")[1]))  # a number that this script wrote
            ratios = np.array(factors) / true
            print(f", factor over the true one {ratios.min():.3f} to {ratios.max():.3f}", end="")
        if total:
            print(f", 68 % intervals hold {100 * inside / total:.0f} %", end="")
        print(f", {seconds:.2f} CPU s", flush=True)
        report[name] = {"verdicts": words, "named": named, "factors": factors, "cubes": lines,
                        "held": inside / total if total else None}  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
