"""The columns of the table of recoveries: how the numbers of many galaxies become one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Reduce = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Column:
    """One column of the table: how many galaxies' numbers become one.

    Attributes
    ----------
    needs : tuple of str
        Numbers of a method's records that it is made of.
    reduce : callable
        From these numbers, each (R, N) or (R, N, 12) for R samples of N galaxies, to (R,) values;
        NaN where there is nothing to measure.
    digits : int
        Decimals in print.
    definition : str
        One line for the JSON file.
    """

    needs: tuple[str, ...]
    reduce: Reduce
    digits: int
    definition: str


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=1)


def _median(values: np.ndarray) -> np.ndarray:
    return np.median(values, axis=1)


def _median_size(values: np.ndarray) -> np.ndarray:
    return np.median(np.abs(values), axis=1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    total = whole.sum(axis=1)
    share = np.full(len(total), np.nan)
    return np.divide(part.sum(axis=1), total, out=share, where=total > 0)


def _spectrum_distance(log_ratio: np.ndarray) -> np.ndarray:
    return np.abs(np.median(log_ratio, axis=1)).mean(axis=1)


def _spectrum_bias(log_ratio: np.ndarray) -> np.ndarray:
    return np.median(log_ratio, axis=1).mean(axis=1)


COLUMNS: dict[str, Column] = {
    "psnr": Column(("psnr",), _mean, 2, "dB, range = maximum of the truth; mean"),
    "nrmse": Column(("nrmse",), _median, 3, "|r - t| / |t|; median"),
    "ssim": Column(
        ("ssim",), _mean, 3, "of asinh(x / 2 sigma), sigma per HST pixel, central 70 x 70; mean"
    ),
    "abs_dm": Column(("dm",), _median_size, 4, "|dm| in mag, r = 1.0 arcsec; median"),
    "dm": Column(("dm",), _median, 4, "dm in mag, positive = too faint; median (bias)"),
    "half_light_radius_error": Column(
        ("half_light_radius_error",),
        _median,
        3,
        "|R_r / R_t - 1| from growth curves to 1.5 arcsec; median",
    ),
    "centroid_shift": Column(("centroid_shift",), _median, 4, "arcsec, r = 1.0 arcsec; median"),
    "clump_completeness": Column(
        ("clumps_matched", "clumps_true"),
        _share,
        3,
        "matched / true off-nucleus clumps of all galaxies",
    ),
    "clump_purity": Column(
        ("clumps_matched", "clumps_found"),
        _share,
        3,
        "matched / found off-nucleus clumps of all galaxies",
    ),
    "chi2": Column(
        ("chi2",), _mean, 3, "mean of ((A r - y) / sigma)^2, central 24 x 24 HSC pixels; mean"
    ),
    "power_spectrum_distance": Column(
        ("log_power_ratio",),
        _spectrum_distance,
        3,
        "dex, mean over 0.5-5 cycles/arcsec of |median log10 power ratio to the truth|",
    ),
    "power_spectrum_bias": Column(
        ("log_power_ratio",),
        _spectrum_bias,
        3,
        "the same with its sign: negative = smoother than the truth",
    ),
    "coverage_68": Column(("coverage_68",), _mean, 3, "share of the truth within 1 error; mean"),
    "coverage_95": Column(
        ("coverage_95",), _mean, 3, "share of the truth within 1.96 errors; mean"
    ),
}
"""The columns of the table; `clumpygan.evaluation.fidelity` and `clumps` define the numbers."""
