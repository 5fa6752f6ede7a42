"""Measure the trained networks against the truth and against their opponents: `evaluate.py`."""

from argparse import ArgumentParser

from clumpygan.commands.evaluation.blends import add_blends
from clumpygan.commands.evaluation.calibration import add_calibration
from clumpygan.commands.evaluation.cubes import add_cubes
from clumpygan.commands.evaluation.kinematics import add_kinematics
from clumpygan.commands.evaluation.outliers import add_outliers
from clumpygan.commands.evaluation.realism import add_realism
from clumpygan.commands.evaluation.shear import add_shear
from clumpygan.commands.evaluation.super_resolution import add_super_resolution
from clumpygan.commands.program import Parser, run_program


def main(arguments: list[str] | None = None) -> None:
    """Run the program: exit code 0, or 2 with one line saying what is wrong with the input."""
    run_program(lambda options: options.run(options), _parser(), arguments)


def _parser() -> ArgumentParser:
    parser = Parser(
        prog="evaluate.py",
        description="Measure the trained networks against the truth and against their opponents.",
        epilog="evaluate.py TABLE --help explains the flags of each",
    )
    subparsers = parser.add_subparsers(metavar="TABLE", required=True)
    add_super_resolution(subparsers)
    add_calibration(subparsers)
    add_blends(subparsers)
    add_outliers(subparsers)
    add_realism(subparsers)
    add_cubes(subparsers)
    add_kinematics(subparsers)
    add_shear(subparsers)
    return parser
