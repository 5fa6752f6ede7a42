"""A picture of some galaxies as every method sees them, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from clumpygan.evaluation.recovery.fidelity import nrmse
from clumpygan.plots.style import BRIGHTNESS_MAP, new_figure

if TYPE_CHECKING:
    from clumpygan.recovery.bench import Example

TITLES = {
    "bicubic": "bicubic",
    "wiener": "Wiener",
    "richardson_lucy": "Richardson-Lucy",
    "richardson_lucy_disk": "R.-L. from a disk",
    "ancestor": "GAN of 2022",
    "network": "network, mean",
    "sample": "network, a sample",
}
"""Method -> heading of its column."""


def methods_figure(examples: Sequence[Example]) -> Figure:
    """Draw galaxies as every method sees them.

    All panels of a row share one asinh stretch, linear within two sigma of the sky.

    Parameters
    ----------
    examples : sequence of Example
        One for each row.
    """
    methods = list(examples[0].recovered)
    columns, rows = 2 + len(methods), len(examples)
    figure = new_figure(2.0 * columns, 2.15 * rows + 0.3)
    axes = figure.subplots(rows, columns, squeeze=False)
    headings = ["HST", "HSC", *(TITLES[name] for name in methods)]
    for axis, name in zip(axes[0], headings, strict=True):
        axis.set_title(name, fontsize=9)
    for line, one in zip(axes, examples, strict=True):
        top = np.arcsinh(one.truth.max() / (2 * one.sigma))
        images = [one.truth, one.observed, *(one.recovered[name] for name in methods)]
        for place, (axis, image) in enumerate(zip(line, images, strict=True)):
            half = image.shape[1] * one.pixel_scales[place == 1] / 2
            axis.imshow(
                np.arcsinh(image / (2 * one.sigma)),
                vmin=-0.5, vmax=top, cmap=BRIGHTNESS_MAP, origin="lower",
                extent=(-half, half, -half, half),
            )  # fmt: skip
            axis.set(xticks=[], yticks=[])
            if place > 1:
                axis.set_xlabel(f"NRMSE {nrmse(image, one.truth):.2f}", fontsize=8)
        line[0].set_ylabel(f"{one.magnitude:.1f} mag", fontsize=9)
        line[0].plot([-half + 0.3, -half + 1.3], [-half + 0.4] * 2, color="white", lw=1.5)
        line[0].text(-half + 0.8, -half + 0.55, '1"', color="white", fontsize=7, ha="center")
    return figure
