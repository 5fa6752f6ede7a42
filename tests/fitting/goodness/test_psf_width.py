"""What a wider PSF would change, against fits with the wider PSF."""

from functools import partial

import numpy as np

from clumpygan.fitting import DiskFitter, ObservedFrame, SamplerSettings
from clumpygan.fitting.goodness.psf_width import widened
from clumpygan.galaxies import CubeRenderer, DiskModel, DiskParameters
from clumpygan.instruments.spread import GaussianPSF
from tests.fitting.conftest import GRID, TRUTH


def fitted(fwhm: float, radius: float = 0.5, bright: float = 30.0):
    """Fit a galaxy that is seen with a PSF of 0.8 arcsec, as if that were another one."""
    galaxy = DiskParameters.from_dict(TRUTH | {"half_light_radius": radius}, DiskModel())
    seen = partial(GaussianPSF(0.8).transfer, wavelength=7000.0)
    clean = CubeRenderer(GRID, galaxy.model, seen)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / bright
    data = clean + sigma * np.random.default_rng(4).standard_normal(clean.shape)
    frame = ObservedFrame(GRID, partial(GaussianPSF(fwhm).transfer, wavelength=7000.0), fwhm)
    fitter = DiskFitter(DiskModel(), frame, sampler=SamplerSettings("laplace"),
                        fixed={"sersic_index": 1.0})  # fmt: skip
    return fitter.fit(data, np.full(data.shape, sigma**2))


def test_a_wider_psf_is_the_same_at_lower_frequencies():
    k = np.linspace(0, 2, 9)[:, None], np.linspace(0, 2, 9)[None]
    psf = partial(GaussianPSF(0.8).transfer, wavelength=7000.0)
    wide = GaussianPSF(0.88).transfer(*k, 7000.0)
    np.testing.assert_allclose(widened(psf, 1.1)(*k), wide, atol=1e-12)


def test_what_is_told_is_what_happens():
    first, second = fitted(0.8), fitted(0.88)
    (told,) = [text for text in first.verdict.remarks if "a PSF 10 % wider would change" in text]
    assert "inclination by +" in told
    values = [{row["name"]: row["median"] for row in one.table} for one in (first, second)]
    for name in ("inclination", "half_light_radius"):
        stated = float(told.split(f"{name} by ")[1].split()[0])
        happens = values[1][name] - values[0][name]
        assert 0.5 * happens < stated < 1.7 * happens or 1.7 * happens < stated < 0.5 * happens
    errors = {row["name"]: row["deviation"] for row in first.table}
    assert abs(values[1]["inclination"] - values[0]["inclination"]) > errors["inclination"]


def test_nothing_is_told_of_large_and_faint_galaxies():
    remarks = fitted(0.8, radius=1.2, bright=3.0).verdict.remarks
    assert not [text for text in remarks if "PSF" in text]
