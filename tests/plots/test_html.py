import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest

from clumpygan.evaluation.realism.image_statistics import FEATURES, NAMES
from clumpygan.evaluation.realism.neighbours import Neighbours
from clumpygan.evaluation.realism.realism import Realism, measure_realism
from clumpygan.plots.reports.html import realism_page
from clumpygan.plots.reports.realism import (
    histograms,
    interpolation,
    neighbour_pairs,
    power_spectra,
    stamp_grids,
)
from clumpygan.plots.style import Picture

SIDE = 32


@pytest.fixture(scope="module")
def sets() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE] - 15.5
    galaxy = 30.0 * np.exp(-0.5 * (x**2 + y**2) / 4.0)
    names = ("reference", "held-out real", "made <&>")
    return {name: galaxy + generator.normal(size=(30, SIDE, SIDE)) for name in names}


@pytest.fixture(scope="module")
def result(sets) -> Realism:
    reference, *others = sets
    return measure_realism(
        sets[reference],
        {name: sets[name] for name in others},
        generator=np.random.default_rng(2),
        pixel_epochs=0,
    )


def pixels(picture: Picture) -> np.ndarray:
    image = matplotlib.image.imread(BytesIO(picture.png))
    assert image.std() > 0.01
    return image


def test_every_picture_is_drawn(sets, result):
    found = Neighbours(np.arange(30.0), np.arange(30) % 7, np.arange(30) % 8)
    strips = sets["reference"][:10].reshape(2, 5, SIDE, SIDE)
    pictures = [
        stamp_grids(sets),
        histograms(result),
        power_spectra(sets, 0.06),
        neighbour_pairs("made", sets["made <&>"], sets["reference"], found),
        interpolation(strips),
    ]
    assert len({picture.name for picture in pictures}) == 5
    for picture in pictures:
        assert pixels(picture).shape[1] > 300
        assert picture.caption


def test_a_grid_of_few_stamps_is_small(sets):
    few = {name: images[:5] for name, images in sets.items()}
    np.testing.assert_array_equal(pixels(stamp_grids(few)), pixels(stamp_grids(sets, 2)))
    assert pixels(stamp_grids(sets, 5)).shape > pixels(stamp_grids(few)).shape


def test_the_page_is_whole_and_needs_nothing_else(result):
    picture = Picture("one", "A title", "5 < 6", b"\x89PNG and so on")
    report = SimpleNamespace(result=result, facts=lambda: {"real": "a folder & more"})
    page = realism_page(report, [picture], "Realism")

    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open, self.sources = [], []

        def handle_starttag(self, tag, attributes):
            if tag not in ("img", "meta"):
                self.open.append(tag)
            self.sources += [value for name, value in attributes if name in ("src", "href")]

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert len(checker.sources) == 1
    data = re.fullmatch("data:image/png;base64,(.*)", checker.sources[0])
    assert base64.b64decode(data[1]) == picture.png
    assert "http" not in page
    assert "made &lt;&amp;&gt;" in page
    assert "a folder &amp; more" in page
    assert "5 &lt; 6" in page
    assert "Frechet distance" in page
    assert "&plusmn;" in page
    assert all(f"<td>{NAMES[name]}</td>" in page for name in FEATURES)
