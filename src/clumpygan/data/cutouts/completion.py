"""The last step of a set of cutouts: noise of the set, masked pixels filled, table and card."""

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Column, Table, vstack

from clumpygan.data.array_set import read_card, write_card
from clumpygan.data.cutouts.background import measure_sky
from clumpygan.data.cutouts.growing_array import read_rows
from clumpygan.data.cutouts.masks import NoiseFill
from clumpygan.data.cutouts.plan import CutoutPlan
from clumpygan.data.cutouts.selection import identifiers
from clumpygan.data.cutouts.settings import CutoutSettings
from clumpygan.data.cutouts.store import FORMAT, IMAGES, MASKS, NEEDED, TABLE, WHAT, checksum
from clumpygan.errors import InputWarning
from clumpygan.io import atomic_path, read_psf

NOISE_STAMPS, NOISE_LAGS = 128, 5
"""On how many stamps the noise of a set is measured, at most, and up to how many pixels apart."""

_EMPTIEST, _FEWEST, _LARGEST_TEXTURE = 0.25, 32, 1.2

_FILLED_AT_ONCE = 1024


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
        Shape (N, 3 + 4 B), of each stamp: its galaxy's number in the plan, the fractions of pixels
        without data and of neighbours, background and sigma in each band (NaN: not measured),
        the fraction of pixels that are free of sources, and the texture of the sky.
    skipped : dict
        Of the stamps that were read: field, reason, count.
    """
    table = _galaxies(plan, rows)
    backgrounds, sigmas, free, texture = np.split(rows[:, 3:].copy(), 4, axis=1)
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
            noise[name][label] = _noise(
                home, band, known[_emptiest(free[known, band], texture[known, band])]
            )
            unknown = own[~np.isfinite(sigmas[own, band])]
            for values in (backgrounds, sigmas):
                values[unknown, band] = np.median(values[known, band]) if known.size else np.nan
            patched = own[(rows[own, 1] > 0) | (rows[own, 2] > 0)]
            if settings.fill == "noise" and known.size:
                level = backgrounds[:, band] * (not settings.subtract_background)
                filler = NoiseFill(
                    settings.size, np.array(noise[name][label]["correlation"]), settings.seed
                )
                _fill(home, band, patched, level, sigmas[:, band], filler)
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


def _emptiest(free: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """Return which stamps have the most pixels of sky, of those whose sky looks like noise alone.

    Parameters
    ----------
    free, texture : numpy.ndarray
        Shape (n,), of the stamps of a field in a band.
    """
    if not len(free):
        return np.arange(0)
    plain = np.flatnonzero(texture <= _LARGEST_TEXTURE * np.quantile(texture, _EMPTIEST))
    most = max(_FEWEST, int(_EMPTIEST * len(free)))
    return plain[np.argsort(-free[plain], kind="stable")[:most]]


def _noise(home: Path, band: int, rows: np.ndarray) -> dict[str, Any]:
    """Return the noise of a field in a band, measured where it is emptiest.

    The faint wings of a galaxy, and its neighbours, would pass for noise on large scales.

    Parameters
    ----------
    home : Path
    band : int
    rows : numpy.ndarray
        Shape (n,): the emptiest stamps.
    """
    nothing = {"sigma": None, "measured_on": 0, "correlation": [[1.0]]}
    if not len(rows):
        return nothing
    # Imported here: it brings torch, and with it much memory.
    from clumpygan.instruments.correlation import pair_correlation

    chosen = np.sort(rows[np.unique(np.linspace(0, len(rows) - 1, NOISE_STAMPS).astype(int))])
    stamps, masks = (read_rows(home / name, chosen)[:, band] for name in (IMAGES, MASKS))
    sky = measure_sky(stamps, masks != 0)
    sure = np.isfinite(sky.sigma)
    if not sure.any():
        return nothing
    scaled = (stamps - sky.background[:, None, None]) / sky.sigma[:, None, None]
    lags = min(NOISE_LAGS, stamps.shape[-1] // 4)
    correlation = pair_correlation(scaled[sure], sky.free[sure], (0, lags, lags))[0]
    return {
        "sigma": float(np.median(sky.sigma[sure])),
        "measured_on": int(sure.sum()),
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
        Column(table["sersic_index"], "sersic_index"),
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
