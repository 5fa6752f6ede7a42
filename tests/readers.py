"""Small whole files of every kind that is read, their readers, and ways to damage them."""

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table

from clumpygan.commands.flags import read_config, settings_from
from clumpygan.commands.recover import _parser as recover_parser
from clumpygan.data.cubes.settings import CubeSettings
from clumpygan.data.cubes.store import open_cubes, prepare_cubes
from clumpygan.data.cutouts.extraction import prepare_cutouts
from clumpygan.data.cutouts.settings import CutoutSettings
from clumpygan.data.cutouts.store import open_cutouts
from clumpygan.data.real_galaxies.recipe import read_recipe
from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import build_network, load_checkpoint, save_checkpoint
from clumpygan.instruments.presets import read_survey
from clumpygan.io import read_catalog, read_cube, read_image, read_psf
from clumpygan.io.arrays import load_array
from clumpygan.io.fits import open_fits
from clumpygan.io.idx import read_idx, write_idx
from clumpygan.io.image_stack import read_stack
from clumpygan.io.listed_blends import read_blend
from clumpygan.io.mosaic import open_mosaic
from clumpygan.io.rotation_table import read_rotation_table
from clumpygan.io.spread_functions import read_line_spread, read_measured_psf
from clumpygan.io.velocity_map import read_velocity_map
from clumpygan.recovery.settings import RecoverySettings
from clumpygan.resources import resource_folder
from clumpygan.training.states import read_state
from tests.data.survey import make_survey

SECONDS = 5
"""A reader that takes longer than this on a few kilobytes is taken for endless."""

TINY = {"channels": 8, "blocks": [1, 1], "fine_channels": 4, "noise_channels": 2}

WORDS = ("2147483647", "-1", "0", "99999999999", "'abc'", "NaN", "1e999", "T", "3", "1E400", "",
         "2020-13-45", "!!int", "!!bool 3", "[" * 2000, "9" * 5000, "&a [*a]", "{}", "null", "=",
         "!!timestamp")  # fmt: skip
"""What a damaged card may say."""


class Originals(dict[str, bytes]):
    """Contents of files, which a failing test doesn't print."""

    def __repr__(self) -> str:
        return f"{len(self)} files"


def make_originals(folder: Path) -> Originals:
    """Write small valid files of every kind that is read into an empty folder; return them."""
    generator = np.random.default_rng(0)
    image = generator.normal(size=(12, 10)).astype(np.float32)
    sky = fits.Header()
    for key, value in {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 5.0,
        "CRPIX2": 6.0, "CDELT1": -0.168 / 3600, "CDELT2": 0.168 / 3600, "BUNIT": "nJy",
    }.items():  # fmt: skip
        sky[key] = value
    fits.writeto(folder / "image.fits", image, sky)
    y, x = np.mgrid[-4:5, -4:5]
    psf = np.exp(-(x**2 + y**2) / 4.0)
    fits.writeto(folder / "psf.fits", psf / psf.sum(), sky)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image, sky)]).writeto(
        folder / "image.fits.fz"
    )
    spectral = sky.copy()
    spectral.update(CTYPE3="AWAV", CUNIT3="Angstrom", CRVAL3=6500.0, CRPIX3=1.0, CDELT3=1.25)
    cube = generator.normal(size=(5, 6, 7)).astype(np.float32)
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(cube, spectral, name="DATA"),
            fits.ImageHDU(cube**2, spectral, name="STAT"),
        ]
    ).writeto(folder / "cube.fits")
    table = Table({"id": np.arange(4), "ra": np.ones(4), "dec": np.ones(4), "z_best": np.ones(4)})
    table["file"] = ["a.fits", "b.fits", "c.fits", "d.fits"]
    table.write(folder / "table.fits")
    table.write(folder / "table.csv", format="ascii.csv")
    table.write(folder / "table.ecsv", format="ascii.ecsv")
    table.write(folder / "table.parquet", format="parquet")
    np.save(folder / "stack.npy", generator.normal(size=(3, 4, 5)))
    fits.writeto(folder / "stack.fits", generator.normal(size=(3, 4, 5)))
    write_idx(folder / "stack.idx", generator.integers(0, 255, (3, 4, 5), dtype=np.uint8))
    torch.manual_seed(0)
    network = build_network("super_resolution", TINY)
    card = {"network": {"name": "super_resolution", "arguments": TINY}, "seed": 0}
    save_checkpoint(folder / "weights" / "tiny", network, card)
    state = {
        "state_dict": network.state_dict(), "optimizer_states": [], "loops": {"fit_loop": {}},
        "curve": [], "images_seen": 3, "seconds": 1.5, "pytorch-lightning_version": "2.6.0",
    }  # fmt: skip
    torch.save(state, folder / "state.ckpt")
    cubes = CubeSettings.from_dict({"frame": {"shape": [4, 6, 5], "instrument": None}})
    prepare_cubes(folder / "cubes", cubes, 3, 1)
    (folder / "survey").mkdir()
    prepare_cutouts(
        folder / "cutouts", CutoutSettings((make_survey(folder / "survey").files(),), size=8)
    )
    shutil.rmtree(folder / "survey")
    (folder / "settings.yaml").write_text("samples: 8\nseeing: 0.7\nmax_hmag: 24\nband: i\n")
    (folder / "survey.yaml").write_bytes(
        (files("clumpygan.instruments") / "surveys" / "euclid_vis.yaml").read_bytes()
    )
    recipe = (resource_folder("configs") / "real_galaxies.yaml").read_text()
    (folder / "recipe.yaml").write_text(recipe.replace("$CLUMPYGAN_REAL_DATA", "."))
    (folder / "rotation.txt").write_text("radius velocity\n0.1 30\n0.5 120.5\n1.2 180\n")
    (folder / "lsf.csv").write_text("wavelength,fwhm\n4800,2.7\n7000,2.5\n9300,2.4\n")
    velocities = generator.normal(0, 90, (8, 9)).astype(np.float32)
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(velocities, fits.Header({**sky, "BUNIT": "km/s"}), name="VEL"),
            fits.ImageHDU(np.full((8, 9), 5.0, np.float32), name="VEL_ERR"),
        ]
    ).writeto(folder / "velocities.fits")
    planes = np.abs(generator.normal(size=(5, 12, 12)))
    np.savez(folder / "blend.npz", images=planes, psfs=planes, peaks=np.array([[5.0, 6.0]]))
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return Originals(
        {str(path.relative_to(folder)): path.read_bytes() for path in found if path.name != "lock"}
    )


def _read_mosaic(path: Path) -> None:
    mosaic = open_mosaic(path, path.parent)
    mosaic.cut(np.array([0]), np.array([0]), 4)


def _read_fits(path: Path) -> None:
    with open_fits(path) as hdus:
        for hdu in hdus:
            list(hdu.header.values())


def _read_weights(path: Path) -> None:
    load_checkpoint(str(path.with_suffix(".safetensors")))


def _read_cubes(path: Path) -> None:
    open_cubes(path.parent)


def _read_cutouts(path: Path) -> None:
    open_cutouts(path.parent)


def _read_settings(path: Path) -> None:
    parser = recover_parser()
    options = parser.parse_args(["--config", str(path)])
    read_config(options, parser)
    try:
        settings_from(RecoverySettings, options)
    except InputError as refused:  # a setting names itself, not the file
        raise InputError(f"{path}: {refused}") from refused


def _read_blend(path: Path) -> None:
    read_blend(path, "i")


READERS: dict[str, tuple[Callable[[Path], object], ...]] = {
    "image.fits": (read_image, read_psf, _read_mosaic, _read_fits),
    "image.fits.fz": (read_image, _read_mosaic),
    "cube.fits": (read_cube,),
    "table.fits": (read_catalog,),
    "table.csv": (read_catalog,),
    "table.ecsv": (read_catalog,),
    "table.parquet": (read_catalog,),
    "rotation.txt": (read_rotation_table,),
    "lsf.csv": (read_line_spread,),
    "velocities.fits": (read_velocity_map,),
    "psf.fits": (read_measured_psf,),
    "blend.npz": (_read_blend,),
    "settings.yaml": (_read_settings,),
    "survey.yaml": (read_survey,),
    "recipe.yaml": (read_recipe,),
    "stack.npy": (read_stack, load_array),
    "stack.fits": (read_stack,),
    "stack.idx": (read_idx,),
    "weights/tiny.safetensors": (_read_weights,),
    "weights/tiny.yaml": (_read_weights,),
    "state.ckpt": (read_state,),
    "cubes/card.yaml": (_read_cubes,),
    "cubes/cubes.npy": (_read_cubes,),
    "cubes/parameters.npy": (_read_cubes,),
    "cutouts/card.yaml": (_read_cutouts,),
    "cutouts/table.fits": (_read_cutouts,),
    "cutouts/images.npy": (_read_cutouts,),
}
"""Readers of each file; of one in a folder, which are read together, also of its companions."""


def mutated(content: bytes, mutations: list[tuple[str, int, Any]]) -> bytes:
    """Return a file with some of its bytes changed."""
    found = bytearray(content)
    for kind, place, what in mutations:
        spot = place % max(len(found), 1)
        card = 80 * (place % max(len(found) // 80, 1))
        if kind == "card":
            found[card + 10 : card + 30] = what.rjust(20).encode()
        elif kind == "byte" and found:
            found[spot] = what
        elif kind == "cut":
            del found[spot:]
        elif kind == "copy":
            other = 80 * (what % max(len(found) // 80, 1))
            found[card : card + 80] = found[other : other + 80]
        elif kind == "insert":
            found[spot:spot] = what
        elif kind == "word":
            words = [(one.start(), one.end()) for one in re.finditer(rb"[^\s,:]+", found)]
            if words:
                start, end = words[place % len(words)]
                found[start:end] = what.encode()
    return bytes(found)


@contextmanager
def ended_in_time(seconds: float = SECONDS) -> Iterator[None]:
    """End what takes more than a few CPU seconds of this process, however busy the machine is.

    Parameters
    ----------
    seconds : float
        How many.

    Raises
    ------
    TimeoutError
        From within.
    """

    def ring(*_: Any) -> None:
        raise TimeoutError("the reader doesn't end")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def read_or_refuse(reader: Callable[[Path], object], path: Path) -> None:
    """Read a file: within a few seconds it is read, or refused in one line that names it."""
    words = path.parent.name
    try:
        with ended_in_time():
            reader(path)
    except InputError as refused:
        words = str(refused)
    # What is read together may be refused by the name of the folder or of a companion.
    assert path.parent.name in words
    assert "\n" not in words


def place(name: str, content: bytes, originals: Originals, folder: Path) -> Path:
    """Write a file, and whole ones of what is read together with it; return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent != folder:
        for other, whole in originals.items():
            if Path(other).parent == Path(name).parent:
                (folder / other).write_bytes(whole)
    path.write_bytes(content)
    return path
