"""The files that a program is asked to write, checked before anything is computed."""

from collections.abc import Iterable
from pathlib import Path

from clumpygan.errors import InputError
from clumpygan.io import check_output_path


def check_outputs(files: Iterable[tuple[str, Path | None, tuple[str, ...]]]) -> None:
    """Refuse output paths that can't be written.

    Parameters
    ----------
    files : iterable of tuple
        Flag, path (None where none is wanted) and the endings that its name may have (any, if
        there are none).

    Raises
    ------
    InputError
        If a path can't be written, is named twice, or has another ending.
    """
    seen: set[Path] = set()
    for flag, path, suffixes in files:
        if path is None:
            continue
        check_output_path(path)
        if path.resolve() in seen:
            raise InputError(f"{path} is named twice; expected a file for each output")
        seen.add(path.resolve())
        if suffixes and not path.name.lower().endswith(suffixes):
            raise InputError(f"{flag} {path}: expected a name ending in {', '.join(suffixes)}")


def check_folder(flag: str, folder: Path) -> None:
    """Refuse a folder of outputs that can't be made.

    Raises
    ------
    InputError
        If it is a file, or would be in a folder that doesn't exist.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{flag} {folder} is a file; expected the name of a folder")
    if not folder.exists() and not folder.absolute().parent.is_dir():
        raise InputError(
            f"{flag} {folder}: the folder {folder.parent} doesn't exist; make it first"
        )
