"""What makes samples of a network scatter as far as truths do, measured on synthetic galaxies."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import torch

from clumpygan.assessment.samples.settings import CalibrationSettings
from clumpygan.engine import in_batches
from clumpygan.evaluation.recovery.observations import SyntheticGalaxies
from clumpygan.evaluation.recovery.spread import SampleSpread, SpreadScores
from clumpygan.recovery.resolver import SuperResolver


def measure_spread(
    settings: CalibrationSettings,
    *,
    progress: Callable[[int, int, str], object] = lambda done, of, stage: None,
) -> SampleSpread:
    """Recover synthetic galaxies, and find the gains of their samples' deviations.

    Samples are those of the network alone, whatever correction its card has.

    Parameters
    ----------
    settings : CalibrationSettings
        Whose synthetic galaxies are taken.
    progress : callable, optional
        Called with the galaxies measured since the last call, all of them, and the set.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint or device.
    """
    galaxies, _ = _opened(settings)  # what is wrong with the input is said before all starts
    total = SpreadScores(galaxies.operator.grid.target_scale)
    for count, scores in in_batches(partial(_scored, settings), settings.n, settings):
        total = total + scores
        progress(count, settings.n, "synthetic")
    return total.best


@lru_cache(maxsize=1)
def _opened(settings: CalibrationSettings) -> tuple[SyntheticGalaxies, SuperResolver]:
    """Keep galaxies and network from one batch to the next."""
    resolver = SuperResolver.from_checkpoint(settings.checkpoint, settings.device)
    resolver.spread = SampleSpread()
    return SyntheticGalaxies(
        seed=settings.seed, pair=resolver.pair, device=settings.device
    ), resolver


def _scored(settings: CalibrationSettings, indices: Sequence[int]) -> SpreadScores:
    galaxies, resolver = _opened(settings)
    batch = galaxies.batch(indices)
    with torch.inference_mode():
        found = resolver.recover(
            batch.observed, batch.sigma, batch.psf, samples=settings.samples,
            seed=settings.seed * 65537 + indices[0],
        )  # fmt: skip
    grid = galaxies.operator.grid
    scores = SpreadScores(grid.target_scale)
    for i in range(len(indices)):
        noise = float(batch.sigma[i]) / grid.area_ratio
        scores.add(found.samples[:, i, 0], batch.truth[i, 0].cpu(), noise)
    return scores
