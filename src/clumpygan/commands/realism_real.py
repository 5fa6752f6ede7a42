"""Held-out real stamps, split into the reference and the floor, from whatever holds them."""

from __future__ import annotations

import warnings
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from clumpygan.commands.realism_sets import (
    StampSet,
    read_cube_of_stamps,
    read_folder_of_stamps,
)
from clumpygan.commands.realism_synthetic import HeldOut, disks_like
from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.data.set_folder import CARD
from clumpygan.data.splits import split_of
from clumpygan.errors import InputError, InputWarning
from clumpygan.evaluation.realism import SMALLEST_SET

if TYPE_CHECKING:
    from clumpygan.data.cutout_store import CutoutSet


def real(options: Namespace, size: int) -> HeldOut:
    """Read the held-out stamps of --real, and make disks like them where that can be done.

    Of a set of cutouts, the galaxies that a training with --training-seed holds out as "test"; of
    a cube or a folder of stamps, all.

    Parameters
    ----------
    options : argparse.Namespace
        With real, train, band, n, seed, training_seed and train_size.
    size : int
        Pixels per side to which a folder of stamps is cut or padded.

    Raises
    ------
    InputError
        If they can't be read or are too few for two halves.
    """
    path: Path = options.real
    psf = noise = None
    training = None if options.train is None else stamps_of(options.train, size, options)
    if (path / CARD).is_file():
        from clumpygan.data.cutout_store import open_cutouts
        from clumpygan.instruments import pixel_psf

        found = open_cutouts(path, options.band)
        galaxies = cutouts(found, "test", options.training_seed)
        if training is None and options.train_size:
            training = cutouts(found, "train", options.training_seed)
        noise, measured = found.noise_model(), found.psf()
        if measured is not None:
            psf = pixel_psf(measured[0] / measured[0].sum(), measured[1], name=f"PSF of {path}")
    else:
        galaxies = stamps_of(path, size, options)
    if len(galaxies.images) < 2 * SMALLEST_SET:
        raise InputError(
            f"{path}: {len(galaxies.images)} held-out galaxies, expected at least "
            f"{2 * SMALLEST_SET} to compare one half with the other"
        )
    reference = galaxies.part(slice(0, 2 * options.n, 2))
    floor = galaxies.part(slice(1, 2 * options.n, 2), "held-out real")
    if training is not None:
        training = training.part(slice(0, options.train_size))
        training = training if len(training.images) >= SMALLEST_SET else None
    held_out = HeldOut(reference, floor, [], training, noise, psf)
    disks = disks_like(floor, held_out, options.seed)
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


def stamps_of(path: Path, size: int, options: Namespace) -> StampSet:
    """Read all stamps of a set of cutouts, a FITS cube, or a folder of FITS stamps."""
    if (path / CARD).is_file():
        from clumpygan.data.cutout_store import open_cutouts

        return cutouts(open_cutouts(path, options.band), None, options.training_seed)
    if path.is_dir():
        return read_folder_of_stamps(path, size, options.seed)
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
    """Flux (nJy), half-light radius and redshift of the galaxies, NaN where unknown."""
    table = found.table[rows]
    if "h_magnitude" not in table.colnames:
        return None
    columns = {
        name: np.ma.filled(np.ma.asarray(table[name], float), np.nan)
        if name in table.colnames
        else np.full(len(table), np.nan)
        for name in ("h_magnitude", "half_light_radius", "redshift")
    }
    magnitude = columns.pop("h_magnitude")
    return Table({"flux": 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - magnitude)), **columns})
