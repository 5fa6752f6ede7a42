"""The picture of a recovery: seven panels of one galaxy, readable at a glance.

All images and the error map share one asinh stretch of surface brightness; the residual has its
own, linear and diverging, in units of the noise. The colour maps (inferno, PuOr) can be told
apart with any colour vision and in grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from clumpygan.commands.recovery_scene import MINIMUM_HSC_PIXELS
from clumpygan.constants import HSC_PIXEL_SCALE, HST_PIXEL_SCALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clumpygan.commands.recovery_result import Recovery
    from clumpygan.commands.recovery_scene import Scene

BRIGHTNESS_MAP = "inferno"
RESIDUAL_MAP = "PuOr_r"
NO_DATA = "0.55"
RESIDUAL_RANGE = 5.0
LAYOUT = (("hst", "hsc", "best", "sample"), ("richardson_lucy", "error", "residual", "words"))


def draw_picture(scene: Scene, recovery: Recovery, path: Path) -> None:
    """Draw the seven panels and their captions.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    recovery : Recovery
        What was recovered of it, with its measurements.
    path : pathlib.Path
        Where the picture goes; the suffix says the format (.png, .pdf, .svg, ...).
    """
    half_width, half_height = _half_field(scene)
    aspect = float(np.clip(half_height / half_width, 0.4, 2.5))
    panel = 3.15 / np.sqrt(aspect)
    figure = Figure(figsize=(4 * panel + 1.9, 2 * panel * aspect + 2.6), dpi=150)
    FigureCanvasAgg(figure)
    figure.patch.set_facecolor("white")
    axes = figure.subplot_mosaic(
        LAYOUT,
        gridspec_kw={
            "left": 0.055, "right": 0.905, "wspace": 0.06,
            "top": 1 - 1.25 / figure.get_figheight(),
            "bottom": 0.62 / figure.get_figheight(), "hspace": 0.72 / (panel * aspect),
        },
    )  # fmt: skip
    norm = _stretch(scene, recovery)
    _fill_panels(axes, scene, recovery, norm)
    for name, axis in axes.items():
        if name != "words":
            axis.set_xlim(-half_width, half_width)
            axis.set_ylim(-half_height, half_height)
    _label_axes(axes)
    _words(axes["words"], scene, recovery)
    _colour_bars(figure, axes, scene)
    _titles(figure, scene)
    figure.savefig(path, format=path.suffix.lstrip(".").lower() or "png", facecolor="white")


def _half_field(scene: Scene) -> tuple[float, float]:
    """Return half the width and height of the shown field in arcsec: where there are data."""
    half = []
    for axis in (0, 1):
        used = np.flatnonzero(~scene.observed_mask.all(axis=axis))
        size = scene.observed_mask.shape[1 - axis]
        reach = max(size / 2 - used[0], used[-1] + 1 - size / 2) if used.size else size / 2
        half.append(max(reach, min(MINIMUM_HSC_PIXELS, size) / 2) * HSC_PIXEL_SCALE)
    return half[0], half[1]


def _stretch(scene: Scene, recovery: Recovery) -> FuncNorm:
    """Return the asinh stretch of surface brightness that all images share.

    Linear below twice the noise of the HSC image, logarithmic above; its range is that of the
    HST image, or of the recovered one where there is none.
    """
    soft = 2 * scene.sigma / HSC_PIXEL_SCALE**2
    shown = recovery.best if scene.reference is None else scene.reference
    brightest = np.percentile(shown[~scene.reference_mask], 99.97) / HST_PIXEL_SCALE**2
    brightest = max(float(brightest), 5 * soft)
    return FuncNorm(
        (lambda x: np.arcsinh(x / soft), lambda x: soft * np.sinh(x)),
        vmin=-soft,
        vmax=brightest,
    )


def _fill_panels(axes: dict[str, Axes], scene: Scene, recovery: Recovery, norm: FuncNorm) -> None:
    captions = recovery.captions(scene)
    fine, coarse = scene.reference_mask, scene.observed_mask
    images = {
        "hst": (scene.reference, fine, HST_PIXEL_SCALE, scene.reference_name),
        "hsc": (scene.observed, coarse, HSC_PIXEL_SCALE, scene.observed_name),
        "best": (recovery.best, fine, HST_PIXEL_SCALE, f"Recovered: mean of {recovery.count}"),
        "sample": (recovery.sample, fine, HST_PIXEL_SCALE, "One sample"),
        "richardson_lucy": (
            recovery.richardson_lucy, fine, HST_PIXEL_SCALE, "Richardson-Lucy, to compare",
        ),
        "error": (recovery.error, fine, HST_PIXEL_SCALE, "Error map: spread of the samples"),
    }  # fmt: skip
    for name, (image, mask, pixel_scale, title) in images.items():
        axis = axes[name]
        _title(axis, title, captions.get(name, ""))
        if image is None:
            _absent(axis, captions.get(f"{name}_absent", "not made"))
            continue
        _show(axis, image / pixel_scale**2, mask, pixel_scale, BRIGHTNESS_MAP, norm=norm)
    _title(axes["residual"], "Residual: HSC $-$ blurred recovered", captions.get("residual", ""))
    _show(
        axes["residual"], recovery.residual, coarse, HSC_PIXEL_SCALE, RESIDUAL_MAP,
        vmin=-RESIDUAL_RANGE, vmax=RESIDUAL_RANGE,
    )  # fmt: skip
    for name, fwhm in (("hst", scene.reference_fwhm), ("hsc", scene.seeing)):
        if images[name][0] is not None:
            _psf_mark(axes[name], scene, fwhm)
    _scale_bar(axes["hsc"], scene)


def _show(
    axis: Axes,
    image: np.ndarray,
    mask: np.ndarray,
    pixel_scale: float,
    colours: str,
    **scaling: Any,
) -> None:
    """Draw an image, first row at the bottom, in arcsec from the centre of the stamp."""
    half_height, half_width = (size * pixel_scale / 2 for size in image.shape)
    axis.set_facecolor(NO_DATA)
    axis.imshow(
        np.ma.masked_array(image, mask),
        cmap=colours,
        origin="lower",
        interpolation="nearest",
        extent=(-half_width, half_width, -half_height, half_height),
        aspect="equal",
        **scaling,
    )


def _title(axis: Axes, title: str, caption: str) -> None:
    axis.set_title(title, fontsize=12.5, fontweight="bold", loc="left", pad=19)
    axis.text(0, 1.015, caption, transform=axis.transAxes, fontsize=10.5, va="bottom", color="0.2")


def _absent(axis: Axes, reason: str) -> None:
    axis.set_facecolor("0.92")
    axis.set_aspect("equal")
    axis.text(
        0.5, 0.5, reason, transform=axis.transAxes, ha="center", va="center", fontsize=12,
        color="0.35", wrap=True,
    )  # fmt: skip


def _scale_bar(axis: Axes, scene: Scene) -> None:
    half_width, half_height = _half_field(scene)
    x, y = 0.9 * half_width, 0.88 * half_height
    axis.plot([x - 1, x], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")
    axis.text(x - 0.5, y - 0.03 * half_height, '1"', color="white", fontsize=12, ha="center",
              va="top", path_effects=[withStroke(linewidth=2, foreground="black")])  # fmt: skip


def _psf_mark(axis: Axes, scene: Scene, fwhm: float) -> None:
    """Draw the FWHM of the PSF as a circle into the lower left corner."""
    half_width, half_height = _half_field(scene)
    gap = 0.09 * min(half_width, half_height) + fwhm / 2
    centre = (gap - half_width, gap - half_height)
    axis.add_patch(Circle(centre, fwhm / 2, fill=False, color="white", linewidth=1.4))
    axis.text(centre[0] + fwhm / 2 + 0.05 * half_width, centre[1], f'PSF {fwhm:.2f}"',
              color="white", fontsize=10, va="center", ha="left",
              path_effects=[withStroke(linewidth=2, foreground="black")])  # fmt: skip


def _label_axes(axes: dict[str, Axes]) -> None:
    for name, axis in axes.items():
        axis.tick_params(labelsize=10, direction="out", length=3)
        if name in ("sample", "hsc", "best", "error", "residual"):
            axis.set_yticklabels([])
        if name in ("hst", "hsc", "best"):
            axis.set_xticklabels([])
    for name in ("hst", "richardson_lucy"):
        axes[name].set_ylabel("arcsec", fontsize=11)
    for name in ("richardson_lucy", "error", "residual", "sample"):
        axes[name].set_xlabel("arcsec", fontsize=11)


def _words(axis: Axes, scene: Scene, recovery: Recovery) -> None:
    """Write the table of measurements and the remarks into the eighth panel."""
    axis.axis("off")
    axis.text(0.04, 0.98, recovery.table(scene), transform=axis.transAxes, va="top", fontsize=10,
              family="monospace", linespacing=1.35)  # fmt: skip


def _colour_bars(figure: Figure, axes: dict[str, Axes], scene: Scene) -> None:
    box = axes["sample"].get_position()
    bar = figure.add_axes((0.915, box.y0, 0.012, box.height))
    colours = figure.colorbar(axes["hsc"].images[0], cax=bar)
    unit = "nJy" if scene.unit == "nJy" else scene.unit
    colours.set_label(f"surface brightness [{unit} arcsec$^{{-2}}$]", fontsize=10.5)
    colours.ax.tick_params(labelsize=9.5)
    box = axes["residual"].get_position()
    bar = figure.add_axes((box.x1 + 0.006, box.y0, 0.010, box.height))
    colours = figure.colorbar(axes["residual"].images[0], cax=bar)
    colours.set_label("residual [$\\sigma$]", fontsize=10.5, labelpad=-2)
    colours.ax.tick_params(labelsize=9.5)


def _titles(figure: Figure, scene: Scene) -> None:
    figure.text(0.055, 1 - 0.2 / figure.get_figheight(), scene.title, fontsize=17,
                fontweight="bold", va="top")  # fmt: skip
    known = [f"z = {scene.redshift:.2f}"] if scene.redshift is not None else []
    if scene.magnitude is not None:
        known.append(f"{scene.magnitude_name} = {scene.magnitude:.2f}")
    figure.text(0.905, 1 - 0.2 / figure.get_figheight(), "    ".join(known), fontsize=17, ha="right",
                fontweight="bold", va="top", color="#b35806")  # fmt: skip
