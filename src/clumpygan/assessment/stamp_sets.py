"""Sets of stamps to be compared, read from files: FITS cubes, folders, cutouts, catalogues."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import torch

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.data.augment import centred
from clumpygan.errors import InputError

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header
    from astropy.table import Table

    from clumpygan.instruments import NoiseModel

SCALE_TOLERANCE = 0.01
"""Relative difference of two pixel scales that are the same."""


@dataclass(frozen=True)
class StampSet:
    """Stamps in units of their noise.

    Attributes
    ----------
    name : str
        As in the table.
    images : numpy.ndarray
        (N, y, x) float32, in units of the standard deviation of the noise per pixel.
    pixel_scale : float
        Arcsec.
    text : str
        What they are, for the report.
    known : Table or None
        What is known of each: flux (nJy), half_light_radius (arcsec), redshift, sersic_index.
    sigma : numpy.ndarray or None
        (N,) nJy per pixel, by which the images were divided.
    """

    name: str
    images: np.ndarray
    pixel_scale: float
    text: str
    known: Table | None = None
    sigma: np.ndarray | None = None

    @property
    def magnitudes(self) -> np.ndarray | None:
        """AB magnitudes (N,), where the fluxes are known."""
        if self.known is None:
            return None
        flux = np.asarray(self.known["flux"], np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(NANOJANSKY_ZERO_POINT - 2.5 * np.log10(flux))

    def part(self, rows: slice, name: str | None = None) -> StampSet:
        """Return some of the stamps, under another name."""
        return StampSet(
            name or self.name,
            self.images[rows],
            self.pixel_scale,
            self.text,
            None if self.known is None else self.known[rows],
            None if self.sigma is None else self.sigma[rows],
        )


def check_same_frame(one: StampSet, other: StampSet) -> None:
    """Refuse to compare stamps of different sizes or pixels.

    Raises
    ------
    InputError
        If their sides or pixel scales (by more than 1 %) differ.
    """
    if abs(one.pixel_scale / other.pixel_scale - 1) > SCALE_TOLERANCE:
        raise InputError(
            f"{one.name} has pixels of {one.pixel_scale:.4g} arcsec, {other.name} of "
            f"{other.pixel_scale:.4g}: expected the same"
        )
    if one.images.shape[1:] != other.images.shape[1:]:
        sides = ["x".join(map(str, each.images.shape[1:])) for each in (one, other)]
        raise InputError(
            f"{one.name} has stamps of {sides[0]} pixels, {other.name} of {sides[1]}: expected "
            "the same size"
        )


def read_cube_of_stamps(path: Path, noise: NoiseModel | None = None, seed: int = 0) -> StampSet:
    """Read a FITS cube (N, y, x) of stamps in nJy, as `generate.py galaxies` writes them.

    The noise per pixel is the header's SIGMA, or the column `noise_sigma` of the table GALAXIES;
    without either it is measured on each stamp.

    Parameters
    ----------
    path : pathlib.Path
    noise : NoiseModel, optional
        To be added to stamps that say to have none (SIGMA = 0).
    seed : int
        Of that noise.

    Raises
    ------
    InputError
        If the file can't be read, holds no cube or NaN, has no pixel scale, or its noise is neither
        said nor measurable.
    """
    from clumpygan.io.fits import open_fits

    with open_fits(path) as hdus:
        cube, header = _cube(hdus, path)
        sigma = _stated_sigma(hdus, header, len(cube), path)
    scale = _pixel_scale(header, path)
    images = np.asarray(cube, dtype=np.float32)
    if not np.isfinite(images).all():
        bad = int((~np.isfinite(images).all(axis=(1, 2))).sum())
        raise InputError(f"{path}: {bad} of {len(images)} stamps hold NaN; leave them out")
    if sigma is not None and not sigma.any():
        if noise is None:
            raise InputError(f"{path}: its stamps have no noise (SIGMA = 0); give noisy ones")
        images = with_noise(images, noise, seed, "generated")
        sigma = np.full(len(images), noise.sigma)
    else:
        if sigma is None:
            sigma = np.array([_measured_sigma(image, scale, path) for image in images])
        images = np.asarray(images / sigma[:, None, None].astype(np.float32))
    return StampSet(path.name, images, scale, f"{path}", None, sigma)


def _cube(hdus: HDUList, path: Path) -> tuple[np.ndarray, Header]:
    images = [one for one in hdus if one.is_image and one.data is not None]
    cubes = [one for one in images if one.data.ndim == 3]
    if not cubes:
        found = ", ".join("x".join(map(str, one.data.shape)) for one in images) or "no image"
        raise InputError(f"{path}: expected a cube (N, y, x) of stamps, found {found}")
    chosen = next((one for one in cubes if one.name == "IMAGES"), cubes[0])
    header = hdus[0].header.copy()
    header.update(chosen.header)
    return np.array(chosen.data), header


def _stated_sigma(hdus: HDUList, header: Header, number: int, path: Path) -> np.ndarray | None:
    column: Any = None
    if "GALAXIES" in hdus and "noise_sigma" in hdus["GALAXIES"].columns.names:
        column = np.array(hdus["GALAXIES"].data["noise_sigma"], dtype=np.float64)
    if "SIGMA" in header:
        column = np.full(number, float(header["SIGMA"]))
    if column is None:
        return None
    if column.shape != (number,) or not (np.isfinite(column) & (column >= 0)).all():
        raise InputError(
            f"{path}: its noise (SIGMA or noise_sigma) isn't a number >= 0 for each of the "
            f"{number} stamps"
        )
    if column.any() and not column.all():
        raise InputError(f"{path}: some of its stamps have a noise_sigma of 0, some have not")
    return np.asarray(column)


def _pixel_scale(header: Header, path: Path) -> float:
    from clumpygan.io import pixel_scale_of
    from clumpygan.io.wcs import read_wcs

    if "PIXSCALE" in header:
        scale = float(header["PIXSCALE"])
    else:
        wcs = read_wcs(header)
        if wcs is None:
            raise InputError(f"{path}: no pixel scale; expected PIXSCALE (arcsec) in its header")
        scale = pixel_scale_of(wcs, str(path))
    if not 0 < scale < np.inf:
        raise InputError(f"{path}: PIXSCALE is {scale}; expected arcsec > 0")
    return scale


def _measured_sigma(image: np.ndarray, scale: float, path: Path) -> float:
    from clumpygan.instruments import estimate_noise

    try:
        return estimate_noise(image, scale).sigma
    except InputError as problem:
        raise InputError(
            f"{path}: the noise can't be measured ({problem}); say it as SIGMA (nJy per pixel)"
        ) from problem


def read_folder_of_stamps(folder: Path, size: int, seed: int) -> StampSet:
    """Read a folder of FITS stamps of F160W, cut or padded to `size` pixels, in random order.

    Raises
    ------
    InputError
        If there is none, or one of them can't be used.
    """
    from clumpygan.data.stamps.real_stamps import read_stamps
    from clumpygan.instruments import HST_WFC3_F160W

    parts = read_stamps(folder, size, HST_WFC3_F160W, seed).values()
    sigma = np.array([noise.sigma for part in parts for noise in part.noises])
    images = np.concatenate([part.images for part in parts]) / sigma[:, None, None]
    order = np.random.default_rng(seed).permutation(len(images))
    images = images[order].astype(np.float32)
    return StampSet(
        folder.name, images, HST_WFC3_F160W.pixel_scale, f"{folder}", None, sigma[order]
    )


def read_catalog_stamps(catalog: Path, size: int, seed: int) -> StampSet:
    """Read the stamps of a catalogue, brought to 0.06" pixels and the PSF of F160W.

    Raises
    ------
    InputError
        If the catalogue or a stamp can't be read.
    """
    from clumpygan.instruments import HST_WFC3_F160W, SurveyPair
    from clumpygan.recovery.catalog_galaxies import CatalogGalaxies

    galaxies = CatalogGalaxies(catalog, SurveyPair.of(), seed=seed)
    found = [galaxies.stamp(index) for index in range(len(galaxies))]
    sigma = np.array([one for _, one in found])
    images = np.stack([centred(image, size) / one for image, one in found]).astype(np.float32)
    text = f'{catalog}, brought to 0.06" pixels and the PSF of F160W'
    return StampSet(catalog.stem, images, HST_WFC3_F160W.pixel_scale, text, None, sigma)


def with_noise(images: np.ndarray, noise: NoiseModel, seed: int, label: str) -> np.ndarray:
    """Add noise to stamps in nJy; the result is in units of its standard deviation.

    The noise of stamp i depends on (seed, label, i) alone.

    Parameters
    ----------
    images : numpy.ndarray
        (N, y, x) nJy per pixel, noiseless.
    noise : NoiseModel
    seed : int
    label : str
        Of the set: others have other noise.
    """
    result = np.empty(images.shape, dtype=np.float32)
    for index, (image, target) in enumerate(zip(images, result, strict=True)):
        state = np.random.SeedSequence([seed, crc32(label.encode()), index]).generate_state(2)
        generator = torch.Generator().manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
        drawn = noise.draw(image.shape, generator).numpy()
        target[:] = (image + drawn) / np.float32(noise.sigma)
    return result
