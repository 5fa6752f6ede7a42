"""The files of a mock cube: all of them, or none."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clumpygan.commands.cube_picture import cube_picture
from clumpygan.errors import InputError
from clumpygan.galaxies.description import describe
from clumpygan.galaxies.moments import moments
from clumpygan.io import atomic_path
from clumpygan.io.cube_writing import write_cube

if TYPE_CHECKING:
    from clumpygan.commands.mock_cube import Mock


def write_mock(options: Namespace, mock: Mock, report: dict[str, Any]) -> list[Path]:
    """Write the cube and, where they are wanted, the picture and the JSON file.

    They are moved into place together once all are complete.

    Returns
    -------
    list of pathlib.Path
        What was written.
    """
    with ExitStack() as stack:
        if options.picture is not None:
            draw_mock(mock, stack.enter_context(atomic_path(options.picture)))
        _write_fits(mock, stack.enter_context(atomic_path(options.output)))
        if options.metrics is not None:
            metrics = stack.enter_context(atomic_path(options.metrics))
            metrics.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return [path for path in (options.output, options.picture, options.metrics) if path]


def _write_fits(mock: Mock, path: Path) -> None:
    model, frame = mock.galaxy.model, mock.frame
    settings: dict[str, float | str] = {
        "instrument": "none" if frame.instrument is None else frame.instrument.name,
        "redshift": frame.redshift,
        "accuracy": mock.accuracy,
    }
    settings |= {f"rest_wavelength_{n}": line for n, line in enumerate(frame.lines, 1)}
    if frame.psf_fwhm is not None:
        settings["psf_fwhm"] = frame.psf_fwhm
    units = {row.name: row.unit for row in model.table if row.unit}
    write_cube(
        path,
        mock.data,
        axis=frame.axis,
        pixel_scale=frame.grid.pixel_scale,
        variance=mock.variance,
        unit=mock.unit,
        parameters=describe(mock.galaxy) | settings,
        comments=units | {"psf_fwhm": "arcsec"},
        seed=mock.seed,
    )


def draw_mock(mock: Mock, path: Path) -> None:
    """Draw the maps, slit, spectrum and channels of the line.

    Raises
    ------
    InputError
        If no line stands out of the noise.
    """
    frame, grid = mock.frame, mock.frame.grid
    data = mock.data if mock.continuum is None else mock.data - mock.continuum
    # Moments are sums over voxels: flux, not flux density.
    width = 1.0 if frame.instrument is None else frame.axis.step
    cube, variance = data * width, None
    if mock.variance is not None:
        variance = mock.variance * width**2
    shares = _line_shares(mock)
    first = shares[0][0]
    velocities = frame.velocities - first
    try:
        maps = moments(
            cube,
            velocities,
            variance=variance,
            method="moments" if len(shares) == 1 else "gaussian",
            lines=[(offset - first, share) for offset, share in shares],
            line_spread=float(np.mean(grid.line_spread)),
            channel_response=grid.channel_response,
        )
        cube_picture(
            path,
            cube,
            velocities,
            grid.pixel_scale,
            variance=variance,
            maps=maps,
            systemic_velocity=round(mock.galaxy.systemic_velocity, 1),
            title=_title(mock),
            lines=_words(mock),
            flux_unit="flux" if mock.unit is None else "1e-20 erg/s/cm2",
            psf_fwhm=frame.psf_fwhm,
        )
    except InputError as problem:
        raise InputError(
            f"--picture: {str(problem).removeprefix('cube: ')}; leave it out, or choose less noise "
            "or a larger cube"
        ) from problem


def _line_shares(mock: Mock) -> tuple[tuple[float, float], ...]:
    """Return offset in km/s and relative flux of the lines that shine."""
    model, shares = mock.galaxy.model, mock.frame.grid.line_fluxes
    if len(shares) == 2 + model.extra_lines:
        shares = tuple(model.line_fluxes(mock.galaxy.to_vector()).tolist())
    pairs = zip(mock.frame.line_offsets, shares, strict=True)
    return tuple((offset, share) for offset, share in pairs if share > 0)


def _title(mock: Mock) -> str:
    instrument = mock.frame.instrument
    name = "A disk galaxy" if instrument is None else instrument.description.split(",")[0]
    lines = ", ".join(f"{line:.0f}" for line in mock.frame.lines)
    title = f"{name}: {lines} \N{ANGSTROM SIGN}"
    return f"{title} at z = {mock.frame.redshift:g}" if mock.frame.redshift else title


def _words(mock: Mock) -> list[str]:
    """Return the few lines of text that fit beside the spectrum."""
    galaxy = mock.galaxy
    words = [
        f"inclination {galaxy.inclination:.3g} deg, position angle {galaxy.position_angle:.4g} deg",
        f"velocity {galaxy.maximum_velocity:.3g} km/s ({galaxy.curve}), "
        f"dispersion {galaxy.velocity_dispersion:.3g} km/s",
        f"half-light radius {galaxy.half_light_radius:.2g} arcsec ({galaxy.light})",
        f"scale height {galaxy.scale_height:.2g} arcsec ({galaxy.vertical})",
        f"{len(galaxy.clumps)} clumps, {galaxy.arms} arms, seed {mock.seed}",
    ]
    if mock.signal_to_noise is not None:
        words.append(f"peak signal-to-noise {mock.signal_to_noise:.3g}")
    return words
