"""Images in the MNIST format as batches: what is in them, and that no digit is in two splits."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from clumpygan.data.idx import WHITE, IdxDataModule
from clumpygan.errors import InputError
from clumpygan.io.idx import from_levels, write_idx


def opened(seed=0, **settings):
    module = IdxDataModule(seed=seed, **settings)
    module.prepare_data()
    module.setup()
    return module


@pytest.fixture(scope="module")
def digits():
    return opened(noise=0.0)


@pytest.fixture
def levels():
    return np.random.default_rng(0).integers(0, 256, size=(60, 9, 7), dtype=np.uint8)


@pytest.fixture
def written(tmp_path, levels):
    path = tmp_path / "x-idx3-ubyte.gz"
    write_idx(path, levels)
    return str(path)


def items(module, split="train"):
    dataset = module.dataset(split)
    return np.stack([dataset[place]["image"][0] for place in range(len(dataset))])


def test_the_digits_are_digits(digits):
    ours, theirs = items(digits), load_digits().images[digits.dataset("train").rows]
    assert ours.shape[1:] == (digits.size, digits.size) == (32, 32)
    assert ours.dtype == np.float32
    assert ours.min() == 0.0
    assert ours.max() == pytest.approx(WHITE, rel=1e-6)
    # Seen through asinh, averaged over the 3 x 3 pixels of each of theirs, first row at the top.
    stretched = np.arcsinh(ours[:, ::-1]) / np.arcsinh(WHITE)
    assert (stretched[:, :4] == 0).all()
    assert (stretched[..., -4:] == 0).all()
    blocks = stretched[:, 4:-4, 4:-4].reshape(-1, 8, 3, 8, 3).mean((2, 4))
    correlation = np.corrcoef(blocks.ravel(), theirs.ravel())[0, 1]
    assert correlation > 0.97
    assert np.corrcoef(blocks[:, ::-1].ravel(), theirs.ravel())[0, 1] < 0.8


def test_a_batch(digits):
    loader = iter(opened(batch_size=16, images_per_epoch=64).train_dataloader())
    batch = next(loader)
    assert batch["image"].shape == batch["noise"].shape == (16, 1, 32, 32)
    assert batch["image"].dtype == batch["noise"].dtype == torch.float32
    assert set(batch) == {"image", "noise"}
    assert len(list(loader)) == 3
    assert digits.condition_names == ()


def test_noise_is_added_anew_at_every_view(digits):
    noisy = opened(noise=0.5).dataset("train")
    clean = digits.dataset("train")[3]["image"]
    assert np.array_equal(digits.dataset("train")[1, 3]["image"], clean)
    views = [noisy[turn, 3] for turn in range(20)]
    residuals = np.stack([view["image"] - clean for view in views])
    told = np.stack([view["noise"] for view in views])
    for noise in (residuals, told):
        assert noise.std() == pytest.approx(0.5, rel=0.03)
        assert abs(noise.mean()) < 0.02
        assert abs(np.corrcoef(noise.reshape(20, -1))[np.triu_indices(20, 1)]).max() < 0.15
    assert abs(np.corrcoef(residuals.ravel(), told.ravel())[0, 1]) < 0.03
    again = opened(noise=0.5).dataset("train")[7, 3]
    assert np.array_equal(again["image"], views[7]["image"])
    assert not np.array_equal(opened(1).dataset("train")[0]["image"], noisy[0]["image"])


def test_no_digit_is_in_two_splits(digits):
    rows = {split: set(digits.dataset(split).rows.tolist()) for split in ("train", "val")}
    assert not rows["train"] & rows["val"]
    assert len(rows["train"]) == pytest.approx(0.8 * 1797, rel=0.05)
    assert len(rows["val"]) == pytest.approx(0.1 * 1797, rel=0.15)
    few = opened(train_size=40, val_size=7)
    assert [len(few.dataset(split)) for split in ("train", "val")] == [40, 7]


def test_the_stream_shows_every_image_once_a_turn_and_depends_on_the_seed():
    def epoch(seed):
        module = opened(seed, noise=0.0, train_size=64, batch_size=16, images_per_epoch=64)
        return torch.cat([batch["image"] for batch in module.train_dataloader()])

    first = epoch(0)
    assert len(torch.unique(first.flatten(1), dim=0)) == 64
    assert torch.equal(first, epoch(0))
    assert not torch.equal(first, epoch(1))


def test_validation_is_the_same_every_time():
    module = opened()
    first, second = (torch.cat([b["image"] for b in module.val_dataloader()]) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("size", [8, 16, 24, 40])
def test_digits_of_any_size(size):
    assert items(opened(size=size, noise=0.0, train_size=40)).shape == (40, size, size)


def test_levels_of_a_file_are_stretched_back_padded_and_stand_upright(written, levels):
    module = opened(images=written, noise=0.0, batch_size=4)
    assert module.size == 16
    expected = np.sinh(levels / 255 * np.arcsinh(WHITE))[:, ::-1]
    rows = module.dataset("train").rows
    images = items(module)
    assert np.allclose(images[:, 3:12, 4:11], expected[rows], rtol=1e-5)
    images[:, 3:12, 4:11] = 0
    assert (images == 0).all()
    cropped = items(opened(images=written, size=8, noise=0.0, batch_size=4))
    assert np.allclose(cropped[:, :, :7], expected[rows, :8], rtol=1e-5)


@pytest.mark.parametrize("name", ["f-idx3-float", "f-idx3-float.gz"])
def test_floats_are_in_units_of_their_noise(tmp_path, name):
    values = np.random.default_rng(0).normal(3, 50, size=(60, 8, 8)).astype(np.float32)
    write_idx(tmp_path / name, values)
    module = opened(images=str(tmp_path / name), batch_size=4)
    assert np.array_equal(items(module), values[module.dataset("train").rows])
    assert set(module.dataset("train")[0]) == {"image"}
    assert module.describe() == {"stretch": None, "noise": 0.0}


def test_a_stated_stretch_of_levels_is_undone(written, levels):
    module = opened(images=written, stretch=[-5, 200], batch_size=4)
    rows = module.dataset("train").rows
    expected = from_levels(levels[rows], -5, 200)
    assert np.array_equal(items(module)[:, 3:12, 4:11], expected)
    assert set(module.dataset("train")[0]) == {"image"}
    assert module.describe() == {"stretch": [-5.0, 200.0], "noise": 0.0}
    assert opened().describe() == {"white": WHITE, "noise": 0.5}
    with pytest.raises(InputError, match="expected two rising numbers"):
        IdxDataModule(images=written, stretch=[5, -5])


def test_only_training_images_are_turned_and_only_if_asked(written):
    straight = opened(images=written, noise=0.0, batch_size=4)
    turned = opened(images=written, noise=0.0, batch_size=4, augment=True)
    plain = straight.dataset("train")[0]["image"][0]
    views = [turned.dataset("train")[turn, 0]["image"][0] for turn in range(40)]
    eight = [np.rot90(side, k) for k in range(4) for side in (plain, plain[:, ::-1])]
    found = {next(i for i, one in enumerate(eight) if np.array_equal(one, v)) for v in views}
    assert len(found) >= 7
    assert np.array_equal(items(straight, "val"), items(turned, "val"))


def test_labels_become_conditions(tmp_path, written):
    digits = opened(conditional=True)
    assert digits.condition_names == tuple(f"label_{n}" for n in range(10))
    train = digits.dataset("train")
    told = np.stack([train[place]["conditions"] for place in range(50)])
    assert told.dtype == np.float32
    assert np.array_equal(told.argmax(1), load_digits().target[train.rows[:50]])
    assert (told.sum(1) == 1).all()
    labels = np.arange(60, dtype=np.uint8) % 3
    write_idx(tmp_path / "labels", labels)
    module = opened(images=written, labels=str(tmp_path / "labels"), conditional=True, batch_size=4)
    assert module.condition_names == ("label_0", "label_1", "label_2")
    train = module.dataset("train")
    assert train[5]["conditions"].argmax() == labels[train.rows[5]]
    assert next(iter(module.train_dataloader()))["conditions"].shape == (4, 3)


def test_fewer_images_than_a_batch(written):
    with pytest.raises(InputError, match=r"of 60 images are for the train set, fewer than 64, a b"):
        opened(images=written, batch_size=64)
    with pytest.raises(InputError, match="the digits: 10 of 1797 images are for the train set"):
        opened(train_size=10)


def test_too_few_images_for_validation(tmp_path):
    write_idx(tmp_path / "x", np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(InputError, match="0 of 2 images are for the val set, fewer than 1; give"):
        opened(3, images=str(tmp_path / "x"), batch_size=1)


@pytest.mark.parametrize("size", [0, 12, -8, "a", 16.0, True])
def test_wrong_sizes(size):
    with pytest.raises(
        InputError,
        match=r"`data\.size` is .*: expected (a multiple of 8, or|an integer >= 8 or) null",
    ):
        IdxDataModule(seed=0, size=size)


@pytest.mark.parametrize("noise", [-1, float("nan"), float("inf"), "a"])
def test_wrong_noise(noise):
    with pytest.raises(InputError, match=r"`data\.noise` is .*: expected a number from 0 to"):
        IdxDataModule(seed=0, noise=noise)


def test_wrong_files(tmp_path, written):
    with pytest.raises(InputError, match="nowhere: no such file"):
        IdxDataModule(seed=0, images=str(tmp_path / "nowhere"))
    write_idx(tmp_path / "labels", np.zeros(60, np.uint8))
    with pytest.raises(InputError, match=r"labels: 60 values; expected images \(N, y, x\)"):
        IdxDataModule(seed=0, images=str(tmp_path / "labels"))
    write_idx(tmp_path / "f", np.full((60, 8, 8), np.nan, np.float32))
    with pytest.raises(InputError, match="values that aren't finite; expected numbers"):
        opened(images=str(tmp_path / "f"), batch_size=4)


def test_wrong_labels(tmp_path, written):
    path = tmp_path / "labels"
    with pytest.raises(InputError, match=r"has no labels; give `data\.labels`, an IDX file"):
        IdxDataModule(seed=0, images=written, conditional=True)
    with pytest.raises(InputError, match=r"`data\.labels`: .*; give `data\.images` too"):
        IdxDataModule(seed=0, labels=str(path), conditional=True)
    write_idx(path, np.zeros(59, np.uint8))
    with pytest.raises(InputError, match="59 uint8 values; expected 60 whole numbers"):
        IdxDataModule(seed=0, images=written, labels=str(path), conditional=True)
    write_idx(path, np.zeros(60, np.float32))
    with pytest.raises(InputError, match="60 float32 values; expected 60 whole numbers"):
        IdxDataModule(seed=0, images=written, labels=str(path), conditional=True)
    path.write_bytes(bytes.fromhex("00000901 0000003c") + b"\xff" * 60)
    with pytest.raises(InputError, match="labels from -1 to -1; expected 0 to 999"):
        IdxDataModule(seed=0, images=written, labels=str(path), conditional=True)
