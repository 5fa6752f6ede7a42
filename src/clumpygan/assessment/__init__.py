"""How good trained networks and fits are: sets of galaxies made, measured and compared."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
