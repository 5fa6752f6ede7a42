"""The model of a galaxy in GalSim objects: slow, independent, the judge of the fast renderer."""

from collections.abc import Mapping
from typing import Any

import galsim
import numpy as np

from clumpygan.galaxies.clumps import ARM_WIDTH, arm_points
from clumpygan.galaxies.scene import Galaxy, as_mapping


def galsim_galaxy(galaxy: Galaxy) -> galsim.GSObject:
    """Build the same model from GalSim objects; the judge of `StampRenderer`.

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
    flux, radius = row["flux"], row["half_light_radius"]
    beta = (90.0 + row["position_angle"]) * galsim.degrees
    smooth = 1.0 - row["bulge_fraction"] - row["arm_fraction"] - row["clump_fraction"]
    parts = [
        _galsim_sersic(row, "", smooth * flux, beta),
        _galsim_sersic(row, "bulge_", row["bulge_fraction"] * flux, beta),
    ]
    if row["arm_count"]:
        points = arm_points(int(row["arm_count"]), row["arm_pitch_angle"], row["arm_phase"])
        blob = galsim.Gaussian(sigma=ARM_WIDTH * radius)
        arms = galsim.Sum(
            [
                blob.withFlux(f).shift(radius * x, radius * y)
                for f, x, y in zip(*points, strict=True)
            ]
        )
        parts.append(
            arms.transform(1.0, 0.0, 0.0, row["axis_ratio"])
            .rotate(beta)
            .withFlux(row["arm_fraction"] * flux)
        )
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
    scene = galsim.Sum([part for part in parts if part.flux > 0.0])
    return scene.shear(g1=row["g1"], g2=row["g2"]).shift(row["offset_x"], row["offset_y"])


def _galsim_sersic(
    row: Mapping[str, Any], name: str, flux: float, beta: galsim.Angle
) -> galsim.GSObject:
    """Flatten a Sersic body, keeping its half-light radius along the major axis."""
    circular = galsim.Sersic(
        n=row[f"{name}sersic_index"], half_light_radius=row[f"{name}half_light_radius"]
    )
    flattened = circular.transform(1.0, 0.0, 0.0, row[f"{name}axis_ratio"]).rotate(beta)
    return flattened.withFlux(flux)
