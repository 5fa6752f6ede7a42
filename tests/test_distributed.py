"""Two processes train together on the CPU, as a user would start them."""

import subprocess
import sys
from pathlib import Path

import torch

from clumpygan.gan.checkpoint import load_checkpoint

TRAIN = Path(__file__).parents[1] / "train.py"


def test_two_processes_train_one_network(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
            *(str(TRAIN), "debug=fast", "trainer=ddp", "trainer.accelerator=cpu"),
            *("trainer.devices=2", "threads=1", "name=tiny", f"output={tmp_path / 'run'}"),
            *(f"data.cache={tmp_path / 'samples'}", "data.batch_size=2", "callbacks.pictures=0"),
            "callbacks.validate_every=1",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    network, card = load_checkpoint(str(tmp_path / "run" / "tiny"))
    # 32 images in all: the count runs over both processes.
    assert card["images_seen"] == 32
    assert [point["images"] for point in card["curve"]] == [16, 32]
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())
