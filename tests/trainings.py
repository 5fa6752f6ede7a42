"""Trainings that are over in a second."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import clumpygan.commands.training_job  # noqa: F401 - registers the resolvers of the configuration
from clumpygan.resources import resource_folder
from clumpygan.training.settings import shortened

CONFIGS = resource_folder("configs")

QUIET = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    # The threads of a pool are torch's own business.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]
"""Warnings of Lightning and torch that say nothing about us."""

FAST = ["debug=fast", "threads=1", "callbacks.pictures=0"]

SMALL_NETWORK = [
    "model.generator.channels=8",
    "model.generator.blocks=[1,1]",
    "model.generator.fine_channels=4",
    "model.discriminator.channels=4",
]

SMALL_DCGAN = [
    "model=dcgan",
    "data.size=32",
    *(f"model.{part}.{name}" for part in ("generator", "discriminator")
      for name in ("channels=4", "largest=8")),
]  # fmt: skip


def composed(*overrides):
    """Return the configuration of a fast training."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", [*FAST, *overrides])


def resolved(config):
    """Return the configuration as a training sees it."""
    return shortened(OmegaConf.to_container(config, resolve=True))
