"""Find the sources of real blends: those that HSC's pipeline lists, and those that HST shows.

    python benchmarks/real_blends.py --folder blends        # $CLUMPYGAN_REAL_DATA holds the fields

Two fields that HSC and HST have both seen become blends whose list holds the peaks of HST's image
(difference of Gaussians of 1 and 4 pixels of 0.06", above 5 sigma and 3 % of the highest within
1.5"). They are written as files of `evaluate.py blends --observed`, beside those of HSC alone.
"""

import argparse
import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.stats import mad_std
from astropy.wcs import WCS

from clumpygan.assessment.real_blends import measure_real_blends
from clumpygan.evaluation.recovery.clumps import find_peaks

GRIZY_I = 2
NEIGHBOURHOOD = 25  # pixels of HST, as of real_blends


class Field(NamedTuple):
    """Files of a field, and how they are sampled; `binning` brings HST's pixels to 0.06"."""

    observed: str
    psf: str
    sharp: str
    binning: int
    psf_scale: float | None


FIELDS = {
    "pair": Field(
        "hsc_hst_jwst_pair/HSC-I_data.fits.gz", "hsc_hst_jwst_pair/HSC-I_psf.fits.gz",
        "hsc_hst_jwst_pair/F160W_data.fits.gz", 1, 0.126,
    ),
    "merger": Field(
        "hsc_hst_cosmos/blend_hsc_grizy.fits", "hsc_hst_cosmos/psf_hsc_grizy.fits",
        "hsc_hst_cosmos/blend_hst_f814w.fits", 2, None,
    ),
}  # fmt: skip


def plane(path: Path) -> tuple[np.ndarray, WCS]:
    """Return an image, the i band of a stack, and its world coordinates."""
    with fits.open(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hdu = next(one for one in hdus if one.data is not None)
        header = hdu.header.copy()
        if "CD1_1" in header:  # some have CD and PC at once
            for name in [one for one in header if one.startswith("PC") or one.startswith("CDELT")]:
                del header[name]
        image = np.asarray(hdu.data, np.float64)
        return image if image.ndim == 2 else image[GRIZY_I], WCS(header, naxis=2)


def write_field(name: str, field: Field, data: Path, folder: Path) -> None:
    """Write the blend of a field, with the peaks of HST's image."""
    image, world = plane(data / field.observed)
    sharp, sharp_world = plane(data / field.sharp)
    rows, columns = (length // field.binning for length in sharp.shape)
    binned = sharp[: rows * field.binning, : columns * field.binning]
    binned = binned.reshape(rows, field.binning, columns, field.binning).sum((1, 3))
    peaks = find_peaks(binned, float(mad_std(binned)), NEIGHBOURHOOD)
    places = (peaks + 0.5) * field.binning - 0.5
    x, y = world.all_world2pix(*sharp_world.all_pix2world(places[:, 1], places[:, 0], 0), 0)
    scale = {} if field.psf_scale is None else {"psf_scale": field.psf_scale}
    np.savez(
        folder / f"{name}.npz", images=image, psfs=plane(data / field.psf)[0],
        peaks=np.stack([x, y], 1), **scale,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("real_blends"))
    parser.add_argument("--hst-alone", action="store_true", help="without the blends of HSC alone")
    options = parser.parse_args()
    if not (data := Path(os.environ.get("CLUMPYGAN_REAL_DATA", ""))).is_dir() or data == Path():
        parser.error("set CLUMPYGAN_REAL_DATA to the folder of the real images")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, field in FIELDS.items():
        write_field(name, field, data, options.folder)
    print(measure_real_blends(observed=options.folder, workers=1))
    if not options.hst_alone:
        print(measure_real_blends(observed=data / "hsc_cosmos_blends", workers=1))


if __name__ == "__main__":
    main()
