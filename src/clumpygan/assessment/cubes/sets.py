"""Sets of cubes to be compared: held-out true ones, generated ones, smooth disks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from clumpygan.assessment.cubes.settings import CubeRealismSettings
from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.settings import NOTHING
from clumpygan.data.cubes.galaxy_cube_sample import is_rendered, render_realisations
from clumpygan.data.cubes.galaxy_cubes import GalaxyCubeDataModule
from clumpygan.errors import InputError
from clumpygan.evaluation.cubes.cube_sets import CubeSet
from clumpygan.evaluation.cubes.line_maps import CubeAxes
from clumpygan.galaxies.disks.cube_conditions import GAS_CONDITIONS
from clumpygan.gan.checkpoint import find_checkpoint, read_card
from clumpygan.gan.cubes import CubeGenerator
from clumpygan.networks.expected_moments import aligned_moments
from clumpygan.settings import ends_of
from clumpygan.training.build import build_data

REFERENCE, FLOOR, SMOOTH, TRUTH = "reference", "held-out truth", "smooth disks", "truth"

REALISATIONS = 4
"""Galaxies of the same parameters, for the diversity."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What is compared.

    Attributes
    ----------
    data : GalaxyCubeDataModule
        Of the training.
    reference, floor : CubeSet
        Held-out true galaxies.
    made : list of CubeSet
        Generated ones, for the parameters and with the noise of the floor.
    smooth : CubeSet
        Smooth disks, likewise.
    noise : ndarray (n, v, y, x)
        Of what is made.
    generators : dict of str to CubeGenerator
    parameters : ndarray (n, K)
        Of the floor, in the order of `names`.
    names : tuple of str
    """

    data: GalaxyCubeDataModule
    reference: CubeSet
    floor: CubeSet
    made: list[CubeSet]
    smooth: CubeSet
    noise: np.ndarray
    generators: dict[str, CubeGenerator]
    parameters: np.ndarray
    names: tuple[str, ...]

    @property
    def candidates(self) -> list[CubeSet]:
        """All that is compared with the reference."""
        return [self.floor, *self.made, self.smooth]

    @property
    def axes(self) -> CubeAxes:
        """Of the voxels."""
        return CubeAxes.of(self.data.frame)


def load_generators(settings: CubeRealismSettings) -> dict[str, CubeGenerator]:
    """Load the generators that are compared, by the names of their files.

    Raises
    ------
    InputError
        If one can't be loaded, or they were trained on other data.
    """
    wanted = [settings.checkpoint, *([] if settings.opponent == NOTHING else [settings.opponent])]
    loaded = {Path(name).stem: CubeGenerator.load(name, settings.device) for name in wanted}
    first, *others = loaded.values()
    for other in others:
        if (other.frame, other.population, other.gas) != (
            first.frame,
            first.population,
            first.gas,
        ):
            raise InputError(
                f"{other.name} was trained on other cubes than {first.name}: compare generators of "
                "the same data, or one at a time"
            )
    return loaded


def build_sets(
    settings: CubeRealismSettings,
    generators: dict[str, CubeGenerator],
    progress: Progress = silent,
) -> Compared:
    """Read or render the held-out galaxies, and generate cubes of their parameters."""
    data = training_data(settings)
    if settings.signal_to_noise is not None:
        for generator in generators.values():
            generator.check_noise(ends_of(settings.signal_to_noise), stacklevel=3)
    true = data.dataset("test")
    count = min(settings.n, len(true) // 2)
    floor_arrays, reference_arrays = (
        _stacked([true[i] for i in range(begin, begin + count)]) for begin in (0, count)
    )
    names, scale = data.condition_names, data.frame.grid.pixel_scale
    floor, reference = (
        _set(name, arrays, arrays["cube"], arrays["noise"], names, scale)
        for name, arrays in ((FLOOR, floor_arrays), (REFERENCE, reference_arrays))
    )
    # Real cubes have their own noise in them; what is made gets such noise.
    noise = floor_arrays["noise" if settings.root is None else "second_noise"]
    told = floor_arrays["parameters"]
    cubes = {
        name: generator.cubes(
            known_by(generator, told, names),
            settings.seed,
            data.frame,
            progress=partial(_generated, progress, count, name),
        )
        for name, generator in generators.items()
    } | {SMOOTH: floor_arrays["smooth"]}
    made = [_set(name, floor_arrays, one, noise, names, scale) for name, one in cubes.items()]
    sets = [reference, floor, *made]
    if settings.root is not None:
        # What is known with noise alone is compared with noise alone.
        sets = [replace(one, clean=None) for one in sets]
    return Compared(data, sets[0], sets[1], sets[2:-1], sets[-1], noise, generators, told, names)


def known_by(
    generator: CubeGenerator, parameters: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """Return what a generator is told of parameters (n, K) of given names.

    Of real galaxies bulge and gas aren't known: it is told typical ones.
    """
    columns = [
        parameters[:, names.index(name)]
        if name in names
        else np.full(len(parameters), GAS_CONDITIONS[name].row.default, parameters.dtype)
        for name in generator.names
    ]
    return np.stack(columns, 1)


def training_maps(settings: CubeRealismSettings, data: GalaxyCubeDataModule) -> np.ndarray | None:
    """Return flux maps (T, y, x) of training galaxies; None if they aren't asked for."""
    if not settings.train_size:
        return None
    true = data.dataset("train")
    count = min(settings.train_size, len(true))
    return np.asarray(true.cubes.cubes[:count].sum(axis=1, dtype=np.float32))


def realisations(
    compared: Compared, groups: int, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Make several galaxies of the same parameters (G, R, v, y, x), without noise.

    Returns
    -------
    made : dict of str to ndarray
        Set -> cubes: other true ones (the floor), each generator's, and smooth disks.
    true : ndarray
        True ones.
    """
    rows = compared.parameters[:groups]
    both = render_realisations(compared.data.settings, rows, 2 * REALISATIONS, seed)
    made = {FLOOR: both[:, REALISATIONS:]}
    repeated = np.repeat(rows, REALISATIONS, axis=0)
    # Other galaxies than those of the sets.
    places = range(10**9, 10**9 + len(repeated))
    for name, generator in compared.generators.items():
        told = known_by(generator, repeated, compared.names)
        cubes = generator.cubes(told, seed, compared.data.frame, places)
        made[name] = cubes.reshape(groups, REALISATIONS, *cubes.shape[1:])
    smooth = compared.smooth.smooth[:groups]
    made[SMOOTH] = np.repeat(smooth[:, None], REALISATIONS, axis=1)
    return made, both[:, :REALISATIONS]


def cubes_to_fit(compared: Compared, count: int, seed: int) -> dict[str, np.ndarray]:
    """Return observed cubes (count, v, y, x) of the same parameters and noise.

    Returns
    -------
    dict of str to ndarray
        The floor's own galaxies, called "truth"; under its name other true galaxies of their
        parameters, where those can be rendered; what was generated; smooth disks.
    """
    found = {TRUTH: compared.floor.observed[:count]}
    if compared.floor.clean is not None:
        rows = compared.parameters[:count]
        other = render_realisations(compared.data.settings, rows, 1, seed)[:, 0]
        found[compared.floor.name] = other + compared.noise[:count]
    return found | {one.name: one.observed[:count] for one in (*compared.made, compared.smooth)}


def _generated(progress: Progress, count: int, name: str, done: int) -> None:
    progress(done, count, f"generating {name}")


def training_data(settings: CubeRealismSettings) -> GalaxyCubeDataModule:
    """Return the data of the training, with no more rendered galaxies than are looked at.

    Raises
    ------
    InputError
        If the network was trained on other data than cubes, or on real ones and none are given.
    """
    name = settings.checkpoint
    card = read_card(find_checkpoint(name).with_suffix(".yaml"))
    section = dict(card.get("data") or {})
    if settings.root is not None:
        # Real cubes have their own noise.
        section = {key: own for key, own in section.items() if key not in ("noise", "uneven")}
        section |= {"root": str(settings.root)}
        section |= {} if settings.table is None else {"table": str(settings.table)}
    elif "measured_seeing" in section:
        raise InputError(f"{name} was trained on real cubes: give `root`, the folder of them")
    kind = str(section.get("_target_", section.get("kind"))).rpartition(".")[2]
    if kind not in ("galaxy_cubes", "GalaxyCubeDataModule"):
        raise InputError(
            f"{name} was trained on data of the kind {kind}: expected galaxy_cubes, whose truth is "
            "known"
        )
    if settings.signal_to_noise is not None:
        section |= {"signal_to_noise": list(ends_of(settings.signal_to_noise))}
    data = build_data(section | {"cache": str(settings.cache)})
    assert isinstance(data, GalaxyCubeDataModule)
    if settings.root is not None:
        return data
    return build_data(section | {"cache": str(settings.cache)} | _sizes(settings, data))


def _sizes(settings: CubeRealismSettings, data: GalaxyCubeDataModule) -> dict[str, int]:
    """Return how many galaxies to render: those that are used, but samples that are there stay."""
    full = {split: data.config.size_of(split) for split in ("train", "test")}
    wanted = {
        "train": min(settings.train_size or full["train"], full["train"]),
        "test": 2 * settings.n,
    }
    there = {
        split
        for split, size in full.items()
        if size >= wanted[split]
        and is_rendered(settings.cache, data.settings, size, data.seed, split)
    }
    return {f"{split}_size": full[split] if split in there else wanted[split] for split in full}


def _stacked(items: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return arrays (n, ...) of items, without the axis of channels of networks."""
    stacked = {name: np.stack([item[name] for item in items]) for name in items[0]}
    return {name: a[:, 0] if a.ndim == 5 else a for name, a in stacked.items()}


def _set(
    name: str,
    arrays: dict[str, np.ndarray],
    cubes: np.ndarray,
    noise: np.ndarray,
    names: tuple[str, ...],
    scale: float,
) -> CubeSet:
    observed, smooth = cubes + noise, arrays["smooth"]
    parameters = arrays["parameters"]
    told = {one: parameters[:, i].astype(np.float64) for i, one in enumerate(names)}
    seen, plain = (torch.from_numpy(one)[:, None] for one in (observed, smooth))
    angle, x, y = (
        torch.from_numpy(told[one]) for one in ("position_angle", "offset_x", "offset_y")
    )
    expected = aligned_moments(seen, plain, angle, x / scale, y / scale)
    return CubeSet(name, observed, smooth, told, expected.numpy(), cubes)
