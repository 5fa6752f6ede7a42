"""Grids, searches and launchers: every job is trained, and one table says which was best."""

import csv
import json
import math
import shlex
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from clumpygan.commands.train import main
from clumpygan.errors import InputError
from clumpygan.gan.checkpoint import load_checkpoint
from clumpygan.io.atomic import only_one
from clumpygan.resources import resource_folder
from clumpygan.training.sweeps import job as sweep_job
from clumpygan.training.sweeps.results import Result, job_folder, read_results
from clumpygan.training.sweeps.space import Choice, Range, read_space
from clumpygan.training.sweeps.table import show_table

CONFIGS = resource_folder("configs")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    # The threads of a pool are torch's own business.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]

QUIET = ["hydra/hydra_logging=none"]
TINY = [
    *("model=dcgan", "data=mnist", "debug=fast", "threads=1", "callbacks.pictures=0"),
    *("data.train_size=8", "data.val_size=4", "data.batch_size=4", "data.images_per_epoch=16"),
    *("model.generator.channels=4", "model.discriminator.channels=4"),
]
SEARCH = ["sweep=optuna", "sweep.startup_trials=2", "sweep.warm_up=0", *TINY]


@pytest.fixture
def train_py(tmp_path, monkeypatch, capsys):
    """Run train.py in an empty folder; return its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["train.py", *words, *QUIET])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def fake_training(monkeypatch):
    """Replace trainings by curves of two points, of which a function of the job says the value."""

    def replace(value):
        trained = []

        def train(config, callbacks, **_):
            trained.append(Path(config.output).name)
            module = SimpleNamespace(criterion="frechet", curve=[], seconds=2.0, total_images=32)
            trainer = SimpleNamespace(sanity_checking=False, should_stop=False)
            for callback in callbacks:
                callback.setup(trainer, module, "fit")
            for images in (16, 32):
                if not trainer.should_stop:
                    module.curve.append({"images": images, "frechet": value(config, images)})
                    for callback in callbacks:
                        callback.on_validation_end(trainer, module)

        monkeypatch.setattr(sweep_job, "train", train)
        return trained

    return replace


def table(folder):
    with (Path(folder) / "results.csv").open() as handle:
        return list(csv.DictReader(handle))


def tries(folder):
    """Return the proposals of a search, in their order."""
    return [result.overrides[-4:] for result in read_results(Path(folder))]


def test_a_grid_trains_every_job_and_names_the_best(train_py, monkeypatch):
    grid = ["-m", *TINY, "model.generator.latent_dim=4,8", "data.batch_size=4,3"]
    done = train_py(*grid)
    # Epochs of 16 aren't whole batches of 3: these two fail, and the others don't suffer from it.
    assert done.code == 2
    assert "train.py: error: 2 of 4 jobs failed, the first with: data.images_" in done.err
    rows = table("outputs/multirun/dcgan")
    assert [row["status"] for row in rows] == ["finished", "finished", "failed", "failed"]
    assert [row["data.batch_size"] for row in rows] == ["4", "4", "3", "3"]
    assert {row["model.generator.latent_dim"] for row in rows[:2]} == {"4", "8"}
    assert float(rows[0]["best"]) <= float(rows[1]["best"])
    assert rows[0]["criterion"] == "frechet"
    assert rows[0]["images"] in ("16", "32")
    assert float(rows[0]["seconds"]) > 0
    assert "expected a multiple of 3" in rows[2]["message"]
    for row in rows[:2]:
        network, _ = load_checkpoint(f"{row['folder']}/dcgan", ("dcgan",))
        assert network.latent_dim == int(row["model.generator.latent_dim"])
    dimension = rows[0]["model.generator.latent_dim"]
    assert f"best: data.batch_size=4 model.generator.latent_dim={dimension} (frechet" in done.out
    assert "finished" in done.out

    # The command that is printed composes the same training.
    command = shlex.split(done.out.partition("train it again: ")[2])
    assert command[:2] == ["python", "train.py"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        again = OmegaConf.to_container(compose("train", command[2:]), resolve=True)
    kept = json.loads((Path(rows[0]["folder"]) / "settings.json").read_text())
    assert again["name"] == "dcgan_best"
    assert again["output"] == "outputs/dcgan_best_mnist_fast"
    assert again["model"]["generator"] == kept["model"]["generator"]

    # Started again with more values, nothing is trained twice, and what failed is forgotten.
    monkeypatch.setattr(sweep_job, "train", lambda *_: pytest.fail("trained twice"))
    done = train_py(*grid[:-1])
    assert done.code == 0
    assert "finished before" in done.out
    assert [row["best"] for row in table("outputs/multirun/dcgan")] == [r["best"] for r in rows[:2]]


def test_an_interrupted_grid_goes_on(train_py, fake_training):
    def value(config, images):
        if config.seed == 1 and images == 32 and not Path("again").exists():
            raise KeyboardInterrupt
        return 2.0 - config.seed

    trained = fake_training(value)
    done = train_py("-m", *TINY, "seed=0,1,2")
    assert done.code == 130
    rows = table("outputs/multirun/dcgan")
    # The table shows what is known.
    assert [(row["overrides"][-1], row["status"]) for row in rows] == [("0", "finished")]
    Path("again").touch()
    for name in trained[:1]:
        # What a real training leaves.
        (Path("outputs/multirun/dcgan") / name / "settings.json").write_text('{"seed": 0}')
    assert train_py("-m", *TINY, "seed=0,1,2").code == 0
    assert [name.partition("seed_")[2][0] for name in trained] == ["0", "1", "1", "2"]
    assert [row["seed"] for row in table("outputs/multirun/dcgan")] == ["2", "1", "0"]


def test_a_job_whose_notes_nobody_wrote_is_trained_again(train_py, fake_training):
    trained = fake_training(lambda *_: 1.0)
    assert train_py("-m", *TINY, "seed=0").code == 0
    folder = Path("outputs/multirun/dcgan") / trained[0]
    for number, content in enumerate(("3", "[{}]"), 2):
        (folder / "settings.json").write_text(content)
        assert train_py("-m", *TINY, "seed=0").code == 0
        assert len(trained) == number
    result = json.loads((folder / "result.json").read_text())
    odd = [{"best": "low"}, {"overrides": [3]}, {"status": ["finished"]}, {"seconds": {}}]
    for content in (3, [{}], *(result | one for one in odd)):
        (folder / "result.json").write_text(json.dumps(content))
        assert read_results(folder.parent) == []


def test_a_job_that_its_launcher_queues_again_goes_on(train_py, monkeypatch):
    def leave(callback, trainer, module, *_):
        # As submitit does in the handler of its signal, with a code that it knows again.
        if module.images_seen > 16:
            sys.exit(123)

    with monkeypatch.context() as patch:
        patch.setattr(sweep_job.TrialCallback, "on_train_batch_end", leave)
        assert train_py("-m", *TINY, "seed=0,1").code == 123
    done = train_py("-m", *TINY, "seed=0")
    assert done.code == 0
    assert "32 of 32 images" in done.out
    assert "16 of 32 images" not in done.out
    assert table("outputs/multirun/dcgan")[0]["status"] == "finished"


def test_jobs_of_several_models_share_a_folder_and_a_mistake_of_ours_costs_one(
    train_py, fake_training
):
    def value(config, images):
        if config.name == "ancestor":
            raise RuntimeError("out of\nmemory")
        return 1.0

    fake_training(value)
    done = train_py("-m", "model=super_resolution,ancestor")
    assert done.code == 2
    rows = table("outputs/multirun/super_resolution")
    assert [row["model"] for row in rows] == ["super_resolution", "ancestor"]
    assert rows[1]["message"] == "RuntimeError: out of memory"
    assert "Traceback" in done.out


def test_a_folder_that_another_process_trains_in_is_left_alone(train_py, fake_training):
    trained = fake_training(lambda *_: 1.0)
    folder = Path("outputs/multirun/dcgan") / job_folder([*TINY, "seed=0"])
    folder.mkdir(parents=True)
    with only_one(folder):
        done = train_py("-m", *TINY, "seed=0,1")
    assert len(trained) == 1
    assert "another process is writing into" in done.out
    assert [row["overrides"][-1] for row in table("outputs/multirun/dcgan")] == ["1"]


def test_folders_are_named_after_what_is_trained():
    name = job_folder(["model=dcgan", "seed=0"])
    assert name.startswith("model_dcgan-seed_0-")
    assert name == job_folder(["seed=0", "model=dcgan"]).replace("seed_0-model_dcgan", name[:18])
    assert name == job_folder(["model=dcgan", "logger=wandb", "seed=0", "launcher=slurm", "name=a"])
    assert name != job_folder(["model=dcgan", "seed=1"])
    path = job_folder(["data.root=/a/b c,d", "seed=0"])
    assert path.startswith("root__a_b_c_d-seed_0-")
    assert len(job_folder([f"x{i}=0.123456789" for i in range(40)])) < 100


def test_the_table_says_how_much_seeds_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/clumpygan-train"])
    for seed, size, best in ((0, 8, 3.0), (1, 8, 5.0), (0, 16, 2.0), (1, 16, 8.0)):
        overrides = ("model=dcgan", f"size={size}", f"seed={seed}", "name=a", "launcher=slurm")
        Result(tmp_path / f"{size}{seed}", overrides, "finished", "frechet", best, 32, 1.0).write()
    Result(tmp_path / "x", ("model=dcgan", "size=4"), "unfinished").write()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "result.json").write_text("{")
    lines = show_table(tmp_path, "a")[1].splitlines()
    assert lines[0].split() == ["size", "seed", "criterion", "best", "images", "seconds", "status"]
    assert lines[1].split() == ["16", "0", "frechet", "2", "32", "1", "finished"]
    assert lines[5].split() == ["4", "unfinished"]
    assert "size=8: frechet 4 +- 1.4 from seed to seed (2)" in lines
    assert "size=16: frechet 5 +- 4.2 from seed to seed (2)" in lines
    assert lines[-2] == f"best: size=16 seed=0 (frechet 2 at 32 images), in {tmp_path / '160'}"
    assert lines[-1] == "train it again: clumpygan-train model=dcgan size=16 seed=0 name=a_best"


def test_a_search_trains_its_trials(train_py):
    done = train_py(*SEARCH, "sweep.n_trials=2")
    assert done.code == 0, done.err
    rows = table("outputs/search/dcgan")
    assert [row["status"] for row in rows] == ["finished", "finished"]
    best = Path(rows[0]["folder"])
    load_checkpoint(str(best / "dcgan"), ("dcgan",))
    config = yaml.safe_load((best / "config.yaml").read_text())
    kept = json.loads((best / "settings.json").read_text())
    assert config["model"]["schedule"] == {
        **kept["model"]["schedule"],
        "warm_up": config["model"]["schedule"]["warm_up"],
    }
    assert f"{kept['model']['schedule']['peak']}" == rows[0]["model.schedule.peak"]
    assert "best: model.schedule.peak=" in done.out
    assert "sweep" not in done.out.partition("train it again")[2]


def test_a_search_counts_all_trials_and_is_repeated_by_its_seed(train_py, fake_training):
    trained = fake_training(lambda config, _: config.model.game.r1)
    assert train_py(*SEARCH, "sweep.n_trials=2").code == 0
    assert train_py("-m", *SEARCH, "sweep.n_trials=4").code == 0
    assert trained == [f"trial_{number}" for number in range(4)]
    assert train_py(*SEARCH, "sweep.n_trials=4", "output=other").code == 0
    assert tries("outputs/search/dcgan") == tries("other")
    assert len(set(tries("other"))) == 4
    assert train_py(*SEARCH, "sweep.n_trials=1", "output=third", "sweep.seed=1").code == 0
    assert tries("third")[0] != tries("other")[0]


def test_a_search_stops_what_does_badly_and_survives_what_fails(train_py, fake_training):
    def value(config, images):
        number = int(Path(config.output).name.removeprefix("trial_"))
        if number == 2:
            raise InputError("no such thing")
        if number == 3:
            raise RuntimeError("out of memory")
        return math.nan if number == 4 else {0: 2.0, 1: 1.0, 5: 9.0}.get(number, 0.5) * 16 / images

    fake_training(value)
    done = train_py(*SEARCH, "sweep.n_trials=7")
    assert done.code == 0, done.err
    results = read_results(Path("outputs/search/dcgan"))
    assert [result.status for result in results] == [
        *("finished", "finished", "failed", "failed", "failed", "pruned", "finished")
    ]
    assert results[4].message == "frechet was never finite"
    assert (results[5].best, results[5].images) == (9.0, 16)
    assert "best: " in done.out
    assert "outputs/search/dcgan/trial_6" in done.out
    optuna = import_module("optuna")
    study = optuna.load_study(study_name="dcgan", storage="sqlite:///outputs/search/dcgan/study.db")
    assert [trial.state.name for trial in study.trials] == [
        *("COMPLETE", "COMPLETE", "FAIL", "FAIL", "FAIL", "PRUNED", "COMPLETE")
    ]
    assert study.best_trial.number == 6
    assert study.trials[1].intermediate_values == {16: 1.0, 32: 0.5}


def test_an_interrupted_trial_goes_on_and_a_running_one_is_left_alone(train_py, fake_training):
    def value(config, images):
        if not Path("again").exists() and config.output.endswith("trial_1") and images == 32:
            raise KeyboardInterrupt
        return 1.0

    trained = fake_training(value)
    assert train_py(*SEARCH, "sweep.n_trials=3").code == 130
    before = tries("outputs/search/dcgan")
    Path("again").touch()
    with only_one(Path("outputs/search/dcgan/trial_1")):
        assert train_py(*SEARCH, "sweep.n_trials=3").code == 0
    assert trained == ["trial_0", "trial_1", "trial_2"]
    assert table("outputs/search/dcgan")[-1]["status"] == "unfinished"
    assert train_py(*SEARCH, "sweep.n_trials=3").code == 0
    assert trained == ["trial_0", "trial_1", "trial_2", "trial_1"]
    assert tries("outputs/search/dcgan")[:2] == before
    assert {row["status"] for row in table("outputs/search/dcgan")} == {"finished"}


def test_a_search_in_which_all_fails_says_so(train_py):
    done = train_py(*SEARCH, "sweep.n_trials=2", "data.batch_size=3")
    assert done.code == 2
    assert "2 of 2 jobs failed, the first with: data.images_per_epoch is 16" in done.err
    done = train_py("-m", *SEARCH, "output=b", "sweep.worker=0,1", "sweep.n_trials=0")
    assert done.code == 2
    assert "sweep.n_trials is 0" in done.err
    assert "no job of the sweep has left a result" in done.err


def test_an_experiment_may_be_a_search(train_py, fake_training, tmp_path):
    fake_training(lambda *_: 1.0)
    (tmp_path / "my" / "experiment").mkdir(parents=True)
    (tmp_path / "my" / "experiment" / "look.yaml").write_text(
        "# @package _global_\n"
        "defaults: [override /sweep: optuna]\n"
        "sweep: {n_trials: 1, space: {model.game.r2: [0.5, 1.0], model: {schedule: null}}}\n"
    )
    done = train_py("--config-dir", "my", "experiment=look", *TINY)
    assert done.code == 0, done.err
    overrides = read_results(Path("outputs/search/dcgan"))[0].overrides
    assert "sweep=none" in overrides
    assert overrides[-1].startswith("model.game.r2=")
    assert not any("schedule" in word for word in overrides)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sweep.n_trials=0", "sweep.n_trials is 0: expected an integer >= 1"),
        ("sweep.seed=-1", "sweep.seed is -1: expected an integer"),
        ("sweep.startup_trials=x", "sweep.startup_trials is 'x': expected an integer"),
        ("sweep.warm_up=1", "sweep.warm_up is 1: expected a number >= 0 and < 1"),
        (
            "sweep.pruner=medan",
            "sweep.pruner is 'medan': expected one of median, hyperband or null",
        ),
        ("~sweep.space.model", "sweep.space is empty"),
        ("+sweep.space.model.game.r3=[1]", "no setting model.game.r3; did you mean model.game.r"),
        ("trainer=ddp", "a trial of a search trains in one process"),
        ("sweep=optun", "sweep=optun: there is no such choice; did you mean sweep=optuna?"),
        ("launcher=slrum", "did you mean launcher=slurm? expected local_parallel, slurm"),
        ("launcher=slurm", "launcher=slurm starts several jobs: add -m"),
    ],
)
def test_bad_settings_are_named(word, message, train_py):
    done = train_py(*SEARCH, word)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_folder_of_another_search_is_refused(train_py, fake_training, tmp_path):
    fake_training(lambda *_: 1.0)
    assert train_py(*SEARCH, "sweep.n_trials=1").code == 0
    done = train_py(*SEARCH, "seed=3", "sweep.space.model.game.r1.high=9")
    assert done.code == 2
    assert "other settings (settings.seed, space.model.game.r1)" in done.err
    (tmp_path / "outputs/search/dcgan/study.db").write_text("no database, but long enough " * 99)
    done = train_py(*SEARCH)
    assert "study.db is no study of Optuna" in done.err


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("optuna", SEARCH, "sweep"),
        ("hydra_plugins.hydra_joblib_launcher", ["-m", "launcher=local_parallel"], "cluster"),
        ("hydra_plugins.hydra_submitit_launcher", ["-m", "launcher=slurm"], "cluster"),
    ],
)
def test_what_is_missing_is_asked_for_by_its_extra(module, words, extra, train_py, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    done = train_py(*words)
    assert done.code == 2
    assert f'pip install "clumpygan[{extra}]"' in done.err


def test_spaces_are_read():
    section = {
        "a.b": {"low": 1, "high": 9, "step": 2},
        "c": {"d": [1, "x y", [2, 3], True], "e": {"low": 1.0e-3, "high": 1, "log": True}},
        "f": None,
    }
    space = read_space(section, ["a.b", "c.d", "c.e"])
    assert space == {
        "a.b": Range(1, 9, step=2),
        "c.d": Choice(("1", '"x y"', "[2, 3]", "true")),
        "c.e": Range(1.0e-3, 1, log=True),
    }
    assert space["a.b"].whole
    assert not space["c.e"].whole


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (3, "=3: expected a list, or limits as"),
        ([], "expected at least one value"),
        ({"low": 1}, "low and high are needed"),
        ({"low": 1, "high": 2, "max": 3}, "unknown max"),
        ({"low": 2, "high": 1}, "low=2, high=1; expected low below high"),
        ({"low": "a", "high": 1}, "low=a: expected a number"),
        ({"low": True, "high": 2}, "low=True: expected a number"),
        ({"low": None, "high": 2}, "low=None, high=2"),
        ({"low": 0, "high": 1, "log": True}, "low is above 0"),
        ({"low": 1, "high": 9, "log": True, "step": 2}, "there is no step"),
        ({"low": 1, "high": 9, "log": "yes"}, "log=yes: expected true or false"),
        ({"low": 1, "high": 9, "step": 0}, "step=0: expected more than 0"),
    ],
)
def test_limits_that_make_no_sense_are_named(limits, message):
    with pytest.raises(InputError, match=f"sweep.space.a.b.*{message}"):
        read_space({"a": {"b": limits}}, ["a.b"])


def test_a_setting_is_limited_once():
    with pytest.raises(InputError, match=r"a\.b twice"):
        read_space({"a": {"b": [1]}, "a.b": [2]}, ["a.b"])


@pytest.mark.parametrize("launcher", ["local_parallel", "submitit_local"])
def test_launchers_run_the_jobs(launcher, train_py):
    if launcher == "submitit_local":
        # The same code as on a cluster, without one.
        chosen, seeds = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"], "0"
    else:
        chosen, seeds = ["launcher=local_parallel"], "0,1"
    done = train_py("-m", *chosen, *TINY, f"seed={seeds}")
    assert done.code == 0, done.err
    rows = table("outputs/multirun/dcgan")
    assert [row["status"] for row in rows] == ["finished"] * len(seeds.split(","))
    if launcher == "local_parallel":
        import_module("joblib.externals.loky").get_reusable_executor().shutdown(wait=True)


def test_slurm_is_told_to_requeue():
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        words = ["launcher=slurm", "hydra.launcher.partition=gpu", "trainer=gpu"]
        config = compose("train", words, return_hydra_config=True)
    launcher = config.hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.partition, launcher.gpus_per_node) == ("gpu", 1)
    assert launcher.max_num_timeout > 0


def test_the_sweep_of_wandb_composes():
    sweep = yaml.safe_load((CONFIGS / "wandb_sweep.yaml").read_text())
    assert sweep["program"] == "train.py"
    assert sweep["metric"]["name"] == "val/frechet"
    assert "${args_no_hyphens}" in sweep["command"]
    arguments = [
        f"{name}={limits.get('values', [limits.get('min')])[0]}"
        for name, limits in sweep["parameters"].items()
    ]
    fixed = [word for word in sweep["command"] if "=" in word]
    with (
        pytest.MonkeyPatch.context() as patch,
        initialize_config_dir(str(CONFIGS), version_base="1.3"),
    ):
        patch.setenv("WANDB_RUN_ID", "abc")
        config = OmegaConf.to_container(compose("train", [*fixed, *arguments]), resolve=True)
    assert config["output"] == "outputs/wandb/abc"
    assert config["logger"]["name"] == "wandb"
    assert config["model"]["generator"]["latent_dim"] == 32
