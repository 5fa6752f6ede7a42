"""A patch of a survey whose every galaxy is known: image, mask, variance, PSFs and the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import galsim
import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.wcs import WCS
from numpy.typing import NDArray

from clumpygan import __version__
from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.engine import open_engine
from clumpygan.errors import InputError
from clumpygan.galaxies import StampRenderer, draw_population
from clumpygan.galaxies.images.smooth import without_neighbours
from clumpygan.generation.patch_settings import DENSITY, PatchSettings
from clumpygan.instruments import get_instrument
from clumpygan.io import atomic_path
from clumpygan.io.fits import write_fits
from clumpygan.settings import takes_settings

MASK_PLANES = (
    "BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "SUSPECT", "NO_DATA",
    "BRIGHT_OBJECT",
)  # fmt: skip
"""Bits of the mask, in their order, as the pipeline of HSC names them (Bosch et al. 2018)."""

CENTRE = (150.1, 2.2)
"""Right ascension and declination of the middle of the patch, deg: in COSMOS."""

SATURATION = 18.5
"""Magnitude from which on the middle of a star is saturated, as in the i band of HSC Wide."""

_STAMP = 80
"""Pixels on a side within which a galaxy is drawn: 13.4" of HSC."""

_PSF_SIZE = 43
"""Pixels of the images of the PSF, as the pipeline's own."""

_FWHM_SWING, _ELLIPTICITY = 0.06, 0.03
"""Relative change of the seeing across the patch, and largest shear of the PSF."""

_DEPTH_SWING, _GAP = 0.15, 1.5
"""Relative change of the noise across the patch, and its factor in a gap between chips."""

_STARS = (17.0, 24.0)
_DETECTED = 5.0
_HITS_PER_MEGAPIXEL = 40.0
"""Cosmic rays that were interpolated in the coadd."""


@dataclass(frozen=True)
class Cell:
    """One cell of a patch: the galaxies in it are seen through one PSF.

    Attributes
    ----------
    row, column : int
    fwhm, g1, g2 : float
        Of its PSF: arcsec, and shear.
    y, x : float
        Middle, in pixels from 0.
    rows : tuple of int
        Of the truth that lie in it.
    """

    row: int
    column: int
    fwhm: float
    g1: float
    g2: float
    y: float
    x: float
    rows: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Patch:
    """A simulated patch.

    Attributes
    ----------
    image, variance : ndarray (y, x), float32
        nJy per pixel, and its square; NaN where there are no data.
    mask : ndarray (y, x), int32
        Bits in the order of `MASK_PLANES`.
    wcs : WCS
    truth : Table
        A row for each galaxy and star: `id`, `ra`, `dec`, `x` and `y` (pixels, from 0), `star`,
        `cell`, and the columns of the population.
    cells : tuple of Cell
    settings : PatchSettings
    """

    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    mask: NDArray[np.int32]
    wcs: WCS
    truth: Table
    cells: tuple[Cell, ...]
    settings: PatchSettings

    def psf(self, cell: Cell) -> NDArray[np.float32]:
        """Return the image of the PSF of a cell (43, 43), of unit sum."""
        scale = get_instrument(self.settings.instrument).pixel_scale
        drawn = _psf(self.settings, cell).drawImage(
            nx=_PSF_SIZE, ny=_PSF_SIZE, scale=scale, method="no_pixel", dtype=np.float64
        )
        return np.asarray(drawn.array / drawn.array.sum(), np.float32)

    def write(self) -> None:
        """Write calexp.fits, truth.fits and psf/psf_ROW_COLUMN.fits into the folder."""
        home = self.settings.output
        (home / "psf").mkdir(parents=True, exist_ok=True)
        for cell in self.cells:
            header = fits.Header()
            header["PIXSCALE"] = (get_instrument(self.settings.instrument).pixel_scale, "arcsec")
            header["X"], header["Y"] = (cell.x, "pixel of the patch, from 0"), (cell.y, "the same")
            path = home / "psf" / f"psf_{cell.row:02d}_{cell.column:02d}.fits"
            write_fits(path, [fits.PrimaryHDU(self.psf(cell), header)])
        with atomic_path(home / "truth.fits") as temporary:
            self.truth.write(temporary, format="fits", overwrite=True)
        write_fits(home / "calexp.fits", self._hdus())

    def _hdus(self) -> fits.HDUList:
        instrument = get_instrument(self.settings.instrument)
        primary = fits.PrimaryHDU()
        primary.header["ORIGIN"] = f"clumpygan {__version__}"
        primary.header["SEED"] = self.settings.seed
        primary.header["FILTER"] = instrument.band
        cards = self.wcs.to_header()
        image, mask, variance = (cards.copy() for _ in range(3))
        image["BUNIT"], variance["BUNIT"] = "nJy", "nJy2"
        image["ZEROPT"] = (NANOJANSKY_ZERO_POINT, "AB magnitude of 1 nJy")
        for bit, name in enumerate(MASK_PLANES):
            mask[f"HIERARCH MP_{name}"] = bit
        return fits.HDUList(
            [
                primary,
                fits.ImageHDU(self.image, image, name="IMAGE"),
                fits.ImageHDU(self.mask, mask, name="MASK"),
                fits.ImageHDU(self.variance, variance, name="VARIANCE"),
            ]
        )


@takes_settings(PatchSettings)
def generate_patch(
    *, progress: Callable[[int, int], object] = lambda done, of: None, **settings: Any
) -> Patch:
    """Simulate a patch of a survey: thousands of galaxies of the population, and stars.

    Fluxes in the band of the survey are those in H. The PSF is the same within a cell. The noise
    is white, and differs across the patch, more so in a gap between chips; a strip at the edge has
    no data, bright stars are saturated, and cosmic rays were interpolated.

    Parameters
    ----------
    progress : callable, optional
        Called with the galaxies that were drawn since the last call, and all of them.
    **settings
        The fields of `PatchSettings`.

    Returns
    -------
    Patch

    Raises
    ------
    InputError
        For settings that contradict each other or an unknown instrument.

    Examples
    --------
    >>> patch = generate_patch(size=160, cells=2, n=20, stars=3, seed=4)  # doctest: +SKIP
    >>> patch.write()  # doctest: +SKIP
    """
    chosen = PatchSettings(**settings)
    instrument = get_instrument(chosen.instrument)
    if instrument.moffat_beta_range is None:
        raise InputError(f"`instrument` {chosen.instrument}: expected a survey from the ground")
    random = np.random.default_rng([chosen.seed, 0])
    wcs = _wcs(chosen.size, instrument.pixel_scale)
    truth = _draw_truth(chosen, wcs, random)
    cells = _cells(chosen, truth, random)
    light = np.zeros((chosen.size, chosen.size), np.float32)
    with open_engine(len(cells), chosen.workers, chosen.cluster) as engine:
        jobs = [(cell, truth[list(cell.rows)]) for cell in cells]
        drawn = engine.map(partial(draw_cell, chosen), jobs)
        # In their order, as the sum of floats depends on it.
        for cell, (corner, part) in zip(cells, drawn, strict=True):
            _add(light, part, corner)
            progress(len(cell.rows), len(truth))
    return _observed(chosen, light, wcs, truth, cells, random)


def draw_cell(
    settings: PatchSettings, job: tuple[Cell, Table]
) -> tuple[tuple[int, int], NDArray[np.float32]]:
    """Draw the galaxies and stars of a cell.

    Returns
    -------
    corner : tuple of int
        (y, x) of the part in the patch.
    part : ndarray (y, x), float32
        nJy per pixel.
    """
    cell, truth = job
    scale = get_instrument(settings.instrument).pixel_scale
    psf = _psf(settings, cell)
    renderer = StampRenderer(_STAMP, scale, psf=psf)
    side = -(-settings.size // settings.cells) + 1
    corner = (
        int(cell.row * settings.size / settings.cells) - _STAMP,
        int(cell.column * settings.size / settings.cells) - _STAMP,
    )
    part = np.zeros((side + 2 * _STAMP, side + 2 * _STAMP), np.float32)
    for row in truth:
        # Its own offset takes the galaxy from the middle of the stamp to where it is.
        whole = np.floor([row["y"], row["x"]] - np.array((_STAMP - 1) / 2)).astype(int)
        away = ([row["y"], row["x"]] - (whole + (_STAMP - 1) / 2)) * scale
        if row["star"]:
            stamp = psf.withFlux(float(row["flux"])).shift(away[1], away[0]).drawImage(
                nx=_STAMP, ny=_STAMP, scale=scale, method="no_pixel", dtype=np.float64
            ).array.astype(np.float32)  # fmt: skip
        else:
            galaxy = {name: row[name] for name in row.colnames}
            galaxy["offset_y"], galaxy["offset_x"] = away
            stamp = renderer.render(galaxy)
        top, left = whole - corner
        part[top : top + _STAMP, left : left + _STAMP] += stamp
    return corner, part


def _draw_truth(settings: PatchSettings, wcs: WCS, random: np.random.Generator) -> Table:
    scale = get_instrument(settings.instrument).pixel_scale
    area = (settings.size * scale / 60) ** 2
    count = settings.n or max(1, round(DENSITY * area))
    galaxies = without_neighbours(
        draw_population(
            count, seed=settings.seed, split="patch", min_magnitude=settings.min_magnitude,
            max_magnitude=settings.max_magnitude,
        )
    )  # fmt: skip
    galaxies["star"] = False
    number = count // 10 if settings.stars is None else settings.stars
    if number:
        stars = Table(galaxies[np.zeros(number, int)])
        for name in stars.colnames:
            if stars[name].dtype.kind == "f":
                stars[name] = 0.0
        stars["h_magnitude"] = random.uniform(*_STARS, number)
        stars["flux"] = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - stars["h_magnitude"]))
        stars["star"] = True
        galaxies = vstack([galaxies, stars], metadata_conflicts="silent")
    y, x = random.uniform(-0.5, settings.size - 0.5, (2, len(galaxies)))
    ra, dec = wcs.all_pix2world(x, y, 0)
    table = Table({"id": np.arange(1, len(galaxies) + 1), "ra": ra, "dec": dec, "x": x, "y": y})
    table["ra"].unit = table["dec"].unit = "deg"
    width = settings.size / settings.cells
    place = [np.clip((one + 0.5) / width, 0, settings.cells - 1).astype(int) for one in (y, x)]
    table["cell"] = place[0] * settings.cells + place[1]
    for name in galaxies.colnames:
        if name not in ("index", "offset_x", "offset_y"):
            table[name] = galaxies[name]
    return table


def _cells(settings: PatchSettings, truth: Table, random: np.random.Generator) -> tuple[Cell, ...]:
    """Return the cells with their PSFs, which change smoothly across the patch."""
    slopes, phases = random.normal(0, 1, 2), random.uniform(0, 2 * np.pi, 2)
    slopes /= max(float(np.abs(slopes).sum()), 1e-9)
    middle = get_instrument(settings.instrument).psf_fwhm
    number, found = settings.cells, []
    for index in range(number**2):
        row, column = divmod(index, number)
        v, u = (2 * (one + 0.5) / number - 1 for one in (row, column))
        shear = _ELLIPTICITY * np.hypot(u, v) / np.sqrt(2)
        angle = phases[0] + np.pi * u * np.cos(phases[1]) + np.pi * v * np.sin(phases[1])
        found.append(
            Cell(
                row, column,
                float(middle * (1 + _FWHM_SWING * (slopes[0] * u + slopes[1] * v))),
                float(shear * np.cos(angle)), float(shear * np.sin(angle)),
                (row + 0.5) * settings.size / number - 0.5,
                (column + 0.5) * settings.size / number - 0.5,
                tuple(np.flatnonzero(truth["cell"] == index).tolist()),
            )
        )  # fmt: skip
    return tuple(found)


def _psf(settings: PatchSettings, cell: Cell) -> galsim.GSObject:
    """Return the effective PSF of a cell."""
    return get_instrument(settings.instrument).psf(fwhm=cell.fwhm).shear(g1=cell.g1, g2=cell.g2)


def _add(whole: NDArray[np.float32], part: NDArray[np.float32], corner: tuple[int, int]) -> None:
    """Add the part that lies within to an image."""
    (top, left), (rows, columns) = corner, part.shape
    inside = tuple(
        slice(max(first, 0), min(first + length, size))
        for first, length, size in zip((top, left), (rows, columns), whole.shape, strict=True)
    )
    whole[inside] += part[
        inside[0].start - top : inside[0].stop - top, inside[1].start - left : inside[1].stop - left
    ]


def _observed(
    settings: PatchSettings,
    light: NDArray[np.float32],
    wcs: WCS,
    truth: Table,
    cells: tuple[Cell, ...],
    random: np.random.Generator,
) -> Patch:
    """Add noise, and mask what a survey's pipeline masks."""
    size, sky = settings.size, get_instrument(settings.instrument).sky_sigma
    ramp = np.linspace(-1, 1, size)
    sigma = sky * (1 + _DEPTH_SWING * (0.6 * ramp[:, None] + 0.4 * ramp[None]))
    gap = random.integers(size // 4, 3 * size // 4)
    sigma[:, gap : gap + max(size // 60, 2)] *= _GAP
    image = (light + sigma * random.standard_normal((size, size))).astype(np.float32)
    mask = np.zeros((size, size), np.int32)
    bits = {name: 1 << bit for bit, name in enumerate(MASK_PLANES)}
    # Over the nine pixels of the seeing, a third of the threshold in each is all of it.
    mask[light > _DETECTED * sigma / 3] |= bits["DETECTED"]
    for _ in range(round(_HITS_PER_MEGAPIXEL * size**2 / 1e6)):
        y, x = random.integers(0, size - 4, 2)
        mask[y : y + 3, x : x + 2] |= bits["CR"] | bits["INTRP"]
        image[y : y + 3, x : x + 2] = image[y : y + 3, x + 2 : x + 4].mean()
    rows, columns = np.ogrid[:size, :size]
    for star in truth[truth["star"] & (truth["h_magnitude"] < SATURATION)]:
        away = np.hypot(rows - star["y"], columns - star["x"])
        radius = 4 + 8 * (SATURATION - star["h_magnitude"])
        mask[away < radius] |= bits["SAT"] | bits["INTRP"]
        mask[away < 4 * radius] |= bits["BRIGHT_OBJECT"]
        image[away < radius] = image[away < radius + 1].max()
    margin = max(size // 100, 3)
    mask[:margin] |= bits["NO_DATA"] | bits["EDGE"]
    variance = np.asarray(sigma**2, np.float32)
    image[:margin], variance[:margin] = np.nan, np.nan
    return Patch(image, variance, mask, wcs, truth, cells, settings)


def _wcs(size: int, scale: float) -> WCS:
    """Return a tangential projection with north up and east to the left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = CENTRE
    wcs.wcs.crpix = [(size + 1) / 2] * 2
    wcs.wcs.cd = np.diag([-scale / 3600, scale / 3600])
    wcs.wcs.cunit = ["deg", "deg"]
    return wcs
