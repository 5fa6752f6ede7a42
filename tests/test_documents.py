"""YAML and JSON that nobody should write is refused in a line; what a pipe holds is read."""

import datetime
import os
import threading
from pathlib import Path

import pytest

from clumpygan.errors import InputError
from clumpygan.settings.documents import read_json, read_yaml
from tests.readers import ended_in_time

LAUGHS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

MERGED = b"a: &a {%s}\nb: {<<: [%s]}" % (
    b",".join(b"k%d: 1" % one for one in range(2000)),
    b",".join([b"*a"] * 2000),
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"seed: 2020-13-45", "month must be"),
        (b"seed: !!int ''", "can't be read as YAML"),
        (b"seed: !!bool abc", "can't be read as YAML"),
        (b"seed: !!timestamp now", "can't be read as YAML"),
        (b"seed: " + b"1" * 5000, "a number of more than 100 digits"),
        (b"samples: 0x" + b"f" * 5000, "a number of more than 100 digits"),
        (b"samples: -" + b"9" * 5000, "a number of more than 100 digits"),
        (b"a: [{b: 0b" + b"1" * 5000 + b"}]", "a number of more than 100 digits"),
        (b"? 0" + b"7" * 5000 + b"\n: key", "a number of more than 100 digits"),
        (b"hours: 1" + b":1" * 20_000, "a number of more than 100 digits"),
        (b"hours: 1" + b":1" * 20_000 + b".5", "can't be read as YAML"),
        (MERGED, "more than a million values"),
        (b"[" * 5000, "nested too deeply"),
        (b"{a: " * 101, "nested too deeply"),
        (b"- " * 5000, "nested too deeply"),
        (b"a: [", "can't be read as YAML"),
        (b"\xff\xfe", "can't be read as YAML"),
        (b"!!python/object:os.system x", "can't be read as YAML"),
        (LAUGHS.encode(), "more than a million values"),
        (b"a: &a [1, *a]", "more than a million values"),
        (b"#" * (5 * 2**20), "more than 4 MB"),
    ],
)
def test_yaml_that_is_none(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_bytes(content)
    with ended_in_time(), pytest.raises(InputError, match=rf"card\.yaml.*{reason}.*; try") as told:
        read_yaml(path, "try another")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 200_000, b"\xff", b"9" * 5000, b"[-%s]" % (b"9" * 101)]
)
def test_json_that_is_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.json can't be read as JSON.*; try"):
        read_json(path, "try another")


def test_devices_folders_and_nothing(tmp_path: Path) -> None:
    with ended_in_time(), pytest.raises(InputError, match=r"/dev/zero .*more than 4 MB"):
        read_yaml(Path("/dev/zero"), "try another")
    with pytest.raises(InputError, match=r"`config` x\.yaml can't be read: Is a directory; try"):
        read_yaml(tmp_path, "try another", "`config` x.yaml")
    with pytest.raises(InputError, match=r"none\.yaml can't be read: No such file"):
        read_yaml(tmp_path / "none.yaml", "try another")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("a: [1, {b: 2}]",))
    writer.start()
    assert read_yaml(path, "try another") == {"a": [1, {"b": 2}]}
    writer.join()
    (tmp_path / "notes.json").write_text('{"seed": 3}')
    assert read_json(tmp_path / "notes.json", "try another") == {"seed": 3}


def test_what_yaml_is_written_for_is_read(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(
        f"day: 2026-11-30\nlong: 1:30:00\nhex: 0xff\nmost: {'9' * 100}\ntiny: 0.{'0' * 120}1\n"
        "usual: &usual {a: 1, b: 2}\nmine: {<<: *usual, b: 3}\n"
        f"deep: {'[' * 99 + ']' * 99}"
    )
    found = read_yaml(path, "try another")
    for _ in range(98):
        found["deep"] = found["deep"][0]
    assert found == {
        "day": datetime.date(2026, 11, 30),
        "long": 5400,
        "hex": 255,
        "most": 10**100 - 1,
        "tiny": 1e-121,
        "usual": {"a": 1, "b": 2},
        "mine": {"a": 1, "b": 3},
        "deep": [],
    }
