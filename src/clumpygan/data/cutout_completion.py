"""The last step of a set of cutouts: noise of the set, masked pixels filled, table and card."""

import shutil
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Column, Table, vstack

from clumpygan.data.cutout_background import measure_sky
from clumpygan.data.cutout_masks import NoiseFill
from clumpygan.data.cutout_plan import CutoutPlan
from clumpygan.data.cutout_selection import identifiers
from clumpygan.data.cutout_settings import CutoutSettings
from clumpygan.data.cutout_store import FORMAT, IMAGES, MASKS, NEEDED, TABLE, WHAT
from clumpygan.data.growing_array import read_rows
from clumpygan.data.set_folder import read_card, write_card
from clumpygan.errors import InputWarning
from clumpygan.io import atomic_path, read_psf

NOISE_STAMPS, NOISE_LAGS = 128, 5
"""How many stamps the correlation of the noise is measured on, and up to how many pixels apart."""

_BLOCK, _FILLED_AT_ONCE = 2**22, 1024


def complete_set(
    home: Path,
    plan: CutoutPlan,
    settings: CutoutSettings,
    rows: np.ndarray,
    skipped: dict[str, dict[str, int]],
) -> None:
    """Make a whole set of stamps that are all cut; doing it twice changes nothing.

    Parameters
    ----------
    home : Path
    plan : CutoutPlan
    settings : CutoutSettings
    rows : numpy.ndarray
        Shape (N, 3 + 2 B), of each stamp: its galaxy's number in the plan, the fractions of pixels
        without data and of neighbours, background and sigma in each band (NaN: not measured).
    skipped : dict
        Of the stamps that were read: field, reason, count.
    """
    table = _galaxies(plan, rows)
    bands = len(plan.bands)
    backgrounds, sigmas = rows[:, 3 : 3 + bands].copy(), rows[:, 3 + bands :].copy()
    noise: dict[str, Any] = {}
    for field in plan.fields:
        name = field.files.name
        own = np.flatnonzero(np.asarray(table["field"]) == name)
        noise[name] = {}
        for band, label in enumerate(plan.bands):
            known = own[np.isfinite(sigmas[own, band])]
            if own.size and not known.size:
                warnings.warn(
                    f"no stamp of field {name} has a sky to measure its noise in {label}; "
                    "noise_sigma is NaN",
                    InputWarning,
                    stacklevel=2,
                )
            noise[name][label] = _noise(home, band, known, sigmas[known, band])
            unknown = own[~np.isfinite(sigmas[own, band])]
            for values in (backgrounds, sigmas):
                values[unknown, band] = np.median(values[known, band]) if known.size else np.nan
            level, sigma = backgrounds[:, band], sigmas[:, band]
            if settings.fill == "zero" or not known.size:
                level, sigma = np.zeros(len(rows)), np.zeros(len(rows))
            elif settings.subtract_background:
                level = np.zeros(len(rows))
            filler = NoiseFill(
                settings.size, np.array(noise[name][label]["correlation"]), settings.seed
            )
            patched = own[(rows[own, 1] > 0) | (rows[own, 2] > 0)]
            _fill(home, band, patched, level, sigma, filler)
    _write_table(home, table, plan, backgrounds, sigmas)
    psfs = _copy_psfs(home, plan)
    names = [IMAGES, MASKS, TABLE, *(one["file"] for of in psfs.values() for one in of.values())]
    card = read_card(home, FORMAT, NEEDED, WHAT)
    card |= {
        "complete": True,
        "stamps": len(rows),
        "size": settings.size,
        "bands": list(plan.bands),
        "pixel_scale": float(plan.pixel_scale),
        "unit": plan.unit,
        "zero_points": {
            one.files.name: {
                band: None if value is None else float(value)
                for band, value in zip(plan.bands, one.zero_points, strict=True)
            }
            for one in plan.fields
        },
        "skipped": {
            one.files.name: one.skipped | skipped.get(one.files.name, {}) for one in plan.fields
        },
        "psf": psfs,
        "noise": noise,
        "checksums": {name: checksum(home / name) for name in names},
    }
    write_card(home, card)


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file."""
    value = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


def _galaxies(plan: CutoutPlan, rows: np.ndarray) -> Table:
    """Return what the catalogues say of the galaxies of the stamps."""
    tables = []
    for field in plan.fields:
        one = field.table.copy()
        one["field"] = [field.files.name] * len(one)
        tables.append(one)
    galaxies = vstack(tables, metadata_conflicts="silent")[rows[:, 0].astype(int)]
    galaxies["masked_fraction"], galaxies["neighbour_fraction"] = rows[:, 1], rows[:, 2]
    return galaxies


def _noise(home: Path, band: int, rows: np.ndarray, sigmas: np.ndarray) -> dict[str, Any]:
    """Return sigma and correlation of the noise of a field in a band, on some of these rows."""
    correlation = np.ones((1, 1))
    if len(rows):
        # Imported here: it brings torch, and with it much memory.
        from clumpygan.instruments.correlation import pair_correlation

        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, NOISE_STAMPS).astype(int))]
        stamps, masks = (read_rows(home / name, chosen)[:, band] for name in (IMAGES, MASKS))
        sky = measure_sky(stamps, masks != 0)
        sure = np.isfinite(sky.sigma)
        if sure.any():
            scaled = (stamps - sky.background[:, None, None]) / sky.sigma[:, None, None]
            lags = min(NOISE_LAGS, stamps.shape[-1] // 4)
            correlation = pair_correlation(scaled[sure], sky.free[sure], (0, lags, lags))[0]
    return {
        "sigma": float(np.median(sigmas)) if len(rows) else None,
        "measured_on": len(rows),
        "correlation": [[round(float(one), 5) for one in line] for line in correlation],
    }


def _fill(
    home: Path,
    band: int,
    rows: np.ndarray,
    level: np.ndarray,
    sigma: np.ndarray,
    filler: NoiseFill,
) -> None:
    """Fill the masked pixels of these rows with noise around their background."""
    for first in range(0, len(rows), _FILLED_AT_ONCE):
        # Mapped anew each time: the pages of all of a large set would fill the memory.
        images, masks = np.load(home / IMAGES, mmap_mode="r+"), np.load(home / MASKS, mmap_mode="r")
        for row in rows[first : first + _FILLED_AT_ONCE].tolist():
            hidden = masks[row, band] != 0
            values = filler.draw(row, band) * np.float32(sigma[row]) + np.float32(level[row])
            images[row, band][hidden] = values[hidden]
        images.flush()


def _write_table(
    home: Path, table: Table, plan: CutoutPlan, backgrounds: np.ndarray, sigmas: np.ndarray
) -> None:
    names = [f"{field}-{one}" for field, one in zip(table["field"], table["id"], strict=True)]
    same = identifiers(names, np.asarray(table["ra"]), np.asarray(table["dec"]))
    columns = [
        Column(names, "name", description="field and id of the catalogue"),
        Column(same, "identifier", description="the same for all stamps of a galaxy: split by it"),
        Column(table["field"], "field"),
        Column(table["id"], "id", description="of the catalogue"),
        Column(table["ra"], "ra", unit="deg"),
        Column(table["dec"], "dec", unit="deg"),
        Column(table["redshift"], "redshift"),
        Column(table["h_magnitude"], "h_magnitude", unit="mag", description="H, AB"),
        Column(table["half_light_radius"], "half_light_radius", unit="arcsec"),
        Column(table["x_offset"], "x_offset", unit="pix", description="of the position from the"
               " middle of the stamp in the first band"),
        Column(table["y_offset"], "y_offset", unit="pix"),
        Column(table["masked_fraction"], "masked_fraction", description="of pixels without data"),
        Column(table["neighbour_fraction"], "neighbour_fraction"),
    ]  # fmt: skip
    unit = units.nJy if plan.unit == "nJy" else units.count
    for band, background, sigma in zip(plan.bands, backgrounds.T, sigmas.T, strict=True):
        columns += [
            Column(background, f"background_{band}", unit=unit, description="median of the sky"),
            Column(sigma, f"noise_sigma_{band}", unit=unit, description="of a pixel"),
        ]
    with atomic_path(home / TABLE) as temporary:
        Table(columns).write(temporary, format="fits")


def _copy_psfs(home: Path, plan: CutoutPlan) -> dict[str, dict[str, dict[str, Any]]]:
    """Copy the PSFs into the set; return its files and their pixel scales by field and band."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for field in plan.fields:
        entries = found[field.files.name] = {}
        for band, source in zip(plan.bands, field.files.psfs, strict=False):
            stated = read_psf(source)[1]
            ending = "".join(Path(source).suffixes[-2:]) if source.endswith(".gz") else ".fits"
            name = f"psf-{field.files.name}-{band}{ending}"
            with atomic_path(home / name) as temporary:
                shutil.copyfile(source, temporary)
            scale = plan.pixel_scale if stated is None else stated
            entries[band] = {"file": name, "pixel_scale": float(scale), "source": source}
    return found
