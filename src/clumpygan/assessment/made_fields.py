"""Velocity maps of made galaxies, with noise of their own or seen as those of a set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.settings import KinematicsSettings
from clumpygan.evaluation.cubes.line_maps import CubeAxes, LineMaps, line_maps
from clumpygan.evaluation.cubes.seen_fields import SeenField, choose_seen, see_field
from clumpygan.evaluation.cubes.velocity_fields import LEAST_SPAXELS, VelocityField
from clumpygan.galaxies.disks.cube_conditions import SEEING
from clumpygan.generation.cubes import GeneratedCubes, generate_cubes
from clumpygan.generation.settings import NETWORK

PAIRS = (
    ("half_light_radius", "maximum_velocity"),
    ("flux", "maximum_velocity"),
)
"""Parameters of made galaxies whose logarithms are correlated."""

SHARP: dict[str, Any] = {
    "seeing": 0.2,
    "half_light_radius": (0.5, 0.9),
    "pixel_scale": 0.1,
    "shape": (24, 48, 48),
}
"""Of galaxies that are seen as observed ones, which have two to six beams in their radius: more."""

_FAINTEST = 0.03
"""Of the brightest spaxel, of those: an exponential disk has that at 2.1 half-light radii."""


def made_fields(
    settings: KinematicsSettings,
    choice: dict[str, Any],
    observed: Sequence[SeenField] = (),
    progress: Progress = silent,
) -> tuple[list[VelocityField], dict[str, float]]:
    """Make cubes, and measure their maps as those of observed cubes.

    Parameters
    ----------
    settings : KinematicsSettings
    choice : dict
        Of `CubesSettings`: who makes them.
    observed : sequence of SeenField
        In whose places they are put, if there are any; else they have white noise.
    progress : callable, optional

    Returns
    -------
    fields : list of VelocityField
    correlations : dict of str to float
        Of the logarithms of `PAIRS` of parameters.
    """
    stage = str(choice.get("checkpoint", choice["population"]))
    own = {"noiseless": True} if observed else {"signal_to_noise": settings.cube_signal_to_noise}
    if observed and choice["population"] != NETWORK:
        own |= SHARP
    made = generate_cubes(
        settings.n,
        seed=settings.seed,
        device=settings.device,
        progress=partial(_made, progress, settings.n, f"making {stage}"),
        **own,
        **choice,
    )
    axes = CubeAxes.of(made.frame)
    if observed:
        clean = line_maps(made.cubes, axes, noisy=False, faintest=_FAINTEST)
        fields = list(_seen(_fields(made, clean, stage), observed, settings.seed, progress))
    else:
        assert made.variance is not None
        noisy = line_maps(made.cubes / np.sqrt(made.variance), axes, noisy=True)
        fields = _fields(made, noisy, stage)
    correlations = {}
    for one, other in PAIRS:
        values = np.log10([np.asarray(made.table[name], dtype=np.float64) for name in (one, other)])
        correlations[f"{one}, {other}"] = float(np.corrcoef(values)[0, 1])
    return fields, correlations


def _made(progress: Progress, count: int, stage: str, done: int) -> None:
    progress(done, count, stage)


def _fields(made: GeneratedCubes, maps: LineMaps, stage: str) -> list[VelocityField]:
    scale = made.frame.grid.pixel_scale
    seeing: NDArray[np.float64] = np.asarray(made.table[SEEING], dtype=np.float64) / scale
    return [
        VelocityField(
            f"{stage} {i}", maps.velocity[i], maps.velocity_error[i], float(seeing[i]),
            np.where(maps.mask[i], maps.flux[i], np.nan), maps.dispersion[i],
        )
        for i in range(len(maps))
    ]  # fmt: skip


def _seen(
    fields: Sequence[VelocityField],
    observed: Sequence[SeenField],
    seed: int,
    progress: Progress,
) -> Iterator[VelocityField]:
    """Put each galaxy in the place of an observed one, as far as one has as few beams."""
    for place, field in enumerate(fields):
        progress(1, len(fields), "seeing them as observed")
        if field.known.sum() < LEAST_SPAXELS:
            continue
        generator = np.random.default_rng((seed, place))
        made = SeenField.of(field)
        chosen = choose_seen(made, observed, generator)
        seen = None if chosen is None else see_field(made, chosen, generator)
        if seen is not None:
            yield seen
