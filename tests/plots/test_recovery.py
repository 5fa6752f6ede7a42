"""The picture of a recovery: panels, captions, the table of measurements."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from clumpygan.plots.recovery import captions
from clumpygan.plots.style import new_page
from tests.recovery.examples import a_recovery


def test_captions_say_psnr_flux_and_size() -> None:
    recovery = a_recovery()
    words = captions(recovery)
    assert words["best"] == ("Recovered: mean of 16", "PSNR 41.2 dB  flux -0.4 %  R$_{50}$ +2 %")
    assert words["target"][1] == "without noise: the truth"
    assert words["error"][1] == "spread of 16 samples, about 10 %"
    table = recovery.table().splitlines()
    assert len({len(line) for line in table}) == 1
    assert "PSNR [dB]" in table[1]
    assert captions(a_recovery(reference=False))["best"][1] == 'half-light radius 0.41"'


def test_the_picture_has_seven_panels_of_one_stretch() -> None:
    panels = {axis.get_title(loc="left"): axis for axis in a_recovery().plot().axes}
    titles = {"HST", "HSC", "Recovered: mean of 16", "One sample", "Error map", "Richardson-Lucy"}
    residual = "Residual, HSC $-$ recovered"
    assert panels.keys() >= titles | {residual}
    images = {title: axis.images[0] for title, axis in panels.items() if axis.images}
    assert images.keys() == (titles | {residual}) - {"Richardson-Lucy"}  # it wasn't wanted
    norms = {images[title].norm for title in images.keys() - {residual}}
    assert len(norms) == 1
    norm = norms.pop()
    soft = 2 * 2.0 / 0.168**2  # twice the noise of the HSC image, per square arcsec
    steps = np.asarray(norm([0, soft, np.sinh(2) * soft]))
    assert steps[2] - steps[0] == pytest.approx(2 / np.arcsinh(1) * (steps[1] - steps[0]))
    for title in images:
        assert panels[title].get_xlim() == pytest.approx((-2.016, 2.52))  # 3 of 30 columns masked


@pytest.mark.parametrize("reference", [True, False])
def test_the_picture_is_drawn(tmp_path: Path, reference: bool) -> None:
    a_recovery(reference=reference).plot().savefig(tmp_path / "a.png")
    picture = matplotlib.image.imread(tmp_path / "a.png")[..., :3]
    height, width, _ = picture.shape
    assert 0.4 < height / width < 0.9
    coloured = np.ptp(picture, axis=2) > 0.15
    assert 0.15 < coloured.mean() < 0.8


@pytest.mark.parametrize("name", ["$$.fits", "$\\frac$.fits", "a\udcff\t.fits", "\N{MILKY WAY}$x$"])
def test_titles_are_drawn_as_they_are(name: str, tmp_path: Path) -> None:
    recovery = a_recovery()
    scene = replace(recovery.scene, title=name, remarks=(f"noise of {name}",))
    figure = replace(recovery, scene=scene).plot()
    figure.savefig(tmp_path / "a.png", dpi=20)
    drawn = "".join("?" if one in "\udcff\t\N{MILKY WAY}" else one for one in name)
    written = [text.get_text().replace(r"\$", "$") for text in figure.texts]
    assert drawn in written
    page = new_page(4, 3, name, 0.2)
    page.savefig(tmp_path / "b.png", dpi=20)
    assert page.texts[0].get_text().replace(r"\$", "$") == drawn
