"""Dark matter within the half-light radius: whether f_DM is unbiased and its intervals hold.

    python benchmarks/masses.py [--n 100] [--halo nfw burkert nfw_mass nfw_fraction ...]
                                [--priors mocks] [--method laplace] [--json FILE]

Mocks of a disk in a halo, at inclinations of 40 to 75 degrees and a S/N of 20 in the brightest
voxel, seen out to 3.5 half-light radii. Those of nfw and burkert have velocities of disk and halo
that are drawn evenly, with f_DM(R_e) of about 0.1 to 0.8; those of curves that are given by masses,
at a redshift of 1, log10 of the baryonic mass from 10 to 11, log10 of the halo's from 11 to 13, or
f_DM(R_e) from 0.1 to 0.8, and the concentrations of simulations. The same curve fits them,
everything else by default, or with `--priors mocks` with the priors from which velocities, masses,
inclination and dispersion of the mocks are drawn. Printed are, of f_DM, and of the masses where
they are given, mean and median of found minus true with the error of the mean, its slope over the
truth, how many 68 % intervals hold the truth, and the median pull.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.fitting.structure.distance import kiloparsecs_per_arcsec
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import (
    CURVE_PARAMETERS,
    GALPAK_ASPECT,
    GALPAK_HEIGHT,
    MASS_CURVES,
)
from clumpygan.galaxies.disks.halo_relations import (
    CONCENTRATION_SCATTER,
    PIVOT,
    concentration_relation,
)
from clumpygan.galaxies.disks.parameters import CURVES
from clumpygan.galaxies.measuring.profiles import profiles_of
from clumpygan.galaxies.rendering.halos import halo_velocity, log_halo_mass
from clumpygan.instruments.spread import GaussianPSF

SEED = 21
RADIUS, SEEING = 0.8, 0.6
"""Arcsec: half-light radius, and FWHM of the PSF."""

SIGNAL_TO_NOISE = 20.0

REDSHIFT = 1.0
"""Of galaxies that are given by masses."""

FRACTION = "dark_matter_fraction_re"
MASSES = ("log_baryonic_mass", "log_halo_mass")
ENDS = ("median", "lower", "upper")
CHOICES = ("nfw", "burkert", *MASS_CURVES)

DRAWN = {
    "inclination": (40.0, 75.0),
    "velocity_dispersion": (20.0, 50.0),
    "maximum_velocity": (80.0, 250.0),
    "halo_velocity": (80.0, 250.0),
    "halo_radius": (0.5, 2.5),
    "log_baryonic_mass": (10.0, 11.0),
    "log_halo_mass": (11.0, 13.0),
    "halo_slope": (0.3, 1.5),
    "dark_matter_fraction": (0.1, 0.8),
}
"""From where to where parameters are drawn evenly, of those that a curve has."""


def priors_of(curve: str) -> dict[str, str]:
    """Return the priors from which the galaxies of mocks are drawn.

    That of a concentration is the default.
    """
    own = {"inclination", "velocity_dispersion", *CURVE_PARAMETERS[curve]}
    return {name: "uniform:{}:{}".format(*ends) for name, ends in DRAWN.items() if name in own}


def measure(curve: str, method: str, priors: dict[str, str], index: int) -> dict[str, Any]:
    """Make and fit one mock."""
    random = np.random.default_rng((SEED, index))
    galaxy = draw_galaxy(curve, random)
    grid = CubeGrid.velocities((30, 28, 28), 0.2, 35.0, line_spread=40.0)
    transfer = partial(GaussianPSF(SEEING).transfer, wavelength=7000.0)
    frame = ObservedFrame(grid, transfer, SEEING)
    clean = CubeRenderer(grid, galaxy.model, transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / SIGNAL_TO_NOISE
    data = clean + sigma * random.standard_normal(clean.shape)
    fitter = DiskFitter(
        DiskModel(curve=curve),  # type: ignore[arg-type]
        frame,
        priors=priors,
        sampler=SamplerSettings(method),  # type: ignore[arg-type]
        redshift=REDSHIFT if curve in MASS_CURVES else None,
    )
    begin = time.process_time()
    result = fitter.fit(data, np.full(data.shape, sigma**2))
    seconds = time.process_time() - begin
    told = {str(row["name"]): row for table in (result.quantities, result.table) for row in table}
    halo = halo_velocity(CURVES.index(curve), RADIUS, galaxy.to_vector())
    total = float(profiles_of(galaxy, [RADIUS])[0][0])
    truths = {FRACTION: float((halo / total) ** 2)}
    truths |= {name: float(getattr(galaxy, name)) for name in MASSES if curve in MASS_CURVES}
    values = {
        name: {"truth": truth, **{end: float(told[name][end]) for end in ENDS}}
        for name, truth in truths.items()
    }
    return {"values": values, "seconds": seconds, "verdict": result.verdict.word}


def draw_galaxy(curve: str, random: np.random.Generator) -> DiskParameters:
    """Draw the galaxy of a mock."""

    def drawn(name: str) -> float:
        return float(random.uniform(*DRAWN[name]))

    common: dict[str, Any] = {
        "half_light_radius": RADIUS,
        "inclination": drawn("inclination"),
        "position_angle": random.uniform(0.0, 360.0),
        "velocity_dispersion": drawn("velocity_dispersion"),
        "scale_height": RADIUS * GALPAK_ASPECT / GALPAK_HEIGHT["gaussian"],
    }
    if curve not in MASS_CURVES:
        return DiskParameters(
            curve=curve,  # type: ignore[arg-type]
            maximum_velocity=drawn("maximum_velocity"),
            halo_velocity=drawn("halo_velocity"),
            halo_radius=drawn("halo_radius"),
            **common,
        )
    median, slope = concentration_relation(REDSHIFT)
    scatter = 10 ** (CONCENTRATION_SCATTER * random.standard_normal())
    if curve != "nfw_fraction":
        mass = drawn("log_halo_mass")
        if curve == "dekel_zhao_mass":
            common["halo_slope"] = drawn("halo_slope")
        return DiskParameters(
            curve=curve,  # type: ignore[arg-type]
            log_baryonic_mass=drawn("log_baryonic_mass"),
            log_halo_mass=mass,
            concentration=median * 10 ** (slope * (mass - PIVOT)) * scatter,
            galaxy_redshift=REDSHIFT,
            angular_scale=float(kiloparsecs_per_arcsec(None, REDSHIFT) or 0),
            **common,
        )
    galaxy = DiskParameters(
        curve="nfw_fraction",
        log_baryonic_mass=drawn("log_baryonic_mass"),
        dark_matter_fraction=drawn("dark_matter_fraction"),
        concentration=median * scatter,
        galaxy_redshift=REDSHIFT,
        angular_scale=float(kiloparsecs_per_arcsec(None, REDSHIFT) or 0),
        **common,
    )
    mass = float(log_halo_mass(galaxy.to_vector()))
    return replace(galaxy, curve=curve, log_halo_mass=mass)  # type: ignore[arg-type]


def summarise(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the numbers of one quantity of all mocks."""
    truth, found, lower, upper = (
        np.array([row["values"][name][key] for row in rows]) for key in ("truth", *ENDS)
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
    parser.add_argument("--halo", nargs="+", choices=CHOICES, default=["nfw"])
    parser.add_argument("--method", choices=("importance", "laplace"), default="importance")
    parser.add_argument("--priors", choices=("default", "mocks"), default="default")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    report = {}
    for curve in options.halo:
        priors = priors_of(curve) if options.priors == "mocks" else {}
        rows = [measure(curve, options.method, priors, index) for index in range(options.n)]
        found = {name: summarise(rows, name) for name in rows[0]["values"]}
        report[curve] = {**found, "rows": rows}
        for name, numbers in found.items():
            print(f"{curve}, {name}:")
            for key, value in numbers.items():
                print(f"  {key}: {value}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
