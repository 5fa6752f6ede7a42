"""What papers quote of a galaxy, from the draws of its posterior.

With R_e the half-light radius and R_d = R_e / 1.678, the scale length of an exponential disk:

- velocities of the rotation curve, in the plane of the disk and free of beam smearing, at R_e,
  1.38 R_e, 2.2 R_d and the last radius that shows signal along the major axis;
- V / sigma and V sin i at 2.2 R_d;
- of curves with a halo, the share f_DM = V_halo^2 / V_c^2 of dark matter at R_e, V_c being the
  circular velocity of all that is in it; and, with a distance, the mass of the disk: of a thin
  exponential one V_max^2 is 0.3870 G M / R_d (Freeman 1970);
- the dynamical mass within R_e, M = R_e V_c^2 / G, as if it were spherical, with the pressure of
  the gas in V_c^2 = V^2 + 2 sigma^2 R / R_d = V^2 + 3.36 sigma^2 at R_e (Burkert et al. 2010,
  ApJ 725, 2324, equation 11; Price et al. 2022, A&A 665, A159, give factors for flat ones);
- of curves that are given by masses, those of disk and bulge and of the halo;
- the flux of every line.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.fitting.structure.distance import kiloparsecs_per_arcsec, own_redshift
from clumpygan.galaxies.disks.disk_model import HALOS, MASS_CURVES
from clumpygan.galaxies.disks.parameters import CURVES, DiskModel
from clumpygan.galaxies.emission_lines import line_label, rest_wavelengths
from clumpygan.galaxies.measuring.profiles import curves_of
from clumpygan.galaxies.rendering.halos import halo_velocity, log_halo_mass
from clumpygan.galaxies.rendering.rotation_series import HALF_LIGHT_OVER_SCALE
from clumpygan.galaxies.rendering.thick_sersic import GRAVITY, largest_square

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

FloatArray = NDArray[np.float64]

INTERVAL = (50.0, 15.865525393145707, 84.13447460685429)
"""Per cent of the draws below median and ends of a 68 % interval."""

_MOST_DRAWS = 2000

_FREEMAN_PEAK = 0.38705
"""Largest V^2 of a thin exponential disk, over G M / R_d (Freeman 1970)."""

_CONE = 30.0
"""Degrees of azimuth from the major axis, in which the last radius is looked for."""


def drawn_vectors(result: "FitResult") -> FloatArray:
    """Return parameter vectors (S, P) of draws of equal weight, at most 2000."""
    columns = [np.asarray(result.samples[name]) for name in result.coordinates.names]
    values = np.stack(columns, axis=1)
    step = max(1, math.ceil(len(values) / _MOST_DRAWS))
    return result.coordinates.with_values(values[::step])


def last_radius(result: "FitResult") -> float:
    """Return the largest radius near the major axis where the lines stand out; arcsec, or NaN."""
    seen, grid = result.maps.data.maps, result.observation.frame.grid
    strong = seen.mask & np.isfinite(seen.flux_error) & (seen.flux > 3 * seen.flux_error)
    rows, columns = np.nonzero(strong)
    x = (columns - 0.5 * (grid.shape[2] - 1)) * grid.pixel_scale - result.values["offset_x"]
    y = (rows - 0.5 * (grid.shape[1] - 1)) * grid.pixel_scale - result.values["offset_y"]
    angle = math.radians(result.values["position_angle"])
    along = -x * math.sin(angle) + y * math.cos(angle)
    across = x * math.cos(angle) + y * math.sin(angle)
    # Edge-on, everything is near the major axis.
    across = across / max(math.cos(math.radians(result.values["inclination"])), 0.1)
    near = np.abs(across) <= math.tan(math.radians(_CONE)) * np.abs(along)
    return float(np.hypot(along, across)[near].max()) if near.any() else math.nan


def quantities_of(result: "FitResult") -> Table:
    """Return what papers quote: `name`, `unit`, `median`, `lower` and `upper` (68 % interval).

    Masses are there if a redshift or the distance is known (Planck 2018 cosmology; of galaxies
    nearer than about 50 Mpc peculiar velocities make that of the redshift poor).

    Parameters
    ----------
    result : FitResult
    """
    model, vectors = result.coordinates.model, drawn_vectors(result)

    def column(name: str) -> FloatArray:
        return np.asarray(vectors[:, model.index(name)])

    size, far = column("half_light_radius"), last_radius(result)
    scale = size / HALF_LIGHT_OVER_SCALE
    radii = np.stack([size, 1.38 * size, 2.2 * scale, np.full_like(size, far)], axis=1)
    velocities, sigmas = curves_of(model, vectors, radii)
    at_half, at_138, at_22, at_last = velocities.T
    sigma = pressure = column("velocity_dispersion")
    if model.curve == "rings":
        pressure, _, sigma, _ = sigmas.T
    sine = np.sin(np.radians(column("inclination")))
    rows: list[tuple[str, str, FloatArray]] = [
        ("velocity_re", "km/s", at_half),
        ("velocity_1.38re", "km/s", at_138),
        ("velocity_2.2rd", "km/s", at_22),
    ]
    if math.isfinite(far):
        rows += [
            ("velocity_last", "km/s", at_last),
            ("radius_last", "arcsec", np.full_like(size, far)),
        ]
    with np.errstate(divide="ignore"):
        rows.append(("velocity_over_dispersion", "", at_22 / sigma))
    rows.append(("velocity_sin_inclination", "km/s", at_22 * sine))
    if model.curve in HALOS:
        rows.append(("dark_matter_fraction_re", "", _dark_matter(model, vectors, size)))
    kiloparsec = scale_of(result)
    if kiloparsec is not None:
        squared = at_half**2 + 2 * HALF_LIGHT_OVER_SCALE * pressure**2
        rows += [
            ("radius_re", "kpc", kiloparsec * size),
            ("dynamical_mass_re", "solMass", kiloparsec * size * squared / GRAVITY),
        ]
        if model.curve in MASS_CURVES:
            rows += _masses(model, vectors)
        elif model.curve in HALOS:
            peak = column("maximum_velocity") ** 2 / _FREEMAN_PEAK
            if model.curve.startswith("sersic_"):
                lengths = np.array([largest_square(n) for n in column("sersic_index")])
                peak = column("maximum_velocity") ** 2 / lengths * HALF_LIGHT_OVER_SCALE
            rows.append(("disk_mass", "solMass", kiloparsec * scale * peak / GRAVITY))
    rows += _fluxes(result, vectors)
    ends = np.array([np.percentile(values, INTERVAL) for *_, values in rows])
    return Table(
        {
            "name": [name for name, *_ in rows],
            "unit": [unit for _, unit, _ in rows],
            "median": ends[:, 0],
            "lower": ends[:, 1],
            "upper": ends[:, 2],
        }
    )


def _masses(model: DiskModel, vectors: FloatArray) -> list[tuple[str, str, FloatArray]]:
    """Return name, unit and draws of the masses of disk and bulge and of the halo."""
    rows = [("baryonic_mass", "solMass", 10 ** vectors[:, model.index("log_baryonic_mass")])]
    halo = vectors[:, model.index("log_halo_mass")]
    if model.curve == "nfw_fraction":
        halo = np.array([log_halo_mass(np.ascontiguousarray(vector)) for vector in vectors])
        rows.append(("log_halo_mass", "dex(solMass)", halo))
    else:
        rows.append(("halo_mass", "solMass", 10**halo))
    return rows


def _dark_matter(model: DiskModel, vectors: FloatArray, radii: FloatArray) -> FloatArray:
    """Return the share (S,) of the halo in the squares of circular velocities at radii (S,)."""
    curve = CURVES.index(model.curve)
    still = replace(model, asymmetric_drift=False)
    both = curves_of(still, vectors, radii[:, None])[0, :, 0]
    halos = [halo_velocity(curve, r, p) for r, p in zip(radii, vectors, strict=True)]
    return np.asarray((np.array(halos) / np.maximum(both, 1e-9)) ** 2)


def scale_of(result: "FitResult") -> float | None:
    """Return kpc per arcsec at the galaxy, as its masses are given; None if it isn't known."""
    if result.coordinates.model.curve in MASS_CURVES:
        return result.values["angular_scale"]
    redshift, velocity = result.settings.get("redshift"), result.values["systemic_velocity"]
    own = own_redshift(result.observation, redshift, velocity)
    return kiloparsecs_per_arcsec(result.settings.get("distance_mpc"), own)


def _fluxes(result: "FitResult", vectors: FloatArray) -> list[tuple[str, str, FloatArray]]:
    """Return name, unit and draws of the flux of every line."""
    model, grid = result.coordinates.model, result.observation.frame.grid
    total = vectors[:, model.index("flux")]
    unit, named = result.observation.flux_unit, result.settings.get("lines")
    waves = rest_wavelengths(named) if named else ()
    count = len(grid.edges)
    names = [line_label(wave) for wave in waves] if len(waves) == count else []
    if not names:
        names = ["line"] if count == 1 else [f"line_{k}" for k in range(1, count + 1)]
    if count == 1:
        shares = np.ones((len(vectors), 1))
    else:
        shares = np.stack([model.line_fluxes(vector) for vector in vectors])
        shares /= shares.sum(axis=1, keepdims=True)
    return [(f"flux_{name}", unit, total * shares[:, k]) for k, name in enumerate(names)]
