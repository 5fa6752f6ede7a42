"""The page about a survey: where its galaxies are, how they are distributed, which are strange."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from clumpygan.plots.reports.html import html_figure, html_page, html_table
from clumpygan.plots.sky_axes import label_sides, sky_projection
from clumpygan.plots.style import BRIGHTNESS_MAP, Picture, new_figure, png_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRANGEST = 20
"""Galaxies that are shown."""

_GOOD = "good"
_HALF = 20
"""Pixels of the patch around a galaxy that is shown."""

_LETTERS = 7
"""Points of what is written above a galaxy."""

_MAPS = 4
"""Patches that are drawn."""

_UNKNOWN = "-"
"""In place of what the network's card doesn't say, as the likeness."""

_DOT, _DOTS = 9.0, 20_000.0
"""Square points of a galaxy on the map, at most, and of all of them: so that patches of thousands
aren't covered."""

_BINS = 40
_SHOWN = {
    "magnitude": 'AB, in r = 1.5"', "half_light_radius": "half-light radius [arcsec]",
    "concentration": "concentration", "ellipticity": "ellipticity", "p_blend": "P(blend)",
    "chi2": "chi^2 per pixel", "likeness": "likeness", "seeing": "seeing [arcsec]",
    "depth": '5 sigma in r = 1" [mag]',
}  # fmt: skip
_MARGIN = 0.005
"""Share of the values on each side that histograms leave out."""


def survey_page(
    table: Table,
    patches: Sequence[Path],
    pixel_scale: float,
    weights: Sequence[Path] = (),
    *,
    wcs: bool = False,
) -> str:
    """Return the page: plain HTML without scripts, that loads nothing from anywhere.

    Parameters
    ----------
    table : astropy.table.Table
        Catalogue of a survey, see `clumpygan.survey.columns.COLUMNS`.
    patches : sequence of pathlib.Path
        Its images, of which the strangest galaxies are shown.
    pixel_scale : float
        Of them, arcsec.
    weights : sequence of pathlib.Path
        Their weight maps, if there are any.
    wcs : bool
        Whether the galaxies that are shown have axes in right ascension and declination.

    Raises
    ------
    InputError
        If a patch can't be read any more.
    """
    good = table[np.asarray(table["status"]) == _GOOD]
    counts = Counter(np.asarray(table["status"]).tolist())
    parts = [
        html_table(
            ["galaxies", "number"],
            [(name, [str(number)]) for name, number in counts.most_common()]
            + [("unusual", [str(int(np.sum(good["unusual"])))
                            if np.isfinite(good["likeness"]).any() else _UNKNOWN]),
               ("misfit", [str(int(np.sum(good["misfit"])))])],
        )
    ]  # fmt: skip
    if len(good):
        names = sorted(set(np.asarray(table["patch"]).tolist()) - {""})
        which = "Each patch"
        if len(names) > _MAPS:
            which = f"The first {_MAPS} of {len(names)} patches, each"
        figures = (
            ("map", "Where they are", f"{which} in its pixels, magnitudes by colour; crosses are"
             " unusual galaxies, small dots those without a measurement.",
             _map(table, good, names[:_MAPS])),
            ("distributions", "How they are distributed", "Of galaxies that were measured; 1 % of"
             " the values is beyond the edges.", _distributions(good)),
        )  # fmt: skip
        strange = strangest(good)
        pictures = [Picture(name, title, words, png_of(one)) for name, title, words, one in figures]
        pictures.append(
            Picture("strangest", "The strangest", "As observed, in units of the noise, arcsinh"
                    " stretch; above each its id, likeness and by what it differs.",
                    png_of(_strangest(strange, patches, pixel_scale, weights, wcs)))
        )  # fmt: skip
        parts += [html_figure(picture) for picture in pictures]
        columns = ("magnitude", "likeness", "chi2", "p_blend")
        parts.append(
            html_table(
                ["id", *columns, "differs by"],
                [(str(row["id"]), [*(_number(row[name], ".3g") for name in columns),
                                   _word(row["differs_by"])]) for row in strange],
            )
        )  # fmt: skip
    return html_page("A survey of recovered galaxies", parts)


def strangest(good: Table) -> Table:
    """Return the galaxies of the least likeness, and of those that are alike, of the worst fit."""
    likeness = np.nan_to_num(np.asarray(good["likeness"], float), nan=1.0)
    chi2 = np.nan_to_num(np.asarray(good["chi2"], float))
    return good[np.lexsort((-chi2, likeness))[:STRANGEST]]


def _number(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else _UNKNOWN


def _word(value: str) -> str:
    return str(value) or _UNKNOWN


def _map(table: Table, good: Table, names: Sequence[str]) -> Figure:
    figure = new_figure(5.5 * len(names), 5)
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    faint, bright = np.nanquantile(np.asarray(good["magnitude"], float), (0.98, 0.02))
    for axis, name in zip(axes, names, strict=True):
        rest = table[(np.asarray(table["patch"]) == name) & (table["status"] != _GOOD)]
        axis.plot(rest["x"], rest["y"], ".", ms=2, color="0.6")
        own = good[np.asarray(good["patch"]) == name]
        area = min(_DOT, _DOTS / max(len(own), 1))
        shown = axis.scatter(own["x"], own["y"], area, own["magnitude"], cmap="viridis_r",
                             vmin=bright, vmax=faint, linewidths=0)  # fmt: skip
        odd = own[np.asarray(own["unusual"], bool)]
        axis.plot(odd["x"], odd["y"], "x", color="C3", ms=5 * (area / _DOT) ** 0.5, mew=0.8)
        axis.set_aspect("equal")
        axis.set_title(name, fontsize=9, parse_math=False)
        axis.set(xlabel="x [pixel]", ylabel="y [pixel]")
        figure.colorbar(shown, ax=axis, label="magnitude", shrink=0.8)
    return figure


def _distributions(good: Table) -> Figure:
    figure = new_figure(11, 7.5)
    for axis, (name, words) in zip(figure.subplots(3, 3).ravel(), _SHOWN.items(), strict=True):
        values = np.asarray(good[name], float)
        values = values[np.isfinite(values)]
        if values.size:
            low, high = np.quantile(values, (_MARGIN, 1 - _MARGIN))
            axis.hist(values, _BINS, range=(low, high if high > low else low + 1), color="C0")
        axis.set_xlabel(words)
    return figure


def _strangest(
    strange: Table,
    patches: Sequence[Path],
    pixel_scale: float,
    weights: Sequence[Path],
    wcs: bool,
) -> Figure:
    from clumpygan.survey.patches import read_patch

    columns, side = (4, 3.2) if wcs else (5, 2.2)
    rows, half = -(-len(strange) // columns), _HALF * pixel_scale
    figure = new_figure(side * columns, (side + 0.3) * rows)
    # Patch by patch, as each is read once.
    maps = dict(zip(patches, weights, strict=bool(weights)))
    for path in patches:
        here = np.flatnonzero(np.asarray(strange["patch"]) == path.name)
        patch = read_patch(path, pixel_scale, maps.get(path)) if len(here) else None
        for number in here:
            assert patch is not None
            row = strange[int(number)]
            x, y, size = float(row["x"]), float(row["y"]), 2 * _HALF
            data, sigma, mask = patch.cut(x, y, size)
            image = np.where(mask, np.nan, np.arcsinh(data / sigma))
            top, left = patch.corner(x, y, size)
            middle = (left + 0.5 * (size - 1), top + 0.5 * (size - 1))
            sky = sky_projection(wcs, patch.wcs, image.shape, pixel_scale, middle)
            axis = figure.add_subplot(rows, columns, int(number) + 1, projection=sky)
            axis.imshow(image, origin="lower", cmap=BRIGHTNESS_MAP, vmin=-1,
                        extent=(-half, half, -half, half))  # fmt: skip
            if wcs:
                label_sides(axis, left=True, bottom=True, size=_LETTERS)
            else:
                axis.set_axis_off()
            words = f"{row['id']}: {_number(row['likeness'], '.3f')}\n{_word(row['differs_by'])}"
            axis.set_title(words, fontsize=_LETTERS, parse_math=False)
    return figure
