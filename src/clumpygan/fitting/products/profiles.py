"""Profiles of a fit: along the slit on the major axis, and the rotation curve in the disk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from astropy.units import Unit
from numpy.typing import NDArray

from clumpygan.fitting.products.maps import fit_alike
from clumpygan.fitting.products.quantities import INTERVAL, drawn_vectors, last_radius
from clumpygan.galaxies.measuring.position_velocity import PositionVelocity, position_velocity
from clumpygan.galaxies.measuring.profiles import curves_of

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

FloatArray = NDArray[np.float64]

_NARROWEST = 3.0
"""Pixels, width of the slit at least."""

_RADII = 40

_FARTHEST = 3.0
"""Half-light radii to which the curve goes where nothing stands out of the noise."""


@dataclass(frozen=True)
class SlitPlace:
    """Where the slit of a fit lies: degrees from +y towards -x, and arcsec."""

    position_angle: float
    centre: tuple[float, float]
    width: float


def slit_place(result: "FitResult") -> SlitPlace:
    """Return the slit on the major axis, as wide as the PSF, and three pixels at least."""
    frame, values = result.observation.frame, result.values
    return SlitPlace(
        values["position_angle"],
        (values["offset_x"], values["offset_y"]),
        max(frame.psf_fwhm or 0.0, _NARROWEST * frame.grid.pixel_scale),
    )


def slits_of(result: "FitResult") -> tuple[PositionVelocity, PositionVelocity]:
    """Return the position-velocity diagrams of data, with its error, and model."""
    observation, place = result.observation, slit_place(result)
    grid, valid = observation.frame.grid, observation.valid
    spread = np.where(valid, observation.variance, np.nan)
    data, model = (
        position_velocity(
            np.where(valid, cube, np.nan),
            grid.centres[0],
            grid.pixel_scale,
            position_angle=place.position_angle,
            width=place.width,
            centre=place.centre,
            variance=noise,
        )
        for cube, noise in ((observation.data, spread), (result.model_cube, None))
    )
    return data, model


def profile_along_slit(result: "FitResult") -> Table:
    """Return what the lines look like along the slit.

    Returns
    -------
    astropy.table.Table
        A row for each cell: `offset` [arcsec], positive on the receding side, and `flux`,
        `velocity` and `dispersion` [km/s] with their errors (`_error`) and those of the model
        (`_model`), from fits of the lines; NaN where they don't stand out.
    """
    data, model = slits_of(result)
    assert data.error is not None
    found = fit_alike(
        result,
        data.diagram[:, None],
        model.diagram[:, None],
        data.error[:, None] ** 2,
        data.velocities,
    )
    table = Table({"offset": data.offsets})
    for name in ("flux", "velocity", "dispersion"):
        table[name] = getattr(found.data.maps, name)[0]
        table[f"{name}_error"] = getattr(found.data.maps, f"{name}_error")[0]
        table[f"{name}_model"] = getattr(found.model.maps, name)[0]
    _give_units(table, result)
    return table


def rotation_profile(result: "FitResult") -> Table:
    """Return the rotation curve and the dispersion in the plane of the disk, without smearing.

    Returns
    -------
    astropy.table.Table
        `radius` [arcsec], to the last one with signal, `velocity` and `dispersion` [km/s]: medians
        of the draws, with the ends of their 68 % intervals (`_lower`, `_upper`).
    """
    model, vectors = result.coordinates.model, drawn_vectors(result)
    end = last_radius(result)
    if not end > 0:
        end = _FARTHEST * result.values["half_light_radius"]
    radii = np.linspace(0, end, _RADII + 1)[1:]
    drawn = curves_of(model, vectors, np.broadcast_to(radii, (len(vectors), _RADII)))
    table = Table({"radius": radii})
    for name, values in zip(("velocity", "dispersion"), drawn, strict=True):
        middle, lower, upper = np.percentile(values, INTERVAL, axis=0)
        table[name], table[f"{name}_lower"], table[f"{name}_upper"] = middle, lower, upper
    _give_units(table, result)
    return table


def _give_units(table: Table, result: "FitResult") -> None:
    """Give the columns their units; that of the flux, if astropy doesn't know it, as a remark."""
    for name in table.colnames:
        if name in ("offset", "radius"):
            table[name].unit = Unit("arcsec")
        elif not name.startswith("flux"):
            table[name].unit = Unit("km/s")
    table.meta["flux_unit"] = result.observation.flux_unit
