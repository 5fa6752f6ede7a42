"""What a user gets who installs the wheel and has no checkout."""

import email
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import clumpygan

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    builder = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    run(*builder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package, without what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile")
    run(*pip, "--target", folder, wheel)
    return folder


def test_it_holds_the_package_the_configurations_and_the_checkpoints(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    shipped = [
        *(ROOT / "configs").rglob("*.yaml"),
        *(ROOT / "checkpoints").glob("*.safetensors"),
        *(ROOT / "checkpoints").glob("*.yaml"),
        *(ROOT / "examples").iterdir(),
    ]
    expected = {f"clumpygan/{path.relative_to(ROOT).as_posix()}" for path in shipped}
    assert "clumpygan/configs/train.yaml" in expected
    assert "clumpygan/checkpoints/super_resolution.safetensors" in expected
    assert "clumpygan/examples/xdf.fits.gz" in expected
    assert expected <= held
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.yaml")]
    assert len(sources) > 250
    assert {path.relative_to(ROOT / "src").as_posix() for path in sources} <= held
    assert not {name for name in held if name.startswith("tests/")}


def test_the_sdist_makes_the_same_wheel(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sdist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    run(*build, "--sdist", ROOT)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    source = folder / archive.name.removesuffix(".tar.gz")
    for name in (
        "tests/test_wheel.py",
        "docs/conf.py",
        "docs/made.py",
        "docs/gallery/01_recovered.py",
    ):
        assert (source / name).is_file()
    assert not (source / "docs" / "_build").exists()
    run(*build, "--wheel", source)
    (again,) = folder.glob("*.whl")
    assert contents(again) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    """Return the checksum of each file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist()}


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(names["METADATA"]))
        programs = archive.read(names["entry_points.txt"]).decode()
        assert b"MIT License" in archive.read(names["LICENSE"])
    assert metadata["Version"] == clumpygan.__version__
    assert metadata["License-Expression"] == "MIT"
    for name in ("train", "recover", "generate", "prepare", "fit", "evaluate", "survey", "app"):
        assert f"clumpygan-{name} = clumpygan.commands.{name}:main" in programs


def test_the_installed_program_recovers_a_galaxy(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    where = "import clumpygan.resources as r; print(r.resource_folder('checkpoints'))"
    folder = run(sys.executable, "-c", where, cwd=tmp_path, env=environment).stdout.strip()
    assert Path(folder) == installed / "clumpygan" / "checkpoints"
    arguments = ("--seed", "1", "--samples", "2", "--no-richardson-lucy", "--output", "boz.png")
    run(
        *(sys.executable, installed / "bin" / "clumpygan-recover", *arguments),
        *("--metrics", "boz.json"),
        cwd=tmp_path,
        env=environment,
    )
    assert (tmp_path / "boz.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "boz.json").read_text())
