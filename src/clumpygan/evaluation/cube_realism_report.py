"""The report on the realism of cubes: one page that an astronomer can read offline."""

from collections.abc import Mapping, Sequence
from html import escape

from clumpygan.evaluation.cube_realism import CubeRealism
from clumpygan.evaluation.cube_realism_table import (
    OBEDIENCE,
    TESTS,
    definitions,
    obedience_rows,
    quantity_rows,
    test_rows,
)
from clumpygan.evaluation.page import html_figure, html_list, html_page, html_table
from clumpygan.evaluation.realism_pictures import Picture

TITLE = "How like true velocity cubes generated ones are"

_INTRODUCTION = """\
Every set is compared with the reference, true galaxies that no training has seen. The first column
is the floor: other true galaxies, which no generator can be expected to beat. Generated galaxies
and smooth disks have the parameters of the galaxies of the floor, and their noise."""


def report_html(result: CubeRealism, pictures: Sequence[Picture], facts: Mapping[str, str]) -> str:
    """Return the page: plain HTML without scripts, that loads nothing from anywhere.

    Parameters
    ----------
    result : CubeRealism
    pictures : sequence of Picture
    facts : mapping
        What was compared, line by line: name -> text.
    """
    candidates, sets = list(result.numbers), list(result.medians)
    made = [name for name in TESTS if any(name in tests for tests in result.numbers.values())]
    explained = definitions()
    best = ", ".join(f"{name}: {TESTS[one][0]}" for name, one in result.strongest.items())
    parts = [
        f"<p>{_INTRODUCTION}</p>",
        html_table(["", ""], [(name, [text]) for name, text in facts.items()]),
        "<h2>The tests</h2>",
        html_table(["", *candidates], test_rows(result)),
        f"<p>Strongest classifiers: {escape(best)}.</p>",
        html_list([TESTS[name] for name in made]),
    ]
    if result.obedience:
        parts += [
            "<h2>Do they obey?</h2>",
            "<p>A smooth disk was fitted to true cubes, to those of other true galaxies of their "
            "parameters (the floor), and to those of each set; all have the same parameters and "
            f"noise. {result.doubtful_fits} of all fits say that they aren't to be relied on, "
            "and count all the same.</p>",
            html_table(["", "truth", *result.obedience], obedience_rows(result)),
            html_list([(name.replace("_", " "), text) for name, text in OBEDIENCE.items()]),
        ]
    parts += [html_figure(picture) for picture in pictures]
    parts += [
        "<h2>Clumps and motions</h2>",
        "<p>Medians (of the number of clumps: means) and Kolmogorov-Smirnov distances from the "
        "reference, measured on cubes without noise.</p>",
        html_table(["", *sets], quantity_rows(result)),
        "<p>The same on cubes with noise.</p>",
        html_table(["", *sets], quantity_rows(result, "observed ")),
        html_list(
            [(name.replace("_", " "), text) for name, text in explained["quantities"].items()]
        ),
    ]
    return html_page(TITLE, parts)
