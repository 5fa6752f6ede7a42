"""CANDELS stamps in batches: noise, conditions, splits and where they come from."""

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from clumpygan.data.cutouts.datamodule import CandelsDataModule
from clumpygan.data.cutouts.extraction import prepare_cutouts
from clumpygan.data.cutouts.settings import CutoutSettings
from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.errors import InputError
from clumpygan.galaxies.images.stamp_conditions import (
    CONDITIONS,
    signal_of,
    standardised_conditions,
)
from tests.data.real_disks import write_recipe
from tests.data.survey import make_survey

NAMES = ("signal", "half_light_radius", "redshift")


def make(folder, **options):
    settings = {"size": 16, "train_size": 40, "val_size": 8, "batch_size": 8}
    settings |= {"images_per_epoch": 40, "conditions": NAMES}
    data = CandelsDataModule(cache=str(folder), seed=0, **(settings | options))
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def data(folder):
    return make(folder)


def batch_of(data, split="train", turn=0, count=None):
    dataset = data.dataset(split)
    items = [dataset[turn, i] for i in range(count or len(dataset))]
    return data.observe(default_collate(items))


def test_noise_is_that_of_the_instrument_in_units_of_itself(folder):
    batch = batch_of(make(folder, size=64, train_size=64, images_per_epoch=64))
    noise = batch["noise"]
    assert noise.shape == batch["image"].shape == (64, 1, 64, 64)
    assert noise.std() == pytest.approx(1.0, abs=0.02)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean()
    assert neighbours == pytest.approx(0.518, abs=0.02)


def test_images_are_flux_over_noise_plus_other_noise(data):
    batch = batch_of(data, "val")
    plain = data.dataset("val").images / data.instrument.noise().sigma
    added = batch["image"][:, 0] - torch.from_numpy(plain)
    assert added.std() == pytest.approx(1.0, abs=0.1)
    assert (added * batch["noise"][:, 0]).mean().abs() < 0.1


def test_items_depend_on_turn_and_index_alone(data):
    first, again, turned = (batch_of(data, turn=turn, count=4) for turn in (0, 0, 1))
    for name, value in first.items():
        assert torch.equal(value, again[name]), name
    assert not torch.equal(first["image"], turned["image"])
    assert torch.equal(first["conditions"], turned["conditions"])


def test_validation_stamps_are_not_turned(data):
    dataset = data.dataset("val")
    np.testing.assert_array_equal(dataset[3, 2]["image"], dataset[7, 2]["image"])
    train = data.dataset("train")
    assert any(
        not np.array_equal(train[turn, 0]["image"], train[0, 0]["image"]) for turn in range(1, 9)
    )


def test_conditions_are_about_zero_and_one(folder):
    told = make(folder, train_size=120, images_per_epoch=120).dataset("train").values
    assert told.shape == (120, 3)
    assert np.abs(told.mean(0)).max() < 0.6
    assert np.abs(told.std(0) - 1).max() < 0.4


def test_without_conditions_there_are_none(folder):
    assert "conditions" not in batch_of(make(folder, conditions=()), count=2)


def test_the_card_says_scale_and_noise(data):
    told = data.describe()
    assert told["pixel_scale"] == 0.06
    assert told["sigma"] == pytest.approx(data.instrument.noise().sigma)
    assert np.shape(told["correlation"]) == (5, 5)


def test_the_order_is_a_stream(data):
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == 5
    assert batches[0]["image"].shape == (8, 1, 16, 16)


def test_fewer_galaxies_than_a_batch_are_refused(folder):
    with pytest.raises(InputError, match=r"4 galaxies in the val set are fewer than a batch of 8"):
        make(folder, val_size=4)


def test_unknown_conditions_are_refused(folder):
    with pytest.raises(InputError, match=r"unknown condition colour: expected signal, half_"):
        make(folder, conditions=("colour",))


def test_real_galaxies_are_mixed_in(folder, tmp_path, cut):
    """The last ones of a split, of a recipe of one disk in each of its images."""
    recipe = write_recipe(tmp_path)
    names = (*NAMES, "sersic_index")
    data = make(folder, conditions=names, real=recipe, real_share=0.25, size=32)
    train, plain = data.dataset("train"), make(folder, size=32, train_size=30)
    assert len(train) == 40
    np.testing.assert_array_equal(train.images[29], plain.dataset("train").images[29])
    camera = Camera.of_target(data.instrument, 32)
    real = open_real(folder, recipe, camera, "train", 10, 0)
    np.testing.assert_array_equal(train.images[31], real.images[1])
    told = train.values[31]
    expected = standardised_conditions(
        names,
        {
            "signal": signal_of([real.table["h_magnitude"][1]], data.instrument.noise().sigma),
            **{name: [real.table[name][1]] for name in names[1:]},
        },
    )
    np.testing.assert_allclose(told, expected[0], rtol=1e-5)
    with pytest.raises(InputError, match=r"`data\.root` .* and `data\.real`"):
        make(folder, real=recipe, root=cut().folder)


def test_the_optics_are_those_of_the_instrument(data):
    told = data.optics()
    assert told["pixel_scale"] == 0.06
    psf, steps = data.instrument.psf(), len(told["transfer"]) - 1
    assert told["transfer"][0] == 1.0
    # Cycles per pixel, and between two of the steps.
    for frequency in (0.1, 0.203, 0.4):
        place = frequency * steps / 0.5**0.5
        between = np.interp(place, np.arange(steps + 1), told["transfer"])
        exact = psf.kValue(2 * np.pi * frequency / 0.06, 0.0).real
        assert between == pytest.approx(exact, abs=0.004)


def test_a_signal_is_flux_over_noise():
    # AB magnitude 23.9 is a microjansky.
    assert signal_of(23.9, 0.5) == pytest.approx(2000.0)
    told = standardised_conditions(["redshift", "signal"], {"redshift": [1.0], "signal": [1e3]})
    np.testing.assert_allclose(told, [[0.0, 0.0]], atol=1e-6)
    assert {*NAMES, "sersic_index"} == set(CONDITIONS)


@pytest.fixture
def survey(tmp_path):
    return make_survey(tmp_path, count=400)


@pytest.fixture
def cut(survey, tmp_path):
    """Return a set of cutouts of the survey, whose catalogue may be changed."""

    def _cut(bands=("F160W",), **columns):
        files = survey.files(bands, catalog=survey.write_table(**columns))
        return prepare_cutouts(tmp_path / "set", CutoutSettings((files,), size=16))

    return _cut


def served(found, folder, **options):
    return make(folder, root=str(found.folder), **({"size": 64, "train_size": 10**6} | options))


def test_cutouts_are_served_in_units_of_their_own_noise(cut, folder):
    found = cut()
    data = served(found, folder)
    dataset = data.dataset("val")
    batch = batch_of(data, "val")
    plain = found.images[dataset.rows] / found.noise_sigma[dataset.rows, None, None]
    # Theirs is real noise already: none is added.
    np.testing.assert_allclose(batch["image"][:, 0].numpy(), plain, rtol=1e-6)
    assert batch["noise"].std() == pytest.approx(1.0, abs=0.1)
    magnitudes = np.asarray(found.table["h_magnitude"])[dataset.rows]
    signal = 10 ** (0.4 * (31.4 - magnitudes)) / found.noise_sigma[dataset.rows]
    told = batch["conditions"][:, 0].numpy()
    np.testing.assert_allclose(10 ** (0.6 * told + 3.0), signal, rtol=1e-4)


def test_no_galaxy_is_in_two_splits(tmp_path, folder):
    """The same galaxies in two fields that overlap have other stamps, but one split."""
    both = [make_survey(tmp_path, name, 400) for name in ("gs", "ers")]
    settings = CutoutSettings(tuple(one.files() for one in both), size=16)
    found = prepare_cutouts(tmp_path / "set", settings)
    data = served(found, folder)
    train, val = (
        {found.identifiers[row] for row in data.dataset(split).rows} for split in ("train", "val")
    )
    assert train
    assert val
    assert not train & val
    assert len(data.dataset("train").rows) > 1.9 * len(train)


def test_cutouts_are_turned_and_mirrored_in_all_eight_ways(cut, folder):
    data = served(cut(), folder)
    train, row = data.dataset("train"), data.dataset("train").rows[0]
    plain = np.asarray(train.images[row]) / np.float32(train.sigma[row])
    seen = {train[turn, 0]["image"].tobytes() for turn in range(64)}
    ways = [np.rot90(image, k) for image in (plain, plain[:, ::-1]) for k in range(4)]
    assert seen == {np.ascontiguousarray(way).tobytes() for way in ways}


def test_what_is_not_known_of_a_galaxy_leaves_it_out(survey, cut, folder):
    redshifts = np.where(np.arange(400) % 2, survey.table["z_best"], np.nan)
    found = cut(z_best=redshifts)
    known = np.isfinite(np.ma.filled(np.ma.asarray(found.table["redshift"], float), np.nan))
    assert 0 < known.sum() < len(found)
    data = served(found, folder)
    assert known[np.concatenate([data.dataset(split).rows for split in ("train", "val")])].all()
    alone = served(found, folder, conditions=("signal",))
    assert len(alone.dataset("train")) > len(data.dataset("train"))


def test_a_catalogue_of_positions_alone_trains_without_conditions(cut, folder):
    found = cut(z_best=None, Hmag=None, FLUX_RADIUS=None)
    with pytest.raises(InputError, match=r"none of its \d+ stamps has a known signal, half_light"):
        served(found, folder)
    data = served(found, folder, conditions=())
    assert "conditions" not in batch_of(data, count=2)
    assert "magnitudes" not in data.describe()


def test_a_band_is_chosen(cut, folder):
    found = cut(bands=("F160W", "F125W"))
    with pytest.raises(InputError, match=r"has the bands F160W, F125W; say which one"):
        served(found, folder)
    data = served(found, folder, band="f125w")
    np.testing.assert_array_equal(data.dataset("val").images, found.in_band("F125W").images)
