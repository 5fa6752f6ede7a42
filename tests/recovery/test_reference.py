"""Registration of an HST image to an HSC image of the same field."""

import numpy as np
import pytest

from clumpygan.instruments import HSC_WIDE_I
from clumpygan.recovery.reference import register
from tests.recovery.examples import galaxy


def test_registration_finds_shift_factor_and_pedestal() -> None:
    psf = HSC_WIDE_I.psf(fwhm=0.6)
    observed = 3 * galaxy((40, 45), 0.168, psf, 500, 0.3, shift=(0.4, -0.21)) + 1.5
    seen = galaxy((40, 45), 0.168, psf, 500, 0.0)
    mask = np.zeros(seen.shape, dtype=bool)
    mask[:4] = True
    found = register(observed, seen, mask, 0.168)
    assert (found.x, found.y) == pytest.approx((0.4, -0.21), abs=0.01)
    assert found.offset == pytest.approx(0.452, abs=0.01)
    assert found.factor == pytest.approx(3, rel=0.02)
    assert found.pedestal == pytest.approx(1.5, abs=0.2)
