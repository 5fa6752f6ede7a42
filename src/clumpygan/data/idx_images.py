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

from clumpygan.data.framing import centred, turned
from clumpygan.data.splits import split_of
from clumpygan.data.stream import StreamDataModule
from clumpygan.errors import InputError
from clumpygan.io.idx import idx_blocks, read_idx, read_idx_header
from clumpygan.io.idx_card import ImageCard, read_card

WHITE = 10.0
"""What the brightest level becomes where no card says more; the darkest becomes 0. Galaxies have
such pixels, in units of their noise."""

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
    """Serve images of an IDX file, or scikit-learn's 1797 handwritten digits.

    Batches: `image` (B, 1, N, N) float32, and with `conditional` the label as `conditions` (B, K),
    1 for its class and 0 elsewhere.

    Images of a file with a card (``prepare.py idx``) have their stretch undone and are in units of
    the noise that they carry. Those without one are brought to the scale of galaxies in units of
    their noise: levels 0 to 255, or the range of the file for other types, become `BLACK` to
    `WHITE`, and noise is added at every view. Batches then have `noise` (B, 1, N, N), another
    realisation of it, to be added to generated images: so the generator learns the images without
    noise (AmbientGAN, Bora et al. 2018), and the discriminator can't tell them by their edges.

    Parameters
    ----------
    seed : int
        Also of the split: each image is in one of training, validation and test by its number.
    images : str, optional
        IDX file (N, y, x), gzipped or not.
    labels : str, optional
        IDX file (N,) of whole numbers from 0, for `conditional`.
    conditional : bool
        Whether the network is told the label.
    size : int, optional
        Pixels per side, a multiple of 8, to which images of a file are cropped or padded; by
        default the next that holds them. Digits are enlarged to it.
    noise : float
        Standard deviation of the noise added to images without a card.
    augment : bool
        Turn and mirror training images: for galaxies; a mirrored digit is none.
    train_size, val_size : int
        Most images in each split.
    batch_size, images_per_epoch, num_workers : int
        As for `StreamDataModule`.

    Raises
    ------
    InputError
        If a file can't be read, doesn't hold images or labels, or a setting is out of range.
    """

    def __init__(
        self,
        seed: int,
        images: str | None = None,
        labels: str | None = None,
        conditional: bool = False,
        size: int | None = None,
        noise: float = 0.5,
        augment: bool = False,
        train_size: int = 1_000_000,
        val_size: int = 1024,
        batch_size: int = 32,
        images_per_epoch: int = 8192,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            seed=seed,
            batch_size=batch_size,
            images_per_epoch=images_per_epoch,
            num_workers=num_workers,
        )
        self.images, self.augment = images, augment
        self.noise = _checked_noise(noise)
        self.sizes = {"train": train_size, "val": val_size}
        shape = None if images is None else _image_shape(images)
        self.size = _checked_size(size, shape)
        if labels is not None and images is None:
            raise InputError("data.labels: the digits have their own; give data.images too")
        self._labels = _one_hot(images, labels) if conditional else None
        count = 0 if self._labels is None else self._labels.shape[1]
        self.condition_names = tuple(f"label_{number}" for number in range(count))
        self._datasets: dict[str, IdxDataset] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the images and split them.

        Raises
        ------
        InputError
            If they can't be read, or are fewer than a batch.
        """
        if self._datasets:
            return
        name = self.images or "the digits"
        if self.images is None:
            values, scaled, noise = _digits(self.size)[0], _Levels(0.0, 1.0), self.noise
        else:
            values, card = read_idx(self.images), read_card(self.images)
            scaled, noise = _scale(self.images, card), self.noise if card is None else 0.0
        splits = np.array([split_of(f"image {row}", self.seed) for row in range(len(values))])
        for split, most in self.sizes.items():
            rows = np.flatnonzero(splits == split)[:most]
            least = self.batch_size if split == "train" else 1
            if len(rows) < least:
                raise InputError(
                    f"{name}: {len(rows)} of {len(values)} images are for the {split} set, fewer "
                    f"than {least}{', a batch; lower data.batch_size, or' if least > 1 else ';'} "
                    "give more images"
                )
            self._datasets[split] = IdxDataset(
                values,
                rows,
                scaled,
                self.size,
                self._labels,
                noise=noise,
                split=split,
                seed=self.seed,
                augment=self.augment and split == "train",
            )

    def dataset(self, split: str) -> IdxDataset:
        """Return the dataset of a split; only training images are ever turned."""
        return self._datasets[split]

    def describe(self) -> dict[str, Any]:
        """Return unit and noise (in that unit) of a file with a card, else what white became."""
        card = None if self.images is None else read_card(self.images)
        if card is None:
            return {"white": WHITE, "noise": self.noise}
        return {"unit": card.unit, "noise_sigma": card.noise_sigma}

    def observe(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the batch: it is complete."""
        return batch


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


def _image_shape(path: str) -> tuple[int, int, int]:
    shape = read_idx_header(path).shape
    if len(shape) != 3:
        raise InputError(f"{path}: {' x '.join(map(str, shape))} values; expected images (N, y, x)")
    return shape[0], shape[1], shape[2]


def _checked_size(size: int | None, shape: tuple[int, ...] | None) -> int:
    if size is None:
        return DIGITS_SIZE if shape is None else -(-max(shape[1:]) // 8) * 8
    if not isinstance(size, int) or isinstance(size, bool) or size < 8 or size % 8:
        raise InputError(f"data.size={size}: expected a multiple of 8, or null")
    return size


def _checked_noise(noise: Any) -> float:
    if not isinstance(noise, int | float) or not 0 <= noise < np.inf:
        raise InputError(f"data.noise={noise}: expected a number of at least 0")
    return float(noise)


def _scale(path: str, card: ImageCard | None) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns values of a file into what a network sees.

    Raises
    ------
    InputError
        If the file holds NaN or nothing but one value.
    """
    dtype = read_idx_header(path).dtype
    darkest, brightest = 0.0, 255.0
    if dtype != np.uint8:
        ends = np.array([(block.min(), block.max()) for block in idx_blocks(path)], np.float64)
        darkest, brightest = ends[:, 0].min(), ends[:, 1].max()
        if not np.isfinite(brightest - darkest) or darkest == brightest:
            raise InputError(
                f"{path}: values from {darkest:g} to {brightest:g}; expected finite numbers that "
                "differ"
            )
    return card.in_noise_units if card is not None else _Levels(darkest, brightest)


class _Levels:
    """Undoes the stretch of a picture: 0 at the darkest value, `WHITE` at the brightest.

    A picture has been stretched for the eye, and networks see images through asinh: that takes
    0 to `WHITE` to equal steps again.
    """

    def __init__(self, darkest: float, brightest: float) -> None:
        self.darkest, self.factor = darkest, np.arcsinh(WHITE) / (brightest - darkest)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return pixels, float32, with the rows from the bottom to the top."""
        stretched = (values.astype(np.float64) - self.darkest) * self.factor
        return np.sinh(stretched).astype(np.float32)[..., ::-1, :]


def _one_hot(images: str | None, path: str | None) -> np.ndarray:
    """Return labels as conditions (N, K) float32, 1 for the class and 0 elsewhere."""
    if images is None:
        labels = _digits(8)[1]
    elif path is None:
        raise InputError(f"data.conditional: {images} has no labels; give data.labels, an IDX file")
    else:
        labels, count = read_idx(path), _image_shape(images)[0]
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise InputError(
                f"{path}: {' x '.join(map(str, labels.shape))} {labels.dtype.name} values; "
                f"expected {count} whole numbers, a label for each image of {Path(images).name}"
            )
        if labels.min() < 0 or labels.max() >= _MOST_CLASSES:
            raise InputError(
                f"{path}: labels from {labels.min()} to {labels.max()}; expected 0 to "
                f"{_MOST_CLASSES - 1}"
            )
    return np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
