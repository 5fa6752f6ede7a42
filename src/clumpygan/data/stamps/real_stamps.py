"""Real sharp stamps to train on: a folder of FITS files, each with its own noise."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clumpygan.data.augment import centred
from clumpygan.data.splits import SPLITS, split_of
from clumpygan.errors import InputError, InputWarning
from clumpygan.instruments import ImagingInstrument, NoiseModel, estimate_noise
from clumpygan.io import Image, read_image


@dataclass(frozen=True)
class Stamps:
    """The stamps of one split.

    Attributes
    ----------
    images : numpy.ndarray
        (N, y, x) float32, nJy per pixel; 0 where there are no data.
    noises : list of NoiseModel
        The noise that each stamp carries.
    names : list of str
        File names.
    """

    images: np.ndarray
    noises: list[NoiseModel]
    names: list[str]


def read_stamps(
    folder: Path, size: int, instrument: ImagingInstrument, seed: int
) -> dict[str, Stamps]:
    """Read all FITS stamps of a folder and split them by their names.

    A stamp is cropped or padded with empty sky around its centre. Its noise is measured on its
    source-free pixels; where there are too few, the instrument's is taken.

    Parameters
    ----------
    folder : Path
        Searched for *.fits and *.fits.gz, not recursively.
    size : int
        Pixels per side of the result.
    instrument : ImagingInstrument
        Whose pixel scale is expected, and whose zero point holds where a file names none.
    seed : int
        Of the split.

    Returns
    -------
    dict of Stamps
        By split, "train", "val" and "test".

    Raises
    ------
    InputError
        If the folder doesn't exist or holds no stamp, or one of them can't be used.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: expected one with FITS stamps")
    paths = sorted(path for path in folder.iterdir() if path.name.endswith((".fits", ".fits.gz")))
    if not paths:
        raise InputError(f"{folder} holds no .fits or .fits.gz file: expected FITS stamps")
    parts: dict[str, tuple[list[np.ndarray], list[NoiseModel], list[str]]] = {
        split: ([], [], []) for split in SPLITS
    }
    for path in paths:
        image = read_image(path, expected_scale=instrument.pixel_scale, band=instrument.band)
        images, noises, names = parts[split_of(path.name, seed)]
        images.append(centred(image.data, size))
        noises.append(_noise(image, instrument))
        names.append(path.name)
    empty = np.empty((0, size, size), np.float32)
    return {
        split: Stamps(np.stack(images) if images else empty, noises, names)
        for split, (images, noises, names) in parts.items()
    }


def _noise(image: Image, instrument: ImagingInstrument) -> NoiseModel:
    try:
        return estimate_noise(image.data, image.pixel_scale, image.mask)
    except InputError:
        warnings.warn(
            f"{image.path}: too few source-free pixels to measure the noise; "
            f"that of {instrument.name} is taken",
            InputWarning,
            stacklevel=2,
        )
        return instrument.noise()
