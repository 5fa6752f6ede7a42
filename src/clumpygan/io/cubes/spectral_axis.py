"""The spectral axis of a cube: wavelengths, frequencies or velocities, and how they turn into km/s.

Everything goes by the stretch s of the waves: observed over emitted wavelength, both in vacuum. It
is `1 + v/c` for a velocity in the optical definition, `1 / (1 - v/c)` in the radio definition, and
`sqrt((1 + v/c) / (1 - v/c))` for the true, relativistic one (Greisen et al. 2006, table 3). The
velocity relative to a redshift z is that of the stretch s / (1 + z).
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError

Kind = Literal["wavelength", "frequency", "velocity"]
Medium = Literal["air", "vacuum"]
Definition = Literal["relativistic", "optical", "radio"]
FloatArray = NDArray[np.float64]

UNITS: dict[Kind, str] = {"wavelength": "Angstrom", "frequency": "Hz", "velocity": "km/s"}
"""Unit of the values of each kind of axis."""

_ANGSTROM_HERTZ = SPEED_OF_LIGHT * 1e13


@dataclass(frozen=True)
class SpectralAxis:
    """Equal steps in wavelength, its logarithm, frequency or velocity; velocities rise along it.

    Attributes
    ----------
    kind : str
        "wavelength" (Angstrom), "frequency" (Hz) or "velocity" (km/s).
    first, step : float
        Value at the centre of the first channel, and from one to the next. Velocities rise: the
        step is above 0, and that of a frequency below 0. Of a logarithmic axis the step is the
        slope d(wavelength) / d(channel) at the first channel.
    count : int
        Number of channels.
    medium : str
        Of a wavelength axis and of its rest wavelength: "air" or "vacuum".
    definition : str
        Of a velocity axis: "relativistic", "optical" or "radio".
    rest_wavelength : float or None
        Of the line, Angstrom, in `medium`; in vacuum for frequencies and velocities.
    redshift : float or None
        Relative to which `velocities` are by default.
    origin : float
        Redshift at which the values of a velocity axis are 0: not 0 in the frame of a source.
    frame : str
        SPECSYS of the header; "" if it doesn't say.
    logarithmic : bool
        Whether it is the logarithm of the wavelength that has equal steps, as MaNGA's has: channel
        k is at first exp(k step / first) (Greisen et al. 2006, equation 5).

    Raises
    ------
    InputError
        If the axis falls, isn't finite, or reaches below a wavelength or frequency of 0.
    """

    kind: Kind
    first: float
    step: float
    count: int
    medium: Medium = "vacuum"
    definition: Definition = "relativistic"
    rest_wavelength: float | None = None
    redshift: float | None = None
    origin: float = 0.0
    frame: str = ""
    logarithmic: bool = False

    def __post_init__(self) -> None:
        for name, known in (("kind", Kind), ("medium", Medium), ("definition", Definition)):
            if getattr(self, name) not in get_args(known):
                raise InputError(
                    f"{name} of the spectral axis is {getattr(self, name)!r}; expected one of "
                    f"{', '.join(get_args(known))}"
                )
        unit = UNITS[self.kind]
        if not (np.isfinite(self.first) and np.isfinite(self.step) and self.count >= 1):
            raise InputError(
                f"a spectral axis of {self.count} channels from {self.first} {unit} in steps of "
                f"{self.step} {unit}; expected finite numbers and at least 1 channel"
            )
        if self.logarithmic and (self.kind != "wavelength" or not self.first > 0):
            raise InputError(
                f"a logarithmic axis of {self.kind} from {self.first:g} {unit}; expected "
                "wavelengths above 0"
            )
        rising = self.step < 0 if self.kind == "frequency" else self.step > 0
        if not rising:
            sign = "below" if self.kind == "frequency" else "above"
            raise InputError(
                f"the step of the spectral axis is {self.step:g} {unit}; expected one {sign} 0, "
                "so that velocities rise"
            )
        if self.kind != "velocity" and min(self.edges[[0, -1]]) <= 0:
            raise InputError(
                f"{self.count} channels from {self.first:g} {unit} in steps of {self.step:g} "
                f"{unit} reach below 0"
            )
        for name in ("rest_wavelength", "redshift"):
            value, lowest = getattr(self, name), 0 if name == "rest_wavelength" else -1
            if value is not None and not lowest < value < np.inf:
                raise InputError(f"{name} is {value}; expected a number above {lowest}")

    @property
    def values(self) -> FloatArray:
        """Values at the centres of the channels (v,), in the unit of the kind."""
        return self._at(np.arange(self.count, dtype=np.float64))

    @property
    def edges(self) -> FloatArray:
        """Values at the edges of the channels (v + 1,)."""
        return self._at(np.arange(self.count + 1, dtype=np.float64) - 0.5)

    @property
    def widths(self) -> FloatArray:
        """Widths of the channels (v,), above 0, in the unit of the kind."""
        return np.asarray(np.abs(np.diff(self.edges)))

    @property
    def last(self) -> float:
        """Value at the centre of the last channel."""
        return float(self._at(np.array(self.count - 1.0)))

    def velocities(
        self, rest_wavelength: float | None = None, redshift: float | None = None
    ) -> FloatArray:
        """Return the relativistic velocities at the centres of the channels (v,) in km/s.

        Parameters
        ----------
        rest_wavelength : float, optional
            Of the line in Angstrom, in the medium of the axis; by default that of the axis. A
            velocity axis needs none.
        redshift : float, optional
            Where the velocity is 0; by default that of the axis, or 0 for frequencies and
            velocities. The optical or radio definition of the axis is taken into account: velocity
            axes in these have other values here. See `redshift_of` for a systemic velocity in the
            axis' own definition.

        Raises
        ------
        InputError
            If the rest wavelength, or the redshift for a wavelength axis, isn't known.
        """
        return self._velocities(self.values, rest_wavelength, redshift)

    def velocity_edges(
        self, rest_wavelength: float | None = None, redshift: float | None = None
    ) -> FloatArray:
        """Return the velocities at the edges of the channels (v + 1,), as `velocities` does."""
        return self._velocities(self.edges, rest_wavelength, redshift)

    def values_at(
        self,
        velocity: ArrayLike,
        rest_wavelength: float | None = None,
        redshift: float | None = None,
    ) -> FloatArray:
        """Return where on the axis, in its unit, velocities in km/s are: `velocities` inverted.

        `values_at(0.0)` is where the line is. Parameters and errors are those of `velocities`.
        """
        stretches = stretch_of(velocity) * (1 + self._redshift(redshift))
        if self.kind == "velocity":
            return _in_definition(stretches / (1 + self.origin), self.definition)
        wavelengths = self._in_vacuum(self._rest(rest_wavelength)) * stretches
        if self.kind == "frequency":
            return _ANGSTROM_HERTZ / wavelengths
        return air_of(wavelengths) if self.medium == "air" else wavelengths

    def redshift_of(self, velocity: float) -> float:
        """Return the redshift of a systemic velocity in km/s in the axis' own definition."""
        return float(stretch_of(velocity, self.definition)) * (1 + self.origin) - 1

    def frequencies(self) -> FloatArray:
        """Return the observed frequencies at the centres of the channels (v,) in Hz.

        Raises
        ------
        InputError
            If it is a velocity axis without a rest wavelength.
        """
        if self.kind == "frequency":
            return self.values
        if self.kind == "wavelength":
            return _ANGSTROM_HERTZ / self._in_vacuum(self.values)
        return _ANGSTROM_HERTZ / (self._rest(None) * self._stretches(self.values, None))

    def sliced(self, start: int, stop: int) -> "SpectralAxis":
        """Return the axis of the channels from `start` to before `stop`."""
        first = float(self._at(np.array(float(start))))
        step = self.step * first / self.first if self.logarithmic else self.step
        return replace(self, first=first, step=step, count=stop - start)

    def _at(self, channel: FloatArray) -> FloatArray:
        if self.logarithmic:
            return np.asarray(self.first * np.exp(self.step / self.first * channel))
        return np.asarray(self.first + self.step * channel)

    def _velocities(
        self, values: FloatArray, rest_wavelength: float | None, redshift: float | None
    ) -> FloatArray:
        stretches = self._stretches(values, rest_wavelength)
        return _in_definition(stretches / (1 + self._redshift(redshift)), "relativistic")

    def _redshift(self, redshift: float | None) -> float:
        redshift = self.redshift if redshift is None else redshift
        if redshift is None and self.kind == "wavelength":
            raise InputError("a wavelength axis has velocities only at a redshift: give redshift")
        return redshift or 0.0

    def _stretches(self, values: FloatArray, rest_wavelength: float | None) -> FloatArray:
        """Return observed over emitted wavelengths, relative to an observer at redshift 0."""
        if self.kind == "velocity":
            return stretch_of(values, self.definition) * (1 + self.origin)
        rest = self._in_vacuum(self._rest(rest_wavelength))
        if self.kind == "frequency":
            return _ANGSTROM_HERTZ / (values * rest)
        return np.asarray(self._in_vacuum(values) / rest)

    def _rest(self, rest_wavelength: float | None) -> float:
        rest = self.rest_wavelength if rest_wavelength is None else rest_wavelength
        if rest is None:
            raise InputError(
                f"the rest wavelength of the line isn't known, and a {self.kind} axis needs it: "
                "give rest_wavelength in Angstrom, which is `line` of a fit"
            )
        if not 0 < rest < np.inf:
            raise InputError(f"rest_wavelength is {rest}; expected a number above 0, in Angstrom")
        return rest

    def _in_vacuum(self, wavelength: ArrayLike) -> FloatArray:
        in_air = self.kind == "wavelength" and self.medium == "air"
        return vacuum_of(wavelength) if in_air else np.asarray(wavelength, np.float64)


def stretch_of(velocity: ArrayLike, definition: Definition = "relativistic") -> FloatArray:
    """Return observed over emitted wavelength for velocities in km/s.

    Raises
    ------
    InputError
        If a velocity is beyond what its definition allows: that of light, receding, in the radio
        definition; approaching in the optical one; both in the relativistic one.
    """
    beta = np.asarray(velocity, np.float64) / SPEED_OF_LIGHT
    low, high = {"optical": (-1, np.inf), "radio": (-np.inf, 1), "relativistic": (-1, 1)}[
        definition
    ]
    if not ((beta > low) & (beta < high)).all():
        worst = beta.flat[np.argmax(np.abs(beta))] * SPEED_OF_LIGHT
        raise InputError(
            f"a {definition} velocity of {worst:g} km/s; expected it within the speed of light "
            f"({SPEED_OF_LIGHT:g} km/s): is its unit right?"
        )
    if definition == "optical":
        return 1 + beta
    if definition == "radio":
        return 1 / (1 - beta)
    return np.asarray(np.sqrt((1 + beta) / (1 - beta)))


def _in_definition(stretch: FloatArray, definition: Definition) -> FloatArray:
    """Return velocities in km/s of observed over emitted wavelength: inverts `stretch_of`."""
    if definition == "optical":
        return np.asarray(SPEED_OF_LIGHT * (stretch - 1))
    if definition == "radio":
        return np.asarray(SPEED_OF_LIGHT * (1 - 1 / stretch))
    return np.asarray(SPEED_OF_LIGHT * (stretch**2 - 1) / (stretch**2 + 1))


def air_of(vacuum: ArrayLike) -> FloatArray:
    """Return wavelengths in standard air of vacuum wavelengths, Angstrom.

    The IAU's relation (Edlen 1953; Morton 1991), which wcslib has too: with s = 1/l in inverse
    micrometres, `n = 1 + 6.4328e-5 + 2.94981e-2 / (146 - s^2) + 2.5540e-4 / (41 - s^2)`.
    """
    vacuum = np.asarray(vacuum, np.float64)
    squared = (1e4 / vacuum) ** 2
    index = 1 + 6.4328e-5 + 2.94981e-2 / (146 - squared) + 2.5540e-4 / (41 - squared)
    return np.asarray(vacuum / index)


def vacuum_of(air: ArrayLike) -> FloatArray:
    """Return vacuum wavelengths of wavelengths in air, Angstrom: the inverse of `air_of`."""
    air = np.asarray(air, np.float64)
    vacuum = air
    for _ in range(5):  # each step gains a factor of more than 1e4
        vacuum = vacuum * air / air_of(vacuum)
    return vacuum


def rest_wavelength_of(frequency: float) -> float:
    """Return the vacuum wavelength in Angstrom of a frequency in Hz."""
    return _ANGSTROM_HERTZ / frequency
