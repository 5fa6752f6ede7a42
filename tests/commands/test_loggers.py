"""Loggers get pictures, losses, held-out metrics, the configuration, and the trained network."""

import csv
import signal
import sys
from types import ModuleType

import pytest

from clumpygan.errors import InputError
from clumpygan.training.run import train
from tests.test_resume import SignalAt
from tests.trainings import QUIET, SMALL_DCGAN, composed

pytestmark = QUIET


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("samples")


@pytest.fixture
def tiny(cache, tmp_path):
    def make(*overrides):
        return composed(
            *SMALL_DCGAN, f"data.cache={cache}", f"output={tmp_path / 'run'}", "name=tiny",
            "callbacks.pictures=2", *overrides,
        )  # fmt: skip

    return make


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_wandb_offline_keeps_it_all_and_a_resumed_training_joins(tiny, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    with pytest.raises(KeyboardInterrupt):
        train(tiny("logger=wandb"), [SignalAt(20, signal.SIGINT)])
    train(tiny("logger=wandb"))
    # What the process of Weights & Biases hasn't written yet, it writes when it ends.
    wandb.teardown()
    assert not list(elsewhere.iterdir())
    files = sorted((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
    # One folder for each start, of one run.
    assert len(files) == 2
    assert len({file.name for file in files}) == 1
    # What is logged stands in these files by name.
    logged = b"".join(file.read_bytes() for file in files)
    for name in (
        *("total_images", "callbacks"),
        *("train/discriminator", "val/frechet", "galaxies", "held_out"),
        *("tiny-network", "tiny.safetensors", "tiny.yaml"),
    ):
        assert name.encode() in logged, name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_losses_metrics_pictures_and_the_configuration(tiny, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tiny("logger=tensorboard"))
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/discriminator", "val/frechet"} <= set(tags["scalars"])
    assert [point.step for point in events.Scalars("val/frechet")] == [16, 32]
    assert [image.step for image in events.Images("galaxies")] == [16, 32]
    text = events.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0]
    assert b"batch_size: 4" in text


def test_csv_files_say_nothing_and_hold_losses_and_metrics(tiny, tmp_path, caplog, capsys):
    caplog.set_level("INFO", "clumpygan")
    metrics = train(tiny())
    written = (tmp_path / "run" / "logs" / "version_0" / "metrics.csv").read_text()
    rows = list(csv.DictReader(written.splitlines()))
    assert {row["step"] for row in rows if row["train/discriminator"]} == {"16", "32"}
    assert {row["step"] for row in rows if row["val/frechet"]} == {"16", "32"}
    # A line for each epoch, and one for the network.
    assert not capsys.readouterr().out
    *epochs, network = caplog.messages
    assert len(epochs) == 2
    assert network.endswith(f"run/tiny.safetensors: frechet {metrics['frechet']:.4g} at 32 images")


def test_a_bar_is_drawn_where_asked_for(tiny, capsys):
    train(tiny("callbacks.progress_bar=true"))
    drawn = capsys.readouterr().err
    assert "32/32" in drawn
    assert "images/s" in drawn
    assert "discriminator=" in drawn


@pytest.mark.parametrize(("package", "name"), [("wandb", "wandb"), ("tensorboard", "tensorboard")])
def test_a_missing_package_is_asked_for_by_name(package, name, tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"clumpygan\[{name}\]"):
        train(tiny(f"logger={name}"))


def test_wandb_online_needs_a_key(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(InputError, match="WANDB_API_KEY"):
        train(tiny("logger=wandb", "logger.offline=false"))
