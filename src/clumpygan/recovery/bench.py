"""Measure how near several methods come to galaxies whose truth is known.

Batches of sixteen galaxies, spread over processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from clumpygan.engine import in_batches
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import baselines, fidelity
from clumpygan.evaluation.recovery.measure import (
    SNAPSHOT,
    Estimate,
    Method,
    Records,
    baseline_methods,
    join,
    measure_batch,
)
from clumpygan.evaluation.recovery.metrics import COLUMNS
from clumpygan.evaluation.recovery.observations import Observations, SyntheticGalaxies
from clumpygan.evaluation.recovery.report import (
    MAGNITUDE_BINS,
    Choice,
    Table,
    bin_of,
    choose_iterations,
    in_bin,
    summarise,
    text_table,
)
from clumpygan.gan.checkpoint import check_grid, find_checkpoint, read_card, weights_digest
from clumpygan.instruments import ObservationOperator, SurveyPair
from clumpygan.recovery.bench_settings import SYNTHETIC_NUMBER, BenchSettings
from clumpygan.recovery.catalog_galaxies import CatalogGalaxies
from clumpygan.recovery.resolver import SuperResolver

EXAMPLES = 6
"""Galaxies that are shown as every method sees them."""


class Galaxies(Protocol):
    """Galaxies with a known truth, made when they are asked for."""

    operator: ObservationOperator

    def batch(self, indices: Sequence[int]) -> Observations:
        """Return the galaxies of the given numbers."""


@dataclass(frozen=True, eq=False)
class Example:
    """One galaxy as every method sees it.

    Attributes
    ----------
    magnitude : float
        AB.
    sigma : float
        Noise of the ground-based image in nJy per target pixel.
    truth : numpy.ndarray, (Y, X)
        In nJy per target pixel.
    observed : numpy.ndarray, (y, x)
        In nJy per target pixel, on the pixels of the ground.
    recovered : dict of str to numpy.ndarray, (Y, X)
        Method -> image.
    pixel_scales : tuple of float
        Arcsec, of truth and observed.
    """

    magnitude: float
    sigma: float
    truth: np.ndarray
    observed: np.ndarray
    recovered: dict[str, np.ndarray]
    pixel_scales: tuple[float, float]


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """How near each method comes to the truth.

    Attributes
    ----------
    settings : BenchSettings
    records : dict
        Method -> metric -> array over the galaxies; iterative methods after the best number of
        iterations.
    magnitude : numpy.ndarray, (N,)
        AB magnitudes.
    sigma : numpy.ndarray, (N,)
        Noise of the observed images in nJy per pixel.
    seconds : dict
        Method -> seconds per galaxy in one process.
    choices : dict
        Iterations of the iterative methods.
    values, uncertainties : dict
        Method -> column -> magnitude bin -> number and its standard error.
    """

    settings: BenchSettings
    records: Records
    magnitude: np.ndarray
    sigma: np.ndarray
    seconds: dict[str, float]
    choices: dict[str, Choice]
    values: Table = field(default_factory=dict)
    uncertainties: Table = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Magnitude bin -> number of galaxies."""
        return {name: int(in_bin(self.magnitude, name).sum()) for name in MAGNITUDE_BINS}

    def __str__(self) -> str:
        """Return the table, and the iterations that were best."""
        lines = [text_table(self.values, self.counts)]
        for name, choice in self.choices.items():
            best = ", ".join(f"{key} {count}" for key, count in choice.iterations.items())
            lines.append(f"iterations of {name}, best for each bin by the truth: {best}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, their definitions and the settings for JSON."""
        return {
            "seed": self.settings.seed,
            "galaxies": self.counts,
            "definitions": {name: column.definition for name, (_, column) in COLUMNS.items()},
            "settings": self._described(),
            "iterations": {
                name: {"best": choice.iterations, "median_nrmse": choice.nrmse}
                for name, choice in self.choices.items()
            },
            "seconds_per_galaxy": {name: round(value, 4) for name, value in self.seconds.items()},
            "methods": self.values,
            "uncertainties": self.uncertainties,
        }

    def examples(self) -> list[Example]:
        """Recover some galaxies again, from the brightest to the faintest."""
        bench = make_bench(self.settings)
        return [self._example(bench, number) for number in representative(self.magnitude)]

    def plot(self) -> Any:
        """Return a matplotlib figure of `examples`."""
        from clumpygan.plots.methods import methods_figure

        return methods_figure(self.examples())

    def _example(self, bench: Bench, number: int) -> Example:
        batch, magnitude = bench.galaxies.batch([number]), float(self.magnitude[number])
        recovered: dict[str, np.ndarray] = {}
        with torch.inference_mode():
            for method in bench.methods.values():
                for name, estimate in method(batch).items():
                    family, sign, iteration = name.partition(SNAPSHOT)
                    best = self.choices[family].iterations[bin_of(magnitude)] if sign else 0
                    if not sign or int(iteration) == best:
                        recovered[family] = _array(estimate.image)
        grid = bench.galaxies.operator.grid
        return Example(
            magnitude,
            float(batch.sigma) / grid.area_ratio,
            _array(batch.truth),
            _array(batch.observed) / grid.area_ratio,
            recovered,
            (grid.target_scale, grid.observed_scale),
        )

    def _described(self) -> dict[str, Any]:
        settings, pair = self.settings, pair_of(self.settings)
        survey = pair.survey
        shown = ("methods", "samples", "checkpoint", "ancestor_checkpoint", "device")
        return {
            "catalog": None if settings.catalog is None else str(settings.catalog),
            "instrument": survey.name,
            "seeing_fwhm_arcsec": list(survey.psf_fwhm_range),
            "moffat_beta": list(survey.moffat_beta_range or ()),
            "sigma_njy_per_hsc_pixel": float(self.sigma.mean()),
            "hst_instrument": pair.target_name,
            "stamp_hst_pixels": pair.grid.stamp,
            "coverage_threshold_sigma": fidelity.COVERAGE_THRESHOLD,
            "chi2_field_hsc_pixels": fidelity.chi_squared_size(survey.pixel_scale),
            "richardson_lucy_pedestal_sigma": baselines.PEDESTAL,
            **{name: getattr(settings, name) for name in shown},
            "checkpoint_sha256": _fingerprints(settings),
        }


def measure_methods(
    settings: BenchSettings | None = None,
    *,
    progress: Callable[[int, int], object] = lambda done, of: None,
    **given: Any,
) -> MethodComparison:
    """Recover galaxies whose truth is known with every method, and measure all of them.

    The numbers don't depend on how many processes work on them.

    Parameters
    ----------
    settings : BenchSettings, optional
    progress : callable, optional
        Called with the number of galaxies that were measured since the last call, and with that of
        all.
    **given
        Settings by their names, in place of `settings`.

    Returns
    -------
    MethodComparison

    Raises
    ------
    InputError
        For settings that contradict each other, a missing or wrong checkpoint, catalogue,
        instrument or device, or more galaxies than there are.
    """
    settings = settings or BenchSettings(**given)
    bench = _bench_of(settings)  # what is wrong with the input is said before anything starts
    number = _number_of_galaxies(settings, bench.galaxies)
    parts, magnitudes, sigmas = [], [], []
    seconds: dict[str, float] = {}
    for count, (records, magnitudes_of, sigmas_of, spent) in in_batches(
        partial(_measure, settings), number, settings
    ):
        parts.append(records)
        magnitudes.append(magnitudes_of)
        sigmas.append(sigmas_of)
        for name, value in spent.items():
            seconds[name] = seconds.get(name, 0.0) + value / number
        progress(count, number)
    magnitude = np.concatenate(magnitudes)
    records, choices = choose_iterations(join(parts), magnitude)
    values, uncertainties = summarise(records, magnitude, np.random.default_rng(settings.seed))
    return MethodComparison(
        settings,
        records,
        magnitude,
        np.concatenate(sigmas),
        seconds,
        choices,
        values,
        uncertainties,
    )


Measured = tuple[Records, np.ndarray, np.ndarray, dict[str, float]]
"""Records, magnitudes, noise, and seconds of each method."""


@dataclass(frozen=True)
class Bench:
    """The galaxies and the methods of one process."""

    galaxies: Galaxies
    methods: Mapping[str, Method]

    def measure(self, indices: Sequence[int]) -> Measured:
        """Recover and measure one batch: records, magnitudes, noise, seconds per method."""
        batch = self.galaxies.batch(indices)
        with torch.inference_mode():
            records, seconds = measure_batch(batch, self.methods, self.galaxies.operator)
        return records, batch.magnitude, batch.sigma.cpu().numpy(), seconds


def make_bench(settings: BenchSettings) -> Bench:
    """Build the galaxies and load the networks that the settings ask for.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint, catalogue, instrument or device.
    """
    galaxies = _galaxies(settings)
    available = baseline_methods(galaxies.operator)
    methods = {name: available[name] for name in settings.methods if name in available}
    if "ancestor" in settings.methods:
        resolver = _resolver(settings.ancestor_checkpoint, "ancestor", galaxies, settings.device)
        methods["ancestor"] = _ancestor(resolver)
    if "network" in settings.methods:
        resolver = _resolver(settings.checkpoint, "super_resolution", galaxies, settings.device)
        methods["network"] = _network(resolver, settings.samples, settings.seed)
    return Bench(galaxies, methods)


def _measure(settings: BenchSettings, indices: range) -> Measured:
    return _bench_of(settings).measure(indices)


@lru_cache(maxsize=1)
def _bench_of(settings: BenchSettings) -> Bench:
    """Keep galaxies and networks from one batch to the next."""
    return make_bench(settings)


def _galaxies(settings: BenchSettings) -> Galaxies:
    pair = pair_of(settings)
    if settings.catalog is None:
        return SyntheticGalaxies(seed=settings.seed, pair=pair, device=settings.device)
    return CatalogGalaxies(
        settings.catalog,
        pair,
        seed=settings.seed,
        root=settings.data_root,
        max_redshift=settings.max_redshift,
        max_hmag=settings.max_hmag,
        device=settings.device,
    )


def pair_of(settings: BenchSettings) -> SurveyPair:
    """Return what is observed and recovered: `instrument`, else what the network is trained on.

    Raises
    ------
    InputError
        If there is no such instrument.
    """
    names = {"network": settings.checkpoint, "ancestor": settings.ancestor_checkpoint}
    used = next((name for method, name in names.items() if method in settings.methods), None)
    trained = SurveyPair.of()
    if used is not None:
        # What is wrong with a checkpoint is said where it is loaded.
        with suppress(InputError):
            card = read_card(find_checkpoint(used).with_suffix(".yaml"))
            trained = SurveyPair.from_card(card["network"].get("observation"))
    if settings.instrument is None:
        return trained
    return SurveyPair.of(settings.instrument, trained.target_name)


def _number_of_galaxies(settings: BenchSettings, galaxies: Galaxies) -> int:
    if not isinstance(galaxies, CatalogGalaxies):
        return settings.n or SYNTHETIC_NUMBER
    if settings.n is not None and settings.n > len(galaxies):
        raise InputError(
            f"`n` {settings.n}: only {len(galaxies)} galaxies of {settings.catalog} pass the cuts; "
            "ask for fewer, or leave `n` out for all"
        )
    return settings.n or len(galaxies)


def representative(magnitude: np.ndarray) -> list[int]:
    """Return the numbers of some galaxies spread evenly from the brightest to the faintest."""
    order = np.argsort(magnitude)
    picks = np.linspace(0, len(order) - 1, min(EXAMPLES, len(order)))
    return [int(order[round(pick)]) for pick in picks]


def _fingerprints(settings: BenchSettings) -> dict[str, str]:
    names = {"network": settings.checkpoint, "ancestor": settings.ancestor_checkpoint}
    return {
        method: weights_digest(name) for method, name in names.items() if method in settings.methods
    }


def _array(images: Tensor) -> np.ndarray:
    return images[0, 0].cpu().numpy()


def _resolver(name: str, kind: str, galaxies: Galaxies, device: str) -> SuperResolver:
    resolver = SuperResolver.from_checkpoint(name, device)
    found = resolver.card["network"]["name"]
    if found != kind:
        raise InputError(f"checkpoint {name} is of network {found}, expected {kind}")
    check_grid(resolver.card, galaxies.operator.grid, f"checkpoint {name}")
    return resolver


def _network(resolver: SuperResolver, samples: int, seed: int) -> Method:
    def method(batch: Observations) -> Mapping[str, Estimate]:
        # every batch has a seed of its own, or all galaxies would be given the same noise
        state = np.random.SeedSequence([seed, batch.index[0]]).generate_state(1)
        recovered = resolver.recover(
            batch.observed, batch.sigma, batch.psf, samples=samples, seed=int(state[0])
        )
        best, error, sample = (
            image.to(batch.truth.device)
            for image in (recovered.best, recovered.error, recovered.samples[0])
        )
        return {"network": Estimate(best, error), "sample": Estimate(sample)}

    return method


def _ancestor(resolver: SuperResolver) -> Method:
    def method(batch: Observations) -> Mapping[str, Estimate]:
        # it has no random input: two samples, the fewest there are, are the same image
        recovered = resolver.recover(batch.observed, batch.sigma, batch.psf, samples=2)
        return {"ancestor": Estimate(recovered.best.to(batch.truth.device))}

    return method
