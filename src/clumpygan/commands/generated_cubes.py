"""What `generate.py cubes` makes: parameters, cubes, noise, and the files that they go to."""

from __future__ import annotations

import json
import secrets
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from clumpygan import __version__
from clumpygan.commands.mock_cube import TYPICAL_FLUX
from clumpygan.data.cube_frame import CubeFrame, FrameSettings, make_frame
from clumpygan.data.cube_settings import (
    CubeSettings,
    build_settings,
    galaxy_generator,
    noise_generator,
    parameter_ranges,
    plain,
)
from clumpygan.errors import InputError
from clumpygan.galaxies.cube_conditions import CUBE_CONDITIONS, SEEING
from clumpygan.gan.cubes import BATCH, CubeGenerator
from clumpygan.instruments.cube_noise import draw_cube_noise
from clumpygan.io import atomic_path, read_cube
from clumpygan.io.cube_writing import write_cube

SETTINGS = "settings.json"
"""In the folder of the cubes: what they are."""

_SPLIT = "generated"
_FRAME_FLAGS = ("shape", "pixel_scale", "channel_width", "instrument", "redshift")
_DRAWN_FROM_THE_FOLDER, _DRAWN = "that of the cubes that are there", "drawn at random"


@dataclass(frozen=True, eq=False)
class CubeOrder:
    """Cubes that are asked for.

    Attributes
    ----------
    generator : CubeGenerator
    frame : CubeFrame
    population : CubeSettings
        From which parameters are drawn.
    seeing, flux, signal_to_noise : (float, float)
        Ranges of what isn't drawn there; the flux is a factor of the drawn one if `drawn_flux`.
    count, seed : int
    seed_from : str
        Where the seed is from, for the user.
    output : Path
    settings : dict
        All that the cubes depend on, as plain numbers and words.
    smooth, noiseless, drawn_flux : bool
    """

    generator: CubeGenerator
    frame: CubeFrame
    population: CubeSettings
    seeing: tuple[float, float]
    flux: tuple[float, float]
    signal_to_noise: tuple[float, float]
    count: int
    seed: int
    seed_from: str
    output: Path
    settings: dict[str, Any]
    smooth: bool
    noiseless: bool
    drawn_flux: bool

    @classmethod
    def of(cls, options: Namespace, generator: CubeGenerator) -> CubeOrder:
        """Check what is asked for, and prepare the folder of several cubes.

        Raises
        ------
        InputError
            If the network doesn't know a parameter or has not seen its values, can't make such
            cubes, or the folder holds others.
        """
        given = {
            name: value
            for name in CUBE_CONDITIONS
            if (value := getattr(options, name, None)) is not None
        }
        for name, (low, high) in given.items():
            generator.check(name, low, high)
        frame = _frame(options, generator)
        trained = generator.population
        ranges = {
            name: [low, high] for name, (low, high) in given.items() if name not in (SEEING, "flux")
        }
        population = CubeSettings(
            frame=frame[0], parameters=parameter_ranges({**trained, **ranges})
        )
        typical = TYPICAL_FLUX if frame[0].instrument else 1.0
        settings = {
            "program": f"clumpygan {__version__}",
            "checkpoint": Path(options.checkpoint).name,
            "conditions": {name: list(value) for name, value in given.items()},
            "signal_to_noise": list(options.snr),
            "frame": plain(asdict(frame[0])),
            "smooth": options.smooth,
            "noiseless": options.noiseless,
        }
        folder = options.output.with_suffix("")
        seed, seed_from = _settle(options, folder, settings)
        return cls(
            generator=generator,
            frame=frame[1],
            population=population,
            seeing=given.get(SEEING, generator.ranges.get(SEEING, (frame[1].psf_fwhm or 0.0,) * 2)),
            flux=given.get("flux", (typical, typical)),
            signal_to_noise=options.snr,
            count=options.n,
            seed=seed,
            seed_from=seed_from,
            output=options.output,
            settings=settings | {"seed": seed},
            smooth=options.smooth,
            noiseless=options.noiseless,
            drawn_flux="flux" not in given,
        )

    @property
    def folder(self) -> Path:
        """Where several cubes go."""
        return self.output.with_suffix("")

    def path(self, index: int) -> Path:
        """Return the file of a cube."""
        if self.count == 1:
            return self.output
        return self.folder / f"{self.folder.name}_{index:06d}.fits"

    def missing(self) -> list[int]:
        """Return the cubes that aren't there yet."""
        if self.count == 1:
            return [0]
        there = {path.name for path in self.folder.glob("*.fits")}
        return [i for i in range(self.count) if self.path(i).name not in there]

    def parameters(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Draw the conditions (n, K), in the order of the generator, and the S/N (n,)."""
        vectors = self.population.draw(self.seed, _SPLIT, indices)
        model = self.population.model
        table = np.empty((len(indices), len(self.generator.names)))
        ratios = np.empty(len(indices))
        for row, index in enumerate(indices):
            random = galaxy_generator(self.seed, f"{_SPLIT} seeing", index)
            seeing, flux = random.uniform(*self.seeing), random.uniform(*self.flux)
            ratios[row] = np.exp(random.uniform(*np.log(self.signal_to_noise)))
            if self.drawn_flux:
                flux *= vectors[row, model.index("flux")]
            own = {SEEING: seeing, "flux": flux}
            table[row] = [
                own[name] if name in own else vectors[row, model.index(name)]
                for name in self.generator.names
            ]
        return table, ratios

    def make(self, indices: Sequence[int], progress: Callable[[int], object]) -> None:
        """Make cubes and write each to its file."""
        if self.count > 1:
            self.folder.mkdir(exist_ok=True)
        for begin in range(0, len(indices), BATCH):
            part = indices[begin : begin + BATCH]
            parameters, ratios = self.parameters(part)
            cubes = self._cubes(parameters, ratios, part)
            for cube, row, ratio, index in zip(cubes, parameters, ratios, part, strict=True):
                self._write(cube, row, float(ratio), index)
                progress(1)

    def write_table(self, path: Path) -> None:
        """Write the parameters of all cubes."""
        parameters, ratios = self.parameters(range(self.count))
        table = Table(parameters, names=self.generator.names)
        for name in self.generator.names:
            table[name].unit = CUBE_CONDITIONS[name].unit.replace("flux units", "") or None
        files = [f"{self.folder.name}/{self.path(i).name}" for i in range(self.count)]
        table.add_column(files, name="file", index=0)
        table["signal_to_noise"] = ratios
        table.meta = {"SEED": self.seed, "NETWORK": self.settings["checkpoint"]}
        table.write(path, format="fits")

    def draw(self, path: Path, most: int) -> None:
        """Draw the maps of the first cubes, as they are in the files."""
        from clumpygan.evaluation.cube_pictures import galaxies_page
        from clumpygan.evaluation.line_maps import CubeAxes, line_maps

        shown = range(min(self.count, most))
        found = [read_cube(self.path(index)) for index in shown]
        cubes = np.stack([one.data for one in found])
        noisy = found[0].variance is not None
        if noisy:
            cubes = cubes / np.sqrt(np.stack([one.variance for one in found]))
        parameters, _ = self.parameters(shown)
        systemic = self.generator.names.index("systemic_velocity")
        figure = galaxies_page(
            line_maps(cubes, CubeAxes.of(self.frame), noisy=noisy),
            parameters[:, systemic],
            [str(index) for index in shown],
        )
        figure.savefig(path, dpi=120)

    def _cubes(
        self, parameters: np.ndarray, ratios: np.ndarray, indices: Sequence[int]
    ) -> np.ndarray:
        """Return noiseless cubes in the unit of the flux."""
        place = self.generator.names.index("flux")
        told, flux = parameters.copy(), parameters[:, place]
        told[:, place] = 1.0
        smooth = self.generator.smooth(told, self.frame)
        if self.smooth:
            return smooth * flux[:, None, None, None]
        # The networks know the flux in units of the noise.
        told[:, place] = ratios / smooth.max(axis=(1, 2, 3))
        cubes = self.generator.cubes(told, self.seed, self.frame, indices)
        return cubes * (flux / told[:, place])[:, None, None, None]

    def _write(self, cube: np.ndarray, row: np.ndarray, ratio: float, index: int) -> None:
        frame, instrument = self.frame, self.frame.instrument
        data = (cube if instrument is None else cube / frame.axis.step).astype(np.float32)
        variance = None
        if not self.noiseless:
            sigma = float(data.max()) / ratio
            random = noise_generator(self.seed, _SPLIT, index, 0)
            data = data + draw_cube_noise(random, data.shape, sigma, frame.correlation)
            variance = np.full(data.shape, sigma**2, dtype=np.float32)
        values: dict[str, float | str] = dict(
            zip(self.generator.names, map(float, row), strict=True)
        )
        seeing = values.pop(SEEING, frame.psf_fwhm or 0.0)
        write_cube(
            self.path(index),
            data,
            axis=frame.axis,
            pixel_scale=frame.grid.pixel_scale,
            variance=variance,
            unit=None if instrument is None else "1e-20 erg/s/cm2/Angstrom",
            parameters=values
            | {
                "instrument": "none" if instrument is None else instrument.name,
                "redshift": frame.redshift,
                "psf_fwhm": seeing,
                "signal_to_noise": "none" if self.noiseless else ratio,
                "network": "none" if self.smooth else self.settings["checkpoint"],
                "galaxy": float(index),
            }
            | {f"rest_wavelength_{n}": line for n, line in enumerate(frame.lines, 1)},
            comments={name: c.unit for name, c in CUBE_CONDITIONS.items() if c.unit}
            | {"psf_fwhm": "arcsec"},
            seed=self.seed,
        )


def _frame(options: Namespace, generator: CubeGenerator) -> tuple[FrameSettings, CubeFrame]:
    """Return the frame that is asked for: that of the training, but for what is given."""
    trained: FrameSettings = build_settings(FrameSettings, generator.frame)
    given: dict[str, Any] = {
        name: value for name in _FRAME_FLAGS if (value := getattr(options, name)) is not None
    }
    if options.line is not None:
        given["lines"] = tuple(name.strip() for name in options.line.split(","))
    if "shape" in given:
        given["shape"] = tuple(given["shape"])
    if "instrument" in given:
        # What the training's instrument has isn't what another one has.
        given = {"pixel_scale": None, "channel_width": None} | given
    settings = replace(trained, **given)
    if generator.shape is not None and settings != trained:
        changed = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(
            f"{changed}: {generator.name} makes cubes of shape {tuple(generator.shape)} on the grid"
            " of its training alone; leave it out, or take --checkpoint cube_gan"
        )
    return settings, make_frame(settings)


def _settle(options: Namespace, folder: Path, settings: dict[str, Any]) -> tuple[int, str]:
    """Return the seed, and note the settings in the folder of several cubes.

    Raises
    ------
    InputError
        If there are cubes of other settings in it.
    """
    drawn = secrets.randbelow(2**31) if options.seed is None else options.seed
    if options.n == 1:
        return drawn, _DRAWN
    note = folder / SETTINGS
    if note.exists():
        try:
            before = json.loads(note.read_text())
        except ValueError as problem:
            raise InputError(f"{note} can't be read: delete the folder {folder}") from problem
        wanted = settings | {"seed": before.get("seed") if options.seed is None else options.seed}
        for name, value in wanted.items():
            if before.get(name) != value:
                raise InputError(
                    f"{folder} holds cubes of another {name} ({before.get(name)}, now {value}): "
                    "choose another --output, or delete it"
                )
        return int(wanted["seed"]), _DRAWN_FROM_THE_FOLDER
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files: choose another --output")
    folder.mkdir(exist_ok=True)
    with atomic_path(note) as path:
        path.write_text(json.dumps(settings | {"seed": drawn}, indent=2) + "\n")
    return drawn, _DRAWN
