"""The ratios of lines that nature fixes, as choices about the parameters of a fit."""

from collections.abc import Sequence
from dataclasses import replace

from clumpygan.fitting.parameter_choices import RATIOS_OF_DOUBLETS, ParameterChoices
from clumpygan.galaxies.emission_lines import FAINTER, LINES, ion_of

_DOUBLETS = ("oii", "sii")
"""Ions whose ratio tells of the density, within limits."""


def with_known_ratios(choices: ParameterChoices, waves: Sequence[float]) -> ParameterChoices:
    """Return the choices with the ratios of [NII] and [OIII] as they are in nature.

    The ratio of two lines of [OII] or [SII], if they are the first, is free within its limits. What
    a user says of a ratio counts.

    Parameters
    ----------
    choices : ParameterChoices
    waves : sequence of float
        Rest wavelengths of the lines in vacuum, Angstrom, in the order of the model.
    """
    said = {*choices.free, *choices.fixed, *choices.tied, *choices.priors}
    fixed, tied, priors = dict(choices.fixed), dict(choices.tied), dict(choices.priors)
    ions = [ion_of(wave) for wave in waves]
    for ion, (faint, ratio) in FAINTER.items():
        members = [k for k, one in enumerate(ions) if one == ion]
        if len(members) != 2:
            continue
        weak, strong = sorted(members, key=lambda k: abs(waves[k] - faint))
        name, value = _known_ratio(weak, strong, ratio)
        if name in said:
            continue
        if isinstance(value, str):
            tied[name] = value
        else:
            fixed[name] = value
    if len(ions) > 1 and ions[0] == ions[1] in _DOUBLETS and "doublet_ratio" not in said:
        assert len(LINES[ions[0]]) == 2
        low, high = RATIOS_OF_DOUBLETS
        priors["doublet_ratio"] = f"log_uniform:{low:g}:{high:g}"
    return replace(choices, fixed=fixed, tied=tied, priors=priors)


def _known_ratio(weak: int, strong: int, ratio: float) -> tuple[str, float | str]:
    """Return the parameter that a ratio of two lines settles, and its value or what it follows.

    Fluxes are those over the second line's: of the first the doublet ratio, of the others theirs.
    """
    if {weak, strong} == {0, 1}:
        return "doublet_ratio", ratio if strong == 0 else 1 / ratio
    if 1 in (weak, strong):
        other = strong if weak == 1 else weak
        return _name(other), ratio if weak == 1 else 1 / ratio
    first, last = sorted((weak, strong))
    factor = ratio if last == strong else 1 / ratio
    return _name(last), f"{factor:.12g}*{_name(first)}"


def _name(place: int) -> str:
    return "doublet_ratio" if place == 0 else f"line_{place + 1}_ratio"
