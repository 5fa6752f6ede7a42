"""From the images of a survey and a catalogue to a table of what their galaxies are when sharp."""

import lazy_loader

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
