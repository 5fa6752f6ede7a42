"""The tab of cubes: sliders, data, fit, download, without a browser."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from clumpygan.app.cubes_tab import PLAIN_CURVES, SLIDERS, CubesTab
from clumpygan.app.files import Files
from clumpygan.app.work import Worker
from clumpygan.galaxies.disks.disk_table import PARAMETERS
from tests.app.conftest import Content, Finish, with_quick_fitter
from tests.commands.fit_cubes import FWHM, make_cube


@pytest.fixture
def tab(worker: Worker, files: Files, finish: Finish) -> CubesTab:
    tab = CubesTab(worker, files)
    finish(tab.start())
    return tab


def image(panel) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.array(panel.source.data["value"][0])


def test_sliders_are_parameters_and_stand_within_their_ranges(tab: CubesTab) -> None:
    rows = {row.name: row for row in PARAMETERS}
    for name, (low, high) in SLIDERS.items():
        assert rows[name].minimum <= low < high <= rows[name].maximum
        assert 40 <= (high - low) / tab.sliders[name].step <= 600
        assert low <= tab.sliders[name].value <= high
        assert rows[name].unit in tab.sliders[name].label
    assert "arctan" in PLAIN_CURVES


def test_a_slider_moves_what_is_shown(tab: CubesTab) -> None:
    before = image(tab.board.velocity), image(tab.board.slit)
    title = tab.board.slit.figure.title.text
    tab.sliders["position_angle"].value = 150.0
    after = image(tab.board.velocity), image(tab.board.slit)
    assert np.nanmax(np.abs(after[0] - before[0])) > 20
    assert "60 deg" in title
    assert "150 deg" in tab.board.slit.figure.title.text
    assert tab.board.caption.object.startswith("The model.")
    assert not tab.status.view.visible


def test_every_curve_is_rendered(tab: CubesTab) -> None:
    for curve in PLAIN_CURVES[1:]:
        shown = tab.shown
        tab.model["curve"].value = curve
        assert tab.status.text == "", curve
        assert tab.shown is not shown, curve


def test_arms_have_a_slider_where_there_are_any(tab: CubesTab) -> None:
    smooth = image(tab.board.flux)
    assert not tab.sliders["arm_amplitude"].visible
    tab.model["arms"].value = 2
    assert tab.sliders["arm_amplitude"].visible
    assert np.nanmax(np.abs(image(tab.board.flux) - smooth)) > 0


def test_a_galaxy_out_of_the_field_is_said_and_the_page_goes_on(tab: CubesTab) -> None:
    tab.field["instrument"].value = "kmos_k"
    assert "is observed at" in tab.status.text or tab.status.text == ""
    tab.field["line"].value = "lya"
    shown = tab.shown
    tab.field["instrument"].value = "muse_wfm"
    assert tab.shown is not shown
    assert tab.status.text == ""


def test_a_cube_is_dropped_fitted_and_downloaded(
    tab: CubesTab,
    tmp_path: Path,
    dropped: Callable[..., dict[str, bytes]],
    finish: Finish,
    content: Content,
) -> None:
    tab.about["psf_fwhm"].value = FWHM
    tab.drop.dropper.value = dropped(make_cube(tmp_path / "cube.fits"))
    assert "cube.fits: move the disk over the data" in tab.status.text
    assert tab.data is not None
    assert tab.board.caption.object.startswith("The data;")
    assert len(tab.board.velocity.lines.data["xs"]) > 0
    assert tab.sliders["flux"].visible
    before = tab.shown
    tab.sliders["position_angle"].value = 75.0
    assert tab.shown is not before
    tab.data = with_quick_fitter(tab.data)
    finish(tab.fit())
    assert "fitted in" in tab.status.text
    assert tab.result is not None
    assert tab.sliders["position_angle"].value == pytest.approx(70, abs=8)
    assert tab.shown is not None
    assert tab.shown.misfit == pytest.approx(1, abs=0.2)
    assert "position_angle" in tab.table.object
    tab.kind.value = "residual"
    assert tab.board.flux.figure.title.text == "Flux [sigma]"
    assert np.nanstd(image(tab.board.channels[2])) == pytest.approx(1, abs=0.35)
    tab.kind.value = "model"
    assert tab.board.caption.object.startswith("The model.")
    with zipfile.ZipFile(content(tab.fit_files)) as archive:
        assert "fit/fit_table.ecsv" in archive.namelist()
    tab.sliders["inclination"].value = 20.0
    finish(tab.forget())
    assert tab.data is None
    assert not tab.kind.visible
    assert tab.table.object == ""


def test_the_disk_with_noise_is_data_and_a_file(
    tab: CubesTab, finish: Finish, content: Content
) -> None:
    with fits.open(content(tab.cube_file)) as hdus:
        assert hdus["DATA"].shape == tab.shown.model.cube.data.shape  # type: ignore[union-attr]
        assert hdus[0].header["HIERARCH CLUMPYGAN inclination"] == 55.0
    finish(tab.observe())
    assert tab.data is not None
    assert tab.shown is not None
    assert tab.shown.misfit == pytest.approx(1, abs=0.2)
    # The sliders move a model of the data now, which isn't the disk that was observed.
    assert tab.cube_file.view.disabled
    finish(tab.forget())
    assert not tab.cube_file.view.disabled


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"text", "notes.txt: expected a FITS file"),
        ("cube.fits", b"SIMPLE  = what", "cube.fits"),
        ("large.fits", bytes(10**6 + 1), "more than the 1 MB"),
    ],
)
def test_a_wrong_file_is_one_line(name: str, content: bytes, words: str, tab: CubesTab) -> None:
    shown = tab.shown
    tab.drop.dropper.value = {name: content}
    assert words in tab.status.text
    assert "\n" not in tab.status.text
    assert tab.data is None
    assert tab.shown is shown
    assert str(tab.worker.folder) not in tab.status.text


def test_what_the_header_lacks_is_asked_for_and_read_again(
    tab: CubesTab, tmp_path: Path, dropped: Callable[..., dict[str, bytes]], finish: Finish
) -> None:
    path = make_cube(tmp_path / "wave.fits", wavelength=6800.0)
    tab.drop.dropper.value = dropped(path)
    assert tab.data is None
    assert "give redshift" in tab.status.text
    tab.about["line"].value = "oiii"
    tab.about["redshift"].value = 6800.0 / 5008.24 - 1
    tab.about["psf_fwhm"].value = FWHM
    finish(tab.read())
    assert tab.data is not None


def test_names_of_files_are_no_html(tab: CubesTab) -> None:
    tab.drop.dropper.value = {"<script>alert(1)</script>.txt": b"x"}
    assert "<script" not in tab.status.text
