"""Pages of many galaxies, the brightest first."""

from collections.abc import Iterator

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from clumpygan.plots.style import BRIGHTNESS_MAP, LABEL, mark_scale, new_figure, stretch

PER_PAGE = 64
"""Galaxies on a page, at most."""

_COLUMNS = 8

# All in inches.
_STAMP, _GAP, _HEAD, _FOOT, _LEAST = 1.45, 0.06, 0.42, 0.62, 7.2
_DOTS = 110  # per inch

_FAINTEST = 8.0
"""Sigma: a galaxy whose brightest pixel is below is stretched as if it had one of these."""

_OUTLINE = [withStroke(linewidth=2.4, foreground="black")]


def galaxies_pages(
    images: NDArray[np.floating], table: Table, pixel_scale: float, title: str = ""
) -> Iterator[Figure]:
    """Draw all galaxies, 64 on a page, each with its magnitude and redshift.

    Parameters
    ----------
    images : ndarray of shape (N, y, x)
        In units of the noise.
    table : Table
        With `h_magnitude` and `redshift`.
    pixel_scale : float
        Arcsec.
    title : str
        Of the pages.
    """
    magnitudes = np.asarray(table["h_magnitude"], dtype=np.float64)
    order = np.argsort(magnitudes, kind="stable")
    pages = -(-len(order) // PER_PAGE)
    for page in range(pages):
        chosen = order[page * PER_PAGE : (page + 1) * PER_PAGE]
        remark = f"page {page + 1} of {pages}" if pages > 1 else ""
        words = [
            (f"H = {magnitudes[row]:.1f}", f"z = {table['redshift'][row]:.1f}") for row in chosen
        ]
        yield _page(images[chosen], words, pixel_scale, title, remark)


def _page(
    images: NDArray[np.floating],
    words: list[tuple[str, str]],
    pixel_scale: float,
    title: str,
    remark: str,
) -> Figure:
    columns = min(_COLUMNS, len(images))
    rows, pitch = -(-len(images) // columns), _STAMP + _GAP
    width = max(columns * pitch + _GAP, _LEAST)
    height = rows * pitch + _HEAD + _FOOT
    figure = new_figure(width, height, None)
    figure.set_dpi(_DOTS)
    left = 0.5 * (width - columns * pitch + _GAP)
    for place, (image, told) in enumerate(zip(images, words, strict=True)):
        row, column = divmod(place, columns)
        x, y = left + column * pitch, height - _HEAD - row * pitch - _STAMP
        axis = figure.add_axes((x / width, y / height, _STAMP / width, _STAMP / height))
        _draw(axis, image, told, pixel_scale)
    figure.text(_GAP / width, 1 - 0.1 / height, title, fontsize=14, fontweight="bold", va="top")
    figure.text(1 - _GAP / width, 1 - 0.12 / height, remark, fontsize=LABEL, color="0.3",
                ha="right", va="top")  # fmt: skip
    side = images.shape[-1] * pixel_scale
    legend = (
        f'Brightest first; stamps of {side:.3g}", each on an asinh stretch of its own.\n'
        "H: AB magnitude that was asked for; z: redshift. North is up, east to the left."
    )
    figure.text(_GAP / width, 0.08 / height, legend, fontsize=LABEL - 1, color="0.3",
                va="bottom", linespacing=1.35)  # fmt: skip
    return figure


def _draw(
    axis: Axes, image: NDArray[np.floating], words: tuple[str, str], pixel_scale: float
) -> None:
    y, x = (count * pixel_scale / 2 for count in image.shape)
    norm = stretch(image, 1.0)
    norm.vmax = max(float(image.max()), _FAINTEST)
    extent = (-x, x, -y, y)
    axis.imshow(image, origin="lower", cmap=BRIGHTNESS_MAP, norm=norm, extent=extent,
                interpolation="nearest")  # fmt: skip
    axis.set(xticks=[], yticks=[])
    mark_scale(axis, extent, None)
    for place, text, side in ((0.04, words[0], "left"), (0.96, words[1], "right")):
        axis.text(place, 0.03, text, transform=axis.transAxes, color="white", fontsize=8.5,
                  ha=side, va="bottom", path_effects=_OUTLINE)  # fmt: skip
