"""The trainings that a configuration's section `model` names, built by its `kind`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from clumpygan.commands.settings import dataclass_from, differences, positive
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.galaxies.cube_conditions import condition_rows
from clumpygan.galaxies.stamp_conditions import CONDITIONS
from clumpygan.gan.adversarial import Game, Schedule
from clumpygan.gan.callbacks import CubePictures, GalaxyGrid, PosteriorPictures, RecoveryPictures
from clumpygan.gan.checkpoint import build_network, load_checkpoint
from clumpygan.gan.cube import CubeGanModule, CubeWeights
from clumpygan.gan.cube_rendering import ConditionRenderer
from clumpygan.gan.dcgan import DcganModule
from clumpygan.gan.posterior import PosteriorModule
from clumpygan.gan.super_resolution import SuperResolutionModule, Weights
from clumpygan.gan.training import TrainingModule
from clumpygan.networks.cube_discriminator import CubeDiscriminator
from clumpygan.networks.dcgan import build_discriminator
from clumpygan.networks.discriminator import SuperResolutionDiscriminator


@dataclass(frozen=True)
class Model:
    """One member of the family.

    Attributes
    ----------
    build : callable
        ``build(settings, data, generator, **core)`` returns the module: the section, the data, the
        generator, and the other arguments of `TrainingModule`, with the game where the section has
        one.
    network : callable
        ``network(settings, data)`` returns the generator's `name` and `arguments`.
    data : tuple of str
        Kinds of data that it trains on.
    pictures : callable
        ``pictures(folder, count)`` returns the callback that draws held-out galaxies.
    """

    build: Callable[..., TrainingModule]
    network: Callable[[dict[str, Any], StreamDataModule], dict[str, Any]]
    data: tuple[str, ...]
    pictures: Callable[[Path, int], pl.Callback]


def _super_resolution(
    settings: dict[str, Any], data: Any, generator: torch.nn.Module, **core: Any
) -> TrainingModule:
    samples = positive("model.validation_samples", settings["validation_samples"])
    if samples % 2:
        raise InputError(f"model.validation_samples={samples}: expected an even number")
    return SuperResolutionModule(
        generator,
        SuperResolutionDiscriminator(**settings["discriminator"]),
        weights=dataclass_from(Weights, settings["weights"]),
        crop_blocks=settings["crop_blocks"],
        validation_samples=samples,
        **core,
    )


def _dcgan(
    settings: dict[str, Any], data: Any, generator: torch.nn.Module, **core: Any
) -> TrainingModule:
    arguments = settings["discriminator"] | {
        key: core["network"]["arguments"][key] for key in ("size", "conditions")
    }
    samples = positive("model.validation_samples", settings["validation_samples"])
    return DcganModule(
        generator, build_discriminator(**arguments), validation_samples=samples, **core
    )


def _dcgan_network(settings: dict[str, Any], data: Any) -> dict[str, Any]:
    # The networks learn their shapes from the data.
    arguments = {"size": data.size, "conditions": list(data.condition_names)}
    if "signal" in data.condition_names:
        arguments["signal"] = [CONDITIONS["signal"].centre, CONDITIONS["signal"].scale]
    return {"name": "dcgan", "arguments": settings["generator"] | arguments}


def _disk_posterior(
    settings: dict[str, Any], data: Any, generator: torch.nn.Module, **core: Any
) -> TrainingModule:
    return PosteriorModule(generator, **core)


def _disk_posterior_network(settings: dict[str, Any], data: Any) -> dict[str, Any]:
    item = data.simulator.item("val", 0)
    return {
        "name": "disk_posterior",
        "arguments": settings["generator"]
        | {
            "shape": list(item["cube"].shape),
            "parameters": item["coordinates"].size,
            "conditions": item["conditions"].size,
        },
    }


def _cube_gan(
    settings: dict[str, Any], data: Any, generator: torch.nn.Module, **core: Any
) -> TrainingModule:
    if core["network"]["name"] == "cube_physical":
        generator.renderer = ConditionRenderer(data.condition_names, data.frame)
    discriminator = CubeDiscriminator(
        condition_rows(data.condition_names),
        data.shape,
        data.frame.grid.pixel_scale,
        **settings["discriminator"],
    )
    return CubeGanModule(
        generator,
        discriminator,
        weights=dataclass_from(CubeWeights, settings["weights"]),
        pixel_scale=data.frame.grid.pixel_scale,
        validation_samples=positive("model.validation_samples", settings["validation_samples"]),
        **core,
    )


def _cube_network(settings: dict[str, Any], data: Any) -> dict[str, Any]:
    arguments = dict(settings["generator"])
    kind = arguments.pop("kind")
    arguments["conditions"] = condition_rows(data.condition_names)
    if kind == "conv3d":
        arguments["shape"] = list(data.shape)
    return {"name": f"cube_{kind}", "arguments": arguments}


MODELS: Mapping[str, Model] = {
    "super_resolution": Model(
        _super_resolution, lambda settings, data: settings["network"], ("pairs",), RecoveryPictures
    ),
    "dcgan": Model(_dcgan, _dcgan_network, ("cutouts", "idx"), GalaxyGrid),
    "disk_posterior": Model(
        _disk_posterior, _disk_posterior_network, ("simulations",), PosteriorPictures
    ),
    "cube_gan": Model(_cube_gan, _cube_network, ("galaxy_cubes",), CubePictures),
}
"""The members of the family, by the `kind` of the section."""


def model_of(settings: dict[str, Any], data: dict[str, Any]) -> Model:
    """Return the member of the family that a configuration trains.

    Parameters
    ----------
    settings, data : dict
        The sections `model` and `data`.

    Raises
    ------
    InputError
        If there is no such model, or it doesn't train on such data.
    """
    if settings["kind"] not in MODELS:
        raise InputError(f"model.kind={settings['kind']}: expected one of {', '.join(MODELS)}")
    model = MODELS[settings["kind"]]
    if data["kind"] not in model.data:
        raise InputError(
            f"model={settings['kind']} doesn't train on {data['kind']}: "
            f"expected data of the kind {' or '.join(model.data)}"
        )
    return model


def build_module(
    settings: dict[str, Any],
    data: StreamDataModule,
    total_images: int,
    seed: int,
    initial: str | None = None,
) -> TrainingModule:
    """Build the networks and their training from the section `model`.

    Parameters
    ----------
    settings : dict
    data : StreamDataModule
        Which the networks will be trained on.
    total_images, seed : int
    initial : str, optional
        Name or path of a checkpoint of the same network: the generator starts with its weights.

    Raises
    ------
    InputError
        If a value is out of range or unknown, or the checkpoint is of another network.
    """
    torch.manual_seed(seed)
    model = MODELS[settings["kind"]]
    network = model.network(settings, data)
    generator = build_network(network["name"], network["arguments"])
    if initial is not None:
        _start_from(generator, network, initial)
    core = {
        "network": network,
        "total_images": total_images,
        "seed": seed,
        "schedule": dataclass_from(Schedule, settings["schedule"]),
        "ema_half_life": settings["ema_half_life"],
        "gradient_clip": settings["gradient_clip"],
    }
    if "game" in settings:
        core["game"] = _game(settings["game"], total_images)
    try:
        module = model.build(settings, data, generator, **core)
    except (TypeError, ValueError) as error:
        raise InputError(f"model: {error}") from error
    if settings["channels_last"]:
        for part in module.children():
            _channels_last(part)
    return module


def _game(settings: dict[str, Any], total_images: int) -> Game:
    game = dataclass_from(Game, settings)
    positive("model.game.penalty_interval", game.penalty_interval)
    if game.start >= total_images:
        raise InputError(
            f"model.game.start={game.start}: the discriminator would never join in a training of "
            f"{total_images} images; lower it, or raise total_images"
        )
    return game


def _channels_last(network: torch.nn.Module) -> None:
    """Store the weights of convolutions with their channels last: what they give is so, too."""
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.to(memory_format=torch.channels_last)
        elif isinstance(part, torch.nn.Conv3d):
            part.to(memory_format=torch.channels_last_3d)


def _start_from(generator: torch.nn.Module, network: dict[str, Any], initial: str) -> None:
    """Give a generator the weights of a checkpoint of the same network."""
    trained, card = load_checkpoint(initial, (network["name"],))
    changed = ", ".join(differences(card["network"]["arguments"], network["arguments"]))
    if changed:
        raise InputError(
            f"initial={initial}: its network has other arguments ({changed}); "
            "set them as in its card, or start from initial=null"
        )
    generator.load_state_dict(trained.state_dict())
