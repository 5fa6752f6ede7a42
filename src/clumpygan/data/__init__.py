"""Datasets and data modules: galaxies rendered or read, split, observed and served in batches."""

import lazy_loader

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
