"""Pictures of the realism report: stamps side by side, distributions, power spectra, neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from clumpygan.evaluation.realism.image_statistics import FEATURES, NAMES
from clumpygan.evaluation.realism.neighbours import Neighbours, oriented
from clumpygan.evaluation.realism.realism import REFERENCE, Realism
from clumpygan.evaluation.recovery.spectrum import FREQUENCY_EDGES, radial_power
from clumpygan.plots.style import (
    BRIGHTNESS_MAP,
    REPORT_RESOLUTION,
    Picture,
    as_it_is,
    new_figure,
    png_of,
)

if TYPE_CHECKING:
    from clumpygan.assessment.realism_report import RealismReport

COLOURS = ("black", "tab:gray", "tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple")
"""Of the reference and the candidates, in their order."""

GRID_SIDE = 8
"""Stamps along each side of a grid."""

SPECTRUM_STAMPS = 500
"""Stamps of each set that enter the power spectra."""


Images = NDArray[np.floating]


def realism_pictures(report: RealismReport) -> list[Picture]:
    """Draw all pictures of a report."""
    held_out, result = report.held_out, report.result
    sets = {REFERENCE: held_out.reference.images}
    sets |= {one.name: one.images for one in report.candidates}
    # The floor looks like the reference: what is looked at is what was made, and its opponents.
    shown = {name: images for name, images in sets.items() if name != held_out.floor.name}
    pictures = [
        stamp_grids(shown),
        histograms(result),
        power_spectra(sets, held_out.reference.pixel_scale),
    ]
    if held_out.training is not None and report.made:
        made = report.made[0]
        found = result.neighbours[made.name]
        pictures.append(neighbour_pairs(made.name, made.images, held_out.training.images, found))
    if report.ways is not None and report.ways.size:
        pictures.append(interpolation(report.ways))
    return pictures


def blind_page(report: RealismReport) -> tuple[bytes, str]:
    """Draw generated and real galaxies, shuffled and numbered, and tell which is which.

    As many of each, up to eight by eight together, chosen at random: none is generated for the
    parameters of a real one on the page, where it was made on the spot. All have the same stretch,
    and which is which depends on the seed of the settings alone.

    Parameters
    ----------
    report : RealismReport
        With generated galaxies.

    Returns
    -------
    picture : bytes
        PNG.
    key : str
        A line for each galaxy: its number, and the set that it is from.
    """
    made, true = report.made[0], report.held_out.floor
    generator = np.random.default_rng(report.settings.seed)
    count = min(len(made.images), len(true.images))
    side = min(GRID_SIDE, int(np.sqrt(count)))
    rows = generator.permutation(count)[: side * side]
    from_made = generator.permutation(np.arange(side * side) % 2 == 0)
    images = np.where(from_made[:, None, None], made.images[rows], true.images[rows])
    height, width = images.shape[1] + 1, images.shape[2] + 1
    figure = new_figure(*(2 * [max(side * width / REPORT_RESOLUTION, 4.0) + 0.2]))
    axis = figure.subplots()
    axis.axis("off")
    axis.imshow(_mosaic(images, side), cmap=BRIGHTNESS_MAP, origin="lower", vmin=0.0, vmax=1.0)
    for place in range(side * side):
        row, column = divmod(place, side)
        corner = column * width + 0.04 * width, (side - row) * height - 0.06 * height
        axis.text(*corner, str(place + 1), color="white", fontsize=7, va="top")
    scale = 1.0 / made.pixel_scale
    axis.plot([1, 1 + scale], [2, 2], color="white", lw=1.5)
    axis.text(1 + scale / 2, 3, '1"', color="white", fontsize=7, ha="center", va="bottom")
    lines = [f"{place} {made.name if own else true.name}" for place, own in enumerate(from_made, 1)]
    return png_of(figure), "\n".join(lines) + "\n"


def stamp_grids(sets: Mapping[str, Images], side: int = GRID_SIDE) -> Picture:
    """Draw grids of the first stamps of each set, side by side.

    Parameters
    ----------
    sets : mapping
        Name -> (N, y, x) in units of the noise per pixel.
    side : int
        Stamps along each side; fewer where there are too few stamps.
    """
    side = min(side, *(int(np.sqrt(len(images))) for images in sets.values()))
    lines = -(-len(sets) // 2)
    # a pixel of the screen for each of the stamps
    width = side * (next(iter(sets.values())).shape[2] + 1) / REPORT_RESOLUTION
    figure = new_figure(2 * width + 0.3, lines * (width + 0.4))
    axes = figure.subplots(lines, 2, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, (name, images) in zip(axes, sets.items(), strict=False):
        axis.imshow(_mosaic(images, side), cmap=BRIGHTNESS_MAP, origin="lower", vmin=0.0, vmax=1.0)
        axis.set_title(as_it_is(name))
    caption = (
        "The first stamps of each set, none selected. Each is stretched by asinh(x / 2 sigma) from "
        "-1 sigma of the noise to its own brightest pixel, at least 10 sigma, so that noise looks "
        "the same everywhere."
    )
    return Picture("stamps", "Galaxies side by side", caption, png_of(figure))


def histograms(result: Realism) -> Picture:
    """Draw the distribution of every feature in every set."""
    panels = [
        (name, {one: table[:, i] for one, table in result.features.items()})
        for i, name in enumerate(FEATURES)
    ]
    columns = 5
    lines = -(-len(panels) // columns)
    height = 2.1 * lines + 0.6
    # places are given: to find them takes longer than all the rest of the report
    figure = new_figure(3.0 * columns, height, layout=None)
    axes = figure.subplots(lines, columns).ravel()
    figure.subplots_adjust(0.01, 0.25 / height, 0.99, 1 - 0.7 / height, wspace=0.06, hspace=0.55)
    for axis, (title, values) in zip(axes, panels, strict=False):
        _histogram(axis, values)
        distances = [
            f"{result.ks[name][title]['value']:.2f}"
            for name in result.numbers
            if result.ks[name][title]["value"] is not None
        ]
        axis.set_title(f"{NAMES[title]}\nKS {' '.join(distances)}", fontsize=8)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=len(labels))
    caption = (
        "Distributions over each set, between the 0.5th and the 99.5th percentile of the reference "
        "(grey). Below each name are the Kolmogorov-Smirnov distances of the candidates from it, "
        "in the order of the legend."
    )
    return Picture("histograms", "Distributions of the features", caption, png_of(figure))


def power_spectra(sets: Mapping[str, Images], pixel_scale: float) -> Picture:
    """Draw the radial power spectra: medians, and where 68 % of the galaxies lie.

    Parameters
    ----------
    sets : mapping
        Name -> (N, y, x) in units of the noise per pixel.
    pixel_scale : float
        Arcsec.
    """
    figure = new_figure(7.0, 4.6)
    axis = figure.subplots()
    middle = (FREQUENCY_EDGES[1:] + FREQUENCY_EDGES[:-1]) / 2
    for colour, (name, images) in zip(_colours(len(sets)), sets.items(), strict=True):
        height, width = images.shape[1:]
        white = np.square(np.outer(np.hanning(height), np.hanning(width))).sum()
        power = np.array([radial_power(image, pixel_scale) for image in images[:SPECTRUM_STAMPS]])
        low, median, high = np.percentile(power / white, (16, 50, 84), axis=0)
        axis.plot(
            middle, median, color=colour, label=as_it_is(name), lw=2 if name == REFERENCE else 1.2
        )
        axis.fill_between(middle, low, high, color=colour, alpha=0.12, lw=0)
    axis.set(
        yscale="log",
        xlabel="spatial frequency [cycles per arcsec]",
        ylabel="power / that of white noise",
    )
    axis.legend()
    caption = (
        "How much light varies on which scale: small frequencies are the whole galaxy, large ones "
        "clumps, the PSF's core and noise. Lines are medians, bands hold 68 % of the galaxies."
    )
    return Picture("power_spectra", "Power spectra", caption, png_of(figure))


def neighbour_pairs(
    name: str, images: Images, training: Images, found: Neighbours, number: int = 10
) -> Picture:
    """Draw the stamps nearest to the training set above their neighbours in it.

    Parameters
    ----------
    name : str
        Of the set.
    images, training : numpy.ndarray, (N, y, x) and (T, y, x)
    found : Neighbours
    number : int
        How many pairs.
    """
    # relative to its own light, or the nearest would all be empty stamps
    strength = np.sqrt(np.square(np.arcsinh(images / 2.0)).sum(axis=(1, 2)))
    closest = np.argsort(found.distance / strength)[:number]
    figure = new_figure(1.35 * len(closest), 3.3)
    axes = figure.subplots(2, len(closest), squeeze=False)
    for above, below, index in zip(*axes, closest, strict=True):
        image = oriented(images[index], int(found.orientation[index]))
        for axis, stamp in ((above, image), (below, training[found.index[index]])):
            axis.imshow(_stretched(stamp), cmap=BRIGHTNESS_MAP, origin="lower", vmin=0.0, vmax=1.0)
            axis.set(xticks=[], yticks=[])
        above.set_title(f"{found.distance[index]:.1f}", fontsize=9)
    axes[0][0].set_ylabel(name)
    axes[1][0].set_ylabel("nearest in training")
    caption = (
        "The galaxies most like an image of the training set for their brightness, turned as that "
        "image, with the distance of the stretched images. Copies would be the same galaxy twice."
    )
    return Picture("neighbours", "Nearest images of the training set", caption, png_of(figure))


def interpolation(strips: Images) -> Picture:
    """Draw generated galaxies on the way between two random ones.

    Parameters
    ----------
    strips : numpy.ndarray, (R, S, y, x)
        R ways in S steps, without noise or with the same noise, in units of the noise per pixel.
    """
    rows, steps = strips.shape[:2]
    mosaic = np.concatenate(
        [np.concatenate([_stretched(one) for one in strip], axis=1) for strip in strips[::-1]]
    )
    figure = new_figure(1.3 * steps, 1.3 * rows + 0.3)
    axis = figure.subplots()
    axis.imshow(mosaic, cmap=BRIGHTNESS_MAP, origin="lower", vmin=0.0, vmax=1.0)
    axis.axis("off")
    caption = (
        "Each row goes from one random galaxy to another in equal steps of the latent vector: a "
        "generator that has understood galaxies changes them smoothly and shows none that is torn."
    )
    return Picture("interpolation", "From one galaxy to another", caption, png_of(figure))


def _histogram(axis: Axes, values: Mapping[str, NDArray[np.float64]]) -> None:
    known = values[REFERENCE][np.isfinite(values[REFERENCE])]
    if known.size:
        low, high = np.percentile(known, (0.5, 99.5))
        edges = np.linspace(low, high if high > low else low + 1.0, 25)
        for colour, (name, numbers) in zip(_colours(len(values)), values.items(), strict=True):
            inside = np.clip(numbers[np.isfinite(numbers)], edges[0], edges[-1])
            weights = np.full(inside.size, 1.0 / max(inside.size, 1))
            filled = name == REFERENCE
            axis.hist(
                inside, edges.tolist(), weights=weights, label=as_it_is(name),
                color="0.85" if filled else colour, histtype="stepfilled" if filled else "step",
            )  # fmt: skip
    axis.set_yticks([])
    axis.locator_params(axis="x", nbins=5)
    axis.tick_params(labelsize=7)


def _mosaic(images: Images, side: int) -> NDArray[np.float64]:
    """Put stretched stamps side by side with a line between them, the first one top left."""
    height, width = images.shape[1:]
    canvas = np.ones((side * (height + 1), side * (width + 1)))
    for place, image in enumerate(images[: side * side]):
        row, column = divmod(place, side)
        top = (side - 1 - row) * (height + 1)
        left = column * (width + 1)
        canvas[top : top + height, left : left + width] = _stretched(image)
    return canvas


def _stretched(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Stretch a stamp by asinh(x / 2) to 0..1, from -1 sigma to its maximum, at least 10 sigma."""
    low, high = np.arcsinh(-0.5), np.arcsinh(max(float(image.max()), 10.0) / 2.0)
    return np.asarray(np.clip((np.arcsinh(image / 2.0) - low) / (high - low), 0.0, 1.0))


def _colours(number: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(number)]
