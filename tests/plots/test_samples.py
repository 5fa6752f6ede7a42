"""The picture of the calibration: a panel for each quantity, and those that follow."""

import numpy as np
import pytest

from clumpygan.assessment.samples.calibration import Outcomes, SampleCalibration
from clumpygan.assessment.samples.settings import CalibrationSettings
from clumpygan.evaluation.recovery.clump_reliability import Clumps
from clumpygan.evaluation.recovery.spectrum import FREQUENCIES
from clumpygan.plots.samples import calibration_figure


def outcomes(clumps: Clumps) -> Outcomes:
    """Return what was found of 30 galaxies, with such clumps."""
    draws = np.random.default_rng(0)
    names = ("flux_1", "m20", "image")
    apart = {name: draws.exponential(size=(30, 2)) for name in names[:2]}
    return Outcomes(
        draws.uniform(20, 26, 30),
        {name: draws.random(30) for name in names},
        {name: np.linspace(0, 1, 30) for name in apart},
        apart,
        {name: np.zeros((30, 2)) for name in apart},
        {name: np.ones((30, 2)) for name in apart},
        draws.uniform(20, 26, 30),
        draws.normal(size=(30, len(FREQUENCIES))),
        clumps,
    )


def shown(count: int, honesty: float) -> Clumps:
    """Return clumps of which `honesty` of the said probability are there."""
    draws = np.random.default_rng(count)
    said = draws.random(count)
    real = draws.random(count) < honesty * said
    return Clumps(said, real, int(real.sum()), said)


def test_clumps_have_a_panel_with_the_shares_of_each_set() -> None:
    sets = {"synthetic": outcomes(shown(900, 1.0)), "real": outcomes(shown(600, 0.5))}
    figure = calibration_figure(SampleCalibration(CalibrationSettings(n=30), sets))
    panels = {axis.get_title(): axis for axis in figure.axes if axis.get_title()}
    assert list(panels) == [
        "flux 1", "m20", "image", "intervals that hold the truth",
        "power of a sample / truth [dex]", "clumps: share that is there",
    ]  # fmt: skip
    # Told ranks are dashed; whole images have none.
    dashed = [line for line in panels["m20"].lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[-1] for line in dashed] == [1.0, 1.0]
    assert len(panels["image"].lines) == 2
    axis = panels["clumps: share that is there"]
    for one, bars in zip(sets.values(), axis.containers, strict=True):
        wanted = [[row["probability"], row["true"]] for row in one.clumps.reliability]
        assert np.array(bars.lines[0].get_xydata()) == pytest.approx(np.array(wanted))
    # What was said holds in the first set, and half of it in the second.
    (x, y), (_, half) = (bars.lines[0].get_data() for bars in axis.containers)
    assert np.abs(x - y).max() < 0.08
    assert half.mean() == pytest.approx(0.25, abs=0.05)
    told = [text.get_text() for text in axis.get_legend().get_texts()]
    assert told[0].startswith("synthetic (900 shown, ")
    numbers = {int(text.get_text()) for text in axis.texts}
    assert {row["n"] for one in sets.values() for row in one.clumps.reliability} == numbers


def test_sets_without_a_clump_are_drawn() -> None:
    nothing = Clumps(np.empty(0), np.empty(0, bool), 0, np.empty(0))
    settings = CalibrationSettings(n=30)
    figure = calibration_figure(SampleCalibration(settings, {"synthetic": outcomes(nothing)}))
    assert figure.axes[5].get_legend().get_texts()[0].get_text() == "synthetic (0 shown, 0 true)"
