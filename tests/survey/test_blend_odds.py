"""The catalogue tells the odds that a galaxy is two, by the observed image alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from clumpygan.gan.blend_odds import BlendOdds
from clumpygan.survey import patches, recovering, run
from clumpygan.survey.columns import COLUMNS
from clumpygan.survey.patches import read_patch


def test_the_catalogue_has_the_odds_of_each_galaxy(recover, monkeypatch):
    """Of the stamp and its noise with what is shared; of those with a hole in the middle none."""
    asked = []
    real = BlendOdds.of

    def kept(self, observed, sigma, transfer):
        asked.append((observed, float(sigma)))
        return real(self, observed, sigma, transfer)

    monkeypatch.setattr(BlendOdds, "of", kept)
    monkeypatch.setattr(patches, "_shared_noise", lambda image, sigma: 1.2)
    table = recover(workers=1)
    good = table[table["status"] == "good"]
    assert np.nanmax(good["blend_odds"]) - np.nanmin(good["blend_odds"]) > 1
    assert np.isnan(table["blend_odds"][table["status"] != "good"]).all()
    patch = read_patch(Path("patch/calexp.fits"), 0.168)
    y, x = np.indices((40, 40)) - 19.5
    core = np.hypot(y, x) * 0.168 < 1.2
    whole = [(patch.cut(row["x"], row["y"], 40)[2] & core).sum() <= 4 for row in good]
    assert np.array_equal(np.isfinite(good["blend_odds"]), whole)
    assert 15 < len(asked) == sum(whole) < len(good)
    holes = 0
    for row, (observed, sigma) in zip(good[whole], asked, strict=True):
        data, _, mask = patch.cut(row["x"], row["y"], 40)
        assert torch.isfinite(observed).all()
        assert np.array_equal(observed[0, 0].numpy()[~mask], data[~mask])
        assert sigma == pytest.approx(1.2 * row["noise"], rel=1e-5)
        if mask.any():
            # Where nothing is known there is noise, not what the file happens to hold.
            assert np.std(observed[0, 0].numpy()[mask]) > 0.3 * row["noise"]
            holes += 1
    assert holes
    assert "exp(-blend_odds)" in COLUMNS["blend_odds"][2]
    assert len(yaml.safe_load(Path("out/card.yaml").read_text())["classifier_sha256"]) == 64


def test_another_survey_has_none_and_the_card_says_why(recover, monkeypatch):
    monkeypatch.setattr(run, "blend_odds_of", lambda checkpoint, pair: None)
    monkeypatch.setattr(recovering, "odds_of", lambda checkpoint, pair, precision: None)
    monkeypatch.setattr(BlendOdds, "refusal", lambda self, pair: "it is for others")
    table = recover(workers=1)
    assert np.isnan(table["blend_odds"]).all()
    assert (table["status"] == "good").sum() > 15
    assert yaml.safe_load(Path("out/card.yaml").read_text())["no_blend_odds"] == "it is for others"
