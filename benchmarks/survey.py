"""Measure surveys: galaxies a second, CPU a galaxy against recover's, and the catalogue's truth.

A patch is simulated (or taken from a folder of `generate.py patch`), its galaxies are recovered by
one worker and by two in bfloat16, by one in float32, and by `recover` one by one; each survey also
of a few galaxies, to tell what the start costs. Ratios are of one run, on idle cores.

The catalogue is compared with the sharp image of the truth, neighbours included, measured alike
around the nucleus that was found: an aperture 0.05" off, at whose edge a neighbour stands, has a
few percent more or less. P(blend) is compared with what that image shows. `--widening` finds the
factors by which intervals of surveys are to be widened, as the network's card has them; `--found`
compares a survey that was recovered before, detected or not.

    python benchmarks/survey.py --size 900 --n 320
    python benchmarks/survey.py --size 900 --n 320 --speed
    python benchmarks/survey.py --size 1300 --n 700 --seed 2 --widening widening.yaml
    python benchmarks/survey.py --patch patch/ --found out/
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from astropy.io import fits
from astropy.table import Table
from scipy.spatial import cKDTree

import clumpygan
from clumpygan.evaluation.recovery.blends import split_image
from clumpygan.evaluation.recovery.clump_reliability import Clumps
from clumpygan.evaluation.recovery.intervals import Crowding, Widening, brightness_of
from clumpygan.evaluation.recovery.quantities import QUANTITIES, Measured
from clumpygan.galaxies import StampRenderer
from clumpygan.recovery.pipeline import recover_with
from clumpygan.recovery.resolver import SuperResolver
from clumpygan.recovery.settings import RecoverySettings
from clumpygan.survey.patches import read_patch
from clumpygan.survey.run import read_catalogue

ROOT = Path(__file__).parents[1]
BINS = ((20, 22), (22, 23), (23, 24), (24, 25))
NAMES = ("flux_0.18", "flux_0.3", "flux_0.6", "flux_1", "flux_1.5", "half_light_radius",
         "concentration", "ellipticity")  # fmt: skip
SIDE, REACH = 113, 3.5
"""Pixels of the sharp image of the truth, and arcsec within which neighbours count for it."""
CROWDED = 0.1
"""Share of the samples that show two galaxies, above which one is crowded."""
UNIT, FEW = 16, 32
"""Galaxies of a unit, so that two workers end together, and of the surveys that tell the start."""
STAR, MATCH = 5.0, 0.5
"""Arcsec: nearer to a star nothing is compared; as near as this a galaxy is that of the truth."""


class Cost(NamedTuple):
    """What a survey takes: seconds on the wall and of the CPU, GB of its largest process."""

    wall: float
    cpu: float
    memory: float


def survey(patch: Path, catalog: Path, workers: int, precision: str, output: Path) -> Cost:
    """Recover all galaxies of a catalogue, as a program of its own."""
    shutil.rmtree(output, ignore_errors=True)
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "survey.py"), "--image", str(patch / "calexp.fits"),
         "--catalog", str(catalog), "--psf", str(patch / "psf"), "--workers", str(workers),
         "--precision", precision, "--unit", str(UNIT), "--output", str(output)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    # Of this process and those that it waited for.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return Cost(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)


def one_by_one(patch: Path, rows: Table) -> float:
    """Recover stamps of 40 x 40 pixels by `recover`; return the CPU seconds of each."""
    image = read_patch(patch / "calexp.fits", 0.168)
    psf = fits.getdata(patch / "psf" / "psf_00_00.fits")
    resolver = SuperResolver.from_checkpoint()
    spent = []
    for row in rows:
        data, sigma, mask = image.cut(row["x"], row["y"], 40)
        settings = RecoverySettings(
            observed=data, variance=sigma**2, mask=mask, pixel_scale=0.168, unit="nJy", psf=psf,
            psf_scale=0.168, richardson_lucy=False, samples=16, seed=0,
        )  # fmt: skip
        begin = time.process_time()
        recover_with(settings, resolver).to_dict()
        spent.append(time.process_time() - begin)
    return float(np.median(spent))


def truth_of(truth: Table, found: Table, resolver: SuperResolver) -> dict[str, np.ndarray]:
    """Return what is measured of the sharp images of the truth: `QUANTITIES`, and others.

    Those are magnitudes, and whether the image shows two galaxies by the contrast of the card. The
    nuclei of `found` are in the middle of the images.
    """
    pair, galaxies = resolver.pair, truth[~np.array(truth["star"])]
    scale = pair.grid.target_scale
    renderer = StampRenderer(SIDE, scale, psf=pair.target.psf())
    places = np.stack([galaxies["y"], galaxies["x"]], 1)
    near = cKDTree(places)
    values, two = [], []
    for row in found:
        image = np.zeros((SIDE, SIDE))
        middle = np.array([row["nucleus_y"], row["nucleus_x"]])
        for other in near.query_ball_point(middle, REACH / pair.grid.observed_scale):
            galaxy = dict(zip(galaxies.colnames, galaxies[other], strict=True))
            away = (places[other] - middle) * pair.grid.observed_scale
            galaxy["offset_y"], galaxy["offset_x"] = away
            image += renderer.render(galaxy)
        one = Measured(image, (SIDE // 2, SIDE // 2), 0.0, scale)
        values.append([QUANTITIES[name].measure(one) for name in NAMES])
        split = split_image(image, float(row["noise"]) / pair.grid.area_ratio, scale)
        two.append(split.contrast > resolver.blend_contrast)
    measured = dict(zip(NAMES, np.array(values).T, strict=True))
    magnitude = 31.4 - 2.5 * np.log10(measured["flux_1.5"])
    return measured | {"magnitude": magnitude, "two": np.array(two)}


def read_found(home: Path) -> Table:
    """Return the rows of a survey whose nucleus is known, with its place in the patch."""
    found = read_catalogue(home / "catalogue.parquet")
    parts = read_catalogue(home / "components.parquet")
    nuclei = {row["id"]: (row["y"], row["x"]) for row in parts[parts["nucleus"]]}
    found = found[[one in nuclei for one in found["id"]]]
    found["nucleus_y"], found["nucleus_x"] = zip(*(nuclei[one] for one in found["id"]), strict=True)
    return found


def known_galaxies(found: Table, truth: Table) -> tuple[Table, np.ndarray]:
    """Return the rows that are galaxies far from stars, and the H of the brightest within 0.5".

    What has none there is told, and left out.
    """
    star = np.array(truth["star"])
    places = np.stack([truth["y"], truth["x"]], 1) * 0.168
    found = found[found["status"] == "good"]
    own = np.stack([found["y"], found["x"]], 1) * 0.168
    away = cKDTree(places[star]).query(own)[0] if star.any() else np.full(len(own), np.inf)
    found, own = found[away > STAR], own[away > STAR]
    bright = np.array(truth["h_magnitude"])[~star]
    close = cKDTree(places[~star]).query_ball_point(own, MATCH)
    brightest = np.array([min((bright[i] for i in one), default=np.nan) for one in close])
    known = np.isfinite(brightest)
    print(f'{len(found)} far from stars, {np.sum(~known)} of them without a galaxy within {MATCH}"')
    return found[known], brightest[known]


def compare(found: Table, truth: Table) -> dict[str, dict]:
    """Print bias, scatter and coverage by magnitude; return what would make intervals hold 68 %.

    Those factors, sections of the network's card, are of every second galaxy, and the others tell
    whether they hold; that of crowded galaxies is of all, on top of them.
    """
    found, own = known_galaxies(found, truth)
    resolver = SuperResolver.from_checkpoint()
    true = truth_of(truth, found, resolver)
    middle = {name: (found[f"{name}_low"] + found[f"{name}_high"]) / 2 for name in NAMES}
    brightness = np.array([brightness_of(float(flux)) for flux in middle["flux_1.5"]])
    used, apart = resolver.survey_widening, {}
    p_blend = np.asarray(found["p_blend"], float)
    crowded = p_blend > CROWDED
    crowding = resolver.survey_crowding.of(p_blend)
    for name in NAMES:
        half = (found[f"{name}_high"] - found[f"{name}_low"]) / 2 / crowding
        half = half / [used.of(name, one) for one in brightness]
        apart[name] = np.asarray(np.abs(true[name] - middle[name]) / half, float)
    second = np.arange(len(found)) % 2 == 0
    wider = Widening.measured(
        {n: one[second, None] for n, one in apart.items()}, brightness[second]
    )
    plain, other = (
        {n: one / [factors.of(n, which) for which in brightness] for n, one in apart.items()}
        for factors in (used, wider)
    )
    for low, high in BINS:
        rows = (own >= low) & (own < high)
        if rows.sum() < 5:
            continue
        print(f"H {low}-{high}, {rows.sum()} galaxies")
        for name, values in (("magnitude", true["magnitude"]), *((n, true[n]) for n in NAMES)):
            shift = np.asarray(found[name], float) - values
            shift = (shift if name == "magnitude" else shift / values)[rows]
            scatter = 1.4826 * np.nanmedian(np.abs(shift - np.nanmedian(shift)))
            flux = "flux_1.5" if name == "magnitude" else name
            held, new = (one[flux] <= crowding for one in (plain, other))
            print(
                f"  {name:18} {np.nanmedian(shift):+.3f} +- {scatter:.3f}, held"
                f" {held[rows].mean():.3f}; the others by factors of every second one"
                f" {new[rows & ~second].mean():.3f}"
            )
    two = true["two"]
    print(f"P(blend): {Clumps(p_blend, two, int(two.sum()), p_blend)}")
    for label, rows in ((f"P(blend) > {CROWDED}", crowded), ("two in the sharp image", two)):
        held = " ".join(f"{np.mean(plain[n][rows] <= crowding[rows]):.2f}" for n in NAMES)
        print(f"{label}, {rows.sum()} galaxies: held {held} of {', '.join(NAMES)}")
    wider_crowd = Crowding.measured(other, crowded, CROWDED)
    return {"survey_widening": wider.to_dict(), "survey_crowding": wider_crowd.to_dict()}


def recover_again(home: Path, patch: Path, truth: Table, count: int) -> Path:
    """Recover the middle of a patch in several ways and tell what they cost; return a folder."""
    middle = np.abs(truth["x"] - truth["x"].max() / 2) + np.abs(truth["y"] - truth["y"].max() / 2)
    chosen = truth[np.argsort(np.where(truth["star"], np.inf, middle))[:count]]
    catalog, some = home / "objects.fits", home / "some.fits"
    chosen["id", "ra", "dec"].write(catalog, overwrite=True)
    chosen["id", "ra", "dec"][:FEW].write(some, overwrite=True)
    rates, spent = [], []
    for workers, precision in ((1, "bfloat16"), (2, "bfloat16"), (1, "float32")):
        begin = survey(patch, some, workers, precision, home / "few")
        cost = survey(patch, catalog, workers, precision, home / f"{precision}{workers}")
        more = len(chosen) - FEW
        rates.append(more / (cost.wall - begin.wall))
        spent.append((cost.cpu - begin.cpu) / more)
        print(
            f"{precision}, workers: {workers}: {len(chosen) / cost.wall:.2f} galaxies/s and"
            f" {cost.cpu / len(chosen):.3f} CPU s a galaxy with the start, {rates[-1]:.2f} and"
            f" {spent[-1]:.3f} without; {cost.memory:.2f} GB at most in a process",
            flush=True,
        )
    print(f"two workers are {rates[1] / rates[0]:.2f} times as fast as one")
    print(f"bfloat16 takes {spent[0] / spent[2]:.2f} of the CPU time of float32")
    alone, shared, exact = (home / name for name in ("bfloat161", "bfloat162", "float321"))
    same = [(one / "catalogue.parquet").read_bytes() for one in (alone, shared)]
    print(f"the same bytes by one worker and two: {same[0] == same[1]}")
    tell_rounding(read_catalogue(alone / "catalogue.parquet"),
                  read_catalogue(exact / "catalogue.parquet"))  # fmt: skip
    other = one_by_one(patch, chosen[:5])
    print(
        f"recover, one by one: {other:.3f} CPU s a galaxy, {other / spent[0]:.1f} times that of"
        " surveys in bfloat16",
        flush=True,
    )
    return alone


def tell_rounding(rounded: Table, exact: Table) -> None:
    """Print how far two catalogues of the same galaxies are apart, in halves of the intervals."""
    for name in NAMES:
        half = (exact[f"{name}_high"] - exact[f"{name}_low"]) / 2
        apart = np.abs(np.asarray(rounded[name] - exact[name], float)) / half
        usual, large = np.nanquantile(apart, (0.5, 0.95))
        print(f"  {name:18} bfloat16 is off by {usual:.3f} of half an interval, 95 %: {large:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("survey_benchmark"))
    parser.add_argument("--patch", type=Path, help="of generate.py patch; made by default")
    parser.add_argument("--size", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1, help="of the patch")
    parser.add_argument("--widening", type=Path, help="factors (YAML), for the network's card")
    parser.add_argument("--found", type=Path, help="survey of that patch, in place of new ones")
    parser.add_argument("--n", type=int, default=320, help="galaxies that are recovered")
    parser.add_argument("--speed", action="store_true", help="measure nothing else")
    options = parser.parse_args()
    if options.n <= FEW:
        parser.error(f"--n {options.n}: expected more than {FEW}")
    home = options.folder
    home.mkdir(exist_ok=True)
    patch = options.patch or home / "patch"
    if not (patch / "calexp.fits").exists():
        clumpygan.generate_patch(size=options.size, output=patch, seed=options.seed).write()
    truth = Table.read(patch / "truth.fits")
    out = options.found or recover_again(home, patch, truth, options.n)
    if options.speed:
        return
    factors = compare(read_found(out), truth)
    if options.widening:
        options.widening.write_text(yaml.safe_dump(factors, default_flow_style=None))


if __name__ == "__main__":
    main()
