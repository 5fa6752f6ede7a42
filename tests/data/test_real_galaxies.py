"""Real galaxies taken out of their images, shrunk and faded, against GalSim's own."""

from pathlib import Path

import galsim
import numpy as np
import pytest

from clumpygan.data import PairDataModule
from clumpygan.data.real_galaxies import shrinking
from clumpygan.data.real_galaxies.isolation import isolate
from clumpygan.data.real_galaxies.recipe import read_recipe
from clumpygan.data.real_galaxies.sources import Source, read_sources
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.errors import InputError
from clumpygan.instruments import SurveyPair
from clumpygan.resources import resource_folder
from tests.data.real_disks import PSF, SCALE, disk, noisy, write_recipe

PAIR = SurveyPair.of("hsc_wide_i", "hst_wfc3_f160w")


def test_a_galaxy_is_taken_out_whole():
    found = isolate(noisy(disk()) + 5.0)
    assert found.flux == pytest.approx(1000, rel=0.03)
    assert found.sigma == pytest.approx(0.02, rel=0.1)
    # Along the major axis of an ellipse of axis ratio 0.6 with a half-light radius of 1.2".
    assert found.half_light_radius * SCALE == pytest.approx(1.2 / 0.6**0.5, rel=0.06)


def test_cut_wings_are_completed():
    image = disk()
    cut = np.where(image > 0.05 * image.max(), image, 0.0)
    assert cut.sum() < 850
    found = isolate(cut)
    assert found.flux == pytest.approx(1000, rel=0.06)
    # The sky says nothing of the noise; the galaxy itself has hardly any.
    assert found.sigma < 1e-3 * image.max()


def test_a_neighbour_is_left_out():
    image = disk(radius=0.6)
    beside = np.roll(disk(radius=0.4, ratio=0.9), (40, 30), (0, 1))
    found = isolate(noisy(image + 0.8 * beside))
    assert found.flux == pytest.approx(1000, rel=0.08)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((60, 60)),
        np.full((60, 60), np.nan),
        np.random.default_rng(0).normal(0, 1, (60, 60)),
        disk(size=31),
        np.roll(disk(radius=0.3), 90, 0),
    ],
    ids=["blank", "no data", "noise", "cut by the edge", "beside the middle"],
)
def test_what_is_no_whole_galaxy_in_the_middle_isnt_taken(image):
    assert isolate(image) is None


def test_a_shrunk_galaxy_is_that_galaxy_rendered_small():
    """Against GalSim's rendering of the same disk three times as small with the target's PSF."""
    source = Source("disk", "train", SCALE, PSF, isolate(disk()))
    camera = shrinking.Camera(PAIR.target, 112, 1.0)
    wanted = shrinking.Wanted(22.0, source.half_light_radius / 3, 1.0)
    choice = shrinking.Choice(source, wanted, 3.0)
    image = shrinking.draw_choice(choice, camera, np.random.default_rng(4), 0.0)
    draws = np.random.default_rng(4)
    angle, mirrored = float(draws.uniform(0, 360)), draws.random() < 0.5
    galaxy = galsim.Exponential(half_light_radius=1.2 / 3, flux=wanted.flux)
    galaxy = galaxy.shear(q=0.6, beta=30 * galsim.degrees).rotate(angle * galsim.degrees)
    galaxy = galaxy.transform(-1, 0, 0, 1) if mirrored else galaxy
    expected = galsim.Convolve(galaxy, PAIR.target.psf()).drawImage(
        nx=112, ny=112, scale=0.06, method="no_pixel"
    )
    assert np.abs(image - expected.array).max() < 0.01 * expected.array.max()
    assert image.sum() == pytest.approx(expected.array.sum(), rel=0.01)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    """Return a recipe of twelve disks, two bands in a file."""
    folder = tmp_path_factory.mktemp("galaxies")
    return write_recipe(folder, held_out=["disks/gal_03"])


def test_galaxies_are_split_by_their_names(recipe):
    sources = read_sources(recipe)
    assert len(sources) == 24
    by_galaxy = {}
    for source in sources:
        by_galaxy.setdefault(source.galaxy, set()).add(source.split)
    assert len(by_galaxy) == 12
    assert all(len(splits) == 1 for splits in by_galaxy.values())
    assert by_galaxy["disks/gal_03"] == {"test"}
    assert sources[0].half_light_radius == pytest.approx(0.8 / 0.6**0.5, rel=0.06)


def test_a_set_has_the_flux_and_size_that_its_table_says(recipe, tmp_path):
    found = open_real(tmp_path, recipe, shrinking.Camera.of(PAIR), "train", 6, 0, workers=1)
    assert found.images.shape == (6, 112, 112)
    for image, row in zip(found.images, found.table, strict=True):
        flux = 10 ** (0.4 * (31.4 - row["h_magnitude"]))
        if row["neighbour"] == "":
            assert image.sum() == pytest.approx(flux, rel=0.03)
        assert row["shrunk"] >= shrinking.LEAST_SHRINKING
        assert row["galaxy"] != "disks/gal_03"
    again = open_real(
        tmp_path / "other", recipe, shrinking.Camera.of(PAIR), "train", 6, 0, workers=1
    )
    assert np.array_equal(again.images, found.images)


def test_they_are_mixed_with_synthetic_ones(recipe, tmp_path):
    data = PairDataModule(
        train_size=8, val_size=4, batch_size=4, images_per_epoch=8, cache=tmp_path,
        real=recipe, real_share=0.5, seed=0,
    )  # fmt: skip
    data.prepare_data()
    data.setup("fit")
    train, real = (
        data.dataset("train"),
        open_real(tmp_path, recipe, shrinking.Camera.of(PAIR), "train", 4, 0),
    )
    assert len(train) == 8
    assert np.array_equal(train.images[5], real.images[1])
    assert not np.array_equal(train.images[1], real.images[1])
    batch = data.observe(next(iter(data.train_dataloader())))
    assert batch["observed"].shape == (4, 1, 40, 40)
    with pytest.raises(IndexError):
        train.images[8]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("groups: 3", "expected `groups`, a list of sections"),
        ("- a", "expected `groups`"),
        ("groups: [3]", "group 1 is no section"),
        ("groups: [{name: a, images: b, pixel_scale: 0.06, psf_fwhm: [1, 2]}]", "2 `psf_fwhm` for"),
        (
            "groups: [{name: a, images: b, pixel_scale: 0, psf_fwhm: [1]}]",
            "`groups[0].pixel_scale`",
        ),
        ("groups: [{name: a, images: b, pixel_scale: 1, psf_fwhm: [1], galaxy: '('}]", "`galaxy`"),
        ("groups: [{name: a, images: b, pixel_scale: 1, psf_fwhm: [1], galaxy: a}]", "0 groups"),
        ("groups: [{name: a, image: b}]", "image"),
        ("groups: [{name: a, images: 'x*.fits', pixel_scale: 1, psf_fwhm: [1]}]", "no file fits x"),
        ("{", "can't be read as YAML"),
    ],
)
def test_bad_recipes_are_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as refusal:
        read_sources(path)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_folder_of_a_recipe_may_be_an_environment_variable(tmp_path, monkeypatch):
    path = tmp_path / "recipe.yaml"
    group = "{name: a, images: b, pixel_scale: 1, psf_fwhm: [1]}"
    path.write_text(f"folder: $SOMEWHERE/stamps\ngroups: [{group}]")
    monkeypatch.delenv("SOMEWHERE", raising=False)
    with pytest.raises(InputError, match=r"`folder` \$SOMEWHERE/stamps: set this environment"):
        read_recipe(path)
    monkeypatch.setenv("SOMEWHERE", "/data")
    assert read_recipe(path).folder == Path("/data/stamps")


def test_the_recipe_of_the_shipped_weights_is_read(monkeypatch):
    monkeypatch.setenv("CLUMPYGAN_REAL_DATA", "/data")
    recipe = read_recipe(resource_folder("configs") / "real_galaxies.yaml")
    assert {group.name for group in recipe.groups} == {"goodss", "xdf", "cosmosweb", "acs"}
    assert "xdf/1" in recipe.held_out


def test_a_missing_recipe_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml can't be read: No such file"):
        read_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("index", [1.0, 2.5])
def test_the_sersic_index_is_that_of_the_profile(index):
    """Of a galaxy with all of its light, seen with a PSF that is taken out."""
    galaxy = galsim.Sersic(n=index, half_light_radius=0.9, flux=1000, trunc=12.0)
    seen = galsim.Convolve(galaxy.shear(q=0.7, beta=0 * galsim.degrees), galsim.Gaussian(fwhm=PSF))
    image = seen.drawImage(nx=421, ny=421, scale=SCALE, method="no_pixel").array.astype(float)
    source = Source("galaxy", "train", SCALE, PSF, isolate(noisy(image, 1e-4)))
    assert source.sersic_index == pytest.approx(index, rel=0.2)


def test_the_table_says_what_networks_are_told(recipe, tmp_path):
    camera = shrinking.Camera.of_target(PAIR.target, 64)
    found = open_real(tmp_path, recipe, camera, "train", 5, 0, workers=1)
    assert found.images.shape == (5, 64, 64)
    assert ((found.table["redshift"] > 0) & (found.table["redshift"] < 2)).all()
    # All of the recipe are exponential disks.
    np.testing.assert_allclose(found.table["sersic_index"], 1.0, atol=0.15)
    assert camera.noise == pytest.approx(0.5 * PAIR.target.noise().sigma)
