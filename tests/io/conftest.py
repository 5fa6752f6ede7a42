"""A small HST image as a FITS file, for each test to spoil in its own way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS


@pytest.fixture
def hst_wcs() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.1, 2.2]
    wcs.wcs.crpix = [71.0, 34.0]
    wcs.wcs.cdelt = [-0.06 / 3600, 0.06 / 3600]
    return wcs


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(56, 84)).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path, hst_wcs: WCS, counts: np.ndarray) -> Callable[..., Path]:
    """Write an image, by default of 0.06 arcsec and zero point 25.946, as image.fits."""

    def _write(data: np.ndarray | None = None, name: str = "image.fits", **cards: object) -> Path:
        header = hst_wcs.to_header()
        header["ABMAGZP"] = 25.946
        for keyword, value in cards.items():
            if value is None:
                header.remove(keyword, ignore_missing=True)
            else:
                header[keyword] = value
        path = tmp_path / name
        fits.writeto(path, counts if data is None else data, header)
        return path

    return _write
