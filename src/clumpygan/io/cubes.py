"""FITS cubes in and out: DATA and STAT with their WCS, and where the numbers came from."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.units import UnitBase
from astropy.wcs import WCS

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.atomic import atomic_path
from clumpygan.io.cube_hdus import Layout, NoiseKind, find_cube, find_layout, noise_kind
from clumpygan.io.cube_header import (
    is_axis_keyword,
    parameter_cards,
    read_parameters,
    read_seed,
    read_sky,
    sky_cards,
    sky_of_mock,
)
from clumpygan.io.cube_units import Beam, noise_factor, parse_unit, read_beam, unit_text
from clumpygan.io.fits import open_fits
from clumpygan.io.region import Region, Window
from clumpygan.io.spectral_axis import Definition, Medium, SpectralAxis
from clumpygan.io.spectral_header import axis_cards, read_axis
from clumpygan.io.wcs import pixel_scale_of

_NOISE_POWER = {"variance": 2, "sigma": 1, "inverse variance": -2}
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Cube:
    """A cube with what is needed to use it.

    Attributes
    ----------
    data : numpy.ndarray
        (v, y, x), float32, in `unit`; 0 in masked voxels. Velocities rise along the first axis,
        whichever way the file has it.
    mask : numpy.ndarray
        (v, y, x), bool, True where there is no observation.
    axis : SpectralAxis
        Wavelengths, frequencies or velocities of the channels.
    pixel_scale : float
        Arcsec.
    variance : numpy.ndarray or None
        (v, y, x), float32, in `unit` squared; infinite in masked voxels, whose weight is 0.
    wcs : astropy.wcs.WCS or None
        Celestial, two axes.
    unit : astropy.units.UnitBase or None
        With its factor, such as 1e-20 erg / (Angstrom s cm2); None if unknown.
    beam : Beam or None
        Of a radio telescope.
    parameters : dict
        Name -> value that `write_cube` put into the header: the truth of a mock.
    seed : int or None
        Of the mock.
    header : astropy.io.fits.Header
        As in the file, of the whole cube there.
    path : pathlib.Path
        The file.
    """

    data: np.ndarray
    mask: np.ndarray
    axis: SpectralAxis
    pixel_scale: float
    variance: np.ndarray | None = None
    wcs: WCS | None = None
    unit: UnitBase | None = None
    beam: Beam | None = None
    parameters: dict[str, float | str] = field(default_factory=dict)
    seed: int | None = None
    header: Header = field(default_factory=Header)
    path: Path = Path()

    @property
    def masked_fraction(self) -> float:
        """Fraction of the voxels without an observation."""
        return float(self.mask.mean())

    def velocities(
        self, rest_wavelength: float | None = None, redshift: float | None = None
    ) -> np.ndarray:
        """Return the velocities of the channels (v,) in km/s; see `SpectralAxis.velocities`."""
        return self.axis.velocities(rest_wavelength, redshift)


def read_cube(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    variance: str | os.PathLike[str] | None = None,
    region: Region | None = None,
    pixel_scale: float | None = None,
    rest_wavelength: float | None = None,
    redshift: float | None = None,
    medium: Medium | None = None,
    definition: Definition | None = None,
    spectral_unit: str | None = None,
    unit: str | None = None,
) -> Cube:
    """Read a cube: MUSE and the like, KMOS, JWST, radio, or one that `write_cube` wrote.

    Noise beside the data (STAT, NAME.NOISE, ERR, IVAR, ...) becomes a variance. Voxels are masked
    where the data are NaN, the variance is NaN, 0 or negative, or the extension DQ isn't 0. Axes
    of length 1 (STOKES) are dropped, and a falling velocity axis is turned around.

    Parameters
    ----------
    path : str or path-like
        FITS file, compressed or not.
    hdu : int or str, optional
        Number or name of the HDU with the data; of NAME.DATA also NAME alone. The default is the
        only cube in the file, or the one called DATA, SCI or FLUX.
    variance : str or path-like, optional
        File with the variance, instead of an extension. One whose extension is called NOISE, ERR
        or the like holds standard deviations.
    region : Region, optional
        Read this part only.
    pixel_scale : float, optional
        Arcsec; overrides the header.
    rest_wavelength, redshift : float, optional
        Of the line: Angstrom, in the medium of the axis. Override the header; `velocities` of the
        cube then need no arguments.
    medium : str, optional
        "air" or "vacuum", where CTYPE3 doesn't tell.
    definition : str, optional
        "radio", "optical" or "relativistic", for velocities where CTYPE3 doesn't tell.
    spectral_unit, unit : str, optional
        Override CUNIT3 and BUNIT.

    Raises
    ------
    InputError
        If the file can't be read as a cube with a linear spectral axis, if no voxel is valid, if
        the variance doesn't fit, or if the region lies outside.
    """
    name = str(path)
    with open_fits(path) as hdus:
        found = find_cube(hdus, hdu, name)
        header = _inherited(hdus, found.data)
        shape = hdus[found.data].shape
        layout = find_layout(header, shape, name)
        axis, falling = read_axis(
            header,
            layout.fits_numbers[0],
            shape[layout.order[0]],
            name,
            unit=spectral_unit,
            medium=medium,
            definition=definition,
            rest_wavelength=rest_wavelength,
            redshift=redshift,
        )
        wcs = read_sky(header, layout.fits_numbers[2], layout.fits_numbers[1])
        scale = _pixel_scale(wcs, pixel_scale, name)
        lengths = tuple(shape[number] for number in layout.order)
        window = (region or Region()).window(lengths, axis, wcs, scale, name)

        def read(index: int) -> np.ndarray:
            return _read_window(hdus[index], layout, window, falling)

        data, flags = read(found.data), None if found.flags is None else read(found.flags)
        units = parse_unit(header.get("BUNIT", "") if unit is None else unit)
        noise = None
        if variance is not None:
            noise = _read_separate(variance, lengths, layout, window, falling, units)
        elif found.noise is not None:
            own = hdus[found.noise].header
            noise = _as_variance(read(found.noise), noise_kind(own) or "variance", own, units)
    mask = _mask(data, noise, flags, name)
    part = _part_of_axis(axis, window, region)
    return Cube(
        data=np.where(mask, 0, data).astype(np.float32),
        mask=mask,
        axis=part,
        pixel_scale=scale,
        variance=None if noise is None else np.where(mask, np.inf, noise).astype(np.float32),
        wcs=None if wcs is None else wcs.slice(window[1:]),
        unit=units,
        beam=read_beam(header),
        parameters=read_parameters(header),
        seed=read_seed(header),
        header=header,
        path=Path(path),
    )


def subcube(cube: Cube, region: Region) -> Cube:
    """Return a part of a cube, around a position and a line.

    Raises
    ------
    InputError
        If the region lies outside the cube.
    """
    name = str(cube.path) if cube.path.name else "cube"
    shape = cube.data.shape
    window = region.window(shape, cube.axis, cube.wcs, cube.pixel_scale, name)
    return replace(
        cube,
        data=cube.data[window].copy(),
        mask=cube.mask[window].copy(),
        variance=None if cube.variance is None else cube.variance[window].copy(),
        axis=_part_of_axis(cube.axis, window, region),
        wcs=None if cube.wcs is None else cube.wcs.slice(window[1:]),
    )


def write_cube(
    path: str | os.PathLike[str],
    data: np.ndarray,
    *,
    axis: SpectralAxis,
    pixel_scale: float,
    variance: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    centre: tuple[float, float] = (0.0, 0.0),
    wcs: WCS | None = None,
    unit: str | UnitBase | None = None,
    beam: Beam | None = None,
    parameters: Mapping[str, float | str] | None = None,
    comments: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> None:
    """Write a cube as the extensions DATA and STAT of a FITS file, complete or not at all.

    Parameters
    ----------
    path : str or path-like
        The file; replaced if it exists.
    data : numpy.ndarray
        (v, y, x), written as float32.
    axis : SpectralAxis
        Of the channels; of the length of the first axis of the data.
    pixel_scale : float
        Arcsec.
    variance : numpy.ndarray, optional
        (v, y, x), in the square of the unit.
    mask : numpy.ndarray, optional
        (v, y, x), bool; True is written as NaN.
    centre : tuple of float
        Right ascension and declination of the middle of the field in degrees; north is up.
    wcs : astropy.wcs.WCS, optional
        Celestial, instead of `centre`.
    unit : str or astropy.units.UnitBase, optional
        Of the data.
    beam : Beam, optional
        Of a radio telescope.
    parameters : mapping, optional
        Name -> number or text, written as `HIERARCH CLUMPYGAN name`; numbers come back exactly.
    comments : mapping, optional
        Name -> unit or comment of a parameter.
    seed : int, optional
        With which the cube was made.

    Raises
    ------
    InputError
        If the shapes don't fit, a unit or parameter can't be written, float32 can't hold the
        variance, or the file can't be written there.
    """
    name = str(path)
    if data.ndim != 3 or len(data) != axis.count:
        raise InputError(
            f"{name}: data of shape {data.shape} for an axis of {axis.count} channels; expected "
            f"({axis.count}, y, x)"
        )
    for what, array in (("variance", variance), ("mask", mask)):
        if array is not None and array.shape != data.shape:
            raise InputError(
                f"{name}: the {what} has shape {array.shape}; expected {data.shape}, as the data"
            )
    units = parse_unit(unit) if isinstance(unit, str) else unit
    if units is None and unit is not None:
        raise InputError(f"{name}: {unit!r} isn't a unit; expected e.g. 1e-20 erg/s/cm2/Angstrom")
    cards = sky_cards(wcs if wcs is not None else sky_of_mock(data.shape, pixel_scale, centre))
    cards.update(axis_cards(axis))
    primary = fits.PrimaryHDU()
    primary.header.extend(parameter_cards(parameters or {}, comments or {}, seed, name))
    hdus = [primary, _extension("DATA", data, mask, cards, unit_text(units, name))]
    if beam is not None:
        degrees = {"BMAJ": beam.major / 3600, "BMIN": beam.minor / 3600, "BPA": beam.angle}
        hdus[1].header.update(degrees)
    if variance is not None:
        _check_float32(variance, name)
        squared = unit_text(None if units is None else units**2, name)
        hdus.append(_extension("STAT", variance, mask, cards, squared))
    with atomic_path(path) as temporary:
        fits.HDUList(hdus).writeto(temporary, checksum=True)


def _inherited(hdus: fits.HDUList, index: int) -> Header:
    """Return the header of an HDU, with what the primary one knows and it doesn't."""
    header = hdus[index].header.copy()
    if index:
        general = [card for card in hdus[0].header.cards if not is_axis_keyword(card.keyword)]
        header.extend(Header(general), unique=True, strip=True)
    return header


def _pixel_scale(wcs: WCS | None, given: float | None, name: str) -> float:
    if given is not None:
        if not 0 < given < np.inf:
            raise InputError(f"{name}: pixel_scale is {given} arcsec; expected a number above 0")
        return float(given)
    if wcs is None:
        raise InputError(f"{name}: no celestial WCS; give the pixel scale in arcsec")
    return pixel_scale_of(wcs, name)


def _read_window(hdu: fits.ImageHDU, layout: Layout, window: Window, falling: bool) -> np.ndarray:
    """Read a window (v, y, x) in which velocities rise, though they may fall in the file."""
    channels = window[0]
    if falling:
        count = hdu.shape[layout.order[0]]
        channels = slice(count - channels.stop, count - channels.start)
    read = layout.read(hdu, (channels, *window[1:]))
    read = read.astype(read.dtype.newbyteorder("="), copy=False)
    return read[::-1] if falling else read


def _read_separate(
    path: str | os.PathLike[str],
    lengths: tuple[int, ...],
    layout: Layout,
    window: Window,
    falling: bool,
    unit: UnitBase | None,
) -> np.ndarray:
    """Read the variance from a file of its own, laid out as the data."""
    with open_fits(path) as hdus:
        images = [i for i, one in enumerate(hdus) if one.is_image and one.shape]
        noise = [i for i in images if noise_kind(hdus[i].header) is not None]
        if not images:
            raise InputError(f"{path}: holds no image; expected a variance")
        chosen = hdus[(noise or images)[0]]
        own = find_layout(chosen.header, chosen.shape, str(path))
        shape = tuple(chosen.shape[number] for number in own.order)
        if shape != lengths:
            raise InputError(f"{path}: the variance has shape {shape}; expected {lengths}")
        read = _read_window(chosen, own, window, falling)
        return _as_variance(read, noise_kind(chosen.header) or "variance", chosen.header, unit)


def _as_variance(
    noise: np.ndarray, kind: NoiseKind, header: Header, unit: UnitBase | None
) -> np.ndarray:
    """Return the variance in the squared unit of the data."""
    factor = noise_factor(str(header.get("BUNIT", "")), unit, _NOISE_POWER[kind])
    noise = noise.astype(np.float64) * factor
    if kind == "sigma":
        return np.where(noise > 0, noise**2, noise)
    if kind == "inverse variance":
        return np.divide(1.0, noise, out=np.full_like(noise, np.nan), where=noise > 0)
    return noise


def _mask(
    data: np.ndarray, noise: np.ndarray | None, flags: np.ndarray | None, name: str
) -> np.ndarray:
    """Return where there is no observation, and say what is odd about it."""
    mask = ~np.isfinite(data)
    if mask.all():
        raise InputError(f"{name}: all voxels are NaN; expected an observation")
    blank = mask.all(axis=(1, 2))
    if blank.any():
        _warn(f"{name}: {blank.sum()} of {len(blank)} channels are all NaN; they are masked")
    if flags is not None:
        mask = mask | (flags != 0)
        if mask.all():
            raise InputError(f"{name}: all voxels are flagged or NaN; expected an observation")
    if noise is None:
        return mask
    bad = {"NaN": np.isnan(noise), "zero or negative": noise <= 0}
    for what, where in bad.items():
        count = int((where & ~mask).sum())
        if count == (~mask).sum():
            raise InputError(
                f"{name}: the variance is {what} wherever there are data; expected positive values"
            )
        if count:
            _warn(f"{name}: the variance is {what} in {count} voxels with data; they are masked")
    mask = mask | bad["NaN"] | bad["zero or negative"] | np.isinf(noise)
    if mask.all():
        raise InputError(f"{name}: no voxel has both data and a variance; expected some")
    return mask


def _warn(message: str) -> None:
    warnings.warn(message, InputWarning, stacklevel=4)


def _part_of_axis(axis: SpectralAxis, window: Window, region: Region | None) -> SpectralAxis:
    """Return the axis of the window, with the line that the region names."""
    part = axis.sliced(window[0].start, window[0].stop)
    if region is None:
        return part
    named = {
        name: value
        for name in ("rest_wavelength", "redshift")
        if (value := getattr(region, name)) is not None
    }
    return replace(part, **named)


def _check_float32(variance: np.ndarray, name: str) -> None:
    """Check that no positive variance becomes 0 on the way into the file."""
    positive = variance[variance > 0]
    if positive.size and positive.min() < _SMALLEST_NORMAL:
        raise InputError(
            f"{name}: variances down to {positive.min():.3g} don't fit float32; give data and "
            "variance in a smaller unit, such as 1e-20 erg/s/cm2"
        )


def _extension(
    name: str, array: np.ndarray, mask: np.ndarray | None, cards: Header, unit: str
) -> fits.ImageHDU:
    values = np.asarray(array, np.float32)
    if mask is not None:
        values = np.where(mask, np.float32(np.nan), values)
    hdu = fits.ImageHDU(values, cards.copy(), name=name)
    hdu.header["BUNIT"] = unit
    return hdu
