"""The PSF through which a recovered galaxy is seen: HSC's, over that of the HST image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from clumpygan.instruments import fwhm_of, matching_transfer

if TYPE_CHECKING:
    import galsim
    from torch import Tensor


@dataclass(frozen=True)
class SeenThrough:
    """One measured or modelled HSC PSF over one HST PSF, both with their pixel response.

    Attributes
    ----------
    blurred, sharp : galsim.GSObject
        PSF of the HSC image, and the one that the recovered image has.
    """

    blurred: galsim.GSObject
    sharp: galsim.GSObject

    @property
    def fwhm(self) -> Tensor:
        """(1,), arcsec: width of the HSC PSF."""
        return torch.tensor([fwhm_of(self.blurred)], dtype=torch.float32)

    def __call__(self, frequencies: tuple[Tensor, Tensor]) -> Tensor:
        """Return the ratio of the transfer functions (1, Ky, Kx) at (ky, kx) in cycles/arcsec.

        Raises
        ------
        InputError
            If the HSC PSF is sharper than the HST one.
        """
        return matching_transfer(self.blurred, self.sharp, frequencies)[None]
