"""Real cubes with a table of their parameters: cut out, scaled, and served like rendered ones."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.generate import main as generate
from clumpygan.data.cubes.galaxy_cubes import GalaxyCubeDataModule
from clumpygan.data.splits import split_of
from clumpygan.errors import InputError
from clumpygan.galaxies.disks.cube_conditions import CUBE_CONDITIONS

NAMES = list(CUBE_CONDITIONS)
PLACE = {name: place for place, name in enumerate(NAMES)}
FRAME = {"shape": [8, 16, 16], "instrument": "muse_wfm", "redshift": 0.4, "channel_width": 3.0}
TRUTH = {
    "half_light_radius": 0.7, "inclination": 55.0, "maximum_velocity": 150.0,
    "velocity_dispersion": 45.0, "turnover_radius": 0.2, "scale_height": 0.08, "sersic_index": 1.0,
}  # fmt: skip


def names_of_splits():
    """Return names of galaxies, two in the training and two in the validation set."""
    found = {"train": [], "val": []}
    for number in range(200):
        split = split_of(f"gal{number}", 0)
        if split in found:
            found[split].append(f"gal{number}")
    return found["train"][:2] + found["val"][:2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Mock MUSE cubes, larger than the training's, with the galaxy off the centre."""
    home = tmp_path_factory.mktemp("muse")
    rows = []
    for number, name in enumerate(names_of_splits()):
        values = TRUTH | {
            "position_angle": 20.0 + 60 * number,
            "offset_x": 0.4,
            "offset_y": -0.2,
            "systemic_velocity": 40.0,
        }
        flags = [part for key, value in values.items()
                 for part in (f"--{key.replace('_', '-')}", str(value))]  # fmt: skip
        generate(
            ["cube", *flags, "--shape", "12", "24", "22", "--instrument", "muse_wfm", "--line",
             "oiii", "--redshift", "0.4", "--channel-width", "3.0", "--seeing", "0.6",
             "--signal-to-noise", "15", "--seed", str(number), "--output",
             str(home / f"{name}.fits")]
        )  # fmt: skip
        rows.append({"name": name, "status": "good", "psf_fwhm": 0.6, **values})
    Table(rows).write(home / "results.ecsv")
    return home


def module(folder, **changes):
    settings = {"frame": FRAME, "seeing": [0.6, 0.6]} | changes.pop("galaxies", {})
    return GalaxyCubeDataModule(
        seed=0, root=str(folder), galaxies=settings, batch_size=2, images_per_epoch=4, **changes
    )


def test_cubes_are_cut_around_the_galaxy_and_fit_their_smooth_disk(folder):
    data = module(folder)
    data.setup()
    item = data.dataset("val")[0]
    assert item["cube"].shape == item["smooth"].shape == (1, 8, 16, 16)
    assert not item["noise"].any()
    residual = item["cube"] - item["smooth"]
    # What is left is noise: the mock is a smooth disk.
    assert residual.std() == pytest.approx(1.0, abs=0.12)
    assert item["smooth"].max() > 10
    assert item["second_noise"].std() == pytest.approx(1.0, abs=0.12)
    told = dict(zip(NAMES, item["parameters"], strict=True))
    assert abs(told["offset_x"]) <= 0.11
    assert abs(told["offset_y"]) <= 0.11
    assert told["seeing"] == pytest.approx(0.6)
    assert told["flux"] == pytest.approx(item["smooth"].sum(), rel=0.1)
    rest = {key: value for key, value in TRUTH.items() if key in told}
    assert {key: pytest.approx(float(told[key]), rel=1e-5) for key in rest} == rest


def test_items_are_those_of_the_names_not_of_their_order(folder, tmp_path):
    data = module(folder)
    data.setup()
    table = Table.read(folder / "results.ecsv")
    table[::-1].write(tmp_path / "reversed.ecsv")
    other = module(folder, table=str(tmp_path / "reversed.ecsv"))
    other.setup()
    first, again = data.dataset("train")[(3, 0)], other.dataset("train")[(3, 1)]
    for name, value in first.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-4)


def test_a_batch_is_served(folder):
    data = module(folder)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch["cube"].shape == (2, 1, 8, 16, 16)
    assert data.describe()["condition_names"] == NAMES


def test_masked_voxels_hold_the_smooth_disk(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = names_of_splits()[2]
    with fits.open(tmp_path / f"{name}.fits", mode="update") as hdus:
        hdus["DATA"].data[:, 12, 13] = np.nan
    data = module(tmp_path)
    data.setup()
    item = data.dataset("val")[0]
    same = (item["cube"] == item["smooth"])[0].all(0)
    assert same.sum() == 1
    assert not item["second_noise"][0][:, same].any()


def changed(folder, tmp_path, change):
    """Return a copy of the folder with something wrong in it."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    change(tmp_path)
    return tmp_path


def _drop(column):
    def change(home):
        table = Table.read(home / "results.ecsv")
        table.remove_column(column)
        table.write(home / "results.ecsv", overwrite=True)

    return change


def _shorten(home):
    path = home / f"{names_of_splits()[1]}.fits"
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            hdu.data = hdu.data[:, :-1]
        hdus.writeto(path, overwrite=True)


def _without_variance(home):
    path = home / f"{names_of_splits()[0]}.fits"
    with fits.open(path) as hdus:
        del hdus["STAT"]
        hdus.writeto(path, overwrite=True)


def _all_bad(home):
    table = Table.read(home / "results.ecsv")
    table.replace_column("status", ["doubtful"] * len(table))
    table.write(home / "results.ecsv", overwrite=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_drop("inclination"), "has no column inclination: found name"),
        (_shorten, "expected cubes of one shape"),
        (_without_variance, "has no variance"),
        (_all_bad, "no row of a galaxy that was measured"),
        (lambda home: (home / "results.ecsv").unlink(), "no table of parameters"),
        (
            lambda home: (home / "results.ecsv").write_text("%ECSV"),
            "can't be read as a table of parameters",
        ),
        (lambda home: (home / f"{names_of_splits()[0]}.fits").unlink(), "no cube of the row"),
    ],
)
def test_what_is_wrong_with_files_is_said(change, words, folder, tmp_path):
    with pytest.raises(InputError) as caught:
        module(changed(folder, tmp_path, change)).setup()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"redshift": 0.5}, "the line isn't in its channels"),
        ({"channel_width": 2.0}, "has channels of"),
        ({"pixel_scale": 0.4}, "has pixels of 0.2 arcsec"),
        ({"shape": [16, 16, 16]}, "expected at least (16, 16, 16)"),
    ],
)
def test_another_frame_is_refused(frame, words, folder):
    with pytest.raises(InputError) as caught:
        module(folder, galaxies={"frame": FRAME | frame}).setup()
    assert words in str(caught.value)


def test_too_few_held_out_cubes_are_refused(folder, tmp_path):
    def shorten(home):
        Table.read(home / "results.ecsv")[:3].write(home / "results.ecsv", overwrite=True)

    data = module(changed(folder, tmp_path, shorten))
    with pytest.raises(InputError, match="1 of the 3 cubes are in the val set"):
        data.dataset("val")


def test_a_table_without_cubes_is_refused():
    with pytest.raises(InputError, match=r"give `data\.root`"):
        GalaxyCubeDataModule(seed=0, table="results.ecsv")
