"""Another survey, from its file of numbers to a recovered image: train.py survey=lsst_i."""

from pathlib import Path

import numpy as np
import pytest

import clumpygan
from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import read_card
from clumpygan.instruments import SurveyPair, get_instrument
from clumpygan.training.run import train
from tests.trainings import QUIET, SMALL_NETWORK, composed

pytestmark = QUIET


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a network of LSST that has seen a few batches."""
    folder = tmp_path_factory.mktemp("lsst")
    train(
        composed(
            "model=super_resolution",
            "survey=lsst_i",
            *SMALL_NETWORK,
            f"output={folder}",
            f"data.cache={folder / 'cache'}",
            "name=lsst",
        )
    )
    return str(folder / "lsst.safetensors")


def test_the_card_names_the_survey_and_its_pixels(checkpoint: str) -> None:
    card = read_card(Path(checkpoint).with_suffix(".yaml"))
    assert SurveyPair.from_card(card["network"]["observation"]) == SurveyPair.of("lsst_i")


def test_a_synthetic_galaxy_is_that_of_the_survey(checkpoint: str) -> None:
    recovery = clumpygan.recover(checkpoint=checkpoint, seed=3, samples=2, richardson_lucy=False)
    assert recovery.scene.pair == SurveyPair.of("lsst_i")
    assert recovery.scene.observed.shape == (36, 36)
    assert recovery.best.shape == (120, 120)
    # The depth of the survey, in a 2" aperture where it is stated for point sources.
    assert recovery.scene.sigma == pytest.approx(get_instrument("lsst_i").sky_sigma, rel=0.01)


def test_an_image_of_the_survey_is_recovered(checkpoint: str) -> None:
    # A source is as smooth as the seeing: pixels that stand out by themselves are taken for hot.
    rows, columns = np.indices((33, 40))
    source = 60.0 * np.exp(-0.5 * ((rows - 16) ** 2 + (columns - 20) ** 2) / 2.0**2)
    image = source + np.random.default_rng(0).normal(0, 2.0, (33, 40))
    recovery = clumpygan.recover(
        image, checkpoint=checkpoint, pixel_scale=0.2, zero_point=31.4, seeing=0.7, seed=1,
        samples=2, richardson_lucy=False,
    )  # fmt: skip
    assert recovery.scene.observed.shape == (33, 42)
    assert recovery.best.shape == (110, 140)
    assert recovery.scene.sigma == pytest.approx(2.0, rel=0.1)


def test_an_image_of_another_survey_is_refused_in_one_line(checkpoint: str) -> None:
    image = np.random.default_rng(0).normal(0, 2.0, (40, 40))
    known = {"zero_point": 27.0, "seeing": 0.7, "seed": 1}
    with pytest.raises(InputError) as refusal:
        clumpygan.recover(image, pixel_scale=0.263, checkpoint=checkpoint, **known)
    assert "is 0.263 arcsec; expected 0.2 arcsec" in str(refusal.value)
    with pytest.raises(InputError) as refusal:
        clumpygan.recover(image, pixel_scale=0.2, **known)
    words = str(refusal.value)
    assert "expected 0.168 arcsec" in words
    assert 'super_resolution for 0.168" to 0.06"' in words
    assert "\n" not in words


def test_a_network_of_another_grid_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"for hsc_wide_i .* not for lsst_i"):
        train(
            composed(
                "model=super_resolution",
                "survey=lsst_i",
                "initial=super_resolution",
                f"output={tmp_path}",
                f"data.cache={tmp_path / 'cache'}",
            )
        )
