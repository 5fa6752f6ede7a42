"""The benchmark of bad inputs knows every program, and every flag that names a file."""

from benchmarks.bad_inputs import INPUTS, OUTPUTS, USUAL, _parsers


def test_every_program_has_a_good_command_line() -> None:
    assert {name for name, _ in _parsers()} == set(USUAL)


def test_every_flag_of_a_file_is_tried_with_wrong_ones() -> None:
    found = {
        f"{name} {action.dest}"
        for name, parser in _parsers()
        for action in parser._actions
        if any(word in str(action.metavar) for word in ("FILE", "FOLDER"))
        and action.dest not in INPUTS + OUTPUTS
    }
    assert not found
