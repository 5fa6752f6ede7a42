"""Cubes of rotating disks: CPU time and error of our renderers and of the existing codes.

    python benchmarks/cubes.py [--peers DIR] [--json cubes.json]

Every code draws the same galaxies on one thread, in turns with the others, in a process of its own.
`DIR/galpak/bin/python` (kinms, gcc, geko) is the Python of its environment; a code that is neither
there nor in the running environment is skipped with a word. Errors are against a brute-force
reference: relative L2 of the cube, and rms of the velocity field in km/s. Then the cubes per second
of batches on two threads, from 16^3 to 128^3 voxels, by the clock.

The reference and what drives the packages are read from `--peer-scripts`; without them our codes
are compared with themselves at an accuracy of 1e-5. Ratios are the medians of those of the turns.
"""

import argparse
import json
import os
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from sys import executable
from typing import Any

from cube_cases import CASES
from cube_throughput import throughput

HERE = Path(__file__).resolve().parent
DEFAULT, FAST = 1e-3, 1e-2
"""Accuracies: what users get, and one that is as exact as GalPaK3D."""
SECONDS = 0.1
"""CPU time of each code in each turn, if one cube doesn't take longer."""


@dataclass(frozen=True)
class Code:
    """One way to draw cubes.

    Attributes
    ----------
    worker : str
        One of `cube_worker.CODES`.
    module : str
        What must be importable.
    setting : dict
    cases : tuple of str
    """

    worker: str
    module: str
    setting: dict[str, Any]
    cases: tuple[str, ...] = tuple(CASES)


def ours(renderer: str, accuracy: float, **setting: Any) -> Code:
    """Return one of our renderers; `sampled` as GalPaK3D's convention is, unless told otherwise."""
    setting = {"thick": False, "sampled": True, "accuracy": accuracy} | setting
    return Code(f"clumpygan_{renderer}", "clumpygan", setting)


SIZES = ("a_thick", "b_thick")
CODES = {
    "numba": ours("numba", DEFAULT),
    "numba integrated": ours("numba", DEFAULT, sampled=False),
    "numba thick dispersion": ours("numba", DEFAULT, thick=True),
    "numba fast": ours("numba", FAST),
    "numba fast, thick dispersion": ours("numba", FAST, thick=True),
    "torch": ours("torch", DEFAULT, gradient=False),
    "torch gradient": ours("torch", DEFAULT, gradient=True),
    "torch fast": ours("torch", FAST, gradient=False),
    "torch fast gradient": ours("torch", FAST, gradient=True),
    "torch gradient, batches": ours("torch", DEFAULT, gradient=True, batch=16),
    "torch fast gradient, batches": ours("torch", FAST, gradient=True, batch=16),
    "GalPaK3D": Code("galpak", "galpak", {"thick": False}),
    "GalPaK3D thick dispersion": Code("galpak", "galpak", {"thick": True}),
    "KinMS 1e5": Code("kinms", "kinms", {"cloudlets": 1e5}),
    "KinMS 5e5": Code("kinms", "kinms", {"cloudlets": 5e5}),
    "KinMS 5e6": Code("kinms", "kinms", {"cloudlets": 5e6}),
    "GalCubeCraft": Code("gcc", "GalCubeCraft", {}, SIZES),
    "geko 1": Code("geko", "geko", {"oversampling": 1, "gradient": False}, SIZES),
    "geko 1 gradient": Code("geko", "geko", {"oversampling": 1, "gradient": True}, SIZES),
    "geko 3": Code("geko", "geko", {"oversampling": 3, "gradient": False}, SIZES),
    "geko 3 gradient": Code("geko", "geko", {"oversampling": 3, "gradient": True}, SIZES),
}
RATIOS = (
    ("GalPaK3D", "numba"),
    ("GalPaK3D thick dispersion", "numba thick dispersion"),
    ("GalPaK3D", "numba fast"),
    ("GalPaK3D thick dispersion", "numba fast, thick dispersion"),
    ("KinMS 5e5", "numba"),
    ("GalCubeCraft", "numba"),
    ("torch gradient", "torch"),
    ("torch fast gradient", "torch fast"),
    ("geko 3 gradient", "torch gradient"),
    ("geko 3 gradient", "torch gradient, batches"),
    ("geko 1 gradient", "torch gradient"),
    ("geko 1 gradient", "torch gradient, batches"),
    ("geko 1 gradient", "torch fast gradient"),
    ("geko 1 gradient", "torch fast gradient, batches"),
)


class Worker:
    """A code in its own process, on one thread.

    Parameters
    ----------
    code : str
        One of `cube_worker.CODES`.
    python, scripts : Path
    """

    def __init__(self, code: str, python: Path, scripts: Path):
        single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "NUMBA", "MKL", "OPENBLAS")}
        self._process = subprocess.Popen(
            [str(python), str(HERE / "cube_worker.py"), code, str(scripts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | single,
        )
        self.version = self._answer()["version"]

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises
        ------
        RuntimeError
            If the code failed.
        """
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"no answer, exit code {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        """Let the process end."""
        self._process.stdin.close()
        self._process.wait()


def start_workers(peers: Path | None, scripts: Path) -> dict[str, Worker]:
    """Start the codes that are installed, and say which are not."""
    workers = {}
    modules = {code.worker: code.module for code in CODES.values()}
    for name, module in modules.items():
        own = peers / name / "bin" / "python" if peers else None
        python = own if own and own.exists() else Path(executable)
        if python is not own and not find_spec(module):
            print(f"{name}: skipped, as {module} is not installed here nor under --peers")
        elif module != "clumpygan" and not scripts.is_dir():
            print(f"{name}: skipped, as {scripts} (--peer-scripts) is not there")
        else:
            try:
                workers[name] = Worker(name, python, scripts)
            except RuntimeError as error:
                print(f"{name}: skipped, it does not start: {error}")
    return workers


def measure(
    workers: dict[str, Worker], cases: list[str], rounds: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Compare and time every code on every case, in turns: case -> code -> numbers."""
    results: dict[str, dict[str, dict[str, Any]]] = {}
    for case in cases:
        found = results[case] = {}
        codes = {k: c for k, c in CODES.items() if case in c.cases and c.worker in workers}
        for name, code in codes.items():
            found[name] = workers[code.worker].ask(case=case, setting=code.setting, errors=True)
            found[name] |= {"version": workers[code.worker].version, "turns_ms": []}
        for _ in range(rounds):
            for name, numbers in found.items():
                asked = {"case": case, "setting": codes[name].setting, "seconds": SECONDS}
                times = workers[codes[name].worker].ask(**asked)["cpu_ms"]
                numbers["turns_ms"].append(median(times))
        for numbers in found.values():
            numbers["cpu_ms"] = median(numbers["turns_ms"])
            numbers["least_cpu_ms"] = min(numbers["turns_ms"])
        show(case, found)
    return results


def show(case: str, found: dict[str, dict[str, Any]]) -> None:
    """Print the table of a case and its ratios."""
    size = CASES[case].size
    print(f"\n{case}: {size} x {size} x {size}")
    print(f"{'code':30s} {'CPU ms':>9s} {'least':>9s} {'L2':>9s} {'km/s':>7s}  convention")
    for name, n in found.items():
        times = f"{n['cpu_ms']:9.2f} {n['least_cpu_ms']:9.2f}"
        print(f"{name:30s} {times} {n['l2']:9.2e} {n['velocity_rms']:7.3f}  {n['convention']}")
    for slow, fast in RATIOS:
        if slow in found and fast in found:
            turns = zip(found[slow]["turns_ms"], found[fast]["turns_ms"], strict=True)
            ratio = median(a / b for a, b in turns)
            errors = " and ".join(f"{found[name]['l2']:.1e}" for name in (slow, fast))
            print(f"  ratio {slow} / {fast}: {ratio:.2f}, at errors of {errors}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=Path, help="folder with an environment for each code")
    parser.add_argument("--peer-scripts", type=Path, default=HERE / "peer_scripts",
                        help="folder with the reference and what drives the packages")  # fmt: skip
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=7, help="turns of each code")
    parser.add_argument("--threads", type=int, default=2, help="of the batches")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    workers = start_workers(options.peers, options.peer_scripts)
    results: dict[str, Any] = measure(workers, options.cases, options.rounds)
    for worker in workers.values():
        worker.close()
    defaults = [
        n["l2"]
        for found in results.values()
        for name, n in found.items()
        if CODES[name].setting.get("accuracy") == DEFAULT
    ]
    print(f"\nlargest L2 of ours at the default accuracy: {max(defaults):.1e}")
    rates = throughput(options.threads, options.rounds, DEFAULT)
    print(f"\ncubes/s by the clock, {options.threads} threads    numba  (1 thread)     torch")
    for size, rate in rates.items():
        numbers = f"{rate['numba']:9.1f} {rate['numba_1_thread']:11.1f} {rate['torch']:9.1f}"
        print(f"  {size:32s} {numbers}")
    if options.json:
        options.json.write_text(json.dumps(results | {"cubes_per_second": rates}, indent=1) + "\n")


if __name__ == "__main__":
    main()
