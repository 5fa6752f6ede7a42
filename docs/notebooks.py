"""Run the notebooks and keep what they print and draw: `python docs/notebooks.py [NAME ...]`.

All without names. Pictures are stored with few colours, and with each notebook the checksum of its
code, by which a test sees that code and outputs belong together.
"""

import base64
import hashlib
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
WIDTH = 900  # pixels of a picture, at most
COLOURS = 48
WIDGET = "application/vnd.jupyter.widget-view+json"
"""What only a kernel that runs can show; words stand in for it."""

CODE = "clumpygan_code"
"""Entry of the metadata that holds the checksum."""


def checksum(notebook: Any) -> str:
    """Return what tells one version of the code of a notebook from another."""
    code = "\n".join(cell["source"] for cell in notebook.cells if cell["cell_type"] == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def run(path: Path) -> None:
    """Execute a notebook in an empty folder, and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=resources).execute()
    keep(notebook)
    nbformat.write(notebook, path)


def keep(notebook: Any) -> None:
    """Leave of the outputs what a reader looks at: words and small pictures."""
    for cell in notebook.cells:
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            cell["outputs"] = [_small(one) for one in cell["outputs"] if not _is_chatter(one)]
    for name in ("language_info", "widgets"):
        notebook["metadata"].pop(name, None)
    notebook["metadata"][CODE] = checksum(notebook)


def _is_chatter(output: Any) -> bool:
    return output["output_type"] == "stream" and output["name"] == "stderr"


def _small(output: Any) -> Any:
    if "execution_count" in output:
        output["execution_count"] = None
    output.get("data", {}).pop(WIDGET, None)
    picture = output.get("data", {}).get("image/png")
    if picture:
        output["data"]["image/png"] = base64.b64encode(_few(base64.b64decode(picture))).decode()
    return output


def _few(png: bytes) -> bytes:
    """Return a picture of few colours, narrower if that makes it smaller."""
    whole = Image.open(BytesIO(png)).convert("RGB")
    sizes = {whole.size, (WIDTH, round(whole.height * WIDTH / whole.width))}
    found = []
    for size in (one for one in sizes if one[0] <= whole.width):
        image = whole if size == whole.size else whole.resize(size, Image.LANCZOS)
        buffer = BytesIO()
        few = image.quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(buffer, format="png", optimize=True)
        found.append(buffer.getvalue())
    return min(found, key=len)


if __name__ == "__main__":
    names = sys.argv[1:]
    for one in sorted(FOLDER.glob("*.ipynb")):
        if not names or one.stem in names or one.stem[:2] in names:
            run(one)
            print(f"{one.stem}: {one.stat().st_size / 1e3:.0f} kB", flush=True)
