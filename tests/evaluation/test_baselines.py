"""Recoveries without a network, on galaxies seen through the operator."""

import galsim
import numpy as np
import pytest
import torch

from clumpygan.evaluation.recovery import baselines
from clumpygan.evaluation.recovery.fidelity import magnitude_difference, nrmse
from clumpygan.instruments import (
    ObservationOperator,
    galsim_transfer,
    moffat_transfer,
    transfer_ratio,
)

SIGMA = 2.28
SHARP = galsim.Gaussian(fwhm=0.185)


def truths(fluxes):
    """Galaxies of two components with a PSF as wide as that of HST."""
    galaxy = galsim.Sum(
        galsim.Exponential(half_light_radius=0.35, flux=0.7).shear(g1=0.2, g2=0.1),
        galsim.Gaussian(fwhm=0.1, flux=0.3).shift(0.4, 0.2),
    )
    image = galsim.Convolve(galaxy, SHARP)
    drawn = image.drawImage(nx=70, ny=70, scale=0.06, method="no_pixel").array
    return torch.from_numpy(np.stack([flux * drawn for flux in fluxes]))[:, None].float()


@pytest.fixture(scope="module")
def seen():
    """Truth, observed image, sigma, transfer function and operator of two galaxies."""
    operator = ObservationOperator()
    truth = truths([5000.0, 800.0])
    frequencies = operator.frequencies((25, 25))
    hsc = moffat_transfer(torch.tensor([0.6, 0.7]), torch.tensor([3.0, 4.0]), frequencies)
    transfer = transfer_ratio(hsc, galsim_transfer(SHARP, frequencies))
    clean = operator(truth, transfer)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(4))
    return truth, clean + SIGMA * noise, torch.full((2,), SIGMA), transfer, operator


def errors(images, truth):
    return [nrmse(a.numpy(), b.numpy()) for a, b in zip(images[:, 0], truth[:, 0], strict=True)]


def test_bicubic_keeps_flux_and_centre(seen):
    _, observed, _, _, operator = seen
    flat = torch.ones_like(observed)
    image = baselines.bicubic(flat, operator)
    assert image.shape[-2:] == (70, 70)
    assert image.sum() == pytest.approx(flat.sum().item(), rel=1e-5)
    ramp = torch.arange(25.0).expand(1, 1, 25, 25) - 12
    assert baselines.bicubic(ramp, operator).mean().abs() < 1e-5


def test_wiener_is_nearer_to_the_truth_than_bicubic(seen):
    truth, observed, sigma, transfer, operator = seen
    image = baselines.wiener(observed, sigma, transfer, operator)
    bicubic = errors(baselines.bicubic(observed, operator), truth)
    assert all(a < 0.9 * b for a, b in zip(errors(image, truth), bicubic, strict=True))


def test_richardson_lucy_beats_wiener_and_fits_the_data(seen):
    truth, observed, sigma, transfer, operator = seen
    snapshots = baselines.richardson_lucy(observed, sigma, transfer, operator, iterations=(500,))
    image = snapshots[500]
    wiener = errors(baselines.wiener(observed, sigma, transfer, operator), truth)
    assert all(a < 0.85 * b for a, b in zip(errors(image, truth), wiener, strict=True))
    residual = (operator(image, transfer) - observed) / SIGMA
    assert residual.square().mean().item() == pytest.approx(1.0, abs=0.12)
    assert (image >= 0).all()


def test_richardson_lucy_keeps_the_flux(seen):
    truth, _, sigma, transfer, operator = seen
    clean = operator(truth, transfer)
    image = baselines.richardson_lucy(clean, sigma, transfer, operator, iterations=(500,))[500]
    pairs = zip(image[:, 0].numpy(), truth[:, 0].numpy(), strict=True)
    assert all(abs(magnitude_difference(a, b, (34.5, 34.5))) < 0.02 for a, b in pairs)


def test_snapshots_are_those_of_separate_runs(seen):
    _, observed, sigma, transfer, operator = seen
    both = baselines.richardson_lucy(observed, sigma, transfer, operator, iterations=(5, 12))
    one = baselines.richardson_lucy(observed, sigma, transfer, operator, iterations=(5,))
    assert sorted(both) == [5, 12]
    torch.testing.assert_close(both[5], one[5])
    assert not torch.equal(both[5], both[12])


def test_a_start_at_the_truth_stays_near_it(seen):
    truth, _, sigma, transfer, operator = seen
    clean = operator(truth, transfer)
    image = baselines.richardson_lucy(
        clean, sigma, transfer, operator, iterations=(50,), start=truth
    )[50]
    assert max(errors(image, truth)) < 0.01


def test_expected_disk_has_the_observed_flux(seen):
    truth, observed, sigma, _, operator = seen
    disk = baselines.expected_disk(observed, sigma, operator)
    flux, true_flux = disk.sum((1, 2, 3)), truth.sum((1, 2, 3))
    np.testing.assert_allclose((flux / true_flux).numpy(), 1.0, atol=0.15)
    empty = baselines.expected_disk(-observed, sigma, operator)
    np.testing.assert_allclose(empty.sum((1, 2, 3)).numpy(), 5 * SIGMA, rtol=1e-4)
