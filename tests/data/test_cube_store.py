"""Prepared sets of cubes: the same whatever interrupts them, and checked."""

import numpy as np
import pytest
import yaml

from clumpygan.data.cubes import store as cube_store
from clumpygan.data.cubes.settings import CubeSettings
from clumpygan.data.cubes.store import check_cubes, open_cubes, prepare_cubes
from clumpygan.errors import InputError
from clumpygan.io.atomic import only_one

SETTINGS = CubeSettings.from_dict(
    {
        "frame": {"shape": [6, 8, 8], "seeing": 0.8, "instrument": None},
        "parameters": {"half_light_radius": [0.2, 0.4]},
    }
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(cube_store, "CHUNK_CUBES", (3, 3))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return prepare_cubes(tmp_path_factory.mktemp("set") / "whole", SETTINGS, 10, 1)


@pytest.fixture
def damaged(tmp_path):
    """A set of its own, to be opened for writing."""
    prepare_cubes(tmp_path / "set", SETTINGS, 10, 1)

    def write(name, row, value):
        array = np.load(tmp_path / "set" / name, mmap_mode="r+")
        array[row] = value
        array.flush()
        return open_cubes(tmp_path / "set")

    return write


def check(cubes, rows=8):
    check_cubes(cubes, np.random.default_rng(0), rows)


def interrupt_after(monkeypatch, chunks):
    """Press Ctrl-C when so many chunks have been rendered."""
    original, calls = cube_store.renderer_for, []

    def renderer_for(*arguments):
        render = original(*arguments)

        def interrupted(vectors):
            calls.append(len(vectors))
            if len(calls) > chunks:
                raise KeyboardInterrupt
            return render(vectors)

        return interrupted

    monkeypatch.setattr(cube_store, "renderer_for", renderer_for)
    return calls


def test_a_set_is_cubes_parameters_and_a_card(whole):
    names = {path.name for path in whole.folder.iterdir()}
    assert names == {"cubes.npy", "parameters.npy", "card.yaml", "lock"}
    assert isinstance(whole.cubes, np.memmap)
    assert whole.cubes.shape == (10, 6, 8, 8)
    assert (whole.cubes.dtype, whole.parameters.dtype) == (np.float32, np.float64)
    assert np.array_equal(whole.parameters, SETTINGS.draw(1, "prepared", range(10)))
    card = yaml.safe_load((whole.folder / "card.yaml").read_text())
    assert card["complete"]
    assert card["parameters"]["inclination"] == "deg"
    assert list(card["parameters"]) == list(SETTINGS.model.names)
    table = whole.table()
    assert table["half_light_radius"].max() <= 0.4
    assert "edge-on [deg]" in table["inclination"].description
    check(whole)


def test_workers_change_nothing(whole, tmp_path):
    shared = prepare_cubes(tmp_path / "shared", SETTINGS, 10, 1, workers=2)
    assert np.array_equal(shared.cubes, whole.cubes)


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_an_interrupted_set_goes_on_and_ends_the_same(whole, chunks, tmp_path, monkeypatch):
    home = tmp_path / "set"
    with monkeypatch.context() as context:
        interrupt_after(context, chunks)
        with pytest.raises(KeyboardInterrupt):
            prepare_cubes(home, SETTINGS, 10, 1)
    with pytest.raises(InputError, match="isn't complete: run the command that began it again"):
        open_cubes(home)
    with monkeypatch.context() as context:
        calls = interrupt_after(context, 99)
        resumed = prepare_cubes(home, SETTINGS, 10, 1)
    assert sum(calls) == 10 - 3 * chunks
    assert np.array_equal(resumed.cubes, whole.cubes)
    assert np.array_equal(resumed.parameters, whole.parameters)


def test_a_note_that_was_half_written_is_done_again(whole, tmp_path, monkeypatch):
    home = tmp_path / "set"
    with monkeypatch.context() as context:
        interrupt_after(context, 2)
        with pytest.raises(KeyboardInterrupt):
            prepare_cubes(home, SETTINGS, 10, 1)
    notes = home / "done.txt"
    assert notes.read_text() == "0 3\n3 6\n"
    notes.write_text("0 3\n3 ")
    cubes = np.load(home / "cubes.npy", mmap_mode="r+")
    cubes[3:] = -1
    cubes.flush()
    # Whatever the size of the chunks is by now.
    monkeypatch.setattr(cube_store, "CHUNK_CUBES", (4, 4))
    assert np.array_equal(prepare_cubes(home, SETTINGS, 10, 1).cubes, whole.cubes)


def test_notes_that_nobody_wrote_are_named(tmp_path, monkeypatch):
    home = tmp_path / "set"
    with monkeypatch.context() as context:
        interrupt_after(context, 1)
        with pytest.raises(KeyboardInterrupt):
            prepare_cubes(home, SETTINGS, 10, 1)
    # Of 10 cubes, in spans of a first row and a last + 1.
    odd = ("-3 -1\n", "1 2 3\n", "5 2\n", "3 3\n", "0 11\n", "10\n", "-1\n")
    for content in ("words\n", "\n", "0 3\n\xff\n", *odd):
        (home / "done.txt").write_text(content, encoding="latin1")
        with pytest.raises(InputError, match=r"done\.txt doesn't say .*: delete the folder"):
            prepare_cubes(home, SETTINGS, 10, 1)
        assert (home / "done.txt").read_text(encoding="latin1") == content


def test_a_finished_set_is_left_alone(whole):
    before = (whole.folder / "cubes.npy").stat().st_mtime_ns
    prepare_cubes(whole.folder, SETTINGS, 10, 1)
    assert (whole.folder / "cubes.npy").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 11}, "cubes: 10, not 11"),
        ({"seed": 2}, "seed: 1, not 2"),
        ({"frame": {"shape": [6, 8, 9], "seeing": 0.8}},
         "settings.frame.shape: [6, 8, 8], not [6, 8, 9]"),
        ({"parameters": {"inclination": 60}}, "settings.parameters.half_light_radius: [0.2, 0.4]"),
    ],
)  # fmt: skip
def test_another_set_is_not_touched(whole, changes, words):
    count, seed = changes.pop("count", 10), changes.pop("seed", 1)
    settings = CubeSettings.from_dict(SETTINGS.to_dict() | changes)
    with pytest.raises(InputError) as caught:
        prepare_cubes(whole.folder, settings, count, seed)
    assert "holds another set" in str(caught.value)
    assert words in str(caught.value)
    check(open_cubes(whole.folder))


def test_an_unfinished_set_of_another_version_is_not_continued(tmp_path, monkeypatch):
    with monkeypatch.context() as context:
        interrupt_after(context, 1)
        with pytest.raises(KeyboardInterrupt):
            prepare_cubes(tmp_path, SETTINGS, 10, 1)
    monkeypatch.setattr(cube_store, "__version__", "99.0")
    with pytest.raises(InputError, match=r"clumpygan: .*, not 99\.0"):
        prepare_cubes(tmp_path, SETTINGS, 10, 1)


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds thesis\.tex and no set of cubes"):
        prepare_cubes(tmp_path, SETTINGS, 10, 1)
    with pytest.raises(InputError, match="is a file; expected the name of a folder"):
        prepare_cubes(tmp_path / "thesis.tex", SETTINGS, 10, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_processes_do_not_write_into_one_folder(tmp_path):
    with only_one(tmp_path), pytest.raises(InputError, match="another process is writing into"):
        prepare_cubes(tmp_path, SETTINGS, 10, 1)


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(cube_store.os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            prepare_cubes(tmp_path / "set", SETTINGS, 10, 1)
    assert not list((tmp_path / "set").glob("*.npy"))
    check(prepare_cubes(tmp_path / "set", SETTINGS, 10, 1))


def test_settings_that_cannot_be_rendered_leave_no_folder(tmp_path):
    wrong = CubeSettings.from_dict(
        {"frame": {"lines": ["oii"], "redshift": 9.0, "instrument": "muse_wfm"}}
    )
    with pytest.raises(InputError, match="the line"):
        prepare_cubes(tmp_path / "set", wrong, 10, 1)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("name", "row", "value", "words"),
    [
        ("cubes.npy", 4, 0.0, "cube 4 holds 0 of the"),
        ("cubes.npy", (4, 1, 2, 3), np.nan, "cube 4 holds nan of the"),
        ("cubes.npy", (9, 1, 2, 3), 1e9, "cube 9 holds 1e+09 of the"),
        ("cubes.npy", (5, 1, 2, 3), 0.01, "cube 5 isn't what its seed and settings give"),
        ("parameters.npy", (5, 10), 12.0, "cube 5 isn't what its seed and settings give"),
    ],
)
def test_damage_is_found(damaged, name, row, value, words):
    with pytest.raises(InputError) as caught:
        check(damaged(name, row, value), rows=10)
    assert words in str(caught.value)
    assert "prepare it again" in str(caught.value)


def test_a_galaxy_that_is_there_twice_is_found(damaged, whole):
    cubes = damaged("parameters.npy", 7, whole.parameters[6])
    with pytest.raises(InputError, match="a galaxy is there twice"):
        check(cubes, rows=1)


def test_galaxies_may_all_be_the_same_if_asked_for(tmp_path):
    fixed = {row.name: row.default for row in SETTINGS.model.table}
    settings = CubeSettings.from_dict(SETTINGS.to_dict() | {"parameters": fixed})
    check(prepare_cubes(tmp_path / "set", settings, 4, 1))


def test_files_that_do_not_fit_the_card(damaged, tmp_path):
    cubes = damaged("cubes.npy", 0, 1.0).folder / "cubes.npy"
    cubes.write_bytes(cubes.read_bytes()[:100])
    with pytest.raises(InputError, match=r"cubes\.npy: can't be read .*: delete"):
        open_cubes(tmp_path / "set")
    np.save(cubes, np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match=r"holds \(2, 3\) float32, expected \(10, 6, 8, 8\)"):
        open_cubes(tmp_path / "set")


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "can't be read"), ("a: 1", "is no card"), ("- 1", "is no card"), ("\0", "can't be")],
)
def test_cards_that_are_none(tmp_path, text, words):
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(InputError, match=words):
        open_cubes(tmp_path)
    with pytest.raises(InputError, match=words):
        prepare_cubes(tmp_path, SETTINGS, 10, 1)


def test_a_folder_without_a_set(tmp_path):
    with pytest.raises(InputError, match=r"holds no set of cubes \(no card\.yaml\)"):
        open_cubes(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": "CHAR"}, "`frame` is 'CHAR': expected a section of settings"),
        ({"model": 3}, "`model` is 3: expected a section of settings"),
        ({"parameters": [["inclination"]]}, r"\['inclination'\] in ranges: expected a name and"),
        ({"parameters": [["inclination", 1, "x"]]}, "`inclination` is .*: expected a number"),
        ({"parameters": 5}, "ranges are 5: expected names"),
    ],
)
def test_a_card_whose_sections_are_something_else(damaged, tmp_path, change, words):
    home = damaged("parameters.npy", 0, 1.0).folder
    card = yaml.safe_load((home / "card.yaml").read_text())
    (home / "card.yaml").write_text(yaml.safe_dump(card | {"settings": card["settings"] | change}))
    with pytest.raises(InputError, match=f"card.yaml: .*{words}"):
        open_cubes(home)
