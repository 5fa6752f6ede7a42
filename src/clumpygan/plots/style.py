"""What pictures of galaxies have in common: stretches, maps in arcsec, colour bars, marks.

Brightness is in inferno on an asinh stretch; velocities in RdBu, red receding, white at the
systemic velocity; dispersions in cividis. All can be told apart with any colour vision.
"""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.colorbar import Colorbar
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.io.atomic import atomic_path

Extent = tuple[float, float, float, float]

BRIGHTNESS_MAP, VELOCITY_MAP, DISPERSION_MAP, NO_DATA = "inferno", "RdBu_r", "cividis", "0.8"

LABEL, TICKS = 12, 11  # points

_OUTLINE = [withStroke(linewidth=2.4, foreground="black")]
_SIGMA = 4.0  # noise at which the stretch turns logarithmic
_SOFT = 0.05  # of the peak: where the stretch of noiseless brightness turns logarithmic
_TICK_DISTANCE, _FEW_TICKS = 0.11, 5  # of a colour bar
_TICKS_A_SIDE = 6  # at most, of the maps
_LONG_NUMBER = 1e4  # from which on, and below 0.1, powers of ten go to the unit
_MARGIN = 0.12  # of the field around the galaxy, on each side
REPORT_RESOLUTION = 80  # dots per inch of the pictures of reports
_PAGE_DOTS = 100  # per inch, of pages of fits
_PAGE_MARK = "a page of pictures by clumpygan"  # in the files, by which they are known again
_MARK_WITHIN = 8192  # bytes from the beginning of a file
_TITLE, _ABOVE_TITLE = 20, 0.2  # points, inches


@dataclass(frozen=True)
class Picture:
    """A picture of a report: its file name without suffix, heading, caption, and PNG."""

    name: str
    title: str
    caption: str
    png: bytes


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return a figure of so many inches that belongs to no window.

    Without a layout the places of its panels have to be set: with many of them, to find places
    takes longer than to draw.
    """
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def new_page(width: float, height: float, title: str, left: float) -> Figure:
    """Return a figure of so many inches without a layout, with its title on top.

    Parameters
    ----------
    width, height : float
    title : str
    left : float
        Inches to the left of the title.
    """
    figure = new_figure(width, height, None)
    figure.set_dpi(_PAGE_DOTS)
    top = 1 - _ABOVE_TITLE / height
    figure.text(left / width, top, as_it_is(title), fontsize=_TITLE, fontweight="bold", va="top")
    return figure


def as_it_is(text: str) -> str:
    """Return words of a user, as the name of a file, so that they are drawn as they are.

    Dollars mean no formula. What the font doesn't have, as emoji and bytes that are no text, become
    question marks.
    """
    known = _letters()
    return "".join(one if ord(one) in known or one == "\n" else "?" for one in text).replace(
        "$", r"\$"
    )


@cache
def _letters() -> frozenset[int]:
    """Return what the font of pictures can draw."""
    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def png_of(figure: Figure) -> bytes:
    """Return a figure as the PNG of a report."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=REPORT_RESOLUTION)
    return buffer.getvalue()


def stretch(image: NDArray[np.floating], noise: float) -> FuncNorm:
    """Return an asinh stretch: linear below a few times the noise, logarithmic above."""
    brightest = float(np.nanmax(image))
    soft = min(_SIGMA * noise, brightest) if noise else _SOFT * brightest
    return FuncNorm(
        (lambda x: np.arcsinh(x / soft), lambda x: soft * np.sinh(x)),
        vmin=-noise,
        vmax=brightest,
    )


def rounded_up(value: float) -> float:
    """Return the next number above with one significant digit, or a half of one."""
    unit = 10.0 ** np.floor(np.log10(value)) / 2
    return float(np.ceil(value / unit - 1e-9) * unit)


def extent_of(galaxy: NDArray[np.bool_], pixel_scale: float) -> Extent:
    """Return the sides of the square around the galaxy, within the field as far as it fits.

    Parameters
    ----------
    galaxy : ndarray (y, x) of bool
    pixel_scale : float
        Arcsec.

    Returns
    -------
    tuple of float
        Left, right, bottom and top in arcsec from the middle of the field.
    """
    spans = [np.flatnonzero(galaxy.any(axis=axis))[[0, -1]] for axis in (0, 1)]
    half = (0.5 + _MARGIN) * max(last - first + 1 for first, last in spans)
    half = min(half, max(galaxy.shape) / 2)
    bounds = []
    for (first, last), count in zip(spans, galaxy.shape[::-1], strict=True):
        room = max(count / 2 - half, 0.0)
        middle = np.clip(0.5 * (first + last) - (count - 1) / 2, -room, room)
        bounds += [float(middle - half) * pixel_scale, float(middle + half) * pixel_scale]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def show_map(
    axis: Axes, image: NDArray[np.floating], pixel_scale: float, extent: Extent, **how: Any
) -> None:
    """Draw an image in arcsec from the centre of the field, as far as the extent reaches."""
    y, x = (count * pixel_scale / 2 for count in image.shape)
    axis.set_facecolor(NO_DATA)
    axis.imshow(np.ma.masked_invalid(image), origin="lower", interpolation="nearest",
                extent=(-x, x, -y, y), **how)  # fmt: skip
    left, right, bottom, top = extent
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    axis.tick_params(labelsize=TICKS, length=3)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(_TICKS_A_SIDE, steps=(1, 2, 5, 10)))


def mark_scale(axis: Axes, extent: Extent, fwhm: float | None) -> None:
    """Draw a bar of round length at the upper right, and the PSF at the lower left."""
    left, right, bottom, top = extent
    width, height = right - left, top - bottom
    unit = 10.0 ** np.floor(np.log10(0.35 * width))
    length = max(step * unit for step in (1, 2, 3, 5) if step * unit <= 0.35 * width)
    x, y = right - 0.06 * width, top - 0.06 * height
    axis.plot([x - length, x], [y, y], color="white", linewidth=3, path_effects=_OUTLINE)
    axis.text(x - length / 2, y - 0.02 * height, f'{length:g}"', color="white", fontsize=LABEL,
              ha="center", va="top", path_effects=_OUTLINE)  # fmt: skip
    if fwhm is not None:
        gap = 0.05 * min(width, height) + fwhm / 2
        x, y = left + gap, bottom + gap
        axis.add_patch(Circle((x, y), fwhm / 2, fill=False, color="white", linewidth=1.6,
                              path_effects=_OUTLINE))  # fmt: skip
        axis.text(x + fwhm / 2 + 0.02 * width, y, "PSF", color="white", fontsize=TICKS,
                  va="center", path_effects=_OUTLINE)  # fmt: skip


def colour_bar(axis: Axes, image: Any) -> Colorbar:
    """Draw a colour bar to the right of an image."""
    bar = axis.inset_axes((1.025, 0, 0.045, 1))
    colours = axis.figure.colorbar(image, cax=bar)
    colours.ax.tick_params(labelsize=TICKS, length=3)
    return colours


def brightness_bar(axis: Axes, image: Any, unit: str) -> str:
    """Draw a colour bar with round numbers on an asinh stretch; return the unit that they have."""
    factor, unit = scaled(image.norm.vmax, unit)
    colours = colour_bar(axis, image)
    colours.ax.yaxis.set_major_locator(FixedLocator(round_values(image.norm)))
    colours.ax.yaxis.set_minor_locator(NullLocator())
    colours.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:.4g}"))
    return unit


def scaled(largest: float, unit: str) -> tuple[float, str]:
    """Return a power of 1000 by which numbers become legible, and the unit with that factor."""
    if 0.1 <= largest < _LONG_NUMBER:
        return 1.0, unit
    power = 3 * int(np.floor(np.log10(largest) / 3))
    return 10.0**power, f"$10^{{{power}}}$ {unit}"


def round_values(norm: FuncNorm) -> list[float]:
    """Return 0 and round values that lie well apart on the stretch, every 1, 2, 5 if few fit."""
    brightest = float(norm.vmax or 0.0)
    top = int(np.floor(np.log10(brightest)))
    for steps in ((1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 8)):
        kept = [0.0]
        for value in (step * 10.0**power for power in range(top - 5, top + 1) for step in steps):
            if norm(value) - norm(kept[-1]) > _TICK_DISTANCE and value <= brightest:
                kept.append(value)
        if len(kept) >= _FEW_TICKS:
            break
    return kept


def page_names(path: Path, pages: int) -> list[Path]:
    """Return the files of so many pages: PATH, PATH_2 and so on, or one PDF."""
    further = () if _is_pdf(path) else range(2, pages + 1)
    return [path, *(_page_name(path, number) for number in further)]


def check_pages(path: Path, pages: int) -> None:
    """Refuse further pages that would replace what isn't such a page.

    Parameters
    ----------
    path : Path
        The first page, which may replace anything: it was asked for by this name.
    pages : int

    Raises
    ------
    InputError
        If there is such a file.
    """
    for name in page_names(path, pages)[1:]:
        if name.exists() and not _is_page(name):
            raise InputError(
                f"{name}: a further page of the `picture` {path} would replace it, and it is none "
                "of an earlier one; move it, or choose another name"
            )


def old_pages(path: Path, pages: int) -> list[Path]:
    """Return the pages after the last one that an earlier, longer picture left."""
    if _is_pdf(path):
        return []
    names = (_page_name(path, number) for number in itertools.count(pages + 1))
    return list(itertools.takewhile(lambda name: name.is_file() and _is_page(name), names))


def _is_pdf(path: Path) -> bool:
    return path.suffix.lower() == ".pdf"


def _page_name(path: Path, number: int) -> Path:
    return path.with_stem(f"{path.stem}_{number}")


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return _PAGE_MARK.encode() in file.read(_MARK_WITHIN)


@contextmanager
def written_pages(path: Path, pages: Iterable[Figure]) -> Iterator[list[Path]]:
    """Write figures: pages of one PDF, or else PATH, and PATH_2 and so on for further pages.

    Parameters
    ----------
    path : Path
    pages : iterable of Figure
        Drawn one at a time.

    Yields
    ------
    list of Path
        The files, which appear when the context ends, all of them or none.
    """
    with ExitStack() as stack:
        if _is_pdf(path):
            with PdfPages(stack.enter_context(atomic_path(path))) as document:
                for page in pages:
                    document.savefig(page, facecolor="white")
            yield [path]
            return
        mark: dict[str, Any] = {"metadata": {"Description": _PAGE_MARK}}
        if path.suffix.lower() in (".jpg", ".jpeg"):
            mark = {"pil_kwargs": {"comment": _PAGE_MARK}}
        written: list[Path] = []
        for number, page in enumerate(pages, 1):
            name = path if number == 1 else _page_name(path, number)
            page.savefig(stack.enter_context(atomic_path(name)), facecolor="white", **mark)
            written.append(name)
        yield written
