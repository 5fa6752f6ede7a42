"""`python train.py`: train a network of the family, configured by Hydra."""

from omegaconf import DictConfig

from clumpygan.commands.program import run_hydra
from clumpygan.resources import resource_folder


def main() -> None:
    """Compose the configuration from configs/ and the command line, and train."""
    run_hydra(_task, "train.py", resource_folder("configs"), "train")


def _task(config: DictConfig) -> float:
    # Lightning takes seconds to import: --help and a typing error shall not wait for it.
    from clumpygan.commands.training import train

    return train(config).get("nrmse", float("nan"))
