"""What a configuration or a card may name, and how a bad name is told."""

import pytest
import torch
import yaml
from torch import nn

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import (
    build_network,
    load_checkpoint,
    network_section,
    save_checkpoint,
    start_from,
)
from clumpygan.gan.targets import ALLOW, completed, instantiate, trusting
from tests.readers import ended_in_time


class Own(nn.Module):
    """A network that isn't part of clumpygan."""

    def __init__(self, size, depth=1):
        super().__init__()
        self.layer = nn.Linear(size, depth)


OWN = f"{__name__}.Own"


@pytest.fixture
def card(tmp_path):
    """Write a checkpoint whose card names any target."""

    def write(target, arguments=None, task="dcgan"):
        torch.manual_seed(0)
        section = {"name": target, "target": target, "arguments": arguments or {"size": 3}}
        save_checkpoint(tmp_path / "own", Own(3), {"network": section | {"task": task}})
        return str(tmp_path / "own")

    return write


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        OWN,
        "clumpygan.io.atomic.os.system",
        "clumpygan.resources.resource_folder",
        "clumpygan.commands.program.sys.exit",
        "clumpygan.data.CubeDataModule",
        "clumpygan.errors.InputError",
    ],
)
def test_a_card_of_strangers_calls_nothing(target, card, monkeypatch):
    monkeypatch.setattr("os.system", lambda *_: pytest.fail("called"))
    # The folder is named after this test: "strangers" alone would match it.
    with pytest.raises(InputError, match=r"come from strangers|expected a Module of clum"):
        load_checkpoint(card(target, {"command": "true"}), ("dcgan",))


def test_a_card_of_strangers_calls_nothing_within_arguments(card):
    inner = {"size": {"_target_": "os.getcwd"}}
    with pytest.raises(InputError, match="may come from strangers"):
        load_checkpoint(card(OWN, inner), ("dcgan",), allow=(__name__,))


def test_a_network_of_a_package_that_is_allowed_loads(card, monkeypatch):
    stem = card(OWN)
    with pytest.raises(InputError, match=rf'allow=\("tests",\).*{ALLOW}=tests'):
        load_checkpoint(stem, ("dcgan",))
    network, read = load_checkpoint(stem, ("dcgan",), allow=("tests",))
    assert type(network) is Own
    assert read["network"]["target"] == OWN
    # A prefix is a package, not letters.
    with pytest.raises(InputError, match="may come from strangers"):
        load_checkpoint(stem, ("dcgan",), allow=("test",))
    monkeypatch.setenv(ALLOW, "other, tests")
    assert load_checkpoint(stem, ("dcgan",))[0].layer.in_features == 3
    with pytest.raises(InputError, match=r"checkpoint of tests.*Own: expected one of cube_gan"):
        load_checkpoint(stem, ("cube_gan",))


def test_a_training_starts_from_a_checkpoint_of_its_own_network_and_of_no_other(card):
    stem = card(OWN)
    trained = Own(3)
    start_from(trained, network_section({"_target_": OWN, "size": 3}, "dcgan"), stem)
    torch.manual_seed(0)
    assert torch.equal(trained.layer.weight, Own(3).layer.weight)
    with pytest.raises(InputError, match="is a checkpoint of"):
        start_from(trained, network_section({"_target_": f"{OWN}2"}, "dcgan"), stem)


def test_older_cards_without_targets_load(tmp_path):
    arguments = {"size": 16, "latent_dim": 4, "channels": 4, "largest": 4}
    network = build_network("dcgan", arguments)
    section = {"name": "dcgan", "arguments": arguments}
    save_checkpoint(tmp_path / "old", network, {"network": section})
    assert yaml.safe_load((tmp_path / "old.yaml").read_text())["network"] == section
    assert load_checkpoint(str(tmp_path / "old"), ("dcgan",))[0].latent_dim == 4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"_target_": f"{OWN}x"}, r"`model.it._target_` is .*Ownx.*did you mean Own\?"),
        ({"_target_": "nowhere.Net"}, r"there is no such thing; is it on PYTHONPATH\?"),
        ({"_target_": "nowhere"}, r"there is no such thing"),
        ({"_target_": f"{__name__}.OWN"}, "expected a class or a function"),
        ({"_target_": OWN, "sise": 3}, r"`model.it.sise`.*did you mean size\?.*size, depth"),
        ({"_target_": OWN, 3: 3}, "`model.it.3`.*takes no such argument; expected size, depth"),
        ({"_target_": OWN}, "`model.it.size` is missing"),
        ({"_target_": "builtins.dict"}, "makes a dict, no Module"),
        ({"size": 3}, "`model.it` names no _target_"),
        (None, "`model.it` names no _target_"),
    ],
)
def test_what_cannot_be_built_is_one_line(spec, message):
    with trusting(everything=True), pytest.raises(InputError, match=message) as told:
        instantiate(spec, "model.it")
    assert "\n" not in str(told.value)


def test_a_network_of_ours_that_cannot_be_made_is_one_line():
    with pytest.raises(InputError, match=r"can't be built: stamps of 9 pixels"):
        build_network("dcgan", {"size": 9})


def test_arguments_of_the_network_that_is_replaced_are_left_out():
    known = {"size": 4, "conditions": []}
    spec = {"_target_": OWN, "variant": "residual", "depth": 2}
    with trusting("tests"):
        assert completed(spec, "it", known) == {"_target_": OWN, "depth": 2, "size": 4}
        assert instantiate(completed(spec, "it", known), "it").layer.out_features == 2
    own = {"_target_": "clumpygan.networks.dcgan.build_generator", "latent": 2}
    with pytest.raises(InputError, match=r"no such argument \(did you mean latent_dim\?\)"):
        instantiate(completed(own, "it", known), "it")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("super_resolution", {"blocks": [2**31 - 1, 1]}),
        ("super_resolution", {"fine_blocks": 2**31 - 1, "channels": 1, "fine_channels": 1}),
    ],
)
def test_a_network_of_absurd_size_is_refused_in_time(name, arguments):
    with (
        ended_in_time(),
        pytest.raises(InputError, match="`network` asks for more than 10000 tensors"),
    ):
        build_network(name, arguments)
