"""`evaluate.py realism`: how like real galaxies generated ones are."""

from __future__ import annotations

import json
import platform
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from clumpygan import __version__
from clumpygan.commands.program import check_device
from clumpygan.commands.realism_options import NO_CHECKPOINT, add_realism, check_realism
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np

    from clumpygan.commands.realism_sets import StampSet
    from clumpygan.commands.realism_synthetic import HeldOut
    from clumpygan.evaluation.realism import Realism
    from clumpygan.evaluation.realism_pictures import Picture

_PACKAGES = ("torch", "numpy", "scipy", "galsim", "scikit-learn", "statmorph", "photutils")
_PSF_SIZE = 25


@dataclass(frozen=True)
class Comparison:
    """What is compared, and ways from one generated galaxy to another (R, S, y, x) if known."""

    held_out: HeldOut
    candidates: list[StampSet]
    made: list[StampSet]
    ways: np.ndarray | None


def add_realism_command(subparsers: Any) -> ArgumentParser:
    """Add the subcommand to those of evaluate.py and return its parser."""
    parser = add_realism(subparsers)
    parser.set_defaults(run=run_realism)
    return parser


def run_realism(options: Namespace) -> None:
    """Compare the sets, print the table, write report and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    check_realism(options)
    check_device(options.device)
    if options.morphology:
        from clumpygan.evaluation.morphology import check_statmorph

        check_statmorph()
    import numpy as np

    from clumpygan.evaluation.realism import Effort, measure_realism
    from clumpygan.evaluation.realism_table import text_table

    _say("galaxies")
    compared = _sets(options)
    held_out = compared.held_out
    sets = {one.name: one.images for one in compared.candidates}
    result = measure_realism(
        held_out.reference.images,
        sets,
        generator=np.random.default_rng(options.seed),
        training=None if held_out.training is None else held_out.training.images,
        psf=_psf_image(held_out),
        effort=Effort(options.morphology, options.pixel_epochs, options.workers, options.device),
        report=_say,
    )
    print(text_table(result))
    ratios = shares_of_smooth(result)
    for name, ratio in ratios.items():
        print(f"Frechet distance of {name} / smooth disks: {ratio:.3f}")
    _say("report")
    written = _write_report(options, compared, result)
    if options.metrics is not None:
        _write_metrics(options, compared, result, ratios, time.perf_counter() - begin)
        written.append(options.metrics)
    seconds = time.perf_counter() - begin
    print(f"wrote {', '.join(map(str, written))} in {seconds:.1f} s")


def _say(stage: str) -> None:
    print(f"{stage} ...", flush=True)


def _sets(options: Namespace) -> Comparison:
    from clumpygan.commands.realism_real import real, stamps_of
    from clumpygan.commands.realism_sets import (
        check_same_frame,
        read_catalog_stamps,
        read_cube_of_stamps,
    )
    from clumpygan.commands.realism_synthetic import SIZE, made_by, synthetic

    # files first: what is wrong with them is said before anything is drawn
    early = [read_cube_of_stamps(path, _survey_noise(), options.seed) for path in _cubes(options)]
    size = early[0].images.shape[1] if early else SIZE
    if options.real is None:
        searched = 0 if options.train is not None else options.train_size
        held_out = synthetic(options.n, options.seed, options.training_seed, searched)
        if options.train is not None:
            training = stamps_of(options.train, size, options).part(slice(0, options.train_size))
            held_out = replace(held_out, training=training)
    else:
        held_out = real(options, size)
    made, ways = [one.part(slice(0, options.n)) for one in early], None
    if not made and options.checkpoint != NO_CHECKPOINT:
        galaxies, ways = made_by(options.checkpoint, held_out.floor, options.seed, options.device)
        made = [galaxies]
    candidates = [held_out.floor, *made, *held_out.opponents]
    if options.catalog is not None:
        side = held_out.reference.images.shape[1]
        candidates.append(read_catalog_stamps(options.catalog, side, options.seed))
    training = [] if held_out.training is None else [held_out.training]
    for one in (*candidates, *training):
        check_same_frame(one, held_out.reference)
    names = [one.name for one in candidates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two sets are called {twice[0]}: rename the file")
    return Comparison(held_out, candidates, made, ways)


def _cubes(options: Namespace) -> Iterable[Path]:
    return options.generated or ()


def _survey_noise() -> Any:
    from clumpygan.instruments import HST_WFC3_F160W

    return HST_WFC3_F160W.noise()


def _psf_image(held_out: HeldOut) -> np.ndarray | None:
    """Return the PSF on the pixels of the stamps, with odd sides, for the Sersic fits."""
    if held_out.psf is None:
        return None
    import numpy as np

    drawn = held_out.psf.drawImage(
        nx=_PSF_SIZE,
        ny=_PSF_SIZE,
        scale=held_out.reference.pixel_scale,
        method="no_pixel",
        dtype=np.float64,
    )
    return np.asarray(drawn.array)


def shares_of_smooth(result: Realism) -> dict[str, float]:
    """Return the Frechet distance of each other set in units of that of the smooth disks."""
    from clumpygan.commands.realism_synthetic import SMOOTH

    if SMOOTH not in result.numbers:
        return {}
    unit = result.numbers[SMOOTH]["frechet"]["value"]
    return {
        name: tests["frechet"]["value"] / unit
        for name, tests in result.numbers.items()
        if name != SMOOTH and unit > 0
    }


def _write_report(options: Namespace, compared: Comparison, result: Realism) -> list[Path]:
    from clumpygan.evaluation.realism_report import report_html
    from clumpygan.io import atomic_path

    options.output.mkdir(exist_ok=True)
    pictures = _pictures(compared, result)
    for picture in pictures:
        with atomic_path(options.output / f"{picture.name}.png") as path:
            path.write_bytes(picture.png)
    facts = {"reference": compared.held_out.reference.text}
    facts |= {one.name: one.text for one in compared.candidates}
    if compared.held_out.training is not None:
        facts["training"] = compared.held_out.training.text
    facts["seed"] = str(options.seed)
    facts["clumpygan"] = __version__
    page = options.output / "index.html"
    with atomic_path(page) as path:
        path.write_text(report_html(result, pictures, facts, "How real generated galaxies are"))
    return [page]


def _pictures(compared: Comparison, result: Realism) -> list[Picture]:
    from clumpygan.evaluation import realism_pictures as draw
    from clumpygan.evaluation.realism import REFERENCE

    held_out = compared.held_out
    sets = {REFERENCE: held_out.reference.images}
    sets |= {one.name: one.images for one in compared.candidates}
    # the floor looks like the reference: what is looked at is what was made, and its opponents
    shown = {name: images for name, images in sets.items() if name != held_out.floor.name}
    pictures = [
        draw.stamp_grids(shown),
        draw.histograms(result),
        draw.power_spectra(sets, held_out.reference.pixel_scale),
    ]
    if held_out.training is not None and compared.made:
        made = compared.made[0]
        pictures.append(
            draw.neighbour_pairs(
                made.name, made.images, held_out.training.images, result.neighbours[made.name]
            )
        )
    if compared.ways is not None and compared.ways.size:
        pictures.append(draw.interpolation(compared.ways))
    return pictures


def _write_metrics(
    options: Namespace,
    compared: Comparison,
    result: Realism,
    ratios: dict[str, float],
    seconds: float,
) -> None:
    from clumpygan.commands.provenance import commit
    from clumpygan.evaluation.image_statistics import DEFINITIONS
    from clumpygan.io import atomic_path

    training = compared.held_out.training
    settings = {
        name: str(value) if value is not None and not isinstance(value, int) else value
        for name, value in vars(options).items()
        if name not in ("run", "generated")
    }
    report = {
        "program": "evaluate.py realism",
        "settings": settings
        | {
            "generated": [str(path) for path in _cubes(options)],
            "pixel_scale_arcsec": compared.held_out.reference.pixel_scale,
            "training_images": 0 if training is None else len(training.images),
        },
        "sets": {one.name: one.text for one in compared.candidates},
        **result.as_dict(),
        "frechet_in_units_of_smooth_disks": ratios,
        "definitions": DEFINITIONS,
        "total_seconds": round(seconds, 1),
        "versions": {
            "python": platform.python_version(),
            "clumpygan": __version__,
            "commit": commit(),
            **{name: _version(name) for name in _PACKAGES},
        },
    }
    with atomic_path(options.metrics) as path:
        path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError

    try:
        return version(package)
    except PackageNotFoundError:
        return None
