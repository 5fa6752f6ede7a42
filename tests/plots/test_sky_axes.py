"""Pictures in right ascension and declination: ticks lie on the sky, whichever way it is turned."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from astropy.wcs import WCS, Sip
from matplotlib.figure import Figure

from clumpygan.errors import InputWarning
from clumpygan.io.wcs import wcs_in_arcsec
from clumpygan.plots.sky_axes import label_sides, sky_projection
from clumpygan.plots.style import new_figure, show_map
from tests.recovery.examples import a_recovery

SHAPE, SCALE = (30, 41), 0.168


def turned_wcs(angle: float, sip: bool = False) -> WCS:
    """Return a WCS of SHAPE, north `angle` degrees from +y towards -x."""
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.1, 2.2], [12.0, 25.0]
    wcs.wcs.cd = SCALE / 3600 * np.array([[-cosine, -sine], [-sine, cosine]])
    if sip:
        wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
        a = np.zeros((3, 3))
        a[2, 0], a[1, 1] = 1e-3, -2e-3
        wcs.sip = Sip(a, -a, None, None, wcs.wcs.crpix)
    return wcs


def drawn(angle: float) -> tuple[Figure, WCSAxes]:
    figure = new_figure(4, 4, None)
    sky = sky_projection(True, turned_wcs(angle), SHAPE, SCALE)
    axis = figure.add_axes((0.2, 0.2, 0.7, 0.7), projection=sky)
    y, x = (0.5 * count * SCALE for count in SHAPE)
    show_map(axis, np.zeros(SHAPE), SCALE, (-x, x, -y, y))
    label_sides(axis, left=True, bottom=True, size=12)
    figure.draw_without_rendering()
    return figure, axis


@pytest.mark.parametrize("sip", [False, True])
@pytest.mark.parametrize("angle", [0.0, 37.0, -120.0])
def test_arcsec_of_a_picture_are_where_the_pixels_are(angle: float, sip: bool) -> None:
    wcs = turned_wcs(angle, sip)
    centre = (7.5, 30.0)
    moved = wcs_in_arcsec(wcs, centre, SCALE)
    for x, y in ((0.0, 0.0), (40.0, 29.0), (13.0, 2.5)):
        there = wcs.pixel_to_world(x, y)
        here = moved.pixel_to_world(SCALE * (x - centre[0]), SCALE * (y - centre[1]))
        assert there.separation(here).arcsec < 1e-6
    # The middle of the image, unless it is said.
    middle = sky_projection(True, wcs, SHAPE, SCALE)
    assert middle.pixel_to_world(0, 0).separation(wcs.pixel_to_world(20.0, 14.5)).arcsec < 1e-6


@pytest.mark.parametrize(
    ("angle", "below", "beside"),
    [(0.0, "RA", "Dec"), (30.0, "RA", "Dec"), (180.0, "RA", "Dec"), (90.0, "Dec", "RA"),
     (-70.0, "Dec", "RA")],
)  # fmt: skip
def test_turned_images_have_each_coordinate_where_it_changes(angle, below, beside) -> None:
    _, axis = drawn(angle)
    names = {"RA": axis.coords[0], "Dec": axis.coords[1]}
    assert names[below].get_axislabel() == below
    assert names[below].get_axislabel_position() == ["b"]
    assert names[beside].get_axislabel_position() == ["l"]
    for name, side in ((below, "b"), (beside, "l")):
        # Ticks are there, and where the sky has those values.
        found = np.array(names[name]._ticks.pixel[side])
        values = np.array(names[name]._ticks.world[side])
        assert len(values) >= 2
        sky = turned_wcs(angle).pixel_to_world(
            found[:, 0] / SCALE + 20.0, found[:, 1] / SCALE + 14.5
        )
        angles = sky.ra.deg if name == "RA" else sky.dec.deg
        np.testing.assert_allclose(values, angles, rtol=0, atol=0.02 / 3600)


def test_a_mirrored_or_galactic_image_has_its_own_names() -> None:
    wcs = turned_wcs(0.0)
    wcs.wcs.ctype, wcs.wcs.crval = ["GLAT-TAN", "GLON-TAN"], [2.2, 150.1]
    figure = new_figure(4, 4, None)
    axis = figure.add_axes((0.2, 0.2, 0.7, 0.7), projection=sky_projection(True, wcs, SHAPE, SCALE))
    axis.set_xlim(-3, 3)
    axis.set_ylim(-3, 3)
    label_sides(axis, left=True, bottom=False, size=12)
    figure.draw_without_rendering()
    shown = {one.get_axislabel() for one in axis.coords}
    assert shown in ({"l", ""}, {"b", ""})


def test_a_recovery_in_world_coordinates() -> None:
    recovery = a_recovery()
    assert not any(isinstance(axis, WCSAxes) for axis in recovery.plot().axes)
    known = replace(recovery, scene=replace(recovery.scene, reference_wcs=turned_wcs(10.0)))
    figure = known.plot(wcs=True)
    figure.draw_without_rendering()
    panels = [axis for axis in figure.axes if isinstance(axis, WCSAxes)]
    assert len(panels) == 7
    labelled = [{one.get_axislabel() for one in axis.coords} for axis in panels]
    assert sum("RA" in names for names in labelled) == 3
    assert sum("Dec" in names for names in labelled) == 2
    unknown = replace(recovery, scene=replace(recovery.scene, reference_wcs=None))
    with pytest.warns(InputWarning, match="aren't known"):
        figure = unknown.plot(wcs=True)
    assert not any(isinstance(axis, WCSAxes) for axis in figure.axes)
