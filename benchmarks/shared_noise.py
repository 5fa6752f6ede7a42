"""Recover galaxies whose noise neighbouring pixels share, as in coadds; see whether errors hold.

    python benchmarks/shared_noise.py            # 40 galaxies, a minute
    python benchmarks/shared_noise.py --n 100 --share 0.1

Direct neighbours share `--share` of their variance (0.15: noise in apertures is 1.3 times that of
white noise; stamps of HSC have 1.1 to 1.2). Told are the error of the image (median of
|r - t| / |t|) and the rms of the pulls of fluxes: for white noise of the same sigma; for shared
noise that the network takes for white; and where it is told how much noise apertures have, which
`recover.py` measures in the sky.
"""

import argparse

import numpy as np
import torch

from clumpygan.evaluation.recovery.observations import SyntheticGalaxies
from clumpygan.instruments import NoiseModel
from clumpygan.recovery.resolver import SuperResolver

RADII = (0.3, 0.6, 1.0, 1.5)  # arcsec


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=40, help="galaxies (40)")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.15, help="of neighbours (0.15)")
    parser.add_argument("--checkpoint", default="super_resolution", help="name or file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    resolver = SuperResolver.from_checkpoint(given.checkpoint)
    galaxies = SyntheticGalaxies(seed=given.seed)
    along = np.array([given.share, 1.0, given.share])
    shared = NoiseModel(1.0, resolver.grid.observed_scale, np.outer(along, along))
    errors: dict[str, list[float]] = {}
    pulls: dict[str, list[list[float]]] = {}
    for number in range(given.n):
        batch = galaxies.batch([number])
        shape, truth = batch.observed.shape, batch.truth[0, 0].numpy()
        transfer = batch.psf(resolver.operator.frequencies((shape[-2], shape[-1])))
        clean = resolver.operator(batch.truth, transfer)
        generator = torch.Generator().manual_seed(1000 * given.seed + number)
        white = clean + batch.sigma * torch.randn(shape, generator=generator)
        coadd = clean + batch.sigma * shared.draw(shape, generator)
        axis = (np.arange(len(truth)) - (len(truth) - 1) / 2) * resolver.grid.target_scale
        radius = np.hypot(axis[:, None], axis)
        for name, observed, factor in (
            ("white noise", white, 1.0),
            ("shared, untold", coadd, 1.0),
            ("shared, told", coadd, shared.white_sigma),
        ):
            found = resolver.recover(
                observed, factor * batch.sigma, batch.psf, samples=16, seed=number
            )
            best, samples = found.best[0, 0].numpy(), found.samples[:, 0, 0].numpy()
            errors.setdefault(name, []).append(
                float(np.linalg.norm(best - truth) / np.linalg.norm(truth))
            )
            sums = [samples[:, radius < r].sum(1) for r in RADII]
            pulls.setdefault(name, []).append(
                [
                    float(
                        (truth[radius < r].sum() - one.mean())
                        / (one.std(ddof=1) * (17 / 16) ** 0.5)
                    )
                    for r, one in zip(RADII, sums, strict=True)
                ]
            )
    print(f"noise in apertures {shared.white_sigma:.2f} times that of white noise")
    for name, values in errors.items():
        rms = np.square(pulls[name]).mean(0) ** 0.5
        told = ", ".join(f'{one:.2f} ({r}")' for r, one in zip(RADII, rms, strict=True))
        print(f"{name:15} error {np.median(values):.3f}; rms of the pulls {told}")


if __name__ == "__main__":
    main()
