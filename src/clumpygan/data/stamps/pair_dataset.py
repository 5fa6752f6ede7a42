"""Everything random about the views of sharp stamps, drawn from (seed, split, index, turn)."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch.utils.data import Dataset

from clumpygan.data.augment import turned
from clumpygan.errors import InputError
from clumpygan.instruments import DEFAULT_GRID, GridPair, ImagingInstrument
from clumpygan.settings import check, check_rising, setting


@dataclass(frozen=True)
class Conditions:
    """The range of observing conditions from which every view is drawn."""

    fwhm: tuple[float, float] | None = setting(
        None, "seeing, uniform; null: what is usual in the survey, and some more", "arcsec", above=0
    )
    beta: tuple[float, float] | None = setting(
        None, "Moffat exponent, uniform; null: what is usual in the survey, and some more", above=1
    )
    ellipticity: float = setting(
        0.02, "standard deviation of each component of the PSF's shear", least=0, most=0.3
    )
    depth_scatter: float = setting(
        0.3, "standard deviation of ln(noise / the instrument's)", least=0, most=5
    )
    psf_error: float = setting(
        0.01, "relative error of the seeing that the network is told", least=0, most=1
    )
    shared_noise: tuple[float, float] = setting(
        (1.0, 1.0), "by how much noise in apertures exceeds that of as noisy pixels without"
        " neighbours that share it, uniform; HSC's coadds have 1.02 to 1.25", least=1, most=1.5,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        check_rising(self, "fwhm", "beta", "shared_noise")

    @property
    def shares_noise(self) -> bool:
        """Whether neighbouring pixels of the views share noise."""
        return self.shared_noise[1] > 1

    def within(self, survey: ImagingInstrument) -> "Conditions":
        """Return the conditions with all ranges: 0.05" below to 0.1" above the usual seeing.

        Moffat exponents reach 0.2 below and 0.5 above the usual ones. A network that has seen
        more than is usual interpolates.

        Raises
        ------
        InputError
            If the survey's PSF isn't a Moffat profile, that of images from the ground.
        """
        if survey.moffat_beta_range is None:
            raise InputError(
                f"{survey.name} sees without an atmosphere: expected a survey from the ground"
            )
        (low, high), (gentle, steep) = survey.psf_fwhm_range, survey.moffat_beta_range
        fwhm = self.fwhm or (round(max(low - 0.05, 0.05), 3), round(high + 0.1, 3))
        beta = self.beta or (round(max(gentle - 0.2, 1.6), 3), round(min(steep + 0.5, 8.0), 3))
        return replace(self, fwhm=fwhm, beta=beta)

    def draw(self, generator: np.random.Generator) -> dict[str, np.float32]:
        """Draw the conditions of one view."""
        if self.fwhm is None or self.beta is None:
            raise ValueError("conditions without ranges: take those `within` a survey")
        fwhm = generator.uniform(*self.fwhm)
        values = {
            "fwhm": fwhm,
            "told_fwhm": fwhm * (1 + self.psf_error * generator.standard_normal()),
            "beta": generator.uniform(*self.beta),
            "g1": self.ellipticity * generator.standard_normal(),
            "g2": self.ellipticity * generator.standard_normal(),
            "depth": np.exp(self.depth_scatter * generator.standard_normal()),
        }
        if self.shares_noise:
            values["shared_noise"] = generator.uniform(*self.shared_noise)
        return {name: np.float32(value) for name, value in values.items()}


class JoinedImages:
    """Arrays of images (N, y, x) one after the other, none of them copied."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self.parts = list(parts)
        self.ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> np.ndarray:
        """Return image (y, x)."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        part = int(np.searchsorted(self.ends, index, side="right"))
        image: np.ndarray = self.parts[part][index - self.ends[part]]
        return image


class PairDataset(Dataset[dict[str, np.ndarray]]):
    """Sharp stamps with everything random about their views.

    Item (turn, index) depends on (seed, split, index, turn) alone; `turn` counts passes over the
    data. A plain index is turn 0.

    Parameters
    ----------
    images : numpy.ndarray or JoinedImages
        (N, y, x) float32, nJy per pixel.
    split : str
    seed : int
    conditions : Conditions
    augment : bool
        Turn and mirror the stamps at random (the dihedral group).
    powers : numpy.ndarray, optional
        (N, Ky, Kx) float32: power of the noise that each stamp carries, on the padded grid of the
        operator. The noise to be added, as any that neighbours share, is then drawn on that grid,
        `margin` pixels wider on each side, so that it can be shaped.
    margin : int
        Of the operator, in observed pixels.
    grid : GridPair
        Pixels of the stamps and of the views.
    """

    def __init__(
        self,
        images: np.ndarray | JoinedImages,
        *,
        split: str,
        seed: int,
        conditions: Conditions,
        augment: bool,
        powers: np.ndarray | None = None,
        margin: int = 0,
        grid: GridPair = DEFAULT_GRID,
    ) -> None:
        self.images = images
        self.powers, self.grid = powers, grid
        self.margin = margin if powers is not None or conditions.shares_noise else 0
        self.key = [seed, zlib.crc32(split.encode())]
        self.conditions = conditions
        self.augment = augment

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, item: int | tuple[int, int]) -> dict[str, np.ndarray]:
        """Return `target` (1, Y, X), `noise` (1, y, x) of unit variance, and the conditions."""
        turn, index = item if isinstance(item, tuple) else (0, item)
        generator = np.random.default_rng([*self.key, index, turn])
        found = self.sharp(index, generator)
        grid, edge = self.grid, 2 * self.margin
        shape = [n // grid.fine_block * grid.coarse_block + edge for n in found["target"].shape[1:]]
        found["noise"] = generator.standard_normal((1, *shape), dtype=np.float32)
        found |= {name: np.asarray(one) for name, one in self.conditions.draw(generator).items()}
        if self.powers is not None:
            # Averaged over the dihedral group already: the stamp may have been turned.
            found["fine_power"] = self.powers[index]
        return found

    def sharp(self, index: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Return `target` (1, Y, X) of an item, and what else is known of it."""
        return {"target": np.array(self.stamp(index, generator)[None])}

    def stamp(self, index: int, generator: np.random.Generator) -> np.ndarray:
        """Return an image (Y, X), turned and mirrored at random if they are."""
        image = np.asarray(self.images[index], dtype=np.float32)
        return turned(image, generator) if self.augment else image
