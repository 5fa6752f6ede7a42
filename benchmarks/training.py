"""Images/s of our training steps, against bare PyTorch loops on the same networks, in turns.

`dcgan` takes the steps of PyTorch's own DCGAN example (github.com/pytorch/examples, dcgan/main.py:
binary cross-entropy, two Adams, three passes through the discriminator) on the networks and the
loader of ours; ours average the generator, clip, log and listen for Ctrl-C beside. Also the example
on batches made beforehand, and the loader alone. `super_resolution` compares with forward, backward
and step; `settings` measures bfloat16 and channels-last for the default networks of model=dcgan.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

import clumpygan.commands.training_job  # noqa: F401 - registers the resolvers of the configuration
from clumpygan.networks.blocks import stretch
from clumpygan.resources import resource_folder
from clumpygan.training.build import build_data, build_module
from clumpygan.training.interruption import Interruption
from clumpygan.training.loggers import ProgressLine

CLOCK = time.process_time
"""CPU seconds of this process: what else runs on the machine doesn't count."""

SKIP = 3
"""Steps of each turn before the clock starts."""


class Clock(pl.Callback):
    """Times the training steps of an epoch, without the first few and without validation."""

    def __init__(self):
        self.start, self.seconds = 0.0, 0.0

    def on_train_batch_start(self, trainer, module, batch, batch_index):
        """Start the clock when the first few steps are over."""
        if batch_index == SKIP:
            self.start = CLOCK()

    def on_train_epoch_end(self, trainer, module):
        """Stop the clock."""
        self.seconds = CLOCK() - self.start


def timed(steps):
    """Return the seconds that an iterator of steps takes after the first few."""
    start = 0.0
    for step, _ in enumerate(steps):
        if step + 1 == SKIP:
            start = CLOCK()
    return CLOCK() - start


def example_loop(module, batches):
    """Take the steps of PyTorch's example: real, fake, generator, with its logs."""
    generator, discriminator = module.generator, module.discriminator
    criterion = nn.BCEWithLogitsLoss()
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
        for network in (discriminator, generator)
    ]
    for batch in batches:
        real, told = stretch(batch["image"]), batch.get("conditions")
        label = torch.ones(len(real), 1)
        discriminator.zero_grad()
        output = discriminator(real, told)
        error_real = criterion(output, label)
        error_real.backward()
        mean_real = output.mean().item()
        fake = stretch(generator(torch.randn(len(real), generator.latent_dim), told))
        output = discriminator(fake.detach(), told)
        error_fake = criterion(output, label.fill_(0))
        error_fake.backward()
        mean_fake = output.mean().item()
        optimisers[0].step()
        generator.zero_grad()
        output = discriminator(fake, told)
        error = criterion(output, label.fill_(1))
        error.backward()
        optimisers[1].step()
        yield (error_real + error_fake).item(), error.item(), mean_real, mean_fake


def fidelity_loop(module, batches):
    """Take steps of the generator alone: forward, loss, backward, clip and step."""
    optimiser = torch.optim.Adam(module.generator.parameters(), lr=1e-4)
    for step, batch in enumerate(batches):
        samples = module.sample(batch, torch.Generator().manual_seed(step))
        loss = torch.stack(list(module.fidelity(samples, batch).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.generator.parameters(), 1.0)
        optimiser.step()
        yield loss


def machinery(module, data, folder, precision="32-true"):
    """Return the seconds of the same steps as train.py takes them."""
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        precision=precision,
        logger=pl.loggers.CSVLogger(folder, flush_logs_every_n_steps=1),
        callbacks=[Interruption(Path(folder) / "last.ckpt"), ProgressLine(), clock],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )
    trainer.fit(module, data)
    return clock.seconds


def prepared(folder, steps, *overrides):
    """Return the configuration of the section model, the data, and batches made beforehand."""
    words = [f"data.cache={folder}", "data.train_size=256", "data.val_size=64", *overrides]
    with initialize_config_dir(str(resource_folder("configs")), version_base="1.3"):
        plain = OmegaConf.to_container(compose("train", words), resolve=True)
    plain["data"]["images_per_epoch"] = steps * plain["data"]["batch_size"]
    data = build_data(plain["data"])
    data.prepare_data()
    data.setup()
    return plain["model"], data, [data.observe(batch) for batch in data.train_dataloader()]


def in_turns(methods, turns, images):
    """Return images/s of each method, turn by turn."""
    rates = {name: [] for name in methods}
    for _ in range(turns):
        for name, seconds in methods.items():
            rates[name].append(images / seconds())
    return rates


def compared(rates, ours, theirs):
    """Return medians, and the median ratio of two methods."""
    ratios = [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]
    result = {f"{name}, images/s": round(median(values), 2) for name, values in rates.items()}
    return result | {"ratio": round(median(ratios), 3), "ratios": [round(r, 3) for r in ratios]}


def dcgan(options, folder):
    """Compare with PyTorch's example."""
    network = [f"model.{part}.{name}" for part in ("generator", "discriminator")
               for name in ("variant=published", f"channels={options.channels}",
                            f"largest={8 * options.channels}")]  # fmt: skip
    game = [f"model.game.{word}" for word in ("loss=non_saturating", "r1=0", "r2=0")]
    settings, data, batches = prepared(
        folder, options.steps, "model=dcgan", "model.generator.latent_dim=100",
        "data.conditions=[]", f"data.batch_size={options.batch}", *network, *game,
    )  # fmt: skip

    def ours(average=True):
        module = build_module(settings, data, 10**6, 0)
        if not average:
            module._update_average = lambda count: None
        return machinery(module, data, folder)

    def loaded():
        return (data.observe(batch) for batch in data.train_dataloader())

    def example(batches):
        return timed(example_loop(build_module(settings, data, 10**6, 0), batches))

    rates = in_turns(
        {
            "PyTorch's example": lambda: example(loaded()),
            "clumpygan": ours,
            "PyTorch's example, batches at hand": lambda: example(batches),
            "clumpygan without average": lambda: ours(average=False),
            "loader alone": lambda: timed(loaded()),
        },
        options.turns,
        (options.steps - SKIP) * options.batch,
    )
    result = compared(rates, "clumpygan", "PyTorch's example")
    needed = median(a / b for a, b in zip(rates["loader alone"], rates["clumpygan"], strict=True))
    return result | {"loader over step": round(needed, 1)}


def super_resolution(options, folder):
    """Compare with a loop of the generator alone, before the discriminator joins."""
    settings, data, batches = prepared(folder, options.steps, f"data.batch_size={options.batch}")
    methods = {
        "bare": lambda: timed(fidelity_loop(build_module(settings, data, 10**6, 0), batches)),
        "clumpygan": lambda: machinery(build_module(settings, data, 10**6, 0), data, folder),
    }
    rates = in_turns(methods, options.turns, (options.steps - SKIP) * options.batch)
    return compared(rates, "clumpygan", "bare")


def settings(options, folder):
    """Measure bfloat16 and channels-last."""
    section, data, _ = prepared(
        folder, options.steps, "model=dcgan", f"data.batch_size={options.batch}"
    )
    methods = {
        f"{precision}, channels_last={last}": lambda precision=precision, last=last: machinery(
            build_module(section | {"channels_last": last}, data, 10**6, 0), data, folder, precision
        )
        for precision in ("32-true", "bf16-mixed")
        for last in (False, True)
    }
    rates = in_turns(methods, options.turns, (options.steps - SKIP) * options.batch)
    return {f"{name}, images/s": round(median(values), 2) for name, values in rates.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["dcgan", "super_resolution", "settings"])
    parser.add_argument("--steps", type=int, default=24, help="steps in each turn")
    parser.add_argument("--turns", type=int, default=5, help="turns; medians are reported")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--channels", type=int, default=64, help="of dcgan; 64 in the example")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    # One thread, whose CPU seconds are those on a clock if the machine has nothing else to do.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        result = globals()[options.what](options, folder)
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
