"""Networks of one's own: by the command line, in plain Lightning, and out of a state again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from hydra import compose, initialize_config_dir
from torch import nn

from clumpygan.data import IdxDataModule
from clumpygan.errors import InputError
from clumpygan.gan import CubeGanModule, DcganModule, SuperResolutionModule
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.generation import generate_galaxies
from clumpygan.training.build import build_data, build_module
from clumpygan.training.run import train
from tests.trainings import CONFIGS, QUIET, SMALL_DCGAN, SMALL_NETWORK, composed, resolved

pytestmark = [*QUIET, pytest.mark.filterwarnings("ignore:.*in eval mode")]

TRAIN = Path(__file__).parents[1] / "train.py"

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "own_network.md").read_text()
NETWORKS = PAGE.partition("```python\n")[2].partition("\n```")[0]
"""The networks of the how-to."""

scope = {"__name__": "mine"}
exec(NETWORKS, scope)
MyGenerator, MyCritic = scope["MyGenerator"], scope["MyDiscriminator"]


class FlatCritic(MyCritic):
    def forward(self, images, *conditions):
        return super().forward(images)[:, 0]


class NarrowGenerator(MyGenerator):
    def forward(self, z, conditions, noise):
        return super().forward(z, conditions, noise)[..., 1:]


class Hasty(nn.Linear):
    latent_dim = 8

    def draw_noise(self, count, generator):
        return ()


def test_a_generator_of_ones_own_trains_by_its_path_alone(tmp_path, monkeypatch):
    (tmp_path / "mynetworks.py").write_text(NETWORKS)
    words = [
        *("model=dcgan", "data=mnist", "debug=fast", "threads=1", "callbacks.pictures=1"),
        "model.generator._target_=mynetworks.MyGenerator",
        "model.discriminator._target_=mynetworks.MyDiscriminator",
    ]
    done = subprocess.run(
        [sys.executable, str(TRAIN), *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stem = tmp_path / "outputs" / "dcgan_mnist_fast" / "dcgan"
    network = yaml.safe_load(stem.with_suffix(".yaml").read_text())["network"]
    # What it doesn't take of the standard section isn't in the card.
    assert network == {
        "name": "mynetworks.MyGenerator",
        "target": "mynetworks.MyGenerator",
        "arguments": {"latent_dim": 64, "size": 32},
        "task": "dcgan",
    }
    # The log has what was said.
    log = (stem.parent / "train.log").read_text()
    assert "32 of 32 images" in log
    assert "32 of 32 images" in done.stdout
    assert log.count("\n") == done.stdout.count("\n")

    with pytest.raises(InputError, match=r'allow=\("mynetworks",\)'):
        load_checkpoint(str(stem), ("dcgan",))
    monkeypatch.syspath_prepend(tmp_path)
    generator, _ = load_checkpoint(str(stem), ("dcgan",), allow=("mynetworks",))
    assert generator.latent_dim == 64
    with pytest.raises(InputError, match=r"generator.*mynetworks.*strangers"):
        DcganModule.load_from_checkpoint(stem.with_name("last.ckpt"))
    module = DcganModule.load_from_checkpoint(stem.with_name("last.ckpt"), allow=("mynetworks",))
    assert module.images_seen == 32


@pytest.fixture
def digits():
    return IdxDataModule(seed=0, train_size=32, val_size=16, batch_size=8, images_per_epoch=32)


def plain(tmp_path, **options):
    return pl.Trainer(
        max_epochs=1, accelerator="cpu", default_root_dir=tmp_path, enable_progress_bar=False,
        enable_model_summary=False, logger=False, **options,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
def test_plain_lightning_trains_tests_and_predicts(tmp_path, digits):
    module = DcganModule(generator=MyGenerator(32), discriminator=MyCritic(32))
    before = module.generator.layer.weight.detach().clone()
    trainer = plain(tmp_path)
    trainer.fit(module, digits)
    assert module.images_seen == module.total_images == 32
    assert not torch.equal(module.generator.layer.weight, before)
    assert "frechet" in module.curve[-1]
    (metrics,) = trainer.test(module, digits, verbose=False)
    assert metrics["test/frechet"] > 0
    assert len(module.curve) == 1
    images = torch.cat(trainer.predict(module, digits))
    assert images.shape[1:] == (1, 32, 32)

    # Objects can't be built again, so they are handed over again.
    state = next(tmp_path.rglob("*.ckpt"))
    with pytest.raises(InputError, match=r"`generator` is missing.*generator=\.\.\."):
        DcganModule.load_from_checkpoint(state)
    loaded = DcganModule.load_from_checkpoint(
        state, generator=MyGenerator(32), discriminator=MyCritic(32)
    )
    assert torch.equal(loaded.generator.layer.weight, module.generator.layer.weight)
    assert loaded.core == module.core


@pytest.mark.parametrize(
    ("generator", "critic", "message"),
    [
        (MyGenerator, FlatCritic, r"FlatCritic returns scores of shape \(8,\) for 8 images: expec"),
        (
            NarrowGenerator,
            MyCritic,
            r"returns images of shape \(8, 1, 32, 31\): expected \(8, 1, 3",
        ),
        (MyCritic, MyCritic, "has no latent_dim and no draw_noise"),
        (lambda size: Hasty(8, size), MyCritic, r"forward of the generator .*Hasty: too many"),
    ],
)
def test_networks_that_break_the_contract_are_told_so(generator, critic, message, tmp_path, digits):
    with pytest.raises(InputError, match=message) as told:
        plain(tmp_path).fit(DcganModule(generator(32), critic(32)), digits)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "model"), [(DcganModule, SMALL_DCGAN), (SuperResolutionModule, SMALL_NETWORK)]
)
def test_a_state_is_a_module_again(kind, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(composed(*model, "output=run", "name=tiny", "model.schedule.peak=1e-3"))
    module = kind.load_from_checkpoint("run/last.ckpt")
    state = torch.load("run/last.ckpt", weights_only=True)
    assert module.schedule.peak == 1e-3
    assert (module.images_seen, module.total_images) == (32, 32)
    for name, value in module.state_dict().items():
        assert torch.equal(value, state["state_dict"][name]), name
    # Plain values: no network is pickled.
    assert state["hyper_parameters"]["generator"]["_target_"].startswith("clumpygan.networks.")
    data = build_data(resolved(composed(*model))["data"])
    (metrics,) = plain(tmp_path).test(module, data, verbose=False)
    assert metrics[f"test/{module.criterion}"] > 0
    assert len(plain(tmp_path).predict(module, data)) > 0


def test_defaults_from_python_are_those_of_the_configuration():
    for model, kind in (
        ("dcgan", DcganModule), ("super_resolution", SuperResolutionModule),
        ("cube_gan", CubeGanModule),
    ):  # fmt: skip
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = resolved(compose("train", [f"model={model}"]))
        module = build_module(config["model"], build_data(config["data"]), 98304, 0)
        standard = {"core": kind.standard_core, "schedule": kind.standard_schedule}
        assert module.schedule == standard["schedule"]
        for name in ("ema_half_life", "gradient_clip", "validation_samples", "channels_last"):
            assert getattr(module.core, name) == getattr(standard["core"], name), (model, name)
        for name in ("loss", "weight", "r1", "r2", "penalty_interval", "momentum"):
            assert getattr(module.game, name) == getattr(kind.standard_game, name), (model, name)
        # They belong to a length.
        assert (kind.standard_game.start, kind.standard_game.ramp) == (0, 0)


def test_galaxies_of_a_network_of_ones_own_are_generated(tmp_path, monkeypatch):
    """A generator that isn't built with conditions is told those of its data all the same."""
    (tmp_path / "mynetworks.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    train(
        composed(
            *("model=dcgan", "debug=fast", "name=own", f"output={tmp_path}"),
            f"data.cache={tmp_path / 'cache'}",
            "model.generator._target_=mynetworks.MyGenerator",
            "model.discriminator._target_=mynetworks.MyDiscriminator",
        )
    )
    monkeypatch.setenv("CLUMPYGAN_ALLOW", "mynetworks")
    galaxies = generate_galaxies(3, seed=1, checkpoint=str(tmp_path / "own.safetensors"))
    assert galaxies.images.shape == (3, 64, 64)
    assert np.isfinite(galaxies.noiseless).all()
