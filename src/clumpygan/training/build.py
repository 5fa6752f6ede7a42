"""The data and the training that a configuration or a card describes, built by `_target_`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.gan.targets import TARGET, instantiate, locate, trusting
from clumpygan.gan.training import TrainingModule

KINDS: Mapping[str, str] = {
    "pairs": "clumpygan.data.PairDataModule",
    "cutouts": "clumpygan.data.CandelsDataModule",
    "cubes": "clumpygan.data.CubeDataModule",
    "galaxy_cubes": "clumpygan.data.GalaxyCubeDataModule",
    "idx": "clumpygan.data.IdxDataModule",
}
"""Data modules by the `kind` of older cards."""

_WORDS = ("name", "kind", "grid")
"""Settings of `data` that only names, or other settings, refer to."""


def build_data(settings: Mapping[str, Any]) -> StreamDataModule:
    """Build the data module of a section `data`.

    Parameters
    ----------
    settings : mapping
        The section: `_target_`, and the arguments of the data module. Of a card, only data modules
        of clumpygan are built.

    Raises
    ------
    InputError
        If a value is out of range or unknown.
    """
    for name, value in settings.items():
        if value == "???":
            raise InputError(f"`data.{name}` is missing: give it, data.{name}=...")
    arguments = {key: value for key, value in settings.items() if key not in _WORDS}
    if TARGET not in arguments:
        kind = str(settings.get("kind"))
        if kind not in KINDS:
            raise InputError(f"`data.kind` is {kind}: expected one of {', '.join(KINDS)}")
        arguments[TARGET] = KINDS[kind]
    data: StreamDataModule = instantiate(arguments, "data", kind=pl.LightningDataModule)
    return data


def check_batches(data: StreamDataModule, processes: int) -> None:
    """Refuse epochs that the processes can't share in whole batches.

    Raises
    ------
    InputError
        If an epoch isn't a whole number of batches of every process.
    """
    step = data.batch_size * processes
    if data.images_per_epoch % step:
        raise InputError(
            f"`data.images_per_epoch` is {data.images_per_epoch}: expected a multiple of {step}, "
            f"batches of {data.batch_size} in {processes} process(es)"
        )


def build_module(
    settings: Mapping[str, Any],
    data: StreamDataModule,
    total_images: int,
    seed: int,
    initial: str | Sequence[str] | None = None,
) -> TrainingModule:
    """Build the networks and their training from a section `model`.

    Parameters
    ----------
    settings : mapping
        The section: `_target_` of the module, and its arguments. It is the user's own: any target
        will do.
    data : StreamDataModule
        Which the networks will be trained on; they learn their shapes from it.
    total_images, seed : int
    initial : str or sequence of str, optional
        Checkpoints of the same network, by name or path: the generator starts with the mean of
        their weights.

    Raises
    ------
    InputError
        If a value is out of range or unknown, or the checkpoint is of another network.
    """
    torch.manual_seed(seed)
    words = (TARGET, "name", "data", "pictures")
    arguments = {key: value for key, value in settings.items() if key not in words}
    with trusting(everything=True):
        kind = locate(str(settings.get(TARGET)), "model", TrainingModule)
        if not isinstance(kind, type) or not issubclass(kind, TrainingModule):
            raise InputError(
                f"`model.{TARGET}` is {settings[TARGET]}: expected a subclass of "
                "clumpygan.gan.training.TrainingModule"
            )
        return kind.for_data(
            data, total_images=total_images, seed=seed, initial=initial, **arguments
        )
