"""A generator of stamps that paints in the plane of the galaxy, seen through a known PSF."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log, pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from clumpygan.networks.blocks import LEAK, ConditionalResidualBlock, convolution
from clumpygan.networks.spergel import spergel_transform
from clumpygan.networks.stamp_shapes import Noise, resolutions, widths

NEEDED = ("signal", "half_light_radius", "sersic_index")
"""Conditions without which the smooth light isn't known."""

CANVAS, REACH = 48, 3.0
"""Pixels per side of what is painted, and half-light radii from the middle to its edge."""

BRIGHTEST = 4.0
"""Largest natural logarithm of the light over that of the smooth galaxy."""

UNEVEN = 0.25
"""Rms of that logarithm on each scale, before anything is learnt."""

FLATTEST = 0.08
"""Smallest axis ratio."""

AXIS_RATIO = ((-0.319, 0.592, -1.404, 0.269), (-0.351, 0.377, 0.160, 0.153))
"""Mean of the logit of axis ratios between `FLATTEST` and 1, and ln of its scatter, before anything
is learnt: at a flux of 410 in units of the noise, a half-light radius of 0.25 arcsec and an index
of 1.26, and by what they change for each dex of these. Fitted to the synthetic population, whose
are those of structural catalogues: faint galaxies are flatter than bright ones, and more alike.
Trainings alone hardly move them there."""

SOFTENING = 0.55
"""Gaussian sigma in pixels of the smooth light on which is painted: sharper than the PSF."""

NEIGHBOURS, NEIGHBOUR_LATENTS = 3, 6
"""Most other sources, beside a companion, and the length of the z of each."""

NEIGHBOUR_SIGNAL = (1.4, 1.2)
"""Mean and scatter of log10 of the flux of a neighbour in units of the noise, before anything is
learnt: with three in a field of 20 square arcsec, the counts of 3D-HST sources to H = 26.5 at the
depth of CANDELS-Wide."""

COMPANION_SHARE = 1.28
"""Standard normal deviate that one companion in ten exceeds: the share with a companion as bright
as a sixth of the galaxy, before anything is learnt."""

COMPANION_DISTANCE = (0.2, 1.0)
"""Least distance of a companion, and the range beyond, in arcsec."""

WOUND = 4.5
"""Most radians by which differential rotation turns what is painted, for each e-folding in radius:
arms with a pitch angle of 13 degrees."""

CORE = 0.1
"""Half-light radii within which it turns everything alike."""

COMPETING = 1.0
"""Arcsec within which nothing is brighter: it would be the galaxy, and this one its neighbour."""

MARGIN = 8
"""Pixels around the stamp that are painted too, for what the PSF brings in."""


class PaintedGenerator(nn.Module):
    """Galaxies as smooth bodies of the size and profile asked for, with painted light.

    The smooth light is a Spergel profile (`clumpygan.networks.spergel`) of the half-light radius
    and Sersic index of the conditions, which may be learnt to depart a little from them; it is
    flattened as galaxies of that flux, radius and index are, until more is learnt. It is multiplied
    by exp(t), where t is painted by residual blocks in the plane of the galaxy, in units of its
    half-light radius, and wound by differential rotation, as much as is learnt: shapes and scales
    are not to be learnt anew for every size, inclination and orientation. Neighbours are smooth
    bodies too, whose fluxes and shapes are learnt; then comes the PSF, which is known. The galaxy
    lies a random fraction of a pixel off the middle, at a random angle: whatever is learnt, no
    orientation is preferred.

    Parameters
    ----------
    size : int
        Pixels per side of the stamps, a multiple of 8.
    latent_dim : int
        Length of z.
    channels, largest : int
        Features at full resolution; they double at every halving, up to `largest`.
    conditions : sequence of str
        Names, `NEEDED` among them.
    standards : mapping
        Condition -> (centre, scale, logarithmic): what is told is (value - centre) / scale, of the
        decimal logarithm where it is logarithmic.
    pixel_scale : float
        Arcsec.
    transfer : sequence of float
        Transfer function of the PSF, azimuthally averaged, at equal steps from frequency 0 to that
        of the corners, sqrt(1/2) cycles per pixel.
    offset : float
        Largest distance of a galaxy from the middle along each axis, in pixels.

    Raises
    ------
    ValueError
        If one of `NEEDED` isn't told.
    """

    def __init__(
        self,
        size: int,
        latent_dim: int,
        channels: int,
        largest: int,
        conditions: Sequence[str],
        standards: Mapping[str, Sequence[float]],
        pixel_scale: float,
        transfer: Sequence[float],
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        missing = [name for name in NEEDED if name not in conditions]
        if missing:
            raise ValueError(f"the painted variant needs the condition {' and '.join(missing)}")
        resolutions(size)
        self.size, self.latent_dim, self.offset = size, latent_dim, offset
        self.pixel_scale = pixel_scale
        self.places = {name: list(conditions).index(name) for name in NEEDED}
        self.standards = {name: tuple(standards[name]) for name in NEEDED}
        self.sides = resolutions(CANVAS)
        depths = widths(len(self.sides), channels, largest)
        told = latent_dim + len(conditions)
        self.style = nn.Sequential(
            nn.Linear(told, latent_dim),
            nn.LeakyReLU(LEAK),
            nn.Linear(latent_dim, latent_dim),
            nn.LeakyReLU(LEAK),
        )
        self.enter = nn.Linear(latent_dim, depths[0] * self.sides[0] ** 2)
        self.start = (depths[0], self.sides[0], self.sides[0])
        self.blocks = nn.ModuleList(
            ConditionalResidualBlock(depth, latent_dim, noise_channels=1) for depth in depths
        )
        self.narrow = nn.ModuleList(convolution(a, b, 1) for a, b in pairwise(depths))
        self.leave = convolution(depths[-1], 1)
        self.uneven = _silent(latent_dim, len(self.sides))
        # Axis ratio and winding; by how much radius and index depart from what was asked for.
        self.shape = nn.Linear(latent_dim + told, 2)
        with torch.no_grad():
            for one in (self.shape.weight, self.shape.bias):
                one[0] = 0
        self.departure = _silent(latent_dim, 2)
        self.sources = nn.Sequential(
            nn.Linear(NEIGHBOUR_LATENTS + len(conditions) + 2, 32),
            nn.LeakyReLU(LEAK),
            nn.Linear(32, 32),
            nn.LeakyReLU(LEAK),
            _silent(32, 4),
        )
        with torch.no_grad():
            self.leave.weight.mul_(0.05)
        self._optics(transfer)

    ky: Tensor
    kx: Tensor
    psf: Tensor
    soft: Tensor

    def _optics(self, transfer: Sequence[float]) -> None:
        """Prepare wave numbers of a padded grid, and what the PSF does to them."""
        self.grid = 2 * self.size
        ky = 2 * pi * torch.fft.fftfreq(self.grid)
        kx = 2 * pi * torch.fft.rfftfreq(self.grid)
        frequency = (ky[:, None].square() + kx.square()).sqrt() / (2 * pi)
        knots = torch.as_tensor(transfer, dtype=torch.float32)
        place = frequency * (len(knots) - 1) / 0.5**0.5
        left = place.long().clamp(0, len(knots) - 2)
        psf = torch.lerp(knots[left], knots[left + 1], (place - left).clamp(0, 1))
        soft = torch.exp(-0.5 * (2 * pi * SOFTENING * frequency).square())
        for name, values in (("ky", ky), ("kx", kx), ("psf", psf), ("soft", soft)):
            # Not in the file of weights: they follow from the arguments.
            self.register_buffer(name, values, persistent=False)

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw what else is random in `count` images.

        The unevenness of the light on each scale, (count, 1, side, side); the orientation,
        (count, 2), an angle in radians and a sense; the shift, (count, 2) pixels in x and y; where
        the other sources are, (count, `NEIGHBOURS` + 1, 2), and what they are, (count,
        `NEIGHBOURS` + 1, `NEIGHBOUR_LATENTS`).
        """
        device = generator.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device) * 2 - 1

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=device)

        turned = uniform(count, 2)
        orientation = torch.stack([pi * turned[:, 0], turned[:, 1].sign()], 1)
        return (
            *(normal(count, 1, side, side) for side in self.sides),
            orientation,
            self.offset * uniform(count, 2),
            uniform(count, NEIGHBOURS + 1, 2),
            normal(count, NEIGHBOURS + 1, NEIGHBOUR_LATENTS),
        )

    def forward(self, z: Tensor, conditions: Tensor | None = None, noise: Noise = ()) -> Tensor:
        """Return images (B, 1, N, N) in units of the noise.

        Parameters
        ----------
        z : Tensor (B, latent_dim)
            Standard normal.
        conditions : Tensor (B, K)
            Standardised.
        noise : tuple of Tensor, optional
            From `draw_noise`; without it the galaxy lies in the middle, even and alone.

        Raises
        ------
        ValueError
            Without conditions.
        """
        if conditions is None:
            raise ValueError("the painted variant makes no galaxy without conditions")
        conditions = conditions.float()
        style = self.style(torch.cat([z, conditions], 1))
        uneven = noise[: len(self.sides)]
        canvas = self._painted(style, uneven).float()
        shape = 3 * self.shape(torch.cat([style, z, conditions], 1)).float()
        flatness = self._flatness(conditions, z[:, 0].float())
        ratio = FLATTEST + (1 - FLATTEST) * torch.sigmoid(flatness + shape[:, 0])
        winding = WOUND * torch.tanh(shape[:, 1])
        departure = torch.tanh(self.departure(style).float())
        radius = self._told("half_light_radius", conditions) * (0.4 * departure[:, 0]).exp()
        index = self._told("sersic_index", conditions) * (0.4 * departure[:, 1]).exp()
        pixels = radius / self.pixel_scale
        orientation, shift = noise[-4:-2] if noise else _upright(z)
        to_plane = _to_plane(orientation, ratio)
        smooth = self._transform(to_plane, pixels, index) * self._moved(shift) * self.soft
        light = self._on_canvas(smooth, canvas, to_plane / pixels[:, None, None], winding, shift)
        flux = self._told("signal", conditions)
        light = light * (flux / light.flatten(1).sum(1).clamp_min(1e-6))[:, None, None]
        scene = torch.fft.rfft2(light) / self.soft
        if noise:
            scene = scene + self._others(conditions, flux, shift, *noise[-2:])
        image: Tensor = torch.fft.irfft2(scene * self.psf, s=(self.grid, self.grid))
        edge = (self.grid - self.size) // 2
        return image[:, None, edge:-edge, edge:-edge].clamp_min(0)

    def _painted(self, style: Tensor, uneven: Noise) -> Tensor:
        """Return the logarithm of the light over the smooth one, (B, 1, CANVAS, CANVAS)."""
        features = self.enter(style).unflatten(1, self.start)
        strength = UNEVEN * self.uneven(style).clamp(-3, 3).exp()
        field: Tensor | float = 0.0
        for level, block in enumerate(self.blocks):
            if level:
                features = _doubled(self.narrow[level - 1](features))
            if uneven:
                rough = strength[:, level, None, None, None] * uneven[level]
                field = rough if level == 0 else _doubled(torch.as_tensor(field)) + rough
            features = block(features, style, uneven[level] if uneven else None)
        painted = self.leave(functional.leaky_relu(features, LEAK)) + field
        limited: Tensor = BRIGHTEST * torch.tanh(painted / BRIGHTEST)
        return limited

    def _told(self, name: str, conditions: Tensor) -> Tensor:
        """Return a condition in its own unit."""
        centre, scale, logarithmic = self.standards[name]
        value = centre + scale * conditions[:, self.places[name]]
        return 10**value if logarithmic else value

    def _flatness(self, conditions: Tensor, deviate: Tensor) -> Tensor:
        """Return the logits of the axis ratios (B,) of which nothing is learnt.

        Parameters
        ----------
        conditions : Tensor (B, K)
            Standardised.
        deviate : Tensor (B,)
            Standard normal: which of these galaxies it is.
        """
        flux, radius, index = (self._told(name, conditions).log10() for name in NEEDED)
        told = torch.stack([torch.ones_like(flux), flux - 2.612, radius + 0.6, index - 0.1], 1)
        mean, scatter = (told @ told.new_tensor(AXIS_RATIO).T).unbind(1)
        # Those of fluxes that nobody has seen are no more different than that.
        return mean.clamp(-3, 3) + scatter.clamp(-2, 1).exp() * deviate

    def _transform(self, to_plane: Tensor, pixels: Tensor, index: Tensor) -> Tensor:
        """Return the transforms (..., Ky, Kx) of flattened bodies, in the middle."""
        # A body x = M u of round u has the transform of u at M^T k, and M^T is the inverse of the
        # transposed map to the plane.
        to_sky = torch.linalg.inv(to_plane)
        ky, kx = self.ky[:, None], self.kx
        along, across = (
            to_sky[..., 0, axis, None, None] * kx + to_sky[..., 1, axis, None, None] * ky
            for axis in range(2)
        )
        return spergel_transform(along.square() + across.square(), pixels, index)

    def _moved(self, shift: Tensor) -> Tensor:
        """Return the transform (..., Ky, Kx) of a shift (..., 2) in x and y from the middle."""
        middle = (self.grid - 1) / 2
        x, y = ((shift[..., axis] + middle)[..., None] for axis in range(2))
        rows = torch.polar(torch.ones_like(y * self.ky), -y * self.ky)
        columns = torch.polar(torch.ones_like(x * self.kx), -x * self.kx)
        return rows[..., :, None] * columns[..., None, :]

    def _on_canvas(
        self, smooth: Tensor, canvas: Tensor, to_plane: Tensor, winding: Tensor, shift: Tensor
    ) -> Tensor:
        """Return the smooth light (B, Y, X) times what is painted on it.

        The plane is in half-light radii. Differential rotation has turned what is painted by
        `winding` radians for each e-folding in radius: spokes become logarithmic spirals.
        """
        # Of a cusp it overshoots between its pixels, which the PSF will smooth away.
        light: Tensor = torch.fft.irfft2(smooth, s=(self.grid, self.grid))
        side = self.size + 2 * MARGIN
        steps = torch.arange(side, device=canvas.device) - (side - 1) / 2
        x = steps - shift[:, 0, None]
        y = steps - shift[:, 1, None]
        along, across = (
            to_plane[:, axis, 0, None, None] * x[:, None, :]
            + to_plane[:, axis, 1, None, None] * y[:, :, None]
            for axis in range(2)
        )
        squared = along.square() + across.square() + CORE**2
        turned = 0.5 * winding[:, None, None] * squared.log()
        cos, sin = turned.cos() / REACH, turned.sin() / REACH
        places = torch.stack([cos * along - sin * across, sin * along + cos * across], -1)
        factor = functional.grid_sample(canvas, places, padding_mode="zeros", align_corners=False)
        edge = (self.grid - side) // 2
        return light * functional.pad(factor[:, 0], (edge,) * 4).exp()

    def _others(
        self, conditions: Tensor, flux: Tensor, shift: Tensor, places: Tensor, z: Tensor
    ) -> Tensor:
        """Return the transform (B, Ky, Kx) of a companion and neighbours."""
        least, beyond = (one / self.pixel_scale for one in COMPANION_DISTANCE)
        distance = least + beyond * (places[:, :1, :1] + 1) / 2
        angle = pi * places[:, :1, 1:]
        beside = distance * torch.cat([angle.cos(), angle.sin()], -1) + shift[:, None]
        around = (self.size / 2 + MARGIN / 2) * places[:, 1:]
        positions = torch.cat([beside, around], 1)
        distances = positions.square().sum(-1, keepdim=True).sqrt()
        is_companion = torch.zeros_like(distances)
        is_companion[:, 0] = 1
        told = conditions[:, None].expand(-1, places.shape[1], -1)
        learnt = self.sources(torch.cat([z, told, distances / 10, is_companion], -1)).float()
        mean, scatter = NEIGHBOUR_SIGNAL
        bright = torch.cat(
            [
                flux.log10()[:, None]
                - 0.1
                - functional.softplus(3 * (COMPANION_SHARE - z[:, :1, 0])),
                mean + scatter * z[:, 1:, 0],
            ],
            1,
        )
        bright = (bright + learnt[..., 0]).clamp(-2, 5)
        near = distances[..., 0] < COMPETING / self.pixel_scale
        bright = torch.where(near, bright.minimum(flux.log10()[:, None]), bright)
        radius = 10 ** (-0.65 + 0.25 * z[..., 1] + learnt[..., 1]).clamp(-2, 0.2)
        ratio = FLATTEST + (1 - FLATTEST) * torch.sigmoid(0.4 + 1.2 * z[..., 2] + learnt[..., 2])
        index = (log(1.3) + 0.45 * z[..., 3] + learnt[..., 3]).clamp(-1.2, 1.8).exp()
        orientation = torch.stack([pi * torch.tanh(z[..., 4]), torch.ones_like(ratio)], -1)
        bodies = self._transform(_to_plane(orientation, ratio), radius / self.pixel_scale, index)
        return ((10**bright)[..., None, None] * bodies * self._moved(positions)).sum(1)


def _silent(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer whose output is zero until it has been trained."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def _upright(z: Tensor) -> tuple[Tensor, Tensor]:
    orientation = torch.tensor([0.0, 1.0], device=z.device).repeat(len(z), 1)
    return orientation, torch.zeros(len(z), 2, device=z.device)


def _to_plane(orientation: Tensor, ratio: Tensor) -> Tensor:
    """Return the maps (..., 2, 2) from the sky to the plane of the galaxy, lengths along its axis.

    Parameters
    ----------
    orientation : Tensor (..., 2)
        Angle of the major axis from +x towards +y, and the sense.
    ratio : Tensor (...)
        Axis ratio.
    """
    cos, sin = orientation[..., 0].cos(), orientation[..., 0].sin()
    across = orientation[..., 1] / ratio
    along = torch.stack([cos, sin], -1)
    return torch.stack([along, torch.stack([-sin * across, cos * across], -1)], -2)
