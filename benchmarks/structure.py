"""Measure the layout of the code: lines, modules, importers, circles, and what --help costs.

    python benchmarks/structure.py            # the table
    python benchmarks/structure.py --imports  # also the modules that only one other imports

Imports are read from the syntax tree, those inside functions included, those for type checkers
alone left out. Names that a package publishes lazily count as imports of the modules that hold
them.
"""

import argparse
import ast
import os
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "clumpygan"

HELP = (
    "recover", "fit", "generate", "generate cube", "generate cubes", "generate galaxies",
    "prepare", "prepare cubes", "prepare cutouts", "prepare idx", "evaluate",
    "evaluate super_resolution", "evaluate calibration", "evaluate realism", "evaluate cubes",
    "evaluate shear", "train",
)  # fmt: skip
"""Programs and subcommands whose --help is timed."""

REPEATS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--imports", action="store_true", help="name modules with one importer")
    options = parser.parse_args()
    trees = {name_of(path): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    lines = {name_of(path): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    imports = {name: set(imports_of(name, tree, trees)) for name, tree in trees.items()}
    importers = defaultdict(set)
    for name, found in imports.items():
        for one in found - {name}:
            importers[one].add(name)
    modules = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    names = sorted(name_of(path) for path in modules)
    lonely = [name for name in names if len(importers[name]) == 1]
    print(f"lines of src/clumpygan: {sum(lines.values())} in {len(lines)} files")
    for package in sorted({name.split(".")[1] for name in names if name.count(".") > 1}):
        inside = [name for name in lines if f"{name}.".startswith(f"clumpygan.{package}.")]
        print(f"  {package}: {sum(lines[name] for name in inside)} in {len(inside)} files")
    longest = max(lines, key=lambda name: lines[name])
    print(f"longest module: {longest}, {lines[longest]}")
    print(f"median module: {sorted(lines[name] for name in names)[len(names) // 2]}")
    folders = {folder: len(list(folder.glob("*.py"))) for folder in PACKAGE.rglob("*/")}
    fullest = sorted(folders.items(), key=lambda pair: -pair[1])[:4]
    print("fullest folders: " + ", ".join(f"{one.relative_to(PACKAGE)} {n}" for one, n in fullest))
    print(
        f"modules with one importer: {len(lonely)} of {len(names)}, {len(lonely) / len(names):.0%}"
    )
    if options.imports:
        print("\n".join(f"  {name} <- {next(iter(importers[name]))}" for name in lonely))
    rings = circles(imports)
    print(f"circles of imports: {len(rings)}" + "".join(f"\n  {' '.join(ring)}" for ring in rings))
    told = [f"{name}:{one}" for name, tree in trees.items() for one in told_of_flags(name, tree)]
    print(f"functions below commands that take a command line: {len(told)}" + "".join(
        f"\n  {one}" for one in told))  # fmt: skip
    for words in HELP:
        print(f"{words} --help: {help_seconds(words):.2f} CPU s")


def name_of(path: Path) -> str:
    """Return the dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(name: str, tree: ast.Module, known: dict[str, ast.Module]) -> Iterator[str]:
    """Yield the modules of the package that one imports."""
    for node in running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            published = stub_of(node.module)
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else published.get(alias.name, node.module)


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree, without what stands under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from running(node)


def stub_of(package: str) -> dict[str, str]:
    """Return the module that holds each name which a package publishes lazily."""
    path = PACKAGE.parent / package.replace(".", "/") / "__init__.pyi"
    if not path.exists():
        return {}
    nodes = [one for one in ast.parse(path.read_text()).body if isinstance(one, ast.ImportFrom)]
    return {alias.name: f"{package}.{one.module}" for one in nodes for alias in one.names}


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in imports[name]:
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            place = stack.index(name)
            ring = stack[place:]
            del stack[place:]
            if len(ring) > 1:
                found.append(sorted(ring))

    for name in imports:
        if name not in order:
            visit(name)
    return found


def told_of_flags(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield the functions, outside of the programs, that take parsed flags or a parser."""
    if name.startswith("clumpygan.commands"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            words = [ast.unparse(one.annotation) for one in node.args.args if one.annotation]
            if any("Namespace" in word or "ArgumentParser" in word for word in words):
                yield node.name


def help_seconds(words: str) -> float:
    """Return the least CPU time of a program's --help, of a few runs."""
    program, *rest = words.split()
    command = [sys.executable, str(ROOT / f"{program}.py"), *rest, "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    taken = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


if __name__ == "__main__":
    main()
