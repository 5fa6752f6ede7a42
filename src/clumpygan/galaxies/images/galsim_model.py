"""The model of a galaxy in GalSim objects: slow, independent, the judge of the fast renderer."""

from collections.abc import Mapping
from typing import Any

import galsim
import numpy as np

from clumpygan.galaxies.images.scene import BAR_INDEX, Galaxy, as_mapping, disk_fraction
from clumpygan.galaxies.images.streams import streams


def galsim_galaxy(galaxy: Galaxy) -> galsim.GSObject:
    """Build the same model from GalSim objects; the judge of `StampRenderer`.

    But for what makes the disk uneven (turbulence, lopsidedness, dust), which is sampled on a grid.

    Draw it convolved with the PSF by `drawImage(..., method="no_pixel")`.

    Parameters
    ----------
    galaxy : mapping or table row

    Returns
    -------
    galsim.GSObject
        Flux in nJy, positions in arcsec from the centre of the stamp.
    """
    row = as_mapping(galaxy)
    flux, radius = row["flux"], row["disk_half_light_radius"]
    beta = (90.0 + row["position_angle"]) * galsim.degrees
    smooth = disk_fraction(row)
    parts = [
        _galsim_sersic(row, "disk_", smooth * flux, beta),
        _galsim_sersic(row, "bulge_", row["bulge_fraction"] * flux, beta),
    ]
    for light, points, width in streams(row):
        blob = galsim.Gaussian(sigma=width * radius)
        stream = galsim.Sum(
            [
                blob.withFlux(f).shift(radius * x, radius * y)
                for f, x, y in zip(*points, strict=True)
            ]
        )
        parts.append(
            stream.transform(1.0, 0.0, 0.0, row["axis_ratio"]).rotate(beta).withFlux(light)
        )
    if row.get("bar_fraction", 0.0) > 0.0:
        bar = galsim.Sersic(n=BAR_INDEX, half_light_radius=row["bar_half_light_radius"])
        bar = bar.transform(1.0, 0.0, 0.0, row["bar_axis_ratio"])
        bar = bar.rotate(row["bar_angle"] * galsim.degrees)
        bar = bar.transform(1.0, 0.0, 0.0, row["axis_ratio"]).rotate(beta)
        parts.append(bar.withFlux(row["bar_fraction"] * flux))
    angle = beta.rad
    for i in range(int(row["clump_count"])):
        major = radius * row["clump_x"][i]
        minor = radius * row["axis_ratio"] * row["clump_y"][i]
        clump = galsim.Gaussian(fwhm=row["clump_size"][i], flux=row["clump_flux"][i] * flux)
        parts.append(
            clump.shift(
                major * np.cos(angle) - minor * np.sin(angle),
                major * np.sin(angle) + minor * np.cos(angle),
            )
        )
    if row["companion_flux"] > 0.0:
        companion_beta = (90.0 + row["companion_position_angle"]) * galsim.degrees
        companion = _galsim_sersic(row, "companion_", row["companion_flux"], companion_beta)
        parts.append(companion.shift(row["companion_x"], row["companion_y"]))
    parts += [_neighbour(row, i) for i in range(int(row.get("neighbour_count", 0)))]
    scene = galsim.Sum([part for part in parts if part.flux > 0.0])
    return scene.shear(g1=row["g1"], g2=row["g2"]).shift(row["offset_x"], row["offset_y"])


def _galsim_sersic(
    row: Mapping[str, Any], name: str, flux: float, beta: galsim.Angle
) -> galsim.GSObject:
    """Flatten a Sersic body, keeping its half-light radius along the major axis."""
    circular = galsim.Sersic(
        n=row[f"{name}sersic_index"], half_light_radius=row[f"{name}half_light_radius"]
    )
    ratio = row["axis_ratio" if name == "disk_" else f"{name}axis_ratio"]
    flattened = circular.transform(1.0, 0.0, 0.0, ratio).rotate(beta)
    return flattened.withFlux(flux)


def _neighbour(row: Mapping[str, Any], i: int) -> galsim.GSObject:
    """Place a source around the galaxy."""
    one = {
        name.removeprefix("neighbour_"): float(row[name][i])
        for name in row
        if name.startswith("neighbour_") and name != "neighbour_count"
    }
    shape = {f"one_{name}": value for name, value in one.items()}
    beta = (90.0 + one["position_angle"]) * galsim.degrees
    return _galsim_sersic(shape, "one_", one["flux"], beta).shift(one["x"], one["y"])
