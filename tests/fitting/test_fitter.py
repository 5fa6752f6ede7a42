"""From a cube to a result: parameters come back, and what is wrong is said."""

import json
from dataclasses import replace

import numpy as np
import pytest

from clumpygan.errors import InputError, InputWarning
from clumpygan.fitting import DiskFitter, NoiseSettings, ObservedFrame, SamplerSettings
from clumpygan.galaxies import Clump, CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.instruments import MUSE_CORRELATION, MUSE_WFM
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from tests.fitting.conftest import FRAME, GRID, TRUTH, make_mock

LAPLACE = SamplerSettings("laplace")


def away(result, truth):
    """Distances from the truth in sigma, angles modulo a turn."""
    answer = {}
    for row in result.table:
        difference = row["median"] - truth[row["name"]]
        if row["unit"] == "deg":
            difference = (difference + 180) % 360 - 180
        answer[row["name"]] = difference / row["deviation"]
    return answer


def test_injected_parameters_come_back(mock):
    result = DiskFitter(instrument=FRAME).fit(mock.data, mock.sigma**2)
    assert result.problems == ()
    assert result.converged
    distances = away(result, mock.galaxy.to_dict())
    assert len(distances) == 11
    assert max(map(abs, distances.values())) < 3.5
    assert sum(d**2 for d in distances.values()) > 0.5
    assert result.table["effective"].min() >= 400
    assert (result.table["lower"] < result.table["median"]).all()
    assert (result.table["median"] < result.table["upper"]).all()
    assert result.reduced_chi_squared == pytest.approx(1.0, abs=0.06)
    assert result.log_evidence > 1000
    assert result.pareto_k < 0.7
    inside = np.abs(result.samples["inclination"] - 55) < 20
    assert inside.all()
    assert set(result.samples.colnames) == set(result.table["name"])
    np.testing.assert_allclose(result.residual_cube + result.model_cube, mock.data, atol=1e-6)
    assert result.galaxy.flux == result.values["flux"]
    assert not result.table["at_bound"].any()


def test_a_fit_is_repeated_exactly_and_described_in_json(mock):
    fitter = DiskFitter(instrument=FRAME, fixed={"inclination": 55.0}, sampler=LAPLACE)
    first, second = (fitter.fit(mock.data, mock.sigma**2, seed=5) for _ in range(2))
    assert (first.samples["flux"] == second.samples["flux"]).all()
    summary = json.loads(json.dumps(first.summary()))
    assert summary["settings"]["seed"] == 5
    assert summary["settings"]["fixed"]["inclination"] == 55.0
    assert "inclination" not in summary["settings"]["priors"]
    assert summary["settings"]["tied"] == {"scale_height": "0.128205*half_light_radius"}
    assert summary["parameters"][0]["r_hat"] is None
    assert summary["values"]["inclination"] == 55.0
    assert summary["converged"]


@pytest.mark.parametrize("position_angle", [0.5, 359.5])
def test_angles_around_north_have_one_peak(position_angle):
    mock = make_mock(6, 15.0, position_angle=position_angle)
    result = DiskFitter(instrument=FRAME, sampler=LAPLACE).fit(mock.data, mock.sigma**2)
    row = result.table[result.table["name"] == "position_angle"][0]
    assert 0 <= row["median"] < 360
    assert row["deviation"] < 3
    assert abs((row["median"] - position_angle + 180) % 360 - 180) < 6


def test_correlated_noise_widens_errors_by_the_root_of_its_sum(mock):
    errors = []
    for frame in (FRAME, replace(FRAME, correlation=MUSE_CORRELATION)):
        result = DiskFitter(instrument=frame, sampler=LAPLACE).fit(mock.data, mock.sigma**2)
        errors.append(np.sqrt(np.diag(result.optimum.covariance)))
        assert result.reduced_chi_squared == pytest.approx(1.0, abs=0.06)
    np.testing.assert_allclose(errors[1] / errors[0], np.sqrt(MUSE_CORRELATION.sum()), rtol=0.05)


def test_a_prior_is_followed(mock):
    prior = {"maximum_velocity": "normal:300:1"}
    result = DiskFitter(instrument=FRAME, priors=prior, sampler=LAPLACE).fit(
        mock.data, mock.sigma**2
    )
    row = result.table[result.table["name"] == "maximum_velocity"][0]
    assert row["median"] == pytest.approx(300, abs=5)
    assert row["prior"] == "normal:300:1"


def test_a_doublet_and_its_ratio():
    grid = CubeGrid.wavelengths(
        (26, 18, 18), 0.2, 7108.0, 1.25, lines=(3727.092, 3729.875), redshift=0.91,
        line_spread=(45.0, 45.0), pixel_response=False, channel_response=False,
    )  # fmt: skip
    frame = ObservedFrame(grid, FRAME.transfer, FRAME.psf_fwhm)
    mock = make_mock(7, 12.0, frame, doublet_ratio=0.8)
    result = DiskFitter(instrument=frame, sampler=LAPLACE).fit(mock.data, mock.sigma**2)
    distances = away(result, mock.galaxy.to_dict())
    assert "doublet_ratio" in distances
    assert max(map(abs, distances.values())) < 4


def test_a_clump_and_shear_are_free_components():
    clump = Clump(fraction=0.2, x=1.3, y=0.6)
    galaxy = DiskParameters(**TRUTH, g1=0.08, clumps=(clump,))
    clean = CubeRenderer(GRID, galaxy.model, FRAME.transfer, 1e-4)(galaxy.to_vector()[None])[0]
    sigma = clean.max() / 40
    data = clean + sigma * np.random.default_rng(8).standard_normal(clean.shape)
    result = DiskFitter(
        galaxy.model,
        FRAME,
        free=["g1"],
        sampler=LAPLACE,
    ).fit(data, sigma**2)
    distances = away(result, galaxy.to_dict())
    assert {"g1", "clump_1_x", "clump_1_y", "clump_1_fraction"} <= set(distances)
    assert max(map(abs, distances.values())) < 4.5


def test_a_parameter_at_its_bound_is_a_limit(mock):
    result = DiskFitter(
        instrument=FRAME, priors={"maximum_velocity": "uniform:20:120"}, sampler=LAPLACE
    ).fit(mock.data, mock.sigma**2)
    assert "maximum_velocity" in result.table["name"][result.table["at_bound"]]
    (row,) = (row for row in result.table if row["name"] == "maximum_velocity")
    assert row["limit"].startswith("> 1")
    remark = f"maximum_velocity {row['limit']} km/s (95 %): at the end of its prior uniform:20:120"
    assert remark in result.verdict.remarks
    assert not any("maximum_velocity" in text for text in result.problems)


def test_too_few_draws_are_a_problem_and_a_few_less_are_said(mock):
    def found(wanted):
        sampler = SamplerSettings(wanted=wanted, most=150)
        return DiskFitter(instrument=FRAME, sampler=sampler).fit(mock.data, mock.sigma**2)

    far, near = found(4000), found(200)
    assert any("fewer than 4000" in problem for problem in far.problems)
    assert far.verdict.word == "doubtful"
    assert any("fewer than 200" in text for text in near.verdict.remarks)
    assert near.problems == ()


def test_without_a_variance_it_is_estimated(mock):
    with pytest.warns(InputWarning, match="no variance; estimated"):
        result = DiskFitter(instrument=FRAME, sampler=LAPLACE).fit(mock.data)
    assert result.observation.estimated
    assert result.summary()["variance_estimated"]
    assert result.reduced_chi_squared == pytest.approx(1.0, abs=0.25)


def test_masked_voxels_do_not_matter(mock):
    mask = np.zeros(mock.data.shape, dtype=bool)
    mask[:, 2:5, 2:5] = True
    spoilt = np.where(mask, 100 * mock.data.max(), mock.data)
    fitter = DiskFitter(instrument=FRAME, sampler=LAPLACE)
    spoilt_fit = fitter.fit(spoilt, mock.sigma**2, mask=mask)
    fit = fitter.fit(mock.data, mock.sigma**2, mask=mask)
    assert spoilt_fit.values == fit.values
    assert np.isnan(spoilt_fit.residual_cube[mask]).all()


def test_a_cube_of_a_file(mock):
    axis = SpectralAxis("wavelength", 7108.0, 1.25, 26, medium="air", redshift=0.91)
    empty = Cube(np.ones((26, 18, 18), np.float32), np.zeros((26, 18, 18), bool), axis, 0.2)
    fitter = DiskFitter(DiskModel(), MUSE_WFM, lines=["oii"], sampler=LAPLACE)
    frame = fitter.observe(empty, 1.0).frame
    drawn = make_mock(9, 12.0, frame)
    cube = replace(empty, data=(drawn.data / 1.25).astype(np.float32))
    result = fitter.fit(cube, (drawn.sigma / 1.25) ** 2)
    # Without a unit the data are flux per voxel.
    truth = drawn.galaxy.to_dict() | {"flux": TRUTH["flux"] / 1.25}
    assert max(map(abs, away(result, truth).values())) < 4
    assert result.settings["instrument"] == "muse_wfm"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"free": ["mass"]}, "no parameter 'mass': expected one of flux"),
        ({"fixed": {"flux": 1.0}, "free": ["flux"]}, "flux is both free and fixed"),
        ({"starts": {"mass": 1.0}}, "no parameter 'mass'"),
        ({"starts": {"inclination": 100.0}}, "inclination is 100 deg; expected a number from 0"),
    ],
)
def test_bad_choices_are_refused_before_a_cube_is_seen(options, message):
    with pytest.raises(InputError, match=message):
        DiskFitter(instrument=FRAME, **options)


def test_arrays_need_a_frame_and_cubes_none(mock):
    for instrument in (None, MUSE_WFM):
        with pytest.raises(InputError, match="an array has no grid: give a frame"):
            DiskFitter(instrument=instrument).fit(mock.data)
    axis = SpectralAxis("velocity", -300.0, 30.0, 20)
    cube = Cube(np.ones(GRID.shape, np.float32), np.zeros(GRID.shape, bool), axis, 0.2)
    with pytest.raises(InputError, match="a cube of a file and a frame, which is for arrays"):
        DiskFitter(instrument=FRAME).fit(cube)


def test_noise_that_is_larger_than_the_variance_says(mock):
    plain = DiskFitter(instrument=FRAME, sampler=LAPLACE, noise=NoiseSettings(scale=1.0)).fit(
        mock.data, mock.sigma**2 / 4
    )
    scaled = DiskFitter(instrument=FRAME, sampler=LAPLACE, noise=NoiseSettings(scale=2.0)).fit(
        mock.data, mock.sigma**2 / 4
    )
    assert plain.reduced_chi_squared == pytest.approx(4.0, rel=0.06)
    assert scaled.reduced_chi_squared == pytest.approx(1.0, rel=0.06)
    ratio = np.sqrt(np.diag(scaled.optimum.covariance) / np.diag(plain.optimum.covariance))
    np.testing.assert_allclose(ratio, 2.0, rtol=0.05)
    said = [one for one in plain.verdict.remarks if "noise_scale" in one]
    assert len(said) == 1
    assert "not corrected, as `noise_scale` is given" in said[0]
