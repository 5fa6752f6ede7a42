"""Generate mock observations of galaxies whose every parameter is known: `generate.py`."""

from __future__ import annotations

import json
import time
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clumpygan.commands.cube_flags import (
    add_model_flags,
    add_parameter_flags,
    model_from,
    parameters_from,
)
from clumpygan.commands.flags import add_config, add_settings, flag_of, given_in, settings_from
from clumpygan.commands.generate_patch import add_patch
from clumpygan.commands.output_files import PICTURE_SUFFIXES
from clumpygan.commands.program import Parser, check_device, run_program
from clumpygan.data.cubes.frame_settings import FieldSettings
from clumpygan.errors import InputError
from clumpygan.galaxies.disks.cube_conditions import GAS_CONDITIONS
from clumpygan.generation.settings import (
    TYPICAL_FLUX,
    CubesSettings,
    GalaxiesSettings,
    MockSettings,
)
from clumpygan.settings import span_reader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DESCRIPTION = "Generate mock observations of galaxies whose every parameter is known."

CUBE = f"""\
Generate the velocity cube of a thick, rotating, clumpy disk, and observe it.

The FITS file holds DATA, with noise also STAT (the variance), their world coordinates, and all
parameters and the seed as HIERARCH CLUMPYGAN cards. Without an instrument, data are flux per
voxel. With one, fluxes are in 1e-20 erg s-1 cm-2, data in 1e-20 erg s-1 cm-2 Angstrom-1, and a
galaxy without --flux has {TYPICAL_FLUX:g} times the flux of the parameter's default or prior."""

CUBE_EXAMPLES = """\
examples:
  %(prog)s --inclination 60 --position-angle 130 --maximum-velocity 200 --clumps 6 \\
      --instrument muse_wfm --output disk.fits --picture disk.png
  %(prog)s --random --seed 3 --instrument muse_wfm --line oii --redshift 0.9 --exposure-time 36000
  %(prog)s --curve nfw --scale-height 0 --shape 64 64 64 --noiseless --metrics disk.json"""

CUBES = f"""\
Generate velocity cubes of clumpy galaxies of given parameters, from a trained network.

Parameters are drawn uniformly within the ranges given, all others as in the training; the network
draws the clumps, arms, turbulence. Galaxy i depends on the seed and i alone. Fluxes are in 1e-20
erg s-1 cm-2 if there is an instrument ({TYPICAL_FLUX:g} times the prior of the parameter table
without --flux), data in 1e-20 erg s-1 cm-2 Angstrom-1.

One cube is written to --output. Of several, each gets a file of its own, in a folder of the name of
--output without its ending: gal.fits comes with gal/gal_000000.fits, gal/gal_000001.fits, ...; then
gal.fits is the table of their parameters. Each cube holds DATA and STAT (the variance) with their
full world coordinates, so that mpdaf, GalPaK3D and fit.py read it, and the parameters as HIERARCH
CLUMPYGAN cards. An interrupted run goes on with the same command; a larger --n adds cubes."""

CUBES_EXAMPLES = """\
examples:
  %(prog)s --n 100 --inclination 40:70 --maximum-velocity 150:250 --snr 8 \\
      --output gal.fits --picture gal.png
  %(prog)s --n 1 --position-angle 30 --shape 48 48 48 --output one.fits
  %(prog)s --population gas_disks --line halpha,nii --shape 40 32 32 --output truth.fits
  fit.py gal/*.fits --output fits/"""

GALAXIES = """\
Generate images of clumpy galaxies as HST sees them, from a trained network.

Magnitude, redshift and half-light radius of each galaxy are drawn together from published
statistics of CANDELS, within the ranges given; what it looks like, the network draws. The FITS
file holds IMAGES (n, y, x) in nJy per pixel, with the noise of the survey; NOISELESS, the same
galaxies without; and the table GALAXIES with what was asked for. Galaxy i depends on the seed and
i alone."""

GALAXIES_EXAMPLES = """\
examples:
  %(prog)s --n 64 --seed 3 --output galaxies.fits --picture galaxies.png
  %(prog)s --n 1000 --magnitude 21:23 --redshift 0.5:1 --half-light-radius 0.3:2"""


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(lambda options: options.run(options), _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="generate.py",
        description=DESCRIPTION,
        epilog="generate.py cube, cubes, galaxies or patch --help explains the flags of each",
    )
    subparsers = parser.add_subparsers(metavar="WHAT", required=True)

    def add(name: str, what: str, description: str, examples: str) -> Any:
        return subparsers.add_parser(
            name,
            help=what,
            description=description,
            epilog=examples,
            formatter_class=RawDescriptionHelpFormatter,
        )

    cube = add("cube", "a velocity cube", CUBE, CUBE_EXAMPLES)
    _add_outputs(cube, "cube.fits", "the cube, .fits or .fits.gz", "maps of flux, velocity and"
                 " dispersion, a slit, spectrum and channels")  # fmt: skip
    add_settings(cube, FieldSettings)
    add_settings(cube, MockSettings)
    add_model_flags(cube)
    add_parameter_flags(cube, "the galaxy", " (default: {default})")
    add_config(cube)
    cube.set_defaults(run=_cube)

    cubes = add("cubes", "velocity cubes of clumpy galaxies, from a trained network", CUBES,
                CUBES_EXAMPLES)  # fmt: skip
    _add_outputs(cubes, "galaxies.fits", "the cube, or the table of several, .fits",
                 "maps, channels, slit and spectrum of each, six on a page: further pages in"
                 " a .pdf, or FILE_2 and so on")  # fmt: skip
    add_settings(cubes, CubesSettings)
    _add_conditions(cubes)
    add_config(cubes)
    cubes.set_defaults(run=_cubes)

    galaxies = add("galaxies", "images of galaxies, from a trained network", GALAXIES,
                   GALAXIES_EXAMPLES)  # fmt: skip
    _add_outputs(galaxies, "galaxies.fits", "the images, .fits or .fits.gz",
                 "all of them, the brightest first, 64 on a page: further pages in a .pdf, or"
                 " FILE_2 and so on")  # fmt: skip
    add_settings(galaxies, GalaxiesSettings, heading="the galaxies")
    add_config(galaxies)
    galaxies.set_defaults(run=_galaxies)
    add_patch(add)
    return parser


@dataclass(frozen=True)
class Outputs:
    """Files that are wanted."""

    output: Path
    picture: Path | None
    metrics: Path | None

    def check_pages(self, things: int, per_page: int) -> None:
        """Refuse further pages of the picture that can't be written, or would replace a file."""
        if self.picture is None:
            return
        from clumpygan.commands.output_files import check_outputs
        from clumpygan.plots.style import check_pages, page_names

        pages = -(-things // per_page)
        names = [self.output, self.metrics, *page_names(self.picture, pages)]
        check_outputs([("--picture", name, ()) for name in names])
        check_pages(self.picture, pages)


def _add_outputs(parser: ArgumentParser, name: str, what: str, picture: str) -> None:
    group = parser.add_argument_group("what comes out")
    # fmt: off
    group.add_argument("--output", type=Path, default=SUPPRESS, metavar="FILE",
                       help=f"{what} (default: {name})")
    group.add_argument("--picture", type=Path, default=SUPPRESS, metavar="FILE",
                       help=f"{picture}, {' '.join(PICTURE_SUFFIXES)} (default: not drawn)")
    group.add_argument("--metrics", type=Path, default=SUPPRESS, metavar="FILE",
                       help="settings and results as JSON (default: not written)")
    # fmt: on
    parser.set_defaults(_output=name)


def _outputs(options: Namespace, suffixes: tuple[str, ...]) -> Outputs:
    """Return the files that are wanted, if they can be written."""
    from clumpygan.commands.output_files import check_outputs

    given = given_in(options)
    output, picture, metrics = (
        None if name is None else Path(name)
        for name in (given.get("output", options._output), given.get("picture"),
                     given.get("metrics"))
    )  # fmt: skip
    check_outputs(
        [
            ("--output", output, suffixes),
            ("--picture", picture, PICTURE_SUFFIXES),
            ("--metrics", metrics, ()),
        ]
    )
    return Outputs(cast(Path, output), picture, metrics)


def _add_conditions(parser: Parser) -> None:
    """Add a flag for the range of each parameter that generators of cubes are told."""
    title = "the galaxies: a range LOW:HIGH or one number each"
    group = next(group for group in parser._action_groups if group.title == title)
    listed = []
    for name, condition in GAS_CONDITIONS.items():
        row = condition.row
        unit = f" [{condition.unit}]" if condition.unit else ""
        group.add_argument(
            flag_of(name),
            type=_argument(span_reader(row.minimum, row.maximum)),
            metavar="LOW:HIGH",
            help=f"{row.description}{unit}".replace("%", "%%"),
        )
        listed.append(f"{flag_of(name)}{unit}")
    parser.listed = f"galaxies have {', '.join(listed)}, --snr"


def _cube(options: Namespace) -> None:
    begin = time.perf_counter()
    files = _outputs(options, (".fits", ".fits.gz"))
    from clumpygan.data.cubes.frame import frame_of
    from clumpygan.generation.mock import make_mock

    settings = settings_from(MockSettings, options)
    frame, model = frame_of(settings_from(FieldSettings, options)), model_from(options)
    if files.picture is not None and (frame.shape[0] < 2 or min(frame.shape[1:]) < 3):
        raise InputError(
            f"`picture` of a cube of shape {frame.shape}: expected at least 2 channels and 3 x 3 "
            "pixels; leave it out"
        )
    mock = make_mock(frame, model, parameters_from(options), settings)
    _say_seed(mock.seed, "" if settings.seed is not None else "drawn at random")
    print(mock.headline())

    def picture() -> list[Figure]:
        try:
            return [mock.plot()]
        except InputError as problem:
            raise InputError(
                f"`picture`: {str(problem).removeprefix('cube: ')}; leave it out, or choose less "
                "noise or a larger cube"
            ) from problem

    _write(files, begin, mock.write, picture, mock.report())


def _cubes(options: Namespace) -> None:
    begin = time.perf_counter()
    files = _outputs(options, (".fits",))
    settings = settings_from(CubesSettings, options)
    folder = files.output.with_suffix("")
    if settings.n > 1 and folder.exists() and not folder.is_dir():
        raise InputError(f"`output` {files.output}: its cubes go to {folder}, which is a file")
    check_device(settings.device)
    from tqdm import tqdm

    from clumpygan.generation.cube_files import CubeFiles
    from clumpygan.generation.cube_maker import PER_PAGE
    from clumpygan.generation.cubes import cube_maker

    files.check_pages(settings.n, PER_PAGE)
    given = given_in(options)
    conditions = {name: given[name] for name in GAS_CONDITIONS if name in given}
    maker = cube_maker(settings, conditions)
    cubes = CubeFiles.prepare(maker, files.output)
    _say_seed(cubes.seed, cubes.seed_from)
    print(", ".join(f"{kind} {name}" for kind, name in maker.origin.items() if kind != "weights"))
    missing = cubes.missing()
    if len(missing) < settings.n:
        print(f"{settings.n - len(missing)} of {settings.n} cubes are there")
    made = time.perf_counter()
    with tqdm(total=len(missing), desc="generating", unit="cube", disable=None) as bar:
        cubes.make(missing, bar.update)
    rate = len(missing) / (time.perf_counter() - made)
    report = cubes.report() | {"n": settings.n, "made": len(missing)}
    report["cubes_per_second"] = round(rate, 2) if missing else None
    several = settings.n > 1

    def pages() -> Iterable[Figure]:
        return tqdm(cubes.pages(), "drawing", cubes.page_count, unit="page", disable=None)

    _write(files, begin, cubes.write_table if several else None, pages, report,
           before=[cubes.folder] if several else [],
           after=f", {rate:.1f} cubes/s" if missing else "")  # fmt: skip


def _galaxies(options: Namespace) -> None:
    begin = time.perf_counter()
    files = _outputs(options, (".fits", ".fits.gz"))
    settings = settings_from(GalaxiesSettings, options)
    check_device(settings.device)
    from tqdm import tqdm

    from clumpygan.generation.galaxies import generate_galaxies
    from clumpygan.plots.galaxies import PER_PAGE
    from clumpygan.training.provenance import commit

    files.check_pages(settings.n, PER_PAGE)
    with tqdm(total=settings.n, desc="generating", unit="galaxy", disable=None) as bar:
        made = generate_galaxies(progress=bar.update, **asdict(settings))
    _say_seed(made.seed, "" if settings.seed is not None else "drawn at random")
    _write(files, begin, lambda path: made.write(path, commit()), made.pages, made.report())


def _say_seed(seed: int, source: str) -> None:
    print(f"seed {seed}" + (f", {source}" if source else ""))


def _write(
    files: Outputs,
    begin: float,
    write: Callable[[Path], object] | None,
    pages: Callable[[], Iterable[Figure]],
    report: Mapping[str, Any],
    before: Sequence[Path] = (),
    after: str = "",
) -> None:
    """Write all files, complete, or none, and say which.

    Parameters
    ----------
    files : Outputs
    begin : float
        When the program began.
    write : callable or None
        Writes what goes to --output, if it isn't there yet.
    pages : callable
        Draws the pages of the picture.
    report : mapping
        What goes to --metrics.
    before : sequence of Path
        What was written already.
    after : str
        What else is said.
    """
    from clumpygan.io import atomic_path
    from clumpygan.plots.style import old_pages, written_pages

    pictures: list[Path] = []
    with ExitStack() as stack:

        def temporary(path: Path) -> Path:
            return stack.enter_context(atomic_path(path))

        if files.picture is not None:
            pictures = stack.enter_context(written_pages(files.picture, pages()))
        if write is not None:
            write(temporary(files.output))
        if files.metrics is not None:
            told = {**report, "seconds": round(time.perf_counter() - begin, 2)}
            text = json.dumps(told, indent=2, allow_nan=False) + "\n"
            temporary(files.metrics).write_text(text, encoding="utf-8")
    if files.picture is not None:
        for old in old_pages(files.picture, len(pictures)):
            old.unlink()
            print(f"removed {old}, a page of an earlier picture")
    written = [*before, files.output, *pictures, files.metrics]
    names = ", ".join(str(path) for path in written if path)
    print(f"wrote {names} in {time.perf_counter() - begin:.1f} s{after}")


def _argument(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return an argparse type whose complaint is the message of a ValueError."""
    from argparse import ArgumentTypeError

    def parse(text: str) -> Any:
        try:
            return read(text)
        except ValueError as expected:
            raise ArgumentTypeError(f"invalid value: {text!r} (expected {expected})") from None

    return parse
