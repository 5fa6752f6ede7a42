"""Sharp galaxies, simulated as a survey would see them: synthetic ones, images, catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clumpygan.errors import InputError
from clumpygan.instruments import (
    ObservationOperator,
    SurveyPair,
    carried_noise_power,
    draw_noise,
    effective_depth,
    fwhm_of,
    get_instrument,
    missing_noise_power,
    pixel_psf,
    sky_sigma,
)
from clumpygan.io import read_catalog, read_image, read_stamp, rescaled_wcs, select
from clumpygan.io.photometry import filter_of
from clumpygan.recovery.camera import (
    SCALE_TOLERANCE,
    assumed_psf,
    camera_of,
    check_sharp_scale,
    in_nanojansky,
    mask_bad_pixels,
    measured_psf,
    unknown_zero_points,
)
from clumpygan.recovery.hst_stamp import SharpStamp, sharp_stamp
from clumpygan.recovery.scene import (
    Scene,
    SeenThrough,
    coarse_mask,
    part_around,
    title_of,
)
from clumpygan.recovery.settings import MAX_MAGNITUDE, MAX_REDSHIFT
from clumpygan.recovery.sharp_noise import noise_of, sharp_noise

if TYPE_CHECKING:
    from clumpygan.recovery.settings import RecoverySettings

SPLIT = "recover"
"""The part of the synthetic population that is drawn here: never trained on."""

BRIGHTEST = 20.0
"""H magnitude of the brightest synthetic galaxy."""

_DEPTH_APERTURE = 1.0  # arcsec: `depth` is 5 sigma in this radius
_NOTABLE_DEPTH = 0.05
_SHARP_MAP = "bad pixels are told by the map, the noise of the simulated view by its median"


def synthetic_scene(settings: RecoverySettings, seed: int, pair: SurveyPair) -> Scene:
    """Draw a galaxy, render it as the target sees it without noise, observe it."""
    from clumpygan.galaxies import StampRenderer, draw_population

    faintest = _given(settings.max_hmag, MAX_MAGNITUDE)
    if faintest <= BRIGHTEST:
        raise InputError(
            f"`max_hmag` {faintest:g}: synthetic galaxies have H from {BRIGHTEST:g} on; give more"
        )
    row = draw_population(
        1,
        seed=seed,
        split=SPLIT,
        min_magnitude=BRIGHTEST,
        max_magnitude=faintest,
        max_redshift=_given(settings.max_redshift, MAX_REDSHIFT),
    )[0]
    camera, grid = pair.target, pair.grid
    psf = camera.psf()
    data = StampRenderer(grid.stamp, grid.target_scale, psf=psf).render(row)
    stamp = SharpStamp(data, np.zeros(data.shape, dtype=bool), grid.target_scale, psf, psf)
    clumps = int(row["clump_count"])
    made_of = f"{clumps} clumps" if clumps != 1 else "1 clump"
    return _observed(
        stamp,
        settings,
        seed,
        pair,
        title=f"Synthetic galaxy, seed {seed}",
        subtitle=f'{made_of}, half-light radius {row["half_light_radius"]:.2f}", ',
        reference_name=f"{camera.short_name} {camera.band}, model",
        redshift=float(row["redshift"]),
        magnitude=float(row["h_magnitude"]),
        facts={"clumps": clumps},
    )


def image_scene(settings: RecoverySettings, seed: int, pair: SurveyPair) -> Scene:
    """Read a sharp image and simulate the survey's view."""
    named = None if settings.instrument is None else get_instrument(settings.instrument)
    with unknown_zero_points():
        image = read_image(
            settings.image,
            pixel_scale=settings.pixel_scale,
            zero_point=settings.zero_point,
            unit=settings.unit,
            hdu=settings.hdu,
            weight=settings.weight,
            mask=settings.mask,
            band=None if named is None else named.band,
            name="`image`",
        )
    check_sharp_scale(image.pixel_scale, image.path, pair)
    camera = camera_of(settings.instrument, image.pixel_scale, pair.target)
    image = in_nanojansky(image, camera)
    part = part_around(image, settings.position, settings.size)
    image, noise, each = sharp_noise(image, camera, settings, part)
    if settings.psf is None:
        psf = assumed_psf(camera, str(image.path))
    else:
        psf = measured_psf(settings.psf, settings.psf_scale, image.pixel_scale, beside=settings.hdu)
    band = named.band if named else filter_of(image.header).upper()
    image = mask_bad_pixels(image, psf, each.of_pixels)
    return _observed(
        sharp_stamp(image, psf, noise, pair),
        settings,
        seed,
        pair,
        notes=each.remarks(image.mask, _SHARP_MAP),
        title=title_of(image.path),
        reference_name=f"{camera.short_name} {band}".strip(),
    )


def catalog_scene(settings: RecoverySettings, seed: int, pair: SurveyPair) -> Scene:
    """Draw a galaxy from a catalogue of sharp stamps and simulate the survey's view."""
    assert settings.catalog is not None
    chosen = select(
        read_catalog(settings.catalog),
        _given(settings.max_redshift, MAX_REDSHIFT),
        _given(settings.max_hmag, MAX_MAGNITUDE),
    )
    row = chosen[int(np.random.default_rng(seed).integers(len(chosen)))]
    root = settings.data_root or settings.catalog.parent
    with unknown_zero_points():
        image, array, psf_scale = read_stamp(row, root)
    check_sharp_scale(image.pixel_scale, image.path, pair)
    camera = camera_of(settings.instrument, image.pixel_scale, pair.target)
    image = in_nanojansky(image, camera)
    name = f"galaxy {row['id']} of {settings.catalog.name}"
    if array is None or psf_scale is None:
        psf = assumed_psf(camera, name)
    else:
        psf = pixel_psf(array, psf_scale, name=f"PSF of {name}")
    noise = noise_of(image, camera)
    return _observed(
        sharp_stamp(mask_bad_pixels(image, psf, noise.sigma), psf, noise, pair),
        settings,
        seed,
        pair,
        title=name[0].upper() + name[1:],
        reference_name=f"{camera.short_name} {camera.band}",
        redshift=float(row["redshift"]),
        magnitude=float(row["h_magnitude"]),
        magnitude_name="H" if camera.band == "F160W" else camera.band,
        facts={"galaxies_in_the_selection": len(chosen)},
    )


def _observed(
    stamp: SharpStamp,
    settings: RecoverySettings,
    seed: int,
    pair: SurveyPair,
    *,
    subtitle: str = "",
    facts: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    **known: Any,
) -> Scene:
    """Simulate the survey's view of a stamp, adding the noise that it doesn't carry already.

    Parameters
    ----------
    stamp : SharpStamp
    settings : RecoverySettings
    seed : int
    subtitle : str
        What comes first in that of the scene.
    facts : dict, optional
        Of the galaxy, for the JSON file.
    notes : tuple of str
        Of the sharp image, for the remarks.
    **known
        Other fields of the scene.
    """
    survey, grid = pair.survey_in(settings.band), pair.grid
    psf = SeenThrough(survey.psf(fwhm=_given(settings.seeing, survey.psf_fwhm)), stamp.psf)
    # White noise is 2.5 log10(r) mag shallower in an aperture r times as wide.
    widening = 2.5 * np.log10(survey.depth_aperture_radius / _DEPTH_APERTURE)
    asked = _given(settings.depth, survey.depth_magnitude + widening)
    generator = torch.Generator().manual_seed(seed)
    operator = ObservationOperator(grid=grid)
    rows, columns = stamp.data.shape
    frequencies = operator.frequencies(grid.coarse_shape((rows, columns)))
    transfer = psf(frequencies)
    image, reference_sigma = stamp.filled(generator)
    clean = operator(torch.from_numpy(image)[None, None], transfer)
    carried = carried_noise_power(stamp.noise_power(frequencies), transfer[0], grid.area_ratio)
    wanted = torch.full_like(carried, sky_sigma(asked, _DEPTH_APERTURE, grid.observed_scale) ** 2)
    missing = missing_noise_power(wanted, carried)
    observed = clean + draw_noise(missing, clean.shape, generator)
    total = carried + missing
    reached = effective_depth(total, grid.observed_scale)
    wcs = None if stamp.wcs is None else rescaled_wcs(stamp.wcs, grid.ratio)
    return Scene(
        pair=pair,
        subtitle=f"{subtitle}seen by {survey.description}, {survey.band} band,"
        f' {reached:.1f} mag deep (5 sigma in 2")',
        observed=observed[0, 0].numpy(),
        sigma=float(total.mean()) ** 0.5,
        psf=psf,
        seeing=float(psf.fwhm),
        observed_mask=coarse_mask(stamp.missing, grid),
        reference_mask=stamp.missing,
        reference=stamp.data,
        reference_sigma=reference_sigma,
        reference_fwhm=fwhm_of(stamp.psf),
        observed_name=f"Its {survey.short_name} view, {survey.band} band",
        reference_wcs=stamp.wcs,
        observed_wcs=wcs,
        facts={"depth_asked": asked, "depth": reached, **(facts or {})},
        remarks=(*notes, *_remarks(stamp, asked, reached)),
        **known,
    )


def _remarks(stamp: SharpStamp, asked: float, reached: float) -> list[str]:
    """Say what was done to a real image on the way, and whether the asked depth was reached."""
    remarks = []
    if asked - reached > _NOTABLE_DEPTH:
        remarks.append(
            f"the noise of the sharp image itself limits its view to a depth of {reached:.2f}"
            f" mag instead of {asked:.2f}; only what is missing was added"
        )
    if stamp.noise is not None and abs(stamp.noise.pixel_scale / stamp.pixel_scale - 1) > (
        SCALE_TOLERANCE
    ):
        remarks.append(
            f'resampled: pixels of {stamp.noise.pixel_scale:.4g}" to {stamp.pixel_scale:.4g}"'
        )
    if stamp.psf is not stamp.own_psf:
        remarks.append(
            f'PSF widened from {fwhm_of(stamp.own_psf):.3f}" to {fwhm_of(stamp.psf):.3f}",'
            " that of the images the network recovers"
        )
    if stamp.surrounded:
        rows, columns = (int(np.ptp(np.flatnonzero(~stamp.mask.all(axis=a)))) + 1 for a in (1, 0))
        remarks.append(
            f'the stamp of {columns * stamp.pixel_scale:.1f}" x {rows * stamp.pixel_scale:.1f}" was'
            " surrounded by empty sky"
        )
    return remarks


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
