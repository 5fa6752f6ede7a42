"""The picture of a recovery: seven panels of one galaxy, readable at a glance.

All images and the error map share one asinh stretch of surface brightness; the residual has its
own, linear and diverging, in units of the noise. The colour maps (inferno, PuOr) can be told
apart with any colour vision and in grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from clumpygan.commands.recovery_captions import captions, measurement_table
from clumpygan.commands.recovery_scene import shown_part
from clumpygan.constants import HSC_PIXEL_SCALE, HST_PIXEL_SCALE
from clumpygan.evaluation.fidelity import PHOTOMETRY_RADIUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from clumpygan.commands.recovery_scene import Recovery, Scene

BRIGHTNESS_MAP, RESIDUAL_MAP, NO_DATA = "inferno", "PuOr_r", "0.55"
RESIDUAL_RANGE = 5.0
"""Sigma at which the colours of the residual end."""

_LAYOUT = (("hst", "hsc", "best", "sample"), ("richardson_lucy", "error", "residual", "words"))
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM, _LINE = 0.75, 1.0, 1.5, 0.85, 0.62, 0.2  # inches
_PANEL = 3.0  # inches, geometric mean of width and height
_OUTLINE = [withStroke(linewidth=2.2, foreground="black")]
_OFF_CENTRE = 1.0  # arcsec from which on it is marked where the galaxy was measured


@dataclass(frozen=True)
class Field:
    """The part of the sky that is shown, in arcsec from the centre of the stamp."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        """In arcsec."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In arcsec."""
        return self.top - self.bottom


def draw_picture(scene: Scene, recovery: Recovery, path: Path) -> None:
    """Draw the seven panels and their captions.

    Parameters
    ----------
    scene : Scene
        The galaxy.
    recovery : Recovery
        What was recovered of it, with its measurements.
    path : pathlib.Path
        Where the picture goes; the suffix says the format (.png, .pdf, .svg, .jpg).
    """
    field = _shown_field(scene.observed_mask)
    notes = [line for remark in scene.remarks for line in wrap(remark, 165)]
    figure, axes = _empty_figure(field, len(notes))
    norm = _stretch(scene, recovery)
    _fill_panels(axes, scene, recovery, norm, field)
    _label_axes(axes, field)
    _words(axes["words"], recovery)
    _colour_bars(figure, axes, scene, norm)
    _texts(figure, scene, notes)
    figure.savefig(path, format=path.suffix.lstrip(".").lower(), facecolor="white")


def _shown_field(mask: np.ndarray) -> Field:
    """Return the field with data."""
    (bottom, top), (left, right) = (
        ((part.start - size / 2) * HSC_PIXEL_SCALE, (part.stop - size / 2) * HSC_PIXEL_SCALE)
        for part, size in zip(shown_part(mask), mask.shape, strict=True)
    )
    return Field(left, right, bottom, top)


def _empty_figure(field: Field, lines: int) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with panels of the shape of the field, and room for `lines` of notes."""
    aspect = float(np.clip(field.height / field.width, 0.35, 2.0))
    wide, high = _PANEL / aspect**0.5, _PANEL * aspect**0.5
    between = 0.06 * wide
    width = _LEFT + 4 * wide + 3 * between + _RIGHT
    bottom = _BOTTOM + lines * _LINE
    height = _TOP + 2 * high + _GAP + bottom
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic(
        _LAYOUT,
        gridspec_kw={
            "left": _LEFT / width,
            "right": 1 - _RIGHT / width,
            "wspace": between / wide,
            "top": 1 - _TOP / height,
            "bottom": bottom / height,
            "hspace": _GAP / high,
        },
    )
    return figure, axes


def _stretch(scene: Scene, recovery: Recovery) -> FuncNorm:
    """Return the asinh stretch of surface brightness that all images share.

    Linear below twice the noise of the HSC image, logarithmic above; its range is that of the
    HST image, or of the recovered one where there is none.
    """
    soft = 2 * scene.sigma / HSC_PIXEL_SCALE**2
    shown, mask = recovery.best, scene.recovered_mask
    if scene.reference is not None:
        shown, mask = scene.reference, scene.reference_mask
    brightest = float(np.percentile(shown[~mask], 99.97)) / HST_PIXEL_SCALE**2
    return FuncNorm(
        (lambda x: np.arcsinh(x / soft), lambda x: soft * np.sinh(x)),
        vmin=-0.6 * soft,
        vmax=max(brightest, 5 * soft),
    )


def _fill_panels(
    axes: dict[str, Axes], scene: Scene, recovery: Recovery, norm: FuncNorm, field: Field
) -> None:
    recovered = scene.recovered_mask
    images = {
        "hst": (scene.reference, scene.reference_mask, HST_PIXEL_SCALE),
        "hsc": (scene.observed, scene.observed_mask, HSC_PIXEL_SCALE),
        "best": (recovery.best, recovered, HST_PIXEL_SCALE),
        "sample": (recovery.sample, recovered, HST_PIXEL_SCALE),
        "richardson_lucy": (recovery.richardson_lucy, recovered, HST_PIXEL_SCALE),
        "error": (recovery.error, recovered, HST_PIXEL_SCALE),
    }
    words = captions(scene, recovery)
    for name, (image, mask, pixel_scale) in images.items():
        _title(axes[name], *words[name])
        if image is None:
            axes[name].set_facecolor("0.93")
            continue
        brightness = image / pixel_scale**2
        _show(axes[name], brightness, mask, pixel_scale, cmap=BRIGHTNESS_MAP, norm=norm)
    _title(axes["residual"], *words["residual"])
    limits = {"cmap": RESIDUAL_MAP, "vmin": -RESIDUAL_RANGE, "vmax": RESIDUAL_RANGE}
    _show(axes["residual"], recovery.residual, scene.observed_mask, HSC_PIXEL_SCALE, **limits)
    _psf_mark(axes["hsc"], field, scene.seeing)
    first = axes["best" if scene.reference is None else "hst"]
    _psf_mark(first, field, scene.reference_fwhm)
    _aperture_mark(first, scene, recovery)
    _scale_bar(axes["hsc"], field)


def _show(axis: Axes, image: np.ndarray, mask: np.ndarray, pixel_scale: float, **how: Any) -> None:
    """Draw an image, first row at the bottom, in arcsec from the centre of the stamp."""
    y, x = (size * pixel_scale / 2 for size in image.shape)
    axis.set_facecolor(NO_DATA)
    axis.imshow(
        np.ma.masked_array(image, mask),
        origin="lower",
        interpolation="nearest",
        extent=(-x, x, -y, y),
        **how,
    )


def _title(axis: Axes, title: str, caption: str) -> None:
    axis.set_title(title, fontsize=13, fontweight="bold", loc="left", pad=21)
    axis.text(0, 1.0, caption, transform=axis.transAxes, fontsize=11, va="bottom", color="0.15",
              linespacing=1.4)  # fmt: skip


def _scale_bar(axis: Axes, field: Field) -> None:
    x, y = field.right - 0.06 * field.width, field.top - 0.06 * field.height
    axis.plot([x - 1, x], [y, y], color="white", linewidth=3, path_effects=_OUTLINE)
    axis.text(x - 0.5, y - 0.02 * field.height, '1"', color="white", fontsize=13, ha="center",
              va="top", path_effects=_OUTLINE)  # fmt: skip


def _psf_mark(axis: Axes, field: Field, fwhm: float) -> None:
    """Draw the FWHM of the PSF as a circle into the lower left corner."""
    gap = 0.045 * min(field.width, field.height) + fwhm / 2
    x, y = field.left + gap, field.bottom + gap
    axis.add_patch(
        Circle((x, y), fwhm / 2, fill=False, color="white", linewidth=1.6, path_effects=_OUTLINE)
    )
    axis.text(x + fwhm / 2 + 0.02 * field.width, y, f'PSF {fwhm:.2f}"', color="white",
              fontsize=11, va="center", path_effects=_OUTLINE)  # fmt: skip


def _aperture_mark(axis: Axes, scene: Scene, recovery: Recovery) -> None:
    """Encircle the galaxy that was measured, if that isn't the middle of the stamp."""
    y, x = (
        (position - (size - 1) / 2) * HST_PIXEL_SCALE
        for position, size in zip(recovery.nucleus, scene.reference_mask.shape, strict=True)
    )
    if np.hypot(x, y) > _OFF_CENTRE:
        axis.add_patch(Circle((x, y), PHOTOMETRY_RADIUS, fill=False, color="white",
                              linewidth=1.3, linestyle=(0, (3, 2))))  # fmt: skip


def _label_axes(axes: dict[str, Axes], field: Field) -> None:
    """Label the outer axes only; all panels show the same field."""
    for name, axis in axes.items():
        axis.set_xlim(field.left, field.right)
        axis.set_ylim(field.bottom, field.top)
        axis.tick_params(labelsize=11, length=3)
        bottom, left = name in _LAYOUT[1], name in ("hst", "richardson_lucy")
        axis.tick_params(labelbottom=bottom, labelleft=left)
        if bottom:
            axis.set_xlabel("arcsec", fontsize=12)
        if left:
            axis.set_ylabel("arcsec", fontsize=12)


def _words(axis: Axes, recovery: Recovery) -> None:
    """Write the table of measurements into the eighth panel, beside the residual's colour bar."""
    axis.axis("off")
    axis.text(0.3, 1.0, measurement_table(recovery), transform=axis.transAxes, va="top",
              fontsize=9.5, family="monospace", linespacing=1.5)  # fmt: skip


def _colour_bars(figure: Figure, axes: dict[str, Axes], scene: Scene, norm: FuncNorm) -> None:
    inch = 1 / figure.get_figwidth()
    box = axes["sample"].get_position()
    bar = figure.add_axes((box.x1 + 0.1 * inch, box.y0, 0.16 * inch, box.height))
    colours = figure.colorbar(axes["hsc"].images[0], cax=bar)
    colours.ax.yaxis.set_major_locator(FixedLocator(_round_values(norm)))
    colours.ax.yaxis.set_minor_locator(NullLocator())
    colours.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    colours.set_label(f"{scene.unit} per square arcsec", fontsize=11, labelpad=2)
    colours.ax.tick_params(labelsize=10, length=3)
    box = axes["residual"].get_position()
    bar = figure.add_axes((box.x1 + 0.1 * inch, box.y0, 0.13 * inch, box.height))
    colours = figure.colorbar(axes["residual"].images[0], cax=bar)
    colours.ax.set_title("$\\sigma$", fontsize=12)
    colours.ax.tick_params(labelsize=10, length=3)


def _round_values(norm: FuncNorm) -> list[float]:
    """Return 0 and the values 1, 3, 10, 30, ... that lie well apart on the stretch."""
    values = [step * 10.0**power for power in range(-6, 9) for step in (1, 3)]
    return [0.0] + [value for value in values if norm(value) - norm(0) > 0.12 and norm(value) <= 1]


def _texts(figure: Figure, scene: Scene, notes: list[str]) -> None:
    """Write the title, what is known of the galaxy, and the notes below."""
    width, height = figure.get_size_inches()
    left, right = _LEFT / width, 1 - _RIGHT / width
    known = [] if scene.redshift is None else [f"z = {scene.redshift:.2f}"]
    if scene.magnitude is not None:
        known.append(f"{scene.magnitude_name} = {scene.magnitude:.2f}")
    y = 1 - 0.18 / height
    figure.text(left, y, scene.title, fontsize=19, fontweight="bold", va="top")
    figure.text(right, y, "     ".join(known), fontsize=19, fontweight="bold", va="top",
                ha="right")  # fmt: skip
    figure.text(left, 1 - 0.57 / height, scene.subtitle, fontsize=12, va="top", color="0.25")
    for line, note in enumerate(reversed(notes)):
        figure.text(left, (0.08 + line * _LINE) / height, note, fontsize=10, color="0.25")
