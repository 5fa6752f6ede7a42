"""`evaluate.py super_resolution`: the table of recovered HST images, a row for each method."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from typing import Any

from clumpygan.commands.evaluation.outputs import PictureFile, Progress, versions
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.recovery.bench_settings import BenchSettings

DESCRIPTION = """\
Recover galaxies whose HST image is known from their HSC view, with every method, and print how
near each comes to the truth, per magnitude bin.

Galaxies
  (default)        held-out synthetic ones, H = 20-26, against their noiseless HST image
  --catalog FILE   real HST stamps, degraded to HSC, against the (noisy) stamp itself
Methods
  bicubic          interpolation
  wiener           Wiener deconvolution with the spectrum of an exponential disk
  richardson_lucy  with a pedestal of 100 sigma, after the number of iterations that is best for
                   the magnitude bin, judged by the truth (an oracle in its favour)
  richardson_lucy_disk  the same, started from a round disk of the observed flux instead of a
                   flat image: it knows what a galaxy looks like (only when asked for)
  ancestor         the three-layer generator of Hemmati et al. 2022, trained on the same galaxies
  network          the trained network: the mean of its samples, with its error map's coverage
  sample           one of its samples (measured along with the network)
  hst              HST's own image with its noise (synthetic galaxies only)
Columns
  PSNR [dB], NRMSE, SSIM of asinh(x / 2 sigma), |dm| and dm [mag] in r = 1", half-light-radius
  error, centroid shift [arcsec], completeness and purity of the clumps outside the nucleus, chi^2
  of the recovered image observed again, distance of the power spectra [dex], coverage of the
  error map. The definitions are in the JSON file and in clumpygan.evaluation.recovery.metrics."""

EPILOG = """\
examples:
  %(prog)s --n 400 --seed 11 --metrics sr.json
  %(prog)s --n 16 --methods bicubic,wiener,network --picture six.png
  %(prog)s --catalog real_galaxy_catalog.fits --data-root stamps/ --metrics cosmos.json"""

_PACKAGES = ("torch", "numpy", "scipy", "galsim", "scikit-image")


def add_super_resolution(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "super_resolution",
        help="the table of recovered HST images: network, ancestor, deconvolutions",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, BenchSettings)
    add_settings(parser, PictureFile)
    add_config(parser)
    parser.set_defaults(run=run_super_resolution)


def run_super_resolution(options: Namespace) -> None:
    """Measure the methods, print the table, write picture and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings, files = settings_from(BenchSettings, options), settings_from(PictureFile, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.commands.program import check_device
    from clumpygan.io import atomic_path, check_output_path, write_json
    from clumpygan.recovery.bench import measure_methods

    for path in files.paths:
        check_output_path(path)
    check_device(settings.device)
    with Progress("galaxy") as progress:
        found = measure_methods(settings, progress=progress)
    print(found)
    if files.picture is not None:
        with atomic_path(files.picture) as path:
            found.plot().savefig(path, dpi=110)
    seconds = round(time.perf_counter() - begin, 1)
    if files.metrics is not None:
        write_json(
            files.metrics,
            {
                "program": "evaluate.py super_resolution",
                **found.to_dict(),
                "versions": versions(*_PACKAGES),
                "seconds": seconds,
            },
        )
    written = "".join(f", wrote {path}" for path in files.paths)
    print(f"{len(found.magnitude)} galaxies in {seconds} s{written}")
