"""The picture of a fit: what is measured for it, and that it says it."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.figure import Figure

from clumpygan.errors import InputWarning
from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.fitting.goodness.verdict import Verdict
from clumpygan.fitting.observation import CubeLayout
from clumpygan.galaxies import CubeGrid
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.plots.corner import plot_corner
from clumpygan.plots.fit import fit_figure, views_of
from tests.fitting.conftest import FRAME, MODEL, TRUTH, make_mock
from tests.plots.test_sky_axes import turned_wcs

LAPLACE = SamplerSettings("laplace")


@pytest.fixture(scope="module")
def result(mock):
    return DiskFitter(MODEL, FRAME, sampler=LAPLACE).fit(mock.data, mock.sigma**2)


def texts_of(figure):
    words = [text.get_text() for text in figure.texts]
    for axis in figure.axes:
        words += [axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()]
    return "\n".join(words)


def test_maps_of_a_good_fit(result, mock):
    views = views_of(result)
    assert views.data.galaxy.sum() > 30
    assert views.residual.std() == pytest.approx(1, abs=0.15)
    assert (
        abs(np.median((views.data.maps.velocity - views.model.maps.velocity)[views.data.galaxy]))
        < 10
    )
    # Velocities count from the systemic one.
    assert abs(np.median(views.model.maps.velocity[views.data.galaxy])) < 15
    data, model, (residual, _) = views.data.diagram, views.model.diagram, views.left_over
    np.testing.assert_allclose(residual.diagram, data.diagram - model.diagram, atol=1e-12)
    mean = np.nansum(model.diagram * data.velocities[:, None], axis=0)
    assert (mean * data.offsets).sum() > 0  # the positive side of the slit recedes
    spectrum, fitted = views.data.spectrum, views.model.spectrum
    assert spectrum.flux.sum() == pytest.approx(fitted.flux.sum(), rel=0.1)


def test_maps_in_world_coordinates(result):
    layout = CubeLayout(SpectralAxis("velocity", 0.0, 45.0, 20), 0.2, wcs=turned_wcs(80.0))
    known = replace(result, observation=replace(result.observation, layout=layout))
    maps = [axis for axis in known.plot(wcs=True).axes if isinstance(axis, WCSAxes)]
    assert len(maps) == 9
    # Turned by 80 degrees: the declination is below, of the lowest row alone.
    below = [[one.get_axislabel() for one in axis.coords] for axis in maps]
    assert below[-3:] == [["RA", "Dec"], ["", "Dec"], ["", "Dec"]]
    assert below[0] == ["RA", ""]
    assert not any(isinstance(axis, WCSAxes) for axis in known.plot().axes)
    with pytest.warns(InputWarning, match="aren't known"):
        result.plot(wcs=True)


def test_a_galaxy_that_hardly_stands_out_has_a_picture(result):
    rng = np.random.default_rng(5)
    observation = result.observation
    sigma = 3 * float(result.model_cube.max())
    noise = result.model_cube + sigma * rng.standard_normal(observation.data.shape)
    faint = replace(observation, data=noise, variance=np.full(noise.shape, sigma**2))
    drawn = replace(result, observation=faint)
    assert views_of(drawn).model.maps.mask.any()
    assert isinstance(drawn.plot(), Figure)


def test_long_units_stay_clear_of_headings(result):
    long = replace(result.observation, flux_unit="1e-20 erg / (Angstrom s cm2 arcsec2)")
    table = result.table.copy()
    table["unit"] = [long.flux_unit if name == "flux" else unit
                     for name, unit in zip(table["name"], table["unit"], strict=True)]  # fmt: skip
    figure = replace(result, observation=long, table=table).plot()
    renderer = figure.canvas.get_renderer()
    figure.draw_without_rendering()
    lifted = 0
    for axis in figure.axes:
        title = axis.get_title(loc="left")
        for unit in (one for one in axis.texts if one.get_gid() == "unit" and title):
            boxes = [one.get_window_extent(renderer) for one in (axis._left_title, unit)]
            assert not boxes[0].overlaps(boxes[1]), title
            lifted += unit.get_position()[1] > 1.05
            assert boxes[1].y1 < figure.bbox.y1
    assert lifted >= 2
    for words in figure.texts:
        assert words.get_window_extent(renderer).x1 <= figure.bbox.x1, words.get_text()
    short = [one for axis in result.plot().axes for one in axis.texts if one.get_gid() == "unit"]
    assert all(one.get_position()[1] < 1.05 for one in short if one.get_text() == "km/s")


def test_unknown_voxels_are_left_out(result):
    observation = result.observation
    variance = observation.variance.copy()
    variance[:, :4] = np.inf
    variance[3] = np.inf
    data = np.where(np.isinf(variance), 0.0, observation.data)
    masked = replace(observation, variance=variance, data=data)
    views = views_of(replace(result, observation=masked))
    assert np.isnan(views.residual[:4]).all()
    assert np.isnan(views.data.spectrum.flux[3])
    assert isinstance(replace(result, observation=masked).plot(), Figure)


def test_the_figure_says_what_was_found(result):
    words = texts_of(fit_figure(result, title="A galaxy", truth=TRUTH))
    assert "A galaxy" in words
    for name in result.table["name"]:
        assert name in words
    assert f"chi^2 {result.chi_squared:.1f} of {result.degrees_of_freedom} degrees" in words
    assert "true values" in words
    assert "true values" not in texts_of(fit_figure(result))
    for heading in ("Flux, data", "Velocity, model", "Dispersion, residual", "Spectrum"):
        assert heading in words


def test_problems_are_in_the_picture(result):
    verdict = Verdict(
        "doubtful", ("the line runs out of the channels at -300 km/s",), ("the noise is large",)
    )
    words = texts_of(fit_figure(replace(result, verdict=verdict)))
    for text in ("  doubtful: ", "! the line runs out of the channels", "  the noise is large"):
        assert text in words


def test_two_lines(tmp_path):
    one = CubeGrid.velocities((24, 14, 14), 0.25, 50.0).edges[0]
    grid = CubeGrid((24, 14, 14), 0.25, np.stack([one, one - 220.0]), (1.0, 1.0), (40.0, 40.0))
    frame = ObservedFrame(grid, FRAME.transfer, FRAME.psf_fwhm)
    mock = make_mock(1, 15.0, frame, doublet_ratio=0.7)
    found = DiskFitter(MODEL, frame, sampler=LAPLACE).fit(mock.data, mock.sigma**2)
    views = views_of(found)
    speeds = views.data.maps.velocity[views.data.galaxy]
    assert speeds.min() > -300
    assert speeds.max() < 300
    found.plot().savefig(tmp_path / "fit.pdf")
    assert (tmp_path / "fit.pdf").read_bytes().startswith(b"%PDF")


def test_a_corner_of_any_samples():
    rng = np.random.default_rng(0)
    samples = np.column_stack([rng.normal(size=400), np.full(400, 3.0), rng.exponential(size=400)])
    figure = Figure()
    plot_corner(figure, (0.5, 0.5, 4.0), samples, ["a", "b", "c"], {0: 0.5})
    assert len(figure.axes) == 6
    for axis in figure.axes:
        low, high = axis.get_xlim()
        assert low < high
    assert figure.axes[-1].get_xlabel() == "c"
    assert figure.axes[1].get_ylabel() == "b"


def test_true_angles_are_drawn_on_the_turn_of_the_samples(result):
    figure = fit_figure(result, truth=TRUTH | {"position_angle": 130.0 - 720.0})
    names = result.table["name"].tolist()
    place = names.index("position_angle")
    corner = figure.axes[-len(names) * (len(names) + 1) // 2 :]
    diagonal = corner[place * (place + 1) // 2 + place]
    assert 130.0 in [line.get_xdata()[0] for line in diagonal.lines]
