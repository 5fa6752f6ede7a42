"""All galaxies of a recipe, each taken out of its image."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from clumpygan.data.real_galaxies.isolation import SHARES, Isolated, isolate
from clumpygan.data.real_galaxies.recipe import Recipe, read_recipe
from clumpygan.data.splits import split_of
from clumpygan.errors import InputError
from clumpygan.galaxies.images.profiles import sersic_index_of
from clumpygan.io.fits import read_plane

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A real galaxy in one band.

    Attributes
    ----------
    galaxy : str
        Its name, the same in all bands.
    split : str
        "train", "val" or "test".
    pixel_scale, psf_fwhm : float
        arcsec.
    light : Isolated
    """

    galaxy: str
    split: str
    pixel_scale: float
    psf_fwhm: float
    light: Isolated

    @property
    def radii(self) -> tuple[float, float, float]:
        """Arcsec along the major axis with 20, 50 and 80 % of the light.

        The PSF is taken out in quadrature: radii of a Gaussian of its FWHM.
        """
        found = []
        for share, pixels in zip(SHARES, self.light.radii, strict=True):
            observed = pixels * self.pixel_scale
            blur = self.psf_fwhm * (np.log(1 - share) / np.log(0.0625)) ** 0.5
            found.append(float(max(observed**2 - blur**2, (0.3 * observed) ** 2) ** 0.5))
        return found[0], found[1], found[2]

    @property
    def half_light_radius(self) -> float:
        """Arcsec along the major axis."""
        return self.radii[1]

    @property
    def sersic_index(self) -> float:
        """That of the profile with the same ratio of the radii of 80 and 20 % of the light."""
        inner, _, outer = self.radii
        return sersic_index_of(outer / inner)


@lru_cache(maxsize=1)
def read_sources(path: Path, seed: int = 0) -> tuple[Source, ...]:
    """Read all galaxies of a recipe that can be used, in the order of groups and names.

    Raises
    ------
    InputError
        If a group has no file, or none of them a galaxy in its middle.
    """
    recipe = read_recipe(path)
    found: list[Source] = []
    for group in recipe.groups:
        before = len(found)
        paths = _files(recipe.folder / group.images)
        if not paths:
            raise InputError(f"{path}: group {group.name}: no file fits {group.images}")
        for file in paths:
            galaxy = group.galaxy_of(file)
            for hdu, width in group.members():
                light = isolate(read_plane(file, hdu).data)
                if light is not None:
                    split = _split(recipe, galaxy, seed)
                    found.append(Source(galaxy, split, group.pixel_scale, width, light))
        if len(found) == before:
            raise InputError(f"{path}: group {group.name}: no image has a galaxy in its middle")
        _log.info("%s: %d galaxies of %d files", group.name, len(found) - before, len(paths))
    return tuple(found)


def _files(pattern: Path) -> list[Path]:
    # Globs of pathlib are relative ones.
    pattern = pattern.absolute()
    return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def _split(recipe: Recipe, galaxy: str, seed: int) -> str:
    return "test" if galaxy in recipe.held_out else split_of(galaxy, seed)
