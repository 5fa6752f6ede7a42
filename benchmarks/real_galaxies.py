"""Compare the network with Richardson-Lucy on real galaxies that no training has seen, set by set.

    python benchmarks/real_galaxies.py                # all sets, three draws of seeing and noise
    python benchmarks/real_galaxies.py xdf cosmos --json real.json

$CLUMPYGAN_REAL_DATA holds the sets. Of those of configs/real_galaxies.yaml, with which the network
was trained, the galaxies of the test split are taken, in one band each: F160W of XDF, F125W of
GOODS-S, where the sky has been set to 0 (only pixels with data count), F115W and F444W of
COSMOS-Web; the 68 galaxies of COSMOS (F814W) are all new to it. Each is brought to F160W's PSF and
pixels, seen by HSC and recovered; the error is |r - t| / |t| with the noise of the reference taken
out (a coupled bootstrap). Richardson-Lucy stops where the truth says that it is best for galaxies
of that magnitude.

The set hsc is no simulation: fields of COSMOS that HSC has seen in i, and HST in F814W, which is
registered to HSC's; and a lens galaxy that HSC has seen in z, and Euclid in VIS. There
Richardson-Lucy stops where it is best for that very image.
"""

import argparse
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


from clumpygan.data.real_galaxies.recipe import read_recipe  # noqa: E402
from clumpygan.data.splits import split_of  # noqa: E402
from clumpygan.errors import InputWarning  # noqa: E402
from clumpygan.evaluation.recovery.baselines import richardson_lucy  # noqa: E402
from clumpygan.evaluation.recovery.report import MAGNITUDE_BINS, in_bin  # noqa: E402
from clumpygan.instruments import ObservationOperator  # noqa: E402
from clumpygan.io import write_json  # noqa: E402
from clumpygan.recovery import recover  # noqa: E402
from clumpygan.recovery.bench import measure_methods  # noqa: E402
from clumpygan.recovery.measurements import measure  # noqa: E402

APERTURE = 1.5
"""Arcsec; the light within is the magnitude by which the table is divided."""


@dataclass(frozen=True)
class Band:
    """Images of one set in one band.

    Attributes
    ----------
    images : str
        Glob within the folder of the data.
    galaxy : str
        Regular expression of the galaxy's name in that of its file.
    pixel_scale, zero_point : float
        Arcsec; AB magnitude of a count.
    hdu, psf_hdu, band : str
        "" for the first image, for no PSF image, and where the PSF image says all.
    """

    images: str
    galaxy: str
    pixel_scale: float
    zero_point: float
    hdu: str = ""
    psf_hdu: str = ""
    band: str = ""


def _megajansky_per_steradian(pixel_scale: float) -> float:
    """Return the zero point of pixels of that unit."""
    steradian = np.deg2rad(pixel_scale / 3600) ** 2
    return float(-2.5 * np.log10(steradian * 1e6 / 3631))


SETS: dict[str, tuple[Band, ...]] = {
    "xdf": (
        Band("xdf_galaxies/[0-9]*_f160w_sci.fits.gz", r"(\d+)_", 0.06, 25.94, band="F160W"),
    ),
    "goodss": (
        Band("goodss_galaxies/gal_*.fits.gz", r"(gal_\d+)", 0.06, 26.230, "F125W", band="F125W"),
    ),
    # Their unit isn't recorded. In MJy/sr their noise is that of COSMOS-Web.
    "cosmosweb": (
        Band("cosmosweb_nircam/*_F115W.fits.gz", r"(.+?)_F115W", 0.03,
             _megajansky_per_steradian(0.03), "SCI", "PSF"),
        Band("cosmosweb_nircam/*_F444W.fits.gz", r"(.+?)_F444W", 0.06,
             _megajansky_per_steradian(0.06), "SCI", "PSF"),
        Band("cosmosweb_nircam/task_*_[0-9].fits.gz", r"(.+?)\.fits", 0.06,
             _megajansky_per_steradian(0.06), "SCI", "PSF"),
    ),
}  # fmt: skip

COSMOS = Path("cosmos_f814w/real_galaxy_catalog.fits")

PAIRS: dict[str, dict[str, Any]] = {
    "blend": {
        "observed": Path("hsc_hst_cosmos/blend_hsc_grizy.fits"),
        "psf": Path("hsc_hst_cosmos/psf_hsc_grizy.fits"),
        "reference": Path("hsc_hst_cosmos/blend_hst_f814w.fits"),
        "reference_psf": Path("hsc_hst_cosmos/psf_hst_f814w.fits"),
    },
    "pair": {
        "observed": Path("hsc_hst_jwst_pair/HSC-I_data.fits.gz"),
        "psf": Path("hsc_hst_jwst_pair/HSC-I_psf.fits.gz"),
        "psf_scale": 0.126,
        "zero_point": 28.087,
        "reference": Path("hsc_hst_jwst_pair/F814W_data.fits.gz"),
        "reference_psf": Path("hsc_hst_jwst_pair/F814W_psf.fits.gz"),
    },
    # Without a star beside it, of another colour: one factor brings fluxes of VIS to those of HSC.
    "euclid": {
        **dict.fromkeys(
            ("observed", "psf", "variance", "reference", "reference_psf"),
            Path("hsc_euclid/EUCLJ174752.17+660743.0_HSC_VIS_NISP.fits"),
        ),
        "hdu": "HSC_Z_FLUX",
        "band": "z",
        "position": (50, 51),
        "size": 5.04,
        "reference_hdu": "VIS_FLUX",
    },
}
"""Name -> settings of `recover`; what are files lie in the folder of the data."""


def main() -> None:
    """Measure the sets that are named, or all, and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*SETS, "cosmos", "hsc"]
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"some of {', '.join(names)} (all)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 29, 47])
    parser.add_argument("--checkpoint", default="super_resolution")
    parser.add_argument("--json", type=Path, help="for the numbers of every galaxy")
    given = parser.parse_args()
    if not (data := Path(os.environ.get("CLUMPYGAN_REAL_DATA", ""))).is_dir():
        parser.error("set CLUMPYGAN_REAL_DATA to the folder of the real images")
    if unknown := sorted({*given.sets} - {*names}):
        parser.error(f"no such set: {', '.join(unknown)} (choose from {', '.join(names)})")
    numbers: dict[str, list[dict[str, object]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.sets or names:
            if name == "hsc":
                numbers[name] = [
                    _measure_pair(pair, data, seed, given.checkpoint)
                    for seed in given.seeds
                    for pair in PAIRS
                ]
                for pair in PAIRS:
                    _tell(f"  {pair}", [row for row in numbers[name] if row["name"] == pair])
                _tell(name, numbers[name])
                continue
            catalog = data / COSMOS
            if name != "cosmos":
                catalog = Path(scratch) / f"{name}.ecsv"
                Table(list(_rows(name, data))).write(catalog)
            root = data / COSMOS.parent if name == "cosmos" else data
            numbers[name] = [
                row
                for seed in given.seeds
                for row in _measure(catalog, root, seed, given.checkpoint)
            ]
            _tell(name, numbers[name])
    _tell("all", [row for rows in numbers.values() for row in rows])
    if given.json:
        write_json(given.json, {"seeds": given.seeds, "sets": numbers})


def _rows(name: str, data: Path) -> Iterator[dict[str, object]]:
    """Yield a row of the catalogue for each galaxy of the test split."""
    recipe = read_recipe(ROOT / "configs" / "real_galaxies.yaml")
    for band in SETS[name]:
        for path in sorted(data.glob(band.images)):
            found = re.match(band.galaxy, path.name)
            galaxy = f"{name}/{found[1]}" if found else ""
            if not (galaxy in recipe.held_out or split_of(galaxy, 0) == "test"):
                continue
            row: dict[str, object] = {
                "id": f"{galaxy} {band.band or band.psf_hdu}",
                "image": str(path.relative_to(data)),
                "image_hdu": band.hdu or "0",
                "pixel_scale": band.pixel_scale,
                "zero_point": band.zero_point,
                "h_magnitude": _magnitude(path, band),
            }
            if band.band:
                row["band"] = band.band
            if band.psf_hdu:
                row |= {"psf": row["image"], "psf_hdu": band.psf_hdu}
            yield row


def _magnitude(path: Path, band: Band) -> float:
    """Return the AB magnitude within `APERTURE` of the middle."""
    image = np.asarray(fits.getdata(path, band.hdu or 0), np.float64)
    y, x = np.indices(image.shape)
    middle = (np.array(image.shape) - 1) / 2
    inside = np.hypot(y - middle[0], x - middle[1]) * band.pixel_scale < APERTURE
    return float(band.zero_point - 2.5 * np.log10(np.nansum(image[inside])))


def _measure(catalog: Path, root: Path, seed: int, checkpoint: str) -> Iterator[dict[str, object]]:
    """Yield the errors of each galaxy."""
    found = measure_methods(
        catalog=catalog, data_root=root, seed=seed, checkpoint=checkpoint,
        methods=("richardson_lucy", "network"),
    )  # fmt: skip
    errors = {name: found.records[name]["nrmse"] for name in ("network", "richardson_lucy")}
    for number, magnitude in enumerate(found.magnitude):
        yield {
            "seed": seed,
            "number": number,
            "magnitude": float(magnitude),
            **{name: float(values[number]) for name, values in errors.items()},
        }


def _measure_pair(name: str, data: Path, seed: int, checkpoint: str) -> dict[str, object]:
    """Return the errors of a field that both telescopes have seen."""
    settings = {
        key: data / value if isinstance(value, Path) else value
        for key, value in PAIRS[name].items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # of headers
        found = recover(**settings, seed=seed, checkpoint=checkpoint, richardson_lucy=False)
    scene = found.scene
    operator = ObservationOperator(grid=scene.grid)
    transfer = scene.psf(operator.frequencies(scene.observed.shape))
    snapshots = richardson_lucy(
        torch.from_numpy(scene.observed)[None, None],
        torch.tensor([scene.sigma]),
        transfer,
        operator,
        weight=torch.from_numpy(~scene.observed_mask)[None, None].float(),
    )
    errors = [
        measure(scene, image[0, 0].numpy(), operator(image, transfer)[0, 0].numpy(), found.nucleus)[
            "nrmse"
        ]
        for image in snapshots.values()
    ]
    return {
        "seed": seed,
        "number": list(PAIRS).index(name),
        "name": name,
        "magnitude": found.magnitude,
        "network": found.metrics["network"]["nrmse"],
        "richardson_lucy": min(one for one in errors if one is not None),
    }


def _tell(name: str, rows: list[dict[str, object]]) -> None:
    """Print the medians of the errors and of their ratios."""
    magnitude, network, other = (
        np.array([row[key] for row in rows], float)
        for key in ("magnitude", "network", "richardson_lucy")
    )
    ratio = np.divide(network, other, out=np.full_like(network, np.nan), where=other > 0)
    told = []
    for part in MAGNITUDE_BINS:
        chosen = np.isfinite(ratio)
        if part != "all":  # where a magnitude may be unknown
            chosen &= in_bin(magnitude, part)
        if chosen.any():
            told.append(f"{part}: {np.median(ratio[chosen]):.3f} (of {chosen.sum()})")
    good = np.isfinite(ratio)
    print(
        f"{name}: network {np.median(network[good]):.3f}, Richardson-Lucy "
        f"{np.median(other[good]):.3f}, better for {100 * np.mean(ratio[good] < 1):.0f} %; "
        f"ratio {', '.join(told)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
