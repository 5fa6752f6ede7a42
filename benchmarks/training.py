"""Training throughput: the whole machinery against the same network in a bare PyTorch loop.

Both take the same steps on the same batches, in turns, in one process: Lightning with manual
optimisation, the averaged generator, logs and data loading, and a loop of forward, backward and
optimiser step on batches made beforehand. Prints images/s of each and their ratio.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from clumpygan.commands.training import build_data, build_module
from clumpygan.resources import resource_folder


class Clock(pl.Callback):
    """Times the training steps of an epoch, without the first few and without validation."""

    def __init__(self, skip):
        self.skip, self.start, self.seconds = skip, 0.0, 0.0

    def on_train_batch_start(self, trainer, module, batch, batch_index):
        """Start the clock when the first few steps are over."""
        if batch_index == self.skip:
            self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer, module):
        """Stop the clock."""
        self.seconds = time.perf_counter() - self.start


def bare_loop(module, batches, skip):
    """Forward, loss, backward, clip and step, nothing else; seconds after the first few."""
    optimiser = torch.optim.Adam(module.generator.parameters(), lr=1e-4)
    start = 0.0
    for step, batch in enumerate(batches):
        if step == skip:
            start = time.perf_counter()
        samples = module.sample(batch, torch.Generator().manual_seed(step))
        loss = torch.stack(list(module.fidelity(samples, batch).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.generator.parameters(), 1.0)
        optimiser.step()
    return time.perf_counter() - start


def machinery(module, data, skip, folder):
    """Return the seconds of the same steps under Lightning."""
    clock = Clock(skip)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=pl.loggers.CSVLogger(folder),
        callbacks=[clock],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    trainer.fit(module, data)
    return clock.seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=24, help="steps in each turn")
    parser.add_argument("--turns", type=int, default=5, help="turns; their median is reported")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    skip = 4
    with tempfile.TemporaryDirectory() as folder:
        with initialize_config_dir(str(resource_folder("configs")), version_base="1.3"):
            config = compose("train", [f"data.cache={folder}", "data.train_size=256"])
        plain = OmegaConf.to_container(config, resolve=True)
        size = plain["data"]["batch_size"]
        plain["data"] |= {"images_per_epoch": options.steps * size, "val_size": 1}
        data = build_data(plain["data"])
        data.prepare_data()
        data.setup()
        batches = [
            data.observe(batch)
            for _, batch in zip(range(options.steps), data.train_dataloader(), strict=True)
        ]
        rates = {"bare": [], "clumpygan": []}
        images = (options.steps - skip) * size
        for _ in range(options.turns):
            bare = build_module(plain["model"], 10**6, 0)
            rates["bare"].append(images / bare_loop(bare, batches, skip))
            whole = build_module(plain["model"], 10**6, 0)
            rates["clumpygan"].append(images / machinery(whole, data, skip, folder))
    ratios = sorted(a / b for a, b in zip(rates["clumpygan"], rates["bare"], strict=True))
    result = {name: sorted(values)[len(values) // 2] for name, values in rates.items()}
    result |= {"ratio": ratios[len(ratios) // 2], "ratios": ratios, "threads": options.threads}
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
