"""The picture of a rotation curve ring by ring, with the parametric one."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clumpygan.galaxies.disks.disk_table import RING_PARAMETERS
from clumpygan.galaxies.measuring.profiles import profiles_of
from clumpygan.plots.style import LABEL, as_it_is, new_figure

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

_WIDTH, _HEIGHT = 7.0, 6.5  # inches
_RINGS, _PARAMETRIC = "#c8451b", "0.35"
_POINTS = 120  # of a curve


def rings_figure(result: "FitResult", *, title: str = "") -> Figure:
    """Draw rotation and dispersion of rings: intervals, the curve through them, the parametric one.

    Parameters
    ----------
    result : FitResult
        Of the curve "rings".
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    rings = result.rings
    assert rings is not None
    figure = new_figure(_WIDTH, _HEIGHT)
    figure.suptitle(as_it_is(title) or "Rings")
    axes = figure.subplots(2, 1, sharex=True)
    radii = np.array(rings["radius"], dtype=np.float64)
    fine = np.linspace(0.0, 1.08 * radii[-1], _POINTS)
    curves = profiles_of(result.galaxy, fine)
    for axis, row, curve in zip(axes, RING_PARAMETERS, curves, strict=True):
        middle, lower, upper = (
            np.array(rings[row.name + ending], dtype=np.float64)
            for ending in ("", "_lower", "_upper")
        )
        axis.plot(fine, curve, color=_RINGS, lw=1, label="most probable")
        axis.errorbar(
            radii, middle, [middle - lower, upper - middle],
            fmt="o", color=_RINGS, label="rings, 68 %",
        )  # fmt: skip
        axis.plot(
            radii, rings[f"parametric_{row.name}"], color=_PARAMETRIC, ls="--",
            label=rings.meta["parametric_curve"],
        )  # fmt: skip
        axis.set_ylabel(f"{_WORDS[row.name]} [km/s]", fontsize=LABEL)
        axis.set_ylim(bottom=0.0)
    axes[1].set_xlabel("radius [arcsec]", fontsize=LABEL)
    axes[1].set_xlim(0.0, fine[-1])
    axes[0].legend(frameon=False)
    _mark_sizes(axes, result)
    return figure


_WORDS = {"velocity": "rotation", "dispersion": "dispersion"}


def _mark_sizes(axes: "np.ndarray", result: "FitResult") -> None:
    """Mark half of the beam, inside of which nothing is resolved, and the half-light radius."""
    sizes = {"half a beam": 0.5 * (result.observation.frame.psf_fwhm or 0.0)}
    sizes["half-light radius"] = result.values["half_light_radius"]
    axis: Axes
    for axis in axes:
        for size in sizes.values():
            axis.axvline(size, color="0.8", lw=1, zorder=0)
    for words, size in sizes.items():
        if 0 < size < axes[1].get_xlim()[1]:
            axes[1].text(
                size, 0.03, f" {words}", rotation=90, va="bottom", fontsize=8, color="0.4",
                transform=axes[1].get_xaxis_transform(),
            )  # fmt: skip
