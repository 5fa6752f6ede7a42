"""Whether a prepared set of cubes is whole, and what its card says."""

import numpy as np

from clumpygan import __version__
from clumpygan.data.cube_settings import CubeSettings, frame_for, renderer_for
from clumpygan.data.cube_store import SPLIT, CubeSet, chunks
from clumpygan.errors import InputError

_MOST_LIGHT = 1.01  # of that of the galaxy


def check_cubes(cubes: CubeSet, generator: np.random.Generator, rows: int = 8) -> None:
    """Check that a set is whole: each cube has its light, and some, rendered again, are the same.

    Parameters
    ----------
    cubes : CubeSet
    generator : numpy.random.Generator
        Chooses those.
    rows : int
        How many are drawn and rendered again.

    Raises
    ------
    InputError
        If a cube isn't finite, is empty, has more light than its galaxy, is there twice, or isn't
        what its parameters and the seed give.
    """
    home, settings = cubes.folder, cubes.settings
    flux, magnification, continuum = (
        cubes.parameters[:, settings.model.index(name)]
        for name in ("flux", "magnification", "continuum")
    )
    grid = frame_for(settings).grid
    integrated = grid.pixel_response and grid.channel_response
    expected = flux * magnification
    most = np.where((continuum == 0) & integrated, _MOST_LIGHT * expected, np.inf)
    for first, last in chunks(settings, cubes.count):
        light = cubes.cubes[first:last].sum(axis=(1, 2, 3), dtype=np.float64)
        dark = (light <= 0) & (expected[first:last] > 0)
        wrong = ~np.isfinite(light) | dark | (light > most[first:last])
        if wrong.any():
            row = first + int(np.argmax(wrong))
            raise InputError(
                f"{home}: cube {row} holds {light[row - first]:.4g} of the {expected[row]:.4g} "
                "flux units of its galaxy: it is damaged (delete the folder and prepare it again), "
                "or its settings put the galaxy outside the cube"
            )
    # Equal rows have equal sums.
    sums = cubes.parameters @ np.random.default_rng(0).random(cubes.parameters.shape[1])
    if len(np.unique(sums)) < cubes.count and not _all_fixed(settings):
        raise InputError(f"{home}: a galaxy is there twice; delete the folder and prepare it again")
    _check_rows(cubes, generator.choice(cubes.count, min(rows, cubes.count), replace=False))


def _check_rows(cubes: CubeSet, chosen: np.ndarray) -> None:
    drawn = cubes.settings.draw(cubes.seed, SPLIT, chosen.tolist())
    rendered = renderer_for(cubes.settings)(drawn)
    tolerance = 0.1 * cubes.settings.accuracy
    for row, vector, cube in zip(chosen.tolist(), drawn, rendered, strict=True):
        same = np.allclose(vector, cubes.parameters[row], rtol=1e-12, atol=0)
        error = float(np.abs(cube - cubes.cubes[row]).max())
        if not same or not error <= tolerance * float(cube.max()):
            raise InputError(
                f"{cubes.folder}: cube {row} isn't what its seed and settings give with clumpygan "
                f"{__version__} (it was made with {cubes.card['clumpygan']}); delete the folder "
                "and prepare it again"
            )


def _all_fixed(settings: CubeSettings) -> bool:
    """Whether nothing that is drawn differs between galaxies."""
    drawn = settings.draw(0, SPLIT, range(2))
    return bool(np.array_equal(*drawn))
