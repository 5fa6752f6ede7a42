"""H alpha and [NII] with any velocity range: the systemic velocity is right, or the fit is refused.

    python benchmarks/three_lines.py [--json FILE]

Cubes as KMOS makes them: channels of 2.8 Angstrom around 12,500 Angstrom, R = 3600, a seeing of
0.6", the three lines in ratios of 1 : 0.33 : 0.11 at a S/N of 8 in the brightest voxel, noise
correct. Each of three galaxies, at -400, 0 and 500 km/s from the redshift that is given, is fitted
with every order of the lines that users write, and with velocity ranges from 200 to 3000 km/s, also
such as leave lines out, or lie to one side. Right is within 4 standard errors and 25 km/s. H alpha
alone is named too, in the same ranges: where another of the lines is all that is in them, nothing
can tell.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits

from clumpygan import fit
from clumpygan.errors import InputError, InputWarning
from clumpygan.galaxies import CubeGrid, CubeRenderer, DiskModel, DiskParameters
from clumpygan.instruments.spread import GaussianPSF

C, REST, RATIOS = 299792.458, (6564.61, 6585.27, 6549.86), (1.0, 0.33, 0.11)
MIDDLE, STEP, SCALE, SHAPE = 12500.0, 2.8, 0.2, (100, 20, 20)
FWHM, POWER, SIGNAL_TO_NOISE = 0.6, 3600.0, 8.0
REDSHIFT = MIDDLE / REST[0] - 1
SYSTEMIC = (-400.0, 0.0, 500.0)
NAMES = (("halpha", "nii"), ("nii", "halpha"), ("halpha", "6585.27", "6549.86"), ("halpha",))
RANGES = (
    None,
    *((-width, width) for width in (200, 400, 600, 900, 1200, 1500, 2000, 3000)),
    *((-1500, 200), (-200, 1500), (300, 2000), (-2000, -600), (-100, 900), (-900, 100)),
)


def write_cube(path: Path, systemic: float, seed: int) -> None:
    """Write a cube with its variance."""
    edges = MIDDLE + STEP * (np.arange(SHAPE[0] + 1) - 0.5 * SHAPE[0])
    stretch = edges / (np.array(REST)[:, None] * (1 + REDSHIFT))
    grid = CubeGrid(SHAPE, SCALE, C * (stretch**2 - 1) / (stretch**2 + 1), RATIOS,
                    (C / POWER / 2.355,) * 3)  # fmt: skip
    model = DiskModel(extra_lines=1)
    galaxy = DiskParameters.from_dict({
        "flux": 1.0, "systemic_velocity": systemic, "half_light_radius": 0.6, "sersic_index": 1.0,
        "inclination": 50.0, "position_angle": 70.0, "maximum_velocity": 180.0,
        "turnover_radius": 0.2, "velocity_dispersion": 50.0, "scale_height": 0.1,
        "doublet_ratio": RATIOS[0] / RATIOS[1], "line_3_ratio": RATIOS[2] / RATIOS[1],
    }, model)  # fmt: skip
    transfer = partial(GaussianPSF(FWHM).transfer, wavelength=MIDDLE)
    clean = CubeRenderer(grid, model, transfer)(galaxy.to_vector()[None])[0]
    sigma = float(clean.max()) / SIGNAL_TO_NOISE
    noise = sigma * np.random.default_rng(seed).standard_normal(SHAPE)
    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 53.0, "CRVAL2": -27.0,
        "CRPIX1": 10.5, "CRPIX2": 10.5, "CDELT1": -SCALE / 3600, "CDELT2": SCALE / 3600,
        "CUNIT1": "deg", "CUNIT2": "deg", "CTYPE3": "WAVE", "CUNIT3": "Angstrom",
        "CRVAL3": MIDDLE, "CRPIX3": 0.5 * (SHAPE[0] + 1), "CDELT3": STEP,
    }  # fmt: skip
    hdus = [
        fits.ImageHDU(values.astype(np.float32), fits.Header(cards), name)
        for name, values in (("DATA", clean + noise), ("STAT", np.full(SHAPE, sigma**2)))
    ]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)


def judged(path: Path, systemic: float, names: tuple[str, ...], velocities: object) -> list:
    """Fit a cube; return the word for what came out, and the velocity or the refusal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            result = fit(path, line=names, redshift=REDSHIFT, psf_fwhm=FWHM, method="laplace",
                         resolving_power=(POWER,), velocity_range=velocities)  # fmt: skip
    except InputError as refusal:
        return ["refused", str(refusal).replace(str(path), "cube.fits")]
    (row,) = (row for row in result.table if row["name"] == "systemic_velocity")
    off = row["median"] - systemic
    right = abs(off) < 4 * row["deviation"] and abs(off) < 25
    word = "right" if right else "wrong"
    said = result.verdict.word
    return [word if said == "good" else f"{word}, {said}", f"{off:+.1f} +- {row['deviation']:.1f}",
            *result.problems]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="also write what came of each")
    options = parser.parse_args()
    found, begin = [], time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        for seed, systemic in enumerate(SYSTEMIC):
            write_cube(path, systemic, seed)
            for names in NAMES:
                for velocities in RANGES:
                    answer = judged(path, systemic, names, velocities)
                    found.append([systemic, names, velocities, *answer])
                    if answer[0] not in ("right", "refused"):
                        print(*found[-1], flush=True)
    wrong = 0
    for name, alone in (("three lines", False), ("H alpha alone", True)):
        own = [one for one in found if (len(one[1]) == 1) == alone]
        words = Counter(str(one[3]) for one in own)
        print(f"{name}, {len(own)} fits: {dict(words)}")
        wrong += 0 if alone else sum(word.startswith("wrong") for word in words.elements())
    print(f"{time.process_time() - begin:.0f} CPU s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
