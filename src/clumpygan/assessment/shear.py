"""How well the shear of single disks is measured: a forecast, and fits of mocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.settings import ShearSettings
from clumpygan.data.cubes.frame import CubeFrame, frame_of, make_frame
from clumpygan.data.cubes.frame_settings import FrameSettings
from clumpygan.engine import open_engine
from clumpygan.fitting import DiskFitter, FitPrior, tully_fisher_prior
from clumpygan.fitting.forecast import expected_covariance, shear_along, shear_errors
from clumpygan.galaxies import GALPAK_HEIGHT, CubeRenderer, DiskModel, DiskParameters
from clumpygan.galaxies.disks.disk_model import GALPAK_ASPECT

FloatArray = NDArray[np.float64]

MODEL = DiskModel()
SHEAR = ("g1", "g2")
EXPONENTIAL = {"sersic_index": 1.0}
"""The light of the mocks, which the fits are told."""

PUBLISHED = (0.02, 0.04)
"""Errors of a single disk: Kinematic Lensing Inference I (2022), MIRoRS (2024)."""

_LARGEST_SHEAR = 0.05
_LOG_MASSES = (9.9, 11.1)
"""Of the stellar mass: 121 to 262 km/s by the Tully-Fisher relation."""

_SIZES, _INCLINATIONS = (1.5, 4.0), (30.0, 80.0)
_ANGLE = 25.0
"""Position angle of the galaxies of the forecast; which it is hardly matters."""

_ACCURACY = 1e-4


@dataclass(frozen=True)
class MockDisks:
    """Whose shear is measured.

    Attributes
    ----------
    frame : FrameSettings
        Of the cubes.
    scatter : float or None
        Of the Tully-Fisher relation in dex, whose prior is used; None for a flat prior.
    seed : int
    """

    frame: FrameSettings
    scatter: float | None
    seed: int


@dataclass(frozen=True, eq=False)
class ShearReport:
    """How well the shear of single disks is measured.

    Attributes
    ----------
    settings : ShearSettings
    frame : FrameSettings
    sensitivity : astropy.table.Table
        The forecast: columns `tully_fisher`, `signal_to_noise`, `size`, `inclination`, `along`,
        `across`, `mean`.
    mocks : list of dict
        As `measure_mock` returns them; empty if none were asked for.
    bias : dict, optional
        As `bias_of` returns it.
    """

    settings: ShearSettings
    frame: FrameSettings
    sensitivity: Table
    mocks: list[dict[str, float]]
    bias: dict[str, float] | None

    def __str__(self) -> str:
        """Return the forecast and what the fits of mocks say."""
        lines = _forecast_lines(self.sensitivity)
        if self.bias is not None:
            lines += _bias_lines(self.bias, self.settings)
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers and settings for JSON."""
        settings = self.settings
        names = self.sensitivity.colnames
        return {
            "settings": {
                "frame": asdict(self.frame),
                "tully_fisher_scatter_dex": settings.scatter if settings.tully_fisher else None,
                "signal_to_noise": settings.signal_to_noise,
                "n": settings.n,
                "seed": settings.seed,
            },
            "sensitivity": [{n: row[n].item() for n in names} for row in self.sensitivity],
            "mocks": self.mocks,
            "bias": self.bias,
            "published_error": list(PUBLISHED),
        }


def shear_forecast(
    settings: ShearSettings | None = None, *, progress: Progress = silent, **given: Any
) -> ShearReport:
    """Forecast the errors of the shear of single disks, and fit mocks.

    Parameters
    ----------
    settings : ShearSettings, optional
    progress : callable, optional
        Called with how many mocks were fitted, of how many, and the name of the stage.
    **given
        Settings by their names, in place of `settings`.

    Returns
    -------
    ShearReport

    Raises
    ------
    InputError
        For a galaxy or a frame that can't be.
    """
    settings = settings or ShearSettings(**given)
    frame = frame_of(settings.frame)
    with_prior = MockDisks(frame, settings.scatter, settings.seed)
    without = MockDisks(frame, None, settings.seed)
    sensitivity = Table(
        [
            {"tully_fisher": disks.scatter is not None, **forecast(disks, ratio, size, tilt)}
            for disks in (with_prior, without)
            for ratio in settings.signals
            for size in settings.sizes
            for tilt in settings.inclinations
        ]
    )
    job = partial(
        measure_mock, with_prior if settings.tully_fisher else without, settings.signal_to_noise
    )
    mocks = []
    with open_engine(settings.n, settings.workers, settings.cluster) as engine:
        for mock in engine.map(job, range(settings.n)):
            mocks.append(mock)
            progress(1, settings.n, "fitting mocks")
    return ShearReport(settings, frame, sensitivity, mocks, bias_of(mocks) if mocks else None)


@lru_cache(maxsize=1)
def _frame(settings: FrameSettings) -> CubeFrame:
    return make_frame(settings)


def _fitter(disks: MockDisks, log_mass: float) -> DiskFitter:
    priors: dict[str, str | FitPrior] = {}
    if disks.scatter is not None:
        priors["maximum_velocity"] = tully_fisher_prior(log_mass, disks.scatter)
    return DiskFitter(MODEL, _frame(disks.frame), free=SHEAR, fixed=EXPONENTIAL, priors=priors)


def forecast(
    disks: MockDisks, signal_to_noise: float, size: float, inclination: float
) -> dict[str, float]:
    """Return the errors of the shear of one galaxy that a fit is expected to have.

    Parameters
    ----------
    disks : MockDisks
    signal_to_noise : float
        Of the brightest voxel.
    size : float
        Half-light radius over half the FWHM of the PSF.
    inclination : float
        Degrees.
    """
    log_mass = float(np.mean(_LOG_MASSES))
    values = _galaxy(disks, log_mass, 0.0, size, inclination, _ANGLE, 0.3, 35.0)
    galaxy = DiskParameters.from_dict(values, MODEL)
    names, covariance = expected_covariance(_fitter(disks, log_mass), galaxy, signal_to_noise)
    return {
        "signal_to_noise": signal_to_noise,
        "size": size,
        "inclination": inclination,
        **shear_errors(names, covariance, _ANGLE),
    }


def measure_mock(disks: MockDisks, signal_to_noise: float, index: int) -> dict[str, float]:
    """Fit one mock; return its truth, its shear with errors, and whether the fit is good.

    Mocks come in pairs of the same galaxy with opposite noise and on opposite sides of the
    Tully-Fisher relation, so that what is left of their mean is bias, to first order.
    """
    random = np.random.default_rng((disks.seed, index // 2))
    side = 1.0 if index % 2 == 0 else -1.0
    log_mass = random.uniform(*_LOG_MASSES)
    deviation = side * random.standard_normal()
    tilt = np.degrees(np.arccos(random.uniform(*sorted(np.cos(np.radians(_INCLINATIONS))))))
    values = _galaxy(
        disks,
        log_mass,
        deviation,
        random.uniform(*_SIZES),
        float(tilt),
        random.uniform(0.0, 360.0),
        random.uniform(0.15, 0.5),
        random.uniform(20.0, 60.0),
    )
    for name in SHEAR:
        values[name] = random.uniform(-_LARGEST_SHEAR, _LARGEST_SHEAR)
    galaxy = DiskParameters.from_dict(values, MODEL)
    frame = _frame(disks.frame)
    clean = CubeRenderer(frame.grid, MODEL, frame.transfer, _ACCURACY)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / signal_to_noise
    noisy = clean + side * sigma * random.standard_normal(clean.shape)
    result = _fitter(disks, log_mass).fit(noisy, sigma**2, seed=index)
    rows = {str(row["name"]): row for row in result.table}
    found = {"index": float(index), "signal_to_noise": signal_to_noise}
    found |= {name: values[name] for name in ("inclination", "position_angle", *SHEAR)}
    found["size"] = 2 * values["half_light_radius"] / _width(frame)
    found["good"] = float(result.converged)
    places = [list(rows).index(name) for name in SHEAR]
    draws = np.stack([np.asarray(result.samples[name]) for name in SHEAR])
    for name, place in zip(SHEAR, places, strict=True):
        found[f"{name}_mean"] = float(result.table["mean"][place])
        found[f"{name}_deviation"] = float(result.table["deviation"][place])
        found[f"{name}_lower"] = float(result.table["lower"][place])
        found[f"{name}_upper"] = float(result.table["upper"][place])
    found["covariance"] = float(np.cov(draws)[0, 1])
    axes = shear_along(values["position_angle"], *draws)
    true = shear_along(values["position_angle"], *(np.asarray(values[name]) for name in SHEAR))
    for name, samples, truth in zip(("along", "across"), axes, true, strict=True):
        found[f"{name}_bias"] = float(samples.mean() - truth)
        found[f"{name}_deviation"] = float(samples.std())
    return found


def _width(frame: CubeFrame) -> float:
    """Return the FWHM of the PSF, or a pixel if it is narrower."""
    return max(frame.psf_fwhm or 0.0, frame.grid.pixel_scale)


def _galaxy(
    disks: MockDisks,
    log_mass: float,
    deviation: float,
    size: float,
    inclination: float,
    angle: float,
    turnover: float,
    dispersion: float,
) -> dict[str, float]:
    """Return the parameters of a galaxy, `deviation` scatters off the Tully-Fisher relation."""
    scatter = (
        tully_fisher_prior(log_mass).width
        if disks.scatter is None
        else (disks.scatter * np.log(10))
    )
    speed = tully_fisher_prior(log_mass).centre * np.exp(deviation * scatter)
    radius = 0.5 * size * _width(_frame(disks.frame))
    return {
        "flux": 1.0,
        "half_light_radius": radius,
        "inclination": inclination,
        "position_angle": angle,
        "maximum_velocity": float(speed),
        "turnover_radius": turnover * radius,
        "velocity_dispersion": dispersion,
        "scale_height": radius * GALPAK_ASPECT / GALPAK_HEIGHT[MODEL.vertical],
    }


def bias_of(mocks: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return what the fits of mocks say of the shear.

    `bias_g1` and `bias_g2`, the mean of estimate minus truth, each fit weighted with the inverse of
    its covariance, as a survey would weight it; `effective_error`, the error of one disk in such a
    mean; `slope`, that of estimate over truth minus 1, weighted alike; the same without weights as
    `plain_bias`, `error` (rms of estimate minus truth) and `stated_error` (rms of the errors that
    the fits state), also along and across the major axes; `coverage_percent` of 68 % intervals.
    Standard errors are from a jackknife over pairs.
    """
    away = np.array([[m[f"{n}_mean"] - m[n] for n in SHEAR] for m in mocks])
    truth = np.array([[m[n] for n in SHEAR] for m in mocks])
    stated = np.array([[m[f"{n}_deviation"] for n in SHEAR] for m in mocks])
    inside = [m[f"{n}_lower"] <= m[n] <= m[f"{n}_upper"] for m in mocks for n in SHEAR]
    both = np.array([m["covariance"] for m in mocks])
    spread = stated[:, :, None] ** 2 * np.eye(2)
    spread[:, 0, 1] = spread[:, 1, 0] = both
    sharpness = np.linalg.inv(spread)

    def estimates(chosen: NDArray[np.bool_]) -> FloatArray:
        """Return weighted bias (2), slope and plain bias (2)."""
        weights, left, true = sharpness[chosen], away[chosen], truth[chosen]
        pulled = np.einsum("nij,nj->ni", weights, left)
        slope = (true * pulled).sum() / np.einsum("ni,nij,nj->", true, weights, true)
        weighted = np.linalg.solve(weights.sum(0), pulled.sum(0))
        return np.array([*weighted, slope, *left.mean(0)])

    pair = np.arange(len(mocks)) // 2
    everything = estimates(pair >= 0)
    without = np.array([estimates(pair != one) for one in np.unique(pair)])
    count = len(without)
    errors = np.sqrt((count - 1) * without.var(axis=0))
    found: dict[str, float] = {"mocks": len(mocks), "good": sum(int(m["good"]) for m in mocks)}
    names = ("bias_g1", "bias_g2", "slope", "plain_bias_g1", "plain_bias_g2")
    for name, value, error in zip(names, everything, errors, strict=True):
        found |= {name: float(value), f"{name}_error": float(error)}
    found |= {
        "effective_error": float(np.sqrt(2 * len(mocks) / np.trace(sharpness.sum(0)))),
        "error": float(np.sqrt(np.square(away).mean())),
        "stated_error": float(np.sqrt(np.square(stated).mean())),
        "coverage_percent": 100 * float(np.mean(inside)),
    }
    for axis in ("along", "across"):
        values = np.array([m[f"{axis}_bias"] for m in mocks])
        found[f"bias_{axis}"] = float(values.mean())
        found[f"error_{axis}"] = float(np.sqrt(np.square(values).mean()))
        own = [m[f"{axis}_deviation"] for m in mocks]
        found[f"stated_error_{axis}"] = float(np.sqrt(np.square(own).mean()))
    return found


def _forecast_lines(sensitivity: Table) -> list[str]:
    """Return the forecast for people: the rms error of g1 and g2, a line for each S/N."""
    lines: list[str] = []
    for prior in (True, False):
        part = sensitivity[sensitivity["tully_fisher"] == prior]
        tilts = sorted(set(part["inclination"].tolist()))
        head = "with the Tully-Fisher prior" if prior else "without it"
        lines.append(f"error of g1, g2 of one disk, {head}, at inclinations of")
        lines.append(f"{'S/N':>6s} {'size':>5s}" + "".join(f"{tilt:8.0f}" for tilt in tilts))
        for ratio, size in dict.fromkeys(zip(part["signal_to_noise"], part["size"], strict=True)):
            rows = part[(part["signal_to_noise"] == ratio) & (part["size"] == size)]
            rows.sort("inclination")
            errors = "".join(f"{error:8.3f}" for error in rows["mean"])
            lines.append(f"{ratio:6g} {size:5g}{errors}")
    return lines


def _bias_lines(bias: dict[str, float], settings: ShearSettings) -> list[str]:
    """Return what the fits of mocks say, for people."""
    prior = "with" if settings.tully_fisher else "without"
    return [
        f"{bias['mocks']} mocks at S/N {settings.signal_to_noise:g}, {prior} the Tully-Fisher "
        f"prior, {bias['good']} fits to be relied on:",
        *(
            f"  bias of {name} {bias[f'bias_{name}']:+.4f} +- {bias[f'bias_{name}_error']:.4f} "
            f"(without weights {bias[f'plain_bias_{name}']:+.4f} +- "
            f"{bias[f'plain_bias_{name}_error']:.4f})"
            for name in ("g1", "g2")
        ),
        f"  slope of measured over true shear {1 + bias['slope']:.3f} +- {bias['slope_error']:.3f}",
        f"  error of one disk in a weighted mean {bias['effective_error']:.4f}; published: "
        f"{PUBLISHED[0]:g} to {PUBLISHED[1]:g}",
        f"  rms along the major axis {bias['error_along']:.4f} (stated "
        f"{bias['stated_error_along']:.4f}), across {bias['error_across']:.4f} (stated "
        f"{bias['stated_error_across']:.4f})",
        f"  68 % intervals with the truth in them: {bias['coverage_percent']:.0f} %",
    ]
