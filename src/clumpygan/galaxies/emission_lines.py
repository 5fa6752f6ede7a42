"""Emission lines that galaxies are observed in: rest wavelengths in vacuum."""

from collections.abc import Sequence

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
the other is more than 1600 km/s away.
"""


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
