"""Galaxies that are painted on smooth bodies: against GalSim, and what is symmetric about them."""

import galsim
import numpy as np
import pytest
import torch
from scipy.special import j1

from clumpygan.galaxies.images.population import draw_population
from clumpygan.networks.painted_dcgan import FLATTEST, NEIGHBOURS, PaintedGenerator
from clumpygan.networks.spergel import INDICES, spergel_profile, spergel_transform

NAMES = ("redshift", "signal", "half_light_radius", "sersic_index")
STANDARDS = {
    "redshift": (1.0, 0.5, False),
    "signal": (3.0, 0.6, True),
    "half_light_radius": (-0.5, 0.3, True),
    "sersic_index": (0.15, 0.3, True),
}
SCALE, SIGMA = 0.06, 1.3


def gaussian_transfer():
    frequency = np.linspace(0, 0.5**0.5, 49)
    return np.exp(-0.5 * (2 * np.pi * SIGMA * frequency) ** 2).tolist()


def painted(size=32, **arguments):
    torch.manual_seed(0)
    settings = {"latent_dim": 8, "channels": 4, "largest": 8, "offset": 1.4} | arguments
    return PaintedGenerator(
        size=size, conditions=NAMES, standards=STANDARDS, pixel_scale=SCALE,
        transfer=gaussian_transfer(), **settings,
    )  # fmt: skip


def told(**values):
    columns = []
    for name in NAMES:
        centre, scale, logarithmic = STANDARDS[name]
        value = torch.as_tensor(values.get(name, 1.0), dtype=torch.float32).reshape(-1)
        columns.append(((value.log10() if logarithmic else value) - centre) / scale)
    return torch.stack(torch.broadcast_tensors(*columns), 1)


def alone(noise):
    """Return what is random without unevenness, and the other sources too faint to be seen."""
    *rest, places, z = noise
    z = z.clone()
    z[..., 0] = -30.0
    return (*(torch.zeros_like(one) for one in rest[:-2]), *rest[-2:], places, z)


def round_logit(network, logit=0.0):
    """Make all galaxies equally flat, and unwound."""
    with torch.no_grad():
        network.shape.weight.zero_()
        network.shape.bias.copy_(torch.tensor([logit, 0.0]))
    network._flatness = lambda conditions, deviate: torch.full_like(deviate, 0.2)
    return network


def galsims(index, radius, flux=1.0):
    """The profile in GalSim, whose Spergel profile was written by others from the same paper."""
    nu, relative, sharp, softening = (
        float(one) for one in spergel_profile(torch.tensor(index, dtype=torch.float32))
    )
    cusped = galsim.Spergel(nu=nu, scale_radius=radius / relative, flux=flux)
    soft = galsim.Convolve(cusped, galsim.Gaussian(sigma=softening * radius))
    return sharp * cusped + (1 - sharp) * soft


@pytest.mark.parametrize("index", [*INDICES, 1.1, 2.6])
def test_profiles_are_spergels_with_a_softened_share(index):
    k = torch.linspace(0, 20, 50)
    found = spergel_transform(k.square()[None, None], torch.tensor([0.7]), torch.tensor([index]))
    expected = galsims(index, 0.7)
    values = [expected.kValue(float(one), 0.0).real for one in k]
    np.testing.assert_allclose(found[0, 0].numpy(), values, atol=2e-4)


@pytest.mark.parametrize(
    ("index", "tolerance"),
    [
        (0.7, 0.02),
        (1.0, 0.002),
        (1.15, 0.01),
        (1.5, 0.006),
        (2.2, 0.01),
        (3.5, 0.015),
        (5.0, 0.02),
    ],
)
def test_growth_is_nearly_that_of_the_sersic_profile(index, tolerance):
    """Light within R is R times the integral of the transform over k, with J1(k R)."""
    k = np.concatenate([np.linspace(0.002, 20, 2500), np.geomspace(20.01, 600, 6000)])
    # Damped where it would oscillate for ever: by what blurs with a fiftieth of the radius.
    damped = np.exp(-0.5 * (0.02 * k) ** 2) * np.gradient(k)
    light = spergel_transform(
        torch.from_numpy(k**2)[None, None], torch.ones(1), torch.tensor([index])
    )[0, 0].numpy()
    sersic = galsim.Sersic(n=index, half_light_radius=1.0)
    for radius in (0.1, 0.2, 0.5, 1.0, 2.0):
        inside = radius * (j1(radius * k) * light * damped).sum()
        assert inside == pytest.approx(sersic.calculateIntegratedFlux(radius), abs=tolerance)


@pytest.mark.parametrize(("radius", "index"), [(0.3, 1.0), (0.15, 4.0)])
def test_an_unpainted_galaxy_is_galsims(radius, index):
    network = round_logit(painted(64))
    noise = alone(network.draw_noise(1, torch.Generator().manual_seed(3)))
    with torch.no_grad():
        network.leave.weight.zero_()
        image = network(
            torch.zeros(1, 8),
            told(signal=1000.0, half_light_radius=radius, sersic_index=index),
            noise,
        )
    image = image[0, 0].numpy()
    # The axis ratio where the logit is 0.2.
    ratio = 0.08 + 0.92 / (1 + np.exp(-0.2))
    (angle, sense), (x, y) = noise[-4][0].tolist(), noise[-3][0].tolist()
    assert sense in (-1.0, 1.0)
    body = galsims(index, radius, flux=1000.0)
    body = body.transform(1, 0, 0, ratio).rotate(angle * galsim.radians) / ratio
    seen = galsim.Convolve(body, galsim.Gaussian(sigma=SIGMA * SCALE)).shift(x * SCALE, y * SCALE)
    expected = seen.drawImage(nx=64, ny=64, scale=SCALE, method="no_pixel").array
    assert np.abs(image - expected).max() < 0.01 * expected.max()
    assert image.sum() == pytest.approx(expected.sum(), rel=0.02)


def test_nothing_learnt_galaxies_are_as_flat_as_those_of_the_population():
    table = draw_population(range(1500), seed=3, split="test")
    network, sigma = painted(), 0.772558
    rows = told(
        signal=np.asarray(table["flux"]) / sigma,
        half_light_radius=np.asarray(table["half_light_radius"]),
        sersic_index=np.asarray(table["sersic_index"]),
    )
    deviates = torch.randn(len(rows), generator=torch.Generator().manual_seed(0))
    ratios = FLATTEST + (1 - FLATTEST) * torch.sigmoid(network._flatness(rows, deviates)).numpy()
    assert (network.shape.weight[0] == 0).all()
    true, magnitude = np.asarray(table["axis_ratio"]), np.asarray(table["h_magnitude"])
    for low, high in ((20, 23), (23, 25), (25, 26)):
        there = (low <= magnitude) & (magnitude < high)
        shares = (0.1, 0.25, 0.5, 0.75, 0.9)
        found, expected = (np.quantile(one[there], shares) for one in (ratios, true))
        np.testing.assert_allclose(found, expected, atol=0.07)


def test_light_has_the_flux_that_is_asked_for_and_is_nowhere_negative():
    network = painted(64)
    flux = torch.tensor([300.0, 3000.0, 30000.0])
    noise = network.draw_noise(3, torch.Generator().manual_seed(0))
    noise = (*noise[:-1], alone(noise)[-1])
    image = network(
        torch.randn(3, 8), told(signal=flux, half_light_radius=0.2, sersic_index=1.0), noise
    )
    assert (image >= 0).all()
    torch.testing.assert_close(image.sum((1, 2, 3)), flux, rtol=0.02, atol=0)


def test_no_orientation_is_preferred():
    """Whatever has been learnt: the mean over many galaxies is round and in the middle."""
    network = painted(32)
    with torch.no_grad():
        for block in network.blocks:
            block.second.weight.normal_(std=0.3)
        network.leave.weight.normal_(std=1.0)
        generator = torch.Generator().manual_seed(1)
        count = 400
        z = torch.randn((count, 8), generator=generator)
        noise = network.draw_noise(count, generator)
        conditions = told(signal=1000.0, half_light_radius=0.3).expand(count, -1)
        images = network(z, conditions, (*noise[:-1], alone(noise)[-1]))
    mean = images.mean((0, 1)).double()
    y, x = torch.meshgrid(*(torch.arange(32.0).double() - 15.5,) * 2, indexing="ij")
    total = mean.sum()
    size = float((mean * (x**2 + y**2)).sum() / total)
    for moment in (x**2 - y**2, 2 * x * y):
        assert abs(float((mean * moment).sum() / total)) < 0.06 * size
    for moment in (x, y):
        assert abs(float((mean * moment).sum() / total)) < 0.2
    # Single ones are anything but round.
    singles = images[:, 0].double()
    flattening = (singles * (x**2 - y**2)).sum((1, 2)) / singles.sum((1, 2)) / size
    assert float(flattening.abs().mean()) > 0.1


def test_turning_the_galaxy_turns_its_image():
    network = painted(32)
    with torch.no_grad():
        network.leave.weight.normal_(std=1.0)
    noise = network.draw_noise(1, torch.Generator().manual_seed(5))
    *fields, orientation, shift, places, z = alone(noise)
    conditions, latent = told(signal=1000.0, half_light_radius=0.4), torch.randn(1, 8)
    quarter = torch.tensor([[torch.pi / 2, 0.0]])

    def image(angle):
        random = (*fields, angle, torch.zeros_like(shift), places, z)
        return network(latent, conditions, random)[0, 0].detach()

    first, second = image(orientation), image(orientation + quarter)
    # From +x towards +y, rows being y.
    torch.testing.assert_close(
        second, torch.rot90(first, -1), atol=0.02 * float(first.max()), rtol=0
    )
    mirrored = image(orientation * torch.tensor([[1.0, -1.0]]))
    assert (mirrored - first).abs().max() > 0.02 * first.max()


def test_every_random_number_changes_the_image():
    network = painted(32)
    generator = torch.Generator().manual_seed(2)
    noise = network.draw_noise(1, generator)
    other = network.draw_noise(1, generator)
    # Bright enough to be seen.
    noise[-1][..., 0], other[-1][..., 0] = 2.0, 2.0
    assert noise[-2].shape == (1, NEIGHBOURS + 1, 2)
    z, conditions = torch.randn(1, 8), told(signal=1000.0, half_light_radius=0.5)
    first = network(z, conditions, noise)
    for place in range(len(noise)):
        changed = network(z, conditions, (*noise[:place], other[place], *noise[place + 1 :]))
        assert (changed - first).abs().max() > 1e-3 * first.max(), place
    assert (network(z + 1, conditions, noise) - first).abs().max() > 1e-3 * first.max()


def test_gradients_reach_every_weight():
    network = painted(32)
    # Layers that begin silent hide those before them.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    generator = torch.Generator().manual_seed(2)
    noise = network.draw_noise(4, generator)
    conditions = told(signal=torch.full((4,), 3000.0), half_light_radius=0.5)
    image = network(torch.randn(4, 8), conditions, noise)
    (torch.asinh(image) * torch.randn_like(image)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_what_it_is_for_has_to_be_told():
    with pytest.raises(ValueError, match="needs the condition sersic_index"):
        PaintedGenerator(
            32, 8, 4, 8, ("signal", "half_light_radius"), STANDARDS, SCALE, gaussian_transfer()
        )
    with pytest.raises(ValueError, match="no galaxy without conditions"):
        painted()(torch.randn(1, 8))
    with pytest.raises(ValueError, match="stamps of 20 pixels"):
        painted(20)
