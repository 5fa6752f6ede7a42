"""FITS cubes in and out: their axes, units, dialects and noise."""
