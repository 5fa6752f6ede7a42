"""The documentation: made from the code, complete, without a warning, without a dead link."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest
from matplotlib.figure import Figure
from PIL import Image

from clumpygan.galaxies.disks.parameters import CLUMP_PARAMETERS, PARAMETERS
from clumpygan.instruments import INSTRUMENTS, SPECTROGRAPHS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

LARGEST_PICTURE, LARGEST_SUM = 300_000, 6_000_000  # bytes
FEWEST_PICTURES = 25


REPLACED = "cores"
"""The fixture `one_core` of the suite stands for it, and says nothing."""


@pytest.fixture(scope="module")
def made() -> Iterator[ModuleType]:
    """The script that makes pages from the code."""
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("made")
    sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def gallery(made: ModuleType) -> ModuleType:
    return sys.modules["gallery"]


SCRIPTS = sorted((DOCS / "gallery").glob("[0-9]*.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built with warnings as errors."""
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_nb")
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        (sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, folder),
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


# ---- what is made


def test_every_command_and_flag_has_its_entry(made: ModuleType) -> None:
    pages = made.command_pages()
    assert len(pages) >= 17
    for name, program in made.PROGRAMS.items():
        for command, parser, _ in made._commands(name, program._parser()):
            page = pages[f"commands/{command.replace('.py', '').replace(' ', '_')}.md"]
            flags = [flag for one in parser._actions for flag in one.option_strings]
            told = [flag for flag in flags if flag.startswith("--") and f"{flag}" in page]
            missing = set(flags) - set(told) - {"-h", "--help", "--version", "--completion"}
            assert missing == set()


@pytest.fixture(scope="module")
def names(made: ModuleType) -> dict[str, list[tuple[str, str, str]]]:
    """The public names of each package."""
    faces = [
        ".".join(path.parent.relative_to(ROOT / "src").parts)
        for path in (ROOT / "src").rglob("__init__.pyi")
    ]
    return {package: made.public_names(package) for package in faces}


@pytest.fixture(scope="module")
def interface(made: ModuleType) -> dict[str, str]:
    return made.interface_pages()


def test_every_public_name_has_its_entry(
    made: ModuleType,
    names: dict[str, list[tuple[str, str, str]]],
    interface: dict[str, str],
) -> None:
    assert set(made.PACKAGES) == set(names)
    text = "\n".join(interface.values())
    for package, found in names.items():
        for name, home, summary in found:
            assert f"`~{home}.{name}`" in interface[f"api/{package}.rst"]
            assert re.search(rf"^\.\. (auto(class|function)|py:data):: {name}$", text, re.MULTILINE)
            assert summary or name == REPLACED, f"{package}.{name} says nothing of itself"


def test_tables_hold_what_the_code_holds(made: ModuleType) -> None:
    page = made.parameter_page()
    for row in (*PARAMETERS, *CLUMP_PARAMETERS):
        assert f"| `{row.name}` |" in page
    page = made.instrument_page()
    for name in (*INSTRUMENTS, *SPECTROGRAPHS):
        assert f"| `{name}` |" in page
    page = made.model_page()
    for path in (ROOT / "checkpoints").glob("*.yaml"):
        assert f"## {path.stem}\n" in page


def test_names_that_pages_link_to_are_documented(interface: dict[str, str]) -> None:
    text = "\n".join(interface.values())
    named = {
        name
        for path in DOCS.rglob("*.md")
        for name in re.findall(r"\{py:obj\}`~?([\w.]+)`", path.read_text())
    }
    assert len(named) >= 5
    assert [name for name in sorted(named) if f"`~{name}`" not in text] == []


# ---- the gallery


def test_pictures_are_many_small_and_those_of_their_code(gallery: ModuleType) -> None:
    assert len(SCRIPTS) >= FEWEST_PICTURES
    pictures = {path.stem: path for path in (DOCS / "gallery").glob("*.png")}
    assert set(pictures) == {script.stem for script in SCRIPTS}
    sizes = [path.stat().st_size for path in pictures.values()]
    assert max(sizes) <= LARGEST_PICTURE
    assert sum(sizes) <= LARGEST_SUM
    for script in SCRIPTS:
        with Image.open(pictures[script.stem]) as image:
            held = image.info[gallery.CODE]
        assert held == gallery.checksum(script), f"python docs/gallery.py {script.stem}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_code_of_the_gallery_runs(script: Path, gallery: ModuleType) -> None:
    title, _, code = gallery.read_script(script)
    assert title
    assert "figure" in code
    figure = gallery.drawn(script)
    assert isinstance(figure, Figure)
    assert figure.axes


# ---- figures of the benchmarks


def test_figures_of_the_benchmarks_are_those_of_the_commands_on_their_page(
    made: ModuleType, gallery: ModuleType
) -> None:
    figures = importlib.import_module("figures").FIGURES
    folder = DOCS / "benchmarks"
    assert {path.stem for path in folder.glob("*.png")} == set(figures)
    pages = [path.read_text() for path in folder.glob("*.md")]
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        assert path.stat().st_size <= LARGEST_PICTURE
        with Image.open(path) as image:
            assert image.info[gallery.CODE] == figure.command, f"python docs/figures.py {name}"
        (page,) = (page for page in pages if f"]({name}.png)" in page)
        assert f"\n{figure.command}\n" in page


# ---- the site


class _Page(HTMLParser):
    """The links of a page and the places that others can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


def test_no_link_of_the_site_is_dead_and_nothing_comes_from_elsewhere(site: Path) -> None:
    pages = {path: _Page(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 60
    dead, foreign, followed = [], [], 0
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:|//", link):
                continue
            where, _, place = unquote(link).partition("#")
            target = (path.parent / where.partition("?")[0]).resolve() if where else path
            followed += 1
            missing = not target.exists()
            if not missing and place and target.suffix == ".html":
                missing = place not in pages[target].places
            if missing:
                dead.append(f"{path.relative_to(site)}: {link}")
        text = path.read_text()
        foreign += re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(https?:[^"]+)"', text)
    assert followed > 3000
    assert dead == []
    assert foreign == []


def test_links_of_the_texts_of_the_repository_lead_somewhere() -> None:
    texts = [*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md")]
    assert len(texts) >= 3
    for path in texts:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
            if not re.match(r"https?:", link):
                assert (path.parent / link).exists(), f"{path.name}: {link}"
