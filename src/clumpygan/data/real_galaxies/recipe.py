"""The YAML file that says which images of real galaxies are to be used, and what they are."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from clumpygan.errors import InputError
from clumpygan.settings import check, from_mapping, setting
from clumpygan.settings.documents import read_yaml


@dataclass(frozen=True)
class Group:
    """Images of one kind.

    Attributes
    ----------
    name : str
    images : str
        Glob of the FITS files, from the folder of the recipe if it isn't absolute.
    hdus : tuple
        Names or numbers of the HDUs that hold an image each; by default the first image.
    pixel_scale : float
    psf_fwhm : tuple of float
        One for all HDUs, or one for each.
    galaxy : str
        Regular expression; what its first group finds in the name of a file is the name of the
        galaxy, which all of its images share.
    """

    name: str = setting(help="of the group")
    images: str = setting(help="glob of the FITS files")
    pixel_scale: float = setting(help="of the images", unit="arcsec", above=0)
    psf_fwhm: tuple[float, ...] = setting(help="of each HDU, or of all", unit="arcsec", above=0)
    hdus: tuple[str, ...] = setting((), "names or numbers of the HDUs with an image each")
    galaxy: str = setting(r"(.+?)\.fits", "regular expression of the name of the galaxy")

    def __post_init__(self) -> None:
        check(self)
        if len(self.psf_fwhm) not in (1, max(len(self.hdus), 1)):
            raise InputError(
                f"group {self.name}: {len(self.psf_fwhm)} `psf_fwhm` for {max(len(self.hdus), 1)} "
                "images of a file; expected one, or one for each"
            )
        try:
            groups = re.compile(self.galaxy).groups
        except re.error as error:
            raise InputError(f"group {self.name}: `galaxy` {self.galaxy!r}: {error}") from error
        if groups != 1:
            raise InputError(
                f"group {self.name}: `galaxy` {self.galaxy!r} has {groups} groups: expected one, "
                "in parentheses"
            )

    def galaxy_of(self, path: Path) -> str:
        """Return the name of the galaxy in a file, the group's before it.

        Raises
        ------
        InputError
            If the regular expression doesn't fit the file's name.
        """
        found = re.match(self.galaxy, path.name)
        if not found:
            raise InputError(f"{path}: its name doesn't fit `galaxy` {self.galaxy!r}")
        return f"{self.name}/{found[1]}"

    def members(self) -> list[tuple[int | str | None, float]]:
        """Return the HDUs of a file, None for the first image, with their PSFs."""
        hdus: list[int | str | None] = [int(hdu) if hdu.isdigit() else hdu for hdu in self.hdus]
        hdus = hdus or [None]
        widths = self.psf_fwhm if len(self.psf_fwhm) > 1 else self.psf_fwhm * len(hdus)
        return list(zip(hdus, widths, strict=True))


@dataclass(frozen=True)
class Recipe:
    """Groups of images, and which galaxies among them are kept for tests.

    Attributes
    ----------
    folder : Path
        From which globs count.
    groups : tuple of Group
    held_out : tuple of str
        Galaxies (GROUP/NAME) of the test split; the others are split by their names.
    """

    folder: Path
    groups: tuple[Group, ...]
    held_out: tuple[str, ...] = ()


def read_recipe(path: Path) -> Recipe:
    """Read a recipe: ``groups`` (a list of settings of `Group`), ``held_out`` (a list), ``folder``.

    Globs count from the folder, in which environment variables are expanded; by default it is
    that of the recipe.

    Raises
    ------
    InputError
        If it can't be read, or a setting is unknown or makes no sense.
    """
    content = read_yaml(path, "expected groups of images")
    expected = (
        "expected `groups`, a list of sections, and perhaps `held_out`, a list of names, and "
        "`folder`"
    )
    if not isinstance(content, dict) or set(content) - {"groups", "held_out", "folder"}:
        raise InputError(f"{path}: {expected}")
    folder = os.path.expandvars(str(content.get("folder") or path.parent))
    if "$" in folder:
        raise InputError(f"{path}: `folder` {folder}: set this environment variable")
    groups, held_out = content.get("groups"), content.get("held_out") or []
    if not isinstance(groups, list) or not groups or not isinstance(held_out, list):
        raise InputError(f"{path}: {expected}")
    made = []
    for number, section in enumerate(groups):
        if not isinstance(section, dict):
            raise InputError(f"{path}: group {number + 1} is no section: {expected}")
        try:
            made.append(from_mapping(Group, section, f"groups[{number}]"))
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from problem
    return Recipe(Path(folder), tuple(made), tuple(str(name) for name in held_out))
