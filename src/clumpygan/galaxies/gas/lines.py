"""The lines of ionised gas relative to H alpha, by its oxygen abundance and density."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from clumpygan.galaxies.emission_lines import FAINTER, LINES

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]

Numbers = TypeVar("Numbers", "NDArray[np.float64]", "Tensor")
"""Arrays or tensors."""

SOLAR = 8.69
"""12 + log(O/H) of the sun, from which the calibrations count."""

CALIBRATED = (7.65, 8.85)
"""12 + log(O/H) between which the calibrations hold."""

GRADIENT, GRADIENT_SCATTER = -0.1, 0.09
"""Dex per half-light radius, between 0.3 and 2 of them (Sanchez et al. 2014, A&A 563, A49; -0.1
again from twice as many galaxies, Sanchez et al. 2015, Galaxies 3, 164)."""

ABUNDANCE_SCATTER = 0.054
"""Dex about the relation of mass, star formation and abundance (Curti et al. 2020, abstract)."""

CASE_B = 2.86
"""H alpha over H beta at 10,000 K (Osterbrock & Ferland 2006)."""

DENSITIES = (25.0, 250.0)
"""Electrons per cm3 in nearby galaxies and at z = 2.3: a median of 250 there, an order of magnitude
more than nearby (Sanders et al. 2016, ApJ 816, 23, abstract)."""

_CALIBRATIONS = {
    "nii": (-0.489, 1.513, -2.554, -5.293, -2.867),
    "sii": (-0.442, -0.360, -6.271, -8.339, -3.559),
    "oiii": (-0.277, -3.549, -3.593, -0.981),
    "oii": (0.435, -1.362, -5.655, -4.851, -0.478, 0.736),
}
"""log10 of [NII]6583 and of [SII] over H alpha, of [OIII]5007 and of [OII] over H beta, as
polynomials in 12 + log(O/H) - 8.69 (Curti et al. 2020, MNRAS 491, 944, table 2)."""

_DOUBLETS = {"oii": (0.3771, 2468.0, 638.4), "sii": (0.4315, 2107.0, 627.1)}
"""a, b, c of a (b + n) / (c + n), [OII]3729 over 3726 and [SII]6716 over 6731 at n electrons per
cm3 (Sanders et al. 2016, ApJ 816, 23, equation 7)."""

_SAME = 0.5
"""Angstrom within which two wavelengths are those of one line."""


def oxygen_abundance(log_stellar_mass: float, star_formation_rate: float) -> float:
    """Return 12 + log(O/H) of galaxies of a mass that form stars at a rate.

    8.779 - 0.31 / 2.1 log(1 + (M / M_0)^-2.1), log M_0 = 10.11 + 0.56 log SFR (Curti et al. 2020,
    MNRAS 491, 944, of total rates). It is the relation of nearby galaxies;
    those up to z = 2.5 follow it (Cresci et al. 2019, A&A 627, A42, abstract), and have less oxygen
    at a mass as they form more stars.

    Parameters
    ----------
    log_stellar_mass : float
        log10, solar masses.
    star_formation_rate : float
        Solar masses per year.
    """
    turnover = 10.11 + 0.56 * np.log10(star_formation_rate)
    return float(8.779 - 0.31 / 2.1 * np.log10(1 + 10 ** (-2.1 * (log_stellar_mass - turnover))))


def doublet_ratio(ion: str, density: Numbers) -> Numbers:
    """Return [OII]3729 over 3726 ("oii") or [SII]6716 over 6731 ("sii") at a density in cm^-3."""
    a, b, c = _DOUBLETS[ion]
    return a * (b + density) / (c + density)


def line_strengths(
    rest_wavelengths: tuple[float, ...], abundance: Numbers, density: Numbers
) -> list[Numbers]:
    """Return the fluxes of lines over that of H alpha, one by one.

    Dust is left out: lines of one cube lie close to each other.

    Parameters
    ----------
    rest_wavelengths : tuple of float
        Angstrom in vacuum. A line that isn't known counts as strong as H alpha.
    abundance : ndarray or Tensor
        12 + log(O/H); beyond `CALIBRATED`, as at the nearest end.
    density : ndarray or Tensor
        Electrons per cm3, for each, or one for all.

    Returns
    -------
    list of ndarray or Tensor
        Of the shape of both together.
    """
    x = abundance.clip(*CALIBRATED) - SOLAR
    return [_strength(wave, x, density) for wave in rest_wavelengths]


def _strength(wave: float, x: Numbers, density: Numbers) -> Numbers:
    for ion, (faint, over) in FAINTER.items():
        if abs(wave - faint) < _SAME:
            return _strength(LINES[ion][0], x, density) / over
    ion = next(
        (name for name, waves in LINES.items() if min(abs(wave - one) for one in waves) < _SAME), ""
    )
    if ion == "hbeta":
        return 0 * x + 1 / CASE_B
    if ion not in _CALIBRATIONS:
        return 0 * x + 1
    power = 0 * x
    for factor in reversed(_CALIBRATIONS[ion]):
        power = power * x + factor
    strength = 10**power
    if ion in ("oiii", "oii"):
        strength = strength / CASE_B
    if ion in _DOUBLETS:
        # [OII] is told by its redder line over the bluer one, [SII] the other way round.
        first = abs(wave - LINES[ion][0]) < _SAME
        ratio: Numbers = doublet_ratio(ion, density)
        strength = strength / (1 + ratio)
        if (ion == "sii") == first:
            strength = strength * ratio
    return strength
