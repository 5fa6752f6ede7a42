"""Cubes in other units: kelvin, Jy/beam and Jy/pixel; per Angstrom and per channel."""

from dataclasses import replace

import numpy as np
from astropy import units
from astropy.units import UnitBase

from clumpygan.errors import InputError
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.cubes.units import parse_unit

_INTENSITY = units.Jy / units.sr


def in_unit(cube: Cube, unit: str | UnitBase) -> Cube:
    """Return the cube, and its variance, in another unit.

    Kelvin, Jy/beam, Jy/sr and Jy/pixel turn into each other by the beam, the size of a pixel and
    the observed frequency of each channel (Rayleigh-Jeans: `I = 2 nu^2 k T / c^2`). Values per
    Angstrom become those per channel, as the renderers make them, by the width of a channel.

    Parameters
    ----------
    cube : Cube
    unit : str or astropy.units.UnitBase
        E.g. "K", "Jy/beam", "1e-20 erg/s/cm2".

    Raises
    ------
    InputError
        If the unit of the cube isn't known, if it can't become the other, or if the beam or the
        rest wavelength is missing that this takes.
    """
    name = str(cube.path) if cube.path.name else "cube"
    wanted = parse_unit(unit) if isinstance(unit, str) else unit
    if wanted is None:
        raise InputError(f"{unit!r} isn't a unit; expected e.g. K, Jy/beam or 1e-20 erg/s/cm2")
    if cube.unit is None:
        raise InputError(f"{name}: the unit of the cube isn't known; give it when reading")
    factors = _factors(cube, cube.unit, wanted, name)[:, None, None]
    variance = None
    if cube.variance is not None:
        variance = (cube.variance * factors**2).astype(np.float32)
    return replace(
        cube, data=(cube.data * factors).astype(np.float32), variance=variance, unit=wanted
    )


def _factors(cube: Cube, unit: UnitBase, wanted: UnitBase, name: str) -> np.ndarray:
    """Return the factors (v,) from one unit to the other."""
    one = np.ones(cube.axis.count)
    if unit.is_equivalent(wanted):
        return one * unit.to(wanted)
    if cube.axis.kind == "wavelength":
        for power, of_channel in ((1, unit * units.Angstrom), (-1, unit / units.Angstrom)):
            if of_channel.is_equivalent(wanted):
                return cube.axis.widths**power * of_channel.to(wanted)
    intensities = []
    for end in (wanted, unit):
        intensity = _intensity(cube, end, name)
        if intensity is None:
            raise InputError(f"{name}: its unit is {unit}, which can't become {wanted}")
        intensities.append(intensity)
    return one * intensities[1] / intensities[0]


def _intensity(cube: Cube, unit: UnitBase, name: str) -> np.ndarray | float | None:
    """Return the intensity in Jy/sr of 1 of the unit, None if it isn't one."""
    if unit.is_equivalent(units.K):
        try:
            frequencies = cube.axis.frequencies() * units.Hz
        except InputError as error:
            raise InputError(f"{name}: kelvin need the frequency; {error}") from error
        kelvin = units.brightness_temperature(frequencies)
        return np.asarray((unit.to(units.K) * units.K).to_value(_INTENSITY, kelvin))
    if unit.is_equivalent(_INTENSITY):
        return float(unit.to(_INTENSITY))
    if unit.is_equivalent(units.Jy / units.beam):
        if cube.beam is None:
            raise InputError(f"{name}: no beam (BMAJ, BMIN) in the header, so {unit} means nothing")
        area = cube.beam.area * units.arcsec**2
        return float(unit.to(units.Jy / units.beam) / area.to_value(units.sr))
    per_pixel = unit if unit.is_equivalent(units.Jy) else unit * units.pixel
    if per_pixel.is_equivalent(units.Jy):
        area = (cube.pixel_scale * units.arcsec) ** 2
        return float(per_pixel.to(units.Jy) / area.to_value(units.sr))
    return None
