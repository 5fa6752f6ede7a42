"""Calibration, speed and accuracy of a trained posterior (`fit.py --method amortised`).

    python benchmarks/amortised.py [--mocks 1000] [--corrected 100] [--compared 20]
        [--posterior disk_posterior] [--json amortised.json] [--picture ranks.png]

Galaxies and instruments are drawn from what the posterior was trained on, and cubes simulated that
it has never seen. Of all mocks: ranks of the truth (simulation-based calibration), in each
parameter and in the density, whether they are uniform, and how often central intervals hold the
truth. Of some the corrected draws: how many are effective, and the same calibration. Of a few:
medians and errors next to those of the sampler by importance, with the same priors. CPU times are
of one thread.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clumpygan.errors import InputError
from clumpygan.evaluation.calibration import coverage, histograms, ranks, uniformity
from clumpygan.fitting import AmortisedPosterior, DiskFitter, SamplerSettings
from clumpygan.fitting.amortised import View
from clumpygan.fitting.fitter import FitResult
from clumpygan.fitting.observation import Observation, observe
from clumpygan.fitting.simulations import Simulator
from clumpygan.gan.checkpoint import load_checkpoint

DRAWS = 500
BATCH = 64
SEED = 20_000
"""Not that of any training."""


class Mock:
    """A simulated cube, its truth, and how the network sees it (None if it is refused)."""

    def __init__(self, posterior: AmortisedPosterior, index: int) -> None:
        simulator = Simulator(posterior.domain, SEED)
        frame, values, cube = simulator.mock("benchmark", index)
        correlation = frame.correlation
        variance = 1.0 if correlation is None else 1 / float(correlation.sum())
        self.index, self.values = index, values
        self.observation: Observation = observe(cube, np.full(cube.shape, variance), frame)
        try:
            self.view: View | None = posterior.view(self.observation)
        except InputError as refusal:
            self.view, self.refusal = None, str(refusal)

    def truth(self, posterior: AmortisedPosterior) -> np.ndarray:
        """Return the truth in the coordinates of the domain, as the cube is turned."""
        known = posterior.domain.coordinates
        turned = self.view.orientation.turn_values(known.names, self.values)
        return known.coordinates(known.with_values(turned))


def quick(posterior: AmortisedPosterior, mocks: list[Mock]) -> tuple[np.ndarray, np.ndarray, float]:
    """Ranks (N, n + 1), information (N,) in nats, and CPU seconds per cube, in batches."""
    generator, noise = np.random.default_rng(0), torch.Generator().manual_seed(0)
    table, information, seconds = [], [], 0.0
    for start in range(0, len(mocks), BATCH):
        some = mocks[start : start + BATCH]
        begin = time.process_time()
        u, density = posterior.draw([mock.view for mock in some], DRAWS, noise)
        seconds += time.process_time() - begin
        truth = np.array([mock.truth(posterior) for mock in some])
        true_density = _density(posterior, some, truth)
        prior = -0.5 * (truth**2 + np.log(2 * np.pi)).sum(1)
        information += list(true_density - prior)
        for k in range(len(some)):
            draws = np.column_stack([u[k], density[k]])
            true = np.append(truth[k], true_density[k])
            table.append(ranks(draws, true, generator=generator))
    return np.array(table), np.array(information), seconds / len(mocks)


@torch.no_grad()
def _density(posterior: AmortisedPosterior, mocks: list[Mock], truth: np.ndarray) -> np.ndarray:
    cubes = torch.from_numpy(np.stack([mock.view.cube for mock in mocks]))
    conditions = torch.from_numpy(np.stack([mock.view.conditions for mock in mocks]))
    network: Any = posterior.network
    u = torch.from_numpy(truth.astype(np.float32))
    return network.log_density(u, cubes, conditions).double().numpy()


def single(posterior: AmortisedPosterior, mocks: list[Mock]) -> dict[str, float]:
    """Milliseconds of one cube at a time: the network alone, and a whole result."""
    noise = torch.Generator().manual_seed(0)
    answers = {}
    for name, work in (
        ("view_and_draws", lambda mock: posterior.draw([posterior.view(mock.observation)],
                                                       DRAWS, noise)),
        ("whole_result", lambda mock: fitted(posterior, mock, correct=False)),
    ):  # fmt: skip
        work(mocks[0])
        begin, wall = time.process_time(), time.perf_counter()
        for mock in mocks:
            work(mock)
        answers[f"{name}_cpu_ms"] = 1e3 * (time.process_time() - begin) / len(mocks)
        answers[f"{name}_wall_ms"] = 1e3 * (time.perf_counter() - wall) / len(mocks)
    return answers


def fitted(posterior: AmortisedPosterior, mock: Mock, **settings: Any) -> FitResult:
    fitter = DiskFitter(
        posterior.domain.model,
        mock.observation.frame,
        sampler=SamplerSettings("amortised", **settings),
        posterior=posterior,
    )
    return fitter.fit_observation(mock.observation, seed=mock.index)


def corrected(posterior: AmortisedPosterior, mocks: list[Mock], most: int) -> dict[str, Any]:
    """Efficiency of the correction, and the calibration of corrected draws."""
    generator = np.random.default_rng(1)
    rows, table = [], []
    for mock in mocks:
        begin = time.process_time()
        result = fitted(posterior, mock, most=most)
        seconds = time.process_time() - begin
        draws = result.draws
        rows.append(
            {
                "signal_to_noise": result.signal_to_noise,
                "draws": len(draws.weights),
                "effective": float(draws.effective.min()),
                "efficiency": draws.efficiency,
                "pareto_k": draws.pareto_k,
                "cpu_seconds": seconds,
                "by": draws.method,
                "good": not result.problems,
            }
        )
        # Relative to the coordinates of the fit, whose angles are cut where the cube says.
        coordinates = result.coordinates
        truth = coordinates.coordinates(coordinates.with_values(mock.values))
        table.append(ranks(draws.coordinates, truth, draws.weights, generator=generator))
    share = np.array([row["efficiency"] for row in rows])
    good = np.array([row["good"] for row in rows])
    answer: dict[str, Any] = {
        "mocks": len(rows),
        "efficiency_percentiles_10_50_90": np.percentile(share, [10, 50, 90]).tolist(),
        "without_problems": float(good.mean()),
        "taken_over_by_importance": float(np.mean([row["by"] == "importance" for row in rows])),
        "cpu_seconds_median": float(np.median([row["cpu_seconds"] for row in rows])),
        "rows": rows,
    }
    faint = np.argsort([row["signal_to_noise"] for row in rows])
    for name, part in zip(("faint", "middle", "bright"), np.array_split(faint, 3), strict=True):
        ratios = [rows[k]["signal_to_noise"] for k in part]
        answer[name] = {
            "signal_to_noise": [float(min(ratios)), float(max(ratios))],
            "efficiency_median": float(np.median(share[part])),
            "reached_share": float(good[part].mean()),
        }
    answer["coverage_68"], answer["coverage_error"] = (
        one[0].tolist() for one in coverage(np.array(table), (0.68,))
    )
    return answer


def compared(posterior: AmortisedPosterior, mocks: list[Mock]) -> dict[str, Any]:
    """Medians and errors against those of importance sampling with the same priors."""
    names = posterior.domain.coordinates.names
    away, width, seconds = [], [], []
    for mock in mocks:
        quick_one = fitted(posterior, mock, correct=False)
        priors = dict(zip(names, quick_one.coordinates.priors, strict=True))
        fitter = DiskFitter(posterior.domain.model, mock.observation.frame, priors=priors)
        begin = time.process_time()
        exact = fitter.fit_observation(mock.observation, seed=mock.index)
        seconds.append(time.process_time() - begin)
        if exact.problems:
            continue
        a, b = quick_one.table, exact.table
        turn = np.where(np.array(names) == "position_angle", 360.0, 0.0)
        difference = np.asarray(a["median"] - b["median"])
        difference -= turn * np.round(difference / 360.0)
        away.append(difference / np.asarray(0.5 * (b["upper"] - b["lower"])))
        width.append(np.asarray((a["upper"] - a["lower"]) / (b["upper"] - b["lower"])))
    return {
        "mocks": len(away),
        "sampler_without_problems": f"{len(away)} of {len(mocks)}",
        "sampler_cpu_seconds_median": float(np.median(seconds)),
        "median_shift_in_sigma_rms": dict(
            zip(names, np.sqrt(np.mean(np.square(away), axis=0)).tolist(), strict=True)
        ),
        "error_ratio_median": dict(zip(names, np.median(width, axis=0).tolist(), strict=True)),
    }


def report(names: tuple[str, ...], rank: np.ndarray) -> dict[str, Any]:
    """Print and return how uniform the ranks are."""
    tests = uniformity(rank)
    covered, error = coverage(rank, (0.5, 0.68, 0.95))
    columns = [*names, "density"]
    print(
        f"{'':22s} {'KS':>6s} {'p(KS)':>7s} {'p(chi2)':>7s} {'50 %':>6s} {'68 %':>6s} {'95 %':>6s}"
    )
    for k, name in enumerate(columns):
        shares = " ".join(f"{100 * one:6.1f}" for one in covered[:, k])
        print(f"{name:22s} {tests.distance[k]:6.3f} {tests.ks[k]:7.3f} "
              f"{tests.chi_squared[k]:7.3f} {shares}")  # fmt: skip
    print(f"expected errors of the shares: {', '.join(f'{100 * e:.1f}' for e in error[:, 0])} %")
    return {
        "parameters": columns,
        "mocks": len(rank),
        "ks_distance": tests.distance.tolist(),
        "ks_p": tests.ks.tolist(),
        "chi_squared_p": tests.chi_squared.tolist(),
        "coverage_50_68_95": covered.tolist(),
        "histograms": histograms(rank).tolist(),
    }


def picture(path: Path, names: list[str], counts: list[list[int]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6), layout="constrained")
    panels = figure.subplots(2, -(-len(names) // 2), squeeze=False, sharey=True).flat
    for axis in panels[len(names) :]:
        axis.set_axis_off()
    for axis, name, row in zip(panels, names, counts, strict=False):
        mean = sum(row) / len(row)
        axis.bar(np.arange(len(row)) / len(row), row, 1 / len(row), align="edge")
        axis.axhspan(mean - 2 * mean**0.5, mean + 2 * mean**0.5, color="0.8", zorder=0)
        axis.set_title(name, fontsize=9)
    figure.supxlabel("share of the posterior below the truth")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posterior", default="disk_posterior", help="name or path")
    parser.add_argument("--mocks", type=int, default=1000)
    parser.add_argument("--corrected", type=int, default=100)
    parser.add_argument("--compared", type=int, default=20)
    parser.add_argument("--most", type=int, default=5000, help="cubes rendered at most for each")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, card = load_checkpoint(options.posterior, ("disk_posterior",))
    posterior = AmortisedPosterior.of(network, card, options.posterior)
    names = posterior.domain.coordinates.names

    mocks = [Mock(posterior, index) for index in range(options.mocks)]
    refused = [mock for mock in mocks if mock.view is None]
    mocks = [mock for mock in mocks if mock.view is not None]
    print(f"{len(mocks)} mocks; {len(refused)} more were refused as too bright")
    rank, information, seconds = quick(posterior, mocks)
    results: dict[str, Any] = {
        "posterior": options.posterior,
        "images_seen": card["images_seen"],
        "refused": len(refused),
        "calibration": report(names, rank),
        "information_nats": float(information.mean()),
        "batched_cpu_ms_per_cube": 1e3 * seconds,
        "single": single(posterior, mocks[:50]),
    }
    print(f"information {information.mean():.2f} nats; {DRAWS} draws of a cube: "
          f"{1e3 * seconds:.1f} ms in batches, CPU of one thread")  # fmt: skip
    print(json.dumps(results["single"], indent=1))
    for name, work in (
        ("corrected", lambda: corrected(posterior, mocks[: options.corrected], options.most)),
        ("compared", lambda: compared(posterior, mocks[: options.compared])),
    ):
        if getattr(options, name):
            results[name] = work()
            shown = {k: v for k, v in results[name].items() if k != "rows"}
            print(name, json.dumps(shown, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.picture is not None:
        picture(options.picture, results["calibration"]["parameters"],
                results["calibration"]["histograms"])  # fmt: skip


if __name__ == "__main__":
    main()
