"""The spectral axis in FITS headers: optical, radio, and those of older programs."""

import math
import warnings
from typing import Any

from astropy.io.fits import Header
from astropy.units import UnitBase

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError, InputWarning
from clumpygan.io.cubes.header import read_number
from clumpygan.io.cubes.spectral_axis import (
    UNITS,
    Definition,
    Kind,
    Medium,
    SpectralAxis,
    air_of,
    rest_wavelength_of,
    stretch_of,
    vacuum_of,
)
from clumpygan.io.cubes.units import parse_unit

_KINDS: dict[str, Kind] = {
    "WAVE": "wavelength",
    "AWAV": "wavelength",
    "FREQ": "frequency",
    "VRAD": "velocity",
    "VOPT": "velocity",
    "VELO": "velocity",
    "FELO": "velocity",
}
_DEFINITIONS: dict[str, Definition] = {"VRAD": "radio", "VOPT": "optical", "FELO": "optical"}
# Suffixes of AIPS for the frame: AIPS memo 27 and Greisen et al. 2006, section 7.
_FRAMES = {"LSR": "LSRK", "HEL": "BARYCENT", "GEO": "GEOCENTR", "OBS": "TOPOCENT"}
_STEPS_IN_FREQUENCY = ("VOPT-F2W", "VELO-F2V")
_NONLINEAR = ("LOG", "TAB", "GRI", "GRA")
_LOGARITHMIC = ("WAVE-LOG", "AWAV-LOG")
_LARGEST_LOGARITHM = 6.0
"""Of a wavelength in Angstrom, to base 10, which is 0.1 mm."""

_SI = {"frequency": "Hz", "velocity": "m/s"}
_AIPS_RADIO = 256
_SOURCE = "SOURCE"
_CROSS_TERM = 1e-6


def is_spectral(header: Header, number: int) -> bool:
    """Whether the header says that FITS axis `number`, counted from 1, is a spectral one."""
    if _type(header, number)[:4] in _KINDS:
        return True
    unit = parse_unit(str(header.get(f"CUNIT{number}", "")))
    return unit is not None and _kind_of(unit) is not None


def read_axis(
    header: Header,
    number: int,
    count: int,
    name: str,
    *,
    unit: str | None = None,
    medium: Medium | None = None,
    definition: Definition | None = None,
    rest_wavelength: float | None = None,
    redshift: float | None = None,
) -> tuple[SpectralAxis, bool]:
    """Read a spectral axis from a header.

    Velocities (CTYPE3 VRAD, VOPT, VELO, FELO and AIPS' VELO-LSR and the like) have the definition
    of their type; a bare VELO has that of VELREF, or the relativistic one. FELO, VOPT-F2W and
    VELO-F2V, whose steps are equal in frequency, become frequency axes.

    Parameters
    ----------
    header : astropy.io.fits.Header
    number, count : int
        FITS number of the axis, from 1, and its length.
    name : str
        What to call the file in a message.
    unit : str, optional
        Overrides CUNIT.
    medium, definition : str, optional
        Override those of CTYPE.
    rest_wavelength, redshift : float, optional
        Override RESTFRQ or RESTWAV, and ZSOURCE. Angstrom, in the medium of the axis.

    Returns
    -------
    axis : SpectralAxis
        Along which velocities rise.
    reversed : bool
        Whether they fall in the file.

    Raises
    ------
    InputError
        If the axis has other steps, has no unit or another than its type, no step, or is tilted.
    """
    ctype = _type(header, number)
    scale, kind = _unit_and_kind(header, number, ctype, unit, name)
    value, step = _reference(header, number, ctype, name)
    logarithmic = ctype in _LOGARITHMIC
    if not logarithmic and header.get("DC-FLAG") == 1:
        value, step = _of_logarithm(value, step, name)
        logarithmic = True
    value, step = value * scale, step * scale
    pixel = read_number(header, f"CRPIX{number}", name) or 0.0
    fields: dict[str, Any] = {"frame": _frame(header, ctype)}
    if kind == "wavelength":
        fields["medium"] = medium or _medium(ctype, name, number)
    if kind == "velocity":
        fields["definition"] = definition or _definition(header, ctype, name)
    own = _rest_wavelength(header, fields.get("medium"), name)
    fields["rest_wavelength"] = own if rest_wavelength is None else rest_wavelength
    source = read_number(header, "ZSOURCE", name)
    fields["redshift"] = source if redshift is None else redshift
    if fields["frame"] == _SOURCE and kind == "velocity":
        fields["origin"] = source or 0.0
    if ctype in _STEPS_IN_FREQUENCY or ctype.startswith("FELO"):
        # Velocities of the header count from its own line, whichever one is looked at.
        counted = own or rest_wavelength
        value, step = _in_frequency(value, step, counted, fields, name)
        kind = "frequency"
    reverse = step > 0 if kind == "frequency" else step < 0
    # Of the channel that becomes the first, if the axis has to be turned around.
    away = (count if reverse else 1) - pixel
    if logarithmic:
        fields["logarithmic"] = True
        first = _logarithmic_value(value, step, away, name)
        step *= first / value
    else:
        first = value + away * step
    try:
        return SpectralAxis(kind, first, -step if reverse else step, count, **fields), reverse
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def axis_cards(axis: SpectralAxis) -> Header:
    """Return the cards that describe an axis as FITS axis 3, in SI units but for wavelengths."""
    si = 1e3 if axis.kind == "velocity" else 1.0
    types = {"relativistic": "VELO", "optical": "VOPT", "radio": "VRAD"}
    if axis.kind == "wavelength":
        ctype = ("AWAV" if axis.medium == "air" else "WAVE") + "-LOG" * axis.logarithmic
    else:
        ctype = "FREQ" if axis.kind == "frequency" else types[axis.definition]
    cards = Header()
    cards["CTYPE3"] = (ctype, _comment(axis))
    cards["CUNIT3"] = "m/s" if axis.kind == "velocity" else UNITS[axis.kind]
    cards["CRPIX3"] = 1.0
    cards["CRVAL3"] = axis.first * si
    cards["CDELT3"] = axis.step * si
    # By this card alone jdaviz knows a cube from a stack of images.
    cards["DISPAXIS"] = (3, "axis of the spectrum")
    if axis.rest_wavelength is not None:
        air = axis.kind == "wavelength" and axis.medium == "air"
        rest = float(vacuum_of(axis.rest_wavelength)) if air else axis.rest_wavelength
        if axis.kind == "frequency" or axis.definition == "radio":
            cards["RESTFRQ"] = (rest_wavelength_of(rest), "[Hz] of the line")
        else:
            cards["RESTWAV"] = (rest * 1e-10, "[m] of the line, in vacuum")
    frame = _SOURCE if axis.kind == "velocity" and axis.origin else axis.frame
    if frame:
        cards["SPECSYS"] = frame
    redshift = axis.origin if frame == _SOURCE else axis.redshift
    if redshift is not None:
        cards["ZSOURCE"] = (redshift, "redshift of the source")
    return cards


def _comment(axis: SpectralAxis) -> str:
    if axis.kind == "wavelength":
        return f"wavelength in {axis.medium}"
    return "frequency" if axis.kind == "frequency" else f"velocity, {axis.definition}"


def _type(header: Header, number: int) -> str:
    return str(header.get(f"CTYPE{number}", "")).strip().upper()


def _unit_and_kind(
    header: Header, number: int, ctype: str, unit: str | None, name: str
) -> tuple[float, Kind]:
    """Return the factor to Angstrom, Hz or km/s, and what the axis is."""
    of_type = None if ctype == "VELOCITY" else _KINDS.get(ctype[:4])
    text = (unit or str(header.get(f"CUNIT{number}", ""))).strip()
    if not text and of_type in _SI:
        text = _SI[of_type]
        warnings.warn(
            f"{name}: no CUNIT{number}; taken to be {text}, the FITS unit of {ctype}",
            InputWarning,
            stacklevel=4,
        )
    if not text and ctype == "VELOCITY":
        text = _unit_of_velocity(header, number, name)
    if not text:
        raise InputError(
            f"{name}: no CUNIT{number}, so the unit of the spectral axis isn't known; give it as "
            "spectral_unit, e.g. Angstrom, um, Hz or km/s"
        )
    parsed = parse_unit(text)
    kind = None if parsed is None else _kind_of(parsed)
    if parsed is None or kind is None or kind != (of_type or kind):
        raise InputError(
            f"{name}: CUNIT{number} is {text!r}; expected a unit of "
            f"{of_type or 'wavelength, frequency or velocity'}; give the right one as spectral_unit"
        )
    return float(parsed.to(UNITS[kind])), kind


def _unit_of_velocity(header: Header, number: int, name: str) -> str:
    """Return m/s or km/s by the size of the step, "" where it could be either.

    No channel is 1000 km/s wide, and none that is written in m/s is finer than 0.1 km/s.
    """
    step = abs(_matrix(header, number, number, name) or 0.0)
    text = "m/s" if step >= 1000 else "km/s" if 0 < step < 100 else ""
    if text:
        warnings.warn(
            f"{name}: no CUNIT{number}; taken to be {text} by the step of {step:g}",
            InputWarning,
            stacklevel=5,
        )
    return text


def _kind_of(unit: UnitBase) -> Kind | None:
    return next((kind for kind, own in UNITS.items() if unit.is_equivalent(own)), None)


def _of_logarithm(value: float, step: float, name: str) -> tuple[float, float]:
    """Return reference value and step there of an axis that counts log10 (DC-FLAG of IRAF)."""
    if not 0 < value < _LARGEST_LOGARITHM:
        raise InputError(
            f"{name}: DC-FLAG is 1, so the axis holds logarithms of wavelengths, and its reference "
            f"is {value:g}; expected log10 of a wavelength, as 3.8"
        )
    wavelength = 10.0**value
    return wavelength, math.log(10.0) * wavelength * step


def _logarithmic_value(value: float, step: float, channels: float, name: str) -> float:
    """Return the wavelength so many channels from the reference (Greisen et al. 2006, eq. 5)."""
    power = step / value * channels if value > 0 else math.inf
    if not abs(power) < math.log(10.0) * _LARGEST_LOGARITHM:
        raise InputError(
            f"{name}: a logarithmic axis from {value:g} in steps of {step:g}; expected wavelengths "
            "above 0 of which the last is less than a million times the first"
        )
    return value * math.exp(power)


def _reference(header: Header, number: int, ctype: str, name: str) -> tuple[float, float]:
    """Return the value at the reference pixel and the step there, in the header's unit."""
    known = (*_KINDS, *(f"{one}-{frame}" for one in _KINDS for frame in _FRAMES))
    code = ctype.rpartition("-")[2]
    nonlinear = code in _NONLINEAR or (ctype[:4] in _KINDS and "2" in code)
    if nonlinear and ctype not in (*_STEPS_IN_FREQUENCY, *_LOGARITHMIC):
        raise InputError(
            f"{name}: the spectral axis isn't linear (CTYPE{number} is {ctype!r}); expected equal "
            "steps in wavelength or its logarithm, frequency or velocity; resample the cube first"
        )
    if ctype[:4] in _KINDS and "-" in ctype and ctype not in (
        *known, *_STEPS_IN_FREQUENCY, *_LOGARITHMIC,
    ):  # fmt: skip
        raise InputError(
            f"{name}: CTYPE{number} is {ctype!r}, which isn't understood; expected e.g. "
            f"{ctype[:4]} or {ctype[:4]}-LSR"
        )
    step = _matrix(header, number, number, name)
    value = read_number(header, f"CRVAL{number}", name)
    if step is None or value is None:
        missing = f"CDELT{number}" if step is None else f"CRVAL{number}"
        raise InputError(
            f"{name}: no {missing}, so where the channels are isn't known; expected a cube with a "
            "spectral axis"
        )
    if step == 0:
        raise InputError(f"{name}: the step of the spectral axis is 0; expected another number")
    _check_upright(header, number, name)
    return value, step


def _matrix(header: Header, row: int, column: int, name: str) -> float | None:
    """Return how world axis `row` changes along pixel axis `column`, None if nothing says it."""
    element = read_number(header, f"CD{row}_{column}", name)
    if element is not None:
        return element
    step = read_number(header, f"CDELT{row}", name)
    turn = read_number(header, f"PC{row}_{column}", name)
    if turn is None:
        turn = 1.0 if row == column else 0.0
    return None if step is None else step * turn


def _check_upright(header: Header, number: int, name: str) -> None:
    """Check that wavelength depends on the plane alone, and the sky not on it."""
    axes = range(1, int(header.get("NAXIS", number)) + 1)
    for row in axes:
        elements = {column: abs(_matrix(header, row, column, name) or 0.0) for column in axes}
        limit = _CROSS_TERM * max(elements.values())
        crossed = [
            one for one in axes if elements[one] > limit and (one == number) != (row == number)
        ]
        if crossed:
            raise InputError(
                f"{name}: the spectral axis is tilted against the sky (element "
                f"{row}_{crossed[0]} of the CD or PC matrix isn't 0); expected one wavelength for "
                "each plane"
            )


def _medium(ctype: str, name: str, number: int) -> Medium:
    if ctype[:4] in ("AWAV", "WAVE"):
        return "air" if ctype.startswith("AWAV") else "vacuum"
    warnings.warn(
        f"{name}: CTYPE{number} is {ctype!r}, which doesn't say whether wavelengths are in "
        "air or in vacuum; air is assumed; give medium to be sure",
        InputWarning,
        stacklevel=4,
    )
    return "air"


def _definition(header: Header, ctype: str, name: str) -> Definition:
    stated = _DEFINITIONS.get(ctype[:4])
    if stated is not None:
        return stated
    reference = read_number(header, "VELREF", name) or 0
    if reference <= 0:
        return "relativistic"
    return "radio" if reference > _AIPS_RADIO else "optical"


def _frame(header: Header, ctype: str) -> str:
    stated = str(header.get("SPECSYS", "")).strip().upper()
    return stated or _FRAMES.get(ctype.rpartition("-")[2], "")


def _rest_wavelength(header: Header, medium: str | None, name: str) -> float | None:
    """Return the line's wavelength by RESTFRQ or RESTWAV, in Angstrom, or None."""
    frequency = read_number(header, "RESTFRQ", name) or read_number(header, "RESTFREQ", name)
    wavelength = read_number(header, "RESTWAV", name)
    if frequency and frequency > 0:
        vacuum = rest_wavelength_of(frequency)
    elif wavelength and wavelength > 0:
        vacuum = wavelength * 1e10
    else:
        return None
    return float(air_of(vacuum)) if medium == "air" else vacuum


def _in_frequency(
    value: float, step: float, rest: float | None, fields: dict[str, Any], name: str
) -> tuple[float, float]:
    """Return reference value and step in Hz of a velocity axis of equal steps in frequency."""
    if rest is None:
        raise InputError(
            f"{name}: velocities in equal steps of frequency, without a rest frequency; give "
            "rest_wavelength in Angstrom, which is `line` of a fit"
        )
    definition = fields.pop("definition")
    stretch = float(stretch_of(value, definition)) * (1 + fields.pop("origin", 0.0))
    beta = value / SPEED_OF_LIGHT
    # d(ln stretch) / d(beta) of the two definitions that come with such steps.
    slope = 1 / (1 + beta) if definition == "optical" else 1 / (1 - beta**2)
    frequency = rest_wavelength_of(rest) / stretch
    return frequency, -frequency * slope * step / SPEED_OF_LIGHT
