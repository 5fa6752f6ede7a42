"""Whether a recovered galaxy is one or two: what `recover.py` says of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import galsim
import numpy as np
import pytest
import torch
from astropy.io import fits

import clumpygan
from clumpygan.errors import InputError
from clumpygan.gan.blend_odds import BlendOdds
from clumpygan.gan.gan_settings import LIKELY_BLENDED
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W, SurveyPair
from clumpygan.recovery import RecoverySettings, Scene
from clumpygan.recovery.measurements import blend_odds_at
from clumpygan.recovery.pipeline import recover_scene, remarks_on_blends
from clumpygan.recovery.scene import SeenThrough, fine_mask
from clumpygan.resources import resource_folder
from tests.recovery.examples import WienerResolver

SIGMA = 2.0
SHARP, WIDE = HST_WFC3_F160W.psf(), HSC_WIDE_I.psf(fwhm=0.6)
ONE = galsim.Exponential(half_light_radius=0.25, flux=2500).shear(g1=0.1)
TWO = ONE.withFlux(1500).shift(-0.28, 0.1) + ONE.withFlux(1000).shift(0.42, -0.15)


def seen(
    light: galsim.GSObject, shape: tuple[int, int] = (40, 40), x: float = 0.0, y: float = 0.0
) -> tuple[Scene, np.ndarray, tuple[float, float]]:
    """Return the scene of what lies (x, y) arcsec from the middle, its sharp image and its peak."""
    pair = SurveyPair.of()
    moved = light.shift(x, y)
    wide = galsim.Convolve(moved, WIDE).drawImage(
        nx=shape[1], ny=shape[0], scale=0.168, method="no_pixel"
    ).array  # fmt: skip
    rows, columns = pair.grid.fine_shape(shape)
    sharp = galsim.Convolve(moved, SHARP).drawImage(
        nx=columns, ny=rows, scale=0.06, method="no_pixel"
    ).array  # fmt: skip
    noise = np.random.default_rng(3).normal(size=(100, 100))
    # The same noise around the galaxy, wherever it is.
    rolled = np.roll(noise, (round(y / 0.168), round(x / 0.168)), (0, 1))
    first = [(100 - one) // 2 for one in shape]
    rolled = rolled[first[0] : first[0] + shape[0], first[1] : first[1] + shape[1]]
    mask = np.zeros(shape, dtype=bool)
    scene = Scene(
        pair=pair, title="A galaxy", observed=(wide + SIGMA * rolled).astype(np.float32),
        sigma=SIGMA, psf=SeenThrough(WIDE, SHARP), seeing=0.6, observed_mask=mask,
        reference_mask=fine_mask(mask, pair.grid),
    )  # fmt: skip
    row, column = np.unravel_index(int(np.argmax(sharp)), sharp.shape)
    return scene, sharp, (float(row), float(column))


@pytest.fixture(scope="module")
def odds() -> BlendOdds:
    return BlendOdds.from_checkpoint()


def test_two_galaxies_are_told_from_one(odds: BlendOdds) -> None:
    one, two = (blend_odds_at(odds, *seen(light)) for light in (ONE, TWO))
    assert one is not None
    assert two is not None
    assert one < 0
    assert two > LIKELY_BLENDED


@pytest.mark.parametrize("light", [ONE, TWO])
def test_the_middle_of_the_light_is_looked_at_wherever_it_is(
    odds: BlendOdds, light: galsim.GSObject
) -> None:
    expected = blend_odds_at(odds, *seen(light))
    # By whole pixels: 1.5" and 2" aside, in a field that isn't square.
    moved = blend_odds_at(odds, *seen(light, (60, 50), x=9 * 0.168, y=-12 * 0.168))
    assert moved == pytest.approx(expected, abs=0.3)


class Seen:
    """Stands in for the classifier, and keeps what it was shown."""

    pair = SurveyPair.of()

    def of(self, observed: torch.Tensor, sigma: torch.Tensor, transfer: Any) -> torch.Tensor:
        self.image, self.sigma = observed[0, 0].double().numpy(), float(sigma)
        return torch.zeros(1)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.08, -0.05), (1.36, 0.6), (-0.9, -1.43)])
@pytest.mark.parametrize("shape", [(40, 40), (60, 50)])
def test_the_middle_of_the_light_is_in_the_middle_of_what_is_looked_at(
    shape: tuple[int, int], x: float, y: float
) -> None:
    shown: Any = Seen()
    scene, sharp, peak = seen(TWO, shape, x, y)
    blend_odds_at(shown, scene, sharp, peak)
    assert shown.image.shape == (40, 40)
    light = np.where(shown.image > 5 * SIGMA, shown.image, 0)
    rows, columns = np.indices(light.shape) - 19.5
    for places in (rows, columns):
        assert abs((light * places).sum() / light.sum()) < 0.6


def test_noise_is_that_of_the_part_which_is_looked_at() -> None:
    shown: Any = Seen()
    scene, sharp, peak = seen(ONE, (100, 90))
    noise = np.full((100, 90), 10.0)
    noise[28:72, 23:67] = 3.0
    blend_odds_at(shown, replace(scene, sigma_map=noise, sigma=10.0), sharp, peak)
    assert shown.sigma == pytest.approx(3.0)
    blend_odds_at(shown, replace(scene, sigma=7.0, shared_noise=1.2), sharp, peak)
    assert shown.sigma == pytest.approx(8.4)


def test_what_lies_behind_a_mask_doesnt_count(odds: BlendOdds) -> None:
    scene, sharp, peak = seen(TWO)
    known = blend_odds_at(odds, scene, sharp, peak)
    hidden, data = np.zeros((40, 40), dtype=bool), scene.observed.copy()
    hidden[9:12, 24:29] = True
    data[hidden] = 1e4
    masked = replace(scene, observed=data, observed_mask=hidden)
    assert blend_odds_at(odds, masked, sharp, peak) == pytest.approx(known, abs=0.5)


def test_galaxies_of_which_much_is_hidden_have_no_odds(odds: BlendOdds) -> None:
    """Single ones whose core is masked, or at the edge, would look like two."""
    scene, sharp, peak = seen(ONE)
    for rows, columns, told in (
        (slice(17, 23), slice(17, 23), False), (slice(17, 23), slice(24, 30), False),
        (slice(19, 21), slice(19, 21), True), (slice(2, 8), slice(2, 8), True),
    ):  # fmt: skip
        hidden = np.zeros((40, 40), dtype=bool)
        hidden[rows, columns] = True
        found = blend_odds_at(odds, replace(scene, observed_mask=hidden), sharp, peak)
        assert (found is not None) == told
        assert found is None or found < LIKELY_BLENDED
    for from_edge, told in ((0.3, False), (0.8, False), (1.5, True)):
        found = blend_odds_at(odds, *seen(ONE, x=20 * 0.168 - from_edge))
        assert (found is not None) == told
        assert found is None or found < LIKELY_BLENDED


def test_without_light_the_peak_is_the_middle(odds: BlendOdds) -> None:
    scene, sharp, peak = seen(ONE)
    assert np.isfinite(blend_odds_at(odds, scene, np.zeros_like(sharp), peak))


def test_noise_alone_has_no_odds() -> None:
    scene = seen(ONE.withFlux(0.01))[0]
    settings = RecoverySettings(seed=0, samples=2, richardson_lucy=False)
    recovery = recover_scene(scene, cast("Any", WienerResolver()), settings)
    assert recovery.blend_odds is None
    assert recovery.to_dict()["classifier"] is None


def test_likely_blends_get_a_word() -> None:
    assert remarks_on_blends(None) == remarks_on_blends(LIKELY_BLENDED - 0.1) == []
    assert "may be two galaxies" in remarks_on_blends(3.2)[0]
    assert "ln of the odds 3.2" in remarks_on_blends(3.2)[0]


def test_a_recovery_and_its_files_tell_the_odds(tmp_path: Path) -> None:
    scene = seen(TWO)[0]
    recovery = clumpygan.recover(
        scene.observed, psf=WIDE.drawImage(nx=41, ny=41, scale=0.168, method="no_pixel").array,
        pixel_scale=0.168, unit="nJy", variance=np.full((40, 40), SIGMA**2), samples=2, seed=1,
        richardson_lucy=False,
    )  # fmt: skip
    told = recovery.blend_odds
    assert told is not None
    assert told == pytest.approx(blend_odds_at(BlendOdds.from_checkpoint(), *seen(TWO)), abs=0.3)
    assert recovery.to_dict()["blend_odds"] == told
    assert recovery.to_dict()["classifier"] == "blend_classifier"
    assert any("may be two galaxies" in remark for remark in recovery.remarks)
    recovery.write(tmp_path / "a.fits")
    assert fits.getheader(tmp_path / "a.fits")["BLENDODD"] == pytest.approx(told)


def test_images_of_other_surveys_have_no_odds(tmp_path: Path) -> None:
    pair = SurveyPair.of("hsc_deep_i")
    resolver: Any = WienerResolver()
    resolver.pair = pair
    settings = RecoverySettings(seed=0, samples=2, richardson_lucy=False)
    scene = replace(seen(TWO)[0], pair=pair)
    recovery = recover_scene(scene, resolver, settings)
    assert recovery.blend_odds is None
    assert recovery.to_dict()["blend_odds"] is None
    recovery.write(tmp_path / "a.fits")
    assert "BLENDODD" not in fits.getheader(tmp_path / "a.fits")
    # One that was asked for by its path would be of the wrong images.
    path = resource_folder("checkpoints") / "blend_classifier.safetensors"
    with pytest.raises(InputError, match="is for"):
        recover_scene(scene, resolver, replace(settings, classifier=str(path)))
