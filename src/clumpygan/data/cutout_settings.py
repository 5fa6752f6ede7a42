"""What a set of cutouts is made from, and how."""

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clumpygan.errors import InputError

_NAME = re.compile(r"[\w.+-]+")

EDGES, FILLS = ("skip", "pad"), ("noise", "zero")


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
class Cuts:
    """Which galaxies of a catalogue are taken; a galaxy without a value fails a cut on it.

    Attributes
    ----------
    min_redshift, max_redshift, min_magnitude, max_magnitude : float, optional
        min <= value < max, of the redshift and the H magnitude.
    where : tuple of (str, float, float)
        Further columns of the catalogue, low <= value <= high.
    stars : bool
        Whether stars, and what the catalogue flags as bad photometry, are kept.
    """

    min_redshift: float | None = None
    max_redshift: float | None = None
    min_magnitude: float | None = None
    max_magnitude: float | None = None
    where: tuple[tuple[str, float, float], ...] = ()
    stars: bool = False


@dataclass(frozen=True)
class CutoutSettings:
    """What a set of cutouts depends on.

    Attributes
    ----------
    fields : tuple of FieldFiles
        All with the same bands, in the same order.
    bands : tuple of str
        Names; empty: from the headers or the names of the files.
    zero_points : tuple of float
        AB magnitude of one count, for each band; empty: from the headers.
    columns : dict of str
        Names in the catalogues, by the names used here.
    flux_zero_point : float, optional
        Of fluxes in the catalogues, see `clumpygan.io.read_catalog`.
    cuts : Cuts
    size : int
        Pixels per side.
    edge : str
        "skip" galaxies whose stamp sticks out of a mosaic, or "pad" it.
    max_masked : float
        Largest fraction of pixels without data.
    mask_neighbours : bool
        Whether other sources are masked; always with a segmentation map.
    fill : str
        Masked pixels hold "noise" or "zero".
    subtract_background : bool
    seed : int
        Of that noise.
    """

    fields: tuple[FieldFiles, ...]
    bands: tuple[str, ...] = ()
    zero_points: tuple[float, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    flux_zero_point: float | None = None
    cuts: Cuts = Cuts()
    size: int = 64
    edge: str = "skip"
    max_masked: float = 0.2
    mask_neighbours: bool = False
    fill: str = "noise"
    subtract_background: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
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
                raise InputError(f"{given} {kind.replace('_', ' ')} for {count.pop()} bands")
        if self.edge not in EDGES or self.fill not in FILLS:
            raise InputError(
                f"edge {self.edge!r} and fill {self.fill!r}: expected {' or '.join(EDGES)}, and "
                f"{' or '.join(FILLS)}"
            )
        if self.size < 8 or not 0 <= self.max_masked <= 1:
            raise InputError(
                f"size {self.size} and max_masked {self.max_masked}: expected 8 pixels or more, "
                "and a fraction"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings, lists and dicts."""
        return _plain(asdict(self))

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
