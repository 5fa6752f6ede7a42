"""The realism report: one page that an astronomer can read offline, pictures inside."""

from collections.abc import Mapping, Sequence
from html import escape

from clumpygan.evaluation.image_statistics import DEFINITIONS
from clumpygan.evaluation.morphology import QUANTITIES
from clumpygan.evaluation.page import html_figure, html_list, html_page, html_table
from clumpygan.evaluation.realism import REFERENCE, Realism
from clumpygan.evaluation.realism_pictures import Picture
from clumpygan.evaluation.realism_table import TESTS, ks_rows, rows

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
        f"<p>{_INTRODUCTION}</p>",
        html_table(["", ""], [(name, [text]) for name, text in facts.items()]),
        f"<p>Stamps: {escape(counts)}.{escape(_statmorph(result))}</p>",
        "<h2>The tests</h2>",
        html_table(["", *names], rows(result)),
        html_list([TESTS[name] for name in made]),
        *(html_figure(picture) for picture in pictures),
        "<h2>Kolmogorov-Smirnov distance of each feature</h2>",
        "<p>p is how often equal distributions are as far apart: with so many features a few small "
        "ones are expected.</p>",
        html_table(["feature", *names], ks_rows(result)),
        "<h2>What the features are</h2>",
        html_list(list(features.items())),
    ]
    return html_page(title, parts)


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
