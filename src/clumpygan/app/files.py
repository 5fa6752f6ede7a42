"""Files in and out of the page: what is dropped, what a folder holds, what is downloaded."""

import re
import shutil
import tempfile
import uuid
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from clumpygan.errors import InputError
from clumpygan.io.fits import ENDINGS

_MOST_LISTED = 500


class Files:
    """The files of one open page.

    Parameters
    ----------
    home : pathlib.Path
        In which a folder is made for what is dropped.
    largest : int
        Bytes of a file that is dropped, at most.
    offered : pathlib.Path, optional
        Folder whose files can be chosen.
    """

    def __init__(self, home: Path, largest: int, offered: Path | None = None) -> None:
        self.folder = home / uuid.uuid4().hex
        self.largest, self.offered = largest, offered

    @property
    def choices(self) -> list[str]:
        """Names of the FITS files of the folder that is offered, sorted."""
        if self.offered is None:
            return []
        names = sorted(p.name for p in self.offered.iterdir() if _is_fits(p.name) and p.is_file())
        return names[:_MOST_LISTED]

    def chosen(self, name: str) -> Path:
        """Return the path of a file of the folder that is offered.

        Raises
        ------
        InputError
            If it has gone.
        """
        if self.offered is None or name not in self.choices:
            raise InputError(f"{name}: the folder doesn't hold it any more; load the page again")
        return self.offered / name

    def keep(self, name: str, content: bytes | str, where: str = "") -> Path:
        """Write what was dropped to a file, in place of what was dropped under that name before.

        Parameters
        ----------
        name : str
            As the browser tells it.
        content : bytes or str
            Text where the browser takes it for text.
        where : str
            Name of the folder for it: an image and its PSF may have the same name.

        Raises
        ------
        InputError
            If it isn't called a FITS file, is empty, or is too large.
        """
        plain = re.sub(r"[^\w.+-]", "_", Path(name.replace("\\", "/")).name)[-80:].lstrip(".")
        if not _is_fits(plain):
            raise InputError(f"{plain or 'the file'}: expected a FITS file, *{', *'.join(ENDINGS)}")
        data = content.encode() if isinstance(content, str) else content
        if not data:
            raise InputError(f"{plain}: is empty; expected a FITS file")
        if len(data) > self.largest:
            raise InputError(
                f"{plain}: has {len(data) / 1e6:.1f} MB, more than the {self.largest / 1e6:g} MB "
                "that are taken; start the page with `largest_upload` MB, or with its `folder`"
            )
        folder = self.folder / where
        folder.mkdir(parents=True, exist_ok=True)
        (folder / plain).write_bytes(data)
        return folder / plain

    def close(self) -> None:
        """Delete what was dropped."""
        shutil.rmtree(self.folder, ignore_errors=True)


def bytes_of(write: Callable[[Path], object], name: str) -> BytesIO:
    """Return what a function writes to a file, or of a folder all of it as a ZIP.

    Parameters
    ----------
    write : callable
        Gets the path to write to.
    name : str
        Of the file; if it ends in .zip, the path is that of a folder that is there.
    """
    with tempfile.TemporaryDirectory(prefix="clumpygan_") as folder:
        path = Path(folder) / name
        if path.suffix == ".zip":
            inner = path.with_suffix("")
            inner.mkdir()
            write(inner)
            path = Path(shutil.make_archive(str(inner), "zip", folder, inner.name))
        else:
            write(path)
        return BytesIO(path.read_bytes())


def _is_fits(name: str) -> bool:
    return name.lower().endswith(ENDINGS)
