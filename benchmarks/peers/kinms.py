"""To and from the arguments of KinMS (Davis et al. 2013), version 3.0.

Nothing of it is imported. A galaxy or a grid that it can't express raises `InputError`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from clumpygan.errors import InputError
from clumpygan.galaxies.disks.parameters import DiskParameters
from clumpygan.galaxies.measuring.profiles import profiles_of
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.galaxies.rendering.light import surface_brightness

from .conventions import (
    channel_of,
    check_grid,
    demand_plain,
    velocity_of_channel,
)

FloatArray = NDArray[np.float64]

_PROFILE_RADII = 2000


def _profile_radii(galaxy: DiskParameters) -> FloatArray:
    """Return radii from 0 to where all but 1e-5 of the light is inside, dense in the centre."""
    radii = galaxy.half_light_radius * np.geomspace(1e-5, 1e3, 20 * _PROFILE_RADII)
    light = _light(galaxy, radii)
    inside = cumulative_trapezoid(radii * light, radii, initial=0.0)
    end = radii[np.searchsorted(inside, (1 - 1e-5) * inside[-1])]
    return np.concatenate([[0.0], np.geomspace(radii[0], end, _PROFILE_RADII - 1)])


def _light(galaxy: DiskParameters, radii: FloatArray) -> FloatArray:
    p, ring = galaxy.to_vector(), galaxy.light == "ring"
    return np.array([sum(surface_brightness(max(r, 1e-12), p, ring)) for r in radii])


def _shift(grid: CubeGrid, beam: bool) -> tuple[float, float]:
    """Return the `phaseCent` that puts a galaxy in the middle of the field.

    KinMS puts it on pixel N / 2, the middle being (N - 1) / 2; and where N is odd, its beam is off
    by another half pixel.
    """
    _, rows, columns = grid.shape
    pixels = [-1.0 if beam and size % 2 else -0.5 for size in (columns, rows)]
    return pixels[0] * grid.pixel_scale, pixels[1] * grid.pixel_scale


def to_kinms(
    galaxy: DiskParameters, grid: CubeGrid, *, beam: bool = True
) -> dict[str, dict[str, Any]]:
    """Return a galaxy as KinMS's arguments.

    Light, rotation and dispersion become tables of radius, so every light profile (with its
    bulge), rotation curve and dispersion of ours is there. The position angle is the same. KinMS
    has other middles of the field and of the axis, which `phaseCent` and `vOffset` make good. The
    cube that it returns is (x, y, v); it is normalised inside the field, to the flux times the sum
    of its beam (`KinMS.psf`).

    KinMS has no vertical profile but the exponential (and the infinitely thin disk), unless it is
    handed clouds.

    Parameters
    ----------
    galaxy : DiskParameters
    grid : CubeGrid
        Of one line, rising.
    beam : bool
        False if KinMS won't convolve (`cleanOut`).

    Returns
    -------
    dict
        "cube", for `kinms.KinMS(..., beamSize=..., nSamps=...)`, and "model", for its `model_cube`.

    Raises
    ------
    InputError
        If KinMS can't express the galaxy or the grid.
    """
    demand_plain(galaxy, "KinMS")
    check_grid(grid, "KinMS")
    if galaxy.vertical != "exponential" and galaxy.scale_height:
        raise InputError(f"vertical is {galaxy.vertical!r}; KinMS has 'exponential' alone")
    shift_x, shift_y = _shift(grid, beam)
    channels, rows, columns = grid.shape
    scale, step = grid.pixel_scale, grid.channel_width
    radii = _profile_radii(galaxy)
    velocities, sigmas = profiles_of(galaxy, radii)  # V / R has its limit not at 0
    sigmas[0] = sigmas[1]
    return {
        "cube": {
            "xs": columns * scale,
            "ys": rows * scale,
            "vs": channels * step,
            "cellSize": scale,
            "dv": step,
            "spectral_resolution": grid.line_spread[0],
        },
        "model": {
            "inc": galaxy.inclination,
            "posAng": galaxy.position_angle % 360.0,
            "sbRad": radii,
            "sbProf": _light(galaxy, radii),
            "velRad": radii,
            "velProf": velocities,
            "gasSigma": sigmas,
            "diskThick": galaxy.scale_height,
            "intFlux": galaxy.flux * step,
            "phaseCent": [galaxy.offset_x + shift_x, galaxy.offset_y + shift_y],
            "vOffset": (channel_of(grid, galaxy.systemic_velocity) - 0.5 * channels) * step,
        },
    }


def _columns(values: Mapping[str, Any], *names: str) -> list[FloatArray]:
    """Return two arguments that are tables of one length."""
    first, second = (np.asarray(values[name], dtype=np.float64) for name in names)
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            f"{names[1]} has shape {second.shape}; expected as many as {names[0]}: {first.shape}"
        )
    return [first, second]


def from_kinms(
    values: Mapping[str, Any], grid: CubeGrid, *, sersic_index: float = 1.0, beam: bool = True
) -> DiskParameters:
    """Return the galaxy of KinMS's arguments, with its rotation curve as a table.

    The half-light radius is that of `sbProf`; whether the profile is a Sersic profile of the given
    index is for the caller to know.

    Parameters
    ----------
    values : mapping
        Arguments of `model_cube`: inc, posAng, sbRad, sbProf, velProf and, optionally, velRad,
        gasSigma, diskThick, intFlux (1 by default), phaseCent, vOffset.
    grid : CubeGrid
        Of one line, rising.
    sersic_index : float
    beam : bool
        As for `to_kinms`.

    Raises
    ------
    InputError
        If an argument is missing, a table's columns differ in length, a value is out of range,
        or `inc`, `posAng`, `gasSigma` or `diskThick` changes with radius.
    """
    check_grid(grid, "KinMS")
    missing = [n for n in ("inc", "posAng", "sbRad", "sbProf", "velProf") if n not in values]
    if missing:
        raise InputError(f"KinMS's arguments lack {', '.join(missing)}")

    def constant(name: str, default: float = 0.0) -> float:
        array = np.atleast_1d(np.asarray(values.get(name, default), dtype=np.float64))
        if np.ptp(array) > 1e-6 * np.abs(array).max():
            raise InputError(
                f"{name} goes from {array.min():g} to {array.max():g}; expected one number"
            )
        return float(array[0])

    radii, light = _columns(values, "sbRad", "sbProf")
    inside = cumulative_trapezoid(radii * light, radii, initial=0.0)
    rotation = _columns(values, "velRad" if "velRad" in values else "sbRad", "velProf")
    offset_x, offset_y = values.get("phaseCent", (0.0, 0.0))
    place = float(values.get("vOffset", 0.0)) / grid.channel_width + 0.5 * grid.shape[0]
    shift_x, shift_y = _shift(grid, beam)
    return DiskParameters(
        flux=float(values.get("intFlux", grid.channel_width)) / grid.channel_width,
        offset_x=offset_x - shift_x,
        offset_y=offset_y - shift_y,
        systemic_velocity=velocity_of_channel(grid, place),
        half_light_radius=float(np.interp(0.5 * inside[-1], inside, radii)),
        sersic_index=sersic_index,
        inclination=constant("inc"),
        position_angle=constant("posAng"),
        velocity_dispersion=constant("gasSigma"),
        scale_height=constant("diskThick"),
        vertical="exponential",
        curve="table",
        rotation_table=tuple(zip(*(column.tolist() for column in rotation), strict=True)),
    )
