"""A KMOS-like cube of H alpha between the lines of [NII], and its fit."""

import numpy as np
import pytest

from clumpygan.fitting import DiskFitter, FitResult, ObservedFrame, SamplerSettings
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from tests.fitting.conftest import FRAME, TRUTH

REDSHIFT = 1.5
LINES = (6564.61, 6585.27, 6549.86)
NAMES = ("halpha", "nii")
RATIO = 2.5
"""H alpha over the stronger line of [NII]."""


def grid_of(lines: tuple[float, ...]) -> CubeGrid:
    """Return the grid with so many of the lines known; the cube is the same."""
    return CubeGrid.wavelengths(
        (84, 14, 14), 0.25, LINES[0] * (1 + REDSHIFT) - 42 * 2.6, 2.6, lines=lines,
        redshift=REDSHIFT, line_spread=[40.0] * len(lines), pixel_response=False,
        channel_response=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def three_lines() -> tuple[np.ndarray, float]:
    """Return the data and sigma."""
    model = DiskModel(extra_lines=1)
    galaxy = DiskParameters.from_dict(
        TRUTH | {"doublet_ratio": RATIO, "line_3_ratio": 1 / 3.05}, model
    )
    render = CubeRenderer(grid_of(LINES), model, FRAME.transfer, 1e-4)
    clean = render(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / 15
    return clean + sigma * np.random.default_rng(4).standard_normal(clean.shape), sigma


def fitted(three_lines: tuple[np.ndarray, float], lines: tuple[str, ...]) -> FitResult:
    """Return the fit of the cube by some lines."""
    count = {1: 1, 2: 3}[len(lines)]
    frame = ObservedFrame(grid_of(LINES[:count]), FRAME.transfer, FRAME.psf_fwhm)
    fitter = DiskFitter(
        DiskModel(), frame, lines=lines, redshift=REDSHIFT, sampler=SamplerSettings("laplace")
    )
    return fitter.fit(three_lines[0], three_lines[1] ** 2)


@pytest.fixture(scope="session")
def result(three_lines: tuple[np.ndarray, float]) -> FitResult:
    """The fit of H alpha and [NII]."""
    return fitted(three_lines, NAMES)


@pytest.fixture(scope="session")
def result_of_one(three_lines: tuple[np.ndarray, float]) -> FitResult:
    """The fit of H alpha alone, with [NII] among the channels."""
    return fitted(three_lines, NAMES[:1])
