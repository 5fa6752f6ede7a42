"""The ionised gas of star-forming galaxies: how much, where, how it moves, in which lines."""
