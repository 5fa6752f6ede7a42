"""The light of a disk as a map in its plane."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clumpygan.errors import InputError

# numpy is imported where it is needed: the flags of the programs are made from `DiskModel`.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_PIXELS = 2


@dataclass(frozen=True)
class LightMap:
    """Factors of the light of a disk and its bulge, in the plane of the disk.

    As the maps of `DiskMaps`: bilinear between the centres of pixels, over +- `extent` half-light
    radii of the profile, the outermost going on beyond. The sum of the light stays what it is.

    Attributes
    ----------
    rows : tuple of tuple of float
        N rows of N factors, 0 or more: the last axis along the major axis, its end on the receding
        side; the first 90 degrees further.
    extent : float
        Half a side, in half-light radii of the profile.
    radius : float
        Half-light radius of the profile over the parameter `half_light_radius`. With that of
        `light_radius.half_light_radii` the parameter is the radius of half of the light, map and
        all.

    Raises
    ------
    InputError
        If the map isn't square, or a factor is below 0 or no number.
    """

    rows: tuple[tuple[float, ...], ...]
    extent: float
    radius: float = 1.0

    def __post_init__(self) -> None:
        size = len(self.rows)
        if size < FEWEST_PIXELS or any(len(row) != size for row in self.rows):
            raise InputError(
                f"a map of light of {size} rows: expected {FEWEST_PIXELS} or more, as long as many"
            )
        if not all(0.0 <= value < float("inf") for row in self.rows for value in row):
            raise InputError("a map of light with factors below 0, or that aren't numbers")
        if not 0.0 < self.extent < float("inf"):
            raise InputError(f"a map of light of extent {self.extent:g}: expected more than 0")
        if not 0.0 < self.radius < float("inf"):
            raise InputError(f"a map of light of radius {self.radius:g}: expected more than 0")

    @classmethod
    def of(cls, values: "NDArray[np.float64]", extent: float) -> "LightMap":
        """Build from an array (N, N)."""
        return cls(tuple(tuple(map(float, row)) for row in values), float(extent))

    @property
    def values(self) -> "NDArray[np.float64]":
        """The factors (N, N)."""
        import numpy as np

        return np.array(self.rows)
