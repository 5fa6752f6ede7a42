"""Nearby or deep real galaxies, shrunk and faded: sharp, nearly noiseless stamps to train on."""
