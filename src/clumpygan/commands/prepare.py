"""Prepare data sets, once, to train on: `prepare.py`."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clumpygan.commands.cube_flags import (
    add_model_flags,
    add_parameter_flags,
    model_from,
    parameters_from,
)
from clumpygan.commands.flags import add_settings, settings_from
from clumpygan.commands.program import Parser, run_program
from clumpygan.data.cubes.frame_settings import FieldSettings, RenderSettings
from clumpygan.data.cutouts.settings import CutoutSettings, Cuts, SurveyFiles
from clumpygan.data.idx_settings import WriteIdxSettings
from clumpygan.data.set_settings import CubeSetSettings, SetSettings

if TYPE_CHECKING:
    from clumpygan.data.cubes.settings import CubeSettings

_INSTRUMENT = {"instrument": "muse_wfm"}

CUBES = """\
Prepare a set of velocity cubes of disks whose parameters are drawn from their priors.

The folder gets cubes.npy (n, v, y, x), float32, without noise, which is added when they are served;
parameters.npy (n, P), float64; and card.yaml with the names of the parameters and all settings.
After an interrupt the same command goes on where it was."""

CUBE_EXAMPLES = """\
examples:
  %(prog)s --n 10000 --output cubes/ --seed 1
  %(prog)s --n 10000 --output muse/ --instrument muse_wfm --shape 32 32 32 --clumps 4 \\
      --range inclination 20 80 --scale-height 0.05
  %(prog)s --output cubes/ --check"""

CUTOUTS = """\
Cut stamps of the galaxies of a catalogue from survey mosaics, by their positions through the WCS.

The mosaics may be far larger than memory, tile-compressed (.fz), or gzipped (unpacked into $TMPDIR
first); FILE[SCI] or FILE[1] names an extension. Pixels without data (NaN, weight 0, or blocks of
zeros where no weights are given) are masked, and hold noise like that of the set. Stars go, where
the catalogue has a column that tells them (star_flag, CLASS_STAR, use_phot, ...).

The folder gets images.npy (N, band, y, x), float32, nJy per pixel; masks.npy (1: no data, 2:
neighbour); table.fits with position, redshift, H magnitude, half-light radius, background and noise
of each stamp; and card.yaml with all settings, zero points, what was skipped and why, and the
noise. After an interrupt the same command goes on where it was."""

CUTOUT_EXAMPLES = """\
several bands or fields at once: as many catalogues as fields; mosaics, weights and PSFs field by
field, within each field band by band.

examples:
  %(prog)s --mosaic gs_f160w_sci.fits --weight gs_f160w_wht.fits --catalog gs_catalog.fits \\
      --size 64 --max-redshift 2 --max-hmag 26 --output cutouts/gs
  %(prog)s --mosaic gs_f160w.fits gs_f125w.fits uds_f160w.fits uds_f125w.fits \\
      --catalog gs.fits uds.fits --field gs uds --band F160W F125W --mask-neighbours \\
      --output cutouts/both
  %(prog)s --output cutouts/gs --check"""

IDX = """\
Write images as an IDX file, the format of MNIST, so that any code for MNIST runs on them; or unpack
an IDX file into a NumPy array (.npy) or a FITS cube (.fits).

float32 values are the images in units of their noise. uint8 levels are asinh of that between the
ends of a range, which is said, as the format has no room for it: data=mnist takes it as
data.stretch. Images that are uint8 already stay as they are."""

IDX_EXAMPLES = """\
examples:
  %(prog)s --input cutouts/gs --output gs-images-idx3-ubyte.gz
  %(prog)s --input stamps.npy --output stamps-images-idx3-float --noise-sigma 0.8
  %(prog)s --input train-images-idx3-ubyte.gz --output digits.npy"""


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(lambda options: options.run(options), _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="prepare.py",
        description="Prepare data sets, once, to train on.",
        epilog="prepare.py WHAT --help explains its flags",
    )
    subparsers = parser.add_subparsers(metavar="WHAT", required=True)

    def add(
        name: str, help: str, words: str, examples: str, run: Callable[[Namespace], None]
    ) -> ArgumentParser:
        added: ArgumentParser = subparsers.add_parser(
            name, help=help, description=words, epilog=examples,
            formatter_class=RawDescriptionHelpFormatter,
        )  # fmt: skip
        added.set_defaults(run=run)
        return added

    cubes = add("cubes", "velocity cubes of disks", CUBES, CUBE_EXAMPLES, _cubes)
    add_settings(cubes, CubeSetSettings)
    add_settings(cubes, FieldSettings, defaults=_INSTRUMENT)
    add_settings(cubes, RenderSettings)
    add_model_flags(cubes)
    add_parameter_flags(cubes, "parameters that are the same in all cubes (else drawn)", "")
    cutouts = add(
        "cutouts", "stamps of galaxies from survey mosaics", CUTOUTS, CUTOUT_EXAMPLES, _cutouts
    )
    for kind in (SurveyFiles, SetSettings, Cuts, CutoutSettings):
        add_settings(cutouts, kind)
    idx = add("idx", "images in the MNIST format, and back", IDX, IDX_EXAMPLES, _idx)
    add_settings(idx, WriteIdxSettings)
    return parser


def _cubes(options: Namespace) -> None:
    wanted = settings_from(CubeSetSettings, options)
    with _timed() as seconds:
        import numpy as np

        from clumpygan.data.cubes.store import check_cubes, open_cubes, prepare_cubes
        from clumpygan.training.provenance import commit

        if wanted.check:
            found = open_cubes(wanted.output)
        else:
            found = prepare_cubes(
                wanted.output,
                _cube_settings(wanted, options),
                wanted.n,
                wanted.seed,
                workers=wanted.workers,
                cluster=wanted.cluster,
                made_by={"commit": commit()},
            )
        check_cubes(found, np.random.default_rng())
    v, y, x = found.settings.frame.shape
    print(
        f"{wanted.output}: {found.count} cubes of {v} x {y} x {x} with seed {found.seed}, whole "
        f"({seconds()})"
    )


def _cube_settings(wanted: CubeSetSettings, options: Namespace) -> CubeSettings:
    from clumpygan.data.cubes.frame import frame_of
    from clumpygan.data.cubes.settings import CubeSettings

    fixed = [(name, value, value) for name, value in parameters_from(options).items()]
    drawn = [(name.replace("-", "_"), low, high) for name, low, high in wanted.range]
    frame = frame_of(settings_from(FieldSettings, options, _INSTRUMENT))
    accuracy = settings_from(RenderSettings, options).accuracy
    return CubeSettings(frame, model_from(options), (*fixed, *drawn), accuracy)


def _cutouts(options: Namespace) -> None:
    wanted = settings_from(SetSettings, options)
    with _timed() as seconds:
        from clumpygan.data.cutouts.extraction import prepare_cutouts
        from clumpygan.data.cutouts.store import check_cutouts, open_first_band
        from clumpygan.training.provenance import commit

        if wanted.check:
            found = open_first_band(wanted.output)
        else:
            files = settings_from(SurveyFiles, options)
            masked: dict[str, Any] = {"mask_neighbours": True} if files.segmentation else {}
            settings = settings_from(
                CutoutSettings,
                options,
                fields=files.shared_out(),
                cuts=settings_from(Cuts, options),
                **masked,
            )
            found = prepare_cutouts(wanted.output, settings, made_by={"commit": commit()})
        check_cutouts(found)
    print(f"{wanted.output}: {found.summary()} ({seconds()})")


def _idx(options: Namespace) -> None:
    settings = settings_from(WriteIdxSettings, options)
    with _timed() as seconds:
        from clumpygan.data.idx_writing import write_images_as_idx

        count, words = write_images_as_idx(settings)
    print(f"{settings.output}: {count} images, {words} ({seconds()})")


@contextmanager
def _timed() -> Iterator[Callable[[], str]]:
    """Yield what tells the seconds since; say that an interrupted command goes on."""
    begin = time.perf_counter()
    try:
        yield lambda: f"{time.perf_counter() - begin:.1f} s"
    except KeyboardInterrupt:
        print("the same command goes on from here", flush=True)
        raise
