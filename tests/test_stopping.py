import math

import pytest

from clumpygan.training.interruption import stalled


@pytest.mark.parametrize(
    ("values", "min_delta", "expected"),
    [
        ([], 0.0, False),
        ([3.0, 2.0, 1.0], 0.0, False),
        ([1.0, 2.0], 0.0, False),
        ([1.0, 2.0, 3.0], 0.0, True),
        ([1.0, 2.0, 0.9], 0.0, False),
        ([1.0, 0.95, 0.9], 0.2, True),
        # Small steps add up.
        ([1.0, 0.95, 0.7], 0.2, False),
        ([1.0, math.nan, math.nan], 0.0, True),
        ([math.nan, math.nan], 0.0, True),
        ([1.0, 1.0, 1.0], 0.0, True),
    ],
)
def test_two_validations_without_improvement(values, min_delta, expected):
    assert stalled(values, patience=2, min_delta=min_delta) == expected
