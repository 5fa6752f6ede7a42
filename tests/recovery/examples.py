"""What tests of recoveries share: a resolver without a network, small FITS files, a result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import galsim
import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.wcs import WCS

from clumpygan.evaluation.recovery.baselines import wiener
from clumpygan.evaluation.recovery.intervals import Widening
from clumpygan.evaluation.recovery.sources import ClumpProbability
from clumpygan.instruments import (
    DEFAULT_GRID,
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    SurveyPair,
)
from clumpygan.recovery import Recovery, RecoverySettings, Scene
from clumpygan.recovery.resolver import Recovered, SuperResolver
from clumpygan.recovery.scene import SeenThrough, fine_mask


class WienerResolver:
    """Stands in for the trained network: the Wiener filter plus white noise."""

    pair = SurveyPair.of()
    operator = ObservationOperator()
    widening = Widening({"flux_1": {"all": (2.0, 3.0)}})
    clump_probability = ClumpProbability(1.0, 1.0, -1.0)
    population = None

    def recover(
        self,
        observed: Any,
        sigma: Any,
        transfer: Any,
        *,
        samples: int,
        seed: int,
        noise: Any = None,
        mask: Any = None,
    ) -> Recovered:
        response = transfer(self.operator.frequencies(tuple(observed.shape[-2:])))
        best = wiener(observed, sigma, response, self.operator)
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((samples, *best.shape), generator=generator)
        images = best + 0.05 * sigma * noise
        return Recovered(images.mean(0), images)


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        SuperResolver, "from_checkpoint", lambda name, device="cpu": WienerResolver()
    )


def sky_wcs(pixel_scale: float, shape: tuple[int, int]) -> WCS:
    """Return a WCS with 150.1, 2.2 deg in the middle of the image."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.1, 2.2]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel_scale / 3600, pixel_scale / 3600]
    return wcs


def galaxy(
    shape: tuple[int, int],
    pixel_scale: float,
    psf: galsim.GSObject,
    flux: float,
    noise: float,
    shift: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Return an exponential disk and a clump through `psf`, with white noise."""
    disk = galsim.Exponential(half_light_radius=0.4, flux=0.8 * flux).shear(g1=0.2)
    clump = galsim.Gaussian(sigma=0.05, flux=0.2 * flux).shift(0.5, 0.3)
    seen = galsim.Convolve(disk + clump, psf).shift(*shift)
    image = seen.drawImage(
        nx=shape[1], ny=shape[0], scale=pixel_scale, method="no_pixel", dtype=float
    ).array
    return image + noise * np.random.default_rng(0).normal(size=shape)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an image in nJy with a WCS; `cards` overwrite the header, None removes."""

    def _save(name: str, data: np.ndarray, pixel_scale: float | None, **cards: object) -> Path:
        header = fits.Header()
        if pixel_scale is not None:
            header.update(sky_wcs(pixel_scale, data.shape[-2:]).to_header())
        header["BUNIT"] = "nJy"
        for keyword, value in cards.items():
            if value is None:
                header.remove(keyword, ignore_missing=True)
            else:
                header[keyword] = value
        fits.writeto(tmp_path / name, data.astype(np.float32), header)
        return tmp_path / name

    return _save


def a_recovery(*, reference: bool = True) -> Recovery:
    """Return a recovery that is the truth itself, of a field whose left edge has no data."""
    sharp, wide = HST_WFC3_F160W.psf(), HSC_WIDE_I.psf(fwhm=0.6)
    truth = galaxy((70, 84), 0.06, sharp, 500, 0.0).astype(np.float32)
    observed = galaxy((25, 30), 0.168, wide, 500, 2.0).astype(np.float32)
    mask = np.zeros((25, 30), dtype=bool)
    mask[:, :3] = True
    metrics: dict[str, float | None] = {
        "psnr": 41.23 if reference else None, "flux_error_percent": -0.4,
        "half_light_radius_error_percent": 2.2, "half_light_radius": 0.41, "chi2": 1.01,
        "magnitude": None,
    }  # fmt: skip
    scene = Scene(
        pair=SurveyPair.of(), title="A galaxy", observed=observed, sigma=2.0,
        psf=SeenThrough(wide, sharp), seeing=0.6, observed_mask=mask,
        reference_mask=fine_mask(mask, DEFAULT_GRID), reference=truth if reference else None,
        reference_fwhm=0.185, redshift=0.84, magnitude=22.31,
    )  # fmt: skip
    return Recovery(
        settings=RecoverySettings(seed=0), scene=scene, best=truth, error=0.1 * truth,
        samples=np.repeat(truth[None], 16, axis=0), richardson_lucy=None,
        residual=np.zeros((25, 30)), sources=(), nucleus=(40.0, 60.0),
        metrics={"network": metrics, "sample": metrics}, magnitude=22.31,
        remarks=("a remark " * 40,),
    )  # fmt: skip
