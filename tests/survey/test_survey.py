"""A survey: what is written, that it goes on, that nothing depends on who works, bad input."""

import os
import re
import shutil
import warnings
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pyarrow.parquet as parquet
import pytest
import yaml
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.visualization.wcsaxes import WCSAxes
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

import clumpygan
from clumpygan.commands.survey import main
from clumpygan.errors import InputError
from clumpygan.plots import survey as survey_plots
from clumpygan.plots.style import png_of
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.survey.columns import COLUMNS, COMPONENTS
from clumpygan.survey.patches import read_patch
from clumpygan.survey.recovering import MOSTLY_MASKED
from tests.readers import ended_in_time

ROOT = Path(__file__).parents[2]
TABLES = ("catalogue.parquet", "components.parquet")


@pytest.fixture
def known_network(network, tmp_path):
    """The network with a card that says which galaxies are usual."""
    known = yaml.safe_load(Path(ROOT, "checkpoints/super_resolution.yaml").read_text())[
        "population"
    ]
    shutil.copy(network, tmp_path / "known.safetensors")
    card = Path(network).with_suffix(".yaml").read_text()
    (tmp_path / "known.yaml").write_text(card + yaml.safe_dump({"population": known}))
    return str(tmp_path / "known.safetensors")


def without_pictures(page):
    return re.sub('base64,[^"]*', "", page)


def bytes_of(output):
    """Of both tables, and of the cut-outs."""
    home = Path(output)
    files = [home / name for name in TABLES] + sorted(home.glob("cutouts/*/*"))
    return {str(one.relative_to(home)): one.read_bytes() for one in files}


def test_a_row_for_each_galaxy(recover, patch):
    with fits.open("patch/calexp.fits", mode="update") as hdus:
        y, x = (round(patch.truth[axis][0]) for axis in "yx")
        hdus["IMAGE"].data[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = np.nan
    table = recover()
    assert table.colnames == list(COLUMNS)
    assert sorted(table["id"].tolist(), key=int) == [str(i + 1) for i in range(23)]
    assert table["magnitude"].unit == "mag"
    assert table["p_blend"].description.startswith("share of the samples")
    good = table[table["status"] == "good"]
    assert len(good) > 15
    assert all(np.isfinite(good[name]).all() for name in ("flux_1", "chi2", "seeing", "depth"))
    assert (good["flux_1_low"] <= good["flux_1_high"]).all()
    truth = {str(row["id"]): row for row in patch.truth}
    for row in good:
        assert row["x"] == pytest.approx(truth[row["id"]]["x"], abs=1e-3)
        cell = patch.cells[truth[row["id"]]["cell"]]
        assert row["seeing"] == pytest.approx(cell.fwhm, rel=0.03)
    # Others have a row with their reason.
    assert table["status"][table["id"] == "1"].tolist() == ["masked"]
    assert set(table["status"]) <= {"good", "masked", MOSTLY_MASKED}
    components = parquet.read_table("out/components.parquet")
    assert components.column_names == list(COMPONENTS)
    assert set(components["id"].to_pylist()) <= set(good["id"].tolist())
    assert not Path("out/units").exists()
    card = yaml.safe_load(Path("out/card.yaml").read_text())
    assert card["samples"] == 4
    assert card["galaxies"] == 23


def test_intervals_are_those_of_the_networks_card(recover, network, tmp_path):
    card = Path(network).with_suffix(".yaml").read_text()
    shutil.copy(network, tmp_path / "wide.safetensors")
    (tmp_path / "wide.yaml").write_text(
        card + "widening:\n  flux_1: {all: [3.0, 3.0]}\n"
        "  flux_0.3: {all: [3.0, 3.0]}\n"
        "survey_widening:\n  flux_0.3: {all: [2.0]}\n"
    )
    plain, wide = recover(), recover("wide", checkpoint=str(tmp_path / "wide.safetensors"))
    width, before = (one["flux_1_high"] - one["flux_1_low"] for one in (wide, plain))
    known = np.isfinite(before)
    assert known.sum() > 15
    # Both ends are float32.
    ends = 3 * np.spacing(np.float32(np.nanmax(wide["flux_1_high"])))
    np.testing.assert_allclose(width[known], 3 * before[known], rtol=1e-3, atol=ends)
    # Where there are factors of surveys they take the place of the others.
    width, before = (one["flux_0.3_high"] - one["flux_0.3_low"] for one in (wide, plain))
    np.testing.assert_allclose(width[known], 2 * before[known], rtol=0.03)
    assert np.array_equal(wide["flux_0.6_low"], plain["flux_0.6_low"], equal_nan=True)
    assert "widening" in yaml.safe_load(Path("wide/card.yaml").read_text())


def test_galaxies_unlike_those_of_the_card_are_flagged(recover, known_network, patch):
    table = recover(checkpoint=known_network)
    good = table[table["status"] == "good"]
    star = {str(row["id"]): bool(row["star"]) for row in patch.truth}
    galaxies = np.array([not star[one] for one in good["id"]])
    assert good["unusual"][galaxies].mean() < 0.3
    assert ((good["likeness"] >= 0.001) & (good["likeness"] <= 1)).all()
    assert np.array_equal(good["unusual"], good["likeness"] < 0.01)
    assert all(one for one in good["differs_by"])
    # A card that says nothing of what is usual flags nothing.
    assert not recover("plain")["unusual"].any()


def test_components_lie_where_the_light_is(recover, patch):
    """The brightest lonely galaxy has its nucleus where the truth has it."""
    recover()
    components = Table({
        name: column.to_numpy(zero_copy_only=False)
        for name, column in zip(*(lambda t: (t.column_names, t.columns))(
            parquet.read_table("out/components.parquet")), strict=True)
    })  # fmt: skip
    star = patch.truth[patch.truth["star"] & (patch.truth["h_magnitude"] > 19)]
    checked = 0
    for row in star:
        own = components[(components["id"] == str(row["id"])) & components["nucleus"]]
        for one in own:
            assert np.hypot(one["x"] - row["x"], one["y"] - row["y"]) < 1
            assert one["ra"] == pytest.approx(row["ra"], abs=0.2 / 3600)
            checked += 1
    assert checked


def test_what_was_interrupted_goes_on_to_the_same_bytes(recover, interrupted):
    recover("whole", cutouts="mean")
    came = interrupted(3)
    with pytest.raises(KeyboardInterrupt):
        recover("parts", cutouts="mean")
    assert not Path("parts/catalogue.parquet").exists()
    # What a worker that was killed leaves.
    Path("parts/cutouts/0000002").mkdir()
    Path("parts/cutouts/0000002/.0a1b2c3d4e5f-7.fits").touch()
    recover("parts", cutouts="mean")
    assert [unit.number for _, unit in came] == [0, 1, 2, 2, 3, 4]
    assert bytes_of("parts") == bytes_of("whole")
    recover("parts", cutouts="mean")
    assert len(came) == 6
    for name, before, now in (("seed", 0, 1), ("cutouts", "mean", "samples")):
        words = rf"holds a survey with other settings \(`{name}` {before}, now {now}\)"
        with pytest.raises(InputError, match=words):
            recover("parts", **{"cutouts": "mean", name: now})


def test_workers_change_nothing(recover):
    recover("alone", cutouts="samples")
    recover("shared", workers=2, cutouts="samples")
    assert len(bytes_of("alone")) > 15
    assert bytes_of("alone") == bytes_of("shared")


def test_the_network_is_told_of_the_noise_that_neighbours_share(recover, monkeypatch):
    told = []
    recovered = SuperResolver.recover

    def listen(self, observed, sigma, transfer, *, noise=None, **more):
        told.append((float(sigma), noise))
        return recovered(self, observed, sigma, transfer, noise=noise, **more)

    monkeypatch.setattr(SuperResolver, "recover", listen)
    found = {"workers": 1, "catalog": None, "detect": True}
    with fits.open("patch/calexp.fits", mode="update") as hdus:
        hdus["VARIANCE"].data[80:] *= 4
    white = recover("white", **found)
    told.clear()
    with fits.open("patch/calexp.fits", mode="update") as hdus:
        # As warping does it in coadds.
        image, variance = hdus["IMAGE"].data, hdus["VARIANCE"].data
        known = np.isfinite(image)
        kernel = gaussian_filter(np.eye(1, 9, 4), (0, 0.45))
        image[:] = gaussian_filter(np.where(known, image, 0), 0.45)
        image[~known] = np.nan
        variance *= np.square(kernel).sum() ** 2
    shared = recover("shared", **found)
    assert (white["shared_noise"] < 1.05).all()
    excess = 1 / np.square(kernel).sum()  # of a sum of pixels, over what their scatter says
    assert shared["shared_noise"] == pytest.approx(excess, abs=0.06)
    assert len(set(shared["shared_noise"])) == 1
    good = shared[shared["status"] == "good"]
    assert len(told) == len(good) > 10
    np.testing.assert_allclose(
        [one for one, _ in told], good["shared_noise"] * good["noise"], rtol=1e-5
    )
    uneven = [(row, noise) for row, (_, noise) in zip(good, told, strict=True) if noise is not None]
    assert uneven
    seen = read_patch(Path("patch/calexp.fits"), 0.168)
    for row, noise in uneven:
        own = seen.cut(row["x"], row["y"], 40)[1]
        np.testing.assert_allclose(noise[0, 0], row["shared_noise"] * own, rtol=1e-5)
    # So the depth is what it was, and no more is found.
    assert np.median(good["depth"]) == pytest.approx(np.median(white["depth"]), abs=0.05)
    assert len(shared) <= len(white)


def test_halos_and_seams_are_no_noise_that_neighbours_share(tmp_path):
    size = 512
    sigma = np.where(np.arange(size) < size // 2, 1, 3) * np.ones((size, 1))
    data = sigma * np.random.default_rng(2).normal(size=(size, size))
    y, x = np.indices(data.shape)
    data += 100 * np.exp(-np.hypot(y, x) / 60)
    header = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.168})
    planes = [("IMAGE", data), ("VARIANCE", sigma**2)]
    images = [fits.ImageHDU(one.astype(np.float32), header, name=name) for name, one in planes]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "halo.fits")
    assert read_patch(tmp_path / "halo.fits", 0.168).shared_noise < 1.02


def shared_in(path, data, sigma):
    """Return what is shared by neighbours in a patch (y, x) of nJy with noise `sigma`."""
    header = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.168})
    planes = [("IMAGE", data), ("VARIANCE", np.full(data.shape, sigma**2))]
    images = [fits.ImageHDU(one.astype(np.float32), header, name=name) for name, one in planes]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    return read_patch(path, 0.168).shared_noise


@pytest.mark.parametrize("corner", [(0, 0), (499, 499)])
def test_all_of_a_small_patch_tells_what_neighbours_share(tmp_path, corner):
    noise = gaussian_filter(np.random.default_rng(2).normal(size=(500, 500)), 0.45)
    y, x = np.indices(noise.shape)
    halo = 100 * np.exp(-np.hypot(y - corner[0], x - corner[1]) / 60)
    assert shared_in(tmp_path / "halo.fits", noise + halo, noise.std()) == pytest.approx(
        1.3, abs=0.05
    )


def test_neighbours_share_as_usual_in_a_patch_without_sky(tmp_path):
    y, x = np.indices((300, 300))
    light = 1e5 * np.exp(-np.hypot(y - 150, x - 150) / 50)
    noise = np.random.default_rng(2).normal(size=light.shape)
    assert shared_in(tmp_path / "full.fits", light + noise, 1.0) == pytest.approx(1.11)


def test_a_galaxys_row_depends_on_no_other(recover):
    """Neither on which others are in the catalogue, nor on their order or the units."""
    everything = recover()
    catalogue = Table.read("patch/truth.fits")
    catalogue[12:3:-2].write("some.fits")
    alone = recover("some", catalog="some.fits", unit=64)
    assert len(alone) == 5
    assert (alone["status"] == "good").sum() >= 3
    rows = [everything["id"].tolist().index(name) for name in alone["id"]]
    assert rows == sorted(rows, reverse=True)
    for name in COLUMNS:
        assert np.array_equal(
            alone[name], everything[name][rows], equal_nan=alone[name].dtype.kind == "f"
        ), name


def test_patches_of_other_systems_of_coordinates(recover, patch):
    """Of a patch whose WCS is galactic positions are ICRS, as in the catalogue that was given."""
    expected = recover("usual", psf=None, psf_fwhm=0.6, max_magnitude=22)
    centre = SkyCoord(*WCS(fits.getheader("patch/calexp.fits", "IMAGE")).wcs.crval, unit="deg")
    # A tangent plane has the same pixels in any system, but for the direction of north.
    pole = SkyCoord(0, 90, unit="deg", frame="galactic").icrs
    turn = centre.position_angle(pole).radian
    with fits.open("patch/calexp.fits", mode="update") as hdus:
        for hdu in hdus[1:]:
            header = hdu.header
            before = WCS(header).pixel_scale_matrix
            # (east, north) of the other system, of those of this one
            matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            after = matrix @ before
            for name in [one for one in header if re.fullmatch(r"(CD|PC)\d_\d|CDELT\d", one)]:
                del header[name]
            for i, j in np.ndindex(2, 2):
                header[f"CD{i + 1}_{j + 1}"] = after[i, j]
            header["CTYPE1"], header["CTYPE2"] = "GLON-TAN", "GLAT-TAN"
            header["CRVAL1"], header["CRVAL2"] = centre.galactic.l.deg, centre.galactic.b.deg
    table = recover(psf=None, psf_fwhm=0.6, max_magnitude=22)
    assert len(table) > 4
    for name in ("x", "y"):
        np.testing.assert_allclose(table[name], expected[name], atol=1e-3)
    own, other = (
        parquet.read_table(f"{home}/components.parquet").to_pydict() for home in ("out", "usual")
    )
    assert len(own["ra"]) > 4
    for name in ("ra", "dec"):
        np.testing.assert_allclose(own[name], other[name], atol=1e-3 / 3600)
    found = recover("found", catalog=None, detect=True, psf=None, psf_fwhm=0.6, max_magnitude=22)
    assert np.abs(found["dec"] - patch.truth["dec"].mean()).max() < 0.01


def test_galaxies_are_found(recover, patch):
    table = recover(catalog=None, detect=True, psf=None, psf_fwhm=0.6, max_magnitude=22.5)
    assert table["id"][0].startswith("calexp-")
    bright = patch.truth[(patch.truth["h_magnitude"] < 21.5)]
    image = read_patch(Path("patch/calexp.fits"), 0.168)
    for row in bright:
        if not image.mask[round(row["y"]), round(row["x"])]:
            assert np.hypot(table["x"] - row["x"], table["y"] - row["y"]).min() < 3


def test_what_lies_in_two_patches_is_recovered_once(recover, patch):
    with fits.open("patch/calexp.fits") as hdus:
        for name, columns in (("a", slice(0, 110)), ("b", slice(50, 160))):
            parts = [hdus[0].copy()]
            for hdu in hdus[1:]:
                part = fits.ImageHDU(hdu.data[:, columns].copy(), hdu.header.copy(), name=hdu.name)
                part.header["CRPIX1"] -= columns.start
                parts.append(part)
            fits.HDUList(parts).writeto(f"{name}.fits")
    table = recover(image=["a.fits", "b.fits"], psf=None, psf_fwhm=0.6)
    assert len(table) == len(set(table["id"].tolist())) == 23
    place = dict(zip(table["id"].tolist(), table["patch"].tolist(), strict=True))
    for row in patch.truth:
        x, y = row["x"] + 0.5, row["y"] + 0.5
        in_a, in_b = min(x, 110 - x, y, 160 - y), min(x - 50, 160 - x, y, 160 - y)
        assert place[str(row["id"])] == ("a.fits" if in_a >= in_b else "b.fits")
    found = recover("found", image=["a.fits", "b.fits"], catalog=None, detect=True, psf=None,
                    psf_fwhm=0.6)  # fmt: skip
    apart = np.hypot(*(np.subtract.outer(found[c], found[c]) for c in ("ra", "dec")))
    assert (apart[np.triu_indices(len(found), 1)] > 0.1 / 3600).all()


def test_plain_images_come_with_weight_maps(recover):
    """The noise of the sky, distributed as the weights say; where they are 0 nothing is known."""
    with fits.open("patch/calexp.fits") as hdus:
        image, variance = hdus["IMAGE"], hdus["VARIANCE"].data
        fits.PrimaryHDU(np.nan_to_num(image.data), image.header).writeto("plain.fits")
        weight = np.where(np.isfinite(variance), 7 / variance, 0)
    weight[:, :40] = 0
    fits.PrimaryHDU(weight.astype(np.float32)).writeto("weight.fits")
    patch = read_patch(Path("plain.fits"), 0.168, Path("weight.fits"))
    known = weight > 0
    assert patch.mask[~known].all()
    assert not patch.mask[known].all()
    inside = known & ~patch.mask
    ratio = patch.sigma[inside] / np.sqrt(variance[inside])
    assert np.ptp(ratio) < 1e-3
    assert ratio.mean() == pytest.approx(1, abs=0.1)
    table = recover(image="plain.fits", weight="weight.fits")
    where = [round(x) for x in table["x"]]
    lost = np.array([x < 35 for x in where])
    assert set(table["status"][lost].tolist()) <= {"masked", MOSTLY_MASKED}
    assert (table["status"][~lost] == "good").sum() > 8
    with pytest.raises(InputError, match="`weight`: 2 for 1 patches"):
        recover("no", image="plain.fits", weight=(Path("weight.fits"),) * 2)
    fits.PrimaryHDU(weight[:50]).writeto("small.fits")
    with pytest.raises(InputError, match="weight map"):
        recover("no", image="plain.fits", weight=(Path("small.fits"),))


def test_galaxies_without_a_psf_are_listed_and_the_rest_goes_on(recover):
    Path("psfs").mkdir()
    psf = fits.getdata("patch/psf/psf_00_00.fits")
    for number in range(5, 24):
        fits.PrimaryHDU(psf, fits.Header({"PIXSCALE": 0.168})).writeto(f"psfs/{number}.fits")
    table = recover(psf="psfs")
    assert sorted(table["id"][table["status"] == "no PSF"].tolist()) == ["1", "2", "3", "4"]
    assert (table["status"] == "good").sum() > 12


def test_files_that_are_written_again_are_read_again(recover):
    """Of the same name in one process: a PSF, whose error is no number, and a weight map."""
    psf = fits.getdata("patch/psf/psf_00_00.fits")
    for error in (0.01, "unknown", None, 0.02):
        header = fits.Header({"PIXSCALE": 0.168})
        header["FWHMERR"] = error
        fits.PrimaryHDU(psf, header).writeto("psf.fits", overwrite=True)
        shutil.rmtree("out", ignore_errors=True)
        table = recover(psf="psf.fits")
        good = table[table["status"] == "good"]
        share = good["seeing_error"] / good["seeing"]
        expected = error if isinstance(error, float) else np.nan
        assert share == pytest.approx(np.full(len(good), expected), rel=1e-5, nan_ok=True)
    with fits.open("patch/calexp.fits") as hdus:
        image = hdus["IMAGE"]
        fits.PrimaryHDU(np.nan_to_num(image.data), image.header).writeto("plain.fits")
    for column in (10, 70):
        weight = np.ones((160, 160), np.float32)
        weight[:, column] = 0
        fits.PrimaryHDU(weight).writeto("weight.fits", overwrite=True)
        patch = read_patch(Path("plain.fits"), 0.168, Path("weight.fits"))
        assert patch.mask.all(axis=0).nonzero()[0].tolist() == [column]


def test_galaxies_outside_have_a_row(recover, patch):
    truth = Table(patch.truth)
    truth["dec"][3] += 1
    truth["id", "ra", "dec"].write("some.parquet", format="parquet")
    table = recover(catalog="some.parquet")
    assert table["status"][table["id"] == "4"].tolist() == ["outside of all patches"]
    # Others read the file as well, though nothing is known of that row.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No table::len")  # what astropy keeps of its own tables
        again = Table.read("out/catalogue.parquet")
    assert again["status"].tolist() == table["status"].tolist()
    assert again["cutout"][again["id"] == "4"].tolist() == [""]
    assert again["differs_by"][again["id"] == "4"].tolist() == [""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"catalog": None}, "expected `catalog`, or `detect`"),
        ({"psf_fwhm": 0.6}, "expected `psf`, or `psf_fwhm`"),
        ({"psf": None}, "expected `psf`, or `psf_fwhm`"),
        ({"psf": "nowhere"}, "`psf` nowhere: no such file or folder"),
        ({"psf": "patch"}, "`psf` patch: has neither X and Y"),
        ({"image": "nowhere.fits"}, "nowhere.fits: no such file; expected an image"),
        ({"image": ["patch/calexp.fits"] * 2}, "is given twice"),
        ({"image": ["patch/calexp.fits", "other/calexp.fits"]}, "2 patches have the name calexp"),
        ({"cutouts": "all"}, "`cutouts` is 'all': expected one of mean, samples"),
        ({"catalog": "nowhere.fits"}, "nowhere.fits: no such file"),
        ({"catalog": "twice.csv"}, "twice.csv: the id 7 is given to 2 galaxies"),
        ({"catalog": "paths.csv"}, "paths.csv: the id '../x' is a path"),
        ({"catalog": "words.csv"}, "words.csv: the column x doesn't hold a number in each row"),
        ({"catalog": "lists.parquet"}, "lists.parquet: the column y doesn't hold a number"),
        ({"catalog": "far.csv"}, "far.csv: no galaxy lies in patch/calexp.fits"),
        ({"catalog": "bare.csv"}, "expected ra and dec in degrees, or x and y"),
        ({"max_magnitude": 10}, "no galaxy is brighter than `max_magnitude` 10"),
        ({"image": "plain.fits", "catalog": "far.csv"}, "plain.fits: has no world coordinates"),
        ({"precision": "half"}, "`precision` is 'half': expected one of auto, float32, bfloat16"),
        ({"cluster": "boz"}, "`cluster` is 'boz'"),
        ({"output": "full"}, "holds foreign.txt and no survey"),
        ({"output": "patch/calexp.fits"}, "is a file; expected the name of a folder"),
        ({"output": "a/b"}, "the folder a doesn't exist"),
    ],
)
def test_bad_input(recover, change, words):
    Path("twice.csv").write_text("id,ra,dec\n7,150.1,2.2\n7,150.1,2.2\n")
    Path("paths.csv").write_text("id,ra,dec\n../x,150.1,2.2\n")
    Path("far.csv").write_text("id,ra,dec\n1,10,2.2\n")
    Path("bare.csv").write_text("id,size\n1,10\n")
    Path("words.csv").write_text("id,x,y\n1,a,3\n")
    lists = pyarrow.table({"id": [1, 2], "x": [3.0, 4.0], "y": [[1.0, 2.0], [3.0]]})
    pyarrow.parquet.write_table(lists, "lists.parquet")
    Path("full").mkdir()
    Path("full/foreign.txt").touch()
    header = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.168})
    noise = np.random.default_rng(0).standard_normal((60, 60)).astype(np.float32)
    fits.PrimaryHDU(noise, header).writeto("plain.fits")
    with pytest.raises(InputError) as refused:
        recover(**change)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_damaged_catalogue_is_refused_in_a_line(recover):
    path = Path("out/catalogue.parquet")
    recover()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"catalogue.parquet: can't be read as Parquet .*; delete"):
        recover()


def test_what_is_no_psf_in_a_folder_of_them_is_refused_at_once(recover):
    Path("psfs").mkdir()
    shutil.copy(sorted(Path("patch/psf").glob("*.fits"))[0], "psfs/a.fits")
    content = Path("psfs/a.fits").read_bytes()
    for make in (
        os.mkfifo,
        Path.mkdir,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(
            content.replace(b"NAXIS   =                    2", b"NAXIS   =           2147483647")
        ),
    ):
        make(bad := Path("psfs/b.fits"))
        with ended_in_time(), pytest.raises(InputError, match=r"psfs/b.fits: "):
            recover(psf="psfs")
        bad.rmdir() if bad.is_dir() else bad.unlink()


def test_the_program(folder, network, capsys):
    words = ["--image", "patch/calexp.fits", "--catalog", "patch/truth.fits", "--psf", "patch/psf",
             "--samples", "4", "--checkpoint", network, "--output", "out"]  # fmt: skip
    main(words)
    assert "of 23 galaxies recovered" in capsys.readouterr().out
    assert (folder / "out" / "catalogue.parquet").exists()
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--seed", "5"])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds a survey with other settings" in line


def test_the_page_shows_the_strangest(folder, network, capsys):
    words = ["--image", "patch/calexp.fits", "--catalog", "patch/truth.fits", "--psf", "patch/psf",
             "--samples", "4", "--checkpoint", network, "--output", "out"]  # fmt: skip
    main([*words, "--report", "a.html"])
    assert "wrote a.html" in capsys.readouterr().out
    page = Path("a.html").read_text()
    assert page.count("data:image/png;base64") == 3
    words_alone = without_pictures(page)
    assert not any(word in words_alone for word in ("<script", "http", "nan", "None"))
    table = clumpygan.survey.run.read_catalogue(Path("out/catalogue.parquet"))
    assert f"<td>good</td><td>{(table['status'] == 'good').sum()}</td>" in page
    # Of what is alike the worst fits come first.
    good = table[table["status"] == "good"]
    worst = good["id"][int(np.argmax(good["chi2"]))]
    assert page.index(f"<tr><td>{worst}</td>") == page.rindex("differs by") + len(
        "differs by</th></tr>\n"
    )
    # Again, of a survey that is there already; and nowhere.
    main([*words, "--report", "b.html"])
    assert Path("b.html").read_text() == page
    with pytest.raises(SystemExit):
        main([*words, "--report", "nowhere/c.html"])
    assert "nowhere" in capsys.readouterr().err


def test_galaxies_of_the_page_in_world_coordinates(folder, network, capsys, monkeypatch):
    words = ["--image", "patch/calexp.fits", "--catalog", "patch/truth.fits", "--psf", "patch/psf",
             "--samples", "4", "--checkpoint", network, "--output", "out"]  # fmt: skip
    with pytest.raises(SystemExit):
        main([*words, "--wcs"])
    assert "--wcs is about the page --report" in capsys.readouterr().err
    figures = []

    def kept(figure):
        figures.append(figure)
        return png_of(figure)

    monkeypatch.setattr(survey_plots, "png_of", kept)
    main([*words, "--report", "a.html", "--wcs"])
    axes = [axis for figure in figures for axis in figure.axes if isinstance(axis, WCSAxes)]
    table = clumpygan.survey.run.read_catalogue(Path("out/catalogue.parquet"))
    good = table[table["status"] == "good"]
    assert len(axes) == min(len(good), 20)
    # Each is where its galaxy is: to half a pixel, as stamps are cut at whole ones.
    for axis in axes:
        name = axis.get_title().partition(":")[0]
        (row,) = good[good["id"] == name]
        place = axis.wcs.pixel_to_world(0.0, 0.0)
        away = place.separation(SkyCoord(row["ra"], row["dec"], unit="deg")).arcsec
        assert away < 0.168


def test_the_page_of_odd_names(folder, known_network, capsys, monkeypatch):
    """Names that are neither HTML nor formulas, the least likely galaxies first."""
    name = "cal$^$<b>.fits"
    shutil.copy("patch/calexp.fits", name)
    truth = Table.read("patch/truth.fits")["id", "ra", "dec"]
    truth["id"] = [f"$^$ a<b&c {one}" for one in truth["id"]]
    truth.write("odd.ecsv")
    titles = []

    def kept(figure):
        titles.extend(axis.get_title() for axis in figure.axes)
        return png_of(figure)

    monkeypatch.setattr(survey_plots, "png_of", kept)
    main(["--image", name, "--catalog", "odd.ecsv", "--psf", "patch/psf", "--samples", "4",
          "--checkpoint", known_network, "--output", "out", "--report", "a.html"])  # fmt: skip
    page = without_pictures(Path("a.html").read_text())
    table = clumpygan.survey.run.read_catalogue(Path("out/catalogue.parquet"))
    good = table[table["status"] == "good"]
    rows = sorted(good, key=lambda row: (row["likeness"], -row["chi2"]))[:20]
    worst = sorted(good, key=lambda row: -row["chi2"])[:20]
    expected = [str(row["id"]) for row in rows]
    assert expected != [str(row["id"]) for row in worst]
    shown = re.findall("<tr><td>(.*?)</td>", page[page.rindex("differs by</th>") :])
    assert [unescape(one) for one in shown] == expected
    assert all("a&lt;b&amp;c" in one for one in shown)
    assert "<b" not in page.replace("<body>", "")
    assert [one for one in titles if name in one] == [name]
    for row in rows:
        assert f"{row['id']}: {row['likeness']:.3f}\n{row['differs_by']}" in titles
    assert "Each patch in its pixels" in page
    # Of many patches the first are drawn, which is said.
    table["patch"] = [f"p{i % 6}.fits" for i in range(len(table))]
    many = without_pictures(survey_plots.survey_page(table, [], 0.168))
    assert "The first 4 of 6 patches, each in its pixels" in many
    assert [one for one in titles if one.startswith("p")] == [f"p{i}.fits" for i in range(4)]


def test_a_page_in_the_folder_of_the_survey(folder, network, capsys):
    words = ["--image", "patch/calexp.fits", "--catalog", "patch/truth.fits", "--psf", "patch/psf",
             "--samples", "4", "--checkpoint", network, "--output", "out"]  # fmt: skip
    for name in (
        "",
        "catalogue.parquet",
        "./components.parquet",
        "card.yaml",
        "units/a.html",
        "psf",
    ):
        with pytest.raises(SystemExit) as stopped:
            main([*words, "--report", f"out/{name}"])
        assert stopped.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "is one of the survey's own files" in line
    Path("loop.html").symlink_to("loop.html")
    for name in ("out/sub/a.html", "patch/calexp.fits", "loop.html"):
        with pytest.raises(SystemExit):
            main([*words, "--report", name])
    assert not Path("out").exists()
    main([*words, "--report", "out/a.html"])
    assert "The strangest" in Path("out/a.html").read_text()
