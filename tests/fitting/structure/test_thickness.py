"""Fits of well resolved disks that are thicker or thinner than fits take them by default."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.likelihood import Likelihood
from clumpygan.fitting.observation import observe
from clumpygan.fitting.optimize import Optimum, find_optimum
from clumpygan.fitting.parameter_choices import ParameterChoices
from clumpygan.fitting.structure.thickness import (
    WIDTH,
    effect_of_thickness,
    was_wrong,
    with_free_thickness,
)
from clumpygan.fitting.target import Target
from clumpygan.galaxies import CubeRenderer
from clumpygan.galaxies.disks.disk_model import HEIGHT_OF_RADIUS
from clumpygan.instruments.spread import GaussianPSF
from tests.fitting.conftest import FRAME, GRID, MODEL, TRUTH, Mock, make_mock

SHARP = ObservedFrame(GRID, partial(GaussianPSF(0.3).transfer, wavelength=7000.0), 0.3)
"""With it a half-light radius of 0.8 arcsec is 2.7 widths of the PSF."""

RADIUS, TIE = 0.8, HEIGHT_OF_RADIUS[MODEL.vertical]


def disk(
    height: float, frame: ObservedFrame = SHARP, signal_to_noise: float = 30.0, **changes: float
) -> Mock:
    """A disk whose scale height is that of the tie times a factor."""
    own = {"half_light_radius": RADIUS, "inclination": 70.0} | changes
    return make_mock(
        1, signal_to_noise, frame, **own, scale_height=height * TIE * own["half_light_radius"]
    )


def climbed(mock: Mock, choices: ParameterChoices) -> tuple[Target, Optimum]:
    """Return target and optimum of a fit, from the truth."""
    observation = observe(mock.data, np.full(mock.data.shape, mock.sigma**2), SHARP)
    coordinates = Coordinates.of(MODEL, choices, GRID, TRUTH["flux"]).centred(mock.vector)
    renderer = CubeRenderer(GRID, MODEL, SHARP.transfer, 1e-4)
    target = Target(coordinates, Likelihood(observation), renderer)
    return target, find_optimum(target, [coordinates.coordinates(mock.vector)])


@pytest.mark.parametrize("factor", [1.0, 1.25])
def test_the_effect_is_that_of_a_fit_with_a_free_thickness(factor: float) -> None:
    mock = disk(factor)
    target, optimum = climbed(mock, ParameterChoices())
    growth, shift = effect_of_thickness(target, optimum)
    freed = with_free_thickness(ParameterChoices(), target, optimum)
    assert freed is not None
    other, found = climbed(mock, freed)
    kept = [other.coordinates.names.index(name) for name in target.coordinates.names]
    before, after = (np.sqrt(np.diag(one.covariance)) for one in (optimum, found))
    assert growth.max() > 1.5
    np.testing.assert_allclose(growth, after[kept] / before, rtol=0.1)
    moved = (found.coordinates[kept] - optimum.coordinates) / before
    place = int(np.abs(moved).argmax())
    assert shift[place] == pytest.approx(moved[place], rel=0.3, abs=0.3)


def test_the_prior_goes_with_the_radius() -> None:
    target, optimum = climbed(disk(1.0), ParameterChoices())
    freed = with_free_thickness(ParameterChoices(), target, optimum)
    assert freed is not None
    other = Coordinates.of(MODEL, freed, GRID, TRUTH["flux"])
    place = other.names.index("scale_height")
    u = np.zeros(other.count)
    for radius, sigma in ((RADIUS, 0.0), (1.02 * RADIUS, 0.0), (RADIUS, 1.0)):
        k = other.names.index("half_light_radius")
        u[k] = other.priors[k].coordinate(radius)
        u[place] = sigma
        height = other.vectors(u)[MODEL.index("scale_height")]
        assert height == pytest.approx(TIE * radius * np.exp(sigma * WIDTH), rel=2e-3)


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_disks_of_another_thickness_have_their_own_inclination(factor: float) -> None:
    mock = disk(factor, signal_to_noise=60.0)
    target, optimum = climbed(mock, ParameterChoices())
    freed = with_free_thickness(ParameterChoices(), target, optimum)
    assert freed is not None

    def away(target: Target, optimum: Optimum, name: str) -> float:
        place = target.coordinates.names.index(name)
        truth = target.coordinates.coordinates(mock.vector)
        sigma = np.sqrt(optimum.covariance[place, place])
        return abs(float((optimum.coordinates - truth)[place] / sigma))

    assert away(target, optimum, "inclination") > 4
    other = climbed(mock, freed)
    assert away(*other, "inclination") < 2
    assert away(*other, "scale_height") < 2


def test_a_fit_frees_the_thickness_by_itself() -> None:
    mock = disk(1.5)
    fitter = DiskFitter(MODEL, SHARP, sampler=SamplerSettings("laplace"))
    result = fitter.fit(mock.data, np.full(mock.data.shape, mock.sigma**2))
    assert result.verdict.word == "good"
    truth = mock.galaxy.to_dict()
    for name in ("inclination", "scale_height"):
        (row,) = (row for row in result.table if row["name"] == name)
        assert abs(row["median"] - truth[name]) < 2 * row["deviation"]
    assert result.settings["priors"]["scale_height"].startswith("lognormal:")
    assert "scale_height" not in result.settings["tied"]


def test_irregular_galaxies_are_not_given_any_thickness() -> None:
    """Where as much is left as before, it wasn't the thickness."""
    assert was_wrong(Misfit(), Misfit())
    assert was_wrong(Misfit(0.1, None, 2.0), Misfit(0.05, None, 1.5))
    assert was_wrong(Misfit(0.4, None, 2.0), Misfit(0.39, None, 1.0))
    assert not was_wrong(Misfit(0.4, None, 2.0), Misfit(0.39, None, 1.9))


def test_the_tie_stays_where_the_thickness_is_chosen_or_not_seen() -> None:
    mock = disk(1.5)
    target, optimum = climbed(mock, ParameterChoices())
    chosen = (
        {"fixed": {"scale_height": 0.1}},
        {"free": ["scale_height"]},
        {"tied": {"scale_height": "0.1*half_light_radius"}},
    )
    for one in chosen:
        assert with_free_thickness(ParameterChoices(**one), target, optimum) is None
    assert with_free_thickness(ParameterChoices(), target, optimum) is not None
    assert with_free_thickness(ParameterChoices(), target, replace(optimum, jacobian=None)) is None
    # Of a disk seen from above, and of a blurred one.
    flat, above = climbed(disk(1.0, inclination=15.0), ParameterChoices())
    assert with_free_thickness(ParameterChoices(), flat, above) is None
    blurred = disk(1.5, frame=FRAME)
    fitter = DiskFitter(MODEL, FRAME, sampler=SamplerSettings("laplace"))
    result = fitter.fit(blurred.data, np.full(blurred.data.shape, blurred.sigma**2))
    assert "scale_height" not in result.table["name"]
