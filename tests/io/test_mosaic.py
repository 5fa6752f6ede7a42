"""Stamps from mosaics in all forms that a FITS file can have."""

import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, Sip

from clumpygan.errors import InputError
from clumpygan.io import mosaic
from clumpygan.io.mosaic import open_mosaic

SHAPE = (90, 130)


def celestial(distorted=False):
    wcs = WCS(naxis=2)
    suffix = "-SIP" if distorted else ""
    wcs.wcs.ctype = ["RA---TAN" + suffix, "DEC--TAN" + suffix]
    wcs.wcs.crval, wcs.wcs.crpix = [0.001, 89.5], [60, 40]
    wcs.wcs.cd = 0.06 / 3600 * np.array([[-0.8, 0.6], [0.6, 0.8]])
    if distorted:
        a = np.zeros((3, 3))
        a[2, 0], a[0, 2] = 1e-4, -2e-4
        wcs.sip = Sip(a, -a, None, None, wcs.wcs.crpix)
    wcs.wcs.set()
    return wcs


PIXELS = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
PIXELS[20:23, 30:34] = np.nan
HEADER = celestial().to_header()


def scaled():
    hdu = fits.PrimaryHDU(np.nan_to_num(PIXELS).astype(np.float64), HEADER)
    hdu.scale("int16", bzero=0.25, bscale=0.001)
    return hdu


def blanks():
    hdu = fits.PrimaryHDU((np.nan_to_num(PIXELS) * 100).astype(np.int16), HEADER)
    hdu.header["BLANK"] = 0
    return hdu


def tiles(kind, **options):
    image = fits.CompImageHDU(PIXELS, HEADER, compression_type=kind, **options)
    return fits.HDUList([fits.PrimaryHDU(), image])


FORMS = {
    "float": lambda: fits.PrimaryHDU(PIXELS, HEADER),
    "double": lambda: fits.PrimaryHDU(PIXELS.astype(np.float64), HEADER),
    "integers": lambda: fits.PrimaryHDU((np.nan_to_num(PIXELS) * 99).astype(np.int16), HEADER),
    "scaled": scaled,
    "blank": blanks,
    "axes": lambda: fits.PrimaryHDU(PIXELS[None, None], HEADER),
    "rice": lambda: tiles("RICE_1"),
    "gzip": lambda: tiles("GZIP_2", quantize_level=0, tile_shape=(20, 33)),
    "extension": lambda: fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(PIXELS * 0, name="WHT"),
         fits.ImageHDU(PIXELS, HEADER, name="SCI")]
    ),
}  # fmt: skip
MAPPED = {"float", "double", "integers", "axes", "extension"}


@pytest.mark.parametrize("band", [2**25, 6000])
@pytest.mark.parametrize("form", FORMS)
def test_stamps_of_every_form_of_file(form, band, tmp_path, monkeypatch):
    monkeypatch.setattr(mosaic, "BAND_BYTES", band)
    path = tmp_path / "mosaic.fits"
    FORMS[form]().writeto(path)
    found = open_mosaic(path, tmp_path)
    assert found.mapped == (form in MAPPED)
    assert found.shape == SHAPE
    assert found.pixel_scale == pytest.approx(0.06)
    with fits.open(path) as hdus:
        whole = np.squeeze(hdus[found.index].data).astype(np.float32)
    rng = np.random.default_rng(1)
    rows, columns = rng.integers(-20, 100, 60), rng.integers(-20, 140, 60)
    framed = np.pad(whole, 40, constant_values=np.nan)
    stamps = found.cut(rows, columns, 12)
    assert stamps.dtype == np.float32
    for stamp, y, x in zip(stamps, rows, columns, strict=True):
        np.testing.assert_array_equal(stamp, framed[y + 40 : y + 52, x + 40 : x + 52])


def test_every_row_is_read_once(tmp_path, monkeypatch):
    tiles("RICE_1").writeto(tmp_path / "a.fits")
    found = open_mosaic(tmp_path / "a.fits", tmp_path)
    read, original = [], type(found)._read

    def watched(self, first, last):
        read.extend(range(first, last))
        return original(self, first, last)

    monkeypatch.setattr(type(found), "_read", watched)
    found.cut(np.array([70, 3, 7, 9, 72, 3]), np.array([0, 5, 9, 3, 70, 9]), 8)
    assert read == [*range(3, 17), *range(70, 80)]


def test_labels_keep_their_type(tmp_path):
    labels = np.arange(SHAPE[0] * SHAPE[1], dtype=np.int32).reshape(SHAPE) + 2**27
    fits.writeto(tmp_path / "a.fits", labels)
    found = open_mosaic(tmp_path / "a.fits", tmp_path)
    stamps = found.cut(np.array([-1, 5]), np.array([3, 4]), 4, dtype=np.int64, outside=0)
    assert stamps.dtype == np.int64
    np.testing.assert_array_equal(stamps[1], labels[5:9, 4:8])
    assert not stamps[0, 0].any()
    assert np.array_equal(stamps[0, 1:], labels[:3, 3:7])


def test_gzipped_files_are_unpacked_once(tmp_path):
    fits.writeto(tmp_path / "a.fits", PIXELS, HEADER)
    with (tmp_path / "a.fits").open("rb") as source, gzip.open(tmp_path / "a.gz", "wb") as target:
        shutil.copyfileobj(source, target)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = open_mosaic(tmp_path / "a.gz", scratch)
    open_mosaic(tmp_path / "a.gz", scratch)
    assert len(list(scratch.iterdir())) == 1
    stamp = found.cut(np.array([40]), np.array([50]), 9)[0]
    np.testing.assert_array_equal(stamp, PIXELS[40:49, 50:59])


@pytest.mark.parametrize("distorted", [False, True])
def test_positions_and_those_that_are_nowhere(tmp_path, distorted):
    wcs = celestial(distorted)
    fits.writeto(tmp_path / "a.fits", PIXELS, wcs.to_header(relax=True))
    found = open_mosaic(tmp_path / "a.fits", tmp_path)
    assert found.wcs.has_distortion == distorted
    x, y = np.random.default_rng(2).uniform(0, 90, (2, 50))
    ra, dec = wcs.all_pix2world(x, y, 0)
    np.testing.assert_allclose(found.positions(ra, dec), [x, y], atol=1e-4)
    # The other side of the sky, where the projection has a mirror image, and beyond.
    far_x, far_y = found.positions([180.001, 0.001, 0.001, 90], [-89.5, -89.5, -0.5, 0])
    assert np.isnan(far_x).all()
    assert np.isnan(far_y).all()


def test_extensions_are_named(tmp_path):
    path = tmp_path / "a.fits"
    FORMS["extension"]().writeto(path)
    assert open_mosaic(path, tmp_path).index == 2
    assert open_mosaic(f"{path}[WHT]", tmp_path).index == 1
    assert open_mosaic(f"{path}[1]", tmp_path).index == 1
    with pytest.raises(InputError, match=r"a\.fits: has no HDU ERR \(it has 3\)"):
        open_mosaic(f"{path}[ERR]", tmp_path)
    with pytest.raises(InputError, match=r"a\.fits: HDU 0 is no image; expected a 2-D image"):
        open_mosaic(f"{path}[0]", tmp_path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nothing", "no such file"),
        ("folder", "is a folder, not a FITS file"),
        ("empty", "can't be read as FITS"),
        ("text", "can't be read as FITS"),
        ("half", "the file is truncated"),
        ("half header", "can't be read as FITS"),
        ("half gzip", "can't be unpacked, truncated or damaged"),
        ("table", "holds no image"),
        ("cube", r"HDU 0 is 5 x 4 x 3; expected a 2-D image"),
    ],
)
def test_files_that_are_no_mosaic(tmp_path, kind, words):
    path = tmp_path / "a.fits"
    fits.writeto(path, PIXELS, HEADER)
    whole = path.read_bytes()
    contents = {
        "empty": b"",
        "text": b"years of work",
        "half": whole[: len(whole) // 2],
        "half header": whole[:1000],
        "half gzip": gzip.compress(whole)[:9000],
    }
    path.unlink()
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "table":
        columns = [fits.Column("a", "E", array=np.ones(3))]
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    elif kind == "cube":
        fits.writeto(path, np.zeros((3, 4, 5)))
    with pytest.raises(InputError, match=f"a.fits: .*{words}"):
        open_mosaic(path, tmp_path)


def test_a_mosaic_without_a_wcs(tmp_path):
    fits.writeto(tmp_path / "a.fits", PIXELS)
    with pytest.raises(InputError, match=r"a\.fits: no celestial WCS in the header; expected"):
        _ = open_mosaic(tmp_path / "a.fits", tmp_path).wcs
