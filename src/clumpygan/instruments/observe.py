"""The observation as a linear, differentiable operator: an HST image becomes its HSC view.

The image is Fourier transformed on its own 0.06" grid, the modes that the 0.168" grid can hold are
multiplied by the ratio of the two optical transfer functions and transformed back at the centres
of the coarse pixels. A coarse stamp of 5 n pixels and a fine one of 14 n cover the same sky and
share their centre. All PSFs are effective ones: they contain the pixel response.
"""

from math import log, pi

import torch
from torch import Tensor, nn

from clumpygan.constants import COARSE_BLOCK, FINE_BLOCK, HSC_PIXEL_SCALE, HST_PIXEL_SCALE
from clumpygan.constants import PIXEL_AREA_RATIO as AREA
from clumpygan.errors import InputError

_SOURCE_FLOOR = 1e-3
_SHARPER = 1.05
_SIGNIFICANT = 0.05


class ObservationOperator(nn.Module):
    """HST image to HSC image: match the PSF, resample by 5/14, keep the flux.

    Without noise; linear in the image, differentiable in image and transfer function, on any
    device. The image is padded with zeros, so that light leaving one edge doesn't come back at
    the other.

    Parameters
    ----------
    margin : int
        Padding on each side, in HSC pixels, a multiple of 5. The default of 20 keeps opposite
        edges 6.7" apart, which holds the wings of a diffraction-limited PSF to 1e-3 of the flux.

    Raises
    ------
    ValueError
        If `margin` is negative or no multiple of 5.
    """

    def __init__(self, margin: int = 20) -> None:
        super().__init__()
        if margin < 0 or margin % COARSE_BLOCK:
            raise ValueError(f"margin must be a multiple of {COARSE_BLOCK} >= 0, got {margin}")
        self.margin = margin

    def fine_shape(self, coarse_shape: tuple[int, int]) -> tuple[int, int]:
        """Shape (Y, X) of the HST stamp that covers an HSC stamp of shape (y, x).

        Raises
        ------
        ValueError
            If a side isn't a positive multiple of 5 HSC pixels.
        """
        height, width = (_blocks(side, COARSE_BLOCK, "HSC") for side in coarse_shape)
        return FINE_BLOCK * height, FINE_BLOCK * width

    def coarse_shape(self, fine_shape: tuple[int, int]) -> tuple[int, int]:
        """Shape (y, x) of the HSC stamp that an HST stamp of shape (Y, X) covers.

        Raises
        ------
        ValueError
            If a side isn't a positive multiple of 14 HST pixels.
        """
        height, width = (_blocks(side, FINE_BLOCK, "HST") for side in fine_shape)
        return COARSE_BLOCK * height, COARSE_BLOCK * width

    def frequencies(
        self, coarse_shape: tuple[int, int], device: torch.device | str | None = None
    ) -> tuple[Tensor, Tensor]:
        """Frequencies on which transfer functions are given.

        Parameters
        ----------
        coarse_shape : tuple of int
            Shape (y, x) of the HSC stamp, without the margin.
        device : torch.device or str, optional
            Where the tensors shall be.

        Returns
        -------
        (ky, kx) : tuple of torch.Tensor
            Shapes (Ky, 1) and (1, Kx), float64, cycles per arcsec, in the order of `rfft2` of the
            padded stamp: Ky = y + 2 margin, Kx = (x + 2 margin) // 2 + 1.
        """
        height, width = self._padded(coarse_shape)
        ky = torch.fft.fftfreq(height, HSC_PIXEL_SCALE, dtype=torch.float64, device=device)
        kx = torch.fft.rfftfreq(width, HSC_PIXEL_SCALE, dtype=torch.float64, device=device)
        return ky[:, None], kx[None, :]

    def forward(self, image: Tensor, transfer: Tensor) -> Tensor:
        """Observe HST images.

        Parameters
        ----------
        image : torch.Tensor
            Shape (B, C, Y, X), nJy per HST pixel; Y and X are multiples of 14.
        transfer : torch.Tensor
            Shape (B, Ky, Kx) or (Ky, Kx), real or complex: the ratio of the HSC and the HST
            transfer function on `frequencies`.

        Returns
        -------
        torch.Tensor
            Shape (B, C, 5Y/14, 5X/14), nJy per HSC pixel, dtype and device of `image`.

        Raises
        ------
        ValueError
            If a side isn't a multiple of 14 or the transfer function is on another grid.
        """
        coarse = self.coarse_shape((image.shape[-2], image.shape[-1]))
        padded = self._padded(coarse)
        response = self._response(transfer, coarse)
        modes = _fine_to_modes(_full_precision(image), self._fine_padded(coarse), padded)
        # irfft2 divides by the number of coarse pixels, the inverse on the fine grid would divide
        # by 7.84 times as many: just the ratio of the pixels' areas, so nothing is left to scale.
        observed: Tensor = torch.fft.irfft2(modes * response, s=padded)
        return observed[..., : coarse[0], : coarse[1]].to(image.dtype)

    def adjoint(self, coarse: Tensor, transfer: Tensor) -> Tensor:
        """Apply the transpose of `forward`: <A x, y> = <x, A' y> for all x and y.

        Parameters
        ----------
        coarse : torch.Tensor
            Shape (B, C, y, x); y and x are multiples of 5.
        transfer : torch.Tensor
            As in `forward`.

        Returns
        -------
        torch.Tensor
            Shape (B, C, 14y/5, 14x/5), dtype and device of `coarse`.

        Raises
        ------
        ValueError
            If a side isn't a multiple of 5 or the transfer function is on another grid.
        """
        shape = (coarse.shape[-2], coarse.shape[-1])
        response = self._response(transfer, shape).conj() * AREA
        return self._to_fine(coarse, response)

    def wiener(self, coarse: Tensor, transfer: Tensor, noise_to_signal: Tensor) -> Tensor:
        """Deconvolve HSC images onto the HST grid with a Wiener filter.

        The filter is T* / (|T|^2 + n) with the noise-to-signal ratio n of powers (e.g. Gonzalez &
        Woods, Digital Image Processing, equation 5.8-6); it tends to the inverse of `forward` on
        the modes of the HSC grid as n goes to 0.

        Parameters
        ----------
        coarse : torch.Tensor
            Shape (B, C, y, x), nJy per HSC pixel.
        transfer : torch.Tensor
            As in `forward`.
        noise_to_signal : torch.Tensor
            Shape (), (B,) or (B, Ky, Kx), positive.

        Returns
        -------
        torch.Tensor
            Shape (B, C, 14y/5, 14x/5), nJy per HST pixel, dtype and device of `coarse`.

        Raises
        ------
        ValueError
            If a side isn't a multiple of 5 or the transfer function is on another grid.
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
        ky, kx = self.frequencies(coarse_shape, transfer.device)
        if transfer.shape[-2:] != (len(ky), kx.shape[1]):
            raise ValueError(
                f"transfer has shape {tuple(transfer.shape)}, expected (B, {len(ky)}, "
                f"{kx.shape[1]}) for HSC stamps of {coarse_shape[0]}x{coarse_shape[1]} pixels: "
                "make it on ObservationOperator.frequencies"
            )
        # The first pixel of either grid begins at the same edge; its centre is half a pixel on.
        phase = pi * (HSC_PIXEL_SCALE - HST_PIXEL_SCALE) * (ky + kx)
        shift = torch.polar(_held(ky, kx), phase).to(_complex(transfer.dtype))
        return (transfer * shift).unsqueeze(-3)

    def _to_fine(self, coarse: Tensor, response: Tensor) -> Tensor:
        shape = (coarse.shape[-2], coarse.shape[-1])
        fine, full = self.fine_shape(shape), self._fine_padded(shape)
        modes = torch.fft.rfft2(_full_precision(coarse), s=self._padded(shape)) * response
        return _modes_to_fine(modes, full, fine).to(coarse.dtype)


def transfer_ratio(target: Tensor, source: Tensor, *, check: bool = True) -> Tensor:
    """Transfer function that turns an image seen with `source` into one seen with `target`.

    Where the source transmits less than 0.1 % the ratio is damped instead of divided by nothing.

    Parameters
    ----------
    target, source : torch.Tensor
        Optical transfer functions of the wide and the narrow PSF on
        `ObservationOperator.frequencies`, shapes (B, Ky, Kx) or (Ky, Kx).
    check : bool
        Make sure that the target isn't sharper than the source.

    Returns
    -------
    torch.Tensor
        target / source, broadcast to the common shape.

    Raises
    ------
    InputError
        If the target PSF is sharper than the source PSF: the ratio exceeds 1.05 at a frequency
        that the target transmits to 5 %.
    """
    ratio = target * source.conj() / (source.abs() ** 2).clamp_min(_SOURCE_FLOOR**2)
    if check:
        sharper = (ratio.abs() > _SHARPER) & (target.abs() > _SIGNIFICANT)
        if bool(sharper.any()):
            first = int(sharper.flatten(-2).any(-1).flatten().nonzero()[0])
            wide, narrow = (
                equivalent_fwhm(t.expand(ratio.shape).reshape(-1, *t.shape[-2:])[first])
                for t in (target, source)
            )
            raise InputError(
                f"the HSC PSF (like a Gaussian of FWHM {wide:.3f} arcsec) is sharper than the HST "
                f"PSF (FWHM {narrow:.3f} arcsec): check the two PSFs, their order and pixel scales"
            )
    return ratio


def equivalent_fwhm(transfer: Tensor) -> float:
    """FWHM in arcsec of the Gaussian that transmits most like a transfer function.

    Parameters
    ----------
    transfer : torch.Tensor
        Shape (Ky, Kx), on the padded HSC grid.

    Returns
    -------
    float
        From a least-squares line through -ln|T| against k^2 where 0.2 < |T| < 0.98, whose slope
        is pi^2 FWHM^2 / (4 ln 2).
    """
    rows, columns = transfer.shape
    width = rows if columns == rows // 2 + 1 else 2 * (columns - 1)
    ky = torch.fft.fftfreq(rows, HSC_PIXEL_SCALE, dtype=torch.float64)[:, None]
    kx = torch.fft.rfftfreq(width, HSC_PIXEL_SCALE, dtype=torch.float64)[None, :]
    squared, size = ky**2 + kx**2, transfer.detach().abs().double().cpu()
    used = (size > 0.2) & (size < 0.98)
    slope = float(-(squared * size.log())[used].sum() / (squared**2)[used].sum())
    return float((4 * log(2) * max(slope, 0.0)) ** 0.5 / pi)


def _blocks(side: int, block: int, grid: str) -> int:
    if side <= 0 or side % block:
        raise ValueError(
            f"a stamp of {side} {grid} pixels can't be resampled exactly: "
            f"crop or pad it to a multiple of {block}"
        )
    return side // block


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype in (torch.float64, torch.complex128) else torch.complex64


def _full_precision(image: Tensor) -> Tensor:
    """Half-precision images are transformed in single precision (flux is kept to 1e-3)."""
    return image if image.dtype == torch.float64 else image.float()


def _held(ky: Tensor, kx: Tensor) -> Tensor:
    """1 for the modes that the coarse grid holds, 0 for the Nyquist frequency.

    A shifted Nyquist mode has no real counterpart of its own on an even grid, and HSC's transfer
    function is below 1e-3 there: leaving it out keeps the operator linear, real and its adjoint
    exact.
    """
    nyquist = 0.5 / HSC_PIXEL_SCALE * (1 - 1e-9)
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
