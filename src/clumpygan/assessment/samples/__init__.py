"""Whether samples of recovered galaxies are what they say, and what makes them so."""
