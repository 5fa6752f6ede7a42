from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.errors import InputError, InputWarning
from clumpygan.io import read_catalog, read_stamp, select


def written(folder: Path, name: str = "cat.fits", **columns: object) -> Path:
    Table(columns).write(folder / name)
    return folder / name


@pytest.mark.parametrize("redshift", ["z_best", "zphot", "ZPHOT", "z_peak", "z"])
@pytest.mark.parametrize("magnitude", ["Hmag", "MAG", "MAG_AUTO"])
def test_columns_are_known_by_many_names(tmp_path: Path, redshift: str, magnitude: str) -> None:
    path = written(tmp_path, NUMBER=[4, 7], **{redshift: [0.5, 1.5], magnitude: [21.0, 25.0]})
    table = read_catalog(path)
    np.testing.assert_array_equal(table["id"], [4, 7])
    np.testing.assert_array_equal(table["redshift"], [0.5, 1.5])
    np.testing.assert_array_equal(table["h_magnitude"], [21.0, 25.0])


@pytest.mark.parametrize("name", ["cat.csv", "cat.ecsv", "cat.fits", "cat.txt"])
def test_formats(tmp_path: Path, name: str) -> None:
    table = Table({"id": [1, 2], "z_best": [0.5, 1.0], "Hmag": [22.0, 23.0]})
    table.write(tmp_path / name, **({"format": "ascii.basic"} if name.endswith("txt") else {}))
    np.testing.assert_array_equal(read_catalog(tmp_path / name)["redshift"], [0.5, 1.0])


def test_the_best_redshift_goes_first(tmp_path: Path) -> None:
    table = read_catalog(written(tmp_path, z=[9.0], z_phot=[2.0], z_best=[1.0], Hmag=[20.0]))
    assert table["redshift"][0] == 1.0
    assert table["z_phot"][0] == 2.0  # the others stay


def test_missing_values_are_nan(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        z_best=MaskedColumn([0.5, -1.0, -99.0, 1.0], mask=[0, 0, 0, 1]),
        Hmag=[99.0, -99.0, 22.0, np.nan],
    )
    table = read_catalog(path)
    np.testing.assert_array_equal(np.isnan(table["redshift"]), [False, True, True, True])
    np.testing.assert_array_equal(np.isnan(table["h_magnitude"]), [True, True, False, True])
    np.testing.assert_array_equal(table["id"], [0, 1, 2, 3])


def test_fluxes_become_magnitudes(tmp_path: Path) -> None:
    path = written(tmp_path, z_peak=[1.0, 1.0], f_F160W=[10.0, -1.0])
    with pytest.warns(InputWarning, match="25 is assumed"):
        table = read_catalog(path)
    np.testing.assert_allclose(table["h_magnitude"], [22.5, np.nan])
    nanojansky = read_catalog(path, flux_zero_point=31.4)
    assert nanojansky["h_magnitude"][0] == pytest.approx(28.9)


def test_text_where_numbers_belong(tmp_path: Path) -> None:
    path = written(tmp_path, z=["low", "high"], Hmag=[20.0, 21.0])
    with pytest.warns(InputWarning, match="column z of the catalogue holds text"):
        table = read_catalog(path)
    assert np.isnan(table["redshift"]).all()


def test_cuts(tmp_path: Path) -> None:
    path = written(tmp_path, z=[0.5, 1.5, 2.5, -1.0], Hmag=[25.0, 27.0, 21.0, 20.0])
    table = read_catalog(path)
    assert list(select(table, 2.0, 26.0)["id"]) == [0]
    assert list(select(table, 2.0)["id"]) == [0, 1]
    assert list(select(table, None, 26.0)["id"]) == [0, 2, 3]
    assert len(select(table)) == 4


def test_an_empty_selection_says_what_the_catalogue_holds(tmp_path: Path) -> None:
    table = read_catalog(written(tmp_path, z=[2.5, 4.0], Hmag=[21.0, 24.5]))
    with pytest.raises(InputError) as error:
        select(table, 2.0, 26.0)
    message = str(error.value)
    assert "\n" not in message
    assert "z < 2 and H < 26" in message
    assert "z from 2.5 to 4" in message
    assert "H from 21 to 24.5" in message


def test_a_cut_on_what_the_catalogue_lacks(tmp_path: Path) -> None:
    table = read_catalog(written(tmp_path, z=[0.5, 1.0]))
    with pytest.raises(InputError, match=r"z from 0\.5 to 1 and no H"):
        select(table, 2.0, 26.0)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cat.fits", b"SIMPLE", "can't be read as FITS"),
        ("cat.csv", b"\x00\xff\xfe,\n1", "can't be read as a catalogue"),
        ("cat.csv", b"id,z\n", "is empty"),
    ],
)
def test_not_a_catalogue(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read_catalog(tmp_path / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_catalogue_and_an_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_catalog(tmp_path / "nope.csv")
    fits.writeto(tmp_path / "image.fits", np.ones((4, 4), np.float32))
    with pytest.raises(InputError, match="holds no table"):
        read_catalog(tmp_path / "image.fits")


def stamps(folder: Path) -> Path:
    """Two stamps and their PSFs in the layout of a RealGalaxyCatalog, redshifts beside."""
    images = [np.full((30, 30 + i), 1.0 + i, np.float32) for i in range(2)]
    psfs = [np.full((5, 5 + i), 0.04, np.float32) for i in range(2)]
    for name, planes in (("galaxies.fits", images), ("psfs.fits", psfs)):
        fits.HDUList([fits.PrimaryHDU(planes[0]), fits.ImageHDU(planes[1])]).writeto(folder / name)
    written(folder, "photometry.fits", IDENT=[12, 11], ZPHOT=[1.2, 0.7])
    return written(
        folder,
        IDENT=[11, 12],
        MAG=[22.0, 23.0],
        GAL_FILENAME=["galaxies.fits"] * 2,
        GAL_HDU=[0, 1],
        PSF_FILENAME=["psfs.fits"] * 2,
        PSF_HDU=[0, 1],
        PIXEL_SCALE=[0.03, 0.03],
        ZERO_POINT=[31.4, 31.4],
    )


def test_stamps_of_a_real_galaxy_catalogue(tmp_path: Path) -> None:
    table = read_catalog(stamps(tmp_path))
    np.testing.assert_array_equal(table["redshift"], [0.7, 1.2])
    image, psf, psf_scale = read_stamp(table[1], tmp_path)
    assert image.data.shape == (30, 31)
    assert (image.data == 2).all()
    assert image.pixel_scale == psf_scale == 0.03
    assert psf is not None
    assert psf.shape == (5, 6)


def test_a_stamp_by_its_id(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "7.fits", np.ones((5, 5), np.float32), fits.Header({"MAGZPT": 26.0}))
    table = read_catalog(written(tmp_path, id=[7, 8], z=[1.0, 1.0], pixel_scale=[0.06, 0.06]))
    image, psf, psf_scale = read_stamp(table[0], tmp_path)
    assert image.zero_point == 26.0
    assert psf is None
    assert psf_scale is None
    with pytest.raises(InputError, match=r"8\.fits: no such file"):
        read_stamp(table[1], tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_stamp(table[0], tmp_path / "nowhere")


def test_a_table_beside_without_redshifts_leaves_them_unknown(tmp_path: Path) -> None:
    path = stamps(tmp_path)
    (tmp_path / "photometry.fits").unlink()
    written(tmp_path, "photometry.fits", IDENT=[11, 12], flux_radius=[3.0, 4.0])
    assert np.isnan(read_catalog(path)["redshift"]).all()


def test_a_masked_file_name_is_none(tmp_path: Path) -> None:
    table = Table({"id": [3, 4], "pixel_scale": [0.06, 0.06], "zero_point": [31.4, 31.4]})
    table["psf"] = MaskedColumn(["psf.fits", "-"], mask=[True, True])
    table.write(tmp_path / "cat.ecsv")
    fits.writeto(tmp_path / "3.fits", np.ones((5, 5), np.float32))
    image, psf, _ = read_stamp(read_catalog(tmp_path / "cat.ecsv")[0], tmp_path)
    assert image.data.shape == (5, 5)
    assert psf is None


def test_columns_that_the_user_names(tmp_path: Path) -> None:
    path = written(tmp_path, ident=[1, 2], z=[3.0, 3.0], z_mine=[0.5, 1.0], Hmag=[22.0, 23.0])
    table = read_catalog(path, columns={"redshift": "z_mine"})
    np.testing.assert_array_equal(table["redshift"], [0.5, 1.0])
    assert table.meta["columns"] == ["ident", "z", "z_mine", "Hmag"]
    with pytest.raises(InputError, match="no column nix for ra; it has ident, z, z_mine, Hmag"):
        read_catalog(path, columns={"ra": "nix"})


def test_redshifts_of_a_second_catalogue(tmp_path: Path) -> None:
    path = written(tmp_path, id=[1, 2, 3], Hmag=[22.0, 23.0, 24.0], z=[9.0, 9.0, 9.0])
    second = written(tmp_path, "z.fits", id=[3, 1], z_peak=[0.3, -99.0])
    table = read_catalog(path, redshifts=second)
    np.testing.assert_array_equal(table["redshift"], [np.nan, np.nan, 0.3])


def test_hdus_by_number_and_by_name(tmp_path: Path) -> None:
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(np.full((3, 3), i, "f4"), name=n)
                                 for i, n in enumerate(("A", "B"), 1))]  # fmt: skip
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    row = {
        "id": [1],
        "image": ["a.fits"],
        "pixel_scale": [0.06],
        "zero_point": [NANOJANSKY_ZERO_POINT],
    }
    for given, expected in (("B", 2), ("1", 1), (2, 2), (1.0, 1), (np.nan, 1), ("", 1)):
        path = tmp_path / "cat.ecsv"
        Table({**row, "image_hdu": [given]}).write(path, overwrite=True)
        (found,) = read_catalog(path)
        assert read_stamp(found, tmp_path)[0].data.tolist() == np.full((3, 3), expected).tolist()
    Table({**row, "image_hdu": ["C"]}).write(path, overwrite=True)
    (found,) = read_catalog(path)
    with pytest.raises(InputError, match=r"a\.fits.*C"):
        read_stamp(found, tmp_path)
