"""Which galaxy of a field is measured, and what is said of a bad fit."""

from dataclasses import replace

import galsim
import pytest

from clumpygan.recovery.measurements import find_nucleus
from clumpygan.recovery.pipeline import remarks_on_fit
from tests.recovery.examples import a_recovery


def test_the_galaxy_that_is_measured_may_lie_off_centre() -> None:
    recovery = a_recovery()
    for x, y in ((0.6, -0.3), (1.2, 0.6)):  # inside and outside the 1" in which the search begins
        blob = galsim.Gaussian(fwhm=0.8, flux=500).shift(x, y)
        image = blob.drawImage(nx=84, ny=70, scale=0.06, method="no_pixel").array
        scene = replace(recovery.scene, reference=image)
        row, column = find_nucleus(scene, recovery.best)
        assert row == pytest.approx(34.5 + y / 0.06, abs=1)
        assert column == pytest.approx(41.5 + x / 0.06, abs=1)


def test_a_misfit_gets_a_word() -> None:
    assert remarks_on_fit(1.01) == remarks_on_fit(None) == []
    assert "doesn't fit the observed one (chi^2 12.3 per pixel)" in remarks_on_fit(12.3)[0]
