"""Give every program what is wrong, in hundreds of ways, and see that each ends as promised.

    python benchmarks/bad_inputs.py                    # all, about ten minutes
    python benchmarks/bad_inputs.py recover "fit"      # programs whose names begin so
    python benchmarks/bad_inputs.py --values 3         # more nonsense for every flag

The cases are made from the programs' own parsers: nonsense for every flag, files of the wrong kind
or damaged for every flag that names an input, and places that aren't to be written to for every
flag that names an output. Each runs in a process of its own, forked from one that has imported
everything, with 60 CPU seconds and 3 GB. Promised are: exit code 0 or 2; with 2, one line on
standard error, which names the program; no traceback; no file that was there is changed, and with
code 2 none is new.
"""

import argparse
import hashlib
import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from clumpygan.commands.program import OUTPUTS as WRITTEN

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CPU_SECONDS, WALL_SECONDS, GIGABYTES = 60, 180, 3

NONSENSE = ("nan", "inf", "-1", "1e300", "", "abc", "9" * 400, "../../x", "1:2:3", "a=b", "-inf")

USUAL: dict[str, str] = {
    "recover": "--observed hsc.fits --psf psf.fits --samples 2 --seed 1 --no-richardson-lucy"
    " --output o.png",
    "fit": "cube.fits --psf-fwhm 0.6 --method laplace --no-picture --output fitted",
    "generate cube": "--shape 12 12 12 --instrument muse_wfm --seed 1 --output o.fits",
    "generate cubes": "--n 1 --seed 1 --output made.fits",
    "generate galaxies": "--n 2 --seed 1 --output o.fits",
    "generate patch": "--size 100 --cells 1 --n 5 --workers 1 --output patch",
    "prepare cubes": "--n 2 --shape 12 12 12 --instrument muse_wfm --workers 1 --seed 1"
    " --output set",
    "prepare cutouts": "--mosaic mosaic.fits --catalog catalog.fits --size 20 --output set",
    "prepare idx": "--input stamps.npy --output o.idx",
    "evaluate super_resolution": "--n 1 --samples 2 --methods bicubic --workers 1 --seed 1"
    " --metrics o.json",
    "evaluate calibration": "--n 1 --samples 4 --workers 1 --seed 1 --metrics o.json",
    "evaluate blends": "--n 4 --samples 4 --workers 1 --seed 1 --metrics o.json",
    "evaluate outliers": "--tried 10 --metrics o.json",
    "evaluate realism": "--n 20 --train-size 0 --pixel-epochs 0 --output report",
    "evaluate cubes": "--n 20 --train-size 0 --fits 0 --groups 0 --epochs 0 --workers 1"
    " --output report",
    "evaluate kinematics": "--n 12 --checkpoint none --resolution 1 --signal-to-noise 5 --seed 1"
    " --metrics o.json",
    "evaluate shear": "--n 0 --signals 10 --sizes 2 --inclinations 60 --workers 1 --output report",
    "survey": "--image hsc.fits --detect --psf-fwhm 0.6 --samples 4 --workers 1 --output surveyed",
    "app": "--port 0 --no-browser",
}
"""Good command lines, to which one bad thing is added; by themselves they must end with 0."""

GOOD = ("hsc.fits", "cube.fits", "mosaic.fits", "stamps.npy")
"""Files that the good command lines read."""

OUTPUTS = (*WRITTEN, "cache")
INPUTS = ("image", "catalog", "data_root", "observed", "reference", "weight", "mask", "variance",
          "psf", "reference_psf", "config", "set", "rotation_table", "mosaic", "redshifts",
          "segmentation", "input", "real", "generated", "train", "root", "table", "checkpoint",
          "opponent", "ancestor_checkpoint", "cubes", "lsf", "errors", "flux_map",
          "folder")  # fmt: skip
"""Names of the flags whose values are paths."""

Maker = Callable[[Path], None]

_GOOD = "nothing wrong"


@dataclass(frozen=True)
class Case:
    """A command line, and what is in its folder beside good files."""

    kind: str
    program: str
    words: tuple[str, ...]
    make: Maker | None = None


@dataclass(frozen=True)
class Ending:
    """How a case ended; `wrong` is empty where it was as promised."""

    case: Case
    code: int
    cpu: float
    wrong: tuple[str, ...]
    said: str


def _text(content: bytes) -> Maker:
    return lambda path: _ignored(path.write_bytes(content))


def _ignored(_: object) -> None:
    return None


def _damaged(source: str, seed: int) -> Maker:
    """Return what writes a good file with bytes changed, or cut."""

    def make(path: Path) -> None:
        data = bytearray((path.parent / source).read_bytes())
        generator = random.Random(seed)
        if seed % 3 == 0:
            del data[generator.randrange(len(data)) :]
        for _ in range(1 + 40 * (seed % 2)):
            # In the headers as often as in the data.
            end = min(len(data), 3000) if generator.random() < 0.5 else len(data)
            if end:
                data[generator.randrange(end)] = generator.randrange(256)
        path.write_bytes(data)

    return make


def _card(keyword: str, value: object) -> Maker:
    """Return what writes the image with another header card."""

    def make(path: Path) -> None:
        with fits.open(path.parent / "hsc.fits") as hdus:
            hdus.writeto(path)
        data = path.read_bytes()
        card = f"{keyword:8}= {value!s:>20}".ljust(80).encode()
        found = re.search(rb"%-8s= .{70}" % keyword.encode(), data)
        if found is not None:
            path.write_bytes(data[: found.start()] + card + data[found.end() :])

    return make


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")


def _pickle(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)


def _link(name: str) -> Maker:
    return lambda path: path.symlink_to(name)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _copy_of(source: str) -> Maker:
    return lambda path: _ignored(shutil.copyfile(path.parent / source, path))


def _stub(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.full((3, 3), np.nan))
    path.with_suffix(".npy").rename(path)


WRONG_FILES: dict[str, Maker] = {
    "text": _text(b"not what was expected\n" * 40),
    "empty": _text(b""),
    "zeros": _text(bytes(5760)),
    "binary": _text(bytes(range(256)) * 30),
    "folder": lambda path: path.mkdir(),
    "device": lambda path: path.symlink_to("/dev/null"),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": _loop,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "zip": _zip,
    "gzip of nothing": _text(b"\x1f\x8b\x08\x00"),
    "pickle": _pickle,
    "array of NaN": _stub,
    "cube": _copy_of("cube.fits"),
    "image": _copy_of("hsc.fits"),
    "table": _copy_of("catalog.fits"),
    "yaml": _text(b"seed: [1, {a: &x 2, b: *x}]\nnonsense: !!python/object:os.system x\n"),
    "safetensors": _text(b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"),
    "csv": _text(b"ra,dec,id\n1,2\n,,,,\n\xff\xfe\n"),
    "endless axes": _card("NAXIS", 2**31),
    "negative axis": _card("NAXIS1", -5),
    "gigabytes": _card("NAXIS2", 10**9),
    "odd type": _card("BITPIX", 17),
    **{f"damaged image {seed}": _damaged("hsc.fits", seed) for seed in range(6)},
    **{f"damaged cube {seed}": _damaged("cube.fits", seed) for seed in range(3)},
    **{f"damaged table {seed}": _damaged("catalog.fits", seed) for seed in range(3)},
    **{f"damaged array {seed}": _damaged("stamps.npy", seed) for seed in range(3)},
}
"""What stands where a good file is expected."""

WRONG_PLACES: dict[str, tuple[str, Maker]] = {
    "an input": ("INPUT", lambda path: None),
    "a link to an input": ("bad.fits", lambda path: None),
    "a device": ("/dev/null", lambda path: None),
    "a full device": ("/dev/full", lambda path: None),
    "a folder": ("bad", lambda path: path.mkdir()),
    "a missing folder": ("nowhere/o.fits", lambda path: None),
    "below a file": ("psf.fits/o.fits", lambda path: None),
    "a link to itself": ("bad.fits", _loop),
    "a long name": ("x" * 300 + ".fits", lambda path: None),
    "nothing": ("", lambda path: None),
}
"""Where nothing is to be written, and what is made there first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("programs", nargs="*", help="beginnings of their names (all)")
    parser.add_argument("--values", type=int, default=1, help="of nonsense a flag (1)")
    parser.add_argument("--files", type=int, default=5, help="wrong files a flag (5)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    _import_all()
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder) / "good"
        _make_good(good)
        cases = [
            one
            for one in _cases(asked.values, asked.files, asked.seed)
            if not asked.programs or one.program.startswith(tuple(asked.programs))
        ]
        endings = []
        for number, case in enumerate(cases):
            endings.append(_run(case, good, Path(folder) / f"case{number}"))
            if endings[-1].wrong:
                _tell(endings[-1])
    _table(endings)
    sys.exit(any(one.wrong for one in endings))


def _import_all() -> None:
    """Import once what every process would take seconds for, with one thread."""
    import torch

    torch.set_num_threads(1)
    for name in (
        *("recover", "fit", "survey", "generate", "prepare", "evaluate", "app", "train"),
        "training_job",
        *("evaluation.cubes", "evaluation.realism", "evaluation.shear"),
    ):
        importlib.import_module(f"clumpygan.commands.{name}")
    for name in ("galsim", "matplotlib.pyplot", "pytorch_lightning", "scipy.ndimage", "numba"):
        importlib.import_module(name)
    for name in ("recovery.from_hsc", "recovery.from_hst", "fitting.fitter", "generation.cubes",
                 "generation.galaxies", "recovery.bench", "assessment.realism_report",
                 "assessment.shear", "training.run"):  # fmt: skip
        importlib.import_module(f"clumpygan.{name}")
    _serve_for_a_moment()


def _serve_for_a_moment() -> None:
    """Let the page be served no longer than it takes to begin."""
    importlib.import_module("clumpygan.app.serve")
    loop: Any = importlib.import_module("tornado.platform.asyncio").BaseAsyncIOLoop
    loop.start = lambda self: None


def _make_good(folder: Path) -> None:
    """Write the files that the good command lines read."""
    from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W
    from tests.commands.fit_cubes import make_cube
    from tests.data.survey import make_survey
    from tests.recovery.examples import galaxy, sky_wcs

    folder.mkdir()
    (folder / "survey").mkdir()
    survey = make_survey(folder / "survey").files()
    shutil.copy(survey.mosaics[0], folder / "mosaic.fits")
    shutil.copy(survey.catalog, folder / "catalog.fits")
    shutil.rmtree(folder / "survey")
    for name, scale, psf in (
        ("hsc.fits", 0.168, HSC_WIDE_I.psf(fwhm=0.6)),
        ("hst.fits", 0.06, HST_WFC3_F160W.psf()),
    ):
        shape = (25, 30) if scale > 0.1 else (70, 84)
        header = sky_wcs(scale, shape).to_header()
        header["BUNIT"] = "nJy"
        data = galaxy(shape, scale, psf, 3000, 2.0).astype(np.float32)
        fits.writeto(folder / name, data, header)
    kernel = HSC_WIDE_I.psf(fwhm=0.6).drawImage(nx=21, ny=21, scale=0.168, method="no_pixel").array
    header = fits.Header({"CD1_1": -0.168 / 3600, "CD2_2": 0.168 / 3600, "CTYPE1": "RA---TAN",
                          "CTYPE2": "DEC--TAN"})  # fmt: skip
    fits.writeto(folder / "psf.fits", kernel, header)
    make_cube(folder / "cube.fits")
    stamps = np.random.default_rng(0).normal(size=(6, 16, 16)).astype(np.float32)
    np.save(folder / "stamps.npy", stamps)


def _parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    def inner(
        parser: argparse.ArgumentParser, words: list[str]
    ) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not groups:
            yield " ".join(words), parser
        for group in groups:
            for name, one in group.choices.items():
                yield from inner(one, [*words, name])

    for program in ("recover", "fit", "survey", "generate", "prepare", "evaluate", "app"):
        module = importlib.import_module(f"clumpygan.commands.{program}")
        yield from inner(module._parser(), [program])


def _cases(values: int, files: int, seed: int) -> Iterator[Case]:
    for program, parser in _parsers():
        usual = USUAL[program].split()
        yield Case(_GOOD, program, tuple(usual))
        for action in parser._actions:
            if action.dest in ("help", "version", "completion", argparse.SUPPRESS):
                continue
            if action.nargs == 0:
                continue
            # The same ones in every run of a seed.
            generator = random.Random(f"{program} {action.dest} {seed}")
            flag = action.option_strings[:1]
            count = action.nargs if isinstance(action.nargs, int) else 1
            for value in generator.sample(NONSENSE, values):
                words = (*_without(usual, flag), *flag, *[value] * count)
                yield Case("nonsense", program, words)
            if action.dest in INPUTS:
                for kind in generator.sample(sorted(WRONG_FILES), files):
                    bad = ("bad.fits",) if action.dest != "config" else ("bad.yaml",)
                    words = (*_without(usual, flag), *flag, *bad)
                    yield Case(f"file: {kind}", program, words, _at(bad[0], WRONG_FILES[kind]))
            if action.dest in OUTPUTS:
                given = next((word for word in usual if (word in GOOD)), None)
                for kind, (place, make) in WRONG_PLACES.items():
                    if "an input" in kind:
                        if given is None:
                            continue
                        place = place.replace("INPUT", given)
                        make = _link(given) if "link" in kind else make
                    words = (*_without(usual, flag), *flag, place)
                    yield Case(f"output: {kind}", program, words, _at(place, make))
    yield from _trainings(files, seed)


def _trainings(files: int, seed: int) -> Iterator[Case]:
    """Yield trainings whose files and settings are wrong; they are over before they begin."""
    small = ("model=dcgan", "debug=fast", "threads=1", "callbacks.pictures=0")
    for name in ("data.root", "ckpt_path", "initial", "data.images", "data.stamps"):
        data = {"data.images": ("data=mnist",), "data.stamps": ("model=ancestor", "data=stamps")}
        for kind in random.Random(f"{name} {seed}").sample(sorted(WRONG_FILES), files):
            words = (*small, *data.get(name, ()), f"{name}=bad.fits")
            yield Case(f"file: {kind}", "train", words, _at("bad.fits", WRONG_FILES[kind]))
    for word in ("total_images=nan", "model=dcgn", "+foo=1", "model.foo=1", "name=../x", "seed=-1",
                 "output=hsc.fits", "output=''", "model.generator.channels=inf", "data.size=17",
                 "trainer.devices=nan", "logger.name=[]", "checkpoint=nowhere/x/y", "=", "a b",
                 "model.game.r1=nan", "callbacks=nonsense"):  # fmt: skip
        yield Case("nonsense", "train", (*small, word))


def _at(name: str, make: Maker) -> Maker:
    return lambda folder: make(folder / name)


def _without(words: list[str], flag: list[str]) -> list[str]:
    """Return a command line without a flag and its value, or without its first word."""
    if not flag:
        return words[1:]
    if flag[0] not in words:
        return words
    place = words.index(flag[0])
    end = place + 1
    while end < len(words) and not words[end].startswith("--"):
        end += 1
    return words[:place] + words[end:]


def _run(case: Case, good: Path, folder: Path) -> Ending:
    shutil.copytree(good, folder)
    if case.make is not None:
        case.make(folder)
    before = _contents(folder)
    streams = folder.with_name(f"{folder.name}.out"), folder.with_name(f"{folder.name}.err")
    child = os.fork()
    if child == 0:
        _be(case, folder, streams)
    deadline = time.monotonic() + WALL_SECONDS
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.01)
    code = os.waitstatus_to_exitcode(status)
    said = streams[1].read_text(errors="replace")
    wrong = tuple(_complaints(case, code, said, before, _contents(folder)))
    shutil.rmtree(folder)
    for one in streams:
        one.unlink()
    return Ending(case, code, usage.ru_utime + usage.ru_stime, wrong, said)


def _be(case: Case, folder: Path, streams: tuple[Path, Path]) -> None:
    """Be the program, in a child, and end."""
    code = 1
    try:
        os.chdir(folder)
        for number, path in zip((1, 2), streams, strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + GIGABYTES * 2**30
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        program, *subcommand = case.program.split()
        sys.argv = [f"{program}.py", *subcommand, *case.words]
        importlib.import_module(f"clumpygan.commands.{program}").main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _contents(folder: Path) -> dict[str, str]:
    """Return digests of all files; links, folders and devices by their kinds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def _complaints(
    case: Case, code: int, said: str, before: dict[str, str], after: dict[str, str]
) -> Iterator[str]:
    program = case.program.split()[0]
    if case.kind == _GOOD and code:
        yield "a good command line fails"
    if code not in (0, 2):
        yield f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    if "Traceback" in said:
        yield "traceback"
    lines = [line for line in said.replace("\r", "\n").splitlines() if line.strip()]
    # Bars, and what is noted on the way.
    told = [line for line in lines if not re.search(r"\d%\|| warning: |\d+(galaxy|it|cube)", line)]
    if code == 2 and len(told) != 1:
        yield f"{len(told)} lines"
    elif code == 2 and not re.match(rf"{program}\.py( \w+)?: error: ", told[0]):
        yield "another line"
    changed = [name for name, what in before.items() if after.get(name) != what]
    if changed:
        yield f"changed {', '.join(changed)}"
    new = [name for name in after if name not in before]
    # A training says in its folder what it was asked for.
    new = [one for one in new if not (program == "train" and _is_of_hydra(one))]
    if code == 2 and new:
        yield f"left {', '.join(new[:4])}"


def _is_of_hydra(name: str) -> bool:
    return name.startswith("outputs") and not name.endswith((".ckpt", ".safetensors", ".csv"))


def _tell(ending: Ending) -> None:
    line = " ".join(
        [
            f"{ending.case.program.split()[0]}.py",
            *ending.case.program.split()[1:],
            *(repr(one) if " " in one or not one else one for one in ending.case.words),
        ]
    )
    print(f"WRONG {', '.join(ending.wrong)}: {ending.case.kind}: {line[:300]}")
    for one in ending.said.strip().splitlines()[-4:]:
        print(f"      {one[:200]}")
    sys.stdout.flush()


def _table(endings: list[Ending]) -> None:
    kinds = ("nonsense", "file", "output")
    print(
        f"{'':28}{''.join(f'{kind:>10}' for kind in kinds)}{'refused':>10}{'wrong':>8}"
        f"{'most CPU s':>12}"
    )
    for program in dict.fromkeys(one.case.program for one in endings):
        own = [one for one in endings if one.case.program == program]
        count = Counter(one.case.kind.partition(":")[0] for one in own)
        print(
            f"{program:28}{''.join(f'{count[kind]:10}' for kind in kinds)}"
            f"{sum(one.code == 2 for one in own):10}{sum(bool(one.wrong) for one in own):8}"
            f"{max(one.cpu for one in own):12.1f}"
        )
    print(
        f"{len(endings)} bad inputs: {sum(one.code == 2 for one in endings)} refused, "
        f"{sum(one.code == 0 for one in endings)} taken, "
        f"{sum(bool(one.wrong) for one in endings)} ended otherwise than promised; "
        f"{max(one.cpu for one in endings):.0f} CPU s at most"
    )


if __name__ == "__main__":
    main()
