"""What a release says of itself: one version, title and authors, references that are used."""

import json
import re
from pathlib import Path

import yaml

import clumpygan

ROOT = Path(__file__).resolve().parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
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
