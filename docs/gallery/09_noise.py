"""Noise of drizzled pixels beside white noise of the same depth."""

import matplotlib.pyplot as plt
import torch

from clumpygan.instruments import HST_WFC3_F160W, noise_at_depth

camera = HST_WFC3_F160W
depth = (camera.depth_magnitude, camera.depth_aperture_radius, camera.pixel_scale)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
for axis, title, noise in zip(
    axes, ("white", "drizzled"), (noise_at_depth(*depth), camera.noise()), strict=True
):
    image = noise.draw((64, 64), torch.Generator().manual_seed(0)).numpy()
    axis.imshow(image, origin="lower", cmap="gray")
    axis.set_title(f"{title}, {image.std():.2g} nJy per pixel")
    axis.set_axis_off()
