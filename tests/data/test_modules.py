"""What all data modules have in common: defaults that work, and Lightning's loops."""

from dataclasses import asdict

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

import clumpygan.data
from clumpygan.data import (
    CandelsDataModule,
    CubeDataModule,
    GalaxyCubeDataModule,
    IdxDataModule,
    PairDataModule,
)
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.data.cubes.galaxy_cube_sample import GalaxyCubeSettings
from clumpygan.data.cubes.settings import CubeSettings, galaxy_generator, renderer_for
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel, draw_population
from clumpygan.resources import resource_folder

MODULES = [
    CandelsDataModule, CubeDataModule, GalaxyCubeDataModule, IdxDataModule, PairDataModule
]  # fmt: skip
SHORT = {"train_size": 8, "val_size": 4, "test_size": 4, "batch_size": 4, "images_per_epoch": 4}
SMALL = {
    CandelsDataModule: {"size": 16},
    CubeDataModule: {"cubes": {"frame": {"shape": [8, 8, 8], "instrument": "muse_wfm"}}},
    GalaxyCubeDataModule: {"galaxies": {"frame": {"shape": [8, 8, 8], "instrument": "muse_wfm"}}},
    IdxDataModule: {},
    PairDataModule: {},
}


@pytest.mark.parametrize("kind", MODULES)
def test_a_seed_is_enough(kind):
    module = kind(seed=3)
    assert module.seed == module.config.seed == 3
    assert kind(module.config).config is module.config


@pytest.mark.parametrize("kind", MODULES)
def test_what_is_public_is_importable_from_the_package(kind):
    assert getattr(clumpygan.data, kind.__name__) is kind
    assert kind.__name__ in dir(clumpygan.data)


@pytest.mark.parametrize("name", ["candels", "cubes", "clumpy_cubes", "mnist", "pairs"])
def test_configurations_have_the_defaults_of_the_constructors(name):
    with initialize_config_dir(str(resource_folder("configs")), version_base="1.3"):
        config = compose("train", [f"data={name}"])
    section = OmegaConf.to_container(config.data, resolve=True)
    kind = get_class(section.pop("_target_"))
    for name_of in ("kind", "name"):
        section.pop(name_of, None)
    section.pop("batches", None)
    section.pop("grid", None)
    if name == "cubes":
        assert kind(cubes=section.pop("cubes")).settings == CubeSettings()
    assert asdict(kind(**section).config) == asdict(kind().config)


@pytest.mark.parametrize("kind", MODULES)
def test_unknown_settings_are_named(kind):
    with pytest.raises(InputError, match=r"`data\.bach_size`: .* \(did you mean batch_size\?\)"):
        kind(bach_size=3)


def test_every_cube_that_is_drawn_by_default_can_be_rendered():
    """The plan of the rendering says so; a few are rendered."""
    settings = CubeDataModule(seed=0).settings
    vectors = settings.draw(0, "train", range(2000))
    render = renderer_for(settings)
    assert all(render.can_render(vector) for vector in vectors)
    cubes = render(vectors[:20])
    assert np.isfinite(cubes).all()
    assert (cubes.max((1, 2, 3)) > 0).all()


def test_galaxies_that_cannot_be_rendered_are_drawn_again():
    """Without a PSF some disks are too sharp."""
    settings = CubeSettings(frame=FrameSettings(), model=DiskModel())
    render = renderer_for(settings)
    vectors = settings.draw(0, "train", range(400))
    assert all(render.can_render(vector) for vector in vectors)
    first = [settings.draw_any(galaxy_generator(0, "train", index)) for index in range(400)]
    again = [not np.array_equal(one, other) for one, other in zip(first, vectors, strict=True)]
    assert 1 <= sum(again) <= 20
    for one, changed in zip(first, again, strict=True):
        assert changed != render.can_render(one)
    with pytest.raises(InputError, match="rings would be needed"):
        render(first[again.index(True)])


def test_every_clumpy_galaxy_that_is_drawn_by_default_can_be_rendered():
    settings = GalaxyCubeDataModule(seed=0).settings
    assert settings == GalaxyCubeSettings()
    for index in range(2000):
        assert settings.renderer.can_render(settings.draw(0, "train", index))


def test_every_stamp_that_is_drawn_by_default_has_light():
    table = draw_population(2000, seed=0)
    assert np.isfinite(table["flux"]).all()
    assert (table["flux"] > 0).all()


class Listener(pl.LightningModule):
    """Keeps the batches that it is tested on."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def test_step(self, batch, batch_index):
        self.heard.append(batch)

    def predict_step(self, batch, batch_index):
        return batch


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.parametrize("kind", MODULES)
def test_lightning_tests_and_predicts(kind, tmp_path):
    cache = {"cache": tmp_path} if "cache" in kind.Settings.__dataclass_fields__ else {}
    data = kind(seed=1, **SHORT, **SMALL[kind], **cache)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
                         enable_model_summary=False, default_root_dir=tmp_path)  # fmt: skip
    listener = Listener()
    trainer.test(listener, data, verbose=False)
    (found,) = trainer.predict(listener, data)
    (heard,) = listener.heard
    assert all(torch.equal(heard[name], found[name]) for name in heard)
    assert len(next(iter(heard.values()))) == 4
    # Nothing else was rendered for it.
    assert not list(tmp_path.glob("*train*"))
