"""Deblenders of others find what they are to find, and say what to install where they are not."""

import sys

import galsim
import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import deblenders
from clumpygan.evaluation.recovery.deblenders import fit_pair, psf_image, split_by_sextractor
from clumpygan.instruments import SurveyPair

SCALE = 0.168


def source(y: float, x: float, flux: float, width: float = 1.8, side: int = 40):
    rows, columns = np.indices((side, side))
    away = (rows - y) ** 2 + (columns - x) ** 2
    return flux * np.exp(-0.5 * away / width**2) / (2 * np.pi * width**2)


def test_sextractor_finds_two_parts_by_the_light_that_stands_out_of_their_bridge() -> None:
    pytest.importorskip("sep")
    one, two = source(19, 16, 800.0), source(19, 24, 200.0)
    found = split_by_sextractor(one + two, 0.1, SCALE)
    assert 0.005 < found.contrast < 0.2  # of the share, only what is above the saddle
    assert found.places.tolist() == [[19, 16], [19, 24]]
    faint = split_by_sextractor(one + source(19, 24, 60.0), 0.1, SCALE)
    assert 0 < faint.contrast < found.contrast
    alone = split_by_sextractor(one, 0.1, SCALE)
    assert alone.contrast == 0
    assert np.isnan(alone.places).all()
    # Two that don't touch are two whatever the contrast; what is far away doesn't count.
    apart = split_by_sextractor(source(19, 14, 300.0, 1) + source(19, 26, 100.0, 1), 0.5, SCALE)
    assert apart.contrast == pytest.approx(0.25, abs=0.02)
    assert split_by_sextractor(one + source(5, 5, 200.0), 0.5, SCALE).contrast == 0


def test_fluxes_follow_the_order_of_places() -> None:
    places, fluxes = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([7.0, 5.0])
    fitted = deblenders.FittedPair(0.6, 0.4, places, fluxes)
    assert fitted.score == pytest.approx(0.05)
    assert fitted.fluxes_at(places).tolist() == [7, 5]
    assert fitted.fluxes_at(places[::-1]).tolist() == [5, 7]


@pytest.mark.parametrize("package", ["sep", "scarlet2"])
def test_what_is_missing_is_named_with_what_to_install(monkeypatch, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs {package}: python -m pip install 'clumpygan\["):
        deblenders.load_deblender(package)


def test_light_gives_fits_their_start() -> None:
    signal = source(17, 16, 800.0) + source(23, 22, 800.0)
    flux, middle, axis = deblenders._shape_of_light(signal, SCALE)
    assert flux == pytest.approx(1600, rel=0.1)
    assert middle == pytest.approx([20, 19], abs=0.1)
    assert abs(axis) == pytest.approx([0.707, 0.707], abs=0.01)
    noise = np.random.default_rng(1).normal(0, 0.1, (40, 40))
    assert np.isfinite(deblenders._shape_of_light(noise, SCALE)[1]).all()


def test_scarlet2_takes_two_apart_and_needs_no_second_source_for_one() -> None:
    pytest.importorskip("scarlet2")
    psf = SurveyPair.of().survey.psf(0.65, 3.0)
    image = psf_image(psf, SCALE)
    assert image.shape == (25, 25)
    noise = np.random.default_rng(3).normal(0, 1, (40, 40))

    def seen(*placed: tuple[float, float, float]):
        disks = [
            galsim.Exponential(half_light_radius=0.2, flux=flux).shift(x, y)
            for y, x, flux in placed
        ]
        light = galsim.Convolve(galsim.Add(disks), psf)
        drawn = light.drawImage(nx=40, ny=40, scale=SCALE, method="no_pixel").array
        return drawn.astype(np.float64) + noise

    found = fit_pair(seen((0.0, -0.4, 3000.0), (0.1, 0.5, 1500.0)), 1.0, image, SCALE)
    arcsec = (found.places - 19.5) * SCALE
    assert arcsec == pytest.approx(np.array([[0.0, -0.4], [0.1, 0.5]]), abs=0.05)
    assert found.fluxes == pytest.approx([3000, 1500], rel=0.06)
    assert found.share == pytest.approx(1 / 3, abs=0.03)
    assert found.gain > 0.3
    assert fit_pair(seen((0.05, 0.1, 3000.0)), 1.0, image, SCALE).gain < 0.02
