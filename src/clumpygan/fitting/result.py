"""What a fit has found: parameters with error bars, diagnostics, model and residual cubes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.fitting.coordinates import Coordinates
from clumpygan.fitting.goodness.verdict import Verdict
from clumpygan.fitting.observation import Observation
from clumpygan.fitting.optimize import Optimum
from clumpygan.fitting.products.maps import FitMaps, maps_of
from clumpygan.fitting.products.quantities import quantities_of
from clumpygan.fitting.sampling.draws import Draws
from clumpygan.galaxies.disks.parameters import DiskParameters
from clumpygan.galaxies.rendering.cube import CubeRenderer
from clumpygan.settings import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

ONE_SIGMA = (0.15865525393145707, 0.8413447460685429)
"""Shares of the posterior below the ends of a 68 % interval."""

_AT_BOUND = 0.16
"""Share of the draws next to a bound, above which a parameter ran into it."""


INFINITE_K = 1000.0
"""Stands for an infinite Pareto k in files: neither FITS nor JSON knows infinity."""


@dataclass(frozen=True, eq=False, repr=False)
class FitResult:
    """The result of a fit.

    Attributes
    ----------
    table : astropy.table.Table
        A row for each free parameter: `name`, `unit`, `median`, `lower` and `upper` (68 %
        interval), `best` (most probable, in the coordinates of the fit), `mean`, `deviation`,
        `effective` (draws), `r_hat` (NaN unless there are chains), `at_bound`, `limit` (of a
        parameter at the end of its prior, such as "< 0.11", at 95 %), `prior`.
    samples : astropy.table.Table
        Draws from the posterior, of equal weight, a column for each free parameter.
    values : dict of str to float
        Most probable values of all parameters, free or not.
    observation : Observation
        What was fitted.
    model_cube : ndarray (v, y, x), float32
        Of the most probable values.
    chi_squared : float
        Of that model, over the variance handed in.
    degrees_of_freedom : int
    log_evidence : float or None
        Of the model, relative to no line at all. Differences between models of the same cube are
        logarithms of Bayes factors.
    signal_to_noise : float
        Of the model cube as a whole.
    pareto_k : float or None
        See `Draws`.
    evaluations : int
        Cubes that were rendered.
    seconds : dict of str to float
        CPU time of "start", "optimum" and "posterior".
    verdict : Verdict
        Good, doubtful and why, or no detection.
    settings : dict
        All that is needed to repeat the fit, as plain numbers and words.
    optimum : Optimum
    draws : Draws
    coordinates : Coordinates
    rings : astropy.table.Table, optional
        Rotation and dispersion of the rings of the curve "rings": see `ring_table`.
    comparison : astropy.table.Table, optional
        Of several models, of which this is the most probable one: see `ModelComparison.table`.
    origin : dict
        Where the cube comes from, and the settings that were chosen; for the meta of the tables.
    """

    table: Table
    samples: Table
    values: dict[str, float]
    observation: Observation
    model_cube: NDArray[np.float32]
    chi_squared: float
    degrees_of_freedom: int
    log_evidence: float | None
    signal_to_noise: float
    pareto_k: float | None
    evaluations: int
    seconds: dict[str, float]
    verdict: Verdict
    settings: dict[str, Any]
    optimum: Optimum
    draws: Draws
    coordinates: Coordinates
    rings: Table | None = None
    comparison: Table | None = None
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the result isn't to be relied on; empty if it is."""
        return self.verdict.reasons

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached, and the draws are as they should be."""
        return self.optimum.converged and not self.draws.problems

    @property
    def reduced_chi_squared(self) -> float:
        """Chi^2 per degree of freedom."""
        return self.chi_squared / max(self.degrees_of_freedom, 1)

    @property
    def residual_cube(self) -> FloatArray:
        """Data minus model (v, y, x); NaN where nothing is known."""
        residual = self.observation.data - self.model_cube
        return np.where(self.observation.valid, residual, np.nan)

    @property
    def galaxy(self) -> DiskParameters:
        """The most probable galaxy."""
        return DiskParameters.from_dict(self.values, self.coordinates.model)

    @cached_property
    def maps(self) -> FitMaps:
        """Flux, velocity and dispersion of data and model, from fits in every spaxel."""
        return maps_of(self)

    @cached_property
    def quantities(self) -> Table:
        """What papers quote, with 68 % intervals.

        Velocities at some radii, V / sigma, the dynamical mass, the flux of every line: see
        `clumpygan.fitting.products.quantities`.
        """
        return quantities_of(self)

    def __repr__(self) -> str:
        from clumpygan.fitting.batch.results import result_table
        from clumpygan.fitting.batch.summary import text_of

        return "\n".join([text_of(result_table(self)), *(f"  ! {text}" for text in self.problems)])

    def plot(
        self, title: str = "", truth: Mapping[str, float] | None = None, *, wcs: bool = False
    ) -> "Figure":
        """Draw data, model and residual, slit, spectrum and posterior on one page.

        Parameters
        ----------
        title : str
        truth : mapping of str to float, optional
            Values of a mock, drawn into the corner plot; by default those that are known.
        wcs : bool
            Whether the axes of maps are in right ascension and declination, in place of arcsec;
            where the WCS isn't known, they are in arcsec, with a warning.

        Returns
        -------
        matplotlib.figure.Figure
            `figure.savefig("fit.png")` writes it.
        """
        from clumpygan.plots.fit import fit_figure

        return fit_figure(self, title=title, truth=truth, wcs=wcs)

    def plot_rings(self, title: str = "") -> "Figure":
        """Draw rotation and dispersion ring by ring, and the parametric curve.

        Raises
        ------
        InputError
            If the curve isn't "rings".
        """
        from clumpygan.plots.rings import rings_figure

        if self.rings is None:
            raise InputError(f"a fit of the curve {self.galaxy.curve!r} has no rings to draw")
        return rings_figure(self, title=title)

    def write(
        self,
        folder: str | Path,
        name: str = "cube",
        *,
        picture: bool = True,
        wcs: bool = False,
        model_cubes: bool = True,
        maps: bool = True,
        inference_data: bool = False,
    ) -> Table:
        """Write the files of `fit.py`: tables, samples, model and residual cubes, the picture.

        Parameters
        ----------
        folder : path
            Made if it doesn't exist.
        name : str
            First part of the files' names.
        picture, model_cubes, maps : bool
            Whether these are wanted; with the maps go slit, profiles and derived quantities.
        wcs : bool
            Whether the axes of the picture's maps are in right ascension and declination.
        inference_data : bool
            Whether the draws are wanted as ArviZ's InferenceData too.

        Returns
        -------
        astropy.table.Table
            `table` with all that there is to say about it as meta, as it was written.
        """
        from clumpygan.fitting.batch.results import write_result

        Path(folder).mkdir(exist_ok=True)
        return write_result(
            Path(folder), name, self, picture=picture, wcs=wcs, cubes=model_cubes, maps=maps,
            inference_data=inference_data,
        )  # fmt: skip

    def to_spectral_cube(self, what: str = "model") -> Any:
        """Return the "data", "model" or "residual" as a `SpectralCube`."""
        from clumpygan.fitting.products.exchange import to_spectral_cube

        return to_spectral_cube(self, what)

    def to_nddata(self, what: str = "model") -> Any:
        """Return the "data", "model" or "residual" as astropy's NDData, with WCS and variance."""
        from clumpygan.fitting.products.exchange import to_nddata

        return to_nddata(self, what)

    def to_spectrum(self, what: str = "data") -> Any:
        """Return the sum of the "data", "model" or "residual" as a `specutils.Spectrum`."""
        from clumpygan.fitting.products.exchange import to_spectrum

        return to_spectrum(self, what)

    def to_inference_data(self) -> Any:
        """Return the draws as ArviZ's InferenceData."""
        from clumpygan.fitting.products.exchange import to_inference_data

        return to_inference_data(self)

    def write_models(self, folder: Path, name: str) -> None:
        """Write model and residual, NAME_model.fits and NAME_residual.fits."""
        from clumpygan.fitting.products.cube_files import write_fit_cube

        for what, cube in (("model", self.model_cube), ("residual", self.residual_cube)):
            write_fit_cube(folder / f"{name}_{what}.fits", self, cube)

    def write_products(self, folder: Path, name: str) -> None:
        """Write maps, slit, profiles and derived quantities."""
        from clumpygan.fitting.products.files import write_products

        write_products(folder / name, self)

    def summary(self) -> dict[str, Any]:
        """Return everything but cubes and samples, as plain numbers and words for JSON."""
        rows = [{name: plain(row[name]) for name in self.table.colnames} for row in self.table]
        return {
            "parameters": rows,
            "values": self.values,
            "chi_squared": self.chi_squared,
            "degrees_of_freedom": self.degrees_of_freedom,
            "reduced_chi_squared": self.reduced_chi_squared,
            "log_evidence": self.log_evidence,
            "signal_to_noise": self.signal_to_noise,
            "pareto_k": None if self.pareto_k is None else min(self.pareto_k, INFINITE_K),
            "evaluations": self.evaluations,
            "cpu_seconds": self.seconds,
            "converged": self.converged,
            "verdict": self.verdict.word,
            "problems": list(self.problems),
            "remarks": list(self.verdict.remarks),
            "goodness": self.verdict.numbers(),
            "variance_estimated": self.observation.estimated,
            "flux_unit": self.observation.flux_unit,
            "quantities": [
                {name: plain(row[name]) for name in row.colnames} for row in self.quantities
            ],
            "settings": self.settings,
        }


def unbinned(result: FitResult, whole: Observation, bins: tuple[int, int]) -> FitResult:
    """Return the result of a fit in bins with the cubes as they were observed.

    Parameters
    ----------
    result : FitResult
    whole : Observation
    bins : tuple of int
        Pixels on a side of a bin, and channels in it.
    """
    grid = whole.frame.grid
    accuracy, model = result.settings["accuracy"], result.coordinates.model
    renderer = CubeRenderer(grid, model, whole.frame.transfer, accuracy)
    vector = result.coordinates.vectors(result.optimum.coordinates)
    settings = result.settings | {
        "binned": list(bins),
        "shape": list(grid.shape),
        "pixel_scale_arcsec": grid.pixel_scale,
        "channel_width_km_s": grid.channel_width,
    }
    cube = renderer(vector[None])[0]
    return replace(result, observation=whole, model_cube=cube, settings=settings)


def tabulate(
    coordinates: Coordinates,
    optimum: Optimum,
    draws: Draws,
    generator: np.random.Generator,
    units: Mapping[str, str],
    known: Mapping[str, FloatArray] | None = None,
) -> tuple[Table, Table]:
    """Return the tables of parameters and of samples.

    Angles are given between 0 and their period, as medians; their intervals and samples go with
    them, and may reach beyond.

    Parameters
    ----------
    coordinates : Coordinates
    optimum : Optimum
    draws : Draws
    generator : numpy.random.Generator
        For samples of equal weight.
    units : mapping of str to str
        In place of those of the table of parameters.
    known : mapping of str to ndarray (S,), optional
        Values of parameters at the draws, where more than coordinates decides on them.
    """
    rows = [coordinates.model.table[place] for place in coordinates.places]
    values = coordinates.values(draws.coordinates)
    best = coordinates.values(optimum.coordinates)
    for name, drawn in (known or {}).items():
        values[:, coordinates.names.index(name)] = drawn
    samples = values[draws.equal_places(generator)]
    median, lower, upper = draws.quantiles(values, (0.5, *ONE_SIGMA))
    sides = coordinates.at_bounds(values, 0.5 * (upper - lower))
    below, above = (draws.weights @ (sides == side) > _AT_BOUND for side in (-1, 1))
    least, most = draws.quantiles(values, (0.05, 0.95))
    limits = [
        "" if low == high else f"< {end[1]:.3g}" if low else f"> {end[0]:.3g}"
        for low, high, end in zip(below, above, zip(least, most, strict=True), strict=True)
    ]
    mean = draws.weights @ values
    deviation = np.sqrt(draws.weights @ (values - mean) ** 2)
    for k, row in enumerate(rows):
        if row.period is not None:
            turn = row.period * np.floor(median[k] / row.period)
            for array in (median, lower, upper, best, mean):
                array[k] -= turn
            samples[:, k] -= turn
    table = Table(
        {
            "name": list(coordinates.names),
            "unit": [units.get(row.name, row.unit) for row in rows],
            "median": median,
            "lower": lower,
            "upper": upper,
            "best": best,
            "mean": mean,
            "deviation": deviation,
            "effective": draws.effective,
            "r_hat": np.full(len(rows), np.nan) if draws.r_hat is None else draws.r_hat,
            "at_bound": below | above,
            "limit": limits,
            "prior": [str(prior) for prior in coordinates.priors],
        }
    )
    return table, Table({name: samples[:, k] for k, name in enumerate(coordinates.names)})
