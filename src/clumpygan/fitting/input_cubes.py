"""Cubes as a fit takes them: the part of a file that is asked for, near the lines, no continuum."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.nddata import NDData, VarianceUncertainty

from clumpygan.errors import InputError
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.emission_lines import NEAR, rest_wavelengths
from clumpygan.galaxies.measuring.continuum import without_continuum
from clumpygan.instruments.spectrograph import Spectrograph
from clumpygan.instruments.spectrograph_presets import get_spectrograph
from clumpygan.io.cubes.reading import Cube, read_cube, subcube
from clumpygan.io.cubes.spectral_axis import air_of
from clumpygan.io.fits import stem_of
from clumpygan.io.region import Region
from clumpygan.io.velocity_map import VelocityMap, read_velocity_map

_NONE = "none"

_OF_CUBE = ("psf", "lsf", "variance", "mask", "errors", "flux_map")
"""Settings that name a file, in which {name} stands for the name of the cube."""


def files_beside(path: Path, settings: FitSettings) -> tuple[Path, ...]:
    """Return the files that are read with a cube."""
    names = (_named(getattr(settings, one), path) for one in _OF_CUBE)
    return tuple(Path(name) for name in names if name is not None)


def _named(pattern: str | None, path: Path) -> str | None:
    """Return a setting with the name of the cube in place of {name}."""
    return None if pattern is None else pattern.replace("{name}", stem_of(path))


def input_cube(cube: str | Path | Cube | Any, settings: FitSettings) -> tuple[Cube, FitSettings]:
    """Return what is to be fitted of a cube, and the settings with what its header says.

    Parameters
    ----------
    cube : path, Cube or SpectralCube
        FITS file; what `read_cube` returns, of which the settings about files aren't used; or a
        cube of the package spectral-cube.
    settings : FitSettings

    Raises
    ------
    InputError
        If it can't be read, or the settings don't go with it.
    """
    if not isinstance(cube, Cube):
        cube = _read(cube, settings)
    settings = _with_files(cube, _with_header(cube, settings))
    cube = _near_lines(cube, settings)
    return _subtract_continuum(cube, settings), _in_its_band(cube, settings)


def input_map(path: str | Path, settings: FitSettings) -> VelocityMap:
    """Read the velocity map that is to be fitted, with errors and light of files beside it.

    Raises
    ------
    InputError
        If one of them can't be read, or they don't go together.
    """
    path = Path(path)
    errors: str | float | None = _named(settings.errors, path)
    try:
        errors = errors if errors is None else float(errors)
    except ValueError:
        pass  # the name of a file
    else:
        if errors is not None and not 0 < errors < np.inf:
            raise InputError(f"`errors` {settings.errors}: expected a number above 0, or a file")
    return read_velocity_map(
        path,
        hdu=settings.hdu,
        errors=errors,
        light=_named(settings.flux_map, path),
        mask=_named(settings.mask, path),
        pixel_scale=settings.pixel_scale,
        unit=settings.unit,
    )


def spectrograph_of(settings: FitSettings) -> Spectrograph | None:
    """Return the spectrograph that `instrument` names."""
    name = (settings.instrument or _NONE).lower()
    return None if name == _NONE else get_spectrograph(name)


def _in_its_band(cube: Cube, settings: FitSettings) -> FitSettings:
    """Return the settings with the band of an instrument that has several."""
    if spectrograph_of(settings) is None or cube.axis.kind != "wavelength":
        return settings
    name = str(settings.instrument)
    band = get_spectrograph(name, float(np.mean(cube.axis.values))).name
    return settings if band == name.lower() else settings.but({"instrument": band})


def _with_header(cube: Cube, settings: FitSettings) -> FitSettings:
    """Return the settings with instrument, PSF, line spread and lines of a mock, where not given.

    The mocks of `clumpygan.generation` have them in their headers. Who names an instrument of his
    own has its line spread.
    """
    said: dict[str, Any] = {}
    # A line spread, or a PSF, that is given in another way.
    named = {"line_spread"} if settings.lsf or settings.resolving_power else set()
    header = cube.parameters.get("instrument")
    own = settings.instrument in (None, header) or (
        # A band of the instrument that is named.
        str(header).startswith(f"{settings.instrument}_")
    )
    for name in ("instrument", "psf_fwhm", "line_spread"):
        value = cube.parameters.get(name)
        if name in named or (name == "psf_fwhm" and settings.psf is not None):
            continue
        if value and getattr(settings, name) is None and own:
            said[name] = value
    waves = [
        value for name, value in cube.parameters.items() if name.startswith("rest_wavelength_")
    ]
    if len(waves) > 1 and settings.line is None:
        said["line"] = tuple(waves)
    return settings.but(said) if said else settings


def _with_files(cube: Cube, settings: FitSettings) -> FitSettings:
    """Return the settings with the files of PSF and line spread of this cube."""
    names = {
        kind: name
        for kind in ("psf", "lsf")
        if (name := _named(getattr(settings, kind), cube.path)) is not None
    }
    return settings.but(names) if names else settings


def _read(cube: str | Path | Any, settings: FitSettings) -> Cube:
    if not isinstance(cube, str | Path):
        return _read_spectral_cube(cube, settings)
    path, instrument = Path(cube), spectrograph_of(settings)
    if (settings.position or settings.pixel) is not None and settings.size is None:
        raise InputError("`position` and `pixel` need `size` ARCSEC, the width of the field")

    line = None if settings.lines is None else rest_wavelengths(settings.lines)[0]
    found = read_cube(
        path,
        hdu=settings.hdu,
        variance=_named(settings.variance, path),
        mask=_named(settings.mask, path),
        region=Region(position=settings.position, pixel=settings.pixel, size=settings.size),
        pixel_scale=settings.pixel_scale,
        rest_wavelength=line,
        redshift=settings.redshift,
        medium=settings.medium or (None if instrument is None else instrument.medium),
        definition=settings.definition,
        spectral_unit=settings.spectral_unit,
        unit=settings.unit,
    )
    if line is not None and found.axis.kind == "wavelength" and found.axis.medium == "air":
        found = replace(found, axis=replace(found.axis, rest_wavelength=float(air_of(line))))
    # World coordinates of the header are overridden by a scale of the user's.
    return found if settings.pixel_scale is None else replace(found, wcs=None)


def _read_spectral_cube(cube: Any, settings: FitSettings) -> Cube:
    """Return a `SpectralCube` or NDData, by way of a file: with unit, axes, noise and beam."""
    nddata = isinstance(cube, NDData)
    if not (nddata or (hasattr(cube, "spectral_axis") and hasattr(cube, "write"))):
        raise InputError(
            f"a cube of the type {type(cube).__name__}: expected a path, a Cube as read_cube "
            "returns it, a SpectralCube, astropy's NDData with a WCS, or an array with its `grid`"
        )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        if nddata:
            _write_nddata(path, cube)
        else:
            cube.write(path)
        return replace(_read(path, settings), path=Path())


def _write_nddata(path: Path, cube: NDData) -> None:
    """Write NDData of three axes, with its WCS, unit, uncertainty and mask."""
    if cube.wcs is None:
        raise InputError("NDData without a WCS: expected one of three axes, or use `grid`")
    if np.ndim(cube.data) != 3:
        raise InputError(f"NDData of shape {np.shape(cube.data)}: expected (v, y, x)")
    data = np.array(cube.data, dtype=np.float64)
    if cube.mask is not None:
        data[np.broadcast_to(np.asarray(cube.mask, dtype=bool), data.shape)] = np.nan
    header = cube.wcs.to_header()
    if cube.unit is not None:
        header["BUNIT"] = cube.unit.to_string("fits")
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header, name="DATA")]
    if cube.uncertainty is not None:
        variance = cube.uncertainty.represent_as(VarianceUncertainty).array
        hdus.append(fits.ImageHDU(np.asarray(variance, np.float64), header, name="STAT"))
        hdus[-1].header.pop("BUNIT", None)
    fits.HDUList(hdus).writeto(path)


def _near_lines(cube: Cube, settings: FitSettings) -> Cube:
    """Return the channels that are asked for, by default those not too far from the lines."""
    axis, rest, redshift = cube.axis, _rest(cube, settings), settings.redshift
    if settings.velocity_range is not None:
        # One line says where 0 is; on an axis of velocities that is the axis itself.
        own = None if axis.kind == "velocity" else rest[0]
        return subcube(
            cube,
            Region(velocities=settings.velocity_range, rest_wavelength=own, redshift=redshift),
        )
    if axis.kind == "velocity":
        return cube
    ends = np.array([axis.values_at([-NEAR, NEAR], wave, redshift) for wave in rest])
    low, high = float(ends.min()), float(ends.max())
    near = (axis.values >= low) & (axis.values <= high)
    # Where the line isn't in the cube at all, the fitter says so.
    return cube if near.all() or not near.any() else subcube(cube, Region(channels=(low, high)))


def _subtract_continuum(cube: Cube, settings: FitSettings) -> Cube:
    """Return the cube without continuum, if that is to be taken off."""
    if settings.subtract_continuum is None:
        return cube
    own = None if cube.axis.kind == "velocity" else _rest(cube, settings)[0]
    cleaned = without_continuum(
        np.where(cube.mask, np.nan, cube.data.astype(np.float64)),
        cube.velocities(own, settings.redshift),
        settings.subtract_continuum,
        variance=None if cube.variance is None else np.where(cube.mask, np.nan, cube.variance),
    )
    mask = ~np.isfinite(cleaned)
    return replace(cube, data=np.where(mask, 0, cleaned).astype(np.float32), mask=mask)


def _rest(cube: Cube, settings: FitSettings) -> list[float | None]:
    """Return the rest wavelengths of the lines in the medium of the axis; None for its own."""
    lines, axis = settings.lines, cube.axis
    if lines is None:
        return [None]
    in_air = axis.kind == "wavelength" and axis.medium == "air"
    return [float(air_of(wave)) if in_air else wave for wave in rest_wavelengths(lines)]
