"""Emission lines that galaxies are observed in: rest wavelengths in vacuum."""

from collections.abc import Sequence

from clumpygan.constants import SPEED_OF_LIGHT
from clumpygan.errors import InputError

LINES: dict[str, tuple[float, ...]] = {
    "lya": (1215.670,),
    "oii": (3727.092, 3729.875),
    "hbeta": (4862.683,),
    "oiii": (5008.240,),
    "nii": (6585.27,),
    "halpha": (6564.61,),
    "sii": (6718.29, 6732.67),
}
"""Angstrom in vacuum (Atomic Line List, van Hoof 2018, Galaxies 6, 63; rounded as in SDSS).

[OII] and [SII] are doublets, which share a cube; of [OIII] and [NII] the stronger line alone, since
the other is more than 1600 km/s away (see `FAINTER`).
"""

FAINTER: dict[str, tuple[float, float]] = {"nii": (6549.86, 3.05), "oiii": (4960.295, 2.98)}
"""The fainter line from the same upper level, Angstrom in vacuum, and the flux of the stronger one
over its own, which atomic physics fixes (Storey & Zeippen 2000, MNRAS 312, 813)."""

NEAR = 2000.0
"""km/s from the lines, within which a cube's channels are used by default."""

_LABELS = {
    1215.670: "Lya1216",
    3727.092: "[OII]3726",
    3729.875: "[OII]3729",
    4862.683: "Hb4861",
    4960.295: "[OIII]4959",
    5008.240: "[OIII]5007",
    6549.86: "[NII]6548",
    6564.61: "Ha6563",
    6585.27: "[NII]6583",
    6718.29: "[SII]6716",
    6732.67: "[SII]6731",
}
"""What lines are called: by their wavelength in air."""

_SAME = 0.5
"""Angstrom within which two wavelengths are those of one line."""


_ALSO = {
    "lyalpha": "lya",
    "ly\N{GREEK SMALL LETTER ALPHA}": "lya",
    "ha": "halpha",
    "h\N{GREEK SMALL LETTER ALPHA}": "halpha",
    "hb": "hbeta",
    "h\N{GREEK SMALL LETTER BETA}": "hbeta",
    "oii3727": "oii",
    "oiii5007": "oiii",
    "nii6583": "nii",
}


def line_name(text: str) -> str | None:
    """Return the name in `LINES` of what is written as "Ha", "H-alpha", "[OII]" and the like."""
    plain = "".join(letter for letter in text.lower() if letter.isalnum())
    name = _ALSO.get(plain, plain)
    return name if name in LINES else None


def rest_wavelengths(lines: Sequence[str | float]) -> tuple[float, ...]:
    """Return rest wavelengths in Angstrom, in vacuum, from names (see `line_name`) and numbers.

    Raises
    ------
    InputError
        If there are none, a name is unknown, or a wavelength isn't above 0.
    """
    waves: list[float] = []
    for line in lines:
        if isinstance(line, str):
            name = line_name(line)
            if name is None:
                raise InputError(
                    f"no line {line!r}; expected one of {', '.join(LINES)}, or a wavelength"
                )
            waves += LINES[name]
        elif 0 < line < float("inf"):
            waves.append(float(line))
        else:
            raise InputError(f"a rest wavelength of {line}; expected Angstrom above 0")
    if not waves:
        raise InputError(f"no line: expected at least one of {', '.join(LINES)}, or a wavelength")
    return tuple(waves)


def with_fainter(lines: Sequence[str | float]) -> tuple[str | float, ...]:
    """Return the lines with the fainter one of [NII] or [OIII] beside it, where it is in the way.

    That is where it lies between other lines, or within `NEAR` of one: among the channels that are
    used by default. Lines that are given as numbers are taken as they are.
    """
    waves = rest_wavelengths(lines)
    low = min(waves) * (1 - NEAR / SPEED_OF_LIGHT)
    high = max(waves) * (1 + NEAR / SPEED_OF_LIGHT)
    answer: list[str | float] = []
    for line in lines:
        answer.append(line)
        name = line_name(line) if isinstance(line, str) else None
        if name in FAINTER:
            wave = FAINTER[name][0]
            if low <= wave <= high and not any(abs(wave - one) < _SAME for one in waves):
                answer.append(wave)
    return tuple(answer)


def are_tied(waves: Sequence[float]) -> list[bool]:
    """Return which of some lines is the fainter one of [NII] or [OIII] beside the stronger."""
    pairs = [(LINES[name][0], faint) for name, (faint, _) in FAINTER.items()]

    def there(wave: float) -> bool:
        return any(abs(wave - one) < _SAME for one in waves)

    return [any(abs(w - faint) < _SAME and there(strong) for strong, faint in pairs) for w in waves]


def line_label(wavelength: float) -> str:
    """Return what a line is called, such as "[NII]6583"; of unknown ones the wavelength."""
    nearest = min(_LABELS, key=lambda wave: abs(wave - wavelength))
    return _LABELS[nearest] if abs(nearest - wavelength) < _SAME else f"{wavelength:g}"


def ion_of(wavelength: float) -> str:
    """Return the name in `LINES` of a line's ion; of unknown lines the wavelength."""
    for name, waves in LINES.items():
        fainter = (FAINTER[name][0],) if name in FAINTER else ()
        if any(abs(wave - wavelength) < _SAME for wave in (*waves, *fainter)):
            return name
    return f"{wavelength:g}"
