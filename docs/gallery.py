"""The gallery: its page, and its pictures (`python docs/gallery.py [NAME ...]`, all without names).

Each script of `gallery/` leaves a `figure`. It is written beside the script, small, with the
script's checksum, by which a test sees that picture and code belong together.
"""

import ast
import hashlib
import os
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

FOLDER = Path(__file__).resolve().parent / "gallery"
WIDTH = 1000  # pixels of a picture, at most
COLOURS = 128
CODE = "code"
"""Entry of the PNG that holds the checksum of the script."""


def scripts() -> list[Path]:
    """Return the scripts of the gallery, in the order of the page."""
    return sorted(FOLDER.glob("[0-9]*.py"))


def gallery_page() -> str:
    """Return all pictures, small, and below each in full with the code that makes it."""
    small, large = [], []
    for path in scripts():
        title, text, code = read_script(path)
        place = f"picture-{path.stem.replace('_', '-')}"
        small.append(f'<a href="#{place}"><img src="_images/{path.stem}.png" alt="{title}"></a>')
        large.append(
            f"({place})=\n## {title}\n\n"
            f"```{{image}} gallery/{path.stem}.png\n:alt: {title}\n```\n\n"
            f"{text}\n\n```python\n{code}\n```"
        )
    return (
        "# Gallery\n\nEach picture with the code that makes it; all run as they are. `python"
        " docs/gallery.py` draws them again.\n\n"
        '```{raw} html\n<div class="thumbnails">\n'
        + "\n".join(small)
        + "\n</div>\n```\n\n"
        + "\n\n".join(large)
        + "\n"
    )


def read_script(path: Path) -> tuple[str, str, str]:
    """Return the title, the words and the code of a script."""
    text = path.read_text()
    tree = ast.parse(text)
    title, _, words = (ast.get_docstring(tree) or "").partition("\n\n")
    code = "\n".join(text.splitlines()[tree.body[0].end_lineno or 0 :]).strip()
    return title.rstrip("."), words, code


def checksum(script: Path) -> str:
    """Return what tells one version of a script from another."""
    return hashlib.sha256(script.read_bytes()).hexdigest()[:16]


def drawn(script: Path) -> Figure:
    """Run a script, in a folder of its own, and return the figure that it leaves."""
    from matplotlib import pyplot

    before = Path.cwd()
    scope: dict[str, object] = {"__name__": script.stem}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            exec(compile(script.read_text(), str(script), "exec"), scope)
        finally:
            os.chdir(before)
            pyplot.close("all")
    figure = scope["figure"]
    if not isinstance(figure, Figure):
        raise TypeError(f"{script.name} leaves no figure")
    return figure


def write(script: Path) -> None:
    """Draw the picture of a script and write it as a PNG of few colours."""
    buffer = BytesIO()
    drawn(script).savefig(buffer, format="png", dpi=100, facecolor="white")
    write_small(buffer, script.with_suffix(".png"), checksum(script))


def write_small(
    picture: BytesIO | Path,
    path: Path,
    code: str,
    colours: int = COLOURS,
    width: int = WIDTH,
) -> None:
    """Write a picture as a PNG of few colours, with what tells from where it comes."""
    image = Image.open(picture).convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    said = PngImagePlugin.PngInfo()
    said.add_text(CODE, code)
    few = image.quantize(colours, dither=Image.Dither.NONE)
    few.save(path, optimize=True, pnginfo=said)


if __name__ == "__main__":
    names = sys.argv[1:]
    for one in scripts():
        if not names or one.stem in names or one.stem[:2] in names:
            write(one)
            print(f"{one.stem}: {one.with_suffix('.png').stat().st_size / 1e3:.0f} kB")
