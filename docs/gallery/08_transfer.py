"""What the atmosphere leaves: the transfer from HST to HSC.

The ratio of the two transfer functions, for three seeings. The coarse pixels end at 2.98
cycles per arcsec.
"""

import matplotlib.pyplot as plt
import numpy as np

from clumpygan.instruments import (
    HSC_WIDE_I,
    HST_WFC3_F160W,
    ObservationOperator,
    galsim_transfer,
    transfer_ratio,
)

frequencies = ObservationOperator().frequencies((40, 40))
sharp = galsim_transfer(HST_WFC3_F160W.psf(), frequencies)
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for seeing in (0.5, 0.6, 0.8):
    ratio = transfer_ratio(galsim_transfer(HSC_WIDE_I.psf(seeing), frequencies), sharp)
    axis.semilogy(frequencies[1][0], np.abs(ratio[0].numpy()), label=f'seeing {seeing:g}"')
axis.set(xlabel="frequency [cycles per arcsec]", ylabel="transfer", ylim=(1e-4, 1.2))
axis.legend()
