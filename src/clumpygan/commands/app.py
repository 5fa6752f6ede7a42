"""Open a page to play with: `app.py`."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from clumpygan.app.settings import AppSettings, check_panel
from clumpygan.commands.flags import add_config, add_settings, settings_from
from clumpygan.commands.program import Parser, run_program

DESCRIPTION = """\
Open a page to play with, in a browser on this machine.

Recover: drop an image in or draw a galaxy, and see it recovered, with its error, its samples and
the probability of each clump. Cubes: move a rotating disk by sliders, drop a cube in and fit it.
Generate: galaxies and cubes from the trained networks. All of it is computed on this machine; the
page is at 127.0.0.1 alone, and nothing leaves it. Ctrl-C ends it."""

EPILOG = """\
examples:
  %(prog)s
  %(prog)s --port 8000 --no-browser
  %(prog)s --folder my_cubes/ --largest-upload 500"""


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(_serve, _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="app.py", description=DESCRIPTION, epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_settings(parser, AppSettings)
    add_config(parser)
    return parser


def _serve(options: Namespace) -> None:
    settings = settings_from(AppSettings, options)
    check_panel()
    # What follows takes seconds to import; --help and wrong flags need none of it.
    from clumpygan.app.serve import serve

    serve(settings)
