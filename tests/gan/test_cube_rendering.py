"""Lines of cubes whose gas is known: light is divided among them as its oxygen says."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaincinv

from clumpygan.data.cubes.frame import make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS, GAS_CONDITIONS, condition_rows
from clumpygan.galaxies.gas.lines import line_strengths
from clumpygan.gan.checkpoint import build_network
from clumpygan.gan.cube_rendering import ConditionRenderer
from clumpygan.networks.gas.structure import Painting

VALUES = {
    "flux": 100.0, "half_light_radius": 0.8, "sersic_index": 1.0, "inclination": 30.0,
    "maximum_velocity": 100.0, "turnover_radius": 0.2, "velocity_dispersion": 30.0,
    "scale_height": 0.02, "seeing": 0.3, "nuclear_fraction": 0.1, "oxygen_abundance": 8.5,
    "abundance_gradient": -0.1, "electron_density": 100.0,
}  # fmt: skip


def frame(lines, channels=96):
    return make_frame(
        FrameSettings(
            shape=(channels, 40, 40),
            pixel_scale=0.2,
            channel_width=50.0,
            seeing=0.3,
            line_spread=60.0,
            lines=lines,
        )
    )


def told(names=tuple(GAS_CONDITIONS), **other):
    return torch.tensor([[(VALUES | other).get(name, 0.0) for name in names]])


def fluxes(cube, seen):
    """Maps (lines, y, x) of the light near each line."""
    away = seen.grid.centres[0]
    return np.stack([cube[np.abs(away - velocity) < 450].sum(0) for velocity in seen.line_offsets])


def rendered(seen, names=tuple(GAS_CONDITIONS), painted=None, **other):
    renderer = ConditionRenderer(names, seen, accuracy=1e-3)
    return renderer(told(names, **other), painted)[0, 0].numpy()


@pytest.mark.parametrize("gradient", [0.0, -0.3])
def test_ratios_of_lines_are_those_of_the_oxygen_at_each_radius(gradient):
    """Against integrals of the profile by another method."""
    seen = frame(("halpha", "nii"))
    cube = rendered(seen, abundance_gradient=gradient)
    assert cube.sum() == pytest.approx(100.0, rel=0.02)
    b = gammaincinv(2.0, 0.5)

    def shares(radius):
        here, density = np.array(8.5 + gradient * (radius - 1)), np.array(100.0)
        strengths = np.array(line_strengths(seen.lines, here, density))
        return strengths / strengths.sum()

    def whole(line):
        return quad(lambda r: r * np.exp(-b * r) * shares(r)[line], 0, 12)[0] * b**2

    found = fluxes(cube, seen)
    expected = np.array([whole(line) for line in range(len(seen.lines))])
    assert found.sum((1, 2)) / found.sum() == pytest.approx(expected, rel=0.02)
    ratio = found[1] / found[0]
    middle, edge = ratio[20, 20], ratio[20, 32]
    if gradient:
        assert middle > 1.3 * edge
    else:
        assert middle == pytest.approx(edge, rel=0.02)


def test_doublets_follow_the_density():
    seen = frame(("oii",))
    found = [rendered(seen, electron_density=density) for density in (10.0, 1e5)]
    means = [(seen.grid.centres[0] * one.sum((1, 2))).sum() / one.sum() for one in found]
    apart = abs(seen.line_offsets[1] - seen.line_offsets[0])
    # The redder line has 1.45 and 0.38 times the light of the bluer one.
    share = [ratio / (1 + ratio) for ratio in (1.45, 0.38)]
    assert abs(means[0] - means[1]) == pytest.approx(apart * (share[0] - share[1]), rel=0.05)


def test_one_line_has_all_of_the_light_and_unknown_gas_equal_lines():
    one = rendered(frame(("halpha",)))
    assert np.array_equal(one, rendered(frame(("halpha",)), oxygen_abundance=8.0))
    seen, names = frame(("halpha", "nii")), tuple(CUBE_CONDITIONS)
    found = fluxes(rendered(seen, names), seen).sum((1, 2))
    assert found[0] == pytest.approx(found[1], rel=0.05)


def test_painted_galaxies_have_the_lines_of_their_gas_too():
    seen, names = frame(("halpha", "nii")), tuple(GAS_CONDITIONS)
    torch.manual_seed(0)
    arguments = {"latent_dim": 4, "channels": 4, "largest": 4, "side": 8}
    network = build_network("cube_gas", arguments | {"conditions": condition_rows(names)})
    noise = network.draw_noise(1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        painted = network.paint(torch.zeros(1, 4), told(names), noise)
    ratios = []
    for abundance in (8.2, 8.6):
        found = fluxes(rendered(seen, painted=painted, oxygen_abundance=abundance), seen)
        ratios.append(found[1].sum() / found[0].sum())
    expected = [
        line_strengths(seen.lines[1:2], np.array(one), np.array(1.0))[0] for one in (8.2, 8.6)
    ]
    assert ratios == pytest.approx(expected, rel=0.2)
    assert ratios[1] > 2 * ratios[0]


def test_points_have_the_lines_of_their_radius_and_companions_those_of_one():
    """Of light that is in points alone, here at the radii 0.5 and 1.5 and beside the galaxy."""
    seen, gradient = frame(("halpha", "nii")), -0.3
    for along, x, radius in ((0.5, 0.0, 0.5), (1.5, 0.0, 1.5), (0.0, 1.2, 1.0)):
        places = [[along], [0.0], [x], [0.0], [1.0], [0.0], [30.0]]
        painted = Painting(
            torch.stack([torch.ones(1, 8, 8), torch.zeros(1, 8, 8), torch.ones(1, 8, 8)], 1),
            torch.tensor([places]),
            torch.ones(1),
            torch.zeros(1, 2),
            torch.zeros(1),
        )
        found = fluxes(rendered(seen, painted=painted, abundance_gradient=gradient), seen)
        here = np.array(8.5 + gradient * (radius - 1))
        expected = line_strengths(seen.lines, here, np.array(100.0))
        ratio = found[1].sum() / found[0].sum()
        assert ratio == pytest.approx(expected[1] / expected[0], rel=0.03)


def test_a_bulge_that_is_told_is_in_the_middle():
    names = tuple(GAS_CONDITIONS)
    torch.manual_seed(0)
    arguments = {"latent_dim": 4, "channels": 4, "largest": 4, "side": 8}
    network = build_network("cube_gas", arguments | {"conditions": condition_rows(names)})
    noise = network.draw_noise(64, torch.Generator().manual_seed(0))
    light = []
    for share in (0.0, 0.01, 0.15):
        rows = told(names, nuclear_fraction=share).expand(64, -1)
        found = network.structure(rows, noise[:7])
        light.append((found.light * found.base)[:, 28:36, 28:36].sum((1, 2)).mean())
        assert (found.numbers["hole"] > 0).all() == (share == 0)
    assert light[0] < light[1] < light[2]
