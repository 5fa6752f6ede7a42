"""The picture of a recovery: seven panels of one galaxy, readable at a glance.

All images and the error map share one asinh stretch of surface brightness; the residual has its
own, linear and diverging, in units of the noise. The colour maps (inferno, PuOr) can be told
apart with any colour vision and in grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import FuncNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from clumpygan.evaluation.recovery.clumps import NUCLEUS_RADIUS
from clumpygan.evaluation.recovery.fidelity import PHOTOMETRY_RADIUS
from clumpygan.plots.sky_axes import label_sides, sky_projection
from clumpygan.plots.style import as_it_is
from clumpygan.recovery.scene import shown_part

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from matplotlib.axes import Axes

    from clumpygan.recovery.result import Recovery
    from clumpygan.recovery.scene import Scene

BRIGHTNESS_MAP, RESIDUAL_MAP, NO_DATA = "inferno", "PuOr_r", "0.55"
RESIDUAL_RANGE = 5.0
"""Sigma at which the colours of the residual end."""

_LAYOUT = (
    ("target", "observed", "best", "sample"),
    ("richardson_lucy", "error", "residual", "words"),
)
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


def plot_recovery(recovery: Recovery, *, wcs: bool = False) -> Figure:
    """Return a figure of the seven panels and their captions.

    Parameters
    ----------
    recovery : Recovery
        What was recovered, with its measurements.
    wcs : bool
        Whether the axes are in right ascension and declination, in place of arcsec.
    """
    scene = recovery.scene
    field = shown_field(scene)
    notes = [line for remark in recovery.remarks for line in wrap(remark, 165)]
    sky = sky_projection(wcs, recovery.wcs, recovery.best.shape, recovery.scene.grid.target_scale)
    figure, axes = _empty_figure(field, len(notes), sky)
    norm = brightness_stretch(recovery)
    _fill_panels(axes, recovery, norm, field)
    _label_axes(axes, field)
    _words(axes["words"], recovery)
    _colour_bars(figure, axes, scene, norm)
    _texts(figure, recovery, notes)
    return figure


def captions(recovery: Recovery) -> dict[str, tuple[str, str]]:
    """Return the title of each panel and the line below it."""
    scene, metrics = recovery.scene, recovery.metrics
    lucy = metrics.get("richardson_lucy")
    absent, survey = scene.reference is None, scene.pair.survey.short_name
    return {
        "target": (
            (scene.pair.target.short_name, "none given")
            if absent
            else (scene.reference_name, _noise(scene))
        ),
        "observed": (
            scene.observed_name,
            f'seeing {scene.seeing:.2f}", $\\sigma$ {scene.sigma:.2g} {scene.unit}',
        ),
        "best": (f"Recovered: mean of {len(recovery.samples)}", _judgement(metrics["network"])),
        "sample": ("One sample", _judgement(metrics["sample"])),
        "richardson_lucy": (
            "Richardson-Lucy",
            "left out" if lucy is None else _judgement(lucy),
        ),
        "error": ("Error map", _typical_error(recovery)),
        "residual": (
            f"Residual, {survey} $-$ recovered",
            f"seen by {survey}; $\\chi^2$ per pixel {metrics['network']['chi2']:.2f}",
        ),
    }


def shown_field(scene: Scene) -> Field:
    """Return the field with data."""
    mask, scale = scene.observed_mask, scene.grid.observed_scale
    (bottom, top), (left, right) = (
        ((part.start - size / 2) * scale, (part.stop - size / 2) * scale)
        for part, size in zip(shown_part(mask, scene.grid), mask.shape, strict=True)
    )
    return Field(left, right, bottom, top)


def _empty_figure(field: Field, lines: int, sky: WCS | None) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with panels of the shape of the field, and room for `lines` of notes."""
    aspect = float(np.clip(field.height / field.width, 0.35, 2.0))
    wide, high = _PANEL / aspect**0.5, _PANEL * aspect**0.5
    between = 0.06 * wide
    width = _LEFT + 4 * wide + 3 * between + _RIGHT
    bottom = _BOTTOM + lines * _LINE
    height = _TOP + 2 * high + _GAP + bottom
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic(
        [list(row) for row in _LAYOUT],
        gridspec_kw={
            "left": _LEFT / width,
            "right": 1 - _RIGHT / width,
            "wspace": between / wide,
            "top": 1 - _TOP / height,
            "bottom": bottom / height,
            "hspace": _GAP / high,
        },
        per_subplot_kw={
            name: {"projection": sky}
            for row in _LAYOUT
            for name in row
            if name != "words" and sky is not None
        },
    )
    return figure, axes


def brightness_stretch(recovery: Recovery) -> FuncNorm:
    """Return the asinh stretch of surface brightness that all images share.

    Linear below twice the noise of the observed image, logarithmic above; its range is that of the
    sharp image, or of the recovered one where there is none.
    """
    scene, grid = recovery.scene, recovery.scene.grid
    soft = 2 * scene.sigma / grid.observed_scale**2
    shown, mask = recovery.best, recovery.mask
    if scene.reference is not None:
        shown, mask = scene.reference, scene.reference_mask
    brightest = float(np.percentile(shown[~mask], 99.97)) / grid.target_scale**2
    return FuncNorm(
        (lambda x: np.arcsinh(x / soft), lambda x: soft * np.sinh(x)),
        vmin=-0.6 * soft,
        vmax=max(brightest, 5 * soft),
    )


def _fill_panels(axes: dict[str, Axes], recovery: Recovery, norm: FuncNorm, field: Field) -> None:
    scene, recovered = recovery.scene, recovery.mask
    fine, coarse = scene.grid.target_scale, scene.grid.observed_scale
    images = {
        "target": (scene.reference, scene.reference_mask, fine),
        "observed": (scene.observed, scene.observed_mask, coarse),
        "best": (recovery.best, recovered, fine),
        "sample": (recovery.samples[0], recovered, fine),
        "richardson_lucy": (recovery.richardson_lucy, recovered, fine),
        "error": (recovery.error, recovered, fine),
    }
    words = captions(recovery)
    for name, (image, mask, pixel_scale) in images.items():
        _title(axes[name], *words[name])
        if image is None:
            axes[name].set_facecolor("0.93")
            continue
        brightness = image / pixel_scale**2
        _show(axes[name], brightness, mask, pixel_scale, cmap=BRIGHTNESS_MAP, norm=norm)
    _title(axes["residual"], *words["residual"])
    limits = {"cmap": RESIDUAL_MAP, "vmin": -RESIDUAL_RANGE, "vmax": RESIDUAL_RANGE}
    _show(axes["residual"], recovery.residual, scene.observed_mask, coarse, **limits)
    _psf_mark(axes["observed"], field, scene.seeing)
    first = axes["best" if scene.reference is None else "target"]
    _psf_mark(first, field, scene.reference_fwhm)
    _aperture_mark(first, recovery)
    _source_marks(axes["best"], recovery)
    _scale_bar(axes["observed"], field)


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


def _aperture_mark(axis: Axes, recovery: Recovery) -> None:
    """Encircle the galaxy that was measured, if that isn't the middle of the stamp."""
    y, x = (
        (position - (size - 1) / 2) * recovery.scene.grid.target_scale
        for position, size in zip(recovery.nucleus, recovery.best.shape, strict=True)
    )
    if np.hypot(x, y) > _OFF_CENTRE:
        axis.add_patch(Circle((x, y), PHOTOMETRY_RADIUS, fill=False, color="white",
                              linewidth=1.3, linestyle=(0, (3, 2))))  # fmt: skip


def _source_marks(axis: Axes, recovery: Recovery) -> None:
    """Encircle what stands out beside the nucleus: as faint as it is improbable."""
    shape, scale = recovery.best.shape, recovery.scene.grid.target_scale
    for source in recovery.sources:
        if source.nucleus:
            continue
        y, x = (
            (place[1] - (size - 1) / 2) * scale
            for place, size in zip((source.y, source.x), shape, strict=True)
        )
        axis.add_patch(
            Circle((x, y), 1.3 * NUCLEUS_RADIUS, fill=False, color="white", linewidth=1.2,
                   alpha=0.15 + 0.85 * source.probability)
        )  # fmt: skip


def _label_axes(axes: dict[str, Axes], field: Field) -> None:
    """Label the outer axes only; all panels show the same field."""
    for name, axis in axes.items():
        axis.set_xlim(field.left, field.right)
        axis.set_ylim(field.bottom, field.top)
        axis.tick_params(labelsize=11, length=3)
        if name != "words":
            left = name in ("target", "richardson_lucy")
            label_sides(axis, left=left, bottom=name in _LAYOUT[1], size=12)


def _words(axis: Axes, recovery: Recovery) -> None:
    """Write the table of measurements into the eighth panel, beside the residual's colour bar."""
    axis.axis("off")
    axis.text(0.3, 1.0, recovery.table(), transform=axis.transAxes, va="top",
              fontsize=9.5, family="monospace", linespacing=1.5)  # fmt: skip


def _colour_bars(figure: Figure, axes: dict[str, Axes], scene: Scene, norm: FuncNorm) -> None:
    inch = 1 / figure.get_figwidth()
    box = axes["sample"].get_position()
    bar = figure.add_axes((box.x1 + 0.1 * inch, box.y0, 0.16 * inch, box.height))
    colours = figure.colorbar(axes["observed"].images[0], cax=bar)
    colours.ax.yaxis.set_major_locator(FixedLocator(round_values(norm)))
    colours.ax.yaxis.set_minor_locator(NullLocator())
    colours.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    colours.set_label(f"{scene.unit} per square arcsec", fontsize=11, labelpad=2)
    colours.ax.tick_params(labelsize=10, length=3)
    box = axes["residual"].get_position()
    bar = figure.add_axes((box.x1 + 0.1 * inch, box.y0, 0.13 * inch, box.height))
    colours = figure.colorbar(axes["residual"].images[0], cax=bar)
    colours.ax.set_title("$\\sigma$", fontsize=12)
    colours.ax.tick_params(labelsize=10, length=3)


def round_values(norm: FuncNorm) -> list[float]:
    """Return 0 and the values 1, 3, 10, 30, ... that lie well apart on the stretch."""
    values = [step * 10.0**power for power in range(-6, 9) for step in (1, 3)]
    return [0.0] + [value for value in values if norm(value) - norm(0) > 0.12 and norm(value) <= 1]


def _texts(figure: Figure, recovery: Recovery, notes: list[str]) -> None:
    """Write the title, what is known of the galaxy, and the notes below."""
    scene = recovery.scene
    width, height = figure.get_size_inches()
    left, right = _LEFT / width, 1 - _RIGHT / width
    known = [] if scene.redshift is None else [f"z = {scene.redshift:.2f}"]
    if recovery.magnitude is not None:
        known.append(f"{recovery.magnitude_name} = {recovery.magnitude:.2f}")
    y = 1 - 0.18 / height
    figure.text(left, y, as_it_is(scene.title), fontsize=19, fontweight="bold", va="top")
    figure.text(right, y, "     ".join(known), fontsize=19, fontweight="bold", va="top",
                ha="right")  # fmt: skip
    figure.text(left, 1 - 0.57 / height, as_it_is(scene.subtitle), fontsize=12, va="top",
                color="0.25")  # fmt: skip
    for line, note in enumerate(reversed(notes)):
        figure.text(left, (0.08 + line * _LINE) / height, as_it_is(note), fontsize=10, color="0.25")


def _judgement(metrics: Mapping[str, float | None]) -> str:
    """Say PSNR, flux and size error in one line; the size alone where there is no HST image."""
    if metrics.get("psnr") is None:
        radius = metrics["half_light_radius"]
        return "" if radius is None else f'half-light radius {radius:.2f}"'
    words = [f"PSNR {metrics['psnr']:.1f} dB"]
    if metrics["flux_error_percent"] is not None:
        words.append(f"flux {metrics['flux_error_percent']:+.1f} %")
    if metrics["half_light_radius_error_percent"] is not None:
        words.append(f"R$_{{50}}$ {metrics['half_light_radius_error_percent']:+.0f} %")
    return "  ".join(words)


def _noise(scene: Scene) -> str:
    """Say how noisy the HST image is, and what PSNR a perfect recovery would have against it."""
    assert scene.reference is not None
    if scene.reference_sigma == 0:
        return "without noise: the truth"
    peak = float(scene.reference[~scene.reference_mask].max())
    limit = 20 * np.log10(peak / scene.reference_sigma)
    return f"its noise limits PSNR to {limit:.0f} dB"


def _typical_error(recovery: Recovery) -> str:
    bright = (recovery.best > 3 * recovery.error) & ~recovery.mask
    if not bright.any():
        return f"spread of {len(recovery.samples)} samples"
    share = float((recovery.error[bright] / recovery.best[bright]).mean())
    return f"spread of {len(recovery.samples)} samples, about {100 * share:.0f} %"
