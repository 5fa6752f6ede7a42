"""A small simulated patch, and a network that knows nothing yet."""

import shutil
from pathlib import Path

import pytest

import clumpygan
from clumpygan.gan.checkpoint import build_network, save_checkpoint
from clumpygan.survey import run as run_module

SMALL = {
    "channels": 4, "blocks": [1, 1], "fine_channels": 4, "fine_blocks": 1, "noise_channels": 2,
}  # fmt: skip


@pytest.fixture(scope="session")
def patch(tmp_path_factory):
    home = tmp_path_factory.mktemp("survey") / "patch"
    made = clumpygan.generate_patch(
        size=160, cells=2, n=20, stars=3, seed=4, max_magnitude=24, output=home
    )
    made.write()
    return made


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "small"
    arguments = {"name": "super_resolution", "arguments": SMALL}
    save_checkpoint(path, build_network("super_resolution", SMALL), {"network": arguments})
    return f"{path}.safetensors"


@pytest.fixture
def folder(patch, tmp_path, monkeypatch):
    """An empty folder to work in, with the files of the patch."""
    shutil.copytree(patch.settings.output, tmp_path / "patch")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recover(folder, network):
    """Recover the small patch; return the table."""

    def call(output="out", image="patch/calexp.fits", catalog="patch/truth.fits", **more):
        settings = {"psf": "patch/psf", "samples": 4, "unit": 5, "checkpoint": network, **more}
        settings = {name: one for name, one in settings.items() if one is not None}
        return clumpygan.recover_survey(image, catalog, output=Path(output), **settings)

    return call


@pytest.fixture
def interrupted(monkeypatch):
    """Press Ctrl-C, once, at a unit of that number; return the settings and units that came."""

    def at(number):
        real, came = run_module.recover_unit, []

        def pressed(settings, unit):
            came.append((settings, unit))
            if len(came) == number:
                raise KeyboardInterrupt
            return real(settings, unit)

        monkeypatch.setattr(run_module, "recover_unit", pressed)
        return came

    return at
