"""Fits of disks: CPU time, effective draws, errors and coverage, beside GalPaK3D on the same mocks.

    python benchmarks/fit.py [--peers DIR] [--json fit.json]

`DIR/galpak/bin/python` is the Python of GalPaK3D's environment; without it ours are measured alone.
Both have one thread and take turns. GalPaK3D runs its default 15,000 iterations, from near the
truth and with steps of the size its manual asks for, whose search isn't counted; that costs minutes
per mock, so that it gets the first few. With fewer `--iterations` its CPU time is scaled to 15,000,
its effective draws aren't. Our code is compiled before the clock starts.

1. Mocks (see `fit_mocks`): CPU seconds of the optimum and of all, the effective draws of the worst
   parameter, errors.
2. More of the same mocks: how many 68 % intervals have the truth in them.
3. Case a of FACTS.md: the errors to be expected, in table and in truth.
4. One mock with many seeds: the number of effective draws that the scatter of the means implies.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cube_cases import CASES
from fit_mocks import KNOWN, MODEL, FitMock, fit_mock, galpak_task, mock_frame

from clumpygan.fitting import DiskFitter, FitResult
from clumpygan.galaxies import CubeRenderer, DiskParameters

HERE = Path(__file__).resolve().parent
ITERATIONS, BURN_IN = 15_000, 0.4
SEED = 7
WANTED = 400

EXPECTED = {
    "offset_x": 0.037, "offset_y": 0.037, "flux": 0.014, "half_light_radius": 0.019,
    "inclination": 1.0, "position_angle": 0.74, "turnover_radius": 0.09, "maximum_velocity": 3.4,
    "velocity_dispersion": 2.9,
}  # fmt: skip
"""Errors of case a at a S/N of 10, by least squares on GalPaK3D's own model: pixels for the centre,
shares for flux and radii, degrees, km/s."""

GALPAK_NAMES = {
    "x": "offset_x", "y": "offset_y", "z": "systemic_velocity", "flux": "flux",
    "radius": "half_light_radius", "inclination": "inclination", "pa": "position_angle",
    "turnover_radius": "turnover_radius", "maximum_velocity": "maximum_velocity",
    "velocity_dispersion": "velocity_dispersion",
}  # fmt: skip


def our_fit(
    fitter: DiskFitter, data: np.ndarray, variance: np.ndarray, seed: int
) -> tuple[FitResult, float]:
    """Fit a cube; return CPU seconds too."""
    begin = time.process_time()
    result = fitter.fit(data, variance, seed=seed)
    return result, time.process_time() - begin


def parameters_of(result: FitResult, truth: DiskParameters) -> dict[str, dict[str, float]]:
    """Return what a fit says of each parameter, with the truth; angles on the truth's turn."""
    rows = {}
    for row in result.table:
        name = str(row["name"])
        values = {key: float(row[key]) for key in ("median", "lower", "upper", "mean")}
        true = float(getattr(truth, name))
        if name == "position_angle":
            turn = 360.0 * round((values["median"] - true) / 360.0)
            values = {key: value - turn for key, value in values.items()}
        rows[name] = values | {
            "truth": true,
            "deviation": float(row["deviation"]),
            "effective": float(row["effective"]),
        }
    return rows


def measure_ours(fitter: DiskFitter, mock: FitMock) -> dict[str, Any]:
    """Fit a mock and return the numbers."""
    result, seconds = our_fit(fitter, mock.data, mock.variance, mock.index)
    rows = parameters_of(result, mock.galaxy)
    return {
        "signal_to_noise": mock.signal_to_noise,
        "cpu_seconds": seconds,
        "optimum_seconds": result.seconds["start"] + result.seconds["optimum"],
        "cubes": result.evaluations,
        "effective": min(row["effective"] for row in rows.values()),
        "problems": list(result.problems),
        "parameters": rows,
    }


def measure_galpak(python: Path, mock: FitMock, iterations: int, folder: Path) -> dict[str, Any]:
    """Let GalPaK3D fit a mock, unless the folder has its chain already."""
    import arviz

    cube, chain = folder / f"cube_{mock.index}.npz", folder / f"chain_{mock.index}.npz"
    if not chain.exists():
        task = json.dumps(galpak_task(mock))
        np.savez(cube, data=mock.data, sigma=mock.sigma, task=task)
        single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "NUMBA", "MKL", "OPENBLAS")}
        partial = folder / f"partial_{mock.index}.npz"
        subprocess.run(
            [str(python), str(HERE / "fit_galpak.py"), str(cube), str(partial), str(iterations)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | single,
        )
        partial.rename(chain)
    with np.load(chain) as stored:
        names = [str(name) for name in stored["names"]]
        last = stored["chain"][int(BURN_IN * len(stored["chain"])) :]
        truth = galpak_task(mock)["parameters"]
        rows = {}
        for name, values in zip(names, last.T, strict=True):
            if name == "pa":
                values = truth[name] + (values - truth[name] + 180) % 360 - 180
            low, middle, high = np.quantile(values, (0.15866, 0.5, 0.84134))
            rows[GALPAK_NAMES[name]] = {
                "truth": truth[name],
                "median": float(middle),
                "lower": float(low),
                "upper": float(high),
                "deviation": float(values.std()),
                "effective": float(arviz.ess(values[None], method="mean")),
            }
        return {
            "version": str(stored["version"]),
            "cpu_seconds": float(stored["cpu_seconds"]),
            "iterations": len(stored["chain"]),
            "acceptance_percent": float(stored["acceptance"]),
            "effective": [
                min(row["effective"] for row in rows.values()),
                max(row["effective"] for row in rows.values()),
            ],
            "parameters": rows,
        }


def compare(fitter: DiskFitter, options: argparse.Namespace, folder: Path) -> list[dict]:
    """Part 1."""
    python = options.peers / "galpak" / "bin" / "python" if options.peers else None
    if python is not None and not python.exists():
        raise SystemExit(f"{python} isn't there; see benchmarks/cubes.py on --peers")
    print("mock  S/N  optimum s   all s  cubes  effective   GalPaK3D s  effective      ratio")
    results = []
    for index in range(options.mocks):
        mock = fit_mock(SEED, index)
        ours = measure_ours(fitter, mock)
        line = (
            f"{index:4d} {mock.signal_to_noise:4.0f} {ours['optimum_seconds']:9.2f} "
            f"{ours['cpu_seconds']:8.2f} {ours['cubes']:6d} {ours['effective']:9.0f}"
        )
        found: dict[str, Any] = {"ours": ours}
        if python is not None and index < options.galpak:
            theirs = found["galpak"] = measure_galpak(python, mock, options.iterations, folder)
            scaled = theirs["cpu_seconds"] * ITERATIONS / theirs["iterations"]
            found["ratio"] = scaled / ours["cpu_seconds"]
            low, high = theirs["effective"]
            line += f"   {scaled:10.0f} {low:6.0f}-{high:<6.0f} {found['ratio']:6.0f}"
            if theirs["iterations"] < ITERATIONS:
                line += f"   scaled from {theirs['iterations']} iterations"
        print(line + "".join(f"   {text}" for text in ours["problems"]), flush=True)
        results.append(found)
    return results


def coverage(fitter: DiskFitter, count: int, done: list[dict]) -> dict[str, Any]:
    """Part 2."""
    fits = [one["ours"] for one in done[:count]]
    fits += [measure_ours(fitter, fit_mock(SEED, index)) for index in range(len(fits), count)]
    names = list(fits[0]["parameters"])
    inside = {name: [_inside(fit["parameters"][name]) for fit in fits] for name in names}
    pulls = {name: [_pull(fit["parameters"][name]) for fit in fits] for name in names}
    found = {
        "mocks": count,
        "with_problems": sum(bool(fit["problems"]) for fit in fits),
        "coverage_percent": {name: 100 * float(np.mean(inside[name])) for name in names},
        "all_percent": 100 * float(np.mean(list(inside.values()))),
        "pull_mean": {name: float(np.mean(pulls[name])) for name in names},
        "pull_rms": {name: float(np.sqrt(np.mean(np.square(pulls[name])))) for name in names},
    }
    print(f"\n68 % intervals over {count} mocks: {found['all_percent']:.1f} % in all")
    for name in names:
        print(
            f"  {name:20s} {found['coverage_percent'][name]:5.1f} %   (median - truth) / "
            f"deviation: mean {found['pull_mean'][name]:+.2f}, rms {found['pull_rms'][name]:.2f}"
        )
    return found


def _inside(row: dict[str, float]) -> bool:
    return row["lower"] <= row["truth"] <= row["upper"]


def _pull(row: dict[str, float]) -> float:
    return (row["median"] - row["truth"]) / row["deviation"]


def expected_errors(fitter: DiskFitter, repeats: int) -> dict[str, Any]:
    """Part 3."""
    galaxy = DiskParameters.from_dict(CASES["a_thick"].parameters(True), MODEL)
    frame = mock_frame()
    clean = CubeRenderer(frame.grid, MODEL, frame.transfer, 1e-5)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / 10
    rows = []
    for seed in range(repeats):
        noise = np.random.default_rng((SEED, 1000 + seed)).standard_normal(clean.shape)
        result, _ = our_fit(fitter, clean + sigma * noise, np.full(clean.shape, sigma**2), seed)
        rows.append(parameters_of(result, galaxy))
    found = {}
    print(f"\ncase a at S/N 10, {repeats} times  expected  68 % interval / 2  scatter about truth")
    for name, expected in EXPECTED.items():
        scale = {"offset_x": 0.2, "offset_y": 0.2}.get(name, 1.0)
        if name in ("flux", "half_light_radius", "turnover_radius"):
            scale = float(getattr(galaxy, name))
        stated = median((row[name]["upper"] - row[name]["lower"]) / 2 for row in rows) / scale
        away = [row[name]["median"] - row[name]["truth"] for row in rows]
        scatter = float(np.sqrt(np.mean(np.square(away)))) / scale
        found[name] = {"expected": expected, "stated": stated, "scatter": scatter}
        print(f"  {name:28s} {expected:8.3f} {stated:16.3f} {scatter:16.3f}")
    return found


def repeatability(fitter: DiskFitter, index: int, repeats: int) -> dict[str, Any]:
    """Part 4."""
    mock = fit_mock(SEED, index)
    means, deviations, effective = [], [], []
    for seed in range(repeats):
        result, _ = our_fit(fitter, mock.data, mock.variance, 100 + seed)
        means.append(np.array(result.table["mean"]))
        deviations.append(np.array(result.table["deviation"]))
        effective.append(np.array(result.table["effective"]))
    implied = np.mean(np.square(deviations), axis=0) / np.var(means, axis=0, ddof=1)
    found = {
        "mock": index,
        "repeats": repeats,
        "stated": float(np.mean(effective)),
        "implied": float(1 / np.mean(1 / implied)),
    }
    print(
        f"\neffective draws of mock {index}: stated {found['stated']:.0f}, implied by the scatter "
        f"of {repeats} repeats {found['implied']:.0f} (all parameters together)"
    )
    return found


def verdict(report: dict[str, Any]) -> None:
    """Print the numbers that the README quotes."""
    ours = [one["ours"] for one in report["mocks"]]
    ratios = [one["ratio"] for one in report["mocks"] if "ratio" in one]
    print(
        f"\nover {len(ours)} mocks: {median(fit['cpu_seconds'] for fit in ours):.2f} s (at most "
        f"{max(fit['cpu_seconds'] for fit in ours):.2f}), the optimum "
        f"{median(fit['optimum_seconds'] for fit in ours):.2f} s (at most "
        f"{max(fit['optimum_seconds'] for fit in ours):.2f}); effective draws at least "
        f"{min(fit['effective'] for fit in ours):.0f}"
    )
    if ratios:
        print(
            f"GalPaK3D / ours: {min(ratios):.0f} to {max(ratios):.0f}, median {median(ratios):.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=Path, help="folder with GalPaK3D's environment in galpak/")
    parser.add_argument("--mocks", type=int, default=30)
    parser.add_argument("--galpak", type=int, default=6, help="mocks that GalPaK3D fits")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of GalPaK3D")
    parser.add_argument("--coverage", type=int, default=100, help="mocks for the coverage")
    parser.add_argument("--repeats", type=int, default=24, help="fits of parts 3 and 4")
    parser.add_argument("--chains", type=Path, help="folder that keeps GalPaK3D's chains: with it "
                        "a run that was stopped goes on")  # fmt: skip
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    fitter = DiskFitter(MODEL, mock_frame(), fixed=KNOWN)
    our_fit(fitter, *_first(), 0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.chains or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report: dict[str, Any] = {"mocks": compare(fitter, options, folder)}
    verdict(report)
    report["coverage"] = coverage(fitter, options.coverage, report["mocks"])
    report["expected_errors"] = expected_errors(fitter, options.repeats)
    report["repeatability"] = repeatability(fitter, 1, options.repeats)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _first() -> tuple[np.ndarray, np.ndarray]:
    """Return another mock, on which all code is compiled."""
    mock = fit_mock(SEED + 1, 1)
    return mock.data, mock.variance


if __name__ == "__main__":
    main()
