"""What isn't a galaxy of the training is flagged; what is usual goes into a card and out again."""

import json

import numpy as np
import pytest
import yaml
from astropy.io import fits

import clumpygan
from clumpygan.assessment.outliers import measure_outliers
from clumpygan.commands.evaluate import main
from clumpygan.evaluation.recovery.observed_features import FEATURES
from clumpygan.instruments import HSC_WIDE_I


@pytest.fixture(scope="module")
def found():
    return measure_outliers(tried=30)


def test_what_the_shipped_network_doesnt_know_is_flagged(found):
    flagged = {name: one["flagged"] for name, one in found.to_dict()["sets"].items()}
    assert flagged["held-out galaxies"] < 0.1
    for name in ("stars of 18 mag", "stars of 20 mag", "saturated stars, 19 mag", "noise",
                 "sloping sky", 'spirals of 4", 18 mag'):  # fmt: skip
        assert flagged[name] > 0.8, name
    # Faint stars are like faint galaxies.
    assert flagged["stars of 24 mag"] < 0.2
    assert "brighter" in found.to_dict()["sets"]["stars of 18 mag"]["differs_by"]


def test_the_program_makes_a_section_of_a_card(tmp_path, capsys):
    numbers, section = tmp_path / "o.json", tmp_path / "p.yaml"
    for _ in range(2):  # the same command again replaces its own files
        main(["outliers", "--n", "500", "--tried", "10", "--anew", "--population", str(section),
              "--metrics", str(numbers)])  # fmt: skip
    assert "saturated stars" in capsys.readouterr().out
    population = yaml.safe_load(section.read_text())["population"]
    assert set(population["middle"]) == set(FEATURES)
    assert json.loads(numbers.read_text())["sets"]["noise"]["n"] == 10


def test_recoveries_say_whether_a_galaxy_is_unusual(tmp_path):
    """The galaxy of a seed is usual; with another zero point it still is; a bright star isn't."""
    usual = clumpygan.recover(seed=7, samples=2, richardson_lucy=False)
    table = usual.to_dict()["population"]
    assert table["likeness"] > 0.01
    assert not table["unusual"]
    assert not any("unlike the galaxies" in remark for remark in usual.remarks)
    star = HSC_WIDE_I.psf(fwhm=0.65).withFlux(3e5)
    image = 30 * np.random.default_rng(1).standard_normal((40, 40))
    image += star.drawImage(nx=40, ny=40, scale=0.168, method="no_pixel").array
    recovery = clumpygan.recover(image, seeing=0.65, pixel_scale=0.168, unit="nJy", samples=2,
                                 variance=np.full((40, 40), 900.0), seed=1,
                                 richardson_lucy=False)  # fmt: skip
    table = recovery.to_dict()["population"]
    assert table["unusual"]
    assert table["likeness"] < 0.01
    assert "extrapolation" in table["meaning"]
    assert any("unlike the galaxies that the network was trained on" in remark
               for remark in recovery.remarks)  # fmt: skip
    recovery.write(tmp_path / "a.fits")
    header = fits.getheader(tmp_path / "a.fits")
    assert header["UNUSUAL"] is True
    assert header["LIKENESS"] == pytest.approx(table["likeness"])
