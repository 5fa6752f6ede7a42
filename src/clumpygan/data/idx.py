"""Images in the MNIST format in batches; by default real handwritten digits."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import zoom
from torch import Tensor
from torch.utils.data import Dataset

from clumpygan.data.augment import centred, turned
from clumpygan.data.idx_settings import IdxSettings
from clumpygan.data.splits import split_of
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.io.idx import from_levels, read_idx

WHITE, PICTURE_NOISE = 10.0, 0.5
"""What white becomes in a picture, as black becomes 0, and the noise that is added to it. Galaxies
have such pixels, in units of their noise."""

DIGITS_SIZE = 32
"""Pixels per side of the digits."""

_DIGIT_SHARE = 0.75
_DIGIT_LEVELS = 16
_MOST_CLASSES = 1000


class IdxDataset(Dataset[dict[str, np.ndarray]]):
    """Images of one split, brought to the scale and the size that a network sees.

    Item (turn, index) depends on (seed, split, index, turn) alone; `turn` counts passes over the
    data. A plain index is turn 0.

    Parameters
    ----------
    images : numpy.ndarray
        (N, y, x), as in the file.
    rows : numpy.ndarray
        Which of them make up the split.
    scaled : callable
        Turns values of the file into what a network sees.
    size : int
        Pixels per side to which they are cropped or padded.
    labels : numpy.ndarray or None
        (N, K) float32: conditions.
    noise : float
        Standard deviation of the white noise that is added to them.
    split : str
    seed : int
    augment : bool
        Turn and mirror the images at random (the dihedral group).
    """

    def __init__(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        scaled: Callable[[np.ndarray], np.ndarray],
        size: int,
        labels: np.ndarray | None,
        *,
        noise: float,
        split: str,
        seed: int,
        augment: bool,
    ) -> None:
        self.images, self.rows, self.labels = images, rows, labels
        self.scaled, self.size = scaled, size
        self.noise, self.augment = noise, augment
        self.key = [seed, zlib.crc32(split.encode())]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, np.ndarray]:
        """Return `image` (1, N, N); other `noise` like its own; `conditions` (K,) of its label."""
        turn, place = item if isinstance(item, tuple) else (0, item)
        row = int(self.rows[place])
        generator = np.random.default_rng([*self.key, row, turn])
        image = centred(self.scaled(self.images[row]), self.size)
        if self.augment:
            image = turned(image, generator)
        result = {"image": np.ascontiguousarray(image[None])}
        if self.noise > 0:
            noise = generator.standard_normal((2, *image.shape), dtype=np.float32)
            own, result["noise"] = np.split(np.float32(self.noise) * noise, 2)
            result["image"] += own
        return result if self.labels is None else result | {"conditions": self.labels[row]}


class IdxDataModule(StreamDataModule):
    """Serve images of an IDX file, or scikit-learn's 1797 handwritten digits; see `IdxSettings`.

    Batches: `image` (B, 1, N, N) float32, and with `conditional` the label as `conditions` (B, K),
    1 for its class and 0 elsewhere.

    Pictures (levels without a `stretch`) are brought to the scale of galaxies in units of their
    noise: black to white become 0 to `WHITE`, and noise is added at every view. Batches then have
    `noise` (B, 1, N, N), another realisation of it, to be added to generated images: so the
    generator learns the images without noise (AmbientGAN, Bora et al. 2018), and the discriminator
    can't tell them by their edges. Other images are in units of the noise that they carry: levels
    whose stretch is known, and floats, which are served as they are.

    Each image is in one of training, validation and test set by its number and the seed.
    """

    Settings = IdxSettings

    def build(self) -> None:
        """Read the files.

        Raises
        ------
        InputError
            If they can't be read, or don't hold images and their labels.
        """
        images = self.config.images
        values = None if images is None else _read_images(images)
        self.size: int = self.config.size or (
            DIGITS_SIZE if values is None else -(-max(values.shape[1:]) // 8) * 8
        )
        self._values = _digits(self.size)[0] if values is None else values
        self._picture = values is None or (
            values.dtype.kind in "iu" and self.config.stretch is None
        )
        self._white = 255.0 if self._values.dtype == np.uint8 else float(self._values.max())
        self.noise = self.config.noise
        if self.noise is None:
            self.noise = PICTURE_NOISE if self._picture else 0.0
        self._labels = self._one_hot() if self.config.conditional else None
        count = 0 if self._labels is None else self._labels.shape[1]
        self.condition_names = tuple(f"label_{number}" for number in range(count))

    def make_dataset(self, split: str) -> IdxDataset:
        """Return the images of a split; only training images are ever turned.

        Raises
        ------
        InputError
            If they are fewer than a batch.
        """
        config, count = self.config, len(self._values)
        splits = np.array([split_of(f"image {row}", self.seed) for row in range(count)])
        rows = np.flatnonzero(splits == split)[: config.size_of(split)]
        least = self.batch_size if split == "train" else 1
        if len(rows) < least:
            raise InputError(
                f"{config.images or 'the digits'}: {len(rows)} of {count} images are for the "
                f"{split} set, fewer than {least}"
                f"{', a batch; lower `data.batch_size`, or' if least > 1 else ';'} give more images"
            )
        return IdxDataset(
            self._values,
            rows,
            self._scaled,
            self.size,
            self._labels,
            noise=self.noise,
            split=split,
            seed=self.seed,
            augment=config.augment and split == "train",
        )

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        """Return values of the file in units of the noise, float32, rows from bottom to top."""
        if self._picture:
            # A picture has been stretched for the eye, and networks see images through asinh: that
            # takes 0 to `WHITE` to equal steps again.
            ink = np.sinh(values * (np.arcsinh(WHITE) / self._white))
            return np.asarray(ink[::-1], np.float32)
        if self.config.stretch is None:
            return values.astype(np.float32)
        return from_levels(values, *self.config.stretch)

    def describe(self) -> dict[str, Any]:
        """Return what white became in pictures, the stretch of levels, and the noise added."""
        if self._picture:
            return {"white": WHITE, "noise": self.noise}
        stretch = self.config.stretch
        return {"stretch": None if stretch is None else list(stretch), "noise": self.noise}

    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch: it is complete."""
        return batch

    def _one_hot(self) -> np.ndarray:
        """Return labels as conditions (N, K) float32, 1 for the class and 0 elsewhere."""
        images, path, count = self.config.images, self.config.labels, len(self._values)
        if images is None:
            labels = _digits(8)[1]
        elif path is None:
            raise InputError(
                f"`data.conditional`: {images} has no labels; give `data.labels`, an IDX file"
            )
        else:
            labels = read_idx(path)
            if labels.shape != (count,) or labels.dtype.kind not in "iu":
                raise InputError(
                    f"{path}: {' x '.join(map(str, labels.shape))} {labels.dtype.name} values; "
                    f"expected {count} whole numbers, a label for each image of "
                    f"{Path(images).name}"
                )
            if labels.min() < 0 or labels.max() >= _MOST_CLASSES:
                raise InputError(
                    f"{path}: labels from {labels.min()} to {labels.max()}; expected 0 to "
                    f"{_MOST_CLASSES - 1}"
                )
        return np.asarray(np.eye(int(labels.max()) + 1, dtype=np.float32)[labels])


def _read_images(path: str) -> np.ndarray:
    values = read_idx(path)
    if values.ndim != 3:
        shape = " x ".join(map(str, values.shape))
        raise InputError(f"{path}: {shape} values; expected images (N, y, x)")
    if not np.isfinite(values).all():
        raise InputError(f"{path}: values that aren't finite; expected numbers")
    return values


@lru_cache(maxsize=2)
def _digits(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits (N, size, size), 0 to 1, and their labels (N,).

    They are test data of Alpaydin & Kaynak (1998), 8 x 8 pixels of 17 levels, here enlarged by
    cubic splines to three quarters of the frame, as in MNIST.
    """
    # Half a second to import, for those who look at digits only.
    from sklearn.datasets import load_digits

    found = load_digits()
    side = int(_DIGIT_SHARE * size)
    factor = side / found.images.shape[1]
    ink = zoom(found.images, (1, factor, factor), order=3, mode="nearest", grid_mode=True)
    ink = np.clip(ink / _DIGIT_LEVELS, 0, 1)
    return np.stack([centred(one, size) for one in ink]), found.target
