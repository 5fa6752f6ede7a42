"""Pages of cubes and of galaxies: each galaxy is there, labelled, and legible."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from matplotlib.figure import Figure
from scipy.special import ndtr

from clumpygan.plots.cube_rows import CubeRow, Voxels, rows_page
from clumpygan.plots.cube_view import Slit
from clumpygan.plots.galaxies import galaxies_pages
from clumpygan.plots.style import new_figure, written_pages

VELOCITIES = np.linspace(-400.0, 400.0, 25)
NOISE = 0.02
PANELS = 9


def row(position_angle: float, light: float = 1.0, *, noisy: bool = True) -> CubeRow:
    """Return a disk in 24 x 24 pixels that recedes towards a position angle."""
    y, x = np.mgrid[-11.5:12, -11.5:12]
    angle = np.radians(position_angle)
    along, across = -x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    radius = np.hypot(along, 2 * across)
    velocity = 200 * np.tanh(radius / 3) * along / radius
    half = 0.5 * (VELOCITIES[1] - VELOCITIES[0])
    edges = np.append(VELOCITIES - half, VELOCITIES[-1] + half)[:, None, None]
    cube = light * np.exp(-radius / 4) * np.diff(ndtr((edges - velocity) / 40.0), axis=0)
    variance = None
    if noisy:
        cube = cube + np.random.default_rng(1).normal(0, NOISE, cube.shape)
        variance = np.full(cube.shape, NOISE**2)
    return CubeRow(
        cube, variance, f"disk at {position_angle:g} deg", Slit(position_angle, (0.0, 0.0), 0.6),
        0.0, 0.7,
    )  # fmt: skip


def legible(figure: Figure) -> list[str]:
    """Return all texts that are drawn, having checked that none lies over another."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    drawn = list(figure.texts)
    for axis in [*figure.axes, *(bar for one in figure.axes for bar in one.child_axes)]:
        drawn += [*axis.texts, axis.title, axis._left_title, axis.xaxis.label, axis.yaxis.label]
        for side in (axis.xaxis, axis.yaxis):
            low, high = sorted(side.get_view_interval())
            ticks = [one for one in side.get_major_ticks() if low <= one.get_loc() <= high]
            drawn += [label for one in ticks for label in (one.label1, one.label2)]
    shown = [one for one in drawn if one.get_visible() and one.get_text().strip()]
    boxes = [(one.get_text(), one.get_window_extent(renderer)) for one in shown]
    for (words, box), (others, other) in itertools.combinations(boxes, 2):
        over = min(box.x1, other.x1) - max(box.x0, other.x0)
        high = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert over < 2 or high < 2, f"{words!r} lies over {others!r}"
    return [words for words, _ in boxes]


def test_each_galaxy_has_a_row_of_panels() -> None:
    page = rows_page([row(130.0), row(10.0)], Voxels(VELOCITIES, 0.2), title="Two", remark="p. 1")
    panels = [axis for axis in page.axes if axis.images or axis.collections or axis.lines]
    maps = [axis for axis in page.axes if axis.images]
    assert len(panels) >= 2 * PANELS
    assert len(maps) >= 2 * (PANELS - 2)
    words = legible(page)
    for expected in ("Two", "p. 1", "disk at 130 deg", "disk at 10 deg", "Flux", "Velocity",
                     "Dispersion", "Channel maps", "Spectrum", "PSF"):  # fmt: skip
        assert expected in words
    assert words.count('1"') + words.count('0.5"') + words.count('2"') >= 2
    assert words.count("km/s") >= 4
    width, height = page.bbox.width, page.bbox.height
    for text in page.texts:
        box = text.get_window_extent(page.canvas.get_renderer())
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_red_recedes_and_channels_follow_each_other() -> None:
    page = rows_page([row(0.0)], Voxels(VELOCITIES, 0.2))
    velocity = page.axes[1].images[0]
    shown = velocity.get_array()
    assert shown[16, 11] > 80
    assert shown[7, 11] < -80
    red, _, blue, _ = velocity.to_rgba(shown)[16, 11]
    assert red > blue
    titles = [axis.get_title() for axis in page.axes if "km/s" in axis.get_title()]
    spans = [[float(end) for end in one.removesuffix(" km/s").split(" to ")] for one in titles]
    assert len(spans) == 4
    for before, after in itertools.pairwise(spans):
        assert before[1] == after[0]


def test_a_galaxy_that_no_line_stands_out_of_has_its_row() -> None:
    page = rows_page([row(0.0, 0.0), row(90.0, noisy=False)], Voxels(VELOCITIES, 0.2))
    assert legible(page).count("no line above the noise") == 2
    assert np.isfinite(page.axes[0].images[0].get_array()).all()


def test_galaxies_come_brightest_first_and_all_of_them() -> None:
    generator = np.random.default_rng(0)
    magnitudes = generator.uniform(20, 26, 70)
    images = generator.normal(size=(70, 16, 16))
    images[:, 8, 8] += 1000 * 10 ** (-0.4 * (magnitudes - 20))
    table = Table({"h_magnitude": magnitudes, "redshift": np.full(70, 0.5)})
    first, second = galaxies_pages(images, table, 0.06, "Galaxies")
    assert [len([axis for axis in page.axes if axis.images]) for page in (first, second)] == [64, 6]
    told = [word for page in (first, second) for word in legible(page) if word.startswith("H = ")]
    assert told == [f"H = {one:.1f}" for one in sorted(magnitudes)]
    peaks = [axis.images[0].get_array().max() for axis in first.axes]
    assert peaks[0] == images.max()
    assert "page 2 of 2" in legible(second)
    assert legible(first).count('0.3"') == 64


def test_one_galaxy_has_a_page_that_holds_its_words() -> None:
    table = Table({"h_magnitude": [21.0], "redshift": [0.5]})
    (page,) = galaxies_pages(np.ones((1, 64, 64)), table, 0.06, "Generated galaxies, seed 12345")
    legible(page)
    for text in page.texts:
        box = text.get_window_extent(page.canvas.get_renderer())
        assert box.x0 >= 0
        assert box.x1 <= page.bbox.width


def test_pages_are_written_all_or_none(tmp_path: Path) -> None:
    def pages(count: int, broken: bool = False):
        for _ in range(count):
            yield new_figure(1, 1)
        if broken:
            raise RuntimeError("no more")

    with written_pages(tmp_path / "a.png", pages(3)) as names:
        assert not (tmp_path / "a.png").exists()
    assert [one.name for one in names] == ["a.png", "a_2.png", "a_3.png"]
    assert sorted(tmp_path.iterdir()) == names
    with written_pages(tmp_path / "a.pdf", pages(2)) as names:
        pass
    assert (tmp_path / "a.pdf").read_bytes().count(b"/Type /Page ") == 2
    before = sorted(tmp_path.iterdir())
    for name in ("b.png", "b.pdf"):
        with (
            pytest.raises(RuntimeError, match="no more"),
            written_pages(tmp_path / name, pages(2, broken=True)),
        ):
            pass
    assert sorted(tmp_path.iterdir()) == before


def test_spectra_reach_over_all_lines() -> None:
    near, beside = row(40.0), np.zeros((24, 24, 24))
    one = replace(
        near,
        cube=np.concatenate([beside, near.cube, beside]),
        variance=np.full((73, 24, 24), NOISE**2),
    )
    two = replace(one, lines=((0.0, 1.0), (300.0, 0.4)))
    velocities = np.linspace(-1200.0, 1200.0, 73)
    spans = []
    for each in (one, two):
        spectrum = rows_page([each], Voxels(velocities, 0.2)).axes[-1]
        low, high = spectrum.get_xlim()
        spans.append(high - low)
        marked = [line.get_xdata()[0] for line in spectrum.lines if len(line.get_xdata()) == 2]
        assert {offset for offset, _ in each.lines} <= set(marked)
    assert spans[1] > spans[0] + 50
