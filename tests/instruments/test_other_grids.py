"""The operator on other grids than those of HSC and HST: GalSim draws the same at both scales."""

import galsim
import numpy as np
import pytest
import torch

from clumpygan.instruments import ObservationOperator, SurveyPair, matching_transfer

PAIRS = [("lsst_i", "hst_wfc3_f160w"), ("des_i", "hst_wfc3_f160w"), ("lsst_r", "euclid_vis"),
         ("hsc_wide_i", "jwst_nircam_f150w")]  # fmt: skip


def drawn(profile: galsim.GSObject, shape: tuple[int, int], scale: float) -> np.ndarray:
    image = profile.drawImage(nx=shape[1], ny=shape[0], scale=scale, method="no_pixel")
    return np.asarray(image.array, dtype=np.float64)


@pytest.mark.parametrize(("survey", "target"), PAIRS)
def test_galsim_sees_the_same(survey: str, target: str) -> None:
    pair = SurveyPair.of(survey, target)
    grid, wide, narrow = pair.grid, pair.survey.psf(), pair.target.psf()
    operator = ObservationOperator(grid=grid)
    fine = (grid.stamp, grid.stamp + grid.fine_block)
    coarse = grid.coarse_shape(fine)
    galaxy = galsim.Exponential(half_light_radius=0.4, flux=1000).shear(g1=0.2, g2=0.1)
    galaxy = (galaxy + galsim.Gaussian(sigma=0.08, flux=150).shift(0.5, -0.3)).shift(0.03, 0.05)
    image = torch.from_numpy(drawn(galsim.Convolve(galaxy, narrow), fine, grid.target_scale))
    transfer = matching_transfer(wide, narrow, operator.frequencies(coarse))
    ours = operator(image[None, None], transfer)[0, 0].numpy()
    theirs = drawn(galsim.Convolve(galaxy, wide), coarse, grid.observed_scale)
    assert np.abs(ours - theirs).max() < 3e-3 * theirs.max()
    assert ours.sum() == pytest.approx(theirs.sum(), rel=3e-3)


@pytest.mark.parametrize(("survey", "target"), PAIRS)
def test_the_adjoint_is_the_transpose(survey: str, target: str) -> None:
    pair = SurveyPair.of(survey, target)
    operator = ObservationOperator(grid=pair.grid)
    coarse = pair.grid.coarse_shape((pair.grid.stamp, pair.grid.stamp))
    transfer = matching_transfer(
        pair.survey.psf(), pair.target.psf(), operator.frequencies(coarse)
    ).to(torch.complex128)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, *operator.fine_shape(coarse), generator=generator, dtype=torch.float64)
    y = torch.randn(1, 1, *coarse, generator=generator, dtype=torch.float64)
    forward = float((operator(x, transfer) * y).sum())
    assert forward == pytest.approx(float((x * operator.adjoint(y, transfer)).sum()), rel=1e-9)
