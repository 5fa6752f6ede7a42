"""The tables of the realism of cubes in words: what each number means, and all of them as text."""

from collections.abc import Mapping

from clumpygan.evaluation.cubes.conditional_fidelity import PARAMETERS
from clumpygan.evaluation.cubes.cube_realism import CubeRealism
from clumpygan.evaluation.cubes.cube_sets import CLUMP_QUANTITIES
from clumpygan.evaluation.cubes.kinematics import DEFINITIONS
from clumpygan.evaluation.cubes.map_statistics import STATISTICS
from clumpygan.evaluation.realism.realism import Number
from clumpygan.evaluation.realism.table import Rows, cell, rows_of_tests, text_block

_TRAINED = "0.5 is indistinguishable; every galaxy is classified by what has not seen it."

TESTS: dict[str, tuple[str, str]] = {
    "strongest": (
        "classifier, strongest",
        "Share of galaxies whose set is told right by the best of the classifiers below. Chosen as "
        "the largest of six, it lies a little above 0.5 even between equal sets: see the floor.",
    ),
    "cube_network": (
        "cubes, network",
        "A small 3-D convolutional network that sees the cube less the smooth disk of its"
        f" parameters. {_TRAINED}",
    ),
    "cube_trees": (
        "cubes, trees",
        "Boosted trees that see some ninety numbers: those of flux maps and velocities below, the"
        f" clumps, and the parameters. {_TRAINED}",
    ),
    "flux_network": (
        "flux maps, network",
        f"A small convolutional network on flux maps less those of the smooth disks. {_TRAINED}",
    ),
    "flux_trees": (
        "flux maps, trees",
        "Boosted trees on two dozen features of the flux map and a dozen of its departures from the"
        f" smooth disk. {_TRAINED}",
    ),
    "velocity_network": (
        "velocities, network",
        "A small convolutional network on velocity residuals over their errors, where the line"
        f" stands out of the noise. {_TRAINED}",
    ),
    "velocity_trees": (
        "velocities, trees",
        f"Boosted trees on kinematic quantities and shifts and widths of the line. {_TRAINED}",
    ),
    "frechet": (
        "Frechet distance",
        "Of two dozen statistics of the moment maps, in squared standard deviations, extrapolated "
        "to infinitely many galaxies: 0 is equal.",
    ),
    "largest_ks": (
        "largest KS, statistics",
        "Kolmogorov-Smirnov distance of that of these statistics which differs most.",
    ),
    "ks clump_number": (
        "KS, clump number",
        "Kolmogorov-Smirnov distance of the numbers of clumps, on cubes without noise.",
    ),
    "ks clump_light": ("KS, clump light", "The same of the share of the light in clumps."),
    "ks clump_radius": ("KS, clump radius", "The same of the radii of all clumps."),
    "ks observed clump_number": (
        "KS, clump number, noisy",
        "The same of the numbers of clumps that stand 5 sigma out of the noise.",
    ),
    "diversity_flux": (
        "diversity, flux",
        "Median share of light that two galaxies of the same parameters have elsewhere, over that"
        " of two true ones: 1 is as diverse, 0 all alike.",
    ),
    "diversity_velocity": (
        "diversity, velocity",
        "Median rms difference of the velocities of two galaxies of the same parameters, over that"
        " of two true ones.",
    ),
    "novelty_ratio": (
        "distance to training",
        "Median distance of flux maps to the nearest in training, in units of that of held-out true"
        " ones: copies are below 1.",
    ),
    "close_share": (
        "suspiciously close",
        "Share nearer to a training map than the nearest 1 % of held-out true ones.",
    ),
}
"""Test -> heading and explanation, in the order of the table."""

CONDITIONAL_FIDELITY: dict[str, str] = {
    "bias": "median of fitted less asked",
    "scatter": "1.4826 times the median absolute deviation of fitted less asked",
    "true_bias": "bias of the fits to true cubes of the same parameters and noise",
    "true_scatter": "their scatter",
    "excess_bias": "median difference of the fits to a generated and to the true cube",
    "scatter_ratio": "scatter over that of the true cubes",
}
"""What is said of each parameter that was fitted."""

UNITS: dict[str, str] = {
    "clump_light": "share",
    "clump_radius": "arcsec",
    "k5_over_k1": "dex",
    "velocity_asymmetry": "dex",
    "dispersion_asymmetry": "dex",
    "kinematic_misalignment": "deg",
    "velocity_residual": "km/s",
    "velocity_residual_large": "km/s",
}
"""Of quantities that have one."""

_OF_CLUMPS_AND_MOTIONS = {**CLUMP_QUANTITIES, **DEFINITIONS}


def definitions() -> dict[str, dict[str, str]]:
    """Return what every number is, for the JSON file."""
    units = {name: f"in {unit}" for name, unit in PARAMETERS.items()}
    return {
        "tests": {name: text for name, (_, text) in TESTS.items()},
        "quantities": dict(_OF_CLUMPS_AND_MOTIONS),
        "statistics": dict(STATISTICS),
        "conditional_fidelity": CONDITIONAL_FIDELITY | units,
    }


def quantity_rows(result: CubeRealism, prefix: str = "") -> Rows:
    """Return medians of clumps and motions, a cell for each set.

    Parameters
    ----------
    result : CubeRealism
    prefix : str
        "observed " for what was measured on cubes with noise.
    """
    return [
        (
            named(name),
            [_with_distance(result, one, prefix + name) for one in result.medians],
        )
        for name in _OF_CLUMPS_AND_MOTIONS
    ]


def named(quantity: str) -> str:
    """Return what a quantity is called, with its unit."""
    unit = UNITS.get(quantity)
    return quantity.replace("_", " ") + (f" [{unit}]" if unit else "")


def conditional_fidelity_rows(result: CubeRealism) -> Rows:
    """Return bias and scatter of each parameter, a cell for the truth and for each candidate."""
    rows = []
    fitted = result.conditional_fidelity
    first = next(iter(fitted.values()), {})
    for parameter, unit in PARAMETERS.items() if first else ():
        for statistic in ("bias", "excess_bias", "scatter", "scatter_ratio"):
            words = f"{parameter.replace('_', ' ')}, {statistic.replace('_', ' ')}"
            end = "" if statistic == "scatter_ratio" else f" [{unit}]"
            true = first[parameter].get(f"true_{statistic}")
            cells = [cell(one[parameter][statistic], 2) for one in fitted.values()]
            rows.append((words + end, [cell(true, 2), *cells]))
    return rows


def text_table(result: CubeRealism) -> str:
    """Return all tables as text."""
    candidates, sets = list(result.numbers), list(result.medians)
    lines = text_block("", candidates, rows_of_tests(TESTS, result.numbers))
    best = ", ".join(f"{name} {TESTS[one][0]}" for name, one in result.strongest.items())
    lines += ["", f"strongest classifiers: {best}"]
    if result.conditional_fidelity:
        title = "Fits: bias and scatter of fitted less asked"
        names = ["truth", *result.conditional_fidelity]
        lines += ["", *text_block(title, names, conditional_fidelity_rows(result))]
    title = "Clumps and motions, without noise: median (number of clumps: mean), KS distance"
    lines += ["", *text_block(title, sets, quantity_rows(result))]
    counts = ", ".join(f"{name} {number}" for name, number in result.sizes.items())
    return "\n".join([*lines, "", f"galaxies: {counts}"])


def _with_distance(result: CubeRealism, name: str, quantity: str) -> str:
    text = cell(result.medians[name][quantity])
    distance: Mapping[str, Number] = result.ks.get(name, {})
    value = distance.get(quantity, {"value": None})["value"]
    return text if value is None else f"{text}, KS {value:.2f}"
