"""Datasets and data modules: galaxies rendered or read, split, observed and served in batches."""
