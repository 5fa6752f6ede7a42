"""Rotation curves ring by ring: whether they are unbiased, in the innermost ring and edge-on too.

    python benchmarks/rings.py [--n 100] [--edge-on 30] [--method laplace] [--json rings.json]

Mocks with steep, flat and falling curves are seen with a seeing of 0.5 to 2 half-light radii, at
inclinations of 40 to 75 degrees, with a dispersion that rises towards the centre; others at 85, 88
and 90 degrees. `--model rings` fits them, everything else by default. Printed for each curve and
each third of the seeing are the mean of ring minus truth of the innermost ring, its error, and that
of all rings; the root mean square of these means less what their errors make of it; how many 68 %
intervals hold the truth; and how often the innermost ring is higher than the next though the truth
isn't, by more than its error.
"""

import argparse
import json
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import GALPAK_ASPECT, GALPAK_HEIGHT
from clumpygan.galaxies.measuring.profiles import profiles_of
from clumpygan.instruments.spread import GaussianPSF

SEED = 11
RADIUS = 0.8
"""Half-light radius in arcsec."""

CURVES: dict[str, dict[str, Any]] = {
    "steep": {"curve": "arctan", "turnover_radius": 0.1 * RADIUS},
    "flat": {"curve": "tanh", "turnover_radius": 0.5 * RADIUS},
    "falling": {"curve": "courteau", "turnover_radius": 0.4 * RADIUS, "curve_slope": 0.35},
}
SIGNAL_TO_NOISE = 20.0
"""Of the brightest voxel."""


def mock(seed: int, index: int, edge_on: bool) -> tuple[DiskParameters, ObservedFrame, Any, float]:
    """Return a galaxy, its frame, its cube and the noise of a voxel."""
    random = np.random.default_rng((seed, index, edge_on))
    name = list(CURVES)[index % len(CURVES)]
    seeing = RADIUS * (0.5 * 4.0 ** random.uniform())
    inclination = (85.0, 88.0, 90.0)[index // 3 % 3] if edge_on else random.uniform(40.0, 75.0)
    galaxy = DiskParameters(
        flux=1.0,
        offset_x=random.uniform(-0.1, 0.1),
        offset_y=random.uniform(-0.1, 0.1),
        systemic_velocity=random.uniform(-20.0, 20.0),
        half_light_radius=RADIUS,
        inclination=inclination,
        position_angle=random.uniform(0.0, 360.0),
        maximum_velocity=random.uniform(120.0, 260.0),
        velocity_dispersion=random.uniform(20.0, 50.0),
        central_dispersion=random.uniform(0.0, 50.0),
        dispersion_radius=0.5 * RADIUS,
        scale_height=RADIUS * GALPAK_ASPECT / GALPAK_HEIGHT["gaussian"],
        **CURVES[name],
    )
    grid = CubeGrid.velocities((26, 28, 28), 0.2, 40.0, line_spread=40.0)
    transfer = partial(GaussianPSF(seeing).transfer, wavelength=7000.0)
    frame = ObservedFrame(grid, transfer, seeing)
    clean = CubeRenderer(grid, galaxy.model, transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / SIGNAL_TO_NOISE
    return galaxy, frame, clean + sigma * random.standard_normal(clean.shape), sigma


def measure(edge_on: bool, settings: dict[str, Any], index: int) -> dict[str, Any]:
    """Fit one mock and compare its rings with the truth."""
    galaxy, frame, data, sigma = mock(SEED, index, edge_on)
    fitter = DiskFitter(DiskModel(curve="rings"), frame, **settings)
    begin = time.process_time()
    result = fitter.fit(data, np.full(data.shape, sigma**2))
    seconds = time.process_time() - begin
    rings = result.rings
    found: dict[str, Any] = {
        "curve": list(CURVES)[index % len(CURVES)],
        "seeing": frame.psf_fwhm / RADIUS,
        "inclination": galaxy.inclination,
        "inclination_error": result.values["inclination"] - galaxy.inclination,
        "seconds": seconds,
        "verdict": result.verdict.word,
        "problems": result.problems,
        "radii": rings["radius"].tolist(),
    }
    truths = profiles_of(galaxy, rings["radius"])
    for what, truth in zip(("velocity", "dispersion"), truths, strict=True):
        found[what] = {
            "truth": truth.tolist(),
            "found": rings[what].tolist(),
            "lower": rings[f"{what}_lower"].tolist(),
            "upper": rings[f"{what}_upper"].tolist(),
        }
    return found


def _columns(rows: list[dict[str, Any]], what: str, place: slice) -> tuple[np.ndarray, ...]:
    """Return error, half interval and whether the truth is held, of the rings of all mocks."""
    parts = [
        np.concatenate([np.atleast_1d(row[what][key])[place] for row in rows])
        for key in ("truth", "found", "lower", "upper")
    ]
    truth, found, lower, upper = parts
    return found - truth, 0.5 * (upper - lower), (lower <= truth) & (truth <= upper)


def summarise(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Return the numbers of mocks, in groups."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(f"{row['curve']} {row[key]}", []).append(row)
    answer: dict[str, Any] = {"groups": {}}
    squares, noise = [], []
    for name, own in sorted(groups.items()):
        away, width, _ = _columns(own, "velocity", slice(0, 1))
        error = float(away.std(ddof=1) / np.sqrt(away.size)) if away.size > 1 else float("nan")
        everywhere = float(_columns(own, "velocity", slice(None))[0].mean())
        answer["groups"][name] = {
            "mocks": len(own), "innermost_bias": float(away.mean()), "innermost_error": error,
            "innermost_scatter": float(away.std()), "innermost_width": float(width.mean()),
            "bias_of_all_rings": everywhere,
        }  # fmt: skip
        if away.size > 1:
            squares.append(away.mean() ** 2)
            noise.append(error**2)
    answer["innermost_bias_rms"] = float(np.sqrt(np.mean(squares)))
    answer["innermost_bias_rms_without_noise"] = float(
        np.sqrt(max(np.mean(squares) - np.mean(noise), 0.0))
    )
    for what in ("velocity", "dispersion"):
        for where, place in (("innermost", slice(0, 1)), ("all", slice(None))):
            away, width, held = _columns(rows, what, place)
            answer[f"{where}_{what}"] = {
                "bias": float(away.mean()), "held": float(held.mean()),
                "median_pull": float(np.median(away / width)),
            }  # fmt: skip
    ups = [
        row["velocity"]["found"][0] > row["velocity"]["found"][1]
        and row["velocity"]["truth"][0] < row["velocity"]["truth"][1]
        and row["velocity"]["lower"][0] > row["velocity"]["found"][1]
        for row in rows
    ]
    answer["turned_up"] = float(np.mean(ups))
    answer["inclination_bias"] = float(np.mean([row["inclination_error"] for row in rows]))
    answer["cpu_seconds"] = float(np.median([row["seconds"] for row in rows]))
    words = [row["verdict"] for row in rows]
    answer["verdicts"] = {word: words.count(word) for word in sorted(set(words))}
    return answer


def run(n: int, edge_on: bool, settings: dict[str, Any], processes: int) -> list[dict[str, Any]]:
    """Fit n mocks."""
    work = partial(measure, edge_on, settings)
    if processes == 1:
        return [work(index) for index in range(n)]
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(work, range(n), chunksize=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--edge-on", type=int, default=36)
    parser.add_argument("--method", choices=("importance", "laplace"), default="importance")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    report = {}
    for name, n in (("inclined", options.n), ("edge-on", options.edge_on)):
        if not n:
            continue
        settings = {"sampler": SamplerSettings(options.method)}
        rows = run(n, name == "edge-on", settings, options.processes)
        for row in rows:
            third = int(np.clip(1.5 * np.log2(row["seeing"] / 0.5), 0, 2))
            row["third"] = ("sharp", "middle", "smeared")[third]
        found = summarise(rows, "inclination" if name == "edge-on" else "third")
        report[name] = {**found, "mocks": rows}
        print(f"{n} {name} galaxies: {found['verdicts']}, {found['cpu_seconds']:.1f} CPU s")
        for group, one in found.pop("groups").items():
            print(
                f"  {group:18s} {one['mocks']:3d}: innermost {one['innermost_bias']:+6.1f} +- "
                f"{one['innermost_error']:4.1f} km/s (scatter {one['innermost_scatter']:.1f}, "
                f"error {one['innermost_width']:.1f}), all {one['bias_of_all_rings']:+6.1f}"
            )
        for key, value in found.items():
            print(f"  {key}: {value}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
