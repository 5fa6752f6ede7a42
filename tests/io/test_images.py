from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, UnknownUncertainty
from astropy.wcs import WCS

from clumpygan.errors import InputError, InputWarning
from clumpygan.io import read_image, read_psf, write_image
from clumpygan.io.fits import read_plane
from clumpygan.io.images import read_variance, read_weight
from clumpygan.io.memory import variance_of

Write = Callable[..., Path]
NANOJANSKY_AT_25_946 = 10 ** (0.4 * (31.4 - 25.946))


def one_line(error: pytest.ExceptionInfo[InputError], *words: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 400
    for word in words:
        assert word in message


def test_counts_become_nanojansky(write: Write, counts: np.ndarray) -> None:
    image = read_image(write())
    assert image.data.dtype == np.float32
    assert image.data.shape == (56, 84)
    np.testing.assert_allclose(image.data, counts * NANOJANSKY_AT_25_946, rtol=1e-6)
    assert image.zero_point == 25.946
    assert image.pixel_scale == pytest.approx(0.06, rel=1e-9)
    assert image.masked_fraction == 0


def test_the_argument_goes_before_the_header(write: Write, counts: np.ndarray) -> None:
    image = read_image(write(), zero_point=31.4, pixel_scale=0.05)
    np.testing.assert_allclose(image.data, counts, rtol=1e-6)
    assert image.pixel_scale == 0.05


def test_without_a_zero_point_fluxes_stay_in_counts_and_it_says_so(
    write: Write, counts: np.ndarray
) -> None:
    with pytest.warns(InputWarning, match="stay in counts"):
        image = read_image(write(ABMAGZP=None))
    assert image.zero_point is None
    np.testing.assert_array_equal(image.data, counts)


def test_the_known_instrument_gives_the_zero_point(write: Write) -> None:
    path = write(ABMAGZP=None, FILTER="f160w")
    assert read_image(path).zero_point == pytest.approx(25.946, abs=0.002)
    assert read_image(write(name="b.fits", ABMAGZP=None), band="F160W").zero_point == pytest.approx(
        25.946, abs=0.002
    )


def test_nan_and_blank_blocks_are_masked_but_a_stray_zero_is_not(write: Write) -> None:
    data = np.ones((40, 50), np.float32)
    data[0, 0], data[1, 1], data[5, 5] = np.nan, np.inf, 0.0
    data[20:, :10] = 0.0
    image = read_image(write(data))
    expected = np.zeros((40, 50), bool)
    expected[0, 0] = expected[1, 1] = expected[20:, :10] = True
    np.testing.assert_array_equal(image.mask, expected)
    assert (image.data[image.mask] == 0).all()
    assert np.isfinite(image.data).all()


def test_pixels_without_weight_are_masked(write: Write, tmp_path: Path) -> None:
    weight = np.ones((56, 84), np.float32)
    weight[:3], weight[5, 5] = 0.0, np.nan
    fits.writeto(tmp_path / "weight.fits", weight)
    image = read_image(write(), weight=tmp_path / "weight.fits")
    np.testing.assert_array_equal(image.mask, ~(weight > 0))


def test_a_weight_map_of_another_size(write: Write, tmp_path: Path) -> None:
    fits.writeto(tmp_path / "weight.fits", np.ones((5, 84), np.float32))
    with pytest.raises(InputError) as error:
        read_image(write(), weight=tmp_path / "weight.fits")
    one_line(error, "weight.fits", "84 x 5", "84 x 56")


def test_the_first_image_that_is_not_blank_is_read(write: Write, tmp_path: Path) -> None:
    image = np.arange(30.0, dtype=np.float32).reshape(5, 6)
    block = fits.HDUList(
        [
            fits.PrimaryHDU(np.zeros((5, 6), np.float32)),
            fits.ImageHDU(image, name="SCI"),
            fits.ImageHDU(2 * image, name="MODEL"),
        ]
    )
    block["MODEL"].header["MAGZPT"] = 25.0
    block.writeto(tmp_path / "block.fits")
    first = read_image(tmp_path / "block.fits", pixel_scale=0.06)
    model = read_image(tmp_path / "block.fits", pixel_scale=0.06, hdu="model")
    assert first.zero_point == 25.0  # GALFIT leaves it beside the model only
    np.testing.assert_allclose(model.data, 2 * first.data)
    assert first.data.any()


def test_a_plane_of_a_stack(write: Write) -> None:
    stack = np.stack([np.full((4, 6), value, np.float32) for value in (1, 2, 3, 4, 5)])
    path = write(stack)
    assert (read_image(path, plane="i", zero_point=31.4).data == 3).all()
    assert (read_image(path, plane=4, zero_point=31.4).data == 5).all()
    assert (read_image(path, plane="1", zero_point=31.4).data == 2).all()


def test_axes_of_length_one_do_not_count(write: Write, counts: np.ndarray) -> None:
    assert read_image(write(counts[None, None])).data.shape == (56, 84)


@pytest.mark.parametrize(("plane", "words"), [(5, "0 to 4"), ("x", "0 to 4"), (-1, "0 to 4")])
def test_a_plane_that_does_not_exist(write: Write, plane: int | str, words: str) -> None:
    with pytest.raises(InputError) as error:
        read_image(write(np.ones((5, 4, 6), np.float32)), plane=plane)
    one_line(error, f"no plane {plane!r}", words)


def test_3d_without_a_plane(write: Write) -> None:
    with pytest.raises(InputError) as error:
        read_image(write(np.ones((5, 4, 6), np.float32)))
    one_line(error, "image.fits", "3-D (5x4x6)", "expected 2-D")


def test_4d_and_1d(write: Write) -> None:
    with pytest.raises(InputError, match="4-D"):
        read_image(write(np.ones((2, 5, 4, 6), np.float32)))
    with pytest.raises(InputError, match="1-D"):
        read_image(write(np.ones(6, np.float32), name="line.fits"))


def test_all_nan(write: Write) -> None:
    with pytest.raises(InputError) as error:
        read_image(write(np.full((40, 40), np.nan, np.float32)))
    one_line(error, "no valid pixel")


def test_all_blank(write: Write) -> None:
    with pytest.raises(InputError, match="no valid pixel"):
        read_image(write(np.zeros((40, 40), np.float32)))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_image(tmp_path / "nope.fits")
    one_line(error, "nope.fits", "no such file")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


def test_not_fits(tmp_path: Path) -> None:
    path = tmp_path / "text.fits"
    path.write_text("# id z\n1 2\n")
    with pytest.raises(InputError) as error:
        read_image(path)
    one_line(error, "text.fits", "can't be read as FITS")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.fits").touch()
    with pytest.raises(InputError, match="can't be read as FITS"):
        read_image(tmp_path / "empty.fits")


@pytest.mark.parametrize("kept", [100, 4000, 15000])
def test_truncated(write: Write, kept: int) -> None:
    path = write()
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError) as error:
        read_image(path)
    one_line(error, "image.fits")
    if kept > 2880:
        one_line(error, "truncated")


def test_truncated_and_compressed(write: Write) -> None:
    path = write(name="image.fits.gz")
    path.write_bytes(path.read_bytes()[:10000])
    with pytest.raises(InputError) as error:
        read_image(path)
    one_line(error, "image.fits.gz")


def test_a_table_is_no_image(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    table.writeto(tmp_path / "table.fits")
    with pytest.raises(InputError) as error:
        read_image(tmp_path / "table.fits")
    one_line(error, "holds no image")
    with pytest.raises(InputError, match="HDU 1 holds no image"):
        read_image(tmp_path / "table.fits", hdu=1)


@pytest.mark.parametrize("hdu", [3, "MODEL"])
def test_an_hdu_that_does_not_exist(write: Write, hdu: int | str) -> None:
    with pytest.raises(InputError, match=f"has no HDU {hdu!r}"):
        read_image(write(), hdu=hdu)


def test_the_wrong_pixel_scale_says_what_it_is_and_what_is_expected(write: Write) -> None:
    with pytest.raises(InputError) as error:
        read_image(write(), expected_scale=0.168)
    one_line(error, "image.fits", "is 0.06 arcsec", "expected 0.168 arcsec")
    assert read_image(write(name="b.fits"), expected_scale=0.0601).pixel_scale < 0.06001


def test_without_wcs_the_expected_scale_is_taken_and_it_says_so(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "a.fits", np.ones((5, 5), np.float32))
    with pytest.warns(InputWarning, match="taken to be 0.06"):
        image = read_image(tmp_path / "a.fits", zero_point=25.0, expected_scale=0.06)
    assert image.wcs is None
    assert image.pixel_scale == 0.06
    with pytest.raises(InputError) as error:
        read_image(tmp_path / "a.fits", zero_point=25.0)
    one_line(error, "give the pixel scale")


def test_a_broken_wcs_counts_as_none(write: Write) -> None:
    image = read_image(write(PC1_1=0.0, PC1_2=0.0), pixel_scale=0.06)
    assert image.wcs is None


def test_written_images_come_back(tmp_path: Path, hst_wcs: WCS, counts: np.ndarray) -> None:
    path = tmp_path / "out.fits"
    write_image(
        path,
        {"RECOVERED": counts, "RESIDUAL": counts / 2},
        wcs={"RECOVERED": hst_wcs},
        units={"RESIDUAL": "sigma"},
        header={"SEED": (7, "of the galaxy"), "PIXSCALE": 0.06},
    )
    image = read_image(path, hdu="RECOVERED", expected_scale=0.06)
    np.testing.assert_array_equal(image.data, counts)
    assert image.zero_point == pytest.approx(31.4)
    assert image.wcs is not None
    np.testing.assert_allclose(
        image.wcs.pixel_to_world_values(3, 5), hst_wcs.pixel_to_world_values(3, 5), rtol=1e-12
    )
    with fits.open(path) as hdus:
        assert hdus[0].header["SEED"] == 7
        assert hdus["RESIDUAL"].header["BUNIT"] == "sigma"
        assert hdus["RECOVERED"].data.shape == counts.shape
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_where_there_is_no_folder(tmp_path: Path, counts: np.ndarray) -> None:
    with pytest.raises(InputError, match="doesn't exist"):
        write_image(tmp_path / "nowhere" / "out.fits", {"A": counts})


def test_psf_and_its_scale(write: Write, tmp_path: Path) -> None:
    psf, scale = read_psf(write())
    assert psf.dtype == np.float64
    assert scale == pytest.approx(0.06)
    fits.writeto(tmp_path / "bare.fits", np.ones((5, 5), np.float32))
    assert read_psf(tmp_path / "bare.fits")[1] is None
    assert read_psf(tmp_path / "bare.fits", 0.168)[1] == 0.168


def test_a_psf_with_nan(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "psf.fits", np.full((5, 5), np.nan, np.float32))
    with pytest.raises(InputError) as error:
        read_psf(tmp_path / "psf.fits", 0.06)
    one_line(error, "psf.fits", "NaN")


def test_images_in_memory_are_read_as_files_are(write: Write, counts: np.ndarray) -> None:
    expected = read_image(write())
    how = {"pixel_scale": 0.06, "zero_point": 25.946}
    for source in (counts, counts.astype(">f4"), CCDData(counts, unit="adu")):
        image = read_image(source, **how)
        np.testing.assert_allclose(image.data, expected.data, rtol=1e-6)
        assert image.wcs is None
    for source in (counts * units.uJy, CCDData(counts, unit="uJy")):
        np.testing.assert_allclose(read_image(source, pixel_scale=0.06).data, counts * 1000, 1e-6)
    image = CCDData(counts, unit="adu", wcs=expected.wcs, meta={"ABMAGZP": 25.946, "odd": [1]})
    found = read_image(image)
    assert found.pixel_scale == pytest.approx(0.06)
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-6)


def test_masks_say_where_there_is_no_observation(counts: np.ndarray) -> None:
    bad = counts > np.median(counts)
    filled = np.where(bad, 1e9, counts)
    how = {"pixel_scale": 0.06, "unit": "nJy"}
    for image in (
        read_image(filled, mask=bad, **how),
        read_image(filled, weight=~bad, **how),
        read_image(np.ma.MaskedArray(filled, bad), **how),
        read_image(CCDData(filled, unit="nJy", mask=bad), pixel_scale=0.06),
    ):
        np.testing.assert_array_equal(image.mask, bad)
        assert image.data.max() < 1e8


def test_what_is_no_image_in_memory_is_refused(counts: np.ndarray) -> None:
    with pytest.raises(InputError, match="the array has no WCS: give `pixel_scale`"):
        read_image(counts)
    with pytest.raises(InputError, match="`image` is list: expected a FITS file, an array"):
        read_plane([["a"]], name="`image`")
    with pytest.raises(InputError, match="`image` is NoneType"):
        read_plane(None, name="`image`")
    with pytest.raises(InputError, match=r"the PSF: the image is 1-D \(3\)"):
        read_psf(np.ones(3))


def test_a_ccddata_knows_its_variance(counts: np.ndarray) -> None:
    weight = InverseVariance(np.full(counts.shape, 4.0), unit=1 / units.nJy**2)
    variance = variance_of(CCDData(counts, unit="uJy", uncertainty=weight))
    assert variance is not None
    assert variance == pytest.approx(0.25e-6)
    unknown = UnknownUncertainty(np.ones(counts.shape))
    assert variance_of(CCDData(counts, unit="uJy", uncertainty=unknown)) is None
    assert variance_of(counts) is None


def several_bands(path: Path, names: Sequence[str]) -> Path:
    """Write an image for each name, which holds its number from 1."""
    hdus = [fits.ImageHDU(np.full((12, 12), float(i)), name=one) for i, one in enumerate(names, 1)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


BANDS = ("VIS_FLUX", "VIS_PSF", "VIS_RMS", "HSC_Z_FLUX", "HSC_Z_PSF", "HSC_Z_RMS", "HSC_Z_WHT")


def test_psf_and_maps_are_those_of_the_band_of_the_image(tmp_path: Path) -> None:
    path = several_bands(tmp_path / "bands.fits", BANDS)
    assert read_psf(path, beside="HSC_Z_FLUX")[0][0, 0] == 5
    assert read_psf(path, beside="vis_flux")[0][0, 0] == 2
    # An RMS map is squared.
    assert read_variance(path, beside="HSC_Z_FLUX")[0, 0] == 36
    assert read_weight(path, beside="HSC_Z_FLUX")[0, 0] == 7
    image = read_image(path, hdu="HSC_Z_FLUX", weight=path, pixel_scale=0.1, zero_point=31.4)
    assert image.data[0, 0] == 4


def test_several_bands_and_nothing_that_says_which(tmp_path: Path) -> None:
    path = several_bands(tmp_path / "bands.fits", BANDS)
    for beside in (None, 4, "HSC_G_FLUX"):
        with pytest.raises(InputError, match=r"has several bands \(VIS_RMS, HSC_Z_RMS\)"):
            read_variance(path, beside=beside)
    one = several_bands(tmp_path / "one.fits", BANDS[:3])
    assert read_variance(one)[0, 0] == 9
    assert read_psf(one)[0][0, 0] == 2
    # The band's own map goes before that of no band, and that before what is none.
    both = several_bands(tmp_path / "both.fits", ("SCI", "ERR", "VIS_ERR"))
    assert read_variance(both, beside="VIS_FLUX")[0, 0] == 9
    assert read_variance(both, beside="SCI")[0, 0] == 4
