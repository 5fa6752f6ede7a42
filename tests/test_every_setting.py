"""Every setting of configs/, given nonsense, is refused in one line, or taken before any work."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clumpygan.errors import InputError
from clumpygan.gan.targets import trusting
from clumpygan.training.build import build_data, build_module
from clumpygan.training.run import _callbacks, _trainer
from clumpygan.training.settings import check_sections, plain_config, run_settings, shortened
from tests.trainings import CONFIGS, QUIET, SMALL_NETWORK, composed

pytestmark = [*QUIET, pytest.mark.filterwarnings("ignore:.*bf16")]

NONSENSE = (math.nan, math.inf, -1, 1e300, "", "nonsense")

SMALL = {
    "super_resolution": SMALL_NETWORK,
    "blend_classifier": ["model.generator.channels=[4,4,4]", "model.generator.blocks=[1,1,1]"],
    "dcgan": ["model.generator.channels=4", "model.discriminator.channels=4", "data.size=32"],
}
"""Networks that are built in milliseconds."""

NEEDED = {"stamps": ["data.stamps=x"], "muse": ["data.root=x"]}
"""What has no default."""


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def leaves(section: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for name, value in section.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, *above, name)
        else:
            yield (*above, name)


def changed(plain: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a configuration with another value in one place, or a further one."""
    found = copy.deepcopy(plain)
    section = found
    for name in place[:-1]:
        section = section[name]
    section[place[-1]] = value
    return found


def default(plain: dict[str, Any], place: tuple[str, ...]) -> Any:
    for name in place:
        plain = plain[name]
    return plain


GENERATORS = {
    "physical": ["model=cube_gan"],
    "gas": ["model=cube_gan", "data.galaxies.population=gas_disks"],
    "conv3d": ["model=cube_gan"],
    "painted": [
        "model=dcgan", "data.conditions=[signal,half_light_radius,redshift,sersic_index]",
    ],
    "stamps": ["model=dcgan"],
}  # fmt: skip
"""The model of each generator, and what it has to be told."""


def refusal(check: Any, *arguments: Any) -> str | None:
    """Return the line by which something is refused, None if it is taken."""
    try:
        check(*arguments)
    except OmegaConfBaseException as refused:
        # The program puts it into one line.
        return str(refused) or "refused"
    except InputError as refused:
        message = str(refused)
    else:
        return None
    assert message
    assert "\n" not in message
    return message


def test_every_choice_is_here() -> None:
    assert sorted(GENERATORS) == sorted(choices("model/generator"))
    assert {"model", "data", "trainer"} <= {one.name for one in CONFIGS.iterdir()}
    assert len(choices("model")) >= 4
    assert len(choices("data")) >= 7


@pytest.mark.parametrize("choice", choices("data"))
def test_nonsense_in_data(choice: str) -> None:
    plain = plain_config(composed(f"data={choice}", *NEEDED.get(choice, [])))

    def build(section: dict[str, Any]) -> None:
        with trusting(everything=True):
            build_data(section)

    _try_all(plain["data"], build)
    assert refusal(build, {**plain["data"], "nonsense": 1})


@pytest.mark.parametrize(
    "words",
    [(f"model={one}",) for one in choices("model")]
    + [(*words, f"model/generator={one}") for one, words in GENERATORS.items()],
)
def test_nonsense_in_a_model(words: tuple[str, ...]) -> None:
    name = words[0].partition("=")[2]
    plain = plain_config(composed(*words, *SMALL.get(name, [])))
    with trusting(everything=True):
        data = build_data(plain["data"])

    def build(section: dict[str, Any]) -> None:
        build_module(shortened({**plain, "model": section})["model"], data, 131_072, 0)

    build(plain["model"])
    _try_all({key: one for key, one in plain["model"].items() if key != "pictures"}, build)
    assert refusal(build, {**plain["model"], "nonsense": 1})
    torch.manual_seed(0)


def _try_all(section: dict[str, Any], check: Any) -> None:
    """Give every setting every nonsense; numbers are never taken for other things."""
    for place in leaves(section):
        usual = default(section, place)
        for value in NONSENSE:
            line = refusal(check, changed(section, place, value))
            is_number = isinstance(usual, int | float) and not isinstance(usual, bool)
            # What only other settings refer to comes below.
            if is_number and value not in (-1, 1e300) and place != ("grid", "size"):
                assert line is not None, (place, value)


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What train.py looks at before it builds data and networks."""
    monkeypatch.chdir(tmp_path)

    def check(plain: dict[str, Any]) -> None:
        check_sections(plain)
        run = run_settings(shortened(plain))
        _trainer(plain, run, 2, _callbacks(run, plain["model"].get("pictures"), Path(run.output)))

    return check


@pytest.mark.parametrize("trainer", choices("trainer"))
def test_nonsense_in_a_run(trainer: str, whole: Any) -> None:
    plain = plain_config(composed("model=dcgan", f"trainer={trainer}", "callbacks.pictures=1"))
    rest = {key: one for key, one in plain.items() if key not in ("model", "data", "sweep")}
    for place in [*leaves(rest), ("model", "pictures"), ("model", "pictures", "_target_"),
                  *((name,) for name in ("trainer", "logger", "callbacks", "data"))]:  # fmt: skip
        for value in NONSENSE:
            line = refusal(whole, changed(plain, place, value))
            if place[0] in ("trainer", "logger", "callbacks", "model") and len(place) == 1:
                assert line is not None, (place, value)


def test_settings_that_nothing_reads_are_refused(whole: Any) -> None:
    plain = plain_config(composed("model=dcgan"))
    whole(plain)
    for place in (("foo",), ("logger", "foo"), ("callbacks", "foo"), ("trainer", "foo")):
        line = refusal(whole, changed(plain, place, 1))
        assert line is not None
        assert "foo" in line


@pytest.mark.parametrize("name", ["name", "model.name", "data.name", "debug_name"])
def test_no_name_leads_out_of_the_folder_of_runs(name: str) -> None:
    config = composed("model=dcgan")
    for value in ("../../x", "/etc", ".hidden"):
        OmegaConf.update(config, name, value)
        assert "expected the name of a file" in str(refusal(plain_config, config))


@pytest.mark.parametrize("name", ["survey", "target", "seed", "data.grid.size"])
def test_nonsense_that_other_settings_refer_to(name: str) -> None:
    model = "cube_gan" if name == "data.grid.size" else "super_resolution"
    for value in NONSENSE:
        config = composed(f"model={model}")
        OmegaConf.update(config, name, value)

        def build(config: Any = config) -> None:
            plain = plain_config(config)
            run_settings(plain)
            build_data(plain["data"])

        assert refusal(build) is not None, value
