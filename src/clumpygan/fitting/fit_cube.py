"""Fit one cube, of a file or of arrays: `clumpygan.fit`."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clumpygan.errors import InputError
from clumpygan.fitting.comparison import compare_models
from clumpygan.fitting.cube_observation import mean_width
from clumpygan.fitting.fitter import DiskFitter
from clumpygan.fitting.fitters import fitters_of, psf_of
from clumpygan.fitting.input_cubes import input_cube, input_map
from clumpygan.fitting.observation import Frame, Observation, ObservedFrame
from clumpygan.fitting.result import FitResult
from clumpygan.fitting.settings import FitSettings
from clumpygan.galaxies.rendering.grid import CubeGrid
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.cubes.reading import Cube
from clumpygan.io.velocity_map import VelocityMap

_ANY_WAVELENGTH = 7000.0
"""Angstrom; a Gaussian PSF is as wide at any."""


def fit(
    cube: str | Path | Cube | ArrayLike | Any,
    variance: str | Path | ArrayLike | None = None,
    *,
    mask: str | Path | ArrayLike | None = None,
    grid: CubeGrid | Frame | None = None,
    **settings: Any,
) -> FitResult:
    """Fit a thick, rotating disk to a velocity cube, with error bars.

    Parameters
    ----------
    cube : path, Cube, SpectralCube, NDData, VelocityMap or array_like (v, y, x)
        FITS file, with `map` among the settings that of a velocity map; a cube as `read_cube`
        returns it, of the package spectral-cube, or astropy's NDData with a WCS; or flux per voxel,
        NaN where unknown, with its `grid`.
    variance, mask : path or array_like, optional
        In place of what the cube has. A mask is True for voxels that aren't to be used.
    grid : CubeGrid or ObservedFrame, optional
        Of an array. A `CubeGrid` goes with `psf_fwhm` among the settings, the width of a Gaussian
        PSF in arcsec; an `ObservedFrame` has its own PSF.
    **settings
        Those of `FitSettings`, which are the flags of `fit.py`: `line`, `redshift`, `psf_fwhm`,
        `curve`, `free`, `fix`, `prior`, `method`, `seed` and so on.

    Returns
    -------
    FitResult
        With `table`, `samples`, `problems` (where there are any, it isn't to be relied on),
        `plot()` and `write(folder, name)`. Of several curves that of the most probable one, with
        their `comparison`.

    Raises
    ------
    InputError
        If the cube can't be fitted, or a setting isn't possible.

    Examples
    --------
    >>> fit("cube.fits", line="oiii", redshift=0.36, psf_fwhm=0.7).table  # doctest: +SKIP
    >>> fit(data, sigma**2, grid=grid, psf_fwhm=0.6, fix={"inclination": 60})  # doctest: +SKIP
    """
    files = {"variance": variance, "mask": mask}
    named = {name: str(one) for name, one in files.items() if isinstance(one, str | Path)}
    arrays: dict[str, Any] = {name: one for name, one in files.items() if name not in named}
    chosen = FitSettings.of({**settings, **named})
    if isinstance(cube, np.ndarray | list | tuple):
        fitters = fitters_of(chosen, _frame_of(grid, chosen))
        observe = next(iter(fitters.values())).observe
        return _with_origin(fit_with(fitters, observe(cube, **arrays), chosen.seed), chosen)
    if grid is not None:
        raise InputError("`grid` is that of an array; a cube has its own: leave it out")
    fitters, observation, path = observed_cube(cube, chosen, **arrays)
    return _with_origin(fit_with(fitters, observation, chosen.seed), chosen, path)


def observed_cube(
    cube: str | Path | Cube | VelocityMap | Any, settings: FitSettings, **arrays: ArrayLike | None
) -> tuple[dict[str, DiskFitter], Observation, Path | None]:
    """Read a cube, or a velocity map, and check it and its noise, without a fit.

    Parameters
    ----------
    cube : path, Cube, SpectralCube, NDData or VelocityMap
        See `fit`.
    settings : FitSettings
    **arrays
        `variance` and `mask`, in place of what the cube has.

    Returns
    -------
    fitters : dict of DiskFitter
        By rotation curve: those that the settings ask for.
    observation : Observation
        For `fit_with`.
    path : Path or None
        Of the file.

    Raises
    ------
    InputError
        See `fit`.
    """
    fitters_of(settings)  # contradictions are refused before the file is read
    if settings.map:
        seen = cube if isinstance(cube, VelocityMap) else input_map(Path(str(cube)), settings)
        fitters = fitters_of(settings, pixel_scale=seen.pixel_scale)
        return fitters, next(iter(fitters.values())).observe(seen, **arrays), seen.path
    found, said = input_cube(cube, settings)
    fitters = fitters_of(said, pixel_scale=found.pixel_scale)
    return fitters, next(iter(fitters.values())).observe(found, **arrays), found.path


def fit_with(
    fitters: Mapping[str, DiskFitter], observation: Observation, seed: int = 0
) -> FitResult:
    """Fit one observation by one fitter, or by several, of which the most probable counts."""
    if len(fitters) == 1:
        (fitter,) = fitters.values()
        return fitter.fit_observation(observation, seed=seed)
    compared = compare_models(fitters, observation, seed=seed)
    return replace(compared.results[compared.best], comparison=compared.table)


def _with_origin(result: FitResult, settings: FitSettings, path: Path | None = None) -> FitResult:
    """Return the result with the settings that made it, and the file, if it comes from one."""
    origin: dict[str, Any] = {"choices": settings.chosen()}
    if path is not None and path.name:
        origin |= {"file": str(path), "source": {"file": str(path.resolve())}}
    return replace(result, origin=origin)


def _frame_of(grid: CubeGrid | Frame | None, settings: FitSettings) -> Frame:
    if grid is None:
        raise InputError(
            "an array has no grid: give `grid`, a CubeGrid or an ObservedFrame, or a cube as "
            "read_cube returns it"
        )
    if not isinstance(grid, CubeGrid):
        return grid
    psf = psf_of(settings, None, grid.pixel_scale)
    if psf is None and settings.psf_fwhm is not None:
        psf = GaussianPSF(settings.psf_fwhm)
    if psf is None:
        return ObservedFrame(grid)
    return ObservedFrame(
        grid, partial(psf.transfer, wavelength=_ANY_WAVELENGTH), mean_width(psf, _ANY_WAVELENGTH)
    )
