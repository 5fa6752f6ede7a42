"""Images, catalogues and PSFs in memory give the rows that files give, and leave nothing behind."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, NDData, VarianceUncertainty
from astropy.table import Table
from astropy.wcs import WCS

from clumpygan.errors import InputError
from clumpygan.io.fits import stem_of
from clumpygan.survey.given import Given
from clumpygan.survey.patches import read_patch


@pytest.fixture
def in_memory(folder):
    """The patch as CCDData, seven of its galaxies as a table, one of its PSFs as an array."""
    patch = read_patch(Path("patch/calexp.fits"), 0.168)
    with fits.open("patch/calexp.fits") as hdus:
        image = CCDData(
            hdus["IMAGE"].data.astype(np.float32), unit="nJy", mask=patch.mask,
            uncertainty=VarianceUncertainty(hdus["VARIANCE"].data.astype(np.float32)),
            wcs=WCS(hdus["IMAGE"].header),
        )  # fmt: skip
    with fits.open("patch/psf/psf_00_00.fits") as hdus:
        psf = hdus[0].data.astype(np.float32)
        fits.PrimaryHDU(psf, fits.Header({"PIXSCALE": 0.168})).writeto("psf.fits")
    table = Table.read("patch/truth.fits")[:7]
    table.write("some.fits")
    return image, table, psf


def same_rows(one, other):
    """Whether two tables agree, but for the name of the patch."""
    assert one.colnames == other.colnames
    for name in one.colnames:
        if one[name].dtype.kind in "fi":
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6, err_msg=name)
        elif name != "patch":
            assert one[name].tolist() == other[name].tolist(), name


def test_what_is_in_memory_gives_the_rows_of_files(recover, in_memory):
    image, table, psf = in_memory
    expected = recover("files", catalog="some.fits", psf="psf.fits")
    assert (expected["status"] == "good").sum() > 3
    found = recover("memory", image, table, psf=psf)
    same_rows(found, expected)
    assert set(found["patch"].tolist()) == {"image-1.fits"}
    shared = recover("shared", [image], table, psf=[psf], workers=2)
    assert (
        Path("memory/catalogue.parquet").read_bytes()
        == Path("shared/catalogue.parquet").read_bytes()
    )
    same_rows(shared, expected)
    # Nothing is left of them; the same call again finds all done, another image is another survey.
    left = ["card.yaml", "catalogue.parquet", "components.parquet", "lock"]
    assert sorted(one.name for one in Path("memory").iterdir()) == left
    before = Path("memory/catalogue.parquet").stat().st_mtime_ns
    same_rows(recover("memory", image, table, psf=psf), expected)
    assert Path("memory/catalogue.parquet").stat().st_mtime_ns == before
    brighter = CCDData(image, copy=True)
    brighter.data *= 1.01
    with pytest.raises(InputError, match=r"holds a survey with other settings \(`image`"):
        recover("memory", brighter, table, psf=psf)
    assert sorted(one.name for one in Path("memory").iterdir()) == left


def test_arrays_and_tables_of_all_kinds(recover, in_memory):
    """Plain arrays with a WCS and weights beside them; PSFs by galaxy; columns of any kind."""
    image, table, psf = in_memory
    data = np.where(image.mask, 0, image.data)
    weight = np.where(image.mask, 0, 1 / image.uncertainty.array)
    fits.PrimaryHDU(data, image.wcs.to_header()).writeto("plain.fits")
    with fits.open("plain.fits", mode="update") as hdus:
        hdus[0].header["BUNIT"] = "nJy"
    fits.PrimaryHDU(weight).writeto("weight.fits")
    names = [str(one) for one in table["id"]]
    psfs = {name: psf for name in names if name != "3"}
    Path("psfs").mkdir()
    for name in psfs:
        Path(f"psfs/{name}.fits").hardlink_to("psf.fits")
    expected = recover("files", "plain.fits", "some.fits", psf="psfs", weight="weight.fits")
    assert expected["status"][expected["id"] == "3"].tolist() == ["no PSF"]
    columns = {"RA": table["ra"].tolist(), "Dec": table["dec"].tolist(), "ID": names}
    columns["odd"] = [[1, 2]] * len(names)
    for number, (array, more) in enumerate((
        (data * units.nJy, {"wcs": image.wcs}),
        (data.astype(">f4"), {"wcs": [image.wcs], "zero_point": 31.4}),
        (NDData(data, unit="nJy", meta={"odd": np.nan}), {"wcs": image.wcs}),
    )):  # fmt: skip
        found = recover(str(number), array, columns, psf=psfs, weight=weight, **more)
        same_rows(found, expected)


def test_tables_of_pandas(recover, in_memory):
    pandas = pytest.importorskip("pandas")
    image, table, psf = in_memory
    bright = {"max_magnitude": 22.5}
    expected = recover("files", catalog="some.fits", psf="psf.fits", **bright)
    frame = pandas.DataFrame({name: table[name].tolist() for name in ("id", "ra", "dec")})
    frame["note"] = [None, *["x"] * (len(frame) - 1)]
    frame["H_mag"] = np.asarray(table["h_magnitude"], float)
    same_rows(recover("frame", image, frame, psf=psf, **bright), expected)
    same_rows(recover("index", image, frame.set_index("id"), psf=psf, **bright), expected)


def test_galaxies_are_found_in_an_array(recover, in_memory):
    image, _, psf = in_memory
    bare = np.ma.MaskedArray(image.data, image.mask) * 1.0
    how = {"detect": True, "max_magnitude": 22}
    with fits.open("patch/calexp.fits") as hdus:
        header = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.168})
        filled = np.where(image.mask, np.nan, hdus["IMAGE"].data)
        fits.PrimaryHDU(filled, header).writeto("image-1.fits")
    expected = recover("files", "image-1.fits", None, psf="psf.fits", **how)
    found = recover("found", bare, None, psf=psf, pixel_scale=0.168, zero_point=31.4, **how)
    assert len(found) > 2
    same_rows(found, expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((50, 50))}, "`image` has no WCS: expected a CCDData with one"),
        ({"image": [np.ones((50, 50)), "patch/calexp.fits"], "wcs": [None]},
         "`wcs`: 1 for 2 patches"),
        ({"image": np.ones((50, 50)), "wcs": "TAN"}, "`wcs` is str"),
        ({"image": np.ones((3, 50, 50)), "pixel_scale": 0.168}, "`image` is 3-D (3x50x50)"),
        ({"image": ["patch/calexp.fits", {}]}, "`image` number 2 is dict"),
        ({"image": np.ones((50, 50)), "pixel_scale": 0.2, "zero_point": 31.4},
         "`image`: the pixel scale is 0.2 arcsec; expected 0.168"),
        ({"image": np.random.default_rng(0).normal(size=(50, 50)), "pixel_scale": 0.168},
         "`image`: no zero point known"),
        ({"image": "plain.fits", "zero_point": 27.0}, "`zero_point` is of images in memory"),
        ({"image": ["plain.fits"], "pixel_scale": 0.168}, "`pixel_scale` is of images in memory"),
        ({"catalog": 5}, "`catalog` is int: expected a path, or a table"),
        ({"catalog": {"id": [1, 2], "ra": [150.0]}}, "`catalog` is no table"),
        ({"catalog": Table({"id": [7, 7], "ra": [1.0, 2.0], "dec": [1.0, 2.0]})},
         "`catalog`: the id 7 is given to 2 galaxies"),
        ({"catalog": Table({"id": [1], "ra": [10.0], "dec": [2.0]})},
         "`catalog`: no galaxy lies in patch/calexp.fits"),
        ({"catalog": Table({"id": [1]})}, "`catalog`: has columns id"),
        ({"catalog": Table({"id": ["a" * 300], "ra": [150.1], "dec": [2.2]})}, "has 300 letters"),
        ({"psf": {"../7": np.ones((21, 21))}}, "`psf`: the id '../7' is a path"),
        ({"psf": {"x": np.ones((21, 21))}}, "`psf`: has neither X and Y in the headers nor"),
        ({"psf": np.full((21, 21), np.nan)}, "`psf`: the PSF holds NaN"),
        ({"weight": np.ones((20, 20)), "image": "plain.fits"}, "`weight`: the weight map is 20 x"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_memory_is_said_in_a_line(recover, change, words):
    with fits.open("patch/calexp.fits") as hdus:
        image = hdus["IMAGE"]
        fits.PrimaryHDU(np.nan_to_num(image.data), image.header).writeto("plain.fits")
    with pytest.raises(InputError) as refused:
        recover(**change)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "given" not in str(refused.value).replace("is given", "")
    # Nothing of it is left, but for the card of a survey that has begun.
    assert not Path("out/given").exists()


def test_one_process_at_a_time(recover, in_memory):
    from clumpygan.io.atomic import only_one

    image, table, psf = in_memory
    Path("out/given").mkdir(parents=True)
    with only_one(Path("out/given")), pytest.raises(InputError, match="another process is writing"):
        recover("out", image, table, psf=psf)
    assert Path("out/given").exists()


def test_iterators_are_looked_at_once():
    given = Given({"a": "a.fits", "b": "b.fits"}.values(), psf=iter(["c.fits"]))
    assert not given.in_memory
    assert given.as_settings["image"] == ("a.fits", "b.fits")
    assert given.as_settings["psf"] == ("c.fits",)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("J100012.34+021200.5.fits", "J100012.34+021200.5"),
        ("7.FITS.gz", "7"),
        ("a.fits.fz", "a"),
        ("b.fit", "b"),
    ],
)
def test_names_of_galaxies_may_have_dots(file, name):
    assert stem_of(Path(file)) == name
