"""Fits of smooth disks to many cubes of known frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from clumpygan.data.cubes.frame import CubeFrame, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.engine import open_engine
from clumpygan.evaluation.cubes.conditional_fidelity import PARAMETERS
from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.disks.cube_conditions import SEEING
from clumpygan.galaxies.rendering.fourier import Transfer
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
    jobs: Sequence[FitJob],
    progress: Callable[[int], object],
    workers: int | None = None,
    cluster: str | None = None,
) -> tuple[dict[str, np.ndarray], int]:
    """Fit disks, and return what is most probable, and how many failed.

    Parameters
    ----------
    jobs : sequence of FitJob
    progress : callable
        Called with 1 after each fit.
    workers, cluster
        Who fits, see `clumpygan.engine.Workplace`.

    Returns
    -------
    fitted : dict of str to ndarray (N,)
        Of `conditional_fidelity.PARAMETERS`.
    doubtful : int
        Fits that say of themselves that they aren't to be relied on; they count all the same.
    """
    rows, doubtful = [], 0
    with open_engine(len(jobs), workers, cluster) as engine:
        for values, good in engine.map(fit, jobs):
            rows.append(values)
            doubtful += not good
            progress(1)
    table = np.array(rows)
    return {name: table[:, i] for i, name in enumerate(PARAMETERS)}, doubtful


def fit(job: FitJob) -> tuple[list[float], bool]:
    """Fit one cube: the values of `conditional_fidelity.PARAMETERS`, and whether all is well."""
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
