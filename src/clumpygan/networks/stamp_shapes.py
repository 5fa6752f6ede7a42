"""Shapes that the networks of stamps share: sides, widths, and what is random in them."""

from torch import Tensor

Noise = tuple[Tensor, ...]
"""What is random in a generator beside z."""

SMALLEST = 4
"""Fewest pixels per side at which a network works."""


def resolutions(size: int) -> tuple[int, ...]:
    """Return the sides, smallest first, through which a network doubles up to `size`.

    Raises
    ------
    ValueError
        If `size` isn't a positive multiple of 8.
    """
    if size < 8 or size % 8:
        raise ValueError(f"stamps of {size} pixels: expected a multiple of 8")
    sides = [size]
    while sides[0] % 2 == 0 and sides[0] // 2 >= SMALLEST and len(sides) < 6:
        sides.insert(0, sides[0] // 2)
    return tuple(sides)


def widths(levels: int, channels: int, largest: int) -> tuple[int, ...]:
    """Return the features at each resolution, smallest first: doubling up to `largest`."""
    return tuple(min(channels * 2**level, largest) for level in reversed(range(levels)))
