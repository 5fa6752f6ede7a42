"""Every model learns one batch by heart."""

import pytest

from clumpygan.gan.checkpoint import read_card
from clumpygan.training.run import train
from tests.trainings import QUIET, SMALL_DCGAN, SMALL_NETWORK, composed

pytestmark = QUIET


@pytest.mark.parametrize(
    ("model", "images", "epochs", "better"),
    [
        # Error of the recovered images.
        ([*SMALL_NETWORK, "model.schedule.peak=4e-3", "data.batch_size=2"], 192, 10, 0.82),
        # Distance of the statistics of the generated images from those of the batch.
        (SMALL_DCGAN, 128, 5, 0.5),
    ],
    ids=["super_resolution", "dcgan"],
)
def test_a_batch_is_learnt_by_heart(model, images, epochs, better, tmp_path):
    folders = [f"data.cache={tmp_path / 'cache'}", f"output={tmp_path / 'run'}", "name=tiny"]
    lengths = [f"data.images_per_epoch={images}", f"shorten_to={epochs * images}"]
    train(composed("debug=overfit", *model, *folders, *lengths))
    card = read_card(tmp_path / "run" / "tiny.yaml")
    curve = [point[card["criterion"]] for point in card["curve"]]
    assert len(curve) == epochs
    assert card["held_out"][card["criterion"]] < better * curve[0]
