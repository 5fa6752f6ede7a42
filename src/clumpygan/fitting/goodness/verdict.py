"""The verdict of a fit, in one place: good, doubtful and why, or no detection."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.fitting.goodness.misfit import Misfit
from clumpygan.fitting.goodness.noise import NoiseCheck
from clumpygan.fitting.goodness.remains import Remains, chance_of, places_of
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.fitting.target import Target

GOOD, DOUBTFUL, NO_DETECTION, FAILED = "good", "doubtful", "no detection", "failed"
"""The words: FAILED is for cubes that couldn't be fitted, and of which there is no result."""

LIMIT = "(95 %): at the end of its prior"
"""In the remark about a limit."""

_CHANCE = 1e-3
"""Probability that noise alone does as well, above which nothing is detected."""

_LEFT = 0.25
"""Share of the light that a model leaves, above which it isn't that of this galaxy."""

_SURE = 5.0
"""Standard errors by which chi^2 is too large where there is signal, for that share to count."""

_CUT = 0.1
"""Share of the peak of the spectrum in the first or last channel, above which it is cut off."""

_RISING = 2.0
"""Turnover radius over half-light radius, above which the curve rises over all of the light."""

_FAR_TOO_FEW = 0.25
"""Share of the effective draws that are wanted, below which they aren't enough."""

_MOST_NAMED = 3


@dataclass(frozen=True)
class Verdict:
    """What to think of a fit.

    Attributes
    ----------
    word : str
        "good"; "doubtful", with reasons; or "no detection".
    reasons : tuple of str
        Why it isn't good, and what to try, one line each.
    remarks : tuple of str
        What else is to be known: limits, the variance that was used.
    gain : float
        Chi^2 of no galaxy minus that of the model, in noise as the line-free voxels have it.
    chance : float
        Upper limit of the probability that noise alone gains as much.
    chi_squared_of_signal : float
        Per voxel, where data or model have signal.
    share_left : float
        Of the light there that the model leaves.
    variance_factor : float or None
        By which the variance had to be multiplied, from line-free voxels.
    misfit : float
        By which all errors were widened, for residuals that neighbours share.
    departure : float
        What the model gets wrong of its light, root mean square.
    """

    word: str
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    gain: float = 0.0
    chance: float = 0.0
    chi_squared_of_signal: float = 1.0
    share_left: float = 0.0
    variance_factor: float | None = None
    misfit: float = 1.0
    departure: float = 0.0

    def numbers(self) -> dict[str, Any]:
        """Return all but words, for JSON."""
        return {name: value for name, value in asdict(self).items()
                if name not in ("word", "reasons", "remarks")}  # fmt: skip


@dataclass(frozen=True)
class Detection:
    """Whether there is a galaxy.

    Attributes
    ----------
    gain : float
        Chi^2 of no galaxy minus that of the model, in noise as the line-free voxels have it.
    chance : float
        Upper limit of the probability that noise alone gains as much anywhere in the cube.
    """

    gain: float
    chance: float

    @property
    def certain(self) -> bool:
        """Whether it is more than chance."""
        return self.chance < _CHANCE


def detect(target: Target, optimum: Optimum, noise: NoiseCheck) -> Detection:
    """Compare what the best model gains with what noise alone would let it gain.

    Parameters
    ----------
    target : Target
    optimum : Optimum
    noise : NoiseCheck
        Noise that neighbours share, as far as the likelihood doesn't know of it, makes the gain
        worth less.
    """
    likelihood, observation = target.likelihood, target.likelihood.observation
    gain = 2 * likelihood.log_likelihood(optimum.residuals)
    cube = target.renderer(target.coordinates.vectors(optimum.coordinates)[None])[0]
    pattern = np.where(observation.valid, cube / np.sqrt(observation.variance), 0.0)
    shared = noise.inflation(pattern) if likelihood.settings.correlated != "covariance" else 1.0
    gain /= max(shared / likelihood.shared, 1.0) ** 2
    count = target.coordinates.count
    return Detection(gain, chance_of(gain, count, places_of(observation)))


def judge(
    table: Table,
    values: Mapping[str, float],
    optimum: Optimum,
    draws: Draws,
    detection: Detection,
    remains: Remains,
    noise: NoiseCheck,
    misfit: Misfit,
    *,
    corrected: bool,
    velocities: NDArray[np.float64],
    continuum: bool = False,
    wanted: int = 0,
) -> Verdict:
    """Judge a fit.

    Parameters
    ----------
    table : Table
        As `tabulate` returns it.
    values : mapping of str to float
        Most probable values of all parameters.
    optimum, draws, detection, remains, noise, misfit
        What is known of the fit.
    corrected : bool
        Whether the variance was multiplied with the factor of `noise`.
    velocities : ndarray (v,)
        Of the channels, km/s.
    continuum : bool
        Whether the model has one.
    wanted : int
        Effective draws.
    """
    remarks = [*_of_noise(noise, corrected), *of_limits(table), *a_few_less(draws, wanted)]
    if misfit.rules:
        remarks.append(
            f"errors are {misfit.factor:.2g} times those of independent noise: the residuals allow "
            f"lumps of {100 * misfit.amplitude:.0f} % of the light, and streams and warps with them"
        )
    if not detection.certain:
        word, reasons = NO_DETECTION, _nothing(table, detection, remains)
    else:
        reasons = [
            *of_convergence(optimum, draws, wanted),
            *_of_data(remains, values, velocities, continuum),
            *_of_light(remains),
            *_of_curve(table, values["half_light_radius"]),
        ]
        word = DOUBTFUL if reasons else GOOD
    factor = noise.factor
    return Verdict(
        word, tuple(reasons), tuple(remarks), detection.gain, detection.chance,
        remains.chi_squared, remains.share, factor, misfit.factor,
        misfit.amplitude,
    )  # fmt: skip


def _nothing(table: Table, detection: Detection, remains: Remains) -> list[str]:
    reasons = [
        f"noise alone lets a model gain chi^2 {max(detection.gain, 0.0):.0f} with {len(table)} free"
        f" parameters somewhere in the cube (probability up to {detection.chance:.2g})"
    ]
    for row in table:
        if row["name"] == "flux":
            limit = row["best"] + 1.645 * row["deviation"]
            reasons[0] += f": flux < {limit:.3g} {row['unit']} (95 %)"
    if remains.negative:
        reasons.append("a line in absorption stands out of the data: models shine, and have none")
    return reasons


def _of_noise(noise: NoiseCheck, corrected: bool) -> list[str]:
    if not noise.wrong or noise.factor is None:
        return []
    factor = noise.factor
    words = f"{factor:.3g} times too small" if factor > 1 else f"{1 / factor:.3g} times too large"
    low, high = float(noise.channels.min()), float(noise.channels.max())
    if high > 1.5 * low:
        words += f", from channel to channel by {low:.2g} to {high:.2g}"
    done = "corrected" if corrected else "not corrected, as `noise_scale` is given"
    return [f"the variance is {words}, as line-free voxels have it: {done}"]


def of_limits(table: Table) -> list[str]:
    """Return a remark for each parameter at the end of its prior."""
    return [
        f"{' '.join(f'{row[name]}' for name in ('name', 'limit', 'unit') if row[name])} {LIMIT} "
        f"{row['prior']}"
        for row in table
        if row["limit"]
    ]


def of_convergence(optimum: Optimum, draws: Draws, wanted: int) -> list[str]:
    """Return why optimum or draws aren't what they should be."""
    reasons = []
    if not optimum.converged:
        reasons.append(
            f"the optimum wasn't reached in {optimum.steps} steps: the next would gain "
            f"{optimum.gain:.2g} in log density; try `start` or `fix`"
        )
    return reasons + [text for text in draws.problems if text not in a_few_less(draws, wanted)]


def a_few_less(draws: Draws, wanted: int) -> list[str]:
    """Return what is said of draws that are enough for errors, if fewer than were wanted."""
    if draws.effective.min() < _FAR_TOO_FEW * wanted:
        return []
    return [text for text in draws.problems if "effective draws" in text]


def _of_data(
    remains: Remains,
    values: Mapping[str, float],
    velocities: NDArray[np.float64],
    continuum: bool,
) -> list[str]:
    reasons = []
    for (v, y, x), sigma in remains.hot[:_MOST_NAMED]:
        reasons.append(
            f"a single voxel, (v, y, x) = ({v}, {y}, {x}), is {sigma:+.0f} sigma off: a cosmic ray "
            "or a hot pixel; put it into `mask`"
        )
    if remains.continuum and not continuum:
        reasons.append(
            f"continuum is left, {100 * remains.continuum:+.0f} % of the line's peak: try "
            "`subtract_continuum` or `free` continuum"
        )
    for one in remains.others[:_MOST_NAMED]:
        relative = one.velocity - values["systemic_velocity"]
        where = f"x = {one.x:+.1f}, y = {one.y:+.1f} arcsec, {relative:+.0f} km/s from the disk"
        what = (
            "light on the galaxy at velocities that it hasn't, another line perhaps"
            if one.same_place
            else "another source"
        )
        remedy = "`line` or `velocity_range`" if one.same_place else "`mask` or `size`"
        reasons.append(
            f"{what}: {where}, {100 * one.share:.0f} % of its flux, S/N "
            f"{one.signal_to_noise:.0f}; try {remedy}"
        )
    if max(remains.cut) > _CUT and not continuum:
        ends = [
            f"{velocities[place]:.0f} km/s ({100 * share:.0f} % of its peak)"
            for place, share in zip((0, -1), remains.cut, strict=True)
            if share > _CUT
        ]
        reasons.append(
            f"the line runs out of the channels at {' and '.join(ends)}: take more of them, or "
            "another `redshift`"
        )
    return reasons


def _of_light(remains: Remains) -> list[str]:
    certain = remains.chi_squared > 1 + _SURE * remains.expected
    if not certain or remains.share < _LEFT:
        return []
    remedy = "try another `light`, `curve`, or `clumps`"
    if len(remains.peaks) > 1:
        named = ", ".join(f"({x:+.1f}, {y:+.1f})" for x, y in remains.peaks[:_MOST_NAMED])
        remedy = (
            f"its map has peaks at (x, y) = {named} arcsec: another source (try `mask` or `size`), "
            "a ring or clumps (`light`, `clumps`)"
        )
    return [
        f"the model leaves {100 * remains.share:.0f} % of the light, chi^2 "
        f"{remains.chi_squared:.3g} per voxel where there is signal: {remedy}"
    ]


def _of_curve(table: Table, size: float) -> list[str]:
    turns = [float(row["median"]) for row in table if row["name"] == "turnover_radius"]
    return [
        f"the curve rises over all of the light (turnover radius {turn:.2g}, half-light radius "
        f"{size:.2g} arcsec): maximum_velocity is extrapolated; try `prior` or `fix`"
        for turn in turns
        if turn > _RISING * size
    ]
