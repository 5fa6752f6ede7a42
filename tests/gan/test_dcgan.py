"""Training generators of stamps: what is compared with what, and galaxies from a checkpoint."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from clumpygan.data import CandelsDataModule
from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.gan.dcgan import DcganModule
from clumpygan.gan.galaxies import GalaxyGenerator
from clumpygan.gan.gan_settings import AdversarialSettings, Schedule
from clumpygan.networks.blocks import stretch
from clumpygan.networks.dcgan import build_discriminator

PAINTED = "clumpygan.networks.painted_dcgan.PaintedGenerator"
CONDITIONS = ["signal", "half_light_radius", "redshift"]
NETWORK = {
    "name": "dcgan",
    "arguments": {
        "size": 16,
        "conditions": CONDITIONS,
        "signal": [3.0, 0.6],
        "latent_dim": 8,
        "channels": 4,
        "largest": 8,
    },
}
IMAGES = {"sigma": 0.5, "pixel_scale": 0.06, "correlation": [[0, 0, 0], [0.3, 1, 0.3], [0, 0, 0]]}
KNOWN = {
    "flux": np.array([300.0, 3000.0, 800.0]),
    "half_light_radius": np.array([0.2, 0.5, 0.3]),
    "redshift": np.array([0.5, 1.0, 1.5]),
}


def module(**game):
    torch.manual_seed(0)
    return DcganModule(
        build_network(NETWORK["name"], NETWORK["arguments"]),
        build_discriminator(16, CONDITIONS, channels=4, largest=8),
        validation_samples=8,
        total_images=100,
        seed=0,
        game=AdversarialSettings(**game),
        schedule=Schedule(),
    )


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.randn((4, 1, 16, 16), generator=generator),
        "noise": torch.randn((4, 1, 16, 16), generator=generator),
        "conditions": torch.randn((4, 3), generator=generator),
    }


def test_generated_images_get_the_noise_that_real_ones_have(batch):
    one = module()
    (noisy,) = one.sample(batch, one.random_input())
    (bare,) = one.sample({**batch, "noise": torch.zeros(4, 1, 16, 16)}, one.random_input())
    assert (bare >= 0).all()
    torch.testing.assert_close(noisy - bare, batch["noise"], atol=2e-4, rtol=0)
    assert torch.equal(one.judged(noisy, batch), stretch(noisy))
    assert one.truth(batch) is batch["image"]
    assert one.fidelity((noisy,), batch) == {}


def test_digits_have_neither_noise_nor_conditions(batch):
    one = module()
    assert one.conditions({"image": batch["image"]}) == ()
    assert torch.equal(one.conditions(batch)[0], batch["conditions"])


def test_processes_share_what_one_would_draw(batch, monkeypatch):
    """Two processes with half the batch each draw what one with all of it draws."""
    whole = module()
    (together,) = whole.sample(batch, whole.random_input())
    for rank in range(2):
        part = module()
        monkeypatch.setattr(DcganModule, "processes", 2)
        monkeypatch.setattr(DcganModule, "global_rank", rank)
        half = {name: value[rank::2] for name, value in batch.items()}
        (alone,) = part.sample(half, part.random_input())
        torch.testing.assert_close(alone, together[rank::2])
        monkeypatch.undo()


def test_a_late_discriminator_makes_no_sense():
    with pytest.raises(ValueError, match=r"game\.start` is 10: .* expected 0"):
        module(start=10)


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(1)
    network = build_network(NETWORK["name"], NETWORK["arguments"])
    with torch.no_grad():
        for block in network.blocks:
            block.second.weight.normal_(std=0.1)
            block.noise.weight.normal_(std=0.5)
    save_checkpoint(tmp_path / "stamps", network, {"network": NETWORK, "images": IMAGES})
    return str(tmp_path / "stamps")


def test_galaxies_have_the_flux_that_was_asked_for(checkpoint):
    generator = GalaxyGenerator.load(checkpoint)
    stamps = generator.stamps(KNOWN, seed=3)
    assert stamps.shape == (3, 16, 16)
    assert stamps.dtype == np.float32
    # An untrained network puts all of the light into the stamp.
    np.testing.assert_allclose(stamps.sum((1, 2)), KNOWN["flux"], rtol=1e-4)
    assert generator.noise.sigma == 0.5
    assert generator.noise.pixel_scale == 0.06


def test_a_galaxy_depends_on_its_seed_and_index_alone(checkpoint, monkeypatch):
    generator = GalaxyGenerator.load(checkpoint)
    stamps = generator.stamps(KNOWN, seed=3)
    last = generator.stamps({name: values[2:] for name, values in KNOWN.items()}, seed=3, first=2)
    np.testing.assert_allclose(last[0], stamps[2], rtol=1e-4)
    monkeypatch.setattr("clumpygan.gan.galaxies.BATCH", 2)
    np.testing.assert_allclose(generator.stamps(KNOWN, seed=3), stamps, rtol=1e-4)
    same = {name: np.full(2, values[0]) for name, values in KNOWN.items()}
    first, second = generator.stamps(same, seed=3)
    assert np.abs(first - second).max() > 0.01 * first.max()
    other = generator.stamps(KNOWN, seed=4)
    assert np.abs(other - stamps).max() > 0.01 * stamps.max()


def test_the_way_between_two_galaxies_begins_and_ends_with_them(checkpoint):
    generator = GalaxyGenerator.load(checkpoint)
    ends = {name: values[:2] for name, values in KNOWN.items()}
    way = list(generator.between(ends, seed=5, steps=5))
    assert len(way) == 5
    np.testing.assert_allclose(way[0].sum(), ends["flux"][0], rtol=1e-4)
    np.testing.assert_allclose(way[-1].sum(), ends["flux"][1], rtol=1e-4)
    steps = [np.abs(a - b).max() for a, b in pairwise(way)]
    assert min(steps) > 0


def test_digits_are_no_galaxies(tmp_path, checkpoint):
    network = {"name": "dcgan", "arguments": {"size": 16, "latent_dim": 8, "channels": 4}}
    network["arguments"]["conditions"] = []
    untrained = build_network("dcgan", network["arguments"])
    save_checkpoint(tmp_path / "digits", untrained, {"network": network, "images": {}})
    with pytest.raises(InputError, match="doesn't know the fluxes of what it makes"):
        GalaxyGenerator.load(str(tmp_path / "digits"))


def test_conditions_out_of_range_are_named(checkpoint):
    generator = GalaxyGenerator.load(checkpoint)
    with pytest.raises(InputError, match="half_light_radius of 0: expected arcsec above 0"):
        generator.stamps({**KNOWN, "half_light_radius": np.zeros(3)}, seed=0)
    with pytest.raises(InputError, match="redshift holds values that aren't finite"):
        generator.stamps({**KNOWN, "redshift": np.full(3, np.nan)}, seed=0)


def test_a_painted_generator_is_built_for_its_data_kept_and_read_again(tmp_path):
    names = [*CONDITIONS, "sersic_index"]
    data = CandelsDataModule(conditions=names, size=32)
    small = {"channels": 4, "largest": 8}
    one = DcganModule.for_data(
        data,
        generator={"_target_": PAINTED, "latent_dim": 8, "offset": 1.4, **small},
        discriminator={"_target_": "clumpygan.networks.dcgan.build_discriminator", **small},
        total_images=100,
    )
    assert one.generator.pixel_scale == 0.06
    generator = torch.Generator().manual_seed(0)
    image, noise = torch.randn((2, 4, 1, 32, 32), generator=generator)
    batch = {"image": image, "noise": noise, "conditions": torch.zeros(4, 4)}
    (made,) = one.sample(batch, one.random_input())
    assert made.shape == (4, 1, 32, 32)
    card = {"network": one.network, "images": data.describe()}
    save_checkpoint(tmp_path / "painted", one.generator, card)
    galaxies = GalaxyGenerator.load(str(tmp_path / "painted"))
    known = {**KNOWN, "sersic_index": np.array([0.5, 1.0, 4.0])}
    stamps = galaxies.stamps(known, seed=3)
    assert stamps.shape == (3, 32, 32)
    assert (stamps.sum((1, 2)) > 0.5 * KNOWN["flux"]).all()
    with pytest.raises(InputError, match="sersic_index of 0: expected a number above 0"):
        galaxies.stamps({**known, "sersic_index": np.zeros(3)}, seed=3)
    # Some of the weights are what differs between networks of other random numbers.
    other = dict(one.generator.named_parameters())
    assert torch.equal(galaxies.network.enter.weight, other["enter.weight"])


def test_a_painted_generator_without_a_known_psf_is_refused():
    class Unknown(CandelsDataModule):
        def optics(self):
            return {"pixel_scale": 0.06}

    with pytest.raises(InputError, match=r"`model\.generator\.transfer` is missing"):
        DcganModule.for_data(
            Unknown(conditions=[*CONDITIONS, "sersic_index"], size=32),
            generator={"_target_": PAINTED, "latent_dim": 8, "channels": 4, "largest": 8},
            discriminator={"_target_": "clumpygan.networks.dcgan.build_discriminator"},
        )
