"""What gas disks are made of, as tensors: arms, bars, winds, companions; learnt from there.

Numbers are what galaxies are drawn with before anything is learnt: those of the population of gas
disks (`clumpygan.galaxies.gas`), where their sources are. What is random comes from standard normal
or uniform numbers, which a network shifts and widens by what it has learnt.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from clumpygan.networks.blocks import LEAK
from clumpygan.networks.cube_conditions import ConditionEncoder, Row
from clumpygan.networks.gas.masses import SAMPLES, SuitedGalaxies

Noise = tuple[Tensor, ...]

EXTENT = 3.0
"""Half a side of the maps, in half-light radii."""

SIDE, WHITE = 64, 96
"""Pixels of the maps, and of the white noise from which their turbulence is cut out."""

REGIONS, GIANTS, GIANT_POINTS, WIND_POINTS, COMPANION_POINTS = 128, 8, 12, 32, 24
"""H II regions that are points of their own, giant clumps, and the points of what isn't one."""

SCALARS = (
    "star_formation", "arms", "arm_count", "pitch", "phase", "bar", "bar_fraction", "bar_radius",
    "bar_ratio", "bar_angle", "ring", "ring_fraction", "ring_radius", "hollow", "hole_depth",
    "hole_radius", "bulge", "bulge_radius", "lopsidedness", "lopsided_angle", "diffuse", "slope",
    "bar_flow", "arm_flow", "central", "warp", "twist", "continuum", "wind", "wind_fraction",
    "wind_dispersion", "wind_shift", "companion", "companion_flux", "separation", "direction",
    "companion_radius", "companion_velocity", "companion_rotation", "companion_angle", "clumpy",
    "cluster", "clump_number", "clump_light", "mirrored", "lane", "lane_offset",
    "lane_width", "arm_dust", "light", "velocity", "dispersion",
)  # fmt: skip
"""What is one number of a galaxy: each a standard normal, shifted and widened as is learnt. Where
the share of the bulge is told, "hollow" and "bulge" have no effect."""


class Knots(NamedTuple):
    """Points that shine, (B, P) each.

    Attributes
    ----------
    along, across : Tensor
        In the plane of the disk in half-light radii: where they rotate with it.
    x, y : Tensor
        How far from there on the sky, arcsec.
    share : Tensor
        Of the flux of the galaxy.
    velocity : Tensor
        Along the line of sight beside the rotation, km/s.
    dispersion : Tensor
        km/s.
    """

    along: Tensor
    across: Tensor
    x: Tensor
    y: Tensor
    share: Tensor
    velocity: Tensor
    dispersion: Tensor


class Painting(NamedTuple):
    """A galaxy as painted, tensors (B, ...).

    Attributes
    ----------
    maps : Tensor (B, 3, N, N)
        Factor of the light, km/s beside the rotation, factor of the dispersion, over +- `EXTENT`.
    knots : Tensor (B, 7, P)
        The rows of `Knots`.
    taken : Tensor (B,)
        Share of the flux that isn't in the disk.
    warp : Tensor (B, 2)
        Change of inclination and position angle, degrees per half-light radius.
    continuum : Tensor (B,)
        Per 1000 km/s, over the flux.
    """

    maps: Tensor
    knots: Tensor
    taken: Tensor
    warp: Tensor
    continuum: Tensor


class Gas(NamedTuple):
    """What is drawn of galaxies before a network paints on it, tensors (B, ...).

    `light` and `crowded` (B, N, N) are the light of diffuse gas and of H II regions over that of
    the smooth disk, `base` its light, `passed` the share that passes lanes of dust; `numbers` what
    `SCALARS` became, by name.
    """

    light: Tensor
    crowded: Tensor
    base: Tensor
    passed: Tensor
    velocity: Tensor
    dispersion: Tensor
    numbers: dict[str, Tensor]


class GasStructure(nn.Module):
    """Draw the structure of gas disks: maps of their light and motions, and points.

    Parameters
    ----------
    conditions : sequence of Row
        See `ConditionEncoder`.
    log_stellar_mass, redshift : (float, float)
        Ranges of the population: masses and redshifts that suit size, rotation and dispersion are
        drawn from them.

    Raises
    ------
    ValueError
        If a range isn't two rising numbers, or redshifts aren't above 0.
    """

    def __init__(
        self,
        conditions: Sequence[Row],
        log_stellar_mass: Sequence[float],
        redshift: Sequence[float],
    ) -> None:
        super().__init__()
        self.encoder = ConditionEncoder(conditions)
        self.learnt = nn.Sequential(nn.Linear(self.encoder.intrinsic_count, 32), nn.LeakyReLU(LEAK))
        self.shifts = nn.Linear(32, 2 * len(SCALARS))
        nn.init.zeros_(self.shifts.weight)
        nn.init.zeros_(self.shifts.bias)
        self.suited = SuitedGalaxies(conditions, log_stellar_mass, redshift)
        axis = EXTENT * (2 * (torch.arange(SIDE) + 0.5) / SIDE - 1)
        across, along = torch.meshgrid(axis, axis, indexing="ij")
        self.register_buffer("radius", torch.hypot(along, across), persistent=False)
        self.register_buffer("azimuth", torch.atan2(across, along), persistent=False)
        self.register_buffer("spectrum", _turbulent_spectrum(), persistent=False)

    radius: Tensor
    azimuth: Tensor
    spectrum: Tensor

    def draw_noise(self, count: int, generator: torch.Generator) -> Noise:
        """Draw what is random in `count` galaxies."""
        device = generator.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand((count, *shape), generator=generator, device=device)

        def normal(*shape: int) -> Tensor:
            return torch.randn((count, *shape), generator=generator, device=device)

        return (
            normal(len(SCALARS)),
            uniform(SAMPLES),
            normal(3, WHITE, WHITE),
            uniform(4, REGIONS),
            uniform(4, GIANTS),
            uniform(3, WIND_POINTS),
            uniform(3, COMPANION_POINTS),
        )

    def numbers(self, parameters: Tensor, noise: Noise) -> dict[str, Tensor]:
        """Return the properties (B, 1) of galaxies of given parameters, by name."""
        column = self.encoder.column
        told = self.shifts(self.learnt(self.encoder.intrinsic(parameters))).float()
        shift, width = told.chunk(2, 1)
        values = noise[0] * torch.exp(torch.tanh(width)) + 2 * torch.tanh(shift)
        normal = {name: values[:, i : i + 1] for i, name in enumerate(SCALARS)}
        even: dict[str, Tensor] = {
            name: torch.special.ndtr(one).clamp(1e-6, 1 - 1e-6) for name, one in normal.items()
        }

        def between(name: str, low: float, high: float) -> Tensor:
            return low + (high - low) * even[name]

        chosen = self.suited(parameters, noise[1])
        mass, redshift = chosen["mass"], chosen["redshift"]
        massive = ((mass - 9.0) / 1.3).clamp(0, 1)
        hollow = even["hollow"] < 0.05 + 0.45 * ((mass - 9.5) / 0.8).clamp(0, 1)
        bulge = between("bulge", 0.0, 0.15)
        if "nuclear_fraction" in self.encoder.names:
            bulge = column("nuclear_fraction", parameters)[:, None]
            hollow = bulge <= 0
        barred = even["bar"] < 0.25 * (0.2 + 0.8 * ((mass - 8.5) / 1.5).clamp(0, 1))
        windy = even["wind"] < 0.02 + 0.18 * ((mass - 9.5) / 1.2).clamp(0, 1)
        armed = even["arms"] < 0.05 + 0.35 * massive
        count = 2.0 + (even["arm_count"] > 0.7) + (even["arm_count"] > 0.85)
        diffuse = (0.59 + 0.19 * normal["diffuse"]).clamp(0.2, 0.85)
        sigma = column("velocity_dispersion", parameters)[:, None]
        flat = torch.deg2rad(column("inclination", parameters)[:, None]).cos() < 0.4
        sided = 2 * even["lane_offset"] - 1
        return {
            "mass": mass,
            "redshift": redshift,
            "kpc": chosen["kpc"],
            "log_luminosity": chosen["log_rate"] + 41.27 + 0.2 * normal["star_formation"],
            "arms": count * armed,
            "pitch": between("pitch", 12.0, 30.0),
            "phase": 2 * math.pi * even["phase"],
            "bar": barred * between("bar_fraction", 0.05, 0.2),
            "bar_radius": between("bar_radius", 0.25, 0.6),
            "bar_ratio": between("bar_ratio", 0.2, 0.5),
            "bar_angle": math.pi * even["bar_angle"],
            "ring": (even["ring"] < 0.06) * between("ring_fraction", 0.05, 0.25),
            "ring_radius": between("ring_radius", 0.8, 1.8),
            "hole": hollow * between("hole_depth", 0.3, 0.9),
            "hole_radius": between("hole_radius", 0.2, 0.5),
            "bulge": ~hollow * bulge,
            "bulge_radius": between("bulge_radius", 0.1, 0.3),
            "lopsidedness": (0.18 * (-2 * even["lopsidedness"].log()).sqrt()).clamp(max=0.6),
            "lopsided_angle": 2 * math.pi * even["lopsided_angle"],
            "diffuse": diffuse,
            "slope": (1.73 + 0.15 * normal["slope"]).clamp(1.2, 1.95),
            "bar_flow": barred * between("bar_flow", 0.1, 0.3),
            "arm_flow": armed * between("arm_flow", 0.02, 0.08),
            "central": between("central", 0.0, 1.5),
            "warp": 3.0 * normal["warp"],
            "twist": 4.0 * normal["twist"],
            "continuum": 0.01 * normal["continuum"],
            "wind": windy * between("wind_fraction", 0.03, 0.2),
            "wind_dispersion": between("wind_dispersion", 120.0, 220.0),
            "wind_shift": between("wind_shift", -120.0, 0.0),
            "companion": (even["companion"] < 0.1) * 10 ** -between("companion_flux", 0.2, 1.0),
            "separation": between("separation", 0.4, 1.5),
            "direction": 2 * math.pi * even["direction"],
            "companion_radius": (0.15 * 10 ** (0.2 * normal["companion_radius"])).clamp(0.03, 0.5),
            "companion_velocity": 100.0 * normal["companion_velocity"],
            "companion_rotation": between("companion_rotation", 0.0, 80.0),
            "companion_angle": 2 * math.pi * even["companion_angle"],
            "clumpy": (even["clumpy"] < _clumpy(mass, redshift)).float(),
            "cluster": (even["cluster"] < 0.12).float(),
            "clump_number": even["clump_number"],
            "clump_light": normal["clump_light"],
            "clump_share": even["clump_light"],
            "mirrored": normal["mirrored"].sign(),
            "lane": (flat & (chosen["rotation"] > 120.0)) * between("lane", 0.5, 2.5),
            "lane_offset": sided.sign() * (0.1 + 0.5 * sided.abs()),
            "lane_width": between("lane_width", 0.15, 0.4),
            "arm_dust": between("arm_dust", 0.2, 1.2),
            "light": 0.5 * (shift[:, -3:-2]).exp(),
            "velocity": 0.3 * (shift[:, -2:-1]).exp() * sigma,
            "dispersion": 0.15 * (shift[:, -1:]).exp(),
        }

    def forward(self, parameters: Tensor, noise: Noise) -> Gas:
        """Return what galaxies of given parameters (B, K) are made of.

        Parameters
        ----------
        parameters : Tensor (B, K)
            In physical units.
        noise : tuple of Tensor
            From `draw_noise`.
        """
        found = self.numbers(parameters, noise)
        own = {name: value[..., None] for name, value in found.items()}
        index = self.encoder.column("sersic_index", parameters)[:, None, None]
        base = torch.exp(-_sersic_b(index) * self.radius ** (1 / index))
        fields = torch.fft.irfft2(torch.fft.rfft2(noise[2]) * self.spectrum, s=(WHITE, WHITE))
        lumps, swirls, heat = fields[..., :SIDE, :SIDE].unbind(1)
        rough = torch.exp(own["light"] * lumps)
        smooth, crowded = (self._light(base, own, share) for share in (0.45, 0.8))
        return Gas(
            _of_mean_1(smooth * rough, base),
            _of_mean_1(crowded * rough.square(), base),
            base,
            self._passed(own),
            own["velocity"] * swirls + self._flows(parameters, own),
            torch.exp(own["dispersion"] * heat)
            * (1 + (own["central"] * torch.exp(-self.radius / 0.5)).square()).sqrt(),
            found,
        )

    def _light(self, base: Tensor, own: dict[str, Tensor], arm_share: float) -> Tensor:
        """Return the light over that of the smooth disk, (B, N, N)."""
        radius, azimuth = self.radius, self.azimuth
        disk = 1 - own["hole"] * torch.exp(-0.5 * (radius / own["hole_radius"]).square())
        phase = self._arm_angle(own)
        ring = torch.exp(4.0 * (phase.cos() - 1)) / 0.2070019
        fade = radius.square() / (radius.square() + 0.3**2)
        share = arm_share * (own["arms"] > 0)
        disk = disk * (1 + share * fade * (ring - 1))
        rise = radius.square() / (radius.square() + 1)
        disk = disk * (1 + own["lopsidedness"] * rise * (azimuth - own["lopsided_angle"]).cos())
        turned = azimuth - own["bar_angle"]
        along, across = radius * turned.cos(), radius * turned.sin() / own["bar_ratio"]
        total = base.sum((1, 2), keepdim=True)
        light = disk * total / (base * disk).sum((1, 2), keepdim=True)
        light = light * (1 - own["bar"] - own["bulge"] - own["ring"])
        for name, squared in (
            ("bar", (along.square() + across.square()) / own["bar_radius"].square()),
            ("bulge", (radius / own["bulge_radius"]).square()),
            ("ring", ((radius - own["ring_radius"]) / 0.15).square()),
        ):
            shape = torch.exp(-0.5 * squared)
            light = light + own[name] * shape * total / (base * shape).sum((1, 2), keepdim=True)
        return light

    def _passed(self, own: dict[str, Tensor]) -> Tensor:
        """Return the share of the light that passes lanes of dust, (B, N, N)."""
        along, across = self.radius * self.azimuth.cos(), self.radius * self.azimuth.sin()
        across = (across - own["lane_offset"]) / own["lane_width"]
        lane = torch.exp(-0.5 * (across.square() + (along / 1.2).square()))
        # On the inner edge of arms, 45 degrees before their crest.
        away = self._arm_angle(own) + 0.25 * math.pi
        away = (away + math.pi).remainder(2 * math.pi) - math.pi
        fade = self.radius.square() / (self.radius.square() + 0.3**2)
        edge = fade * torch.exp(-0.5 * (away / math.radians(25.0)).square()) * (own["arms"] > 0)
        return torch.exp(-own["lane"] * lane - own["arm_dust"] * edge)

    def _arm_angle(self, own: dict[str, Tensor]) -> Tensor:
        winding = self.radius.clamp_min(1e-3).log() / torch.deg2rad(own["pitch"]).tan()
        return own["arms"] * (self.azimuth - own["phase"] + winding)

    def _flows(self, parameters: Tensor, own: dict[str, Tensor]) -> Tensor:
        """Return the velocities of flows in arms and bars along the line of sight, (B, N, N)."""
        size, turnover, speed, tilt = (
            self.encoder.column(name, parameters)[:, None, None]
            for name in (
                "half_light_radius", "turnover_radius", "maximum_velocity", "inclination",
            )
        )  # fmt: skip
        rotation = speed * 2 / math.pi * torch.atan(self.radius * size / turnover)
        phase = self._arm_angle(own)
        wave = own["arm_flow"] * rotation
        oval = torch.exp(-0.5 * (self.radius / own["bar_radius"]).square())
        oval = own["bar_flow"] * rotation * oval
        turn = 2 * (self.azimuth - own["bar_angle"])
        tangential = 0.71 * wave * phase.sin() - oval * turn.cos()
        radial = -wave * phase.cos() - oval * turn.sin()
        flow = tangential * self.azimuth.cos() + radial * self.azimuth.sin()
        return flow * torch.deg2rad(tilt).sin()


def _of_mean_1(factor: Tensor, weight: Tensor) -> Tensor:
    """Return maps (B, N, N) over their weighted means."""
    total = (factor * weight).sum((1, 2), keepdim=True)
    return factor * weight.sum((1, 2), keepdim=True) / total


def _sersic_b(index: Tensor) -> Tensor:
    """Return b of Sersic profiles (Ciotti & Bertin 1999, A&A 352, 447, equation 18)."""
    return 2 * index - 1 / 3 + 4 / (405 * index) + 46 / (25515 * index.square())


def _clumpy(mass: Tensor, redshift: Tensor) -> Tensor:
    """Return the share of galaxies with giant clumps."""
    late = torch.where(mass < 9.8, 0.60, torch.where(mass < 10.6, 0.40, 0.15))
    early = torch.where(mass < 9.8, 0.60, 0.55)
    return late + (early - late) * ((redshift - 0.5) / 2.5).clamp(0, 1)


def _turbulent_spectrum() -> Tensor:
    """Return amplitudes of modes of a field of variance 1 with a power spectrum of slope -8/3."""
    frequency = torch.hypot(torch.fft.fftfreq(WHITE)[:, None], torch.fft.rfftfreq(WHITE))
    lowest = 1 / SIDE
    power = torch.where(
        frequency >= lowest, frequency.clamp_min(lowest) ** (-8 / 3), torch.zeros(())
    )
    weight = torch.full_like(power, 2.0)
    weight[:, [0, -1]] = 1.0
    return (power * WHITE**2 / (power * weight).sum()).sqrt()
