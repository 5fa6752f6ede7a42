"""Points of gas disks beside their smooth light: H II regions, clumps, winds, companions."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from clumpygan.networks.gas.structure import (
    COMPANION_POINTS,
    EXTENT,
    GIANT_POINTS,
    GIANTS,
    REGIONS,
    SIDE,
    WIND_POINTS,
    Gas,
    Knots,
    Noise,
)

CALM = 0.7
"""Dispersion of H II regions over that of the gas around them."""

MOST_REGIONS = 500
"""Of a galaxy: what there is beyond is diffuse gas."""

_FWHM_TO_SIGMA = 0.42466


def regions(gas: Gas, even: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return where H II regions are, (B, R) along and across, and their shares in all of them.

    The brightest of a Poisson process with a power law of luminosities, placed with the chances of
    the pixels of the map. Last comes the share (B, 1) of those that are too many to be points, and
    lie like them; shares lack of 1 what the faintest have, which are where the diffuse gas is.

    Parameters
    ----------
    gas : Gas
    even : Tensor (B, 4, R)
        Uniform.
    """
    pixel = 2 * EXTENT / SIDE
    chance = (gas.base * gas.crowded).flatten(1).cumsum(1)
    cell = torch.searchsorted(chance, even[:, 1] * chance[:, -1:]).clamp_max(SIDE**2 - 1)
    along = pixel * (cell % SIDE + even[:, 2]) - EXTENT
    across = pixel * (cell // SIDE + even[:, 3]) - EXTENT
    return along, across, *_luminosities(gas.numbers, even[:, 0])


def _luminosities(found: dict[str, Tensor], even: Tensor) -> tuple[Tensor, Tensor]:
    slope = found["slope"]
    total = found["log_luminosity"] + (1 - found["diffuse"]).log10()
    high = (total + math.log10(0.5)).clamp_max(40.0)
    low = torch.minimum(high - 1.0, torch.full_like(high, 37.0))
    faintest, power = 10 ** (low - high), 1 - slope
    count = 10 ** (total - high) / _mean(faintest, slope)
    # Steps of a Poisson process from the brightest to fainter ones.
    place = (-even.clamp_min(1e-7).log()).cumsum(1) / count
    there = place < 1
    there[:, 0] = True
    bottom = faintest**power
    light = (bottom + (1 - place).clamp(0, 1) * (1 - bottom)) ** (1 / power) * there
    # What is fainter than the last point, and than the last that a galaxy has at most.
    last = light[:, -1:].clamp_min(1e-12)
    end = bottom + (1 - (MOST_REGIONS / count).clamp_max(1.0)) * (1 - bottom)
    end = torch.minimum(end ** (1 / power), last)
    rest, faint = (
        (count - number).clamp_min(0) * _mean((faintest / least).clamp_max(0.999), slope) * least
        for number, least in ((REGIONS, last), (MOST_REGIONS, end))
    )
    rest = rest * there[:, -1:]
    total = light.sum(1, keepdim=True) + rest
    return light / total, (rest - faint).clamp_min(0) / total


def _mean(ratio: Tensor, slope: Tensor) -> Tensor:
    """Return the mean luminosity over the largest, the smallest being `ratio` of that."""
    share = (1 - ratio ** (2 - slope)) / (1 - ratio ** (1 - slope))
    return (1 - slope) / (2 - slope) * share


def giants(gas: Gas, radius: Tensor, even: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the points of giant clumps: (B, G) along, across, and their shares in the flux.

    Parameters
    ----------
    gas : Gas
    radius : Tensor (B, 1)
        Half-light radius in arcsec.
    even : Tensor (B, 4, 8)
        Uniform.
    """
    found = gas.numbers
    cluster = found["cluster"] > 0
    number = torch.where(
        cluster, 4 + (5 * found["clump_number"]).floor(), 1 + _poisson(found["clump_number"])
    )
    ultraviolet = torch.where(
        cluster,
        0.45 + 0.25 * found["clump_share"],
        (0.19 * 10 ** (0.25 * found["clump_light"] - 0.07)).clamp_max(0.6),
    )
    order = torch.arange(GIANTS, device=even.device)
    light = (order < number) / (1 - 0.8 * even[:, 0])
    share = ultraviolet * light / light.sum(1, keepdim=True)
    most = 0.9 * (1 - found["diffuse"])
    share = share * found["clumpy"] * (most / ultraviolet).clamp_max(1.0)
    nearest = (0.2 / radius).clamp(0.35, 1.2)
    distance = _disk_radius(even[:, 1], nearest, 2.2)
    angle = 2 * math.pi * even[:, 2]
    normal = math.sqrt(2) * torch.erfinv((2 * even[:, 3] - 1).clamp(-0.999, 0.999))
    # Sizes are those at z = 1, where an arcsec is 8.008 kpc.
    size = (0.09 * 10 ** (0.13 * normal)).clamp(0.05, 0.15) * 8.008 / found["kpc"]
    sigma = (_FWHM_TO_SIGMA * size / radius)[..., None]
    around, out = _pattern(even.device)
    x = (distance * angle.cos())[..., None] + sigma * out * around.cos()
    y = (distance * angle.sin())[..., None] + sigma * out * around.sin()
    every = (share / GIANT_POINTS)[..., None].expand_as(x)
    return x.flatten(1), y.flatten(1), every.flatten(1)


def _pattern(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return angles and radii of points that lie like a Gaussian of sigma 1."""
    steps = (torch.arange(GIANT_POINTS, device=device) + 0.5) / GIANT_POINTS
    return GIANT_POINTS * steps * math.pi * (3 - math.sqrt(5)), (-2 * torch.log(1 - steps)).sqrt()


def _poisson(even: Tensor) -> Tensor:
    """Return numbers of a Poisson distribution with a mean of 1.6."""
    steps, chance = torch.zeros_like(even), math.exp(-1.6)
    reached = 0.0
    for k in range(GIANTS - 1):
        reached += chance
        steps = steps + (even > reached)
        chance *= 1.6 / (k + 1)
    return steps


def _disk_radius(even: Tensor, inner: Tensor, outer: float) -> Tensor:
    """Return radii distributed as r exp(-1.678 r) between two, by bisection."""

    def below(r: Tensor | float) -> Tensor:
        scaled = torch.as_tensor(1.678 * r)
        return 1 - (1 + scaled) * torch.exp(-scaled)

    first, last = below(inner), below(outer)
    wanted = first + even * (last - first)
    low, high = inner.expand_as(even), torch.full_like(even, outer)
    for _ in range(12):
        middle = 0.5 * (low + high)
        inside = below(middle) < wanted
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return 0.5 * (low + high)


def gas_knots(
    gas: Gas, maps: Tensor, painted: Tensor, told: dict[str, Tensor], noise: Noise
) -> tuple[Knots, Tensor, Tensor]:
    """Return all points of galaxies, and shares of the flux.

    First those (B, 2) that aren't in the disk, behind the dust and without it; then that (B, 1) of
    H II regions which aren't points.

    Parameters
    ----------
    gas : Gas
    maps : Tensor (B, 2, N, N)
        Velocity beside the rotation, and factor of the dispersion.
    painted : Tensor (B, 2, N, N)
        Factor of the light of H II regions and clumps that a network paints, and the share of it
        that passes the dust.
    told : dict of str to Tensor (B, 1)
        "half_light_radius" in arcsec and "velocity_dispersion" in km/s.
    noise : tuple of Tensor
        Uniform: of regions, clumps, winds and companions.
    """
    found, radius = gas.numbers, told["half_light_radius"]
    even_regions, even_giants, even_wind, even_companion = noise
    along, across, share, crowd = regions(gas, even_regions)
    big_along, big_across, big_share = giants(gas, radius, even_giants)
    clumped, wind = big_share.sum(1, keepdim=True), found["wind"]
    smooth = (1 - clumped - wind).clamp_min(0)
    between = smooth - torch.minimum(found["diffuse"], smooth)
    share = between * share
    out = -0.5 * (torch.log(1 - even_wind[:, 0]) + torch.log(1 - even_wind[:, 1]))
    angle = 2 * math.pi * even_wind[:, 2]
    far = -(torch.log(1 - even_companion[:, 0]) + torch.log(1 - even_companion[:, 1]))
    far = found["companion_radius"] / 1.678 * far
    turn = 2 * math.pi * even_companion[:, 2]
    places_x = torch.cat([along, big_along, out * angle.cos()], 1)
    places_y = torch.cat([across, big_across, out * angle.sin()], 1)
    seen = torch.cat([maps, painted], 1)
    places = torch.stack([places_x, places_y], -1)[:, None] / EXTENT
    values = functional.grid_sample(seen, places, padding_mode="border", align_corners=False)
    velocity, heat, bright, passed = values[:, :, 0].unbind(1)
    sigma = told["velocity_dispersion"] * heat
    disk, points = slice(0, REGIONS), slice(0, REGIONS + GIANTS * GIANT_POINTS)
    weight = bright[:, points]
    shares = torch.cat([share, big_share], 1)
    # What is painted moves light between the points, and leaves their sum.
    lit = shares * weight
    lit = lit * (shares.sum(1, keepdim=True) / lit.sum(1, keepdim=True).clamp_min(1e-12))
    blown = (wind / WIND_POINTS).expand_as(out)
    behind = torch.cat([lit, blown], 1) * passed
    taken = torch.cat([behind.sum(1, keepdim=True), shares.sum(1, keepdim=True) + wind], 1)
    calm = torch.ones_like(sigma)
    calm[:, disk] = CALM
    blowing = torch.zeros_like(sigma)
    blowing[:, points.stop :] = 1.0
    sigma = torch.where(blowing > 0, found["wind_dispersion"], calm * sigma)
    velocity = velocity + blowing * found["wind_shift"]
    beside_velocity = found["companion_velocity"] + found["companion_rotation"] * (
        (turn - found["companion_angle"]).cos() * far / (far + found["companion_radius"])
    )
    nothing, none = torch.zeros_like(places_x), torch.zeros_like(far)
    x = found["separation"] * found["direction"].cos() + far * turn.cos()
    y = found["separation"] * found["direction"].sin() + far * turn.sin()
    knots = Knots(
        torch.cat([places_x, none], 1),
        # As in a mirror along the major axis: arms still trail.
        torch.cat([places_y * found["mirrored"], none], 1),
        torch.cat([nothing, x], 1),
        torch.cat([nothing, y], 1),
        torch.cat([behind, (found["companion"] / COMPANION_POINTS).expand_as(far)], 1),
        torch.cat([velocity, beside_velocity], 1),
        torch.cat([sigma, told["velocity_dispersion"].expand_as(far)], 1),
    )
    return knots, taken, between * crowd
