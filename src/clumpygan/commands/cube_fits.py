"""Fits of smooth disks to many cubes of known frames, in processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from clumpygan.data.cube_frame import CubeFrame, FrameSettings, make_frame
from clumpygan.evaluation.obedience import PARAMETERS
from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.cube_conditions import SEEING
from clumpygan.galaxies.fourier import Transfer
from clumpygan.instruments.spread import blur_beyond

FIXED = ("sersic_index", "scale_height", "g1", "g2")
"""Conditions that fits take as known; the others of a plain disk are free."""


@dataclass(frozen=True, eq=False)
class FitJob:
    """A cube to be fitted.

    Attributes
    ----------
    frame : FrameSettings
        With the sharpest seeing.
    cube : ndarray (v, y, x)
        In units of its noise.
    conditions : dict of str to float
        What was asked for; "seeing" and `FIXED` are taken as known.
    """

    frame: FrameSettings
    cube: np.ndarray
    conditions: dict[str, float]


@dataclass(frozen=True)
class Widened:
    """The optical transfer function of a PSF that is blurred by a Gaussian.

    Attributes
    ----------
    transfer : callable or None
        Of the PSF.
    sigma : float
        Arcsec.
    """

    transfer: Transfer | None
    sigma: float

    def __call__(self, ky: np.ndarray, kx: np.ndarray) -> Any:
        """Return it at frequencies in cycles/arcsec."""
        gaussian = np.exp(-2.0 * np.square(np.pi * self.sigma) * (ky**2 + kx**2))
        return gaussian if self.transfer is None else self.transfer(ky, kx) * gaussian


def fit_all(
    jobs: Sequence[FitJob], workers: int, progress: Callable[[int], object]
) -> tuple[dict[str, np.ndarray], int]:
    """Fit disks, and return the most probable `obedience.PARAMETERS` (N,) and how many failed.

    Parameters
    ----------
    jobs : sequence of FitJob
    workers : int
        Processes; 1 fits in this one.
    progress : callable
        Called with 1 after each fit.

    Returns
    -------
    fitted : dict of str to ndarray (N,)
    doubtful : int
        Fits that say of themselves that they aren't to be relied on; they count all the same.
    """
    rows, doubtful = [], 0
    for values, good in _outcomes(jobs, workers):
        rows.append(values)
        doubtful += not good
        progress(1)
    table = np.array(rows)
    return {name: table[:, i] for i, name in enumerate(PARAMETERS)}, doubtful


def fit(job: FitJob) -> tuple[list[float], bool]:
    """Fit one cube: the values of `obedience.PARAMETERS`, and whether all is well."""
    frame = _frame(job.frame)
    seeing = job.conditions.get(SEEING, frame.psf_fwhm or 0.0)
    sharpest = frame.psf_fwhm or 0.0
    observed = ObservedFrame(
        frame.grid,
        Widened(frame.transfer, float(blur_beyond(np.float64(seeing), sharpest))),
        max(seeing, sharpest) or None,
        frame.correlation,
    )
    fixed: Mapping[str, float] = {
        name: job.conditions[name] for name in FIXED if name in job.conditions
    }
    fitter = DiskFitter(
        DiskModel(), observed, fixed=fixed, sampler=SamplerSettings(method="laplace")
    )
    result = fitter.fit(job.cube, np.ones(job.cube.shape))
    return [float(result.values[name]) for name in PARAMETERS], result.converged


@lru_cache(maxsize=2)
def _frame(settings: FrameSettings) -> CubeFrame:
    return make_frame(settings)


def _outcomes(jobs: Sequence[FitJob], workers: int) -> Iterator[tuple[list[float], bool]]:
    if min(workers, len(jobs)) <= 1:
        yield from map(fit, jobs)
        return
    context = multiprocessing.get_context("spawn")  # a forked torch may hang on its threads
    with ProcessPoolExecutor(min(workers, len(jobs)), context, _start) as pool:
        yield from pool.map(fit, jobs, chunksize=4)


def _start() -> None:
    """Prepare a process: one thread."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
