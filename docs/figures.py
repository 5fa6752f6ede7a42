"""Figures of the benchmark pages: `python docs/figures.py [NAME ...]`, all without names.

Each is what a command draws that its page shows. It is written beside the page, small, with the
command, by which a test sees that figure and page belong together. A minute or two each, half an
hour that of the calibration.
"""

import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gallery import WIDTH, write_small

FOLDER = Path(__file__).resolve().parent / "benchmarks"
ROOT = FOLDER.parents[1]
COLOURS = 64


@dataclass(frozen=True)
class Figure:
    """A figure: the command that draws it, the file of its output that is shown, and its pixels."""

    command: str
    file: str
    width: int = WIDTH


FIGURES = {
    "methods": Figure(
        "python evaluate.py super_resolution --n 6 --seed 11 --picture methods.png", "methods.png"
    ),
    "galaxies": Figure(
        "python evaluate.py realism --n 100 --output report", "report/stamps.png", 560
    ),
    "distributions": Figure(
        "python evaluate.py realism --n 100 --output report", "report/histograms.png"
    ),
    "calibration": Figure(
        "python evaluate.py calibration --n 1000 --metrics calibration.json --picture"
        " calibration.png",
        "calibration.png",
    ),
    "ranks": Figure(
        "python benchmarks/fit_calibration.py --json ranks.json --picture ranks.png", "ranks.png"
    ),
    "cubes": Figure("python evaluate.py cubes --n 60 --output report", "report/maps.png", 640),
}


def run(command: str, names: list[str]) -> None:
    """Run a command in a folder of its own, and keep what is shown of its output."""
    python, script, *words = shlex.split(command)
    assert python == "python"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run((sys.executable, ROOT / script, *words), cwd=folder, check=True)
        for name in names:
            figure, path = FIGURES[name], FOLDER / f"{name}.png"
            write_small(Path(folder) / figure.file, path, command, COLOURS, figure.width)


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(FIGURES)
    for one in dict.fromkeys(FIGURES[name].command for name in wanted):
        begin = time.perf_counter()
        run(one, [name for name in wanted if FIGURES[name].command == one])
        print(f"{one}: {time.perf_counter() - begin:.0f} s", flush=True)
