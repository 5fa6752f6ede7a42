"""What a set of cutouts is made from, and how."""

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from clumpygan.errors import InputError
from clumpygan.settings import check, seed_setting, setting

_NAME = re.compile(r"[\w.+-]+")

COLUMNS = ("id", "ra", "dec", "redshift", "h_magnitude", "half_light_radius", "sersic_index")
"""Columns of a catalogue, by the names used here."""

_FILES, _GALAXIES, _STAMPS = "the files", "which galaxies", "the stamps"


@dataclass(frozen=True)
class FieldFiles:
    """The files of one field of the sky; mosaics as `clumpygan.io.mosaic.open_mosaic` takes them.

    Attributes
    ----------
    name : str
    catalog : str
    mosaics : tuple of str
        One for each band.
    weights, psfs : tuple of str
        One for each band, or none.
    segmentation : str, optional
        Map of labels (0: sky) on the pixels of the mosaics.
    redshifts : str, optional
        Catalogue with the redshifts, where `catalog` has none.
    """

    name: str
    catalog: str
    mosaics: tuple[str, ...]
    weights: tuple[str, ...] = ()
    psfs: tuple[str, ...] = ()
    segmentation: str | None = None
    redshifts: str | None = None

    def __post_init__(self) -> None:
        for kind in ("weights", "psfs"):
            given = len(getattr(self, kind))
            if given not in (0, len(self.mosaics)):
                raise InputError(
                    f"field {self.name}: {given} {kind} for {len(self.mosaics)} mosaics; expected "
                    "one for each"
                )


@dataclass(frozen=True)
class SurveyFiles:
    """The files of a survey, field by field, within each field band by band.

    `shared_out` shares them out among the fields.
    """

    mosaic: tuple[str, ...] = setting(
        (), "science images, with a WCS", "FILE", spaced=True, heading=_FILES
    )
    weight: tuple[str, ...] = setting(
        (), "weight maps of the same shape, one for each mosaic; no data where 0", "FILE",
        spaced=True, heading=_FILES,
    )  # fmt: skip
    catalog: tuple[str, ...] = setting(
        (), "galaxies (FITS, ECSV, CSV, text), one catalogue for each field", "FILE",
        spaced=True, heading=_FILES,
    )  # fmt: skip
    redshifts: tuple[str, ...] = setting(
        (), "catalogues with the redshifts, matched by id, one for each field", "FILE",
        spaced=True, heading=_FILES,
    )  # fmt: skip
    segmentation: tuple[str, ...] = setting(
        (), "maps of labels, one for each field: neighbours are masked by them", "FILE",
        spaced=True, heading=_FILES,
    )  # fmt: skip
    psf: tuple[str, ...] = setting(
        (), "PSF images to keep with the set: one for each mosaic or each band", "FILE",
        spaced=True, heading=_FILES,
    )  # fmt: skip
    field: tuple[str, ...] = setting(
        (), "names of the fields", metavar="NAME", spaced=True, heading=_FILES,
        default_words="those of the catalogues' files",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        if not self.catalog or not self.mosaic:
            raise InputError("expected `mosaic` and `catalog`, or `check` for a set that is there")
        count, mosaics = len(self.catalog), len(self.mosaic)
        if mosaics % count:
            raise InputError(
                f"{mosaics} mosaics for {count} catalogues; expected as many catalogues as "
                "fields, and for each field a mosaic in every band"
            )
        if len(self.psf) == self.bands != mosaics:
            object.__setattr__(self, "psf", self.psf * count)
        for name, expected in (
            ("weight", mosaics),
            ("psf", mosaics),
            ("segmentation", count),
            ("redshifts", count),
            ("field", count),
        ):
            given = len(getattr(self, name))
            if given not in (0, expected):
                raise InputError(
                    f"`{name}`: {given} given for {mosaics} mosaics and {count} catalogues; "
                    f"expected {expected}"
                )

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.mosaic) // len(self.catalog)

    def shared_out(self) -> tuple[FieldFiles, ...]:
        """Return the files of each field."""
        bands = self.bands
        names = self.field or tuple(Path(name).name.split(".")[0] for name in self.catalog)
        return tuple(
            FieldFiles(
                names[i],
                self.catalog[i],
                self.mosaic[i * bands : (i + 1) * bands],
                self.weight[i * bands : (i + 1) * bands],
                self.psf[i * bands : (i + 1) * bands],
                self.segmentation[i] if self.segmentation else None,
                self.redshifts[i] if self.redshifts else None,
            )
            for i in range(len(self.catalog))
        )


@dataclass(frozen=True)
class Cuts:
    """Which galaxies of a catalogue are taken; a galaxy without a value fails a cut on it."""

    max_redshift: float | None = setting(None, "below", "Z", heading=_GALAXIES, default_words="all")
    min_redshift: float | None = setting(None, "from", "Z", heading=_GALAXIES)
    max_magnitude: float | None = setting(
        None, "brighter than in H, AB", "MAG", heading=_GALAXIES, default_words="all",
        flag="--max-hmag",
    )  # fmt: skip
    min_magnitude: float | None = setting(
        None, "from, in H, AB", "MAG", heading=_GALAXIES, flag="--min-hmag"
    )
    where: tuple[tuple[str, float, float], ...] = setting(
        (), "further column of the catalogue, both ends included; may be repeated",
        metavar=("COLUMN", "LOW", "HIGH"), heading=_GALAXIES,
    )  # fmt: skip
    stars: bool = setting(
        False, "keep stars, and what is flagged as bad photometry", heading=_GALAXIES,
        flag="--keep-stars",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        for name in ("redshift", "magnitude"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low is not None and high is not None and not low < high:
                raise InputError(f"`min_{name}` {low:g} isn't below `max_{name}` {high:g}")


@dataclass(frozen=True)
class CutoutSettings:
    """What a set of cutouts depends on.

    All `fields` have the same bands, in the same order; mosaics are named as
    `clumpygan.io.mosaic.open_mosaic` takes them. With a segmentation map neighbours are always
    masked.
    """

    fields: tuple[FieldFiles, ...]
    bands: tuple[str, ...] = setting(
        (), "names of the bands", metavar="NAME", spaced=True, heading=_FILES, flag="--band",
        default_words="by the headers or file names",
    )  # fmt: skip
    zero_points: tuple[float, ...] = setting(
        (), "AB magnitude of one count, for each band", "MAG", spaced=True, heading=_FILES,
        flag="--zero-point", default_words="by the headers",
    )  # fmt: skip
    columns: dict[str, str] = setting(
        default_factory=dict, help=f"name in the catalogue of {', '.join(COLUMNS)}, where it isn't"
        " found (radii in arcsec); may be repeated", metavar="NAME=COLUMN", heading=_FILES,
        flag="--column",
    )  # fmt: skip
    flux_zero_point: float | None = setting(
        None, "of fluxes in F160W in the catalogue", "MAG", heading=_FILES,
        default_words="25, that of 3D-HST",
    )  # fmt: skip
    cuts: Cuts = field(default_factory=Cuts)
    size: int = setting(64, "of a side", "PIXELS", least=8, most=4096, heading=_STAMPS)
    edge: Literal["skip", "pad"] = setting(
        "skip", "skip stamps that stick out of the mosaic, or pad them", heading=_STAMPS
    )
    max_masked: float = setting(
        0.2, "of pixels without data, at most", "FRACTION", least=0, most=1, heading=_STAMPS
    )
    mask_neighbours: bool = setting(
        False, "mask sources that aren't connected with the galaxy, as found in the stamp",
        heading=_STAMPS,
    )  # fmt: skip
    fill: Literal["noise", "zero"] = setting(
        "noise", "what masked pixels hold; noise is correlated as measured in the set",
        heading=_STAMPS,
    )  # fmt: skip
    subtract_background: bool = setting(
        False, "subtract the median of each stamp's sky", heading=_STAMPS
    )
    seed: int = seed_setting(0, "of the noise in masked pixels", heading=_STAMPS)

    def __post_init__(self) -> None:
        check(self)
        for name in self.columns:
            if name not in COLUMNS:
                raise InputError(
                    f"`columns` {name}: expected NAME=COLUMN, NAME one of {', '.join(COLUMNS)}"
                )
        count = {len(one.mosaics) for one in self.fields}
        if len(count) != 1 or 0 in count:
            raise InputError("expected mosaics of the same bands, one or more, in every field")
        names = [one.name for one in self.fields]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise InputError(f"two fields are called {repeated!r}; give each its own name")
        for name in (*names, *self.bands):
            if not _NAME.fullmatch(name):
                raise InputError(f"name {name!r}: expected letters, digits, and . _ + -")
        for kind in ("bands", "zero_points"):
            given = len(getattr(self, kind))
            if given not in (0, *count):
                raise InputError(
                    f"`{kind}`: {given} given for {min(count)} bands; expected as many"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings, lists and dicts."""
        values: dict[str, Any] = _plain(asdict(self))
        return values

    def sources(self) -> dict[str, dict[str, Any]]:
        """Return size in bytes and time of the last change of every file."""
        names: list[str] = []
        for one in self.fields:
            names += [one.catalog, *one.mosaics, *one.weights, *one.psfs]
            names += [name for name in (one.segmentation, one.redshifts) if name is not None]
        found = {}
        for name in names:
            path = Path(name)
            if not path.exists():
                path = Path(name.rpartition("[")[0])
            if not path.is_file():
                raise InputError(f"{name}: no such file")
            status = path.stat()
            changed = datetime.fromtimestamp(int(status.st_mtime), UTC).isoformat()
            found[name] = {"bytes": status.st_size, "changed": changed}
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
