"""GalPaK3D fits one cube: `fit.py` runs this in GalPaK3D's own environment.

    python benchmarks/fit_galpak.py CUBE.npz CHAIN.npz ITERATIONS

CUBE.npz has `data`, `sigma` and `task`, a JSON text with the true parameters and the model (see
`fit_mocks.galpak_task`), of which the chain starts nearby, as its manual advises. The size of its
steps, too, is first adjusted until 30 to 50 % are accepted. CHAIN.npz gets the chain of accepted
steps, its estimates and errors, and the CPU seconds of the last run alone.
"""

import json
import logging
import sys
import time
import warnings

import numpy as np

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")

import galpak  # noqa: E402
from astropy.io.fits import Header  # noqa: E402

PSF_FWHM, LSF_FWHM = 0.8, 2.6
PIXEL_SCALE, CHANNEL, WAVELENGTH = 0.2, 1.25, 6564.0
PILOT, PILOTS = 300, 12
ACCEPTED = (30.0, 50.0)
LAST = 60
"""Percent of the chain that its estimates are of, its default."""


def header(channels: int) -> Header:
    """Return a header in which the middle channel that GalPaK3D looks at has WAVELENGTH."""
    words = Header()
    for axis, step in ((1, -PIXEL_SCALE), (2, PIXEL_SCALE)):
        words[f"CRPIX{axis}"], words[f"CRVAL{axis}"] = 1, 0.0
        words[f"CDELT{axis}"], words[f"CUNIT{axis}"] = step / 3600, "deg"
    words["CRPIX3"], words["CRVAL3"], words["CDELT3"] = channels // 2, WAVELENGTH, CHANNEL
    words["CUNIT3"], words["CTYPE3"] = "Angstrom", "WAVE"
    return words


def main() -> None:
    source, target, iterations = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with np.load(source) as stored:
        data, sigma = stored["data"], float(stored["sigma"])
        task = json.loads(str(stored["task"]))
    cube = galpak.HyperspectralCube(data=data, header=header(len(data)))
    fit = galpak.GalPaK3D(
        cube,
        model=galpak.DiskModel(**task["model"]),
        instrument=galpak.MUSE(
            psf=galpak.GaussianPointSpreadFunction(fwhm=PSF_FWHM),
            lsf=galpak.GaussianLineSpreadFunction(fwhm=LSF_FWHM),
        ),
        variance=galpak.HyperspectralCube(data=np.full_like(data, sigma**2)),
        quiet=True,
    )
    truth = task["parameters"]
    near = galpak.GalaxyParameters(
        pa=truth["pa"] + 10.0,
        inclination=truth["inclination"],
        radius=1.1 * truth["radius"],
        maximum_velocity=truth["maximum_velocity"],
        velocity_dispersion=truth["velocity_dispersion"],
        turnover_radius=truth["turnover_radius"],
        flux=truth["flux"],
    )
    options = {
        "verbose": False,
        "method_chain": "last",
        "last_chain_fraction": LAST,
        "percentile": 68,
        "min_acceptance_rate": 1,
        "initial_parameters": near,
    }
    np.random.seed(1)  # noqa: NPY002 - the generator that GalPaK3D draws from
    scale = 1.0
    for _ in range(PILOTS):
        fit.run_mcmc(max_iterations=PILOT, random_scale=scale, **options)
        rate = float(fit.acceptance_rate)
        if ACCEPTED[0] <= rate <= ACCEPTED[1]:
            break
        scale *= float(np.clip(rate / np.mean(ACCEPTED), 0.4, 2.5))
    begin = time.process_time()
    fit.run_mcmc(max_iterations=iterations, random_scale=scale, **options)
    seconds = time.process_time() - begin
    names = list(fit.galaxy.names)
    np.savez(
        target,
        chain=np.array([np.asarray(fit.chain[name], dtype=float) for name in names]).T,
        names=names,
        estimates=[float(getattr(fit.galaxy, name)) for name in names],
        errors=[float(getattr(fit.stdev, name)) for name in names],
        cpu_seconds=seconds,
        acceptance=float(fit.acceptance_rate),
        random_scale=scale,
        version=galpak.__version__,
    )


if __name__ == "__main__":
    main()
