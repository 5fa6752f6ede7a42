"""Accuracy with which synthetic galaxies are told from real ones of their brightness and size.

    python benchmarks/population_realism.py FOLDER [--n 8] [--seed 4] [--metrics realism.json]

FOLDER holds GOODS-S galaxies, one FITS file each with extensions F814W and F125W of 0.06 arcsec
pixels, 0 outside of the galaxy's segment, and ZPAB in their headers. For each, `--n` synthetic
galaxies of its magnitude are drawn, rendered with the PSF of the band's camera (F160W's for F125W),
cut where the real one ends, at its isophote, and given the same white noise. The one nearest in
measured flux and half-light radius is its partner. Printed are the accuracy of a classifier on the
features of `evaluate.py realism` (0.5 is indistinguishable), that of two halves of the real ones
(the floor), and the features that differ most. Left out are the features of the sky, which both
sets share, and the distance from the middle of the stamp, which is how the real ones were cut.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from scipy.stats import wasserstein_distance

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.evaluation.realism.image_statistics import FEATURES, image_features
from clumpygan.evaluation.realism.two_sample import feature_classifier, ks_distances
from clumpygan.galaxies import StampRenderer, draw_population, without_neighbours
from clumpygan.instruments import get_instrument

CAMERAS = {"F125W": "hst_wfc3_f160w", "F814W": "hst_acs_f814w_60mas"}
SIZE, PIXEL_SCALE = 128, 0.06
SIGMA = 2.5
"""nJy of white noise in each pixel, well above that of the real stamps."""

MAGNITUDES = (19.5, 25.0)
REPEATS = 5
MATCHED = ("flux", "half_light_radius")
LEFT_OUT = ("sky", "noise_rms", "noise_correlation", "offset")
KEPT = [i for i, name in enumerate(FEATURES) if name not in LEFT_OUT]

Array = NDArray[np.float64]


def read(folder: Path, band: str) -> tuple[Array, Array, Array]:
    """Read the galaxies of a band: stamps in nJy, magnitudes, brightness at the edge (nJy)."""
    stamps, edges = [], []
    for path in sorted(folder.glob("*.fits.gz")):
        with fits.open(path) as file:
            image, zero_point = file[band].data.astype(float), file[band].header["ZPAB"]
        image *= 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - zero_point))
        low = image.shape[0] // 2 - SIZE // 2
        image = image[low : low + SIZE, low : low + SIZE]
        inside = image != 0
        if not inside.any():
            continue
        shifts = ((1, 0), (-1, 0), (1, 1), (-1, 1))
        outside = np.any([~np.roll(inside, step, axis) for step, axis in shifts], axis=0)
        stamps.append(image)
        edges.append(max(float(np.median(image[inside & outside])), 0.5))
    light = np.maximum(np.sum(stamps, axis=(1, 2)), 1.0)
    magnitude = NANOJANSKY_ZERO_POINT - 2.5 * np.log10(light)
    usable = (magnitude > MAGNITUDES[0]) & (magnitude < MAGNITUDES[1])
    return np.array(stamps)[usable], magnitude[usable], np.array(edges)[usable]


def noisy(stamps: Array, generator: np.random.Generator) -> Array:
    """In units of the noise, with noise."""
    return stamps / SIGMA + generator.standard_normal(stamps.shape)


def like(magnitudes: Array, edges: Array, band: str, number: int, seed: int) -> Array:
    """Draw and render synthetic galaxies, each cut at its isophote: stamps in nJy."""
    renderer = StampRenderer(SIZE, PIXEL_SCALE, psf=get_instrument(CAMERAS[band]).psf())
    stamps = []
    for i, (magnitude, edge) in enumerate(zip(magnitudes, edges, strict=True)):
        table = draw_population(
            range(number * i, number * (i + 1)),
            seed=seed,
            split="realism",
            min_magnitude=magnitude - 0.15,
            max_magnitude=magnitude + 0.15,
        )
        for stamp in renderer.render_table(without_neighbours(table)):
            regions, _ = label(gaussian_filter(stamp, 1.0) > edge)
            middle = regions[SIZE // 2, SIZE // 2]
            # a galaxy that is fainter than the edge everywhere keeps its core
            inside = regions == middle if middle else stamp > 0.5 * stamp.max()
            stamps.append(np.where(inside, stamp, 0.0))
    return np.array(stamps)


def partners(real: Array, synthetic: Array) -> tuple[Array, Array]:
    """Pair each real galaxy with the nearest synthetic one that has no partner yet."""
    columns = [FEATURES.index(name) for name in MATCHED]
    scale = real[:, columns].std(axis=0)
    free, rows = np.ones(len(synthetic), dtype=bool), []
    for i in np.random.default_rng(0).permutation(len(real)):
        off = (synthetic[:, columns] - real[i, columns]) / scale
        distance = np.where(free, np.square(off).sum(axis=1), np.inf)
        nearest = int(distance.argmin())
        if distance[nearest] < 0.25:
            free[nearest] = False
            rows.append((i, nearest))
    one, other = np.array(rows).T
    return real[one], synthetic[other]


def compare(real: Array, synthetic: Array) -> dict[str, Any]:
    """Tell the two apart, and halves of the real ones."""
    accuracies, floors = [], []
    for seed in range(REPEATS):
        generator = np.random.default_rng(seed)
        accuracies.append(feature_classifier(real[:, KEPT], synthetic[:, KEPT], generator))
        halves = real[generator.permutation(len(real))][:, KEPT]
        floors.append(feature_classifier(halves[::2], halves[1::2], generator).value)
    distances = ks_distances(real, synthetic)
    each = {
        FEATURES[i]: {
            "ks": distances[i].statistic,
            "wasserstein": wasserstein_distance(real[:, i], synthetic[:, i]) / real[:, i].std(),
        }
        for i in KEPT
    }
    return {
        "galaxies": len(real),
        "classifier": float(np.mean([found.value for found in accuracies])),
        "error": accuracies[0].error,
        "floor": float(np.mean(floors)),
        "features": dict(sorted(each.items(), key=lambda item: -item[1]["ks"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="GOODS-S galaxies")
    parser.add_argument("--n", type=int, default=8, help="synthetic galaxies drawn for each")
    parser.add_argument("--seed", type=int, default=4, help="of the synthetic galaxies")
    parser.add_argument("--metrics", type=Path, help="JSON file for the numbers")
    options = parser.parse_args()
    pairs = {}
    for band in CAMERAS:
        stamps, magnitudes, edges = read(options.folder, band)
        drawn = like(magnitudes, edges, band, options.n, options.seed)
        sets = (noisy(one, np.random.default_rng(seed)) for seed, one in enumerate((stamps, drawn)))
        pairs[band] = partners(*(image_features(one.astype(np.float32)) for one in sets))
    pairs["both"] = (
        np.concatenate([one for one, _ in pairs.values()]),
        np.concatenate([other for _, other in pairs.values()]),
    )
    results = {name: compare(*sets) for name, sets in pairs.items()}
    for name, found in results.items():
        print(
            f"{name}: {found['galaxies']} pairs, classifier {found['classifier']:.3f} +- "
            f"{found['error']:.3f}, floor {found['floor']:.3f}"
        )
        for feature, one in list(found["features"].items())[:8]:
            print(f"  {feature:16s} KS {one['ks']:.2f}  Wasserstein {one['wasserstein']:.2f} std")
    if options.metrics:
        options.metrics.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
