"""What a recovery must not depend on, or show: the unit of the image, its orientation, a sky."""

from collections.abc import Callable

import galsim
import numpy as np
import pytest
import torch

from clumpygan import recover
from clumpygan.instruments import (
    DEFAULT_GRID,
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    SurveyPair,
    galsim_transfer,
    transfer_ratio,
)
from clumpygan.io import read_image
from clumpygan.recovery import RecoverySettings, Scene
from clumpygan.recovery.from_hsc import observed_scene
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.recovery.scene import SeenThrough
from clumpygan.recovery.sky import measure_sky
from tests.recovery.examples import galaxy

SHARP = HST_WFC3_F160W.psf()
LOPSIDED = HSC_WIDE_I.psf(fwhm=0.7).shear(g1=0.1, g2=0.04) + 0.2 * HSC_WIDE_I.psf(fwhm=0.9).shift(
    0.25, -0.1
)
"""A PSF without any symmetry."""

Turn = tuple[Callable[[np.ndarray], np.ndarray], Callable[[galsim.GSObject], galsim.GSObject]]

TURNS: dict[str, Turn] = {
    "mirrored": (lambda image: image[:, ::-1], lambda psf: psf.transform(-1, 0, 0, 1)),
    "upside down": (lambda image: image[::-1], lambda psf: psf.transform(1, 0, 0, -1)),
    "by 90 degrees": (np.rot90, lambda psf: psf.transform(0, 1, -1, 0)),
    "transposed": (lambda image: image.T, lambda psf: psf.transform(0, 1, 1, 0)),
}
"""Of an image (y, x), and of its PSF alike."""


@pytest.fixture(scope="module")
def view() -> np.ndarray:
    """A galaxy off centre in a sky of 10 sigma, with a hot pixel, a dead one and a gap."""
    image = galaxy((40, 45), 0.168, LOPSIDED, 8000, 2.0, shift=(0.6, -0.4)) + 20
    image[6, 9], image[30, 7] = 1e6, -1e5
    image[:3, 40:] = np.nan
    return image


@pytest.mark.parametrize("factor", [1e-6, 0.37, 1e5])
def test_the_unit_of_an_image_does_not_matter(factor: float) -> None:
    image = galaxy((25, 30), 0.168, HSC_WIDE_I.psf(fwhm=0.6), 3000, 2.0)
    asked = {"seed": 3, "samples": 2, "richardson_lucy": False, "pixel_scale": 0.168,
             "seeing": 0.6, "checkpoint": "super_resolution"}  # fmt: skip
    usual = recover(image, zero_point=31.4, **asked)
    # More counts for the same light: the magnitude of one count is fainter.
    other = recover(factor * image, zero_point=31.4 + 2.5 * np.log10(factor), **asked)
    scale = float(usual.best.max())
    assert scale > 10
    np.testing.assert_allclose(other.scene.observed, usual.scene.observed, rtol=2e-6, atol=1e-4)
    np.testing.assert_allclose(other.best, usual.best, atol=1e-4 * scale)
    np.testing.assert_allclose(other.error, usual.error, atol=1e-4 * scale)
    assert other.magnitude == pytest.approx(usual.magnitude, abs=1e-4)


@pytest.mark.parametrize("name", TURNS)
def test_the_operator_turns_with_the_image(name: str) -> None:
    turn, turned_psf = TURNS[name]
    operator = ObservationOperator()
    sharp = galaxy((112, 112), 0.06, SHARP, 2000, 0.0, shift=(0.3, -0.5))

    def observed(image: np.ndarray, psf: galsim.GSObject) -> np.ndarray:
        frequencies = operator.frequencies((40, 40))
        ratio = transfer_ratio(
            galsim_transfer(psf, frequencies), galsim_transfer(SHARP, frequencies)
        )
        tensor = torch.as_tensor(np.ascontiguousarray(image)).float()[None, None]
        return operator(tensor, ratio[None])[0, 0].numpy()

    expected = turn(observed(sharp, LOPSIDED))
    found = observed(turn(sharp), turned_psf(LOPSIDED))
    assert expected.max() > 20
    # The image changed: it isn't the symmetry of the galaxy that is tested.
    assert np.abs(expected - observed(sharp, LOPSIDED)).max() > 10
    np.testing.assert_allclose(found, expected, atol=2e-5 * expected.max())
    # Another orientation of the PSF is noticed.
    assert np.abs(observed(turn(sharp), LOPSIDED) - expected).max() > 0.1


@pytest.mark.filterwarnings("ignore:.*pixels are dead")
@pytest.mark.filterwarnings("ignore:.*holds more than")
@pytest.mark.parametrize("name", TURNS)
def test_noise_sky_and_mask_turn_with_the_image(name: str, view: np.ndarray) -> None:
    turn, turned_psf = TURNS[name]

    def scene(image: np.ndarray, psf: galsim.GSObject) -> Scene:
        settings = RecoverySettings(
            observed=np.ascontiguousarray(image), psf=psf, pixel_scale=0.168, unit="nJy", seed=1
        )
        return observed_scene(settings, 1, SurveyPair.of())

    usual, other = scene(view, LOPSIDED), scene(turn(view), turned_psf(LOPSIDED))
    known = ~usual.observed_mask
    assert 15 + 2 <= (~known).sum() < 60
    assert usual.facts["sky_subtracted"]
    np.testing.assert_array_equal(other.observed_mask, turn(usual.observed_mask))
    np.testing.assert_array_equal(other.reference_mask, turn(usual.reference_mask))
    assert other.sigma == pytest.approx(usual.sigma, rel=1e-9)
    assert other.facts["sky"] == pytest.approx(usual.facts["sky"], rel=1e-9)
    # Masked pixels are filled with noise of their own.
    np.testing.assert_array_equal(
        np.where(turn(known), other.observed, 0), turn(np.where(known, usual.observed, 0))
    )


def test_the_mean_of_recoveries_of_empty_sky_is_zero() -> None:
    """Within its error, which is a thousandth of the noise of an observed pixel."""
    count, sigma = 300, HSC_WIDE_I.sky_sigma
    psf = SeenThrough(HSC_WIDE_I.psf(fwhm=0.6), SHARP)
    noise = torch.randn((count, 1, 25, 25), generator=torch.Generator().manual_seed(1))

    def transfer(frequencies: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return psf(frequencies).expand(count, -1, -1)

    transfer.fwhm = psf.fwhm.expand(count).clone()  # type: ignore[attr-defined]
    found = SuperResolver.from_checkpoint().recover(
        sigma * noise, torch.full((count,), sigma), transfer, samples=2, seed=1
    )
    pixels = DEFAULT_GRID.area_ratio
    means = found.best.mean((1, 2, 3)).double() * pixels / sigma
    error = float(means.std()) / count**0.5
    assert 0 < error < 0.002
    assert abs(float(means.mean())) < 3 * error
    # The noise itself, of which a pixel has 1, is gone: 0.04 is left.
    assert 0.01 < float(found.best.std()) * pixels / sigma < 0.1


@pytest.mark.parametrize("flux", [4e4, 4e5])
@pytest.mark.parametrize("shape", [(110, 120), (60, 70)])
def test_light_is_neither_made_nor_lost(shape: tuple[int, int], flux: float) -> None:
    """Networks raised the sky of large fields by a tenth of the noise: a third of all the light."""
    image = galaxy(shape, 0.168, HSC_WIDE_I.psf(fwhm=0.62), flux, 6.0)
    found = recover(image, seed=1, seeing=0.62, pixel_scale=0.168, zero_point=31.4, samples=2,
                    richardson_lucy=False, background="keep")  # fmt: skip
    # The noise of the sum is 2 % of the fainter galaxy.
    allowed = max(0.01, 6.0 * np.prod(shape) ** 0.5 / flux)
    assert found.best.sum() / image.sum() == pytest.approx(1, abs=allowed)


def test_the_sky_of_whole_counts_is_measured_between_them() -> None:
    generator = np.random.default_rng(0)
    for level in (100.25, 100.5, 100.9):
        counts = np.rint(level + 4 * generator.normal(size=(120, 120))).astype(np.float32)
        image = read_image(counts, pixel_scale=0.168, zero_point=31.4)
        sky = measure_sky(image, 4.0)
        assert sky is not None
        # Of 14,400 pixels the level is known to 0.04.
        assert sky.level == pytest.approx(level, abs=0.13)


def test_a_sky_is_measured_without_its_peaks_and_without_its_holes() -> None:
    """Peaks of the noise look like sources; without them its mean is 0.03 sigma too low."""
    generator = np.random.default_rng(0)
    levels = []
    for _ in range(30):
        image = read_image(
            generator.normal(size=(100, 100)).astype(np.float32), pixel_scale=0.168, zero_point=31.4
        )
        sky = measure_sky(image, 1.0)
        assert sky is not None
        levels.append(sky.level)
    # Of so many pixels it is known to 0.0025.
    assert np.mean(levels) == pytest.approx(0, abs=0.01)


def test_nothing_is_recovered_that_is_finer_than_the_telescope_lets_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = galaxy((40, 40), 0.168, HSC_WIDE_I.psf(fwhm=0.6), 30000, 2.0)
    asked = {"seed": 3, "samples": 4, "richardson_lucy": False, "pixel_scale": 0.168,
             "seeing": 0.6, "unit": "nJy", "checkpoint": "super_resolution"}  # fmt: skip

    def finest(recovered: np.ndarray) -> float:
        """Return the rms of what lies beyond 7 cycles per arcsec, over that of the image."""
        ramp = np.hanning(recovered.shape[0])[:, None] * np.hanning(recovered.shape[1])
        modes = np.abs(np.fft.rfft2(recovered * ramp)) ** 2
        ky, kx = np.fft.fftfreq(modes.shape[0], 0.06), np.fft.rfftfreq(recovered.shape[1], 0.06)
        beyond = np.hypot(ky[:, None], kx) > 7
        return float((modes[beyond].sum() / modes.sum()) ** 0.5)

    found = recover(image, **asked)
    monkeypatch.setattr("clumpygan.recovery.resolver.within_band", lambda images, *_: images)
    unfiltered = recover(image, **asked)
    assert finest(found.best) < 2e-4 < 0.1 * finest(unfiltered.best)
    assert found.best.sum() == pytest.approx(unfiltered.best.sum(), rel=2e-4)
