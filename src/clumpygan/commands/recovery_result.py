"""What was recovered, how well, and in which words a picture and a terminal say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Scene

METHOD_NAMES = {
    "network": "network",
    "sample": "one sample",
    "richardson_lucy": "Rich.-Lucy",
}


@dataclass
class Recovery:
    """The images made of one scene, and their measurements.

    Attributes
    ----------
    best, error, sample : numpy.ndarray
        (Y, X) float32, unit of the scene per HST pixel: mean of the samples, their calibrated
        spread, and the first of them.
    richardson_lucy : numpy.ndarray or None
        (Y, X), None if it wasn't wanted.
    residual : numpy.ndarray
        (y, x): the HSC image minus the recovered one seen by HSC, in units of the noise.
    count : int
        Number of samples.
    metrics : dict
        method -> metric -> value; see `measure`.
    """

    best: np.ndarray
    error: np.ndarray
    sample: np.ndarray
    richardson_lucy: np.ndarray | None
    residual: np.ndarray
    count: int
    metrics: dict[str, dict[str, float | None]]

    def captions(self, scene: Scene) -> dict[str, str]:
        """Return the line under the title of each panel."""
        captions = {
            "hst": _noise_of_reference(scene),
            "hst_absent": "no HST image given\n(--reference)",
            "hsc": f'seeing {scene.seeing:.2f}", noise {scene.sigma:.3g} {scene.unit}/pixel',
            "best": _judgement(self.metrics["network"]),
            "sample": _judgement(self.metrics["sample"]),
            "richardson_lucy_absent": "left out\n(--no-richardson-lucy)",
            "residual": f"$\\chi^2$ per pixel {self.metrics['network']['chi2']:.2f}",
        }
        if self.richardson_lucy is not None:
            captions["richardson_lucy"] = _judgement(self.metrics["richardson_lucy"])
        bright = self.best > 3 * np.median(self.error)
        if bright.any():
            relative = np.median(self.error[bright] / self.best[bright])
            captions["error"] = f"68 %; typically {100 * relative:.0f} % of the light"
        else:
            captions["error"] = "68 %"
        return captions

    def table(self, scene: Scene) -> str:
        """Return the measurements of all methods as lines of equal width."""
        methods = [name for name in METHOD_NAMES if name in self.metrics]
        rows = [("", *(METHOD_NAMES[name] for name in methods))]
        for label, metric, form in _ROWS:
            values = [self.metrics[name].get(metric) for name in methods]
            if any(value is not None for value in values):
                rows.append((label, *("-" if v is None else form.format(v) for v in values)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                cell.rjust(w) if i else cell.ljust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join(lines)


_ROWS = (
    ("PSNR [dB]", "psnr", "{:.1f}"),
    ("NRMSE", "nrmse", "{:.3f}"),
    ("flux error [mag]", "magnitude_error", "{:+.3f}"),
    ("size error [%]", "half_light_radius_error_percent", "{:+.1f}"),
    ("R50 [arcsec]", "half_light_radius", "{:.3f}"),
    ('AB mag in 2"', "magnitude", "{:.2f}"),
    ("chi^2", "chi2", "{:.2f}"),
)


def _judgement(metrics: dict[str, float | None]) -> str:
    """Say PSNR, flux and size error in one line; size and chi^2 where there is no truth."""
    if metrics.get("psnr") is None:
        return (
            ""
            if metrics.get("half_light_radius") is None
            else (f'R50 {metrics["half_light_radius"]:.2f}"')
        )
    words = [f"PSNR {metrics['psnr']:.1f} dB"]
    if metrics.get("flux_error_percent") is not None:
        words.append(f"flux {metrics['flux_error_percent']:+.1f} %")
    if metrics.get("half_light_radius_error_percent") is not None:
        words.append(f"R50 {metrics['half_light_radius_error_percent']:+.0f} %")
    return "   ".join(words)


def _noise_of_reference(scene: Scene) -> str:
    if scene.reference is None:
        return ""
    if scene.reference_sigma == 0:
        return "free of noise: the truth"
    return f"noise {scene.reference_sigma:.2g} {scene.unit}/pixel"
