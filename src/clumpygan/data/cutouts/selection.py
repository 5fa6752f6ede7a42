"""Which galaxies of a catalogue become cutouts, and which of them are the same galaxy."""

from collections.abc import Callable

import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.table import Table
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from clumpygan.data.cutouts.settings import CutoutSettings, Cuts, FieldFiles
from clumpygan.errors import InputError
from clumpygan.io import read_catalog
from clumpygan.io.catalog import named_columns

SAME_GALAXY = 0.5
"""Positions so close, in arcsec, are the same galaxy, in whatever fields and catalogues."""

LEAST_STELLAR = 0.9
"""SExtractor's CLASS_STAR (0 galaxy, 1 star) from which on an object is a star."""

_STAR_COLUMNS: tuple[tuple[tuple[str, ...], Callable[[np.ndarray], np.ndarray]], ...] = (
    # 3D-HST: 1 for a star, 2 where it isn't known (Skelton et al. 2014).
    (("star_flag", "is_star", "star", "isstar"), lambda values: values == 1),
    (("class_star", "class_star_f160w", "stellarity"), lambda values: values >= LEAST_STELLAR),
)
_CLASS_COLUMNS = ("class", "type", "object_type", "otype", "objtype")
_STAR_WORDS = ("star", "stellar", "*")
_USABLE_COLUMNS = ("use_phot",)
_RADII = ("half_light_radius", "r50", "r_50", "rhalf", "re", "r_e", "re_f160w", "re_h")
_INDICES = ("sersic_index", "sersic_n", "n_sersic", "n_f160w", "n_h", "n")
_PIXEL_RADII = ("flux_radius", "flux_radius_f160w", "flux_radius_50")


def select_galaxies(
    files: FieldFiles, settings: CutoutSettings, pixel_scale: float
) -> tuple[Table, dict[str, int]]:
    """Read the catalogue of a field and apply the cuts.

    Parameters
    ----------
    files : FieldFiles
    settings : CutoutSettings
    pixel_scale : float
        arcsec, of radii in pixels.

    Returns
    -------
    galaxies : astropy.table.Table
        `id` (str), `ra`, `dec` [deg], `redshift`, `h_magnitude` [AB], `half_light_radius` [arcsec],
        `sersic_index`; NaN for what isn't known.
    dropped : dict of int
        How many were left out: without a position, stars, flagged, by each cut. Each counts for
        the first reason that applies.

    Raises
    ------
    InputError
        If the catalogue can't be read or lacks a column that is needed.
    """
    table = read_catalog(
        files.catalog,
        flux_zero_point=settings.flux_zero_point,
        columns=settings.columns,
        redshifts=files.redshifts,
    )
    _check_columns(table, files, settings.cuts)
    ra, dec = (np.asarray(table[name], float) for name in ("ra", "dec"))
    reasons = {"no position": ~(np.isfinite(ra) & (np.abs(dec) <= 90))}
    reasons |= _refused(table, files.catalog, settings.cuts)
    keep, dropped = np.ones(len(table), bool), {}
    for reason, refused in reasons.items():
        dropped[reason] = int((keep & refused).sum())
        keep &= ~refused
    chosen = Table({"id": [str(one) for one in table["id"][keep]], "ra": ra[keep]})
    for name in ("dec", "redshift", "h_magnitude"):
        chosen[name] = np.asarray(table[name], float)[keep]
    chosen["half_light_radius"] = _radii(table, pixel_scale)[keep]
    chosen["sersic_index"] = _sersic_indices(table)[keep]
    return chosen, dropped


def identifiers(names: list[str], ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return a name for each entry that all entries of the same galaxy share.

    Entries closer than `SAME_GALAXY` are one galaxy, and so are friends of friends; it is called
    as the first of them.

    Parameters
    ----------
    names : list of str
        Shape (n,).
    ra, dec : numpy.ndarray
        Shape (n,), degrees.

    Returns
    -------
    numpy.ndarray
        Shape (n,), str.
    """
    sky = SkyCoord(ra, dec, unit="deg")
    first, second, *_ = sky.search_around_sky(sky, SAME_GALAXY * units.arcsec)
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(len(sky), len(sky)))
    _, group = connected_components(links, directed=False)
    _, leader = np.unique(group, return_index=True)
    return np.asarray(np.asarray(names)[leader[group]])


def _check_columns(table: Table, files: FieldFiles, cuts: Cuts) -> None:
    """Raise InputError unless all columns are there that the cuts need."""
    held = named_columns(table.meta["columns"])
    missing = [name for name in ("ra", "dec") if name not in table.colnames]
    if missing:
        raise InputError(
            f"{files.catalog}: no column for {' and '.join(missing)}; its columns are {held}; "
            f"say which it is by `columns` {missing[0]}=NAME"
        )
    for label, column, limits in (
        ("redshift", "redshift", (cuts.min_redshift, cuts.max_redshift)),
        ("H magnitude", "h_magnitude", (cuts.min_magnitude, cuts.max_magnitude)),
    ):
        if limits != (None, None) and not np.isfinite(table[column]).any():
            raise InputError(
                f"{files.catalog}: no column with a {label}, which the cut needs; its columns are "
                f"{held}; say which it is by `columns` {column}=NAME, or leave the cut out"
            )


def _refused(table: Table, catalog: str, cuts: Cuts) -> dict[str, np.ndarray]:
    """Return where each cut refuses, by the reason."""
    reasons: dict[str, np.ndarray] = {}
    if not cuts.stars:
        reasons["star"] = _stars(table)
        usable = _column(table, _USABLE_COLUMNS)
        if usable is not None:
            reasons["flagged"] = usable == 0
    for reason, column, low, high in (
        ("redshift", "redshift", cuts.min_redshift, cuts.max_redshift),
        ("magnitude", "h_magnitude", cuts.min_magnitude, cuts.max_magnitude),
    ):
        values = np.asarray(table[column], float)
        kept = np.ones(len(table), bool)
        kept &= True if low is None else values >= low
        kept &= True if high is None else values < high
        reasons[reason] = ~kept
    for name, low, high in cuts.where:
        column_values = _column(table, (name.casefold(),))
        if column_values is None:
            held = named_columns(table.meta["columns"])
            raise InputError(f"{catalog}: no column {name} with numbers; its columns are {held}")
        reasons[name] = ~((column_values >= low) & (column_values <= high))
    return reasons


def _stars(table: Table) -> np.ndarray:
    """Return which rows a column of the table calls stars (n,)."""
    stars = np.zeros(len(table), bool)
    for names, rule in _STAR_COLUMNS:
        values = _column(table, names)
        if values is not None:
            stars |= rule(values)
    present = {name.casefold(): name for name in table.colnames}
    for name in _CLASS_COLUMNS:
        if name in present and np.asarray(table[present[name]]).dtype.kind in "SUO":
            words = (str(word).strip().casefold() for word in table[present[name]])
            stars |= np.array([word in _STAR_WORDS for word in words])
    return stars


def _radii(table: Table, pixel_scale: float) -> np.ndarray:
    """Return half-light radii in arcsec, NaN where there are none."""
    present = {name.casefold(): name for name in table.colnames}
    for names, scale in ((_RADII, 1.0), (_PIXEL_RADII, pixel_scale)):
        values = _column(table, names)
        if values is None:
            continue
        unit = next(table[present[name]].unit for name in names if name in present)
        if unit is not None and unit.is_equivalent(units.arcsec):
            scale = unit.to(units.arcsec)
        elif unit == units.pixel:
            scale = pixel_scale
        return np.where(values > 0, values * scale, np.nan)
    return np.full(len(table), np.nan)


def _sersic_indices(table: Table) -> np.ndarray:
    """Return Sersic indices, NaN where there are none."""
    values = _column(table, _INDICES)
    return np.full(len(table), np.nan) if values is None else np.where(values > 0, values, np.nan)


def _column(table: Table, names: tuple[str, ...]) -> np.ndarray | None:
    """Return the first of the columns that is there with numbers (n,), NaN where masked."""
    present = {name.casefold(): name for name in table.colnames}
    present |= {name.casefold(): now for name, now in table.meta["renamed"].items()}
    found = next((present[name] for name in names if name in present), None)
    if found is None or np.asarray(table[found]).dtype.kind not in "buif":
        return None
    return np.ma.filled(np.ma.asarray(table[found], np.float64), np.nan)
