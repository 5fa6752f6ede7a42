"""The notebooks run from beginning to end, and hold the outputs of the code that they show."""

import importlib.util
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

LARGEST, LARGEST_SUM = 500_000, 2_500_000  # bytes


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that runs them and keeps their outputs."""
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 7


def test_they_are_small():
    sizes = [path.stat().st_size for path in NOTEBOOKS]
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= LARGEST_SUM


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_those_of_the_code(path, script):
    notebook = nbformat.read(path, as_version=4)
    message = f"python docs/notebooks.py {path.stem}"
    assert notebook["metadata"].get(script.CODE) == script.checksum(notebook), message
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    assert any("image/png" in one.get("data", {}) for one in outputs)
    assert not [one for one in outputs if one["output_type"] == "error"]
    assert not any(cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
