"""Blends that samples show are recognised, and P(blend) is held against what HST shows."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clumpygan.assessment import blend_bench
from clumpygan.assessment.blends import METHODS, measure_blends
from clumpygan.commands.evaluate import main
from clumpygan.errors import InputError
from clumpygan.evaluation.recovery import blends
from clumpygan.evaluation.recovery.deblenders import FittedPair
from clumpygan.recovery.resolver import Recovered, SuperResolver


class Fitted(FittedPair):
    score = property(lambda self: self.gain)


def split_and_share(image, sigma, psf, pixel_scale):
    """Do in place of scarlet2 what is done with HSC's image; the PSF is that of HSC."""
    middle = psf.shape[0] // 2
    assert psf[middle, middle] == psf.max()
    assert 10 < psf.sum() / psf.max() < 50  # seeing of 0.5-0.9" in pixels of 0.168"
    found = blends.split_image(image, sigma, pixel_scale)
    fluxes = np.full(2, np.nan)
    if np.isfinite(found.places).all():
        fluxes = np.array(blends.share_light(image, found.places, pixel_scale))
    return Fitted(found.contrast, 0.0, found.places, fluxes)


@pytest.fixture(scope="module")
def perfect():
    """Whose samples are the truth, but for every other galaxy of which half are blurred."""
    real = SuperResolver.from_checkpoint()

    class Perfect(SuperResolver):
        def recover(self, observed, sigma, transfer, *, samples=16, seed=0):
            truth = self.truth
            blurred = torch.nn.functional.avg_pool2d(truth, 25, 1, 12)
            half = torch.stack([truth] * (samples // 2) + [blurred] * (samples // 2))
            whole = torch.stack([truth] * samples)
            odd = (torch.arange(len(truth)) % 2 == 1)[:, None, None, None]
            drawn = torch.where(odd, half, whole)
            return Recovered(drawn[0], drawn)

    batch = blend_bench.SyntheticBlends.batch

    def kept(self, indices):
        found = batch(self, indices)
        Perfect.truth = found.truth
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blend_bench.SyntheticBlends, "batch", kept)
        patch.setattr(SuperResolver, "from_checkpoint",
                      classmethod(lambda cls, name: Perfect(real.network, real.card)))  # fmt: skip
        patch.setattr(blend_bench, "RICHARDSON_LUCY_ITERATIONS", 5)
        patch.setattr(blend_bench, "load_deblender", lambda package: None)
        patch.setattr(blend_bench, "split_by_sextractor", blends.split_image)
        patch.setattr(blend_bench, "fit_pair", split_and_share)
        blend_bench.blend_bench.cache_clear()
        found = measure_blends(n=25, samples=4, workers=1, seed=2, peers=("sextractor", "scarlet2"))
    blend_bench.blend_bench.cache_clear()
    return found


def test_a_perfect_recovery_recognises_what_hst_does(perfect):
    table = perfect.to_dict()
    methods = table["methods"]
    assert tuple(methods) == (*METHODS, "sextractor", "sextractor_rl", "scarlet2")
    assert METHODS[-1] == "classifier"
    assert methods["sextractor"] == methods["scarlet2"] == methods["hsc"]
    assert methods["sextractor_rl"] == methods["richardson_lucy"]
    assert methods["hsc"]["magnitude"]["fainter"]["n"] > 0
    assert methods["network"] == methods["hst"] == methods["sample"]
    assert methods["hst"]["unrecognised"] < methods["hsc"]["unrecognised"]
    assert sum(one["n"] for one in methods["hst"]["by_separation"].values()) == 25
    assert sum(one["n"] for one in methods["hst"]["by_magnitude"].values()) == 25
    assert sum(one["n"] for one in methods["hst"]["by_flux_ratio"].values()) == 25
    far = methods["hst"]["by_separation"]["0.8-1.2"]["unrecognised"]
    near = methods["hst"]["by_separation"]["0.2-0.4"]["unrecognised"]
    assert far < near
    errors = methods["hst"]["magnitude"]
    assert errors["brighter"]["median_abs"] < 0.1
    assert errors["fainter"]["n"] == round(25 * methods["hst"]["both_found"]) > 3
    assert methods["hst"]["centroid"]["brighter"]["median"] < 0.1
    # Of the same image centres tell more blends than parts do, also of those nearer together.
    assert methods["centres"]["unrecognised"] < methods["network"]["unrecognised"]
    assert 3 < methods["centres"]["magnitude"]["fainter"]["n"] <= 25
    json.dumps(table, allow_nan=False)


def test_p_blend_is_held_against_hst(perfect):
    rows = perfect.outcomes.kind != 2
    shown = perfect.outcomes.seen["hst"].contrast > perfect.contrast
    odd = np.arange(len(rows)) % 15 % 2 == 1
    # All samples of even galaxies show what HST shows, half of those of odd ones.
    assert np.array_equal(perfect.probability[~odd], shown[~odd].astype(float))
    assert set(perfect.probability[odd & shown]) == {0.5}
    found = perfect.reliability
    assert found.true == shown[rows].sum() > 5
    bins = {one["probability"]: one for one in found.reliability}
    assert bins[0.5]["true"] == bins[1.0]["true"] == 1
    assert bins[0.0]["true"] == 0
    assert perfect.found_in_catalogue["samples"] > 0.2


def test_the_classifier_recognises_blends_in_the_surveys_own_image(perfect):
    table = perfect.to_dict()
    row, hsc = table["methods"]["classifier"], table["methods"]["hsc"]
    assert row["unrecognised"] < 0.7 < hsc["unrecognised"]
    assert row["false_splits"] < 0.3
    # It says how sure it is, not where they are.
    assert row["both_found"] is None
    assert row["magnitude"]["fainter"]["n"] == 0
    said = table["blend_odds"]
    assert said["true"] == 25
    assert said["shown"] == 50
    assert said["expected_calibration_error"] < 0.2
    scores = perfect.score("classifier")
    assert ((scores > 0) & (scores < 1)).all()
    # The farther apart two galaxies are, the surer it is.
    apart = perfect.outcomes.separation
    far, near = (apart > 0.6) & perfect.is_pair, (apart < 0.6) & perfect.is_pair
    assert scores[far].mean() > scores[near].mean() + 0.1 > scores[~perfect.is_pair].mean() + 0.2
    catalogue = table["catalogue"]
    assert set(catalogue["found_by"]) == set(table["methods"])
    assert catalogue["best"] != "hst"
    assert catalogue["found"] == catalogue["found_by"][catalogue["best"]]
    assert catalogue["found_by"]["classifier"] > 0.4
    assert "classifier" in str(perfect)


def test_a_survey_without_a_classifier_has_no_such_row(perfect):
    outcomes = replace(
        perfect.outcomes,
        seen={name: one for name, one in perfect.outcomes.seen.items() if name != "classifier"},
    )
    table = replace(perfect, outcomes=outcomes).to_dict()
    assert "classifier" not in table["methods"]
    assert table["blend_odds"] is None


def test_a_deblender_that_isnt_there_is_said_first(monkeypatch):
    monkeypatch.setitem(sys.modules, "scarlet2", None)
    blend_bench.blend_bench.cache_clear()
    with pytest.raises(InputError, match="needs scarlet2"):
        measure_blends(n=4, peers=("scarlet2",))
    with pytest.raises(InputError, match="`peers` is of galaxies that are made"):
        measure_blends(observed=Path("blends"), peers=("scarlet2",))


def test_the_program_writes_numbers_and_a_picture(tmp_path, capsys):
    numbers, picture = tmp_path / "b.json", tmp_path / "b.png"
    tables = []
    for workers in (1, 2):  # the same numbers, whoever works
        main(["blends", "--n", "6", "--samples", "4", "--workers", str(workers), "--metrics",
              str(numbers), "--picture", str(picture)])  # fmt: skip
        tables.append(json.loads(numbers.read_text()))
    table = tables[0]
    assert table["methods"] == tables[1]["methods"]
    assert {"unrecognised", "false_splits", "curve"} <= set(table["methods"]["samples"])
    assert table["settings"]["n"] == 6
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "richardson_lucy" in capsys.readouterr().out
