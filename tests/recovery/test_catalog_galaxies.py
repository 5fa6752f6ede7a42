"""Scores of real stamps: the noise that the view carries isn't that which judges."""

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from clumpygan.instruments import SurveyPair
from clumpygan.recovery.catalog_galaxies import COUPLING, CatalogGalaxies

COUNT = 64


@pytest.fixture
def catalog(tmp_path):
    """Return a catalogue of stamps of one galaxy, smaller than a stamp, with noise."""
    axis = np.arange(90) - 44.5
    truth = 40 * np.exp(-np.hypot(axis[:, None], axis) / 3)
    rows = []
    for number in range(COUNT):
        noise = np.random.default_rng(number).normal(0, 1.0, truth.shape)
        header = fits.Header({"BUNIT": "nJy", "PIXSCALE": 0.06})
        name = f"{number}.fits"
        fits.writeto(tmp_path / name, (truth + noise).astype("f4"), header)
        rows.append({"file": name, "redshift": 1.0, "h_magnitude": 22.0})
    path = tmp_path / "catalog.fits"
    Table(rows).write(path)
    return path, truth


def test_the_judges_noise_is_independent_of_the_views(catalog):
    path, truth = catalog
    galaxies = CatalogGalaxies(path, SurveyPair.of(), seed=1)
    batch = galaxies.batch(range(COUNT))
    frequencies = galaxies.operator.frequencies((40, 40))
    whole = np.zeros((112, 112))
    whole[11:101, 11:101] = truth
    clean = galaxies.operator(
        torch.from_numpy(whole).float().expand(COUNT, 1, 112, 112), batch.psf(frequencies)
    )
    seen = (batch.observed - clean)[:, 0].numpy()
    own = [torch.from_numpy(judge.image - whole).float() for judge in batch.judges]
    again = galaxies.operator(torch.stack(own)[:, None], batch.psf(frequencies))[:, 0].numpy()
    stamps = torch.from_numpy(batch.truth.numpy() - whole).float()
    carried = galaxies.operator(stamps, batch.psf(frequencies))[:, 0].numpy()
    inner = (slice(None), slice(8, 32), slice(8, 32))

    def correlation(one):
        return np.corrcoef(one[inner].ravel(), seen[inner].ravel())[0, 1]

    assert correlation(carried) > 0.15  # the stamp's own noise is in its view
    assert abs(correlation(again)) < 0.4 * correlation(carried)
    for judge in batch.judges:
        assert judge.sigma == pytest.approx((1 + 1 / COUPLING) ** 0.5, rel=0.15)
        assert judge.valid.sum() == 90 * 90
    excess = [
        np.square((whole - one.image)[one.valid]).mean() / one.sigma**2 for one in batch.judges
    ]
    assert np.mean(excess) == pytest.approx(1, abs=0.03)
