"""Sliders of a disk: a change is rendered and drawn, without a browser too."""

import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from clumpygan.errors import InputError
from clumpygan.galaxies import CubeGrid, render_cube
from clumpygan.plots.disk_widget import SLIDERS, DiskWidget

pytest.importorskip("ipywidgets")

GRID = CubeGrid.velocities((10, 16, 16), 0.25, 80.0)


@pytest.fixture(scope="module")
def widget() -> DiskWidget:
    return DiskWidget(GRID, inclination=40, position_angle=90, maximum_velocity=200)


def picture_of(widget: DiskWidget) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(widget._picture.value)).convert("RGB")).astype(int)


def test_a_slider_that_is_moved_renders_and_draws(widget: DiskWidget) -> None:
    assert set(widget.sliders) == set(SLIDERS)
    before, drawn = widget.cube.copy(), picture_of(widget)
    widget.sliders["inclination"].value = 75.0  # as a browser does it
    assert widget.galaxy.inclination == widget["inclination"] == 75.0
    assert widget.galaxy.maximum_velocity == 200
    np.testing.assert_array_equal(widget.cube, render_cube(widget.galaxy, GRID))
    assert np.abs(widget.cube - before).max() > 0.01 * before.max()
    # The same size, another picture.
    assert (np.abs(picture_of(widget) - drawn) > 30).mean() > 0.01
    widget["inclination"] = 40.0
    np.testing.assert_array_equal(widget.cube, before)
    assert (picture_of(widget) == drawn).all()


def test_the_picture_has_maps_and_channels(widget: DiskWidget) -> None:
    titles = [axis.get_title(loc="left") or axis.get_title() for axis in widget.figure.axes]
    assert titles[:3] == ["Flux", "Velocity", "Dispersion"]
    assert sum(title.endswith("km/s") for title in titles) == 5


def test_face_on_and_still_disks_are_drawn() -> None:
    widget = DiskWidget(GRID, sliders=["inclination", "maximum_velocity"])
    widget["inclination"] = 0.0
    widget["maximum_velocity"] = 0.0
    assert len(widget.figure.axes) >= 8


def test_what_cant_be_rendered_leaves_all_as_it_was() -> None:
    widget = DiskWidget(GRID, inclination=90, half_light_radius=1.5, maximum_velocity=0)
    galaxy, cube, drawn = widget.galaxy, widget.cube, picture_of(widget)
    widget.sliders["sersic_index"].value = 4.0  # as a browser does it: a cusp, seen edge-on
    assert widget._refusal.value.startswith("sersic_index 4: ")
    assert "rings would be needed" in widget._refusal.value
    with pytest.raises(InputError, match="rings would be needed"):
        widget["sersic_index"] = 4.0
    assert widget.sliders["sersic_index"].value == widget["sersic_index"] == galaxy.sersic_index
    assert widget.galaxy is galaxy
    assert widget.cube is cube
    assert (picture_of(widget) == drawn).all()
    widget.sliders["inclination"].value = 80.0
    assert widget._refusal.value == ""
    np.testing.assert_array_equal(widget.cube, render_cube(widget.galaxy, GRID))


@pytest.mark.parametrize("value", [200.0, -1.0, np.nan])
def test_values_beyond_the_ends_of_a_slider_are_refused(widget: DiskWidget, value: float) -> None:
    galaxy = widget.galaxy
    with pytest.raises(InputError, match=r"inclination is .*; expected 0 to 90, where its slider"):
        widget["inclination"] = value
    assert widget.galaxy is galaxy
    assert widget.sliders["inclination"].value == galaxy.inclination


def test_a_notebook_shows_the_sliders(widget: DiskWidget) -> None:
    shown = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert "inclination" in shown["text/plain"]


def test_sliders_of_ones_own() -> None:
    widget = DiskWidget(GRID, sliders={"radial_velocity": (-80.0, 80.0)}, inclination=60)
    before = widget.cube.copy()
    widget["radial_velocity"] = 60.0
    assert np.abs(widget.cube - before).max() > 0.01 * before.max()


def test_bad_names_and_values_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"'radial_velocity' has no ends here.*mapping"):
        DiskWidget(GRID, sliders=["radial_velocity"])
    with pytest.raises(InputError, match="no parameter of disks is called 'speed'"):
        DiskWidget(GRID, sliders={"speed": (0, 1)})
    with pytest.raises(InputError, match="inclination"):
        DiskWidget(GRID, sliders={"inclination": (0, 1e9)})
    with pytest.raises(InputError, match="no slider 'g1': expected one of inclination"):
        DiskWidget(GRID, sliders=["inclination"])["g1"] = 0.1
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(InputError, match=r"clumpygan\[notebook\]"):
        DiskWidget(GRID)
