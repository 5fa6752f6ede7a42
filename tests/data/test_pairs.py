import numpy as np
import pytest
import torch

from clumpygan.data.pairs import Conditions, PairDataModule, PairDataset, dataclass_from
from clumpygan.data.store import SampleSettings, open_sample
from clumpygan.errors import InputError


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    data = PairDataModule(str(root), seed=0, train_size=6, val_size=4, batch_size=2)
    data.prepare_data()
    data.setup()
    return data


def collate(dataset, items):
    rows = [dataset[item] for item in items]
    return {name: torch.as_tensor(np.stack([row[name] for row in rows])) for name in rows[0]}


def dataset(images, augment=False, **conditions):
    return PairDataset(
        images, split="train", seed=0, conditions=Conditions(**conditions), augment=augment
    )


def test_an_item_depends_on_its_index_and_turn_alone():
    images = np.random.default_rng(0).random((3, 28, 28), dtype=np.float32)
    data = dataset(images, augment=True)
    first, again, later = data[0, 1], data[0, 1], data[1, 1]
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["noise"], later["noise"])
    assert not np.array_equal(first["noise"], data[0, 2]["noise"])
    assert first["noise"].shape == (1, 10, 10)
    assert first["noise"].dtype == first["hst"].dtype == np.float32


def test_augmentation_draws_from_the_whole_dihedral_group():
    images = np.arange(28 * 28, dtype=np.float32).reshape(1, 28, 28)
    corners = {
        (data["hst"][0, 0, 0], data["hst"][0, 0, -1])
        for data in (dataset(images, augment=True)[turn, 0] for turn in range(60))
    }
    assert len(corners) == 8
    assert np.array_equal(dataset(images)[3, 0]["hst"][0], images[0])


def test_views_keep_flux_and_have_the_noise_they_say(module):
    batch = collate(module.dataset("val"), range(4))
    views = module.observe(batch)
    noise = views["sigma"][:, None, None, None] * batch["noise"]
    flux = (views["observed"] - noise).sum((1, 2, 3))
    inside = batch["hst"].sum((1, 2, 3))
    # Wings of the wider PSF leave the stamp.
    assert torch.allclose(flux, inside, rtol=0.03)
    assert views["observed"].shape == (4, 1, 40, 40)
    assert torch.allclose(views["sigma"], 2.279 * batch["depth"], rtol=1e-3)


def test_the_network_is_told_a_slightly_wrong_psf(module):
    batch = collate(module.dataset("val"), range(4))
    wrong = module.observe(batch)["transfer"]
    right = module.observe(batch | {"told_fwhm": batch["fwhm"]})["transfer"]
    assert 1e-5 < float((wrong - right).abs().max()) < 0.05


def test_seeing_is_drawn_from_its_range():
    views = [Conditions(fwhm=(0.6, 0.7)).draw(np.random.default_rng(i)) for i in range(200)]
    widths = np.array([view["fwhm"] for view in views])
    assert 0.6 <= widths.min() < 0.61
    assert 0.69 < widths.max() <= 0.7


def test_splits_hold_different_galaxies(module):
    train, val = module.dataset("train").images, module.dataset("val").images
    assert not any(np.array_equal(a, b) for a in train for b in val)


def test_unknown_setting_is_named():
    with pytest.raises(InputError, match="unknown setting sieing: Conditions has fwhm"):
        dataclass_from(Conditions, {"sieing": 1})


@pytest.fixture
def settings():
    return SampleSettings(size=3, split="test", seed=5, stamp=56)


def test_a_sample_is_rendered_once(tmp_path, settings):
    first = open_sample(tmp_path, settings, workers=1)
    stamp = (tmp_path / settings.name / "images.npy").stat().st_mtime_ns
    again = open_sample(tmp_path, settings, workers=1)
    assert (tmp_path / settings.name / "images.npy").stat().st_mtime_ns == stamp
    assert np.array_equal(first.images, again.images)
    assert len(again.table) == 3
    assert isinstance(again.images, np.memmap)
    assert float(again.images.sum()) > 0


def test_rendering_resumes_and_gives_the_same(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("clumpygan.data.store.CHUNK", 1)
    whole = np.array(open_sample(tmp_path / "a", settings, workers=1).images)
    home = tmp_path / "b" / settings.name
    home.mkdir(parents=True)
    partial = np.lib.format.open_memmap(
        home / "images.partial.npy", mode="w+", dtype=np.float32, shape=whole.shape
    )
    partial[0] = whole[0]
    partial.flush()
    (home / "done.txt").write_text("0\n")
    calls = []
    from clumpygan.data import store

    original = store.render_chunk
    monkeypatch.setattr(store, "render_chunk", lambda *a: calls.append(a[1:]) or original(*a))
    assert np.array_equal(open_sample(tmp_path / "b", settings, workers=1).images, whole)
    assert calls == [(1, 2), (2, 3)]


def test_damaged_sample(tmp_path, settings):
    open_sample(tmp_path, settings, workers=1)
    images = tmp_path / settings.name / "images.npy"
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(InputError, match=r"images\.npy can't be read.*delete"):
        open_sample(tmp_path, settings, workers=1)
    np.save(images, np.zeros((2, 5, 5), np.float32))
    with pytest.raises(InputError, match=r"expected \(3, 56, 56\) float32"):
        open_sample(tmp_path, settings, workers=1)
