"""Real galaxies as they would be if they were farther and fainter, seen by a sharp instrument."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import galsim
import numpy as np
from numpy.typing import NDArray

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.data.real_galaxies.sources import Source
from clumpygan.galaxies.images.population import LARGEST_OFFSET, draw_galaxy
from clumpygan.instruments import ImagingInstrument, SurveyPair

LEAST_SHRINKING = 1.5
"""By so much a galaxy is made smaller, at least: it has to be sharper than what it stands for."""

WIDEST_PSF = 0.09
"""FWHM in arcsec of the PSF that a shrunk galaxy still has, half of F160W's at most."""

LARGEST_NOISE = 0.5
"""Noise of a shrunk galaxy, at most, in units of that of the survey in an area as large."""

FAINTER_NOISE = 0.5
"""Noise, in units of the target's own, of the survey that stands for it: with the half of it that
a shrunk galaxy may have, stamps with the noise of the target have 3 % too much of it, at most."""

NEIGHBOURS = 0.4
"""Share of the stamps with another galaxy near the first."""

REACH = 3.0
"""Arcsec on each axis, within which that other galaxy is."""

_ATTEMPTS = 200


@dataclass(frozen=True)
class Camera:
    """What the stamps are to look like.

    Attributes
    ----------
    target : ImagingInstrument
        Its PSF and pixels.
    size : int
        Pixels per side.
    noise : float
        Of the survey that will observe the stamps, per pixel of the target, nJy.
    """

    target: ImagingInstrument
    size: int
    noise: float

    @classmethod
    def of(cls, pair: SurveyPair) -> "Camera":
        """Return that of the sharp images of a pair, which its survey will observe."""
        noise = pair.survey.sky_sigma / pair.grid.area_ratio**0.5
        return cls(pair.target, pair.grid.stamp, noise)

    @classmethod
    def of_target(cls, target: ImagingInstrument, size: int) -> "Camera":
        """Return that of stamps to which the noise of the target itself will be added."""
        return cls(target, size, FAINTER_NOISE * float(target.noise().sigma))


@dataclass(frozen=True)
class Wanted:
    """A galaxy of the population, for which a real one is to stand; arcsec."""

    magnitude: float
    half_light_radius: float
    redshift: float

    @property
    def flux(self) -> float:
        """NJy."""
        return float(10 ** (0.4 * (NANOJANSKY_ZERO_POINT - self.magnitude)))


@dataclass(frozen=True)
class Choice:
    """A real galaxy that stands for one of the population.

    Attributes
    ----------
    source : Source
    wanted : Wanted
    shrunk : float
        By which factor it is made smaller.
    """

    source: Source
    wanted: Wanted
    shrunk: float


def choose(
    sources: Sequence[Source], camera: Camera, seed: int, index: int
) -> tuple[Choice, Choice | None]:
    """Choose the galaxy of stamp `index`, and that beside it, if there is one.

    They depend on the sources, the camera, and (seed, index) alone. A galaxy of the population
    says magnitude and size; a real galaxy that can be shrunk to that size takes its place.
    """
    generator = np.random.default_rng([seed, index, 0])
    main = _choose(sources, camera, generator)
    if generator.random() >= NEIGHBOURS:
        return main, None
    beside = _choose(sources, camera, generator)
    fainter = beside.wanted.magnitude > main.wanted.magnitude - 0.5
    return main, beside if fainter else None


def draw_stamp(
    sources: Sequence[Source], camera: Camera, seed: int, index: int
) -> NDArray[np.float32]:
    """Return stamp `index` (size, size): what `choose` says, turned, mirrored, faded, blurred.

    Returns
    -------
    ndarray (size, size), float32
        nJy per pixel, with the PSF of the target.
    """
    main, beside = choose(sources, camera, seed, index)
    generator = np.random.default_rng([seed, index, 1])
    image = draw_choice(main, camera, generator, LARGEST_OFFSET)
    if beside is not None:
        image += draw_choice(beside, camera, generator, REACH)
    return image


def describe(main: Choice, beside: Choice | None) -> dict[str, Any]:
    """Return `galaxy`, `h_magnitude`, `half_light_radius` (arcsec), `shrunk` (by which factor).

    And `redshift`, that of the galaxy for which it stands, and `sersic_index`, its own. Of what is
    beside it `neighbour` (its galaxy, or "") and `neighbour_magnitude`.
    """
    return {
        "galaxy": main.source.galaxy,
        "h_magnitude": main.wanted.magnitude,
        "half_light_radius": main.wanted.half_light_radius,
        "redshift": main.wanted.redshift,
        "sersic_index": main.source.sersic_index,
        "shrunk": main.shrunk,
        "neighbour": beside.source.galaxy if beside else "",
        "neighbour_magnitude": beside.wanted.magnitude if beside else np.nan,
    }


def _choose(sources: Sequence[Source], camera: Camera, generator: np.random.Generator) -> Choice:
    """Draw a galaxy of the population and a real one that can stand for it, and how far it shrinks.

    Bright and large galaxies have few that are good enough, so both are drawn anew until they fit.
    """
    for _ in range(_ATTEMPTS):
        drawn = draw_galaxy(generator)
        wanted = Wanted(
            *(float(drawn[name]) for name in ("h_magnitude", "half_light_radius", "redshift"))
        )
        for place in generator.permutation(len(sources))[:12]:
            source = sources[place]
            shrunk = source.half_light_radius / wanted.half_light_radius
            if _fits(source, wanted, shrunk, camera):
                return Choice(source, wanted, shrunk)
    raise ValueError("no real galaxy can stand for any of the population")


def _fits(source: Source, wanted: Wanted, shrunk: float, camera: Camera) -> bool:
    if shrunk < LEAST_SHRINKING or source.psf_fwhm / shrunk > WIDEST_PSF:
        return False
    # Pixels of the source in one of the target.
    pixels = (camera.target.pixel_scale * shrunk / source.pixel_scale) ** 2
    noise = source.light.sigma / source.light.flux * pixels**0.5 * wanted.flux
    return bool(noise <= LARGEST_NOISE * camera.noise)


def draw_choice(
    choice: Choice, camera: Camera, generator: np.random.Generator, reach: float
) -> NDArray[np.float32]:
    """Return a real galaxy (size, size) as wanted, up to `reach` arcsec from the middle."""
    source, wanted, shrunk = choice.source, choice.wanted, choice.shrunk
    pixels = galsim.Image(source.light.image, scale=source.pixel_scale / shrunk)
    galaxy = galsim.InterpolatedImage(pixels, x_interpolant="quintic", flux=wanted.flux)
    galaxy = galaxy.rotate(float(generator.uniform(0, 360)) * galsim.degrees)
    if generator.random() < 0.5:
        galaxy = galaxy.transform(-1, 0, 0, 1)
    offset = generator.uniform(-reach, reach, 2)
    own = galsim.Deconvolve(galsim.Gaussian(fwhm=source.psf_fwhm / shrunk))
    seen = galsim.Convolve(galaxy, own, camera.target.psf()).shift(*map(float, offset))
    stamp = galsim.Image(
        camera.size, camera.size, scale=camera.target.pixel_scale, dtype=np.float32
    )
    seen.drawImage(stamp, method="no_pixel")
    return np.asarray(stamp.array)
