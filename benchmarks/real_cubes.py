"""Fit real cubes and maps whose kinematics are published, and print both, with the cost of each.

    python benchmarks/real_cubes.py                    # all, a few minutes
    python benchmarks/real_cubes.py ngc2903 --output fits/ --method laplace

$CLUMPYGAN_REAL_DATA holds the data. Each fit has a process of its own, whose CPU seconds (all, and
those of the fit alone) and largest memory are printed. Published are: for NGC 2903 (HI, WSRT) a
tilted-ring fit, read from its .def, for NGC 4324 (CO, CARMA) inclination, position angle and
velocity, for the four [OII] galaxies of the MUSE-UDF the velocity maps of CAMEL, beside which those
of the models are put, and HST images, whose axis ratio (statmorph's Sersic fit, F160W) gives an
inclination, cos^2 i = (q^2 - 0.15^2) / (1 - 0.15^2); for GalPaK3D's mock 1101 the truth. J1422
(MUSE, [OII], beside a quasar), SAMI 485885 (H alpha) and five MaNGA maps of stars have none.
"""

import argparse
import json
import os
import re
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from clumpygan import fit
from clumpygan.errors import InputWarning
from clumpygan.fitting.result import FitResult
from clumpygan.galaxies.measuring.profiles import profiles_of

THICKNESS = 0.15
NAMES = ("inclination", "position_angle", "systemic_velocity", "maximum_velocity",
         "velocity_dispersion", "half_light_radius")  # fmt: skip
MANGA = ("10001-12701", "10496-12702", "10504-12702", "10497-6104", "10510-12702")
Compare = Callable[["FitResult", Path], list[str]]


def nothing(result: FitResult, data: Path) -> list[str]:
    """Compare with nothing."""
    return []


@dataclass(frozen=True)
class Case:
    """One file, how it is fitted, and what is published of it."""

    path: str
    settings: dict[str, Any] = field(default_factory=dict)
    published: str = "-"
    compare: Compare = nothing


def of_tilted_rings(result: FitResult, data: Path) -> list[str]:
    """Compare rings with those of a .def of TiRiFiC, where there are some of both."""
    words = (data / "cubes/NGC2903_FAT_reference_fit.def").read_text()

    def row(name: str) -> np.ndarray:
        found = re.search(rf"^(?:# )?{name}= (.*)$", words, re.MULTILINE)
        assert found, name
        return np.array(found.group(1).split(), dtype=float)

    radii, theirs, errors = row("RADI"), row("VROT"), row("VROT_ERR")
    near = (radii > 30) & (row("SBR") > 0) & (radii <= _reach(result))
    ours = profiles_of(result.galaxy, radii[near])[0]
    lines = [
        f"{radius:4.0f} arcsec: {own:6.1f} km/s, published {their:6.1f} +- {error:.1f} "
        f"({100 * (own / their - 1):+.0f} %)"
        for radius, own, their, error in zip(
            radii[near], ours, theirs[near], errors[near], strict=True
        )
    ]
    off = np.abs(ours / theirs[near] - 1)
    return [*lines, f"within 10 %: {(off <= 0.1).sum()} of {off.size} rings"]


def _reach(result: FitResult) -> float:
    if result.rings is not None:
        return float(result.rings["radius"].max() * 1.15)
    return np.inf


def of_camel(stem: str, number: int, result: FitResult, data: Path) -> list[str]:
    """Compare velocities with those of CAMEL's map, and the inclination with that of an image."""
    path = data / f"cubes/muse_udf_oii/{stem}_ssmooth_vel_common_clean5.0.fits.gz"
    seen, model = fits.getdata(path), result.maps.model.maps.velocity
    both = np.isfinite(seen) & np.isfinite(model) & result.maps.galaxy
    # CAMEL's maps have single spaxels hundreds of km/s off.
    ours, theirs = (np.ptp(np.percentile(one[both], (5, 95))) / 2 for one in (model, seen))
    quoted = {row["name"]: row for row in result.quantities}["velocity_sin_inclination"]
    q = axis_ratio(data, number)
    squared = (q**2 - THICKNESS**2) / (1 - THICKNESS**2)
    return [
        f"half the range of velocities, 5 to 95 % of {both.sum()} spaxels: {ours:.0f} km/s, "
        f"CAMEL's {theirs:.0f} ({100 * (ours / theirs - 1):+.0f} %)",
        f"V sin i at 2.2 R_d {quoted['median']:.0f} ({quoted['lower']:.0f} to "
        f"{quoted['upper']:.0f}) km/s",
        f"inclination from HST (q = {q:.2f}) {np.degrees(np.arccos(np.sqrt(max(squared, 0)))):.0f}",
    ]


def axis_ratio(data: Path, number: int) -> float:
    """Return the axis ratio of a galaxy of the XDF in F160W."""
    import statmorph
    from photutils.segmentation import detect_sources
    from scipy import ndimage

    stem = data / f"xdf_galaxies/{number}_60mas_f160w"
    image = fits.getdata(f"{stem}_sci.fits.gz").astype(float)
    weight = fits.getdata(f"{stem}_wht.fits.gz").astype(float)
    smooth = ndimage.gaussian_filter(image, 1.5)
    found = detect_sources(smooth, 5 / np.sqrt(np.median(weight[weight > 0])), 20)
    label = found.data[image.shape[0] // 2, image.shape[1] // 2]
    size = 13
    y, x = np.indices((size, size)) - size // 2
    psf = np.exp(-0.5 * (x**2 + y**2) / (0.18 / 0.06 / 2.355) ** 2)
    (one,) = statmorph.source_morphology(
        image, (found.data == label).astype(int), weightmap=1 / np.sqrt(np.maximum(weight, 1e-9)),
        mask=(found.data > 0) & (found.data != label), psf=psf / psf.sum(),
    )  # fmt: skip
    return float(1 - one.sersic_ellip)


def udf(stem: str, redshift: float, number: int) -> Case:
    """Return a cube of the MUSE-UDF."""
    folder = "cubes/muse_udf_oii"
    settings = {
        "variance": f"{{data}}/{folder}/{stem}_var_cut.fits.gz", "line": "oii",
        "redshift": redshift, "instrument": "muse_wfm", "psf_fwhm": 0.7,
        "subtract_continuum": (-500.0, 720.0),
    }  # fmt: skip
    return Case(f"{folder}/{stem}_cube_cut.fits.gz", settings, "CAMEL's map and HST below",
                partial(of_camel, stem, number))  # fmt: skip


def j1422_mask(path: Path) -> Path:
    """Write the mask of the quasar's residual; return where."""
    y, x = (np.indices((30, 30)) - 14.5) * 0.2
    mask = (np.hypot(x + 1.5, y - 0.9) < 1.25) | (np.hypot(x, y) > 2.5)
    fits.writeto(path, mask.astype(np.int16))
    return path


NGC2903 = "69.0 +- 2.1, 202.3 +- 1.0, 556.4 +- 1.8"
CASES: dict[str, Case] = {
    "ngc2903": Case("cubes/NGC2903_WSRT_HI.fits", {}, NGC2903),
    "ngc2903-rings": Case("cubes/NGC2903_WSRT_HI.fits", {"curve": "rings"}, NGC2903,
                          of_tilted_rings),
    "ngc4324": Case("cubes/NGC4324_CARMA_CO10.fits", {"light": "ring"}, "65, 230, -, 175"),
    "ngc4324-sersic": Case("cubes/NGC4324_CARMA_CO10.fits", {}, "65, 230, -, 175"),
    "udf-3": udf("udf10_c042_e031_3_o2_Z_0.621656", 0.621656, 3),
    "udf-15": udf("udf10_c042_e031_15_o2_Z_0.667103", 0.667103, 15),
    "udf-37": udf("udf10_c042_e031_37_o2_Z_0.981254", 0.981254, 37),
    "udf-912": udf("udf_mos_c042_e030_912_o2_Z_0.618915", 0.618915, 912),
    "j1422": Case("cubes/MUSE_J1422_OII_subcube.fits", {
        "variance": "{data}/cubes/MUSE_J1422_OII_variance.fits", "mask": "{folder}/mask.fits",
        "line": "oii", "redshift": 0.91, "instrument": "muse_wfm", "medium": "air",
        "psf_fwhm": 0.8, "subtract_continuum": (-320.0, 420.0)}),
    "sami": Case("cubes/sami_485885_Ha.fits.gz", {
        "line": ("halpha", "nii"), "redshift": 0.0, "pixel_scale": 0.5, "psf_fwhm": 2.0,
        "line_spread": 30.0}),
    "mock1101": Case("cubes/MOCK_galpak_1101_incl60_vmax199_disp80.fits", {
        "line": "halpha", "redshift": 0.0, "medium": "vacuum", "pixel_scale": 0.2,
        "psf_fwhm": 1.0, "line_spread": 50.0}, "60, -, 0, 199, 80, 0.82 (truth)"),
    **{f"manga-{name}": Case(f"velocity_maps/{name}", {
        "map": True, "errors": "{folder}/kin_maps_e/{name}.fits.gz", "unit": "km/s",
        "pixel_scale": 0.5, "psf_fwhm": 2.5}) for name in MANGA},
}  # fmt: skip


def one(name: str, method: str, output: Path | None, data: Path) -> dict[str, Any]:
    """Fit one case in this process."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = data / case.path
        if name == "j1422":
            j1422_mask(folder / "mask.fits")
        if name.startswith("manga"):
            own = name.removeprefix("manga-")
            with tarfile.open(data / "velocity_maps/manga_stellar_402.tar") as tar:
                for kind in ("kin_maps", "kin_maps_e"):
                    tar.extract(f"{kind}/{own}.fits.gz", folder, filter="data")
            path = folder / f"kin_maps/{own}.fits.gz"
        settings = {
            key: value.replace("{data}", str(data)).replace("{folder}", str(folder))
            if isinstance(value, str) else value
            for key, value in case.settings.items()
        }  # fmt: skip
        begin = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            result = fit(path, method=method, **settings)
        seconds = time.process_time() - begin
        compared = case.compare(result, data)
        if output:
            result.write(output, name)
            result.plot(name).savefig(output / f"{name}.png", dpi=90)
    rows = {str(row["name"]): row for row in result.table}
    return {
        "seconds": seconds,
        "rows": {key: [float(rows[key][end]) for end in ("median", "lower", "upper")]
                 for key in NAMES if key in rows},
        "word": result.verdict.word, "reasons": list(result.verdict.reasons),
        "remarks": list(result.verdict.remarks), "compared": compared,
        "chi_squared": result.verdict.chi_squared_of_signal, "left": result.verdict.share_left,
        "shape": list(result.observation.data.shape),
    }  # fmt: skip


def in_own_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fit one case in a process of its own; return its CPU seconds and memory in GB too."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "found.json"
        words = [sys.executable, __file__, name, "--method", options.method, "--to", str(target)]
        words += ["--output", str(options.output)] if options.output else []
        process = os.spawnv(os.P_NOWAIT, sys.executable, words)
        _, status, usage = os.wait4(process, 0)
        if status:
            raise SystemExit(f"{name}: no result")
        found: dict[str, Any] = json.loads(target.read_text())
    return found | {"all_seconds": usage.ru_utime + usage.ru_stime,
                    "memory": usage.ru_maxrss / 1e6}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CASES)}")
    parser.add_argument("--method", choices=("importance", "laplace"), default="importance")
    parser.add_argument("--output", type=Path, help="folder for the files and pictures of fits")
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    data = Path(os.environ.get("CLUMPYGAN_REAL_DATA", ""))
    if not (data / "cubes").is_dir():
        raise SystemExit("$CLUMPYGAN_REAL_DATA names no folder with cubes/")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    if options.to:
        found = one(options.names[0], options.method, options.output, data)
        options.to.write_text(json.dumps(found))
        return
    report = {}
    wanted = [name for name in CASES if not options.names or
              any(name.startswith(word) for word in options.names)]  # fmt: skip
    for name in wanted:
        found = report[name] = in_own_process(name, options)
        print(
            f"{name}: {found['word']}, {found['seconds']:.1f} CPU s (process "
            f"{found['all_seconds']:.1f}), {found['memory']:.2f} GB; chi^2 of signal "
            f"{found['chi_squared']:.2f}, {100 * found['left']:.0f} % of the light left"
        )
        for key, (middle, low, high) in found["rows"].items():
            print(f"  {key:20s} {middle:8.2f} -{middle - low:.2f} +{high - middle:.2f}")
        print(f"  published: {CASES[name].published}")
        for text in (*found["compared"], *found["reasons"], *found["remarks"]):
            print(f"  - {text}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
