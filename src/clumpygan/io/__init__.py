"""FITS images, cubes, PSFs and catalogues in and out, with units and world coordinates."""

import lazy_loader

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
