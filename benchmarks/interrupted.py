"""Kill every program that writes more than a file, or fill its disk; the same command must mend it.

    python benchmarks/interrupted.py                # all, about ten minutes
    python benchmarks/interrupted.py train "prepare"
    python benchmarks/interrupted.py --kills 5      # more moments each

Each program is run once undisturbed. Then it is killed with signal 9 at several moments, and the
same command is run again: the files must be those of the undisturbed run, byte for byte (in states
of trainings: tensor by tensor; what tells times aside). Then it is run on a disk that is too small
(a tmpfs, as root; else no file may become as large): one line that names a file, exit code 2; and
with room again the same command must give the same files. No process may stay.
"""

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from astropy.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CUBES = "--shape 16 16 16 --instrument muse_wfm --seed 1"

PROGRAMS: dict[str, str] = {
    "train": "train.py model=dcgan debug=fast shorten_to=96 threads=1 callbacks.pictures=1"
    " data.size=32 model.generator.channels=4 model.discriminator.channels=4 output=out name=net",
    "generate cubes": "generate.py cubes --n 60 --seed 1 --output out.fits",
    "generate galaxies": "generate.py galaxies --n 40 --seed 1 --output out.fits --picture out.png"
    " --metrics out.json",
    "prepare cubes": f"prepare.py cubes --n 60 --workers 1 {CUBES} --output out",
    "prepare cutouts": "prepare.py cutouts --mosaic mosaic.fits --catalog catalog.fits --size 20"
    " --output out",
    "prepare idx": "prepare.py idx --input many.npy --output out.idx",
    "fit": "fit.py a.fits b.fits c.fits d.fits --psf-fwhm 0.6 --method laplace --no-picture"
    " --workers 2 --seed 1 --output out --metrics out.json",
    "survey": "survey.py --image hsc.fits --detect --psf-fwhm 0.6 --samples 4 --unit 1 --workers 2"
    " --output out",
    "evaluate cubes": "evaluate.py cubes --n 20 --train-size 20 --fits 0 --groups 0 --epochs 0"
    " --workers 1"
    " --seed 1 --cache cache --output out --metrics out.json",
}
"""Small runs; what they write is called out, or lies in the cache."""

LONGEST = 600.0
"""Seconds after which a program counts as one that hangs."""

TIMED = re.compile(
    r"(^|/)(train\.log|lock|\.hydra/.*|metrics\.csv|hparams\.yaml|run\.json)$|/logs/|\.png$|\.html$"
)
"""Files that tell times, or are drawn: they must be there, but their bytes may differ."""

TIMES = re.compile(
    rb'("?(cpu_seconds|seconds|hours|date|DATE|elapsed|created|commit|command|COMMAND)"?'
    rb"\s*[:=]\s*)[^,\n}]*"
)


@dataclass(frozen=True)
class Run:
    """How a program ended, what it said, how long it took, and when it first wrote a file."""

    code: int
    said: str
    seconds: float
    first: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("programs", nargs="*", help="beginnings of their names (all)")
    parser.add_argument("--kills", type=int, default=3, help="moments of a kill (3)")
    parser.add_argument("--disks", type=int, default=3, help="sizes of the full disk (3)")
    asked = parser.parse_args()
    wrong = 0
    print(f"{'':20}{'undisturbed s':>14}{'killed':>8}{'same':>6}   full disk")
    for name, command in PROGRAMS.items():
        if asked.programs and not name.startswith(tuple(asked.programs)):
            continue
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            wrong += _try(name, command.split(), Path(folder), asked.kills, asked.disks)
    sys.exit(wrong > 0)


def _try(name: str, command: Sequence[str], folder: Path, kills: int, disks: int) -> int:
    """Disturb one program; print a line, and what is wrong; return how many things are."""
    good = folder / "good"
    _make_good(good)
    whole = folder / "whole"
    shutil.copytree(good, whole)
    usual = _run(command, whole)
    if usual.code:
        print(f"{name:20} ends with {usual.code} undisturbed: {usual.said[-300:]}", flush=True)
        return 1
    expected = _digests(whole)
    problems, killed, same = [], 0, 0
    for number in range(kills):
        home = folder / f"killed{number}"
        shutil.copytree(good, home)
        # From the first file on: a kill before that does nothing.
        moment = (number + 0.5) / kills * 0.9 * (usual.seconds - usual.first)
        was_running, hung = _killed(command, home, moment)
        killed += was_running
        problems += hung
        again = _run(command, home)
        if again.code:
            problems.append(
                f"killed {moment:.1f} s after its first file, then: {again.said.strip()[-200:]}"
            )
        differing = _differing(expected, _digests(home))
        same += not differing and not again.code
        if differing:
            problems.append(
                f"killed {moment:.1f} s after its first file: differs in {', '.join(differing[:5])}"
            )
    told, more = _full(command, good, folder / "small", expected, disks)
    problems += more
    stayed = _processes(folder)
    problems += [f"stays: {one}" for one in stayed]
    print(f"{name:20}{usual.seconds:14.1f}{killed:8}{same:6}   {told}", flush=True)
    for one in problems:
        print(f"    WRONG {one}", flush=True)
    return len(problems)


def _make_good(folder: Path) -> None:
    from benchmarks.bad_inputs import _make_good as make_good
    from tests.commands.fit_cubes import make_cube

    make_good(folder)
    for seed, name in enumerate("abcd"):
        make_cube(folder / f"{name}.fits", seed=seed)
    # Larger than the pages of a small disk.
    stamps = np.random.default_rng(0).normal(size=(2000, 16, 16)).astype(np.float32)
    np.save(folder / "many.npy", stamps)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, str(ROOT / words[0]), *words[1:]]


def _run(
    words: Sequence[str], home: Path, largest: int | None = None, longest: float = LONGEST
) -> Run:
    """Run a program to its end; with `largest` bytes, no file may become larger."""

    def limit() -> None:
        # Without a handler the signal would end the program, as a shell's ulimit does not.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest or 0, largest or 0))

    begin = time.monotonic()
    before = limit if largest is not None else None
    # What it says is read all the while, or it would wait for that.
    with _start(words, home, before) as running, ThreadPoolExecutor(1) as beside:
        heard = beside.submit(_heard, running, longest)
        first = _wait_for_a_file(running, home) - begin
        said, hung = heard.result()
    said += "".join(f"\n{one}" for one in hung)
    return Run(running.returncode, said, time.monotonic() - begin, first)


def _start(
    words: Sequence[str], home: Path, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(words), cwd=home, env=_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, preexec_fn=before,
    )  # fmt: skip


def _heard(running: subprocess.Popen[str], longest: float) -> tuple[str, list[str]]:
    """Return what a program and its workers said until they ended, and whether they did.

    Killed after so many seconds, and then told as a problem.
    """
    try:
        return running.communicate(timeout=longest)[1], []
    except subprocess.TimeoutExpired:
        running.kill()
    try:
        said = running.communicate(timeout=10)[1]
    except subprocess.TimeoutExpired:  # a worker lives on
        said = ""
    return said, [f"it, or a worker of it, still ran after {longest:g} s"]


def _wait_for_a_file(running: subprocess.Popen[str], home: Path) -> float:
    """Return the time at which a program wrote its first file, or ended."""
    known = set(home.rglob("*"))
    while running.poll() is None and set(home.rglob("*")) == known:
        time.sleep(0.01)
    return time.monotonic()


def _killed(
    words: Sequence[str], home: Path, after: float, longest: float = LONGEST
) -> tuple[bool, list[str]]:
    """Kill a program so many seconds after its first file.

    Returns
    -------
    was_running : bool
    problems : list of str
        Whether it had to be killed before its first file, or its workers don't end without it.
    """
    with _start(words, home) as running, ThreadPoolExecutor(1) as beside:
        heard = beside.submit(_heard, running, longest)
        _wait_for_a_file(running, home)
        time.sleep(after)
        was_running = running.poll() is None
        running.kill()
        return was_running, heard.result()[1]


def _full(
    words: Sequence[str], good: Path, home: Path, expected: dict[str, str], disks: int
) -> tuple[str, list[str]]:
    """Run a program on a disk that is too small, then on a large one; return what to tell."""
    page = resource.getpagesize()
    # A page for each beginning of one, and for the folder.
    size = sum(-(-path.stat().st_size // page) * page for path in good.rglob("*")) + page
    known = {path.relative_to(good).as_posix() for path in good.rglob("*")}
    made = sum(int(one.rpartition(" ")[2]) for name, one in expected.items() if name not in known)
    problems: list[str] = []
    refused, mounted = 0, False
    for share in (0.5, 0.9, 0.05)[:disks]:
        room = home.with_name(f"{home.name}{share}")
        room.mkdir()
        mounted = _mount(room, size + int(share * made))
        try:
            shutil.copytree(good, room, dirs_exist_ok=True)
            largest = None if mounted else max(int(share * _largest(expected)), 4096)
            small = _run(words, room, largest)
            refused += small.code == 2
            problems += [f"full disk ({share:g}): {one}" for one in _complaints(small)]
            if mounted:
                subprocess.run(["mount", "-o", "remount,size=1g", str(room)], check=True)
            again = _run(words, room)
            differing = _differing(expected, _digests(room))
            if again.code or differing:
                problems.append(
                    f"room again ({share:g}): code {again.code}, differs in {differing[:5]}"
                    f" {again.said.strip()[-150:]}"
                )
        finally:
            if mounted:
                subprocess.run(["umount", str(room)], check=True)
    return f"{refused} of {disks} refused ({'tmpfs' if mounted else 'limit of a file'})", problems


def _complaints(run: Run) -> list[str]:
    """Return what is wrong with how a program ended whose disk was full."""
    lines = [line for line in run.said.replace("\r", "\n").splitlines() if line.strip()]
    lines = [line for line in lines if not re.search(r"\d%\|| warning: ", line)]
    if run.code not in (0, 2):
        return [f"code {run.code}: {lines[-1:]}"]
    if run.code == 0:
        return []
    # Of a batch each that fails has a line.
    lines = [line for line in lines if not re.match(r"  failed: .*'\S*out/", line)] or lines[:1]
    if lines and lines[0].startswith("  failed: "):
        return []
    if len(lines) != 1 or not re.match(r"\w+\.py( \w+)?: error: ", lines[0]):
        return [f"{len(lines)} lines: {lines[-1:]}"]
    return [] if re.search(r"out|cache", lines[0]) else [f"names no file: {lines[0][:200]}"]


def _largest(expected: dict[str, str]) -> int:
    return max(int(one.rpartition(" ")[2]) for one in expected.values())


def _mount(folder: Path, size: int) -> bool:
    """Put a small file system there; return whether that is allowed."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def _digests(home: Path) -> dict[str, str]:
    """Return of each file what must be the same, and its size."""
    found = {}
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if path.is_file():
            found[name] = f"{_digest(path, name)} {path.stat().st_size}"
    return found


def _digest(path: Path, name: str) -> str:
    if TIMED.search(name):
        return "timed"
    # Where a program ran is no part of what it found.
    home = str(path).removesuffix(name)
    content = _content(path)
    words = content if isinstance(content, bytes) else content.replace(home, "").encode()
    return hashlib.sha256(words).hexdigest()[:16]


def _content(path: Path) -> str | bytes:
    """Return what must be the same in a file."""
    if path.suffix == ".ckpt":
        state = torch.load(path, weights_only=True)
        parts = {**state["state_dict"], "images": state["images_seen"], "curve": state["curve"]}
        return repr([(key, one.tolist() if hasattr(one, "tolist") else one)
                     for key, one in parts.items()])  # fmt: skip
    if path.suffix == ".yaml":
        return repr(_without_times(yaml.safe_load(path.read_text())))
    if path.suffix == ".json":
        return repr(_without_times(json.loads(path.read_text())))
    if path.name.endswith(("_table.ecsv", "_table.fits", "results.ecsv")):
        table = Table.read(path)
        table.remove_columns([name for name in table.colnames if "seconds" in name])
        meta = {key: _parsed(one) for key, one in table.meta.items() if key != "CHECKSUM"}
        return repr(_without_times(meta)) + repr([list(row) for row in table])
    data = path.read_bytes()
    return TIMES.sub(rb"\1", data) if path.suffix in (".ecsv", ".fits") else data


def _parsed(value: object) -> object:
    """Return what a header says as JSON, or the value."""
    try:
        return json.loads(str(value))
    except ValueError:
        return value


def _without_times(card: object) -> object:
    if isinstance(card, dict):
        timed = re.compile("^commit$|hours|seconds|date|elapsed")
        return {key: _without_times(one) for key, one in card.items() if not timed.search(key)}
    return [_without_times(one) for one in card] if isinstance(card, list) else card


def _differing(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return the names of files that are missing, new, or hold something else."""

    def told(one: str | None) -> str | None:
        return one and one.partition(" ")[0]

    names = {**expected, **found}
    # A training that went on has another version of its logs.
    return [
        name
        for name in sorted(names)
        if told(expected.get(name)) != told(found.get(name)) and "/logs/" not in name
    ]


def _processes(folder: Path) -> list[str]:
    """Return the command lines of processes that still work in a folder, after a while."""
    time.sleep(2)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in str((process / "cwd").readlink()):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found.append(line.decode()[:80])
        except OSError:
            continue
    return found


if __name__ == "__main__":
    main()
