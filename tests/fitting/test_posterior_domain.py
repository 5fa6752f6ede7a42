"""What a posterior is trained on, and what it refuses."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import yaml

from clumpygan.errors import InputError
from clumpygan.fitting import ObservedFrame
from clumpygan.fitting.posterior_domain import CONDITIONS, PosteriorDomain
from clumpygan.fitting.simulations import Simulator, build_simulator
from clumpygan.galaxies import CubeGrid, CubeRenderer
from clumpygan.instruments.cube_noise import MUSE_CORRELATION, neighbour_correlation
from clumpygan.instruments.spread import GaussianPSF, MoffatPSF
from tests.fitting.amortised_toys import DOMAIN, SETTINGS


def _frame(shape=(16, 16, 16), scale=0.25, width=60.0, spread=30.0, psf=None, **more):
    psf = psf or GaussianPSF(0.7)
    grid = CubeGrid.velocities(shape, scale, width, line_spread=spread, **more)
    return ObservedFrame(grid, partial(psf.transfer, wavelength=7000.0), 0.7)


def test_a_domain_survives_a_card():
    text = yaml.safe_dump(DOMAIN.to_dict(), sort_keys=False)
    assert PosteriorDomain.from_dict(yaml.safe_load(text)) == DOMAIN


def test_conditions_are_within_their_ranges_over_the_training():
    generator = np.random.default_rng(1)
    frames = [DOMAIN.draw_frame(generator) for _ in range(60)]
    table = np.array([DOMAIN.conditions(frame) for frame in frames])
    assert np.abs(table).max() <= 1 + 1e-9
    assert (np.ptp(table, axis=0) > 1.2).all()
    for frame in frames:
        DOMAIN.check_frame(frame)


def test_widths_are_those_with_the_response_of_pixels_and_channels():
    measured = dict(zip(CONDITIONS, DOMAIN.measured(_frame()), strict=True))
    assert measured["line_spread"] == pytest.approx(np.hypot(30.0, 60 / np.sqrt(12)))
    width = np.hypot(0.7, 0.25 * 2.3548 / np.sqrt(12))
    assert measured["psf_wide"] == pytest.approx(width, rel=1e-4)
    assert measured["psf_narrow"] == pytest.approx(width, rel=1e-4)
    bare = _frame(channel_response=False, pixel_response=False)
    values = DOMAIN.measured(bare)
    np.testing.assert_allclose(values[1:4], [30.0, 0.7, 0.7], rtol=1e-6)
    wings = DOMAIN.measured(_frame(psf=MoffatPSF(0.7, 2.5)))
    assert wings[2] > wings[3]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (_frame((16, 12, 16)), "a cube of 16 x 12 x 16 voxels"),
        (_frame(scale=0.2), "pixels of 0.2 arcsec; the trained posterior knows 0.25"),
        (_frame(width=120.0), "channels of 120 km/s; .* knows 50 to 80"),
        (_frame(spread=90.0), "a line spread function"),
        (_frame(psf=GaussianPSF(1.8)), "a PSF .* arcsec"),
        (_frame(psf=MoffatPSF(0.9, 1.7)), "in the wings"),
        (replace(_frame(), transfer=None), "a PSF"),
        (replace(_frame(), correlation=neighbour_correlation(0.05, 0.0)), "noise that sums of"),
    ],
)
def test_frames_unlike_those_of_the_training_are_refused(frame, message):
    with pytest.raises(InputError, match=message):
        DOMAIN.check_frame(frame)


def test_two_lines_are_refused():
    edges = np.stack([np.linspace(-500, 500, 17), np.linspace(-700, 300, 17)])
    grid = CubeGrid((16, 16, 16), 0.25, edges, (1.0, 1.0), (30.0, 30.0))
    with pytest.raises(InputError, match="2 lines"):
        DOMAIN.check_frame(replace(_frame(), grid=grid))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [16, 16, 12]}, "y as large as x"),
        ({"channel_width": [80.0, 50.0]}, "rising numbers"),
        ({"priors": SETTINGS["priors"] | {"offset_x": "uniform:-1:1"}}, "expected the same"),
        ({"priors": SETTINGS["priors"] | {"systemic_velocity": "uniform:0:1"}}, "-HALF:HALF"),
        ({"priors": SETTINGS["priors"] | {"position_angle": "uniform:0:90"}}, "uniform:0:360"),
        ({"priors": {"flux": "log_uniform:1:2"}}, "no prior of"),
        ({"seeing": 1}, "unknown setting seeing"),
        ({"model": {"curv": "tanh"}}, "wrong or missing"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        PosteriorDomain.from_dict(SETTINGS | changes)


def test_simulated_cubes_depend_on_their_number_alone_and_are_what_they_say():
    simulator = build_simulator(SETTINGS, seed=3)
    first, again = simulator.item("train", 7), Simulator(DOMAIN, 3).item("train", 7)
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["cube"] != simulator.item("val", 7)["cube"]).any()
    u = DOMAIN.coordinates
    residuals, spread = [], []
    for index in range(40):
        item = simulator.item("train", index)
        frame = simulator.mock("train", index)[0]
        renderer = CubeRenderer(frame.grid, DOMAIN.model, frame.transfer, 1e-3)
        noise = item["cube"] - renderer(u.vectors(item["coordinates"])[None])[0]
        unit = 1.0 if frame.correlation is None else MUSE_CORRELATION.sum() ** -0.5
        residuals.append(float(noise.std()) / unit)
        spread.append(item["coordinates"])
    assert np.abs(np.array(residuals) - 1).max() < 0.07
    table = np.array(spread)
    free = [k for k, name in enumerate(u.names) if name in ("inclination", "maximum_velocity")]
    assert (np.abs(table[:, free].mean(0)) < 0.6).all()
    assert (np.abs(table[:, free].std(0) - 1) < 0.35).all()
    assert simulator.description["domain"]["brightest"][1] > 3


def test_what_is_measured_cannot_be_chosen():
    with pytest.raises(InputError, match="brightest is measured"):
        build_simulator(SETTINGS | {"brightest": [1, 2]}, 0)
