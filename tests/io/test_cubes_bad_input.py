"""Files that aren't the cubes they should be: one line each, that names the file."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS

from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.reading import read_cube
from clumpygan.io.cubes.spectral_axis import SpectralAxis
from clumpygan.io.cubes.writing import write_cube
from clumpygan.io.fits import open_fits

SHAPE = (8, 5, 6)
AXIS = SpectralAxis("wavelength", 7100.0, 1.25, 8, medium="air")
Spoil = Callable[..., Path]


@pytest.fixture
def data() -> np.ndarray:
    return np.random.default_rng(1).normal(3.0, 1.0, SHAPE).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path, data: np.ndarray) -> Path:
    """A good cube."""
    path = tmp_path / "cube.fits"
    write_cube(path, data, axis=AXIS, pixel_scale=0.2, variance=np.ones(SHAPE))
    return path


@pytest.fixture
def spoil(path: Path) -> Spoil:
    """Change the good cube: cards (None removes one), data, variance."""

    def _spoil(
        data: np.ndarray | None = None, variance: np.ndarray | None = None, **cards: object
    ) -> Path:
        with fits.open(path, mode="update") as hdus:
            if data is not None:
                hdus["DATA"].data = data
            if variance is not None:
                hdus["STAT"].data = variance
            for keyword, value in cards.items():
                if value is None:
                    del hdus["DATA"].header[keyword]
                else:
                    hdus["DATA"].header[keyword] = value
        return path

    return _spoil


def refused(path: Path, message: str, **options: object) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_cube(path, **options)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 300
    assert str(path) in text


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"CTYPE3": "AWAV-GRI"}, "isn't linear"),
        ({"CUNIT3": None}, "no CUNIT3, so the unit of the spectral axis isn't known"),
        ({"CDELT3": None}, "no CDELT3"),
        ({"CRVAL3": None}, "no CRVAL3"),
        ({"CUNIT3": "K"}, "CUNIT3 is 'K'"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "no celestial WCS; give the pixel scale"),
        ({"CDELT2": 3e-4}, "expected square ones"),
        ({"CRPIX3": "first"}, "CRPIX3 of the header is 'first'; expected a number"),
        ({"ZSOURCE": True}, "ZSOURCE of the header is True; expected a number"),
        ({"BMAJ": "wide"}, "BMAJ of the header is 'wide'"),
    ],
)
def test_bad_headers(spoil: Spoil, cards: dict[str, object], message: str) -> None:
    refused(spoil(**cards), message)


def test_files_that_are_no_cubes(tmp_path: Path, data: np.ndarray, path: Path) -> None:
    refused(tmp_path / "missing.fits", "no such file")
    fits.writeto(tmp_path / "image.fits", data[0])
    refused(tmp_path / "image.fits", r"the image is 2-D \(5x6\); expected a cube")
    refused(tmp_path / "image.fits", r"the image is 2-D \(5x6\); expected a cube", hdu=0)
    fits.PrimaryHDU().writeto(tmp_path / "blank.fits")
    refused(tmp_path / "blank.fits", "holds no image")
    fits.writeto(tmp_path / "stokes.fits", np.stack([data, data]))
    refused(tmp_path / "stokes.fits", r"axis 4 \(\?\) has 2 planes beside the spectral axis 3")
    (tmp_path / "text.fits").write_text("not FITS\n" * 100)
    refused(tmp_path / "text.fits", "can't be read as FITS")
    refused(path, "has no HDU 'FLUX'; it has PRIMARY, DATA, STAT", hdu="FLUX")
    refused(path, "has no HDU 7", hdu=7)
    refused(path, "HDU 0 holds no image", hdu=0)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_truncated_files(path: Path, tmp_path: Path, kept: float, ending: str) -> None:
    whole = tmp_path / f"whole.fits{ending}"
    with fits.open(path) as hdus:
        hdus.writeto(whole)
    content = whole.read_bytes()
    short = tmp_path / f"short.fits{ending}"
    short.write_bytes(content[: int(kept * len(content))])
    refused(short, "truncated|can't be read as FITS")


def test_half_of_a_gzipped_file_is_no_file(path: Path) -> None:
    # astropy alone takes the extensions that are whole for all there are.
    content = gzip.compress(path.read_bytes())
    path.with_suffix(".fits.gz").write_bytes(content[: int(0.9 * len(content))])
    with (
        pytest.raises(InputError, match="can't be unpacked, truncated"),
        open_fits(path.with_suffix(".fits.gz")) as hdus,
    ):
        len(hdus)


def test_a_download_that_broke_off_before_the_variance(path: Path) -> None:
    with fits.open(path) as hdus:
        end = hdus["STAT"].fileinfo()["hdrLoc"]
    content = path.read_bytes()
    path.write_bytes(content[: end + 500])
    with pytest.warns(InputWarning, match="the end of the file isn't FITS"):
        assert read_cube(path).variance is None
    path.write_bytes(content + bytes(2880))  # padding of old tapes is no harm
    assert read_cube(path).variance is not None


def test_nan_planes(spoil: Spoil, data: np.ndarray) -> None:
    data[2:4] = np.nan
    with pytest.warns(InputWarning, match="2 of 8 channels are all NaN; they are masked"):
        cube = read_cube(spoil(data))
    assert cube.mask[2:4].all()
    assert cube.masked_fraction == 0.25
    refused(spoil(np.full(SHAPE, np.nan)), "all voxels are NaN")


@pytest.mark.parametrize(("value", "words"), [(0.0, "zero or negative"), (-1.0, "zero or negative"),
                                              (np.nan, "NaN")])  # fmt: skip
def test_bad_variances(spoil: Spoil, value: float, words: str) -> None:
    variance = np.ones(SHAPE)
    variance[1, 2, 3] = variance[0, 0, 0] = value
    with pytest.warns(InputWarning, match=f"the variance is {words} in 2 voxels with data"):
        cube = read_cube(spoil(variance=variance))
    assert np.argwhere(cube.mask).tolist() == [[0, 0, 0], [1, 2, 3]]
    refused(spoil(variance=np.full(SHAPE, value)), f"the variance is {words} wherever there are")


def test_nothing_has_both_data_and_variance(spoil: Spoil, data: np.ndarray) -> None:
    data[:4] = np.nan
    variance = np.ones(SHAPE)
    variance[4:] = np.inf
    with pytest.warns(InputWarning, match="4 of 8 channels"):
        refused(spoil(data, variance), "no voxel has both data and a variance")


def test_flags_everywhere(path: Path) -> None:
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.ImageHDU(np.ones(SHAPE, np.uint8), name="DQ"))
    refused(path, "all voxels are flagged or NaN")


def test_options_that_mean_nothing(path: Path) -> None:
    refused(path, "pixel_scale is -1 arcsec", pixel_scale=-1)
    refused(path, "rest_wavelength is -5", rest_wavelength=-5)
    refused(path, "redshift is -2", redshift=-2.0)
    refused(path, "medium of the spectral axis is 'water'", medium="water")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": np.ones((7, 5, 6))}, r"data of shape \(7, 5, 6\) for an axis of 8 channels"),
        ({"data": np.ones((8, 5))}, r"expected \(8, y, x\)"),
        ({"variance": np.ones((8, 5, 5))}, r"the variance has shape \(8, 5, 5\)"),
        ({"mask": np.ones((8, 6, 5), bool)}, r"the mask has shape"),
        ({"unit": "parsnip"}, "'parsnip' isn't a unit"),
        ({"unit": units.Unit("3e-20 erg")}, "can't be written to FITS"),
        ({"pixel_scale": 0.0}, "pixel_scale is 0.0 arcsec"),
        ({"pixel_scale": np.nan}, "pixel_scale is nan arcsec"),
        ({"variance": np.full(SHAPE, 1e-40)}, "1e-40 don't fit float32"),
        ({"wcs": WCS(fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-3,
                                  "CDELT2": 1e-3}))}, "that of the WCS 3.6; expected the same"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(tmp_path: Path, options: dict[str, object], message: str) -> None:
    given = {"data": np.ones(SHAPE), "axis": AXIS, "pixel_scale": 0.2, **options}
    with pytest.raises(InputError, match=message) as error:
        write_cube(tmp_path / "new.fits", given.pop("data"), **given)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing(tmp_path: Path, data: np.ndarray) -> None:
    with pytest.raises(InputError, match="doesn't exist"):
        write_cube(tmp_path / "no" / "cube.fits", data, axis=AXIS, pixel_scale=0.2)


def test_a_failure_leaves_the_old_file(
    path: Path, data: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(fits.HDUList, "writeto", fail)
    with pytest.raises(OSError, match="no space"):
        write_cube(path, data + 1, axis=AXIS, pixel_scale=0.2)
    np.testing.assert_array_equal(read_cube(path).data, data)
    assert [one.name for one in path.parent.iterdir()] == ["cube.fits"]
