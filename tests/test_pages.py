"""What README and docs say is true: their Python runs, and their commands are commands."""

import contextlib
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hydra import compose, initialize_config_dir

import clumpygan
from clumpygan.generation import generate_cube

ROOT = Path(__file__).resolve().parents[1]
MADE = re.findall(r"^/(docs/.*)$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
"""Files and folders that a build makes."""

PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if not path.relative_to(ROOT).as_posix().startswith(tuple(MADE))
    ),
]
TEXT = "\n".join(page.read_text() for page in PAGES)

BLOCKS = re.findall(r"^```(\S*)[^\n]*\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PYTHON = [block for language, block in BLOCKS if language == "python"]
LINES = [
    line.partition(" # ")[0].removesuffix("&").strip()
    for language, block in BLOCKS
    if not language
    for line in block.replace("\\\n", " ").splitlines()
]
COMMANDS = sorted(
    {
        " ".join(line.split())
        for line in (*LINES, *re.findall(r"`(python [^`]+)`", TEXT))
        if line.startswith("python ") and re.match(r"python \w+\.py ", line)
    }
)

TRAINED_ELSEWHERE = "DcganModule"
"""A block with networks of the reader's own: `test_own_networks` runs it."""


def test_the_pages_have_both() -> None:
    assert len(PYTHON) >= 10
    assert len(COMMANDS) >= 60
    languages = {language for language, _ in BLOCKS if not language.startswith("{")}
    assert languages <= {"", "python", "text"}


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert sum(line.startswith("![") for line in lines) == 1


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if "train.py" not in one], ids=lambda one: one[:60]
)
def test_flags_are_flags(command: str) -> None:
    _, program, *words = shlex.split(command)
    module = importlib.import_module(f"clumpygan.commands.{Path(program).stem}")
    options = module._parser().parse_args(words)
    assert vars(options)


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if "train.py" in one], ids=lambda one: one[:60]
)
def test_overrides_compose(command: str) -> None:
    # Of a sweep, with the first of the values that are listed; launchers are Hydra's plugins.
    words = [word for word in shlex.split(command)[2:] if word != "-m"]
    words = [word for word in words if not word.startswith(("launcher=", "hydra."))]
    words = [re.sub(r"=([^\[,]*),[^\]]*$", r"=\1", word) for word in words]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        config = compose("train", words)
    assert config.model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the blocks name, small ones."""
    folder = tmp_path_factory.mktemp("files")
    with contextlib.chdir(folder):
        _write_files()
    return folder


@pytest.fixture
def at_hand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arrays that the blocks name, in the folder of the files."""
    monkeypatch.chdir(folder)
    array = np.nan_to_num(fits.getdata("all.fits", "HSC"))
    return {"array": array, "bad": np.zeros(array.shape, bool)}


def _write_files() -> None:
    recovery = clumpygan.recover(seed=1, max_hmag=21, samples=2, richardson_lucy=False)
    recovery.write("all.fits")
    with fits.open("all.fits") as hdus:
        for name, file in (("HST", "hst.fits"), ("HSC", "hsc.fits")):
            header = hdus[name].header
            header["BUNIT"] = "nJy"
            fits.writeto(file, np.nan_to_num(hdus[name].data), header)
    _write_sky("hsc.fits", 0.168)
    _write_sky("hst.fits", 0.06)
    y, x = np.mgrid[-15:16, -15:16]
    psf = np.exp(-0.5 * (x**2 + y**2) / (0.28 / 0.168) ** 2)
    fits.writeto("hsc_psf.fits", psf)
    for file in ("cube.fits", "a.fits", "b.fits", "muse.fits"):
        mock = generate_cube(
            instrument="muse_wfm", line="halpha" if file == "cube.fits" else "oiii",
            redshift=0.36, shape=(14, 12, 12), signal_to_noise=20, seed=1,
        )  # fmt: skip
        mock.write(file)


def _write_sky(file: str, pixel_scale: float) -> None:
    """Give an image a WCS, centred on one position."""
    with fits.open(file, mode="update") as hdus:
        header, shape = hdus[0].header, hdus[0].data.shape
        for axis, kind, value in ((1, "RA---TAN", 150.1), (2, "DEC--TAN", 2.2)):
            header[f"CTYPE{axis}"], header[f"CRVAL{axis}"] = kind, value
            header[f"CRPIX{axis}"] = (shape[2 - axis] + 1) / 2
            header[f"CDELT{axis}"] = (-1 if axis == 1 else 1) * pixel_scale / 3600


@pytest.mark.filterwarnings("ignore::clumpygan.errors.InputWarning")
@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_blocks_run(number: int, at_hand: dict[str, Any]) -> None:
    block = PYTHON[number]
    compile(block, "a page", "exec")
    if TRAINED_ELSEWHERE in block:
        return
    exec(block, {**at_hand, **_more(block)})


def _more(block: str) -> dict[str, Any]:
    """What one block alone names."""
    if "CubeDataModule" in block:
        from clumpygan.data.cubes.settings import CubeSettings
        from clumpygan.data.cubes.store import prepare_cubes

        prepare_cubes(Path("cubes"), CubeSettings.from_dict({}), 40, seed=1)
    if "CubeGenerator" in block:
        from clumpygan.gan import CubeGenerator

        cubes = clumpygan.generate_cubes(2, seed=0)
        names = CubeGenerator.load("cube_gan").names
        parameters = np.stack([np.asarray(cubes.table[name], float) for name in names], axis=1)
        return {"parameters": parameters}
    if "sigma**2" in block:
        from clumpygan.galaxies import CubeGrid, DiskParameters, render_cube

        grid = CubeGrid.velocities((14, 12, 12), pixel_scale=0.2, channel_width=50.0)
        cube = render_cube(DiskParameters(inclination=60, maximum_velocity=200), grid)
        sigma = np.full(cube.shape, cube.max() / 20)
        data = cube + sigma * np.random.default_rng(0).normal(size=cube.shape)
        return {"data": data, "sigma": sigma, "grid": grid}
    return {}
