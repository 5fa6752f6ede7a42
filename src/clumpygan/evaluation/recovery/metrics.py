"""The registry of image metrics: each is declared once, in `METRICS`.

The table of methods (`evaluation.recovery.report`), the numbers and the caption of a recovery, and
what is followed while a super-resolution network is trained are made from it. A new metric of the
table is one more entry.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.evaluation.recovery import fidelity
from clumpygan.evaluation.recovery.recovered import Recovered
from clumpygan.evaluation.recovery.spectrum import log_power_ratio

Value = float | NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """How the values of many galaxies become one number of the table.

    Attributes
    ----------
    name : str
        In JSON and in the log of a training.
    reduce : callable
        From values (R, N) or (R, N, K), for R samples of N galaxies, to (R,); NaN where there is
        nothing to measure.
    definition : str
        One line for JSON.
    heading : str
        In print; the name by default.
    digits : int
        Decimals in print.
    followed : bool
        While super-resolution networks are trained.
    """

    name: str
    reduce: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    definition: str
    heading: str = ""
    digits: int = 3
    followed: bool = False


@dataclass(frozen=True)
class Metric:
    """What is measured of a recovered image.

    Attributes
    ----------
    name : str
    measure : callable
        From `Recovered` to a number, or a row (K,) of numbers; NaN or infinity where it isn't
        defined.
    needs : tuple of str
        Attributes of `Recovered` without which it can't be measured.
    unit : str
    columns : tuple of Column
        Of the table of methods; none if it isn't in the table.
    told : bool
        Of single galaxies, in the JSON file of a recovery.
    label, form : str
        In the table of a single recovery, where it has a label.
    """

    name: str
    measure: Callable[[Recovered], Value]
    needs: tuple[str, ...] = ("truth",)
    unit: str = ""
    columns: tuple[Column, ...] = ()
    told: bool = False
    label: str = ""
    form: str = "{:.3f}"

    def possible(self, recovered: Recovered) -> bool:
        """Tell whether what it needs is known."""
        return all(getattr(recovered, name) is not None for name in self.needs)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values.mean(axis=1))


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.median(values, axis=1)


def _median_size(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.median(np.abs(values), axis=1)


def _mean_of(place: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda values: values[..., place].mean(axis=1)


def _share(part: int, whole: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return what divides the sum of one number by that of another."""

    def reduce(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = values[..., whole].sum(axis=1)
        share = np.full(len(total), np.nan)
        return np.asarray(
            np.divide(values[..., part].sum(axis=1), total, out=share, where=total > 0)
        )

    return reduce


def _spectrum_distance(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.median(log_ratio, axis=1)).mean(axis=1))


def _spectrum_bias(log_ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.median(log_ratio, axis=1).mean(axis=1))


def _relative_error(found: Recovered) -> float:
    judge = found.judge
    if judge is None:
        return fidelity.nrmse(found.image, found.true)
    return fidelity.nrmse(found.image, judge.image, judge.sigma, judge.valid)


def _psnr_limit(found: Recovered) -> float:
    """Return the PSNR of the noiseless truth against a noisy image of it, in dB."""
    if found.truth_sigma <= 0:
        return float("nan")
    return float(20 * np.log10(float(found.true.max()) / found.truth_sigma))


def _radius_error(found: Recovered) -> float:
    return fidelity.half_light_radius_error(*found._measured)


def _radius(found: Recovered) -> float:
    return fidelity.half_light_radius(found.image, found.nucleus, found.pixel_scale)


def _chi2(found: Recovered) -> float:
    assert found.residual is not None
    return fidelity.chi_squared(found.residual)


def _coverage(found: Recovered) -> NDArray[np.float64]:
    assert found.error is not None
    return np.array(fidelity.coverage(found.image, found.true, found.error, found.sigma))


def _magnitude(found: Recovered) -> float:
    radius = fidelity.PHOTOMETRY_RADIUS
    flux = float(fidelity.aperture_flux(found.image, found.nucleus, radius, found.pixel_scale))
    return magnitude_of(flux) if found.unit == "nJy" else float("nan")


METRICS: tuple[Metric, ...] = (
    Metric(
        "psnr",
        lambda found: fidelity.psnr(found.image, found.true),
        unit="dB",
        told=True,
        label="PSNR [dB]",
        form="{:.1f}",
        columns=(Column("psnr", _mean, "dB, range = maximum of the truth; mean", "PSNR", 2, True),),
    ),
    Metric("psnr_limit", _psnr_limit, unit="dB", told=True),
    Metric(
        "nrmse",
        _relative_error,
        told=True,
        label="NRMSE",
        columns=(
            Column(
                "nrmse",
                _median,
                "|r - t| / |t| in pixels with data, the noise of a real t taken out; median",
                "NRMSE",
                3,
                True,
            ),
        ),
    ),
    Metric(
        "ssim",
        lambda found: fidelity.ssim_asinh(found.image, found.true, found.sigma, found.pixel_scale),
        told=True,
        label="SSIM",
        columns=(
            Column(
                "ssim",
                _mean,
                "of asinh(x / 2 sigma), sigma per pixel, central 4.2 x 4.2 arcsec; mean",
                "SSIM",
            ),
        ),
    ),
    Metric(
        "magnitude_error",
        lambda found: found.magnitude_error,
        unit="mag",
        told=True,
        columns=(
            Column("abs_dm", _median_size, "|dm| in mag, r = 1.0 arcsec; median", "|dm|", 4, True),
            Column("dm", _median, "dm in mag, positive = too faint; median (bias)", "dm", 4, True),
        ),
    ),
    Metric(
        "flux_error_percent",
        lambda found: 100 * (10 ** (-0.4 * found.magnitude_error) - 1),
        unit="%",
        told=True,
        label="flux [%]",
        form="{:+.1f}",
    ),
    Metric(
        "half_light_radius_error",
        _radius_error,
        columns=(
            Column(
                "half_light_radius_error",
                _median_size,
                "|R_r / R_t - 1| from growth curves to 1.5 arcsec; median",
                "R50 err",
                3,
                True,
            ),
        ),
    ),
    Metric(
        "half_light_radius_error_percent",
        lambda found: 100 * _radius_error(found),
        unit="%",
        told=True,
        label="R50 [%]",
        form="{:+.1f}",
    ),
    Metric(
        "centroid_shift",
        lambda found: fidelity.centroid_shift(*found._measured),
        unit="arcsec",
        told=True,
        label="centre ['']",
        columns=(Column("centroid_shift", _median, "arcsec, r = 1.0 arcsec; median", "shift", 4),),
    ),
    Metric(
        "clumps",
        lambda f: np.array([f.clumps.true, f.clumps.found, f.clumps.matched], dtype=np.float64),
        columns=(
            Column(
                "clump_completeness",
                _share(2, 0),
                "matched / true off-nucleus clumps of all galaxies",
                "complete",
            ),
            Column(
                "clump_purity",
                _share(2, 1),
                "matched / found off-nucleus clumps of all galaxies",
                "purity",
            ),
        ),
    ),
    Metric(
        "chi2",
        _chi2,
        needs=("residual",),
        told=True,
        label="chi^2/pixel",
        form="{:.2f}",
        columns=(
            Column(
                "chi2",
                _mean,
                "mean of ((A r - y) / sigma)^2, central 4 x 4 arcsec; mean",
                followed=True,
            ),
        ),
    ),
    Metric(
        "log_power_ratio",
        lambda found: log_power_ratio(found.image, found.true, found.sigma, found.pixel_scale),
        unit="dex",
        columns=(
            Column(
                "power_spectrum_distance",
                _spectrum_distance,
                "dex, mean over 0.5-5 cycles/arcsec of |median log10 power ratio to the truth|",
                "P(k) dex",
            ),
            Column(
                "power_spectrum_bias",
                _spectrum_bias,
                "the same with its sign: negative = smoother than the truth",
                "P(k) bias",
            ),
        ),
    ),
    Metric(
        "coverage",
        _coverage,
        needs=("truth", "error"),
        columns=(
            Column(
                "coverage_68", _mean_of(0), "share of the truth within 1 error; mean", "cover68"
            ),
            Column(
                "coverage_95", _mean_of(1), "share of the truth within 1.96 errors; mean", "cover95"
            ),
        ),
    ),
    Metric("half_light_radius", _radius, (), "arcsec", told=True, label="R50 ['']"),
    Metric("magnitude", _magnitude, (), "mag", told=True, label="AB mag", form="{:.2f}"),
)
"""All metrics, in the order in which they are printed."""

COLUMNS: dict[str, tuple[Metric, Column]] = {
    column.name: (metric, column) for metric in METRICS for column in metric.columns
}
"""Columns of the table of methods by their names, each with what it is made of."""


def measure(recovered: Recovered, metrics: Iterable[Metric]) -> dict[str, Value]:
    """Return those of the metrics for which all that they need is known, by name."""
    return {one.name: one.measure(recovered) for one in metrics if one.possible(recovered)}


def measure_for_table(recovered: Recovered) -> dict[str, Value]:
    """Return the values of one galaxy of which the table of methods is made."""
    return measure(recovered, (one for one in METRICS if one.columns))


def measure_one(recovered: Recovered) -> dict[str, float | None]:
    """Return what is told of a single recovery; None where a number isn't defined."""
    found = measure(recovered, (one for one in METRICS if one.told))
    return {n: float(value) if np.isfinite(value) else None for n, value in found.items()}


def measure_followed(recovered: Recovered) -> dict[str, Value]:
    """Return the values of one galaxy that are followed while a network is trained."""
    wanted = (one for one in METRICS if any(column.followed for column in one.columns))
    return measure(recovered, wanted)


def reduce_followed(rows: Sequence[Mapping[str, Value]]) -> dict[str, float]:
    """Return the followed columns of many galaxies, reduced as in the table of methods."""
    found = {}
    for name, (metric, column) in COLUMNS.items():
        if column.followed and metric.name in rows[0]:
            values = np.array([row[metric.name] for row in rows], dtype=np.float64)
            values = values[np.isfinite(values)]
            found[name] = float(column.reduce(values[None])[0]) if values.size else float("nan")
    return found


def magnitude_of(flux: float) -> float:
    """Return the AB magnitude of a flux in nJy, NaN if that isn't positive."""
    return float(NANOJANSKY_ZERO_POINT - 2.5 * np.log10(flux)) if flux > 0 else float("nan")
