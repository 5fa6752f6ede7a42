"""Each kind of run has a folder of its own, and one training at a time writes into it."""

import pytest
from hydra import compose, initialize_config_dir

from clumpygan.errors import InputError
from clumpygan.io.atomic import only_one
from clumpygan.training.run import train
from tests.trainings import CONFIGS, QUIET, SMALL_DCGAN, composed

pytestmark = QUIET


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        (["model=dcgan"], "dcgan"),
        (["model=dcgan", "debug=fast"], "dcgan_fast"),
        (["model=dcgan", "debug=overfit"], "dcgan_overfit"),
        (["model=dcgan", "data=mnist"], "dcgan_mnist"),
        (["model=dcgan", "data.root=cutouts/gs"], "dcgan_gs"),
        (["model=dcgan", "name=own"], "own"),
        (["experiment=dcgan_published"], "dcgan_published"),
        (["experiment=dcgan_cpu"], "dcgan_cpu"),
        (["model=cube_gan", "data=cubes"], "cube_gan_cubes"),
        (["data=stamps", "data.stamps=real/"], "super_resolution_stamps_real"),
        (["survey=lsst_i"], "super_resolution_lsst_i"),
        (["sweep=optuna"], "search/super_resolution"),
    ],
)
def test_what_is_another_training_has_another_folder(words, folder):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", words)
    assert config.output == f"outputs/{folder}"


def test_a_folder_holds_one_training_at_a_time(tmp_path):
    config = composed(*SMALL_DCGAN, f"output={tmp_path / 'run'}", f"data.cache={tmp_path}")
    (tmp_path / "run").mkdir()
    with (
        only_one(tmp_path / "run"),
        pytest.raises(InputError, match="another process is writing into"),
    ):
        train(config)
    assert not (tmp_path / "run" / "settings.json").exists()
