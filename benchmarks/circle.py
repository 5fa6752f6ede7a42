"""The circle of the README: galaxies that generate.py makes, measured by fit.py, beside the truth.

    python benchmarks/circle.py [--n 60] [--seed 5] [--snr 20 8] [--kind smooth clumpy]
        [--instrument NAME] [--method importance] [--light sersic] [--json circle.json]

As `generate.py cubes --n N --snr S [--smooth] [--instrument NAME]` and `fit.py FILE` do it,
everything by default: the header of a cube tells its line, redshift, instrument and PSF. For every
parameter it prints how many 68 % intervals hold the truth, and the width of the distribution of
the pulls: the median distance of median and truth in standard deviations, over 0.674, that of a
normal distribution. Errors are right where the first is 68 % and the second 1. Then the median
pull, and the median and half the 16-84 % range of median minus truth: of `SCALES` over the truth,
otherwise in its own unit.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import clumpygan
from clumpygan.generation.cubes import write_cubes

SCALES = ("flux", "half_light_radius", "maximum_velocity", "turnover_radius", "velocity_dispersion")

NORMAL = 0.6745
"""Median distance of a normal distribution in standard deviations."""


def measured(result: Any, truth: dict[str, float]) -> dict[str, tuple[bool, float, float]]:
    """Return of each parameter whether its interval holds the truth, its pull and its error."""
    found = {}
    for row in result.table:
        value = truth[row["name"]]
        if row["name"] == "position_angle":
            value += 360 * np.round((row["median"] - value) / 360)
        # Half the interval, where the posterior is skewed that on the side of the truth.
        side = (
            row["upper"] - row["median"] if value > row["median"] else row["median"] - row["lower"]
        )
        found[str(row["name"])] = (
            bool(row["lower"] <= value <= row["upper"]),
            float((row["median"] - value) / side),
            float((row["median"] - value) / (value if row["name"] in SCALES else 1)),
        )
    return found


def circle(
    n: int, seed: int, ratio: float, smooth: bool, settings: dict[str, Any], **frame: str
) -> dict[str, Any]:
    """Generate, fit and compare."""
    rows, words, good, seconds = [], Counter(), [], []
    with tempfile.TemporaryDirectory() as folder:
        files = write_cubes(
            Path(folder) / "galaxies.fits",
            n,
            seed=seed,
            signal_to_noise=ratio,
            smooth=smooth,
            **frame,
        )
        for index in range(n):
            begin = time.process_time()
            result = clumpygan.fit(files.path(index), **settings)
            seconds.append(time.process_time() - begin)
            rows.append(measured(result, dict(result.observation.truth)))
            words[result.verdict.word] += 1
            good.append(result.verdict.word == "good")
    table = {}
    # Of well resolved disks the thickness may be free.
    for name in (name for name in rows[0] if all(name in row for row in rows)):
        inside = np.array([row[name][0] for row in rows])
        pulls = np.array([row[name][1] for row in rows])
        low, middle, high = np.percentile([row[name][2] for row in rows], (16, 50, 84))
        table[name] = {
            "held": float(inside.mean()),
            "held_of_good": float(inside[good].mean()) if any(good) else None,
            "pull": float(np.median(np.abs(pulls)) / NORMAL),
            "mean_pull": float(np.median(pulls)),
            "bias": float(middle),
            "scatter": float((high - low) / 2),
        }
    return {"parameters": table, "verdicts": dict(words), "cpu_seconds": float(np.median(seconds))}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=60)
    parser.add_argument("--seed", type=int, default=5, help="of the galaxies")
    parser.add_argument("--snr", type=float, nargs="+", default=[20.0, 8.0])
    parser.add_argument("--kind", nargs="+", choices=("smooth", "clumpy"),
                        default=["smooth", "clumpy"])  # fmt: skip
    parser.add_argument("--instrument", help="whose cubes; those of the training by default")
    parser.add_argument("--method", choices=("importance", "laplace"), default="importance")
    parser.add_argument("--light", choices=("sersic", "map"), default="sersic")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    settings = {"method": options.method, "light": options.light}
    report = {}
    for kind in options.kind:
        for ratio in options.snr:
            frame = {"instrument": options.instrument} if options.instrument else {}
            found = circle(options.n, options.seed, ratio, kind == "smooth", settings, **frame)
            report[f"{kind} {ratio:g}"] = found
            print(f"{options.n} {kind} galaxies of seed {options.seed}, S/N {ratio:g}: "
                  f"{found['verdicts']}, {found['cpu_seconds']:.2f} CPU s")  # fmt: skip
            print("  parameter            held  of good  width of pulls  median pull"
                  "  median error  scatter")  # fmt: skip
            for name, one in found["parameters"].items():
                good = "-" if one["held_of_good"] is None else f"{100 * one['held_of_good']:.0f}"
                print(f"  {name:20s} {100 * one['held']:3.0f} %  {good:>5s} %  "
                      f"{one['pull']:10.2f}  {one['mean_pull']:+14.2f}  {one['bias']:+12.3f}"
                      f"  {one['scatter']:7.3f}", flush=True)  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
