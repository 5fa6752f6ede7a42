"""Pairs and single galaxies are what is said of them, and new in each pass."""

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass

from clumpygan.data.stamps.blends import LARGEST_OFFSET, BlendDataModule, moved
from clumpygan.errors import InputError

SIZE = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    made = BlendDataModule(
        cache=str(root), train_size=SIZE, val_size=4, batch_size=4, crowded_share=0.0
    )
    made.prepare_data()
    made.setup()
    return made


@pytest.fixture(scope="module")
def points(data):
    """The training set with a point in place of each galaxy, as bright."""
    dataset = data.make_dataset("train")
    fluxes = 10 ** (0.4 * (31.4 - dataset.magnitudes))
    # Wider than a pixel: a point could not be moved by parts of one.
    axis = np.arange(112) - 55.5
    bump = np.exp(-0.5 * (axis[:, None] ** 2 + axis**2) / 1.5**2)
    images = fluxes[:, None, None] * bump / bump.sum()
    dataset.images = images.astype(np.float32)
    return dataset


def collate(dataset, items):
    rows = [dataset[item] for item in items]
    return {name: torch.as_tensor(np.stack([row[name] for row in rows])) for name in rows[0]}


def test_half_are_pairs_with_their_ratio_separation_and_middle(points):
    drawn = [points[turn, index] for turn in range(4) for index in range(SIZE)]
    pairs = [one for one in drawn if one["blend"]]
    assert 0.38 < len(pairs) / len(drawn) < 0.62
    rows, columns = np.indices((112, 112)) - 55.5
    for one in drawn:
        image = one["target"][0].astype(float)
        middle = (np.array(center_of_mass(image)) - 55.5) * 0.06
        assert np.abs(middle).max() <= LARGEST_OFFSET + 1e-3
        y, x = rows * 0.06 - middle[0], columns * 0.06 - middle[1]
        spread = np.array([[(image * a * b).sum() for a in (y, x)] for b in (y, x)]) / image.sum()
        own = (1.5 * 0.06) ** 2
        if one["blend"]:
            ratio, apart = float(one["flux_ratio"]), float(one["separation"])
            assert 1 <= ratio <= 10
            assert 0.2 <= apart <= 1.2
            # Of two points the variance along the line between them.
            expected = apart**2 * ratio / (1 + ratio) ** 2
            assert np.linalg.eigvalsh(spread)[1] - own == pytest.approx(expected, rel=0.03)
        else:
            assert np.isnan(one["separation"])
            assert np.linalg.eigvalsh(spread)[1] == pytest.approx(own, rel=0.02)
    apart = np.array([one["separation"] for one in pairs])
    assert apart.min() < 0.35
    assert apart.max() > 1.0


def test_brightness_is_within_limits(points):
    for index in range(SIZE):
        one = points[3, index]
        flux = one["target"].sum(dtype=float)
        brighter = flux / (1 + 1 / one["flux_ratio"]) if one["blend"] else flux
        magnitude = 31.4 - 2.5 * np.log10(brighter)
        assert 20.499 < magnitude < 24.501
        assert abs(magnitude - points.magnitudes[index]) < 0.301


def test_an_item_depends_on_its_index_and_turn_alone(data):
    dataset, again = data.dataset("train"), data.make_dataset("train")
    first, second = dataset[1, 2], again[1, 2]
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)
    assert not np.array_equal(first["target"], dataset[2, 2]["target"])
    assert not np.array_equal(first["target"], data.dataset("val")[1, 2]["target"])
    assert len(dataset) == SIZE
    assert len(dataset.images) == SIZE * 1.5


def test_neighbours_are_far_from_the_middle(points):
    pixels = np.hypot(*(np.indices((112, 112)) - 55.5)) * 0.06
    alone = [points[0, index]["target"].sum() for index in range(SIZE)]
    try:
        points.crowded_share = 1.0
        crowded = [points[0, index] for index in range(SIZE)]
    finally:
        points.crowded_share = 0.0
    more = 0
    for one, flux in zip(crowded, alone, strict=True):
        beyond = one["target"][0][pixels > 1.7 - 0.3].sum()
        assert one["target"].sum() - beyond == pytest.approx(flux, rel=0.02)
        more += beyond > 0.001 * flux
    assert more > 0.9 * SIZE
    assert {float(one["blend"]) for one in crowded} == {0.0, 1.0}


def test_views_say_what_they_are_of(data):
    batch = collate(data.dataset("val"), range(4))
    views = data.observe(batch)
    assert views["observed"].shape == (4, 1, 40, 40)
    for name in ("blend", "separation", "flux_ratio"):
        assert views[name].dtype == torch.float32
        assert torch.equal(views[name].nan_to_num(), batch[name].nan_to_num())


def test_moved_images_keep_their_light_and_leave_at_the_edges():
    axis = np.arange(30)
    image = np.exp(-((axis[:, None] - 12) ** 2 + (axis - 15) ** 2) / 8).astype(np.float32)
    there = moved(image, np.array([3.3, -4.75]))
    assert center_of_mass(there) == pytest.approx((15.3, 10.25), abs=1e-3)
    assert there.sum() == pytest.approx(image.sum(), rel=1e-4)
    assert np.array_equal(moved(image, np.array([2.0, 0.0]))[2:], image[:-2])
    # What leaves at one edge doesn't come back at the other.
    gone = moved(image, np.array([25.0, 0.0]))
    assert not gone[:20].any()
    assert not moved(image, np.array([40.0, 0.0])).any()


@pytest.mark.parametrize("name", ["real", "stamps", "psf"])
def test_real_galaxies_are_refused(name):
    with pytest.raises(InputError, match=f"`data.{name}` is x"):
        BlendDataModule(**{name: "x"})
