"""Simulated items in batches."""

import numpy as np
import torch

from clumpygan.data.simulations import SimulationDataModule


class Counter:
    """Makes items that say which they are, and counts how many."""

    def __init__(self):
        self.description = {"parameters": ["a"]}
        self.made = []

    def item(self, split, index):
        self.made.append((split, index))
        return {"cube": np.full((1, 1, 1), index, np.float32)}


def _data(**more):
    sizes = {"train_size": 100, "val_size": 6, "batch_size": 4, "images_per_epoch": 8}
    return SimulationDataModule(Counter(), seed=0, **(sizes | more))


def test_batches_are_made_as_they_are_asked_for_and_held_out_ones_once():
    data = _data()
    assert data.simulator.made == []
    batches = list(data.train_dataloader())
    assert [batch["cube"].shape for batch in batches] == [(4, 1, 1, 1)] * 2
    assert [split for split, _ in data.simulator.made] == ["train"] * 8
    assert len(set(data.simulator.made)) == 8
    first, again = (torch.cat([batch["cube"] for batch in data.val_dataloader()]) for _ in range(2))
    assert torch.equal(first, again)
    assert sorted(first.ravel().tolist()) == list(range(6))
    assert len([one for one in data.simulator.made if one[0] == "val"]) == 6
    assert data.describe() == {"parameters": ["a"]}
    assert data.observe(batches[0]) is batches[0]
