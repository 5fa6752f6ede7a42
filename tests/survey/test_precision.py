"""Surveys in bfloat16: close to float32, chosen once, and kept when they go on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from clumpygan.errors import InputError, InputWarning
from clumpygan.survey import run as run_module
from clumpygan.survey.recovering import resolver_of

INSIDE = slice(28, 84)


@pytest.fixture
def quick(monkeypatch):
    """Say whether this CPU multiplies bfloat16."""

    def say(value):
        monkeypatch.setattr(run_module, "multiplies_bfloat16", lambda: value)

    return say


@pytest.fixture
def loud_network(network, tmp_path):
    """The network with weights other than zero in the layers with which trainings begin silent."""
    weights = load_file(network)
    generator = torch.Generator().manual_seed(0)
    for one in weights.values():
        if not one.any():
            one.copy_(0.02 * torch.randn(one.shape, generator=generator))
    save_file(weights, tmp_path / "loud.safetensors")
    shutil.copy(Path(network).with_suffix(".yaml"), tmp_path / "loud.yaml")
    return str(tmp_path / "loud.safetensors")


def precision_of(home):
    return yaml.safe_load(Path(home, "card.yaml").read_text())["precision"]


def test_what_ships_differs_by_hundredths_of_its_error():
    """Of a galaxy of 500 nJy with a clump, in noise of 1 nJy."""
    y, x = torch.meshgrid(*[torch.arange(40) - 19.5] * 2, indexing="ij")
    light = 400 * torch.exp(-torch.hypot(y, x) / 3) / 56.5
    light += 100 * torch.exp(-((y - 3) ** 2 + x**2) / 5) / 15.7
    observed = light + torch.randn(40, 40, generator=torch.Generator().manual_seed(0))
    found = {}
    for precision in ("float32", "bfloat16"):
        resolver = resolver_of("super_resolution", precision)
        ky, kx = resolver.operator.frequencies((40, 40))
        transfer = torch.exp(-(ky**2 + kx**2) / 0.6).to(torch.complex64)
        found[precision] = resolver.recover(
            observed[None, None], torch.ones(1), lambda _, transfer=transfer: transfer, window=4
        )
    exact, rounded = (one.best[0, 0, INSIDE, INSIDE] for one in found.values())
    error = found["float32"].error[0, 0, INSIDE, INSIDE]
    apart = (rounded - exact).abs() / error
    assert 1e-3 < apart.mean() < 0.03
    assert apart.max() < 0.5
    spread = found["bfloat16"].error[0, 0, INSIDE, INSIDE] / error
    assert spread.mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("value", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_what_the_cpu_is_quick_with(recover, quick, monkeypatch, value, precision):
    def seen(settings, unit):
        assert settings.precision == precision
        raise KeyboardInterrupt

    quick(value)
    monkeypatch.setattr(run_module, "recover_unit", seen)
    with pytest.raises(KeyboardInterrupt):
        recover()
    assert precision_of("out") == precision


def test_workers_change_nothing_of_bfloat16(recover, quick, loud_network):
    quick(True)
    some = {"checkpoint": loud_network, "max_magnitude": 23, "unit": 2}
    shared = recover("shared", workers=2, precision="bfloat16", **some)
    recover("alone", precision="bfloat16", **some)
    for name in ("catalogue.parquet", "components.parquet"):
        assert Path("alone", name).read_bytes() == Path("shared", name).read_bytes()
    # What can't be told from float32 tests nothing.
    exact = recover("exact", precision="float32", **some)
    # Of a star of 17.5 mag this untrained network makes more of a rounding.
    known = exact["flux_1"] < 1e5
    assert known.sum() >= 3
    assert (shared["flux_1"] != exact["flux_1"])[known].all()
    np.testing.assert_allclose(shared["flux_1"][known], exact["flux_1"][known], rtol=0.02)
    apart = np.abs(shared["blend_odds"][known] - exact["blend_odds"][known])
    assert 0 < np.nanmax(apart) < 0.1


def test_it_goes_on_as_it_began(recover, quick, interrupted):
    quick(True)
    recover("whole")
    came = interrupted(2)
    with pytest.raises(KeyboardInterrupt):
        recover("parts")
    # On a machine that would have chosen float32.
    quick(False)
    with pytest.raises(InputError, match=r"other settings \(`precision` bfloat16, now float32\)"):
        recover("parts", precision="float32")
    with pytest.warns(InputWarning, match=r"of parts is bfloat16, and this CPU has neither AMX"):
        recover("parts")
    assert {settings.precision for settings, _ in came} == {"bfloat16"}
    assert precision_of("parts") == "bfloat16"
    for name in ("catalogue.parquet", "components.parquet"):
        assert Path("parts", name).read_bytes() == Path("whole", name).read_bytes()
    # What is done takes no time any more, and no warning.
    recover("parts")


def test_it_is_told_that_it_takes_longer(recover, quick):
    quick(False)
    with pytest.warns(InputWarning, match="expect several times the time of float32"):
        recover(precision="bfloat16")
    assert precision_of("out") == "bfloat16"
