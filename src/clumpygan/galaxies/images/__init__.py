"""The galaxies of an image: a population, its structure, and noiseless stamps."""
