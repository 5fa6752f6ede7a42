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
from clumpygan.errors import InputError
from clumpygan.io import atomic_path, check_output_path, write_image

if TYPE_CHECKING:
    from clumpygan.commands.recovery_scene import Recovery, Scene


def check_outputs(options: Namespace) -> None:
    """Refuse output paths that can't be written, before anything is computed.

    Raises
    ------
    InputError
        If a folder doesn't exist or isn't writable, or two outputs are one file.
    """
    paths = [path for path in (options.output, options.fits, options.metrics) if path is not None]
    for number, path in enumerate(paths):
        check_output_path(path)
        if path.resolve() in {other.resolve() for other in paths[:number]}:
            raise InputError(f"{path} is named twice; expected a file for each output")


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
    recovered = scene.recovered_mask
    layers = {
        "HST": (scene.reference, scene.reference_mask, scene.reference_wcs),
        "HSC": (scene.observed, scene.observed_mask, scene.observed_wcs),
        "RECOVERED": (recovery.best, recovered, scene.reference_wcs),
        "ERROR": (recovery.error, recovered, scene.reference_wcs),
        "SAMPLE": (recovery.sample, recovered, scene.reference_wcs),
        "RICHARDSON_LUCY": (recovery.richardson_lucy, recovered, scene.reference_wcs),
        "RESIDUAL": (recovery.residual, scene.observed_mask, scene.observed_wcs),
    }
    there = {name: layer for name, layer in layers.items() if layer[0] is not None}
    images = {name: np.where(mask, np.nan, image) for name, (image, mask, _) in there.items()}
    header = {
        "CREATOR": (f"clumpygan {__version__}", "program"),
        "SEED": (report["seed"], "galaxy, noise and samples"),
        "NSAMPLES": (recovery.count, "samples in the mean and in the error"),
        "SIGMA": (scene.sigma, f"noise of an HSC pixel [{scene.unit}]"),
        "SEEING": (scene.seeing, "FWHM of the HSC PSF [arcsec]"),
    }
    wcs = {name: layer[2] for name, layer in there.items()}
    units = dict.fromkeys(images, "nJy" if scene.unit == "nJy" else "count") | {"RESIDUAL": ""}
    write_image(path, images, wcs=wcs, header=header, units=units)
