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


def rest_wavelengths(lines: Sequence[str | float]) -> tuple[float, ...]:
    """Return rest wavelengths in Angstrom, in vacuum, from names of `LINES` and numbers.

    Raises
    ------
    InputError
        If there are none, a name is unknown, or a wavelength isn't above 0.
    """
    waves: list[float] = []
    for line in lines:
        if isinstance(line, str):
            if line.lower() not in LINES:
                raise InputError(
                    f"no line {line!r}; expected one of {', '.join(LINES)}, or a wavelength"
                )
            waves += LINES[line.lower()]
        elif 0 < line < float("inf"):
            waves.append(float(line))
        else:
            raise InputError(f"a rest wavelength of {line}; expected Angstrom above 0")
    if not waves:
        raise InputError(f"no line: expected at least one of {', '.join(LINES)}, or a wavelength")
    return tuple(waves)
