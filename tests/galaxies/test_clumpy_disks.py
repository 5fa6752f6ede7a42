"""The population of clumpy, turbulent disks: what is drawn has the statistics that it says."""

import numpy as np
import pytest

from clumpygan.errors import InputError
from clumpygan.galaxies import DiskModel
from clumpygan.galaxies.disks.clumpy_disks import DEPARTURES, ClumpyDisks, smooth_vectors
from clumpygan.galaxies.disks.cube_conditions import (
    CUBE_CONDITIONS,
    check_conditions,
    condition_rows,
)
from clumpygan.galaxies.disks.turbulence import Turbulence
from clumpygan.galaxies.gas.population import GasDisks


def drawn(disks, count, **ranges):
    return [disks.draw(np.random.default_rng([0, i]), ranges) for i in range(count)]


def test_a_galaxy_depends_on_its_generator_alone():
    disks = ClumpyDisks(turbulence=Turbulence(side=8))
    first, again = (disks.draw(np.random.default_rng(3)) for _ in range(2))
    other = disks.draw(np.random.default_rng(4))
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)


def test_clumps_are_as_many_and_as_bright_as_they_should_be():
    disks = ClumpyDisks(clumpless=0.4, mean_clumps=2.0, turbulence=Turbulence(side=8))
    model = disks.model
    vectors = np.stack([vector for vector, _ in drawn(disks, 600)])
    places = [model.index(f"clump_{i}_fraction") for i in range(1, 7)]
    shares = vectors[:, places]
    counts = (shares > 0).sum(1)
    assert np.mean(counts == 0) == pytest.approx(0.4, abs=0.06)
    assert counts[counts > 0].mean() == pytest.approx(2.0, abs=0.15)
    lone = shares[counts == 1].sum(1)
    assert 0.04 <= lone.min() < 0.05
    assert 0.13 < lone.max() <= 0.16
    assert shares.sum(1).max() <= 0.6 + 1e-9


def test_ranges_take_the_place_of_priors():
    disks = ClumpyDisks(turbulence=Turbulence(side=8))
    galaxies = drawn(disks, 20, half_light_radius=(0.5, 0.6), bulge_fraction=(0.0, 0.0))
    radii = [vector[disks.model.index("half_light_radius")] for vector, _ in galaxies]
    assert min(radii) >= 0.5
    assert max(radii) <= 0.6
    assert all(vector[disks.model.index("bulge_fraction")] == 0 for vector, _ in galaxies)


def test_warps_scatter_as_asked():
    disks = ClumpyDisks(warp_position_angle=5.0, turbulence=Turbulence(side=8))
    turns = [v[disks.model.index("warp_position_angle")] for v, _ in drawn(disks, 400)]
    assert np.std(turns) == pytest.approx(5.0, rel=0.12)


def test_smooth_disks_keep_all_but_the_departures():
    disks = ClumpyDisks(turbulence=Turbulence(side=8))
    vectors = np.stack([vector for vector, _ in drawn(disks, 4)])
    smooth = smooth_vectors(vectors, disks.model)
    names = DiskModel().names
    for place, name in enumerate(names):
        if name in DEPARTURES:
            assert not smooth[:, place].any()
            assert vectors[:, place].all()
        else:
            assert np.array_equal(smooth[:, place], vectors[:, place])
    assert smooth.shape == (4, len(names))


def test_turbulence_has_the_spectrum_and_the_scatter_that_it_says():
    turbulence = Turbulence(light=0.5, velocity=0.4, dispersion=0.2, slope=3.0)
    maps = np.stack([turbulence.draw(np.random.default_rng(i), 50.0) for i in range(150)])
    light, velocity, dispersion = np.log(maps[:, 0]), maps[:, 1], np.log(maps[:, 2])
    assert light.std() == pytest.approx(0.5, rel=0.08)
    assert velocity.std() == pytest.approx(20.0, rel=0.08)
    assert dispersion.std() == pytest.approx(0.2, rel=0.08)
    window = np.hanning(64)[:, None] * np.hanning(64)
    power = (np.abs(np.fft.fft2(velocity * window)) ** 2).mean(0)
    k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)) * 64
    low, high = power[(k > 4) & (k < 6)].mean(), power[(k > 16) & (k < 24)].mean()
    assert np.log(low / high) / np.log(4) == pytest.approx(3.0, abs=0.25)
    # The three maps are independent of each other.
    assert abs(np.corrcoef(light.ravel(), velocity.ravel())[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ClumpyDisks(clumpless=1.5), "clumpless is 1.5"),
        (lambda: ClumpyDisks(mean_clumps=9), "mean_clumps 9"),
        (lambda: ClumpyDisks(clump_fraction=(0.2, 0.1)), "clump_fraction from 0.2 to 0.1"),
        (lambda: Turbulence(velocity=-1.0), "velocity of turbulence is -1.0"),
        (lambda: Turbulence(side=4), "4 pixels"),
        (lambda: check_conditions(["inclinatoin"]), "'inclinatoin'"),
        (lambda: condition_rows(["flux", "mass"]), "half_light_radius [arcsec]"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(InputError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize("population", ["clumpy disks", "gas disks"])
def test_conditions_are_told_in_numbers_of_the_order_of_one(population):
    """Centres and scales of the networks serve both populations, wide and narrow."""
    if population == "clumpy disks":
        disks = ClumpyDisks(turbulence=Turbulence(side=8))
        vectors = np.stack([v for v, _ in drawn(disks, 400, half_light_radius=(0.5, 1.1))])
    else:
        gas = GasDisks()
        vectors = np.stack([gas.draw(np.random.default_rng(i)).vector for i in range(200)])
    for name, condition in CUBE_CONDITIONS.items():
        if name in ("flux", "seeing") or condition.kind == "angle":
            continue
        values = vectors[:, DiskModel().index(name)]
        told = np.log10(values) if condition.kind == "logarithmic" else values
        told = (told - condition.centre) / condition.scale
        assert abs(told.mean()) < 0.8, name
        assert 0.35 < told.std() < 1.5, name
