"""The page of a recovery.

What `recover.py` draws: the images, one sample, the error, the residual in units of the
noise, and a Richardson-Lucy deconvolution to compare.
"""

import clumpygan

figure = clumpygan.recover(seed=169, samples=8, max_hmag=22.5).plot()
