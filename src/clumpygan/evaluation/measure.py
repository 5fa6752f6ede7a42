"""Recover a batch of galaxies with every method and measure each result against the truth."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from clumpygan.evaluation import baselines, fidelity
from clumpygan.evaluation.clumps import count_clumps
from clumpygan.evaluation.observations import Observations
from clumpygan.evaluation.spectrum import log_power_ratio
from clumpygan.instruments import ObservationOperator

CHI_SQUARED_SIZE = 24
"""Side in HSC pixels (4") of the central field in which chi^2 is taken."""

COVERAGE_THRESHOLD = 1.0
"""Sigma per HST pixel above which truth or recovery must be for a pixel to count in coverages."""

SNAPSHOT = "@"
"""Richardson-Lucy after N iterations is measured under its name, this sign, and N."""


@dataclass(frozen=True)
class Estimate:
    """A recovered batch (B, 1, Y, X) in nJy per HST pixel, and its standard error if known."""

    image: Tensor
    error: Tensor | None = None


Method = Callable[[Observations], Mapping[str, Estimate]]
"""From a batch to one or several named estimates (a network gives its mean and a sample)."""

Records = dict[str, dict[str, np.ndarray]]
"""Name of the method -> name of the number -> one value (or row of values) per galaxy."""


def baseline_methods(operator: ObservationOperator) -> dict[str, Method]:
    """Return the methods that need no network, by name.

    Parameters
    ----------
    operator : ObservationOperator
        From HST to HSC.

    Returns
    -------
    dict of str to Method
        bicubic, wiener, richardson_lucy, and richardson_lucy_disk, which starts from a round disk
        (`baselines.expected_disk`); the last two return one estimate per number of iterations,
        named "richardson_lucy@N".
    """

    def transfer(batch: Observations) -> Tensor:
        shape = tuple(batch.observed.shape[-2:])
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
        From HST to HSC, for chi^2.

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
        From HST to HSC, for chi^2.

    Returns
    -------
    dict of str to numpy.ndarray
        psnr, nrmse, ssim, dm, half_light_radius_error, centroid_shift, clumps_true, clumps_found,
        clumps_matched, chi2, each (B,); log_power_ratio (B, 12); coverage_68 and coverage_95 (B,)
        when the estimate has an error.
    """
    shape = tuple(batch.observed.shape[-2:])
    transfer = batch.psf(operator.frequencies(shape, batch.observed.device))
    model = _arrays(operator(estimate.image, transfer))
    images, truths, observed = map(_arrays, (estimate.image, batch.truth, batch.observed))
    sigmas = batch.sigma.cpu().numpy().astype(np.float64)
    errors = [None] * len(images) if estimate.error is None else _arrays(estimate.error)
    rows = []
    for image, truth, sigma, error, seen, data in zip(
        images, truths, sigmas, errors, model, observed, strict=True
    ):
        row = measure_image(image, truth, fidelity.sigma_per_hst_pixel(sigma), error)
        row["chi2"] = fidelity.reduced_chi_squared(seen, data, sigma, CHI_SQUARED_SIZE)
        rows.append(row)
    return {number: np.stack([row[number] for row in rows]) for number in rows[0]}


def measure_image(
    image: np.ndarray,
    truth: np.ndarray,
    sigma: float,
    error: np.ndarray | None = None,
) -> dict[str, float | np.ndarray]:
    """Measure one recovered image against the truth: all numbers but chi^2.

    Parameters
    ----------
    image, truth : numpy.ndarray, (Y, X)
        In nJy per HST pixel.
    sigma : float
        Depth of the observation in nJy per HST pixel (`fidelity.sigma_per_hst_pixel`).
    error : numpy.ndarray, (Y, X), optional
        Standard error of `image`.

    Returns
    -------
    dict
        As in `measure_estimate`, for one galaxy.
    """
    nucleus = fidelity.nucleus_of(truth)
    clumps = count_clumps(image, truth, sigma, nucleus)
    row: dict[str, float | np.ndarray] = {
        "psnr": fidelity.psnr(image, truth),
        "nrmse": fidelity.nrmse(image, truth),
        "ssim": fidelity.ssim_asinh(image, truth, sigma),
        "dm": fidelity.magnitude_difference(image, truth, nucleus),
        "half_light_radius_error": fidelity.half_light_radius_error(image, truth, nucleus),
        "centroid_shift": fidelity.centroid_shift(image, truth, nucleus),
        "clumps_true": clumps.true,
        "clumps_found": clumps.found,
        "clumps_matched": clumps.matched,
        "log_power_ratio": log_power_ratio(image, truth, sigma),
    }
    if error is not None:
        row["coverage_68"], row["coverage_95"] = coverage(image, truth, error, sigma)
    return row


def coverage(
    image: np.ndarray, truth: np.ndarray, error: np.ndarray, sigma: float
) -> tuple[float, float]:
    """Return the fractions of pixels with the truth within 1 and 1.96 standard errors.

    Only pixels count in which the truth or the recovery is above one sigma, so that the empty sky,
    of which all is known, doesn't hide what happens in the galaxy.

    Parameters
    ----------
    image, truth, error : numpy.ndarray, (Y, X)
        In nJy per HST pixel.
    sigma : float
        Depth of the observation in nJy per HST pixel.

    Returns
    -------
    tuple of float
        0.683 and 0.950 for perfectly calibrated Gaussian errors; NaN without any such pixel.
    """
    bright = np.maximum(image, truth) > COVERAGE_THRESHOLD * sigma
    if not bright.any():
        return float("nan"), float("nan")
    deviation = np.abs(image - truth)[bright]
    first, second = (float(np.mean(deviation <= f * error[bright])) for f in (1.0, 1.96))
    return first, second


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
