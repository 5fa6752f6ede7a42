"""A generator of cubes of gas disks: structure is drawn, a network paints on it and tunes it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.cube_conditions import Row
from clumpygan.networks.gas.knots import gas_knots
from clumpygan.networks.gas.structure import (
    COMPANION_POINTS,
    SIDE,
    GasStructure,
    Painting,
)
from clumpygan.networks.physical_cube import Noise, PhysicalCubeGenerator


class GasCubeGenerator(PhysicalCubeGenerator):
    """Cubes of gas disks that rotate as asked: ``generator(z, parameters, noise)``.

    Arms, bars, rings, holes, turbulence, H II regions, giant clumps, winds and companions are drawn
    by a `GasStructure`, whose numbers are learnt to depart from where they begin, as the parameters
    ask for; a `DiskPainter` multiplies the light and the dispersion and adds velocities. The
    renderer then observes maps and points.

    Parameters
    ----------
    conditions : sequence of Row
    latent_dim, side, channels, largest
        Of `DiskPainter`.
    log_stellar_mass, redshift : (float, float)
        Of `GasStructure`.
    """

    def __init__(
        self,
        conditions: Sequence[Row],
        latent_dim: int = 64,
        side: int = 32,
        channels: int = 16,
        largest: int = 64,
        log_stellar_mass: Sequence[float] = (8.7, 11.2),
        redshift: Sequence[float] = (0.3, 0.9),
    ) -> None:
        super().__init__(conditions, latent_dim, side, channels, largest)
        self.structure = GasStructure(conditions, log_stellar_mass, redshift)
        # What is drawn is near to galaxies: nothing is painted before it has been learnt.
        nn.init.zeros_(self.painter.leave.weight)

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw what is random in `count` galaxies, small-scale noise last."""
        return (
            *self.structure.draw_noise(count, generator),
            *self.painter.draw_noise(count, generator),
        )

    def paint(self, z: Tensor, parameters: Tensor, noise: Noise) -> Painting:
        """Return what galaxies are made of, before they are observed."""
        drawn = len(noise) - len(self.painter.sides)
        own = functional.interpolate(
            self.painter(z, parameters, noise[drawn:]),
            size=SIDE,
            mode="bilinear",
            align_corners=False,
        )
        gas = self.structure(parameters.float(), noise[:drawn])
        light, velocity, dispersion = own.unbind(1)
        motions = torch.stack([gas.velocity + velocity, gas.dispersion * dispersion], 1)
        told = {
            name: self.painter.encoder.column(name, parameters)[:, None].float()
            for name in ("half_light_radius", "velocity_dispersion")
        }
        bright = torch.stack([light, gas.passed], 1)
        knots, taken, crowd = gas_knots(gas, motions, bright, told, noise[3:drawn])
        crowd = (crowd / (1 - taken[:, 1:]).clamp_min(1e-3)).clamp(0, 1)[..., None]
        diffuse = ((1 - crowd) * gas.light + crowd * gas.crowded) * gas.passed
        # Of the light of the disk, and of all: the flux is what the dust lets pass.
        seen = (gas.base * diffuse).sum((1, 2)) / gas.base.sum((1, 2))
        whole = (1 - taken[:, 1]) * seen + taken[:, 0]
        own_share = torch.cat(
            [
                knots.share[:, :-COMPANION_POINTS] / whole[:, None],
                knots.share[:, -COMPANION_POINTS:],
            ],
            1,
        )
        knots = knots._replace(share=own_share)
        maps = torch.cat([(diffuse * light)[:, None], motions], 1)
        found = gas.numbers
        mirrored = found["mirrored"][..., None, None]
        return Painting(
            torch.where(mirrored > 0, maps, maps.flip(2)),
            torch.stack(knots, 1),
            taken[:, 0] / whole,
            torch.cat([found["warp"], found["twist"]], 1),
            found["continuum"][:, 0],
        )
