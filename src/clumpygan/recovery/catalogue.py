"""The catalogue of a recovery: its galaxy's quantities with intervals, and its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from clumpygan.evaluation.recovery.intervals import brightness_of, predict
from clumpygan.evaluation.recovery.quantities import QUANTITIES, WHOLE_FLUX, Measured
from clumpygan.io.wcs import sky_of

if TYPE_CHECKING:
    from clumpygan.recovery.result import Recovery

SMALLEST_CIRCLE = 0.09
"""Arcsec, radius of a circle at least: one that is smaller can't be seen."""

LIKELY = 0.5
"""Sources with a smaller probability are dashed."""

_HEAD = "# Region file format: DS9 version 4.1"
_NUCLEUS, _SOURCE = "cyan", "green"


def measured_quantities(recovery: Recovery) -> dict[str, dict[str, Any]]:
    """Return what is published of a galaxy, with its 68 % interval.

    Returns
    -------
    dict
        Quantity (`clumpygan.evaluation.recovery.quantities`) -> `value`, the mean over the
        samples and `moved`, by which it is wrong on average, `low` and `high`, the ends of the
        interval that holds 68.3 % of the truths, `unit`, and `widened`, the factor with which the
        scatter of the samples is taken; the last and `moved` as found of galaxies whose truth is
        known. None where a sample doesn't have it.
    """
    scene = recovery.scene
    grid, sigma = scene.grid, scene.sigma / scene.grid.area_ratio
    images = [
        Measured(np.where(recovery.mask, 0, image), recovery.nucleus, sigma, grid.target_scale)
        for image in recovery.samples
    ]
    found: dict[str, dict[str, Any]] = {}
    light = np.mean([QUANTITIES[WHOLE_FLUX].measure(image) for image in images])
    brightness = brightness_of(float(light) if recovery.unit == "nJy" else 0.0)
    for name, quantity in QUANTITIES.items():
        values = np.array([quantity.measure(image) for image in images])
        known = bool(np.isfinite(values).all())
        unit = recovery.unit if quantity.unit == "nJy" else quantity.unit
        one: dict[str, Any] = dict.fromkeys(("value", "low", "high", "moved", "widened"))
        if known:
            said = predict(values)
            factor = recovery.widening.of(name, brightness)
            shift = recovery.widening.shift_of(name, brightness)
            moved, low, high = said.interval(factor, shift)
            value = float(said.mean) + moved
            one = {"value": value, "low": low, "high": high, "moved": moved, "widened": factor}
        found[name] = {**one, "unit": unit}
    return found


def source_table(recovery: Recovery) -> Table:
    """Return the sources that the samples show, those of most samples first.

    Returns
    -------
    astropy.table.Table
        `x` and `y` (pixels of the recovered image, from 0), `dx` and `dy` (arcsec from the middle
        of the stamp), `ra` and `dec` (ICRS, deg, where the WCS is known), `flux` and
        `half_light_radius` with `_low` and `_high`, the ends of their 68 % intervals,
        `share`, of the samples that have it, `probability`, that it is there, as found of galaxies
        whose truth is known, and `nucleus`.
    """
    scale, shape = recovery.scene.grid.target_scale, recovery.best.shape
    columns: dict[str, list[Any]] = {}
    for source in recovery.sources:
        y, x = source.y[1], source.x[1]
        row: dict[str, Any] = {
            "x": x,
            "y": y,
            "dx": (x - (shape[1] - 1) / 2) * scale,
            "dy": (y - (shape[0] - 1) / 2) * scale,
        }
        if recovery.wcs is not None:
            row |= dict(zip(("ra", "dec"), map(float, sky_of(recovery.wcs, x, y)), strict=True))
        for name, value in (row | source.columns).items():
            columns.setdefault(name, []).append(value)
    table = Table(columns)
    units = {"x": "pix", "y": "pix", "dx": "arcsec", "dy": "arcsec", "ra": "deg", "dec": "deg"}
    for name in table.colnames:
        if name.startswith("flux"):
            table[name].unit = "nJy" if recovery.unit == "nJy" else "ct"
        elif name.startswith("half_light_radius"):
            table[name].unit = "arcsec"
        elif name in units:
            table[name].unit = units[name]
    return table


def ds9_regions(recovery: Recovery) -> str:
    """Return the sources as a region file of ds9.

    Each is a circle of its half-light radius, its probability beside; that of the nucleus has
    another colour, less likely ones than 0.5 are dashed. Positions are those on the sky (ICRS), and
    of images without a WCS in pixels of the recovered image, from 1.

    Parameters
    ----------
    recovery : Recovery

    Returns
    -------
    str
        The text of the file.
    """
    table, scale = source_table(recovery), recovery.scene.grid.target_scale
    system = "image" if recovery.wcs is None else "icrs"
    # A name of a file may hold the end of a line.
    title = " ".join(recovery.scene.title.split())
    lines = [_HEAD, f"# clumpygan, seed {recovery.settings.seed}: {title}", system]
    for row in table:
        size = float(row["half_light_radius"])
        radius = max(size, SMALLEST_CIRCLE) if np.isfinite(size) else SMALLEST_CIRCLE
        where = f"{row['x'] + 1:.3f},{row['y'] + 1:.3f},{radius / scale:.3f}"
        if recovery.wcs is not None:
            where = f'{row["ra"]:.7f},{row["dec"]:.7f},{radius:.3f}"'
        words = f"color={_NUCLEUS if row['nucleus'] else _SOURCE}"
        words += f" dash={int(row['probability'] < LIKELY)} text={{{row['probability']:.2f}}}"
        lines.append(f"circle({where}) # {words}")
    return "\n".join(lines) + "\n"
