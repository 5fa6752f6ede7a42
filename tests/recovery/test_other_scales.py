"""Observed images of finer pixels than the network's: resampled, with their PSF and noise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import uniform_filter

from clumpygan.errors import InputError
from clumpygan.instruments import HSC_WIDE_I, HST_WFC3_F160W, fwhm_of
from clumpygan.recovery import recover
from clumpygan.recovery.resampling import Collection
from tests.recovery.examples import galaxy, sky_wcs
from tests.recovery.test_observed_noise import image_of

SEEING = HSC_WIDE_I.psf(fwhm=0.6)
QUICK = {"seed": 3, "samples": 2, "richardson_lucy": False}


@pytest.mark.parametrize("scale", [0.07, 0.1, 0.15])
def test_light_is_collected_as_if_it_had_been_observed_so(scale: float) -> None:
    side = round(6.72 / scale / 2) * 2
    collection = Collection.of((side, side + 6), scale, 0.168)
    image = image_of(galaxy((side, side + 6), scale, SEEING, 5000, 0.0))
    found = collection.image(image)
    wanted = galaxy(found.data.shape, 0.168, collection.psf(SEEING), 5000, 0.0)
    assert np.abs(found.data - wanted).max() < 0.002 * wanted.max()
    assert found.data.sum() == pytest.approx(wanted.sum(), rel=5e-4)
    assert not found.mask.any()
    noise = np.random.default_rng(0).normal(size=(400, 400)) * np.linspace(1, 3, 400)
    collection = Collection.of((400, 400), scale, 0.168)
    spread = collection.image(image_of(noise)).data / collection.variance(
        np.broadcast_to(np.linspace(1, 3, 400) ** 2, (400, 400))
    ) ** 0.5  # fmt: skip
    assert spread.std() == pytest.approx(1, abs=0.03)


def test_what_has_a_masked_part_is_masked_and_the_rest_is_not_touched() -> None:
    image = image_of(galaxy((68, 68), 0.1, SEEING, 5000, 0.0))
    expected = Collection.of((68, 68), 0.1, 0.168).image(image).data
    image.mask[30, 12] = True
    image.data[30, 12] = 1e6
    found = Collection.of((68, 68), 0.1, 0.168).image(image)
    assert 1 <= found.mask.sum() <= 9
    assert np.abs(found.data - expected)[~found.mask].max() < 0.01 * expected.max()


@pytest.mark.usefixtures("without_network")
def test_a_finer_image_is_recovered_with_a_note(save: Callable[..., Path]) -> None:
    data = galaxy((68, 74), 0.1, SEEING, 5000, 1.0)
    path = save("fine.fits", data, 0.1)
    recovery = recover(path, psf=SEEING, **QUICK)
    assert any(
        'observed image resampled: pixels of 0.1" to 0.168", by which its PSF is widened from 0.60'
        in remark
        for remark in recovery.remarks
    )
    assert recovery.scene.seeing == pytest.approx(fwhm_of(SEEING), rel=0.05)
    assert recovery.scene.seeing > fwhm_of(SEEING) + 0.01
    # White noise of 1 in 0.1" is one of 1.44 in what is collected.
    assert recovery.scene.sigma == pytest.approx(1.44, rel=0.1)
    # 68 x 74 pixels of 0.1" hold 40 x 44 of 0.168", in whole blocks of five.
    middle = recovery.scene.observed_wcs.pixel_to_world_values(
        *(np.array(recovery.scene.observed.shape[::-1]) / 2 - 0.5)
    )
    wanted = sky_wcs(0.1, data.shape).pixel_to_world_values(36.5, 33.5)
    assert np.ravel(middle) == pytest.approx(np.ravel(wanted), abs=0.1 / 3600)
    # What is collected shares noise: in apertures it is 1.68, as it was.
    assert recovery.scene.sigma * recovery.scene.shared_noise == pytest.approx(1.68, rel=0.1)
    plain = recover(galaxy((40, 45), 0.168, SEEING, 5000, 1.68), pixel_scale=0.168, unit="nJy",
                    psf=SEEING, **QUICK)  # fmt: skip
    assert plain.scene.facts["resampled"] is None
    for name in ("magnitude", "half_light_radius"):
        assert recovery.metrics["network"][name] == pytest.approx(
            plain.metrics["network"][name], abs=0.03
        )
    assert recovery.metrics["network"]["chi2"] == pytest.approx(
        plain.metrics["network"]["chi2"], abs=0.1
    )


@pytest.mark.usefixtures("without_network")
def test_a_map_of_the_noise_is_resampled_with_the_image() -> None:
    how = {"pixel_scale": 0.1, "unit": "nJy", "psf": SEEING, **QUICK}
    data = galaxy((68, 74), 0.1, SEEING, 5000, 1.0)
    variance = np.ones(data.shape)
    variance[:, 37:] = 4.0
    data[:, 37:] += 3**0.5 * np.random.default_rng(7).normal(size=(68, 37))
    recovery = recover(data, variance=variance, **how)
    each = recovery.scene.sigma_map[~recovery.scene.observed_mask].reshape(40, -1)
    assert each[:, 35:].mean() / each[:, :10].mean() == pytest.approx(2, rel=0.02)
    # What is then measured corrects a map that knows nothing of shared noise.
    wrong = recover(data, variance=variance / 4, **how)
    assert np.median(wrong.scene.sigma_map) == pytest.approx(np.median(each), rel=0.1)
    assert "measured in the pixels without source" in wrong.scene.facts["noise_from"]


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize("scale", [0.03, 0.06, 0.2, 0.263])
def test_other_pixels_are_refused(scale: float) -> None:
    data = galaxy((68, 74), scale, SEEING, 5000, 1.0)
    words = rf"{scale:g} arcsec; expected 0.168 arcsec, or finer down to 0.067 arcsec"
    with pytest.raises(InputError, match=words):
        recover(data, pixel_scale=scale, unit="nJy", psf=SEEING, **QUICK)


@pytest.mark.usefixtures("without_network")
def test_sharp_images_of_0065_are_resampled_with_a_note() -> None:
    psf = HST_WFC3_F160W.psf()
    data = galaxy((104, 104), 0.065, psf, 5000, 0.02)
    recovery = recover(image=data, pixel_scale=0.065, unit="nJy", psf=psf, **QUICK)
    assert any('resampled: pixels of 0.065" to 0.06"' in remark for remark in recovery.remarks)
    wanted = galaxy(recovery.scene.reference.shape, 0.06, psf, 5000, 0.0)
    good = ~recovery.scene.reference_mask
    # Less the noise, which the area of a pixel scales.
    assert np.std((recovery.scene.reference - wanted)[good]) < 0.03
    assert recovery.scene.reference[good].sum() == pytest.approx(wanted[good].sum(), rel=0.005)
    same = recover(image=data, pixel_scale=0.06, unit="nJy", psf=psf, **QUICK)
    assert not any("resampled" in remark for remark in same.remarks)
    np.testing.assert_array_equal(same.scene.reference[4:108, 4:108], data.astype(np.float32))


@pytest.mark.usefixtures("without_network")
def test_noise_of_a_part_is_measured_in_the_field_around() -> None:
    """Light fills the part: by its own pixels the map would stay half of the noise."""
    how = {"pixel_scale": 0.1, "unit": "nJy", "psf": SEEING, **QUICK}
    data = galaxy((130, 134), 0.1, SEEING, 5000, 0.0)
    noise = np.random.default_rng(7).normal(size=data.shape)
    data += 3 * uniform_filter(noise, 3)  # of 1 a pixel, and 9 in 3 x 3
    data[10, 12] = -500.0  # dead: it tells nothing of the noise
    variance = np.full(data.shape, 0.25)
    whole = recover(np.where(data == -500.0, 0.0, data), variance=variance, **how).scene
    part = recover(data, variance=variance, position=(67, 65), size=5.04, **how).scene
    assert whole.sigma > 1.2
    assert part.sigma == pytest.approx(whole.sigma, rel=0.05)
    assert part.shared_noise == pytest.approx(whole.shared_noise, abs=0.05)
    assert part.shared_noise > 1.3


@pytest.mark.usefixtures("without_network")
def test_one_file_of_several_bands(tmp_path: Path) -> None:
    """Image, PSF and noise are those of the band that is named, and so are the reference's."""
    sharp = HST_WFC3_F160W.psf()
    observed, reference = (
        galaxy((40, 45), 0.168, SEEING, 5000, 1.0),
        galaxy((112, 126), 0.06, sharp, 5000, 0.02),
    )
    other = np.random.default_rng(3).normal(size=(40, 45))
    psfs = [
        one.drawImage(nx=41, ny=41, scale=scale, method="no_pixel", dtype=float).array
        for one, scale in ((SEEING, 0.168), (sharp, 0.06))
    ]
    psfs = [one / one.sum() for one in psfs]
    planes = {
        "HSC_G_FLUX": (other, 0.168), "HSC_G_PSF": (psfs[1], 0.168),
        "HSC_G_RMS": (9 + other, 0.168),
        "VIS_FLUX": (reference, 0.06), "VIS_PSF": (psfs[1], 0.06), "VIS_RMS": (reference, 0.06),
        "HSC_Z_FLUX": (observed, 0.168), "HSC_Z_PSF": (psfs[0], 0.168),
        "HSC_Z_RMS": (np.full((40, 45), 1.1), 0.168),
    }  # fmt: skip
    hdus = []
    for name, (data, scale) in planes.items():
        header = sky_wcs(scale, data.shape).to_header()
        header["MAGZERO"] = 31.4
        hdus.append(fits.ImageHDU(data, header, name=name))
    path = tmp_path / "bands.fits"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    found = recover(
        path, hdu="HSC_Z_FLUX", psf=path, variance=path, reference=path, reference_hdu="VIS_FLUX",
        reference_psf=path, **QUICK,
    )  # fmt: skip
    apart = recover(
        observed, pixel_scale=0.168, unit="nJy", psf=psfs[0], psf_scale=0.168,
        variance=np.full((40, 45), 1.21), reference=reference, reference_scale=0.06,
        reference_psf=psfs[1], reference_psf_scale=0.06, **QUICK,
    )  # fmt: skip
    np.testing.assert_allclose(found.best, apart.best, atol=1e-3)
    np.testing.assert_allclose(found.scene.reference, apart.scene.reference, atol=1e-3)
    assert found.scene.sigma == pytest.approx(1.1)
    assert found.scene.reference_name == "VIS"
    assert found.metrics["network"]["nrmse"] == pytest.approx(
        apart.metrics["network"]["nrmse"], abs=0.01
    )
    with pytest.raises(InputError, match=r"has several bands \(HSC_G_PSF, VIS_PSF, HSC_Z_PSF\)"):
        recover(path, hdu=1, psf=path, **QUICK)
