"""The files of a recovery: all of them, or none."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clumpygan import __version__
from clumpygan.commands.recovery_picture import draw_picture
from clumpygan.io import atomic_path, check_output_path, write_image

if TYPE_CHECKING:
    from clumpygan.commands.recovery_result import Recovery
    from clumpygan.commands.recovery_scene import Scene


def check_outputs(options: Namespace) -> None:
    """Refuse output paths that can't be written, before anything is computed.

    Raises
    ------
    InputError
        If a folder doesn't exist or isn't writable.
    """
    for path in (options.output, options.fits, options.metrics):
        if path is not None:
            check_output_path(path)


def write_outputs(
    options: Namespace, scene: Scene, recovery: Recovery, report: dict[str, Any]
) -> list[Path]:
    """Write the picture and, where they are wanted, the FITS and the JSON file.

    They are moved into place together once all are complete.

    Returns
    -------
    list of pathlib.Path
        What was written.
    """
    with ExitStack() as stack:
        draw_picture(scene, recovery, stack.enter_context(atomic_path(options.output)))
        if options.fits is not None:
            _write_fits(scene, recovery, report, stack.enter_context(atomic_path(options.fits)))
        if options.metrics is not None:
            metrics = stack.enter_context(atomic_path(options.metrics))
            metrics.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return [path for path in (options.output, options.fits, options.metrics) if path is not None]


def _write_fits(scene: Scene, recovery: Recovery, report: dict[str, Any], path: Path) -> None:
    """Write all images as extensions; pixels without data are NaN."""
    fine = {
        "HST": scene.reference,
        "RECOVERED": recovery.best,
        "ERROR": recovery.error,
        "SAMPLE": recovery.sample,
        "RICHARDSON_LUCY": recovery.richardson_lucy,
    }
    coarse = {"HSC": scene.observed, "RESIDUAL": recovery.residual}
    images = {
        name: np.where(mask, np.nan, image).astype(np.float32)
        for group, mask in ((fine, scene.reference_mask), (coarse, scene.observed_mask))
        for name, image in group.items()
        if image is not None
    }
    header = {
        "CREATOR": (f"clumpygan {__version__}", "program"),
        "SEED": (report["seed"], "galaxy, noise and samples"),
        "NSAMPLES": (recovery.count, "samples in the mean and in the error"),
        "SIGMA": (scene.sigma, f"noise of an HSC pixel [{scene.unit}]"),
        "SEEING": (scene.seeing, "FWHM of the HSC PSF [arcsec]"),
    }
    wcs = dict.fromkeys(fine, scene.reference_wcs) | dict.fromkeys(coarse, scene.observed_wcs)
    units = dict.fromkeys(images, "nJy" if scene.unit == "nJy" else "count")
    write_image(path, images, wcs=wcs, header=header, units={**units, "RESIDUAL": ""})
