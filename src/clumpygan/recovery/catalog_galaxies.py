"""Real stamps as galaxies to be recovered: seen by a survey, their own noise accounted for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from astropy.table import Row
from torch import Tensor

from clumpygan.errors import InputWarning
from clumpygan.evaluation.recovery.observations import (
    Frequencies,
    MoffatSeeing,
    Observations,
    Psf,
)
from clumpygan.evaluation.recovery.recovered import Judge
from clumpygan.instruments import (
    ObservationOperator,
    SurveyPair,
    carried_noise_power,
    draw_noise,
    missing_noise_power,
    pixel_psf,
)
from clumpygan.io import read_catalog, read_stamp, select
from clumpygan.recovery.camera import (
    camera_of,
    check_sharp_scale,
    in_nanojansky,
    mask_bad_pixels,
)
from clumpygan.recovery.hst_stamp import SharpStamp, sharp_stamp
from clumpygan.recovery.scene import embed
from clumpygan.recovery.sharp_noise import noise_of

COUPLING = 0.5
"""Variance a of the noise that is added to what is observed, in units of the stamp's own."""


@dataclass(frozen=True)
class StackedPsf:
    """One PSF per galaxy of a batch, each over the PSF of that galaxy's HST image."""

    members: tuple[Psf, ...]

    @property
    def fwhm(self) -> Tensor:
        """Widths (B,) of the ground-based PSFs in arcsec."""
        return torch.cat([psf.fwhm for psf in self.members])

    def __call__(self, frequencies: Frequencies) -> Tensor:
        """Return the ratios of the transfer functions (B, Ky, Kx) at (ky, kx) in cycles/arcsec."""
        return torch.cat([psf(frequencies) for psf in self.members])


class CatalogGalaxies:
    """The galaxies of a catalogue of sharp stamps, in its order.

    Each stamp is brought to the pixels of the target and, where it is sharper, to its PSF; it is
    cut or surrounded to a standard stamp (112 x 112 pixels of HST). The observed image gets the
    noise that the stamp doesn't already carry, so that their sum is the survey's.

    Parameters
    ----------
    catalog : pathlib.Path
    pair : SurveyPair
        Of the survey, its depth, range of seeing and range of Moffat slopes are used.
    seed : int
        Of the observations.
    root : pathlib.Path, optional
        Folder of the stamps; that of the catalogue by default.
    max_redshift, max_hmag : float, optional
        Cuts; none by default.
    device : str
        Where the batches are made.

    Raises
    ------
    InputError
        If the catalogue can't be read or no galaxy passes the cuts.
    """

    def __init__(
        self,
        catalog: Path,
        pair: SurveyPair,
        *,
        seed: int,
        root: Path | None = None,
        max_redshift: float | None = None,
        max_hmag: float | None = None,
        device: str = "cpu",
    ) -> None:
        table = read_catalog(catalog)
        if max_redshift is not None or max_hmag is not None:
            table = select(table, max_redshift, max_hmag)
        self.table, self.pair, self.survey, self.seed = table, pair, pair.survey, seed
        self.root = root or catalog.parent
        self.device = torch.device(device)
        self.operator = ObservationOperator(grid=pair.grid).to(self.device)

    def __len__(self) -> int:
        return len(self.table)

    def batch(self, indices: Sequence[int]) -> Observations:
        """Read and observe the galaxies of the given numbers.

        Parameters
        ----------
        indices : sequence of int
            Row numbers in the selected catalogue.

        Returns
        -------
        Observations

        Raises
        ------
        InputError
            If a file is missing or can't be used.
        """
        truths, views, sigmas, psfs, judges = zip(*map(self._observe, indices), strict=True)
        magnitude = np.asarray(self.table["h_magnitude"][list(indices)], dtype=np.float64)
        return Observations(
            truth=torch.stack(truths).to(self.device),
            observed=torch.cat(views).to(self.device),
            sigma=torch.tensor(sigmas, dtype=torch.float32, device=self.device),
            psf=StackedPsf(psfs),
            magnitude=magnitude,
            index=tuple(indices),
            judges=judges,
        )

    def stamp(self, index: int) -> tuple[np.ndarray, float]:
        """Return a galaxy's stamp (y, x) in nJy per pixel, and the noise of a pixel.

        Pixels without data hold noise; the rest is as in the file.
        """
        state = np.random.SeedSequence([self.seed, crc32(b"fill"), index]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state[0]))
        return self._stamp(self.table[index]).filled(generator)

    def _observe(self, index: int) -> tuple[Tensor, Tensor, float, Psf, Judge]:
        """Truth (1, Y, X), view (1, 1, y, x), its noise per pixel, the PSF, and the judge.

        The view carries noise of the stamp, so the stamp itself can't judge what is made of it.
        By a coupled bootstrap (Oliveira, Lei & Tibshirani 2021, arXiv:2111.09447) noise w like
        the stamp's own is added, times sqrt(a), to what is observed, and taken, over sqrt(a),
        from what judges: the noises of the two have no correlation.
        """
        stamp = self._stamp(self.table[index])
        draw = np.random.default_rng([self.seed, crc32(b"observe"), index])
        generator = torch.Generator().manual_seed(int(draw.integers(2**62)))
        seeing = (self.survey.psf_fwhm_range, self.survey.moffat_beta_range or ())
        fwhm, beta = (
            torch.tensor([draw.uniform(*bounds)], dtype=torch.float32, device=self.device)
            for bounds in seeing
        )
        psf = MoffatSeeing(fwhm, beta, stamp.psf)
        filled, sigma = stamp.filled(generator)
        more = stamp.draw_noise(generator)
        judge = Judge(filled - more / COUPLING**0.5, sigma * (1 + 1 / COUPLING) ** 0.5, ~stamp.mask)
        truth = torch.from_numpy(filled)[None]
        seen = torch.from_numpy(filled + np.float32(COUPLING**0.5) * more)[None, None]
        operator = self.operator
        shape = operator.coarse_shape(filled.shape)
        frequencies = operator.frequencies(shape)
        transfer = psf(operator.frequencies(shape, self.device)).cpu()
        carried = carried_noise_power(
            (1 + COUPLING) * stamp.noise_power(frequencies),
            transfer[0],
            operator.grid.area_ratio,
        )
        wanted = torch.full_like(carried, self.survey.sky_sigma**2)
        missing = missing_noise_power(wanted, carried)
        clean = operator(seen, transfer)
        view = clean + draw_noise(missing, tuple(clean.shape), generator)
        return truth, view, float((carried + missing).mean()) ** 0.5, psf, judge

    def _stamp(self, row: Row) -> SharpStamp:
        with warnings.catch_warnings():
            # a line per stamp on a per mille of flux outside its PSF image would hide the table
            warnings.simplefilter("ignore", InputWarning)
            image, array, psf_scale = read_stamp(row, self.root)
            check_sharp_scale(image.pixel_scale, image.path, self.pair)
            camera = camera_of(None, image.pixel_scale, self.pair.target)
            image = in_nanojansky(image, camera)
            psf = (
                camera.psf() if array is None else pixel_psf(array, psf_scale or image.pixel_scale)
            )
            noise = noise_of(image, camera)
            stamp = sharp_stamp(mask_bad_pixels(image, psf, noise.sigma), psf, noise, self.pair)
        side = self.pair.grid.stamp
        data, mask = _resized(stamp.data, side, 0.0), _resized(stamp.mask, side, True)
        return replace(stamp, data=data, mask=mask)


def _resized(image: np.ndarray, side: int, fill: float | bool) -> np.ndarray:
    """Cut or surround an image to the size of the stamps; sides are even, the centre stays."""
    rows, columns = (max((length - side) // 2, 0) for length in image.shape)
    height, width = image.shape
    cut = image[rows : height - rows, columns : width - columns]
    return embed(np.ascontiguousarray(cut), (side, side), fill)
