"""`fit.py --model A,B`: rotation curves compared."""

import pytest
from astropy.table import Table

from clumpygan.commands.fit import main
from tests.commands.fit_cubes import QUICK, make_cube


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with a cube of a galaxy with an arctan curve."""
    monkeypatch.chdir(tmp_path)
    make_cube("cube.fits", signal_to_noise=60)
    return tmp_path


def test_curves_are_compared(folder, capsys):
    main(["cube.fits", *map(str, QUICK), "--model", "freeman,arctan", "--output", "out"])
    said = capsys.readouterr().out
    table = Table.read("out/cube_models.ecsv")
    assert list(table["model"]) == ["arctan", "freeman"]
    assert table["probability"][0] > 0.9
    assert f"model arctan: probability {table['probability'][0]:.3g}" in said
    result = Table.read("out/cube_table.ecsv")
    assert result.meta["settings"]["model"]["curve"] == "arctan"
    assert "turnover_radius" in result["name"]
    assert [one["model"] for one in result.meta["models"]] == ["arctan", "freeman"]
    (row,) = Table.read("out/results.ecsv")
    assert row["model"] == "arctan"
    assert row["probability_arctan"] == pytest.approx(table["probability"][0])
    main(["cube.fits", *map(str, QUICK), "--model", "freeman,arctan", "--output", "out"])
    assert "1 of 1 are done already" in capsys.readouterr().out


def test_a_comparison_that_lacks_its_table_is_made_again(folder, capsys):
    words = ["cube.fits", *map(str, QUICK), "--curve", "freeman,arctan", "--output", "out"]
    main(words)
    (folder / "out" / "cube_models.ecsv").unlink()
    main(words)
    assert "done already" not in capsys.readouterr().out
    assert (folder / "out" / "cube_models.ecsv").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["--model", "arctan,boz"],
            "--model boz: there is no curve 'boz'; expected one of arctan, tanh",
        ),
        (["--model", "tanh,tanh"], "'tanh,tanh' names a model twice"),
        (["--model", "arctan,tanh", "--curve", "tanh"], "both name the curve; give one of them"),
        (["--model", "arctan,table"], "--curve table needs --rotation-table FILE"),
        (["--model", "arctan,tanh", "--method", "nuts"], "'nuts' gives no evidence to compare"),
    ],
)
def test_models_that_cant_be_compared(folder, capsys, words, reason):
    quick = ["--psf-fwhm", "0.6", "--no-picture"]
    with pytest.raises(SystemExit) as stopped:
        main(["cube.fits", *quick, *words, "--output", "out"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert reason in said
    assert not (folder / "out").exists()
