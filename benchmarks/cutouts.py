"""Cutouts per second from a large mosaic, and the ratio to plain astropy.

    python benchmarks/cutouts.py [--n 1000] [--size 70] [--set 10000] [--side 10000]
        [--metrics cutouts.json]

A float32 mosaic of noise and a catalogue of random positions are made in a temporary folder. In
turns, each time from opening the file on: our reader (`clumpygan.io.mosaic`), astropy's Cutout2D
with the positions in pixels found at once, and Cutout2D given a SkyCoord each. Also, in a process
of its own, whose peak memory is told: the whole set, as `prepare.py cutouts` makes it, with masks,
sky and noise of every stamp, table, card and checksums; imports are not timed. The mosaic is in the
cache of the file system.
"""

import argparse
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import Table
from astropy.wcs import WCS

from clumpygan.io.mosaic import open_mosaic

ROUNDS = 5

WHOLE_SET = """
import json, resource, sys, time
import clumpygan.instruments.correlation
from clumpygan.data.cutouts.extraction import prepare_cutouts
from clumpygan.data.cutouts.settings import CutoutSettings, FieldFiles
mosaic, weight, catalog, output, size = sys.argv[1:]
weights = (weight,) if weight else ()
settings = CutoutSettings(
    (FieldFiles("field", catalog, (mosaic,), weights),), size=int(size), zero_points=(25.946,)
)
start, busy = time.perf_counter(), time.process_time()
count = len(prepare_cutouts(output, settings))
print(json.dumps({
    "stamps": count,
    "seconds": time.perf_counter() - start,
    "cpu_seconds": time.process_time() - busy,
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def make_survey(folder: Path, count: int, size: int, side: int) -> None:
    """Write mosaic, weight map, tile-compressed mosaic, and catalogue; band by band of rows."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [53.1, -27.8]
    wcs.wcs.crpix, wcs.wcs.cdelt = [side / 2, side / 2], [-0.06 / 3600, 0.06 / 3600]
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal((side, side), dtype=np.float32)
    header = wcs.to_header()
    fits.writeto(folder / "mosaic.fits", pixels, header)
    fits.writeto(folder / "weight.fits", np.ones_like(pixels), header)
    tiles = fits.CompImageHDU(pixels, header, compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(folder / "mosaic.fits.fz")
    x, y = rng.uniform(size, side - size, (2, count))
    ra, dec = wcs.all_pix2world(x, y, 0)
    Table({"ID": np.arange(count), "RA": ra, "DEC": dec}).write(folder / "catalog.fits")


def ours(mosaic: Path, ra: np.ndarray, dec: np.ndarray, size: int) -> np.ndarray:
    opened = open_mosaic(mosaic, mosaic.parent)
    x, y = opened.positions(ra, dec)
    corners = np.ceil(np.array([y, x]) - size / 2).astype(int)
    return opened.cut(*corners, size)


def by_pixels(mosaic: Path, ra: np.ndarray, dec: np.ndarray, size: int) -> np.ndarray:
    stamps = np.empty((len(ra), size, size), np.float32)
    with fits.open(mosaic, memmap=True) as hdus:
        wcs = WCS(hdus[0].header)
        x, y = wcs.world_to_pixel(SkyCoord(ra, dec, unit="deg"))
        for stamp, place in zip(stamps, zip(x, y, strict=True), strict=True):
            stamp[:] = Cutout2D(hdus[0].data, place, size, wcs=wcs).data
    return stamps


def by_sky(mosaic: Path, ra: np.ndarray, dec: np.ndarray, size: int) -> np.ndarray:
    stamps = np.empty((len(ra), size, size), np.float32)
    with fits.open(mosaic, memmap=True) as hdus:
        wcs = WCS(hdus[0].header)
        for stamp, a, b in zip(stamps, ra, dec, strict=True):
            place = SkyCoord(a, b, unit="deg")
            stamp[:] = Cutout2D(hdus[0].data, place, size, wcs=wcs).data
    return stamps


def in_turns(mosaic: Path, ra: np.ndarray, dec: np.ndarray, size: int) -> dict[str, float]:
    """Stamps per second of each way, in the best of several rounds, and their differences."""
    ways = {"ours": ours, "astropy": by_pixels, "astropy_with_a_skycoord_each": by_sky}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    stamps = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            stamps[name] = way(mosaic, ra, dec, size)
            seconds[name].append(time.perf_counter() - start)
    same = all(np.array_equal(one, stamps["ours"]) for one in stamps.values())
    rates = {name: len(ra) / min(all_of_them) for name, all_of_them in seconds.items()}
    return {
        **{f"{name}_per_second": rate for name, rate in rates.items()},
        "ratio": rates["ours"] / rates["astropy"],
        "ratio_with_a_skycoord_each": rates["ours"] / rates["astropy_with_a_skycoord_each"],
        "identical": float(same),
    }


def whole_set(folder: Path, mosaic: str, weight: str, catalog: str, size: int) -> dict[str, float]:
    """Make a set in another process: its rate and peak memory."""
    output = folder / "set"
    words = [folder / mosaic, folder / weight if weight else "", folder / catalog, output]
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_SET, *map(str, words), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    shutil.rmtree(output)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000, help="positions")
    parser.add_argument("--set", type=int, default=10_000, help="positions of the whole set")
    parser.add_argument("--size", type=int, default=70, help="pixels of a stamp's side")
    parser.add_argument("--side", type=int, default=10_000, help="pixels of the mosaic's side")
    parser.add_argument("--metrics", type=Path, help="JSON file for the results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own, as a child's peak memory counts from that of its parent.
        count = max(options.n, options.set)
        arguments = (folder, count, options.size, options.side)
        making = multiprocessing.get_context("spawn").Process(target=make_survey, args=arguments)
        making.start()
        making.join()
        Table.read(folder / "catalog.fits")[: options.n].write(folder / "few.fits")
        results: dict[str, float] = {}
        for label, mosaic, weight, catalog in (
            ("few", "mosaic.fits", "weight.fits", "few.fits"),
            ("set", "mosaic.fits", "", "catalog.fits"),
            ("set_with_weights", "mosaic.fits", "weight.fits", "catalog.fits"),
            ("set_from_compressed", "mosaic.fits.fz", "", "catalog.fits"),
        ):
            found = whole_set(folder, mosaic, weight, catalog, options.size)
            results[f"{label}_per_second"] = found["stamps"] / found["seconds"]
            results[f"{label}_per_cpu_second"] = found["stamps"] / found["cpu_seconds"]
            results[f"{label}_peak_megabytes"] = found["megabytes"]
        table = Table.read(folder / "few.fits")
        place = np.asarray(table["RA"]), np.asarray(table["DEC"])
        results |= in_turns(folder / "mosaic.fits", *place, options.size)
    for label, value in results.items():
        print(f"{label:40s} {value:.4g}")
    if options.metrics:
        options.metrics.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
