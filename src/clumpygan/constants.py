"""Conventions and constants that every package shares.

Images are `(y, x)` float32 arrays in nJy per pixel; batches are `(B, C, y, x)`. The centre of the
first pixel is 0 and an axis of N pixels is centred at (N - 1) / 2. Position angles count in
degrees from +y (north) towards -x (east). Shear (g1, g2) is GalSim's, in the sky plane.
"""

NANOJANSKY_ZERO_POINT = 31.4
"""AB magnitude of a flux of 1 nJy (Oke & Gunn 1983: 0 mag AB is 3631 Jy; 31.4 to 3e-4 mag)."""

HST_PIXEL_SCALE = 0.06
"""Pixel scale of the CANDELS mosaics in arcsec (Koekemoer et al. 2011)."""

HSC_PIXEL_SCALE = 0.168
"""Pixel scale of Subaru Hyper Suprime-Cam's coadds in arcsec (Aihara et al. 2019)."""

FINE_BLOCK, COARSE_BLOCK = 14, 5
"""14 HST pixels are as wide as 5 HSC pixels: 0.168 / 0.06 = 14 / 5 exactly."""

PIXEL_AREA_RATIO = (FINE_BLOCK / COARSE_BLOCK) ** 2
"""HST pixels in the area of one HSC pixel: 7.84."""

SPEED_OF_LIGHT = 299_792.458
"""km/s, exact."""
