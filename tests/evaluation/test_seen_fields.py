"""Made galaxies in the places of observed ones."""

from dataclasses import replace

import numpy as np
import pytest

from clumpygan.evaluation.cubes.seen_fields import ALIKE, SeenField, choose_seen, see_field
from clumpygan.evaluation.cubes.velocity_fields import (
    FieldDisk,
    VelocityField,
    disk_plane,
    fit_disk,
)

SIDE = 61


def field(lies: FieldDisk, fwhm: float, *, speed=150.0, error=1e-3, light=True, edge=25.0):
    """A disk that is known out to a radius of 25 pixels."""
    radius, psi = disk_plane((SIDE, SIDE), lies)
    velocity = speed * 2 / np.pi * np.arctan(radius / 4) * np.cos(psi) + 20
    known = radius < edge
    return VelocityField(
        "one",
        np.where(known, velocity, np.nan),
        np.where(known, error, np.nan),
        fwhm,
        np.where(known, np.exp(-radius / 8), np.nan) if light else None,
    )


MADE = SeenField.of(field(FieldDisk(30.4, 29.2, 0.6, 130.0, 0.0, 0.0), 2.5))
LIES = FieldDisk(27.0, 33.0, 0.65, 250.0, 0.0, 0.0)


def observed(*, block=1, **given) -> SeenField:
    """A map with bins of blocks of spaxels."""
    one = field(LIES, 3.0, **{"speed": 60.0, "light": False, "edge": 18.0, **given})
    y, x = np.indices(one.velocity.shape) // block * block
    middle = one.velocity[y.clip(0, SIDE - 1), x.clip(0, SIDE - 1)]
    return SeenField.of(replace(one, velocity=np.where(one.known, middle, np.nan)))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_galaxy_lies_rotates_and_is_known_as_the_observed_one():
    place = observed()
    seen = see_field(MADE, place, rng())
    assert seen is not None
    found = fit_disk(seen)
    assert (found.x, found.y) == pytest.approx((27.0, 33.0), abs=0.3)
    assert found.position_angle == pytest.approx(250.0, abs=1.5)
    assert found.axis_ratio == pytest.approx(0.6, abs=0.06)
    assert seen.amplitude == pytest.approx(place.field.amplitude, rel=0.01)
    assert seen.fwhm == 3.0
    assert seen.light is None
    assert not (seen.known & ~place.field.known).any()
    assert seen.known.sum() > 0.8 * place.field.known.sum()


def test_it_is_blurred_to_the_same_psf():
    wide = replace(observed(), field=replace(observed().field, fwhm=9.0))
    sharp = replace(observed(), field=replace(observed().field, fwhm=3.0))
    steepest = []
    for place in (sharp, wide):
        seen = see_field(MADE, place, rng())
        assert seen is not None
        gradient = np.hypot(*np.gradient(seen.velocity))
        steepest.append(np.nanmax(gradient) / seen.amplitude)
    assert steepest[1] < 0.8 * steepest[0]


@pytest.mark.parametrize(("block", "width"), [(1, 0.28), (1, 1.36), (4, 1.36)])
def test_bins_share_a_velocity_and_have_noise_of_their_errors(block, width):
    place = observed(block=block, error=5.0)
    place = replace(place, field=replace(place.field, noise_width=width))
    clean = see_field(MADE, replace(place, field=replace(place.field, error=np.where(
        place.field.known, 1e-9, np.nan))), rng())  # fmt: skip
    assert clean is not None
    deviations = []
    for seed in range(8):
        seen = see_field(MADE, place, rng(seed))
        assert seen is not None
        noise = seen.velocity - clean.velocity
        deviations.append(noise[seen.known])
        for number in range(0, place.bins.max(), 20):
            there = np.zeros_like(seen.known)
            there[place.field.known] = place.bins == number
            assert len(np.unique(seen.velocity[there & seen.known])) <= 1
        assert np.nanmax(np.abs(seen.error - 5.0)) < 1e-9
    assert np.std(deviations) == pytest.approx(5.0, rel=0.12)


def test_noise_of_neighbours_correlates_as_told():
    width, products = 1.36, []
    place = observed(error=5.0)
    place = replace(place, field=replace(place.field, noise_width=width))
    clean = see_field(MADE, observed(error=1e-9), rng())
    assert clean is not None
    for seed in range(12):
        seen = see_field(MADE, place, rng(seed))
        assert seen is not None
        noise = (seen.velocity - clean.velocity) / 5.0
        products.append([np.nanmean(noise[:, d:] * noise[:, :-d]) for d in (1, 2, 4)])
    expected = np.exp(-np.array([1.0, 4.0, 16.0]) / (4 * width**2))
    np.testing.assert_allclose(np.mean(products, axis=0), expected, atol=0.07)


def test_light_comes_along_where_the_observed_map_has_some():
    seen = see_field(MADE, observed(light=True), rng())
    assert seen is not None
    assert seen.light is not None
    assert np.isfinite(seen.light[seen.known]).all()


def test_places_are_of_like_axis_ratio_and_no_more_beams():
    ratios = np.linspace(0.3, 1.0, 4 * ALIKE)
    places = [replace(observed(), disk=LIES._replace(axis_ratio=one, reach=18.0)) for one in ratios]
    made = replace(MADE, disk=MADE.disk._replace(axis_ratio=0.3))
    chosen = {choose_seen(made, places, rng(seed)).disk.axis_ratio for seed in range(60)}
    assert chosen == set(ratios[:ALIKE])
    sharp = SeenField(replace(MADE.field, fwhm=1.0), MADE.disk)
    assert choose_seen(MADE, [sharp], rng()) is None
    with pytest.raises(ValueError, match="beams; expected"):
        see_field(MADE, sharp, rng())
