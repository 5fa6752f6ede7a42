"""Several lines at once: H alpha between the two of [NII]."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings, observe_cube
from clumpygan.fitting.initial_guess import guess_parameters
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.measuring.line_identification import closest_lines, identify_lines
from clumpygan.io import Cube, SpectralAxis
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
    from clumpygan.fitting.parameter_choices import default_prior
    from clumpygan.galaxies.emission_lines import rest_wavelengths

    waves = np.array(rest_wavelengths(lines))
    shifts = 299792.458 * (waves / waves[0] - 1)
    pair = CubeGrid((44, 14, 14), 0.25, EDGES - shifts[:, None], (1.0,) * 2, (40.0,) * 2)
    row = DiskModel().table[DiskModel().index("doublet_ratio")]
    assert default_prior(row, pair, 1.0).minimum == low


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("sigmas", [20.0, 4.0])
@pytest.mark.parametrize("systemic", [0.0, 250.0])
def test_no_line_is_put_on_another_ones_place(order, sigmas, systemic):
    """H alpha and [NII], in any order, bright or hardly seen, with a redshift that is off."""
    fluxes = {0: 1.0, 1: 0.3, 2: 0.1}
    grid = CubeGrid(
        GRID.shape, 0.25, GRID.edges[list(order)], tuple(fluxes[k] for k in order), (40.0,) * 3
    )
    galaxy = DiskParameters.from_dict(
        TRUTH
        | {"systemic_velocity": systemic, "doublet_ratio": fluxes[order[0]] / fluxes[order[1]],
           "line_3_ratio": fluxes[order[2]] / fluxes[order[1]]},
        DiskModel(extra_lines=1),
    )  # fmt: skip
    clean = CubeRenderer(grid, galaxy.model, FRAME.transfer)(galaxy.to_vector()[None])[0]
    noise = float(clean.max()) / sigmas * np.random.default_rng(5).standard_normal(clean.shape)
    frame = ObservedFrame(grid, FRAME.transfer, FRAME.psf_fwhm)
    observation = DiskFitter(DiskModel(), frame).observe(clean + noise, noise.std() ** 2)
    guess = guess_parameters(observation)
    assert guess.velocity == pytest.approx(systemic, abs=60.0)
    values = guess.values()
    assert values["doublet_ratio"] == pytest.approx(fluxes[order[0]] / fluxes[order[1]], rel=0.7)


def seen_in(channels: slice, order: tuple[int, ...], systemic: float):
    """Return the frame of some channels and H alpha and [NII] in them, the latter's ratio known."""
    edges = GRID.edges[list(order)][:, channels.start : channels.stop + 1]
    shape = (channels.stop - channels.start, *GRID.shape[1:])
    fluxes = [(1.0, 0.33, 0.11)[k] for k in order]
    grid = CubeGrid(shape, 0.25, edges, tuple(fluxes), (40.0,) * 3)
    model = DiskModel(extra_lines=1)
    galaxy = DiskParameters.from_dict(
        TRUTH
        | {"systemic_velocity": systemic, "doublet_ratio": fluxes[0] / fluxes[1],
           "line_3_ratio": fluxes[2] / fluxes[1]},
        model,
    )  # fmt: skip
    clean = CubeRenderer(grid, model, FRAME.transfer)(galaxy.to_vector()[None])[0]
    noise = float(clean.max()) / 15 * np.random.default_rng(8).standard_normal(clean.shape)
    return ObservedFrame(grid, FRAME.transfer, FRAME.psf_fwhm), clean + noise, noise.std() ** 2


def test_a_line_of_which_only_a_wing_is_seen_is_not_taken_for_the_brightest():
    """[NII] first, H alpha at its left end, the fainter [NII] beyond."""
    frame, data, variance = seen_in(slice(0, 36), (1, 0, 2), -1050.0)
    observation = DiskFitter(DiskModel(), frame).observe(data, variance)
    guess = guess_parameters(observation)
    assert guess.lines[2] == 0
    assert guess.velocity == pytest.approx(-1050.0, abs=80.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("start", range(21, 27))
@pytest.mark.parametrize("stop", [38, 44])
def test_lines_that_the_ends_cut_have_a_flux(start, stop, order):
    """H alpha at the left end, [NII] at the right one: wherever these are, one line is seen."""
    frame, data, variance = seen_in(slice(start, stop), order, 0.0)
    observation = DiskFitter(DiskModel(), frame).observe(data, variance)
    guess = guess_parameters(observation)
    assert max(guess.lines) > 0
    assert guess.identified.velocity == pytest.approx(0.0, abs=160.0)
    assert all(np.isfinite(value) for value in guess.values().values())


def test_a_velocity_at_which_no_line_is_seen_is_none():
    """Far below 0 nothing but the one channel with light tells velocities apart."""
    spectrum, variance = np.full(44, -50.0), np.ones(44)
    spectrum[30] = 100.0
    found = identify_lines(spectrum, variance, GRID.edges)
    assert found is not None
    assert found.fluxes.max() > 0


def test_fast_rotation_of_oii_and_another_line_is_kept_whole():
    """The lines of [OII] are 224 km/s apart: one line, when it comes to taking one for another."""
    shifts = 299792.458 * (np.array([3727.09, 3729.88, 3869.86]) / 3727.09 - 1)
    edges = 50.0 * np.arange(250) - 600.0
    grid = CubeGrid((249, 16, 16), 0.25, edges - shifts[:, None], (1.0,) * 3, (40.0,) * 3)
    assert closest_lines(grid.edges) == pytest.approx(shifts[2] - shifts[1])
    assert closest_lines(GRID.edges) == pytest.approx(672.0)
    galaxy = DiskParameters.from_dict(
        TRUTH | {"maximum_velocity": 300.0, "inclination": 65.0, "doublet_ratio": 0.8,
                 "line_3_ratio": 0.4},
        DiskModel(extra_lines=1),
    )  # fmt: skip
    clean = CubeRenderer(grid, galaxy.model, FRAME.transfer)(galaxy.to_vector()[None])[0]
    noise = float(clean.max()) / 15 * np.random.default_rng(5).standard_normal(clean.shape)
    frame = ObservedFrame(grid, FRAME.transfer, FRAME.psf_fwhm)
    guess = guess_parameters(DiskFitter(DiskModel(), frame).observe(clean + noise, noise.var()))
    assert guess.rotation == pytest.approx(272.0, rel=0.25)
    assert guess.radius == pytest.approx(TRUTH["half_light_radius"], rel=0.25)


def test_spaxels_in_which_one_line_was_taken_for_another_are_left_out():
    frame, data, variance = seen_in(slice(0, 38), (1, 2, 0), 0.0)
    guess = guess_parameters(DiskFitter(DiskModel(), frame).observe(data, variance))
    assert guess.velocity == pytest.approx(0.0, abs=40.0)


@pytest.mark.parametrize(
    ("channels", "systemic", "message"),
    [
        (slice(18, 44), -410.0, "the first isn't among the channels"),
        (slice(18, 44), -500.0, "one taken for another"),
    ],
)
def test_lines_that_may_be_others_are_refused(channels, systemic, message):
    """[NII] alone is seen, which H alpha would be at a velocity that is not much farther from 0."""
    frame, data, variance = seen_in(channels, (0, 1, 2), systemic)
    laplace = SamplerSettings("laplace")
    with pytest.raises(InputError, match=message) as told:
        DiskFitter(DiskModel(), frame, sampler=laplace).fit(data, variance)
    assert "`start` systemic_velocity" in str(told.value)
    said = {"systemic_velocity": "normal:400:100"}
    DiskFitter(DiskModel(), frame, priors=said, sampler=laplace).fit(data, variance)


def test_lines_that_are_not_in_the_channels_are_refused():
    axis = SpectralAxis("wavelength", 9830.0, 1.5, 24, redshift=0.5)
    shape = (24, 9, 9)
    cube = Cube(np.ones(shape, np.float32), np.zeros(shape, bool), axis, 0.2,
                np.ones(shape, np.float32))  # fmt: skip
    observe_cube(cube, lines=["halpha"], psf_fwhm=0.6)
    with pytest.raises(InputError, match=r"line of 6585.27 Angstrom isn't in the channels") as told:
        observe_cube(cube, lines=["halpha", "nii"], psf_fwhm=0.6)
    assert "leave it out of `line`" in str(told.value)
