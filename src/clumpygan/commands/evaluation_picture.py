"""A picture of some galaxies as every method sees them, one row each."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from clumpygan.commands.evaluation_run import make_bench
from clumpygan.constants import HSC_PIXEL_SCALE, HST_PIXEL_SCALE, PIXEL_AREA_RATIO
from clumpygan.evaluation.fidelity import nrmse
from clumpygan.evaluation.measure import SNAPSHOT
from clumpygan.evaluation.report import MAGNITUDE_BINS, Choice, in_bin

GALAXIES = 6
"""Rows of the picture."""

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

_COLOUR_MAP = "inferno"


def representative(magnitude: np.ndarray) -> list[int]:
    """Return the numbers of six galaxies spread evenly from the brightest to the faintest."""
    order = np.argsort(magnitude)
    picks = np.linspace(0, len(order) - 1, min(GALAXIES, len(order)))
    return [int(order[round(pick)]) for pick in picks]


def draw_comparison(
    options: Namespace, magnitude: np.ndarray, choices: dict[str, Choice], path: Path
) -> None:
    """Recover six galaxies again and draw them.

    All panels of a row share one asinh stretch, linear within two sigma of the HSC sky.

    Parameters
    ----------
    options : argparse.Namespace
        Of `evaluate.py super_resolution`.
    magnitude : numpy.ndarray, (N,)
        AB magnitudes of all galaxies.
    choices : dict
        Iterations of the iterative methods.
    path : pathlib.Path
        Where the picture goes.
    """
    bench = make_bench(options)
    rows = []
    for number in representative(magnitude):
        batch = bench.galaxies.batch([number])
        panels: dict[str, np.ndarray] = {
            "HST": _image(batch.truth),
            "HSC": _image(batch.observed) / PIXEL_AREA_RATIO,
        }
        with torch.inference_mode():
            for method in bench.methods.values():
                for name, estimate in method(batch).items():
                    family, sign, iteration = name.partition(SNAPSHOT)
                    best = choices[family].iterations[_bin(magnitude[number])] if sign else 0
                    if not sign or int(iteration) == best:
                        panels[TITLES[family]] = _image(estimate.image)
        sigma = float(batch.sigma) / PIXEL_AREA_RATIO
        rows.append((f"{magnitude[number]:.1f} mag", sigma, panels))
    _figure(rows).savefig(path, dpi=110)


def _figure(rows: list[tuple[str, float, dict[str, np.ndarray]]]) -> Figure:
    columns = list(rows[0][2])
    figure = Figure(figsize=(2.0 * len(columns), 2.15 * len(rows) + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name, fontsize=9)
    for line, (label, sigma, panels) in zip(axes, rows, strict=True):
        truth = panels["HST"]
        top = np.arcsinh(truth.max() / (2 * sigma))
        for axis, name in zip(line, columns, strict=True):
            image = panels[name]
            scale = HSC_PIXEL_SCALE if name == "HSC" else HST_PIXEL_SCALE
            half = image.shape[1] * scale / 2
            axis.imshow(
                np.arcsinh(image / (2 * sigma)),
                vmin=-0.5, vmax=top, cmap=_COLOUR_MAP, origin="lower",
                extent=(-half, half, -half, half),
            )  # fmt: skip
            axis.set(xticks=[], yticks=[])
            if name not in ("HST", "HSC"):
                axis.set_xlabel(f"NRMSE {nrmse(image, truth):.2f}", fontsize=8)
        line[0].set_ylabel(label, fontsize=9)
        line[0].plot([-half + 0.3, -half + 1.3], [-half + 0.4] * 2, color="white", lw=1.5)
        line[0].text(-half + 0.8, -half + 0.55, '1"', color="white", fontsize=7, ha="center")
    return figure


def _bin(magnitude: float) -> str:
    value = np.asarray([magnitude])
    return next((name for name in list(MAGNITUDE_BINS)[1:] if in_bin(value, name)[0]), "all")


def _image(images: Tensor) -> np.ndarray:
    return images[0, 0].cpu().numpy()
