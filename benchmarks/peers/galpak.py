"""To and from the parameters of GalPaK3D (Bouche et al. 2015), version 1.35.

Nothing of it is imported. A galaxy or a grid that it can't express raises `InputError`.
"""

from collections.abc import Mapping
from typing import Any

from clumpygan.errors import InputError
from clumpygan.galaxies import GALPAK_HEIGHT
from clumpygan.galaxies.disks.parameters import Curve, DiskParameters, Vertical
from clumpygan.galaxies.images.profiles import sersic_b
from clumpygan.galaxies.rendering.grid import CubeGrid

from .conventions import (
    channel_of,
    check_grid,
    demand,
    demand_plain,
    field_centre,
    velocity_of_channel,
)

_GALPAK_LIGHT = {0.5: "gaussian", 1.0: "exponential", 2.0: "sersicN2", 4.0: "de_vaucouleurs"}

_GALPAK_CURVES = {
    "arctan": "arctan",
    "tanh": "tanh",
    "exponential": "exponential",
    "freeman": "Freeman",
    "mass_following": "mass",
    "nfw": "NFW",
    "isothermal": "isothermal",
}
_HALOS = ("nfw", "isothermal")


def _galpak_radius(index: float) -> float:
    """Return GalPaK3D's radius over the half-light radius: it has b = 1.9992 n - 0.3271."""
    return float(((1.9992 * index - 0.3271) / sersic_b(index)) ** index)


def _step(velocity_step: float | None, grid: CubeGrid) -> float:
    if velocity_step is None:
        return grid.channel_width
    if not 0 < velocity_step < 1e5:
        raise InputError(f"velocity_step is {velocity_step} km/s; expected a number above 0")
    return velocity_step


def to_galpak(
    galaxy: DiskParameters, grid: CubeGrid, velocity_step: float | None = None
) -> dict[str, dict[str, Any]]:
    """Return a galaxy as GalPaK3D's parameters and model.

    Lengths are in pixels, the position angle is that of the approaching side, channels count from
    0. Its radius is 0.4 % smaller than the half-light radius of an exponential disk (1.5 % of a
    Gaussian), so its curves "Freeman" and "mass" are ours to that accuracy.

    GalPaK3D has Sersic indices 0.5, 1, 2 and 4 (for "mass" 0.5 and 1) and no bulge or ring; no
    curves "courteau" or "table", no asymmetric drift, and NFW and isothermal halos without a disk
    (`maximum_velocity` 0). It always adds h V / R in quadrature to the dispersion, h being its
    height: `thick_dispersion` must be `GALPAK_HEIGHT[vertical]` and `central_dispersion` 0.

    Parameters
    ----------
    galaxy : DiskParameters
    grid : CubeGrid
        Of one line, rising.
    velocity_step : float, optional
        What GalPaK3D takes for the width of a channel in km/s (`instrument.z_step_kms`, with
        c = 3e5 km/s at one channel's wavelength): its velocities are then in those units. By
        default it is the grid's.

    Returns
    -------
    dict
        "parameters", for `galpak.GalaxyParameters(**...)`, and "model", for `galpak.DiskModel`.

    Raises
    ------
    InputError
        If GalPaK3D can't express the galaxy or the grid.
    """
    demand_plain(galaxy, "GalPaK3D")
    check_grid(grid, "GalPaK3D")
    height = GALPAK_HEIGHT[galaxy.vertical]
    wanted = {"bulge_fraction": 0.0, "central_dispersion": 0.0, "thick_dispersion": height}
    if galaxy.curve in _HALOS:
        wanted["maximum_velocity"] = 0.0
    demand(galaxy, "GalPaK3D", wanted)
    if galaxy.scale_height == 0:
        raise InputError("scale_height is 0 arcsec; GalPaK3D needs a number above 0")
    if galaxy.light != "sersic" or galaxy.sersic_index not in _GALPAK_LIGHT:
        light = galaxy.light if galaxy.light != "sersic" else f"sersic_index {galaxy.sersic_index}"
        raise InputError(f"the light is {light}; GalPaK3D has Sersic indices 0.5, 1, 2 and 4")
    if galaxy.curve not in _GALPAK_CURVES:
        raise InputError(f"curve is {galaxy.curve!r}; GalPaK3D has {', '.join(_GALPAK_CURVES)}")
    if galaxy.curve == "mass_following" and galaxy.sersic_index > 1:
        raise InputError(
            f"sersic_index is {galaxy.sersic_index:g}; GalPaK3D's curve 'mass' is right for 0.5 "
            "and 1 alone"
        )
    if galaxy.asymmetric_drift:
        raise InputError("asymmetric_drift is on; GalPaK3D has none")

    ratio = _step(velocity_step, grid) / grid.channel_width
    halo = galaxy.curve in _HALOS
    radius = galaxy.half_light_radius * _galpak_radius(galaxy.sersic_index)
    turnover = galaxy.halo_radius if halo else galaxy.turnover_radius
    velocity = galaxy.halo_velocity if halo else galaxy.maximum_velocity
    middle_x, middle_y = field_centre(grid)
    return {
        "parameters": {
            "x": middle_x + galaxy.offset_x / grid.pixel_scale,
            "y": middle_y + galaxy.offset_y / grid.pixel_scale,
            "z": channel_of(grid, galaxy.systemic_velocity),
            "flux": galaxy.flux,
            "radius": radius / grid.pixel_scale,
            "inclination": galaxy.inclination,
            "pa": (galaxy.position_angle + 180.0) % 360.0,
            "turnover_radius": turnover / grid.pixel_scale,
            "maximum_velocity": velocity * ratio,
            "velocity_dispersion": galaxy.velocity_dispersion * ratio,
        },
        "model": {
            "flux_profile": _GALPAK_LIGHT[galaxy.sersic_index],
            "thickness_profile": galaxy.vertical,
            "rotation_curve": _GALPAK_CURVES[galaxy.curve],
            "dispersion_profile": "thick",
            "aspect": height * galaxy.scale_height / radius,
        },
    }


def _choice(name: str, given: str, known: Mapping[Any, str]) -> Any:
    """Return our name of one of GalPaK3D's choices."""
    for ours, theirs in known.items():
        if theirs == given:
            return ours
    raise InputError(f"{name} is {given!r}; expected one of {', '.join(known.values())}")


def from_galpak(
    values: Mapping[str, float],
    grid: CubeGrid,
    velocity_step: float | None = None,
    *,
    flux_profile: str = "exponential",
    thickness_profile: str = "gaussian",
    rotation_curve: str = "tanh",
    dispersion_profile: str = "thick",
    aspect: float = 0.15,
) -> DiskParameters:
    """Return the galaxy of GalPaK3D's parameters and model: the inverse of `to_galpak`.

    Inclinations just below 0 or above 90 degrees, which GalPaK3D's chains visit, are folded back.

    Parameters
    ----------
    values : mapping of str to float
        By the names of `galpak.GalaxyParameters`, e.g. `{name: fit[name] for name in fit.names}`.
    grid : CubeGrid
        Of one line, rising.
    velocity_step : float, optional
        As for `to_galpak`.
    flux_profile, thickness_profile, rotation_curve, dispersion_profile : str
        As given to `galpak.DiskModel`; its defaults.
    aspect : float
        Height over radius; GalPaK3D's default.

    Raises
    ------
    InputError
        If a value is missing or out of range, or a choice has no counterpart: the curves "Burkert"
        and "Spano", light from an image, no thickness profile, the dispersion profile "thin".
    """
    check_grid(grid, "GalPaK3D")
    index = _choice("flux_profile", flux_profile, _GALPAK_LIGHT)
    curve: Curve = _choice("rotation_curve", rotation_curve, _GALPAK_CURVES)
    heights: dict[Vertical, str] = {name: name for name in ("gaussian", "exponential", "sech2")}
    vertical: Vertical = _choice("thickness_profile", thickness_profile, heights)
    if dispersion_profile != "thick":
        raise InputError(f"dispersion_profile is {dispersion_profile!r}; expected 'thick'")
    names = "x y z flux radius inclination pa turnover_radius maximum_velocity velocity_dispersion"
    missing = [name for name in names.split() if name not in values]
    if missing:
        raise InputError(f"GalPaK3D's parameters lack {', '.join(missing)}")

    scale, ratio = grid.pixel_scale, grid.channel_width / _step(velocity_step, grid)
    inclination, angle = float(values["inclination"]), float(values["pa"]) - 180.0
    if inclination < 0:  # seen from behind: the other side recedes
        inclination, angle = -inclination, angle + 180.0
    if inclination > 90:
        inclination = 180.0 - inclination
    turnover = values["turnover_radius"] * scale
    velocity = values["maximum_velocity"] * ratio
    if curve in _HALOS:
        motion: dict[str, Any] = {
            "maximum_velocity": 0.0,
            "halo_velocity": velocity,
            "halo_radius": turnover,
        }
    else:
        motion = {"maximum_velocity": velocity, "turnover_radius": turnover}
    middle_x, middle_y = field_centre(grid)
    return DiskParameters(
        flux=values["flux"],
        offset_x=(values["x"] - middle_x) * scale,
        offset_y=(values["y"] - middle_y) * scale,
        systemic_velocity=velocity_of_channel(grid, values["z"]),
        half_light_radius=values["radius"] * scale / _galpak_radius(index),
        sersic_index=index,
        inclination=inclination,
        position_angle=angle % 360.0,
        velocity_dispersion=values["velocity_dispersion"] * ratio,
        thick_dispersion=GALPAK_HEIGHT[vertical],
        scale_height=aspect * values["radius"] * scale / GALPAK_HEIGHT[vertical],
        vertical=vertical,
        curve=curve,
        **motion,
    )
