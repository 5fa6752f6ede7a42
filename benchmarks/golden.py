"""Say whether what the programs make has changed: digests of the numbers in their outputs.

    python benchmarks/golden.py golden.json              # run all programs, write the digests
    python benchmarks/golden.py golden.json --compare    # run them again, compare

A change that only moves code leaves every digest as it is. Digests are of arrays and numbers, bit
for bit, not of files: names, times and versions may change. They hold for one machine, one set of
installed packages and one number of threads (one, which the script sees to).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[1]

RUNS: dict[str, tuple[list[str], ...]] = {
    "recover": (["recover.py", "--seed", "7", "--output", "a.png", "--fits", "a.fits", "--metrics",
                 "a.json"],),
    "generate_cube": (["generate.py", "cube", "--seed", "3", "--clumps", "4", "--instrument",
                       "muse_wfm", "--inclination", "60", "--output", "cube.fits"],),
    "fit": (["generate.py", "cube", "--seed", "5", "--signal-to-noise", "20", "--instrument",
             "muse_wfm", "--shape", "30", "30", "30", "--maximum-velocity", "200", "--output",
             "mock.fits"],
            ["fit.py", "mock.fits", "--line", "oiii", "--instrument",
             "muse_wfm", "--output", "fitted", "--no-picture"]),
    "generate_galaxies": (["generate.py", "galaxies", "--n", "8", "--seed", "3", "--output",
                           "galaxies.fits"],),
    "generate_cubes": (["generate.py", "cubes", "--n", "4", "--seed", "3", "--output",
                        "cubes.fits"],),
    "prepare_cubes": (["prepare.py", "cubes", "--n", "12", "--seed", "1", "--output", "set"],),
    "evaluate": (["evaluate.py", "super_resolution", "--n", "4", "--seed", "11", "--workers", "1",
                  "--metrics", "sr.json"],),
    "dcgan": (["train.py", "model=dcgan", "debug=fast", "trainer=cpu", "threads=1"],),
    "super_resolution": (["train.py", "model=super_resolution", "debug=fast", "trainer=cpu",
                          "threads=1"],),
    "cube_gan": (["train.py", "model=cube_gan", "debug=fast", "trainer=cpu", "threads=1"],),
}  # fmt: skip
"""Commands by the name of what they show; each list runs in a folder of its own."""

_INPUTS = ("settings.json",)
"""Files that only repeat what a program was told."""

_PASSING = {"seconds", "seconds_per_galaxy", "versions", "program", "checkpoint", "settings"}
"""Keys of JSON files that may differ from run to run or are words."""


def main() -> None:
    """Run the programs, and write or compare the digests of what they wrote."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="JSON file of the digests")
    parser.add_argument("--compare", action="store_true", help="compare instead of writing")
    parser.add_argument("--only", nargs="*", choices=RUNS, help="some of them")
    options = parser.parse_args()
    found = {}
    for name in options.only or RUNS:
        found[name] = digests_of(name)
        print(f"{name}: {len(found[name])} digests", flush=True)
    if not options.compare:
        options.file.write_text(json.dumps(found, indent=1) + "\n")
        return
    expected = json.loads(options.file.read_text())
    changed = [
        f"{name}: {key}"
        for name in found
        for key in sorted({*found[name], *expected[name]})
        if not key.startswith(tuple(f".json:{Path(one).stem}:" for one in _INPUTS))
        and found[name].get(key) != expected[name].get(key)
    ]
    print("\n".join(changed) or "all equal")
    sys.exit(bool(changed))


def digests_of(name: str) -> dict[str, str]:
    """Run the commands of `name` and return the digest of every array and number they wrote."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for program, *arguments in RUNS[name]:
            command = [sys.executable, str(ROOT / program), *arguments]
            ran = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if ran.returncode:
                raise SystemExit(f"{' '.join(command)}: exit code {ran.returncode}\n{ran.stderr}")
        found = {}
        for path in sorted(folder.rglob("*")):
            if "cache" in path.parts or path.name in _INPUTS:
                continue
            reader = READERS.get(path.suffix)
            if reader is not None:
                for key, digest in reader(path).items():
                    found[f"{path.suffix}:{key}"] = digest
    return found


def digest(value: object) -> str:
    """Return the digest of an array, or of anything that JSON knows."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        plain = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("=")))
        words = f"{plain.shape} {plain.dtype}".encode() + plain.tobytes()
    else:
        words = json.dumps(value, sort_keys=True, default=str).encode()
    return hashlib.sha256(words).hexdigest()[:16]


def _fits(path: Path) -> dict[str, str]:
    with fits.open(path) as hdus:
        return {
            f"{path.stem}:{number}:{hdu.name}": digest(np.asarray(hdu.data))
            for number, hdu in enumerate(hdus)
            if hdu.is_image and hdu.data is not None
        }


def _table(path: Path) -> dict[str, str]:
    table = Table.read(path)
    names = [name for name in table.colnames if table[name].dtype.kind in "fi"]
    return {f"{path.stem}:{n}": digest(np.asarray(table[n])) for n in names if "seconds" not in n}


def _json(path: Path) -> dict[str, str]:
    report = json.loads(path.read_text())
    return {f"{path.stem}:{key}": digest(v) for key, v in report.items() if key not in _PASSING}


def _npy(path: Path) -> dict[str, str]:
    return {path.stem: digest(np.load(path))}


def _weights(path: Path) -> dict[str, str]:
    weights = load_file(path)
    return {path.stem: digest({name: digest(array) for name, array in sorted(weights.items())})}


READERS: dict[str, Callable[[Path], dict[str, str]]] = {
    ".fits": _fits, ".ecsv": _table, ".json": _json, ".npy": _npy, ".safetensors": _weights,
}  # fmt: skip


if __name__ == "__main__":
    main()
