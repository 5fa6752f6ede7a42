"""Pictures of the report on cubes: maps side by side, distributions, fits, and a blind page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clumpygan.evaluation.cubes.conditional_fidelity import PARAMETERS
from clumpygan.evaluation.cubes.cube_realism import CubeRealism, scaled_to_peak
from clumpygan.evaluation.cubes.cube_sets import CLUMP_QUANTITIES, CubeSet, quantities
from clumpygan.evaluation.cubes.kinematics import FEATURES
from clumpygan.evaluation.cubes.line_maps import FloatArray, LineMaps
from clumpygan.plots.reports.cube_pages import galaxies_page, sets_page
from clumpygan.plots.reports.realism import COLOURS, neighbour_pairs
from clumpygan.plots.style import BRIGHTNESS_MAP, Picture, as_it_is, new_figure, png_of

if TYPE_CHECKING:
    from clumpygan.assessment.cubes.report import CubeRealismReport

SIDE_BY_SIDE = 6
"""Galaxies shown of each set."""

BLIND = 8
"""Generated and true galaxies each on the blind page."""

_SHOWN_GROUPS = 3


def cube_realism_pictures(report: CubeRealismReport) -> list[Picture]:
    """Draw all pictures of a report but the blind page."""
    compared, result = report.compared, report.result
    sets = [compared.floor, *compared.made, compared.smooth]
    known = (False,) if compared.floor.clean is None else (True, False)
    pictures = [maps_side_by_side(sets, result, clean=clean) for clean in known]
    pictures.append(distributions(result))
    if report.repeated:
        pictures.append(realisation_grid(report.repeated))
    if report.departures:
        pictures.append(conditional_fidelity_scatter(report.asked, report.departures))
    if report.training is not None:
        first = compared.made[0]
        cubes = first.observed if first.clean is None else first.clean
        maps, training = (scaled_to_peak(one) for one in (cubes.sum(axis=1), report.training))
        found = result.neighbours[first.name]
        pictures.append(neighbour_pairs(first.name, maps, training, found))
    return pictures


def maps_side_by_side(sets: Sequence[CubeSet], result: CubeRealism, *, clean: bool) -> Picture:
    """Draw the same galaxies of all sets: flux, velocity, dispersion.

    Parameters
    ----------
    sets : sequence of CubeSet
        Galaxy i of all of them has the same parameters.
    result : CubeRealism
        Of these sets.
    clean : bool
        Without noise.
    """
    maps = {
        one.name: result.looks[one.name].clean if clean else result.looks[one.name].observed
        for one in sets
    }
    systemic = {one.name: one.conditions["systemic_velocity"] for one in sets}
    figure = sets_page(maps, systemic, range(min(SIDE_BY_SIDE, *(len(one) for one in sets))))
    noise = "without noise" if clean else "as observed"
    caption = (
        f"The first galaxies, none selected, {noise}: flux, velocity (red recedes) and dispersion. "
        "Each line has the same parameters and the colours of its first galaxy."
    )
    name = "maps" if clean else "maps_observed"
    return Picture(name, f"Galaxies side by side, {noise}", caption, png_of(figure))


def distributions(result: CubeRealism) -> Picture:
    """Draw the distributions of clumps and motions, without noise, in every set."""
    values = {name: quantities(look) for name, look in result.looks.items()}
    names = [*CLUMP_QUANTITIES, *FEATURES]
    columns = 4
    lines = -(-len(names) // columns)
    figure = new_figure(3.2 * columns, 2.2 * lines + 0.4)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.axis("off")
    for axis, name in zip(axes, names, strict=False):
        known = [one[name][np.isfinite(one[name])] for one in values.values()]
        edges = _edges(name, np.concatenate(known))
        highest = np.histogram(known[0], edges)[0].max() / max(known[0].size, 1)
        for place, (one, found) in enumerate(zip(values, known, strict=True)):
            weights = np.full(found.size, 1.0 / max(found.size, 1))
            axis.hist(
                np.clip(found, edges[0], edges[-1]), edges, weights=weights, label=as_it_is(one),
                color="0.85" if place == 0 else COLOURS[place % len(COLOURS)],
                histtype="stepfilled" if place == 0 else "step",
            )  # fmt: skip
        axis.set_title(name.replace("_", " "), fontsize=9)
        axis.set(yticks=[], ylim=(0.0, 1.6 * max(highest, 0.05)))
        axis.tick_params(labelsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    caption = (
        "Distributions over each set, measured without noise; the reference is grey, spikes are cut"
        " off."
    )
    return Picture("distributions", "Clumps and motions", caption, png_of(figure))


def conditional_fidelity_scatter(
    asked: Mapping[str, FloatArray], found: Mapping[str, Mapping[str, FloatArray]]
) -> Picture:
    """Draw fitted less asked of every parameter and set.

    Parameters
    ----------
    asked : mapping
        Parameter -> (N,).
    found : mapping
        Set -> parameter -> (N,), of `conditional_fidelity.departures`; the first is the truth.
    """
    figure = new_figure(3.0 * len(PARAMETERS), 3.4)
    axes = figure.subplots(1, len(PARAMETERS))
    for axis, (name, unit) in zip(axes, PARAMETERS.items(), strict=True):
        both = np.concatenate([one[name] for one in found.values()])
        limit = 1.3 * max(float(np.percentile(np.abs(both), 90)), 1e-3)
        for place, (label, one) in enumerate(found.items()):
            axis.plot(
                asked[name], np.clip(one[name], -limit, limit), "o" if place == 0 else ".",
                color="0.75" if place == 0 else COLOURS[(place + 1) % len(COLOURS)],
                label=as_it_is(label), markersize=5,
            )  # fmt: skip
        axis.axhline(0.0, color="black", lw=0.8)
        axis.set_ylim(-1.05 * limit, 1.05 * limit)
        axis.set_xlabel(f"{name.replace('_', ' ')} asked for", fontsize=9)
        axis.set_ylabel(f"fitted less asked [{unit}]", fontsize=9)
        axis.tick_params(labelsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    caption = (
        "Fits of a smooth disk to cubes of each set, of the same parameters and with the same "
        "noise; what lies outside is drawn at the edge."
    )
    return Picture("conditional_fidelity", "Fitted and asked for", caption, png_of(figure))


def realisation_grid(sets: Mapping[str, NDArray[np.floating]]) -> Picture:
    """Draw flux maps of galaxies of the same parameters.

    Parameters
    ----------
    sets : mapping
        Set -> cubes (G, R, v, y, x) without noise.
    """
    first = next(iter(sets.values()))
    groups, each = min(_SHOWN_GROUPS, len(first)), first.shape[1]
    height = groups * 0.95 + 0.4
    figure = new_figure(len(sets) * (each * 0.9 + 0.2), height, layout=None)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.3 / height, wspace=0.04, hspace=0.04)
    widths = [width for _ in sets for width in (*(1.0,) * each, 0.2)]
    axes = figure.subplots(groups, len(widths), squeeze=False, width_ratios=widths)
    for axis in axes.ravel():
        axis.axis("off")
    for place, (name, cubes) in enumerate(sets.items()):
        begin = place * (each + 1)
        axes[0, begin].set_title(as_it_is(name), fontsize=9, loc="left")
        for group in range(groups):
            peak = float(cubes[group].sum(axis=1).max())
            for member in range(each):
                image = np.arcsinh(10.0 * cubes[group, member].sum(axis=0) / peak)
                axes[group, begin + member].imshow(
                    image, origin="lower", cmap=BRIGHTNESS_MAP, vmin=0.0, vmax=np.arcsinh(10.0)
                )
    caption = "Each line: galaxies of the same parameters that differ in all else; flux, no noise."
    return Picture("diversity", "The same parameters again", caption, png_of(figure))


def blind_page(report: CubeRealismReport) -> tuple[bytes, str]:
    """Draw generated and true galaxies, shuffled and numbered, and tell which is which.

    Galaxies are chosen at random, no parameters twice; they are drawn as observed.

    Parameters
    ----------
    report : CubeRealismReport

    Returns
    -------
    picture : bytes
        PNG.
    key : str
        A line for each galaxy: its number, and the set that it is from.
    """
    made, true = report.compared.made[0], report.compared.floor
    generator = np.random.default_rng(report.settings.seed)
    each = min(BLIND, len(true) // 2)
    rows = generator.permutation(len(true))[: 2 * each]
    from_made = generator.permutation(np.repeat([True, False], each))
    looks = [report.result.looks[one.name].observed for one in (made, true)]
    maps = _picked(looks, rows, from_made)
    numbers = [str(i + 1) for i in range(2 * each)]
    systemic = true.conditions["systemic_velocity"][rows]
    lines = [
        f"{number} {made.name if own else true.name}"
        for number, own in zip(numbers, from_made, strict=True)
    ]
    return png_of(galaxies_page(maps, systemic, numbers)), "\n".join(lines) + "\n"


def _picked(
    looks: Sequence[LineMaps], rows: NDArray[np.int64], from_first: NDArray[np.bool_]
) -> LineMaps:
    """Return maps of galaxies `rows`, from the first of two sets or from the second."""
    first, second = looks
    names = ("flux", "velocity", "dispersion", "velocity_error")
    chosen = from_first[:, None, None]
    return LineMaps(
        *(np.where(chosen, getattr(first, n)[rows], getattr(second, n)[rows]) for n in names)
    )


def _edges(name: str, values: FloatArray) -> FloatArray:
    if name == "clump_number":
        return np.arange(-0.5, max(values.max(initial=0.0), 1.0) + 1.0)
    low, high = np.percentile(values, (1, 99)) if values.size else (0.0, 1.0)
    return np.linspace(low, high if high > low else low + 1.0, 25)
