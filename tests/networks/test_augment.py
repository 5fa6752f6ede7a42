"""Turning and shifting of images."""

import pytest
import torch

from clumpygan.networks.orientations import draw_placements, place


def blob(x, y, side=24, width=2.0):
    axis = torch.arange(float(side))
    image = torch.exp(-((axis[None] - x) ** 2 + 2 * (axis[:, None] - y) ** 2) / (2 * width**2))
    return image[None, None]


def centre_of(image):
    axis = torch.arange(float(image.shape[-1]))
    total = image.sum()
    return (image * axis).sum() / total, (image * axis[:, None]).sum() / total


@pytest.mark.parametrize("shift", [(1.4, 0.0), (0.0, -0.7), (0.5, 1.25)])
def test_a_shift_is_that_of_the_light(shift):
    image = blob(11.5, 11.5)
    moved = place(image, torch.zeros(1, 3), torch.tensor([shift]))
    x, y = centre_of(moved)
    assert x == pytest.approx(11.5 + shift[0], abs=0.05)
    assert y == pytest.approx(11.5 + shift[1], abs=0.05)
    truth = blob(11.5 + shift[0], 11.5 + shift[1])
    # The kernel of the interpolation is not symmetric about every shift: a few per cent.
    assert (moved - truth).abs().max() < 0.05


def test_whole_pixels_are_exact_and_edges_go_on():
    image = torch.rand(1, 1, 8, 8)
    moved = place(image, torch.zeros(1, 3), torch.tensor([[2.0, -1.0]]))
    torch.testing.assert_close(moved[..., :-1, 2:], image[..., 1:, :-2], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., :-1, 0], image[..., 1:, 0], atol=1e-5, rtol=0)


def test_the_eight_ways_round_are_the_dihedral_group():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    turns = torch.tensor([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    found = place(image.expand(8, 1, 3, 3), turns, torch.zeros(8, 2))
    turned = [torch.rot90(image[0, 0], k) for k in range(4)]
    expected = turned + [one.flip(-1) for one in turned]
    for one in expected:
        assert any(torch.allclose(one, other, atol=1e-4) for other in found[:, 0])


def test_placements_are_drawn_evenly():
    turns, shifts = draw_placements(4000, 1.5, torch.Generator().manual_seed(0))
    assert shifts.abs().max() <= 1.5
    assert shifts.std() == pytest.approx(1.5 / 3**0.5, rel=0.05)
    assert turns.float().mean(0).sub(0.5).abs().max() < 0.04
    again, _ = draw_placements(4000, 1.5, torch.Generator().manual_seed(0))
    assert torch.equal(turns, again)


def test_gradients_flow_to_the_image():
    image = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    turns, shifts = draw_placements(2, 1.0, torch.Generator().manual_seed(1))
    moved = place(image.float(), turns, shifts)
    moved[..., 2:6, 2:6].sum().backward()
    assert image.grad.abs().sum() > 10
