"""The tab of recoveries: galaxies drawn and dropped, clicks, downloads, without a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.app import galaxy
from clumpygan.app.files import Files
from clumpygan.app.galaxy import told_of
from clumpygan.app.recover_tab import DRAWN, EXAMPLE, OBSERVED, SHARP, RecoverTab
from clumpygan.app.work import Worker
from clumpygan.instruments import HSC_WIDE_I
from clumpygan.recovery.catalogue import source_table
from tests.app.conftest import Content, Finish
from tests.recovery.examples import a_recovery, sky_wcs
from tests.recovery.examples import galaxy as observed_galaxy


@pytest.fixture
def tab(worker: Worker, files: Files, without_network: None) -> Iterator[RecoverTab]:
    galaxy.network.cache_clear()
    tab = RecoverTab(worker, files)
    tab.samples.value = 4
    yield tab
    galaxy.network.cache_clear()


@pytest.fixture
def observed(tmp_path: Path) -> Path:
    data = observed_galaxy((25, 30), 0.168, HSC_WIDE_I.psf(fwhm=0.6), 3000, 2.0)
    header = sky_wcs(0.168, data.shape).to_header()
    header["BUNIT"] = "nJy"
    fits.writeto(tmp_path / "hsc.fits", data.astype(np.float32), header)
    return tmp_path / "hsc.fits"


def test_a_galaxy_is_drawn_recovered_and_clicked(tab: RecoverTab, finish: Finish) -> None:
    finish(tab.recover())
    assert tab.status.text == ""
    recovery = tab.recovery
    assert recovery is not None
    assert recovery.settings.seed == 7
    board = tab.board
    assert "seed 7" in board.words.object
    assert board.sharp.figure.visible
    assert board.best.figure.title.text.startswith("Recovered, mean of 4")
    assert len(board.sources.data["x"]) == len(recovery.sources)
    area = recovery.scene.grid.target_scale**2
    np.testing.assert_allclose(board.best.source.data["value"][0], recovery.best / area, rtol=1e-5)
    board.player.value = 2
    np.testing.assert_allclose(
        board.sample.source.data["value"][0], recovery.samples[2] / area, rtol=1e-5
    )
    assert board.sample.figure.title.text.startswith("Sample 3 of 4")
    board._tapped(SimpleNamespace(x=3.2, y=3.2))
    assert "no source" in board.place.object
    assert board.chosen.data == {"x": [3.2], "y": [3.2]}


def test_the_same_seed_is_what_the_library_gives(tab: RecoverTab, finish: Finish) -> None:
    import clumpygan

    finish(tab.recover())
    chosen = tab.chosen()
    np.testing.assert_array_equal(tab.recovery.best, clumpygan.recover(**chosen).best)  # type: ignore[union-attr]


def test_files_can_be_downloaded(tab: RecoverTab, finish: Finish, content: Content) -> None:
    assert tab.fits.view.disabled
    finish(tab.recover())
    assert not tab.fits.view.disabled
    with fits.open(content(tab.fits)) as hdus:
        assert {"HST", "HSC", "RECOVERED", "ERROR", "SAMPLE"} <= {one.name for one in hdus}
    assert content(tab.regions).read().startswith(b"# Region file format: DS9")
    assert content(tab.picture).read().startswith(b"\x89PNG")


def test_an_image_is_dropped(
    tab: RecoverTab, observed: Path, dropped: Callable[..., dict[str, bytes]]
) -> None:
    tab.source.value = OBSERVED
    assert not tab.seen["depth"].visible
    tab.image.dropper.value = dropped(observed)
    assert tab.recovery is not None
    assert tab.recovery.scene.seeing == pytest.approx(0.6, abs=0.01)
    assert not tab.board.sharp.figure.visible
    assert tab.board.view.visible


def test_the_pixel_scale_is_asked_for_where_the_header_has_none(
    tab: RecoverTab, tmp_path: Path, observed: Path, finish: Finish
) -> None:
    data = fits.getdata(observed)
    fits.writeto(tmp_path / "plain.fits", data)
    tab.source.value = SHARP
    tab.image.dropper.value = {"plain.fits": (tmp_path / "plain.fits").read_bytes()}
    assert tab.recovery is None
    assert "give the pixel scale" in tab.status.text
    tab.source.value = OBSERVED
    finish(tab.recover())
    assert "taken to be 0.168 arcsec" in tab.status.text
    tab.about["pixel_scale"].value = 0.16
    finish(tab.recover())
    assert "taken to be" not in tab.status.text
    assert tab.recovery is not None
    assert tab.recovery.unit == "counts"


def test_settings_are_those_of_where_the_galaxy_comes_from(
    tab: RecoverTab, observed: Path, dropped: Callable[..., dict[str, bytes]]
) -> None:
    assert {"max_hmag", "max_redshift", "seeing", "depth"} <= set(tab.chosen())
    tab.source.value = EXAMPLE
    assert tab.chosen()["example"] == "xdf"
    assert "max_hmag" not in tab.chosen()
    tab.source.value = SHARP
    tab.psf.dropper.value = dropped(observed, "psf.fits")
    assert tab.chosen()["psf"].name == "psf.fits"
    assert tab.chosen()["seeing"] == 0.6
    tab.source.value = OBSERVED
    tab.centre[0].value, tab.centre[1].value = 12.0, 14.0
    chosen = tab.chosen()
    assert "seeing" not in chosen
    assert chosen["position"] == (12.0, 14.0)
    tab.source.value = DRAWN
    assert "psf" not in tab.chosen()


@pytest.mark.parametrize("source", [OBSERVED, SHARP])
def test_a_wrong_image_is_one_line(source: str, tab: RecoverTab, finish: Finish) -> None:
    tab.source.value = source
    finish(tab.recover())
    assert "drop an image first" in tab.status.text
    tab.image.dropper.value = {"a.fits": b"no FITS at all"}
    assert "a.fits" in tab.status.text
    assert "\n" not in tab.status.text
    assert tab.recovery is None
    assert not tab.button.disabled


def test_a_source_is_told_with_its_intervals() -> None:
    from dataclasses import replace

    from clumpygan.evaluation.recovery.sources import find_sources

    recovery = a_recovery()
    sources = find_sources(recovery.samples, 0.1, recovery.nucleus, 0.06)
    recovery = replace(recovery, sources=tuple(sources))
    table = source_table(recovery)
    assert isinstance(table, Table)
    row = table[0]
    rows, which = told_of(recovery, float(row["dx"]) + 0.1, float(row["dy"]))
    assert which == 0
    told = dict(rows)
    assert told["flux"].startswith(f"{row['flux']:.3g} (68 %: ")
    assert told["probability"].startswith("1.00")
    magnitude = 31.4 - 2.5 * np.log10(row["flux"])
    assert told["AB magnitude"].startswith(f"{magnitude:.2f}")
    rows, which = told_of(recovery, -2.4, 0.0)
    assert which is None
    assert dict(rows)["what"] == "no data here"
    rows, _ = told_of(recovery, 50.0, 0.0)
    assert dict(rows)["what"] == "no data here"
