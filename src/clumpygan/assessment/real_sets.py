"""Held-out real stamps, split into the reference and the floor, from whatever holds them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from clumpygan.assessment.settings import RealismSettings
from clumpygan.assessment.stamp_sets import (
    StampSet,
    read_cube_of_stamps,
    read_folder_of_stamps,
    with_noise,
)
from clumpygan.assessment.synthetic_sets import HeldOut, disks_like, population_like
from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.data.array_set import CARD
from clumpygan.data.splits import split_of
from clumpygan.errors import InputError, InputWarning
from clumpygan.evaluation.realism.realism import SMALLEST_SET

if TYPE_CHECKING:
    from clumpygan.data.cutouts.store import CutoutSet


def real(path: Path, settings: RealismSettings, size: int) -> HeldOut:
    """Read held-out real stamps, and make disks like them where that can be done.

    Of a set of cutouts, the galaxies that a training with that seed holds out as "test"; of a
    recipe of real galaxies, those of its test split, shrunk and faded; of a cube or a folder of
    stamps, all.

    Parameters
    ----------
    path : pathlib.Path
    settings : RealismSettings
    size : int
        Pixels per side to which a folder of stamps is cut or padded.

    Raises
    ------
    InputError
        If they can't be read or are too few for two halves.
    """
    if path.suffix in (".yaml", ".yml"):
        return shrunk(path, settings, size)
    psf = noise = None
    training = None if settings.train is None else stamps_of(settings.train, size, settings)
    if (path / CARD).is_file():
        from clumpygan.data.cutouts.store import open_cutouts
        from clumpygan.instruments import pixel_psf

        found = open_cutouts(path, settings.band)
        galaxies = cutouts(found, "test", settings.training_seed)
        if training is None and settings.searched:
            training = cutouts(found, "train", settings.training_seed)
        noise, measured = found.noise_model(), found.psf()
        if measured is not None:
            psf = pixel_psf(measured[0] / measured[0].sum(), measured[1], name=f"PSF of {path}")
    else:
        galaxies = stamps_of(path, size, settings)
    if len(galaxies.images) < 2 * SMALLEST_SET:
        raise InputError(
            f"{path}: {len(galaxies.images)} held-out galaxies, expected at least "
            f"{2 * SMALLEST_SET} to compare one half with the other"
        )
    reference = galaxies.part(slice(0, 2 * settings.n, 2))
    floor = galaxies.part(slice(1, 2 * settings.n, 2), "held-out real")
    if training is not None:
        training = training.part(slice(0, settings.searched))
        training = training if len(training.images) >= SMALLEST_SET else None
    held_out = HeldOut(reference, floor, [], training, noise, psf)
    disks = disks_like(floor, held_out, settings.seed)
    if disks is None:
        warnings.warn(
            f"{path}: no smooth disks to compare with; they need a set of cutouts with a PSF and a "
            "catalogue with magnitudes and half-light radii",
            InputWarning,
            stacklevel=2,
        )
    else:
        held_out.opponents.append(disks)
    return held_out


def shrunk(recipe: Path, settings: RealismSettings, size: int) -> HeldOut:
    """Make stamps of the real galaxies of a recipe that no training has seen.

    Their opponents are galaxies of the synthetic population with their magnitudes, and smooth disks
    with their magnitudes and sizes.

    Raises
    ------
    InputError
        If the recipe or an image can't be read.
    """
    from clumpygan.data.real_galaxies.shrinking import Camera
    from clumpygan.data.real_galaxies.store import open_real
    from clumpygan.instruments import HST_WFC3_F160W

    instrument = HST_WFC3_F160W
    noise, camera = instrument.noise(), Camera.of_target(instrument, size)
    found = open_real(settings.cache, recipe, camera, "test", 2 * settings.n, settings.seed)
    names = ("half_light_radius", "redshift", "sersic_index")
    known = Table({name: np.asarray(found.table[name], float) for name in names})
    magnitude = np.asarray(found.table["h_magnitude"], float)
    known["flux"] = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - magnitude))
    images = with_noise(np.asarray(found.images), noise, settings.seed, "real")
    text = f"real galaxies of the test split of {recipe}, shrunk, faded, with the noise of F160W"
    sigma = np.full(len(images), noise.sigma)
    galaxies = StampSet("real", images, instrument.pixel_scale, text, known, sigma)
    reference, floor = galaxies.part(slice(0, None, 2)), galaxies.part(slice(1, None, 2))
    floor = replace(floor, name="held-out real")
    held_out = HeldOut(reference, floor, [], None, noise, instrument.psf())
    disks = disks_like(floor, held_out, settings.seed)
    opponents = [population_like(floor, held_out, settings.seed), disks]
    return replace(held_out, opponents=[one for one in opponents if one is not None])


def stamps_of(path: Path, size: int, settings: RealismSettings) -> StampSet:
    """Read all stamps of a set of cutouts, a FITS cube, or a folder of FITS stamps."""
    if (path / CARD).is_file():
        from clumpygan.data.cutouts.store import open_cutouts

        return cutouts(open_cutouts(path, settings.band), None, settings.training_seed)
    if path.is_dir():
        return read_folder_of_stamps(path, size, settings.seed)
    return read_cube_of_stamps(path)


def cutouts(found: CutoutSet, split: str | None, seed: int) -> StampSet:
    """Return the cutouts of a split (all for None) whose noise is known, in units of it.

    Raises
    ------
    InputError
        If there is none.
    """
    sigma = found.noise_sigma
    rows = np.flatnonzero(sigma > 0)
    if split is not None:
        names = found.identifiers[rows]
        rows = rows[[split_of(str(name), seed) == split for name in names]]
    if not rows.size:
        which = "" if split is None else f" of the {split} split of seed {seed}"
        raise InputError(f"{found.folder}: no stamp{which} has a known noise")
    images = found.images[rows] / sigma[rows, None, None].astype(np.float32)
    text = f"{found.folder}, {found.band}" + ("" if split is None else f", {split} split")
    known = _known(found, rows) if found.unit == "nJy" else None
    return StampSet(found.folder.name, images, found.pixel_scale, text, known, sigma[rows])


def _known(found: CutoutSet, rows: np.ndarray) -> Table | None:
    """Flux (nJy), half-light radius, redshift, Sersic index of the galaxies, NaN where unknown."""
    table = found.table[rows]
    if "h_magnitude" not in table.colnames:
        return None
    columns = {
        name: np.ma.filled(np.ma.asarray(table[name], float), np.nan)
        if name in table.colnames
        else np.full(len(table), np.nan)
        for name in ("h_magnitude", "half_light_radius", "redshift", "sersic_index")
    }
    magnitude = columns.pop("h_magnitude")
    return Table({"flux": 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - magnitude)), **columns})
