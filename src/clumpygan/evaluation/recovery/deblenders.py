"""What deblenders of others make of the same images: SExtractor's, and scarlet2.

Both are optional packages, those of the extra `peers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

import galsim
import numpy as np
from numpy.typing import NDArray

from clumpygan.errors import InputError
from clumpygan.evaluation.recovery.blends import REGION, Split

FLOAT = NDArray[np.float64]

_THRESHOLD = 1.5
"""Sigma above which SExtractor looks at light, as its DETECT_THRESH is by default."""

_LEVELS = 32
"""SExtractor's DEBLEND_NTHRESH."""

_LOWEST, _HIGHEST = 1e-4, 0.5
"""DEBLEND_MINCONT between which the largest is looked for that still leaves two."""

_HALVINGS = 12
"""Of that range, in its logarithm."""

_UNDEBLENDED = 1.0
"""DEBLEND_MINCONT that leaves each detection whole."""

_MODEL_PSF = 0.7
"""Pixels, sigma of the Gaussian by which scarlet2's scenes are as smooth as their pixels ask."""

_PSF_SIDE = 25
"""Pixels of the PSF's image: at most 1 % of HSC's light is further out."""

_STEPS, _RATE = 300, 0.1
"""Of Adam (Kingma & Ba 2015); its rate falls to zero as a cosine."""

_APART = 0.6
"""Arcsec between the two sources with which a fit starts, along the major axis of the light."""

_STARTING_SHARES = (0.75, 0.25)
"""Of the light, of the first of the two: a fit for each, the better one counts."""

_STARTING_SIZE, _STARTING_INDEX = 0.25, 1.0
"""Half-light radius in arcsec and Sersic index with which fits start."""

_INDICES = (0.5, 4.0)
"""Sersic indices allowed."""

_FLATTEST = 0.9
"""Largest ellipticity."""


def load_deblender(package: str) -> ModuleType:
    """Import a deblender's package, `sep` or `scarlet2`.

    Raises
    ------
    InputError
        If it isn't installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(
            f"this deblender needs {package}: python -m pip install 'clumpygan[peers]'"
        ) from error


def split_by_sextractor(image: NDArray[np.floating], sigma: float, pixel_scale: float) -> Split:
    """Split an image into two parts by SExtractor itself (Bertin & Arnouts 1996), as `sep` has it.

    The contrast is the largest DEBLEND_MINCONT that still leaves two sources of the one in the
    middle, or the share of the light that the second of two has which never touch. Detection is by
    SExtractor's defaults: 1.5 sigma, 5 pixels, its filter of 3 x 3 pixels, 32 levels.

    Parameters
    ----------
    image : ndarray (y, x)
        What is beyond 1.5" from its middle isn't counted.
    sigma : float
        Depth of the observation per pixel of the image, in its unit.
    pixel_scale : float
        Arcsec.

    Raises
    ------
    InputError
        If `sep` isn't installed.
    """
    sep = load_deblender("sep")
    light = np.ascontiguousarray(image, np.float64)
    middle = (np.array(light.shape) - 1) / 2

    def parts(contrast: float) -> Any:
        found = sep.extract(
            light, _THRESHOLD * sigma, deblend_nthresh=_LEVELS, deblend_cont=contrast
        )
        away = np.hypot(found["y"] - middle[0], found["x"] - middle[1]) * pixel_scale
        near = found[away <= REGION]
        return near[np.argsort(-near["flux"], kind="stable")]

    whole = parts(_UNDEBLENDED)
    if len(whole) > 1:
        return Split(float(whole["flux"][1] / whole["flux"].sum()), _peaks(whole))
    low, high = _LOWEST, _HIGHEST
    best = parts(low)
    if len(best) < 2:
        return Split(0.0, np.full((2, 2), np.nan))
    for _ in range(_HALVINGS):
        between = float(np.sqrt(low * high))
        found = parts(between)
        if len(found) > 1:
            low, best = between, found
        else:
            high = between
    return Split(low, _peaks(best))


def _peaks(found: Any) -> FLOAT:
    """Return (y, x) of the peaks of the first two detections, (2, 2)."""
    return np.stack([found["ypeak"][:2], found["xpeak"][:2]], axis=1).astype(np.float64)


@dataclass(frozen=True)
class FittedPair:
    """Two sources that were fitted to an image.

    Attributes
    ----------
    gain : float
        Share by which the second source lowers chi squared.
    share : float
        Of the light, that of the fainter source.
    places : ndarray (2, 2)
        (y, x) of each in pixels, the brighter one first.
    fluxes : ndarray (2,)
        Within 1.5" of each, in the unit of the image.
    """

    gain: float
    share: float
    places: FLOAT
    fluxes: FLOAT

    @property
    def score(self) -> float:
        """The gain over the flux of both: bright single galaxies are no Sersic profiles either."""
        return float(self.gain / self.fluxes.sum())

    def fluxes_at(self, places: FLOAT) -> FLOAT:
        """Return the fluxes of `places`, or of them in the other order, in theirs."""
        return self.fluxes if np.array_equal(places, self.places) else self.fluxes[::-1]


def psf_image(psf: galsim.GSObject, pixel_scale: float) -> NDArray[np.float32]:
    """Draw the image of a PSF, pixel included, as `fit_pair` wants it: (25, 25)."""
    return np.asarray(
        psf.drawImage(nx=_PSF_SIDE, ny=_PSF_SIDE, scale=pixel_scale, method="no_pixel").array
    )


def fit_pair(
    image: NDArray[np.floating], sigma: float, psf: NDArray[np.floating], pixel_scale: float
) -> FittedPair:
    """Fit scenes of one and of two Sersic sources by scarlet2.

    Where sources are isn't told: a fit of two starts along the major axis of the light, once with
    the brighter one on either side, and the better fit counts. Places, fluxes, sizes, ellipticities
    and Sersic indices are free. scarlet2 separates sources whose number it is told; telling one
    from two by the gain in chi squared is ours.

    Parameters
    ----------
    image : ndarray (y, x)
        Square, of an even number of pixels.
    sigma : float
        Noise of a pixel.
    psf : ndarray (Y, X)
        Of the image, an odd number of pixels wide, its middle in the middle pixel.
    pixel_scale : float
        Arcsec.

    Raises
    ------
    InputError
        If scarlet2 isn't installed.

    References
    ----------
    Melchior et al. 2018, Astron. Comput. 24, 129 (scarlet); Sampson et al. 2024, Astron. Comput.
    49, 100875 (scarlet2).
    """
    signal = image.astype(np.float64) / sigma
    flux, middle, axis = _shape_of_light(signal, pixel_scale)
    size = np.log(_STARTING_SIZE / pixel_scale)

    def source(share: float, offset: float) -> list[float]:
        place = middle + offset * _APART / pixel_scale * axis
        return [np.log(share * flux), *place, size, 0.0, 0.0, _inverse_index(_STARTING_INDEX)]

    alone = np.array([[source(1.0, 0.0)]])
    pairs = np.array(
        [[source(q, q - 1), source(1 - q, q)] for q in _STARTING_SHARES]
    )  # the middle of the light stays where it is
    side = image.shape[0]
    one, two = _Scenes.of(1, side), _Scenes.of(2, side)
    chi2_one, _ = one.fit(alone, signal, psf)
    chi2_two, found = two.fit(pairs, signal, psf)
    models = two.components(found)
    order = np.argsort(-models.sum((1, 2)), kind="stable")
    places = found[order, 1:3]
    rows, columns = np.indices(image.shape)
    near = [np.hypot(rows - y, columns - x) * pixel_scale <= REGION for y, x in places]
    fluxes = np.array([(models[k] * inside).sum() for k, inside in zip(order, near, strict=True)])
    total = models.sum()
    return FittedPair(
        float(1 - chi2_two / chi2_one), float(models[order[1]].sum() / total), places,
        fluxes * sigma,
    )  # fmt: skip


def _shape_of_light(signal: FLOAT, pixel_scale: float) -> tuple[float, FLOAT, FLOAT]:
    """Return flux, middle (y, x) and major axis (unit vector) of the light above the noise."""
    rows, columns = np.indices(signal.shape)
    centre = (np.array(signal.shape) - 1) / 2
    near = np.hypot(rows - centre[0], columns - centre[1]) * pixel_scale <= REGION
    light = np.where(near & (signal > _THRESHOLD), signal, 0.0)
    if not light.any():  # nothing stands out: where the brightest pixel is
        light = np.where(near & (signal == signal[near].max()), 1.0, 0.0)
    total = float(light.sum())
    middle = np.array([(light * rows).sum(), (light * columns).sum()]) / total
    y, x = rows - middle[0], columns - middle[1]
    moments = np.array([[(light * y * y).sum(), (light * y * x).sum()],
                        [(light * y * x).sum(), (light * x * x).sum()]])  # fmt: skip
    return total, middle, np.linalg.eigh(moments)[1][:, 1]


def _inverse_index(index: float) -> float:
    """Return the free number that stands for a Sersic index."""
    low, high = _INDICES
    return float(np.log((index - low) / (high - index)))


class _Scenes:
    """scarlet2's scenes of a number of Sersic sources, fitted by one compiled program.

    scarlet2's own `fit` is compiled anew for each scene, which takes longer than the fit.
    Free numbers of a source (7,): ln flux, y, x, ln half-light radius, two of the ellipticity, and
    one of the Sersic index.
    """

    def __init__(self, count: int, side: int) -> None:
        scarlet2 = load_deblender("scarlet2")
        import jax
        import jax.numpy as jnp

        scarlet2.set_validation(False)  # of each scene, it prints what it finds
        self.count, self.side = count, side
        box = scarlet2.Box((1, side, side))
        frame = scarlet2.Frame(box, psf=scarlet2.GaussianPSF(_MODEL_PSF))
        with scarlet2.Scene(frame) as scene:
            for _ in range(count):
                shape = scarlet2.SersicMorphology(
                    jnp.array(1.0), jnp.array(1.0), jnp.zeros(2), shape=(side + 1, side + 1)
                )
                scarlet2.Source(jnp.full(2, side / 2), jnp.ones(1), shape)
        self._scene, self._package = scene, scarlet2
        self._observation: Any = None
        self._fit = jax.jit(jax.vmap(self._fit_one, in_axes=(0, None, None)))
        self._render = jax.jit(self._components)

    @classmethod
    @lru_cache(maxsize=4)
    def of(cls, count: int, side: int) -> _Scenes:
        """Return scenes that may have been compiled before."""
        return cls(count, side)

    def fit(self, starts: FLOAT, signal: FLOAT, psf: NDArray[np.floating]) -> tuple[float, FLOAT]:
        """Return chi squared and the free numbers (count, 7) of the best of several fits.

        Parameters
        ----------
        starts : ndarray (S, count, 7)
        signal : ndarray (side, side)
            In units of its noise.
        psf : ndarray (Y, X)
        """
        kernel = psf / psf.sum()
        observed = self._package.Observation(
            signal, np.ones_like(signal), psf=self._package.ArrayPSF(np.asarray(kernel)[None])
        )
        observed.match(self._scene.frame)
        if self._observation is None:
            self._observation = observed
        chi2, found = self._fit(starts, observed.data, observed.renderer.kernel_fft)
        chi2 = np.where(np.isfinite(chi2), chi2, np.inf)
        best = int(np.argmin(chi2))
        return float(chi2[best]), np.asarray(found[best], np.float64)

    def components(self, found: FLOAT) -> FLOAT:
        """Return the image of each source (count, side, side), as smooth as the scene."""
        return np.asarray(self._render(found), np.float64)

    def _components(self, free: Any) -> Any:
        import jax.numpy as jnp

        scene = self._placed(free)
        return jnp.stack([scene.evaluate_source(one)[0] for one in scene.sources])

    def _fit_one(self, start: Any, data: Any, kernel: Any) -> tuple[Any, Any]:
        import equinox
        import jax
        import optax

        observed = equinox.tree_at(
            lambda one: (one.data, one.renderer.kernel_fft), self._observation, (data, kernel)
        )

        def loss(free: Any) -> Any:
            return -observed.log_likelihood(self._placed(free)())

        optimiser = optax.adam(optax.cosine_decay_schedule(_RATE, _STEPS))

        def step(state: Any, _: None) -> tuple[Any, None]:
            free, memory = state
            updates, memory = optimiser.update(jax.grad(loss)(free), memory, free)
            return (optax.apply_updates(free, updates), memory), None

        (found, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), None, length=_STEPS)
        return observed.goodness_of_fit(self._placed(found)()) * observed.N, found

    def _placed(self, free: Any) -> Any:
        """Return the scene with its sources as the free numbers say."""
        import equinox
        import jax
        import jax.numpy as jnp

        def of(scene: Any) -> list[Any]:
            return [
                part
                for one in scene.sources
                for part in (one.center, one.spectrum, one.morphology.n, one.morphology.size,
                             one.morphology.ellipticity)
            ]  # fmt: skip

        values = []
        for number, source in enumerate(self._scene.sources):
            log_flux, y, x, log_size, first, second, inner = free[number]
            low, high = _INDICES
            index = low + (high - low) * jax.nn.sigmoid(inner)
            length = jnp.sqrt(first**2 + second**2 + 1e-12)
            ellipticity = _FLATTEST * jnp.stack([first, second]) / (1 + length)
            size = jnp.exp(log_size)
            shape = self._package.SersicMorphology(
                index, size, ellipticity, shape=source.morphology.shape
            )
            spectrum = (jnp.exp(log_flux) / shape(jnp.zeros(2)).sum())[None]
            values += [jnp.stack([y, x]), spectrum, index, size, ellipticity]
        return equinox.tree_at(of, self._scene, values)
