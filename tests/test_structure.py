"""The layout of the code: no circles, nobody below the programs sees flags, --help is quick."""

import ast
import importlib
import importlib.util
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import clumpygan

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "clumpygan"

HEAVY = ("torch", "numba", "galsim", "astropy", "scipy", "matplotlib", "pytorch_lightning", "hydra",
         "distributed", "pyarrow", "photutils", "panel", "bokeh")  # fmt: skip
"""What takes long to import, and no --help needs."""

LONGEST_MODULE = 420
MOST_MODULES = 20
"""Lines of a module, and modules of a folder, at most."""

FACES = [
    path.parent.relative_to(PACKAGE.parent).as_posix().replace("/", ".")
    for path in sorted(PACKAGE.rglob("__init__.pyi"))
]


@pytest.fixture(scope="module")
def structure() -> ModuleType:
    """The script that measures the layout."""
    spec = importlib.util.spec_from_file_location("structure", ROOT / "benchmarks" / "structure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trees(structure: ModuleType) -> dict[str, ast.Module]:
    return {structure.name_of(path): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


def test_there_are_no_circles_of_imports(
    structure: ModuleType, trees: dict[str, ast.Module]
) -> None:
    imports = {name: set(structure.imports_of(name, tree, trees)) for name, tree in trees.items()}
    assert sum(map(len, imports.values())) > 500
    assert structure.circles(imports) == []
    # It would notice one.
    imports["clumpygan.errors"] = {"clumpygan.fitting"}
    imports["clumpygan.fitting"] = {"clumpygan.errors"}
    assert structure.circles(imports)


def test_nobody_below_the_programs_sees_a_command_line(
    structure: ModuleType, trees: dict[str, ast.Module]
) -> None:
    told = [
        f"{name}:{one}"
        for name, tree in trees.items()
        for one in structure.told_of_flags(name, tree)
    ]
    assert told == []
    below = [name for name in trees if not name.startswith("clumpygan.commands")]
    imported = {
        name: module
        for name in below
        for node in ast.walk(trees[name])
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in ([node.module] if isinstance(node, ast.ImportFrom) else
                       [alias.name for alias in node.names])
        if module == "argparse"
    }  # fmt: skip
    assert imported == {}


def test_no_message_below_the_programs_names_a_flag(trees: dict[str, ast.Module]) -> None:
    named = []
    for name, tree in trees.items():
        if name.startswith("clumpygan.commands"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                words = [
                    one.value
                    for one in ast.walk(node.exc)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ]
                named += [f"{name}: {word}" for word in words if " --" in f" {word}"]
    assert named == []


def test_modules_are_short_and_folders_not_crowded() -> None:
    long = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert long == {}
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    crowded = {
        folder.name: number
        for folder in folders
        if (number := len([one for one in folder.glob("*.py") if one.stem != "__init__"]))
        > MOST_MODULES
    }
    assert crowded == {}


@pytest.mark.parametrize("name", FACES)
def test_every_public_name_is_there_and_no_module_hides_it(name: str) -> None:
    face = importlib.import_module(name)
    assert face.__all__ or name == "clumpygan"
    modules = {one.name for one in pkgutil.iter_modules(face.__path__)}
    for public in face.__all__:
        assert public not in modules
        assert getattr(face, public) is not None


def test_the_package_itself_has_what_notebooks_call() -> None:
    for name in ("recover", "fit", "generate_galaxies", "generate_cubes", "recover_survey"):
        assert callable(getattr(clumpygan, name))


@pytest.mark.parametrize(
    "words",
    ["recover", "fit", "generate", "generate cube", "generate cubes", "generate galaxies",
     "generate patch",
     "prepare", "prepare cubes", "prepare cutouts", "prepare idx", "evaluate",
     "evaluate super_resolution", "evaluate realism", "evaluate cubes", "evaluate kinematics",
     "evaluate shear", "train", "survey", "app"],
)  # fmt: skip
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(words: str, flag: str) -> None:
    program, *rest = words.split()
    script = (
        "import sys\n"
        f"sys.argv = {[f'{program}.py', *rest, flag]!r}\n"
        f"from clumpygan.commands.{program} import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
