"""Where configurations, trained checkpoints and examples lie, in checkouts and installations."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_folder(name: str) -> Path:
    """Return the folder `name` that ships with the project.

    Parameters
    ----------
    name : str
        "configs", "checkpoints" or "examples".

    Returns
    -------
    pathlib.Path
        Inside the package when it was installed from a wheel, at the root of the checkout when it
        was installed in editable mode.

    Raises
    ------
    FileNotFoundError
        If the installation has neither.
    """
    for folder in (_PACKAGE / name, _PACKAGE.parents[1] / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the installation of clumpygan at {_PACKAGE} lacks its {name}/ folder")
