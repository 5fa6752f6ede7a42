"""Calibration tells samples that are right from those that are too narrow, and names which."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from clumpygan.assessment.samples import calibration as sample_calibration
from clumpygan.assessment.samples.calibration import measure_calibration
from clumpygan.commands.evaluate import main
from clumpygan.evaluation.recovery.intervals import Widening
from clumpygan.evaluation.recovery.spread import SampleSpread
from clumpygan.recovery.resolver import Recovered, SuperResolver

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


class Oracle(SuperResolver):
    """Draws images about a centre from which the truth is one more draw."""

    scatter = 1.0
    told = Widening()

    def recover(self, observed, sigma, transfer, *, samples=16, seed=0, mask=None):
        generator = torch.Generator().manual_seed(seed)
        shape = (len(observed), 1, 112, 112)
        profile = self.profile.expand(shape)

        def draw():
            return torch.randn((len(observed), 1, 1, 1), generator=generator)

        centre = self.truth + 0.05 * draw() * profile
        drawn = torch.stack(
            [centre + 0.05 * self.scatter * draw() * profile for _ in range(samples)]
        )
        return Recovered(drawn.mean(0), drawn)


@pytest.fixture
def oracle(monkeypatch):
    """Samples of galaxies whose flux alone is uncertain, by 5 %."""
    axis = torch.arange(112) - 55.5
    Oracle.profile = 100 * torch.exp(-(axis[:, None] ** 2 + axis**2) / 200)[None, None]
    Oracle.truth = Oracle.profile
    real = SuperResolver.from_checkpoint
    batch = sample_calibration.SyntheticGalaxies.sharp

    def sharp(self, indices):
        return Oracle.profile[0].expand(len(indices), 112, 112).numpy(), batch(self, indices)[1]

    monkeypatch.setattr(sample_calibration.SyntheticGalaxies, "sharp", sharp)

    def from_checkpoint(name, device="cpu"):
        found = real(name, device)
        oracle = Oracle(found.network, found.card, device)
        oracle.widening = Oracle.told
        return oracle

    monkeypatch.setattr(SuperResolver, "from_checkpoint", staticmethod(from_checkpoint))
    # The others take their time, and are what they are in tests of their own.
    flux = {name: sample_calibration.QUANTITIES[name] for name in ("flux_1", "flux_1.5")}
    monkeypatch.setattr(sample_calibration, "QUANTITIES", flux)
    return Oracle


def test_right_samples_pass_and_narrow_ones_fail(oracle, monkeypatch):
    whole = measure_calibration(n=192, workers=1, seed=3).sets["synthetic"].of_bin("all")
    flux, image = whole["flux_1"], whole["image"]
    assert flux["n"] == 192
    assert flux["coverage_68"] == pytest.approx(0.68, abs=0.09)
    assert flux["coverage_95"] == pytest.approx(0.95, abs=0.04)
    assert flux["ks_p"] > 0.01
    # Whole images, by their distances from other galaxies.
    assert image["ks_p"] > 0.01
    assert image["ks_d"] < 0.12
    monkeypatch.setattr(oracle, "scatter", 0.3)
    narrow = measure_calibration(n=192, workers=1, seed=3).sets["synthetic"].of_bin("all")
    assert narrow["flux_1"]["coverage_68"] < 0.5
    assert narrow["flux_1"]["ks_p"] < 1e-3
    assert narrow["bright_pixel"]["coverage_68"] < 0.5
    assert narrow["image"]["ks_p"] < 1e-3
    assert narrow["image"]["ks_d"] > 1.5 * image["ks_d"]


def test_the_power_of_samples_tells_rough_and_blurred_ones(oracle, monkeypatch):
    def power():
        found = measure_calibration(n=16, workers=1, seed=3).sets["synthetic"]
        return np.array(found.spectrum_of_bin("all")["median"])

    right = oracle.recover
    assert np.abs(power()).max() < 0.03

    def rough(self, *given, **how):
        found = right(self, *given, **how)
        noise = torch.randn(found.samples.shape, generator=torch.Generator().manual_seed(5))
        return Recovered(found.best, found.samples + noise)

    def blurred(self, *given, **how):
        found = right(self, *given, **how)
        flat = found.samples.flatten(0, 1)
        wide = torch.nn.functional.avg_pool2d(flat, 21, 1, 10, count_include_pad=False)
        return Recovered(found.best, wide.reshape(found.samples.shape))

    monkeypatch.setattr(oracle, "recover", rough)
    assert power()[-1] > 0.3
    monkeypatch.setattr(oracle, "recover", blurred)
    assert power()[0] < -0.1


def test_narrow_samples_are_widened_to_hold_what_they_say(oracle, monkeypatch):
    monkeypatch.setattr(oracle, "scatter", 0.3)
    narrow = measure_calibration(n=208, workers=1, seed=3).sets["synthetic"].widening
    assert narrow.factors["flux_1"]["all"] > (2.0, 2.0)
    monkeypatch.setattr(oracle, "told", narrow)
    other = measure_calibration(n=208, workers=1, seed=4).sets["synthetic"].of_bin("all")["flux_1"]
    assert other["coverage_68"] == pytest.approx(0.68, abs=0.09)
    assert other["coverage_95"] == pytest.approx(0.95, abs=0.04)
    # Ranks are of the samples themselves, and told ones of samples that scatter as is said.
    assert other["ks_p"] < 1e-6
    assert other["told_ks_p"] > 1e-3


def test_the_program_writes_numbers_and_a_picture(tmp_path, capsys):
    numbers, picture, factors = (tmp_path / name for name in ("c.json", "c.png", "c.yaml"))
    clumps = tmp_path / "clumps.yaml"
    for _ in range(2):  # the same command again replaces its own files
        main(["calibration", "--n", "5", "--samples", "4", "--workers", "1", "--metrics",
              str(numbers), "--picture", str(picture), "--widening", str(factors),
              "--probability", str(clumps)])  # fmt: skip
    assert yaml.safe_load(factors.read_text()) == {"widening": {}}  # of five nothing is known
    assert yaml.safe_load(clumps.read_text()) == {"clump_probability": {}}
    table = json.loads(numbers.read_text())["sets"]["synthetic"]
    assert set(table["flux_1"]["all"]) == {
        "n", "coverage_68", "coverage_95", "ks_d", "ks_p", "mean_rank", "told_ks_p",
        "told_mean_rank",
    }  # fmt: skip
    spectrum = json.loads(numbers.read_text())["spectrum"]
    whole = spectrum["sets"]["synthetic"]["all"]
    assert whole["n"] == 5
    assert len(whole["median"]) == len(whole["scatter"]) == len(spectrum["frequency"]) == 12
    assert table["flux_1"]["all"]["n"] == 5
    assert sum(one["n"] for name, one in table["flux_1"].items() if name != "all") == 5
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "half_light_radius" in capsys.readouterr().out


def test_numbers_dont_depend_on_the_number_of_processes():
    one, two = (
        measure_calibration(n=20, samples=4, workers=count).sets["synthetic"] for count in (1, 2)
    )
    assert all(np.array_equal(one.rank[name], two.rank[name], equal_nan=True) for name in one.rank)


def test_the_program_measures_the_spread_of_samples_alone(tmp_path, capsys):
    gains = tmp_path / "gains.yaml"
    flags = ["calibration", "--n", "6", "--samples", "4", "--workers", "1", "--spread", str(gains)]
    main(flags)
    once = gains.read_bytes()
    found = SampleSpread.from_card(yaml.safe_load(once))
    assert len(found.gains) == 4
    # Faint pixels are many even in six galaxies, and the network's samples differ too little there.
    assert found.gains[0][2] > 1.3
    main([*flags[:-1], str(gains), "--checkpoint", str(with_section(tmp_path, found.to_dict()))])
    assert gains.read_bytes() == once  # what the card says isn't measured again
    for more in (["--widening", "w.yaml"], ["--real", "r.yaml"]):
        with pytest.raises(SystemExit) as problem:
            main([*flags, *more])
        assert problem.value.code == 2
        assert f"--spread with {more[0]}" in capsys.readouterr().err


def with_section(folder, section):
    """Return a copy of the network whose card has gains."""
    path = folder / "mine.safetensors"
    path.write_bytes((CHECKPOINTS / "super_resolution.safetensors").read_bytes())
    card = yaml.safe_load((CHECKPOINTS / "super_resolution.yaml").read_text())
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card | {"spread": section}))
    return path
