"""The disk that sliders move: what is measured of it, over data and without."""

from pathlib import Path

import numpy as np
import pytest

from clumpygan.app.disk import (
    Wanted,
    fit_data,
    galaxy_of,
    observe_mock,
    read_data,
    show_mock,
    show_over,
    start_of,
    way,
)
from clumpygan.data.cubes.frame_settings import FieldSettings
from clumpygan.errors import InputError
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.plots.cube_view import same_channels
from tests.app.conftest import with_quick_fitter
from tests.commands.fit_cubes import FWHM, GALAXY, make_cube

SMALL = FieldSettings(shape=(20, 20, 20), seeing=0.5)
TRUTH = {
    "inclination": 60.0, "position_angle": 40.0, "maximum_velocity": 200.0, "offset_x": 0.1,
    "velocity_dispersion": 40.0, "half_light_radius": 0.7, "turnover_radius": 0.2,
}  # fmt: skip


def test_the_slider_is_what_is_rendered() -> None:
    still, moved = (
        show_mock(Wanted({**TRUTH, "systemic_velocity": v}, field=SMALL)) for v in (0.0, 80.0)
    )
    assert still.data is None
    assert still.misfit is None
    velocities = [one.model.maps.velocity for one in (still, moved)]
    assert np.nanmedian(velocities[1] - velocities[0]) == pytest.approx(80, abs=3)
    assert still.model.slit.position_angle == 40.0
    assert still.model.slit.centre == (0.1, 0.0)


def test_clumps_are_those_of_the_seed() -> None:
    model = DiskModel(clumps=3)
    first, again, other = (
        show_mock(Wanted(TRUTH, model, SMALL, seed=seed)).model.maps.flux for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.nanmax(np.abs(first - other)) > 0.01 * np.nanmax(first)


def test_a_doublet_is_measured_by_fits_of_both_lines() -> None:
    field = FieldSettings(shape=(30, 14, 14), seeing=0.6, line="oii")
    shown = show_mock(Wanted({**TRUTH, "systemic_velocity": 0.0}, field=field))
    assert np.nanmedian(shown.model.maps.velocity) == pytest.approx(0, abs=20)


def test_the_model_over_data_is_the_data_without_noise() -> None:
    wanted = Wanted(TRUTH, field=SMALL, signal_to_noise=20)
    data = observe_mock(wanted)
    truth = show_over(data, start_of(data, {**TRUTH, "flux": 1.0}))
    assert truth.misfit == pytest.approx(1, abs=0.05)
    assert truth.data is data.view
    off = show_over(data, start_of(data, {**TRUTH, "flux": 1.0, "position_angle": 90.0}))
    assert off.misfit is not None
    assert off.misfit > 1.2
    # Measured alike: in the same voxels, through the same slit.
    known = truth.data.galaxy & np.isfinite(truth.model.maps.velocity)
    left = (truth.data.maps.velocity - truth.model.maps.velocity)[known]
    assert abs(np.median(left)) < 5
    assert truth.model.slit == truth.data.slit
    assert data.flux == pytest.approx(1, rel=0.2)
    channels = same_channels(truth.model.cube, truth.data.channels)
    assert [(one.low, one.high) for one in channels] == [
        (one.low, one.high) for one in truth.data.channels
    ]
    for ours, theirs in zip(truth.data.channels, channels, strict=True):
        assert np.std(ours.image - theirs.image) == pytest.approx(ours.noise, rel=0.2)


def test_with_an_instrument_fluxes_are_those_of_its_data() -> None:
    field = FieldSettings(instrument="muse_wfm", shape=(24, 16, 16))
    wanted = Wanted(TRUTH, field=field, signal_to_noise=15)
    data = observe_mock(wanted)
    assert data.unit == "1e-20 erg/s/cm2"
    flux = wanted.mock.galaxy.flux
    assert data.flux == pytest.approx(flux, rel=0.25)
    shown = show_mock(wanted)
    assert np.nansum(shown.model.maps.flux) == pytest.approx(flux, rel=0.1)
    assert show_over(data, start_of(data, {**TRUTH, "flux": flux})).misfit == pytest.approx(
        1, abs=0.1
    )


def test_a_fit_finds_the_disk_that_was_observed(tmp_path: Path) -> None:
    data = read_data(make_cube(tmp_path / "cube.fits"), FitSettings(psf_fwhm=FWHM))
    assert data.name == "cube.fits"
    data = with_quick_fitter(data)
    result = fit_data(data)
    assert result.values["position_angle"] == pytest.approx(70, abs=8)
    assert result.values["systemic_velocity"] == pytest.approx(0, abs=15)
    shown = show_over(data, galaxy_of(result.values, result.galaxy.model))
    assert shown.misfit == pytest.approx(1, abs=0.2)
    assert shown.misfit < show_over(data, start_of(data, GALAXY.to_dict())).misfit + 0.01  # type: ignore[operator]


def test_cubes_without_a_line_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = make_cube(tmp_path / "faint.fits", signal_to_noise=0.1)
    with pytest.raises(InputError, match="no line stands out"):
        read_data(path, FitSettings(psf_fwhm=FWHM))
    bad = tmp_path / "text.fits"
    bad.write_text("no FITS")
    with pytest.raises(InputError, match=r"text\.fits"):
        read_data(bad, FitSettings(psf_fwhm=FWHM))


def test_angles_go_the_shorter_way() -> None:
    steps = way({"position_angle": 350.0, "inclination": 20.0}, {"position_angle": 10.0,
                "inclination": 60.0, "flux": 3.0}, 4)  # fmt: skip
    assert [one["position_angle"] % 360 for one in steps] == [355, 0, 5, 10]
    assert [one["inclination"] for one in steps] == [30, 40, 50, 60]
    assert [one["flux"] for one in steps] == [3.0] * 4
