"""Panels of the page: images in arcsec with a colour bar, slits and spectra, whose data change."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Range1d,
)
from bokeh.plotting import figure
from contourpy import contour_generator
from matplotlib import colormaps
from matplotlib.colors import Normalize, to_hex
from numpy.typing import NDArray

from clumpygan.plots.style import round_values, scaled

FloatArray = NDArray[np.float64]
Extent = tuple[float, float, float, float]

MODEL, DATA = "#3fd0ff", "#111111"
"""Colours of what is drawn over images, and of the data's spectrum."""

_NO_DATA = "#c8c8c8"
_TITLE = "9pt"
_LABEL = """
const {place, label} = labels.data
const found = Array.from(place).findIndex((one) => Math.abs(one - tick) < 1e-6)
return found < 0 ? "" : label[found]
"""
_SHADES = 256
_FEWEST_POINTS = 2


class Scale(NamedTuple):
    """How values become colours.

    Attributes
    ----------
    norm : matplotlib.colors.Normalize
        From values to 0 to 1.
    ticks : tuple of float
        Values at the colour bar.
    factor : float
        By which the numbers there are divided.
    unit : str
        Of those numbers.
    """

    norm: Normalize
    ticks: tuple[float, ...]
    factor: float
    unit: str


def brightness_scale(norm: Any, unit: str) -> Scale:
    """Return the scale of an asinh stretch, see `clumpygan.plots.style.stretch`."""
    factor, unit = scaled(float(norm.vmax), unit)
    return Scale(norm, tuple(round_values(norm)), factor, plain(unit))


def linear_scale(low: float, high: float, unit: str) -> Scale:
    """Return a linear scale between two values, with five ticks."""
    return Scale(
        Normalize(low, high), tuple(np.linspace(low, high, 5).round(10).tolist()), 1.0, unit
    )


def plain(unit: str) -> str:
    """Return a unit without TeX: 1e-3 in place of 10 to the power of -3."""
    return re.sub(r"\$10\^\{(-?\d+)\}\$", r"1e\1", unit)


class ImagePanel:
    """An image with a colour bar and what is drawn over it.

    Parameters
    ----------
    title : str
    colours : str
        Name of matplotlib's colour map.
    size : int
        Of the image on the screen, pixels.
    bar : bool
        Whether there is a colour bar.
    labels : tuple of str
        Of the axes.
    """

    def __init__(
        self,
        title: str,
        colours: str,
        size: int = 230,
        *,
        bar: bool = True,
        labels: tuple[str, str] = ("arcsec", "arcsec"),
    ) -> None:
        self.title = title
        self.ranges = Range1d(-1.0, 1.0), Range1d(-1.0, 1.0)
        self.figure = figure(
            frame_width=size, frame_height=size, x_range=self.ranges[0], y_range=self.ranges[1],
            x_axis_label=labels[0], y_axis_label=labels[1], title=title, tools="",
            toolbar_location=None, min_border_right=8,
        )  # fmt: skip
        self.figure.background_fill_color = _NO_DATA
        self.figure.grid.visible = False
        self.figure.title.text_font_size = _TITLE
        self.source = ColumnDataSource(_image_columns(np.zeros((2, 2)), np.zeros((2, 2)), _UNIT))
        self.mapper = LinearColorMapper(
            palette=_palette(colours), low=0, high=1, nan_color=_NO_DATA
        )
        shown = self.figure.image(
            image="image", x="x", y="y", dw="dw", dh="dh", source=self.source,
            color_mapper=self.mapper,
        )  # fmt: skip
        self.figure.add_tools(HoverTool(renderers=[shown], tooltips=[("value", "@value{0.000 a}")]))
        # In place: a bar that is shown keeps the ticker and the labels that it began with.
        self.ticker = FixedTicker(ticks=[0.0, 1.0])
        self.labels = ColumnDataSource({"place": [0.0, 1.0], "label": ["", ""]})
        self.bar = ColorBar(
            color_mapper=self.mapper, width=10, padding=4, ticker=self.ticker,
            formatter=CustomJSTickFormatter(args={"labels": self.labels}, code=_LABEL),
        )  # fmt: skip
        if bar:
            self.figure.add_layout(self.bar, "right")
        for axis in self.figure.axis:
            axis.ticker.desired_num_ticks = 6 if bar else 3
        self.lines = ColumnDataSource({"xs": [], "ys": []})
        self.figure.multi_line("xs", "ys", source=self.lines, line_color=MODEL, line_width=1.3)

    def colour(self, colours: str) -> None:
        """Draw in another colour map of matplotlib."""
        self.mapper.palette = _palette(colours)

    def show(
        self,
        image: NDArray[np.floating],
        scale: Scale,
        place: Extent,
        view: Extent | None = None,
        title: str | None = None,
    ) -> None:
        """Show another image.

        Parameters
        ----------
        image : ndarray (y, x)
            NaN where unknown.
        scale : Scale
        place : tuple of float
            Left, right, bottom and top of the image, as the axes count.
        view : tuple of float, optional
            The part of that which is shown; all of it by default.
        title : str, optional
        """
        values = np.asarray(image, dtype=np.float32)
        stretched = np.ma.filled(scale.norm(np.ma.masked_invalid(values)), np.nan)
        self.source.data = _image_columns(stretched, values / scale.factor, place)
        for axis, (low, high) in zip(self.ranges, _pairs(view or place), strict=True):
            axis.update(start=low, end=high)
        places = [float(scale.norm(value)) for value in scale.ticks]
        self.ticker.ticks = places
        self.labels.data = {
            "place": places, "label": [f"{value / scale.factor:g}" for value in scale.ticks],
        }  # fmt: skip
        words = self.title if title is None else title
        self.figure.title.text = f"{words} [{scale.unit}]" if scale.unit else words

    def contours(
        self, image: NDArray[np.floating] | None, levels: Sequence[float], place: Extent
    ) -> None:
        """Draw lines of equal value of another image in the same place; None takes them away."""
        xs: list[FloatArray] = []
        ys: list[FloatArray] = []
        if image is not None and min(image.shape) >= _FEWEST_POINTS:
            x, y = _centres(place, image.shape)
            found = contour_generator(x, y, np.ma.masked_invalid(image))
            for level in levels:
                for line in found.lines(level):
                    xs.append(np.asarray(line)[:, 0])
                    ys.append(np.asarray(line)[:, 1])
        self.lines.data = {"xs": xs, "ys": ys}


class SpectrumPanel:
    """Spectra of data and model over each other."""

    def __init__(self, title: str, width: int, height: int) -> None:
        self.title = title
        self.x_range = Range1d(-1.0, 1.0)
        self.figure = figure(
            frame_width=width, frame_height=height, x_range=self.x_range, title=title, tools="",
            x_axis_label="velocity [km/s]", toolbar_location=None,
        )  # fmt: skip
        self.band = ColumnDataSource({"x": [], "width": [], "low": [], "high": []})
        # Bokeh's `varea_step` keeps browsers busy for ever where it is empty.
        self.figure.vbar(
            x="x", width="width", bottom="low", top="high", source=self.band,
            fill_color="#999999", fill_alpha=0.5, line_color=None,
        )  # fmt: skip
        self.data = ColumnDataSource({"x": [], "y": []})
        self.figure.step(
            "x", "y", source=self.data, mode="center", line_color=DATA, line_width=1.5,
            legend_label="data",
        )  # fmt: skip
        self.model = ColumnDataSource({"x": [], "y": []})
        self.figure.step(
            "x", "y", source=self.model, mode="center", line_color="#0a86b5", line_width=2,
            legend_label="model",
        )  # fmt: skip
        self.figure.title.text_font_size = _TITLE
        self.figure.legend.update(location="top_left", label_text_font_size="9pt", padding=3)

    def show(
        self,
        velocities: FloatArray,
        limits: tuple[float, float],
        unit: str,
        *,
        data: FloatArray | None = None,
        error: FloatArray | None = None,
        model: FloatArray | None = None,
    ) -> None:
        """Show other spectra (v,), each of which may be absent."""
        known = [one for one in (data, model) if one is not None]
        factor, unit = scaled(max(float(np.nanmax(np.abs(one))) for one in known), unit)
        for source, flux in ((self.data, data), (self.model, model)):
            there = flux is not None
            source.data = {
                "x": velocities if there else [],
                "y": flux / factor if flux is not None else [],
            }
        band: dict[str, Any] = {"x": [], "width": [], "low": [], "high": []}
        if data is not None and error is not None:
            low, high = (data - error) / factor, (data + error) / factor
            widths = np.gradient(velocities)
            band = {"x": velocities, "width": widths, "low": low, "high": high}
        self.band.data = band
        self.x_range.update(start=limits[0], end=limits[1])
        self.figure.legend.visible = len(known) > 1
        self.figure.title.text = f"{self.title} [{plain(unit)}]"


_UNIT = (-1.0, 1.0, -1.0, 1.0)


@cache
def _palette(colours: str) -> list[str]:
    return [to_hex(one) for one in colormaps[colours](np.linspace(0, 1, _SHADES))]


def square(extent: Extent) -> Extent:
    """Return the smallest square around an extent."""
    half = max(high - low for low, high in _pairs(extent)) / 2
    (x, y) = ((low + high) / 2 for low, high in _pairs(extent))
    return x - half, x + half, y - half, y + half


def field_of(shape: tuple[int, ...], pixel_scale: float) -> Extent:
    """Return left, right, bottom and top of an image (y, x) around the middle, arcsec."""
    y, x = (count * pixel_scale / 2 for count in shape)
    return -x, x, -y, y


def _pairs(extent: Extent) -> tuple[tuple[float, float], tuple[float, float]]:
    left, right, bottom, top = extent
    return (left, right), (bottom, top)


def _centres(place: Extent, shape: tuple[int, ...]) -> list[FloatArray]:
    """Return where the centres of the pixels of an image (y, x) are along x and y."""
    centres = []
    for (low, high), count in zip(_pairs(place), shape[::-1], strict=True):
        step = (high - low) / count
        centres.append(np.asarray(low + step * (np.arange(count) + 0.5), dtype=np.float64))
    return centres


def _image_columns(
    image: NDArray[np.floating], value: NDArray[np.floating], place: Extent
) -> dict[str, Any]:
    (left, right), (bottom, top) = _pairs(place)
    return {
        "image": [np.asarray(image, dtype=np.float32)],
        "value": [np.asarray(value, dtype=np.float32)],
        "x": [left], "y": [bottom], "dw": [right - left], "dh": [top - bottom],
    }  # fmt: skip
