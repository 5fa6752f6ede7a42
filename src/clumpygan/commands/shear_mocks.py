"""Mock disks whose shear is measured: what `evaluate.py shear` fits and forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clumpygan.data.cube_frame import CubeFrame, FrameSettings, make_frame
from clumpygan.fitting import DiskFitter, FitPrior, tully_fisher_prior
from clumpygan.fitting.choices import GALPAK_ASPECT
from clumpygan.fitting.forecast import expected_covariance, shear_along, shear_errors
from clumpygan.galaxies import GALPAK_HEIGHT, CubeRenderer, DiskModel, DiskParameters

FloatArray = NDArray[np.float64]

MODEL = DiskModel()
SHEAR = ("g1", "g2")

_LARGEST_SHEAR = 0.05
_LOG_MASSES = (9.9, 11.1)
"""Of the stellar mass: 121 to 262 km/s by the Tully-Fisher relation."""

_SIZES, _INCLINATIONS = (1.5, 4.0), (30.0, 80.0)
_ANGLE = 25.0
"""Position angle of the galaxies of the forecast; which it is hardly matters."""

_ACCURACY = 1e-4


@dataclass(frozen=True)
class ShearSettings:
    """What is measured.

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


@lru_cache(maxsize=1)
def _frame(settings: FrameSettings) -> CubeFrame:
    return make_frame(settings)


def _fitter(settings: ShearSettings, log_mass: float) -> DiskFitter:
    priors: dict[str, str | FitPrior] = {}
    if settings.scatter is not None:
        priors["maximum_velocity"] = tully_fisher_prior(log_mass, settings.scatter)
    return DiskFitter(MODEL, _frame(settings.frame), free=SHEAR, priors=priors)


def forecast(
    settings: ShearSettings, signal_to_noise: float, size: float, inclination: float
) -> dict[str, float]:
    """Return the errors of the shear of one galaxy that a fit is expected to have.

    Parameters
    ----------
    settings : ShearSettings
    signal_to_noise : float
        Of the brightest voxel.
    size : float
        Half-light radius over half the FWHM of the PSF.
    inclination : float
        Degrees.
    """
    log_mass = float(np.mean(_LOG_MASSES))
    values = _galaxy(settings, log_mass, 0.0, size, inclination, _ANGLE, 0.3, 35.0)
    galaxy = DiskParameters.from_dict(values, MODEL)
    names, covariance = expected_covariance(_fitter(settings, log_mass), galaxy, signal_to_noise)
    return {
        "signal_to_noise": signal_to_noise,
        "size": size,
        "inclination": inclination,
        **shear_errors(names, covariance, _ANGLE),
    }


def measure_mock(settings: ShearSettings, signal_to_noise: float, index: int) -> dict[str, float]:
    """Fit one mock; return its truth, its shear with errors, and whether the fit is good.

    Mocks come in pairs of the same galaxy with opposite noise and on opposite sides of the
    Tully-Fisher relation, so that what is left of their mean is bias, to first order.
    """
    random = np.random.default_rng((settings.seed, index // 2))
    side = 1.0 if index % 2 == 0 else -1.0
    log_mass = random.uniform(*_LOG_MASSES)
    deviation = side * random.standard_normal()
    tilt = np.degrees(np.arccos(random.uniform(*sorted(np.cos(np.radians(_INCLINATIONS))))))
    values = _galaxy(
        settings,
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
    frame = _frame(settings.frame)
    clean = CubeRenderer(frame.grid, MODEL, frame.transfer, _ACCURACY)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / signal_to_noise
    noisy = clean + side * sigma * random.standard_normal(clean.shape)
    result = _fitter(settings, log_mass).fit(noisy, sigma**2, seed=index)
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
    true = shear_along(values["position_angle"], values["g1"], values["g2"])
    for name, samples, truth in zip(("along", "across"), axes, true, strict=True):
        found[f"{name}_bias"] = float(samples.mean() - truth)
        found[f"{name}_deviation"] = float(samples.std())
    return found


def _width(frame: CubeFrame) -> float:
    """Return the FWHM of the PSF, or a pixel if it is narrower."""
    return max(frame.psf_fwhm or 0.0, frame.grid.pixel_scale)


def _galaxy(
    settings: ShearSettings,
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
        if settings.scatter is None
        else (settings.scatter * np.log(10))
    )
    speed = tully_fisher_prior(log_mass).centre * np.exp(deviation * scatter)
    radius = 0.5 * size * _width(_frame(settings.frame))
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
