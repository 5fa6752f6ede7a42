"""Fit mock velocity maps and see how often intervals hold the truth; fit real ones.

    python benchmarks/velocity_maps.py --n 60                     # mocks, a few minutes
    python benchmarks/velocity_maps.py --real maps/*.fits --errors 'errors/{name}.fits'

Mocks are disks of 40 x 40 spaxels of 0.5", behind a PSF of 2.5", weighted with an exponential
light, with errors of 3 to 20 km/s that grow outwards; in half of them neighbouring spaxels share
velocities that no disk has, of 3 to 6 % of the maximum velocity over 2". Printed are the share of
68 % intervals that hold the truth, the median pull, and CPU seconds.
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from clumpygan import fit
from clumpygan.errors import InputWarning
from clumpygan.galaxies.disks.disk_model import DiskModel
from clumpygan.galaxies.rendering.velocity_field import VelocityFieldRenderer
from clumpygan.instruments.spread import GaussianPSF
from clumpygan.io.velocity_map import VelocityMap

SIDE, SCALE, FWHM = 40, 0.5, 2.5
NAMES = ("offset_x", "offset_y", "systemic_velocity", "inclination", "position_angle",
         "maximum_velocity", "turnover_radius")  # fmt: skip


def mock(number: int, departures: float) -> tuple[VelocityMap, dict[str, float]]:
    """Return a velocity map, and the truth."""
    rng = np.random.default_rng([7, number])
    model = DiskModel()
    psf = partial(GaussianPSF(FWHM).transfer, wavelength=7000.0)
    renderer = VelocityFieldRenderer((SIDE, SIDE), SCALE, model, psf, FWHM)
    truth = {
        "offset_x": rng.uniform(-0.7, 0.7), "offset_y": rng.uniform(-0.7, 0.7),
        "systemic_velocity": rng.uniform(-30, 30), "inclination": rng.uniform(30, 75),
        "position_angle": rng.uniform(0, 360), "maximum_velocity": rng.uniform(100, 300),
        "turnover_radius": rng.uniform(0.7, 3.0),
    }  # fmt: skip
    vector = model.defaults()
    for name, value in {**truth, "half_light_radius": 5.0, "sersic_index": 1.0}.items():
        vector[model.index(name)] = value
    field, light = renderer.render(vector)
    error = np.clip(4.0 * np.sqrt(light.max() / light), 3.0, 20.0)
    y, x = np.indices(field.shape) - (SIDE - 1) / 2
    error[np.hypot(x, y) > 0.48 * SIDE] = np.inf
    noise = rng.standard_normal(field.shape) * np.where(np.isfinite(error), error, 0.0)
    smooth = ndimage.gaussian_filter(rng.standard_normal(field.shape), 2.0 / SCALE, mode="wrap")
    field = field + noise + departures * truth["maximum_velocity"] * smooth / smooth.std()
    return VelocityMap(np.where(np.isfinite(error), field, 0.0), error, SCALE, light), truth


def pulls_of(result, truth: dict[str, float]) -> dict[str, tuple[bool, float]]:
    """Return whether intervals hold the truth, and how far off medians are in their errors."""
    found = {}
    for row in result.table:
        value, name = truth[row["name"]], row["name"]
        if name == "position_angle":
            value += 360 * round((row["median"] - value) / 360)
        half = 0.5 * (row["upper"] - row["lower"])
        found[name] = row["lower"] <= value <= row["upper"], abs(row["median"] - value) / half
    return found


def run_mocks(count: int) -> None:
    for kind, departures in (("noise alone", (0.0, 0.0)), ("with departures", (0.03, 0.06))):
        pulls, words, begin = [], [], time.process_time()
        for number in range(count):
            level = np.random.default_rng([8, number]).uniform(*departures)
            found, truth = mock(number, level)
            result = fit(found, map=True, psf_fwhm=FWHM, seed=number)
            pulls.append(pulls_of(result, truth))
            words.append(result.verdict.word)
        seconds = (time.process_time() - begin) / count
        print(f"{count} mocks, {kind}: {words.count('good')} good, {seconds:.1f} CPU s each")
        for name in NAMES:
            inside = np.mean([one[name][0] for one in pulls])
            print(f"  {name:20s} 68 % hold {100 * inside:3.0f} %, median pull "
                  f"{np.median([one[name][1] for one in pulls]) / 0.674:.2f}")  # fmt: skip


def run_real(paths: list[str], errors: str | None, scale: float, fwhm: float) -> None:
    for path in paths:
        begin = time.process_time()
        result = fit(path, map=True, errors=errors, pixel_scale=scale, psf_fwhm=fwhm)
        rows = {row["name"]: row for row in result.table}
        words = ", ".join(
            f"{name} {rows[name]['median']:.1f} -{rows[name]['median'] - rows[name]['lower']:.1f} "
            f"+{rows[name]['upper'] - rows[name]['median']:.1f}"
            for name in ("inclination", "position_angle", "maximum_velocity")
        )
        print(f"{Path(path).name}: {words}; {result.verdict.word}, chi^2 "
              f"{result.verdict.chi_squared_of_signal:.2f}, left "
              f"{100 * result.verdict.share_left:.0f} %, {time.process_time() - begin:.1f} CPU s"
              f"{'; '.join(('', *result.problems))}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=60, help="mocks of each kind (60)")
    parser.add_argument("--real", nargs="+", help="velocity maps, in place of mocks")
    parser.add_argument("--errors", help="errors of those, with {name}")
    parser.add_argument("--pixel-scale", type=float, default=0.5, help="of those, arcsec (0.5)")
    parser.add_argument("--psf-fwhm", type=float, default=2.5, help="of those, arcsec (2.5)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", InputWarning)
    if options.real:
        run_real(options.real, options.errors, options.pixel_scale, options.psf_fwhm)
    else:
        run_mocks(options.n)


if __name__ == "__main__":
    main()
