"""The super-resolution network on other grids than those of HSC and HST."""

import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network, check_grid
from clumpygan.instruments import GridPair, SurveyPair, moffat_transfer

TINY = {"channels": 8, "blocks": [1, 1], "fine_channels": 4, "noise_channels": 2}
CARD = {"network": {"name": "super_resolution", "arguments": {}}}


@pytest.mark.parametrize("name", ["super_resolution", "ancestor"])
@pytest.mark.parametrize("survey", ["lsst_i", "des_i"])
def test_networks_recover_stamps_of_their_grid(name: str, survey: str) -> None:
    pair = SurveyPair.of(survey)
    torch.manual_seed(0)
    arguments = TINY if name == "super_resolution" else {"channels": 4}
    network = build_network(name, arguments, pair.to_card()).eval()
    side = pair.grid.coarse_shape((pair.grid.stamp, pair.grid.stamp))
    width = torch.tensor([0.9, 1.0])
    transfer = moffat_transfer(width, 4 * width, network.observation.frequencies(side))
    axis = torch.arange(pair.grid.stamp) - (pair.grid.stamp - 1) / 2
    scene = 50 * torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 50).expand(2, 1, -1, -1)
    with torch.no_grad():
        observed = network.observation(scene, transfer)
        (image,) = network(observed, torch.full((2,), 2.0), transfer)
    assert image.shape == scene.shape
    assert torch.isfinite(image).all()
    # The Wiener base keeps the flux; the ancestor's, untrained, is anything.
    if name == "super_resolution":
        assert torch.allclose(image.sum((1, 2, 3)), scene.sum((1, 2, 3)), rtol=0.05)


def test_subpixels_and_depths_follow_from_the_survey() -> None:
    default = build_network("super_resolution", TINY)
    assert (default.subpixels, default.depth_range, default.largest_flux) == (3, (0.0, 0.7), 2.2)
    des = build_network("super_resolution", TINY, SurveyPair.of("des_i").to_card())
    assert des.subpixels == 5
    assert des.depth_range == (0.9, 1.6)


def test_a_network_for_other_pixels_says_so_in_one_line() -> None:
    check_grid(CARD, GridPair(0.06, 0.168), "a")
    with pytest.raises(InputError) as refusal:
        check_grid(CARD, GridPair(0.06, 0.2), "checkpoint a")
    words = str(refusal.value)
    assert words.startswith('checkpoint a is for pixels of 0.168" to 0.06", not of 0.2" to 0.06"')
    assert 'super_resolution for 0.168" to 0.06"' in words
    assert "\n" not in words
