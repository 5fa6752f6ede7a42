"""The observation as a linear, differentiable operator: a sharp image becomes the observed one.

The image is Fourier transformed on its own fine grid, the modes that the coarse grid can hold are
multiplied by the ratio of the two optical transfer functions and transformed back at the centres
of the coarse pixels. Stamps of whole blocks (14 pixels of HST, 5 of HSC) cover the same sky and
share their centre. All PSFs are effective ones: they contain the pixel response.
"""

from functools import lru_cache
from math import log, pi

import torch
from torch import Tensor, nn

from clumpygan.errors import InputError
from clumpygan.instruments.grid_pair import DEFAULT_GRID, GridPair

MARGIN = 3.36
"""Default padding in arcsec: opposite edges are 6.7" apart, which holds the wings of a
diffraction-limited PSF to 1e-3 of the flux."""

_SOURCE_FLOOR = 1e-3
_SHARPER = 1.05
_SIGNIFICANT = 0.05


class ObservationOperator(nn.Module):
    """Sharp image to observed image: match the PSF, resample, keep the flux.

    Without noise; linear in the image, differentiable in image and transfer function, on any
    device. The image is padded with zeros, so that light leaving one edge doesn't come back at
    the other.

    Parameters
    ----------
    margin : int, optional
        Padding on each side, in observed pixels, a multiple of the grid's block of them; by
        default the first such one of at least 3.36", 20 HSC pixels.
    grid : GridPair
        Pixels of the target and of the observed image; HST's 0.06" and HSC's 0.168" by default.

    Raises
    ------
    ValueError
        If `margin` is negative or no multiple of the block.
    """

    def __init__(self, margin: int | None = None, grid: GridPair = DEFAULT_GRID) -> None:
        super().__init__()
        if margin is None:
            margin = grid.coarse_block * grid.blocks_in(MARGIN)
        if margin < 0 or margin % grid.coarse_block:
            raise ValueError(f"margin must be a multiple of {grid.coarse_block} >= 0, got {margin}")
        self.margin, self.grid = margin, grid

    def fine_shape(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        """Return the shape (Y, X) of the target stamp that covers an observed one of (y, x).

        Raises
        ------
        ValueError
            If a side isn't a positive multiple of the block of observed pixels.
        """
        return self.grid.fine_shape(coarse_shape)

    def coarse_shape(self, fine_shape: tuple[int, int]) -> tuple[int, int]:
        """Return the shape (y, x) of the observed stamp that a target stamp of (Y, X) covers.

        Raises
        ------
        ValueError
            If a side isn't a positive multiple of the block of target pixels.
        """
        return self.grid.coarse_shape(fine_shape)

    def frequencies(
        self, coarse_shape: tuple[int, int], device: torch.device | str | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the frequencies on which transfer functions are given.

        Parameters
        ----------
        coarse_shape : tuple of int
            Shape (y, x) of the observed stamp, without the margin.
        device : torch.device or str, optional
            Where the tensors shall be.

        Returns
        -------
        (ky, kx) : tuple of torch.Tensor
            Shapes (Ky, 1) and (1, Kx), float64, cycles per arcsec, in the order of `rfft2` of the
            padded stamp: Ky = y + 2 margin, Kx = (x + 2 margin) // 2 + 1.
        """
        return _frequencies(self._padded(coarse_shape), self.grid.observed_scale, device)

    def forward(self, image: Tensor, transfer: Tensor) -> Tensor:
        """Observe sharp images.

        Parameters
        ----------
        image : torch.Tensor
            Shape (B, C, Y, X), nJy per target pixel; Y and X are multiples of the block.
        transfer : torch.Tensor
            Shape (B, Ky, Kx) or (Ky, Kx), real or complex: the ratio of the transfer functions
            of the observed and of the target image on `frequencies`.

        Returns
        -------
        torch.Tensor
            Shape (B, C, y, x), nJy per observed pixel, dtype and device of `image`.

        Raises
        ------
        ValueError
            If a side isn't a multiple of the block or the transfer function is on another grid.
        """
        coarse = self.coarse_shape((image.shape[-2], image.shape[-1]))
        padded = self._padded(coarse)
        response = self._response(transfer, coarse)
        modes = _fine_to_modes(_full_precision(image), self._fine_padded(coarse), padded)
        # irfft2 divides by the number of coarse pixels, the inverse on the fine grid would divide
        # by that of the fine ones: just the ratio of the pixels' areas, so nothing is left to
        # scale.
        observed: Tensor = torch.fft.irfft2(modes * response, s=padded)
        return observed[..., : coarse[0], : coarse[1]].to(image.dtype)

    def adjoint(self, coarse: Tensor, transfer: Tensor) -> Tensor:
        """Apply the transpose of `forward`: <A x, y> = <x, A' y> for all x and y.

        Parameters
        ----------
        coarse : torch.Tensor
            Shape (B, C, y, x); y and x are multiples of the block.
        transfer : torch.Tensor
            As in `forward`.

        Returns
        -------
        torch.Tensor
            Shape (B, C, Y, X), dtype and device of `coarse`.

        Raises
        ------
        ValueError
            If a side isn't a multiple of the block or the transfer function is on another grid.
        """
        shape = (coarse.shape[-2], coarse.shape[-1])
        response = self._response(transfer, shape).conj() * self.grid.area_ratio
        return self._to_fine(coarse, response)

    def wiener(self, coarse: Tensor, transfer: Tensor, noise_to_signal: Tensor) -> Tensor:
        """Deconvolve observed images onto the target's grid with a Wiener filter.

        The filter is ``T* / (|T|^2 + n)`` with the noise-to-signal ratio n of powers (e.g. Gonzalez
        & Woods, Digital Image Processing, equation 5.8-6); it tends to the inverse of `forward` on
        the modes of the coarse grid as n goes to 0.

        Parameters
        ----------
        coarse : torch.Tensor
            Shape (B, C, y, x), nJy per observed pixel.
        transfer : torch.Tensor
            As in `forward`.
        noise_to_signal : torch.Tensor
            Shape (), (B,) or (B, Ky, Kx), positive.

        Returns
        -------
        torch.Tensor
            Shape (B, C, Y, X), nJy per target pixel, dtype and device of `coarse`.

        Raises
        ------
        ValueError
            If a side isn't a multiple of the block or the transfer function is on another grid.
        """
        shape = (coarse.shape[-2], coarse.shape[-1])
        response = self._response(transfer, shape)
        if noise_to_signal.ndim == 1:
            noise_to_signal = noise_to_signal[:, None, None]
        if noise_to_signal.ndim == 3:
            noise_to_signal = noise_to_signal[:, None]
        power = response.real**2 + response.imag**2
        return self._to_fine(coarse, response.conj() / (power + noise_to_signal))

    def _padded(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        self.fine_shape(coarse_shape)
        return coarse_shape[0] + 2 * self.margin, coarse_shape[1] + 2 * self.margin

    def _fine_padded(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        height, width = self._padded(coarse_shape)
        return self.fine_shape((height, width))

    def _response(self, transfer: Tensor, coarse_shape: tuple[int, int]) -> Tensor:
        """Transfer function times the phase from fine to coarse pixel centres, (B, 1, Ky, Kx)."""
        padded = self._padded(coarse_shape)
        expected = (padded[0], padded[1] // 2 + 1)
        if transfer.shape[-2:] != expected:
            raise ValueError(
                f"transfer has shape {tuple(transfer.shape)}, expected (B, {expected[0]}, "
                f"{expected[1]}) for stamps of {coarse_shape[0]}x{coarse_shape[1]} pixels: "
                "make it on ObservationOperator.frequencies"
            )
        shift = _shift(self.grid, padded, _complex(transfer.dtype), transfer.device)
        return (transfer * shift).unsqueeze(-3)

    def _to_fine(self, coarse: Tensor, response: Tensor) -> Tensor:
        shape = (coarse.shape[-2], coarse.shape[-1])
        fine, full = self.fine_shape(shape), self._fine_padded(shape)
        modes = torch.fft.rfft2(_full_precision(coarse), s=self._padded(shape)) * response
        return _modes_to_fine(modes, full, fine).to(coarse.dtype)


def transfer_ratio(
    wide: Tensor,
    narrow: Tensor,
    frequencies: tuple[Tensor, Tensor] | None = None,
    *,
    check: bool = True,
) -> Tensor:
    """Return the transfer function that turns an image seen with one PSF into one of a wider PSF.

    Where the narrow PSF transmits less than 0.1 % the ratio is damped instead of divided by
    nothing.

    Parameters
    ----------
    wide, narrow : torch.Tensor
        Optical transfer functions of the PSF of the observed and of the target image, shapes
        (B, Ky, Kx) or (Ky, Kx).
    frequencies : tuple of torch.Tensor, optional
        (ky, kx) of `ObservationOperator.frequencies` on which they are: for the message.
    check : bool
        Make sure that the wide PSF isn't the sharper one.

    Returns
    -------
    torch.Tensor
        wide / narrow, broadcast to the common shape.

    Raises
    ------
    InputError
        If the PSF of the observed image is sharper than that of the target: the ratio exceeds
        1.05 at a frequency that the former transmits to 5 %.
    """
    ratio = wide * narrow.conj() / (narrow.abs() ** 2).clamp_min(_SOURCE_FLOOR**2)
    if check:
        sharper = (ratio.abs() > _SHARPER) & (wide.abs() > _SIGNIFICANT)
        if bool(sharper.any()):
            first = int(sharper.flatten(-2).any(-1).flatten().nonzero()[0])
            told = [""] * 2
            if frequencies is not None:
                told = [
                    f" (like a Gaussian of FWHM {equivalent_fwhm(one, frequencies):.3f} arcsec)"
                    for t in (wide, narrow)
                    for one in [t.expand(ratio.shape).reshape(-1, *t.shape[-2:])[first]]
                ]
            raise InputError(
                f"the PSF of the observed image{told[0]} is sharper than that of the target"
                f"{told[1]}: check the two PSFs, their order and pixel scales"
            )
    return ratio


def equivalent_fwhm(transfer: Tensor, frequencies: tuple[Tensor, Tensor]) -> float:
    """Return the FWHM in arcsec of the Gaussian that transmits most like a transfer function.

    Parameters
    ----------
    transfer : torch.Tensor
        Shape (Ky, Kx).
    frequencies : tuple of torch.Tensor
        (ky, kx) on which it is, in cycles per arcsec.

    Returns
    -------
    float
        From a least-squares line through ``-ln|T|`` against k^2 where ``0.2 < |T| < 0.98``, whose
        slope is pi^2 FWHM^2 / (4 ln 2).
    """
    ky, kx = (k.double().cpu() for k in frequencies)
    squared, size = ky**2 + kx**2, transfer.detach().abs().double().cpu()
    used = (size > 0.2) & (size < 0.98)
    slope = float(-(squared * size.log())[used].sum() / (squared**2)[used].sum())
    return float((4 * log(2) * max(slope, 0.0)) ** 0.5 / pi)


def _frequencies(
    shape: tuple[int, int], pixel_scale: float, device: torch.device | str | None
) -> tuple[Tensor, Tensor]:
    ky = torch.fft.fftfreq(shape[0], pixel_scale, dtype=torch.float64, device=device)
    kx = torch.fft.rfftfreq(shape[1], pixel_scale, dtype=torch.float64, device=device)
    return ky[:, None], kx[None, :]


@lru_cache(maxsize=16)
def _shift(
    grid: GridPair, shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return the phases (Ky, Kx) that lead from the centres of fine pixels to those of coarse ones.

    The first pixel of either grid begins at the same edge; its centre is half a pixel on.
    """
    # Kept for whoever comes next, who may want gradients.
    with torch.inference_mode(False):
        ky, kx = _frequencies(shape, grid.observed_scale, device)
        phase = pi * (grid.observed_scale - grid.target_scale) * (ky + kx)
        return torch.polar(_held(ky, kx, grid.observed_scale), phase).to(dtype)


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype in (torch.float64, torch.complex128) else torch.complex64


def _full_precision(image: Tensor) -> Tensor:
    """Half-precision images are transformed in single precision (flux is kept to 1e-3)."""
    return image if image.dtype == torch.float64 else image.float()


def _held(ky: Tensor, kx: Tensor, pixel_scale: float) -> Tensor:
    """Return 1 for the modes that the coarse grid holds, 0 for the Nyquist frequency.

    A shifted Nyquist mode has no real counterpart of its own on an even grid, and the transfer
    function from the ground is small there (HSC's is below 1e-3): leaving it out keeps the
    operator linear, real and its adjoint exact.
    """
    nyquist = 0.5 / pixel_scale * (1 - 1e-9)
    return ((ky.abs() < nyquist) & (kx.abs() < nyquist)).to(ky.dtype)


def _fine_to_modes(image: Tensor, full: tuple[int, int], coarse: tuple[int, int]) -> Tensor:
    """Lowest modes, in rfft2 order of the coarse grid, of an image padded to `full` pixels."""
    rows = torch.fft.rfft(image, n=full[1], dim=-1)[..., : coarse[1] // 2 + 1]
    modes = torch.fft.fft(rows, n=full[0], dim=-2)
    positive = (coarse[0] + 1) // 2
    return torch.cat([modes[..., :positive, :], modes[..., positive - coarse[0] :, :]], dim=-2)


def _modes_to_fine(modes: Tensor, full: tuple[int, int], kept: tuple[int, int]) -> Tensor:
    """First `kept` pixels of an image of `full` pixels from the modes of the coarse grid."""
    rows = modes.shape[-2]
    positive = (rows + 1) // 2
    gap = modes.new_zeros(*modes.shape[:-2], full[0] - rows, modes.shape[-1])
    complete = torch.cat([modes[..., :positive, :], gap, modes[..., positive:, :]], dim=-2)
    # Rows of the margin are dropped between the two transforms: they need no second one.
    columns = torch.fft.ifft(complete, dim=-2)[..., : kept[0], :]
    image: Tensor = torch.fft.irfft(columns, n=full[1], dim=-1)[..., : kept[1]]
    return image
