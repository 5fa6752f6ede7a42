"""The classifier that ships, and for which surveys it is."""

import pytest
import torch

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.blended_galaxies import SyntheticBlends
from clumpygan.gan.blend_odds import BlendOdds, blend_odds_of
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.gan.gan_settings import CLASSIFIER
from clumpygan.instruments import SurveyPair

OTHER = SurveyPair.of("des_i", "hst_wfc3_f160w")


@pytest.fixture(scope="module")
def odds():
    return BlendOdds.from_checkpoint()


def test_pairs_have_larger_odds_than_single_galaxies(odds):
    batch = SyntheticBlends(seed=7).batch(range(24))
    said = odds.of(batch.observed, batch.sigma, batch.psf)
    assert said.dtype == torch.float32
    pair = torch.arange(24) % 3 == 0
    assert said[pair].mean() - said[~pair].mean() > 2
    assert torch.allclose(odds.of(batch.observed[:2], batch.sigma[:2], first_two(batch.psf)),
                          said[:2], atol=1e-4)  # fmt: skip


def first_two(psf):
    return lambda frequencies: psf(frequencies)[:2]


def test_it_is_for_images_of_its_survey_alone(odds):
    assert odds.refusal(SurveyPair.of()) is None
    told = odds.refusal(OTHER)
    assert "is for hsc_wide_i" in told
    assert "train.py model=blend_classifier" in told
    assert blend_odds_of(CLASSIFIER, SurveyPair.of()) is not None
    assert blend_odds_of(CLASSIFIER, OTHER) is None


def test_one_of_your_own_must_be_for_the_survey(tmp_path):
    small = {"channels": [4, 4, 4], "blocks": [1, 1, 1], "conditions": 4}
    network = {"name": "blend_classifier", "arguments": small}
    save_checkpoint(
        tmp_path / "own", build_network("blend_classifier", small), {"network": network}
    )
    name = str(tmp_path / "own.safetensors")
    assert blend_odds_of(name, SurveyPair.of()) is not None
    with pytest.raises(InputError, match=r"`classifier` is .*own\.safetensors: the classifier"):
        blend_odds_of(name, OTHER)
    with pytest.raises(InputError, match="is a checkpoint of super_resolution"):
        BlendOdds.from_checkpoint("super_resolution")
