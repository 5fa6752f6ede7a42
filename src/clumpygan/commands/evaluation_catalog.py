"""Real HST stamps as galaxies to be recovered: degraded to HSC, their own noise accounted for."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import torch
from astropy.table import Row
from torch import Tensor

from clumpygan.commands.recovery_camera import (
    camera_of,
    check_hst_scale,
    in_nanojansky,
    noise_of,
    without_blemishes,
)
from clumpygan.commands.recovery_grid import HstStamp, hst_stamp
from clumpygan.commands.recovery_scene import embed
from clumpygan.errors import InputWarning
from clumpygan.evaluation.observations import (
    STAMP_SIZE,
    Frequencies,
    MoffatSeeing,
    Observations,
    Psf,
)
from clumpygan.instruments import (
    ImagingInstrument,
    ObservationOperator,
    carried_noise_power,
    draw_noise,
    missing_noise_power,
    pixel_psf,
)
from clumpygan.io import read_catalog, read_stamp, select


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
    """The galaxies of a catalogue of HST stamps, in its order.

    Each stamp is brought to 0.06" pixels and, where it is sharper, to the PSF of F160W; it is cut
    or surrounded to 112 x 112 pixels. The HSC image gets the noise that the stamp doesn't already
    carry, so that their sum is HSC's.

    Parameters
    ----------
    options : argparse.Namespace
        With catalog, data_root, max_redshift, max_hmag, seed and device.
    survey : ImagingInstrument
        Its depth, range of seeing and range of Moffat slopes are used.

    Raises
    ------
    InputError
        If the catalogue can't be read or no galaxy passes the cuts.
    """

    def __init__(self, options: Namespace, survey: ImagingInstrument) -> None:
        table = read_catalog(options.catalog)
        if options.max_redshift is not None or options.max_hmag is not None:
            table = select(table, options.max_redshift, options.max_hmag)
        self.table, self.survey, self.seed = table, survey, options.seed
        self.root = options.data_root or options.catalog.parent
        self.device = torch.device(options.device)
        self.operator = ObservationOperator().to(self.device)

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
        truths, views, sigmas, psfs = zip(*map(self._observe, indices), strict=True)
        magnitude = np.asarray(self.table["h_magnitude"][list(indices)], dtype=np.float64)
        return Observations(
            truth=torch.stack(truths).to(self.device),
            observed=torch.cat(views).to(self.device),
            sigma=torch.tensor(sigmas, dtype=torch.float32, device=self.device),
            psf=StackedPsf(psfs),
            magnitude=magnitude,
            index=tuple(indices),
        )

    def stamp(self, index: int) -> tuple[np.ndarray, float]:
        """Return a galaxy's HST stamp (y, x) in nJy per 0.06" pixel, and the noise of a pixel.

        Pixels without data hold noise; the rest is as in the file.
        """
        state = np.random.SeedSequence([self.seed, crc32(b"fill"), index]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state[0]))
        return self._stamp(self.table[index]).filled(generator)

    def _observe(self, index: int) -> tuple[Tensor, Tensor, float, Psf]:
        """Truth (1, Y, X), HSC view (1, 1, y, x), its noise per pixel, and the PSF."""
        stamp = self._stamp(self.table[index])
        draw = np.random.default_rng([self.seed, crc32(b"observe"), index])
        generator = torch.Generator().manual_seed(int(draw.integers(2**62)))
        seeing = (self.survey.psf_fwhm_range, self.survey.moffat_beta_range)
        fwhm, beta = (
            torch.tensor([draw.uniform(*bounds)], dtype=torch.float32, device=self.device)
            for bounds in seeing
        )
        psf = MoffatSeeing(fwhm, beta, stamp.psf)
        filled, _ = stamp.filled(generator)
        truth = torch.from_numpy(filled)[None]
        operator = self.operator
        shape = operator.coarse_shape(filled.shape)
        frequencies = operator.frequencies(shape)
        transfer = psf(operator.frequencies(shape, self.device)).cpu()
        carried = carried_noise_power(stamp.noise_power(frequencies), transfer[0])
        wanted = torch.full_like(carried, self.survey.sky_sigma**2)
        missing = missing_noise_power(wanted, carried)
        clean = operator(truth[None], transfer)
        view = clean + draw_noise(missing, tuple(clean.shape), generator)
        return truth, view, float((carried + missing).mean()) ** 0.5, psf

    def _stamp(self, row: Row) -> HstStamp:
        with warnings.catch_warnings():
            # a line per stamp on a per mille of flux outside its PSF image would hide the table
            warnings.simplefilter("ignore", InputWarning)
            image, array, psf_scale = read_stamp(row, self.root)
            check_hst_scale(image.pixel_scale, image.path)
            camera = camera_of(None, image.pixel_scale)
            image = in_nanojansky(image, camera)
            psf = camera.psf() if array is None else pixel_psf(array, psf_scale)
            noise = noise_of(image, camera)
            stamp = hst_stamp(without_blemishes(image, psf, noise), psf, noise)
        return replace(stamp, data=_resized(stamp.data, 0.0), mask=_resized(stamp.mask, True))


def _resized(image: np.ndarray, fill: float | bool) -> np.ndarray:
    """Cut or surround an image to the size of the stamps; sides are even, the centre stays."""
    rows, columns = (max((length - STAMP_SIZE) // 2, 0) for length in image.shape)
    height, width = image.shape
    cut = image[rows : height - rows, columns : width - columns]
    return embed(np.ascontiguousarray(cut), (STAMP_SIZE, STAMP_SIZE), fill)
