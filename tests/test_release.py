"""What a release says of itself: one version, title and authors, references that are used."""

import json
import re
import tomllib
from pathlib import Path

import yaml

import clumpygan

ROOT = Path(__file__).resolve().parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = yaml.safe_load((ROOT / "conda.recipe" / "recipe.yaml").read_text())
PAPER = (ROOT / "paper" / "paper.md").read_text()


def test_zenodo_and_the_citation_say_the_same() -> None:
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert zenodo["title"] == CITATION["title"]
    assert zenodo["version"] == CITATION["version"] == clumpygan.__version__
    assert zenodo["license"] == CITATION["license"]
    assert [one["name"] for one in zenodo["creators"]] == [
        one["name"] for one in CITATION["authors"]
    ]
    assert zenodo["keywords"] == CITATION["keywords"]


def test_the_paper_has_the_form_of_joss() -> None:
    _, front, text = PAPER.split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["title"] == CITATION["title"]
    assert [one["name"] for one in said["authors"]] == [one["name"] for one in CITATION["authors"]]
    numbers = {one["index"] for one in said["affiliations"]}
    assert {one["affiliation"] for one in said["authors"]} <= numbers
    assert (ROOT / "paper" / said["bibliography"]).is_file()
    for heading in ("Summary", "Statement of need", "State of the field", "References"):
        assert f"\n# {heading}\n" in text
    assert 250 <= len(text.split()) <= 1000


def test_the_paper_cites_what_is_listed_and_nothing_else() -> None:
    listed = re.findall(r"^@\w+\{(\w+),", (ROOT / "paper" / "paper.bib").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed)) >= 15
    assert set(re.findall(r"@(\w+\d{4})", PAPER)) == set(listed)


def test_the_version_is_a_release_of_which_the_changelog_tells() -> None:
    version = clumpygan.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(rc\d+)?", version)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)


OTHER_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "dask": "distributed"}
"""Of what pip and conda call differently; dask's extra is a package there, beside dask."""


def test_the_conda_recipe_requires_what_pip_does() -> None:
    assert RECIPE["context"]["version"] == clumpygan.__version__
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert PROJECT["requires-python"] == f">={RECIPE['context']['python_min']}"
    wanted = {"dask": ">=2025.1"}
    for one in PROJECT["dependencies"]:
        name, versions = re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?(.*)", one).groups()
        wanted[OTHER_NAMES.get(name, name)] = versions
    run = dict(one.split(" ", 1) for one in RECIPE["requirements"]["run"])
    assert run.pop("python") == ">=${{ python_min }}"
    assert run == wanted
    points = dict(one.split(" = ") for one in RECIPE["build"]["python"]["entry_points"])
    assert points == PROJECT["scripts"]
