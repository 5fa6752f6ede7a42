import re

import pytest
import torch
from safetensors import SafetensorError

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.observations import SyntheticGalaxies
from clumpygan.gan.checkpoint import (
    build_network,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from clumpygan.instruments import HST_WFC3_F160W, moffat_transfer, within_band
from clumpygan.recovery.bad_pixels import fill_gaps
from clumpygan.recovery.resolver import REPEATS, SuperResolver
from tests.readers import ended_in_time

TINY = {"channels": 8, "blocks": [1, 1], "fine_channels": 4, "noise_channels": 2}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    network = build_network("super_resolution", TINY)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    card = {"network": {"name": "super_resolution", "arguments": TINY}, "seed": 0}
    save_checkpoint(tmp_path / "tiny", network, card)
    return tmp_path / "tiny.safetensors", network


def seeing(frequencies):
    width = torch.full((1,), 0.6)
    return moffat_transfer(width, 5 * width, frequencies)


def test_a_loaded_network_gives_identical_samples(saved):
    path, network = saved
    resolver = SuperResolver.from_checkpoint(str(path))
    observed = torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(3))
    recovered = resolver.recover(observed, torch.ones(1), seeing, samples=4, seed=5)
    generator = torch.Generator().manual_seed(5 * 65537)
    transfer = seeing(resolver.operator.frequencies((40, 40)))
    expected = []
    for axes in ([], [-1]):
        noise = network.draw_noise(1, (40, 40), generator)
        with torch.no_grad():
            pair = network(observed.flip(axes), torch.ones(1), transfer, (noise, noise.opposite()))
        expected += [image.flip(axes) for image in pair]
    drawn = torch.stack(expected)
    # What HST doesn't let through is taken out.
    expected = within_band(drawn, HST_WFC3_F160W.psf(), 0.06)
    assert not torch.allclose(expected, drawn, atol=1e-3)
    # All are given the sky of the data, which is the same everywhere in so small a stamp.
    sky = recovered.samples - expected
    assert torch.allclose(sky, sky.mean().expand_as(sky), atol=1e-4)
    left = observed - resolver.operator(drawn.mean(0), transfer)
    assert 0 < float(sky.mean() * resolver.grid.area_ratio / left.clamp(-3, 3).mean()) < 1.0001
    assert torch.equal(recovered.best, recovered.samples.mean(0))
    assert recovered.error.min() > 0
    deviation = (expected - expected.mean(0)).square().mean(0).sqrt()
    # Of two antithetic pairs the scatter is known with two degrees of freedom: t = 1.32.
    assert float((recovered.error / deviation).median()) == pytest.approx(1.32, abs=0.06)
    assert not (path.parent / ".tiny.safetensors.partial").exists()


def test_a_full_disk_names_the_checkpoint_and_leaves_the_old_one(saved, tmp_path, monkeypatch):
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(weights, path):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("clumpygan.gan.checkpoint.save_file", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/tiny\.safetensors"):
        save_checkpoint(tmp_path / "tiny", saved[1], {"network": {}})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_all_orientations_see_the_same_sky_through_the_same_psf():
    """What is a deconvolution and nothing else doesn't depend on how the image is turned."""

    class Deconvolution(torch.nn.Module):
        def draw_noise(self, batch, shape, generator):
            return None

        def forward(self, observed, sigma, transfer, noises):
            ratio = torch.full(transfer.shape, 1e-2)
            return tuple(resolver.operator.wiener(observed, transfer, ratio) for _ in noises)

    resolver = SuperResolver(Deconvolution(), {"network": {"name": "deconvolution"}})
    observed = torch.randn(1, 1, 25, 40, generator=torch.Generator().manual_seed(0))

    def lopsided(frequencies):
        ky, kx = frequencies
        return torch.exp(-((0.9 * ky) ** 2) - (0.6 * kx - 0.2 * ky) ** 2 + 0.7j * (ky + 2 * kx))

    samples = resolver.recover(observed, torch.ones(1), lopsided, samples=16).samples
    assert len(samples) == 16
    assert (samples - samples[0]).abs().max() < 1e-4 * samples.abs().max()


def test_recovery_depends_on_the_seed_not_on_the_batch(saved):
    resolver = SuperResolver.from_checkpoint(str(saved[0]))
    observed = torch.randn(2, 1, 25, 25, generator=torch.Generator().manual_seed(3))
    both = resolver.recover(observed, torch.ones(2), seeing, samples=2, seed=1)
    first = resolver.recover(observed[:1], torch.ones(1), seeing, samples=2, seed=1)
    other = resolver.recover(observed[:1], torch.ones(1), seeing, samples=2, seed=2)
    assert torch.allclose(both.samples[:, :1], first.samples, atol=1e-5)
    assert not torch.allclose(first.samples, other.samples, atol=1e-5)


def test_rectangles_of_any_size_keep_their_first_corner():
    # Untrained, the network is the Wiener deconvolution: its peak is where the star is.
    resolver = SuperResolver(build_network("super_resolution", TINY).requires_grad_(False), {})
    observed = torch.zeros(1, 1, 27, 41)
    observed[..., 12, 12] = 100.0
    recovered = resolver.recover(observed, torch.ones(1), seeing, samples=2)
    assert recovered.best.shape == (1, 1, 76, 115)
    y, x = divmod(int(recovered.best[0, 0].argmax()), 115)
    # The centre of HSC pixel 12 is (12 + 1/2) 14/5 - 1/2 = 34.5 HST pixels from the first centre.
    assert abs(y - 34.5) < 1.1
    assert abs(x - 34.5) < 1.1


@pytest.mark.parametrize(("peak", "left"), [(200.0, 0.5), (2e4, 1.0)])
def test_a_recovery_that_contradicts_the_data_is_mended(saved, monkeypatch, peak, left):
    """Iterations that lead away from the data, of one 100 times as bright, aren't taken."""
    resolver = SuperResolver.from_checkpoint(str(saved[0]))
    operator = resolver.operator
    axis = torch.arange(112) - 55.5
    truth = peak * torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 30)[None, None]
    transfer = seeing(operator.frequencies((40, 40)))
    noise = torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    observed = operator(truth, transfer) + noise
    misfits = []
    for limit in (1e9, 1.2):
        monkeypatch.setattr("clumpygan.recovery.resolver.MISFIT", limit)
        recovered = resolver.recover(observed, torch.ones(1), seeing, samples=2)
        misfits.append(float((operator(recovered.best, transfer) - observed).square().mean()))
    assert misfits[0] > 2
    assert misfits[1] <= left * misfits[0]


def test_what_stands_behind_a_mask_does_not_matter(saved):
    resolver = SuperResolver.from_checkpoint(str(saved[0]))
    observed = torch.randn(1, 1, 30, 30, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros_like(observed, dtype=torch.bool)
    mask[..., :5] = True  # columns
    mask[..., 12:14, 12:14] = True
    found = [
        resolver.recover(
            observed.masked_fill(mask, value), torch.ones(1), seeing, samples=2, mask=mask,
            noise=torch.ones_like(observed).masked_fill(mask, spoilt),
        )
        for value, spoilt in ((float("nan"), float("nan")), (0.0, 1.0), (1e4, 0.0), (-1e4, 1e9))
    ]  # fmt: skip
    for other in found[1:]:
        assert torch.equal(other.samples, found[0].samples)
    # Sky, for all that is known.
    best = found[0].best
    assert abs(float(best[..., :14].mean() - best[..., 14:].mean())) < float(best.std())


def test_a_galaxy_with_a_mask_does_not_depend_on_its_batch(saved):
    resolver = SuperResolver.from_checkpoint(str(saved[0]))
    observed = torch.randn(2, 1, 40, 40, generator=torch.Generator().manual_seed(3))
    axis = torch.arange(40) - 19.5
    observed[1] += 300 * torch.exp(-(axis[:, None] ** 2 + axis**2) / 20)
    observed[0] += 0.5  # a sky that is to be found
    mask = torch.zeros_like(observed, dtype=torch.bool)
    mask[0, ..., :20, 10:30] = True
    mask[1, ..., 19:21, 19:21] = True
    how = {"samples": 2, "seed": 1, "window": 4}
    both = resolver.recover(observed, torch.ones(2), seeing, mask=mask, **how)
    first = resolver.recover(observed[:1], torch.ones(1), seeing, mask=mask[:1], **how)
    torch.testing.assert_close(both.samples[:, :1], first.samples, atol=1e-5, rtol=0)


def test_noise_that_is_none_is_refused(saved):
    observed = torch.zeros(1, 1, 30, 30)
    noise = torch.ones_like(observed)
    for value in (0.0, -1.0, float("nan")):
        noise[..., 3, 3] = value
        with pytest.raises(InputError, match=r"noise of an observed pixel is .* expected > 0"):
            SuperResolver.from_checkpoint(str(saved[0])).recover(
                observed, torch.ones(1), seeing, noise=noise
            )


def test_runs_that_follow_have_noise_of_their_own(saved, monkeypatch):
    """Gibbs sampling with the same random numbers in each step samples nothing."""
    resolver = SuperResolver.from_checkpoint(str(saved[0]))
    drawn = []
    draw = resolver.network.draw_noise

    def recorded(*given, **named):
        found = draw(*given, **named)
        drawn.append(torch.cat([one.flatten()[:50] for one in found]))
        return found

    monkeypatch.setattr(resolver.network, "draw_noise", recorded)
    observed = torch.full((1, 1, 30, 30), 50.0)
    mask = torch.zeros_like(observed, dtype=torch.bool)
    mask[..., 12:14, 12:14] = True
    resolver.recover(observed, torch.ones(1), seeing, samples=2, mask=mask)
    assert len(drawn) == 1 + REPEATS
    for number, one in enumerate(drawn):
        assert all(not torch.equal(one, other) for other in drawn[:number])


def test_light_behind_a_mask_is_what_its_surroundings_say():
    """Pixels beside the core of a galaxy are masked: what fills them is no data."""
    resolver = SuperResolver.from_checkpoint("super_resolution")
    batch = SyntheticGalaxies(seed=5).batch([1])
    mask = torch.zeros_like(batch.observed, dtype=torch.bool)
    mask[..., 21:24, 18:21] = True
    filled = torch.from_numpy(fill_gaps(*(one[0, 0].numpy() for one in (
        batch.observed, mask, torch.zeros_like(batch.observed)
    ))))[None, None]  # fmt: skip

    def error(seen, **masked):
        how = {"samples": 4, "seed": 1, **masked}
        best = resolver.recover(seen, batch.sigma, batch.psf, **how).best
        return float((best - batch.truth).norm() / batch.truth.norm())

    whole = error(batch.observed)
    assert error(filled) > 2 * whole
    assert error(batch.observed.masked_fill(mask, 0), mask=mask) < 1.2 * whole


@pytest.mark.parametrize(
    ("observed", "sigma", "message"),
    [
        (torch.zeros(1, 1, 20, 40), torch.ones(1), "20x40.*25x25"),
        (torch.full((1, 1, 30, 30), float("nan")), torch.ones(1), "finite"),
        (torch.zeros(1, 1, 30, 30), torch.zeros(1), "0.0 nJy"),
    ],
)
def test_bad_images_are_refused(saved, observed, sigma, message):
    with pytest.raises(InputError, match=message):
        SuperResolver.from_checkpoint(str(saved[0])).recover(observed, sigma, seeing)


@pytest.mark.parametrize("name", [".", "..", "/", ""])
def test_folders_are_no_checkpoints(name: str) -> None:
    with pytest.raises(InputError, match=f"no checkpoint {re.escape(name)}: expected"):
        find_checkpoint(name)


def test_missing_checkpoint_lists_what_there_is():
    with pytest.raises(InputError, match="no checkpoint nowhere"):
        find_checkpoint("nowhere")


def test_truncated_weights(saved):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"tiny\.safetensors can't be read"):
        load_checkpoint(str(path))


def test_weights_of_another_size(saved):
    path = saved[0]
    card = path.with_suffix(".yaml")
    card.write_text(card.read_text().replace("channels: 8", "channels: 16", 1))
    with pytest.raises(InputError, match="doesn't fit its card"):
        load_checkpoint(str(path))


@pytest.mark.parametrize("number", ["1000", "2147483647"])
def test_a_card_that_asks_for_more_than_the_file_holds(saved, number):
    card = saved[0].with_suffix(".yaml")
    card.write_text(card.read_text().replace("- 1\n", f"- {number}\n", 1))
    expected = r"tiny\.safetensors: it doesn't fit its card, which asks for more than"
    with ended_in_time(1), pytest.raises(InputError, match=expected):
        load_checkpoint(str(saved[0]))


def test_checkpoint_of_another_network(saved):
    with pytest.raises(InputError, match="a checkpoint of super_resolution: expected one of dcgan"):
        load_checkpoint(str(saved[0]), ("dcgan",))


def test_weights_that_are_not_finite(tmp_path):
    network = build_network("super_resolution", TINY)
    torch.nn.init.constant_(network.leave.bias, float("inf"))
    card = {"network": {"name": "super_resolution", "arguments": TINY}}
    save_checkpoint(tmp_path / "bad", network, card)
    with pytest.raises(InputError, match="aren't finite"):
        load_checkpoint(str(tmp_path / "bad"))


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "no card"), ("a: [", "is not a card"), ("a: 1", "no section 'network'")],
)
def test_bad_cards(saved, text, message):
    card = saved[0].with_suffix(".yaml")
    card.unlink() if text is None else card.write_text(text)
    with pytest.raises(InputError, match=message):
        load_checkpoint(str(saved[0]))


def test_unknown_network_and_argument():
    with pytest.raises(InputError, match="unknown network 'unet'"):
        build_network("unet", {})
    with pytest.raises(InputError, match="chanels"):
        build_network("super_resolution", {"chanels": 3})
