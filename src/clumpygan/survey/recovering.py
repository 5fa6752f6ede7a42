"""One unit of a survey: some galaxies of a patch, cut out, recovered one by one, measured."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from clumpygan.evaluation.recovery.clumps import sharpened
from clumpygan.evaluation.recovery.fidelity import nucleus_of
from clumpygan.evaluation.recovery.observed_features import observed_features
from clumpygan.evaluation.recovery.sources import Source, find_sources
from clumpygan.gan.blend_odds import BlendOdds, blend_odds_of
from clumpygan.instruments import SurveyPair
from clumpygan.io.wcs import sky_of
from clumpygan.recovery.measurements import blend_odds_of_stamp
from clumpygan.recovery.pipeline import BAD_FIT
from clumpygan.recovery.resolver import UNEVEN, SuperResolver
from clumpygan.recovery.scene import fine_mask
from clumpygan.survey.cutouts import cutout_wcs, write_cutout
from clumpygan.survey.measuring import magnitude, measure_samples
from clumpygan.survey.patches import SurveyPatch, read_patch
from clumpygan.survey.precision import in_bfloat16
from clumpygan.survey.psfs import KeptPsf, psf_of
from clumpygan.survey.settings import BFLOAT16, FLOAT32, SAMPLES, SurveySettings

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


@torch.inference_mode()
def recover_unit(settings: SurveySettings, unit: Unit) -> tuple[list[Row], list[Row]]:
    """Recover and measure the galaxies of a unit; write their cut-outs, if they are wanted.

    Parameters
    ----------
    settings : SurveySettings
        With a precision other than "auto": CPUs of workers may differ.
    unit : Unit

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
    resolver = resolver_of(settings.checkpoint, settings.precision)
    weight = settings.weight_of(unit.patch)
    patch = read_patch(unit.patch, resolver.grid.observed_scale, weight)
    odds = odds_of(settings.classifier, resolver.pair, settings.precision)
    stamps, rows = [], []
    for galaxy in unit.galaxies:
        row, stamp = _stamp(settings, resolver, patch, galaxy)
        rows.append(row)
        stamps += [] if stamp is None else [stamp]
    if odds is not None:
        for one in stamps:
            one.row["blend_odds"] = blend_odds_of_stamp(
                odds, one.data, one.mask, one.row["noise"], patch.shared_noise, one.psf.transfer
            )
    components = [
        part for one in stamps for part in _recover(settings, resolver, patch, one, unit.number)
    ]
    return rows, components


@lru_cache(maxsize=1)
def resolver_of(checkpoint: str, precision: str = FLOAT32) -> SuperResolver:
    """Load a network once, laid out as convolutions on CPUs want it, of "float32" or "bfloat16".

    Raises
    ------
    InputError
        If there is none of that name.
    """
    resolver = SuperResolver.from_checkpoint(checkpoint)
    if precision == BFLOAT16:
        in_bfloat16(resolver.network)
    resolver.network.to(memory_format=torch.channels_last)
    return resolver


@lru_cache(maxsize=1)
def odds_of(checkpoint: str, pair: SurveyPair, precision: str) -> BlendOdds | None:
    """Load a classifier once, as `resolver_of` does; None if images of the survey aren't for it.

    In bfloat16 the ln of its odds differs by 0.01 from that in float32.

    Raises
    ------
    InputError
        As of `blend_odds_of`.
    """
    odds = blend_odds_of(checkpoint, pair)
    if odds is None or precision != BFLOAT16:
        return odds
    # A copy: others in this process have it in float32.
    odds = copy.deepcopy(odds)
    in_bfloat16(odds.network)
    return odds


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
    row |= {
        "noise": noise,
        "shared_noise": patch.shared_noise,
        "depth": magnitude(5 * patch.shared_noise * noise * area**0.5),
    }
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
    stamp: _Stamp,
    number: int,
) -> list[Row]:
    """Recover a galaxy of a unit of that number; fill its row, and return its components.

    By itself, and with random numbers of its own: what else is in the catalogue, and in which
    order, changes nothing of its row.
    """
    observed, mask, each = (
        torch.from_numpy(one)[None, None] for one in (stamp.data, stamp.mask, stamp.sigma)
    )
    sigma = torch.tensor([stamp.row["noise"]], dtype=torch.float32)
    name = int.from_bytes(sha256(stamp.galaxy.id.encode()).digest()[:8], "big")
    state = np.random.SeedSequence([settings.seed, name]).generate_state(1)
    found = resolver.recover(
        observed, patch.shared_noise * sigma, stamp.psf.transfer, samples=settings.samples,
        seed=int(state[0]) % 2**31, mask=mask, window=settings.window,
        noise=patch.shared_noise * each if _is_uneven(stamp) else None,
    )  # fmt: skip
    operator, grid = resolver.operator, resolver.grid
    response = stamp.psf.transfer(operator.frequencies(stamp.data.shape))
    again = operator(found.best, response)[0, 0].numpy()
    side = _middle(grid.coarse_block, len(stamp.data), settings.window)
    known = ~stamp.mask[side, side]
    pull = ((stamp.data - again) / stamp.sigma)[side, side][known].astype(np.float64)
    misfit = float(np.square(pull).sum() / max(pull.size, 1))
    part = _middle(grid.fine_block, found.best.shape[-1], settings.window)
    samples, best = found.samples[:, 0, 0, part, part].numpy(), found.best[0, 0, part, part].numpy()
    depth, sharp = float(sigma) / grid.area_ratio, sharpened(samples)
    measured = measure_samples(
        samples, best, depth, grid.target_scale, resolver.survey_widening, resolver.blend_contrast,
        sharp, resolver.survey_crowding,
    )  # fmt: skip
    stamp.row.update(
        {
            **measured,
            "chi2": misfit,
            "misfit": misfit > BAD_FIT,
            "seeing": stamp.psf.fwhm,
            "seeing_error": stamp.psf.fwhm_error,
        }
    )
    if settings.cutouts is not None:
        # What was sampled behind a mask is no image of the sky there.
        lost = fine_mask(stamp.mask, grid)[part, part]
        images = {
            "MEAN": np.where(lost, np.nan, best),
            "ERROR": np.where(lost, np.nan, found.error[0, 0, part, part].numpy()),
        }
        if settings.cutouts == SAMPLES:
            images["SAMPLES"] = samples
        top, left = patch.corner(stamp.galaxy.x, stamp.galaxy.y, len(stamp.data))
        wcs = cutout_wcs(patch.wcs, (top + side.start, left + side.start), grid)
        stamp.row["cutout"] = write_cutout(settings.output, number, stamp.row, images, wcs, grid)
    sources = find_sources(
        samples, depth, nucleus_of(best, grid.target_scale), grid.target_scale, sharp,
        chance=resolver.clump_probability,
    )  # fmt: skip
    return _components(resolver, patch, stamp, sources, part.start)


def _middle(block: int, side: int, window: int) -> slice:
    """Return the pixels in which the network has worked, of a stamp with so many in a block."""
    width = window * block
    first = (side - width) // 2
    return slice(first, first + width)


def _components(
    resolver: SuperResolver,
    patch: SurveyPatch,
    stamp: _Stamp,
    sources: Sequence[Source],
    first: int,
) -> list[Row]:
    """Return a row for each source that samples show, of pixels from the `first` one on."""
    grid = resolver.grid
    top, left = patch.corner(stamp.galaxy.x, stamp.galaxy.y, len(stamp.data))
    rows = []
    for source in sources:
        y, x = (
            corner + grid.observed_place(place + first)
            for corner, place in ((top, source.y[1]), (left, source.x[1]))
        )
        ra, dec = np.nan, np.nan
        if patch.wcs is not None:
            ra, dec = map(float, sky_of(patch.wcs, x, y))
        where: Row = {"id": stamp.galaxy.id, "ra": ra, "dec": dec, "x": x, "y": y}
        rows.append(where | source.columns)
    return rows
