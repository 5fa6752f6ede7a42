"""Maps of data and model, when other lines are among the channels and when not."""

import numpy as np
import pytest

from clumpygan.galaxies.measuring.moments import moments
from tests.fitting.products.conftest import RATIO


def residuals(result, what):
    found = result.maps
    data, model = (getattr(one.maps, what)[found.galaxy] for one in (found.data, found.model))
    return data, model, getattr(found.data.maps, f"{what}_error")[found.galaxy]


@pytest.mark.parametrize("name", ["result", "result_of_one"])
def test_data_have_the_lines_of_the_model_whatever_else_is_in_the_channels(name, request):
    result = request.getfixturevalue(name)
    assert result.maps.galaxy.sum() > 25
    for what in ("velocity", "dispersion", "flux"):
        data, model, error = residuals(result, what)
        known = np.isfinite(data) & np.isfinite(error)
        assert known.mean() > 0.8
        pull = ((data - model) / error)[known]
        assert abs(np.median(pull)) < 0.5
        # Errors are those of the scatter.
        assert 0.6 < np.std(pull) < 1.5
    speeds = residuals(result, "velocity")[0]
    assert np.ptp(speeds) > 200


def test_moments_over_all_channels_would_be_off(result_of_one):
    observation = result_of_one.observation
    velocities = observation.frame.grid.centres[0]
    raw = moments(observation.data, velocities, variance=observation.variance)
    galaxy = result_of_one.maps.galaxy & raw.mask
    found = result_of_one.maps.data.maps.dispersion
    assert np.nanmedian(raw.dispersion[galaxy]) > 3 * np.nanmedian(found[galaxy])


def test_each_ion_has_its_flux(result):
    assert result.maps.names == ("halpha", "nii")
    fluxes = np.nansum(result.maps.data.fluxes, axis=(1, 2))
    # [NII] has both lines.
    assert fluxes[0] / fluxes[1] == pytest.approx(RATIO / (1 + 1 / 3.05), rel=0.08)
    total = np.nansum(result.maps.data.maps.flux)
    assert fluxes.sum() == pytest.approx(total)
    assert (result.maps.data.flux_errors[:, result.maps.galaxy] > 0).all()


def test_ratios_of_nature_are_the_default(result):
    assert result.settings["fixed"]["line_3_ratio"] == pytest.approx(1 / 3.05)
    assert "line_3_ratio" not in result.table["name"]
    row = result.table[list(result.table["name"]).index("doublet_ratio")]
    assert abs(row["median"] - RATIO) < 4 * row["deviation"]
