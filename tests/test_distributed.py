"""Two processes train together on the CPU, as a user would start them."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.training.run import train
from tests.trainings import FAST, QUIET, SMALL_DCGAN, SMALL_NETWORK, composed

TRAIN = Path(__file__).parents[1] / "train.py"

pytestmark = QUIET


def two_processes(*words, cwd):
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
            *(str(TRAIN), *FAST, "trainer=ddp", "trainer.accelerator=cpu", *words),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=cwd,
        check=False,
    )


@pytest.mark.parametrize(
    ("network", "game"),
    [
        # Both penalties at every second step, and gradients that are clipped.
        (SMALL_DCGAN, ["model.game.penalty_interval=2", "model.gradient_clip=0.1"]),
        # A window that is drawn, and the discriminator from the second epoch on.
        (SMALL_NETWORK, ["model.crop_blocks=4"]),
    ],
    ids=["dcgan", "super_resolution"],
)
def test_two_processes_do_what_one_does_with_the_doubled_batch(network, game, tmp_path):
    shared = [*network, *game, f"data.cache={tmp_path / 'cache'}", "name=tiny"]
    train(composed(*shared, "data.batch_size=4", f"output={tmp_path / 'one'}"))
    done = two_processes(*shared, "data.batch_size=2", "output=two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]

    # One folder, with one of everything in it.
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "one", "two"}
    assert [path.name for path in (tmp_path / "two" / "logs").iterdir()] == ["version_0"]
    assert done.stdout.count("16 of 32 images") == 1

    states = [
        torch.load(tmp_path / folder / "last.ckpt", weights_only=True) for folder in ("one", "two")
    ]
    assert states[0]["images_seen"] == states[1]["images_seen"] == 32
    start = composed(*shared, "data.batch_size=4", "shorten_to=16", f"output={tmp_path / 'start'}")
    train(start)
    before = torch.load(tmp_path / "start" / "last.ckpt", weights_only=True)["state_dict"]
    moved = 0.0
    for name, value in states[0]["state_dict"].items():
        moved = max(moved, float((value - before[name]).abs().max()))
        torch.testing.assert_close(states[1]["state_dict"][name], value, rtol=1e-3, atol=1e-5)
    assert moved > 1e-3
    for one, two in zip(states[0]["curve"], states[1]["curve"], strict=True):
        assert two == pytest.approx(one, rel=1e-2)
    network, card = load_checkpoint(str(tmp_path / "two" / "tiny"), ("dcgan", "super_resolution"))
    assert card["hardware"].startswith("2 process(es)")
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())
