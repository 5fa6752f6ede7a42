"""Maps, slit and profiles of a fit as files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from numpy.typing import NDArray

from clumpygan.fitting.products.profiles import (
    profile_along_slit,
    rotation_profile,
    slit_place,
    slits_of,
)
from clumpygan.io.atomic import atomic_path
from clumpygan.io.cubes.header import sky_cards, sky_of_mock
from clumpygan.io.fits import write_fits

if TYPE_CHECKING:
    from clumpygan.fitting.products.maps import FitMaps
    from clumpygan.fitting.result import FitResult

FloatArray = NDArray[np.float64]

MAPS, SLIT, PROFILE, CURVE, QUANTITIES = (
    "maps.fits",
    "slit.fits",
    "profile.ecsv",
    "curve.ecsv",
    "quantities.ecsv",
)

PRODUCTS = (MAPS, SLIT, PROFILE, CURVE, QUANTITIES)


def write_products(stem: Path, result: "FitResult") -> None:
    """Write maps, slit, profiles and quantities of a fit, each whole or not at all.

    Parameters
    ----------
    stem : Path
        Folder and first part of the names, to which `_maps.fits` and so on are added.
    result : FitResult
    """
    for what, hdus in ((MAPS, _map_hdus(result)), (SLIT, _slit_hdus(result))):
        write_fits(stem.with_name(f"{stem.name}_{what}"), hdus)
    tables = (
        (PROFILE, profile_along_slit(result)),
        (CURVE, rotation_profile(result)),
        (QUANTITIES, result.quantities),
    )
    for what, table in tables:
        with atomic_path(stem.with_name(f"{stem.name}_{what}")) as path:
            table.write(path, format="ascii.ecsv")


def _map_hdus(result: "FitResult") -> fits.HDUList:
    """Return the maps of data, model and residual, with the errors of the data."""
    layout, grid = result.observation.layout, result.observation.frame.grid
    wcs = None if layout is None else layout.wcs
    name = "maps"
    sky = sky_cards(wcs or sky_of_mock(grid.shape, grid.pixel_scale, (0.0, 0.0)), name)
    sky["WCSAXES"] = 2
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for what, unit, values in _named_maps(result.maps, result.observation.flux_unit):
        hdu = fits.ImageHDU(values.astype(np.float32), sky.copy(), name=what)
        hdu.header["BUNIT"] = unit
        hdus.append(hdu)
    return hdus


def _named_maps(found: "FitMaps", flux_unit: str) -> Iterator[tuple[str, str, FloatArray]]:
    data, model = found.data.maps, found.model.maps
    for what in ("flux", "velocity", "dispersion"):
        unit = flux_unit if what == "flux" else "km/s"
        seen, fitted = getattr(data, what), getattr(model, what)
        error = getattr(data, f"{what}_error")
        yield f"DATA_{what}".upper(), unit, seen
        yield f"ERROR_{what}".upper(), unit, error
        yield f"MODEL_{what}".upper(), unit, fitted
        yield f"RESIDUAL_{what}".upper(), unit, seen - fitted
    if len(found.names) > 1:
        for k, line in enumerate(found.names):
            yield f"DATA_FLUX_{line}".upper(), flux_unit, found.data.fluxes[k]
            yield f"ERROR_FLUX_{line}".upper(), flux_unit, found.data.flux_errors[k]
            yield f"MODEL_FLUX_{line}".upper(), flux_unit, found.model.fluxes[k]


def _slit_hdus(result: "FitResult") -> fits.HDUList:
    """Return the slit on the major axis, (v, offset), of data, error, model and residual."""
    (data, model), place = slits_of(result), slit_place(result)
    assert data.error is not None
    cards = Header()
    axes = (("OFFSET", "arcsec", data.offsets), ("VELO", "km/s", data.velocities))
    for number, (kind, unit, values) in enumerate(axes, 1):
        step = float(np.median(np.diff(values))) if len(values) > 1 else 1.0
        cards[f"CTYPE{number}"], cards[f"CUNIT{number}"] = kind, unit
        cards[f"CRPIX{number}"] = 1.0
        cards[f"CRVAL{number}"], cards[f"CDELT{number}"] = float(values[0]), step
    cards["SLITPA"] = (place.position_angle % 360.0, "degrees from +y towards -x")
    cards["SLITX"], cards["SLITY"] = place.centre
    cards["SLITW"] = (place.width, "arcsec")
    hdus = fits.HDUList([fits.PrimaryHDU()])
    images = (
        ("DATA", data.diagram),
        ("ERROR", data.error),
        ("MODEL", model.diagram),
        ("RESIDUAL", data.diagram - model.diagram),
    )
    for what, values in images:
        hdu = fits.ImageHDU(values.astype(np.float32), cards.copy(), name=what)
        hdu.header["BUNIT"] = result.observation.flux_unit
        hdus.append(hdu)
    velocities = fits.Column("velocity", "D", "km/s", array=data.velocities)
    hdus.append(fits.BinTableHDU.from_columns([velocities], name="CHANNELS"))
    return hdus
