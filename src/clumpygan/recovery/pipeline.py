"""Recover a galaxy: from settings to images with errors, measurements and remarks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from clumpygan.errors import InputWarning
from clumpygan.evaluation.recovery.baselines import richardson_lucy
from clumpygan.evaluation.recovery.fidelity import half_light_radius
from clumpygan.evaluation.recovery.observed_features import observed_features
from clumpygan.evaluation.recovery.sources import find_sources
from clumpygan.gan.blend_odds import blend_odds_of
from clumpygan.gan.gan_settings import LIKELY_BLENDED
from clumpygan.recovery.from_hsc import observed_scene
from clumpygan.recovery.from_hst import catalog_scene, image_scene, synthetic_scene
from clumpygan.recovery.measurements import (
    blend_odds_at,
    find_nucleus,
    measure,
    measured_magnitude,
)
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.recovery.result import Recovery
from clumpygan.recovery.scene import shown_part
from clumpygan.recovery.settings import RecoverySettings
from clumpygan.settings import check_device, from_mapping, takes_settings

if TYPE_CHECKING:
    import galsim

    from clumpygan.evaluation.recovery.out_of_distribution import Likeness
    from clumpygan.io.fits import ImageSource
    from clumpygan.recovery.scene import Scene

RICHARDSON_LUCY_ITERATIONS = 500
"""Near the best for galaxies of any magnitude, with a pedestal of 100 sigma."""

_MAKERS = {
    "synthetic": synthetic_scene,
    "image": image_scene,
    "catalog": catalog_scene,
    "observed": observed_scene,
}

_FWHM_TO_SIGMA = 1 / 2.3548
_DETECTION = 5.0  # sigma: fainter is nothing but noise
_STAR_EXCESS = 1.15  # half-light radii of the PSF up to which a source is a star
_STAR_SIGNAL = 20.0  # sigma from which on that can be told
_PSF_SIZE = 61  # pixels of the target
_LEAST_MASKED = 0.01  # share of the field
BAD_FIT = 1.5
"""chi^2 per pixel from which on a recovery does not fit its data."""
_NEAR_EDGE = 0.4  # arcsec


@takes_settings(RecoverySettings)
def recover(observed: ImageSource | None = None, **settings: Any) -> Recovery:
    """Recover the HST image of a galaxy from its Subaru HSC view.

    >>> recovery = recover("hsc.fits", psf="psf.fits", seed=7)  # doctest: +SKIP
    >>> recovery.best, recovery.error, recovery.metrics         # doctest: +SKIP

    Parameters
    ----------
    observed : str, path-like, array or CCDData, optional
        A real HSC image, which needs `psf` or `seeing`. An array needs `pixel_scale` too, and
        stays in counts without `zero_point` or `unit`.
    **settings
        The fields of `RecoverySettings`. In place of `observed`, `image` is an HST image,
        `catalog` a catalogue of them and `example` a real one that comes along, whose HSC view is
        simulated first; without any of them a synthetic galaxy is drawn. `seed` fixes all that is
        random.

    Returns
    -------
    Recovery

    Raises
    ------
    InputError
        For an unknown setting, a bad value, settings that contradict each other, and files that
        can't be used.
    """
    return recover_with(from_mapping(RecoverySettings, {"observed": observed, **settings}))


def recover_with(settings: RecoverySettings, resolver: SuperResolver | None = None) -> Recovery:
    """Recover the galaxy that the settings ask for.

    Parameters
    ----------
    settings : RecoverySettings
    resolver : SuperResolver, optional
        A network that is loaded already, or one of your own, in place of `settings.checkpoint`.

    Raises
    ------
    InputError
        See `recover`.
    """
    settings = settings.with_example().seeded()
    assert settings.seed is not None
    if resolver is None:
        check_device(settings.device)
        resolver = SuperResolver.from_checkpoint(str(settings.checkpoint), device=settings.device)
    blend_odds_of(settings.classifier, resolver.pair)  # what is wrong with it is said before all
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", InputWarning)
        scene = _MAKERS[settings.source](settings, settings.seed, resolver.pair)
    for one in heard:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    mended = (one for one in heard if issubclass(one.category, InputWarning))
    return recover_scene(scene, resolver, settings, tuple(str(one.message) for one in mended))


def recover_scene(
    scene: Scene, resolver: SuperResolver, settings: RecoverySettings, mended: tuple[str, ...] = ()
) -> Recovery:
    """Recover a scene with the network and, if that is wanted, with Richardson-Lucy.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    resolver : SuperResolver
        The trained network.
    settings : RecoverySettings
        With a seed.
    mended : tuple of str
        What was mended in the input, for the result.

    Returns
    -------
    Recovery
    """
    assert settings.seed is not None
    observed = torch.from_numpy(scene.observed)[None, None]
    sigma = torch.tensor([scene.sigma], dtype=torch.float32)
    mask = torch.from_numpy(scene.observed_mask)[None, None]
    noise, weight = None, None
    if scene.sigma_map is not None:
        noise = torch.from_numpy(scene.sigma_map.astype(np.float32))[None, None]
        weight = (scene.sigma / noise).square()
    if mask.any():
        weight = torch.ones_like(observed) if weight is None else weight
        weight = torch.where(mask, 0, weight)
    recovered = resolver.recover(
        observed, scene.shared_noise * sigma, scene.psf, samples=settings.samples,
        seed=settings.seed, noise=None if noise is None else scene.shared_noise * noise, mask=mask,
    )  # fmt: skip
    operator = resolver.operator
    transfer = scene.psf(operator.frequencies(scene.observed.shape))
    images = {"network": recovered.best, "sample": recovered.samples[0]}
    if settings.richardson_lucy:
        count = RICHARDSON_LUCY_ITERATIONS
        snapshots = richardson_lucy(
            observed, sigma, transfer, operator, iterations=(count,), weight=weight
        )
        images["richardson_lucy"] = snapshots[count]
    seen = {name: _array(operator(image, transfer)) for name, image in images.items()}
    arrays = {name: _array(image) for name, image in images.items()}
    nucleus = find_nucleus(scene, arrays["network"])
    metrics = {name: measure(scene, arrays[name], seen[name], nucleus) for name in arrays}
    magnitude, magnitude_name = measured_magnitude(scene, arrays["network"], nucleus)
    samples = recovered.samples[:, 0, 0].numpy()
    sources = find_sources(
        np.where(scene.recovered_mask, 0, samples),
        scene.sigma / scene.grid.area_ratio,
        nucleus,
        scene.grid.target_scale,
        chance=resolver.clump_probability,
    )
    likeness = likeness_of(scene, resolver, nucleus)
    classifier = blend_odds_of(settings.classifier, resolver.pair)
    odds = None
    if classifier is not None and _peak_signal(scene) > _DETECTION:
        odds = blend_odds_at(classifier, scene, arrays["network"], nucleus)
    return Recovery(
        settings=settings,
        scene=scene,
        best=arrays["network"],
        error=_array(recovered.error),
        samples=samples,
        richardson_lucy=arrays.get("richardson_lucy"),
        residual=(scene.observed - seen["network"]) / scene.noise,
        nucleus=nucleus,
        sources=tuple(sources),
        metrics=metrics,
        magnitude=magnitude,
        magnitude_name=magnitude_name,
        remarks=(
            *scene.remarks,
            *remarks_on_data(scene, nucleus),
            *remarks_on_fit(metrics["network"]["chi2"]),
            *([str(likeness)] if likeness is not None and likeness.unusual else []),
            *remarks_on_blends(odds),
        ),
        warnings=mended,
        widening=resolver.widening,
        likeness=likeness,
        blend_odds=odds,
    )


def likeness_of(
    scene: Scene, resolver: SuperResolver, nucleus: tuple[float, float]
) -> Likeness | None:
    """Return how like the training's galaxies the observed one is; None where that isn't known.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    resolver : SuperResolver
        Whose card says what is usual.
    nucleus : tuple of float
        (y, x) in pixels of the recovered image.
    """
    if resolver.population is None:
        return None
    grid = scene.grid
    y, x = map(grid.observed_place, nucleus)
    measured = observed_features(
        scene.observed, scene.noise, scene.seeing, grid.observed_scale, scene.observed_mask, (y, x)
    )
    return resolver.population.likeness(*measured)


def remarks_on_fit(misfit: float | None) -> list[str]:
    """Return a sentence if the recovered image doesn't agree with the data, by its chi^2."""
    if misfit is None or misfit < BAD_FIT:
        return []
    return [
        f"the recovered image doesn't fit the observed one (chi^2 {misfit:.1f} per pixel): a galaxy"
        " brighter or sharper than those the network was trained on, or a wrong PSF or noise"
    ]


def remarks_on_blends(odds: float | None) -> list[str]:
    """Return a sentence if a galaxy is likely to be two, by the ln of its odds."""
    if odds is None or odds < LIKELY_BLENDED:
        return []
    return [
        f'this may be two galaxies 0.2-1.2" apart (ln of the odds {odds:.1f}; one in a hundred'
        f" single galaxies has more than {LIKELY_BLENDED:g})"
    ]


def remarks_on_data(scene: Scene, nucleus: tuple[float, float]) -> list[str]:
    """Return one sentence each for missing data, an empty stamp and a probable star.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    nucleus : tuple of float
        (y, x) in pixels of what is to be measured.
    """
    remarks = []
    masked = float(scene.observed_mask[shown_part(scene.observed_mask, scene.grid)].mean())
    if masked > _LEAST_MASKED:
        remarks.append(f"{100 * masked:.0f} % of the field has no data (grey)")
    signal = _peak_signal(scene)
    if signal < _DETECTION:
        remarks.append(
            f"nothing stands out of the noise of the observed image (peak {signal:.1f} sigma after"
            " smoothing by the seeing): what is recovered is prior, not galaxy"
        )
        return remarks
    if _distance_to_edge(scene, nucleus) < _NEAR_EDGE:
        remarks.append(
            "the source touches the edge of the data: flux and size are those of the part inside"
        )
    if scene.reference is not None and signal > _STAR_SIGNAL:
        remarks += _star(scene, nucleus)
    return remarks


def _distance_to_edge(scene: Scene, nucleus: tuple[float, float]) -> float:
    """Return how far the source is from the next pixel without data, in arcsec."""
    missing = np.pad(scene.reference_mask | scene.recovered_mask, 1, constant_values=True)
    distance = distance_transform_edt(~missing)[1:-1, 1:-1]
    return float(distance[int(nucleus[0]), int(nucleus[1])]) * scene.grid.target_scale


def _peak_signal(scene: Scene) -> float:
    """Return the S/N of the brightest point of the image smoothed by a Gaussian like the PSF.

    White noise of sigma per pixel smoothed by a Gaussian of width s has sigma / (2 sqrt(pi) s).
    """
    width = scene.seeing * _FWHM_TO_SIGMA / scene.grid.observed_scale
    light = np.where(scene.observed_mask, 0, scene.observed).astype(np.float64)
    smooth = gaussian_filter(light, width)
    noise = scene.sigma / (2 * np.sqrt(np.pi) * width)
    return float(smooth[~scene.observed_mask].max() / noise)


def _star(scene: Scene, nucleus: tuple[float, float]) -> list[str]:
    """Say so if the source is hardly wider than the PSF of the sharp image."""
    assert scene.reference is not None
    scale = scene.grid.target_scale
    size = half_light_radius(scene.reference, nucleus, scale)
    point = _half_light_radius_of(scene.psf.sharp, scale)
    if not size < _STAR_EXCESS * point:
        return []
    return [
        f'the source is as compact as the PSF (half-light radius {size:.2f}", PSF {point:.2f}"):'
        " a star, or a galaxy too small to be resolved; the network knows galaxies only"
    ]


def _half_light_radius_of(psf: galsim.GSObject, scale: float) -> float:
    image = psf.drawImage(
        nx=_PSF_SIZE, ny=_PSF_SIZE, scale=scale, method="no_pixel", dtype=np.float64
    ).array
    return half_light_radius(image, ((_PSF_SIZE - 1) / 2, (_PSF_SIZE - 1) / 2), scale)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach()[0, 0].cpu().numpy()
