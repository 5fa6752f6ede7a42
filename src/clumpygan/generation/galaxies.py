"""Images of galaxies from a trained network: what `generate.py galaxies` makes."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from numpy.typing import NDArray

from clumpygan import __version__
from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies import draw_population
from clumpygan.gan.galaxies import GalaxyGenerator
from clumpygan.generation.settings import GalaxiesSettings
from clumpygan.io.fits import card_text, write_fits
from clumpygan.settings import Span, ends_of, from_mapping, told_span

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAGNITUDES = (18.0, 28.0)
"""Of the galaxies that can be asked for."""

_ATTEMPTS = 200
"""Galaxies drawn, at most, for each one that is wanted."""

_COLUMNS = ("h_magnitude", "flux", "redshift", "half_light_radius", "sersic_index")

Progress = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class GeneratedGalaxies:
    """Images of galaxies, and what was asked for.

    Attributes
    ----------
    images : ndarray (n, y, x), float32
        nJy per pixel, with the noise of the survey if there is any.
    noiseless : ndarray (n, y, x), float32
        The same galaxies without.
    table : Table
        Magnitude, flux in nJy, redshift, half-light radius in arcsec and Sersic index of each.
    sigma : float
        Noise of a pixel of the survey, nJy.
    pixel_scale : float
        Arcsec.
    seed : int
    settings : GalaxiesSettings
        With the ranges that were drawn from.
    """

    images: NDArray[np.float32]
    noiseless: NDArray[np.float32]
    table: Table
    sigma: float
    pixel_scale: float
    seed: int
    settings: GalaxiesSettings

    def plot(self) -> Figure:
        """Return the first of the `pages`."""
        return next(self.pages())

    def pages(self) -> Iterator[Figure]:
        """Draw all galaxies, the brightest first, 64 on a page."""
        from clumpygan.plots.galaxies import galaxies_pages

        title = f"Generated galaxies, seed {self.seed}"
        return galaxies_pages(self.images / self.sigma, self.table, self.pixel_scale, title)

    def write(self, path: str | Path, commit: str = "unknown") -> None:
        """Write a FITS file: IMAGES, with noise also NOISELESS, and the table GALAXIES.

        Parameters
        ----------
        path : str or Path
        commit : str
            Of the code, for the header.
        """
        header = fits.Header()
        header["PIXSCALE"] = (self.pixel_scale, "arcsec per pixel")
        header["BUNIT"] = "nJy"
        header["ZEROPT"] = (NANOJANSKY_ZERO_POINT, "AB magnitude of 1 nJy")
        primary = fits.PrimaryHDU()
        primary.header["ORIGIN"] = f"clumpygan {__version__}"
        primary.header["SEED"] = self.seed
        primary.header["NETWORK"] = (
            card_text(Path(self.settings.checkpoint).name),
            "checkpoint",
        )
        primary.header["COMMIT"] = commit
        with_noise = header.copy()
        with_noise["SIGMA"] = (self._noise, "nJy, noise per pixel")
        hdus = [primary, fits.ImageHDU(self.images, with_noise, name="IMAGES")]
        if not self.settings.noiseless:
            hdus.append(fits.ImageHDU(self.noiseless, header, name="NOISELESS"))
        hdus.append(fits.BinTableHDU(self.table, name="GALAXIES"))
        write_fits(path, hdus)

    def report(self) -> dict[str, Any]:
        """Return the settings for a JSON file."""
        chosen = self.settings
        return {
            "seed": self.seed,
            "checkpoint": chosen.checkpoint,
            "n": chosen.n,
            "magnitude": list(ends_of(chosen.magnitude or 0.0)),
            "redshift": list(ends_of(chosen.redshift)),
            "half_light_radius_arcsec": list(ends_of(chosen.half_light_radius)),
            "pixel_scale_arcsec": self.pixel_scale,
            "sigma_njy": self._noise,
        }

    @property
    def _noise(self) -> float:
        return 0.0 if self.settings.noiseless else self.sigma


def generate_galaxies(
    n: int = 64, *, progress: Progress = lambda done: None, **choices: Any
) -> GeneratedGalaxies:
    """Generate images of clumpy galaxies as HST sees them, from a trained network.

    Parameters
    ----------
    n : int
        Number of galaxies.
    progress : callable, optional
        Called with the number of galaxies of each batch.
    **choices
        Fields of `GalaxiesSettings`: `seed`, `magnitude`, `redshift`, `half_light_radius` (ranges,
        or a number), `noiseless`, `checkpoint`, `device`.

    Returns
    -------
    GeneratedGalaxies

    Raises
    ------
    InputError
        For an unknown name, a value out of range, or ranges in which there are hardly any galaxies.

    Examples
    --------
    >>> generate_galaxies(4, seed=3, magnitude=(21, 23)).images.shape
    (4, 64, 64)
    """
    settings = from_mapping(GalaxiesSettings, {"n": n, **choices})
    generator = GalaxyGenerator.load(settings.checkpoint, settings.device)
    settings = replace(settings, magnitude=_magnitudes(settings, generator.magnitudes))
    seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
    table = draw_known(settings, seed)
    known = {name: table[name] for name in _COLUMNS[1:]}
    stamps = generator.stamps(known, seed, progress=progress)
    images = stamps
    if not settings.noiseless:
        images = stamps + generator.sky_noise(len(stamps), seed)
    noise = generator.noise
    return GeneratedGalaxies(images, stamps, table, noise.sigma, noise.pixel_scale, seed, settings)


def _magnitudes(settings: GalaxiesSettings, seen: Span) -> Span:
    """Return the range of magnitudes; warn of those that the network hasn't seen."""
    if settings.magnitude is None:
        return max(seen[0], _MAGNITUDES[0]), min(seen[1], _MAGNITUDES[1])
    wanted = ends_of(settings.magnitude)
    if wanted[0] < seen[0] or wanted[1] > seen[1]:
        warnings.warn(
            f"`magnitude` {told_span(wanted)}: the network has seen {told_span(seen)} only",
            InputWarning,
            stacklevel=3,
        )
    return wanted


def draw_known(settings: GalaxiesSettings, seed: int) -> Table:
    """Draw what is asked of each galaxy from the CANDELS population, within the ranges.

    Sizes are 0.05 to 2 arcsec at most, as the settings have it: networks that learnt before the
    population had smaller galaxies have seen no others.

    Raises
    ------
    InputError
        If hardly any galaxy is in the ranges.
    """
    low, high = ends_of(settings.magnitude or _MAGNITUDES)
    ranges = {name: ends_of(getattr(settings, name)) for name in ("redshift", "half_light_radius")}
    found: list[Table] = []
    missing, first = settings.n, 0
    while missing > 0:
        if first >= _ATTEMPTS * settings.n + 10_000:
            wanted = ", ".join(f"{name} {told_span(ends)}" for name, ends in ranges.items())
            raise InputError(
                f"of {first} galaxies of magnitude {low:g}:{high:g}, {settings.n - missing} have "
                f"{wanted}: widen the ranges"
            )
        count = max(2 * missing, 100)
        drawn = draw_population(
            range(first, first + count),
            seed=seed,
            split="generated",
            min_magnitude=low,
            # A single value is a range as narrow as can be.
            max_magnitude=max(high, low + 1e-6),
            max_redshift=max(ranges["redshift"][1], 0.11),
        )
        kept = np.ones(count, bool)
        for name, (least, most) in ranges.items():
            kept &= (drawn[name] >= least) & (drawn[name] <= most)
        found.append(drawn[kept][:missing])
        missing -= len(found[-1])
        first += count
    return vstack(found, metadata_conflicts="silent")[_COLUMNS]
