"""Say whether the tests would notice: change a line of the code, and see the nearest tests fail.

    make mutate                          # or: python tests/mutations.py
    python tests/mutations.py ratio ema  # those whose names hold one of these words

Each mutation is made in a copy of the tree in a temporary folder, where its tests must pass before
it and fail after it. The exit code is 1 if one survives.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PASSED, FAILED = 0, 1
"""Exit codes of pytest: all passed, and some failed. With others nothing has been tested."""


@dataclass(frozen=True)
class Mutation:
    """A change that makes the code wrong.

    Attributes
    ----------
    name : str
    file : str
        Within `src/clumpygan`.
    before, after : str
        What is there, once, and what takes its place.
    tests : str
        The nearest tests, as pytest takes them, within `tests`.
    """

    name: str
    file: str
    before: str
    after: str
    tests: str


MUTATIONS = (
    Mutation(
        "transfer ratio without its conjugate",
        "instruments/observe.py",
        "ratio = wide * narrow.conj()",
        "ratio = wide * narrow",
        "instruments/test_observe.py",
    ),
    Mutation(
        "states of trainings are unpickled",
        "training/states.py",
        "weights_only=True",
        "weights_only=False",
        "test_resume.py::test_a_strangers_state_is_refused_and_runs_nothing",
    ),
    Mutation(
        "modules are unpickled",
        "gan/training.py",
        "weights_only=True",
        "weights_only=False",
        "test_resume.py::test_a_strangers_state_is_refused_and_runs_nothing",
    ),
    Mutation(
        "noise of crowded images without what neighbours share",
        "instruments/pixel_differences.py",
        "if drop < _WHITE_DROP:",
        "if drop < np.inf:",
        "recovery/test_odd_images.py",
    ),
    Mutation(
        "average of the weights without its ramp",
        "gan/training.py",
        "min(self.core.ema_half_life, 0.1 * self.images_seen)",
        "self.core.ema_half_life",
        "gan/test_adversarial.py",
    ),
    Mutation(
        "systematic resampling without its random offset",
        "fitting/sampling/draws.py",
        "(generator.random() + np.arange(count))",
        "(0.5 + np.arange(count))",
        "fitting/test_draws.py",
    ),
    Mutation(
        "intervals of 80 %",
        "fitting/result.py",
        "(0.15865525393145707, 0.8413447460685429)",
        "(0.1, 0.9)",
        "fitting/test_result.py",
    ),
    Mutation(
        "a compressed file may become anything",
        "io/header_sizes.py",
        "LARGEST_RATIO = 2**28, 100",
        "LARGEST_RATIO = 2**28, 10**9",
        "io/test_damaged_files.py::test_a_compressed_image_that_states_gigabytes_is_refused",
    ),
    Mutation(
        "arrays are unpickled",
        "io/arrays.py",
        "allow_pickle=False",
        "allow_pickle=True",
        "io/test_damaged_files.py::test_arrays_of_objects_and_archives_are_refused",
    ),
    Mutation(
        "outputs are written in place",
        "io/atomic.py",
        'temporary = path.with_name(f".{uuid.uuid4().hex[:12]}-{path.name}")',
        "temporary = path",
        "io/test_atomic.py",
    ),
    Mutation(
        "outputs replace inputs",
        "io/atomic.py",
        "for own in _identified([path]) if own in kept",
        "for own in _identified([path]) if own is kept",
        "commands/test_output_files.py",
    ),
    Mutation(
        "the sky is subtracted the wrong way",
        "recovery/sky.py",
        "image.data - np.float32(sky.level)",
        "image.data + np.float32(sky.level)",
        "recovery/test_odd_images.py::test_a_sky_that_was_left_in_is_said_and_subtracted",
    ),
    Mutation(
        "a galaxy that fills the field is a sky",
        "recovery/sky.py",
        "_SCATTER = 1.5",
        "_SCATTER = 1e9",
        "recovery/test_odd_images.py::test_the_noise_is_measured_where_light_fills_the_image",
    ),
    Mutation(
        "cards of strangers build what they name",
        "gan/targets.py",
        "return isinstance(found, type) and issubclass(found, kind)",
        "return True",
        "test_targets.py",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="of the names of those that are tried (all)")
    words = parser.parse_args().words
    chosen = [one for one in MUTATIONS if not words or any(word in one.name for word in words)]
    width = max(len(one.name) for one in MUTATIONS)
    survived = 0
    for mutation in chosen:
        begin = time.monotonic()
        what, problem = _tried(mutation)
        survived += what != "killed"
        print(
            f"{mutation.name:{width}}  {what:8}  {time.monotonic() - begin:4.0f} s  "
            f"{mutation.tests}",
            flush=True,
        )
        if problem:
            print(problem, flush=True)
    print(f"{len(chosen)} mutations, {len(chosen) - survived} killed")
    sys.exit(survived > 0)


def _tried(mutation: Mutation) -> tuple[str, str]:
    """Return what became of a mutation, and what pytest said where that isn't its death."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _copy(tree)
        code, said = _pytest(tree, mutation.tests)
        if code != PASSED:
            return "no test", said
        file = tree / "src" / "clumpygan" / mutation.file
        text = file.read_text()
        if text.count(mutation.before) != 1:
            return "no place", f"{mutation.file} holds it {text.count(mutation.before)} times"
        file.write_text(text.replace(mutation.before, mutation.after))
        code, said = _pytest(tree, mutation.tests)
    if code == FAILED:
        return "killed", ""
    return ("SURVIVED", "") if code == PASSED else ("no test", said)


def _copy(tree: Path) -> None:
    """Copy what tests need; the networks, which nothing writes to, are linked."""
    tree.mkdir()
    for name in ("src", "tests", "configs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.py"), ROOT / "pyproject.toml"):
        shutil.copy(path, tree)
    (tree / "checkpoints").symlink_to(ROOT / "checkpoints")


def _pytest(tree: Path, tests: str) -> tuple[int, str]:
    """Run tests in a tree; return the exit code and the last of what was said."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{tests}"],
        cwd=tree, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}"},
    )  # fmt: skip
    return ran.returncode, ran.stdout[-2000:] + ran.stderr[-500:]


if __name__ == "__main__":
    main()
