"""The tab of what networks make, without a browser."""

import zipfile

import pytest
from astropy.io import fits

from clumpygan.app.generate_tab import CUBES, GALAXIES, GenerateTab
from clumpygan.app.work import Worker
from clumpygan.errors import InputError
from clumpygan.generation.cubes import GeneratedCubes
from tests.app.conftest import Content, Finish


@pytest.fixture
def tab(worker: Worker) -> GenerateTab:
    return GenerateTab(worker)


def test_galaxies_of_the_ranges_are_made_and_downloaded(
    tab: GenerateTab, finish: Finish, content: Content
) -> None:
    tab.count[GALAXIES].value = 2
    tab.ranges[GALAXIES]["magnitude"].value = (21.0, 22.0)
    finish(tab.generate())
    assert tab.status.text == ""
    assert tab.picture.object.startswith(b"\x89PNG")
    assert "2 galaxies, seed 3" in tab.caption.object
    with fits.open(content(tab.file)) as hdus:
        table = hdus["GALAXIES"].data
        assert len(table) == 2
        assert (table["h_magnitude"] >= 21).all()
        assert (table["h_magnitude"] <= 22).all()


@pytest.mark.parametrize("count", [1, 2])
def test_cubes_of_the_ranges_are_made_and_downloaded(
    count: int, tab: GenerateTab, finish: Finish, content: Content
) -> None:
    tab.what.value = CUBES
    assert tab.of[CUBES].visible
    assert not tab.of[GALAXIES].visible
    tab.count[CUBES].value = count
    tab.ranges[CUBES]["inclination"].value = (50.0, 60.0)
    finish(tab.generate())
    assert f"{count} cube{'s' * (count > 1)}, seed 3" in tab.caption.object
    packed = content(tab.file)
    if count == 1:
        with fits.open(packed) as hdus:
            inclination = hdus[0].header["HIERARCH CLUMPYGAN inclination"]
    else:
        with zipfile.ZipFile(packed) as archive:
            assert sum(name.endswith(".fits") for name in archive.namelist()) == 3
            with archive.open("cubes/cubes.fits") as file, fits.open(file) as hdus:
                inclination = hdus[1].data["inclination"].max()
    assert 50 <= inclination <= 60


def test_ranges_without_galaxies_are_one_line(
    tab: GenerateTab, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**chosen: object) -> None:
        raise InputError("there are none:\nwiden the ranges")

    # To find that out takes ten thousand galaxies.
    monkeypatch.setattr("clumpygan.app.generate_tab.generate_galaxies", refuse)
    finish(tab.generate())
    assert "widen the ranges" in tab.status.text
    assert not tab.picture.visible
    assert not tab.button.disabled


def test_without_noise_there_is_none(tab: GenerateTab) -> None:
    tab.what.value = CUBES
    tab.count[CUBES].value = 1
    tab.noiseless.value = True
    made = tab._cubes()[0]
    assert isinstance(made, GeneratedCubes)
    assert made.variance is None
