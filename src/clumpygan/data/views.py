"""Everything random about the HSC views of HST stamps, drawn from (seed, split, index, turn)."""

import zlib
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK


@dataclass(frozen=True)
class Conditions:
    """The range of observing conditions from which every view is drawn.

    Attributes
    ----------
    fwhm : tuple of float
        Seeing, arcsec; uniform.
    beta : tuple of float
        Moffat exponent; uniform.
    ellipticity : float
        Standard deviation of each component of the PSF's shear.
    depth_scatter : float
        Standard deviation of ln(sigma / the instrument's).
    psf_error : float
        Relative standard deviation of the seeing that the network is told about the true one.
    """

    fwhm: tuple[float, float] = (0.5, 0.85)
    beta: tuple[float, float] = (2.3, 5.0)
    ellipticity: float = 0.02
    depth_scatter: float = 0.3
    psf_error: float = 0.01

    def draw(self, generator: np.random.Generator) -> dict[str, np.float32]:
        """Draw the conditions of one view."""
        fwhm = generator.uniform(*self.fwhm)
        values = {
            "fwhm": fwhm,
            "told_fwhm": fwhm * (1 + self.psf_error * generator.standard_normal()),
            "beta": generator.uniform(*self.beta),
            "g1": self.ellipticity * generator.standard_normal(),
            "g2": self.ellipticity * generator.standard_normal(),
            "depth": np.exp(self.depth_scatter * generator.standard_normal()),
        }
        return {name: np.float32(value) for name, value in values.items()}


class PairDataset(Dataset[dict[str, np.ndarray]]):
    """HST stamps with everything random about their HSC views.

    Item (turn, index) depends on (seed, split, index, turn) alone; `turn` counts passes over the
    data. A plain index is turn 0.

    Parameters
    ----------
    images : numpy.ndarray
        (N, y, x) float32, nJy per pixel.
    split : str
    seed : int
    conditions : Conditions
    augment : bool
        Turn and mirror the stamps at random (the dihedral group).
    powers : numpy.ndarray, optional
        (N, Ky, Kx) float32: power of the noise that each stamp carries, on the padded grid of the
        operator. The noise to be added is then drawn on that grid, `margin` pixels wider on each
        side, so that it can be shaped.
    margin : int
        Of the operator, in HSC pixels.
    """

    def __init__(
        self,
        images: np.ndarray,
        *,
        split: str,
        seed: int,
        conditions: Conditions,
        augment: bool,
        powers: np.ndarray | None = None,
        margin: int = 0,
    ) -> None:
        self.images = images
        self.powers = powers
        self.margin = margin if powers is not None else 0
        self.key = [seed, zlib.crc32(split.encode())]
        self.conditions = conditions
        self.augment = augment

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, np.ndarray]:
        """Return `hst` (1, Y, X), `noise` (1, y, x) of unit variance, and the conditions."""
        turn, index = item if isinstance(item, tuple) else (0, item)
        generator = np.random.default_rng([*self.key, index, turn])
        image = np.asarray(self.images[index], dtype=np.float32)
        if self.augment:
            image = np.rot90(image, generator.integers(4))
            image = image[:, ::-1] if generator.integers(2) else image
        shape = [n // FINE_BLOCK * COARSE_BLOCK + 2 * self.margin for n in image.shape]
        noise = generator.standard_normal((1, *shape), dtype=np.float32)
        item = {"hst": np.array(image[None]), "noise": noise, **self.conditions.draw(generator)}
        if self.powers is not None:
            # Averaged over the dihedral group already: the stamp may have been turned.
            item["fine_power"] = self.powers[index]
        return item
