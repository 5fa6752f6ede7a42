"""A part of a cube, around a position and a line."""

from dataclasses import dataclass

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS, NoConvergence

from clumpygan.errors import InputError
from clumpygan.io.cubes.spectral_axis import UNITS, SpectralAxis

Window = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True)
class Region:
    """What to cut out of a cube; what isn't given isn't cut.

    Parts that reach over the edge of the cube are cut there.

    Attributes
    ----------
    position : tuple of float, optional
        Right ascension and declination (ICRS, J2000) of the centre in degrees, whichever
        coordinates the WCS has.
    pixel : tuple of float, optional
        The centre as (x, y), instead of `position`; 0 is the centre of the first pixel.
    size : float or tuple of float, optional
        Width, or widths (along x, along y), in arcsec; rounded to whole pixels.
    channels : tuple of float, optional
        First and last value on the axis, in its unit: Angstrom, Hz, or km/s in its own definition.
    velocities : tuple of float, optional
        Lowest and highest velocity in km/s relative to the line, instead of `channels`.
    rest_wavelength, redshift : float, optional
        Of the line, as in `SpectralAxis.velocities`; kept as those of the part's axis.
    """

    position: tuple[float, float] | None = None
    pixel: tuple[float, float] | None = None
    size: float | tuple[float, float] | None = None
    channels: tuple[float, float] | None = None
    velocities: tuple[float, float] | None = None
    rest_wavelength: float | None = None
    redshift: float | None = None

    def __post_init__(self) -> None:
        if self.position is not None and self.pixel is not None:
            raise InputError("a region has a position or a pixel as its centre; both are given")
        if self.channels is not None and self.velocities is not None:
            raise InputError("a region has channels or velocities; both are given")
        if (self.position or self.pixel) is not None and self.size is None:
            raise InputError("a region around a position needs its size in arcsec")
        for name in ("channels", "velocities"):
            limits = getattr(self, name)
            if limits is not None and not limits[0] < limits[1]:
                raise InputError(f"{name} of the region are {limits}; expected (low, high)")
        if self.size is not None and not np.min(self.size) > 0:
            raise InputError(f"size of the region is {self.size} arcsec; expected more than 0")

    def window(
        self,
        shape: tuple[int, int, int],
        axis: SpectralAxis,
        wcs: WCS | None,
        pixel_scale: float,
        name: str,
    ) -> Window:
        """Return the slices (v, y, x) of the region.

        Parameters
        ----------
        shape : tuple of int
            (v, y, x) of the whole cube.
        axis : SpectralAxis
        wcs : astropy.wcs.WCS or None
            Celestial.
        pixel_scale : float
            Arcsec.
        name : str
            What to call the cube in a message.

        Raises
        ------
        InputError
            If the centre, the line or the channels lie outside the cube.
        """
        rows, columns = self._field(shape, wcs, pixel_scale, name)
        return self._channels(axis, name), rows, columns

    def _field(
        self, shape: tuple[int, int, int], wcs: WCS | None, pixel_scale: float, name: str
    ) -> tuple[slice, slice]:
        if self.size is None:
            return slice(0, shape[1]), slice(0, shape[2])
        centre, place = self._centre(shape, wcs, name)
        inside = all(
            -0.5 <= c <= n - 0.5 for c, n in zip(centre, (shape[2], shape[1]), strict=True)
        )
        if not inside:
            raise InputError(
                f"{name}: {place} is outside the field of {shape[2]} x {shape[1]} pixels; expected "
                "a centre inside it"
            )
        sides = []
        widths = np.broadcast_to(self.size, 2)
        for c, width, length in zip(centre, widths, (shape[2], shape[1]), strict=True):
            count = max(1, round(float(width) / pixel_scale))
            start = int(np.floor(c - (count - 1) / 2 + 0.5))
            sides.append(slice(max(0, start), min(length, start + count)))
        return sides[1], sides[0]

    def _centre(
        self, shape: tuple[int, int, int], wcs: WCS | None, name: str
    ) -> tuple[tuple[float, float], str]:
        """Return the centre as (x, y), and as words."""
        if self.position is None:
            x, y = self.pixel or ((shape[2] - 1) / 2, (shape[1] - 1) / 2)
            return (float(x), float(y)), f"pixel ({x:g}, {y:g})"
        if wcs is None:
            raise InputError(f"{name}: has no WCS, so no positions; give the centre as a pixel")
        words = f"position ({self.position[0]:.6f}, {self.position[1]:.6f}) deg"
        try:
            x, y = wcs.world_to_pixel(SkyCoord(*self.position, unit="deg", frame="icrs"))
        except (ValueError, NoConvergence) as error:
            raise InputError(f"{name}: {words} isn't on the sky of the WCS") from error
        return (float(x), float(y)), words

    def _channels(self, axis: SpectralAxis, name: str) -> slice:
        if self.velocities is not None:
            ends = axis.values_at(self.velocities, self.rest_wavelength, self.redshift)
            limits, words = (float(ends.min()), float(ends.max())), self._line()
        elif self.channels is not None:
            limits, words = self.channels, "the region"
        else:
            return slice(0, axis.count)
        values, unit = axis.values, UNITS[axis.kind]
        kept = np.flatnonzero((values >= limits[0]) & (values <= limits[1]))
        if not len(kept):
            raise InputError(
                f"{name}: {words} is at {limits[0]:.8g} to {limits[1]:.8g} {unit}; the cube has "
                f"channels from {values.min():.8g} to {values.max():.8g} {unit}"
            )
        return slice(int(kept[0]), int(kept[-1]) + 1)

    def _line(self) -> str:
        """Return "the line of 3728.5 Angstrom at redshift 0.91", as far as they are given."""
        line = "the line"
        if self.rest_wavelength is not None:
            line += f" of {self.rest_wavelength:g} Angstrom"
        return line if self.redshift is None else f"{line} at redshift {self.redshift:g}"
