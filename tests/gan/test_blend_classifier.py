"""A training of the classifier of blends learns to tell two from one."""

import math

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from clumpygan.errors import InputError
from clumpygan.gan import BlendClassifierModule
from clumpygan.gan.checkpoint import build_network
from tests.trainings import QUIET

pytestmark = [
    *QUIET,
    # The averaged network is never trained.
    pytest.mark.filterwarnings("ignore:Found .* in eval mode"),
]

SMALL = {"channels": [8, 8, 8], "blocks": [1, 1, 1], "conditions": 8}


def bumps(count, seed):
    """One batch of bright points, half of them two that are 3 pixels apart, in any direction."""
    generator = torch.Generator().manual_seed(seed)
    blend = (torch.arange(count) % 2).float()
    angle = 6.28 * torch.rand(count, generator=generator)
    step = 1.5 * blend[:, None] * torch.stack([angle.sin(), angle.cos()], 1)
    axis = torch.arange(40) - 19.5
    observed = torch.randn(count, 1, 40, 40, generator=generator)
    for side in (1, -1):
        y, x = (axis - side * one[:, None] for one in step.unbind(1))
        observed[:, 0] += 50 * torch.exp(-(y[:, :, None] ** 2 + x[:, None, :] ** 2) / 5)
    return {
        "observed": observed,
        "sigma": torch.ones(count),
        "transfer": torch.ones(count, 80, 41),
        "blend": blend,
    }


def test_it_learns_to_tell_two_from_one(tmp_path):
    """From odds that say nothing to ones that are right of others, in seconds."""
    torch.manual_seed(0)
    module = BlendClassifierModule(
        build_network("blend_classifier", SMALL),
        total_images=5 * 20 * 32,
        ema_half_life=100,
        schedule={"peak": 5e-3, "warm_up": 0},
    )
    trainer = pl.Trainer(
        max_epochs=5, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    train, held_out = (
        DataLoader(batches, batch_size=None)
        for batches in ([bumps(32, seed) for seed in range(20)], [bumps(200, 100)])
    )
    trainer.fit(module, train, held_out)
    loss = [point["cross_entropy"] for point in module.curve]
    assert module.images_seen == 5 * 20 * 32
    assert loss[-1] < 0.1
    assert module.curve[-1]["unrecognised"] < 0.1
    assert loss[0] > 2 * loss[-1]
    assert module.optimizers().param_groups[0]["lr"] < 0.2 * 5e-3


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {
        "observed": torch.randn(4, 1, 40, 40, generator=generator),
        "sigma": torch.ones(4),
        "transfer": torch.ones(4, 80, 41),
        "blend": torch.tensor([0.0, 1.0, 0.0, 1.0]),
    }


class Told(torch.nn.Module):
    """Says that the odds are those of `sigma`."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def log_odds(self, observed, sigma, transfer):
        return self.weight * sigma


def test_the_held_out_metrics_are_the_cross_entropy_and_what_goes_unrecognised(batch, monkeypatch):
    module = BlendClassifierModule(Told(), total_images=10)
    found = {}
    monkeypatch.setattr(module, "record", found.update)
    monkeypatch.setattr(BlendClassifierModule, "trainer", type("T", (), {"sanity_checking": False}))
    # Of the two pairs one is told from all single galaxies, the other looks like one.
    odds = torch.tensor([-1.0, 3.0, 1.0, 0.5])
    module.validation_step({**batch, "sigma": odds}, 0)
    module.on_validation_epoch_end()
    expected = sum(math.log1p(math.exp(one)) for one in (-1.0, -3.0, 1.0, -0.5)) / 4
    assert found == {"cross_entropy": pytest.approx(expected), "unrecognised": 0.5}


def test_data_that_dont_say_what_is_blended_are_refused():
    with pytest.raises(InputError, match="needs blend in a batch"):
        BlendClassifierModule.check_batch(("observed", "sigma", "transfer"), "the data")
