"""Settings of the page: where it is, and what it takes."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from clumpygan.errors import InputError
from clumpygan.settings import check, setting

ADDRESS = "127.0.0.1"
"""Nobody but this machine reaches the page."""

NO_PANEL = "the page needs Panel: python -m pip install 'clumpygan[app]'"


@dataclass(frozen=True)
class AppSettings:
    """Where the page is, and what it takes."""

    port: int = setting(
        5006, f"of the page's address, http://{ADDRESS}:PORT; 0 takes any that is free", "PORT",
        least=0, most=65535,
    )  # fmt: skip
    folder: Path | None = setting(
        None, "its FITS files can be chosen on the page, however large; nothing is written there",
        "FOLDER", default_words="files are dropped on the page",
    )  # fmt: skip
    largest_upload: int = setting(
        100, "largest file that can be dropped on the page", "MB", least=1, most=2000
    )
    browser: bool = setting(True, "open the page in a browser")

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        InputError
            If one is out of range, or there is no such folder.
        """
        check(self)
        if self.folder is None:
            return
        try:
            next(self.folder.iterdir(), None)
        except OSError as problem:
            raise InputError(
                f"`folder` {str(self.folder)[:200]}: expected a folder that can be read "
                f"({problem.strerror})"
            ) from None

    @property
    def largest_bytes(self) -> int:
        """Largest file that can be dropped on the page, bytes."""
        return self.largest_upload * 10**6


def check_panel() -> None:
    """Refuse to go on without the packages of the extra `app`.

    Raises
    ------
    InputError
        If Panel isn't there.
    """
    if find_spec("panel") is None:
        raise InputError(NO_PANEL)
