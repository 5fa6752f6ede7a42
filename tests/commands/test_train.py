"""train.py from the shell: what its user sees of a good and of a bad command line."""

import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = Path(__file__).parents[2] / "train.py"


def run(*words, cwd):
    return subprocess.run(
        [sys.executable, str(TRAIN), *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    ("word", "named"),
    [
        (
            "model.game.wieght=1",
            "model.game.wieght: there is no such setting; did you mean weight?",
        ),
        ("model=dcgn", "model=dcgn: there is no such choice; did you mean model=dcgan?"),
        ("trainer=tpu", "tpu"),
        ("total_images=many", "total_images is many"),
        ("total_images=0", "total_images is 0"),
        ("data.target=hsc_wide_u", "hsc_wide_u"),
        ("seed=abc", "seed is 'abc': expected an integer from 0"),
        ("model.game.r1=null", "model.game.r1 is None: expected a number >= 0"),
        ("name=../../x", "expected the name of a file"),
        ("output=", "`output` is '': expected the name of a folder"),
        ("model.generator._target_=nowhere.Net", "is it on PYTHONPATH?"),
        (
            "data=cubes",
            "SuperResolutionModule doesn't train on a CubeDataModule, which has no pair",
        ),
    ],
)
def test_bad_override_is_one_line_and_code_2(word, named, tmp_path):
    done = run(*(() if word == "output=" else ("output=run",)), word, cwd=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("train.py: error: ")
    assert named in lines[0]
    assert not list(tmp_path.rglob("*.ckpt"))
    # Not here, but in the folder that was named, Hydra keeps what it was told.
    assert {path.name for path in tmp_path.iterdir()} <= {"run"}


@pytest.mark.parametrize("choice", ["trainer=gpu", "+trainer=gpu"])
def test_a_trainer_is_chosen_with_or_without_a_plus(choice, tmp_path):
    done = run(choice, "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accelerator: gpu" in done.stdout
