"""In which words a picture and a terminal say what was recovered, and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Recovery, Scene

_COLUMNS = {"network": "mean", "sample": "sample", "richardson_lucy": "R-L"}
_ROWS = (
    ("PSNR [dB]", "psnr", "{:.1f}"),
    ("NRMSE", "nrmse", "{:.3f}"),
    ("SSIM", "ssim", "{:.3f}"),
    ("flux [%]", "flux_error_percent", "{:+.1f}"),
    ("R50 [%]", "half_light_radius_error_percent", "{:+.1f}"),
    ("centre ['']", "centroid_shift", "{:.3f}"),
    ("chi^2/pixel", "chi2", "{:.2f}"),
    ("R50 ['']", "half_light_radius", "{:.3f}"),
    ("AB mag", "magnitude", "{:.2f}"),
)


def captions(scene: Scene, recovery: Recovery) -> dict[str, tuple[str, str]]:
    """Return the title of each panel and the line below it."""
    metrics = recovery.metrics
    unit = "nJy" if scene.unit == "nJy" else scene.unit
    lucy = metrics.get("richardson_lucy")
    absent = scene.reference is None
    return {
        "hst": (
            ("HST", "no --reference given") if absent else (scene.reference_name, _noise(scene))
        ),
        "hsc": (
            scene.observed_name,
            f'seeing {scene.seeing:.2f}", $\\sigma$ {scene.sigma:.2g} {unit}',
        ),
        "best": (f"Recovered: mean of {recovery.count}", _judgement(metrics["network"])),
        "sample": ("One sample", _judgement(metrics["sample"])),
        "richardson_lucy": (
            "Richardson-Lucy",
            "--no-richardson-lucy" if lucy is None else _judgement(lucy),
        ),
        "error": ("Error map", _typical_error(scene, recovery)),
        "residual": (
            "Residual, HSC $-$ recovered",
            f"seen by HSC; $\\chi^2$ per pixel {metrics['network']['chi2']:.2f}",
        ),
    }


def measurement_table(recovery: Recovery) -> str:
    """Return the measurements of all methods as lines of equal width."""
    methods = [name for name in _COLUMNS if name in recovery.metrics]
    rows = [("", *(_COLUMNS[name] for name in methods))]
    for label, metric, form in _ROWS:
        values = [recovery.metrics[name].get(metric) for name in methods]
        if any(value is not None for value in values):
            rows.append((label, *("-" if v is None else form.format(v) for v in values)))
    return "\n".join(f"{row[0]:<12}" + "".join(f"{cell:>7}" for cell in row[1:]) for row in rows)


def headline(scene: Scene) -> str:
    """Return the title with redshift and magnitude, in one line."""
    words = [scene.title]
    if scene.redshift is not None:
        words.append(f"z = {scene.redshift:.2f}")
    if scene.magnitude is not None:
        words.append(f"{scene.magnitude_name} = {scene.magnitude:.2f}")
    return ", ".join(words)


def _judgement(metrics: dict[str, float | None]) -> str:
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


def _typical_error(scene: Scene, recovery: Recovery) -> str:
    bright = (recovery.best > 3 * recovery.error) & ~scene.recovered_mask
    if not bright.any():
        return f"spread of {recovery.count} samples"
    share = float((recovery.error[bright] / recovery.best[bright]).mean())
    return f"spread of {recovery.count} samples, about {100 * share:.0f} %"
