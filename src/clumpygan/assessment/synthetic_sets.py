"""Sets of stamps that are made on the spot: synthetic CANDELS, smooth disks, a generator's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from zlib import crc32

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.assessment.progress import Progress, silent
from clumpygan.assessment.stamp_sets import StampSet, check_same_frame, with_noise
from clumpygan.errors import InputError
from clumpygan.evaluation.realism.realism import SMALLEST_SET
from clumpygan.galaxies import (
    StampRenderer,
    draw_population,
    smooth_disks,
    without_neighbours,
)
from clumpygan.galaxies.images.population import draw_galaxy
from clumpygan.instruments import HST_WFC3_F160W, NoiseModel

if TYPE_CHECKING:
    import galsim

    from clumpygan.gan.galaxies import GalaxyGenerator

SIZE = 64
"""Pixels per side of synthetic stamps."""

SMOOTH, SMOOTH_BLENDED = "smooth disks", "smooth disks + neighbours"
"""Names of the sets of disks: alone, and with the neighbour that one galaxy in ten has."""

GENERATED, POPULATION = "generated", "population"

INTERPOLATIONS, STEPS = 4, 9
"""Ways from one galaxy to another that the report shows, and their stamps."""


_CHUNK = 100
"""Stamps that are rendered between two reports of progress."""

Images = NDArray[np.floating]


@dataclass(frozen=True)
class HeldOut:
    """Real galaxies that no generator has seen, and their opponents.

    Attributes
    ----------
    reference, floor : StampSet
        Two halves.
    opponents : list of StampSet
        Smooth disks like the galaxies of the floor.
    training : StampSet or None
        What the generator learnt from.
    noise : NoiseModel or None
        Of such stamps.
    psf : galsim.GSObject or None
    """

    reference: StampSet
    floor: StampSet
    opponents: list[StampSet]
    training: StampSet | None
    noise: NoiseModel | None
    psf: galsim.GSObject | None


def synthetic(
    number: int,
    seed: int,
    training_seed: int,
    training_size: int,
    progress: Progress = silent,
) -> HeldOut:
    """Draw held-out galaxies of the synthetic CANDELS sample, and smooth disks.

    Parameters
    ----------
    number : int
        In each of the sets.
    seed : int
        Of galaxies and noise.
    training_seed, training_size : int
        Of the sample that a training with this seed sees; 0 for none.
    progress : callable, optional
        Called with how many stamps were rendered, of how many, and the name of this stage.
    """
    instrument = HST_WFC3_F160W
    psf, noise = instrument.psf(), instrument.noise()
    text = "synthetic CANDELS galaxies (H = 20-26, z < 2) with the noise of F160W, never trained on"
    total = 4 * number + training_size

    def stamps(table: Table, name: str, text: str) -> StampSet:
        images = with_noise(_rendered(table, total, progress), noise, seed, name)
        sigma = np.full(len(images), noise.sigma)
        return StampSet(name, images, instrument.pixel_scale, text, table, sigma)

    table = draw_population(2 * number, seed=seed, split="test")
    reference = stamps(table[::2], "held-out synthetic", text)
    floor = stamps(table[1::2], "held-out real", text)
    training = None
    if training_size:
        training = training_sample(training_size, training_seed, total, progress)
    disks = smooth_disks(table[1::2])
    blended = stamps(disks, SMOOTH_BLENDED, "the same disks and the neighbours of these galaxies")
    disks = without_neighbours(disks)
    text = (
        "exponential disks with the magnitude, half-light radius, inclination, position angle, "
        "shear, PSF and noise of the galaxies of the floor"
    )
    alone = stamps(disks, SMOOTH, text)
    return HeldOut(reference, floor, [alone, blended], training, noise, psf)


def training_sample(
    size: int, seed: int, total: int | None = None, progress: Progress = silent
) -> StampSet:
    """Render galaxies that a training sees.

    Without noise, which was another one each time a galaxy was seen.

    Parameters
    ----------
    size, seed : int
        Their number, and the seed of the training.
    total : int, optional
        Stamps that are rendered in all, for the progress.
    progress : callable, optional
    """
    instrument = HST_WFC3_F160W
    learnt = draw_population(size, seed=seed, split="train")
    images = _rendered(learnt, total or size, progress)
    images /= np.float32(instrument.noise().sigma)
    text = f"{size} galaxies of the training sample of seed {seed}"
    return StampSet("training", images, instrument.pixel_scale, text)


def _rendered(table: Table, total: int, progress: Progress) -> Images:
    """Render galaxies (N, y, x), nJy, and tell how many of all."""
    renderer = StampRenderer(SIZE, HST_WFC3_F160W.pixel_scale, psf=HST_WFC3_F160W.psf())
    parts = []
    for begin in range(0, len(table), _CHUNK):
        parts.append(renderer.render_table(table[begin : begin + _CHUNK]))
        progress(len(parts[-1]), total, "rendering")
    return np.concatenate(parts)


def disks_like(galaxies: StampSet, held_out: HeldOut, seed: int) -> StampSet | None:
    """Draw a smooth disk for each real galaxy of known magnitude and half-light radius.

    Inclination and position angle are random: catalogues seldom have them.

    Parameters
    ----------
    galaxies : StampSet
        With `known` and `sigma`.
    held_out : HeldOut
        Its PSF and noise are used.
    seed : int

    Returns
    -------
    StampSet or None
        None where PSF or noise are unknown, or the photometry of all but a few galaxies.
    """
    if held_out.psf is None or held_out.noise is None or galaxies.known is None:
        return None
    known, noise = galaxies.known, held_out.noise
    flux, radius = (np.asarray(known[name], float) for name in ("flux", "half_light_radius"))
    usable = np.flatnonzero((flux > 0) & (radius > 0) & np.isfinite(flux) & np.isfinite(radius))
    if usable.size < SMALLEST_SET:
        return None
    drawn = draw_population([int(i) for i in usable], seed=seed, split="disks")
    drawn["flux"], drawn["half_light_radius"] = flux[usable], radius[usable].clip(0.02, 2.0)
    disks = smooth_disks(drawn)
    disks = without_neighbours(disks)
    renderer = StampRenderer(galaxies.images.shape[1], galaxies.pixel_scale, psf=held_out.psf)
    images = renderer.render_table(disks)
    sigma = np.asarray(galaxies.sigma)[usable]
    # each with the noise of its own stamp
    images *= (noise.sigma / sigma)[:, None, None].astype(np.float32)
    text = (
        "exponential disks with the catalogue's magnitude and half-light radius and the PSF and "
        "noise of the stamps, randomly inclined"
    )
    images = with_noise(images, noise, seed, SMOOTH)
    return StampSet(SMOOTH, images, galaxies.pixel_scale, text, disks, sigma)


def population_like(galaxies: StampSet, held_out: HeldOut, seed: int) -> StampSet:
    """Draw a galaxy of the synthetic population with the magnitude of each real one.

    Parameters
    ----------
    galaxies : StampSet
        With `known`.
    held_out : HeldOut
        Its PSF and noise are used.
    seed : int
    """
    assert held_out.psf is not None
    assert held_out.noise is not None
    assert galaxies.magnitudes is not None
    renderer = StampRenderer(galaxies.images.shape[1], galaxies.pixel_scale, psf=held_out.psf)
    drawn = [
        draw_galaxy(
            np.random.default_rng([seed, crc32(POPULATION.encode()), row]),
            min_magnitude=magnitude,
            # A single value is a range as narrow as can be.
            max_magnitude=magnitude + 1e-6,
        )
        for row, magnitude in enumerate(galaxies.magnitudes.tolist())
    ]
    images = with_noise(
        np.stack([renderer.render(one) for one in drawn]), held_out.noise, seed, POPULATION
    )
    text = "galaxies of the synthetic population with the magnitudes of the real ones"
    return StampSet(POPULATION, images, galaxies.pixel_scale, text, galaxies.known, galaxies.sigma)


def made_by(
    checkpoint: str, like: StampSet, seed: int, device: str, progress: Progress = silent
) -> tuple[StampSet, np.ndarray]:
    """Generate a galaxy of the same flux, size and redshift for each real one.

    Parameters
    ----------
    checkpoint : str
        Name or path of the generator.
    like : StampSet
        Real galaxies with what is known of them.
    seed : int
    device : str

    Returns
    -------
    StampSet
        With the noise that the generator was trained with.
    numpy.ndarray
        (R, S, y, x): R ways from one galaxy to another in S steps, noiseless, in its units.

    Raises
    ------
    InputError
        If there is no such generator, it makes other stamps, or nothing is known of the galaxies.
    """
    generator, known, usable, stamps = _stamps_like(checkpoint, like, seed, device, progress)
    noise = generator.noise
    images = with_noise(stamps, noise, seed, GENERATED)
    text = f"made by checkpoint {checkpoint} for the galaxies of the floor"
    made = StampSet(GENERATED, images, noise.pixel_scale, text, cast("Table", like.known)[usable])
    order = np.argsort(known["flux"])
    ways = []
    for way in range(min(INTERPOLATIONS, len(order) // 2)):
        # from a faint galaxy to a bright one, and neither the faintest nor the brightest
        ends = order[[len(order) * (2 + way) // 10, len(order) * (9 - way) // 10]]
        pair = {name: values[ends] for name, values in known.items()}
        ways.append(np.stack(list(generator.between(pair, seed + way, STEPS))) / noise.sigma)
    return made, np.stack(ways) if ways else np.empty((0, STEPS, generator.size, generator.size))


def noiseless_like(
    checkpoint: str, like: StampSet, seed: int, device: str, progress: Progress = silent
) -> Images:
    """Generate galaxies as `made_by` does, without noise.

    Returns
    -------
    numpy.ndarray
        (N, y, x) in units of the noise per pixel.

    Raises
    ------
    InputError
        As `made_by`.
    """
    generator, _, _, stamps = _stamps_like(checkpoint, like, seed, device, progress)
    return np.asarray(stamps / np.float32(generator.noise.sigma))


def _stamps_like(
    checkpoint: str, like: StampSet, seed: int, device: str, progress: Progress
) -> tuple[GalaxyGenerator, dict[str, NDArray[np.float64]], NDArray[np.bool_], Images]:
    """Return a generator, what it is told, of which galaxies (N,), and its stamps in nJy."""
    from clumpygan.gan.galaxies import GalaxyGenerator

    generator = GalaxyGenerator.load(checkpoint, device)
    noise = generator.noise
    blank = np.empty((0, generator.size, generator.size))
    check_same_frame(StampSet(f"checkpoint {checkpoint}", blank, noise.pixel_scale, ""), like)
    if like.known is None:
        raise InputError(
            f"nothing is known of the galaxies of {like.text} to tell checkpoint {checkpoint}: "
            "generate galaxies first and give them as `generated`"
        )
    names = {"flux", *generator.conditions} - {"signal"}
    known = {name: np.asarray(like.known[name], dtype=np.float64) for name in names}
    usable = np.all([np.isfinite(one) & (one > 0) for one in known.values()], axis=0)
    known = {name: values[usable] for name, values in known.items()}
    if not usable.any():
        raise InputError(f"no galaxy of {like.text} has a known {', '.join(sorted(names))}")
    count = int(usable.sum())
    stamps = generator.stamps(
        known, seed, progress=lambda done: progress(done, count, "generating")
    )
    return generator, known, np.asarray(usable), stamps
