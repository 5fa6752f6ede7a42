"""Parallel work, from the cores of a laptop to a cluster: units that are done by Dask.

`open_engine` gives an `Engine`; a unit is a call of a function of a module with one argument. What
comes out doesn't depend on who did it, or on how many there are.
"""

import lazy_loader

# What is public, and from where, is in the stub beside; each name is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
