"""`generate.py patch`: a simulated patch of a survey."""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.generation.patch_settings import PatchSettings

DESCRIPTION = """\
Simulate a patch of a survey from the ground: thousands of galaxies of the population, and stars.

The folder gets calexp.fits, in the form of HSC's and LSST's pipeline (IMAGE in nJy, MASK with the
names of its bits, VARIANCE, world coordinates); truth.fits, a table of all galaxies and stars; and
psf/psf_ROW_COLUMN.fits, images of the PSF on a grid, with the pixel (X, Y) of the middle of the
cell in which it holds. Fluxes are those in H. A strip at the edge has no data, bright stars are
saturated, cosmic rays were interpolated, and the noise is larger in a gap between chips."""

EXAMPLES = """\
examples:
  %(prog)s --output patch/                                    # 4200 x 4200 pixels
  %(prog)s --size 800 --n 1000 --seed 3 --output small/"""


def add_patch(add: Callable[[str, str, str, str], Any]) -> None:
    """Add the subcommand to those of generate.py."""
    parser = add("patch", "a patch of a survey, with its truth", DESCRIPTION, EXAMPLES)
    add_settings(parser, PatchSettings)
    add_config(parser)
    parser.set_defaults(run=run_patch)


def run_patch(options: Namespace) -> None:
    """Simulate the patch, write its files.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings = settings_from(PatchSettings, options)
    home = settings.output
    from clumpygan.commands.evaluation.outputs import Progress
    from clumpygan.generation.patch import generate_patch
    from clumpygan.io.atomic import check_output_folder

    check_output_folder(home)
    with Progress("galaxy") as bar:
        patch = generate_patch(
            progress=lambda done, of: bar(done, of, "drawing"), **asdict(settings)
        )
    patch.write()
    stars = int(patch.truth["star"].sum())
    print(
        f"wrote {home / 'calexp.fits'}, truth.fits and psf/ in {time.perf_counter() - begin:.1f} s:"
        f" {len(patch.truth) - stars} galaxies and {stars} stars"
    )
