"""A picture of many galaxies."""

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

MOST = 64
"""Galaxies in the picture, at most."""


def galaxies_figure(images: np.ndarray, table: Table) -> Figure:
    """Draw up to 64 galaxies, each with its own stretch.

    Parameters
    ----------
    images : ndarray of shape (N, y, x)
        In units of the noise.
    table : Table
        With `h_magnitude` and `redshift`, which are written below each.
    """
    count = min(len(images), MOST)
    columns = min(8, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(1.35 * columns, 1.5 * rows), layout="constrained", dpi=130)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, row in zip(axes, images[:count], table[:count], strict=False):
        shown = np.arcsinh(image)
        axis.imshow(shown, origin="lower", cmap="viridis", vmin=-1, vmax=max(shown.max(), 2.0))
        axis.set_title(
            f"H = {row['h_magnitude']:.1f}, z = {row['redshift']:.1f}", fontsize=6, pad=2, y=-0.13
        )
    return figure
