"""Every configuration composes, and every experiment trains for one batch and leaves its card."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from clumpygan.errors import InputError, InputWarning
from clumpygan.gan.checkpoint import (
    build_network,
    load_checkpoint,
    read_card,
    save_checkpoint,
    start_from,
)
from clumpygan.training.build import build_data, build_module
from clumpygan.training.run import train
from tests.trainings import CONFIGS, QUIET, SMALL_DCGAN, SMALL_NETWORK, composed, resolved

EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))

pytestmark = QUIET


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One rendered sample for all trainings of this file."""
    return tmp_path_factory.mktemp("samples")


@pytest.fixture
def tiny(root, tmp_path):
    """Compose a training of two epochs of 4 batches in a folder of its own."""

    def make(*overrides, name="run"):
        folders = [f"data.cache={root}", f"output={tmp_path / name}", "name=tiny"]
        return composed(*folders, *overrides)

    return make


def test_there_are_experiments():
    assert "super_resolution_cpu" in EXPERIMENTS


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_builds_and_trains(experiment, tiny, tmp_path):
    short = ["shorten_to=8", "data.images_per_epoch=8", "callbacks.pictures=1"]
    config = tiny(f"experiment={experiment}", *short)
    if OmegaConf.is_list(config.initial):
        # What an earlier experiment has left in outputs/ isn't here.
        config.initial = [
            "super_resolution" if Path(name).parts[0] == "outputs" else name
            for name in config.initial
        ]
    metrics = train(config)
    card = read_card(tmp_path / "run" / "tiny.yaml")
    load_checkpoint(str(tmp_path / "run" / "tiny"), (card["network"]["name"],))
    assert metrics[card["criterion"]] > 0
    assert card["images_seen"] == card["images_trained"] == 8
    assert card["held_out"]["images"] == 8
    assert card["versions"]["torch"] == torch.__version__
    assert card["data"]["train_size"] == 8
    assert list((tmp_path / "run" / "pictures").glob("*.png"))
    logged = next((tmp_path / "run" / "logs").glob("*/metrics.csv")).read_text()
    assert f"val/{card['criterion']}" in logged


def test_half_precision_trains(tiny):
    settings = ["trainer.precision=bf16-mixed", "model.game.penalty_interval=2"]
    metrics = train(tiny(*SMALL_DCGAN, *settings))
    assert 0 < metrics["frechet"] < 1e4


@pytest.mark.parametrize("choice", ["trainer=cpu", "trainer=gpu", "trainer=ddp", "logger=wandb"])
def test_every_choice_composes(choice):
    config = OmegaConf.to_container(composed(choice), resolve=True)
    group, name = choice.split("=")
    assert config[group] == yaml.safe_load((CONFIGS / group / f"{name}.yaml").read_text())


def test_another_training_in_the_folder_is_not_continued(tiny, tmp_path):
    output = tmp_path / "run"
    output.mkdir()
    (output / "last.ckpt").write_bytes(b"state")
    kept = resolved(tiny())
    kept = {key: kept[key] for key in ("model", "data", "seed", "initial", "total_images")}
    kept["model"]["schedule"]["peak"] = 1.0
    (output / "settings.json").write_text(json.dumps(kept))
    with pytest.raises(InputError, match=r"settings \(model\.schedule\.peak\).*ckpt_path=null"):
        train(tiny())


def test_a_training_starts_from_trained_weights_and_says_so(tiny, tmp_path):
    train(tiny(*SMALL_NETWORK, name="first"))
    initial = f"initial={tmp_path / 'first' / 'tiny.safetensors'}"
    config = resolved(tiny(*SMALL_NETWORK, initial))
    started = build_module(config["model"], build_data(config["data"]), 32, 0, config["initial"])
    trained, before = load_checkpoint(str(tmp_path / "first" / "tiny"), ("super_resolution",))
    for name, value in trained.state_dict().items():
        assert torch.equal(started.generator.state_dict()[name], value), name
        assert torch.equal(started.average.state_dict()[name], value), name

    train(tiny(*SMALL_NETWORK, initial, name="second"))
    card = yaml.safe_load((tmp_path / "second" / "tiny.yaml").read_text())
    assert card["initial"]["images_seen"] == before["images_seen"]

    with pytest.raises(InputError, match=r"other arguments \(channels\)"):
        train(tiny(*SMALL_NETWORK, "model.generator.channels=4", initial, name="third"))


def test_a_wider_network_starts_with_the_images_of_a_narrower_one(tiny, tmp_path):
    train(tiny(*SMALL_NETWORK, name="narrow"))
    narrow = load_checkpoint(str(tmp_path / "narrow" / "tiny"), ("super_resolution",))[0]
    wider = "model.generator.channels=12"
    config = resolved(tiny(*SMALL_NETWORK, wider, f"initial={tmp_path / 'narrow' / 'tiny'}"))
    module = build_module(config["model"], build_data(config["data"]), 32, 0, config["initial"])
    wide = module.generator
    assert sum(p.numel() for p in wide.parameters()) > 1.5 * sum(
        p.numel() for p in narrow.parameters()
    )
    torch.manual_seed(1)
    observed, sigma = 20 * torch.randn(2, 1, 25, 25).abs(), torch.tensor([2.0, 3.0])
    transfer = torch.ones(2, *narrow.observation.frequencies((25, 25))[0].shape[:1], 1)
    transfer = transfer.expand(-1, -1, narrow.observation.frequencies((25, 25))[1].shape[-1])
    noise = narrow.draw_noise(2, (25, 25), torch.Generator().manual_seed(2))
    for noises in ((None,), (noise,)):
        with torch.no_grad():
            expected = narrow(observed, sigma, transfer, noises)[0]
            found = wide(observed, sigma, transfer, noises)[0]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    # What is new is there to be learnt from: gradients reach weights that lead from new features.
    wide(observed, sigma, transfer, (noise,))[0].square().sum().backward()
    assert wide.look.weight.grad[8:].abs().sum() == 0  # nothing follows from it yet
    assert wide.first[0].second.weight.grad[:8, 8:].abs().sum() > 0
    assert wide.estimate.weight.grad[:, 8:].abs().sum() > 0


def test_several_weights_have_as_many_features(tiny, tmp_path):
    for name, channels in (("narrow", 8), ("wide", 12)):
        train(tiny(*SMALL_NETWORK, f"model.generator.channels={channels}", name=name))
    both = f"initial=[{','.join(str(tmp_path / name / 'tiny') for name in ('narrow', 'wide'))}]"
    with pytest.raises(InputError, match="networks of 8, 12 features: expected as many in each"):
        train(tiny(*SMALL_NETWORK, "model.generator.channels=12", both, name="mean"))


def test_a_card_may_leave_the_usual_number_of_features_out(tmp_path):
    network, card = load_checkpoint("super_resolution", ("super_resolution",))
    arguments = dict(card["network"]["arguments"])
    assert arguments.pop("channels") == 48  # the default
    section = card["network"] | {"arguments": arguments}
    stem = tmp_path / "usual"
    save_checkpoint(stem, network, card | {"network": section})
    generator = build_network("super_resolution", arguments)
    start_from(generator, section | {"arguments": arguments | {"channels": 48}}, str(stem))
    assert torch.equal(generator.look.weight, network.look.weight)
    with pytest.raises(InputError, match=r"other arguments \(channels\)"):
        start_from(generator, section | {"arguments": arguments | {"channels": 40}}, str(stem))


def test_a_training_starts_from_the_mean_of_several_weights(tiny, tmp_path):
    names = "one", "two"
    for seed, name in enumerate(names):
        train(tiny(*SMALL_NETWORK, f"seed={seed}", name=name))
    stems = [str(tmp_path / name / "tiny") for name in names]
    config = resolved(tiny(*SMALL_NETWORK, f"initial=[{','.join(stems)}]", name="mean"))
    started = build_module(config["model"], build_data(config["data"]), 32, 0, config["initial"])
    both = [load_checkpoint(stem, ("super_resolution",))[0].state_dict() for stem in stems]
    assert any(not torch.equal(both[0][name], both[1][name]) for name in both[0])
    for name, value in started.generator.state_dict().items():
        torch.testing.assert_close(value, (both[0][name] + both[1][name]) / 2)

    train(tiny(*SMALL_NETWORK, f"initial=[{','.join(stems)}]", name="mean"))
    card = yaml.safe_load((tmp_path / "mean" / "tiny.yaml").read_text())
    assert [one["images_seen"] for one in card["initial"]] == [32, 32]


def test_a_better_checkpoint_is_kept(tiny, tmp_path):
    stem = tmp_path / "shipped" / "tiny"
    stem.parent.mkdir()
    card = {"network": {"name": "super_resolution"}, "held_out": {"nrmse": 1e-6}}
    stem.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    with pytest.warns(InputWarning, match=r"is kept: its held-out nrmse of 0\.0000 is better"):
        train(tiny(*SMALL_NETWORK, f"checkpoint={stem}", "shorten_to=16"))
    assert yaml.safe_load(stem.with_suffix(".yaml").read_text()) == card


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batch_size=0", "data.batch_size.* is 0: expected an integer >= 1"),
        ("data.batch_size=32", "larger than .data.images_per_epoch"),
        ("data.target=hst_wfc4", "hst_wfc4"),
        ("+model.game.strat=1", r"`model.game.strat`: there is no such .*did you mean start\?"),
        ("+data.conditions.sieing=1", "data.conditions.sieing.: there is no such setting"),
        ("data.train_size=2", "training set has 2 images, fewer than a batch of 4"),
        ("callbacks.early_stopping.patience=0", "patience` is 0: expected an integer >= 1"),
        ("shorten_to=0", "`shorten_to` is 0: expected an integer"),
        ("model.game.loss=wasserstein", "wasserstein"),
        ("+model.weights.beauty=1", "`model.weights.beauty`: there is no such setting"),
        ("model.generator._target_=clumpygan.networks.unet.UNet", "there is no such thing"),
        ("+model.generator.depth=1", "`model.generator.depth`: .* takes no such argument"),
        ("logger.name=tensorbord", "tensorbord"),
        ("total_images=many", "`total_images` is many: expected an integer"),
        ("total_images=0", "`total_images` is 0: expected an integer"),
        ("threads=x", "`threads` is 'x': expected an integer"),
        ("model.game.start=98304", "discriminator would never join"),
        ("data.batch_size=3", "expected a multiple of 3"),
        ("+data.foo=1", "foo"),
        ("+model.discriminator.foo=1", "foo"),
        ("model.validation_samples=3", "expected an even number"),
        ("trainer.precision=16-mixed", "32-true or bf16-mixed"),
        ("trainer.accelerator=gpu", "`trainer`: "),
        ("model.game.penalty_interval=0", "penalty_interval` is 0: expected an integer"),
        ("seed=abc", "`seed` is 'abc': expected an integer from 0 to"),
        ("seed=-1", "`seed` is -1: expected an integer from 0 to"),
        ("model.schedule.peak=fast", "`model.schedule.peak` is 'fast': expected a number > 0"),
        ("model.schedule.warm_up=-1", "`model.schedule.warm_up` is -1: expected an integer >= 0"),
        ("model.game.r1=null", "`model.game.r1` is None: expected a number >= 0"),
        ("model.game.r1=nan", "`model.game.r1` is nan: expected a number >= 0"),
        ("model.ema_half_life=-5", "`model.ema_half_life` is -5: expected an integer >= 0"),
        ("model.gradient_clip=-1", "`model.gradient_clip` is -1: expected a number > 0"),
        ("+model.gradient_clup=1", r"`model.gradient_clup`: .*did you mean gradient_clip\?"),
        ("+model.foo=1", "`model.foo`: there is no such setting; expected generator"),
        ("name=../../x", "`name` is '../../x': expected the name of a file"),
        ("model._target_=clumpygan.gan.CubeGanModle", r"did you mean CubeGanModule\?"),
        ("model._target_=torch.nn.Linear", "expected a subclass of .*TrainingModule"),
        ("data._target_=os.getcwd", "`data.*`"),
        ("callbacks.pictures=many", "`callbacks.pictures` is 'many': expected an integer >= 0"),
    ],
)
def test_bad_settings_are_named(override, message, tiny):
    with pytest.raises(InputError, match=message) as told:
        train(tiny(override))
    assert "\n" not in str(told.value)


def test_weights_of_another_model_are_not_taken(tiny):
    with pytest.raises(InputError, match=r"is a checkpoint of super_resolution: expected .*dcgan"):
        train(tiny("model=dcgan", "initial=super_resolution"))


def test_everything_on_the_way_shrinks_in_proportion(tiny):
    short = resolved(tiny("shorten_to=2048"))
    assert short["total_images"] == 2048
    assert short["model"]["game"]["start"] == 2048 * 3 // 4
    assert short["model"]["schedule"]["warm_up"] == round(2000 * 2048 / 98304)
    assert short["model"]["schedule"]["peak"] == 8e-4
    assert resolved(tiny("shorten_to=null"))["model"]["game"]["start"] == 73728


def test_a_state_without_its_settings_is_neither_continued_nor_deleted(tiny, tmp_path):
    state = tmp_path / "run" / "last.ckpt"
    state.parent.mkdir()
    state.write_bytes(b"hours of work")
    with pytest.raises(InputError, match=r"settings\.json can't be read"):
        train(tiny())
    assert state.read_bytes() == b"hours of work"


def test_the_end_is_measured_even_between_two_validations(tiny, tmp_path):
    train(tiny(*SMALL_NETWORK, "callbacks.validate_every=5"))
    _, card = load_checkpoint(str(tmp_path / "run" / "tiny"))
    assert card["held_out"]["images"] == card["images_seen"] == 32


def test_seed_zero_and_one_differ(tiny):
    settings = [resolved(tiny()) for _ in range(3)]
    weights = [
        build_module(one["model"], build_data(one["data"]), 32, seed).generator.enter.weight
        for one, seed in zip(settings, (0, 0, 1), strict=True)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_documentation_names_only_experiments_that_exist():
    root = Path(__file__).parents[1]
    pages = [root / "README.md", *(root / "docs" / "how-to").glob("*.md")]
    words = [word for page in pages for word in page.read_text().split()]
    named = {word.split("=")[1] for word in words if word.startswith("experiment=")}
    assert named
    assert named <= set(EXPERIMENTS)
