"""Cubes from FITS files, whichever telescope they come from."""

import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.units import UnitBase
from astropy.wcs import WCS

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.hdus import Layout, find_cube, find_layout, noise_kind, useless
from clumpygan.io.cubes.header import is_axis_keyword, read_parameters, read_seed, read_sky
from clumpygan.io.cubes.noise import as_variance, find_mask, for_float32
from clumpygan.io.cubes.spectral_axis import Definition, Medium, SpectralAxis
from clumpygan.io.cubes.spectral_header import read_axis
from clumpygan.io.cubes.units import Beam, parse_unit, read_beam, read_beams, unit_text
from clumpygan.io.fits import open_fits
from clumpygan.io.region import Region, Window
from clumpygan.io.wcs import pixel_scale_of

_SPECTRAL = ("CTYPE3", "CUNIT3")


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
        With its factor, such as 1e-20 erg / (Angstrom s cm2); None if unknown. Where float32
        couldn't hold the variance, a factor is added to that of the file.
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
    mask: str | os.PathLike[str] | None = None,
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
    where the data are NaN, the variance is NaN, 0 or negative, or the extension of flags (DQ, MASK,
    BADPIX, ...) says so. Axes
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
    mask : str or path-like, optional
        File with an image (y, x) or a cube; voxels that aren't 0 there are masked too.
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
        If the file can't be read as a cube with a spectral axis, if no voxel is valid, if the
        variance doesn't fit, or if the region lies outside.
    """
    name = str(path)
    with open_fits(path) as hdus:
        _check_end(hdus, name)
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

        beam = _beam(hdus, header, name)
        data, flags = read(found.data), None
        if found.flags is not None:
            flags = useless(read(found.flags), header, hdus[found.flags].header)
        text = str(header.get("BUNIT", "")) if unit is None else unit
        units = parse_unit(text) if text.strip() else None
        if unit is not None and units is None:
            raise InputError(f"`unit` is {unit!r}: expected a unit, as 1e-20 erg/s/cm2/Angstrom")
        if unit is not None:
            unit_text(units, "`unit`")  # what is made of the cube is written in it
        noise = None
        if variance is not None:
            noise = _read_separate(variance, lengths, layout, window, falling, units)
        elif found.noise is not None:
            own = hdus[found.noise].header
            noise = as_variance(read(found.noise), noise_kind(own) or "variance", own, units)
        if mask is not None:
            hidden = _read_mask(mask, lengths, layout, window, falling)
            flags = hidden if flags is None else hidden | (flags != 0)
    masked = find_mask(data, noise, flags, name)
    values, variances, units = for_float32(data, noise, masked, units)
    part = _part_of_axis(axis, window, region)
    return Cube(
        data=values,
        mask=masked,
        axis=part,
        pixel_scale=scale,
        variance=variances,
        wcs=None if wcs is None else wcs.slice(window[1:]),
        unit=units,
        beam=beam,
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


def _check_end(hdus: fits.HDUList, name: str) -> None:
    """Warn of a rest that is no HDU: where a download broke off, the variance may be missing."""
    place = hdus[-1].fileinfo()
    place["file"].seek(place["datLoc"] + place["datSpan"])
    rest = place["file"].read().strip(b"\0 ")
    if rest:
        warnings.warn(
            f"{name}: the end of the file isn't FITS, or only the beginning of an "
            "extension; if anything is missing, get the file again",
            InputWarning,
            stacklevel=3,
        )


def _beam(hdus: fits.HDUList, header: Header, name: str) -> Beam | None:
    """Return the beam of the header, or the median of those of CASA's table."""
    tables = (one for one in hdus if isinstance(one, fits.BinTableHDU) and one.name == "BEAMS")
    beams = (read_beams(one.data, name) for one in tables)
    return read_beam(header, name) or next(beams, None)


def _inherited(hdus: fits.HDUList, index: int) -> Header:
    """Return the header of an HDU, with what the primary one knows and it doesn't."""
    header = hdus[index].header.copy()
    if index:
        # Some pipelines describe the spectral axis in the primary header alone.
        for keyword in _SPECTRAL:
            if keyword in hdus[0].header and keyword not in header:
                header[keyword] = hdus[0].header[keyword]
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
        return as_variance(read, noise_kind(chosen.header) or "variance", chosen.header, unit)


def _read_mask(
    path: str | os.PathLike[str],
    lengths: tuple[int, ...],
    layout: Layout,
    window: Window,
    falling: bool,
) -> np.ndarray:
    """Read a mask from a file of its own: an image, or a cube laid out as the data."""
    with open_fits(path) as hdus:
        images = [one for one in hdus if one.is_image and one.shape]
        if not images:
            raise InputError(f"{path}: holds no image; expected a mask")
        shape = images[0].shape
        if shape == lengths[1:]:
            return np.asarray(images[0].section[window[1:]] != 0)
        own = find_layout(images[0].header, shape, str(path)) if len(shape) > 2 else layout
        if len(shape) < 3 or tuple(shape[number] for number in own.order) != lengths:
            raise InputError(
                f"{path}: the mask has shape {shape}; expected {lengths} or {lengths[1:]}"
            )
        return _read_window(images[0], own, window, falling) != 0


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
