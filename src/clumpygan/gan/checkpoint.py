"""Checkpoints that are shipped: weights in safetensors, and a card beside them in YAML.

The card says how to rebuild the network, how it was trained and how good it is; loading never
unpickles. Lightning's own checkpoints serve resuming only.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from clumpygan.errors import InputError
from clumpygan.instruments import ObservationOperator
from clumpygan.networks.ancestor import AncestorGenerator
from clumpygan.networks.conv3d_cube import Conv3dCubeGenerator
from clumpygan.networks.dcgan import build_generator
from clumpygan.networks.physical_cube import PhysicalCubeGenerator
from clumpygan.networks.super_resolution import SuperResolutionGenerator
from clumpygan.resources import resource_folder


def _super_resolution(**arguments: Any) -> nn.Module:
    return SuperResolutionGenerator(ObservationOperator(), **arguments)


def _ancestor(**arguments: Any) -> nn.Module:
    return AncestorGenerator(ObservationOperator(), **arguments)


def _disk_posterior(**arguments: Any) -> nn.Module:
    # Of the extra `fit`, which no other network needs.
    try:
        from clumpygan.networks.posterior import PosteriorNetwork
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "zuko":
            raise
        raise InputError(
            "a trained posterior needs zuko, of the extra fit: pip install 'clumpygan[fit]'"
        ) from error
    return PosteriorNetwork(**arguments)


BUILDERS: Mapping[str, Callable[..., nn.Module]] = {
    "super_resolution": _super_resolution,
    "ancestor": _ancestor,
    "dcgan": build_generator,
    "disk_posterior": _disk_posterior,
    "cube_physical": PhysicalCubeGenerator,
    "cube_conv3d": Conv3dCubeGenerator,
}
"""Builders of the networks that a card may name, by `network.name`."""


def build_network(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a generator, untrained.

    Parameters
    ----------
    name : str
        One of `BUILDERS`.
    arguments : mapping
        Its hyper-parameters.

    Raises
    ------
    InputError
        If there is no such network or it doesn't take one of the arguments.
    """
    if name not in BUILDERS:
        raise InputError(f"unknown network {name!r}: expected one of {', '.join(BUILDERS)}")
    try:
        plain = {key: tuple(v) if isinstance(v, list) else v for key, v in arguments.items()}
        return BUILDERS[name](**plain)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"network {name} can't be built: {error}") from error


def save_checkpoint(stem: Path, network: nn.Module, card: Mapping[str, Any]) -> None:
    """Write STEM.safetensors and STEM.yaml, each under a temporary name first.

    Parameters
    ----------
    stem : Path
        Where to, without an ending; its folder is made if need be.
    network : nn.Module
        Its parameters are stored in float32.
    card : mapping
        Plain numbers, strings, lists and dicts; `card["network"]` holds `name` and `arguments`.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().float().cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    temporary = stem.with_name(f".{stem.name}.safetensors.partial")
    save_file(weights, temporary)
    text = stem.with_name(f".{stem.name}.yaml.partial")
    text.write_text(yaml.safe_dump(dict(card), sort_keys=False, width=100))
    # safetensors makes its file readable for its owner alone; a checkpoint is to be shared.
    temporary.chmod(text.stat().st_mode)
    temporary.replace(stem.with_name(f"{stem.name}.safetensors"))
    text.replace(stem.with_name(f"{stem.name}.yaml"))


def find_checkpoint(name: str) -> Path:
    """Return the path of the weights of a checkpoint.

    Parameters
    ----------
    name : str
        The name of one that ships with the project, or a path to STEM.safetensors or STEM.

    Raises
    ------
    InputError
        If there is none; the message lists those that ship.
    """
    shipped = resource_folder("checkpoints")
    given = Path(name)
    stem = given.with_suffix("") if given.suffix in (".yaml", ".safetensors") else given
    # A bare name means the one that ships, whatever lies in the working directory.
    for folder in (shipped, Path()) if given.name == name else (Path(),):
        path = folder / stem.with_name(f"{stem.name}.safetensors")
        if path.is_file():
            return path
    names = ", ".join(sorted(p.stem for p in shipped.glob("*.safetensors"))) or "none"
    raise InputError(
        f"no checkpoint {name}: expected a .safetensors file or a name that ships ({names})"
    )


def load_checkpoint(
    name: str, expected: tuple[str, ...] = ("super_resolution",)
) -> tuple[nn.Module, dict[str, Any]]:
    """Rebuild a trained network from its card and weights.

    Parameters
    ----------
    name : str
        As for `find_checkpoint`.
    expected : tuple of str
        Networks that will do.

    Returns
    -------
    network : nn.Module
        On the CPU, in float32, in evaluation mode, without gradients.
    card : dict

    Raises
    ------
    InputError
        If the card or the weights are missing, truncated, or of another network.
    """
    path = find_checkpoint(name)
    card = read_card(path.with_suffix(".yaml"))
    kind = card["network"].get("name")
    if kind not in expected:
        raise InputError(
            f"{path} is a checkpoint of {kind}: expected one of {' or '.join(expected)}"
        )
    network = build_network(kind, card["network"].get("arguments", {}))
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} can't be read ({error}): is it truncated?") from error
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:160]
        raise InputError(f"{path} doesn't fit its card: {first}") from error
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise InputError(f"{path} holds weights that aren't finite: train it again")
    return network.eval().requires_grad_(False), card


def read_card(path: Path) -> dict[str, Any]:
    """Return the card at `path`.

    Raises
    ------
    InputError
        If there is none, or it isn't a card.
    """
    if not path.is_file():
        raise InputError(f"no card {path.name} beside {path.with_suffix('.safetensors')}")
    try:
        card = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a card: {' '.join(str(error).split())[:160]}") from error
    if not isinstance(card, dict) or not isinstance(card.get("network"), dict):
        raise InputError(f"{path} is not a card: it has no section 'network'")
    return card
