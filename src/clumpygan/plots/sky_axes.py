"""Axes of pictures in right ascension and declination, drawn by astropy's WCSAxes.

Pictures count arcsec from the middle of a field. With a WCS whose pixels are those arcsec an axis
has ticks on the sky, and all that is drawn on it stays where it is.
"""

import warnings
from typing import Any

import numpy as np
from astropy.visualization.wcsaxes import WCSAxes
from astropy.wcs import WCS
from matplotlib.axes import Axes

from clumpygan.errors import InputWarning
from clumpygan.io.wcs import north_angle, wcs_in_arcsec

_NAMES = {"RA": "RA", "DEC": "Dec", "GLON": "l", "GLAT": "b"}
"""Labels of the coordinates that FITS names so; others keep its name."""

_BELOW, _BESIDE, _LETTERS, _LENGTH = 3, 4, 8, 3
"""About so many ticks of a coordinate; points of their labels, and length."""

_GRID: dict[str, Any] = {"color": "0.7", "alpha": 0.35, "linestyle": ":", "linewidth": 0.8}


def sky_projection(
    wanted: bool,
    wcs: WCS | None,
    shape: tuple[int, int],
    pixel_scale: float,
    centre: tuple[float, float] | None = None,
) -> WCS | None:
    """Return the projection of axes that count arcsec, or None for plain ones.

    Parameters
    ----------
    wanted : bool
        Whether the axes are to have world coordinates; where there are none, an `InputWarning` says
        that they have arcsec.
    wcs : astropy.wcs.WCS or None
        Celestial, of the image that is drawn.
    shape : tuple of int
        (y, x) of that image.
    pixel_scale : float
        By which it is drawn, arcsec.
    centre : tuple of float, optional
        (x, y) in its pixels from where arcsec are counted; by default the middle.
    """
    if not wanted:
        return None
    if wcs is None:
        warnings.warn(
            "the world coordinates of the image aren't known: axes of its picture are in arcsec",
            InputWarning,
            stacklevel=2,
        )
        return None
    if centre is None:
        centre = (0.5 * (shape[1] - 1), 0.5 * (shape[0] - 1))
    return wcs_in_arcsec(wcs, centre, pixel_scale)


def label_sides(axis: Axes, *, left: bool, bottom: bool, size: float) -> None:
    """Label an axis of arcsec, or of the sky, on the sides that are asked for.

    On the sky each side has the coordinate that changes most along it: in an image that is turned
    by more than 45 degrees the declination is below.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    left, bottom : bool
        Which sides have words and numbers; all have ticks.
    size : float
        Of the words, points.
    """
    if not isinstance(axis, WCSAxes):
        axis.tick_params(labelbottom=bottom, labelleft=left)
        if bottom:
            axis.set_xlabel("arcsec", fontsize=size)
        if left:
            axis.set_ylabel("arcsec", fontsize=size)
        return
    kinds = (axis.wcs.wcs.lngtyp.strip(), axis.wcs.wcs.lattyp.strip())
    first = axis.wcs.wcs.lng  # of the two axes of the WCS, the one of the longitude
    longitude, latitude = axis.coords[first], axis.coords[1 - first]
    turned = abs(np.sin(np.radians(north_angle(axis.wcs)))) > np.sqrt(0.5)
    below, beside = (latitude, longitude) if turned else (longitude, latitude)
    for coordinate, kind in zip((longitude, latitude), kinds, strict=True):
        coordinate.set_ticks(number=_BELOW if coordinate is below else _BESIDE)
        coordinate.tick_params(length=_LENGTH, labelsize=_LETTERS)
        coordinate.grid(**_GRID)
        side, shown = ("b", bottom) if coordinate is below else ("l", left)
        coordinate.set_ticks_position(side)
        coordinate.set_ticklabel_position(side)
        coordinate.set_axislabel_position(side)
        coordinate.set_ticklabel(exclude_overlapping=True, simplify=True)
        coordinate.set_ticklabel_visible(shown)
        coordinate.set_auto_axislabel(False)
        coordinate.set_axislabel(_NAMES.get(kind, kind) if shown else "", fontsize=size)
    # Numbers along the side take no room from the neighbour.
    beside.set_ticklabel(rotation=90)
