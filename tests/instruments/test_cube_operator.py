"""Observing a cube: flux, edges, and agreement with GalSim and scipy."""

import galsim
import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d, gaussian_filter1d
from scipy.signal import fftconvolve

from clumpygan.errors import InputError
from clumpygan.instruments.cube_operator import convolve_cube, gaussian_weights
from clumpygan.instruments.spectrograph_presets import MUSE_WFM
from clumpygan.instruments.spread import GaussianPSF, MeasuredPSF, MoffatPSF, Transfer

SCALE = 0.2


def transfer_of(psf: GaussianPSF | MoffatPSF | MeasuredPSF) -> Transfer:
    return lambda ky, kx: psf.transfer(ky, kx, 7000.0)


def blob(shape: tuple[int, ...] = (9, 24, 20), sigma: float = 2.0) -> np.ndarray:
    """A Gaussian in the middle of a cube of unit flux."""
    cube = np.ones(())
    for n in shape:
        profile = np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / sigma) ** 2)
        cube = np.multiply.outer(cube, profile / profile.sum())
    return cube


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_flux_is_conserved(kind: type) -> None:
    cube = blob((31, 80, 81), 1.5).astype(kind)
    seen = convolve_cube(cube, transfer_of(GaussianPSF(0.8)), SCALE, line_spread=1.1)
    assert seen.dtype == kind
    assert seen.max() < 0.8 * cube.max()
    assert seen.sum(dtype=float) == pytest.approx(cube.sum(dtype=float), abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 24, 60), (1, 41, 33)])
def test_light_doesnt_come_back_at_the_opposite_edge(shape: tuple[int, ...]) -> None:
    cube = np.zeros(shape)
    cube[0, shape[1] // 2, 0] = cube[0, 0, shape[2] // 2] = 1.0
    seen = convolve_cube(cube, transfer_of(GaussianPSF(0.7)), SCALE)
    assert seen[0, shape[1] // 2, 0] > 0.05
    # A Gaussian this narrow leaves nothing there; its cut at the Nyquist frequency, almost nothing.
    assert np.abs(seen[0, -1, :]).max() < 1e-6
    assert np.abs(seen[0, :, -1]).max() < 1e-6
    wrapped = convolve_cube(cube, transfer_of(GaussianPSF(0.7)), SCALE, margin=0)
    assert np.abs(wrapped[0, :, -1]).max() > 1e-2


@pytest.mark.parametrize("side", [8, 30])
def test_the_wings_of_a_moffat_dont_wrap_either(side: int) -> None:
    cube = np.zeros((1, side, side))
    cube[0, side // 2, 0:3] = [0.25, 0.5, 0.25]
    transfer = MUSE_WFM.transfer(7000.0)
    seen = convolve_cube(cube, transfer, SCALE)
    true = convolve_cube(cube, transfer, SCALE, margin=400)
    assert np.abs(seen - true)[..., -1].max() < 1e-6
    assert seen[0, side // 2, -1] > 0


def test_channels_are_convolved_as_by_galsim() -> None:
    waves = np.array([5000.0, 6500.0, 9000.0])
    galaxy = galsim.Gaussian(half_light_radius=0.5).shear(g1=0.2, g2=-0.1).shift(0.3, -0.2)

    def drawn(profile: galsim.GSObject) -> np.ndarray:
        image = profile.drawImage(nx=36, ny=40, scale=SCALE, method="no_pixel", dtype=float)
        return np.array(image.array)

    cube = np.stack([drawn(galaxy)] * 3)
    seen = convolve_cube(cube, MUSE_WFM.transfer(waves), SCALE)
    for channel, wave in zip(seen, waves, strict=True):
        psf = galsim.Moffat(beta=2.8, fwhm=0.637 - 3.04e-5 * (wave - 7000))
        expected = drawn(galsim.Convolve(galaxy, psf))
        np.testing.assert_allclose(channel, expected, rtol=0, atol=1e-4 * expected.max())
    with_pixel = convolve_cube(cube, MUSE_WFM.transfer(waves), SCALE, pixel_response=True)
    psf = galsim.Moffat(beta=2.8, fwhm=0.637 - 3.04e-5 * (5000 - 7000))
    expected = drawn(galsim.Convolve(galaxy, psf, galsim.Pixel(SCALE)))
    np.testing.assert_allclose(with_pixel[0], expected, rtol=0, atol=1e-4 * expected.max())


def test_a_measured_psf_is_convolved_as_by_scipy() -> None:
    image = galsim.Moffat(beta=3, fwhm=0.7).shear(g1=0.1, g2=0.1)
    array = image.drawImage(nx=25, ny=21, scale=SCALE, method="no_pixel", dtype=float).array
    psf = MeasuredPSF(array / array.sum(), SCALE)
    cube = np.random.default_rng(3).normal(size=(2, 3, 30, 27))
    seen = convolve_cube(cube, transfer_of(psf), SCALE)
    expected = fftconvolve(cube, psf.array[None, None], mode="same", axes=(-2, -1))
    np.testing.assert_allclose(seen, expected, atol=1e-10)


@pytest.mark.parametrize("sigma", [0.7, 1.3])
@pytest.mark.parametrize(("edge", "mode"), [("zero", "constant"), ("nearest", "nearest")])
def test_spectra_are_spread_as_by_scipy(sigma: float, edge: str, mode: str) -> None:
    cube = np.random.default_rng(3).normal(size=(24, 2, 3))
    seen = convolve_cube(cube, None, SCALE, line_spread=sigma, edge=edge)
    expected = gaussian_filter1d(cube, sigma, axis=0, mode=mode, truncate=8)
    np.testing.assert_allclose(seen, expected, atol=1e-12)
    lsf = np.array([0.1, 0.2, 0.5, 0.15, 0.05])
    seen = convolve_cube(cube, None, SCALE, lsf=lsf, edge=edge)
    expected = convolve1d(cube, lsf, axis=0, mode=mode)
    np.testing.assert_allclose(seen, expected, atol=1e-12)


def test_a_gaussian_line_gets_the_width_of_both() -> None:
    line = blob((41, 1, 1), 1.5)
    seen = convolve_cube(line, None, SCALE, line_spread=1.2)
    expected = blob((41, 1, 1), (1.5**2 + 1.2**2) ** 0.5)
    np.testing.assert_allclose(seen, expected, atol=1e-9)
    # Integrated over channels the variance is larger by that of a box.
    both = convolve_cube(line, None, SCALE, line_spread=1.2, channel_response=True)[:, 0, 0]
    variance = both @ (np.arange(41) - 20.0) ** 2
    assert variance == pytest.approx(1.5**2 + 1.2**2 + 1 / 12, abs=1e-6)


def test_no_width_leaves_the_cube_and_a_width_per_channel_keeps_its_flux() -> None:
    cube = blob()
    for integrate in (False, True):
        seen = convolve_cube(cube, None, SCALE, line_spread=0.0, channel_response=integrate)
        np.testing.assert_allclose(seen, cube, atol=1e-15)
    weights = gaussian_weights(np.linspace(0.4, 1.2, 40), 40)
    np.testing.assert_allclose(weights.sum(axis=0)[12:28], 1)
    spread = np.sqrt(weights[:, 20] @ (np.arange(40) - 20.0) ** 2)
    assert spread == pytest.approx(0.4 + 0.8 * 20 / 39, rel=1e-3)
    continuum = np.ones((12, 1, 1))
    seen = convolve_cube(continuum, None, SCALE, line_spread=1.0, edge="nearest")
    np.testing.assert_allclose(seen, continuum)


def test_tensors_arrays_batches_and_precisions_agree() -> None:
    cube = np.random.default_rng(1).normal(size=(4, 2, 6, 20, 22))
    transfer = MUSE_WFM.transfer(np.linspace(6000, 6010, 6))
    reference = convolve_cube(cube, transfer, SCALE, line_spread=0.9)
    tensor = convolve_cube(torch.from_numpy(cube), transfer, SCALE, line_spread=0.9)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), reference)
    single = convolve_cube(cube[1, 1].astype(">f4"), transfer, SCALE, line_spread=0.9)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, reference[1, 1], atol=3e-6)
    counts = convolve_cube(np.eye(3, dtype=int)[None], transfer_of(GaussianPSF(1.0)), SCALE)
    assert counts.dtype == np.float64
    half = convolve_cube(torch.zeros(2, 4, 4, dtype=torch.float16), None, SCALE, line_spread=1.0)
    assert half.dtype == torch.float16


def test_gradients() -> None:
    cube = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 5, 4)))
    cube.requires_grad_()
    asymmetric = np.exp(-(np.hypot(*(np.indices((9, 9)) - 4)) ** 2) / 4)
    asymmetric[5, 6] += 0.1
    with pytest.warns(UserWarning, match="normalised and centred"):
        psf = MeasuredPSF(asymmetric, SCALE)

    def observe(x: torch.Tensor) -> torch.Tensor:
        return convolve_cube(x, transfer_of(psf), SCALE, line_spread=[0.5, 0.8, 1.0], margin=7)

    assert float(observe(cube.detach()).abs().max()) > 0.1
    assert torch.autograd.gradcheck(observe, cube)


def test_what_doesnt_fit_is_refused() -> None:
    cube = np.zeros((5, 8, 8))
    with pytest.raises(InputError, match=r"a cube of shape \(8, 8\): expected"):
        convolve_cube(cube[0], None, SCALE)
    with pytest.raises(InputError, match=r"has shape \(3, 40, 21\) on frequencies \(40, 21\)"):
        convolve_cube(cube, MUSE_WFM.transfer([5000.0, 6000.0, 7000.0]), SCALE)
    with pytest.raises(InputError, match="pixel scale of the cube is 0"):
        convolve_cube(cube, MUSE_WFM.transfer(7000.0), 0)
    with pytest.raises(InputError, match=r"line_spread of shape \(3,\) for 5 channels"):
        convolve_cube(cube, None, SCALE, line_spread=[1.0, 1.0, 1.0])
    with pytest.raises(InputError, match="none below 0"):
        convolve_cube(cube, None, SCALE, line_spread=-1.0)
    with pytest.raises(InputError, match="LSF of 4 samples: expected an odd number"):
        convolve_cube(cube, None, SCALE, lsf=np.ones(4))
    with pytest.raises(InputError, match="both a line spread and an LSF"):
        convolve_cube(cube, None, SCALE, line_spread=1.0, lsf=np.ones(3))
