"""Columns of the tables of a survey: each name with its unit and meaning, declared once."""

from __future__ import annotations

from typing import Any

import pyarrow

from clumpygan.evaluation.recovery.quantities import QUANTITIES, RADII
from clumpygan.gan.gan_settings import LIKELY_BLENDED, MOST_MISSING, SEEN_BLEND

APERTURES = tuple(f"flux_{radius:g}" for radius in RADII)

MEASURED: dict[str, tuple[str, str]] = {
    "magnitude": ("mag", f'AB, of the flux in r = {RADII[-1]:g}"'),
    **{name: ("nJy", QUANTITIES[name].definition) for name in APERTURES},
    **{
        name: (QUANTITIES[name].unit, QUANTITIES[name].definition)
        for name in ("half_light_radius", "concentration", "ellipticity")
    },
    "sources": ("", "number of peaks within the isophote, the nucleus among them"),
}
"""Quantities with a median and the ends of a 68 % interval, _low and _high, which is widened as the
network's card says."""

P_CLUMPS = tuple(f"p_clumps_{count}" for count in (1, 2, 3))

COLUMNS: dict[str, tuple[str, str, str]] = {
    "id": ("string", "", "of the catalogue, or PATCH-NUMBER"),
    "status": ("string", "", "good, or why nothing was measured"),
    "patch": ("string", "", "image in which it was recovered"),
    "ra": ("float64", "deg", "of the catalogue or the detection"),
    "dec": ("float64", "deg", "the same"),
    "x": ("float64", "pix", "in the patch, from 0"),
    "y": ("float64", "pix", "the same"),
    **{
        name + end: ("float32", unit, f"{what}{words}")
        for name, (unit, what) in MEASURED.items()
        for end, words in (("", ""), ("_low", "; lower end of 68 %"), ("_high", "; upper end"))
    },
    "p_blend": (
        "float32", "", 'share of the samples that show two galaxies within 1.5", as evaluate.py'
        " blends measures them"
    ),
    "blend_gain": (
        "float32", "", "gain in ln likelihood per light of two Gaussians of their own centres over"
        " two of one, in the recovered image: the larger, the likelier two galaxies"
    ),
    "blend_odds": (
        "float32", "", 'ln of the Bayes factor of two galaxies 0.2-1.2" apart against one, by the'
        " observed image: where a share p of galaxies are such blends the probability is"
        " 1 / (1 + exp(-blend_odds) (1 - p) / p); of single galaxies one in a hundred has more than"
        f" {LIKELY_BLENDED:g}; none where there is no classifier for the survey, or more than"
        f' {MOST_MISSING} pixels within {SEEN_BLEND:g}" have no data'
    ),
    **{
        name: ("float32", "", f"share of the samples with {name[-1]} or more beside the nucleus")
        for name in P_CLUMPS
    },
    "chi2": ("float32", "", "per pixel of the window, of the recovered image observed again"),
    "misfit": ("bool", "", "chi2 above 1.5: unlike the galaxies that the network knows, or a wrong"
               " PSF or noise"),
    "likeness": ("float32", "", "share of the galaxies of the network's training that are as unlike"
                 " the rest, 0.001 at least; by the observed image"),
    "unusual": ("bool", "", "likeness below 0.01: what is recovered is an extrapolation"),
    "differs_by": ("string", "", "by what it differs most from them"),
    "masked": ("float32", "", "share of the pixels of the stamp without data"),
    "seeing": ("float32", "arcsec", "FWHM of the PSF"),
    "seeing_error": ("float32", "arcsec", "its error, where it was measured of stars"),
    "cutout": ("string", "", "file of its recovered images, in the folder of the survey"),
    "noise": ("float32", "nJy", "of a pixel of the patch, median of the stamp"),
    "shared_noise": ("float32", "", "by how much noise in apertures exceeds that of white noise, as"
                     " neighbouring pixels of the patch share it"),
    "depth": ("float32", "mag", '5 sigma in r = 1", with what is shared'),
}  # fmt: skip
"""Name -> type, unit and description, of the catalogue."""

COMPONENTS: dict[str, tuple[str, str, str]] = {
    "id": ("string", "", "of the galaxy"),
    "ra": ("float64", "deg", "of the component"),
    "dec": ("float64", "deg", "the same"),
    "x": ("float64", "pix", "in the patch, from 0"),
    "y": ("float64", "pix", "the same"),
    **{
        name + end: ("float32", unit, f"{what}{words}")
        for name, unit, what in (
            ("flux", "nJy", "as of a point source as sharp"),
            ("half_light_radius", "arcsec", 'of the light within 0.3"'),
        )
        for end, words in (("", "; median"), ("_low", "; lower end of 68 %"), ("_high", "; upper"))
    },
    "share": ("float32", "", "share of the samples that have it"),
    "probability": ("float32", "", "that it is there, as found of galaxies whose truth is known"),
    "nucleus": ("bool", "", "whether it is the galaxy's"),
}
"""The same, of its components: a row for each source of a galaxy."""

_TYPES = {
    "string": pyarrow.string(),
    "float32": pyarrow.float32(),
    "float64": pyarrow.float64(),
    "bool": pyarrow.bool_(),
}


def schema_of(columns: dict[str, tuple[str, str, str]]) -> pyarrow.Schema:
    """Return the schema of a table, with units and descriptions as metadata of the columns."""
    return pyarrow.schema(
        [
            pyarrow.field(name, _TYPES[kind], metadata={"unit": unit, "description": what})
            for name, (kind, unit, what) in columns.items()
        ]
    )


def arrow_table(
    rows: list[dict[str, Any]], columns: dict[str, tuple[str, str, str]]
) -> pyarrow.Table:
    """Return rows as a table; what a row lacks is null, or no word: astropy reads no null words."""
    words = {name: "" for name, (kind, _, _) in columns.items() if kind == "string"}
    found = [{**words, **row} for row in rows]
    return pyarrow.Table.from_pylist(found, schema=schema_of(columns))
