"""Recover the galaxies of a survey: units on any workers, one catalogue."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from clumpygan import __version__
from clumpygan.engine import open_engine
from clumpygan.errors import InputWarning
from clumpygan.gan.blend_odds import BlendOdds, blend_odds_of
from clumpygan.gan.checkpoint import weights_digest
from clumpygan.io.tables import read_columns
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.settings import plain, takes_settings
from clumpygan.settings.declaration import default_of
from clumpygan.survey.columns import COLUMNS
from clumpygan.survey.given import Given, as_files
from clumpygan.survey.objects import OUTSIDE, Objects, find_objects
from clumpygan.survey.precision import multiplies_bfloat16
from clumpygan.survey.psfs import MISSING, PsfFiles, assign_psfs
from clumpygan.survey.recovering import GOOD, Galaxy, Unit, recover_unit, resolver_of
from clumpygan.survey.settings import AUTO, BFLOAT16, FLOAT32, SurveySettings
from clumpygan.survey.store import CATALOGUE, GIVEN, MEASURED_PSF, SurveyStore, begun_with

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from distributed import Client

    from clumpygan.io.fits import ImageSource

_FREE = ("output", "workers", "cluster")
"""Settings that nothing of the results depends on."""

_AGAIN = "delete the folder and recover the survey again"

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Survey:
    """A survey that is recovered.

    Attributes
    ----------
    home : pathlib.Path
        Folder of its tables.
    galaxies : int
    by_status : dict
        Status -> how many galaxies have it.
    """

    home: Path
    galaxies: int
    by_status: dict[str, int]

    def table(self) -> Table:
        """Return the catalogue as an astropy table, with units and descriptions."""
        return read_catalogue(self.home / CATALOGUE)


@takes_settings(SurveySettings)
def recover_survey(
    image: ImageSource | Iterable[ImageSource],
    catalog: Any = None,
    *,
    wcs: WCS | Sequence[WCS | None] | None = None,
    pixel_scale: float | None = None,
    zero_point: float | None = None,
    client: Client | None = None,
    progress: Progress = lambda done, of: None,
    **settings: Any,
) -> Table:
    """Recover the galaxies of a survey, and measure them: a row for each, in Parquet and here.

    >>> recover_survey("calexp.fits", "objects.fits", psf="psf/")  # doctest: +SKIP
    >>> recover_survey(images, table, psf=psf, client=client)      # doctest: +SKIP

    Images, weight maps, PSFs and the catalogue are files, or in memory. What is in memory is
    written into `output` while the survey is recovered, for workers read it there, and comes out as
    if it had been in files; patches are called image-1.fits and so on then. What was interrupted
    goes on with the same call. Results depend neither on who works nor on how many there are.

    Parameters
    ----------
    image : path, array, Quantity, NDData or CCDData, or several of them
        Patches (y, x). Masked pixels of an NDData have no data; its uncertainty is the noise of
        each pixel; its unit, or a card of its `meta` as MAGZERO, says what a count is.
    catalog : path, astropy.table.Table, pandas.DataFrame or mapping of columns, optional
        Of the galaxies; without it `detect=True` finds them.
    wcs : astropy.wcs.WCS, or one for each patch, optional
        Of patches in memory that have none.
    pixel_scale : float, optional
        Arcsec, of patches in memory without a WCS, whose galaxies have positions in pixels.
    zero_point : float, optional
        AB magnitude of a count of patches in memory that don't say it; 31.4 of nJy.
    client : distributed.Client, optional
        Of Dask, whose workers are used in place of `workers` or `cluster`.
    progress : callable, optional
        Called with the galaxies that were recovered since the last call, and all of them.
    **settings
        The fields of `SurveySettings`; `psf` and `weight` may be single ones, arrays or NDData, and
        `psf` also a mapping of galaxies to arrays. Pixels of a PSF are those of the patches, unless
        PIXSCALE in its `meta` says otherwise.

    Returns
    -------
    astropy.table.Table
        See `clumpygan.survey.columns.COLUMNS`.

    Raises
    ------
    InputError
        See `survey_of` and `clumpygan.survey.given.as_files`.
    """
    several = {name: settings.pop(name, ()) for name in ("psf", "weight")}
    given = Given(
        image, catalog, **several, wcs=wcs, pixel_scale=pixel_scale, zero_point=zero_point
    )
    output = settings.get("output")
    if not isinstance(output, str | Path):
        output = default_of(SurveySettings, "output")
    with as_files(given, Path(output)) as paths:
        chosen = SurveySettings(**paths, **settings)
        return survey_of(chosen, client=client, progress=progress).table()


def survey_of(
    settings: SurveySettings,
    *,
    client: Client | None = None,
    progress: Progress = lambda done, of: None,
) -> Survey:
    """Recover what is missing of a survey, and write its tables.

    Parameters
    ----------
    settings : SurveySettings
    client, progress
        See `recover_survey`.

    Raises
    ------
    InputError
        If an image, the catalogue, a PSF or the checkpoint can't be used, the folder holds
        something else, or there is no such cluster.
    """
    settings = _with_precision(settings)
    resolver = resolver_of(settings.checkpoint, settings.precision)
    objects = find_objects(settings, resolver.grid.observed_scale)
    psfs = assign_psfs(settings, objects, resolver.grid.observed_scale)
    units, lost = _units(settings, objects, psfs)
    store = SurveyStore(
        settings.output, _card(settings, resolver, objects, psfs), len(units) + bool(lost)
    )
    with store.writing():
        psfs.write()
        missing = store.missing()
        if lost and len(units) in missing:
            store.write_unit(len(units), lost, [])
        todo = [unit for unit in units if unit.number in set(missing)]
        done = sum(len(unit.galaxies) for unit in units) - sum(len(u.galaxies) for u in todo)
        if done:
            progress(done, len(objects))
        if todo:
            _warn_of_slowness(settings)
            with open_engine(len(todo), settings.workers, settings.cluster, client) as engine:
                for place, (rows, parts) in engine.run(partial(recover_unit, settings), todo):
                    store.write_unit(todo[place].number, rows, parts)
                    progress(len(rows), len(objects))
        store.finish()
    counts = _statuses(settings.output / CATALOGUE)
    return Survey(settings.output, sum(counts.values()), counts)


def _with_precision(settings: SurveySettings) -> SurveySettings:
    """Return the settings with a precision for all workers, and for when the survey goes on."""
    if settings.precision != AUTO:
        return settings
    begun = begun_with(settings.output, "precision")
    if begun in (FLOAT32, BFLOAT16):
        return replace(settings, precision=begun)
    return replace(settings, precision=BFLOAT16 if multiplies_bfloat16() else FLOAT32)


def _warn_of_slowness(settings: SurveySettings) -> None:
    if settings.precision == BFLOAT16 and not multiplies_bfloat16():
        warnings.warn(
            f"`precision` of {settings.output} is bfloat16, and this CPU has neither AMX nor"
            " AVX-512 BF16: expect several times the time of float32",
            InputWarning,
            stacklevel=3,
        )


def read_catalogue(path: Path) -> Table:
    """Read a table of a survey, with the units and descriptions of its columns."""
    found = read_columns(path, _AGAIN)
    columns = {}
    for field in found.schema:
        values = found[field.name]
        columns[field.name] = (
            np.array([one or "" for one in values.to_pylist()], str)
            if str(field.type) == "string"
            else _numbers(values, str(field.type))
        )
    table = Table(columns)
    for field in found.schema:
        words = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        table[field.name].description = words.get("description")
        table[field.name].unit = words.get("unit") or None
    return table


def _numbers(values: Any, kind: str) -> np.ndarray:
    if kind == "bool":
        return np.array([bool(one) for one in values.to_pylist()])
    return np.asarray(values.to_numpy(zero_copy_only=False), kind.replace("double", "float64"))


def _statuses(path: Path) -> dict[str, int]:
    counts = read_columns(path, _AGAIN, ["status"])["status"].value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in counts}


def _units(
    settings: SurveySettings, objects: Objects, psfs: PsfFiles
) -> tuple[list[Unit], list[dict[str, Any]]]:
    """Return the units, patch by patch, and rows of what is in no patch or has no PSF."""
    units: list[Unit] = []
    usable = (objects.patch >= 0) & (psfs.number >= 0)
    for number, path in enumerate(settings.image):
        inside = np.flatnonzero(usable & (objects.patch == number))
        for first in range(0, len(inside), settings.unit):
            galaxies = tuple(
                Galaxy(
                    str(objects.id[i]), float(objects.ra[i]), float(objects.dec[i]),
                    float(objects.x[i]), float(objects.y[i]),
                    psfs.files[psfs.number[i]] if psfs.files else None,
                )
                for i in inside[first : first + settings.unit]
            )  # fmt: skip
            units.append(Unit(len(units), path, galaxies))
    lost = [
        {
            "id": str(objects.id[i]),
            "status": OUTSIDE if objects.patch[i] < 0 else MISSING,
            "ra": float(objects.ra[i]),
            "dec": float(objects.dec[i]),
        }
        for i in np.flatnonzero(~usable)
    ]
    return units, lost


def _card(
    settings: SurveySettings, resolver: SuperResolver, objects: Objects, psfs: PsfFiles
) -> dict[str, Any]:
    """Return all that the results depend on."""
    chosen = {
        one.name: plain(_within(settings.output, getattr(settings, one.name)))
        for one in fields(settings)
        if one.name not in _FREE
    }
    digest = sha256("\n".join(objects.id).encode())
    for values in (objects.x, objects.y, objects.patch, psfs.number):
        digest.update(np.ascontiguousarray(values).tobytes())
    return {
        "clumpygan": __version__,
        **chosen,
        "galaxies": len(objects),
        "positions_sha256": digest.hexdigest(),
        "checkpoint_sha256": weights_digest(settings.checkpoint),
        MEASURED_PSF: psfs.digest,
        **resolver.survey_widening.sections(),
        "crowding": resolver.survey_crowding.to_dict(),
        "blend_contrast": resolver.blend_contrast,
        **_classifier_of(settings, resolver),
        "population": None if resolver.population is None else resolver.population.to_dict(),
        "columns": sorted(COLUMNS),
    }


def _classifier_of(settings: SurveySettings, resolver: SuperResolver) -> dict[str, Any]:
    """Return which classifier of blends is used, or why there is none."""
    if blend_odds_of(settings.classifier, resolver.pair) is not None:
        return {"classifier_sha256": weights_digest(settings.classifier)}
    return {"no_blend_odds": BlendOdds.from_checkpoint(settings.classifier).refusal(resolver.pair)}


def _within(home: Path, value: Any) -> Any:
    """Return paths of what was given in memory as seen from the folder, wherever that is."""
    if isinstance(value, tuple):
        return tuple(_within(home, one) for one in value)
    if isinstance(value, Path) and value.is_relative_to(home / GIVEN):
        return value.relative_to(home)
    return value


def words_of(survey: Survey) -> str:
    """Return what came out in one line."""
    good = survey.by_status.get(GOOD, 0)
    rest = [f"{n} {name}" for name, n in sorted(survey.by_status.items()) if name != GOOD]
    return f"{good} of {survey.galaxies} galaxies recovered" + (
        f" ({'; '.join(rest)})" if rest else ""
    )
