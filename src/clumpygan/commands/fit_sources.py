"""Where the cubes of `fit.py` come from: FITS files, or a set that `prepare.py cubes` has made."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from astropy.units import UnitBase
from astropy.wcs import WCS

from clumpygan.commands.fit_catalog import Own, read_fit_catalog
from clumpygan.commands.fit_channels import near_lines, subtract_continuum
from clumpygan.commands.fit_choices import fitters_of, spectrograph_of
from clumpygan.commands.fit_flags import DEFAULT_SIGNAL_TO_NOISE
from clumpygan.data.cube_settings import frame_for
from clumpygan.data.cube_store import CubeSet, open_cubes
from clumpygan.data.cube_views import CubeDataset
from clumpygan.errors import InputError
from clumpygan.fitting import DiskFitter, Observation
from clumpygan.fitting.cube_observation import flux_per_voxel
from clumpygan.io.cube_units import Beam
from clumpygan.io.cubes import read_cube
from clumpygan.io.region import Region
from clumpygan.io.spectral_axis import SpectralAxis

_SPLIT = "fit"
"""Part of the key with which noise is added to cubes of a set."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A cube that is ready to be fitted, and what is needed to write its model.

    Attributes
    ----------
    fitters : dict of str to DiskFitter
        By the rotation curves; several are compared.
    observation : Observation
    axis, pixel_scale, wcs, unit, beam
        As those of `Cube`.
    per_voxel : float
        What data in that unit are multiplied with to be flux per voxel.
    truth : dict of str to float
        Parameters of a mock, as far as they are known.
    """

    fitters: dict[str, DiskFitter]
    observation: Observation
    axis: SpectralAxis
    pixel_scale: float
    per_voxel: float = 1.0
    wcs: WCS | None = None
    unit: UnitBase | None = None
    beam: Beam | None = None
    truth: dict[str, float] = field(default_factory=dict)


class Source(Protocol):
    """One cube to be fitted."""

    name: str
    """Of its files."""

    @property
    def identity(self) -> dict[str, str | int]:
        """What says that it is the same one."""

    @property
    def path(self) -> Path:
        """What the data are read from."""

    @property
    def own(self) -> dict[str, Any]:
        """Flags that differ from cube to cube, and their values."""

    def load(self, options: Namespace) -> Loaded:
        """Read it and check it against the flags."""


@dataclass(frozen=True)
class FileSource:
    """A FITS file."""

    name: str
    path: Path
    flags: Own = ()

    @property
    def own(self) -> dict[str, Any]:
        """Those of the catalogue."""
        return dict(self.flags)

    @property
    def identity(self) -> dict[str, str | int]:
        """Its absolute path."""
        return {"file": str(self.path.resolve())}

    def load(self, options: Namespace) -> Loaded:
        """Read it and check it against the flags."""
        options = Namespace(**vars(options) | self.own)
        instrument = spectrograph_of(options)
        size, place = options.size, options.position or options.pixel
        if place is not None and size is None:
            raise InputError("--position and --pixel need --size ARCSEC, the width of the field")
        cube = read_cube(
            self.path,
            hdu=options.hdu,
            variance=self._of_name(options.variance),
            mask=self._of_name(options.mask),
            region=Region(
                position=None if options.position is None else tuple(options.position),
                pixel=None if options.pixel is None else tuple(options.pixel),
                size=size,
            ),
            pixel_scale=options.pixel_scale,
            redshift=options.redshift,
            medium=options.medium or (None if instrument is None else instrument.medium),
            definition=options.definition,
            spectral_unit=options.spectral_unit,
            unit=options.unit,
        )
        cube = subtract_continuum(near_lines(cube, options), options)
        fitters = fitters_of(options)
        fitter = next(iter(fitters.values()))
        names = fitter.model.names
        return Loaded(
            fitters,
            fitter.observe(cube),
            cube.axis,
            cube.pixel_scale,
            flux_per_voxel(cube)[0],
            # One that the header has is overridden by a scale of the user's.
            None if options.pixel_scale is not None else cube.wcs,
            cube.unit,
            cube.beam,
            {k: float(v) for k, v in cube.parameters.items() if k in names},
        )

    def _of_name(self, pattern: str | None) -> str | None:
        return None if pattern is None else pattern.replace("{name}", stem_of(self.path))


@dataclass(frozen=True)
class RowSource:
    """One cube of a prepared set."""

    name: str
    folder: Path
    row: int

    @property
    def own(self) -> dict[str, Any]:
        """None: they share all flags."""
        return {}

    @property
    def path(self) -> Path:
        """The card of the set, which is written last."""
        return self.folder / "card.yaml"

    @property
    def identity(self) -> dict[str, str | int]:
        """The folder and the number."""
        return {"file": str(self.folder.resolve()), "row": self.row}

    def load(self, options: Namespace) -> Loaded:
        """Read it, add noise, and check it against the flags."""
        found = _opened(self.folder)
        frame = frame_for(found.settings)
        ratio = options.signal_to_noise or DEFAULT_SIGNAL_TO_NOISE
        served = CubeDataset(
            found.settings,
            split=_SPLIT,
            seed=options.seed,
            size=found.count,
            signal_to_noise=(ratio, ratio),
            cubes=found,
        )[self.row]
        fitters = fitters_of(of_set(options, found), frame)
        variance = np.full(found.settings.frame.shape, float(served["sigma"]) ** 2)
        names = found.settings.model.names
        vector = found.parameters[self.row]
        return Loaded(
            fitters,
            next(iter(fitters.values())).observe(served["cube"][0], variance),
            frame.axis,
            frame.grid.pixel_scale,
            truth=dict(zip(names, vector.tolist(), strict=True)),
        )


def sources_of(options: Namespace) -> list[Source]:
    """Return what the flags ask to fit.

    Raises
    ------
    InputError
        If that is nothing, a file is missing, two cubes would have the same name, or flags are of
        the other kind of input.
    """
    if (options.set is None) == (not options.cubes):
        raise InputError(
            "expected cubes, or --set FOLDER with those of prepare.py cubes: one of them"
        )
    if options.set is not None:
        return _rows(options)
    for name in ("n", "signal_to_noise"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} goes with --set FOLDER; leave it out")
    paths = list(dict.fromkeys(options.cubes))
    many = Counter(stem_of(path) for path in paths)
    # Files of the same name in folders of their own, as instruments' pipelines leave them.
    names = [
        stem_of(path)
        if many[stem_of(path)] == 1
        else f"{path.resolve().parent.name}_{stem_of(path)}"
        for path in paths
    ]
    for name, count in Counter(names).items():
        if count > 1:
            both = [str(path) for path, own in zip(paths, names, strict=True) if own == name]
            raise InputError(f"{both[0]} and {both[1]} would both become {name}; rename one")
    own: dict[str, Own] = {}
    if options.catalog is not None:
        own = read_fit_catalog(options.catalog, [stem_of(path) for path in paths])
        _check_once(options, own)
    return [
        FileSource(name, path, own.get(stem_of(path), ()))
        for name, path in zip(names, paths, strict=True)
    ]


def _check_once(options: Namespace, own: dict[str, Own]) -> None:
    """Refuse what both the flags and the catalogue say."""
    for flag in {flag for flags in own.values() for flag, _ in flags}:
        if getattr(options, flag) is not None:
            raise InputError(
                f"--{flag.replace('_', '-')} is given, and {options.catalog} has it too: leave one "
                "of them out"
            )


def stem_of(path: Path) -> str:
    """Return the name of a file without .fits, .fits.gz and the like."""
    name = path.name
    for ending in (".gz", ".fz", ".bz2", ".fits", ".fit"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
    return name


def of_set(options: Namespace, found: CubeSet) -> Namespace:
    """Return the flags with the model of a set, where they don't choose their own."""
    model = found.settings.model
    chosen = Namespace(**vars(options))
    if options.curve is None and options.models is None and options.rotation_table is None:
        chosen.curve = model.curve
    if chosen.curve == "table" and options.rotation_table is None:
        raise InputError(
            f"{found.folder}: its curve is a table; give it as --rotation-table, or another --curve"
        )
    return chosen


def _rows(options: Namespace) -> list[Source]:
    for name in ("catalog", "line", "redshift", "psf_fwhm", "line_spread", "hdu", "variance",
                 "mask", "position", "pixel", "size", "velocity_range", "pixel_scale", "medium",
                 "subtract_continuum",
                 "definition", "spectral_unit", "unit"):  # fmt: skip
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} is about files; a set knows it itself: leave it out"
            )
    if options.instrument.lower() != "none":
        raise InputError("--instrument is about files; a set knows its own: leave it out")
    found = _opened(options.set)
    if options.n is not None and options.n > found.count:
        raise InputError(f"--n {options.n}: {options.set} has {found.count} cubes; ask for fewer")
    fitters_of(of_set(options, found), frame_for(found.settings))
    stem = options.set.resolve().name
    return [
        RowSource(f"{stem}_{row:06d}", options.set, row) for row in range(options.n or found.count)
    ]


@lru_cache(maxsize=1)
def _opened(folder: Path) -> CubeSet:
    return open_cubes(folder)
