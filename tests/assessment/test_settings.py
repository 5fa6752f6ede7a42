"""Settings of assessments, from Python, from flags and from a file."""

import pytest

from clumpygan.assessment import CubeRealismSettings, RealismSettings, ShearSettings, realism
from clumpygan.commands.evaluate import main
from clumpygan.errors import InputError


def test_small_runs_are_small():
    assert RealismSettings(n=60).train_size == 1200
    assert RealismSettings().train_size == 20_000
    small = CubeRealismSettings(n=40)
    assert (small.fits, small.groups, small.train_size) == (40, 16, 160)
    usual = CubeRealismSettings()
    assert (usual.fits, usual.groups, usual.train_size) == (100, 16, 2000)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (RealismSettings, {"n": 5}, "`n` is 5: expected an integer from 20"),
        (RealismSettings, {"band": "F160W"}, "`band` goes with `real`"),
        (RealismSettings, {"generated": ("a/x.fits", "b/x.fits")}, "x.fits is given twice"),
        (CubeRealismSettings, {"fits": 2}, "`fits` 2: expected 3 or more"),
        (CubeRealismSettings, {"n": 20, "fits": 21}, "`fits` 21: there are 20 galaxies"),
        (CubeRealismSettings, {"opponent": "cube_gan"}, "is `checkpoint`"),
        (ShearSettings, {"n": 3}, "`n` 3: mocks come in pairs"),
        (ShearSettings, {"sizes": (2.0, 2.0)}, "`sizes` has a number twice"),
    ],
)
def test_what_contradicts_is_refused_by_names_of_settings(kind, given, message):
    with pytest.raises(InputError) as refused:
        kind(**given)
    assert message in str(refused.value)


def test_the_library_names_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"`real` .*: no such file or folder"):
        realism(n=20, real=tmp_path / "nowhere")


def test_a_subcommand_reads_a_file_of_settings(tmp_path, capsys):
    path = tmp_path / "settings.yaml"
    path.write_text("fits: 2\n")
    with pytest.raises(SystemExit) as stopped:
        main(["cubes", "--config", str(path)])
    assert stopped.value.code == 2
    assert "--fits 2: expected 3 or more" in capsys.readouterr().err
    path.write_text("fitz: 2\n")
    with pytest.raises(SystemExit):
        main(["cubes", "--config", str(path)])
    assert "no setting 'fitz' (did you mean fits?)" in capsys.readouterr().err
