"""Measure many galaxies: batches of sixteen, spread over processes."""

from __future__ import annotations

import multiprocessing
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from clumpygan.errors import InputError
from clumpygan.evaluation.measure import (
    Estimate,
    Method,
    Records,
    baseline_methods,
    join,
    measure_batch,
)
from clumpygan.evaluation.observations import Observations, SyntheticGalaxies
from clumpygan.gan.recovery import SuperResolver
from clumpygan.instruments import ObservationOperator, get_instrument

BATCH_SIZE = 16
"""Galaxies per batch: a gigabyte of memory at most, and fast enough on any device."""

SYNTHETIC_NUMBER = 400
"""Synthetic galaxies measured by default."""


class Galaxies(Protocol):
    """Galaxies with a known truth, made when they are asked for."""

    operator: ObservationOperator

    def batch(self, indices: Sequence[int]) -> Observations:
        """Return the galaxies of the given numbers."""


@dataclass(frozen=True)
class Measurements:
    """What came out of the run, galaxy by galaxy.

    Attributes
    ----------
    records : dict
        Estimate -> number -> array over the galaxies.
    magnitude : numpy.ndarray, (N,)
        AB magnitudes.
    sigma : numpy.ndarray, (N,)
        Noise of the HSC images in nJy per HSC pixel.
    seconds : dict
        Method -> seconds per galaxy in one process.
    """

    records: Records
    magnitude: np.ndarray
    sigma: np.ndarray
    seconds: dict[str, float]


@dataclass(frozen=True)
class Bench:
    """The galaxies and the methods of one process."""

    galaxies: Galaxies
    methods: Mapping[str, Method]

    def measure(self, indices: Sequence[int]) -> tuple[Records, np.ndarray, np.ndarray, dict]:
        """Recover and measure one batch: records, magnitudes, noise, seconds per method."""
        batch = self.galaxies.batch(indices)
        with torch.inference_mode():
            records, seconds = measure_batch(batch, self.methods, self.galaxies.operator)
        return records, batch.magnitude, batch.sigma.cpu().numpy(), seconds


def make_bench(options: Namespace) -> Bench:
    """Build the galaxies and load the networks that `options` ask for.

    Raises
    ------
    InputError
        For a missing or wrong checkpoint, catalogue, instrument or device.
    """
    galaxies = _galaxies(options)
    available = baseline_methods(galaxies.operator)
    methods = {name: available[name] for name in options.methods if name in available}
    if "ancestor" in options.methods:
        resolver = _resolver(options.ancestor_checkpoint, "ancestor", options.device)
        methods["ancestor"] = _ancestor(resolver)
    if "network" in options.methods:
        resolver = _resolver(options.checkpoint, "super_resolution", options.device)
        methods["network"] = _network(resolver, options.samples, options.seed)
    return Bench(galaxies, methods)


def run(options: Namespace, number: int) -> Measurements:
    """Measure galaxies 0 to `number` - 1, with a progress bar on standard error.

    The numbers don't depend on how many processes work on them.

    Parameters
    ----------
    options : argparse.Namespace
        Of `evaluate.py super_resolution`.
    number : int
        How many galaxies.

    Returns
    -------
    Measurements
    """
    bench = make_bench(options)  # what is wrong with the input is said before anything starts
    batches = [range(i, min(i + BATCH_SIZE, number)) for i in range(0, number, BATCH_SIZE)]
    parts, magnitudes, sigmas = [], [], []
    seconds: dict[str, float] = {}
    with tqdm(total=number, unit="galaxy", desc="recovering", file=sys.stderr) as bar:
        for records, magnitude, sigma, spent in _results(options, bench, batches):
            parts.append(records)
            magnitudes.append(magnitude)
            sigmas.append(sigma)
            for name, value in spent.items():
                seconds[name] = seconds.get(name, 0.0) + value
            bar.update(len(magnitude))
    return Measurements(
        join(parts),
        np.concatenate(magnitudes),
        np.concatenate(sigmas),
        {name: value / number for name, value in seconds.items()},
    )


def _results(options: Namespace, bench: Bench, batches: list[range]) -> Iterator[tuple]:
    workers = 1 if options.device != "cpu" else min(options.workers, len(batches))
    if workers == 1:
        yield from map(bench.measure, batches)
        return
    context = multiprocessing.get_context("spawn")  # a forked torch may hang on its threads
    with ProcessPoolExecutor(workers, context, _start_worker, (options,)) as pool:
        yield from pool.map(_measure_in_worker, batches)


_worker: dict[str, Bench] = {}


def _start_worker(options: Namespace) -> None:
    torch.set_num_threads(1)
    _worker["bench"] = make_bench(options)


def _measure_in_worker(indices: range) -> tuple:
    return _worker["bench"].measure(indices)


def _galaxies(options: Namespace) -> Galaxies:
    survey = get_instrument(options.instrument)
    if options.catalog is None:
        return SyntheticGalaxies(seed=options.seed, target=survey, device=options.device)
    from clumpygan.commands.evaluation_catalog import CatalogGalaxies

    return CatalogGalaxies(options, survey)


def _resolver(name: str, kind: str, device: str) -> SuperResolver:
    resolver = SuperResolver.from_checkpoint(name, device)
    found = resolver.card["network"]["name"]
    if found != kind:
        raise InputError(f"checkpoint {name} is of network {found}, expected {kind}")
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
