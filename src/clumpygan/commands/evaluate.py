"""Measure the trained networks against the truth and against their opponents: `evaluate.py`."""

from __future__ import annotations

import json
import platform
import time
from argparse import ArgumentParser, Namespace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan import __version__
from clumpygan.commands.evaluate_cubes import add_cubes_command
from clumpygan.commands.evaluate_realism import add_realism_command
from clumpygan.commands.evaluate_shear import add_shear_command
from clumpygan.commands.evaluation_options import (
    add_super_resolution,
    check_super_resolution,
)
from clumpygan.commands.program import Parser, check_device, run_program
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from clumpygan.commands.evaluation_run import Measurements
    from clumpygan.evaluation.report import Choice

_PACKAGES = ("torch", "numpy", "scipy", "galsim", "scikit-image")


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(lambda options: options.run(options), _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="evaluate.py",
        description="Measure the trained networks against the truth and against their opponents.",
        epilog="evaluate.py TABLE --help explains the flags of each",
    )
    subparsers = parser.add_subparsers(metavar="TABLE", required=True)
    add_super_resolution(subparsers).set_defaults(run=_super_resolution)
    add_realism_command(subparsers)
    add_cubes_command(subparsers)
    add_shear_command(subparsers)
    return parser


def _super_resolution(options: Namespace) -> None:
    begin = time.perf_counter()
    check_super_resolution(options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    import numpy as np

    from clumpygan.commands.evaluation_run import run
    from clumpygan.evaluation.report import (
        MAGNITUDE_BINS,
        choose_iterations,
        in_bin,
        summarise,
        text_table,
    )
    from clumpygan.io import atomic_path, check_output_path

    for path in (options.metrics, options.picture):
        if path is not None:
            check_output_path(path)
    check_device(options.device)
    number = _number_of_galaxies(options)
    found = run(options, number)
    records, choices = choose_iterations(found.records, found.magnitude)
    values, uncertainties = summarise(records, found.magnitude, np.random.default_rng(options.seed))
    counts = {name: int(in_bin(found.magnitude, name).sum()) for name in MAGNITUDE_BINS}
    print(text_table(values, counts))
    for name, choice in choices.items():
        best = ", ".join(f"{key} {count}" for key, count in choice.iterations.items())
        print(f"iterations of {name}, best for each bin by the truth: {best}")
    if options.picture is not None:
        from clumpygan.commands.evaluation_picture import draw_comparison

        with atomic_path(options.picture) as path:
            draw_comparison(options, found.magnitude, choices, path)
    report = _report(options, found, choices, counts)
    report |= {"methods": values, "uncertainties": uncertainties}
    report["seconds"] = round(time.perf_counter() - begin, 1)
    if options.metrics is not None:
        with atomic_path(options.metrics) as path:
            path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    written = [str(path) for path in (options.picture, options.metrics) if path is not None]
    print(f"{number} galaxies in {report['seconds']} s" + "".join(f", wrote {p}" for p in written))


def _number_of_galaxies(options: Namespace) -> int:
    from clumpygan.commands.evaluation_run import SYNTHETIC_NUMBER

    if options.catalog is None:
        return options.n or SYNTHETIC_NUMBER
    from clumpygan.commands.evaluation_catalog import CatalogGalaxies
    from clumpygan.instruments import get_instrument

    available = len(CatalogGalaxies(options, get_instrument(options.instrument)))
    if options.n is not None and options.n > available:
        raise InputError(
            f"--n {options.n}: only {available} galaxies of {options.catalog} pass the cuts; "
            "ask for fewer, or leave --n out for all"
        )
    return options.n or available


def _report(
    options: Namespace, found: Measurements, choices: dict[str, Choice], counts: dict[str, int]
) -> dict[str, Any]:
    """Return everything of the JSON file but the table itself."""
    from clumpygan.evaluation.columns import COLUMNS

    return {
        "program": "evaluate.py super_resolution",
        "seed": options.seed,
        "galaxies": counts,
        "definitions": {name: column.definition for name, column in COLUMNS.items()},
        "settings": _settings(options, found),
        "iterations": {
            name: {"best": choice.iterations, "median_nrmse": choice.nrmse}
            for name, choice in choices.items()
        },
        "seconds_per_galaxy": {name: round(value, 4) for name, value in found.seconds.items()},
        "versions": {
            "python": platform.python_version(),
            "clumpygan": __version__,
            **{name: version(name) for name in _PACKAGES},
        },
    }


def _settings(options: Namespace, found: Measurements) -> dict[str, Any]:
    from clumpygan.evaluation import baselines, measure, observations
    from clumpygan.instruments import HST_WFC3_F160W, get_instrument

    survey = get_instrument(options.instrument)
    return {
        "catalog": None if options.catalog is None else str(options.catalog),
        "instrument": survey.name,
        "seeing_fwhm_arcsec": list(survey.psf_fwhm_range),
        "moffat_beta": list(survey.moffat_beta_range),
        "sigma_njy_per_hsc_pixel": float(found.sigma.mean()),
        "hst_instrument": HST_WFC3_F160W.name,
        "stamp_hst_pixels": observations.STAMP_SIZE,
        "coverage_threshold_sigma": measure.COVERAGE_THRESHOLD,
        "chi2_field_hsc_pixels": measure.CHI_SQUARED_SIZE,
        "richardson_lucy_pedestal_sigma": baselines.PEDESTAL,
        "methods": list(options.methods),
        "samples": options.samples,
        "checkpoint": options.checkpoint,
        "ancestor_checkpoint": options.ancestor_checkpoint,
        "checkpoint_sha256": _fingerprints(options),
        "device": options.device,
        "workers": options.workers,
    }


def _fingerprints(options: Namespace) -> dict[str, str]:
    import hashlib

    from clumpygan.gan.checkpoint import find_checkpoint

    names = {"network": options.checkpoint, "ancestor": options.ancestor_checkpoint}
    return {
        method: hashlib.sha256(Path(find_checkpoint(name)).read_bytes()).hexdigest()
        for method, name in names.items()
        if method in options.methods
    }
