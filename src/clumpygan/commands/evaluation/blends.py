"""`evaluate.py blends`: whether blends are recognised, and how well their galaxies are measured."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from typing import Any

from clumpygan.assessment.blend_settings import BlendSettings
from clumpygan.commands.evaluation.outputs import PictureFile, Progress, versions
from clumpygan.commands.flags import add_config, add_settings, settings_from

DESCRIPTION = """\
Recover pairs of galaxies that overlap, and single ones, and say how many blends nobody recognises:
in HST's own image, in that of the survey, in a Richardson-Lucy deconvolution, and in the mean, a
sample and all samples of the network.

Pairs are 0.2-1.2" apart with flux ratios of 1-10, the brighter one of H = 20.5-24.5. Each image is
taken apart as SExtractor does; the threshold is that which at most 1 % of other single galaxies
exceed. P(blend) is the share of the samples that show two; how often HST shows what it says, and
magnitudes and centroids of both galaxies, are measured too. --peers has SExtractor (sep) and
scarlet2 deblend the same images, without being told where galaxies are.

With --observed real blends are recovered instead, and the sources that a catalogue lists of them,
of the survey or of a sharper telescope, are looked for in the same images."""

EPILOG = """\
examples:
  %(prog)s --n 1000 --metrics blends.json --picture blends.png
  %(prog)s --n 100 --peers sextractor,scarlet2 --metrics peers.json
  %(prog)s --n 300 --real real_galaxies.yaml --metrics real_blends.json
  %(prog)s --observed blends/ --band i --metrics observed.json --picture observed.png"""

_PACKAGES = ("torch", "numpy", "scipy", "galsim")


def add_blends(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "blends",
        help="are galaxies that overlap recognised, and well measured",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, BlendSettings)
    add_settings(parser, PictureFile)
    add_config(parser)
    parser.set_defaults(run=run_blends)


def run_blends(options: Namespace) -> None:
    """Measure, print the table, write picture and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings = settings_from(BlendSettings, options)
    files = settings_from(PictureFile, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.assessment.blends import Blends, measure_blends
    from clumpygan.assessment.real_blends import RealBlends, measure_real_blends
    from clumpygan.io import atomic_path, check_output_path

    for path in files.paths:
        check_output_path(path)
    found: Blends | RealBlends
    with Progress("galaxy") as progress:
        if settings.observed is None:
            found = measure_blends(settings, progress=progress)
        else:
            found = measure_real_blends(settings, progress=progress)
    print(found)
    if files.picture is not None:
        from clumpygan.plots.real_blends import real_blend_figure
        from clumpygan.plots.samples import blend_figure

        with atomic_path(files.picture) as path:
            if isinstance(found, Blends):
                blend_figure(found).savefig(path, dpi=110)
            else:
                real_blend_figure(found).savefig(path, dpi=110)
    seconds = round(time.perf_counter() - begin, 1)
    files.write_metrics(
        {"program": "evaluate.py blends", **found.to_dict(), "versions": versions(*_PACKAGES),
         "seconds": seconds}
    )  # fmt: skip
    written = "".join(f", wrote {path}" for path in files.paths)
    what = f"{settings.n} pairs" if isinstance(found, Blends) else f"{len(found.blends)} blends"
    print(f"{what} in {seconds} s{written}")
