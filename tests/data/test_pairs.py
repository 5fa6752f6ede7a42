import warnings

import numpy as np
import pytest
import torch
from astropy.wcs import WCS

from clumpygan.data.stamps.pair_dataset import Conditions, PairDataset
from clumpygan.data.stamps.pairs import PairDataModule
from clumpygan.data.stamps.real_stamps import read_stamps
from clumpygan.data.stamps.synthetic_sample import SampleSettings, open_sample
from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import (
    HSC_WIDE_I,
    NoiseModel,
    drizzled_correlation,
    get_instrument,
    shared_noise_power,
)
from clumpygan.io import write_image


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    data = PairDataModule(cache=str(root), seed=0, train_size=6, val_size=4, batch_size=2)
    data.prepare_data()
    data.setup()
    return data


def sky():
    """A tangential projection with 0.06" pixels."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    wcs.wcs.crval = 34.0, -5.0
    return wcs


def collate(dataset, items):
    rows = [dataset[item] for item in items]
    return {name: torch.as_tensor(np.stack([row[name] for row in rows])) for name in rows[0]}


def dataset(images, augment=False, **conditions):
    return PairDataset(
        images,
        split="train",
        seed=0,
        conditions=Conditions(**conditions).within(HSC_WIDE_I),
        augment=augment,
    )


def test_an_item_depends_on_its_index_and_turn_alone():
    images = np.random.default_rng(0).random((3, 28, 28), dtype=np.float32)
    data = dataset(images, augment=True)
    first, again, later = data[0, 1], data[0, 1], data[1, 1]
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["noise"], later["noise"])
    assert not np.array_equal(first["noise"], data[0, 2]["noise"])
    assert first["noise"].shape == (1, 10, 10)
    assert first["noise"].dtype == first["target"].dtype == np.float32


def test_augmentation_draws_from_the_whole_dihedral_group():
    images = np.arange(28 * 28, dtype=np.float32).reshape(1, 28, 28)
    corners = {
        (data["target"][0, 0, 0], data["target"][0, 0, -1])
        for data in (dataset(images, augment=True)[turn, 0] for turn in range(60))
    }
    assert len(corners) == 8
    assert np.array_equal(dataset(images)[3, 0]["target"][0], images[0])


def test_views_keep_flux_and_have_the_noise_they_say(module):
    batch = collate(module.dataset("val"), range(4))
    views = module.observe(batch)
    noise = views["sigma"][:, None, None, None] * batch["noise"]
    flux = (views["observed"] - noise).sum((1, 2, 3))
    inside = batch["target"].sum((1, 2, 3))
    # Wings of the wider PSF leave the stamp, and half of what lies at its border.
    border = inside - batch["target"][..., 8:-8, 8:-8].sum((1, 2, 3))
    assert ((flux - inside).abs() < 0.03 * inside + 0.5 * border).all()
    assert (border < 0.15 * inside).sum() >= 2
    assert views["observed"].shape == (4, 1, 40, 40)
    assert torch.allclose(views["sigma"], 2.279 * batch["depth"], rtol=1e-3)


def test_the_network_is_told_a_slightly_wrong_psf(module):
    batch = collate(module.dataset("val"), range(4))
    wrong = module.observe(batch)["transfer"]
    right = module.observe(batch | {"told_fwhm": batch["fwhm"]})["transfer"]
    assert 1e-5 < float((wrong - right).abs().max()) < 0.05


def test_seeing_is_drawn_from_its_range():
    drawn = Conditions(fwhm=(0.6, 0.7)).within(HSC_WIDE_I)
    views = [drawn.draw(np.random.default_rng(i)) for i in range(200)]
    widths = np.array([view["fwhm"] for view in views])
    assert 0.6 <= widths.min() < 0.61
    assert 0.69 < widths.max() <= 0.7


def test_splits_hold_different_galaxies(module):
    train, val = module.dataset("train").images, module.dataset("val").images
    assert not any(np.array_equal(a, b) for a in train for b in val)


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


def test_a_sample_of_another_population_is_another_sample(settings, monkeypatch):
    """What was rendered before the galaxies changed isn't taken for today's."""
    before = settings.name
    monkeypatch.setattr("clumpygan.data.stamps.synthetic_sample.POPULATION", 1)
    assert settings.name != before


def test_rendering_resumes_and_gives_the_same(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("clumpygan.data.stamps.synthetic_sample.CHUNK", 1)
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
    from clumpygan.data.stamps import synthetic_sample as store

    original = store.render_chunk
    monkeypatch.setattr(store, "render_chunk", lambda *a: calls.append(a[1:]) or original(*a))
    assert np.array_equal(open_sample(tmp_path / "b", settings, workers=1).images, whole)
    assert calls == [(1, 2), (2, 3)]


def test_damaged_sample(tmp_path, settings):
    open_sample(tmp_path, settings, workers=1)
    images = tmp_path / settings.name / "images.npy"
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(InputError, match=r"images\.npy: can't be read.*delete"):
        open_sample(tmp_path, settings, workers=1)
    np.save(images, np.zeros((2, 5, 5), np.float32))
    with pytest.raises(InputError, match=r"expected \(3, 56, 56\) float32"):
        open_sample(tmp_path, settings, workers=1)


@pytest.fixture(scope="module")
def stamps(tmp_path_factory):
    """Forty stamps of nothing but noise, correlated as drizzled images are."""
    folder = tmp_path_factory.mktemp("stamps")
    noise = NoiseModel(0.75, 0.06, drizzled_correlation(0.06, 0.128))
    generator = torch.Generator().manual_seed(0)
    for i in range(40):
        data = noise.draw((112, 112), generator).numpy()
        write_image(folder / f"{i}.fits", {"SCI": data}, wcs=sky())
    return folder


@pytest.fixture(scope="module")
def real(stamps):
    data = PairDataModule(seed=0, batch_size=4, stamps=str(stamps))
    data.setup()
    return data


def test_noise_that_a_real_stamp_carries_is_not_added_again(real):
    dataset = real.dataset("train")
    batch = collate(dataset, range(len(dataset)))
    views = real.observe(batch)
    again = views["observed"].flatten(1).std(1) / views["sigma"]
    assert float(again.mean()) == pytest.approx(1.0, abs=0.02)
    # Had the survey's noise been added on top of what is carried, sigma would be larger.
    carried = real.operator(batch["target"], views["transfer"]).flatten(1).std(1)
    assert float((carried / views["sigma"]).mean()) > 0.25
    added = (
        (views["observed"] - real.operator(batch["target"], views["transfer"])).flatten(1).std(1)
    )
    assert float((added / (2.279 * batch["depth"])).mean()) < 0.97


def coadds(folder, excess, **settings):
    """Return pairs whose views share noise by such an excess."""
    conditions = Conditions(shared_noise=(excess, excess), depth_scatter=0.0)
    data = PairDataModule(seed=0, conditions=conditions, **settings, cache=str(folder))
    data.prepare_data()
    data.setup()
    return data


def correlation(noise, rows, columns):
    """Return that of pixels so far apart, over all images (N, y, x) of unit variance."""
    first = noise[:, : noise.shape[1] - rows, : noise.shape[2] - columns]
    return float((first * noise[:, rows:, columns:]).mean())


def test_neighbours_share_noise_as_in_coadds(tmp_path):
    """Direct ones (e - 1) / 2 of it, others none, also not those at opposite edges."""
    data = coadds(tmp_path, 1.2, train_size=2, val_size=1)
    batch = collate(data.dataset("train"), [(turn, i) for turn in range(80) for i in range(2)])
    batch["target"] = torch.zeros_like(batch["target"])
    views = data.observe(batch)
    noise = views["observed"][:, 0] / views["sigma"][:, None, None]
    assert noise.shape == (160, 40, 40)
    assert views["observed"].dtype == views["sigma"].dtype == torch.float32
    assert views["sigma"].numpy() == pytest.approx(HSC_WIDE_I.sky_sigma)
    # Sigma is that of apertures, as recoveries of coadds are told; pixels scatter by less.
    assert float(noise.std()) == pytest.approx(1 / 1.2, rel=0.01)
    inner = noise[:, 12:28, 12:28].sum((1, 2)) / 16
    assert float(inner.std()) == pytest.approx(1 - 0.2 / 16 / 1.2, rel=0.15)
    unit = noise * 1.2
    assert correlation(unit, 1, 0) == pytest.approx(0.1, abs=0.01)
    assert correlation(unit, 0, 1) == pytest.approx(0.1, abs=0.01)
    assert correlation(unit, 1, 1) == pytest.approx(0.01, abs=0.01)
    assert correlation(unit, 2, 0) == pytest.approx(0.0, abs=0.01)
    assert float((unit[:, 0] * unit[:, -1]).mean()) == pytest.approx(0.0, abs=0.04)
    # And it is the model's with which coadds are judged.
    drop = 3 * (1 - 1 / 1.2)
    model = NoiseModel(1 / 1.2, 0.168, drizzled_correlation(1.0, drop, pixfrac=1.0))
    frequencies = data.operator.frequencies((40, 40))
    ours = shared_noise_power(torch.ones(1), torch.tensor([1.2]), frequencies, 0.168)[0]
    assert torch.allclose(ours, model.power(frequencies), atol=1e-4)


def test_the_excess_is_drawn_from_its_range_and_white_noise_stays_as_it_was():
    drawn = Conditions(shared_noise=(1.0, 1.25)).within(HSC_WIDE_I)
    views = [drawn.draw(np.random.default_rng(i)) for i in range(200)]
    excess = np.array([view["shared_noise"] for view in views])
    assert 1.0 <= excess.min() < 1.02
    assert 1.23 < excess.max() <= 1.25
    white = Conditions().within(HSC_WIDE_I).draw(np.random.default_rng(3))
    assert "shared_noise" not in white
    assert white == {name: value for name, value in views[3].items() if name != "shared_noise"}
    for wrong in ((0.9, 1.2), (1.2, 1.1), (1.0, 1.6)):
        with pytest.raises(InputError, match="shared_noise"):
            Conditions(shared_noise=wrong)


def test_noise_of_a_real_stamp_counts_among_that_of_a_coadd(real, stamps, tmp_path):
    data = coadds(tmp_path, 1.2, stamps=str(stamps))
    batch = collate(data.dataset("train"), range(len(data.dataset("train"))))
    views = data.observe(batch)
    scatter = views["observed"].flatten(1).std(1) * 1.2 / views["sigma"]
    assert float(scatter.mean()) == pytest.approx(1.0, abs=0.03)
    assert float(views["sigma"].mean()) > HSC_WIDE_I.sky_sigma


def test_views_of_real_stamps_are_shallower_than_the_survey(real):
    assert 25.3 < real.effective_depth() < 26.1


def test_no_stamp_is_in_two_splits(stamps):
    parts = read_stamps(stamps, 112, get_instrument("hst_wfc3_f160w"), seed=0)
    names = [name for part in parts.values() for name in part.names]
    assert sorted(names) == sorted(path.name for path in stamps.iterdir())
    assert all(len(part.names) == len(part.images) == len(part.noises) for part in parts.values())


def test_stamps_are_cropped_and_padded_around_their_centre(tmp_path):
    image = np.zeros((81, 131), np.float32)
    image[40, 65] = 7.0
    image += np.random.default_rng(0).normal(0, 0.1, image.shape).astype(np.float32)
    write_image(tmp_path / "a.fits", {"SCI": image}, wcs=sky())
    parts = read_stamps(tmp_path, 112, get_instrument("hst_wfc3_f160w"), seed=0)
    (stamp,) = (part.images[0] for part in parts.values() if len(part.images))
    y, x = divmod(int(stamp.argmax()), 112)
    assert abs(y - 55.5) <= 0.5
    assert abs(x - 55.5) <= 0.5


@pytest.mark.parametrize(("name", "message"), [("none", "not a folder"), ("", "holds no .fits")])
def test_folder_without_stamps(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_stamps(tmp_path / name, 112, get_instrument("hst_wfc3_f160w"), seed=0)


def test_too_few_stamps_for_the_splits(tmp_path):
    image = np.random.default_rng(0).normal(0, 1, (112, 112)).astype(np.float32)
    write_image(tmp_path / "a.fits", {"SCI": image}, wcs=sky())
    data = PairDataModule(seed=0, stamps=str(tmp_path))
    with pytest.raises(InputError, match="none of its 1 stamps falls into the"):
        data.setup()


def test_real_stamps_of_candels(real_data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        parts = read_stamps(
            real_data / "candels_uds", 112, get_instrument("hst_wfc3_f160w"), seed=0
        )
    assert sum(len(part.images) for part in parts.values()) == 22
    sigmas = [noise.sigma for part in parts.values() for noise in part.noises]
    assert 0.6 < float(np.median(sigmas)) < 1.0
