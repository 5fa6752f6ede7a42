"""Pages that are made from the code: commands, interface, parameters, instruments, models, gallery.

They say what flags, docstrings, tables and cards say, so that nobody has to keep them in step.
`write_pages` is called by `conf.py` before each build; the files are ignored by git.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import itertools
import os
import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from gallery import gallery_page

from clumpygan.commands import app, evaluate, fit, generate, prepare, recover, survey, train
from clumpygan.commands.program import with_flags
from clumpygan.galaxies.disks.disk_table import Clump, Parameter, rows
from clumpygan.galaxies.disks.parameters import DiskParameters
from clumpygan.instruments import INSTRUMENTS, SPECTROGRAPHS

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PACKAGE = ROOT / "src" / "clumpygan"

PROGRAMS = {
    "recover": recover,
    "survey": survey,
    "fit": fit,
    "generate": generate,
    "prepare": prepare,
    "evaluate": evaluate,
    "app": app,
}
"""Those with an `argparse` parser; `train` is composed by Hydra."""

PACKAGES = {
    "clumpygan": "the programs as functions",
    "clumpygan.recovery": "from an observed image to samples of the sharp one",
    "clumpygan.survey": "the same for the galaxies of whole patches, one catalogue",
    "clumpygan.fitting": "from a cube to the parameters of its disk, with errors",
    "clumpygan.generation": "galaxies and cubes from trained networks, mock cubes from parameters",
    "clumpygan.galaxies": "what is on the sky: populations, images, velocity cubes, maps of cubes",
    "clumpygan.instruments": "what a telescope does to it: PSF, line spread, noise, observation",
    "clumpygan.io": "FITS images, mosaics, cubes and catalogues, in and out",
    "clumpygan.data": "DataModules of stamps, cutouts, digits and velocity cubes",
    "clumpygan.gan": "how generators and discriminators are trained, and how they are used",
    "clumpygan.assessment": "how real generated galaxies are; the sets that are compared",
    "clumpygan.engine": "parallel work, on the cores of a laptop or a cluster, by Dask",
    "clumpygan.settings": "defaults, units, ranges and help, each written once",
}
"""The packages with a public face, and what each is for."""


def write_pages() -> None:
    """Write all made pages beside the written ones; a page that hasn't changed keeps its time."""
    texts = {
        **command_pages(),
        **interface_pages(),
        "reference/disk_parameters.md": parameter_page(),
        "reference/instruments.md": instrument_page(),
        "reference/models.md": model_page(),
        "gallery.md": gallery_page(),
    }
    for folder in ("commands", "api", "tutorials"):
        (DOCS / folder).mkdir(exist_ok=True)
        for path in (DOCS / folder).iterdir():
            if f"{folder}/{path.name}" not in texts and folder != "tutorials":
                path.unlink()
    for name, text in texts.items():
        path = DOCS / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy2(notebook, DOCS / "tutorials" / notebook.name)


# ---- commands


def command_pages() -> dict[str, str]:
    """Return a page for each program, or for each command of those that have several."""
    pages, listed = {}, []
    for name, program in PROGRAMS.items():
        for command, parser, what in _commands(name, program._parser()):
            stem = command.replace(".py", "").replace(" ", "_")
            pages[f"commands/{stem}.md"] = _command_page(command, parser)
            listed.append((stem, f"`{command}`", what or _first_sentence(parser)))
    pages["commands/train.md"] = _train_page()
    listed.append(("train", "`train.py`", "train a network, or many."))
    table = "\n".join(f"| [{title}]({stem}.md) | {what} |" for stem, title, what in listed)
    stems = "\n".join(stem for stem, _, _ in listed)
    pages["commands/index.md"] = (
        "# Commands\n\nEach is also installed as `clumpygan-recover`, `clumpygan-fit` and so on,"
        " with the same flags. `--help` says what these pages say.\n\n"
        f"| command | what it does |\n|---|---|\n{table}\n\n"
        "All know `--version` and `--completion bash|zsh|tcsh`; how they end is"
        " [promised](../promises.md).\n\n"
        f"```{{toctree}}\n:hidden:\n\n{stems}\n```\n"
    )
    return pages


def _commands(
    name: str, parser: argparse.ArgumentParser
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Yield each command with its parser and what the program says of it in one line."""
    subparsers = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not subparsers:
        yield f"{name}.py", parser, ""
        return
    said = {one.dest: one.help or "" for one in subparsers[0]._choices_actions}
    for command, child in subparsers[0].choices.items():
        yield f"{name}.py {command}", child, f"{said[command]}."


def _first_sentence(parser: argparse.ArgumentParser) -> str:
    text = " ".join((parser.description or "").split("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."


def _command_page(command: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"# {command}", _description(parser.description or "")]
    epilog = (parser.epilog or "").replace("%(prog)s", command)
    head, _, examples = epilog.partition("examples:")
    if head.strip():
        parts.append(_description(head.strip()))
    if examples.strip():
        shown = textwrap.dedent(examples.strip("\n"))
        parts.append("```text\n" + _as_typed(shown, command) + "\n```")
    parts.append(f"```{{program}} {command}\n```")
    for group in parser._action_groups:
        actions = [one for one in group._group_actions if one.help != argparse.SUPPRESS]
        if group.title in ("options", "positional arguments"):
            actions = [one for one in actions if not one.option_strings]
        if actions:
            parts.append(
                f"## {_plain(group.title or '')[:1].upper()}{_plain(group.title or '')[1:]}"
            )
            parts += [_option(one, parser) for one in actions]
    return "\n\n".join(parts) + "\n"


def _as_typed(examples: str, command: str) -> str:
    """Return examples as they are typed in a checkout."""
    programs = "|".join((*PROGRAMS, "train"))
    return re.sub(rf"^({programs})\.py", r"python \1.py", examples, flags=re.MULTILINE)


def _description(text: str) -> str:
    """Return a description as Markdown: paragraphs, and blocks of lines that are indented."""
    out: list[str] = []
    literal = False
    for line in textwrap.dedent(text).splitlines():
        indented = line.startswith("  ")
        if indented != literal:
            out += ["", "```text"] if indented else ["```", ""]
            literal = indented
        out.append(line if literal else _escaped(line))
    return "\n".join(out + (["```"] if literal else []))


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    formatter = parser.formatter_class("")
    said = " ".join(formatter._expand_help(action).split()) if action.help else ""
    flags = parser.flags() if hasattr(parser, "flags") else {}
    said = _escaped(with_flags(said, flags))
    said = re.sub(r"\.? ?\(default: (.*)\)$", r". *Default: \1.*", said).removeprefix(". ")
    said = said[:1].upper() + said[1:]
    if not action.option_strings:
        names = str(action.metavar or action.dest)
    elif action.nargs == 0:
        names = ", ".join(action.option_strings)
    else:
        value = formatter._format_args(action, str(action.metavar or action.dest.upper()))
        names = ", ".join(f"{flag} {value}" for flag in action.option_strings)
    return f"````{{option}} {names}\n{said or '&nbsp;'}\n````"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """Return text in which Markdown sees no markup."""
    return re.sub(r"([\\*_<>\[\]{}$|~#`])", r"\\\1", text)


def _train_page() -> str:
    """Return the page of `train.py`: its groups of settings, their choices and their comments."""
    configs = ROOT / "configs"
    parts = [
        "# train.py",
        "Trains a network, or many: `python train.py [GROUP=CHOICE ...] [SETTING=VALUE ...]`. The"
        " settings are the YAML files of `configs/`, composed by [Hydra](https://hydra.cc); any"
        " field can be given on the command line. [How it is used](../how-to/train.md).",
        "```text\n"
        + train._HELP.partition("\n\n")[2].partition("\n\n")[0].replace("  python", "python")
        + "\n```",
        "## The run",
        f"```yaml\n{_before_hydra((configs / 'train.yaml').read_text())}\n```",
    ]
    for folder in sorted(path for path in configs.rglob("*") if path.is_dir()):
        group = folder.relative_to(configs).as_posix()
        parts.append(f"## {group}")
        for path in sorted(folder.glob("*.yaml")):
            text = path.read_text().replace("# @package _global_\n", "").strip()
            parts += [f"### {group}={path.stem}", f"```yaml\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


def _before_hydra(text: str) -> str:
    return text.partition("\nhydra:")[0].strip()


# ---- the interface in Python


def public_names(package: str) -> list[tuple[str, str, str]]:
    """Return of each public name of a package (name, module where it is defined, first line)."""
    path = PACKAGE.joinpath(*package.split(".")[1:]) / "__init__.pyi"
    module = importlib.import_module(package)
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            home = importlib.import_module("." * node.level + (node.module or ""), package)
            for alias in node.names:
                value = getattr(module, alias.name)
                where = value.__module__ if _is_code(value) else home.__name__
                found.append((alias.name, where, _summary(home, alias.name, value)))
    return found


def _is_code(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)


def _summary(home: Any, name: str, value: Any) -> str:
    """Return the first sentence of what is said of an object, or of a constant below its line."""
    if _is_code(value):
        text = inspect.getdoc(value) or ""
    else:
        # Instruments describe themselves.
        text = _constant_doc(home, name) or getattr(value, "description", "")
    return " ".join(text.strip().split("\n\n")[0].split())


def _constant_doc(home: Any, name: str) -> str:
    """Return the string below the assignment of a constant."""
    body = ast.parse(Path(home.__file__).read_text()).body
    for node, after in itertools.pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(one, ast.Name) and one.id == name for one in targets)
        if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return str(after.value.value)
    return ""


def interface_pages() -> dict[str, str]:
    """Return a page for each package with a public face, in reStructuredText, and their index."""
    pages: dict[str, str] = {}
    there: set[tuple[str, str]] = set()
    # What several packages offer is described by the one where it is at home.
    for package, what in [*list(PACKAGES.items())[1:], *list(PACKAGES.items())[:1]]:
        names = public_names(package)
        parts = [f"{package}\n{'=' * len(package)}", f"{what[:1].upper()}{what[1:]}."]
        table = [".. list-table::\n   :widths: 30 70\n"]
        for name, home, summary in names:
            table.append(f"   * - :py:obj:`~{home}.{name}`\n     - {summary}")
        parts.append("\n".join(table))
        for name, home, _ in names:
            if (name, home) in there:
                continue
            there.add((name, home))
            value = getattr(importlib.import_module(package), name)
            parts.append(f".. py:currentmodule:: {home}")
            if inspect.isclass(value):
                bases = "" if value.__bases__ == (object,) else "\n   :show-inheritance:"
                parts.append(f".. autoclass:: {name}\n   :members:{bases}")
            elif _is_code(value):
                parts.append(f".. autofunction:: {name}")
            else:
                said = textwrap.indent(
                    textwrap.dedent(_constant_doc(importlib.import_module(home), name)), "   "
                )
                parts.append(f".. py:data:: {name}\n\n{said}")
        pages[f"api/{package}.rst"] = "\n\n".join(parts) + "\n"
    table = "\n".join(f"| [`{name}`]({name}.rst) | {what} |" for name, what in PACKAGES.items())
    stems = "\n".join(PACKAGES)
    pages["api/index.md"] = (
        "# Python\n\nEvery program is a call of the library, with the settings of its flags. What"
        " is public is listed here, by package; modules beneath may change.\n\n"
        f"| package | what it is for |\n|---|---|\n{table}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{stems}\n```\n"
    )
    return pages


# ---- tables


def parameter_page() -> str:
    """Return the tables of the parameters of disks and of clumps."""
    return (
        "# Parameters of a disk\n\nNames of flags (with dashes), of fields of"
        " {py:obj}`~clumpygan.galaxies.disks.parameters.DiskParameters`, and of columns of tables."
        " The prior is what `--random`, sets of cubes and trainings draw from; *fixed* ones stay at"
        " their default unless asked for.\n\n"
        f"{_parameter_table(rows(DiskParameters))}\n\n## Clumps\n\nEach galaxy has any number of"
        f" them; they rotate with the disk.\n\n{_parameter_table(rows(Clump))}\n"
    )


def _parameter_table(table: tuple[Parameter, ...]) -> str:
    lines = ["| name | unit | range | default | prior | meaning |", "|---|---|---|---|---|---|"]
    for row in table:
        prior = row.prior.kind.replace("_", "-")
        if prior != "fixed":
            prior += f" {row.prior.low:g}, {row.prior.high:g}"
        span = f"{row.minimum:g} to {row.maximum:g}"
        if row.period:
            span += f", period {row.period:g}"
        lines.append(
            f"| `{row.name}` | {_escaped(row.unit)} | {span} | {row.default:g} | {prior} |"
            f" {_escaped(row.description)} |"
        )
    return "\n".join(lines)


def instrument_page() -> str:
    """Return what is known of cameras and spectrographs, with the source of each number."""
    lines = [
        "# Instruments",
        "Cameras are files of `src/clumpygan/instruments/surveys/`, one for each survey; how"
        " [another one](../how-to/another_survey.md) is added. In Python `get_instrument` and"
        " `get_spectrograph`.",
        "## Cameras",
        "| name | pixel [arcsec] | zero point [AB] | PSF FWHM [arcsec] | 5 sigma depth [AB] |\n"
        "|---|---|---|---|---|\n"
        + "\n".join(
            f"| `{name}` | {one.pixel_scale:g} | {one.zero_point:g} |"
            f" {one.psf_fwhm:g} | {_number(one.depth_magnitude)} |"
            for name, one in INSTRUMENTS.items()
        ),
        "### Where the numbers come from",
    ]
    for path in sorted((PACKAGE / "instruments" / "surveys").glob("*.yaml")):
        survey_file = yaml.safe_load(path.read_text())
        lines.append(f"**{_escaped(survey_file['description'])}** (`{path.name}`)")
        lines.append(
            "\n".join(
                f"- {name.replace('_', ' ')}: {_escaped(' '.join(str(text).split()))}"
                for name, text in survey_file["sources"].items()
            )
        )
    lines += [
        "## Spectrographs",
        "`kmos`, `sinfoni` and `jwst_nirspec_ifu` stand for the band or grating in which the line"
        " is.",
        "| name | what it is |\n|---|---|\n"
        + "\n".join(
            f"| `{name}` | {_escaped(_described(one))} |" for name, one in SPECTROGRAPHS.items()
        ),
    ]
    return "\n\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _described(one: Any) -> str:
    return ", ".join(
        f"{field.replace('_', ' ')} {value:g}"
        for field, value in vars(one).items()
        if isinstance(value, float)
    )


# ---- models


def model_page() -> str:
    """Return the cards of the networks that ship."""
    parts = [
        "# Networks that ship",
        "Each is a file of weights (`checkpoints/NAME.safetensors`) and a card (`NAME.yaml`), from"
        " which these pages are made. What the networks are measured to do is under"
        " [Benchmarks](../benchmarks/index.md).",
    ]
    for path in sorted((ROOT / "checkpoints").glob("*.yaml")):
        card = yaml.safe_load(path.read_text())
        size = path.with_suffix(".safetensors").stat().st_size
        parts += [f"## {path.stem}", _card_table(card, size)]
        held_out = {k: v for k, v in card["held_out"].items() if isinstance(v, int | float)}
        parts.append(
            "Held-out numbers at the end of its training:\n\n| "
            + " | ".join(f"`{name}`" for name in held_out)
            + " |\n|"
            + "---|" * len(held_out)
            + "\n| "
            + " | ".join(f"{value:.4g}" for value in held_out.values())
            + " |"
        )
        # It began with the weights of none, of one or of several.
        before = card.get("initial") or []
        before = [before] if isinstance(before, dict) else before
        notes = [note for one in (card, *before) for note in one.get("notes") or ()]
        parts += (
            ["\n".join(f"- {_escaped(' '.join(str(note).split()))}" for note in notes)]
            if notes
            else []
        )
        for name in ("data", "model", "images"):
            if card.get(name):
                text = yaml.safe_dump(card[name], sort_keys=False)
                parts.append(f":::{{dropdown}} {name}\n```yaml\n{text}```\n:::")
    return "\n\n".join(parts) + "\n"


def _card_table(card: dict[str, Any], size: int) -> str:
    network = card["network"]
    said = {
        "network": f"`{network.get('target', network['name'])}`",
        "size of the weights": f"{size / 1e6:.1f} MB",
        "images seen": f"{card['images_seen']}"
        + (", after those of the weights it began with" if card.get("initial") else ""),
        "time": f"{card['hours']:g} h on {card['hardware']}",
        "seed": card["seed"],
        "made by": f"clumpygan {card['clumpygan']}, commit {card['commit'][:7]}; "
        + ", ".join(f"{name} {version}" for name, version in card["versions"].items()),
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in said.items())


if __name__ == "__main__":
    os.chdir(DOCS)
    write_pages()
