"""Labels beside images in the MNIST format: bins of a column of the catalogue."""

from pathlib import Path

import numpy as np
from astropy.table import Table

from clumpygan.errors import InputError


def label_path(images: Path) -> Path:
    """Return where the labels of images go, as MNIST names them.

    Raises
    ------
    InputError
        If the name of the images isn't one of MNIST's kind.
    """
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    name = name.replace("float", "ubyte")
    if not ("images" in images.name or "idx3" in images.name):
        raise InputError(
            f"--labels: {images.name} has neither images nor idx3 in it, so there is no name for "
            "its labels; expected one like gs-images-idx3-ubyte.gz"
        )
    return images.with_name(name)


def bin_labels(table: Table, column: str, bins: int) -> tuple[np.ndarray, list[float]]:
    """Return in which of so many equally full bins of a column each image is.

    Parameters
    ----------
    table : astropy.table.Table
        A row for each image.
    column : str
        Name of a column of numbers.
    bins : int
        2 to 256.

    Returns
    -------
    labels : numpy.ndarray
        (N,) uint8.
    edges : list of float
        Between the bins.

    Raises
    ------
    InputError
        If there is no such column, it holds no numbers, or too few different ones.
    """
    if column not in table.colnames:
        raise InputError(f"--labels {column}: no such column; expected {', '.join(table.colnames)}")
    values = table[column]
    if values.dtype.kind in "iuf" and values.ndim == 1:
        values = np.ma.filled(np.ma.asarray(values, np.float64), np.nan)
    else:
        values = np.array(np.nan)
    if not np.isfinite(values).all():
        raise InputError(f"--labels {column}: expected a column with a finite number in every row")
    edges = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    labels = np.searchsorted(edges, values, side="right").astype(np.uint8)
    if len(np.unique(labels)) < bins:
        raise InputError(
            f"--labels {column}: its {len(np.unique(values))} different values don't fill {bins} "
            "bins; lower --bins"
        )
    return labels, edges.tolist()
