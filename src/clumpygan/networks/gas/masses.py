"""Masses and redshifts of gas disks of given size, rotation and dispersion."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clumpygan.networks.cube_conditions import ConditionEncoder, Row

SAMPLES = 512
"""Masses and redshifts of which one is taken that suits the parameters."""


class SuitedGalaxies(nn.Module):
    """Draw masses and redshifts that suit the parameters of disks, by the population's relations.

    Their numbers are those of `clumpygan.galaxies.gas.scaling`, where the sources are.

    Parameters
    ----------
    conditions : sequence of Row
        See `ConditionEncoder`.
    log_stellar_mass, redshift : (float, float)
        Ranges of the population.

    Raises
    ------
    ValueError
        If a range isn't two rising numbers above 0.
    """

    def __init__(
        self,
        conditions: Sequence[Row],
        log_stellar_mass: Sequence[float],
        redshift: Sequence[float],
    ) -> None:
        super().__init__()
        self.encoder = ConditionEncoder(conditions)
        for name, ends in (("log_stellar_mass", log_stellar_mass), ("redshift", redshift)):
            if len(ends) != 2 or not 0 < ends[0] <= ends[1] < math.inf:
                raise ValueError(f"{name} of {list(ends)}: expected two rising numbers above 0")
        masses, redshifts = _spread(SAMPLES, log_stellar_mass, redshift)
        scale = _kpc_per_arcsec(redshifts)
        known = {
            "mass": masses,
            "redshift": redshifts,
            "kpc": scale,
            "log_velocity": 2.142 + 0.278 * (masses - 10.10) + 0.25 * 0.29 * redshifts / 2.25,
            "log_radius": math.log10(8.9)
            + 0.22 * (masses - math.log10(5e10))
            - 0.75 * (1 + redshifts).log10()
            - scale.log10(),
            "sigma": 30.0 + 15.0 * (redshifts - 0.9) / 1.4,
            "log_rate": _main_sequence(masses, redshifts),
        }
        for name, values in known.items():
            self.register_buffer(f"known_{name}", values.float(), persistent=False)

    known_log_velocity: Tensor
    known_log_radius: Tensor
    known_sigma: Tensor

    def forward(self, parameters: Tensor, even: Tensor) -> dict[str, Tensor]:
        """Choose galaxies.

        Parameters
        ----------
        parameters : Tensor (B, K)
            In physical units.
        even : Tensor (B, SAMPLES)
            Uniform.

        Returns
        -------
        dict of str to Tensor (B, 1)
            "mass" (log10, solar masses), "redshift", "kpc" of an arcsec, "log_rate" of the star
            formation of the main sequence in solar masses per year, and "rotation" in km/s at the
            radius that holds 80 % of the light.
        """
        column = self.encoder.column
        radius, turnover, speed, index, sigma = (
            column(name, parameters)[:, None]
            for name in (
                "half_light_radius",
                "turnover_radius",
                "maximum_velocity",
                "sersic_index",
                "velocity_dispersion",
            )
        )
        # Where 80 % of the light is: of Sersic profiles of index 0.5 to 2 within 0.5 %.
        outer = radius * (1.26 + 0.545 * index - 0.024 * index.square())
        rotation = speed * 2 / math.pi * torch.atan(outer / turnover)
        away = (
            ((rotation.clamp_min(1e-3).log10() - self.known_log_velocity) / 0.056).square()
            + ((radius.log10() - self.known_log_radius) / 0.18).square()
            + ((sigma - self.known_sigma) / 10.0).square()
        )
        # The largest of sums with Gumbel numbers is a draw with these probabilities.
        gumbel = -torch.log(-torch.log(even.clamp(1e-7, 1 - 1e-7)))
        place = (gumbel - 0.5 * away).argmax(1)
        names = ("mass", "redshift", "kpc", "log_rate")
        chosen = {name: getattr(self, f"known_{name}")[place][:, None] for name in names}
        return chosen | {"rotation": rotation}


def _spread(
    count: int, masses: Sequence[float], redshifts: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Return masses and redshifts that fill their ranges evenly (an additive recurrence)."""
    steps = torch.arange(1, count + 1, dtype=torch.float64)
    # 1 over the real root of x^3 = x + 1, and its square.
    first, second = (0.5 + steps * 0.7548776662466927) % 1, (0.5 + steps * 0.5698402909980532) % 1
    return (
        masses[0] + (masses[1] - masses[0]) * first,
        redshifts[0] + (redshifts[1] - redshifts[0]) * second,
    )


def _kpc_per_arcsec(redshifts: Tensor) -> Tensor:
    """Return proper kpc per arcsec: flat universe, H0 = 70 km/s/Mpc, Omega_m = 0.3."""
    steps = torch.linspace(0, 1, 401, dtype=torch.float64)
    z = redshifts[:, None] * steps
    rate = (0.3 * (1 + z) ** 3 + 0.7).sqrt()
    distance = 299792.458 / 70.0 * torch.trapezoid(1 / rate, z, dim=1)
    return distance * 1000.0 / (1 + redshifts) * math.radians(1 / 3600.0)


def _main_sequence(masses: Tensor, redshifts: Tensor) -> Tensor:
    """Return log10 of star formation rates, solar masses per year."""
    # Hubble times of such a universe: 2 / (3 sqrt(0.7)) arsinh(sqrt(0.7 / 0.3) (1 + z)^-1.5).
    age = 13.968 * 2 / 3 / math.sqrt(0.7) * torch.asinh(math.sqrt(7 / 3) * (1 + redshifts) ** -1.5)
    return (0.84 - 0.026 * age) * masses - (6.51 - 0.11 * age)
