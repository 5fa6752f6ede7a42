"""Stamps per second of the Fourier renderer, and its ratio to GalSim's drawImage.

    python benchmarks/render.py [--n 400] [--processes 2] [--metrics render.json]

Both draw the same galaxies, 112 x 112 pixels of 0.06 arcsec through the WFC3/F160W PSF. Rates per
core are in CPU seconds; the total is by the clock, so run it on an idle machine.
"""

import argparse
import json
import multiprocessing
import multiprocessing.synchronize
import time
from pathlib import Path

import galsim
import numpy as np

from clumpygan.galaxies import StampRenderer, draw_population, galsim_galaxy
from clumpygan.instruments import get_instrument

SIZE, PIXEL_SCALE = 112, 0.06


def render(count: int, first: int = 0) -> tuple[np.ndarray, float]:
    """Draw stamps by a warm renderer; also the CPU seconds that it took."""
    renderer = StampRenderer(SIZE, PIXEL_SCALE, psf=get_instrument("hst_wfc3_f160w").psf())
    table = draw_population(range(first, first + count), seed=0, split="benchmark")
    renderer.render_table(table)
    start = time.process_time()
    stamps = renderer.render_table(table)
    return stamps, time.process_time() - start


def render_by_galsim(count: int) -> tuple[np.ndarray, float]:
    """Draw the same stamps by GalSim; also the CPU seconds that it took."""
    psf = get_instrument("hst_wfc3_f160w").psf()
    table = draw_population(count, seed=0, split="benchmark")
    stamps = np.empty((count, SIZE, SIZE), dtype=np.float32)

    def draw_all() -> None:
        for stamp, row in zip(stamps, table, strict=True):
            scene = galsim.Convolve(galsim_galaxy(row), psf)
            scene.drawImage(galsim.Image(stamp, scale=PIXEL_SCALE), method="no_pixel")

    draw_all()
    start = time.process_time()
    draw_all()
    return stamps, time.process_time() - start


def wait_and_render(barrier: multiprocessing.synchronize.Barrier, count: int, first: int) -> None:
    """Render in step with other processes: warm up, wait, draw, wait."""
    renderer = StampRenderer(SIZE, PIXEL_SCALE, psf=get_instrument("hst_wfc3_f160w").psf())
    table = draw_population(range(first, first + count), seed=0, split="benchmark")
    renderer.render_table(table)
    barrier.wait()
    renderer.render_table(table)
    barrier.wait()


def total_rate(count: int, processes: int) -> float:
    """Stamps per second by the clock of several processes together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    workers = [
        context.Process(target=wait_and_render, args=(barrier, count, i * count))
        for i in range(processes)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return processes * count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=400, help="galaxies per process")
    parser.add_argument("--processes", type=int, default=2, help="for the total")
    parser.add_argument("--metrics", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    compared = min(options.n, 200)
    stamps, seconds = render(compared)
    judged, galsim_seconds = render_by_galsim(compared)
    peaks = judged.max(axis=(1, 2))
    differences = np.abs(stamps - judged).max(axis=(1, 2)) / peaks
    results = {
        "stamps_per_second_and_core": compared / seconds,
        "galsim_per_second_and_core": compared / galsim_seconds,
        "ratio": galsim_seconds / seconds,
        "processes": options.processes,
        "stamps_per_second_in_total": total_rate(options.n, options.processes),
        "median_difference_over_peak": float(np.median(differences)),
    }
    for name, value in results.items():
        print(f"{name:32s} {value:.3g}")
    if options.metrics:
        options.metrics.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
