"""`python train.py`: train a network of the family, configured by Hydra."""

import sys

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from clumpygan.commands.program import run_hydra
from clumpygan.resources import resource_folder


def main() -> None:
    """Compose the configuration from configs/ and the command line, and train."""
    # A trainer is always chosen; "+trainer=gpu", as one adds a group, means the same choice.
    sys.argv[1:] = [word[1:] if word.startswith("+trainer=") else word for word in sys.argv[1:]]
    run_hydra(_task, "train.py", resource_folder("configs"), "train")


def _task(config: DictConfig) -> float:
    # Lightning takes seconds to import: --help and a typing error shall not wait for it.
    from clumpygan.commands.training import train

    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:
        # Every job of a sweep has its own folder, or the second would refuse the first's state.
        config.output = job.runtime.output_dir
    return train(config).get("nrmse", float("nan"))
