"""Cubes of clumpy galaxies in batches: reproducible, turned with their parameters, resumed."""

import json

import numpy as np
import pytest
import torch

from clumpygan.data.augment import turned_cube, turned_parameters
from clumpygan.data.cubes import galaxy_cube_sample
from clumpygan.data.cubes.galaxy_cube_sample import (
    GalaxyCubeSettings,
    open_galaxy_cubes,
    render_galaxies,
    render_realisations,
)
from clumpygan.data.cubes.galaxy_cubes import GalaxyCubeDataModule
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies import CubeGrid
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS
from clumpygan.gan.cube_rendering import ConditionRenderer

NAMES = list(CUBE_CONDITIONS)
SMALL = {
    "frame": {"shape": [8, 16, 16], "instrument": "muse_wfm", "channel_width": 3.0},
    "parameters": {"half_light_radius": [0.5, 0.8], "bulge_fraction": 0.0},
    "disks": {"most_clumps": 3, "turbulence": {"side": 16}},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cubes")


@pytest.fixture(scope="module")
def data(cache):
    module = GalaxyCubeDataModule(
        seed=1,
        cache=str(cache),
        galaxies=SMALL,
        train_size=6,
        val_size=4,
        test_size=4,
        batch_size=2,
        images_per_epoch=4,
    )
    module.setup()
    return module


def test_cubes_have_the_peak_that_is_said_and_their_smooth_disk(data):
    item = data.dataset("val")[0]
    assert item["cube"].shape == item["smooth"].shape == item["noise"].shape == (1, 8, 16, 16)
    assert item["cube"].max() == pytest.approx(float(item["signal_to_noise"]), rel=2e-3)
    assert 5 <= item["signal_to_noise"] <= 30
    assert item["cube"].sum() == pytest.approx(item["smooth"].sum(), rel=0.1)
    # It isn't smooth.
    away = np.abs(item["cube"] - item["smooth"]).sum()
    assert 0.02 < away / item["cube"].sum() < 1
    flux = item["parameters"][NAMES.index("flux")]
    assert item["cube"].sum() == pytest.approx(flux, rel=0.1)


def test_smooth_disks_are_those_of_the_conditions(data):
    """As the generators' renderer makes them from the conditions alone."""
    item = data.dataset("val")[1]
    renderer = ConditionRenderer(NAMES, data.frame, accuracy=1e-3)
    expected = renderer(torch.from_numpy(item["parameters"])[None])[0].numpy()
    assert np.abs(item["smooth"] - expected).max() < 0.01 * expected.max()


def test_items_depend_on_seed_split_index_and_turn_alone(data, cache):
    dataset, again = data.dataset("train"), data.dataset("train")
    for key, value in dataset[(1, 2)].items():
        assert np.array_equal(value, again[(1, 2)][key])
    first, other = dataset[(0, 2)], dataset[(1, 2)]
    assert not np.array_equal(first["noise"], other["noise"])
    assert not np.array_equal(first["noise"], first["second_noise"])
    assert not np.array_equal(dataset[(0, 3)]["cube"], first["cube"])
    assert not np.array_equal(data.dataset("val")[2]["cube"], data.dataset("test")[2]["cube"])


def test_noise_is_of_unit_variance_and_correlated_like_muse(data):
    noise = np.stack([data.dataset("val")[i]["noise"][0] for i in range(4)])
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    assert np.mean(noise[..., 1:] * noise[..., :-1]) == pytest.approx(0.12, abs=0.04)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [False, True])
def test_turned_cubes_are_those_of_turned_parameters(quarters, mirror):
    class Frame:
        grid = CubeGrid.velocities((8, 12, 12), 0.3, 70.0)
        transfer = None
        psf_fwhm = None

    values = {
        "flux": 1.0, "half_light_radius": 0.7, "sersic_index": 0.7, "inclination": 60.0,
        "maximum_velocity": 180.0, "turnover_radius": 0.2, "velocity_dispersion": 40.0,
        "scale_height": 0.1, "seeing": 1.0, "position_angle": 25.0, "offset_x": 0.2,
        "offset_y": -0.3, "systemic_velocity": 30.0, "g1": 0.1, "g2": -0.05,
    }  # fmt: skip
    parameters = np.array([values[name] for name in NAMES], dtype=np.float32)
    renderer = ConditionRenderer(NAMES, Frame(), accuracy=1e-2)

    def render(vector):
        return renderer(torch.from_numpy(vector)[None])[0].numpy()

    expected = turned_cube(render(parameters), quarters, mirror)
    got = render(turned_parameters(parameters, quarters, mirror))
    assert np.abs(got - expected).max() < 0.01 * expected.max()
    if quarters or mirror:
        assert np.abs(render(parameters) - expected).max() > 0.1 * expected.max()


def test_training_galaxies_are_mirrored_not_reversed(data):
    """Reversed velocities would make trailing arms lead, and winds come from behind."""
    dataset = data.dataset("train")
    spectrum = dataset[0]["cube"].sum((0, 2, 3)) / dataset[0]["signal_to_noise"]
    for turn in range(8):
        item = dataset[(turn, 0)]
        found = item["cube"].sum((0, 2, 3)) / item["signal_to_noise"]
        np.testing.assert_allclose(found, spectrum, rtol=1e-3)


def test_only_training_galaxies_are_turned(data):
    dataset = data.dataset("train")
    angles = {
        round(float(dataset[(turn, 0)]["parameters"][NAMES.index("position_angle")]), 2)
        for turn in range(60)
    }
    assert len(angles) == 8
    held_out = data.dataset("val")
    assert {float(held_out[(t, 0)]["parameters"][9]) for t in range(6)} == {
        float(held_out[0]["parameters"][9])
    }


def test_an_interrupted_sample_goes_on(tmp_path, monkeypatch):
    settings = GalaxyCubeSettings.from_dict(SMALL)
    monkeypatch.setattr(galaxy_cube_sample, "CHUNK", 2)
    whole = open_galaxy_cubes(tmp_path / "a", settings, 4, 0, "val", workers=1)
    calls, original = [], galaxy_cube_sample.render_galaxies

    def failing(*arguments):
        calls.append(arguments[-2:])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(galaxy_cube_sample, "render_galaxies", failing)
    with pytest.raises(KeyboardInterrupt):
        open_galaxy_cubes(tmp_path / "b", settings, 4, 0, "val", workers=1)
    resumed = open_galaxy_cubes(tmp_path / "b", settings, 4, 0, "val", workers=1)
    assert calls == [(0, 2), (2, 4), (2, 4)]
    assert np.array_equal(resumed.cubes, whole.cubes)
    assert np.array_equal(resumed.conditions, whole.conditions)


def test_damage_is_noticed(tmp_path):
    settings = GalaxyCubeSettings.from_dict(SMALL)
    open_galaxy_cubes(tmp_path, settings, 2, 0, "val", workers=1)
    path = next(tmp_path.glob("*/smooth.npy"))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"smooth\.npy"):
        open_galaxy_cubes(tmp_path, settings, 2, 0, "val", workers=1)


def test_the_card_tells_what_a_network_was_trained_on(data):
    told = data.describe()
    json.dumps(told)
    assert told["frame"]["shape"] == [8, 16, 16]
    assert told["condition_names"] == NAMES
    low, high = told["ranges"]["half_light_radius"]
    assert 0.5 <= low < high <= 0.8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame": {"shape": [8, 12, 16]}}, "multiples of 8"),
        ({"seeing": [0.8, 0.5]}, "seeing"),
        ({"parameters": {"inclinatoin": 3.0}}, "inclinatoin"),
        ({"parameters": {"inclination": [70.0, 40.0]}}, "inclination from 70 to 40"),
        ({"disks": {"clumplets": 3}}, "clumplets"),
        ({"disks": {"turbulence": {"swirl": 3}}}, "swirl"),
        ({"frame": {"seeing": 0.9}}, "frame.seeing"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(InputError) as caught:
        GalaxyCubeSettings.from_dict(SMALL | changes)
    assert words in str(caught.value)


def test_no_signal_is_refused(cache):
    with pytest.raises(InputError, match="signal_to_noise"):
        GalaxyCubeDataModule(seed=0, cache=str(cache), galaxies=SMALL, signal_to_noise=(0, 3))


def test_realisations_are_other_galaxies_of_the_same_parameters():
    settings = GalaxyCubeSettings.from_dict(SMALL)
    sample = render_galaxies(settings, 0, "test", 0, 2)
    conditions = sample["conditions"].copy()
    flux = NAMES.index("flux")
    conditions[:, flux] *= 20.0
    cubes = render_realisations(settings, conditions, 3, seed=4)
    assert cubes.shape == (2, 3, *settings.frame.shape)
    again = render_realisations(settings, conditions[:1], 2, seed=4)
    np.testing.assert_allclose(again[0], cubes[0, :2], rtol=1e-3, atol=1e-3)
    for made, true, row in zip(cubes, sample["cubes"], conditions, strict=True):
        # nearly all of the light is in the field
        assert made.sum((1, 2, 3)) == pytest.approx(20.0 * true.sum(dtype=np.float32), rel=0.25)
        assert (made.sum((1, 2, 3)) < 1.02 * row[flux]).all()
        differences = np.abs(made[:, None] - made).sum((2, 3, 4)) / made[0].sum()
        assert (differences[np.triu_indices(3, 1)] > 0.02).all()


GAS = {
    "frame": {"shape": [16, 16, 16], "instrument": "muse_wfm", "channel_width": 2.5},
    "population": "gas_disks",
    "parameters": {"half_light_radius": [0.4, 0.8]},
}


def test_gas_disks_are_galaxies_of_their_conditions():
    settings = GalaxyCubeSettings.from_dict(GAS)
    sample = render_galaxies(settings, 3, "train", 0, 6)
    assert sample["cubes"].shape == (6, 16, 16, 16)
    assert sample["cubes"].max((1, 2, 3)) == pytest.approx(1)
    radius = sample["conditions"][:, NAMES.index("half_light_radius")]
    assert ((radius >= 0.4) & (radius <= 0.8)).all()
    np.testing.assert_array_equal(
        render_galaxies(settings, 3, "train", 4, 6)["cubes"], sample["cubes"][4:]
    )
    cubes, smooth = (sample[name].astype(np.float32) for name in ("cubes", "smooth"))
    away = np.abs(cubes - smooth).sum((1, 2, 3)) / smooth.sum((1, 2, 3))
    assert (away > 0.1).all()
    # The smooth disk is what the generators' renderer makes of the conditions.
    row = torch.from_numpy(sample["conditions"][:1])
    frame = settings.renderer.frame
    expected = ConditionRenderer(NAMES, frame, accuracy=1e-3)(row)[0, 0].numpy()
    assert np.abs(smooth[0] - expected).max() < 0.02 * expected.max()


def test_other_galaxies_of_the_parameters_of_gas_disks():
    settings = GalaxyCubeSettings.from_dict(GAS)
    sample = render_galaxies(settings, 0, "test", 0, 2)
    cubes = render_realisations(settings, sample["conditions"], 2, seed=4)
    assert cubes.shape == (2, 2, 16, 16, 16)
    assert not np.allclose(cubes[:, 0], cubes[:, 1], atol=0.02 * cubes.max())
    for made, true in zip(cubes, sample["cubes"], strict=True):
        assert made.sum((1, 2, 3)) == pytest.approx(true.sum(dtype=np.float32), rel=0.5)


def test_the_bulge_and_the_oxygen_of_gas_disks_may_be_chosen():
    asked = {"nuclear_fraction": [0.1, 0.15], "oxygen_abundance": 8.4}
    settings = GalaxyCubeSettings.from_dict(GAS | {"parameters": asked})
    galaxies = [settings.draw(0, "train", index).conditions for index in range(8)]
    assert {one["oxygen_abundance"] for one in galaxies} == {8.4}
    assert min(one["nuclear_fraction"] for one in galaxies) >= 0.1
    for name, ends in {"nuclear_fraction": 0.9, "oxygen_abundance": [8.0, 12.0]}.items():
        with pytest.raises(InputError, match=f"{name} from .*: expected rising numbers"):
            GalaxyCubeSettings.from_dict(GAS | {"parameters": {name: ends}})
    with pytest.raises(InputError, match="nuclear_fraction"):
        GalaxyCubeSettings.from_dict(SMALL | {"parameters": {"nuclear_fraction": 0.1}})


def test_settings_of_gas_go_with_gas_disks():
    with pytest.raises(InputError, match="`gas` goes with the population gas_disks"):
        GalaxyCubeSettings.from_dict(SMALL | {"gas": {"redshift": [0.4, 0.5]}})
    with pytest.raises(InputError, match="`disks` goes with the population clumpy_disks"):
        GalaxyCubeSettings.from_dict(GAS | {"disks": {"mean_clumps": 5.0}})
    for name, ends in {"warp_inclination": [1, 5], "bulge_fraction": 0.3, "clump_1_x": 0}.items():
        with pytest.raises(InputError, match=f"{name} of gas disks can't be chosen"):
            GalaxyCubeSettings.from_dict(GAS | {"parameters": {name: ends}})
    with pytest.raises(InputError, match="population"):
        GalaxyCubeSettings.from_dict(SMALL | {"population": "galaxies"})


def test_uneven_noise_without_known_sky_lines_is_told(cache):
    frame = {"shape": [8, 16, 16], "instrument": "kmos_k"}
    with pytest.warns(InputWarning, match="the sky lines of kmos_k aren't known"):
        GalaxyCubeDataModule(seed=1, cache=str(cache), noise="uneven", galaxies={"frame": frame})


def test_uneven_noise_is_served(cache):
    shared = {"seed": 1, "cache": str(cache), "galaxies": SMALL, "train_size": 6, "val_size": 4,
              "test_size": 4, "batch_size": 2}  # fmt: skip
    module = GalaxyCubeDataModule(**shared, noise="uneven", uneven={"depth": 0.6, "spikes": 0.0})
    module.setup()
    noise = np.stack([module.dataset("val")[i]["noise"][0] for i in range(4)])
    even = GalaxyCubeDataModule(**shared)
    even.setup()
    plain = np.stack([even.dataset("val")[i]["noise"][0] for i in range(4)])
    # Its scatter differs from spaxel to spaxel.
    assert np.log(noise.std(axis=1)).std() > 1.4 * np.log(plain.std(axis=1)).std()
    with pytest.raises(InputError, match=r"data\.uneven"):
        GalaxyCubeDataModule(**shared, uneven={"depth": 0.6})
