"""Arrays of rendered galaxies on disk: made in chunks by several processes, resumed, then fixed."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike
from tqdm import tqdm

Arrays = dict[str, np.ndarray]

Layout = Mapping[str, tuple[tuple[int, ...], DTypeLike]]
"""Name -> shape of one row, and dtype."""

_NOTES = "done.txt"


def render_arrays(
    home: Path,
    layout: Layout,
    count: int,
    render: Callable[[int, int], Arrays],
    *,
    chunk: int,
    workers: int,
    label: str,
) -> None:
    """Write NAME.npy for each array of the layout, rendering the rows that aren't there yet.

    Until all rows are there the files are called NAME.partial.npy; an interrupted call goes on.

    Parameters
    ----------
    home : Path
        An existing folder.
    layout : mapping
    count : int
        Rows.
    render : callable
        ``render(first, last)`` returns rows first .. last - 1 of each array. Pickled for other
        processes.
    chunk : int
        Rows rendered between two notes of the progress.
    workers : int
        Processes.
    label : str
        Of the progress bar.
    """
    partial = {name: home / f"{name}.partial.npy" for name in layout}
    notes = home / _NOTES
    if not (notes.exists() and all(path.exists() for path in partial.values())):
        for name, (shape, kind) in layout.items():
            whole = (count, *shape)
            np.lib.format.open_memmap(partial[name], mode="w+", dtype=kind, shape=whole).flush()
        notes.write_text("")
    done = {int(line) for line in notes.read_text().split()}
    firsts = [first for first in range(0, count, chunk) if first not in done]
    spans = [(first, min(first + chunk, count)) for first in firsts]
    arrays = {name: np.lib.format.open_memmap(path, mode="r+") for name, path in partial.items()}
    with tqdm(total=count, desc=label, unit="galaxy") as bar:
        bar.update(count - sum(last - first for first, last in spans))
        for (first, last), rows in _map(render, spans, workers):
            for name, array in arrays.items():
                array[first:last] = rows[name]
                array.flush()
            with notes.open("a") as handle:
                handle.write(f"{first}\n")
            bar.update(last - first)
    for name, path in partial.items():
        path.rename(home / f"{name}.npy")
    notes.unlink()


def _map(
    render: Callable[[int, int], Arrays], spans: list[tuple[int, int]], workers: int
) -> Iterator[tuple[tuple[int, int], Arrays]]:
    """Yield the rows of each span."""
    if workers == 1 or len(spans) < 2:
        for span in spans:
            yield span, render(*span)
        return
    # Fresh interpreters: a fork of a process that has run torch's threads may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [(span, pool.submit(render, *span)) for span in spans]
        for span, future in futures:
            yield span, future.result()
