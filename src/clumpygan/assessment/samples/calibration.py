"""Whether samples of recovered galaxies are what they say, for what users publish of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from clumpygan.assessment.samples.judging import Intervals, Judgement, judge, tarp
from clumpygan.assessment.samples.settings import CalibrationSettings
from clumpygan.data.real_galaxies.shrinking import Camera
from clumpygan.data.real_galaxies.store import open_real
from clumpygan.engine import in_batches
from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.clump_reliability import Clumps, match_clumps
from clumpygan.evaluation.recovery.clumps import MATCHING_RADIUS
from clumpygan.evaluation.recovery.intervals import Widening, brightness_of
from clumpygan.evaluation.recovery.observations import (
    GivenGalaxies,
    Observations,
    SeenGalaxies,
    SyntheticGalaxies,
)
from clumpygan.evaluation.recovery.quantities import QUANTITIES, WHOLE_FLUX, Measured
from clumpygan.evaluation.recovery.report import MAGNITUDE_BINS, in_bin
from clumpygan.evaluation.recovery.sources import ClumpProbability
from clumpygan.evaluation.recovery.spectrum import FREQUENCIES, log_power_ratio
from clumpygan.recovery.resolver import SuperResolver

FEWEST = 20
"""Galaxies of a bin, at least, for a test of its ranks."""

PIXELS = {"pixel": 0.5, "bright_pixel": 3.0}
"""One pixel a galaxy, at random of those whose mean is above so many sigma of the observation."""


@dataclass(frozen=True)
class Outcomes:
    """What was found of N galaxies, a row each.

    Attributes
    ----------
    magnitude : ndarray (N,)
    rank : dict
        Quantity -> (N,) ranks of the truth among independent draws, NaN where it isn't defined.
    told : dict
        Quantity -> (N,) the same among draws that are moved and widened as the intervals are.
    apart : dict
        Quantity -> (N, 2), truth less mean of the samples over half of their interval of each of
        `SHARES`, as the samples scatter.
    shift, factor : dict
        Quantity -> (N, 2), by which these intervals are moved and widened: they hold the truth
        where it is no farther than the factor from the shift.
    brightness : ndarray (N,)
        AB magnitude by the mean of the samples.
    power : ndarray (N, 12)
        log10 of the power of one sample over that of the truth, at `FREQUENCIES`, dex.
    clumps : Clumps
        Of all galaxies.
    """

    magnitude: NDArray[np.float64]
    rank: dict[str, NDArray[np.float64]]
    told: dict[str, NDArray[np.float64]]
    apart: dict[str, NDArray[np.float64]]
    shift: dict[str, NDArray[np.float64]]
    factor: dict[str, NDArray[np.float64]]
    brightness: NDArray[np.float64]
    power: NDArray[np.float64]
    clumps: Clumps

    def clump_probability(self, samples: int) -> ClumpProbability:
        """Return what makes shares of so many samples probabilities of the clumps shown here."""
        return ClumpProbability.measured(self.clumps.share, self.clumps.real, samples)

    @property
    def widening(self) -> Widening:
        """What would make the intervals of these galaxies hold what they say."""
        # Single pixels have the error map.
        apart = {name: one for name, one in self.apart.items() if name in QUANTITIES}
        moved = [name for name in apart if QUANTITIES[name].moved and not QUANTITIES[name].counted]
        return Widening.measured(apart, self.brightness, moved)

    def of_bin(self, name: str) -> dict[str, dict[str, float | int | None]]:
        """Return n, coverage_68 and _95, ks_d, ks_p, told_ks_p and mean ranks of each quantity."""
        found: dict[str, dict[str, float | int | None]] = {}
        for quantity, rank in self.rank.items():
            rows = in_bin(self.magnitude, name) & np.isfinite(rank)
            count = int(rows.sum())
            held = told = None
            test = stats.kstest(rank[rows], "uniform") if count >= FEWEST else None
            if quantity in self.apart:
                away = np.abs(self.apart[quantity][rows] - self.shift[quantity][rows])
                held = away <= self.factor[quantity][rows]
                told = self.told[quantity][rows]
            found[quantity] = {
                "n": count,
                "coverage_68": float(held[:, 0].mean()) if held is not None and count else None,
                "coverage_95": float(held[:, 1].mean()) if held is not None and count else None,
                "ks_d": None if test is None else float(test.statistic),
                "ks_p": None if test is None else float(test.pvalue),
                "mean_rank": float(rank[rows].mean()) if count else None,
                "told_ks_p": float(stats.kstest(told, "uniform").pvalue)
                if told is not None and count >= FEWEST
                else None,
                "told_mean_rank": float(told.mean()) if told is not None and count else None,
            }
        return found

    def spectrum_of_bin(self, name: str) -> dict[str, Any]:
        """Return n, and over the galaxies of a bin median and scatter of `power`, dex.

        Of samples of the posterior the median is 0: one is as rough as the truth.
        """
        rows = self.power[in_bin(self.magnitude, name)]
        if not len(rows):
            return {"n": 0, "median": None, "scatter": None}
        low, middle, high = np.quantile(rows, (0.16, 0.5, 0.84), axis=0)
        return {"n": len(rows), "median": middle.tolist(), "scatter": ((high - low) / 2).tolist()}


@dataclass(frozen=True)
class SampleCalibration:
    """How well samples are calibrated, set by set.

    Attributes
    ----------
    settings : CalibrationSettings
    sets : dict
        "synthetic", and "real" where there is a recipe -> outcomes.
    """

    settings: CalibrationSettings
    sets: dict[str, Outcomes]

    def to_dict(self) -> dict[str, Any]:
        """Return sets -> quantity -> magnitude bin -> numbers, the definitions and the settings."""
        tables: dict[str, Any] = {}
        for name, outcomes in self.sets.items():
            bins = {label: outcomes.of_bin(label) for label in MAGNITUDE_BINS}
            tables[name] = {
                quantity: {label: bins[label][quantity] for label in MAGNITUDE_BINS}
                for quantity in outcomes.rank
            }
        definitions = {name: one.definition for name, one in QUANTITIES.items()} | {
            name: f"one pixel a galaxy, at random of those above {level:g} sigma"
            for name, level in PIXELS.items()
        }
        definitions["clumps"] = (
            f"sources outside the nucleus: those of the truth that stand out as sharply, within "
            f'{MATCHING_RADIUS}" of those of the samples; completeness and purity at p > 0.5; '
            "reliability: share that is true in bins of the probability"
        )
        definitions["image"] = (
            "whole images by TARP (Lemos et al. 2023): mean_rank, and ks_d and ks_p of the"
            " distances' ranks"
        )
        definitions["spectrum"] = (
            "log10 of the power of one sample over the truth's by frequency in cycles per arcsec:"
            " median over the galaxies, and half of the 68 % range, dex"
        )
        definitions["told"] = (
            "told_ks_p, told_mean_rank: of ranks among draws that are moved and widened as the"
            " intervals are, but for clump_flux and sources; ks_d, ks_p, mean_rank: of draws as"
            " they are"
        )
        settings = self.settings
        return {
            "sets": tables,
            "clumps": {name: one.clumps.to_dict() for name, one in self.sets.items()},
            "spectrum": {
                "frequency": FREQUENCIES.tolist(),
                "sets": {
                    name: {label: one.spectrum_of_bin(label) for label in MAGNITUDE_BINS}
                    for name, one in self.sets.items()
                },
            },
            "definitions": definitions,
            "settings": {
                "n": settings.n, "seed": settings.seed, "samples": settings.samples,
                "checkpoint": settings.checkpoint,
                "real": None if settings.real is None else str(settings.real),
            },
        }  # fmt: skip

    def __str__(self) -> str:
        """Return a table for each set: coverage of all, and p of the ranks."""
        lines = []
        for name, outcomes in self.sets.items():
            whole = outcomes.of_bin("all")
            bins = [label for label in MAGNITUDE_BINS if label != "all"]
            parts = {label: outcomes.of_bin(label) for label in bins}
            lines.append(
                f"{name}: {len(outcomes.magnitude)} galaxies, share of 68 and 95 % intervals that "
                "hold the truth, p of the ranks, their mean, p told; 68 % by magnitude"
            )
            lines.append(
                f"  {'':18}{'68 %':>6}{'95 %':>6}{'p':>9}{'rank':>6}{'p told':>9}  "
                + "".join(f"{label:>7}" for label in bins)
            )
            for quantity, one in whole.items():
                cells = "".join(_cell(parts[label][quantity]["coverage_68"], 7) for label in bins)
                lines.append(
                    f"  {quantity:18}{_cell(one['coverage_68'], 6)}{_cell(one['coverage_95'], 6)}"
                    f"{_cell(one['ks_p'], 9, '.2g')}{_cell(one['mean_rank'], 6)}"
                    f"{_cell(one['told_ks_p'], 9, '.2g')}  {cells}"
                )
            lines.append(f"  clumps: {outcomes.clumps}")
            power = outcomes.spectrum_of_bin("all")["median"]
            lines.append(
                "  power of a sample over the truth's, dex: "
                + ", ".join(f"{one:+.2f}" for one in power)
                + f" at {FREQUENCIES[0]:.1f} to {FREQUENCIES[-1]:.1f} cycles per arcsec"
            )
        return "\n".join(lines)


def _cell(value: float | int | None, width: int, form: str = ".2f") -> str:
    return f"{'-' if value is None else format(value, form):>{width}}"


def measure_calibration(
    settings: CalibrationSettings | None = None,
    *,
    progress: Callable[[int, int, str], object] = lambda done, of, stage: None,
    **given: Any,
) -> SampleCalibration:
    """Recover galaxies whose truth is known, and rank it among the samples.

    Parameters
    ----------
    settings : CalibrationSettings, optional
    progress : callable, optional
        Called with the galaxies measured since the last call, all of them, and the set.
    **given
        Settings by their names, in place of `settings`.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint, recipe or device.
    """
    settings = settings or CalibrationSettings(**given)
    names = ["synthetic"] + (["real"] if settings.real is not None else [])
    sets = {}
    for name in names:
        _bench_of(settings, name)  # what is wrong with the input is said before all starts
        parts = []
        for count, part in in_batches(partial(_measure, settings, name), settings.n, settings):
            parts.append(part)
            progress(count, settings.n, name)
        sets[name] = _joined(parts)
    return SampleCalibration(settings, sets)


@dataclass(frozen=True)
class _Bench:
    galaxies: SeenGalaxies
    resolver: SuperResolver
    samples: int
    seed: int

    def measure(self, indices: Sequence[int]) -> Outcomes:
        batch = self.galaxies.batch(indices)
        state = np.random.SeedSequence([self.seed, indices[0]]).generate_state(1)
        with torch.inference_mode():
            found = self.resolver.recover(
                batch.observed, batch.sigma, batch.psf, samples=self.samples, seed=int(state[0])
            )
        samples = found.samples[:, :, 0].numpy()
        truths = batch.truth[:, 0].cpu().numpy()
        rows = [
            self._one(batch, i, samples[:, i], truths[i], truths[i - 1])
            for i in range(len(indices))
        ]
        grid = self.galaxies.operator.grid
        clumps = [self._clumps(batch, i, samples[:, i], truths[i]) for i in range(len(indices))]
        told = [judged for judged, _, _ in rows]
        return Outcomes(
            batch.magnitude,
            {name: np.array([one[name].rank for one in told]) for name in told[0]}
            | {"image": np.array([image for _, image, _ in rows])},
            {name: np.array([one[name].told for one in told]) for name in told[0]},
            {name: np.array([one[name].apart for one in told]) for name in told[0]},
            {name: np.array([one[name].shift for one in told]) for name in told[0]},
            {name: np.array([one[name].factor for one in told]) for name in told[0]},
            np.array([brightness for _, _, brightness in rows]),
            np.array(
                [
                    log_power_ratio(
                        samples[0, i],
                        truths[i],
                        float(batch.sigma[i]) / grid.area_ratio,
                        grid.target_scale,
                    )
                    for i in range(len(indices))
                ]
            ),
            Clumps.joined(clumps),
        )

    def _clumps(
        self,
        batch: Observations,
        place: int,
        samples: NDArray[np.float32],
        truth: NDArray[np.float32],
    ) -> Clumps:
        grid = self.galaxies.operator.grid
        sigma = float(batch.sigma[place]) / grid.area_ratio
        nucleus = fidelity.nucleus_of(samples.mean(0), grid.target_scale)
        return match_clumps(
            samples, truth, sigma, nucleus, grid.target_scale, self.resolver.clump_probability
        )

    def _one(
        self,
        batch: Observations,
        place: int,
        samples: NDArray[np.float32],
        truth: NDArray[np.float32],
        other: NDArray[np.float32],
    ) -> tuple[dict[str, Judgement], float, float]:
        """Return what is found of each quantity of a galaxy, TARP's rank, and the brightness."""
        generator = np.random.default_rng([self.seed, 1, batch.index[place]])
        grid = self.galaxies.operator.grid
        sigma = float(batch.sigma[place]) / grid.area_ratio
        mean = samples.mean(0)
        nucleus = fidelity.nucleus_of(mean, grid.target_scale)
        images = [Measured(image, nucleus, sigma, grid.target_scale) for image in (truth, *samples)]
        values = {
            name: np.array([quantity.measure(image) for image in images])
            for name, quantity in QUANTITIES.items()
        }
        for name, level in PIXELS.items():
            bright = np.argwhere(mean > level * sigma)
            pixel = tuple(generator.choice(bright)) if len(bright) else None
            values[name] = np.array(
                [float(image.image[pixel]) if pixel else np.nan for image in images]
            )
        light = [QUANTITIES[WHOLE_FLUX].measure(image) for image in images[1:]]
        brightness = brightness_of(float(np.mean(light)))
        widening = self.resolver.widening
        other_draws = np.random.default_rng([self.seed, 2, batch.index[place]])
        judged = {
            name: judge(
                row,
                Intervals.of(widening, name, brightness),
                generator,
                other_draws,
                counted=name in QUANTITIES and QUANTITIES[name].counted,
            )
            for name, row in values.items()
        }
        return judged, tarp(samples[::2], truth, other, sigma, generator), brightness


def _joined(parts: Sequence[Outcomes]) -> Outcomes:
    def together(of: str) -> dict[str, NDArray[np.float64]]:
        return {
            name: np.concatenate([getattr(part, of)[name] for part in parts])
            for name in getattr(parts[0], of)
        }

    return Outcomes(
        np.concatenate([part.magnitude for part in parts]),
        together("rank"),
        together("told"),
        together("apart"),
        together("shift"),
        together("factor"),
        np.concatenate([part.brightness for part in parts]),
        np.concatenate([part.power for part in parts]),
        Clumps.joined([part.clumps for part in parts]),
    )


@lru_cache(maxsize=1)
def _bench_of(settings: CalibrationSettings, name: str) -> _Bench:
    """Keep galaxies and network from one batch to the next."""
    resolver = SuperResolver.from_checkpoint(settings.checkpoint, settings.device)
    galaxies: SeenGalaxies
    if name == "synthetic":
        galaxies = SyntheticGalaxies(seed=settings.seed, pair=resolver.pair, device=settings.device)
    else:
        assert settings.real is not None
        found = open_real(
            settings.cache, settings.real, Camera.of(resolver.pair), "test", settings.n,
            settings.seed, workers=settings.workers,
        )  # fmt: skip
        galaxies = GivenGalaxies(
            found.images,
            np.asarray(found.table["h_magnitude"]),
            seed=settings.seed,
            pair=resolver.pair,
            device=settings.device,
        )
    return _Bench(galaxies, resolver, settings.samples, settings.seed)


def _measure(settings: CalibrationSettings, name: str, indices: range) -> Outcomes:
    return _bench_of(settings, name).measure(indices)
