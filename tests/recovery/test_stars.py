"""Saturated stars beside a galaxy: clipped, missing, and none at all."""

import galsim
import numpy as np
import pytest

from clumpygan.errors import InputWarning
from clumpygan.instruments import HSC_WIDE_I
from clumpygan.recovery import recover
from tests.recovery.examples import galaxy

pytestmark = pytest.mark.usefixtures("without_network")

SEEING = HSC_WIDE_I.psf(fwhm=0.6)
HOW = {
    "psf": SEEING, "pixel_scale": 0.168, "unit": "nJy", "seed": 3, "samples": 2,
    "richardson_lucy": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def view() -> np.ndarray:
    return galaxy((60, 60), 0.168, SEEING, 13000, 2.3)


def star() -> np.ndarray:
    """Return a star of 15.2 mag, 3.9" away, as HSC sees it."""
    point = galsim.Convolve(galsim.Gaussian(sigma=1e-3, flux=3e6).shift(2.4, 3.1), SEEING)
    return point.drawImage(nx=60, ny=60, scale=0.168, method="no_pixel", dtype=float).array


@pytest.mark.parametrize("kind", ["clipped", "missing", "weight"])
def test_a_saturated_star_is_masked_and_the_galaxy_keeps_its_light(
    view: np.ndarray, kind: str
) -> None:
    data = view + star()
    high = data > 2e4
    assert high.sum() > 20
    more = {}
    if kind == "weight":
        more["weight"] = np.where(high, 0.0, 1.0)
    data = np.where(high, np.nan if kind == "missing" else 2e4, data)
    with pytest.warns(InputWarning, match="1 saturated star beside the galaxy, masked"):
        recovery = recover(data, **more, **HOW)
    found = recovery.metrics["network"]
    assert 0.1 < recovery.scene.observed_mask.mean() < 0.5
    assert not recovery.scene.observed_mask[26:34, 26:34].any()
    assert found["chi2"] < 1.5
    expected = recover(view, mask=recovery.scene.observed_mask, **HOW).metrics["network"]
    assert found["magnitude"] == pytest.approx(expected["magnitude"], abs=0.02)


def test_bright_galaxies_and_dark_holes_are_no_stars(view: np.ndarray) -> None:
    data = 20 * view
    data[5:8, 50:53] = np.nan
    assert recover(data, **HOW).scene.observed_mask.sum() == 9
    flat = np.minimum(data, 0.7 * np.nanmax(data))  # saturated itself: what is to be recovered
    assert recover(flat, **HOW).scene.observed_mask.sum() == 9
