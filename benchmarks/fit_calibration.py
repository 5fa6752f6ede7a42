"""Are the posteriors of fits calibrated? Ranks of the truth over mocks drawn from the prior.

    python benchmarks/fit_calibration.py [--mocks 200] [--curve tanh] [--json ranks.json]
        [--picture ranks.png]

Parameters are drawn from the very priors that the fit has, cubes rendered with them, noise added
whose sigma is that of a S/N of 10 in the brightest voxel of a typical galaxy, and the share of the
posterior below the truth taken (Talts et al. 2018; see `clumpygan.evaluation.calibration`). Over
many mocks these shares are uniform if, and only if, the posteriors are right: sampler, optimum,
renderer and likelihood together. Mocks of `fit_mocks`, on its grid; masses of curves
that are given by them are those of `masses`, at its redshift.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from fit_mocks import KNOWN, mock_frame
from masses import DRAWN, REDSHIFT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clumpygan.evaluation.calibration import coverage, histograms, ranks, uniformity
from clumpygan.fitting import DiskFitter, SamplerSettings
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.structure.distance import kiloparsecs_per_arcsec
from clumpygan.galaxies import GALPAK_HEIGHT, CubeRenderer, DiskModel
from clumpygan.galaxies.disks.disk_model import CURVE_PARAMETERS, GALPAK_ASPECT, MASS_CURVES

PRIORS = {
    "flux": "lognormal:1:0.5",
    "offset_x": "normal:0:0.2",
    "offset_y": "normal:0:0.2",
    "systemic_velocity": "normal:0:40",
    "half_light_radius": "lognormal:0.9:0.35",
    "inclination": "isotropic:15:85",
    "position_angle": "uniform:0:360",
    "velocity_dispersion": "uniform:10:100",
}
OF_CURVES = {
    "maximum_velocity": "uniform:50:350",
    "turnover_radius": "lognormal:0.25:0.5",
    **{name: "uniform:{}:{}".format(*DRAWN[name]) for name in DRAWN if name.startswith("log_")},
    "halo_slope": "uniform:{}:{}".format(*DRAWN["halo_slope"]),
    "dark_matter_fraction": "uniform:{}:{}".format(*DRAWN["dark_matter_fraction"]),
}
"""Priors of what curves have; that of a concentration is the default."""

TYPICAL = {
    "flux": 1.0, "half_light_radius": 0.9, "inclination": 60.0, "maximum_velocity": 200.0,
    "turnover_radius": 0.25, "velocity_dispersion": 50.0,
    "scale_height": 0.9 * GALPAK_ASPECT / GALPAK_HEIGHT["gaussian"], **KNOWN,
}  # fmt: skip
TIED = {"scale_height": f"{GALPAK_ASPECT / GALPAK_HEIGHT['gaussian']!r}*half_light_radius"}
"""The default, but said: fits free the thickness of well resolved disks, and mocks don't."""

SIGNAL_TO_NOISE = 10.0


def noise_sigma(renderer: CubeRenderer, known: dict[str, float]) -> float:
    """Return the noise of all mocks, so that it says nothing of the galaxy."""
    vector = renderer.model.defaults()
    for name, value in (TYPICAL | known).items():
        vector[renderer.model.index(name)] = value
    return float(renderer(vector[None]).max()) / SIGNAL_TO_NOISE


def rank_of(
    fitter: DiskFitter, coordinates: Coordinates, renderer: CubeRenderer, sigma: float, key: Any
) -> tuple[np.ndarray, bool]:
    """Draw a mock, fit it, and return its ranks (n,) and whether the fit is good."""
    random = np.random.default_rng(key)
    vector = coordinates.vectors(random.standard_normal(coordinates.count))
    clean = renderer(vector[None])[0]
    data = clean + sigma * random.standard_normal(clean.shape)
    result = fitter.fit(data, np.full(data.shape, sigma**2), seed=int(random.integers(2**31)))
    samples = result.coordinates.values(result.draws.coordinates)
    truth = vector[coordinates.places]
    angle = list(coordinates.names).index("position_angle")
    samples[:, angle] -= 360 * np.round((samples[:, angle] - truth[angle]) / 360)
    found = ranks(samples, truth, result.draws.weights, generator=random)
    return found, result.converged


def draw_ranks(names: tuple[str, ...], table: np.ndarray, path: Path) -> None:
    """Draw a histogram for each parameter, with the 95 % range of uniform ranks."""
    bins = 10
    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, (len(names) + 1) // 2, sharey=True).ravel()
    expected = len(table) / bins
    spread = 2 * np.sqrt(expected * (1 - 1 / bins))
    for axis, name, counts in zip(axes, names, histograms(table, bins), strict=False):
        axis.axhspan(expected - spread, expected + spread, color="0.85")
        axis.stairs(counts, np.linspace(0, 1, bins + 1), color="C0")
        axis.set_title(name, fontsize=8)
    figure.supxlabel("share of the posterior below the truth", fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocks", type=int, default=200)
    parser.add_argument("--curve", choices=("tanh", *MASS_CURVES), default="tanh")
    parser.add_argument("--method", choices=("importance", "laplace", "nuts"), default="importance")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--picture", type=Path, help="histograms of the ranks")
    options = parser.parse_args()
    frame, model = mock_frame(), DiskModel(curve=options.curve)
    known = dict(KNOWN)
    if options.curve in MASS_CURVES:
        scale = kiloparsecs_per_arcsec(None, REDSHIFT)
        known |= {"galaxy_redshift": REDSHIFT, "angular_scale": float(scale or 0)}
    own = [name for name in CURVE_PARAMETERS[options.curve] if name in OF_CURVES]
    fitter = DiskFitter(
        model,
        frame,
        fixed=known,
        priors=PRIORS | {name: OF_CURVES[name] for name in own},
        tied=TIED,
        sampler=SamplerSettings(method=options.method),
    )
    coordinates = Coordinates.of(model, fitter.choices, frame.grid, 1.0)
    renderer = CubeRenderer(frame.grid, model, frame.transfer, 1e-4)
    sigma = noise_sigma(renderer, known)
    rows, good = [], 0
    for index in range(options.mocks):
        rank, fine = rank_of(fitter, coordinates, renderer, sigma, (options.seed, index))
        rows.append(rank)
        good += fine
        if (index + 1) % 20 == 0:
            print(f"{index + 1} of {options.mocks} mocks, {good} good fits", flush=True)
    table = np.array(rows)
    tests = uniformity(table, bins=10)
    covered, error = coverage(table)
    print(f"\n{options.mocks} mocks, curve {options.curve}, method {options.method}")
    print("parameter              KS p    chi^2 p   coverage of 50, 68, 90, 95 %")
    for k, name in enumerate(coordinates.names):
        shares = "  ".join(f"{100 * share:5.1f}" for share in covered[:, k])
        print(f"{name:20s} {tests.ks[k]:6.3f} {tests.chi_squared[k]:9.3f}   {shares}")
    print("all                                     "
          + "  ".join(f"{100 * share:5.1f}" for share in covered.mean(1))
          + f"   (+- {100 * error[1, 0]:.1f} of one parameter at 68 %)")  # fmt: skip
    print(f"smallest of {len(tests.ks)} p: KS {tests.ks.min():.3f}, chi^2 "
          f"{tests.chi_squared.min():.3f}")  # fmt: skip
    if options.picture:
        draw_ranks(coordinates.names, table, options.picture)
    if options.json:
        report = {
            "mocks": options.mocks,
            "curve": options.curve,
            "method": options.method,
            "good": good,
            "names": list(coordinates.names),
            "ranks": table.tolist(),
            "ks_p": tests.ks.tolist(),
            "chi_squared_p": tests.chi_squared.tolist(),
            "coverage": covered.tolist(),
            "coverage_error": error.tolist(),
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
