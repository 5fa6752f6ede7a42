"""The reports on realism as one page of plain HTML each, pictures inside, read offline."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from clumpygan import __version__
from clumpygan.evaluation.cubes import cube_realism_table
from clumpygan.evaluation.realism import table
from clumpygan.evaluation.realism.realism import Number, Realism
from clumpygan.plots.style import Picture

if TYPE_CHECKING:
    from clumpygan.assessment.cubes.report import CubeRealismReport
    from clumpygan.assessment.realism_report import RealismReport

_STYLE = """\
body { font: 16px/1.5 Georgia, serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; font: 14px/1.4 sans-serif; margin: 1em 0; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #ccc; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } figure { margin: 1em 0 2em; }
figcaption, dd { color: #444; font-size: 14px; } dt { font-weight: bold; }"""

_OF_STAMPS = """\
Every set of galaxies is compared with the reference, real galaxies that the generator has never
seen. The first column is the floor: other real galaxies, which no generator can be expected to
beat. Images are in units of the noise of a pixel, and all sets carry noise of the same kind."""

_OF_CUBES = """\
Every set is compared with the reference, true galaxies that no training has seen. The first column
is the floor: other true galaxies, which no generator can be expected to beat. Generated galaxies
and smooth disks have the parameters of the galaxies of the floor, and their noise."""


def realism_page(report: RealismReport, pictures: Sequence[Picture], title: str) -> str:
    """Return the page: plain HTML without scripts, that loads nothing from anywhere.

    Parameters
    ----------
    report : RealismReport
    pictures : sequence of Picture
    title : str

    Returns
    -------
    str
    """
    result = report.result
    names = list(result.numbers)
    counts = ", ".join(f"{name} {number}" for name, number in result.sizes.items())
    parts = [
        f"<p>{_OF_STAMPS}</p>",
        _facts(report.facts()),
        f"<p>Stamps: {escape(counts)}.</p>",
        "<h2>The tests</h2>",
        *_tests(table.TESTS, result.numbers),
        *_by_magnitude(result, names),
        *(html_figure(picture) for picture in pictures),
        f"<h2>{table.DISTANCES}</h2>",
        html_table(["statistic", *names], table.distance_rows(result)),
        "<h2>Kolmogorov-Smirnov distance of each feature</h2>",
        "<p>p is how often equal distributions are as far apart: with so many features a few small "
        "ones are expected.</p>",
        html_table(["feature", *names], table.ks_rows(result)),
        "<h2>What the features are</h2>",
        html_list(table.glossary()),
    ]
    return html_page(title, parts)


def _by_magnitude(result: Realism, names: Sequence[str]) -> list[str]:
    rows = table.magnitude_rows(result)
    if not rows:
        return []
    return ["<h2>By magnitude (H, AB)</h2>", html_table(["", *names], rows)]


def cube_realism_page(report: CubeRealismReport, pictures: Sequence[Picture]) -> str:
    """Return the page: plain HTML without scripts, that loads nothing from anywhere.

    Parameters
    ----------
    report : CubeRealismReport
    pictures : sequence of Picture
    """
    words, result = cube_realism_table, report.result
    sets = list(result.medians)
    explained = words.definitions()
    best = ", ".join(f"{name}: {words.TESTS[one][0]}" for name, one in result.strongest.items())
    parts = [
        f"<p>{_OF_CUBES}</p>",
        _facts(report.facts()),
        "<h2>The tests</h2>",
        *_tests(words.TESTS, result.numbers),
        f"<p>Strongest classifiers: {escape(best)}.</p>",
    ]
    fitted = result.conditional_fidelity
    if fitted:
        parts += [
            "<h2>Do they obey?</h2>",
            "<p>A smooth disk was fitted to true cubes, to those of other true galaxies of their "
            "parameters (the floor), and to those of each set; all have the same parameters and "
            f"noise. {result.doubtful_fits} of all fits say that they aren't to be relied on, "
            "and count all the same.</p>",
            html_table(["", "truth", *fitted], words.conditional_fidelity_rows(result)),
            html_list([(n.replace("_", " "), t) for n, t in words.CONDITIONAL_FIDELITY.items()]),
        ]
    parts += [html_figure(picture) for picture in pictures]
    parts += [
        "<h2>Clumps and motions</h2>",
        "<p>Medians (of the number of clumps: means) and Kolmogorov-Smirnov distances from the "
        "reference, measured on cubes without noise.</p>",
        html_table(["", *sets], words.quantity_rows(result)),
        "<p>The same on cubes with noise.</p>",
        html_table(["", *sets], words.quantity_rows(result, "observed ")),
        html_list([(words.named(name), text) for name, text in explained["quantities"].items()]),
    ]
    return html_page("How like true velocity cubes generated ones are", parts)


def html_page(title: str, parts: Sequence[str]) -> str:
    """Return a page without scripts, that loads nothing from anywhere.

    Parameters
    ----------
    title : str
    parts : sequence of str
        HTML below the heading.
    """
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def html_table(headings: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return a table: a heading for each column, and lines of a name and cells."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{escape(one).replace('+-', '&plusmn;')}</td>" for one in cells)
        + "</tr>\n"
        for name, cells in lines
    )
    return f"<table><tr>{head}</tr>\n{body}</table>"


def html_list(entries: Sequence[tuple[str, str]]) -> str:
    """Return a list of terms and what they mean."""
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<dl>{''.join(lines)}</dl>"


def html_figure(picture: Picture) -> str:
    """Return a picture with its heading and caption."""
    data = base64.b64encode(picture.png).decode()
    return (
        f"<h2>{escape(picture.title)}</h2>\n"
        f'<figure><img alt="{escape(picture.title)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _tests(
    words: Mapping[str, tuple[str, str]], numbers: Mapping[str, Mapping[str, Number]]
) -> list[str]:
    """Return the table of the tests that were made, and what each of them is."""
    return [
        html_table(["", *numbers], table.rows_of_tests(words, numbers)),
        html_list([words[name] for name in table.tests_made(words, numbers)]),
    ]


def _facts(facts: Mapping[str, str]) -> str:
    """Return what was compared, line by line, and by what."""
    told = {**facts, "clumpygan": __version__}
    return html_table(["", ""], [(name, [text]) for name, text in told.items()])
