"""Numbers on moment maps: what each of them sees."""

import numpy as np
import pytest

from clumpygan.evaluation.cubes.map_statistics import STATISTICS, map_statistics

NAMES = list(STATISTICS)


def maps(clump=0.0, x=3.0, y=0.0, shift=0.0, seed=0):
    rows, columns = np.indices((24, 24)) - 11.5
    smooth = 40 * np.exp(-np.hypot(columns / 4, rows / 2.5))
    spot = clump * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 1.5**2)
    noise = np.random.default_rng(seed).standard_normal((3, 24, 24))
    return np.stack(
        [smooth + spot + noise[0], shift * smooth + noise[1], -0.2 * smooth + noise[2], smooth]
    )


def measured(**choices):
    return dict(zip(NAMES, map_statistics(maps(**choices)[None])[0], strict=True))


def test_all_are_finite_even_of_faint_and_empty_galaxies():
    faint = maps() * np.array([0.01, 1, 1, 0.01])[:, None, None]
    empty = np.zeros((4, 24, 24))
    empty[3] = 1e-6
    found = map_statistics(np.stack([maps(), faint, empty]))
    assert found.shape == (3, len(STATISTICS))
    assert np.isfinite(found).all()


def test_a_clump_is_seen():
    smooth, clumpy = measured(), measured(clump=12.0)
    assert clumpy["light_rms"] > smooth["light_rms"] + 0.2
    assert clumpy["light_highest"] > smooth["light_highest"] + 0.3
    assert clumpy["light_neighbour"] > smooth["light_neighbour"] + 0.3
    assert clumpy["asymmetry"] > smooth["asymmetry"] + 0.05
    assert clumpy["sides"] > smooth["sides"] + 0.05
    assert measured(clump=12.0, x=0.0, y=3.0)["far_side"] > smooth["far_side"] + 0.05
    assert measured(clump=12.0, x=9.0)["outer"] > smooth["outer"]


def test_shifts_and_widths_are_shares_of_the_light():
    found = measured(shift=0.3)
    assert found["shift_mean"] == pytest.approx(0.3, abs=0.03)
    assert found["width_mean"] == pytest.approx(-0.2, abs=0.03)
    assert measured()["shift_mean"] == pytest.approx(0.0, abs=0.03)


def test_the_signal_is_that_of_the_smooth_disk():
    assert measured()["signal"] == pytest.approx(np.log10(maps()[3].max()))
