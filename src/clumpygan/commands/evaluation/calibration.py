"""`evaluate.py calibration`: whether the samples of recovered galaxies are what they say."""

import time
from argparse import Namespace, RawDescriptionHelpFormatter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clumpygan.assessment.samples.settings import CalibrationSettings
from clumpygan.commands.evaluation.outputs import PictureFile, Progress, versions, write_sections
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.errors import InputError
from clumpygan.settings import setting

DESCRIPTION = """\
Recover galaxies whose sharp image is known, and say how often the intervals of the samples hold
the truth, for what users publish: fluxes in apertures, sizes, concentrations, shapes, clumps,
numbers of sources, pixels and whole images.

The rank of the truth among independent samples is uniform if they are those of the posterior: p is
the Kolmogorov-Smirnov probability of that, and p told that of samples which are moved and widened
as the intervals are. The intervals are those that recover.py writes: about the mean of the samples,
for the number of samples that there are, moved and widened as the network's card says.

Galaxies
  (always)      held-out synthetic ones, H = 20-26
  --real FILE   also real ones of the test split of a recipe, shrunk and faded"""

EPILOG = """\
examples:
  %(prog)s --n 1000 --metrics calibration.json --picture calibration.png
  %(prog)s --n 1000 --seed 101 --widening widening.yaml --probability clumps.yaml
  %(prog)s --n 400 --seed 102 --spread spread.yaml
  %(prog)s --n 400 --real real_galaxies.yaml --samples 64"""


@dataclass(frozen=True)
class CalibrationFiles(PictureFile):
    """The numbers, a picture, and what would make intervals hold what they say."""

    widening: Path | None = setting(
        None, "factors and shifts (YAML) by which intervals of the synthetic galaxies are to be"
        " widened and moved, as a card has them: append the file to that of the network", "FILE",
        heading="output",
        default_words="not written",
    )  # fmt: skip
    probability: Path | None = setting(
        None, "numbers (YAML) that make the share of the samples that show a clump the probability"
        " that it is there, of the synthetic galaxies, as a card has them: append the file", "FILE",
        heading="output", default_words="not written",
    )  # fmt: skip
    spread: Path | None = setting(
        None, "gains (YAML) that make samples of the synthetic galaxies scatter as far as truths"
        " do, as a card has them; measured alone, before the factors of --widening, of samples as"
        " the network draws them", "FILE", heading="output", default_words="not written",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what isn't measured beside the gains."""
        super().__post_init__()
        others = [
            name
            for name in ("metrics", "picture", "widening", "probability")
            if getattr(self, name)
        ]
        if self.spread is not None and others:
            raise InputError(
                f"--spread with --{others[0]}: gains are measured alone, of samples without them;"
                " put them into the network's card, and run the rest after that"
            )

    @property
    def paths(self) -> list[Path]:
        """All files that are wanted."""
        wanted = (self.widening, self.probability, self.spread)
        return [*super().paths, *(path for path in wanted if path is not None)]


_PACKAGES = ("torch", "numpy", "scipy", "galsim")


def add_calibration(subparsers: Any) -> None:
    """Add the subcommand to those of evaluate.py."""
    parser = subparsers.add_parser(
        "calibration",
        help="do intervals of recovered galaxies hold the truth as often as they say",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_settings(parser, CalibrationSettings)
    add_settings(parser, CalibrationFiles)
    add_config(parser)
    parser.set_defaults(run=run_calibration)


def run_calibration(options: Namespace) -> None:
    """Rank the truths, print the table, write picture and numbers.

    Raises
    ------
    InputError
        For whatever is wrong with the input.
    """
    begin = time.perf_counter()
    settings = settings_from(CalibrationSettings, options)
    files = settings_from(CalibrationFiles, options)
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.assessment.samples.calibration import measure_calibration
    from clumpygan.commands.program import check_device
    from clumpygan.io import atomic_path, check_output_path, write_json

    for path in files.paths:
        check_output_path(path)
    check_device(settings.device)
    if files.spread is not None:
        from clumpygan.assessment.samples.spread import measure_spread

        if settings.real is not None:
            raise InputError("--spread with --real: gains are measured on synthetic galaxies alone")
        with Progress("galaxy") as progress:
            spread = measure_spread(settings, progress=progress)
        write_sections(files.spread, {"spread": spread.to_dict()})
        seconds = round(time.perf_counter() - begin, 1)
        print(f"{settings.n} galaxies in {seconds} s, wrote {files.spread}")
        return
    with Progress("galaxy") as progress:
        found = measure_calibration(settings, progress=progress)
    print(found)
    if files.picture is not None:
        from clumpygan.plots.samples import calibration_figure

        with atomic_path(files.picture) as path:
            calibration_figure(found).savefig(path, dpi=110)
    if files.widening is not None:
        write_sections(files.widening, found.sets["synthetic"].widening.sections())
    if files.probability is not None:
        chance = found.sets["synthetic"].clump_probability(settings.samples)
        write_sections(files.probability, {"clump_probability": chance.to_dict()})
    seconds = round(time.perf_counter() - begin, 1)
    if files.metrics is not None:
        write_json(
            files.metrics,
            {
                "program": "evaluate.py calibration",
                **found.to_dict(),
                "versions": versions(*_PACKAGES),
                "seconds": seconds,
            },
        )
    written = "".join(f", wrote {path}" for path in files.paths)
    print(f"{settings.n} galaxies of each set in {seconds} s{written}")
