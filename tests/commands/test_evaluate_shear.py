"""`evaluate.py shear`: forecasts and mocks."""

import json
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from astropy.table import Table

from clumpygan.assessment.shear import bias_of
from clumpygan.commands.evaluate import main
from clumpygan.fitting import DiskFitter, SamplerSettings

SMALL = (
    "--instrument", "none", "--shape", "14", "12", "12", "--pixel-scale", "0.3",
    "--channel-width", "70", "--seeing", "0.6", "--line-spread", "40",
    "--signals", "10,30", "--sizes", "2", "--inclinations", "30,60",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tables_and_picture(capsys, monkeypatch):
    """With the Laplace approximation in place of the sampler, which takes ten times as long."""
    laplace = partial(DiskFitter, sampler=SamplerSettings("laplace"))
    monkeypatch.setattr("clumpygan.assessment.shear.DiskFitter", laplace)
    main(["shear", *SMALL, "--n", "4", "--signal-to-noise", "30", "--output", "out",
          "--metrics", "all.json"])  # fmt: skip
    said = capsys.readouterr().out
    table = Table.read("out/sensitivity.ecsv")
    assert len(table) == 8
    table.add_index("signal_to_noise")
    with_prior = table[table["tully_fisher"]]
    assert (with_prior["along"] < table[~table["tully_fisher"]]["along"]).all()
    low, high = (with_prior[with_prior["signal_to_noise"] == s] for s in (10, 30))
    assert (high["across"] < 0.5 * low["across"]).all()
    mocks = Table.read("out/mocks.ecsv")
    assert mocks["g1"][0] == mocks["g1"][1]
    assert mocks["g1_mean"][0] != mocks["g1_mean"][1]
    assert matplotlib.image.imread("out/shear.png").shape[0] > 500
    report = json.loads(Path("all.json").read_text())
    assert report["bias"]["mocks"] == 4
    assert len(report["sensitivity"]) == 8
    assert "4 mocks at S/N 30, with the Tully-Fisher prior" in said


def test_a_forecast_alone(folder):
    main(["shear", *SMALL, "--n", "0", "--output", "out"])
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["sensitivity.ecsv", "shear.png"]


def test_biases_are_found():
    """Of fits whose shear is 1.1 times the true one, plus 0.02, the wide ones being nonsense."""
    random = np.random.default_rng(1)
    mocks = []
    for number in range(400):
        wide = number % 4 >= 2
        error = 1.0 if wide else 0.01
        mock = {"good": 1.0, "covariance": 0.0}
        for name in ("g1", "g2"):
            mock[name] = random.uniform(-0.05, 0.05)
            mean = 1.1 * mock[name] + 0.02 + error * random.standard_normal()
            mock |= {f"{name}_mean": mean, f"{name}_deviation": error}
            mock |= {f"{name}_lower": mean - error, f"{name}_upper": mean + error}
        for axis in ("along", "across"):
            mock |= {f"{axis}_bias": 0.0, f"{axis}_deviation": error}
        mocks.append(mock)
    bias = bias_of(mocks)
    assert bias["bias_g1"] == pytest.approx(0.02, abs=4 * bias["bias_g1_error"])
    assert bias["bias_g1_error"] == pytest.approx(0.01 / np.sqrt(200), rel=0.3)
    assert bias["plain_bias_g1_error"] > 0.02
    assert bias["effective_error"] == pytest.approx(0.01 * np.sqrt(2), rel=0.01)
    assert bias["slope"] == pytest.approx(0.1, abs=4 * bias["slope_error"])
    assert bias["error"] == pytest.approx(np.sqrt(0.5), rel=0.15)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--n", "2"], "--n 2: mocks come in pairs; expected an even number from 4 on, or 0"),
        (
            ["--sizes", "2,0"],
            "argument --sizes: invalid value: '2,0' (expected values, each a number > 0)",
        ),
        (["--sizes", "2,2"], "--sizes has a number twice"),
        (["--inclinations", "95"], "inclination is 95 deg; expected a number from 0 to 90"),
        (["--output", "no/where"], "--output no/where: the folder no doesn't exist"),
        (["--shape", "0", "1", "1"], "invalid value: '0' (expected an integer from 1"),
    ],
)
def test_bad_input(folder, capsys, words, reason):
    with pytest.raises(SystemExit) as stopped:
        main(["shear", *SMALL, *words])
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err
    assert not list(folder.iterdir())
