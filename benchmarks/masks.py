"""Mask pixels of galaxies, and see how well what they hide is recovered.

    python benchmarks/masks.py            # 24 galaxies, a minute or two
    python benchmarks/masks.py --n 100 --seed 3

Nine pixels within 0.5" of the nucleus are masked, and a column 1" beside it. Told are the error of
the image (median of |r - t| / |t|), and how often the truth behind the mask lies within one and two
errors of the recovered image, where there is light: without a mask, with gaps that are filled from
what surrounds them, and with what they hide sampled, as `recover.py` does it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clumpygan.evaluation.recovery.observations import SyntheticGalaxies  # noqa: E402
from clumpygan.recovery.bad_pixels import fill_masked  # noqa: E402
from clumpygan.recovery.resolver import SuperResolver  # noqa: E402
from clumpygan.recovery.scene import fine_mask  # noqa: E402

LIGHT = 3.0
"""Sigma of the noise: what is brighter behind a mask is judged."""


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=24, help="galaxies (24)")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    resolver = SuperResolver.from_checkpoint()
    galaxies = SyntheticGalaxies(seed=given.seed)
    errors: dict[str, list[float]] = {}
    pulls: dict[str, list[np.ndarray]] = {}
    for number in range(given.n):
        batch = galaxies.batch([number])
        mask = torch.from_numpy(_mask(batch.observed.shape[-1], number))[None, None]
        hidden = fine_mask(mask[0, 0].numpy(), resolver.grid)
        depth = float(batch.sigma) / resolver.grid.area_ratio
        truth = batch.truth[0, 0].numpy()
        judged = hidden & (truth > LIGHT * depth)
        generators = [torch.Generator().manual_seed(number)]
        filled = fill_masked(batch.observed, batch.sigma, mask, generators)
        for name, observed, masked in (
            ("no mask", batch.observed, None),
            ("filled", filled, None),
            ("sampled", batch.observed.masked_fill(mask, torch.nan), mask),
        ):
            found = resolver.recover(
                observed, batch.sigma, batch.psf, samples=8, seed=number, mask=masked
            )
            best, error = found.best[0, 0].numpy(), found.error[0, 0].numpy()
            difference = best - truth
            errors.setdefault(name, []).append(
                float(np.linalg.norm(difference) / np.linalg.norm(truth))
            )
            pulls.setdefault(name, []).append(np.abs(difference / error)[judged])
    for name, values in errors.items():
        pull = np.concatenate(pulls[name])
        held = f"{np.mean(pull < 1):.2f} within one error, {np.mean(pull < 2):.2f} within two"
        print(f"{name:8} {np.median(values):.3f}; of {pull.size} pixels behind masks {held}")


def _mask(side: int, number: int) -> np.ndarray:
    """Return the mask (y, x) of a galaxy."""
    y, x = side // 2 + np.random.default_rng(number).integers(-3, 3, 2)
    mask = np.zeros((side, side), bool)
    mask[y : y + 3, x : x + 3] = True
    mask[:, side // 2 + 6] = True
    return mask


if __name__ == "__main__":
    main()
