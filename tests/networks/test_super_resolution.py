import pytest
import torch

from clumpygan.instruments import ObservationOperator, moffat_transfer
from clumpygan.networks.ancestor import AncestorGenerator
from clumpygan.networks.blocks import ConditionalResidualBlock, stretch, unstretch, widened
from clumpygan.networks.discriminator import SuperResolutionDiscriminator
from clumpygan.networks.super_resolution import Crop, SampleNoise, SuperResolutionGenerator


def gaussians(batch: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """Sharp scenes: a Gaussian galaxy and two clumps each, about 1000 units of flux."""
    axis = torch.arange(side) - (side - 1) / 2
    y, x = axis[:, None], axis[None, :]
    image = torch.zeros(batch, 1, side, side)
    for width, flux in ((6.0, 600.0), (1.7, 250.0), (1.7, 150.0)):
        cx, cy = 12 * (torch.rand(2, batch, 1, 1, generator=generator) - 0.5)
        bump = torch.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        image[:, 0] += flux * bump / (2 * torch.pi * width**2)
    return image


@pytest.fixture(scope="module")
def scene():
    generator = torch.Generator().manual_seed(0)
    operator = ObservationOperator()
    hst = gaussians(4, 112, generator)
    width = torch.full((4,), 0.6)
    transfer = moffat_transfer(width, 5 * width, operator.frequencies((40, 40)))
    noise = torch.randn(4, 1, 40, 40, generator=generator)
    return operator, hst, operator(hst, transfer) + noise, torch.ones(4), transfer


def small(operator, **arguments):
    torch.manual_seed(0)
    return SuperResolutionGenerator(
        operator, **({"channels": 16, "blocks": (1, 1), "fine_channels": 8} | arguments)
    )


def listening(network):
    """Give weights to the layers that start silent."""
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return network


def test_stretch_inverts_exactly():
    image = torch.linspace(-50, 5e4, 1001, dtype=torch.float64)
    assert torch.allclose(unstretch(stretch(image)), image, rtol=1e-12)


def test_untrained_generator_deconvolves_and_keeps_flux(scene):
    operator, hst, observed, sigma, transfer = scene
    (image,) = small(operator)(observed, sigma, transfer)
    assert image.shape == hst.shape
    flux = image.sum((1, 2, 3)) / observed.sum((1, 2, 3))
    assert torch.allclose(flux, torch.ones(4), atol=0.01)
    error = (image - hst).flatten(1).norm(dim=1) / hst.flatten(1).norm(dim=1)
    assert (error < 0.7).all()


def test_samples_differ_by_their_noise_alone_once_the_noise_has_weight(scene):
    operator, _, observed, sigma, transfer = scene
    network = small(operator)
    noises = [
        network.draw_noise(4, (40, 40), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    # Without weight for its random input a sample still follows a draw of the data's own.
    silent = SampleNoise(noises[0].coarse, noises[0].fine, torch.zeros_like(noises[0].data))
    plain = network(observed, sigma, transfer, (None, silent))
    assert torch.equal(plain[0], plain[1])
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    first, again, other = network(observed, sigma, transfer, tuple(noises))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-3


def test_gradients_are_finite_where_the_data_arent_trusted(scene):
    """The regularisation of high frequencies overflows in float32 from a slope of 5 on."""
    operator, _, observed, sigma, transfer = scene
    network = small(operator)
    with torch.no_grad():
        network.trust.bias.copy_(torch.tensor([2.0, 8.0]))
    network(observed, sigma, transfer)[0].square().sum().backward()
    gradients = [one.grad for one in network.parameters() if one.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert network.trust.bias.grad.abs().max() > 0


def test_the_brighter_a_galaxy_the_more_its_data_are_trusted(scene):
    """Convolutions err by a share of the galaxy: 10 % too little, and nothing that they predict."""
    operator, hst, _, _, transfer = scene
    network = small(operator).requires_grad_(False)
    network.trust.bias.copy_(torch.tensor([20.0, -20.0]))
    condition = torch.zeros(len(hst), 16)
    left = {}
    for factor in (0.3, 30.0):
        data = operator(factor * hst, transfer)
        regularisation = network._regularisation(data, condition)
        image = network._consistent(0.9 * factor * hst, data, transfer, regularisation)
        left[factor] = 1 - image.sum((1, 2, 3)) / (factor * hst).sum((1, 2, 3))
    assert (left[0.3] > 0.08).all()
    assert (left[30.0].abs() < 0.002).all()


def test_bright_galaxies_are_mended_on_large_scales_alone(scene):
    """Else the sky beside them follows the noise of its data."""
    operator, hst, _, _, transfer = scene
    network = small(operator).requires_grad_(False)
    network.trust.bias.copy_(torch.tensor([20.0, -20.0]))
    data = operator(30 * hst, transfer)
    trusted = 1 / network._regularisation(data, torch.zeros(len(hst), 16))
    k = network._squared_frequency(data).sqrt()
    assert (trusted[:, k < 0.2] > 100).all()
    assert (trusted[:, k > 2.5] < 1e-3).all()


def test_antithetic_noise_is_its_own_opposite(scene):
    noise = small(scene[0]).draw_noise(2, (20, 20), torch.Generator().manual_seed(0))
    assert torch.equal(noise.opposite().opposite().coarse, noise.coarse)
    assert torch.equal(noise.opposite().fine, -noise.fine)


def test_fluxes_of_samples_scatter_as_those_of_their_data(scene):
    """An aperture that holds the galaxy and much sky can't be known better than its noise."""
    operator, _, observed, sigma, transfer = scene
    network = small(operator).requires_grad_(False)
    # As a trained network does, it trusts the data where the atmosphere lets them through.
    network.trust.bias.copy_(torch.tensor([-6.0, -20.0]))
    drawn = torch.Generator().manual_seed(3)
    noises = tuple(network.draw_noise(len(observed), (40, 40), drawn) for _ in range(64))
    samples = torch.stack(network(observed, sigma, transfer, noises))
    # Without a sharp rim, at which the noise of small scales would count.
    axis = torch.arange(112) - 55.5
    weights = torch.exp(-(axis[:, None].square() + axis.square()) / (2 * 14.0**2))
    fluxes = (weights * samples).sum((-2, -1))
    expected = sigma * (weights.square().sum() / operator.grid.area_ratio).sqrt()
    assert torch.allclose(fluxes.std(0).squeeze(), expected, rtol=0.25)
    # What is added is opposite in antithetic pairs: their mean is that without it.
    pair = network(observed, sigma, transfer, (noises[0], noises[0].opposite(), None))
    assert torch.allclose((pair[0] + pair[1]) / 2, pair[2], atol=1e-2)


def test_everything_scales_with_the_noise_unit(scene):
    # An untrained network listens to none of its conditions, of which depth is one.
    operator, _, observed, sigma, transfer = scene
    network = small(operator).requires_grad_(False)
    (image,) = network(observed, sigma, transfer)
    (scaled,) = network(100 * observed, 100 * sigma, transfer)
    assert torch.allclose(scaled, 100 * image, rtol=1e-3, atol=1e-2 * float(image.max()))


def test_crop_equals_the_whole_where_nothing_else_is_seen(scene):
    operator, _, observed, sigma, transfer = scene
    network = listening(small(operator)).requires_grad_(False)
    crop = Crop(1, 1, 6, 6)
    (whole,) = network(observed, sigma, transfer)
    (part,) = network(observed, sigma, transfer, (None,), crop)
    assert part.shape == (4, 1, 84, 84)
    # Convolutions see zeros beyond the crop; its middle is out of their reach.
    middle = (..., slice(28, 56), slice(28, 56))
    assert torch.allclose(part[middle], crop.of(whole, 14)[middle], atol=2e-2 * float(whole.max()))


@pytest.mark.parametrize("shape", [(25, 25), (40, 60)])
def test_any_multiple_of_five_pixels(scene, shape):
    operator = scene[0]
    width = torch.full((1,), 0.7)
    transfer = moffat_transfer(width, 4 * width, operator.frequencies(shape))
    (image,) = small(operator)(torch.ones(1, 1, *shape), torch.ones(1), transfer)
    assert image.shape[-2:] == (shape[0] * 14 // 5, shape[1] * 14 // 5)


def test_overfits_one_batch_and_beats_its_own_base(scene):
    operator, hst, observed, sigma, transfer = scene
    network = small(operator)
    crop = Crop(2, 2, 4, 4)
    truth = crop.of(hst[:2], 14)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(25):
        (image,) = network(observed[:2], sigma[:2], transfer[:2], (None,), crop)
        loss = (image - truth).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimiser.step()
        losses.append(loss.item())
    # The first loss is that of the Wiener base.
    assert losses[-1] < 0.5 * losses[0]


def test_gradient_of_the_whole_unrolled_network():
    operator = ObservationOperator(margin=5)
    network = small(operator, channels=4, fine_channels=2).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    width = torch.full((1,), 0.6, dtype=torch.float64)
    transfer = moffat_transfer(width, 4 * width, operator.frequencies((10, 10))).double()
    generator = torch.Generator().manual_seed(1)
    observed = torch.randn(1, 1, 10, 10, dtype=torch.float64, generator=generator)
    observed.requires_grad_()
    weights = torch.randn(1, 1, 28, 28, dtype=torch.float64, generator=generator)

    def total(image):
        (result,) = network(image, torch.ones(1, dtype=torch.float64), transfer)
        return (result * weights).sum()

    (gradient,) = torch.autograd.grad(total(observed), observed)
    direction = torch.randn(observed.shape, dtype=torch.float64, generator=generator)
    step = 1e-5 * direction
    with torch.no_grad():
        finite = (total(observed + step) - total(observed - step)) / 2e-5
    assert abs(float(finite)) > 1e-3
    assert float((gradient * direction).sum()) == pytest.approx(float(finite), rel=1e-3)


def test_bfloat16_autocast_stays_close(scene):
    operator, _, observed, sigma, transfer = scene
    network = listening(small(operator))
    (image,) = network(observed, sigma, transfer)
    with torch.autocast("cpu", torch.bfloat16):
        (half,) = network(observed, sigma, transfer)
    assert (half - image).abs().max() < 0.05 * image.abs().max()


def test_discriminator_scores_patches_and_uses_its_context():
    torch.manual_seed(0)
    discriminator = SuperResolutionDiscriminator(channels=8)
    images = torch.randn(2, 1, 56, 56)
    scores = discriminator(images, torch.zeros(2, 1, 20, 20))
    assert scores.shape == (2, 1, 7, 7)
    assert not torch.allclose(scores, discriminator(images, torch.ones(2, 1, 20, 20)))


def test_discriminator_scores_an_image_independently_of_its_batch():
    torch.manual_seed(0)
    discriminator = SuperResolutionDiscriminator(channels=8)
    images, context = torch.randn(3, 1, 56, 56), torch.randn(3, 1, 20, 20)
    together = discriminator(images, context)
    assert torch.allclose(together[:1], discriminator(images[:1], context[:1]), atol=1e-5)


def test_block_starts_as_the_identity_and_asks_for_its_condition():
    block = ConditionalResidualBlock(4, conditions=3, noise_channels=2)
    features = torch.randn(2, 4, 6, 6)
    noise = torch.randn(2, 2, 6, 6)
    assert torch.equal(block(features, torch.randn(2, 3), noise), features)
    with pytest.raises(ValueError, match="condition"):
        block(features)


def test_ancestor_keeps_the_flux_of_what_it_saw(scene):
    operator, hst, observed, sigma, transfer = scene
    torch.manual_seed(0)
    network = AncestorGenerator(operator, channels=8).requires_grad_(False)
    first, second = network(observed, sigma, transfer, (None, None))
    assert first.shape == hst.shape
    assert torch.equal(first, second)
    again = operator(first, transfer)
    # The fitted scale leaves no part of the residual along the model.
    assert abs(float(((observed - again) * again).sum())) < 1e-3 * float((again**2).sum())
    (crop,) = network(observed, sigma, transfer, (None,), Crop(2, 2, 4, 4))
    assert crop.shape[-1] * 2.8 == pytest.approx(2.8 * 56)


def test_a_wider_network_makes_what_a_narrow_one_makes(scene):
    """All of whose layers have weight, the two halves of each modulation among them."""
    operator, _, observed, sigma, transfer = scene
    narrow, wide = listening(small(operator)), small(operator, channels=24)
    wide.load_state_dict(widened(wide, narrow.state_dict()))
    noises = (None, narrow.draw_noise(4, (40, 40), torch.Generator().manual_seed(1)))
    with torch.no_grad():
        expected = narrow(observed, sigma, transfer, noises)
        found = wide(observed, sigma, transfer, noises)
    assert not torch.allclose(expected[0], small(operator)(observed, sigma, transfer)[0], atol=0.1)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
