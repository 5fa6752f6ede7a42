"""`evaluate.py shear`: how well the shear of single disks is measured (kinematic lensing)."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clumpygan import __version__
from clumpygan.commands.cube_flags import add_frame_flags, frame_settings
from clumpygan.commands.flag_types import LARGEST_SEED, integer, number
from clumpygan.commands.worker_pool import worker_pool
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from clumpygan.commands.shear_mocks import ShearSettings

DESCRIPTION = """\
How well the shear (g1, g2) of single disks is measured from their velocity cubes.

First a forecast of the error for each S/N, resolution and inclination, from the Fisher matrix, with
and without a Tully-Fisher prior: sensitivity.ecsv. Then fits of mocks: their bias, scatter and
errors: mocks.ecsv. shear.png shows both.

The shear across the major axis (at 45 degrees to it) turns the axis of the light away from that of
the rotation. That along the axis looks like another inclination, and needs the Tully-Fisher
relation: from the maximum velocity follows the inclination, and from that the shape."""

SIGNALS, SIZES = (5.0, 10.0, 20.0, 40.0), (1.5, 2.0, 3.0, 4.0)
INCLINATIONS = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0)
PUBLISHED = (0.02, 0.04)
"""Errors of a single disk: Kinematic Lensing Inference I (2022), MIRoRS (2024)."""

SENSITIVITY, MOCKS, PICTURE = "sensitivity.ecsv", "mocks.ecsv", "shear.png"


def add_shear_command(subparsers: Any) -> ArgumentParser:
    """Add the subcommand to those of evaluate.py and return its parser."""
    parser = subparsers.add_parser(
        "shear",
        help="shear of single disks: bias and error, by S/N, resolution and inclination",
        description=DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    # fmt: off
    parser.add_argument("--n", type=integer(0, 10**6), default=100, metavar="N",
                        help="mocks that are fitted, in pairs of opposite noise (default:"
                        " %(default)s)")
    parser.add_argument("--signal-to-noise", type=number(0), default=20.0, metavar="RATIO",
                        help="of the brightest voxel of those (default: %(default)s)")
    parser.add_argument("--scatter", type=number(0), metavar="DEX", default=0.056,
                        help="of the Tully-Fisher relation (default: %(default)s)")
    parser.add_argument("--tully-fisher", choices=("yes", "no"), default="yes",
                        help="whether the fits have that prior (default: %(default)s)")
    for name, values, what in (
        ("signals", SIGNALS, "S/N of the forecast"),
        ("sizes", SIZES, "half-light radii of the forecast, over half the FWHM of the PSF"),
        ("inclinations", INCLINATIONS, "inclinations of the forecast, degrees"),
    ):
        text = ",".join(f"{value:g}" for value in values)
        parser.add_argument(f"--{name}", type=_numbers, default=values, metavar="A,B,...",
                            help=f"{what} (default: {text})")
    parser.add_argument("--workers", type=integer(1, 1024), default=1, metavar="N",
                        help="processes that fit (default: %(default)s)")
    parser.add_argument("--seed", type=integer(0, LARGEST_SEED), default=0, metavar="N",
                        help="of mocks and noise (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("shear"), metavar="FOLDER",
                        help="made if it doesn't exist (default: %(default)s)")
    parser.add_argument("--metrics", type=Path, metavar="FILE",
                        help="all numbers as JSON too (default: not written)")
    # fmt: on
    add_frame_flags(parser, "muse_wfm", accuracy=False)
    parser.set_defaults(run=run_shear)
    return parser


def run_shear(options: Namespace) -> None:
    """Forecast, fit the mocks, print the tables, write the files.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    if options.n % 2 or options.n == 2:
        raise InputError(
            f"--n {options.n}: mocks come in pairs; expected an even number from 4 on, or 0"
        )
    frame = frame_settings(options)
    from astropy.table import Table

    from clumpygan.commands.output_files import check_folder, check_outputs
    from clumpygan.commands.provenance import commit
    from clumpygan.commands.shear_mocks import ShearSettings, bias_of, forecast, measure_mock
    from clumpygan.commands.shear_picture import draw_shear
    from clumpygan.io import atomic_path

    check_outputs([("--metrics", options.metrics, ())])
    check_folder("--output", options.output)
    with_prior = ShearSettings(frame, options.scatter, options.seed)
    without = ShearSettings(frame, None, options.seed)
    sensitivity = Table(
        [
            {"tully_fisher": settings.scatter is not None, **forecast(settings, ratio, size, tilt)}
            for settings in (with_prior, without)
            for ratio in options.signals
            for size in options.sizes
            for tilt in options.inclinations
        ]
    )
    print(text_of(sensitivity))
    measured = with_prior if options.tully_fisher == "yes" else without
    with _mapping(options.workers) as apply:
        job = partial(measure_mock, measured, options.signal_to_noise)
        mocks = _followed(apply(job, range(options.n)), options.n)
    bias = bias_of(mocks) if mocks else None
    if bias is not None:
        print(words_of(bias, options.signal_to_noise, options.tully_fisher == "yes"))
    options.output.mkdir(exist_ok=True)
    with atomic_path(options.output / SENSITIVITY) as path:
        sensitivity.write(path, format="ascii.ecsv")
    if mocks:
        with atomic_path(options.output / MOCKS) as path:
            Table(mocks).write(path, format="ascii.ecsv")
    with atomic_path(options.output / PICTURE) as path:
        draw_shear(sensitivity, mocks, path)
    seconds = round(time.perf_counter() - begin, 1)
    if options.metrics is not None:
        report = {
            "program": "evaluate.py shear",
            "clumpygan": __version__,
            "commit": commit(),
            "settings": _settings(options, measured),
            "sensitivity": [_plain(row) for row in sensitivity],
            "mocks": mocks,
            "bias": bias,
            "published_error": list(PUBLISHED),
            "seconds": seconds,
        }
        with atomic_path(options.metrics) as path:
            path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    print(f"wrote {options.output} in {seconds} s")


def text_of(sensitivity: Any) -> str:
    """Return the forecast for the terminal: the rms error of g1 and g2, a line for each S/N."""
    lines = []
    for prior in (True, False):
        part = sensitivity[sensitivity["tully_fisher"] == prior]
        tilts = sorted(set(part["inclination"].tolist()))
        head = "with the Tully-Fisher prior" if prior else "without it"
        lines.append(f"error of g1, g2 of one disk, {head}, at inclinations of")
        lines.append(f"{'S/N':>6s} {'size':>5s}" + "".join(f"{tilt:8.0f}" for tilt in tilts))
        for ratio, size in dict.fromkeys(zip(part["signal_to_noise"], part["size"], strict=True)):
            rows = part[(part["signal_to_noise"] == ratio) & (part["size"] == size)]
            rows.sort("inclination")
            errors = "".join(f"{error:8.3f}" for error in rows["mean"])
            lines.append(f"{ratio:6g} {size:5g}{errors}")
    return "\n".join(lines)


def words_of(bias: dict[str, float], signal_to_noise: float, prior: bool) -> str:
    """Return what the fits of mocks say, for the terminal."""
    return "\n".join(
        [
            f"{bias['mocks']} mocks at S/N {signal_to_noise:g}, with{'' if prior else 'out'} the "
            f"Tully-Fisher prior, {bias['good']} fits to be relied on:",
            *(
                f"  bias of {name} {bias[f'bias_{name}']:+.4f} +- {bias[f'bias_{name}_error']:.4f} "
                f"(without weights {bias[f'plain_bias_{name}']:+.4f} +- "
                f"{bias[f'plain_bias_{name}_error']:.4f})"
                for name in ("g1", "g2")
            ),
            f"  slope of measured over true shear {1 + bias['slope']:.3f} +- "
            f"{bias['slope_error']:.3f}",
            f"  error of one disk in a weighted mean {bias['effective_error']:.4f}; published: "
            f"{PUBLISHED[0]:g} to {PUBLISHED[1]:g}",
            f"  rms along the major axis {bias['error_along']:.4f} (stated "
            f"{bias['stated_error_along']:.4f}), across {bias['error_across']:.4f} (stated "
            f"{bias['stated_error_across']:.4f})",
            f"  68 % intervals with the truth in them: {bias['coverage_percent']:.0f} %",
        ]
    )


@contextmanager
def _mapping(workers: int) -> Iterator[Callable[..., Any]]:
    """Yield `map`, or that of several processes."""
    if workers == 1:
        yield map
        return
    with worker_pool(workers) as pool:
        yield pool.map


def _followed(found: Any, count: int) -> list[dict[str, float]]:
    from tqdm import tqdm

    return list(tqdm(found, total=count, unit="mock", disable=not sys.stderr.isatty()))


def _settings(options: Namespace, measured: ShearSettings) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "frame": asdict(measured.frame),
        "tully_fisher_scatter_dex": measured.scatter,
        "signal_to_noise": options.signal_to_noise,
        "n": options.n,
        "seed": options.seed,
    }


def _plain(row: Any) -> dict[str, Any]:
    return {name: row[name].item() for name in row.colnames}


def _numbers(text: str) -> tuple[float, ...]:
    values: Sequence[float] = [number(0)(one) for one in text.split(",")]
    if len(set(values)) < len(values):
        raise ArgumentTypeError(f"{text!r} has a number twice")
    return tuple(values)
