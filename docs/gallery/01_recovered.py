"""A galaxy as HST sees it, as HSC sees it, as it was recovered, and the error.

A synthetic galaxy, whose truth is known. Circles are its sources, with the probability that
they are there.
"""

import matplotlib.pyplot as plt
import numpy as np

import clumpygan

recovery = clumpygan.recover(seed=135, samples=32, max_hmag=22.5, richardson_lucy=False)
scene = recovery.scene
soft = 3 * scene.sigma / scene.grid.area_ratio  # nJy per HST pixel
top = np.arcsinh(scene.reference.max() / soft)
panels = {
    "HST": (np.arcsinh(scene.reference / soft), top),
    "Subaru HSC": (np.arcsinh(scene.observed / scene.sigma / 3), None),
    "recovered": (np.arcsinh(recovery.best / soft), top),
    "error": (recovery.error, None),
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
for axis, (title, (image, brightest)) in zip(axes, panels.items(), strict=True):
    half = 3.36  # arcsec
    axis.imshow(
        image, origin="lower", cmap="inferno", vmin=0, vmax=brightest,
        extent=(-half, half, -half, half),
    )  # fmt: skip
    axis.set(xlim=(-1.9, 1.4), ylim=(-1.3, 2.0), title=title)
    axis.set_axis_off()
for source in recovery.sources:
    x, y = ((place[1] - 55.5) * 0.06 for place in (source.x, source.y))
    axes[2].add_patch(plt.Circle((x, y), 0.15, fill=False, color="white"))
    label = "nucleus" if source.nucleus else f"{source.probability:.0%}"
    axes[2].text(x, y - 0.18, label, color="white", fontsize=8, ha="center", va="top")
