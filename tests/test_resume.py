"""A training that was stopped, in whatever way, ends with the weights of one that wasn't."""

import math
import os
import resource
import signal
import subprocess
import sys
import zipfile

import pytest
import pytorch_lightning as pl
import torch

from clumpygan.errors import InputError
from clumpygan.gan import DcganModule
from clumpygan.gan.checkpoint import load_checkpoint, read_card
from clumpygan.training.run import train
from clumpygan.training.states import WholeFiles
from tests.trainings import QUIET, SMALL_DCGAN, SMALL_NETWORK, composed

pytestmark = QUIET


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One rendered sample for all trainings of this file."""
    return tmp_path_factory.mktemp("samples")


@pytest.fixture
def tiny(cache, tmp_path):
    """Compose a training of two epochs of 4 batches in a folder of its own."""

    def make(*overrides, name="run"):
        return composed(
            *SMALL_DCGAN, f"data.cache={cache}", f"output={tmp_path / name}", "name=tiny",
            *overrides,
        )  # fmt: skip

    return make


class SignalAt(pl.Callback):
    """Send a signal to this process in the middle of a step, after so many images."""

    def __init__(self, images, number):
        self.images, self.number = images, number

    def on_before_backward(self, trainer, pl_module, loss):
        if pl_module.images_seen == self.images:
            self.images = None
            os.kill(os.getpid(), self.number)


def last_state(folder):
    return torch.load(folder / "last.ckpt", weights_only=True)


def assert_same(first, second):
    """Compare weights, averages, and the moments of both optimisers, bit for bit."""
    a, b = last_state(first), last_state(second)
    assert a["images_seen"] == b["images_seen"]
    assert a["curve"] == b["curve"]
    assert a["state_dict"].keys() == b["state_dict"].keys()
    for name, value in a["state_dict"].items():
        assert torch.equal(value, b["state_dict"][name]), name
    for one, other in zip(a["optimizer_states"], b["optimizer_states"], strict=True):
        for key, moments in one["state"].items():
            assert torch.equal(moments["exp_avg_sq"], other["state"][key]["exp_avg_sq"])
    cards = [read_card(folder / "tiny.yaml") for folder in (first, second)]
    assert cards[0]["held_out"] == cards[1]["held_out"]
    networks = [load_checkpoint(str(folder / "tiny"), (cards[0]["network"]["name"],))[0]
                for folder in (first, second)]  # fmt: skip
    for one, other in zip(*(network.state_dict().values() for network in networks), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("number", "stop", "images", "workers"),
    [
        (signal.SIGINT, KeyboardInterrupt, 8, 0),
        (signal.SIGTERM, SystemExit, 20, 1),
        # In the last step of an epoch.
        (signal.SIGINT, KeyboardInterrupt, 12, 0),
    ],
)
def test_a_signal_in_mid_epoch_saves_at_once(number, stop, images, workers, tiny, tmp_path, caplog):
    caplog.set_level("INFO", "clumpygan")
    train(tiny(name="whole"))
    parts = tiny(f"data.num_workers={workers}", name="parts")
    before = signal.getsignal(number)
    with pytest.raises(stop) as stopped:
        train(parts, [SignalAt(images, number)])
    assert signal.getsignal(number) == before
    # The step under way is completed.
    assert last_state(tmp_path / "parts")["images_seen"] == images + 4
    assert f"saved at {images + 4} images: the same command goes on" in caplog.text
    if stop is SystemExit:
        assert stopped.value.code == 143
    train(parts)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_super_resolution_resumes_in_mid_epoch(cache, tmp_path):
    configs = [
        composed(*SMALL_NETWORK, f"data.cache={cache}", f"output={tmp_path / name}", "name=tiny")
        for name in ("whole", "parts")
    ]
    train(configs[0])
    with pytest.raises(KeyboardInterrupt):
        # Right before the discriminator joins.
        train(configs[1], [SignalAt(20, signal.SIGINT)])
    train(configs[1])
    assert_same(tmp_path / "whole", tmp_path / "parts")


KILLED = """
import sys
from clumpygan.training.run import train
from tests.test_resume import SignalAt, composed, signal
train(composed(*sys.argv[1:]), [SignalAt(24, signal.SIGKILL)])
"""


def test_kill_9_in_mid_training(tiny, cache, tmp_path):
    train(tiny(name="whole"))
    words = [*SMALL_DCGAN, f"data.cache={cache}", f"output={tmp_path / 'parts'}", "name=tiny"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert last_state(tmp_path / "parts")["images_seen"] == 16
    train(tiny(name="parts"))
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_slurm_asks_to_leave_and_queues_the_job_again(tiny, tmp_path, monkeypatch):
    train(tiny(name="whole"))
    places = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")
    for name, value in {
        "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NAME": "train",
        "SLURM_JOB_ID": "7", **dict.fromkeys(places, "0"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    asked = tmp_path / "asked"
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {asked}\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(scontrol.parent), prepend=os.pathsep)
    with pytest.raises(SystemExit) as stopped:
        train(tiny(name="parts"), [SignalAt(20, signal.SIGUSR1)])
    assert stopped.value.code == 143
    assert asked.read_text() == "requeue 7\n"
    assert not list((tmp_path / "parts").glob("hpc*"))
    # The job begins again with the same command, even if that is to begin anew.
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    train(tiny("ckpt_path=null", name="parts"))
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_a_second_ctrl_c_stops_at_once_with_the_state_before(tiny, tmp_path):
    class Impatient(pl.Callback):
        def on_before_backward(self, trainer, pl_module, loss):
            if pl_module.images_seen == 24:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tiny(), [Impatient()])
    assert last_state(tmp_path / "run")["images_seen"] == 16


class Failing(pl.Callback):
    """The criterion as it is told to be, validation by validation."""

    def __init__(self, *values):
        self.values = list(values)

    def on_validation_epoch_end(self, trainer, pl_module):
        original = pl_module.record
        pl_module.record = lambda metrics: original(metrics | {"frechet": self.values.pop(0)})

    def on_validation_end(self, trainer, pl_module):
        del pl_module.record


def test_the_best_state_is_kept_and_its_network_written(tiny, tmp_path):
    config = tiny("shorten_to=64", "callbacks.early_stopping.patience=2")
    metrics = train(config, [Failing(3.0, 1.0, float("nan"), 2.0)])
    assert metrics["frechet"] == 1.0
    best = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)
    network, card = load_checkpoint(str(tmp_path / "run" / "tiny"), ("dcgan",))
    assert best["images_seen"] == card["images_seen"] == card["held_out"]["images"] == 32
    assert card["images_trained"] == 64
    assert [point["images"] for point in card["curve"]] == [16, 32, 48, 64]
    for name, value in network.state_dict().items():
        assert torch.equal(value, best["state_dict"][f"average.{name}"])
        assert not torch.equal(value, last_state(tmp_path / "run")["state_dict"][f"average.{name}"])


def test_early_stopping_counts_validations_and_stays_stopped(tiny, tmp_path, caplog):
    caplog.set_level("INFO", "clumpygan")
    config = tiny("shorten_to=96", "callbacks.early_stopping.patience=2")
    train(config, [Failing(1.0, 2.0, 3.0)])
    assert last_state(tmp_path / "run")["images_seen"] == 48
    said = "stopped at 48 images: frechet has not improved in 2 validations"
    assert caplog.text.count(said) == 1
    train(config)
    assert last_state(tmp_path / "run")["images_seen"] == 48
    assert caplog.text.count(said) == 2


def test_going_on_from_the_best_state_or_a_path_or_anew(tiny, tmp_path):
    run = tmp_path / "run"
    train(tiny(), [Failing(1.0, 2.0)])
    best = torch.load(run / "best.ckpt", weights_only=True)
    assert best["images_seen"] == 16
    train(tiny("ckpt_path=best"))
    assert last_state(run)["curve"][0] == best["curve"][0]
    assert last_state(run)["images_seen"] == 32
    # Other learning rates are allowed there, on purpose.
    train(tiny(f"ckpt_path={run / 'best.ckpt'}", "model.schedule.peak=1e-5", name="other"))
    assert last_state(tmp_path / "other")["images_seen"] == 32
    with pytest.raises(InputError, match=r"nothing is left to train"):
        train(tiny(f"ckpt_path={run / 'last.ckpt'}", name="third"))
    train(tiny(f"ckpt_path={run / 'last.ckpt'}", "shorten_to=48", name="third"))
    assert last_state(tmp_path / "third")["images_seen"] == 48
    train(tiny("ckpt_path=null"), [Failing(5.0, 6.0)])
    assert [point["frechet"] for point in last_state(run)["curve"]] == [5.0, 6.0]


def test_bad_states_are_one_line(tiny, tmp_path):
    with pytest.raises(InputError, match=r"there is no .*best\.ckpt"):
        train(tiny("ckpt_path=best"))
    with pytest.raises(InputError, match=r"there is no nowhere\.ckpt"):
        train(tiny("ckpt_path=nowhere.ckpt"))
    train(tiny())
    last = tmp_path / "run" / "last.ckpt"
    with pytest.raises(InputError, match=r"other settings \(model\.generator\.channels\)"):
        train(tiny(f"ckpt_path={last}", "model.generator.channels=8", name="other"))
    with pytest.raises(InputError, match=r"other settings \(data\.batch_size\)"):
        train(tiny(f"ckpt_path={last}", "data.batch_size=8", name="other"))
    # A state without its settings beside it.
    alone = last.rename(tmp_path / "alone.ckpt")
    with pytest.raises(InputError, match=r"alone\.ckpt is a state of other networks"):
        train(tiny(f"ckpt_path={alone}", "model.generator.channels=8", name="other"))
    alone.write_bytes(alone.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"alone\.ckpt is truncated"):
        train(tiny(f"ckpt_path={alone}", name="other"))
    # An archive, but of something else: said before data are rendered.
    with zipfile.ZipFile(alone, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(InputError, match=r"alone\.ckpt is damaged"):
        train(tiny(f"ckpt_path={alone}", f"data.cache={tmp_path / 'cache'}", name="other"))
    assert not (tmp_path / "cache").exists()
    (tmp_path / "run" / "settings.json").write_text("[1]")
    with pytest.raises(InputError, match=r"settings\.json holds no settings, so nobody knows"):
        train(tiny(f"ckpt_path={tmp_path / 'run' / 'best.ckpt'}"))


class Stranger:
    """What runs code when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


def test_a_strangers_state_is_refused_and_runs_nothing(tiny, tmp_path):
    train(tiny())
    last = tmp_path / "run" / "last.ckpt"
    state, trace = torch.load(last, weights_only=True), tmp_path / "trace"
    torch.save(state | {"more": Stranger(trace)}, tmp_path / "stranger.ckpt")
    with pytest.raises(InputError, match=r"stranger\.ckpt is refused: .* running code") as refused:
        train(tiny(f"ckpt_path={tmp_path / 'stranger.ckpt'}", name="other"))
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"stranger\.ckpt is refused"):
        DcganModule.load_from_checkpoint(tmp_path / "stranger.ckpt")
    # And as the best one of a run, whose weights become the network.
    (tmp_path / "stranger.ckpt").replace(tmp_path / "run" / "best.ckpt")
    with pytest.raises(InputError, match=r"best\.ckpt is refused"):
        train(tiny())
    assert not trace.exists()


def test_states_that_are_none_are_one_line(tiny, tmp_path):
    train(tiny())
    whole = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    data = bytearray((tmp_path / "run" / "last.ckpt").read_bytes())
    lacking = [{key: one for key, one in whole.items() if key != name}
               for name in ("state_dict", "loops", "curve", "images_seen", "optimizer_states",
                            "pytorch-lightning_version")]  # fmt: skip
    odd = tmp_path / "odd.ckpt"
    for state in ([1], {"a": 1}, torch.zeros(3), whole | {"images_seen": math.nan}, *lacking):
        torch.save(state, odd)
        with pytest.raises(InputError, match=r"odd\.ckpt isn't the state of a training"):
            train(tiny(f"ckpt_path={odd}", name="other"))
    # Before the archive a string of a pickle, which says that it is of 1.6 GB.
    odd.write_bytes(b"\x80\x02X\x00\x00\x00\x60" + data)
    assert zipfile.is_zipfile(odd)
    with pytest.raises(InputError, match=r"odd\.ckpt is damaged \(it doesn't begin as"):
        train(tiny(f"ckpt_path={odd}", name="other"))
    # In the numbers, which nothing but a checksum notices, and in the table of contents.
    for place in (len(data) // 2, len(data) - 200):
        odd.write_bytes(data[:place] + bytes([one ^ 255 for one in data[place : place + 100]])
                        + data[place + 100 :])  # fmt: skip
        with pytest.raises(InputError, match=r"odd\.ckpt is (damaged|refused|truncated)"):
            train(tiny(f"ckpt_path={odd}", f"data.cache={tmp_path / 'cache'}", name="other"))
        assert not (tmp_path / "cache").exists()


def test_a_state_of_mid_epoch_needs_as_many_processes(tiny, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), [SignalAt(20, signal.SIGINT)])
    last = tmp_path / "run" / "last.ckpt"
    state = torch.load(last, weights_only=True)
    # As two processes leave it: half as many steps.
    for count in ("ready", "started", "processed", "completed"):
        state["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"][count] = 1
    torch.save(state, last)
    with pytest.raises(InputError, match="in mid-epoch, at 24 images, by another number"):
        train(tiny())


def test_a_state_half_written_leaves_the_one_before(tiny, tmp_path, monkeypatch):
    train(tiny(), [Failing(1.0, 2.0)])
    before = (tmp_path / "run" / "last.ckpt").read_bytes()

    def half(state, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("clumpygan.training.states.torch.save", half)
    with pytest.raises(OSError, match="no space"):
        train(tiny("ckpt_path=best"))
    assert (tmp_path / "run" / "last.ckpt").read_bytes() == before
    assert not list((tmp_path / "run").glob(".*ckpt"))


@pytest.mark.parametrize("most", [1, 3000, 200_000])
def test_a_limit_of_the_size_of_files_is_told_with_the_file(most, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    state = {"state_dict": {"weight": torch.zeros(100_000)}}
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(OSError, match=r"large.*last\.ckpt"):
            WholeFiles().save_checkpoint(state, tmp_path / "last.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_exploding_losses_leave_the_last_good_state(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("clumpygan.gan.training.PATIENCE", 2)
    broken = SignalAt(-1, 0)

    def poison(trainer, pl_module, batch, batch_index):
        if pl_module.images_seen >= 16:
            batch["image"].mul_(float("nan"))

    broken.on_train_batch_start = poison
    with pytest.raises(InputError, match=r"the losses exploded: .* at 24 images"):
        train(tiny(), [broken])
    assert last_state(tmp_path / "run")["images_seen"] == 16
    train(tiny())
    assert last_state(tmp_path / "run")["images_seen"] == 32


def test_networks_that_are_not_finite_are_not_saved(tiny, tmp_path):
    class Poison(pl.Callback):
        def on_validation_start(self, trainer, pl_module):
            if pl_module.images_seen == 32:
                next(pl_module.discriminator.parameters()).data.fill_(float("inf"))

    with pytest.raises(InputError, match="networks are not finite at 32 images"):
        train(tiny(), [Poison()])
    assert last_state(tmp_path / "run")["images_seen"] == 16
