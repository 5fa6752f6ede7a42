"""Images from FITS files or from memory: one plane of one image, or one line saying why not."""

import gzip
import os
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning

from clumpygan.errors import InputError
from clumpygan.io.atomic import atomic_path
from clumpygan.io.header_sizes import LARGEST_RATIO, SMALL_UNPACKED, check_sizes, check_tiles
from clumpygan.io.memory import read_memory

ImageSource: TypeAlias = Any
"""A FITS file by its path, or in memory: an array (y, x), a Quantity, or astropy's CCDData."""

ENDINGS = (".fits", ".fits.gz", ".fit", ".fits.fz")
"""Of files that are taken where many lie in a folder."""

HSC_BANDS = "grizy"
_GZIP = b"\x1f\x8b"

_PIECE = 2**22

RMS_NAMES = ("RMS", "ERR", "ERROR", "SIGMA")
"""Names of extensions whose squares are the variance."""

_ROLES = {
    "variance": ("VARIANCE", "VAR", *RMS_NAMES),
    "weight": ("WHT", "WEIGHT", "IVAR"),
    "mask": ("MASK",),
    "psf": ("PSF",),
}
"""Names of the extensions that hold what isn't the image itself; in files of several bands with
that of the band before them, as HSC_Z_RMS."""

_USELESS = ("BAD", "SAT", "CR", "NO_DATA", "UNMASKEDNAN")
"""Bits of a MASK plane that make a pixel useless; DETECTED, EDGE and others don't."""


def stem_of(path: Path) -> str:
    """Return the name of a file without .fits, .fits.gz and the like."""
    name = path.name
    for ending in (".gz", ".fz", ".bz2", ".fits", ".fit"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name


@dataclass(frozen=True)
class Plane:
    """One plane of a FITS image.

    Attributes
    ----------
    data : numpy.ndarray
        (y, x).
    header : Header
    other_headers : list of Header
        Those of the other HDUs.
    flagged : numpy.ndarray or None
        (y, x) bool: which pixels the file's own MASK, of LSST's and HSC's pipeline, calls useless.
    flags : tuple of str
        By which of its names.
    """

    data: np.ndarray
    header: Header
    other_headers: list[Header]
    flagged: np.ndarray | None = None
    flags: tuple[str, ...] = ()


@contextmanager
def open_fits(
    path: str | os.PathLike[str], name: str | os.PathLike[str] | None = None
) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever is wrong with it becomes an `InputError` that names it.

    The sizes that the headers state are held against the file before astropy believes them, and
    cards that can't be parsed are left out.

    Parameters
    ----------
    path : str or path-like
    name : str or path-like, optional
        What messages call it; the default is the path.

    Raises
    ------
    InputError
        If the file is missing, isn't FITS, is truncated, would unpack to far more than it is, or
        can't be read to its end.
    """
    name = path if name is None else name
    if not Path(path).is_file():
        kind = "is a folder, not a FITS file" if Path(path).is_dir() else "no such file"
        raise InputError(f"{name}: {kind}")
    try:
        with warnings.catch_warnings():
            # Headers of all ages: odd cards don't matter here. Our own warnings do.
            warnings.simplefilter("ignore", AstropyWarning)
            warnings.filterwarnings("error", "File may have been truncated", AstropyUserWarning)
            # The stream is opened here because astropy leaves it open when it gives up on a file.
            with _stream(Path(path)) as stream:
                if check_sizes(stream, str(name)):
                    check_tiles(stream, str(name))
                with fits.open(stream) as hdus:
                    for hdu in hdus:
                        _drop_broken_cards(hdu.header)
                    yield hdus
    except AstropyUserWarning as problem:
        sizes = _first_line(problem).removeprefix("File may have been truncated: ")
        raise InputError(f"{name}: the file is truncated ({sizes}); get it again") from problem
    except (InputError, Warning, NameError):
        raise  # the last one is a mistake of ours
    except Exception as problem:  # of damaged files astropy raises a dozen kinds
        raise InputError(
            f"{name}: can't be read as FITS, damaged or another format ({_first_line(problem)})"
        ) from problem


def write_fits(path: str | os.PathLike[str], hdus: Iterable[Any]) -> None:
    """Write HDUs with their checksums, whole or not at all: the same ones give the same bytes.

    Parameters
    ----------
    path : str or path-like
        Replaced if it exists.
    hdus : iterable of HDU
        The primary one first.

    Raises
    ------
    InputError, OSError
        As `clumpygan.io.atomic.atomic_path`.
    """
    whole = fits.HDUList(list(hdus))
    for hdu in whole:
        # The comment would be the time of day.
        hdu.add_checksum(when="of the HDU and of its data")
    with atomic_path(path) as temporary:
        whole.writeto(temporary)


def card_text(text: str) -> str:
    """Return words as a header can hold them: what isn't printable ASCII is escaped."""
    return "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text)


def unpack(
    path: Path, target: BinaryIO, small: int = SMALL_UNPACKED, ratio: int = LARGEST_RATIO
) -> None:
    """Write what a gzipped file holds, unless it is far more than a file of its size should hold.

    Parameters
    ----------
    path : Path
    target : file
    small, ratio : int
        Bytes that it may become at least, and times its size.

    Raises
    ------
    InputError
        If it is damaged, or becomes too large.
    """
    most = max(small, ratio * path.stat().st_size)
    written = 0
    try:
        with gzip.open(path) as content:
            while piece := content.read(_PIECE):
                written += len(piece)
                if written > most:
                    raise InputError(
                        f"{path}: unpacks to more than {most / 1e6:.0f} MB, {ratio} times "
                        "its size; unpack it yourself if it is meant to"
                    )
                target.write(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise InputError(
            f"{path}: can't be read: it can't be unpacked, truncated or damaged"
        ) from problem


def is_gzipped(path: Path) -> bool:
    """Return whether a file begins as gzipped ones do."""
    with path.open("rb") as stream:
        return stream.read(len(_GZIP)) == _GZIP


def _stream(path: Path) -> BinaryIO:
    """Open a file; a gzipped one is decompressed whole, since astropy takes half of one for all."""
    if not is_gzipped(path):
        return path.open("rb")
    content = BytesIO()
    unpack(path, content)
    content.seek(0)
    return content


def _drop_broken_cards(header: Header) -> None:
    """Take cards out that can't be parsed, before somebody asks for their value."""
    broken = []
    for place, card in enumerate(header.cards):
        try:
            card.value  # noqa: B018  (parsed when it is asked for)
        except Exception:  # VerifyError, ValueError, OverflowError and others
            broken.append(place)
    for place in reversed(broken):
        del header[place]


def is_file(source: ImageSource) -> bool:
    """Tell whether an image is to be read from a file; else it is in memory."""
    return isinstance(source, str | os.PathLike)


def read_plane(
    source: ImageSource,
    hdu: int | str | None = None,
    plane: int | str | None = None,
    name: str | None = None,
    role: str | None = None,
    beside: int | str | None = None,
) -> Plane:
    """Read one image plane.

    Parameters
    ----------
    source : str, path-like, array or CCDData
        A FITS file, compressed or not, or an image in memory: masked pixels become NaN, the unit
        of a Quantity or CCDData becomes BUNIT, its WCS that of the header.
    hdu : int or str, optional
        Number or EXTNAME of the HDU; the default is the first image that isn't blank (the primary
        HDU of a GALFIT block is).
    plane : int or str, optional
        For a 3-D stack: number of the plane from 0, or in a stack of five one of g, r, i, z, y.
    name : str, optional
        What messages call an image in memory.
    role : {"variance", "weight", "mask", "psf"}, optional
        What is wanted: an HDU of such a name is taken where `hdu` says none.
    beside : int or str, optional
        HDU of the image that it belongs to. In a file of several bands, whose extensions are named
        BAND_FLUX, BAND_RMS, BAND_PSF or the like, its name says which band is meant.

    Returns
    -------
    Plane
        With `data` of shape (y, x), in the file's own precision and native byte order.

    Raises
    ------
    InputError
        If the file can't be read, has no such HDU or no image, or those of several bands and
        nothing says which; if the image isn't 2-D and no plane is named, or the plane doesn't
        exist.
    """
    if not is_file(source):
        name = name or "the array"
        data, header = read_memory(source, name)
        return Plane(_select_plane(data, plane, name), header, [])
    with open_fits(source) as hdus:
        wanted = _of_role(hdus, role, beside, str(source)) if hdu is None else hdu
        index = _find_hdu(hdus, wanted, str(source))
        data = _select_plane(np.asarray(hdus[index].data), plane, str(source))
        others = [other.header for number, other in enumerate(hdus) if number != index]
        native = data.astype(data.dtype.newbyteorder("="))
        return Plane(native, hdus[index].header, others, *_flagged(hdus, native.shape))


def of_band(extension: str) -> tuple[str, str]:
    """Return the band and the rest of the name of an extension: HSC_Z and RMS of HSC_Z_RMS."""
    band, _, rest = extension.strip().upper().rpartition("_")
    return band, rest


def _of_role(
    hdus: fits.HDUList, role: str | None, beside: int | str | None, name: str
) -> int | None:
    """Return the number of the HDU that is named after a role; None where there is none.

    Of those of several bands that of the image `beside`.

    Raises
    ------
    InputError
        If there are several, of other bands.
    """
    names = _ROLES.get(role or "", ())
    images = [(i, one.name) for i, one in enumerate(hdus) if one.is_image and one.name]
    found = {i: of_band(extension) for i, extension in images if of_band(extension)[1] in names}
    wanted = of_band(beside)[0] if isinstance(beside, str) else ""
    for band in dict.fromkeys((wanted, "")):
        of_it = [i for i, one in found.items() if one[0] == band]
        if of_it:
            return of_it[0]
    if len(found) > 1:
        bands = ", ".join(hdus[i].name for i in list(found)[:8])
        raise InputError(
            f"{name}: has several bands ({bands}), and the image none of theirs; say which by the"
            " name of its extension, such as HSC_Z_FLUX"
        )
    return next(iter(found), None)


def _flagged(
    hdus: fits.HDUList, shape: tuple[int, ...]
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the pixels that a MASK plane with named bits calls useless, and by which names.

    The pipeline of LSST and HSC names the bits in cards MP_NAME (Bosch et al. 2018, PASJ 70, S5).
    """
    for hdu in hdus:
        bits = {name: hdu.header.get(f"MP_{name}") for name in _USELESS}
        known = {name: bit for name, bit in bits.items() if isinstance(bit, int) and 0 <= bit < 63}
        if not known or not hdu.is_image or hdu.shape != shape or hdu.data.dtype.kind not in "iu":
            continue
        flags = np.asarray(hdu.data, np.int64)
        hit = {name: (flags >> bit) & 1 > 0 for name, bit in known.items()}
        names = tuple(name for name, where in hit.items() if where.any())
        return np.any(list(hit.values()), axis=0), names
    return None, ()


def _find_hdu(hdus: fits.HDUList, hdu: int | str | None, name: str) -> int:
    """Return the number of the HDU asked for, or of the first image with anything in it."""
    if hdu is not None:
        try:
            index = hdus.index_of(hdu)
            data = hdus[index].data if hdus[index].is_image else None
        except (KeyError, IndexError) as problem:
            raise InputError(f"{name}: has no HDU {hdu!r} (it has {len(hdus)})") from problem
        if data is None:
            raise InputError(f"{name}: HDU {hdu!r} holds no image")
        return int(index)
    images = [i for i, one in enumerate(hdus) if one.is_image and one.data is not None]
    if not images:
        raise InputError(f"{name}: holds no image; expected a 2-D FITS image")
    return next((i for i in images if np.nan_to_num(hdus[i].data).any()), images[0])


def _select_plane(data: np.ndarray, plane: int | str | None, name: str) -> np.ndarray:
    """Return the 2-D plane of an image; axes of length 1 in front don't count."""
    shape = "x".join(str(size) for size in data.shape)
    if not data.size:
        raise InputError(f"{name}: the image is empty ({shape}); expected 2-D (y, x)")
    while data.ndim > 2 and data.shape[0] == 1:
        data = data[0]
    if data.ndim == 2:
        return data
    if data.ndim != 3:
        raise InputError(f"{name}: the image is {data.ndim}-D ({shape}); expected 2-D (y, x)")
    if plane is None:
        raise InputError(
            f"{name}: the image is 3-D ({shape}); expected 2-D (y, x), or say which plane to take"
        )
    if isinstance(plane, str) and not plane.isdigit():
        band = plane.strip().casefold()
        if len(data) != len(HSC_BANDS) or len(band) != 1 or band not in HSC_BANDS:
            raise InputError(
                f"{name}: no plane {plane!r}; expected a number from 0 to {len(data) - 1}, "
                "or one of g, r, i, z, y in a stack of five"
            )
        plane = HSC_BANDS.index(band)
    if not 0 <= int(plane) < len(data):
        raise InputError(f"{name}: no plane {plane}; expected 0 to {len(data) - 1}")
    return np.asarray(data[int(plane)])


def _first_line(problem: BaseException) -> str:
    """Return the first line of an exception's message, or its name."""
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
