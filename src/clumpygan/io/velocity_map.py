"""Velocity maps from FITS files: velocities, their errors and the light, in one file or more."""

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import NDArray

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.hdus import noise_of_name
from clumpygan.io.cubes.units import parse_unit
from clumpygan.io.fits import open_fits
from clumpygan.io.wcs import pixel_scale_of, read_wcs

FloatArray = NDArray[np.float64]

_VELOCITY = ("STELLAR_VEL", "VELOCITY", "VEL", "VLOS", "V", "MOM1", "MOMENT1")
_LIGHT = ("FLUX", "LIGHT", "INTENSITY", "MOM0", "MOMENT0", "SPX_MFLUX", "BIN_MFLUX")
_MASK = ("MASK", "DQ", "FLAGS", "BADPIX")
_ERRORS = ("VEL_ERR", "VEL_ERROR", "E_VEL", "EVEL", "VELOCITY_ERR", "VELOCITY_ERROR", "DV")
_BLANK = 0.05
"""Share of pixels that are exactly 0, above which 0 means that there is nothing."""

_DO_NOT_USE = 30
"""Bit of MaNGA's masks of maps, DONOTUSE (Westfall et al. 2019, AJ 158, 231)."""


@dataclass(frozen=True, eq=False)
class VelocityMap:
    """Velocities, and what is needed to use them.

    Attributes
    ----------
    velocity : ndarray (y, x)
        km/s; 0 where unknown.
    error : ndarray (y, x)
        One sigma, km/s; infinite where unknown.
    pixel_scale : float
        Arcsec.
    light : ndarray (y, x), optional
        Flux of each pixel; 0 where there is none.
    wcs : astropy.wcs.WCS or None
    header : astropy.io.fits.Header
        Of the velocities, with that of the file.
    path : Path
    """

    velocity: FloatArray
    error: FloatArray
    pixel_scale: float
    light: FloatArray | None = None
    wcs: WCS | None = None
    header: Header = field(default_factory=Header)
    path: Path = Path()

    @property
    def known(self) -> NDArray[np.bool_]:
        """Pixels (y, x) of known velocity."""
        return np.isfinite(self.error)


def read_velocity_map(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    errors: str | os.PathLike[str] | float | None = None,
    light: str | os.PathLike[str] | None = None,
    mask: str | os.PathLike[str] | None = None,
    pixel_scale: float | None = None,
    unit: str | None = None,
) -> VelocityMap:
    """Read a velocity map.

    Pixels are unknown where velocity or error are no number, the error isn't above 0, a mask says
    so, or, in maps in which many velocities are exactly 0, where they are.

    Parameters
    ----------
    path : str or path-like
        FITS file.
    hdu : int or str, optional
        Of the velocities; by default VEL, VELOCITY, STELLAR_VEL, MOM1 or the like, or the only one.
    errors : str, path-like or float, optional
        File with the errors, or one number for all, km/s. By default the extension that goes with
        the velocities: VEL_ERR, STELLAR_VEL_IVAR, ERR and so on. A file of which the name of the
        extension doesn't tell what it is holds standard deviations.
    light : str or path-like, optional
        File with a map of the flux; by default an extension FLUX or the like.
    mask : str or path-like, optional
        File with an image; pixels that aren't 0 there are unknown.
    pixel_scale : float, optional
        Arcsec; overrides the header.
    unit : str, optional
        Overrides BUNIT.

    Raises
    ------
    InputError
        If it can't be read, has no errors or no pixel scale, or nothing in it is known.
    """
    name = str(path)
    with open_fits(path) as hdus:
        index = _velocities(hdus, hdu, name)
        header = hdus[index].header.copy()
        header.extend(hdus[0].header, unique=True, strip=True) if index else None
        velocity = _plane(hdus[index], name)
        factor = _factor(header, unit, name)
        own = _errors_beside(hdus, index)
        noise = None if own is None else _sigma(_plane(hdus[own], name), hdus[own].header)
        hidden = _mask_beside(hdus, index, name)
        shown = _light_beside(hdus, index, name)
    velocity = velocity * factor
    if isinstance(errors, int | float):
        noise = np.full(velocity.shape, float(errors) / factor)
    elif errors is not None:
        noise = _read_beside(errors, velocity.shape, "errors", of_noise=True)
    if noise is None:
        raise InputError(f"{name}: holds no errors; give `errors`, a file or a number in km/s")
    error = noise * factor
    if light is not None:
        shown = _read_beside(light, velocity.shape, "light")
    if mask is not None:
        hidden = hidden | (_read_beside(mask, velocity.shape, "mask") != 0)
    if error.shape != velocity.shape:
        raise InputError(f"{name}: errors of shape {error.shape}; expected {velocity.shape}")
    known = np.isfinite(velocity) & np.isfinite(error) & (error > 0) & ~hidden
    if (velocity == 0).mean() > _BLANK:
        known &= velocity != 0
    if not known.any():
        raise InputError(f"{name}: no pixel has a velocity with an error above 0; expected some")
    wcs = read_wcs(header) if pixel_scale is None else None
    if pixel_scale is None and wcs is None:
        raise InputError(f"{name}: no celestial WCS; give `pixel_scale`, in arcsec")
    return VelocityMap(
        np.where(known, velocity, 0.0),
        np.where(known, error, np.inf),
        pixel_scale_of(wcs, name) if pixel_scale is None else float(pixel_scale),
        None if shown is None else np.where(np.isfinite(shown), np.maximum(shown, 0.0), 0.0),
        wcs,
        header,
        Path(path),
    )


def _velocities(hdus: fits.HDUList, hdu: int | str | None, name: str) -> int:
    """Return the number of the HDU with the velocities."""
    images = [i for i, one in enumerate(hdus) if one.is_image and one.shape]
    if hdu is not None:
        try:
            index = int(hdus.index_of(hdu))
        except (KeyError, IndexError):
            index = -1
        if index not in images:
            names = ", ".join(hdus[i].name or str(i) for i in images)
            raise InputError(f"{name}: no image {hdu!r}; it has {names or 'none'}")
        return index
    if not images:
        raise InputError(f"{name}: holds no image; expected a velocity map (y, x)")
    named = [i for one in _VELOCITY for i in images if hdus[i].name.upper() == one]
    flat = [
        i
        for i in images
        if noise_of_name(hdus[i].name) is None and hdus[i].name.upper() not in (*_LIGHT, *_MASK)
    ]
    if named or len(flat) == 1:
        return (named or flat)[0]
    names = ", ".join(hdus[i].name or str(i) for i in flat[:6])
    raise InputError(f"{name}: holds several images ({names}); say which one as `hdu`")


def _plane(hdu: fits.ImageHDU, name: str) -> FloatArray:
    """Return an image (y, x) without axes of length 1."""
    data = np.asarray(hdu.data, dtype=np.float64)
    shape = data.shape
    data = data.reshape([n for n in shape if n > 1]) if data.ndim > 2 else data
    if data.ndim != 2 or min(data.shape) < 3:
        text = "x".join(str(n) for n in shape)
        raise InputError(
            f"{name}: {hdu.name or 'the image'} is {len(shape)}-D ({text}); expected a velocity map"
            " (y, x) of at least 3x3 pixels"
        )
    return data


def _factor(header: Header, unit: str | None, name: str) -> float:
    """Return the factor to km/s."""
    text = (unit or str(header.get("BUNIT", ""))).strip()
    if not text:
        warnings.warn(
            f"{name}: doesn't say the unit of the velocities; taken to be km/s",
            InputWarning,
            stacklevel=3,
        )
        return 1.0
    parsed = parse_unit(text)
    if parsed is None or not parsed.is_equivalent(units.km / units.s):
        raise InputError(
            f"{name}: the unit is {text!r}; expected one of velocity; give the right one as `unit`"
        )
    return float(parsed.to(units.km / units.s))


def _errors_beside(hdus: fits.HDUList, index: int) -> int | None:
    """Return the number of the HDU with the errors of the velocities."""
    own = hdus[index].name.upper()
    others = [i for i, one in enumerate(hdus) if i != index and one.is_image and one.shape]
    for i in others:
        name = hdus[i].name.upper()
        if name in _ERRORS or (
            own and name.startswith(f"{own}_") and noise_of_name(name[len(own) + 1 :]) is not None
        ):
            return i
    return next((i for i in others if noise_of_name(hdus[i].name) is not None), None)


def _sigma(values: FloatArray, header: Header) -> FloatArray:
    """Return standard deviations of what the name of an extension says that it holds."""
    kind = noise_of_name(str(header.get("EXTNAME", "")).rpartition("_")[2]) or "sigma"
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "sigma":
            return values
        return np.sqrt(values) if kind == "variance" else 1 / np.sqrt(values)


def _mask_beside(hdus: fits.HDUList, index: int, name: str) -> NDArray[np.bool_]:
    """Return where a mask in the file hides the velocities."""
    own, shape = hdus[index].name.upper(), np.shape(np.squeeze(hdus[index].data))
    for i, one in enumerate(hdus):
        if i == index or not one.is_image or not one.shape:
            continue
        if one.name.upper() in (*(f"{own}_{word}" for word in _MASK), *_MASK):
            flags = _plane(one, name)
            if flags.shape == shape:
                bits = flags.astype(np.int64)
                # Maps of MaNGA have bits of which only one hides.
                return np.asarray(bits & (1 << _DO_NOT_USE) != 0 if (
                    own in _VELOCITY[:1]) else bits != 0)  # fmt: skip
    return np.zeros(shape, dtype=bool)


def _light_beside(hdus: fits.HDUList, index: int, name: str) -> FloatArray | None:
    """Return the map of the light in the file."""
    shape = np.shape(np.squeeze(hdus[index].data))
    for word in _LIGHT:
        for i, one in enumerate(hdus):
            if i != index and one.is_image and one.shape and one.name.upper() == word:
                plane = _plane(one, name)
                if plane.shape == shape:
                    return plane
    return None


def _read_beside(
    path: str | os.PathLike[str], shape: tuple[int, ...], what: str, of_noise: bool = False
) -> FloatArray:
    """Read a map of a file of its own."""
    with open_fits(path) as hdus:
        images = [one for one in hdus if one.is_image and one.shape]
        if not images:
            raise InputError(f"{path}: holds no image; expected the {what} of a velocity map")
        chosen = images[0]
        if of_noise:
            noise = (one for one in images if noise_of_name(one.name.rpartition("_")[2]))
            chosen = next(noise, chosen)
        plane = _plane(chosen, str(path))
        if plane.shape != shape:
            raise InputError(f"{path}: the {what} have shape {plane.shape}; expected {shape}")
        return _sigma(plane, chosen.header) if of_noise else plane
