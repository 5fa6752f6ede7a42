"""The parts of recover: grids, gaps, registration, remarks and the picture."""

from pathlib import Path

import galsim
import matplotlib.image
import numpy as np
import pytest
import torch
from astropy.io.fits import Header
from matplotlib.figure import Figure

from clumpygan.commands.recovery_captions import captions, measurement_table
from clumpygan.commands.recovery_grid import hst_stamp, placed
from clumpygan.commands.recovery_missing import bridged, find_blemishes
from clumpygan.commands.recovery_picture import draw_picture
from clumpygan.commands.recovery_psf import SeenThrough
from clumpygan.commands.recovery_registration import register
from clumpygan.commands.recovery_remarks import remarks_on_fit
from clumpygan.commands.recovery_run import find_nucleus
from clumpygan.commands.recovery_scene import (
    Recovery,
    Scene,
    coarse_mask,
    embed,
    fine_mask,
    padded_shape,
)
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W, NoiseModel
from clumpygan.io import Image
from tests.commands.recovering import galaxy, sky_wcs


def image_of(data: np.ndarray, pixel_scale: float, mask: np.ndarray | None = None) -> Image:
    mask = np.zeros(data.shape, dtype=bool) if mask is None else mask
    wcs = sky_wcs(pixel_scale, data.shape)
    return Image(
        data.astype(np.float32), pixel_scale, wcs, 31.4, mask, Header(), Path("image.fits")
    )


def test_stamps_are_filled_up_to_whole_blocks_and_25_hsc_pixels() -> None:
    assert padded_shape((54, 25), 5) == (55, 25)
    assert padded_shape((10, 113), 14) == (70, 126)
    larger = embed(np.ones((2, 3)), (4, 6), 0)
    assert larger.sum() == 6
    assert larger[1:3, 1:4].all()


def test_masks_go_from_one_grid_to_the_other_and_back() -> None:
    mask = np.zeros((25, 30), dtype=bool)
    mask[3:5, 7] = True
    mask[20:] = True
    fine = fine_mask(mask)
    assert fine.shape == (70, 84)
    assert fine.mean() == pytest.approx(mask.mean(), rel=0.05)
    assert (coarse_mask(fine) == mask).all()


def test_an_image_of_finer_pixels_and_sharper_psf_becomes_one_of_the_target_camera() -> None:
    sharp, target = galsim.Gaussian(fwhm=0.11), HST_WFC3_F160W.psf()
    image = image_of(galaxy((224, 224), 0.03, sharp, 1000, 0.0), 0.03)
    stamp = hst_stamp(image, sharp, NoiseModel(0.1, 0.03))
    wanted = galaxy((112, 112), 0.06, target, 1000, 0.0)
    assert wanted.max() > 5
    assert stamp.data[10:-10, 10:-10] == pytest.approx(wanted[10:-10, 10:-10], abs=0.01)
    assert stamp.psf is not stamp.own_psf
    middle = stamp.wcs.pixel_to_world_values(55.5, 55.5)
    assert middle == pytest.approx((150.1, 2.2), abs=1e-7)


def test_a_placed_image_moves_by_the_shift_and_knows_its_edges() -> None:
    psf = HST_WFC3_F160W.psf()
    data = galaxy((112, 112), 0.06, psf, 1000, 0.0)
    moved = placed(image_of(data, 0.06), psf, (112, 112), (0.6, -1.2))
    assert moved.data[10:80, 20:100] == pytest.approx(data[30:100, 10:90], abs=0.01)
    assert moved.mask[-19:].all()
    assert not moved.mask[:80, 12:].any()


def test_the_noise_of_a_resampled_stamp_is_predicted() -> None:
    sharp = galsim.Gaussian(fwhm=0.11)
    noise = NoiseModel(0.1, 0.03)
    sky = noise.draw((448, 448), torch.Generator().manual_seed(0)).numpy()
    stamp = hst_stamp(image_of(sky, 0.03), sharp, noise)
    _, predicted = stamp.filled(torch.Generator().manual_seed(1))
    assert stamp.data[10:-10, 10:-10].std() == pytest.approx(predicted, rel=0.05)
    assert predicted < 0.2  # white noise of 0.1 in pixels of a quarter of the area, smoothed


def test_blemishes_are_dead_and_hot_pixels_but_never_a_star() -> None:
    star = HST_WFC3_F160W.psf().drawImage(
        nx=60, ny=60, scale=0.06, method="no_pixel", dtype=float
    )  # fmt: skip
    data = 1000 * star.array + np.random.default_rng(0).normal(size=(60, 60))
    none = np.zeros(data.shape, dtype=bool)
    assert not find_blemishes(data, none, 1.0, 3.1).any()
    data[10, 10], data[50, 20], data[50, 21] = -20, 90, 60
    found = np.argwhere(find_blemishes(data, none, 1.0, 3.1)).tolist()
    assert found == [[10, 10], [50, 20], [50, 21]]


def test_gaps_are_bridged_from_their_surroundings() -> None:
    y, x = np.mgrid[:40, :40]
    data = 100 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 2 / 6**2)
    mask = np.zeros(data.shape, dtype=bool)
    mask[20, 18:21] = True
    mask[:, 35:] = True
    filled = bridged(data, mask, np.zeros(data.shape))
    assert filled[20, 18:21] == pytest.approx(data[20, 18:21], rel=0.08)
    assert abs(filled[:, 39]).max() < 0.3 < data[:, 39].max()
    assert (filled[~mask] == data[~mask].astype(np.float32)).all()


def test_registration_finds_shift_factor_and_pedestal() -> None:
    psf = HSC_WIDE_I.psf(fwhm=0.6)
    observed = 3 * galaxy((40, 45), 0.168, psf, 500, 0.3, shift=(0.4, -0.21)) + 1.5
    seen = galaxy((40, 45), 0.168, psf, 500, 0.0)
    mask = np.zeros(seen.shape, dtype=bool)
    mask[:4] = True
    found = register(observed, seen, mask)
    assert (found.x, found.y) == pytest.approx((0.4, -0.21), abs=0.01)
    assert found.offset == pytest.approx(0.452, abs=0.01)
    assert found.factor == pytest.approx(3, rel=0.02)
    assert found.pedestal == pytest.approx(1.5, abs=0.2)


def a_scene(*, reference: bool = True) -> tuple[Scene, Recovery]:
    sharp, wide = HST_WFC3_F160W.psf(), HSC_WIDE_I.psf(fwhm=0.6)
    truth = galaxy((70, 84), 0.06, sharp, 500, 0.0).astype(np.float32)
    observed = galaxy((25, 30), 0.168, wide, 500, 2.0).astype(np.float32)
    mask = np.zeros((25, 30), dtype=bool)
    mask[:, :3] = True
    metrics = {
        "psnr": 41.23, "flux_error_percent": -0.4, "half_light_radius_error_percent": 2.2,
        "half_light_radius": 0.41, "chi2": 1.01, "magnitude": None,
    }  # fmt: skip
    scene = Scene(
        title="A galaxy", observed=observed, sigma=2.0, psf=SeenThrough(wide, sharp), seeing=0.6,
        observed_mask=mask, reference_mask=fine_mask(mask), reference=truth if reference else None,
        reference_fwhm=0.185, redshift=0.84, magnitude=22.31, remarks=["a remark " * 40],
    )  # fmt: skip
    if not reference:
        metrics["psnr"] = None
    recovery = Recovery(
        best=truth, error=0.1 * truth, sample=truth, richardson_lucy=None,
        residual=np.zeros((25, 30)), count=16, nucleus=(40.0, 60.0),
        metrics={"network": metrics, "sample": metrics},
    )  # fmt: skip
    return scene, recovery


def test_captions_say_psnr_flux_and_size() -> None:
    scene, recovery = a_scene()
    words = captions(scene, recovery)
    assert words["best"] == ("Recovered: mean of 16", "PSNR 41.2 dB  flux -0.4 %  R$_{50}$ +2 %")
    assert words["hst"][1] == "without noise: the truth"
    assert words["error"][1] == "spread of 16 samples, about 10 %"
    table = measurement_table(recovery).splitlines()
    assert len({len(line) for line in table}) == 1
    assert "PSNR [dB]" in table[1]
    assert captions(*a_scene(reference=False))["best"][1] == 'half-light radius 0.41"'


def test_the_galaxy_that_is_measured_may_lie_off_centre() -> None:
    scene, recovery = a_scene()
    for x, y in ((0.6, -0.3), (1.2, 0.6)):  # inside and outside the 1" in which the search begins
        blob = galsim.Gaussian(fwhm=0.8, flux=500).shift(x, y)
        image = blob.drawImage(nx=84, ny=70, scale=0.06, method="no_pixel").array
        scene.reference = image
        row, column = find_nucleus(scene, recovery.best)
        assert row == pytest.approx(34.5 + y / 0.06, abs=1)
        assert column == pytest.approx(41.5 + x / 0.06, abs=1)


def test_a_misfit_gets_a_word() -> None:
    _, recovery = a_scene()
    assert remarks_on_fit(recovery) == []
    recovery.metrics["network"]["chi2"] = 12.3
    assert "doesn't fit the HSC image (chi^2 12.3 per pixel)" in remarks_on_fit(recovery)[0]


def test_the_picture_has_seven_panels_of_one_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    draw_picture(*a_scene(), tmp_path / "a.png")
    panels = {axis.get_title(loc="left"): axis for axis in drawn[0].axes}
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
    draw_picture(*a_scene(reference=reference), tmp_path / "a.png")
    picture = matplotlib.image.imread(tmp_path / "a.png")[..., :3]
    height, width, _ = picture.shape
    assert 0.4 < height / width < 0.9
    coloured = np.ptp(picture, axis=2) > 0.15
    assert 0.15 < coloured.mean() < 0.8
