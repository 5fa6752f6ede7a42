"""Cubes of many dialects: a part of those of benchmarks/dialects.py, fitted right or refused."""

from pathlib import Path

import pytest

from benchmarks.dialects import Case, cases, run

CASES = {case.name: case for case in cases()}

SHOWN = (
    "wavelengths in MICROMETER",
    "MaNGA LOGCUBE: WAVE-LOG, IVAR, bits of MASK",
    "IRAF: DC-FLAG 1",
    "JWST: DO_NOT_USE among jumps",
    "CASA: table of BEAMS",
    "VOPT-F2W in m/s",
    "VRAD in m/s",
    "FREQ without a rest frequency",
    "PSF image, elliptical Gaussian, pixels finer",
    "PSF cube",
    "line spread as a table of R",
    "three lines, (2, 0, 1)",
    "three lines, (2, 0, 1), 600 km/s",
)


def test_there_are_many_cases_of_different_names() -> None:
    assert len(list(cases())) == len(CASES)
    assert len(CASES) >= 57


@pytest.mark.parametrize("name", SHOWN)
def test_a_dialect_is_fitted_right_or_refused(name: str, tmp_path: Path) -> None:
    sound, words = run(CASES[name], tmp_path)
    assert sound, words


def test_what_is_wrong_is_noticed(tmp_path: Path) -> None:
    """A case whose truth is another one isn't sound, nor is one that should be refused."""
    good = CASES["wavelengths in nm"]
    assert not run(Case("wrong", good.make, good.settings, systemic=80.0), tmp_path)[0]
    (tmp_path / "cube.fits").unlink()
    assert not run(Case("wrong", good.make, good.settings, "a reason"), tmp_path)[0]
