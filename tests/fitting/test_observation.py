"""Cubes, noise and frames are checked before anything is fitted."""

import numpy as np
import pytest

from clumpygan.errors import InputError, InputWarning
from clumpygan.fitting import ObservedFrame, observe
from tests.fitting.conftest import FRAME, GRID


def data(seed=1):
    return np.random.default_rng(seed).standard_normal(GRID.shape)


def test_bad_voxels_have_no_weight():
    cube, variance = data(), np.ones(GRID.shape)
    cube[0, 0, 0], variance[1, 1, 1], variance[2, 2, 2], variance[3, 3, 3] = np.nan, 0, np.inf, -1
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[4, 4, 4] = True
    observation = observe(cube, variance, FRAME, mask=mask)
    bad = [(k, k, k) for k in range(5)]
    assert (~observation.valid).sum() == 5
    for place in bad:
        assert observation.data[place] == 0
        assert np.isinf(observation.variance[place])
    assert not observation.estimated


@pytest.mark.parametrize("shape", [GRID.shape, GRID.shape[1:], GRID.shape[:1]])
def test_masks_of_all_shapes(shape):
    mask = np.zeros(shape, dtype=bool)
    mask[3] = True
    assert not observe(data(), 1.0, FRAME, mask=mask).valid.all()


def test_a_variance_of_channels():
    variance = np.arange(1.0, GRID.shape[0] + 1)
    observation = observe(data(), variance, FRAME)
    np.testing.assert_array_equal(observation.variance[:, 3, 4], variance)


def test_a_missing_variance_is_estimated_from_the_sides():
    sigma = np.where(np.arange(GRID.shape[0]) < 10, 1.0, 3.0)[:, None, None]
    cube = sigma * data()
    cube[:, 6:12, 6:12] += 50.0
    with pytest.warns(InputWarning, match="no variance; estimated from the sides of the field"):
        observation = observe(cube, None, FRAME)
    assert observation.estimated
    np.testing.assert_allclose(np.sqrt(observation.variance[:, 0, 0]), sigma[:, 0, 0], rtol=0.35)


@pytest.mark.parametrize(
    ("cube", "variance", "options", "message"),
    [
        (np.zeros((2, 3, 4)), 1.0, {}, r"cube: shape \(2, 3, 4\); expected \(20, 18, 18\)"),
        (np.full(GRID.shape, np.nan), 1.0, {}, "no voxel is a number; nothing to fit"),
        (np.zeros(GRID.shape), 1.0, {}, "all voxels are 0; nothing to fit"),
        (data(), np.ones((3, 3)), {}, r"variance of shape \(3, 3\); expected"),
        (data(), 1.0, {"mask": np.ones((3, 3), bool)}, r"mask of shape \(3, 3\); expected"),
        (data(), 1.0, {"mask": np.ones(GRID.shape, bool)}, "no voxel is left that has a variance"),
        (data(), np.zeros(GRID.shape), {}, "no voxel is left that has a variance"),
        (np.abs(data()), None, {}, "no variance, and nothing below 0 at the sides"),
    ],
)
def test_what_cannot_be_fitted_is_refused(cube, variance, options, message):
    with pytest.raises(InputError, match=message):
        observe(cube, variance, FRAME, **options)


def test_a_psf_wider_than_the_field_is_refused():
    with pytest.raises(InputError, match=r"the PSF is 5 arcsec wide, the field 3\.6 arcsec"):
        observe(data(), 1.0, ObservedFrame(GRID, None, 5.0))


def test_data_and_variance_that_cannot_belong_together_are_refused():
    data = np.random.default_rng(0).normal(size=GRID.shape)
    data[2, 3, 4] = 4e37
    with pytest.raises(InputError, match=r"a voxel is 4.0e\+37 times its noise"):
        observe(data, 1.0, FRAME)
