"""Several lines at once: H alpha between the two of [NII]."""

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from tests.fitting.conftest import FRAME, TRUTH

EDGES = 55.0 * (np.arange(45) - 22)
GRID = CubeGrid(
    (44, 14, 14), 0.25, EDGES - np.array([0.0, 944.0, -672.0])[:, None], (1.0,) * 3, (40.0,) * 3
)
FRAME_OF_THREE = ObservedFrame(GRID, FRAME.transfer, FRAME.psf_fwhm)


def test_ratios_of_three_lines_are_measured():
    galaxy = DiskParameters.from_dict(
        TRUTH | {"doublet_ratio": 2.2, "line_3_ratio": 0.33}, DiskModel(extra_lines=1)
    )
    clean = CubeRenderer(GRID, galaxy.model, FRAME.transfer)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / 20
    data = clean + sigma * np.random.default_rng(4).standard_normal(clean.shape)
    fitter = DiskFitter(DiskModel(), FRAME_OF_THREE, sampler=SamplerSettings("laplace"))
    result = fitter.fit(data, sigma**2)
    rows = {row["name"]: row for row in result.table}
    for name, truth in (("doublet_ratio", 2.2), ("line_3_ratio", 0.33), ("inclination", 55.0)):
        assert rows[name]["deviation"] < 0.2 * truth
        assert abs(rows[name]["median"] - truth) < 4 * rows[name]["deviation"]
    assert result.converged
    assert rows["line_3_ratio"]["prior"] == "log_uniform:0.01:100"
    result.plot()


def test_a_ratio_that_physics_fixes():
    """[NII] has 3.05 : 1; the names of lines are known before a cube is."""
    fitter = DiskFitter(lines=["nii", 6549.86, "halpha"], fixed={"doublet_ratio": 3.05})
    assert fitter.model.extra_lines == 1
    names = fitter.choices.free_names(fitter.model, 3)
    assert "line_3_ratio" in names
    assert "doublet_ratio" not in names


@pytest.mark.parametrize(("lines", "low"), [(["oii"], 0.3), (["halpha", "nii"], 0.01)])
def test_priors_of_doublets_and_of_other_pairs(lines, low):
    from clumpygan.fitting.choices import default_prior
    from clumpygan.galaxies.emission_lines import rest_wavelengths

    waves = np.array(rest_wavelengths(lines))
    shifts = 299792.458 * (waves / waves[0] - 1)
    pair = CubeGrid((44, 14, 14), 0.25, EDGES - shifts[:, None], (1.0,) * 2, (40.0,) * 2)
    row = DiskModel().table[DiskModel().index("doublet_ratio")]
    assert default_prior(row, pair, 1.0).minimum == low
