"""Dark matter within the half-light radius: whether f_DM is unbiased and its intervals hold.

    python benchmarks/masses.py [--n 100] [--halo nfw burkert] [--method laplace] [--json FILE]

Mocks of an exponential disk in a halo, with f_DM(R_e) of about 0.1 to 0.8, at inclinations of 40
to 75 degrees and a S/N of 20 in the brightest voxel, seen out to 3.5 half-light radii; `--curve`
nfw or burkert fits them, everything else by default. Printed are mean and median of found minus
true f_DM with the error of the mean, its slope over the truth, how many 68 % intervals hold the
truth, and the median pull.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import GALPAK_ASPECT, GALPAK_HEIGHT
from clumpygan.galaxies.disks.parameters import CURVES
from clumpygan.galaxies.measuring.profiles import profiles_of
from clumpygan.galaxies.rendering.halos import halo_velocity
from clumpygan.instruments.spread import GaussianPSF

SEED = 21
RADIUS, SEEING = 0.8, 0.6
"""Arcsec: half-light radius, and FWHM of the PSF."""

SIGNAL_TO_NOISE = 20.0


def measure(curve: str, method: str, index: int) -> dict[str, Any]:
    """Make and fit one mock."""
    random = np.random.default_rng((SEED, index))
    galaxy = DiskParameters(
        curve=curve,  # type: ignore[arg-type]
        half_light_radius=RADIUS,
        inclination=random.uniform(40.0, 75.0),
        position_angle=random.uniform(0.0, 360.0),
        maximum_velocity=random.uniform(80.0, 250.0),
        halo_velocity=random.uniform(80.0, 250.0),
        halo_radius=random.uniform(0.5, 2.5),
        velocity_dispersion=random.uniform(20.0, 50.0),
        scale_height=RADIUS * GALPAK_ASPECT / GALPAK_HEIGHT["gaussian"],
    )
    grid = CubeGrid.velocities((30, 28, 28), 0.2, 35.0, line_spread=40.0)
    transfer = partial(GaussianPSF(SEEING).transfer, wavelength=7000.0)
    frame = ObservedFrame(grid, transfer, SEEING)
    clean = CubeRenderer(grid, galaxy.model, transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / SIGNAL_TO_NOISE
    data = clean + sigma * random.standard_normal(clean.shape)
    fitter = DiskFitter(
        DiskModel(curve=curve),  # type: ignore[arg-type]
        frame,
        sampler=SamplerSettings(method),  # type: ignore[arg-type]
    )
    begin = time.process_time()
    result = fitter.fit(data, np.full(data.shape, sigma**2))
    seconds = time.process_time() - begin
    row = next(one for one in result.quantities if one["name"] == "dark_matter_fraction_re")
    halo = halo_velocity(CURVES.index(curve), RADIUS, galaxy.to_vector())
    total = float(profiles_of(galaxy, [RADIUS])[0][0])
    return {
        "truth": float((halo / total) ** 2), "seconds": seconds, "verdict": result.verdict.word,
        **{name: float(row[name]) for name in ("median", "lower", "upper")},
    }  # fmt: skip


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers of all mocks."""
    truth, found, lower, upper = (
        np.array([row[name] for row in rows]) for name in ("truth", "median", "lower", "upper")
    )
    away = found - truth
    words = [row["verdict"] for row in rows]
    return {
        "mocks": len(rows),
        "bias": float(away.mean()),
        "bias_error": float(away.std(ddof=1) / np.sqrt(len(rows))),
        "median_bias": float(np.median(away)),
        "slope": float(np.polyfit(truth, away, 1)[0]),
        "held": float(((lower <= truth) & (truth <= upper)).mean()),
        "median_pull": float(np.median(2 * away / (upper - lower))),
        "median_width": float(np.median(0.5 * (upper - lower))),
        "cpu_seconds": float(np.median([row["seconds"] for row in rows])),
        "verdicts": {word: words.count(word) for word in sorted(set(words))},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--halo", nargs="+", choices=("nfw", "burkert"), default=["nfw"])
    parser.add_argument("--method", choices=("importance", "laplace"), default="importance")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    report = {}
    for curve in options.halo:
        rows = [measure(curve, options.method, index) for index in range(options.n)]
        report[curve] = {**summarise(rows), "rows": rows}
        print(f"{curve}:")
        for key, value in summarise(rows).items():
            print(f"  {key}: {value}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
