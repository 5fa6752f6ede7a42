"""Reports as one page of plain HTML, pictures inside, that can be read offline."""

import base64
from collections.abc import Sequence
from html import escape

from clumpygan.evaluation.realism_pictures import Picture

_STYLE = """\
body { font: 16px/1.5 Georgia, serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; font: 14px/1.4 sans-serif; margin: 1em 0; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #ccc; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } figure { margin: 1em 0 2em; }
figcaption, dd { color: #444; font-size: 14px; } dt { font-weight: bold; }"""


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
