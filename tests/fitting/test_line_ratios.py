"""Ratios of lines that nature fixes."""

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, FitSettings, ParameterChoices
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.line_ratios import with_known_ratios
from clumpygan.galaxies import CubeGrid, DiskModel
from clumpygan.galaxies.emission_lines import (
    ion_of,
    line_label,
    rest_wavelengths,
    with_fainter,
)


@pytest.mark.parametrize(
    ("lines", "more"),
    [
        (("halpha", "nii"), ("halpha", "nii", 6549.86)),
        (("Ha", "[NII]", 6549.86), ("Ha", "[NII]", 6549.86)),
        (("oiii",), ("oiii",)),  # 4959 is beyond the channels
        (("hbeta", "oiii"), ("hbeta", "oiii", 4960.295)),
        (("halpha", 6585.27), ("halpha", 6585.27)),
    ],
)
def test_the_fainter_line_comes_along_where_it_is_in_the_channels(lines, more):
    assert with_fainter(lines) == more
    assert with_fainter(more) == more
    assert FitSettings(line=",".join(map(str, lines))).lines == more


@pytest.mark.parametrize(
    ("lines", "pair"),
    [
        (("halpha", "nii", 6549.86), (1, 2)),
        (("nii", 6549.86, "halpha"), (0, 1)),
        ((6549.86, "nii", "halpha"), (1, 0)),
        ((6549.86, "halpha", "nii"), (2, 0)),
        (("nii", "halpha", 6549.86), (0, 2)),
        (("halpha", 6549.86, "nii"), (2, 1)),
        (("halpha", "sii", "nii", 6549.86), (3, 4)),
    ],
)
def test_fluxes_of_nii_have_their_ratio_in_any_order(lines, pair):
    waves = rest_wavelengths(lines)
    model = DiskModel(extra_lines=len(waves) - 2)
    choices = with_known_ratios(ParameterChoices(), waves)
    shifts = 299792.458 * (np.array(waves) / waves[0] - 1)
    edges = 50.0 * (np.arange(21) - 10) - shifts[:, None]
    grid = CubeGrid((20, 6, 6), 0.2, edges, (1.0,) * len(waves), (0.0,) * len(waves))
    coordinates = Coordinates.of(model, choices, grid, 1.0)
    free = [name for name in coordinates.names if "ratio" in name]
    assert len(free) == len(waves) - 2
    for u in np.random.default_rng(0).standard_normal((3, coordinates.count)):
        fluxes = model.line_fluxes(coordinates.vectors(u))
        assert fluxes[pair[0]] / fluxes[pair[1]] == pytest.approx(3.05)


def test_what_a_user_says_counts():
    waves = rest_wavelengths(("halpha", "nii", 6549.86))
    choices = with_known_ratios(ParameterChoices(free=("line_3_ratio",)), waves)
    assert "line_3_ratio" not in choices.fixed
    choices = with_known_ratios(ParameterChoices(fixed={"line_3_ratio": 0.4}), waves)
    assert choices.fixed == {"line_3_ratio": 0.4}


def test_oii_beside_other_lines_keeps_its_limits():
    fitter = DiskFitter(lines=["oii", "hbeta"])
    assert fitter.choices.priors == {"doublet_ratio": "log_uniform:0.3:3"}
    assert DiskFitter(lines=["halpha", "nii"]).choices.fixed == {"line_3_ratio": 1 / 3.05}


def test_names_of_lines():
    assert [ion_of(wave) for wave in (6549.9, 6585.27, 4960.3, 3729.875, 5000.0)] == [
        "nii", "nii", "oiii", "oii", "5000",
    ]  # fmt: skip
    assert [line_label(wave) for wave in (6585.27, 3727.092, 5000.0)] == [
        "[NII]6583", "[OII]3726", "5000",
    ]  # fmt: skip
