"""The realism report: one page that an astronomer can read offline, pictures inside."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

from clumpygan.evaluation.image_statistics import DEFINITIONS
from clumpygan.evaluation.morphology import QUANTITIES
from clumpygan.evaluation.realism import REFERENCE, Realism
from clumpygan.evaluation.realism_pictures import Picture
from clumpygan.evaluation.realism_table import TESTS, ks_rows, rows

_STYLE = """\
body { font: 16px/1.5 Georgia, serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; font: 14px/1.4 sans-serif; margin: 1em 0; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #ccc; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } figure { margin: 1em 0 2em; }
figcaption, dd { color: #444; font-size: 14px; } dt { font-weight: bold; }"""

_INTRODUCTION = """\
Every set of galaxies is compared with the reference, real galaxies that the generator has never
seen. The first column is the floor: other real galaxies, which no generator can be expected to
beat. Images are in units of the noise of a pixel, and all sets carry noise of the same kind."""


def report_html(
    result: Realism, pictures: Sequence[Picture], facts: Mapping[str, str], title: str
) -> str:
    """Return the page: plain HTML without scripts, that loads nothing from anywhere.

    Parameters
    ----------
    result : Realism
    pictures : sequence of Picture
    facts : mapping
        What was compared, line by line: name -> text.
    title : str

    Returns
    -------
    str
    """
    names = list(result.numbers)
    made = [name for name in TESTS if any(name in tests for tests in result.numbers.values())]
    features = dict(DEFINITIONS)
    if result.morphology:
        features |= {f"statmorph {name}": text for name, (_, text) in QUANTITIES.items()}
    counts = ", ".join(f"{name} {number}" for name, number in result.sizes.items())
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{_INTRODUCTION}</p>",
        _table(["", ""], [(name, [text]) for name, text in facts.items()]),
        f"<p>Stamps: {escape(counts)}.{escape(_statmorph(result))}</p>",
        "<h2>The tests</h2>",
        _table(["", *names], rows(result)),
        _list([TESTS[name] for name in made]),
        *(_figure(picture) for picture in pictures),
        "<h2>Kolmogorov-Smirnov distance of each feature</h2>",
        "<p>p is how often equal distributions are as far apart: with so many features a few small "
        "ones are expected.</p>",
        _table(["feature", *names], ks_rows(result)),
        "<h2>What the features are</h2>",
        _list(list(features.items())),
    ]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def _statmorph(result: Realism) -> str:
    if not result.morphology:
        return ""
    reference = result.morphology[REFERENCE]
    failed = ", ".join(
        f"{name} {len(one.flags) - one.measured}" for name, one in result.morphology.items()
    )
    return (
        f" statmorph measured the first {len(reference.flags)} of each; it could not measure: "
        f"{failed}."
    )


def _table(headings: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{escape(one).replace('+-', '&plusmn;')}</td>" for one in cells)
        + "</tr>\n"
        for name, cells in lines
    )
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _list(entries: Sequence[tuple[str, str]]) -> str:
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<dl>{''.join(lines)}</dl>"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    return (
        f"<h2>{escape(picture.title)}</h2>\n"
        f'<figure><img alt="{escape(picture.title)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )
