"""statmorph (Rodriguez-Gomez et al. 2019, MNRAS 483, 4140) judges our numbers of galaxies' shapes.

Both measure the same galaxies. Where a galaxy ends differs (ours where it sinks into the noise,
statmorph's at the Petrosian radius), so that ranks are compared. Gini and M20 depend on that most:
the formulas are compared on the very pixels of statmorph. Smoothness isn't compared: ours has a
fixed scale of two pixels, statmorph's a quarter of the Petrosian radius.
"""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from clumpygan.evaluation.realism.image_statistics import FEATURES, gini_and_m20, image_features

statmorph = pytest.importorskip("statmorph")
segmentation = pytest.importorskip("photutils.segmentation")

SIDE, NUMBER = 64, 24


def galaxies() -> np.ndarray:
    """Sersic disks of many sizes, slopes, shapes and asymmetries, in units of their noise."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    images = []
    for _ in range(NUMBER):
        index, size = random.uniform(0.7, 3.0), random.uniform(2.5, 6.0)
        ratio, angle = random.uniform(0.35, 1.0), random.uniform(0, np.pi)
        along = np.cos(angle) * x + np.sin(angle) * y
        across = (np.cos(angle) * y - np.sin(angle) * x) / ratio
        light = np.exp(-(2 * index - 1 / 3) * (np.hypot(along, across) / size) ** (1 / index))
        lump = random.uniform(0.0, 0.25) * light.sum()
        place = random.uniform(0.7, 1.4) * size * np.array([np.cos(angle), np.sin(angle)])
        spot = np.exp(-0.5 * ((x - place[0]) ** 2 + (y - place[1]) ** 2) / 1.3**2)
        images.append(gaussian_filter(light + lump * spot / spot.sum(), 1.0))
    bright = 20_000 * np.array([one / one.sum() for one in images])
    return bright + random.normal(size=bright.shape)


def on_its_pixels(found) -> tuple[float, float]:
    """Return our Gini coefficient and M20 of the pixels that statmorph took."""
    inside = found._segmap_gini[None]
    light = np.where(found._mask_stamp, 0.0, found._cutout_stamp_maskzeroed)[None]
    rows, columns = np.indices(light.shape[1:])
    weight = np.where(inside, light, 0.0)[0] / np.where(inside, light, 0.0).sum()
    radius = np.hypot(rows - (rows * weight).sum(), columns - (columns * weight).sum())
    gini, m20 = gini_and_m20(light, radius[None], inside)
    return gini[0], m20[0]


@pytest.fixture(scope="module")
def measured():
    images = galaxies()
    ours = dict(zip(FEATURES, image_features(images).T, strict=True))
    names = ("concentration", "asymmetry", "m20", "rhalf_circ", "ellipticity_asymmetry", "flag")
    rows, same = [], []
    for image in images:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # its flags say the same
            segments = segmentation.detect_sources(gaussian_filter(image, 1.0), 0.5, 5)
            label = int(segments.data[SIDE // 2, SIDE // 2])
            found = statmorph.SourceMorphology(
                image, segments, label, weightmap=np.ones_like(image)
            )
        rows.append([float(getattr(found, name)) for name in names])
        same.append((found.gini, found.m20, *on_its_pixels(found)))
    good = np.array(rows)[:, -1] < 2
    assert good.sum() > 0.9 * NUMBER
    theirs = dict(zip(names, np.array(rows)[good].T, strict=True))
    return {name: values[good] for name, values in ours.items()}, theirs, np.array(same)[good]


@pytest.mark.parametrize(
    ("ours", "theirs", "least"),
    [
        ("concentration", "concentration", 0.75),
        ("asymmetry", "asymmetry", 0.9),
        ("m20", "m20", 0.5),
        ("half_light_radius", "rhalf_circ", 0.95),
        ("ellipticity", "ellipticity_asymmetry", 0.9),
    ],
)
def test_ranks_are_statmorphs(measured, ours, theirs, least):
    rank = spearmanr(measured[0][ours], measured[1][theirs]).statistic
    assert rank > least


def test_sizes_are_statmorphs(measured):
    ours, theirs, _ = measured
    sizes = 10 ** ours["half_light_radius"] / theirs["rhalf_circ"]
    np.testing.assert_allclose(sizes, 1.0, atol=0.1)


def test_gini_and_m20_are_statmorphs_on_the_same_pixels(measured):
    their_gini, their_m20, gini, m20 = measured[2].T
    np.testing.assert_allclose(gini, their_gini, atol=0.005)
    np.testing.assert_allclose(m20, their_m20, atol=0.02)
