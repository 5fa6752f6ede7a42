"""What `generate.py` makes, from Python."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import clumpygan
from clumpygan.errors import InputError, InputWarning
from clumpygan.fitting.input_cubes import input_cube
from clumpygan.fitting.settings import FitSettings
from clumpygan.generation import generate_cubes, write_cubes
from clumpygan.generation.cubes import cube_maker
from clumpygan.generation.settings import CubesSettings
from clumpygan.io import read_cube


def test_galaxies_are_those_that_are_asked_for(tmp_path):
    made = clumpygan.generate_galaxies(5, seed=3, magnitude=(21, 23), redshift=(0.5, 1.5))
    assert made.images.shape == made.noiseless.shape == (5, 64, 64)
    assert (made.images - made.noiseless).std() == pytest.approx(made.sigma, rel=0.1)
    assert made.table["h_magnitude"].min() >= 21
    assert 0.5 <= made.table["redshift"].min() <= made.table["redshift"].max() <= 1.5
    again = clumpygan.generate_galaxies(5, seed=3, magnitude=(21, 23), redshift=(0.5, 1.5))
    np.testing.assert_array_equal(made.images, again.images)
    made.write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus["IMAGES"].data, made.images)
    assert len(made.plot().axes) >= 5


def test_cubes_are_those_of_the_files(tmp_path):
    choices = {"inclination": (40, 70), "seed": 1, "smooth": True, "signal_to_noise": 8}
    made = clumpygan.generate_cubes(3, **choices)
    assert made.cubes.shape == (3, *made.grid.shape)
    assert 40 <= made.table["inclination"].min() <= made.table["inclination"].max() <= 70
    made.write(tmp_path / "a.fits")
    write_cubes(tmp_path / "b.fits", 3, **choices)
    for name in "ab":
        table = Table.read(tmp_path / f"{name}.fits")
        np.testing.assert_array_equal(table["inclination"], made.table["inclination"])
        for row, cube, variance in zip(table, made.cubes, made.variance, strict=True):
            found = read_cube(tmp_path / row["file"].strip())
            np.testing.assert_array_equal(found.data, cube)
            np.testing.assert_array_equal(found.variance, variance)
    assert len(made.plot().axes) >= 9


def test_galaxies_of_a_population_are_drawn_once(monkeypatch):
    maker = cube_maker(CubesSettings(n=3, population="gas_disks", shape=(8, 16, 16)), {})
    drawn = []
    draw = type(maker)._draw
    monkeypatch.setattr(
        type(maker), "_draw", lambda own, seed, i: drawn.append(i) or draw(own, seed, i)
    )
    made = maker.make(4, range(3))
    assert drawn == [0, 1, 2]
    maker.table(4, 40)
    for one, two in zip(made, maker.make(4, range(3)), strict=True):
        np.testing.assert_array_equal(one.data, two.data)


@pytest.mark.parametrize("population", ["network", "clumpy_disks", "gas_disks"])
def test_half_light_radii_are_those_of_the_galaxies_own_light(population):
    """By the curves of growth of cubes seen face-on, beside those of their smooth disks."""
    choices = {"population": population, "inclination": 12.0, "seeing": 0.5, "seed": 2,
               "half_light_radius": (0.7, 0.9), "shape": (12, 48, 48), "pixel_scale": 0.15,
               "noiseless": True}  # fmt: skip
    clumpy, smooth = (generate_cubes(3, smooth=one, **choices) for one in (False, True))
    table = clumpy.table
    own, disk = table["half_light_radius"], table["disk_half_light_radius"]
    np.testing.assert_array_equal(disk, smooth.table["half_light_radius"])
    assert own.unit == disk.unit == "arcsec"
    assert "disk_half_light_radius" not in smooth.table.colnames
    index = table["sersic_index"]
    np.testing.assert_array_equal(table["disk_sersic_index"], smooth.table["sersic_index"])
    assert np.abs(index / table["disk_sersic_index"] - 1).max() > 0.08
    y, x = 0.15 * (np.indices((48, 48)) - 23.5)
    squares = []
    for row, *cubes in zip(table, clumpy.cubes, smooth.cubes, strict=True):
        radius = np.hypot(x - row["offset_x"], y - row["offset_y"]).ravel()
        order = np.argsort(radius)
        for cube in cubes:
            grown = np.cumsum(cube.sum(0).ravel()[order])
            squares.append(np.interp(0.5 * grown[-1], grown, radius[order]) ** 2)
    # The PSF adds to the squares, as much to those of the smooth disks.
    found = np.sqrt(np.array(disk) ** 2 + squares[::2] - np.array(squares[1::2]))
    larger, expected = np.log(found / disk), np.log(own / disk)
    assert np.abs(expected).max() > 0.08
    # Clumps in the centre grow by more than the square of the PSF.
    assert larger @ expected / (expected @ expected) == pytest.approx(1.0, abs=0.35)


def test_the_limits_between_which_the_training_drew_are_accepted():
    for name, low, high in (
        ("seeing", 0.5, 0.8), ("half_light_radius", 0.5, 1.1), ("inclination", 10, 85),
        ("maximum_velocity", 50, 300), ("velocity_dispersion", 20, 80), ("sersic_index", 0.6, 1.6),
        ("turnover_radius", 0.05, 0.4), ("scale_height", 0.02, 0.2),
    ):  # fmt: skip
        for end in (low, high):
            made = clumpygan.generate_cubes(1, smooth=True, noiseless=True, seed=1, **{name: end})
            assert made.table.meta["NETWORK"] == "cube_gan"
    told = r"seeing \(0.5 to 0.8 arcsec\); the nearest is 0.5; `checkpoint` cube_gas has seen it$"
    with pytest.raises(InputError, match=told):
        clumpygan.generate_cubes(1, checkpoint="cube_gan", seeing=0.48, smooth=True, seed=1)


def test_the_network_is_one_that_has_seen_what_is_asked_for():
    made = clumpygan.generate_cubes(1, seeing=0.48, smooth=True, seed=1)
    assert made.table.meta["NETWORK"] == "cube_gas"
    with pytest.raises(InputError, match=r"seeing \(0.1 to 1.2 arcsec\); the nearest is 0.1$"):
        clumpygan.generate_cubes(1, seeing=0.05, smooth=True, seed=1)


@pytest.mark.parametrize(
    ("instrument", "network", "seeing", "shape", "band"),
    [
        # As wide as the training, in km/s and arcsec.
        ("kmos", "cube_gan", 0.6, (37, 24, 24), "kmos_h"),
        ("jwst_nirspec_ifu", "cube_gas", 0.12, (26, 96, 96), "jwst_nirspec_ifu_g235h"),
    ],
)
def test_instruments_have_their_own_seeing_line_and_field(
    instrument, network, seeing, shape, band, tmp_path
):
    made = clumpygan.generate_cubes(
        1, instrument=instrument, maximum_velocity=(100, 200), inclination=(40, 60), seed=1
    )
    assert made.table.meta["NETWORK"] == network
    assert made.table["seeing"][0] == seeing
    assert made.cubes.shape == (1, *shape)
    assert made.frame.lines == (6564.61,)
    made.write(tmp_path / "a.fits")
    cube, settings = input_cube(tmp_path / "a.fits", FitSettings(instrument=instrument))
    assert (settings.instrument, settings.psf_fwhm) == (band, seeing)
    assert cube.data.shape == shape


def test_an_instrument_a_little_sharper_than_the_training_has_the_nearest_seeing():
    with pytest.warns(InputWarning, match=r"muse_nfm has a seeing of 0.08 arcsec; cubes have 0.1"):
        made = clumpygan.generate_cubes(
            1, instrument="muse_nfm", shape=(16, 24, 24), smooth=True, seed=1
        )
    assert (made.table["seeing"][0], made.frame.grid.pixel_scale) == (0.1, 0.025)
    with pytest.raises(InputError, match=r"seeing of 0.12: cube_gan .* `checkpoint` cube_gas has"):
        clumpygan.generate_cubes(1, checkpoint="cube_gan", instrument="jwst_nirspec_ifu")


def test_galaxies_of_a_population_are_seen_as_the_instrument_sees():
    made = clumpygan.generate_cubes(
        1, population="clumpy_disks", instrument="jwst_nirspec_ifu", line="oiii", redshift=5.5,
        shape=(16, 24, 24), seed=1,
    )  # fmt: skip
    assert made.frame.instrument.name == "jwst_nirspec_ifu_g395h"
    # Fitted to the formula in the middle of the band, where it is 0.139.
    along = 0.12 + 1.9 * 3.255 * np.exp(-24.4 / 3.255)
    assert made.table["seeing"][0] == pytest.approx(along, rel=0.1)


def test_a_mock_cube_holds_its_truth(tmp_path):
    mock = clumpygan.generate_cube(
        inclination=60, clumps=2, instrument="muse_wfm", shape=(16, 10, 10), exposure_time=3600,
        seed=4,
    )  # fmt: skip
    assert (mock.galaxy.inclination, len(mock.galaxy.clumps), mock.seed) == (60, 2, 4)
    mock.write(tmp_path / "a.fits")
    found = read_cube(tmp_path / "a.fits")
    np.testing.assert_array_equal(found.data, mock.data)
    np.testing.assert_allclose(found.variance, mock.variance, rtol=1e-6)
    assert mock.plot().axes


@pytest.mark.parametrize(
    ("make", "choices", "words"),
    [
        (clumpygan.generate_cube, {"inclinaton": 60}, "there is no 'inclinaton' (did you mean inc"),
        (clumpygan.generate_cube, {"inclination": 95}, "inclination is 95 deg; expected"),
        (clumpygan.generate_cube, {"curve": "flat"}, "`curve` is 'flat': expected one of arctan"),
        (clumpygan.generate_cube, {"noise": 1.0, "noiseless": True}, "both say how noisy"),
        (clumpygan.generate_galaxies, {"magnitud": 22}, "(did you mean magnitude?)"),
        (clumpygan.generate_galaxies, {"magnitude": (23, 22)}, "expected the lower end first"),
        (clumpygan.generate_galaxies, {"redshift": 9}, "`redshift` is 9: expected"),
        (clumpygan.generate_cubes, {"inclination": "steep"}, "expected a number, or LOW and HIGH"),
        (clumpygan.generate_cubes, {"mass": 3}, "there is no 'mass'"),
        (clumpygan.generate_cubes, {"n": 0}, "`n` is 0: expected an integer from 1"),
    ],
)
def test_bad_choices_are_named(make, choices, words):
    with pytest.raises(InputError) as caught:
        make(**choices)
    assert words in str(caught.value)
    assert "--" not in str(caught.value)
