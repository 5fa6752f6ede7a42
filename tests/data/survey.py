"""A tiny survey on disk: mosaics with noise and galaxies, weights, a catalogue."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS, Sip

from clumpygan.data.cutouts.settings import FieldFiles

SCALE, ZERO_POINT = 0.06, 25.946
SHAPE = (240, 300)


def make_wcs(rotation=20.0, distorted=False, centre=(53.1, -27.8), frame="equatorial"):
    wcs = WCS(naxis=2)
    names = ("GLON", "GLAT") if frame == "galactic" else ("RA--", "DEC-")
    suffix = "-TAN-SIP" if distorted else "-TAN"
    wcs.wcs.ctype = [name + suffix for name in names]
    wcs.wcs.crval, wcs.wcs.crpix = centre, (SHAPE[1] / 2, SHAPE[0] / 2)
    cosine, sine = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.cd = SCALE / 3600 * np.array([[-cosine, sine], [sine, cosine]])
    if distorted:
        a, b = np.zeros((3, 3)), np.zeros((3, 3))
        a[2, 0], b[0, 2], a[1, 1] = 3e-5, -4e-5, 2e-5
        wcs.sip = Sip(a, b, None, None, wcs.wcs.crpix)
    wcs.wcs.set()
    return wcs


@dataclass
class Survey:
    """Files of a field, and what is in them."""

    folder: Path
    name: str
    wcs: WCS
    x: np.ndarray
    y: np.ndarray
    data: dict[str, np.ndarray]
    weight: np.ndarray
    table: Table

    def path(self, name):
        return str(self.folder / f"{self.name}_{name}")

    def write(self, what, array, band="F160W", wcs=True, **cards):
        """Write an image as NAME_WHAT.fits; return its path."""
        header = self.wcs.to_header(relax=True) if wcs else fits.Header()
        header["FILTER"], header["ABMAGZP"] = band, ZERO_POINT
        header.update(cards)
        path = self.path(f"{what}.fits")
        fits.writeto(path, array, header, overwrite=True)
        return path

    def write_table(self, name="cat.fits", **columns):
        """Write the catalogue, some columns changed, or left out where None."""
        table = self.table.copy()
        for column, values in columns.items():
            table[column] = values if values is not None else 0
            if values is None:
                table.remove_column(column)
        table.write(self.path(name), overwrite=True)
        return self.path(name)

    def files(self, bands=("F160W",), weights=True, **others):
        """Write everything; return the files of the field."""
        return FieldFiles(
            self.name,
            others.pop("catalog", None) or self.write_table(),
            others.pop("mosaics", None)
            or tuple(self.write(band, self.data[band], band) for band in bands),
            tuple(self.write("wht", self.weight) for _ in bands) if weights else (),
            **others,
        )


def make_survey(folder, name="gs", count=40, seed=0, **wcs):
    rng = np.random.default_rng(seed)
    sky = make_wcs(**wcs)
    x, y = rng.uniform(0, SHAPE[1] - 1, count), rng.uniform(0, SHAPE[0] - 1, count)
    world = sky.all_pix2world(np.stack([x, y], axis=1), 0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = sum(
        20 * np.exp(-np.hypot(rows - b, columns - a) / 1.5) for a, b in zip(x, y, strict=True)
    )
    data = {
        band: (light * gain + rng.normal(size=SHAPE)).astype(np.float32)
        for band, gain in (("F160W", 1.0), ("F125W", 0.7))
    }
    table = Table(
        {
            "ID": np.arange(100, 100 + count),
            "RA": world[:, 0],
            "DEC": world[:, 1],
            "z_best": rng.uniform(0.1, 1.9, count),
            "Hmag": rng.uniform(21, 25.9, count),
            "FLUX_RADIUS": rng.uniform(2, 6, count),
        }
    )
    weight = np.ones(SHAPE, np.float32)
    return Survey(Path(folder), name, sky, x, y, data, weight, table)
