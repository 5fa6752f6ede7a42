"""The joint density of real galaxies that synthetic ones are drawn from, and how they compare.

    python benchmarks/population_density.py GALFIT FAST [--write] [--metrics density.json]

GALFIT is a catalogue of structural parameters (`cosmos_3dhst.v4.1_f160w.galfit`, van der Wel et al.
2012) and FAST the redshifts and masses of the same sources (`cosmos_3dhst.v4.1.fout`, Skelton et
al. 2014); both are public at the 3D-HST site. With `--write` the density is fitted again and
written into the package: a Gaussian mixture in (H, log(1 + z), log mass, log size, log n, logit q)
by extreme deconvolution (Bovy, Hogg & Roweis 2011), so that the errors of H, size, n and q are
taken out, and quantiles of the redshift at each magnitude. Without, only the table is printed: for
each magnitude the catalogue ("real"), what is drawn for the same magnitudes ("drawn"), and the same
with errors of the catalogue put on it ("measured"), which is what to compare with "real".
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from clumpygan.galaxies.images.density import (
    DENSITY_FILE,
    MINIMUM_REDSHIFT,
    PopulationDensity,
    population_density,
    to_coordinates,
    to_quantities,
)

QUANTITIES = ("half_light_radius", "sersic_index", "axis_ratio", "redshift", "log_stellar_mass")
MAGNITUDES = (20, 21, 22, 23, 24, 25, 26)
FITTED_MAGNITUDES = (19.5, 26.5)
LARGEST_RADIUS = 4.0
COMPONENTS, ITERATIONS, SMALLEST_VARIANCE = 28, 120, 1e-4
LEVELS = (0.0, 0.005, *np.linspace(0.02, 0.98, 33).round(3).tolist(), 0.995, 1.0)
REDSHIFT_GRID, HALF_WINDOW = np.arange(20.0, 26.1, 0.5), 0.5

Array = NDArray[np.float64]
Summary = dict[str, float | list[float]]


def read(galfit: Path, fast: Path) -> dict[str, Array]:
    """Read the good fits (flag 0) with redshift and mass: columns of equal length."""
    shapes, masses = np.genfromtxt(galfit), np.genfromtxt(fast)
    known = {int(row[0]): (row[1], row[6]) for row in masses}
    redshift, mass = np.array([known.get(int(row[0]), (np.nan, np.nan)) for row in shapes]).T
    good = (shapes[:, 3] == 0) & (redshift > MINIMUM_REDSHIFT) & np.isfinite(mass)
    names = ("h_magnitude", "", "half_light_radius", "", "sersic_index", "", "axis_ratio", "")
    columns = {"redshift": redshift[good], "log_stellar_mass": mass[good]}
    for i, name in enumerate(names):
        key = name or f"{names[i - 1]}_error"
        columns[key] = shapes[good, 4 + i]
    return columns


def chosen(columns: dict[str, Array], keep: NDArray[np.bool_]) -> dict[str, Array]:
    return {name: values[keep] for name, values in columns.items()}


def errors(columns: dict[str, Array]) -> Array:
    """Typical error at each magnitude in the coordinates, (N, 6).

    The errors of single galaxies grow with what they overestimate, which would bias the density:
    the median at the same magnitude is taken. Redshifts and masses come without errors.
    """
    slope = 1.0 / np.log(10.0)
    low, high = columns["axis_ratio"] - 0.03, 1.01 - columns["axis_ratio"]
    each = np.zeros((len(low), 6))
    each[:, 0] = columns["h_magnitude_error"]
    each[:, 3] = slope * columns["half_light_radius_error"] / columns["half_light_radius"]
    each[:, 4] = slope * columns["sersic_index_error"] / columns["sersic_index"]
    each[:, 5] = columns["axis_ratio_error"] * 0.98 / np.maximum(low * high, 0.01)
    grid = np.arange(*FITTED_MAGNITUDES, 0.25)
    typical = np.array(
        [np.median(each[abs(columns["h_magnitude"] - x) < 0.25], axis=0) for x in grid]
    )
    return np.stack(
        [np.interp(columns["h_magnitude"], grid, typical[:, i]) for i in range(6)], axis=1
    )


def deconvolve(x: Array, error: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Fit a Gaussian mixture to noisy points: weights (K,), means (K, 6), covariances (K, 6, 6)."""
    generator = np.random.default_rng(0)
    count, size = x.shape
    first = generator.choice(count, COMPONENTS, replace=False, p=weight / weight.sum())
    means = x[first].copy()
    spread = np.cov(x, rowvar=False) / 4.0
    covariances = np.repeat(spread[None], COMPONENTS, axis=0)
    shares = np.full(COMPONENTS, 1.0 / COMPONENTS)
    noise = np.eye(size) * error[:, :, None] ** 2
    for iteration in range(ITERATIONS):
        logarithms = np.empty((count, COMPONENTS))
        truths, scatters = [], []
        for k in range(COMPONENTS):
            total = covariances[k] + noise
            inverse = np.linalg.inv(total)
            pull = np.einsum("nij,nj->ni", inverse, x - means[k])
            distance = ((x - means[k]) * pull).sum(axis=1)
            logarithms[:, k] = np.log(shares[k]) - 0.5 * (distance + np.linalg.slogdet(total)[1])
            truths.append(means[k] + pull @ covariances[k])
            scatters.append(covariances[k] - covariances[k] @ inverse @ covariances[k])
        highest = logarithms.max(axis=1, keepdims=True)
        likelihoods = np.exp(logarithms - highest)
        sums = likelihoods.sum(axis=1, keepdims=True)
        if iteration % 10 == 0:
            value = np.average((highest + np.log(sums))[:, 0], weights=weight)
            print(f"iteration {iteration}: log likelihood {value:.4f}", flush=True)
        owned = likelihoods / sums * weight[:, None]
        amounts = owned.sum(axis=0)
        shares = amounts / amounts.sum()
        for k in range(COMPONENTS):
            means[k] = owned[:, k] @ truths[k] / amounts[k]
            off = truths[k] - means[k]
            covariances[k] = (owned[:, k, None] * off).T @ off
            covariances[k] += np.einsum("n,nij->ij", owned[:, k], scatters[k])
            covariances[k] /= amounts[k]
            covariances[k] += SMALLEST_VARIANCE * np.eye(size)
    return shares, means, covariances


def fit(columns: dict[str, Array]) -> PopulationDensity:
    """Fit the density; each magnitude weighs the same, however many galaxies it has."""
    keep = (
        (columns["h_magnitude"] > FITTED_MAGNITUDES[0])
        & (columns["h_magnitude"] < FITTED_MAGNITUDES[1])
        & (columns["half_light_radius"] < LARGEST_RADIUS)
    )
    used = chosen(columns, keep)
    magnitude = used["h_magnitude"]
    edges = np.arange(FITTED_MAGNITUDES[0], FITTED_MAGNITUDES[1] + 0.1, 0.5)
    counts = np.histogram(magnitude, edges)[0]
    weight = 1.0 / np.interp(magnitude, 0.5 * (edges[1:] + edges[:-1]), counts)
    near = used["redshift"] < 3.0
    shares, means, covariances = deconvolve(
        to_coordinates(chosen(used, near)), errors(used)[near], (weight / weight.mean())[near]
    )
    quantiles = []
    for centre in REDSHIFT_GRID:
        values = used["redshift"][abs(magnitude - centre) < HALF_WINDOW]
        quantiles.append(np.quantile(values, LEVELS))
        quantiles[-1][0] = MINIMUM_REDSHIFT
    return PopulationDensity(
        shares, means, covariances, REDSHIFT_GRID, np.array(LEVELS), np.array(quantiles)
    )


def write(density: PopulationDensity) -> None:
    """Write the numbers into the package."""
    lower = np.tril_indices(6)
    lines = [
        "# Made by benchmarks/population_density.py from the 3D-HST catalogues of COSMOS, v4.1:",
        "# structural parameters in F160W (van der Wel et al. 2012, ApJS 203, 24; 2014, ApJ 788,",
        "# 28), redshifts and masses by FAST (Skelton et al. 2014, ApJS 214, 24).",
        "# components: share, mean (6), lower triangle of the covariance (21), of",
        "# H, log10(1 + z), log10 M, log10 of the half-light radius / arcsec, log10 n, logit q.",
        "components:",
    ]
    for share, mean, covariance in zip(
        density.shares, density.means, density.covariances, strict=True
    ):
        numbers = [share, *mean, *covariance[lower]]
        lines.append("- [" + ", ".join(f"{value:.6g}" for value in numbers) + "]")
    lines.append("# quantiles of the redshift at magnitudes H")
    lines.append(f"redshift_magnitudes: {density.redshift_magnitudes.tolist()}")
    lines.append(f"redshift_levels: {density.redshift_levels.tolist()}")
    lines.append("redshift_quantiles:")
    lines += [
        "- [" + ", ".join(f"{value:.4g}" for value in row) + "]"
        for row in density.redshift_quantiles
    ]
    DENSITY_FILE.write_text("\n".join(lines) + "\n")
    yaml.safe_load(DENSITY_FILE.read_text())


def summary(columns: dict[str, Array]) -> Summary:
    """16, 50 and 84 % of each quantity, and the share with n above 2.5."""
    names = ("h_magnitude", *QUANTITIES)
    found: Summary = {
        name: np.percentile(columns[name], [16, 50, 84]).round(3).tolist() for name in names
    }
    found["n_above_2.5"] = round(float(np.mean(columns["sersic_index"] > 2.5)), 3)
    return found


def compare(columns: dict[str, Array], density: PopulationDensity) -> dict[str, dict[str, Summary]]:
    """Summaries of real, drawn and measured galaxies at z < 2, per magnitude."""
    generator = np.random.default_rng(1)
    error = errors(columns)
    results: dict[str, dict[str, Summary]] = {}
    for low, high in pairwise(MAGNITUDES):
        inside = (columns["h_magnitude"] > low) & (columns["h_magnitude"] < high)
        inside &= columns["redshift"] < 2.0
        real = chosen(columns, inside)
        magnitudes = np.repeat(real["h_magnitude"], max(1, 8000 // inside.sum()))
        rows = [density.draw(generator, h, max_redshift=2.0) for h in magnitudes]
        drawn = {name: np.array([getattr(row, name) for row in rows]) for name in QUANTITIES}
        drawn["h_magnitude"] = magnitudes
        noisy = to_coordinates(drawn)
        noisy += np.repeat(error[inside], max(1, 8000 // inside.sum()), axis=0) * (
            generator.standard_normal(noisy.shape)
        )
        results[f"{low}-{high}"] = {
            "real": {"galaxies": float(inside.sum()), **summary(real)},
            "drawn": summary(drawn),
            "measured": summary(to_quantities(noisy)),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("galfit", type=Path, help="structural parameters, may be gzipped")
    parser.add_argument("fast", type=Path, help="redshifts and masses, may be gzipped")
    parser.add_argument("--write", action="store_true", help="fit the density and write it")
    parser.add_argument("--metrics", type=Path, help="JSON file for the table")
    options = parser.parse_args()
    columns = read(options.galfit, options.fast)
    if options.write:
        write(fit(columns))
    results = compare(columns, population_density())
    for magnitudes, sets in results.items():
        print(f"H = {magnitudes}")
        for name in ("real", "drawn", "measured"):
            print(f"  {name:9s}", *(f"{k} {v}" for k, v in sets[name].items()), sep="  ")
    if options.metrics:
        options.metrics.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
