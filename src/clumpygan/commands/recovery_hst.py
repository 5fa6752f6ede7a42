"""Galaxies seen by HST, simulated as HSC would see them: synthetic ones, images, catalogues."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import numpy as np
import torch

from clumpygan.commands.recovery_camera import (
    assumed_psf,
    camera_of,
    check_hst_scale,
    in_nanojansky,
    noise_of,
    psf_from_file,
    unknown_zero_points,
    without_blemishes,
)
from clumpygan.commands.recovery_cutout import asked_part
from clumpygan.commands.recovery_grid import TARGET, HstStamp, hst_stamp
from clumpygan.commands.recovery_options import MAX_MAGNITUDE, MAX_REDSHIFT
from clumpygan.commands.recovery_psf import SeenThrough
from clumpygan.commands.recovery_scene import Scene, coarse_mask, coarse_shape
from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK, HSC_PIXEL_SCALE, HST_PIXEL_SCALE
from clumpygan.errors import InputError
from clumpygan.instruments import (
    ObservationOperator,
    carried_noise_power,
    draw_noise,
    effective_depth,
    fwhm_of,
    get_instrument,
    missing_noise_power,
    pixel_psf,
    sky_sigma,
)
from clumpygan.io import read_image, rescaled_wcs
from clumpygan.io.photometry import filter_of

if TYPE_CHECKING:
    import galsim

    from clumpygan.instruments import ImagingInstrument
    from clumpygan.io import Image

SPLIT = "recover"
"""The part of the synthetic population that is drawn here: never trained on."""

BRIGHTEST = 20.0
"""H magnitude of the brightest synthetic galaxy."""

_DEPTH_APERTURE = 1.0  # arcsec: --depth is 5 sigma in this radius
_NOTABLE_DEPTH = 0.05


def synthetic_scene(options: Namespace, seed: int) -> Scene:
    """Draw a galaxy from the population, render it as HST sees it without noise, observe it."""
    from clumpygan.galaxies import StampRenderer, draw_population

    faintest = _given(options.max_hmag, MAX_MAGNITUDE)
    if faintest <= BRIGHTEST:
        raise InputError(
            f"--max-hmag {faintest:g}: synthetic galaxies have H from {BRIGHTEST:g} on; give more"
        )
    row = draw_population(
        1,
        seed=seed,
        split=SPLIT,
        min_magnitude=BRIGHTEST,
        max_magnitude=faintest,
        max_redshift=_given(options.max_redshift, MAX_REDSHIFT),
    )[0]
    camera = get_instrument(TARGET)
    psf = camera.psf()
    data = StampRenderer(psf=psf).render(row)
    stamp = HstStamp(data, np.zeros(data.shape, dtype=bool), psf, psf)
    scene = _observed(stamp, options, seed)
    scene.title = f"Synthetic galaxy, seed {seed}"
    clumps = int(row["clump_count"])
    made_of = f"{clumps} clumps" if clumps != 1 else "1 clump"
    scene.subtitle = (
        f'{made_of}, half-light radius {row["half_light_radius"]:.2f}", {scene.subtitle}'
    )
    scene.reference_name = f"HST {camera.band}, model"
    scene.redshift, scene.magnitude = float(row["redshift"]), float(row["h_magnitude"])
    scene.facts["clumps"] = clumps
    return scene


def image_scene(options: Namespace, seed: int) -> Scene:
    """Read an HST image and simulate its HSC view."""
    named = None if options.instrument is None else get_instrument(options.instrument)
    with unknown_zero_points():
        image = read_image(
            options.image,
            pixel_scale=options.pixel_scale,
            zero_point=options.zero_point,
            hdu=options.hdu,
            weight=options.weight,
            band=None if named is None else named.band,
        )
    check_hst_scale(image.pixel_scale, options.image)
    camera = camera_of(options.instrument, image.pixel_scale)
    image = in_nanojansky(asked_part(image, options), camera)
    if options.psf is None:
        psf = assumed_psf(camera, str(options.image))
    else:
        psf = psf_from_file(options.psf, options.psf_scale, image.pixel_scale)
    scene = _observed(_stamp(image, psf, camera), options, seed)
    scene.title = options.image.name
    scene.reference_name = f"HST {named.band if named else filter_of(image.header).upper()}".strip()
    return scene


def catalog_scene(options: Namespace, seed: int) -> Scene:
    """Draw a galaxy from a catalogue of HST stamps and simulate its HSC view."""
    from clumpygan.io.catalog import read_catalog, read_stamp, select

    chosen = select(
        read_catalog(options.catalog),
        _given(options.max_redshift, MAX_REDSHIFT),
        _given(options.max_hmag, MAX_MAGNITUDE),
    )
    row = chosen[int(np.random.default_rng(seed).integers(len(chosen)))]
    root = options.data_root or options.catalog.parent
    with unknown_zero_points():
        image, array, psf_scale = read_stamp(row, root)
    check_hst_scale(image.pixel_scale, image.path)
    camera = camera_of(options.instrument, image.pixel_scale)
    image = in_nanojansky(image, camera)
    name = f"galaxy {row['id']} of {options.catalog.name}"
    psf = (
        assumed_psf(camera, name)
        if array is None
        else pixel_psf(array, psf_scale, name=f"PSF of {name}")
    )
    scene = _observed(_stamp(image, psf, camera), options, seed)
    scene.title = name[0].upper() + name[1:]
    scene.reference_name = f"HST {camera.band}"
    scene.redshift, scene.magnitude = float(row["redshift"]), float(row["h_magnitude"])
    scene.magnitude_name = "H" if camera.band == "F160W" else camera.band
    scene.facts["galaxies_in_the_selection"] = len(chosen)
    return scene


def _stamp(image: Image, psf: galsim.GSObject, camera: ImagingInstrument) -> HstStamp:
    """Measure the noise of an image, mask its bad pixels, bring it onto the grid."""
    noise = noise_of(image, camera)
    return hst_stamp(without_blemishes(image, psf, noise), psf, noise)


def _observed(stamp: HstStamp, options: Namespace, seed: int) -> Scene:
    """Simulate the HSC view of a stamp, adding the noise that it doesn't carry already."""
    survey = get_instrument(f"hsc_wide_{options.band}")
    psf = SeenThrough(survey.psf(fwhm=_given(options.seeing, survey.psf_fwhm)), stamp.psf)
    depth = _given(options.depth, survey.depth_magnitude)
    generator = torch.Generator().manual_seed(seed)
    operator = ObservationOperator()
    frequencies = operator.frequencies(coarse_shape(stamp.data.shape))
    transfer = psf(frequencies)
    image, reference_sigma = stamp.filled(generator)
    clean = operator(torch.from_numpy(image)[None, None], transfer)
    carried = carried_noise_power(stamp.noise_power(frequencies), transfer[0])
    wanted = torch.full_like(carried, sky_sigma(depth, _DEPTH_APERTURE, HSC_PIXEL_SCALE) ** 2)
    missing = missing_noise_power(wanted, carried)
    observed = clean + draw_noise(missing, clean.shape, generator)
    total = carried + missing
    scene = Scene(
        title="",
        subtitle=f"seen by {survey.description}, {options.band} band,"
        rf' {effective_depth(total):.1f} mag deep (5$\sigma$ in 2")',
        observed=observed[0, 0].numpy(),
        sigma=float(total.mean()) ** 0.5,
        psf=psf,
        seeing=float(psf.fwhm),
        observed_mask=coarse_mask(stamp.missing),
        reference_mask=stamp.missing,
        reference=stamp.data,
        reference_sigma=reference_sigma,
        reference_fwhm=fwhm_of(stamp.psf),
        observed_name=f"Its HSC view, {options.band} band",
        reference_wcs=stamp.wcs,
        observed_wcs=None
        if stamp.wcs is None
        else rescaled_wcs(stamp.wcs, FINE_BLOCK / COARSE_BLOCK),
        facts={"depth_asked": depth, "depth": effective_depth(total)},
    )
    scene.remarks += _remarks(stamp, scene)
    return scene


def _remarks(stamp: HstStamp, scene: Scene) -> list[str]:
    """Say what was done to a real image on the way."""
    remarks = []
    asked, reached = scene.facts["depth_asked"], scene.facts["depth"]
    if asked - reached > _NOTABLE_DEPTH:
        remarks.append(
            f"the noise of the HST image itself limits its HSC view to a depth of {reached:.2f}"
            f" mag instead of {asked:.2f}; only what is missing was added"
        )
    if stamp.psf is not stamp.own_psf:
        remarks.append(
            f'HST PSF widened from {fwhm_of(stamp.own_psf):.3f}" to {scene.reference_fwhm:.3f}",'
            " that of the images the network recovers"
        )
    if stamp.surrounded:
        rows, columns = (int(np.ptp(np.flatnonzero(~stamp.mask.all(axis=a)))) + 1 for a in (1, 0))
        remarks.append(
            f'the stamp of {columns * HST_PIXEL_SCALE:.1f}" x {rows * HST_PIXEL_SCALE:.1f}" was'
            " surrounded by empty sky"
        )
    return remarks


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
