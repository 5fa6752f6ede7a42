"""Checkpoints that are shipped: weights in safetensors, and a card beside them in YAML.

The card says how to rebuild the network, how it was trained and how good it is; loading never
unpickles. Lightning's own checkpoints serve resuming only.
"""

import errno
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clumpygan.errors import InputError, reason
from clumpygan.gan.limits import MOST_TENSORS, MOST_WEIGHTS, at_most
from clumpygan.gan.targets import TARGET, instantiate, parameters_of, plain_lists, trusting
from clumpygan.instruments import GridPair, ObservationOperator, SurveyPair
from clumpygan.networks.blocks import widened
from clumpygan.resources import resource_folder
from clumpygan.settings import differences
from clumpygan.settings.documents import read_yaml

_ENDINGS = (".safetensors", ".yaml")

NETWORKS: Mapping[str, str] = {
    "super_resolution": "clumpygan.networks.super_resolution.SuperResolutionGenerator",
    "ancestor": "clumpygan.networks.ancestor.AncestorGenerator",
    "blend_classifier": "clumpygan.networks.blend_classifier.BlendClassifier",
    "dcgan": "clumpygan.networks.dcgan.build_generator",
    "cube_physical": "clumpygan.networks.physical_cube.PhysicalCubeGenerator",
    "cube_gas": "clumpygan.networks.gas.cube.GasCubeGenerator",
    "cube_conv3d": "clumpygan.networks.conv3d_cube.Conv3dCubeGenerator",
}
"""Targets of the networks that ship, by `network.name` of their cards. Others go by their path."""


def build(network: nn.Module | Mapping[str, Any] | None, where: str = "network") -> nn.Module:
    """Return a network, building it if it is a section with `_target_` and arguments.

    Raises
    ------
    InputError
        If the target is unknown or not trusted, doesn't take one of the arguments, or has more
        weights than memories hold.
    """
    if isinstance(network, nn.Module):
        return network
    spec = dict(network or {})
    pair = SurveyPair.from_card(spec.pop("observation", None))
    given = {"observation": ObservationOperator(grid=pair.grid), "depth_range": pair.depth_range}
    with at_most(MOST_WEIGHTS, MOST_TENSORS, f"`{where}`"):
        made: nn.Module = instantiate(spec, where, given)
    return made


def build_network(
    name: str, arguments: Mapping[str, Any], observation: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a generator, untrained.

    Parameters
    ----------
    name : str
        One of `NETWORKS`, or the path of a class.
    arguments : mapping
        Its hyper-parameters.
    observation : mapping, optional
        Of a network that recovers images: `SurveyPair.to_card`; HSC and HST by default.

    Raises
    ------
    InputError
        If there is no such network or it doesn't take one of the arguments.
    """
    if name not in NETWORKS and "." not in name:
        raise InputError(f"unknown network {name!r}: expected one of {', '.join(NETWORKS)}")
    told = {} if observation is None else {"observation": observation}
    return build({TARGET: NETWORKS.get(name, name), **arguments, **told})


def network_section(spec: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the section `network` of a card, from the section that the network is built of.

    Parameters
    ----------
    spec : mapping
        `_target_` and arguments.
    task : str
        What the network does, as "super_resolution": the kind of programs that can use it.
    """
    target = str(spec.get(TARGET))
    names = {path: name for name, path in NETWORKS.items()}
    arguments = plain_lists({key: spec[key] for key in spec if key != TARGET})
    observation = arguments.pop("observation", None)
    section = {
        "name": names.get(target, target),
        "target": target,
        "arguments": arguments,
        "task": task,
    }
    return section if observation is None else section | {"observation": observation}


def start_from(
    generator: nn.Module, network: Mapping[str, Any], initial: str | Sequence[str]
) -> None:
    """Give a generator the weights of a checkpoint of the same network, or the mean of several's.

    Of networks that went on from the same weights the mean is often better than any (Wortsman
    et al. 2022, arXiv:2203.05482). A generator may have more features than the checkpoint's
    network, where its own class says of which argument that is the number (`width_argument`): it
    makes the same images, see `widened`.

    Parameters
    ----------
    generator : nn.Module
        Untrained.
    network : mapping
        Its card's section.
    initial : str or sequence of str
        As for `find_checkpoint`, at least one.

    Raises
    ------
    InputError
        If there is no such checkpoint, its network is another one, or several have different
        numbers of features.
    """
    named = checkpoints_of(initial)
    several, widths = zip(*(_weights_for(generator, network, name) for name in named), strict=True)
    if len(set(widths)) > 1:
        raise InputError(
            f"`initial` is {', '.join(named)}, networks of {', '.join(map(str, widths))} features:"
            " expected as many in each, as their mean is taken"
        )
    generator.load_state_dict(
        {
            # By way of floats: whole numbers, as counts of batches, have no mean.
            key: torch.stack([weights[key] for weights in several]).double().mean(0).to(first.dtype)
            for key, first in several[0].items()
        }
    )


def checkpoints_of(initial: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the checkpoints that a training starts with: none, one or several."""
    return (initial,) if isinstance(initial, str) else tuple(initial or ())


def _weights_for(
    generator: nn.Module, network: Mapping[str, Any], initial: str
) -> tuple[dict[str, Tensor], int | None]:
    """Return a checkpoint's weights for a network of the section of a card, and its features."""
    # The card may name no other code than what is trained.
    trained, card = load_checkpoint(
        initial, (network["name"],), allow=(str(network.get("target", network["name"])),)
    )
    pairs = [SurveyPair.from_card(one.get("observation")) for one in (card["network"], network)]
    if pairs[0].grid != pairs[1].grid:
        raise InputError(
            f"`initial` is {initial}, whose network is for {pairs[0]}, not for {pairs[1]}; start "
            "from null"
        )
    # A class that was derived from one that can be widened may have features elsewhere as well.
    wider = vars(type(generator)).get("width_argument")
    usual = {} if wider is None else {wider: parameters_of(type(generator))[wider].default}
    before, now = (usual | one["arguments"] for one in (card["network"], network))
    changed = differences(before, now)
    if wider is not None and changed == [wider] and before[wider] < now[wider]:
        return widened(generator, trained.state_dict()), before[wider]
    if changed:
        raise InputError(
            f"`initial` is {initial}, whose network has other arguments ({', '.join(changed)}): "
            "set them as in its card, or start from null"
        )
    return trained.state_dict(), before.get(wider)


def save_checkpoint(stem: Path, network: nn.Module, card: Mapping[str, Any]) -> None:
    """Write STEM.safetensors and STEM.yaml, both whole before either takes its place.

    Parameters
    ----------
    stem : Path
        Where to, without an ending; its folder is made if need be.
    network : nn.Module
        Its parameters are stored in float32.
    card : mapping
        Plain numbers, strings, lists and dicts; `card["network"]` holds `name`, `arguments` and,
        of networks that don't ship, `target` and `task`, see `network_section`.

    Raises
    ------
    OSError
        If the disk is full or the like; it names the file, and nothing is left of it.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().float().cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    whole, card_path = (stem.with_name(f"{stem.name}{ending}") for ending in _ENDINGS)
    temporary, text = (path.with_name(f".{path.name}.partial") for path in (whole, card_path))
    try:
        text.write_text(yaml.safe_dump(dict(card), sort_keys=False, width=100))
        save_file(weights, temporary)
        # safetensors makes its file readable for its owner alone; a checkpoint is to be shared.
        temporary.chmod(text.stat().st_mode)
        temporary.replace(whole)
        text.replace(card_path)
    except (OSError, SafetensorError) as problem:
        # Neither the error of a write nor that which safetensors makes of it names the file.
        told = re.search(r"os error (\d+)", str(problem))
        number = getattr(problem, "errno", None) or (int(told[1]) if told else errno.EIO)
        raise OSError(number, os.strerror(number), str(whole)) from problem
    finally:
        temporary.unlink(missing_ok=True)
        text.unlink(missing_ok=True)


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
        # Not by `with_name`: "." and "/" have none.
        path = folder / stem.parent / f"{stem.name}.safetensors"
        if path.is_file():
            return path
    names = ", ".join(sorted(p.stem for p in shipped.glob("*.safetensors"))) or "none"
    raise InputError(
        f"no checkpoint {name}: expected a .safetensors file or a name that ships ({names})"
    )


def weights_digest(name: str) -> str:
    """Return the SHA-256 of the weights of a checkpoint, which tells it from others of its name.

    Raises
    ------
    InputError
        If there is none, see `find_checkpoint`.
    """
    with find_checkpoint(name).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_checkpoint(
    name: str,
    expected: tuple[str, ...] = ("super_resolution",),
    allow: tuple[str, ...] = (),
) -> tuple[nn.Module, dict[str, Any]]:
    """Rebuild a trained network from its card and weights.

    Parameters
    ----------
    name : str
        As for `find_checkpoint`.
    expected : tuple of str
        Networks that will do: their names, or of those that don't ship their tasks.
    allow : tuple of str
        Packages, beside clumpygan, whose networks may be built: a card is data, and may come from
        strangers. The environment variable `CLUMPYGAN_ALLOW` names further ones.

    Returns
    -------
    network : nn.Module
        On the CPU, in float32, in evaluation mode, without gradients.
    card : dict

    Raises
    ------
    InputError
        If the card or the weights are missing, truncated, of another network, or of one that
        isn't trusted.
    """
    path = find_checkpoint(name)
    card = read_card(path.with_suffix(".yaml"))
    section = card["network"]
    kind = str(section.get("name"))
    known = kind if kind in NETWORKS else section.get("task")
    if kind not in expected and known not in expected:
        raise InputError(
            f"{path} is a checkpoint of {kind}: expected one of {' or '.join(expected)}"
        )
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} can't be read ({error}): is it truncated?") from error
    # Twice, as parametrized layers register what they start from, too.
    most = 2 * sum(tensor.numel() for tensor in weights.values()), 2 * len(weights)
    what = "it doesn't fit its card, which"
    try:
        with trusting(*allow), at_most(*most, what, ", twice what the file holds"):
            network = build_network(
                kind, section.get("arguments") or {}, section.get("observation")
            )
    except InputError as problem:
        raise InputError(f"{path}: {problem}") from problem
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path} doesn't fit its card: {reason(error)}") from error
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise InputError(f"{path} holds weights that aren't finite: train it again")
    return network.eval().requires_grad_(False), card


def check_grid(card: Mapping[str, Any], grid: GridPair, name: str) -> None:
    """Refuse a network that is for images of other pixels.

    Parameters
    ----------
    card : mapping
        Of the network.
    grid : GridPair
        Pixels of the images.
    name : str
        What the message calls the network.

    Raises
    ------
    InputError
        In one line, with the networks that ship and their pixels.
    """
    own = SurveyPair.from_card(card["network"].get("observation"))
    if own.grid != grid:
        raise InputError(
            f"{name} is for pixels of {own.grid}, not of {grid} ({shipped_grids()}): train one, "
            "train.py survey=NAME"
        )


def shipped_grids() -> str:
    """Return which networks ship for which pixels, in words."""
    found: dict[str, list[str]] = {}
    for path in sorted(resource_folder("checkpoints").glob("*.yaml")):
        section = read_card(path)["network"]
        if section.get("name") in ("super_resolution", "ancestor"):
            grid = SurveyPair.from_card(section.get("observation")).grid
            found.setdefault(str(grid), []).append(path.stem)
    told = [f"{', '.join(names)} for {grid}" for grid, names in found.items()]
    return f"those that ship: {'; '.join(told)}" if told else "none ships"


def read_card(path: Path) -> dict[str, Any]:
    """Return the card at `path`.

    Raises
    ------
    InputError
        If there is none, or it isn't a card.
    """
    if not path.is_file():
        raise InputError(f"no card {path.name} beside {path.with_suffix('.safetensors')}")
    card = read_yaml(path, "it is not a card")
    if not isinstance(card, dict) or not isinstance(card.get("network"), dict):
        raise InputError(f"{path} is not a card: it has no section 'network'")
    for name in ("arguments", "observation"):
        if not isinstance(card["network"].get(name) or {}, dict):
            raise InputError(f"{path} is not a card: `network.{name}` isn't a section")
    return card
