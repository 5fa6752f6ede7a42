"""The tables of `evaluate.py`: which galaxies, from which files, and what comes out."""
