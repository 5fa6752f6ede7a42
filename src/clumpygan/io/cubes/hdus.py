"""Which HDUs of a FITS file hold a cube, its noise and its flags, and which axis is which."""

import warnings
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import numpy as np
import yaml
from astropy.io import fits
from astropy.io.fits import Header

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.spectral_header import is_spectral

NoiseKind = Literal["variance", "sigma", "inverse variance"]

_DIALECTS = yaml.safe_load(files(__package__).joinpath("dialects.yaml").read_text("utf-8"))
_NOISE: dict[str, NoiseKind] = {
    name: kind for kind, names in _DIALECTS["noise"].items() for name in names
}
_FLAGS, _DATA = tuple(_DIALECTS["flags"]), tuple(_DIALECTS["data"])
_SKY = ("RA--", "DEC-", "GLON", "GLAT", "ELON", "ELAT", "SLON", "SLAT")


@dataclass(frozen=True)
class CubeHdus:
    """Numbers of the HDUs that belong together; None for those that aren't there."""

    data: int
    noise: int | None
    flags: int | None


@dataclass(frozen=True)
class Layout:
    """Where the axes (v, y, x) are among those of an array, in numpy's order.

    Attributes
    ----------
    order : tuple of int
        Numbers of the array's axes that become v, y and x.
    dimensions : int
        Of the array; those not in `order` have length 1.
    """

    order: tuple[int, int, int]
    dimensions: int

    @property
    def fits_numbers(self) -> tuple[int, int, int]:
        """FITS numbers, from 1, of v, y and x."""
        v, y, x = (self.dimensions - axis for axis in self.order)
        return v, y, x

    def read(self, hdu: fits.ImageHDU, window: tuple[slice, slice, slice]) -> np.ndarray:
        """Read a window (v, y, x) of an HDU, and no more of it than that."""
        places = [slice(0, 1)] * self.dimensions
        for axis, part in zip(self.order, window, strict=True):
            places[axis] = part
        read = np.asarray(hdu.section[tuple(places)])
        others = [axis for axis in range(self.dimensions) if axis not in self.order]
        read = read.transpose(*others, *self.order)
        return read.reshape(read.shape[len(others) :])


def noise_kind(header: Header) -> NoiseKind | None:
    """Return what an HDU holds by its name (STAT, NAME.NOISE, ERR, IVAR, ...), None if no noise."""
    return noise_of_name(_split_name(header)[1])


def noise_of_name(name: str) -> NoiseKind | None:
    """Return what an extension of this name (STAT, ERR, IVAR, ...) holds, None if no noise."""
    return _NOISE.get(name.strip().upper())


def find_cube(hdus: fits.HDUList, hdu: int | str | None, name: str) -> CubeHdus:
    """Return the HDUs of the cube asked for, or of the only one in the file.

    Parameters
    ----------
    hdus : astropy.io.fits.HDUList
    hdu : int or str, optional
        Number or name of the data; of `NAME.DATA` also NAME alone.
    name : str
        What to call the file in a message.

    Raises
    ------
    InputError
        If there is none, or more than one and none is named.
    """
    data = _named(hdus, hdu, name) if hdu is not None else _only_cube(hdus, name)
    stem = _split_name(hdus[data].header)[0]
    shape = hdus[data].shape
    noise = flags = None
    for index, other in enumerate(hdus):
        other_stem, role = _split_name(other.header)
        if index == data or not other.is_image or other_stem != stem:
            continue
        if other.shape != shape:
            if (role in _NOISE or role in _FLAGS) and other.shape:
                warnings.warn(
                    f"{name}: {other.name} has shape {other.shape}, the cube {shape}: left out",
                    InputWarning,
                    stacklevel=3,
                )
            continue
        if role in _NOISE and noise is None:
            noise = index
        elif role in _FLAGS and flags is None:
            flags = index
    return CubeHdus(data, noise, flags)


def useless(flags: np.ndarray, data: Header, own: Header) -> np.ndarray:
    """Return which voxels flags call useless: all that aren't 0, or those with certain bits.

    Parameters
    ----------
    flags : numpy.ndarray
    data, own : astropy.io.fits.Header
        Of the cube, with what the primary header has, and of the flags.
    """
    bits = _useless_bits(_split_name(data)[1], _split_name(own)[1], data)
    if bits is None or flags.dtype.kind not in "iub":
        return np.asarray(flags != 0)
    return np.asarray(flags.astype(np.int64) & sum(1 << bit for bit in bits) != 0)


def _useless_bits(data: str, flags: str, header: Header) -> tuple[int, ...] | None:
    """Return the bits that matter, None if all do."""
    for one in _DIALECTS["bits"]:
        keywords = one.get("keywords", ())
        if (data, flags) == (one["data"], one["flags"]) and (
            not keywords or any(keyword in header for keyword in keywords)
        ):
            return tuple(one["useless"].values())
    return None


def seeing_of(header: Header, wavelength: float | None) -> float | None:
    """Return the FWHM of the PSF that a header tells, in arcsec; None if it doesn't.

    Linear between the bands of which it is told, and constant beyond.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Of the cube, with what the primary header has.
    wavelength : float, optional
        Angstrom; without it the answer is the mean of the bands.
    """
    for one in _DIALECTS["seeing"]:
        if not any(keyword in header for keyword in one["keywords"]):
            continue
        known = [
            (band, float(header[keyword]))
            for keyword, band in one["fwhm"].items()
            if isinstance(header.get(keyword), int | float) and header[keyword] > 0
        ]
        if known:
            bands, widths = np.array(known).T
            own = widths.mean() if wavelength is None else np.interp(wavelength, bands, widths)
            return float(own)
    return None


def find_layout(header: Header, shape: tuple[int, ...], name: str) -> Layout:
    """Return which axes are wavelength or velocity, y and x.

    By CTYPE and CUNIT where they tell; else the third, second and first of FITS. Others, such as
    STOKES, must have length 1.

    Raises
    ------
    InputError
        If the array isn't a cube.
    """
    count = len(shape)
    lengths = {number: shape[count - number] for number in range(1, count + 1)}
    sky = [n for n in lengths if str(header.get(f"CTYPE{n}", "")).upper().startswith(_SKY)]
    spectral = [n for n in lengths if n not in sky and is_spectral(header, n)]
    if len(sky) != 2:
        sky = [n for n in lengths if n not in spectral][:2]
    others = [n for n in lengths if n not in sky]
    v = next(iter(spectral or others), None)
    if v is None or len(sky) < 2:
        text = "x".join(str(length) for length in shape) or "empty"
        raise InputError(f"{name}: the image is {count}-D ({text}); expected a cube (v, y, x)")
    for number in others:
        if number != v and lengths[number] != 1:
            kind = str(header.get(f"CTYPE{number}", "")).strip() or "?"
            raise InputError(
                f"{name}: axis {number} ({kind}) has {lengths[number]} planes beside the spectral "
                f"axis {v}; expected 1, a cube (v, y, x)"
            )
    x, y = sorted(sky)
    return Layout((count - v, count - y, count - x), count)


def _split_name(header: Header) -> tuple[str, str]:
    """Return ("IFU.3", "NOISE") of the EXTNAME IFU.3.NOISE, and ("", "STAT") of STAT."""
    stem, _, role = str(header.get("EXTNAME", "")).strip().upper().rpartition(".")
    return stem, role


def _named(hdus: fits.HDUList, hdu: int | str, name: str) -> int:
    choices = (hdu,) if isinstance(hdu, int) else (hdu, f"{hdu}.DATA")
    for choice in choices:
        try:
            index = int(hdus.index_of(choice))
            found = hdus[index]
        except (KeyError, IndexError):
            continue
        if not found.is_image or not found.shape:
            raise InputError(f"{name}: HDU {hdu!r} holds no image; expected a cube")
        return index
    raise InputError(f"{name}: has no HDU {hdu!r}; it has {_listed(hdus, range(len(hdus)))}")


def _only_cube(hdus: fits.HDUList, name: str) -> int:
    images = [i for i, one in enumerate(hdus) if one.is_image and one.shape]
    cubes = [
        i
        for i in images
        if len(hdus[i].shape) >= 3 and _split_name(hdus[i].header)[1] not in (*_NOISE, *_FLAGS)
    ]
    if not cubes:
        if not images:
            raise InputError(f"{name}: holds no image; expected a cube (v, y, x)")
        shape = hdus[images[0]].shape
        text = "x".join(str(length) for length in shape)
        raise InputError(f"{name}: the image is {len(shape)}-D ({text}); expected a cube (v, y, x)")
    likely = [i for i in cubes if _split_name(hdus[i].header)[1] in _DATA]
    chosen = likely if len(likely) == 1 else cubes
    if len(chosen) > 1:
        raise InputError(
            f"{name}: holds {len(chosen)} cubes ({_listed(hdus, chosen)}); say which one as hdu"
        )
    return chosen[0]


def _listed(hdus: fits.HDUList, indices: list[int] | range) -> str:
    names = [hdus[i].name or str(i) for i in indices]
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
