"""Training of the network that draws from posteriors, and its checkpoint."""

import sys

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network, load_checkpoint, save_checkpoint
from clumpygan.gan.game import Schedule
from clumpygan.gan.posterior import PosteriorModule
from tests.trainings import QUIET

NETWORK = {
    "name": "disk_posterior",
    "arguments": {
        "shape": [4, 4, 4],
        "parameters": 2,
        "conditions": 1,
        "channels": [4, 4, 4],
        "features": 8,
        "hidden": 16,
        "splines": 1,
        "bins": 4,
    },
}

pytestmark = [
    *QUIET,
    # The averaged network is never trained.
    pytest.mark.filterwarnings("ignore:Found .* in eval mode"),
]


def items(count, seed=0):
    """Cubes whose brightness is one of the two coordinates, with noise."""
    generator = np.random.default_rng(seed)
    answer = []
    for _ in range(count):
        u = generator.standard_normal(2)
        level = u[0] + 0.5 * generator.standard_normal()
        answer.append(
            {
                "cube": np.full((4, 4, 4), level, np.float32),
                "coordinates": u.astype(np.float32),
                "conditions": np.zeros(1, np.float32),
            }
        )
    return answer


def module(total=8192, **more):
    torch.manual_seed(0)
    return PosteriorModule(
        build_network(NETWORK["name"], NETWORK["arguments"]),
        network=NETWORK,
        total_images=total,
        seed=0,
        schedule=Schedule(peak=1e-2, final=1e-4, warm_up=128),
        **more,
    )


def fit(one, count=8192, batch=64):
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(one, DataLoader(items(count), batch), DataLoader(items(256, seed=1), batch))
    return one


def test_training_learns_what_there_is_to_know():
    trained = fit(module())
    point = trained.curve[-1]
    assert trained.images_seen == point["images"] == 8192
    # Of one of two coordinates a variance of 1 / 5 is left: log(5) / 2 nats.
    assert point["information"] == pytest.approx(0.5 * np.log(5), abs=0.1)
    assert point["loss"] == pytest.approx(np.log(2 * np.pi * np.e) - point["information"], abs=0.15)
    assert point["coverage"] == pytest.approx(0.68, abs=0.06)
    assert 0 < point["rank_distance"] < 0.12
    assert trained.criterion == "loss"


def test_the_average_is_what_is_measured():
    one = module()
    batch = {k: torch.tensor(np.stack([i[k] for i in items(256)])) for k in items(1)[0]}
    with torch.no_grad():
        for parameter in one.generator.parameters():
            parameter.add_(1.0)
    recorded = []
    one.record = recorded.append
    one._trainer = None
    one.validation_step(batch, 0)
    density = one.average.log_density(batch["coordinates"], batch["cube"], batch["conditions"])
    assert one._held_out[0][0][:, 0].mean() == pytest.approx(density.mean().item(), abs=1e-5)


def test_a_checkpoint_draws_what_its_network_drew(tmp_path):
    network = fit(module(total=256), count=256).average
    save_checkpoint(tmp_path / "tiny", network, {"network": NETWORK})
    loaded, card = load_checkpoint(str(tmp_path / "tiny"), ("disk_posterior",))
    cube, condition = torch.ones(1, 4, 4, 4), torch.zeros(1, 1)
    with torch.no_grad():
        first, again = (
            one.draw(cube, condition, 5, torch.Generator().manual_seed(1))[0]
            for one in (network, loaded)
        )
    assert torch.equal(first, again)
    assert card["network"] == NETWORK
    with pytest.raises(InputError, match="is a checkpoint of disk_posterior"):
        load_checkpoint(str(tmp_path / "tiny"), ("dcgan",))


def test_without_zuko_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    for name in [name for name in sys.modules if name.startswith("zuko.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "clumpygan.networks.posterior", raising=False)
    with pytest.raises(InputError, match="of the extra fit"):
        build_network(NETWORK["name"], NETWORK["arguments"])
