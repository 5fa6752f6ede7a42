"""All galaxies of a recipe, each taken out of its image."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clumpygan.data.real_galaxies.isolation import Isolated, isolate
from clumpygan.data.real_galaxies.recipe import Recipe, read_recipe
from clumpygan.data.splits import split_of
from clumpygan.errors import InputError
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
    def half_light_radius(self) -> float:
        """Arcsec along the major axis; the PSF is taken out in quadrature."""
        observed = self.light.half_light_radius * self.pixel_scale
        return float(max(observed**2 - (self.psf_fwhm / 2) ** 2, (0.3 * observed) ** 2) ** 0.5)


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
