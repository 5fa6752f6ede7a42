"""Measure the engine of parallel work: speed, equality, and what a kill costs.

Cubes are made and fitted by one process, by two workers, and by two workers of which one is killed
(signal 9) a third of the way, and the program two thirds of the way, before the same command goes
on. Posterior samples of all three have to be the same, bit for bit.

    python benchmarks/engine.py --n 100
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from astropy.io import fits

ROOT = Path(__file__).parents[1]
MADE = "cubes --snr 20 --smooth --seed 1 --output gal.fits"
FIT = "--no-picture --no-model-cubes"


def run(*words: str, output: str, folder: Path) -> subprocess.Popen[str]:
    """Start a fit of all cubes."""
    cubes = sorted(str(one.relative_to(folder)) for one in (folder / "gal").glob("*.fits"))
    command = [sys.executable, str(ROOT / "fit.py"), *cubes, *FIT.split(), *words]
    return subprocess.Popen(
        [*command, "--output", output], cwd=folder, stdout=subprocess.PIPE, text=True
    )


def timed(*words: str, output: str, folder: Path) -> float:
    """Fit all cubes; return the seconds."""
    begin = time.perf_counter()
    with run(*words, output=output, folder=folder) as fit:
        fit.communicate()
    assert fit.returncode == 0, fit.returncode
    return time.perf_counter() - begin


def children(process: int) -> list[int]:
    """Return the workers of a process: those of its children that were spawned."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    threads = Path(f"/proc/{process}/task").iterdir()
    for thread in threads:
        found += (thread / "children").read_text().split()
    return [
        int(one)
        for one in dict.fromkeys(found)
        if "spawn_main" in Path(f"/proc/{one}/cmdline").read_text()
    ]


def killed(count: int, folder: Path) -> float:
    """Fit with two workers, kill one, then the program; go on; return the seconds of it all."""
    begin = time.perf_counter()
    with run("--workers", "2", output="killed", folder=folder) as fit:
        assert fit.stdout is not None
        done = 0
        for line in fit.stdout:
            done += "good" in line or "doubtful" in line
            if done == count // 3 and "dashboard" not in line:
                first = children(fit.pid)
                os.kill(first[0], signal.SIGKILL)
            if done == 2 * count // 3:
                workers = children(fit.pid)
                fit.kill()
                break
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{one}").exists() for one in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [one for one in workers if Path(f"/proc/{one}").exists()]
    print(f"killed after {done} of {count}; {len(left)} processes are left of {len(workers)}")
    timed("--workers", "2", output="killed", folder=folder)
    return time.perf_counter() - begin


def same(one: Path, other: Path) -> bool:
    """Tell whether all samples of two folders are the same bytes."""
    names = sorted(path.name for path in one.glob("*_samples.fits"))
    if names != sorted(path.name for path in other.glob("*_samples.fits")) or not names:
        return False
    return all(
        fits.getdata(one / name).tobytes() == fits.getdata(other / name).tobytes() for name in names
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path("engine"))
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    words = [sys.executable, str(ROOT / "generate.py"), *MADE.split(), "--n", str(options.n)]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    alone = timed("--workers", "1", output="alone", folder=folder)
    shared = timed("--workers", "2", output="shared", folder=folder)
    again = killed(options.n, folder)
    for name, seconds in (("one process", alone), ("two workers", shared), ("killed", again)):
        print(f"{name}: {seconds:.1f} s, {60 * options.n / seconds:.1f} cubes/min")
    print(f"two workers over one process: {alone / shared:.2f}")
    equal = [same(folder / "alone", folder / other) for other in ("shared", "killed")]
    print(f"the same bytes: two workers {equal[0]}, killed and gone on {equal[1]}")


if __name__ == "__main__":
    main()
