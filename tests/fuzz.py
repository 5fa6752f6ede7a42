"""Damage files of every kind that is read, for as long as is asked for: is each refused in a line?

    make fuzz                                     # a minute for each of the kinds of files
    python tests/fuzz.py --minutes 20 --seed 3    # longer, other damage
    python tests/fuzz.py image cube               # kinds whose names hold one of these words

What the suite tries a hundred times (tests/io/test_damaged_files.py), tried many thousand times. A
reader has to return, or raise `InputError` with one line that names the file, within seconds and 2
GB more than it began with. Whatever else it does is printed with the seed and the number of the
file, once for each place in the code, and the exit code is 1.
"""

import argparse
import gzip
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.readers import (  # noqa: E402
    READERS,
    WORDS,
    Originals,
    make_originals,
    mutated,
    place,
    read_or_refuse,
)

GIGABYTES = 2


def draw_mutations(generator: np.random.Generator, size: int) -> list[tuple[str, int, Any]]:
    """Return one to six ways of damage of a file of so many bytes, most in its first quarter."""
    found: list[tuple[str, int, Any]] = []
    for _ in range(generator.integers(1, 7)):
        kind = generator.choice(["card", "byte", "byte", "cut", "copy", "insert", "word"])
        place_of = int(size * generator.random() ** 2)
        what: Any = 0
        if kind in ("card", "word"):
            what, place_of = str(generator.choice(WORDS)), place_of // 80
        elif kind == "byte":
            what = int(generator.integers(256))
        elif kind == "copy":
            what, place_of = int(generator.integers(300)), place_of // 80
        elif kind == "insert":
            what = generator.bytes(int(generator.integers(50)))
        elif generator.random() < 0.8:
            continue  # else half of all files were cut short
        found.append((str(kind), place_of, what))
    return found


def fuzz(name: str, originals: Originals, seconds: float, seed: int, folder: Path) -> int:
    """Damage one file for so long; print how it went; return how many kinds of failures it had."""
    begin, number, wrong = time.process_time(), 0, Counter[str]()
    while time.process_time() - begin < seconds:
        generator = np.random.default_rng((seed, number))
        content = mutated(originals[name], draw_mutations(generator, len(originals[name])))
        zipped = name.endswith(".fits") and "/" not in name and generator.random() < 0.2
        path = place(
            f"{name}.gz" if zipped else name,
            gzip.compress(content, 1) if zipped else content,
            originals,
            folder,
        )
        for reader in READERS[name]:
            try:
                read_or_refuse(reader, path)
            except (Exception, SystemExit) as problem:
                spot = traceback.extract_tb(problem.__traceback__)
                own = next((one for one in reversed(spot) if "clumpygan" in one.filename), spot[-1])
                what = f"{type(problem).__name__} at {Path(own.filename).name}:{own.lineno}"
                if what not in wrong:
                    first = str(problem).splitlines()[:1]
                    print(f"  {name}: number {number} of seed {seed}: {what}: {first}", flush=True)
                wrong[what] += 1
        number += 1
    told = ", ".join(f"{count} times {what}" for what, count in wrong.items()) or "nothing wrong"
    print(f"{name}: {number} files in {time.process_time() - begin:.0f} CPU s: {told}", flush=True)
    return len(wrong)


def main() -> None:
    """Damage files of the kinds that are named, or of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="kinds whose names hold one of these")
    parser.add_argument("--minutes", type=float, default=1.0, help="of CPU time, for each kind")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    names = [n for n in READERS if not given.words or any(word in n for word in given.words)]

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        originals = make_originals(Path(scratch))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + GIGABYTES * 2**30,) * 2)
        wrong = 0
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                wrong += fuzz(name, originals, 60 * given.minutes, given.seed, Path(folder))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
