"""A real image of a survey: its PSF, its noise, its pixels without data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from clumpygan.errors import InputError, PixelScaleError
from clumpygan.gan.checkpoint import shipped_grids
from clumpygan.instruments import SurveyPair, fwhm_of
from clumpygan.io import read_image, rescaled_wcs
from clumpygan.recovery.bad_pixels import find_bad_pixels, mask_saturated_stars
from clumpygan.recovery.camera import mask_bad_pixels, measured_psf
from clumpygan.recovery.observed_noise import (
    IN_SKY,
    OBSERVED_MAP,
    ObservedNoise,
    depth_of,
    measured_noise,
    noise_of_observed,
    of_map,
    shared_noise,
)
from clumpygan.recovery.reference import with_reference
from clumpygan.recovery.resampling import Collection
from clumpygan.recovery.scene import (
    Scene,
    SeenThrough,
    asked_part,
    check_usable,
    embed,
    embedding_corner,
    fine_mask,
    padded_shape,
    part_around,
    shifted_wcs,
    title_of,
)
from clumpygan.recovery.sky import without_sky

if TYPE_CHECKING:
    import galsim

    from clumpygan.io import Image
    from clumpygan.recovery.settings import RecoverySettings

SAME_SCALE = 0.01
"""Relative difference up to which pixels are the network's."""

_WHITE = 1.1
"""Factor of noise in apertures that white noise of a stamp seldom shows."""

_SKY = 40.0
"""Arcsec: width of the field around a part that is recovered in which its noise is measured."""

FINEST = 0.4
"""Pixels of the network: finer ones aren't those of a survey from the ground."""


def observed_scene(settings: RecoverySettings, seed: int, pair: SurveyPair) -> Scene:
    """Read an observed image with its PSF and noise, and register the reference if there is one.

    Raises
    ------
    InputError
        If something is wrong with a file, or its pixels aren't those of the network.
    """
    survey, grid = pair.survey_in(settings.band), pair.grid
    try:
        image = read_image(
            settings.observed,
            pixel_scale=settings.pixel_scale,
            zero_point=settings.zero_point,
            unit=settings.unit,
            hdu=settings.hdu,
            plane=survey.band,
            expected_scale=grid.observed_scale,
            finest_scale=FINEST * grid.observed_scale,
            weight=settings.weight,
            mask=settings.mask,
            name="`observed`",
        )
    except PixelScaleError as error:
        raise InputError(
            f"{error}, for `checkpoint` {settings.checkpoint} is of {pair.survey_name}; "
            f"{shipped_grids()}: train one for these pixels, train.py survey=NAME"
        ) from error
    check_usable(image)
    image, noise = noise_of_observed(image, settings, survey.band)
    whole = _Field(image, noise)
    part = part_around(image, settings.position, settings.size)
    image = asked_part(image, settings.position, settings.size)
    noise = noise.part(part, image.mask)
    image = mask_saturated_stars(image, noise.sigma)
    unit = "counts" if image.zero_point is None else "nJy"
    image, sky, sky_remarks = without_sky(image, noise.sigma, settings.background or "auto", unit)
    if settings.psf is None:
        blurred = survey.psf(fwhm=settings.seeing)
    else:
        blurred = measured_psf(
            settings.psf, settings.psf_scale, image.pixel_scale, survey.band, beside=settings.hdu
        )
    clean = mask_bad_pixels(image, blurred, noise.of_pixels)
    if not noise.given and clean is not image:
        # In a stamp, one hot pixel hides the sky around it from the first measurement.
        noise = noise if settings.position else ObservedNoise(*measured_noise(clean))
    field = _Field(clean, noise) if settings.position is None else whole.around(settings, blurred)
    image, noise, blurred, resampled = _on_grid(clean, noise, blurred, pair, field)
    psf = SeenThrough(blurred, pair.target.psf())
    shape = padded_shape(image.data.shape, grid.coarse_block, grid)
    mask = embed(image.mask, shape, True)
    wcs = shifted_wcs(image.wcs, embedding_corner(image.data.shape, shape))
    sigma_map = None if noise.map is None else embed(noise.map, shape, noise.sigma)
    shared = shared_noise(image if settings.position is None else field.on_grid(pair))
    scene = Scene(
        pair=pair,
        title=title_of(image.path),
        subtitle=f"real image of {survey.short_name}, {survey.band} band, seeing "
        f'{float(psf.fwhm):.2f}"',
        observed=np.where(mask, 0, embed(image.data, shape, 0)),
        sigma=noise.sigma,
        sigma_map=sigma_map,
        shared_noise=shared.excess,
        psf=psf,
        seeing=float(psf.fwhm),
        observed_mask=mask,
        reference_mask=fine_mask(mask, grid),
        reference_fwhm=fwhm_of(psf.sharp),
        observed_name=f"{survey.short_name}, {survey.band} band",
        unit=unit,
        observed_wcs=wcs,
        reference_wcs=None
        if wcs is None
        else rescaled_wcs(wcs, grid.coarse_block / grid.fine_block),
        facts={
            "noise_from": noise.how,
            "shared_noise": shared.excess,
            "shared_noise_from": shared.how,
            "depth": depth_of(image, noise, shared),
            "resampled": resampled or None,
            **sky,
        },
        remarks=(
            *([f"observed image resampled: {resampled}"] if resampled else []),
            f"noise of {noise.sigma:.3g} {unit} per {survey.short_name} pixel, {noise.how}",
            *(
                [
                    f"neighbouring pixels share noise: {shared.excess:.2f} times as much in"
                    f" apertures, {shared.how}"
                ]
                if shared.excess > _WHITE
                else []
            ),
            *noise.remarks(image.mask, OBSERVED_MAP),
            *sky_remarks,
        ),
    )
    return scene if settings.reference is None else with_reference(scene, settings, seed)


@dataclass(frozen=True, eq=False)
class _Field:
    """What lies around the part that is recovered, in which its noise is measured.

    Attributes
    ----------
    image : Image
    noise : ObservedNoise
        Of its pixels.
    """

    image: Image
    noise: ObservedNoise

    def around(self, settings: RecoverySettings, psf: galsim.GSObject) -> _Field:
        """Return the field around the `position` of the settings, without bad pixels."""
        part = part_around(self.image, settings.position, max(settings.size or 0.0, _SKY))
        data, mask = self.image.data[part], self.image.mask[part]
        noise = self.noise.part(part, mask)
        width = fwhm_of(psf) / self.image.pixel_scale
        mask = mask | find_bad_pixels(data, mask, noise.of_pixels, width)
        image = replace(self.image, data=np.where(mask, 0, data).astype(np.float32), mask=mask)
        return _Field(image, noise)

    def on_grid(self, pair: SurveyPair) -> Image:
        """Return the image in the pixels of the network."""
        if _has_scale(self.image, pair):
            return self.image
        return _collection(self.image, pair).image(self.image)

    def factor(self, pair: SurveyPair) -> tuple[float, str, float]:
        """Return the noise in the pixels of the network, how it was measured, and its excess.

        By which it exceeds that of white noise in the image's own: 1 where light leaves no sky.
        """
        collected = self.on_grid(pair)
        sigma, how = measured_noise(collected)
        white = _white(self.image, self.noise, collected.mask, pair)
        return sigma, how, sigma / white.sigma if how == IN_SKY else 1.0


def _has_scale(image: Image, pair: SurveyPair) -> bool:
    return abs(image.pixel_scale / pair.grid.observed_scale - 1) <= SAME_SCALE


def _collection(image: Image, pair: SurveyPair) -> Collection:
    return Collection.of(image.data.shape, image.pixel_scale, pair.grid.observed_scale)


def _white(image: Image, noise: ObservedNoise, mask: np.ndarray, pair: SurveyPair) -> ObservedNoise:
    """Return what noise becomes in the network's pixels, were it white in the image's own."""
    each = np.ones(image.data.shape) * noise.of_pixels
    return of_map(_collection(image, pair).variance(each**2), mask, noise.how)


def _on_grid(
    image: Image, noise: ObservedNoise, psf: galsim.GSObject, pair: SurveyPair, field: _Field
) -> tuple[Image, ObservedNoise, galsim.GSObject, str]:
    """Return the image in the pixels of the network, its noise and PSF, and what was done.

    An image that has them stays as it is. Finer ones are collected in them: the PSF is widened by a
    pixel. A map of the noise becomes that of white noise, times what is then measured where there
    is sky, in the field around, for resampled images of surveys have noise that neighbours share.
    """
    scale = pair.grid.observed_scale
    if _has_scale(image, pair):
        return image, noise, psf, ""
    collection = _collection(image, pair)
    collected, wider = collection.image(image), collection.psf(psf)
    check_usable(collected)
    done = (
        f'pixels of {image.pixel_scale:.4g}" to {scale:.4g}", by which its PSF is widened from'
        f' {fwhm_of(psf):.3f}" to {fwhm_of(wider):.3f}"'
    )
    sigma, how, factor = field.factor(pair)
    if noise.given:
        after = _white(image, noise, collected.mask, pair).times(factor)
    else:
        after = ObservedNoise(sigma, f"{how} after that")
    return collected, after, wider, done
