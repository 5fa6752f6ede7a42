"""Fits as others have them: SpectralCube, NDData, specutils' Spectrum, ArviZ's InferenceData."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.nddata import NDDataRef, StdDevUncertainty, VarianceUncertainty
from astropy.units import Quantity, Unit
from astropy.wcs import WCS
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.products.cube_files import write_fit_cube
from clumpygan.fitting.settings import NO_ARVIZ

if TYPE_CHECKING:
    from clumpygan.fitting.result import FitResult

CUBES = ("data", "model", "residual")

_SPECTRAL_UNITS = {"length": "Angstrom", "speed/velocity": "km/s", "frequency": "GHz"}
"""Of spectra, by the kind of their axis: WCS has metres, m/s and Hz."""


def cube_of(result: "FitResult", what: str) -> NDArray[np.floating]:
    """Return the data, the model or the residual of a fit (v, y, x), flux per voxel.

    Raises
    ------
    InputError
        If it is to be something else.
    """
    if what == "data":
        return np.where(result.observation.valid, result.observation.data, np.nan)
    if what == "model":
        return result.model_cube
    if what == "residual":
        return result.residual_cube
    raise InputError(f"no cube {what!r}: expected one of {', '.join(CUBES)}")


def to_spectral_cube(result: "FitResult", what: str = "model") -> Any:
    """Return a cube of a fit as a `spectral_cube.SpectralCube`, with unit, axis and beam.

    Raises
    ------
    InputError
        If `what` isn't data, model or residual, or spectral-cube isn't installed.
    """
    values = cube_of(result, what)
    try:
        from spectral_cube import SpectralCube
    except ImportError as problem:
        raise InputError(
            "a SpectralCube needs spectral-cube: python -m pip install spectral-cube"
        ) from problem
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        write_fit_cube(path, result, values)
        with fits.open(path, memmap=False) as hdus:
            hdu = hdus["DATA"]
            return SpectralCube.read(fits.PrimaryHDU(np.array(hdu.data), hdu.header), format="fits")


def to_nddata(result: "FitResult", what: str = "model") -> NDDataRef:
    """Return a cube of a fit as astropy's NDData, with WCS, unit and mask, in the unit of the data.

    Data and residual have the variance of the data, as the fit used it.

    Raises
    ------
    InputError
        If `what` isn't data, model or residual.
    """
    values = cube_of(result, what)
    layout = result.observation.layout
    per_voxel = 1.0 if layout is None else layout.per_voxel
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        write_fit_cube(path, result, values)
        header = fits.getheader(path, "DATA")
    valid = result.observation.valid
    uncertainty = None
    if what != "model":
        variance = np.where(valid, result.observation.variance, np.nan) / per_voxel**2
        uncertainty = VarianceUncertainty(variance)
    unit = str(header.get("BUNIT", "")).strip()
    return NDDataRef(
        np.asarray(values, dtype=np.float64) / per_voxel,
        uncertainty=uncertainty,
        mask=~valid,
        wcs=WCS(header),
        unit=Unit(unit) if unit else None,
        meta={"values": dict(result.values)},
    )


def to_spectrum(result: "FitResult", what: str = "data") -> Any:
    """Return the sum over the galaxy's spaxels as a `specutils.Spectrum`.

    Those that data and model both show, as in the picture; all with data where there are none.

    Returns
    -------
    specutils.Spectrum
        (v,) in the unit of the cube, over wavelengths, frequencies or velocities as in the file;
        of data and residual with the error of independent voxels.

    Raises
    ------
    InputError
        If `what` isn't data, model or residual, or specutils isn't installed.
    """
    cube = to_nddata(result, what)
    try:
        from specutils import Spectrum
    except ImportError as problem:
        raise InputError("a Spectrum needs specutils: python -m pip install specutils") from problem
    valid, galaxy = result.observation.valid, result.maps.galaxy
    spaxels = galaxy if galaxy.any() else valid.any(axis=0)
    known = valid[:, spaxels]
    uncertainty = None
    if cube.uncertainty is not None:
        variance = np.where(known, cube.uncertainty.array[:, spaxels], 0.0).sum(axis=1)
        uncertainty = StdDevUncertainty(np.sqrt(variance))
    axis = cube.wcs.spectral
    places = Quantity(axis.pixel_to_world_values(np.arange(len(valid))), axis.world_axis_units[0])
    return Spectrum(
        flux=Quantity(np.where(known, cube.data[:, spaxels], 0.0).sum(axis=1), cube.unit),
        spectral_axis=places.to(_SPECTRAL_UNITS.get(str(places.unit.physical_type), places.unit)),
        uncertainty=uncertainty,
        mask=~known.any(axis=1),
        meta={"spaxels": int(spaxels.sum())},
    )


def to_inference_data(result: "FitResult") -> Any:
    """Return the draws as ArviZ's InferenceData: `posterior`, with the units of the parameters.

    Draws have equal weight. Those of chains are kept apart, all others are one chain.

    Raises
    ------
    InputError
        If ArviZ isn't installed.
    """
    with warnings.catch_warnings():
        # On import it tells of its own future.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            import arviz
        except ImportError as problem:
            raise InputError(NO_ARVIZ) from problem
    count = 1
    if result.draws.r_hat is not None:
        count = int(result.settings["sampler"]["chains"])
    draws = {
        str(name): np.asarray(result.samples[name]).reshape(count, -1)
        for name in result.samples.colnames
    }
    data = arviz.from_dict(posterior=draws)
    for row in result.table:
        data.posterior[str(row["name"])].attrs["units"] = str(row["unit"])
    data.posterior.attrs["inference_library"] = "clumpygan"
    data.posterior.attrs["method"] = result.draws.method
    data.posterior.attrs["verdict"] = result.verdict.word
    return data
