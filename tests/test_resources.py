from pathlib import Path

import pytest

from clumpygan.resources import resource_folder

ROOT = Path(__file__).resolve().parents[1]


def test_the_configurations_of_a_checkout_lie_at_its_root() -> None:
    assert resource_folder("configs") == ROOT / "configs"


def test_an_installed_package_goes_by_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "clumpygan"
    monkeypatch.setattr("clumpygan.resources._PACKAGE", package)
    with pytest.raises(FileNotFoundError, match="lacks its configs/ folder"):
        resource_folder("configs")
    (package / "configs").mkdir(parents=True)
    assert resource_folder("configs") == package / "configs"
