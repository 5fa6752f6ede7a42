"""The picture of a mock cube."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clumpygan.galaxies.measuring.moments import moments
from clumpygan.plots.cube import cube_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clumpygan.generation.mock import Mock


def mock_figure(mock: Mock) -> Figure:
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
    maps = moments(
        cube,
        velocities,
        variance=variance,
        method="moments" if len(shares) == 1 else "gaussian",
        lines=[(offset - first, share) for offset, share in shares],
        line_spread=float(np.mean(grid.line_spread)),
        channel_response=grid.channel_response,
    )
    return cube_figure(
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
