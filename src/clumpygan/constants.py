"""Conventions and constants that every package shares.

Images are `(y, x)` float32 arrays in nJy per pixel; batches are `(B, C, y, x)`. The centre of the
first pixel is 0 and an axis of N pixels is centred at (N - 1) / 2. Position angles count in
degrees from +y (north) towards -x (east). Shear (g1, g2) is GalSim's, in the sky plane.
"""

NANOJANSKY_ZERO_POINT = 31.4
"""AB magnitude of a flux of 1 nJy (Oke & Gunn 1983: 0 mag AB is 3631 Jy; 31.4 to 3e-4 mag)."""

SPEED_OF_LIGHT = 299_792.458
"""km/s, exact."""
