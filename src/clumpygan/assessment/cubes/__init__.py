"""Cubes of galaxies, generated and true: sets of them, fits to them, and what tells them apart."""
