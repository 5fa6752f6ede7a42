"""Recover a batch of galaxies with every method and measure each result against the truth."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from clumpygan.evaluation.recovery import baselines, fidelity
from clumpygan.evaluation.recovery.metrics import measure_for_table
from clumpygan.evaluation.recovery.observations import Observations
from clumpygan.evaluation.recovery.recovered import Recovered
from clumpygan.instruments import ObservationOperator

SNAPSHOT = "@"
"""Richardson-Lucy after N iterations is measured under its name, this sign, and N."""


@dataclass(frozen=True)
class Estimate:
    """A recovered batch (B, 1, Y, X) in nJy per target pixel, and its standard error if known."""

    image: Tensor
    error: Tensor | None = None


Method = Callable[[Observations], Mapping[str, Estimate]]
"""From a batch to one or several named estimates (a network gives its mean and a sample)."""

Records = dict[str, dict[str, np.ndarray]]
"""Name of the method -> name of the metric -> one value (or row of values) per galaxy."""


def baseline_methods(operator: ObservationOperator) -> dict[str, Method]:
    """Return the methods that need no network, by name.

    Parameters
    ----------
    operator : ObservationOperator
        From the target to the observed image.

    Returns
    -------
    dict of str to Method
        bicubic, wiener, richardson_lucy, and richardson_lucy_disk, which starts from a round disk
        (`baselines.expected_disk`); the last two return one estimate per number of iterations,
        named "richardson_lucy@N".
    """

    def transfer(batch: Observations) -> Tensor:
        shape = (batch.observed.shape[-2], batch.observed.shape[-1])
        return batch.psf(operator.frequencies(shape, batch.observed.device))

    def bicubic(batch: Observations) -> Mapping[str, Estimate]:
        return {"bicubic": Estimate(baselines.bicubic(batch.observed, operator))}

    def wiener(batch: Observations) -> Mapping[str, Estimate]:
        image = baselines.wiener(batch.observed, batch.sigma, transfer(batch), operator)
        return {"wiener": Estimate(image)}

    def richardson_lucy(batch: Observations) -> Mapping[str, Estimate]:
        return snapshots("richardson_lucy", batch, None)

    def richardson_lucy_disk(batch: Observations) -> Mapping[str, Estimate]:
        disk = baselines.expected_disk(batch.observed, batch.sigma, operator)
        return snapshots("richardson_lucy_disk", batch, disk)

    def snapshots(name: str, batch: Observations, start: Tensor | None) -> Mapping[str, Estimate]:
        images = baselines.richardson_lucy(
            batch.observed, batch.sigma, transfer(batch), operator, start=start
        )
        return {f"{name}{SNAPSHOT}{n}": Estimate(image) for n, image in images.items()}

    methods = (bicubic, wiener, richardson_lucy, richardson_lucy_disk)
    return {method.__name__: method for method in methods}


def measure_batch(
    batch: Observations, methods: Mapping[str, Method], operator: ObservationOperator
) -> tuple[Records, dict[str, float]]:
    """Run all methods on one batch and measure what they return.

    Parameters
    ----------
    batch : Observations
        Galaxies with their truth.
    methods : mapping of str to Method
        By name.
    operator : ObservationOperator
        From the target to the observed image, for chi^2.

    Returns
    -------
    records : dict
        Name of the estimate -> name of the number -> array of B values.
    seconds : dict
        Name of the method -> wall-clock seconds that it took (measuring not included).
    """
    records: Records = {}
    seconds: dict[str, float] = {}
    for name, method in methods.items():
        begin = time.perf_counter()
        estimates = method(batch)
        seconds[name] = time.perf_counter() - begin
        for row, estimate in estimates.items():
            records[row] = measure_estimate(batch, estimate, operator)
    if batch.sharp_noisy is not None:
        records["hst"] = measure_estimate(batch, Estimate(batch.sharp_noisy), operator)
    return records, seconds


def measure_estimate(
    batch: Observations, estimate: Estimate, operator: ObservationOperator
) -> dict[str, np.ndarray]:
    """Measure one recovered batch against its truth.

    Parameters
    ----------
    batch : Observations
        Galaxies with their truth.
    estimate : Estimate
        Their recovery.
    operator : ObservationOperator
        From the target to the observed image, for chi^2.

    Returns
    -------
    dict of str to numpy.ndarray
        Name of the metric -> (B,) or (B, K): those of `metrics.METRICS` that the table has.
    """
    shape = (batch.observed.shape[-2], batch.observed.shape[-1])
    transfer = batch.psf(operator.frequencies(shape, batch.observed.device))
    model = _arrays(operator(estimate.image, transfer))
    images, truths, observed = map(_arrays, (estimate.image, batch.truth, batch.observed))
    sigmas = batch.sigma.cpu().numpy().astype(np.float64)
    errors = [None] * len(images) if estimate.error is None else _arrays(estimate.error)
    rows, grid = [], operator.grid
    field = fidelity.chi_squared_size(grid.observed_scale)
    judges = batch.judges or (None,) * len(images)
    for image, truth, judge, sigma, error, seen, data in zip(
        images, truths, judges, sigmas, errors, model, observed, strict=True
    ):
        residual = fidelity.residual_of(seen, data, sigma, field)
        depth, scale = fidelity.sigma_per_target_pixel(sigma, grid), grid.target_scale
        found = Recovered(
            image, depth, truth, judge=judge, error=error, residual=residual, pixel_scale=scale
        )
        rows.append(measure_for_table(found))
    return {number: np.stack([row[number] for row in rows]) for number in rows[0]}


def join(parts: list[Records]) -> Records:
    """Join the records of several batches, in their order."""
    return {
        method: {
            number: np.concatenate([part[method][number] for part in parts]) for number in numbers
        }
        for method, numbers in parts[0].items()
    }


def _arrays(images: Tensor) -> np.ndarray:
    return images.detach()[:, 0].cpu().numpy()
