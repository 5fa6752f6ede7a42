"""Cubes in batches: who draws what, and that nothing depends on who renders it."""

import pickle

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from clumpygan.data.cubes.datamodule import CubeDataModule
from clumpygan.data.cubes.dataset import CubeDataset
from clumpygan.data.cubes.settings import CubeSettings, frame_for
from clumpygan.data.cubes.store import prepare_cubes
from clumpygan.errors import InputError
from clumpygan.galaxies import DiskParameters, render_cube
from clumpygan.gan.cube_rendering import ConditionRenderer
from clumpygan.resources import resource_folder
from clumpygan.training.build import build_data

SMALL = {
    "frame": {"shape": [8, 10, 12], "instrument": "muse_wfm"},
    "model": {"clumps": 1, "arms": 2},
    "parameters": {"sersic_index": 1, "maximum_velocity": [100, 200]},
}


def module(**changes):
    settings = {"seed": 3, "cubes": SMALL, "train_size": 20, "val_size": 4, "batch_size": 4,
                "images_per_epoch": 8}  # fmt: skip
    made = CubeDataModule(**(settings | changes))
    made.setup()
    return made


def batches(data, loader=None):
    return [data.observe(batch) for batch in loader or data.train_dataloader()]


def dataset(**changes):
    settings = {"split": "train", "seed": 0, "size": 9, "signal_to_noise": (5.0, 20.0)}
    return CubeDataset(CubeSettings.from_dict(SMALL), **(settings | changes))


def same(one, other):
    return all(
        torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])) for name in one
    )


def test_settings_survive_a_yaml_file():
    settings = CubeSettings.from_dict(SMALL)
    assert CubeSettings.from_dict(yaml.safe_load(yaml.safe_dump(settings.to_dict()))) == settings
    assert settings.to_dict()["parameters"] == {"sersic_index": 1.0, "maximum_velocity": [100, 200]}


def test_parameters_are_drawn_from_the_priors_ranges_and_fixed_values():
    settings = CubeSettings.from_dict(SMALL)
    drawn = dict(zip(settings.model.names, settings.draw(1, "train", range(300)).T, strict=True))
    assert set(drawn["sersic_index"]) == {1.0}
    assert 100 <= drawn["maximum_velocity"].min() < 110
    assert 190 < drawn["maximum_velocity"].max() <= 200
    assert drawn["inclination"].std() > 5
    assert drawn["halo_velocity"].std() == 0
    # Cosines of the inclination are uniform.
    cosine = np.cos(np.radians(drawn["inclination"]))
    assert cosine.mean() == pytest.approx(np.cos(np.radians([10, 85])).mean(), abs=0.05)


def test_a_galaxy_depends_on_seed_split_and_index_alone():
    settings = CubeSettings.from_dict(SMALL)
    many = settings.draw(1, "train", range(5))
    assert np.array_equal(settings.draw(1, "train", [3]), many[3:4])
    others = [settings.draw(1, "val", [3]), settings.draw(2, "train", [3]), many[4:5]]
    assert not any((other[0, 1] == many[3, 1]).any() for other in others)


def test_a_warp_that_is_given_makes_the_model_warped():
    given = {"parameters": {"warp_inclination": 10}}
    assert CubeSettings.from_dict(given).model.warped
    assert not CubeSettings.from_dict({"parameters": {"warp_inclination": 0}}).model.warped


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"parameters": {"boz": 1}}, "no parameter 'boz'"),
        ({"parameters": {"inclination": 95}}, "inclination is 95 deg; expected a number from 0 to"),
        ({"parameters": {"inclination": [20, 95]}}, "inclination is 95 deg"),
        (
            {"parameters": {"inclination": [60, 20]}},
            "inclination from 60 to 20: expected the lower",
        ),
        (
            {"parameters": {"inclination": "steep"}},
            "`inclination` is 'steep': expected a number, or",
        ),
        ({"parameters": {"inclination": [1, 2, 3]}}, "expected a number, or the two ends"),
        (
            {"model": {"kurve": "nfw"}},
            "`model.kurve`: there is no such setting (did you mean curve?)",
        ),
        ({"model": {"curve": "nfv"}}, "curve` is 'nfv'"),
        (
            {"frame": {"shapes": 1}},
            "`frame.shapes`: there is no such setting (did you mean shape?)",
        ),
        ({"acuracy": 1}, "`acuracy`: there is no such setting (did you mean accuracy?)"),
    ],
)
def test_bad_settings_are_named(settings, words):
    with pytest.raises(InputError) as caught:
        CubeSettings.from_dict(settings)
    assert words in str(caught.value)


def test_an_item_is_the_galaxy_of_its_parameters_with_noise_of_its_sigma():
    data = dataset()
    items = [data[index] for index in range(9)]
    settings = data.settings
    for item in items[:2]:
        galaxy = DiskParameters.from_vector(item["parameters"], settings.model)
        frame = frame_for(settings)
        clean = render_cube(galaxy, frame.grid, psf=frame.transfer)
        assert clean.max() / item["sigma"] == pytest.approx(20, abs=15)
        noise = (item["cube"][0] - clean) / item["sigma"]
        assert noise.std() == pytest.approx(1, abs=0.12)
    assert items[0]["cube"].shape == (1, 8, 10, 12)
    assert all(one.dtype == np.float32 for one in items[0].values())
    ratios = [dataset(rendered=False)[index]["signal_to_noise"] for index in range(9)]
    assert 5 <= min(ratios) < max(ratios) <= 20


def test_noise_changes_with_the_pass_over_the_data_and_the_galaxy_does_not():
    data = dataset()
    first, second = data[0, 4], data[1, 4]
    assert np.array_equal(first["parameters"], second["parameters"])
    assert not np.array_equal(first["cube"], second["cube"])
    assert same(data[1, 4], second)
    assert not np.array_equal(data[0, 4]["parameters"], data[0, 5]["parameters"])


@pytest.mark.parametrize(("correlated", "expected"), [(True, 0.12), (False, 0.0)])
def test_neighbouring_voxels_share_the_noise_of_the_instrument(correlated, expected):
    data = dataset(rendered=False, correlated=correlated)
    noise = np.stack([data[index]["noise"][0] for index in range(9)])
    shared = (noise[..., 1:] * noise[..., :-1]).mean()
    assert shared == pytest.approx(expected, abs=0.04)
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_cubes_without_noise():
    item = dataset(signal_to_noise=None)[0]
    assert item["sigma"] == 0
    assert item["cube"].sum() > 0
    assert np.isfinite(item["cube"]).all()


@pytest.mark.filterwarnings("ignore:.*suggested max number of worker")
@pytest.mark.parametrize("workers", [1, 4])
def test_workers_change_nothing(workers):
    alone = batches(module())
    shared = batches(module(num_workers=workers))
    assert len(alone) == 2
    assert all(same(a, b) for a, b in zip(alone, shared, strict=True))


def test_the_device_renders_the_same_cubes():
    loaded = next(iter(module(source="device").train_dataloader()))
    assert set(loaded) == {"parameters", "noise", "signal_to_noise"}
    workers, device = batches(module()), batches(module(source="device"))
    for one, other in zip(workers, device, strict=True):
        assert torch.equal(one["parameters"], other["parameters"])
        peak = one["cube"].amax()
        assert float((one["cube"] - other["cube"]).abs().max() / peak) < 3e-4
        assert torch.allclose(one["sigma"], other["sigma"], rtol=1e-3)
        assert other["cube"].shape == (4, 1, 8, 10, 12)
        assert {tensor.dtype for tensor in other.values()} == {torch.float32}


def test_validation_cubes_are_others_and_always_the_same():
    data = module()
    first, again = (batches(data, data.val_dataloader()) for _ in range(2))
    assert same(first[0], again[0])
    train = batches(data)[0]
    assert not torch.isin(first[0]["parameters"][:, 1], train["parameters"][:, 1]).any()


class Listener(pl.LightningModule):
    """Keeps the batches of a training that trains nothing."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.automatic_optimization = False
        self.heard = []

    def training_step(self, batch, batch_index):
        self.heard.append(batch)

    def validation_step(self, batch, batch_index):
        """Nothing is validated."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
@pytest.mark.filterwarnings("ignore:.*is not empty")
@pytest.mark.parametrize("source", ["workers", "device"])
def test_a_resumed_training_sees_what_an_uninterrupted_one_does(source, tmp_path):
    def fit(epochs, state=None, workers=0):
        trainer = pl.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0,
            use_distributed_sampler=False, default_root_dir=tmp_path, enable_checkpointing=False,
        )  # fmt: skip
        listener = Listener()
        trainer.fit(listener, module(source=source, num_workers=workers), ckpt_path=state,
                    weights_only=True)  # fmt: skip
        trainer.save_checkpoint(tmp_path / "state.ckpt")
        return listener.heard

    whole = fit(2)
    first = fit(1, workers=1)
    second = fit(2, tmp_path / "state.ckpt", workers=1)
    assert len(whole) == 4
    assert all(same(a, b) for a, b in zip(whole, first + second, strict=True))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cubes") / "set"
    return prepare_cubes(folder, CubeSettings.from_dict(SMALL), 40, 7)


def from_set(prepared, **changes):
    return module(source="prepared", root=str(prepared.folder), cubes=None, **changes)


def test_a_prepared_set_is_split_and_served(prepared):
    data = from_set(prepared, train_size=1000, signal_to_noise=None)
    train, val = data.dataset("train"), data.dataset("val")
    assert 25 <= len(train) <= 38
    assert 1 <= len(val) <= 4
    assert not set(train.rows) & set(val.rows)
    item = train[0]
    assert np.array_equal(item["cube"][0], prepared.cubes[train.rows[0]])
    assert np.array_equal(item["parameters"], prepared.parameters[train.rows[0]].astype("f4"))
    assert len(from_set(prepared, train_size=5).dataset("train")) == 5


def test_noise_of_a_prepared_set_is_drawn_when_it_is_served(prepared):
    alone, shared = batches(from_set(prepared)), batches(from_set(prepared, num_workers=2))
    assert all(same(a, b) for a, b in zip(alone, shared, strict=True))
    data = from_set(prepared).dataset("train")
    assert not np.array_equal(data[0, 0]["cube"], data[1, 0]["cube"])


def test_a_prepared_set_crosses_to_another_process_without_its_cubes(prepared):
    _ = prepared.cubes[0]
    message = pickle.dumps(prepared)
    assert len(message) < 10_000
    assert np.array_equal(pickle.loads(message).cubes[3], prepared.cubes[3])


def test_a_set_too_small_for_the_splits(tmp_path):
    few = prepare_cubes(tmp_path / "few", CubeSettings.from_dict(SMALL), 1, 7)
    with pytest.raises(InputError, match="none of its 1 cubes falls into the"):
        from_set(few)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"source": "network"},
            "`data.source` is 'network': expected one of workers, device, prepared",
        ),
        ({"source": "prepared"}, "`data.root` is the folder of a prepared set"),
        ({"source": "device", "root": "cubes"}, "`data.root` is the folder of a prepared set"),
        ({"source": "prepared", "root": "cubes"}, "leave out the settings, data.cubes=null"),
        ({"source": "prepared", "root": "nowhere", "cubes": None}, "nowhere holds no set of cubes"),
        ({"batch_size": 0}, "`data.batch_size` is 0: expected an integer >= 1"),
        ({"train_size": 1.5}, "`data.train_size` is 1.5"),
        ({"batch_size": 9}, "`data.batch_size` 9 is larger than `data.images_per_epoch` 8"),
        (
            {"signal_to_noise": (0, 3)},
            "`data.signal_to_noise` is (0, 3): expected 2 values, each a number from 1e-06",
        ),
        ({"signal_to_noise": (5, 3)}, "expected two rising numbers"),
        ({"cubes": {"frame": {"instrument": "muze"}}}, "no spectrograph 'muze'"),
    ],
)
def test_bad_choices_are_named(changes, words):
    with pytest.raises(InputError) as caught:
        module(**changes)
    assert words in str(caught.value)


@pytest.mark.parametrize("source", ["workers", "prepared"])
def test_galaxies_and_their_smooth_disks(prepared, source):
    """As GalaxyCubeDataModule serves them, for the networks that train on those."""
    own = {"root": prepared.folder, "cubes": None} if source == "prepared" else {}
    data = module(batches="galaxies", augment=False, **own)
    assert data.config.source == source
    held_out = data.dataset("val")
    item, again = held_out[0], held_out[0]
    assert all(np.array_equal(item[name], again[name]) for name in item)
    assert {one.shape for one in item.values()} == {(1, 8, 10, 12), (15,), ()}
    assert item["cube"].max() == pytest.approx(float(item["signal_to_noise"]), rel=1e-5)
    assert 3 <= item["signal_to_noise"] <= 30
    assert item["cube"].sum() == pytest.approx(item["smooth"].sum(), rel=0.5)
    assert np.abs(item["cube"] - item["smooth"]).max() > 0.02 * item["cube"].max()
    # The smooth disk is that of the conditions, by the renderer of the networks.
    smooth = ConditionRenderer(data.condition_names, data.frame, accuracy=1e-3)
    expected = smooth(torch.from_numpy(item["parameters"])[None])[0].numpy()
    assert np.abs(item["smooth"] - expected).max() < 2e-3 * expected.max()
    with pytest.raises(InputError, match="turned: expected squares, or"):
        module(batches="galaxies", **own)
    card = data.describe()
    assert card["condition_names"] == list(data.condition_names)
    assert card["ranges"]["sersic_index"] == [1.0, 1.0]
    assert card["frame"]["shape"] == [8, 10, 12] == list(data.shape)


def test_the_shipped_configuration_serves_a_batch():
    with initialize_config_dir(str(resource_folder("configs")), version_base="1.3"):
        config = compose("train", ["data=cubes", "seed=5", "data.batch_size=2"])
    data = build_data(OmegaConf.to_container(config.data, resolve=True))
    assert isinstance(data, CubeDataModule)
    data.setup()
    batch = data.observe(next(iter(data.train_dataloader())))
    assert batch["cube"].shape == batch["smooth"].shape == (2, 1, 32, 32, 32)
    assert data.seed == 5
    assert batch["parameters"].shape == (2, len(data.condition_names))
