"""The channels of a cube that `fit.py` uses: near the lines, without continuum."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import numpy as np

from clumpygan.commands.fit_choices import lines_of
from clumpygan.errors import InputError
from clumpygan.galaxies.continuum import without_continuum
from clumpygan.galaxies.emission_lines import rest_wavelengths
from clumpygan.io.cubes import Cube, subcube
from clumpygan.io.region import Region
from clumpygan.io.spectral_axis import air_of

_NEAR = 2000.0
"""km/s from the lines, within which channels are used by default."""


def near_lines(cube: Cube, options: Namespace) -> Cube:
    """Return the channels that are asked for, by default those not too far from the lines."""
    axis, rest = cube.axis, _rest(cube, options)
    if options.velocity_range is not None:
        low, high = options.velocity_range
        if not low < high:
            raise InputError(f"--velocity-range {low:g} {high:g}: expected LOW HIGH, rising")
        # One line says where 0 is; on an axis of velocities that is the axis itself.
        own = None if axis.kind == "velocity" else rest[0]
        region = Region(velocities=(low, high), rest_wavelength=own, redshift=options.redshift)
        return subcube(cube, region)
    if axis.kind == "velocity":
        return cube
    ends = np.array([axis.values_at([-_NEAR, _NEAR], wave, options.redshift) for wave in rest])
    low, high = float(ends.min()), float(ends.max())
    near = (axis.values >= low) & (axis.values <= high)
    # Where the line isn't in the cube at all, the fitter says so.
    return cube if near.all() or not near.any() else subcube(cube, Region(channels=(low, high)))


def subtract_continuum(cube: Cube, options: Namespace) -> Cube:
    """Return the cube without continuum, if that is to be taken off."""
    if options.subtract_continuum is None:
        return cube
    low, high = options.subtract_continuum
    if not low < high:
        raise InputError(f"--subtract-continuum {low:g} {high:g}: expected LOW HIGH, rising")
    own = None if cube.axis.kind == "velocity" else _rest(cube, options)[0]
    cleaned = without_continuum(
        np.where(cube.mask, np.nan, cube.data.astype(np.float64)),
        cube.velocities(own, options.redshift),
        (low, high),
        variance=None if cube.variance is None else np.where(cube.mask, np.nan, cube.variance),
    )
    mask = ~np.isfinite(cleaned)
    return replace(cube, data=np.where(mask, 0, cleaned).astype(np.float32), mask=mask)


def _rest(cube: Cube, options: Namespace) -> list[float | None]:
    """Return the rest wavelengths of the lines in the medium of the axis; None for its own."""
    lines, axis = lines_of(options.line), cube.axis
    if lines is None:
        return [None]
    in_air = axis.kind == "wavelength" and axis.medium == "air"
    return [float(air_of(wave)) if in_air else wave for wave in rest_wavelengths(lines)]
