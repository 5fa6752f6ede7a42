"""Sphinx's configuration; the pages that are made from the code are written first."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import made
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import clumpygan

made.write_pages()

project = "clumpygan"
author = "The clumpygan developers"
copyright = "the clumpygan developers, MIT licence"
version = release = clumpygan.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
]
exclude_patterns = ["_build", "gallery/*"]
templates_path = []
default_role = "literal"
smartquotes = False
html_theme = "furo"
html_title = f"clumpygan {release}"
html_static_path = ["_static"]
html_css_files = ["clumpygan.css"]
html_show_sourcelink = False

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
# Words of docstrings that are no types of ours look like several of our attributes.
suppress_warnings = ["ref.python"]
nb_execution_mode = "off"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_google_docstring = False
napoleon_use_rtype = False
# As words: fields would be linked to attributes of the same names.
napoleon_use_param = False
maximum_signature_line_length = 80
python_display_short_literal_types = True
html_math_renderer = "mathml"


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    equation = tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="math">{equation}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Write equations as MathML, which browsers draw without a script from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
