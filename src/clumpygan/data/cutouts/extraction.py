"""Cut stamps of the galaxies of a survey from its mosaics into a set, resumed where it stopped."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from clumpygan import __version__
from clumpygan.data.array_set import (
    CARD,
    LOCK,
    NOTES,
    check_home,
    check_same,
    read_card,
    write_card,
)
from clumpygan.data.cutouts.background import measure_sky
from clumpygan.data.cutouts.completion import complete_set
from clumpygan.data.cutouts.growing_array import GrowingArray
from clumpygan.data.cutouts.masks import (
    NEIGHBOUR,
    NO_DATA,
    detected_neighbours,
    labelled_neighbours,
    without_data,
)
from clumpygan.data.cutouts.plan import CutoutPlan, FieldPlan, plan_cutouts
from clumpygan.data.cutouts.settings import CutoutSettings
from clumpygan.data.cutouts.store import (
    FORMAT,
    IMAGES,
    MASKS,
    NEEDED,
    TABLE,
    WHAT,
    CutoutSet,
    open_first_band,
    told,
    total,
)
from clumpygan.errors import InputError
from clumpygan.io.atomic import naming, only_one
from clumpygan.settings.documents import parse_json

CHUNK_BYTES, CHUNK_STAMPS = 2**22, (16, 1024)
"""Between two notes of the progress: as many stamps as so many bytes hold, within these limits."""

_ROWS = "rows.npy"
_OWN = {CARD, LOCK, NOTES, IMAGES, MASKS, TABLE, _ROWS}


def prepare_cutouts(
    folder: str | os.PathLike[str],
    settings: CutoutSettings,
    *,
    made_by: Mapping[str, str] | None = None,
) -> CutoutSet:
    """Make a set of cutouts, or what is missing of it.

    Stamps are float32 in nJy per pixel, centred as by `astropy.nddata.Cutout2D`: the middle of the
    stamp is within half a pixel of the galaxy's position, by the WCS of each mosaic. Pixels without
    data (NaN, no weight, or blocks of zeros where there are no weights) and of neighbours are
    masked; they hold noise as that of the set, the same for each row, band and seed, or 0. Rows
    are in the order of the fields, and within a field from the bottom of the mosaic to its top.

    Parameters
    ----------
    folder : path-like
        Made if it doesn't exist.
    settings : CutoutSettings
    made_by : mapping of str, optional
        Added to the card.

    Raises
    ------
    InputError
        If a file of the settings can't be used, no stamp is left, the folder holds anything else,
        such as a set with other settings, or another process is writing into it.
    """
    home = Path(folder)
    check_home(home, (), WHAT)
    card = {
        "format": FORMAT,
        "clumpygan": __version__,
        **(made_by or {}),
        "settings": settings.to_dict(),
        "sources": settings.sources(),
    }
    if (home / CARD).exists() and _same_card(home, card)["complete"]:
        return open_first_band(home)
    with tempfile.TemporaryDirectory(prefix="clumpygan-") as scratch:
        plan = plan_cutouts(settings, Path(scratch))
        home.mkdir(parents=True, exist_ok=True)
        with only_one(home, wait=False):
            if not (home / CARD).exists():
                write_card(home, card | {"complete": False})
            # Another process may have made it whole in the meantime.
            if not _same_card(home, card)["complete"]:
                found = _extract(home, plan, settings)
                complete_set(home, plan, settings, *found)
                for name in (_ROWS, NOTES):
                    (home / name).unlink()
    return open_first_band(home)


def _same_card(home: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Return the card of a set that is there; refused if of other settings."""
    before = read_card(home, FORMAT, NEEDED, WHAT)
    # Rows of two versions may differ.
    check_same(
        home, before, card, ["settings", "sources"] + ["clumpygan"] * (not before["complete"])
    )
    return before


def _extract(
    home: Path, plan: CutoutPlan, settings: CutoutSettings
) -> tuple[np.ndarray, dict[str, dict[str, int]]]:
    """Cut what isn't there yet.

    Returns
    -------
    rows : numpy.ndarray
        Shape (N, 3 + 4 B): what was measured of each stamp, see `complete_set`.
    skipped : dict
        By field and reason.
    """
    bands = len(plan.bands)
    notes = _read_notes(home / NOTES, plan.count)
    shape = (bands, settings.size, settings.size)
    with ExitStack() as stack:
        arrays = [
            stack.enter_context(closing(GrowingArray(home / name, row, kind, notes["rows"])))
            for name, row, kind in (
                (IMAGES, shape, np.float32),
                (MASKS, shape, np.uint8),
                (_ROWS, (3 + 4 * bands,), np.float64),
            )
        ]
        for field, begin, first, last in _missing(home, plan, notes["seen"], shape):
            stamps, masked, measured, skipped = _cut(field, first, last, settings)
            measured[:, 0] += begin
            for array, values in zip(arrays, (stamps, masked, measured), strict=True):
                array.append(values)
            before = notes["skipped"].get(field.files.name, {})
            notes["skipped"][field.files.name] = total([before, skipped])
            notes |= {"seen": begin + last, "rows": arrays[0].rows}
            with naming(home / NOTES), (home / NOTES).open("a", encoding="ascii") as handle:
                handle.write(json.dumps(notes) + "\n")
    if notes["rows"] == 0:
        for name in _OWN:
            (home / name).unlink(missing_ok=True)
        with suppress(OSError):  # where something else has been put there
            home.rmdir()
        reasons = total([total(notes["skipped"].values()), *(one.skipped for one in plan.fields)])
        raise InputError(
            f"no stamp is left: {told(reasons)}; does {settings.fields[0].mosaics[0]} hold data "
            "where the galaxies are?"
        )
    return np.load(home / _ROWS), notes["skipped"]


def _missing(
    home: Path, plan: CutoutPlan, seen: int, shape: tuple[int, ...]
) -> Iterator[tuple[FieldPlan, int, int, int]]:
    """Yield (field, galaxies before it, first, last + 1) of the chunks that aren't done."""
    size = int(np.clip(CHUNK_BYTES // (4 * np.prod(shape)), *CHUNK_STAMPS))
    begin = 0
    with tqdm(total=plan.count, initial=seen, desc=str(home), unit="stamp") as bar:
        for field in plan.fields:
            for first in range(max(seen - begin, 0), len(field.table), size):
                last = min(first + size, len(field.table))
                yield field, begin, first, last
                bar.update(last - first)
            begin += len(field.table)


def _cut(
    field: FieldPlan, first: int, last: int, settings: CutoutSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """Cut the stamps of galaxies first..last - 1 of a field, mask and measure them.

    Returns
    -------
    images, masks : numpy.ndarray
        Shape (n, B, y, x), float32 and uint8; 0 in masked pixels.
    measured : numpy.ndarray
        Shape (n, 3 + 4 B), see `complete_set`.
    skipped : dict of int
        By reason.
    """
    size, chosen = settings.size, np.s_[:, first:last]
    corners = field.corners[chosen]
    images = np.empty((last - first, len(corners), size, size), np.float32)
    missing = np.empty(images.shape, bool)
    for band, (mosaic, places) in enumerate(zip(field.mosaics, corners, strict=True)):
        stamps = mosaic.cut(places[:, 0], places[:, 1], size)
        weights = None
        if field.weights:
            weights = field.weights[band].cut(places[:, 0], places[:, 1], size, outside=0)
        missing[:, band] = without_data(stamps, weights)
        images[:, band] = stamps
    images *= np.array(field.factors, np.float32)[:, None, None]
    fraction = missing.mean(axis=(2, 3)).max(axis=1)
    middle = slice((size - 1) // 2, size // 2 + 1)
    hollow = np.any(np.all(missing[..., middle, middle], axis=(2, 3)), axis=1)
    patchy = fraction > settings.max_masked
    keep = np.flatnonzero(~(hollow | patchy))
    skipped = {"masked": int(patchy.sum()), "centre": int((hollow & ~patchy).sum())}
    labels = None
    if field.segmentation is not None:
        places = corners[0][keep]
        labels = field.segmentation.cut(places[:, 0], places[:, 1], size, dtype=np.int64, outside=0)
    images, missing = images[keep], missing[keep]
    images[missing] = 0
    masks, sky = _masked(images, missing, labels, settings)
    measured = np.column_stack(
        [
            keep + first,
            fraction[keep],
            (masks == NEIGHBOUR).mean(axis=(2, 3)).max(axis=1),
            *sky,
        ]
    )
    return images, masks, measured, skipped


def _masked(
    images: np.ndarray, missing: np.ndarray, labels: np.ndarray | None, settings: CutoutSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Mask stamps, set masked pixels to 0, and measure the sky.

    Returns
    -------
    masks : numpy.ndarray
        Shape (n, B, y, x), uint8.
    sky : numpy.ndarray
        Shape (4 B, n): background of each band, sigma of each, fraction of sky, texture.
    """
    masks = np.where(missing, np.uint8(NO_DATA), np.uint8(0))
    others = None if labels is None else labelled_neighbours(labels)
    measured: list[list[np.ndarray]] = [[], [], [], []]
    for band in range(images.shape[1]):
        stamps = images[:, band]
        sky = measure_sky(stamps, missing[:, band])
        if others is not None or settings.mask_neighbours:
            found = detected_neighbours(sky.significance) if others is None else others
            found = found & ~missing[:, band]
            masks[:, band][found] = NEIGHBOUR
            stamps[found] = 0
        if settings.subtract_background:
            good = masks[:, band] == 0
            level = np.nan_to_num(sky.background).astype(np.float32)[:, None, None]
            stamps -= np.where(good, level, 0)
        values = sky.background, sky.sigma, sky.free.mean(axis=(1, 2)), sky.texture
        for of_all_bands, value in zip(measured, values, strict=True):
            of_all_bands.append(value)
    return masks, np.concatenate(measured)


def _read_notes(path: Path, count: int) -> dict[str, Any]:
    """Return the last whole note: of `count` galaxies seen, rows written, stamps skipped."""
    notes: dict[str, Any] = {"seen": 0, "rows": 0, "skipped": {}}
    if path.exists():
        try:
            text = path.read_text(encoding="ascii")
            whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
            if whole:
                notes = _note(parse_json(whole[-1], str(path), ""), count)
        except ValueError as problem:
            raise InputError(
                f"{path} doesn't say what is done: delete the folder {path.parent}"
            ) from problem
        # A line that was only half written would run into the next.
        path.write_text("".join(whole[-1:]), encoding="ascii")
    return notes


def _note(said: Any, count: int) -> dict[str, Any]:
    """Return a note that `_extract` can have written.

    Raises
    ------
    ValueError
        If it can't.
    """
    match said:
        case {"seen": int(seen), "rows": int(rows), "skipped": dict(skipped)}:
            reasons = [one.values() if isinstance(one, dict) else [-1] for one in skipped.values()]
            lost = [number for one in reasons for number in one]
            # Each galaxy became a row, or was skipped.
            whole = all(isinstance(number, int) and number >= 0 for number in lost)
            if whole and 0 <= rows <= seen <= count and rows + sum(lost) == seen:
                return {"seen": seen, "rows": rows, "skipped": skipped}
    raise ValueError("no note of stamps")
