"""The observation operator against GalSim's own route, and the properties it must have."""

import math
from collections.abc import Callable

import galsim
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from clumpygan.errors import InputError
from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    equivalent_fwhm,
    galsim_transfer,
    matching_transfer,
    moffat_transfer,
    transfer_ratio,
)

SIGMA = HSC_WIDE_I.sky_sigma


def sharp_psf() -> galsim.GSObject:
    return HST_WFC3_F160W.psf()


def wide_psf(fwhm: float, beta: float) -> galsim.GSObject:
    return galsim.Moffat(beta=beta, fwhm=fwhm).shear(g1=0.03, g2=-0.02)


def clumpy_galaxy(magnitude: float, shift: tuple[float, float]) -> galsim.GSObject:
    disk = galsim.Exponential(half_light_radius=0.3).shear(g1=0.3, g2=0.1)
    clump = galsim.Gaussian(sigma=0.03, flux=0.15).shift(0.35, -0.2)
    return (disk + clump).withFlux(10 ** (0.4 * (31.4 - magnitude))).shift(*shift)


def draw(thing: galsim.GSObject, shape: tuple[int, int], scale: float) -> NDArray[np.float64]:
    image = thing.drawImage(
        nx=shape[1], ny=shape[0], scale=scale, method="no_pixel", dtype=float
    ).array
    return np.array(image)


def galsim_route(
    stamp: NDArray[np.float64], narrow: galsim.GSObject, wide: galsim.GSObject
) -> NDArray[np.float64]:
    image = galsim.Image(stamp, scale=0.06)
    sky = galsim.InterpolatedImage(image, x_interpolant="quintic")
    seen = galsim.Convolve(sky, galsim.Deconvolve(narrow), wide)
    return draw(seen, (stamp.shape[0] * 5 // 14, stamp.shape[1] * 5 // 14), 0.168)


def centroid(image: NDArray[np.float64]) -> NDArray[np.float64]:
    y, x = (np.indices(image.shape).T - (np.array(image.shape) - 1) / 2).T
    return np.array([(y * image).sum(), (x * image).sum()]) / image.sum() * 0.168


def random_transfer(operator: ObservationOperator, shape: tuple[int, int], batch: int) -> Tensor:
    """Complex, as of an off-centre elliptical PSF, different for each image."""
    ky, kx = operator.frequencies(shape)
    widths = torch.linspace(0.3, 0.8, batch)
    transfer = moffat_transfer(
        widths, torch.full((batch,), 3.0), (ky, kx), 0.1 * widths, -0.05 * widths
    )
    return transfer * torch.exp(-2j * math.pi * (0.11 * kx - 0.07 * ky))


@pytest.mark.parametrize(
    ("shift", "shape", "magnitude", "seeing"),
    [
        ((0.0, 0.0), (112, 112), 20.0, (0.60, 3.5)),
        ((1.5, -1.2), (112, 112), 22.0, (0.75, 2.5)),
        ((0.5, 0.3), (112, 154), 21.0, (0.55, 4.5)),
        ((0.1, 0.0), (70, 70), 22.0, (0.70, 3.0)),
    ],
    ids=["bright", "off-centre", "rectangular", "small"],
)
def test_equals_galsims_route(
    shift: tuple[float, float],
    shape: tuple[int, int],
    magnitude: float,
    seeing: tuple[float, float],
) -> None:
    narrow, wide = sharp_psf(), wide_psf(*seeing)
    stamp = draw(galsim.Convolve(clumpy_galaxy(magnitude, shift), narrow), shape, 0.06)
    reference = galsim_route(stamp, narrow, wide)
    operator = ObservationOperator()
    frequencies = operator.frequencies(operator.coarse_shape(shape))
    transfer = matching_transfer(wide, narrow, frequencies)
    observed = operator(torch.from_numpy(stamp).float()[None, None], transfer)[0, 0].numpy()
    assert reference.max() > 30 * SIGMA
    assert (observed - reference).std() < 0.02 * SIGMA
    assert observed.sum() == pytest.approx(reference.sum(), rel=1e-3)
    np.testing.assert_allclose(centroid(observed), centroid(reference), atol=0.01)


def test_equals_the_galaxy_seen_through_the_wide_psf() -> None:
    galaxy, wide = clumpy_galaxy(21.0, (0.0, 0.0)), wide_psf(0.6, 3.5)
    stamp = draw(galsim.Convolve(galaxy, sharp_psf()), (112, 112), 0.06)
    truth = draw(galsim.Convolve(galaxy, wide), (40, 40), 0.168)
    operator = ObservationOperator()
    transfer = matching_transfer(wide, sharp_psf(), operator.frequencies((40, 40)))
    observed = operator(torch.from_numpy(stamp)[None, None], transfer)[0, 0].numpy()
    assert (observed - truth).std() < 0.02 * SIGMA
    aperture = np.hypot(*(np.indices(truth.shape) - 19.5)) * 0.168 < 1.5
    assert observed[aperture].sum() == pytest.approx(truth[aperture].sum(), rel=1e-3)
    np.testing.assert_allclose(centroid(observed), centroid(truth), atol=0.01)


def test_batch_with_a_psf_per_image_equals_images_one_by_one() -> None:
    operator, generator = ObservationOperator(5), torch.Generator().manual_seed(1)
    images = torch.randn(3, 2, 42, 56, generator=generator)
    transfer = random_transfer(operator, (15, 20), 3)
    batch = operator(images, transfer)
    assert batch.shape == (3, 2, 15, 20)
    singles = torch.cat(
        [operator(images[i : i + 1, j : j + 1], transfer[i]) for i in range(3) for j in range(2)]
    )
    torch.testing.assert_close(batch.reshape(6, 1, 15, 20), singles)
    assert not torch.allclose(batch[0], operator(images[:1], transfer[1])[0], rtol=0.1)


@pytest.mark.parametrize("shape", [(15, 15), (15, 25), (20, 10)])
def test_adjoint_is_the_transpose(shape: tuple[int, int]) -> None:
    operator, generator = ObservationOperator(5), torch.Generator().manual_seed(2)
    transfer = random_transfer(operator, shape, 2).to(torch.complex128)
    x = torch.randn(2, 1, *operator.fine_shape(shape), generator=generator, dtype=torch.float64)
    y = torch.randn(2, 1, *shape, generator=generator, dtype=torch.float64)
    forward, backward = (operator(x, transfer) * y).sum(), (x * operator.adjoint(y, transfer)).sum()
    assert abs(float(forward)) > 1
    torch.testing.assert_close(forward, backward, rtol=1e-12, atol=0)


def test_gradients_are_those_of_finite_differences() -> None:
    operator, generator = ObservationOperator(0), torch.Generator().manual_seed(3)
    transfer = random_transfer(operator, (5, 5), 1).to(torch.complex128)
    image = torch.randn(1, 1, 14, 14, generator=generator, dtype=torch.float64)
    image.requires_grad_()
    coarse = torch.randn(1, 1, 5, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    ratio = torch.full((1,), 0.1, dtype=torch.float64)
    check: Callable[..., bool] = torch.autograd.gradcheck
    assert float(operator(image, transfer).detach().abs().max()) > 0.1
    assert check(lambda i: operator(i, transfer), (image,))
    assert check(lambda c: operator.adjoint(c, transfer), (coarse,))
    assert check(lambda c: operator.wiener(c, transfer, ratio), (coarse,))


def test_light_at_one_edge_does_not_come_back_at_the_other() -> None:
    operator = ObservationOperator()
    image = torch.zeros(1, 1, 112, 112)
    image[..., 56, 1] = 1.0
    transfer = moffat_transfer(
        torch.tensor([0.6]), torch.tensor([3.5]), operator.frequencies((40, 40))
    )
    observed = operator(image, transfer)[0, 0]
    near, far = float(observed[:, :5].sum()), float(observed[:, -10:].abs().sum())
    assert near > 0.4
    assert far < 2e-3 * near


def test_flux_and_centre_are_kept_on_the_whole_padded_grid() -> None:
    operator = ObservationOperator()
    image = torch.zeros(1, 1, 112, 112, dtype=torch.float64)
    image[..., 55:57, 55:57] = 0.25
    transfer = moffat_transfer(
        torch.tensor([0.6]), torch.tensor([4.5]), operator.frequencies((40, 40))
    )
    observed = operator(image, transfer)[0, 0].numpy()
    assert observed.sum() == pytest.approx(1, abs=2e-3)
    np.testing.assert_allclose(observed, observed[::-1, ::-1], atol=1e-7)


def test_wiener_inverts_on_images_that_hsc_can_resolve() -> None:
    operator, frequencies = ObservationOperator(), ObservationOperator().frequencies((40, 40))
    blob = galsim.Gaussian(sigma=0.35, flux=100.0).shear(g1=0.2, g2=0.1).shift(0.1, -0.05)
    image = torch.from_numpy(draw(blob, (112, 112), 0.06))[None, None]
    transfer = moffat_transfer(torch.tensor([0.6]), torch.tensor([3.5]), frequencies).double()
    observed = operator(image, transfer)
    for noise in (torch.tensor([1e-9]), torch.full((1, *transfer.shape[1:]), 1e-9)):
        inverse = operator.wiener(observed, transfer, noise)
        # What the PSF has carried off the stamp can't be brought back.
        assert float((inverse - image).abs().max()) < 5e-3 * float(image.max())
    damped = operator.wiener(observed, transfer, torch.tensor([0.5]))
    assert float(damped.max()) < 0.8 * float(image.max())


def test_dtypes_follow_the_image_and_agree() -> None:
    operator, generator = ObservationOperator(5), torch.Generator().manual_seed(4)
    image = torch.rand(1, 1, 56, 56, generator=generator, dtype=torch.float64)
    transfer = random_transfer(operator, (20, 20), 1)
    double = operator(image, transfer)
    single, half = operator(image.float(), transfer), operator(image.bfloat16(), transfer)
    assert (double.dtype, single.dtype, half.dtype) == (
        torch.float64,
        torch.float32,
        torch.bfloat16,
    )
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(half.double(), double, rtol=0.02, atol=0.05)


def test_sizes_that_do_not_fit_are_refused() -> None:
    operator = ObservationOperator(5)
    transfer = random_transfer(operator, (20, 20), 1)
    with pytest.raises(ValueError, match=r"57 target pixels .* multiple of 14"):
        operator(torch.zeros(1, 1, 57, 56), transfer)
    with pytest.raises(ValueError, match=r"21 observed pixels .* multiple of 5"):
        operator.fine_shape((20, 21))
    with pytest.raises(ValueError, match=r"transfer has shape \(1, 30, 16\), expected \(B, 35, 16"):
        operator(torch.zeros(1, 1, 70, 56), transfer)
    with pytest.raises(ValueError, match="margin must be a multiple of 5 >= 0, got 3"):
        ObservationOperator(3)


def test_a_target_sharper_than_the_source_is_refused() -> None:
    frequencies = ObservationOperator().frequencies((40, 40))
    narrow, wide = HST_WFC3_F160W.psf(), HSC_WIDE_I.psf()
    with pytest.raises(
        InputError, match=r'observed image \(FWHM 0\.185"\) .* target \(FWHM 0\.600"\)'
    ):
        matching_transfer(narrow, wide, frequencies)
    sharp, blurred = (galsim_transfer(psf, frequencies) for psf in (narrow, wide))
    batch = torch.stack([blurred, sharp])
    with pytest.raises(InputError, match=r"FWHM 0\.2.* sharper than .*FWHM 0\.7"):
        transfer_ratio(batch, blurred, frequencies)
    assert transfer_ratio(batch, blurred, check=False).shape == batch.shape
    torch.testing.assert_close(transfer_ratio(blurred, sharp) * sharp, blurred)


def test_the_ratio_of_lopsided_psfs_turns_one_into_the_other() -> None:
    operator = ObservationOperator()
    ky, kx = operator.frequencies((40, 40))
    # A companion of a third of the light beside the core, and not in the middle: the transfer
    # function has a phase, which must be taken out, not doubled.
    lopsided = 0.75 + 0.25 * torch.exp(-2j * math.pi * (0.09 * kx - 0.05 * ky))
    sharp = galsim_transfer(sharp_psf(), (ky, kx)) * lopsided
    wide = galsim_transfer(HSC_WIDE_I.psf(), (ky, kx)) * torch.exp(-2j * math.pi * 0.1 * kx)
    assert float(sharp.angle().abs().max()) > 0.3
    ratio = transfer_ratio(wide, sharp)
    torch.testing.assert_close(ratio * sharp, wide)


def test_the_ratio_stays_finite_where_the_source_vanishes() -> None:
    source, target = torch.tensor([[1.0, 1e-8]]), torch.tensor([[1.0, 1e-4]])
    assert float(transfer_ratio(target, source)[0, 1]) < 1e-4


def test_equivalent_fwhm_of_a_gaussian_is_its_own() -> None:
    frequencies = ObservationOperator().frequencies((40, 55))
    transfer = galsim_transfer(galsim.Gaussian(fwhm=0.7), frequencies)
    assert equivalent_fwhm(transfer, frequencies) == pytest.approx(0.7, rel=0.02)
