"""`evaluate.py cubes`: how like true velocity cubes generated ones are, and whether they obey."""

from __future__ import annotations

import json
import platform
import time
from argparse import ArgumentParser, Namespace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan import __version__
from clumpygan.commands.evaluate_cubes_options import add_cubes, check_cubes
from clumpygan.commands.program import check_device

if TYPE_CHECKING:
    import numpy as np

    from clumpygan.commands.evaluate_cubes_sets import Compared
    from clumpygan.evaluation.cube_realism import CubeRealism
    from clumpygan.evaluation.realism_pictures import Picture

_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


def add_cubes_command(subparsers: Any) -> ArgumentParser:
    """Add the subcommand to those of evaluate.py and return its parser."""
    parser = add_cubes(subparsers)
    parser.set_defaults(run=run_cubes)
    return parser


def run_cubes(options: Namespace) -> None:
    """Compare the sets, print the tables, write report and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    check_cubes(options)
    check_device(options.device)
    import numpy as np

    from clumpygan.commands.evaluate_cubes_sets import build_sets, load_generators, training_maps
    from clumpygan.evaluation.cube_realism import measure_cubes
    from clumpygan.evaluation.cube_realism_table import text_table

    generators = load_generators(options)
    _say("galaxies")
    compared = build_sets(options, generators)
    training = training_maps(options, compared.data)
    result = measure_cubes(
        compared.reference,
        compared.candidates,
        compared.axes,
        compared.noise,
        generator=np.random.default_rng(options.seed),
        training=training,
        epochs=options.epochs,
        device=options.device,
        report=_say,
    )
    result.seconds = {"galaxies": time.perf_counter() - begin - sum(result.seconds.values()),
                      **result.seconds}  # fmt: skip
    shown: list[Picture] = []
    if options.groups and options.root is None:
        shown += _diversity(options, compared, result)
    if options.fits:
        shown += _obedience(options, compared, result)
    print(text_table(result))
    _say("report")
    written = _write_report(options, compared, result, training, shown)
    if options.metrics is not None:
        _write_metrics(options, result, time.perf_counter() - begin)
        written.append(options.metrics)
    seconds = time.perf_counter() - begin
    print(f"wrote {', '.join(map(str, written))} in {seconds:.1f} s")


def _say(stage: str) -> None:
    print(f"{stage} ...", flush=True)


def _diversity(options: Namespace, compared: Compared, result: CubeRealism) -> list[Picture]:
    """Add how galaxies of the same parameters differ, and return the picture of some."""
    import numpy as np

    from clumpygan.commands.evaluate_cubes_sets import realisations
    from clumpygan.evaluation.cube_report_pictures import realisation_grid
    from clumpygan.evaluation.diversity import diversity, flux_differences, velocity_differences
    from clumpygan.evaluation.line_maps import line_maps

    _say("diversity")
    begin = time.perf_counter()
    made, true = realisations(compared, options.groups, options.seed)

    def differences(cubes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = cubes.reshape(-1, *cubes.shape[2:])
        maps = line_maps(flat, compared.axes, noisy=False)
        flux, velocity = (
            one.reshape(*cubes.shape[:2], *one.shape[1:]) for one in (maps.flux, maps.velocity)
        )
        return flux_differences(flux), velocity_differences(velocity)

    real = differences(true)
    for name, cubes in made.items():
        found = differences(cubes)
        for what, ours, theirs in zip(("flux", "velocity"), found, real, strict=True):
            random = np.random.default_rng(options.seed)
            result.numbers[name][f"diversity_{what}"] = diversity(ours, theirs, random)._asdict()
    result.seconds["diversity"] = time.perf_counter() - begin
    sets = {"truth": true} | {name: made[name] for name in compared.generators}
    return [realisation_grid(sets)]


def _obedience(options: Namespace, compared: Compared, result: CubeRealism) -> list[Picture]:
    """Add what fits say of the cubes, and return the picture of it."""
    import numpy as np
    from tqdm import tqdm

    from clumpygan.commands.cube_fits import FitJob, fit_all
    from clumpygan.commands.evaluate_cubes_sets import cubes_to_fit
    from clumpygan.evaluation.cube_report_pictures import obedience_scatter
    from clumpygan.evaluation.obedience import departures, obedience

    _say("fits")
    begin = time.perf_counter()
    count = min(options.fits, len(compared.floor))
    told = {name: values[:count] for name, values in compared.floor.conditions.items()}
    sets = cubes_to_fit(compared, count, options.seed)
    jobs = [
        FitJob(
            compared.data.settings.frame,
            cube,
            {name: float(values[i]) for name, values in told.items()},
        )
        for cubes in sets.values()
        for i, cube in enumerate(cubes)
    ]
    with tqdm(total=len(jobs), desc="fitting", unit="cube", disable=None) as bar:
        fitted, result.doubtful_fits = fit_all(jobs, options.workers, bar.update)
    found = {}
    for place, name in enumerate(sets):
        part = slice(place * count, (place + 1) * count)
        found[name] = departures(told, {key: values[part] for key, values in fitted.items()})
    true, *candidates = found
    for name in candidates:
        random = np.random.default_rng(options.seed)
        result.obedience[name] = {
            parameter: {statistic: number._asdict() for statistic, number in vars(one).items()}
            for parameter, one in obedience(found[name], found[true], random).items()
        }
    result.seconds["fits"] = time.perf_counter() - begin
    return [obedience_scatter(told, found)]


def _write_report(
    options: Namespace,
    compared: Compared,
    result: CubeRealism,
    training: np.ndarray | None,
    shown: list[Picture],
) -> list[Path]:
    import numpy as np

    from clumpygan.evaluation import cube_report_pictures as draw
    from clumpygan.evaluation.cube_realism import scaled_to_peak
    from clumpygan.evaluation.cube_realism_report import report_html
    from clumpygan.evaluation.realism_pictures import neighbour_pairs
    from clumpygan.io import atomic_path

    options.output.mkdir(exist_ok=True)
    sets = [compared.floor, *compared.made, compared.smooth]
    known = (False,) if options.root is not None else (True, False)
    pictures = [draw.maps_side_by_side(sets, result, clean=clean) for clean in known]
    pictures += [draw.distributions(result), *shown]
    first = compared.made[0]
    if training is not None:
        cubes = first.observed if first.clean is None else first.clean
        pair = (scaled_to_peak(maps) for maps in (cubes.sum(axis=1), training))
        pictures.append(neighbour_pairs(first.name, *pair, result.neighbours[first.name]))
    for picture in pictures:
        with atomic_path(options.output / f"{picture.name}.png") as path:
            path.write_bytes(picture.png)
    page, key = draw.blind_page(first, compared.floor, result, np.random.default_rng(options.seed))
    blind, answers = options.output / "blind.png", options.output / "blind_key.txt"
    with atomic_path(blind) as path:
        path.write_bytes(page)
    with atomic_path(answers) as path:
        path.write_text(key)
    index = options.output / "index.html"
    with atomic_path(index) as path:
        path.write_text(report_html(result, pictures, _facts(options, compared)))
    return [index, blind]


def _facts(options: Namespace, compared: Compared) -> dict[str, str]:
    v, y, x = compared.data.shape
    low, high = compared.data.signal_to_noise
    made = "generated for the parameters and with the noise of the held-out truth"
    return {
        "reference": f"{len(compared.reference)} true galaxies that no training has seen",
        compared.floor.name: "as many others of the same population: the floor",
        **{one.name: made for one in compared.made},
        compared.smooth.name: "of the same parameters and noise, without any structure",
        "cubes": f"{v} channels, {y} x {x} pixels; brightest voxel {low:g} to {high:g} times the "
        "noise of a voxel",
        "seed": str(options.seed),
        "clumpygan": __version__,
    }


def _write_metrics(options: Namespace, result: CubeRealism, seconds: float) -> None:
    from clumpygan.commands.cube_fits import FIXED
    from clumpygan.commands.provenance import commit
    from clumpygan.evaluation.cube_realism_table import definitions
    from clumpygan.io import atomic_path

    settings = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if name not in ("run", "output", "metrics")
    }
    report = {
        "program": "evaluate.py cubes",
        **result.as_dict(),
        "definitions": definitions(),
        "settings": settings | {"fixed_in_fits": list(FIXED)},
        "versions": {
            "python": platform.python_version(),
            "clumpygan": __version__,
            "commit": commit(),
            **{name: version(name) for name in _PACKAGES},
        },
        "seconds_in_all": round(seconds, 1),
    }
    with atomic_path(options.metrics) as path:
        path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
