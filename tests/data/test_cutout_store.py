"""Sets of cutouts: the stamps are where the WCS says, whatever interrupts the extraction."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import yaml
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.table import Table

from clumpygan.constants import NANOJANSKY_ZERO_POINT
from clumpygan.data.cutouts import extraction as cutout_extraction
from clumpygan.data.cutouts.extraction import prepare_cutouts
from clumpygan.data.cutouts.settings import CutoutSettings, Cuts
from clumpygan.data.cutouts.store import check_cutouts, open_cutouts
from clumpygan.errors import InputError, InputWarning
from clumpygan.io.atomic import only_one
from tests.data.survey import SHAPE, ZERO_POINT, make_survey

SIZE = 20
NANOJANSKY = 10 ** (0.4 * (NANOJANSKY_ZERO_POINT - ZERO_POINT))


def settings(*fields, **others):
    return CutoutSettings(fields, size=others.pop("size", SIZE), **others)


def judged(survey, ra, dec, band="F160W", mode="partial", size=SIZE):
    """What astropy cuts there, in nJy."""
    place = SkyCoord(ra, dec, unit="deg")
    stamp = Cutout2D(survey.data[band], place, size, wcs=survey.wcs, mode=mode)
    return stamp.data * np.float32(NANOJANSKY)


@pytest.fixture
def survey(tmp_path):
    return make_survey(tmp_path)


@pytest.fixture
def whole(survey, tmp_path):
    return prepare_cutouts(tmp_path / "set", settings(survey.files()))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(cutout_extraction, "CHUNK_STAMPS", (5, 5))


def test_a_set_is_images_masks_a_table_and_a_card(whole, survey):
    names = {path.name for path in whole.folder.iterdir()}
    assert names == {"images.npy", "masks.npy", "table.fits", "card.yaml", "lock"}
    assert isinstance(whole.images, np.memmap)
    assert whole.images.shape == whole.mask.shape == (len(whole), SIZE, SIZE)
    assert (whole.images.dtype, whole.mask.dtype) == (np.float32, np.uint8)
    assert (whole.bands, whole.fields, whole.unit) == (("F160W",), ("gs",), "nJy")
    assert whole.pixel_scale == pytest.approx(0.06)
    skipped = whole.card["skipped"]["gs"]
    assert len(whole) + skipped["edge"] == len(survey.x)
    assert whole.card["zero_points"] == {"gs": {"F160W": ZERO_POINT}}
    assert set(whole.table["field"]) == {"gs"}
    chosen = [int(one) - 100 for one in whole.table["id"]]
    columns = {"redshift": "z_best", "h_magnitude": "Hmag", "ra": "RA", "dec": "DEC"}
    for name, column in (columns | {"half_light_radius": "FLUX_RADIUS"}).items():
        factor = 0.06 if column == "FLUX_RADIUS" else 1
        np.testing.assert_allclose(whole.table[name], factor * survey.table[column][chosen])
    np.testing.assert_allclose(whole.noise_sigma, NANOJANSKY, rtol=0.4)
    assert np.median(whole.noise_sigma) == pytest.approx(NANOJANSKY, rel=0.1)
    np.testing.assert_allclose(whole.background, 0, atol=1.5 * NANOJANSKY)
    assert not whole.mask.any()
    check_cutouts(whole)


@pytest.mark.parametrize(
    "wcs",
    [
        {"rotation": 0.0},
        {"rotation": 130.0},
        {"distorted": True},
        {"frame": "galactic", "centre": (223.0, -54.0)},
    ],
)
@pytest.mark.parametrize("size", [SIZE, 21])
def test_stamps_are_those_of_astropy(tmp_path, wcs, size):
    survey = make_survey(tmp_path, **wcs)
    if wcs.get("frame") == "galactic":
        sky = SkyCoord(survey.table["RA"], survey.table["DEC"], unit="deg", frame="galactic").icrs
        survey.table["RA"], survey.table["DEC"] = sky.ra.deg, sky.dec.deg
    found = prepare_cutouts(tmp_path / "set", settings(survey.files(), size=size))
    assert len(found) > 10
    offsets = []
    for row, stamp in zip(found.table, found.images, strict=True):
        np.testing.assert_allclose(stamp, judged(survey, row["ra"], row["dec"], size=size), 1e-6)
        number = int(row["id"]) - 100
        x = survey.x[number] - row["x_offset"] - (size - 1) / 2
        y = survey.y[number] - row["y_offset"] - (size - 1) / 2
        offsets += [row["x_offset"], row["y_offset"], x - round(x), y - round(y)]
    assert np.abs(offsets[0::4]).max() <= 0.5 >= np.abs(offsets[1::4]).max()
    np.testing.assert_allclose(np.array(offsets).reshape(-1, 4)[:, 2:], 0, atol=1e-5)


def test_stamps_beyond_the_edge_are_padded(survey, tmp_path, whole):
    found = prepare_cutouts(
        tmp_path / "pad", settings(survey.files(), edge="pad", max_masked=0.5, fill="zero")
    )
    assert len(whole) < len(found) <= len(survey.x)
    assert found.card["skipped"]["gs"]["edge"] == 0
    for row, stamp, mask in zip(found.table, found.images, found.mask, strict=True):
        expected = judged(survey, row["ra"], row["dec"])
        np.testing.assert_array_equal(mask == 1, np.isnan(expected))
        np.testing.assert_allclose(stamp, np.nan_to_num(expected), 1e-6)
        assert row["masked_fraction"] == np.isnan(expected).mean()
    assert found.table["masked_fraction"].max() > 0.3


def test_nan_and_weights_mask_pixels_and_too_many_refuse_the_stamp(survey, tmp_path):
    survey.data["F160W"][:, 100:103] = np.nan
    survey.data["F160W"][60:72] = np.inf
    survey.weight[100:104] = 0
    survey.weight[150] = np.nan
    survey.weight[:, 200] = -1
    blank = np.zeros(SHAPE, bool)
    blank[:, 100:103] = blank[60:72] = blank[100:104] = blank[150] = blank[:, 200] = True
    found = prepare_cutouts(tmp_path / "set", settings(survey.files(), max_masked=0.4))
    skipped = found.card["skipped"]["gs"]
    assert skipped["masked"] > 0
    assert skipped["centre"] > 0
    assert len(found) + sum(skipped.values()) == len(survey.x)
    assert np.isfinite(found.images).all()
    hidden = 0
    for row, stamp, mask in zip(found.table, found.images, found.mask, strict=True):
        place = SkyCoord(row["ra"], row["dec"], unit="deg")
        expected = Cutout2D(blank, place, SIZE, wcs=survey.wcs).data
        np.testing.assert_array_equal(mask == 1, expected)
        good = judged(survey, row["ra"], row["dec"])
        np.testing.assert_allclose(stamp[~expected], good[~expected], 1e-6)
        assert row["masked_fraction"] == pytest.approx(expected.mean())
        hidden += int(expected.sum())
    assert hidden > 500
    # What fills the holes is as the noise around.
    filled = found.images[found.mask == 1] / NANOJANSKY
    assert np.std(filled) == pytest.approx(1, rel=0.15)
    assert np.abs(np.mean(filled)) < 0.3
    check_cutouts(found)


def test_blocks_of_zeros_are_blank_where_there_are_no_weights(survey, tmp_path):
    survey.data["F160W"][:, 150:153] = 0
    without = prepare_cutouts(tmp_path / "a", settings(survey.files(weights=False)))
    weighted = prepare_cutouts(tmp_path / "b", settings(survey.files()))
    assert (without.mask == 1).sum() > 0
    assert not weighted.mask.any()


def test_two_fields_and_two_bands(tmp_path, small_chunks):
    bands = ("F160W", "F125W")
    one = make_survey(tmp_path, "gs", seed=0)
    # The second field is displaced by 100 pixels, and has half of its galaxies in common.
    two = make_survey(tmp_path, "gn", seed=1, centre=(53.1, -27.8 + 100 * 0.06 / 3600))
    two.table["RA"][:20], two.table["DEC"][:20] = one.table["RA"][:20], one.table["DEC"][:20] + 5e-5
    found = prepare_cutouts(tmp_path / "set", settings(one.files(bands), two.files(bands)))
    assert found.fields == ("gs", "gn")
    assert found.bands == bands
    assert found.band == "F160W"
    other = found.in_band("f125w")
    for row, red, blue in zip(found.table, found.images, other.images, strict=True):
        survey = {"gs": one, "gn": two}[row["field"]]
        place = row["ra"], row["dec"]
        np.testing.assert_allclose(red, judged(survey, *place), 1e-6)
        np.testing.assert_allclose(blue, judged(survey, *place, "F125W"), 1e-6)
    names, identifiers = np.asarray(found.table["name"]), found.identifiers
    assert len(set(names)) == len(found)
    shared = {name.split("-")[1] for name in names if name.startswith("gn") and int(name[3:]) < 120}
    both = [n for n in shared if f"gs-{n}" in names]
    assert len(both) > 3
    for number in both:
        pair = identifiers[(names == f"gs-{number}") | (names == f"gn-{number}")]
        assert set(pair) == {f"gs-{number}"}
    sky = SkyCoord(found.table["ra"], found.table["dec"])
    near = sky[:, None].separation(sky).arcsec < 0.5
    assert (identifiers[:, None] == identifiers)[near].all()
    # Friends of friends, and nobody else.
    together = np.linalg.matrix_power(near.astype(float), len(found)) > 0
    assert np.array_equal(identifiers[:, None] == identifiers, together)
    with pytest.raises(InputError, match="has the bands F160W, F125W; say which one"):
        open_cutouts(found.folder)
    with pytest.raises(InputError, match="no band 'F814W'; expected F160W or F125W"):
        open_cutouts(found.folder, "F814W")
    assert open_cutouts(found.folder, "f125w").noise_sigma == pytest.approx(other.noise_sigma)
    check_cutouts(found)


def test_compressed_mosaics_give_the_same(survey, tmp_path, whole):
    files = survey.files()
    header = fits.getheader(files.mosaics[0])
    tiles = fits.CompImageHDU(survey.data["F160W"], header, compression_type="GZIP_2",
                              quantize_level=0, tile_shape=(30, 50))  # fmt: skip
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(survey.path("F160W.fits.fz"))
    fits.writeto(survey.path("F160W.fits.gz"), survey.data["F160W"], header)
    for ending in (".fz", ".gz"):
        named = survey.files(mosaics=(survey.path(f"F160W.fits{ending}"),))
        found = prepare_cutouts(tmp_path / ending, settings(named))
        assert np.array_equal(found.images, whole.images)


def test_neighbours_are_masked_and_the_galaxy_is_not(survey, tmp_path):
    whole = prepare_cutouts(tmp_path / "whole", settings(survey.files(), size=32))
    found = prepare_cutouts(tmp_path / "a", settings(survey.files(), size=32, mask_neighbours=True))
    assert 0.01 < (found.mask == 2).mean() < 0.5
    assert not found.mask[:, 14:18, 14:18].all(axis=(1, 2)).any()
    good = found.mask == 0
    assert np.array_equal(found.images[good], whole.images[good])
    hidden = found.mask == 2
    assert np.quantile(whole.images[hidden], 0.9) > 2 * np.quantile(found.images[hidden], 0.9)
    np.testing.assert_allclose(found.table["neighbour_fraction"], hidden.mean(axis=(1, 2)))


def test_neighbours_by_a_segmentation_map(survey, tmp_path):
    labels = np.zeros(SHAPE, np.int32)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for number, (x, y) in enumerate(zip(survey.x, survey.y, strict=True), 1):
        labels[np.hypot(columns - x, rows - y) < 4] = number
    segmentation = survey.write("seg", labels)
    found = prepare_cutouts(tmp_path / "set", settings(survey.files(segmentation=segmentation)))
    for row, mask in zip(found.table, found.mask, strict=True):
        place = SkyCoord(row["ra"], row["dec"], unit="deg")
        stamp = Cutout2D(labels, place, SIZE, wcs=survey.wcs).data
        own = int(row["id"]) - 99
        if (stamp[9:11, 9:11] != own).any():
            continue
        others = (stamp > 0) & (stamp != own)
        assert (mask[others] == 2).all()
        assert not mask[stamp == own].any()
    assert (found.mask == 2).any()


def test_filled_pixels_depend_on_seed_and_row_alone(survey, tmp_path, small_chunks, monkeypatch):
    survey.weight[:, ::9] = 0
    one = prepare_cutouts(tmp_path / "a", settings(survey.files()))
    monkeypatch.setattr(cutout_extraction, "CHUNK_STAMPS", (7, 7))
    same = prepare_cutouts(tmp_path / "b", settings(survey.files()))
    other = prepare_cutouts(tmp_path / "c", settings(survey.files(), seed=1))
    zero = prepare_cutouts(tmp_path / "d", settings(survey.files(), fill="zero"))
    hidden = one.mask != 0
    assert np.array_equal(one.images, same.images)
    assert not np.array_equal(one.images[hidden], other.images[hidden])
    assert np.array_equal(one.images[~hidden], other.images[~hidden])
    assert not zero.images[hidden].any()


def test_the_background_can_be_subtracted(survey, tmp_path):
    survey.data["F160W"] += 5
    kept = prepare_cutouts(tmp_path / "a", settings(survey.files()))
    gone = prepare_cutouts(tmp_path / "b", settings(survey.files(), subtract_background=True))
    assert np.median(kept.background) == pytest.approx(5 * NANOJANSKY, rel=0.1)
    np.testing.assert_allclose(
        gone.images, kept.images - kept.background[:, None, None], atol=1e-3 * NANOJANSKY
    )


def test_the_noise_of_the_set_is_correlated_as_its_pixels(tmp_path):
    survey = make_survey(tmp_path, count=60)
    white = np.random.default_rng(5).normal(size=(SHAPE[0] + 1, SHAPE[1] + 1))
    light = survey.data["F160W"] * 0
    # Mean of four pixels: correlation 1/2 along the axes, 1/4 along the diagonal.
    light += (white[1:, 1:] + white[:-1, 1:] + white[1:, :-1] + white[:-1, :-1]) / 2
    survey.data["F160W"] = light
    noise = prepare_cutouts(tmp_path / "set", settings(survey.files(), size=40)).noise_model()
    assert noise.sigma == pytest.approx(NANOJANSKY, rel=0.05)
    middle = noise.correlation[4:7, 4:7]
    np.testing.assert_allclose(middle, np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]), atol=0.06)
    np.testing.assert_allclose(noise.correlation[0], 0, atol=0.06)


def test_a_psf_for_each_field(survey, tmp_path):
    psf = np.exp(-np.hypot(*np.mgrid[-4:5, -4:5])).astype(np.float32)
    fits.writeto(tmp_path / "psf.fits", psf)
    found = prepare_cutouts(
        tmp_path / "set", settings(survey.files(psfs=(str(tmp_path / "psf.fits"),)))
    )
    (tmp_path / "psf.fits").unlink()
    array, scale = open_cutouts(found.folder).psf()
    assert np.array_equal(array, psf)
    assert scale == pytest.approx(0.06)
    assert prepare_cutouts(tmp_path / "none", settings(survey.files())).psf() is None


def interrupt_after(monkeypatch, chunks):
    """Press Ctrl-C when so many chunks have been cut."""
    original, calls = cutout_extraction._cut, []

    def cut(*arguments):
        calls.append(arguments[1:3])
        if len(calls) > chunks:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(cutout_extraction, "_cut", cut)
    return calls


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_an_interrupted_set_goes_on_and_ends_the_same(
    chunks, survey, whole, tmp_path, monkeypatch, small_chunks
):
    survey.weight[50:60] = 0
    wanted = settings(survey.files())
    whole = prepare_cutouts(tmp_path / "undisturbed", wanted)
    home = tmp_path / "disturbed"
    with monkeypatch.context() as context:
        interrupt_after(context, chunks)
        with pytest.raises(KeyboardInterrupt):
            prepare_cutouts(home, wanted)
    with pytest.raises(InputError, match="isn't complete: run the command that began it again"):
        open_cutouts(home)
    if chunks:
        # Killed while it wrote a chunk and a note.
        for name in ("images.npy", "masks.npy", "rows.npy", "done.txt"):
            with (home / name).open("ab") as handle:
                handle.write(b'{"seen": 12345')
    with monkeypatch.context() as context:
        calls = interrupt_after(context, 99)
        resumed = prepare_cutouts(home, wanted)
    assert calls[0][0] == 5 * chunks
    assert np.array_equal(resumed.images, whole.images)
    assert np.array_equal(resumed.mask, whole.mask)
    assert resumed.card == whole.card
    assert {path.name for path in home.iterdir()} == {path.name for path in whole.folder.iterdir()}


def test_notes_that_nobody_wrote_are_named(survey, tmp_path, monkeypatch, small_chunks):
    wanted, home = settings(survey.files()), tmp_path / "set"
    with monkeypatch.context() as context:
        interrupt_after(context, 1)
        with pytest.raises(KeyboardInterrupt):
            prepare_cutouts(home, wanted)
    kept = json.loads((home / "done.txt").read_text())
    assert kept["seen"] == kept["rows"] == 5
    odd = [
        {"seen": "a", "rows": [], "skipped": 3},
        *(kept | {"seen": one} for one in (-1, 10**6, kept["seen"] + 1, "a", 1e300)),
        *(kept | {"rows": one} for one in (-1, 10**6, kept["rows"] - 1, None, [])),
        *(
            kept | {"skipped": one}
            for one in (3, {"a": 3}, {"a": {"b": -1}}, {"a": {"b": "c"}}, {"gs": {"masked": 1}})
        ),
    ]
    notes = [json.dumps(one) + "\n" for one in odd]
    for content in ("words\n", "[]\n", '{"seen": 3}\n', "\xff\n", "[" * 5000 + "\n", *notes):
        (home / "done.txt").write_text(content, encoding="latin1")
        with pytest.raises(InputError, match=r"done\.txt doesn't say .*: delete the folder"):
            prepare_cutouts(home, wanted)


def test_killed_while_it_completes(survey, whole, tmp_path, monkeypatch):
    survey.weight[50:60] = 0
    wanted = settings(survey.files())
    whole = prepare_cutouts(tmp_path / "undisturbed", wanted)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr("clumpygan.data.cutouts.completion._write_table", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare_cutouts(tmp_path / "disturbed", wanted)
    resumed = prepare_cutouts(tmp_path / "disturbed", wanted)
    assert resumed.card == whole.card
    assert np.array_equal(resumed.images, whole.images)


def test_a_finished_set_is_left_alone(whole, survey):
    before = (whole.folder / "images.npy").stat().st_mtime_ns
    wanted = settings(survey.files())
    # The files were written anew, but in the same second or not: as the card has them.
    card = yaml.safe_load((whole.folder / "card.yaml").read_text())
    card["sources"] = wanted.sources()
    (whole.folder / "card.yaml").write_text(yaml.safe_dump(card))
    prepare_cutouts(whole.folder, wanted)
    assert (whole.folder / "images.npy").stat().st_mtime_ns == before


def test_another_set_is_not_touched(whole, survey):
    with pytest.raises(InputError, match=r"holds another set \(settings\.size: 20, not 22\)"):
        prepare_cutouts(whole.folder, settings(whole_files(whole), size=22))
    renamed = replace(whole_files(whole), name="uds")
    with pytest.raises(InputError, match=r"another set \(settings\.fields\.0\.name: gs, not uds\)"):
        prepare_cutouts(whole.folder, settings(renamed))
    survey.write("F160W", survey.data["F160W"][:-30])
    with pytest.raises(InputError, match=r"holds another set \(sources\..*bytes"):
        prepare_cutouts(whole.folder, settings(whole_files(whole)))


def whole_files(whole):
    """The files of a set, not written again."""
    from clumpygan.data.cutouts.settings import FieldFiles

    (one,) = whole.card["settings"]["fields"]
    return FieldFiles(**{k: tuple(v) if isinstance(v, list) else v for k, v in one.items()})


def test_two_processes_do_not_write_into_one_folder(survey, tmp_path):
    (tmp_path / "set").mkdir()
    with only_one(tmp_path / "set"), pytest.raises(InputError, match="another process is writing"):
        prepare_cutouts(tmp_path / "set", settings(survey.files()))


def test_a_folder_with_other_things_is_refused(survey, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.tex and no set of cutouts"):
        prepare_cutouts(tmp_path / "home", settings(survey.files()))


def test_a_set_goes_to_another_process_without_its_pixels(whole):
    assert whole.images.size
    message = pickle.dumps(whole)
    assert len(message) < 20_000
    assert np.array_equal(pickle.loads(message).images, whole.images)


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "table.fits"])
def test_damage_is_found(whole, name):
    path = whole.folder / name
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name} isn't what was written: .* prepare it again"):
        check_cutouts(open_cutouts(whole.folder))


def test_files_that_do_not_fit_the_card(whole):
    images = whole.folder / "images.npy"
    good = images.read_bytes()
    images.write_bytes(good[:1000])
    with pytest.raises(InputError, match=r"images\.npy: can't be read .*: delete"):
        open_cutouts(whole.folder)
    np.save(images, np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match=r"holds \(2, 3\) float32, expected"):
        open_cutouts(whole.folder)
    images.write_bytes(good)
    table = whole.folder / "table.fits"
    Table.read(table)[:3].write(table, overwrite=True)
    with pytest.raises(InputError, match=r"table\.fits has 3 rows, expected"):
        open_cutouts(whole.folder)
    table.write_bytes(b"no table")
    with pytest.raises(InputError, match=r"table\.fits: .*: delete .* and prepare it again"):
        open_cutouts(whole.folder)
    table.unlink()
    with pytest.raises(InputError, match=r"table\.fits: no such file.*: delete .* and prepare it"):
        open_cutouts(whole.folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": "p7"}, "`size` is 'p7', expected a whole number: delete"),
        ({"bands": []}, "names no band"),
        ({"bands": 3}, "`bands` is 3, expected a list"),
        ({"zero_points": None}, "`zero_points` is None, expected a section"),
        ({"complete": "no"}, "`complete` is 'no', expected true or false"),
    ],
)
def test_values_of_a_card_that_are_something_else(whole, change, words):
    path = whole.folder / "card.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(InputError, match=f"card.yaml: {words}"):
        open_cutouts(whole.folder)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "can't be read"), ("a: 1", "is no card of a set of cutouts")]
)
def test_cards_that_are_none(tmp_path, text, words):
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        open_cutouts(tmp_path)


def test_a_folder_without_a_set(tmp_path):
    with pytest.raises(InputError, match=r"holds no set of cutouts \(no card\.yaml\): make one"):
        open_cutouts(tmp_path)


def test_a_mosaic_without_noise(survey, tmp_path):
    survey.data["F160W"][:] = 1
    with pytest.warns(InputWarning, match="no stamp of field gs has a sky to measure its noise"):
        found = prepare_cutouts(tmp_path / "set", settings(survey.files()))
    assert np.isnan(found.noise_sigma).all()


def test_mosaics_of_nothing(survey, tmp_path):
    survey.data["F160W"][:] = np.nan
    with pytest.raises(InputError, match=r"no stamp is left: .* too many pixels without data"):
        prepare_cutouts(tmp_path / "set", settings(survey.files()))
    assert not (tmp_path / "set").exists()


def test_cuts_select(survey, tmp_path, whole):
    found = prepare_cutouts(
        tmp_path / "a", settings(survey.files(), cuts=Cuts(max_redshift=1, max_magnitude=24))
    )
    kept = (whole.table["redshift"] < 1) & (whole.table["h_magnitude"] < 24)
    assert 0 < len(found) == kept.sum()
    assert list(found.table["name"]) == list(whole.table["name"][kept])
    assert np.array_equal(found.images, whole.images[np.asarray(kept)])


def test_the_noise_is_measured_where_it_is_emptiest(tmp_path):
    survey = make_survey(tmp_path, count=160)
    rng = np.random.default_rng(6)
    survey.data["F160W"] = rng.normal(size=SHAPE).astype(np.float32)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for x, y in zip(rng.uniform(150, 300, 150), rng.uniform(0, 240, 150), strict=True):
        survey.data["F160W"] += 3 * np.exp(-np.hypot(rows - y, columns - x) / 3)
    noise = prepare_cutouts(tmp_path / "set", settings(survey.files(), size=32)).noise_model()
    assert noise.sigma == pytest.approx(NANOJANSKY, rel=0.03)
    assert abs(noise.correlation[5, 6]) < 0.03
    assert 0.6 < noise.correlation.sum() < 1.2
