"""One unit of a survey: some galaxies of a patch, cut out, recovered in one batch, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.evaluation.recovery.observed_features import observed_features
from clumpygan.evaluation.recovery.sources import find_sources
from clumpygan.io.wcs import sky_of
from clumpygan.recovery.pipeline import BAD_FIT
from clumpygan.recovery.resolver import UNEVEN, SuperResolver
from clumpygan.recovery.scene import fine_mask
from clumpygan.survey.cutouts import cutout_wcs, write_cutout
from clumpygan.survey.measuring import magnitude, measure_samples
from clumpygan.survey.patches import SurveyPatch, read_patch
from clumpygan.survey.psfs import KeptPsf, psf_of
from clumpygan.survey.settings import SAMPLES, SurveySettings

GOOD = "good"

_MOST_MASKED = 0.5
"""Share of a stamp without data from which on nothing is measured."""

MOSTLY_MASKED = f"more than {100 * _MOST_MASKED:.0f} % of the stamp is masked"

_CORE = 2
"""Pixels around the position, of which some must have data."""

_APERTURE = 1.0
"""Arcsec, of the depth."""

Row = dict[str, Any]


class Galaxy(NamedTuple):
    """One galaxy of a unit.

    Attributes
    ----------
    id : str
    ra, dec, x, y : float
    psf : pathlib.Path or None
        File; None for the FWHM of the settings.
    """

    id: str
    ra: float
    dec: float
    x: float
    y: float
    psf: Path | None


@dataclass(frozen=True)
class Unit:
    """Galaxies that are recovered together.

    Attributes
    ----------
    number : int
    patch : pathlib.Path
    galaxies : tuple of Galaxy
    """

    number: int
    patch: Path
    galaxies: tuple[Galaxy, ...]


class _Stamp(NamedTuple):
    galaxy: Galaxy
    row: Row
    data: NDArray[np.float32]
    sigma: NDArray[np.float32]
    mask: NDArray[np.bool_]
    psf: KeptPsf


def recover_unit(settings: SurveySettings, unit: Unit) -> tuple[list[Row], list[Row]]:
    """Recover and measure the galaxies of a unit; write their cut-outs, if they are wanted.

    Returns
    -------
    rows, components : list of dict
        Of `columns.COLUMNS`, in the order of the galaxies, and of `columns.COMPONENTS`.

    Raises
    ------
    InputError
        If the patch, a PSF or the checkpoint can't be read.
    OSError
        If the disk is full, of cut-outs.
    """
    resolver = resolver_of(settings.checkpoint)
    weight = settings.weight_of(unit.patch)
    patch = read_patch(unit.patch, resolver.grid.observed_scale, weight)
    stamps, rows = [], []
    for galaxy in unit.galaxies:
        row, stamp = _stamp(settings, resolver, patch, galaxy)
        rows.append(row)
        stamps += [] if stamp is None else [stamp]
    components: list[Row] = []
    # Where the noise differs from pixel to pixel the network runs more often: apart from others.
    for uneven in (False, True):
        batch = [one for one in stamps if _is_uneven(one) == uneven]
        if batch:
            components += _recover(settings, resolver, patch, batch, unit.number, uneven)
    order = {galaxy.id: i for i, galaxy in enumerate(unit.galaxies)}
    return rows, sorted(components, key=lambda one: order[one["id"]])


@lru_cache(maxsize=1)
def resolver_of(checkpoint: str) -> SuperResolver:
    """Load a network once, laid out as convolutions on CPUs want it.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    resolver = SuperResolver.from_checkpoint(checkpoint)
    resolver.network.to(memory_format=torch.channels_last)
    return resolver


def _stamp(
    settings: SurveySettings, resolver: SuperResolver, patch: SurveyPatch, galaxy: Galaxy
) -> tuple[Row, _Stamp | None]:
    """Return the row of a galaxy, and its stamp if there is anything to be measured."""
    size = stamp_size(settings, resolver)
    data, sigma, mask = patch.cut(galaxy.x, galaxy.y, size)
    middle = slice(size // 2 - _CORE, size // 2 + _CORE + 1)
    row: Row = {
        "id": galaxy.id, "status": GOOD, "patch": patch.path.name, "ra": galaxy.ra,
        "dec": galaxy.dec, "x": galaxy.x, "y": galaxy.y, "masked": float(mask.mean()),
    }  # fmt: skip
    if mask[middle, middle].all():
        return row | {"status": "masked"}, None
    if mask.mean() > _MOST_MASKED:
        return row | {"status": MOSTLY_MASKED}, None
    psf = psf_of(galaxy.psf, settings.psf_fwhm, resolver.pair)
    noise = float(np.median(sigma[~mask]))
    area = np.pi * (_APERTURE / resolver.grid.observed_scale) ** 2
    row |= {"noise": noise, "depth": magnitude(5 * noise * area**0.5)}
    if resolver.population is not None:
        like = resolver.population.likeness(
            *observed_features(data, sigma, psf.fwhm, resolver.grid.observed_scale, mask)
        )
        row |= {"likeness": like.probability, "unusual": like.unusual, "differs_by": like.reason}
    return row, _Stamp(galaxy, row, data, sigma, mask, psf)


def stamp_size(settings: SurveySettings, resolver: SuperResolver) -> int:
    """Return the side of a stamp: whole blocks, an even number more than the window has."""
    block = resolver.grid.coarse_block
    blocks = max(-(-settings.stamp // block), settings.window)
    return block * (blocks + (blocks - settings.window) % 2)


def _is_uneven(stamp: _Stamp) -> bool:
    low, high = np.quantile(stamp.sigma[~stamp.mask].astype(np.float64) ** 2, (0.05, 0.95))
    return bool(high > UNEVEN * low)


def _recover(
    settings: SurveySettings,
    resolver: SuperResolver,
    patch: SurveyPatch,
    batch: Sequence[_Stamp],
    number: int,
    uneven: bool,
) -> list[Row]:
    """Recover stamps in one batch; fill their rows, and return their components."""
    observed = torch.from_numpy(np.stack([one.data for one in batch]))[:, None]
    mask = torch.from_numpy(np.stack([one.mask for one in batch]))[:, None]
    each = torch.from_numpy(np.stack([one.sigma for one in batch]))[:, None]
    sigma = torch.tensor([one.row["noise"] for one in batch], dtype=torch.float32)

    def transfer(frequencies: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return torch.stack([one.psf.transfer(frequencies) for one in batch])

    state = np.random.SeedSequence([settings.seed, number, int(uneven)]).generate_state(1)
    found = resolver.recover(
        observed, sigma, transfer, samples=settings.samples, seed=int(state[0]) % 2**31,
        noise=each if uneven else None, mask=mask, window=settings.window,
    )  # fmt: skip
    shape = (observed.shape[-2], observed.shape[-1])
    with torch.no_grad():
        again = resolver.operator(found.best, transfer(resolver.operator.frequencies(shape)))
    side = _middle(resolver.grid.coarse_block, observed.shape[-1], settings.window)
    known = ~mask[..., side, side]
    pull = ((observed - again) / each).square()[..., side, side]
    # Not by a product: what isn't known may be anything, also no number.
    chi2 = torch.where(known, pull, 0).sum((1, 2, 3)) / known.sum((1, 2, 3)).clamp_min(1)
    components: list[Row] = []
    for i, one in enumerate(batch):
        samples, best = found.samples[:, i, 0].numpy(), found.best[i, 0].numpy()
        depth = float(sigma[i]) / resolver.grid.area_ratio
        part = _middle(resolver.grid.fine_block, best.shape[0], settings.window)
        measured = measure_samples(
            samples[:, part, part], best[part, part], depth, resolver.grid.target_scale,
            resolver.survey_widening, resolver.blend_contrast,
        )  # fmt: skip
        misfit = float(chi2[i])
        one.row.update(
            {
                **measured,
                "chi2": misfit,
                "misfit": misfit > BAD_FIT,
                "seeing": one.psf.fwhm,
                "seeing_error": one.psf.fwhm_error,
            }
        )
        if settings.cutouts is not None:
            # What was sampled behind a mask is no image of the sky there.
            lost = fine_mask(one.mask, resolver.grid)[part, part]
            images = {
                "MEAN": np.where(lost, np.nan, best[part, part]),
                "ERROR": np.where(lost, np.nan, found.error[i, 0].numpy()[part, part]),
            }
            if settings.cutouts == SAMPLES:
                images["SAMPLES"] = samples[:, part, part]
            top, left = patch.corner(one.galaxy.x, one.galaxy.y, len(one.data))
            wcs = cutout_wcs(patch.wcs, (top + side.start, left + side.start), resolver.grid)
            one.row["cutout"] = write_cutout(
                settings.output, number, one.row, images, wcs, resolver.grid
            )
        components += _components(resolver, patch, one, samples[:, part, part], best, part, depth)
    return components


def _middle(block: int, side: int, window: int) -> slice:
    """Return the pixels in which the network has worked, of a stamp with so many in a block."""
    width = window * block
    first = (side - width) // 2
    return slice(first, first + width)


def _components(
    resolver: SuperResolver,
    patch: SurveyPatch,
    stamp: _Stamp,
    samples: NDArray[np.float32],
    best: NDArray[np.float32],
    part: slice,
    depth: float,
) -> list[Row]:
    """Return a row for each source that the samples show."""
    from clumpygan.evaluation.recovery.fidelity import nucleus_of

    grid = resolver.grid
    nucleus = nucleus_of(best[part, part], grid.target_scale)
    top, left = patch.corner(stamp.galaxy.x, stamp.galaxy.y, len(stamp.data))
    rows = []
    for source in find_sources(samples, depth, nucleus, grid.target_scale):
        # Both stamps have the same edges.
        y, x = (
            corner + (place + part.start + 0.5) * grid.target_scale / grid.observed_scale - 0.5
            for corner, place in ((top, source.y[1]), (left, source.x[1]))
        )
        ra, dec = np.nan, np.nan
        if patch.wcs is not None:
            ra, dec = map(float, sky_of(patch.wcs, x, y))
        row: Row = {"id": stamp.galaxy.id, "ra": ra, "dec": dec, "x": x, "y": y}
        for name in ("flux", "half_light_radius"):
            low, middle, high = getattr(source, name)
            row |= {name: middle, f"{name}_low": low, f"{name}_high": high}
        rows.append(row | {"probability": source.probability, "nucleus": source.nucleus})
    return rows
