"""What is on the sky: galaxies, their noiseless images and velocity cubes, and maps of cubes."""

import lazy_loader

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
