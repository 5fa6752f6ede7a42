"""What a fit of a velocity map has found."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.table import Table
from astropy.units import Unit
from numpy.typing import NDArray

from clumpygan.fitting.maps.observation import MapObservation
from clumpygan.fitting.products.files import CURVE
from clumpygan.fitting.products.quantities import INTERVAL, drawn_vectors
from clumpygan.fitting.result import FitResult
from clumpygan.galaxies.measuring.profiles import curves_of
from clumpygan.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

_CURVE_POINTS = 60


@dataclass(frozen=True, eq=False, repr=False)
class MapFitResult(FitResult):
    """The result of a fit of a velocity map; attributes as those of `FitResult`.

    `chi_squared` counts each bin once, `signal_to_noise` is that of the rotation, and evidences
    are relative to one velocity for all.

    Attributes
    ----------
    binned_field : ndarray (y, x)
        Velocities of the model as the bins of the data see them, km/s; NaN outside.
    """

    binned_field: FloatArray | None = None

    @property
    def velocity_field(self) -> FloatArray:
        """Velocities (y, x) of the most probable disk, km/s."""
        return np.asarray(self.model_cube[0], dtype=np.float64)

    @property
    def residual_map(self) -> FloatArray:
        """Data minus model (y, x) in each bin, km/s; NaN where nothing is known."""
        assert self.binned_field is not None
        return np.asarray(self.observation.data[0] - self.binned_field)

    def rotation_curve(self) -> Table:
        """Return the rotation curve in the plane of the disk, without smearing.

        `radius` [arcsec], up to the largest one at which a velocity near the major axis is known,
        and `velocity` [km/s] there with its 68 % interval (`velocity_lower`, `velocity_upper`).
        """
        radii = np.linspace(0, self.largest_radius, _CURVE_POINTS + 1)[1:]
        vectors = drawn_vectors(self)
        places = np.broadcast_to(radii, (len(vectors), len(radii)))
        curves, _ = curves_of(self.coordinates.model, vectors, places)
        middle, lower, upper = np.percentile(curves, INTERVAL, axis=0)
        table = Table({"radius": radii, "velocity": middle, "velocity_lower": lower,
                       "velocity_upper": upper})  # fmt: skip
        for name in table.colnames:
            table[name].unit = Unit("arcsec" if name == "radius" else "km/s")
        return table

    @cached_property
    def quantities(self) -> Table:
        """What papers quote: `name`, `unit`, `median`, `lower` and `upper` (68 % interval).

        The rotation velocity at the last radius, that radius, and the velocity times sin i there.
        """
        vectors, radius = drawn_vectors(self), self.largest_radius
        velocities, _ = curves_of(
            self.coordinates.model, vectors, np.full((len(vectors), 1), radius)
        )
        sine = np.sin(np.radians(vectors[:, self.coordinates.model.index("inclination")]))
        rows = (
            ("velocity_last", "km/s", velocities[:, 0]),
            ("radius_last", "arcsec", np.full(len(vectors), radius)),
            ("velocity_sin_inclination", "km/s", velocities[:, 0] * sine),
        )
        ends = np.array([np.percentile(values, INTERVAL) for *_, values in rows])
        names, units = [name for name, *_ in rows], [unit for _, unit, _ in rows]
        return Table({"name": names, "unit": units, "median": ends[:, 0], "lower": ends[:, 1],
                      "upper": ends[:, 2]})  # fmt: skip

    @property
    def largest_radius(self) -> float:
        """Largest radius in the plane of the disk, arcsec, of what is near its major axis."""
        along, across = self.places()
        radius = np.hypot(along, across)
        near = np.abs(across) < np.abs(along)
        return float(radius[near].max() if near.any() else radius.max())

    def places(self) -> tuple[FloatArray, FloatArray]:
        """Return where known spaxels are in the plane of the disk, arcsec: along and across."""
        grid, values = self.observation.frame.grid, self.values
        rows, columns = np.nonzero(self.observation.valid[0])
        x = (columns - 0.5 * (grid.shape[2] - 1)) * grid.pixel_scale - values["offset_x"]
        y = (rows - 0.5 * (grid.shape[1] - 1)) * grid.pixel_scale - values["offset_y"]
        angle = np.radians(values["position_angle"])
        along, across = (
            y * np.cos(angle) - x * np.sin(angle),
            -x * np.cos(angle) - y * np.sin(angle),
        )
        tilt = max(float(np.cos(np.radians(values["inclination"]))), 0.05)
        return along, across / tilt

    def plot(
        self, title: str = "", truth: Mapping[str, float] | None = None, *, wcs: bool = False
    ) -> "Figure":
        """Draw data, model and residual, the rotation curve and the posterior on one page."""
        from clumpygan.plots.velocity_map import map_figure

        return map_figure(self, title=title, truth=truth, wcs=wcs)

    def write_models(self, folder: Path, name: str) -> None:
        """Write NAME_model.fits and NAME_residual.fits, images in km/s."""
        assert isinstance(self.observation, MapObservation)
        layout = self.observation.layout
        cards = Header() if layout is None or layout.wcs is None else layout.wcs.to_header()
        cards["BUNIT"] = "km/s"
        cards["PIXSCALE"] = (self.observation.frame.grid.pixel_scale, "[arcsec] width of a pixel")
        for what, image in (("model", self.velocity_field), ("residual", self.residual_map)):
            with atomic_path(folder / f"{name}_{what}.fits") as path:
                fits.PrimaryHDU(image.astype(np.float32), cards).writeto(path, checksum=True)

    def write_products(self, folder: Path, name: str) -> None:
        """Write NAME_curve.ecsv."""
        with atomic_path(folder / f"{name}_{CURVE}") as path:
            self.rotation_curve().write(path, format="ascii.ecsv")

    def summary(self) -> dict[str, Any]:
        """Return everything but maps and samples, as plain numbers and words for JSON."""
        return super().summary() | {"map": True}
