"""Clumpy galaxies by generative networks, from HST and HSC images, measured against the truth."""

import lazy_loader

__version__ = "1.0.0rc1"

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
