"""Real galaxies that come along: `recover.py --example NAME`."""

import numpy as np
import pytest
from astropy.io import fits

import clumpygan
from clumpygan.errors import InputError
from clumpygan.recovery import RecoverySettings
from clumpygan.recovery.settings import EXAMPLES
from clumpygan.resources import resource_folder

pytestmark = [
    pytest.mark.usefixtures("without_network"),
    pytest.mark.filterwarnings("ignore:.*no PSF given:clumpygan.errors.InputWarning"),
]

LARGEST = 2_000_000  # bytes of the folder


def test_the_folder_holds_them_and_says_where_they_come_from() -> None:
    folder = resource_folder("examples")
    names = {path.name.removesuffix(".fits.gz") for path in folder.glob("*.fits.gz")}
    assert names == {name + end for name in EXAMPLES for end in ("", "_weight")}
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
    text = (folder / "README.md").read_text()
    assert all(f"`{name}`" in text for name in EXAMPLES)
    assert "Illingworth" in text


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_is_seen_as_hsc_would_and_recovered(name: str) -> None:
    recovery = clumpygan.recover(example=name, seed=1, samples=2, richardson_lucy=False)
    scene = recovery.scene
    assert recovery.settings.example is None
    assert recovery.unit == "nJy"
    # In nJy by the zero point of F160W.
    assert scene.reference is not None
    assert not scene.reference_mask.all()
    found = fits.getdata(resource_folder("examples") / f"{name}.fits.gz")
    counts = scene.reference[~scene.reference_mask].max() / found.max()
    assert counts == pytest.approx(10 ** (0.4 * (31.4 - 25.946)), rel=0.05)
    assert np.isfinite(scene.observed).all()


def test_it_goes_with_no_other_source() -> None:
    with pytest.raises(InputError, match="`image` and `example` name two galaxies"):
        RecoverySettings(example="xdf", image="hst.fits")
    with pytest.raises(InputError, match="expected one of xdf, xdf_edge_on, xdf_chain"):
        RecoverySettings(example="andromeda")
    with pytest.raises(InputError, match="`position` goes with"):
        RecoverySettings(example="xdf", position=(50.0, 50.0))
