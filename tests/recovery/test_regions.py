"""Regions of ds9: what another reader of such files makes of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits

import clumpygan
from clumpygan.errors import InputError
from clumpygan.instruments import HSC_WIDE_I
from clumpygan.recovery import Recovery
from clumpygan.recovery.catalogue import LIKELY, SMALLEST_CIRCLE, source_table
from tests.recovery.examples import WienerResolver, galaxy

regions = pytest.importorskip("regions")

pytestmark = pytest.mark.usefixtures("without_network")

SEEING = HSC_WIDE_I.psf(fwhm=0.7)
QUICK = {"seed": 3, "samples": 4, "richardson_lucy": False, "seeing": 0.7}


def recovered(source: object, **choices: object) -> Recovery:
    recovery = clumpygan.recover(source, **QUICK, **choices)
    assert len(recovery.sources) > 0
    return recovery


def test_circles_lie_on_the_sky_where_the_sources_are(
    tmp_path: Path, save: Callable[..., Path]
) -> None:
    path = save("hsc.fits", galaxy((40, 45), 0.168, SEEING, 2000, 0.5).astype(np.float32), 0.168)
    recovery = recovered(path)
    recovery.write_regions(tmp_path / "a.reg")
    read = regions.Regions.read(tmp_path / "a.reg")
    table = source_table(recovery)
    assert len(read) == len(table)
    chance = WienerResolver.clump_probability.of(table["share"], QUICK["samples"])
    expected = np.where(table["nucleus"], table["share"], chance)
    assert np.array(table["probability"]) == pytest.approx(expected)
    for one, row in zip(read, table, strict=True):
        assert one.center.ra.deg == pytest.approx(row["ra"], abs=1e-6)
        assert one.center.dec.deg == pytest.approx(row["dec"], abs=1e-6)
        expected = max(row["half_light_radius"], SMALLEST_CIRCLE)
        assert one.radius.to_value(units.arcsec) == pytest.approx(expected, abs=1e-3)
        assert float(one.meta["text"]) == pytest.approx(row["probability"], abs=0.006)
    lines = [line for line in (tmp_path / "a.reg").read_text().splitlines() if "circle" in line]
    assert [("dash=1" in line) for line in lines] == list(table["probability"] < LIKELY)
    assert [("cyan" in line) for line in lines] == list(table["nucleus"])


@pytest.mark.parametrize(
    "system",
    [
        {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"},
        {"RADESYS": "FK4", "EQUINOX": 1950.0},
        {"RADESYS": "FK5", "EQUINOX": 1975.0},
    ],
)
def test_other_systems_of_coordinates(
    tmp_path: Path, save: Callable[..., Path], system: dict[str, object]
) -> None:
    path = save("hsc.fits", galaxy((40, 45), 0.168, SEEING, 2000, 0.5).astype(np.float32), 0.168)
    with fits.open(path, mode="update") as hdus:
        hdus[-1].header.update(system)
    recovery = recovered(path)
    recovery.write_regions(tmp_path / "a.reg")
    read = regions.Regions.read(tmp_path / "a.reg")
    for one, row in zip(read, source_table(recovery), strict=True):
        true = recovery.wcs.pixel_to_world(row["x"], row["y"])
        assert one.center.icrs.separation(true.icrs).arcsec < 1e-3
        assert row["ra"] == pytest.approx(true.icrs.ra.deg, abs=1e-9)


@pytest.mark.parametrize("name", ["J2000", "icrs"])
def test_a_system_of_another_name_is_taken_for_icrs(
    tmp_path: Path, save: Callable[..., Path], name: str
) -> None:
    image = galaxy((40, 45), 0.168, SEEING, 2000, 0.5).astype(np.float32)
    recovery = recovered(save("hsc.fits", image, 0.168, RADESYS=name))
    for row in source_table(recovery):
        true = [float(one) for one in recovery.wcs.all_pix2world(row["x"], row["y"], 0)]
        assert (row["ra"], row["dec"]) == pytest.approx(true, abs=1e-9)


def test_a_name_of_two_lines_breaks_no_file(tmp_path: Path, save: Callable[..., Path]) -> None:
    image = galaxy((40, 45), 0.168, SEEING, 2000, 0.5).astype(np.float32)
    recovery = recovered(save("a\ncircle(b.fits", image, 0.168))
    assert "\n" in recovery.scene.title
    recovery.write_regions(tmp_path / "a.reg")
    assert len(regions.Regions.read(tmp_path / "a.reg")) == len(recovery.sources)
    assert len((tmp_path / "a.reg").read_text().splitlines()) == 3 + len(recovery.sources)


def test_without_a_wcs_they_are_in_pixels_from_one(tmp_path: Path) -> None:
    image = galaxy((40, 45), 0.168, SEEING, 2000, 0.5).astype(np.float32)
    recovery = recovered(image, pixel_scale=0.168, unit="nJy")
    recovery.write_regions(tmp_path / "a.reg")
    # The package counts pixels from 0, the file from 1.
    read = regions.Regions.read(tmp_path / "a.reg")
    for one, row in zip(read, source_table(recovery), strict=True):
        assert (one.center.x, one.center.y) == pytest.approx((row["x"], row["y"]), abs=1e-3)
        scale = recovery.scene.grid.target_scale
        expected = max(row["half_light_radius"], SMALLEST_CIRCLE) / scale
        assert one.radius == pytest.approx(expected, abs=1e-2)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    image = galaxy((40, 45), 0.168, SEEING, 2000, 0.5).astype(np.float32)
    recovery = recovered(image, pixel_scale=0.168, unit="nJy")
    with pytest.raises(InputError, match="nowhere"):
        recovery.write_regions(tmp_path / "nowhere" / "a.reg")
