"""Images on other grids: turned, mirrored, of other pixels, held against what is drawn there."""

import re
from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits import Header
from astropy.wcs import WCS

from clumpygan.errors import InputError
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W, SurveyPair
from clumpygan.io import Image
from clumpygan.recovery import recover
from clumpygan.recovery.hst_stamp import placed
from clumpygan.recovery.resampling import placement_on
from tests.recovery.examples import galaxy, sky_wcs

SHARP, SEEING = HST_WFC3_F160W.psf(), HSC_WIDE_I.psf(fwhm=0.7)
LOPSIDED = SHARP.shear(g1=0.15)
FLUX = 5000.0
SHIFT = (0.3, -0.2)
"""arcsec on the grid, from its middle to that of the turned image."""


def turned_image(
    scale: float, angle: float, *, flip: bool, psf: galsim.GSObject, side: float = 9.6
) -> Image:
    """Draw the galaxy in the middle of the sky's grid on pixels that are turned by `angle`."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    # Offsets on the grid (x to the right, y up) of steps of one arcsec along columns and rows.
    to_grid = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    size = round(side / scale)
    disk = galsim.Exponential(half_light_radius=0.4, flux=0.8 * FLUX).shear(g1=0.2)
    clump = galsim.Gaussian(sigma=0.05, flux=0.2 * FLUX).shift(0.5, 0.3)
    sky = (disk + clump).shift(-SHIFT[0], -SHIFT[1]).transform(*np.linalg.inv(to_grid).ravel())
    data = galsim.Convolve(sky, psf).drawImage(
        nx=size, ny=size, scale=scale, method="no_pixel", dtype=float
    ).array  # fmt: skip
    wcs = sky_wcs(scale, (size, size))
    # Its middle lies SHIFT from that of the grid, whose x points west.
    wcs.wcs.crval = sky_wcs(1.0, (1, 1)).pixel_to_world_values(*SHIFT)
    wcs.wcs.cdelt = [1.0, 1.0]
    wcs.wcs.pc = np.diag([-1.0, 1.0]) @ to_grid * scale / 3600
    blank = np.zeros(data.shape, bool)
    return Image(data.astype(np.float32), scale, wcs, 31.4, blank, Header(), Path("turned.fits"))


@pytest.mark.parametrize(
    ("scale", "angle", "flip", "tolerance"),
    [
        (0.06, 20, False, 0.002),
        (0.06, 0, True, 0.002),
        (0.06, -160, True, 0.002),
        (0.03, 20, False, 0.001),
        (0.065, 0, False, 0.002),
        (0.065, 20, True, 0.002),
        (0.08, 90, False, 0.003),
    ],
)
def test_a_resampled_image_is_that_which_is_drawn_on_the_grid(
    scale: float, angle: float, flip: bool, tolerance: float
) -> None:
    pair, shape = SurveyPair.of(), (98, 112)
    image = turned_image(scale, angle, flip=flip, psf=LOPSIDED)
    placement = placement_on(image, sky_wcs(0.06, shape), shape, 0.06)
    assert placement.shift == pytest.approx(SHIFT, abs=1e-4)
    assert placement.mirrored == flip
    stamp = placed(image, LOPSIDED, shape, pair, placement)
    # The PSF is a property of the camera: it turns with the pixels.
    wanted = galaxy(shape, 0.06, stamp.psf, FLUX, 0.0)
    good = ~stamp.mask
    assert good.mean() > 0.9
    assert np.abs(stamp.data - wanted)[good].max() < tolerance * wanted.max()
    assert stamp.data[good].sum() == pytest.approx(wanted[good].sum(), rel=0.005)


def test_holes_stay_masked_and_do_not_ring() -> None:
    pair, shape = SurveyPair.of(), (98, 112)
    image = turned_image(0.06, 20, flip=False, psf=SHARP)
    image.mask[70:73, 95:99] = True
    image.data[image.mask] = 0
    stamp = placed(
        image, SHARP, shape, pair, placement_on(image, sky_wcs(0.06, shape), shape, 0.06)
    )
    wanted = galaxy(shape, 0.06, SHARP, FLUX, 0.0)
    assert 12 <= stamp.mask.sum() - placed(
        turned_image(0.06, 20, flip=False, psf=SHARP), SHARP, shape, pair,
        placement_on(image, sky_wcs(0.06, shape), shape, 0.06),
    ).mask.sum() < 60  # fmt: skip
    assert np.abs(stamp.data - wanted)[~stamp.mask].max() < 0.02 * wanted.max()


def test_pixels_too_wide_for_a_psf_are_refused() -> None:
    image = turned_image(0.075, 0, flip=False, psf=SHARP)
    with pytest.raises(InputError, match=r'pixels of 0.075" undersample its PSF'):
        placed(image, galsim.Gaussian(fwhm=0.11), (98, 112), SurveyPair.of())


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize(
    ("scale", "angle", "flip", "words"),
    [
        (0.06, 20, False, "reference resampled: turned by 20.00 degrees"),
        (0.06, 0, True, "reference resampled: mirrored"),
        (0.065, 0, False, 'reference resampled: pixels of 0.065" to 0.06"'),
        (0.03, -20, True, 'reference resampled: turned by .*, mirrored, pixels of 0.03" to 0.06"'),
        (0.1, 0, False, 'reference resampled: pixels of 0.1" to 0.06"'),
        (0.06, 0, False, None),
    ],
)
def test_references_that_are_turned_or_of_other_pixels_are_compared(
    tmp_path: Path, scale: float, angle: float, flip: bool, words: str | None
) -> None:
    observed = galaxy((40, 45), 0.168, SEEING, FLUX, 0.5)
    paths = {}
    for name, data, wcs in (
        ("hsc", observed, sky_wcs(0.168, observed.shape)),
        ("hst", *_noisy(turned_image(scale, angle, flip=flip, psf=SHARP, side=12.0))),
    ):
        header = wcs.to_header()
        header["BUNIT"] = "nJy"
        paths[name] = tmp_path / f"{name}.fits"
        fits.writeto(paths[name], data.astype(np.float32), header)
    recovery = recover(
        paths["hsc"], reference=paths["hst"], psf=SEEING, reference_psf=SHARP, seed=3, samples=2,
        richardson_lucy=False,
    )  # fmt: skip
    told = [remark for remark in recovery.remarks if "reference resampled" in remark]
    assert (len(told) == 0) == (words is None)
    if words is not None:
        assert re.match(words, told[0])
        assert recovery.to_dict()["reference_resampled"] in told[0]
    assert any("undersample its PSF" in one for one in recovery.remarks) == (scale == 0.1)
    registration = recovery.to_dict()["registration"]
    assert registration["correlation"] > 0.99
    assert np.hypot(registration["x_arcsec"], registration["y_arcsec"]) < 0.02
    wanted = galaxy((112, 126), 0.06, SHARP, FLUX, 0.0)
    good = ~recovery.scene.reference_mask
    assert good.mean() > 0.9
    assert recovery.scene.reference[good].sum() == pytest.approx(wanted[good].sum(), rel=0.02)
    assert np.abs(recovery.scene.reference - wanted)[good].max() < 0.03 * wanted.max()
    assert recovery.metrics["network"]["centroid_shift"] < 0.05


def _noisy(image: Image) -> tuple[np.ndarray, WCS]:
    noise = 0.02 * np.random.default_rng(0).normal(size=image.data.shape)
    return image.data + noise, image.wcs
