"""The data that a configuration's section `data` names, built by its `kind`."""

from collections.abc import Callable, Mapping
from typing import Any

from clumpygan.commands.settings import dataclass_from, positive
from clumpygan.data.cubes import CubeDataModule
from clumpygan.data.cutouts import CandelsDataModule
from clumpygan.data.galaxy_cubes import GalaxyCubeDataModule
from clumpygan.data.idx_images import IdxDataModule
from clumpygan.data.pairs import PairDataModule
from clumpygan.data.simulations import SimulationDataModule
from clumpygan.data.store import SampleSettings
from clumpygan.data.stream import StreamDataModule
from clumpygan.data.views import Conditions
from clumpygan.errors import InputError
from clumpygan.fitting.simulations import build_simulator


def _pairs(settings: dict[str, Any]) -> StreamDataModule:
    conditions = dataclass_from(Conditions, settings["conditions"])
    _check_sample(settings["sample"])
    return PairDataModule(**(settings | {"conditions": conditions}))


def _cutouts(settings: dict[str, Any]) -> StreamDataModule:
    _check_sample(settings["sample"])
    return CandelsDataModule(**settings)


def _simulations(settings: dict[str, Any]) -> StreamDataModule:
    arguments = dict(settings)
    simulator = build_simulator(arguments.pop("simulator"), settings["seed"])
    return SimulationDataModule(simulator, **arguments)


def _galaxy_cubes(settings: dict[str, Any]) -> StreamDataModule:
    if settings.get("root") == "???":
        raise InputError("data.root is missing: expected the folder of the cubes, data.root=FOLDER")
    # `grid` only says in one number what the frame says in three.
    return GalaxyCubeDataModule(**{key: value for key, value in settings.items() if key != "grid"})


def _check_sample(fields: dict[str, Any]) -> None:
    dataclass_from(SampleSettings, {"size": 1, "split": "val", "seed": 0, **fields})


KINDS: Mapping[str, Callable[[dict[str, Any]], StreamDataModule]] = {
    "pairs": _pairs,
    "cutouts": _cutouts,
    "cubes": lambda settings: CubeDataModule(**settings),
    "galaxy_cubes": _galaxy_cubes,
    "idx": lambda settings: IdxDataModule(**settings),
    "simulations": _simulations,
}
"""Builders of the data modules, by the `kind` of the section."""


def build_data(settings: dict[str, Any]) -> StreamDataModule:
    """Build the data module of a configuration's section `data`.

    Parameters
    ----------
    settings : dict
        The section; `kind` is one of `KINDS`, the rest are the arguments of the data module.

    Raises
    ------
    InputError
        If a value is out of range or unknown.
    """
    for name in ("train_size", "val_size", "batch_size", "images_per_epoch"):
        positive(f"data.{name}", settings[name])
    if settings["batch_size"] > settings["images_per_epoch"]:
        raise InputError("data.batch_size is larger than data.images_per_epoch: lower it")
    if settings["kind"] not in KINDS:
        raise InputError(f"data.kind={settings['kind']}: expected one of {', '.join(KINDS)}")
    arguments = {key: value for key, value in settings.items() if key != "kind"}
    try:
        return KINDS[settings["kind"]](arguments)
    except TypeError as error:
        raise InputError(f"data: {error}") from error


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
            f"data.images_per_epoch={data.images_per_epoch}: expected a multiple of {step}, "
            f"batches of {data.batch_size} in {processes} process(es)"
        )
